# nbs/phantom/12_vessels.ipynb: runs against the imported medvl.phantom.vessels.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Vessels and airways
import numpy as np
from medvl.phantom.anatomy import Anatomy, MU
from medvl.phantom.bones import Strokes, smooth, tube

# %% [4] Vessels and airways
from fastcore.test import *
from io import BytesIO
from IPython.display import Image, display
import matplotlib.pyplot as plt
from medvl.phantom.anatomy import draw_anatomy, lung
from medvl.phantom.bones import rib_line

# %% [6] Vessels and airways
from medvl.phantom.vessels import (HILUM, _turn, tree, _trunks)

# %% [8] Vessels and airways
from medvl.phantom.vessels import (vessels, airways)

# %% [9] Vessels and airways
a = draw_anatomy(np.random.default_rng(0))
v,left = vessels(a)
test_eq(vessels(a)[0].xyz, v.xyz)
S,E,R,G = tree(a, 'right')
assert R[G==6].mean() < .3*R[G==0].mean(); test_eq(len(S), 2*15*(2**7-1))
print(f'{len(v)} points of vessels, {v.ds.sum()/100:.0f} m of them')

# %% [10] Vessels and airways
fig,ax = plt.subplots(figsize=(5,4.6))
for i in range(1,13):
    for side in ('left','right'): P = rib_line(a, i, side); ax.plot(P[:,0], P[:,2], 'k', lw=1)
keep = np.where(left, lung(a, *v.xyz.T, 'left'), lung(a, *v.xyz.T, 'right')) < 0
ax.scatter(*v.xyz[keep][:,[0,2]].T, s=v.r[keep]**2*12, c='crimson', lw=0); ax.set_aspect('equal')
ax.set_title('ribs and vessels')
plt.tight_layout(); plt.savefig(buf := BytesIO(), format='jpg', dpi=70, pil_kwargs=dict(quality=70)); plt.close()
display(Image(buf.getvalue()))
