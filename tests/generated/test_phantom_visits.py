# nbs/phantom/40_visits.ipynb: runs against the imported medvl.phantom.visits.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Visits
from dataclasses import dataclass, replace
import numpy as np
from medvl.core import CHEXPERT
from medvl.phantom.anatomy import Anatomy, LOBES, draw_anatomy
from medvl.phantom.bones import rib_line
from medvl.phantom.findings import Finding, OPACITY, measure, place, zone_of

# %% [4] Visits
from fastcore.test import *
from medvl.phantom.anatomy import lobe
from medvl.phantom.findings import KINDS
import pandas as pd

# %% [6] Findings that occur together
from medvl.phantom.visits import (PICTURES, CHRONIC, BILATERAL)

# %% [7] Findings that occur together
t = pd.DataFrame({k: {'share': w, **p} for k,(w,p) in PICTURES.items()}).T.fillna(0)
test_close(t.share.sum(), 1, 1e-9); test_eq(set(t.columns[1:]), set(KINDS))
t.round(2).replace(0, '')

# %% [9] A new finding
from medvl.phantom.visits import (draw_finding, _zoned, _device)

# %% [10] A new finding
rng = np.random.default_rng(0); a = draw_anatomy(rng)
for k in KINDS:
    f = draw_finding(k, a, rng); test_eq(f.kind, k); assert 0 < f.sev <= 1
clear = [draw_finding(k, a, rng, subtle=-.5) for k in KINDS for _ in range(8)]
assert min(f.sev for f in clear) >= .5
assert min(f.info['dense'] for f in clear if f.kind == 'consolidation') > .55
f = draw_finding('consolidation', a, rng, side='left'); assert f.lobe in ('upper','lower')
assert lobe(a, *f.xyz, 'left', f.lobe) < 0
f

# %% [12] The course
from medvl.phantom.visits import (MOVED, Visit, Patient, settle, _next)

# %% [13] The course
from medvl.phantom.visits import (_first)

# %% [15] The course
from medvl.phantom.visits import (draw_patient)

# %% [17] The course
from medvl.phantom.visits import (_evolve)

# %% [18] The course
p = draw_patient(3); test_eq(p, draw_patient(3))
P = [draw_patient(i) for i in range(400)]; V = [v for p in P for v in p.visits]
assert .3 < np.mean([not v.findings for v in V]) < .5
for p in P:
    for u,v in zip(p.visits, p.visits[1:]):
        was, now = {f.id: f.sev for f in u.findings}, {f.id: f.sev for f in v.findings}
        test_eq(len(now), len(v.findings)); assert v.day > u.day
        for k,c in v.change.items():
            if c in ('worse','better','stable') and k in was:
                assert {'worse': now[k]-was[k] > MOVED, 'better': was[k]-now[k] > MOVED,
                        'stable': abs(now[k]-was[k]) <= MOVED}[c]
            elif c == 'new': assert k not in was and k in now
            else: assert k in was and k not in now
        for s in ('left','right'): assert not (f'pneumothorax-{s}' in now and f'effusion-{s}' in now)

# %% [20] Labels
from medvl.phantom.visits import (SEEN, truth_labels)

# %% [21] Labels
test_eq(truth_labels([])['No Finding'], 1)
l = truth_labels([Finding('consolidation','left', info={'pneumonia':True}), Finding('tube')])
test_eq([l[k] for k in ('Consolidation','Pneumonia','Lung Opacity','Support Devices','No Finding','Edema')],
        [1,1,1,1,0,0])
l = truth_labels([Finding('nodule','left', id='n')], {'n': .01})
assert np.isnan(l['Lung Lesion']) and np.isnan(l['No Finding'])
pd.DataFrame([truth_labels(v.findings)
              for v in V]).mean().round(3).sort_values(ascending=False).to_frame('share of visits').T
