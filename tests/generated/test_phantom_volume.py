# nbs/phantom/51_volume.ipynb: runs against the imported medvl.phantom.volume.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] The volume
from dataclasses import replace
import numpy as np
from medvl.core import MedvlError
from medvl.phantom.anatomy import Anatomy, MU, cage, heart, hounsfield, mediastinum
from medvl.phantom.bones import Strokes, bones
from medvl.phantom.findings import ball_list, strokes, tissue
from medvl.phantom.vessels import airways, vessels

# %% [4] The volume
from fastcore.test import *
from io import BytesIO
from IPython.display import Image, display
import matplotlib.pyplot as plt
from medvl.phantom.anatomy import draw_anatomy
from medvl.phantom.findings import Finding, measure

# %% [6] Labels
from medvl.phantom.volume import (CT_LABELS, CT_FINDING, _paint, ct, _paint_all)

# %% [7] Labels
a = draw_anatomy(np.random.default_rng(4))
F = [Finding('effusion', 'left', .8), Finding('nodule', 'right', .9, (-6.5,0.,0.))]
hu,lab,corner = ct(a, F, h=.6); test_eq(hu.shape, lab.shape)
assert hu[lab==0].max() == -1000 and -800 < np.median(hu[lab==3]) < -650
assert abs(np.median(hu[lab==5])-50) < 20 and hu[lab==8].min() > 300
test_close((lab==CT_FINDING).sum()*.6**3/measure(F[0])[0], 1, .15)  # the effusion's millilitres, counted in voxels
test_fail(lambda: ct(a, [], h=5), contains='0.1 to 2')
fig,ax = plt.subplots(1, 3, figsize=(10,3.2)); k = hu.shape
for o,s in zip(ax, (hu[:,int((1-corner[1])/.6)], hu[int((6.-corner[0])/.6)], hu[:,:,int((-5-corner[2])/.6)])):
    o.imshow(s.T[::-1] if o is not ax[2] else s.T, cmap='gray', vmin=-1000, vmax=400)
    o.axis('off')
plt.tight_layout(); plt.savefig(buf := BytesIO(), format='jpg', dpi=70, pil_kwargs=dict(quality=80)); plt.close()
display(Image(buf.getvalue()))
