# nbs/phantom/08_calibration.ipynb: runs against the imported medvl.phantom.calibration.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Calibration
import re
import numpy as np
import pandas as pd
import PIL.Image as PIL
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import RidgeClassifier
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from medvl.core import CHEXPERT
from medvl.data.study import Study
from medvl.phantom.anatomy import Anatomy
from medvl.phantom.reports import BACKGROUND, ZONES

# %% [4] Calibration
from fastcore.test import *
from IPython.display import display
from medvl.phantom.findings import grade
from medvl.phantom.set import patient_number, phantom_studies
from medvl.phantom.visits import draw_patient

# %% [6] Four ways to find a report
from medvl.phantom.calibration import (recall_at)

# %% [7] Four ways to find a report
test_eq(recall_at(np.eye(4), np.eye(4, dtype=bool), (1,)), {'R@1': 100.0})
test_eq(recall_at(np.zeros((4,4)), np.eye(4, dtype=bool), (1,2)), {'R@1': 25.0, 'R@2': 50.0})  # all tied: chance
test_eq(recall_at(np.array([[2.,1,1]]), np.array([[False,True,False]]), (1,2)), {'R@1': 0.0, 'R@2': 50.0})

# %% [8] Four ways to find a report
from medvl.phantom.calibration import (facts)

# %% [10] Four ways to find a report
from medvl.phantom.calibration import (oracle_scores)

# %% [12] Four ways to find a report
from medvl.phantom.calibration import (_small, state_key)

# %% [13] Four ways to find a report
from medvl.phantom.calibration import (FOCAL, calibrate)

# %% [14] Four ways to find a report
train, test = phantom_studies(50, seed=2, size=48, split='train'), phantom_studies(44, seed=2, size=48, split='test')
ret, auc = calibrate(train, test); print(f'{len(train)} training and {len(test)} test studies (phantom, 48 px)')
display(ret)
R1 = ret['R@1']; assert R1.oracle > 1.8*R1['bag of labels'] > R1['raw pixels'] and R1.oracle > 8*R1['raw pixels']
auc

# %% [15] Four ways to find a report
assert all(auc.AUROC[auc.focal.astype(bool)] < .9)
rng = np.random.default_rng(0); states = set()
for i in range(1000):
    for v in draw_patient(patient_number(i, 0, 'train'), subtle=.25).visits:
        states.add(tuple(sorted((f.kind, f.side, f.lobe, f.zone, grade(f)) for f in v.findings)))
print(f'{len(states)} distinct states among the visits of 1,000 patients'); assert len(states) > 700
