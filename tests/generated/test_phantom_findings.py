# nbs/phantom/03_findings.ipynb: runs against the imported medvl.phantom.findings.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Findings
from dataclasses import dataclass, field, replace
from functools import lru_cache
import numpy as np
from jaxtyping import Float
from scipy import ndimage as ndi
from medvl.core import MedvlError
from medvl.phantom.anatomy import (Anatomy, HILUM, MU, RIB_FLAT, Reals, Strokes, airways, block, bones, cage, dome,
                                   edges, heart, heart_parts, lobe, lung, mediastinum, rib_line, smooth, tree, tube,
                                   vessels, wall, _bone)
from medvl.phantom.projection import (Geometry, Quality, body, chest, collimate, draw, expose, mark, occupied,
                                      rays, whole, window)

# %% [4] Findings
from fastcore.test import *
from medvl.core import CHEXPERT
from io import BytesIO
from IPython.display import Image, display
import matplotlib.pyplot as plt
from medvl.phantom.anatomy import draw_anatomy

# %% [6] The record of a finding
from medvl.phantom.findings import (KINDS, OPACITY)

# %% [8] The record of a finding
from medvl.phantom.findings import (Finding, measure, grade)

# %% [9] The record of a finding
test_close(measure(Finding('effusion', 'left', 1.))[0], 1830, 5); test_eq(measure(Finding('heart', sev=0.))[0], .5)
test_eq([grade(Finding('edema', sev=s)) for s in (.1,.3,.6,1.)], [0,1,2,3])
test_eq(set(KINDS.values()) | {'No Finding','Lung Opacity','Pneumonia'}, set(CHEXPERT))  # every observation can occur
test_fail(lambda: Finding('gout'), contains="'gout'")

# %% [11] The record of a finding
from medvl.phantom.findings import (zone_of, place)

# %% [12] The record of a finding
a = draw_anatomy(np.random.default_rng(4)); rng = np.random.default_rng(0)
for o in ('left','right'):
    p = np.array([place(a, rng, o, 1.5, 'lower') for _ in range(20)]).T
    assert (lung(a, *p, o) < -.5).all() and (lobe(a, *p, o, 'lower') < 0).all()
test_eq(zone_of(a, a.apex-2), 'upper'); test_eq(zone_of(a, a.base), 'lower')

# %% [14] What a finding does to lung
from medvl.phantom.findings import (_fluid_key, _level, _waves, _ramp)

# %% [16] What a finding does to lung
from medvl.phantom.findings import (alpha, _gap)

# %% [17] What a finding does to lung
f = Finding('effusion', 'left', .6); ml = measure(f)[0]; h = .5
x,y,z = (o.ravel() for o in np.meshgrid(np.arange(0,15,h), np.arange(-12,12,h), np.arange(-22,13,h), indexing='ij'))
inl = lung(a, x, y, z, 'left') < 0; al,_ = alpha(f, a, x, y, z, 'left', cage(a, x, y, z), soft=.1)
test_close(al[inl].sum()*h**3/ml, 1, .08)  # as much fluid as asked for
assert z[inl & (al>.5)].mean() < z[inl & (al<.5)].mean() - 5  # at the bottom
test_is(alpha(f, a, x, y, z, 'right', 0*x), None)
ptx = Finding('pneumothorax', 'left', .5); al,m = alpha(ptx, a, x, y, z, 'left', cage(a, x, y, z))
test_eq(m, 0)
top,core = al[inl & (z>a.apex-2)].mean(), al[inl & (np.abs(x)<6) & (np.abs(y)<3) & (z<a.apex-9)].mean()
assert top > .8 > .1 > core, (top,core)  # apex first

# %% [18] What a finding does to lung
from medvl.phantom.findings import (tissue, _reach)

# %% [19] What a finding does to lung
pts = tuple(np.random.default_rng(2).uniform(-9, 9, (3,4000)).astype(np.float32))
two = [Finding('effusion','left',.8), Finding('consolidation','left',.9,(6.,0.,-4.),'lower')]
occ,mu,own = tissue(a, two, *pts, 'left')
assert mu.max() <= MU['soft']+1e-6 and mu.min() >= a.lung_mu-1e-6  # fluid and pneumonia in one place do not add up
test_eq(set(own), {0,1}); assert own[0].max() > .1; test_eq(tissue(a, two, *pts, 'right')[2], {})

# %% [21] Findings that are lines, plates and balls
from medvl.phantom.findings import (_sheet, _plate)

# %% [23] Findings that are lines, plates and balls
from medvl.phantom.findings import (pleura)

# %% [25] Findings that are lines, plates and balls
from medvl.phantom.findings import (strokes, _septal)

# %% [27] Findings that are lines, plates and balls
from medvl.phantom.findings import (_fracture)

# %% [29] Findings that are lines, plates and balls
from medvl.phantom.findings import (_plastic,
    _dev_tube,
    _dev_line,
    _dev_pacemaker,
    _dev_feeding,
    _dev_drain,
    _dev_wires,
    DEVICES)

# %% [31] Findings that are lines, plates and balls
from medvl.phantom.findings import (ball_list, balls)

# %% [32] Findings that are lines, plates and balls
G = Geometry(cz=0.); b = balls([((0,0,0),(2.,2.,2.),.15)], G, 224)
test_close(b.max(), .6, .04)  # mu times the diameter
test_close(b.sum()*(39/224/(180/168))**2, .15*4/3*np.pi*8, .06)  # and the ball's volume

# %% [34] A film with its truth
from medvl.phantom.findings import (Shot, SHARE, FLOOR, _bones, _vessels, _bronchi)

# %% [36] A film with its truth
from medvl.phantom.findings import (_still, _shifted, film_ctr, gas)

# %% [37] A film with its truth
from medvl.phantom.findings import (_truth)

# %% [39] A film with its truth
from medvl.phantom.findings import (shoot)

# %% [41] A film with its truth
from medvl.phantom.findings import (_inside, _develop)

# %% [43] A film with its truth
rng = np.random.default_rng
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

# %% [44] A film with its truth
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
