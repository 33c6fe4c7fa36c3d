# nbs/phantom/30_findings.ipynb: runs against the imported medvl.phantom.findings.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Findings
from dataclasses import dataclass, field
from functools import lru_cache
import numpy as np
from jaxtyping import Float
from medvl.core import MedvlError
from medvl.phantom.anatomy import Anatomy, MU, Reals, block, cage, dome, edges, lobe, lung, mediastinum, wall
from medvl.phantom.bones import RIB_FLAT, Strokes, rib_line, smooth, tube, _bone
from medvl.phantom.outline import skin
from medvl.phantom.projection import occupied
from medvl.phantom.vessels import HILUM

# %% [4] Findings
from fastcore.test import *
from medvl.core import CHEXPERT
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

# %% [14] How a finding changes the lung
from medvl.phantom.findings import (_fluid_key, _level, _waves, _ramp)

# %% [16] How a finding changes the lung
from medvl.phantom.findings import (alpha, _gap)

# %% [17] How a finding changes the lung
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

# %% [18] How a finding changes the lung
from medvl.phantom.findings import (tissue, _reach)

# %% [19] How a finding changes the lung
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
def before_the_skin(a, kind):
    "How far the foremost point of a device lies before the skin of the second style, cm; negative: under it."
    P = strokes(Finding(kind, 'left', .5, seed=1), a).xyz; near = P[P[:,2] < a.apex-4]
    return float((np.interp(near[:,2], *skin(a)[:2])-near[:,1]).max())
bodies = [draw_anatomy(np.random.default_rng(i), 1., 2) for i in range(100)]
for kind in ('pacemaker','wires'):
    out = [before_the_skin(a, kind) for a in bodies]
    print(f"{kind}: {-max(out):.1f} to {-min(out):.1f} cm under the skin, 100 bodies"); assert max(out) < 0

# %% [33] Findings that are lines, plates and balls
from medvl.phantom.findings import (ball_list)
