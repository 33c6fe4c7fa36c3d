# nbs/phantom/11_bones.ipynb: runs against the imported medvl.phantom.bones.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Bones
from dataclasses import dataclass
from functools import lru_cache
import numpy as np
from numpy.typing import ArrayLike
from medvl.core import MedvlError
from medvl.phantom.anatomy import Anatomy, MU, spine_x, spine_y, wall

# %% [4] Bones
from dataclasses import replace
from fastcore.test import *
from io import BytesIO
from IPython.display import Image, display
import matplotlib.pyplot as plt
from medvl.phantom.anatomy import cage, draw_anatomy

# %% [6] Lines
from medvl.phantom.bones import (Strokes, tube, smooth)

# %% [7] Lines
t = tube([(0,0,0),(0,0,10)], .5, .1)
test_close((t.mu*np.pi*t.r**2*t.ds).sum(), .1*np.pi*.25*10, 1e-4)  # mass of a cylinder
test_close(smooth([(0,0,0),(1,1,0),(2,0,0)], 5)[[0,2,4]], [(0,0,0),(1,1,0),(2,0,0)], 1e-6)
test_eq(len(Strokes.join([t, t[:3]])), len(t)+3)

# %% [9] Lines
from medvl.phantom.bones import (RIB_FLAT, RIB, rib_line, _bone)

# %% [11] Lines
from medvl.phantom.bones import (bones, _frame)

# %% [13] Lines
from medvl.phantom.bones import (_thin, _vertebra, _vertebra2, _vertebrae)

# %% [14] Lines
a = draw_anatomy(np.random.default_rng(0))
P = rib_line(a, 5, 'left'); back, front = P[5:15], P[-8:]
slope = lambda q: abs((q[-1,2]-q[0,2])/(q[-1,0]-q[0,0]))
assert slope(front) > 1.5*slope(back); assert P[-1,2] < P[0,2]
assert np.all(cage(a, *P.T) > 0)  # a rib never enters the chest
assert all(rib_line(a, i, 'left')[0,2] > rib_line(a, i+1, 'left')[0,2] for i in range(1,12))
b = replace(a, style=2); Q = rib_line(b, 5, 'left'); fall = lambda q: q[0,2]-q[q[:,0].argmax(),2]
assert fall(Q) > 1.2*fall(P) > 0; assert np.all(cage(b, *Q.T) > 0)  # the second style's fall more, and never enter
test_fail(lambda: rib_line(a, 13, 'left'), contains='12 pairs')
B = bones(a); len(B)

# %% [16] Lines
from medvl.phantom.projection import Geometry, draw
fig,ax = plt.subplots(1, 4, figsize=(11,2.9))
for o,(style,view) in zip(ax, [(1,'PA'),(1,'LL'),(2,'PA'),(2,'LL')]):
    p = draw(bones(replace(a, style=style), view == 'LL'), Geometry(view), 224)
    o.imshow(p, cmap='gray', vmin=0, vmax=.8); o.axis('off'); o.set_title(f'style {style}, {view}', fontsize=9)
    assert p.max() > .3
plt.tight_layout(); plt.savefig(buf := BytesIO(), format='jpg', dpi=70, pil_kwargs=dict(quality=70)); plt.close()
display(Image(buf.getvalue()))
