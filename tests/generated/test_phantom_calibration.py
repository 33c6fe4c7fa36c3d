# nbs/phantom/52_calibration.ipynb: runs against the imported medvl.phantom.calibration.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Calibration
import re
import numpy as np
import pandas as pd
import PIL.Image as PIL
from jaxtyping import Bool, Float
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import RidgeClassifier
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from medvl.core import CHEXPERT
from medvl.data.study import Study
from medvl.phantom.anatomy import Anatomy
from medvl.phantom.findings import Finding, grade
from medvl.phantom.reports import BACKGROUND
from medvl.phantom.sentences import ZONES
from medvl.phantom.visits import draw_patient

# %% [4] Calibration
from fastcore.test import *
import json
from pathlib import Path
from IPython.display import display
from medvl.phantom.set import V1, knobs, patient_number, phantom_studies

# %% [6] Four ways to find a report
from medvl.phantom.calibration import (hits_at)

# %% [7] Four ways to find a report
I, same = np.eye(4, dtype=bool), np.zeros((4,4))
test_eq(hits_at(1.*I, I, 1), np.ones(4))
test_close([hits_at(same, I, k).mean() for k in (1,2,4)], [.25,.5,1])                 # all equal: chance
test_eq(hits_at(np.array([[2.,1,1]]), np.array([[False,True,False]]), 1), [0])       # a better wrong one comes first
test_eq(hits_at(np.array([[2.,1,1]]), np.array([[False,True,False]]), 2), [.5])

# %% [8] Four ways to find a report
from medvl.phantom.calibration import (UNGRADED, facts)

# %% [10] Four ways to find a report
from medvl.phantom.calibration import (oracle_scores)

# %% [12] Four ways to find a report
from medvl.phantom.calibration import (_small, _labels, _words, retrieval_scores)

# %% [14] Findings from a thumbnail
from medvl.phantom.calibration import (FOCAL, probe_scores)

# %% [16] A small table
from medvl.phantom.calibration import (calibrate)

# %% [17] A small table
train, test = phantom_studies(50, seed=2, size=48, split='train'), phantom_studies(44, seed=2, size=48, split='test')
ret, auc = calibrate(train, test); print(f'{len(train)} training and {len(test)} test studies (phantom, 48 px)')
display(ret)
R1 = ret['R@1']; assert R1.oracle > 1.8*R1['bag of labels'] > R1['raw pixels'] and R1.oracle > 8*R1['raw pixels']
auc

# %% [18] A small table
assert all(auc.AUROC[auc.focal.astype(bool)] < .9)

# %% [20] A small table
text = np.array([s.report.split('FINDINGS:')[1] for s in test])
hit = hits_at(oracle_scores(test), text[:,None] == text[None], 1)
ill = np.array([bool(s.info['state']['findings']) for s in test])
print(f'oracle, R@1: {hit[ill].mean():.2f} with a finding ({ill.sum()} studies), {hit[~ill].mean():.2f} without')
assert hit[ill].mean() > 4*hit[~ill].mean()

# %% [22] How many states there are
from medvl.phantom.calibration import (state_key, count_states)

# %% [23] How many states there are
test_eq(state_key([Finding('effusion', 'left', .3), Finding('heart')]),
        state_key([Finding('heart'), Finding('effusion', 'left', .4)]))            # order and millilitres are no state
assert state_key([Finding('effusion', 'left', .3)]) != state_key([Finding('effusion', 'left', .6)])
numbers = [patient_number(i, V1['seed'], part) for part,n in V1['patients'].items() for i in range(n)]
visits, states = count_states(numbers, knobs(V1['difficulty']))
print(f"{V1['name']}: {len(numbers):,} patients, {visits:,} visits, {states:,} distinct states"); assert states > 2000

# %% [25] The table
known = Path('../../results/phantom_calibration.json')
known = json.loads(known.read_text(encoding='utf-8')) if known.exists() else None
def told(o, c=1, d=2): return f"{c*o['value']:.{d}f} ({c*o['low']:.{d}f} to {c*o['high']:.{d}f})"
def column(r):
    "One difficulty."
    hits = {f'{k}, {n}, %': told(v[n], 100, 1) for k,v in r['retrieval'].items() for n in ('R@1','R@10')}
    probe = {f"probe, {k}{', focal' if k in FOCAL else ''}": told(o) for k,o in r['probe'].items()}
    return {'test studies': r['test']} | hits | probe | {'distinct states': r['states']}

if known:
    print(f"{known['data']}; {known['provenance']['date']}, commit {known['provenance']['commit']}")
    display(pd.DataFrame({r['difficulty']: column(r) for r in known['rows']}).fillna(''))
else: print('not run')

# %% [27] The table
for r in known['rows'] if known else []:
    hit = {k: v['R@1'] for k,v in r['retrieval'].items()}
    assert hit['oracle']['low'] > 2*hit['bag of labels']['high'] and hit['oracle']['low'] > 8*hit['raw pixels']['high']
    assert all(o['high'] < .9 for k,o in r['probe'].items() if k in FOCAL) or 'easy' in r['difficulty']
if known:
    ease = {r['difficulty']: np.mean([o['value'] for o in r['probe'].values()]) for r in known['rows']}
    assert ease['easy'] > ease['standard'] > ease['hard']; print({k: f'{v:.2f}' for k,v in ease.items()})
