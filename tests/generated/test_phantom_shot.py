# nbs/phantom/31_shot.ipynb: runs against the imported medvl.phantom.shot.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] A film with its truth
from dataclasses import dataclass, replace
from functools import lru_cache
import numpy as np
from scipy import ndimage as ndi
from medvl.phantom.anatomy import Anatomy, MU, cage, edges, block, heart, heart_parts, mediastinum, wall
from medvl.phantom.bones import Strokes, bones
from medvl.phantom.findings import ball_list, strokes, tissue
from medvl.phantom.outline import body, chest
from medvl.phantom.projection import (Geometry, Quality, collimate, draw, expose, mark, occupied, rays, whole,
                                      window)
from medvl.phantom.vessels import airways, tree, vessels

# %% [4] A film with its truth
from fastcore.test import *
from io import BytesIO
from IPython.display import Image, display
import matplotlib.pyplot as plt
from medvl.phantom.anatomy import draw_anatomy
from medvl.phantom.findings import Finding, measure, place

# %% [6] A film with its truth
from medvl.phantom.shot import (balls)

# %% [7] A film with its truth
G = Geometry(cz=0.); b = balls([((0,0,0),(2.,2.,2.),.15)], G, 224)
test_close(b.max(), .6, .04)  # mu times the diameter
test_close(b.sum()*(39/224/(180/168))**2, .15*4/3*np.pi*8, .06)  # and the ball's volume

# %% [9] The chain
from medvl.phantom.shot import (Shot, SHARE, FLOOR, _bones, _vessels, _bronchi)

# %% [11] The chain
from medvl.phantom.shot import (_still, _shifted, film_ctr, _bubbles, gas)

# %% [12] The chain
from medvl.phantom.shot import (_truth)

# %% [14] The chain
from medvl.phantom.shot import (shoot)

# %% [16] The chain
from medvl.phantom.shot import (SHINE, _inside, _develop)

# %% [18] The chain
rng = np.random.default_rng; a = draw_anatomy(rng(4))
f = Finding('nodule', 'right', .8, place(a, rng(3), 'right', 1.6))
quiet = Quality(photons=1e9, scatter=0., electronic=0., blur=0.)
shot = shoot(a, [f], Geometry(), quiet, 224, rng(0), marker=()); m = shot.masks[0]
c,r,_ = Geometry().project(np.array([f.xyz]), 224)
assert m[int(round(float(r[0]))),int(round(float(c[0])))]  # the mask lies where the centre projects
test_eq(len(shot.boxes[0]), 1); x,y,w,h = shot.boxes[0][0]
test_eq((y, x, y+h, x+w), (np.where(m.any(1))[0][0], np.where(m.any(0))[0][0], np.where(m.any(1))[0][-1]+1,
                           np.where(m.any(0))[0][-1]+1))
test_close(2*np.sqrt(m.sum()/np.pi)*39/224/1.07, measure(f)[0], .45)  # about as wide as the nodule, in cm
assert shot.px.dtype == np.uint8 and shot.px.std() > 30
assert shoot(a, [Finding('nodule', 'right', .01, f.xyz)], Geometry(), Quality(), 224,
             rng(0)).visibility[0] < shot.visibility[0]  # small is harder to see
test_close(film_ctr(a, Geometry('AP', sdd=100)) / film_ctr(a, Geometry('PA')), 1.05,
           .06)  # the AP heart is a little larger

# %% [19] The chain
kinds = [('effusion',.5),('pneumothorax',.5),('consolidation',.9),('edema',.9),('band',.7),('collapse',.8),
         ('mass',.6),('fracture',.9),('line',.5),('pacemaker',.5)]
fig,ax = plt.subplots(2, 5, figsize=(12,5))
for o,(k,sev) in zip(ax.flat, kinds):
    f = Finding(k, 'left' if k != 'line' else 'right', sev, (6.5,-1.,-3.) if k != 'line' else (-2.,-.5,0.), 'lower',
                'lower', seed=5, info=dict(dense=.9, rib=6, at=30, tip=4, via='jugular'))
    t = shoot(a, [f], Geometry(width=37), Quality(lo=4), 192, rng(1)); o.imshow(t.px, cmap='gray', vmin=0, vmax=255)
    o.axis('off')
    o.contour(t.masks[0], [.5], colors='orange', linewidths=.7)
    o.set_title(f'{k}: visibility {t.visibility[0]:.2f}', fontsize=9)
plt.tight_layout(); plt.savefig(buf := BytesIO(), format='jpg', dpi=70, pil_kwargs=dict(quality=70)); plt.close()
display(Image(buf.getvalue()))
