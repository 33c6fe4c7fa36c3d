# nbs/eval/12_precision.ipynb: runs against the imported medvl.eval.precision.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Precision by finding
from collections.abc import Sequence
import numpy as np
from jaxtyping import Float
from medvl.core import CHEXPERT, MedvlError
from medvl.files import jsonable
from medvl.data.study import Sample
from medvl.eval.metrics import bootstrap, precision_at

# %% [4] Precision by finding
from fastcore.test import *

# %% [6] Hits of each query, finding by finding
from medvl.eval.precision import (finding_hits)

# %% [8] Hits of each query, finding by finding
have = np.array([[1,0],[1,0],[0,1.]])
s = np.array([[.9,.8,.1],
              [.2,.9,.8],
              [.3,.1,.2]])
hit = finding_hits(s, have, have, 2)
print(hit)
test_eq(hit[0,0], 1.); test_eq(hit[1,0], .5); test_eq(hit[2,1], .5)
test_eq(np.isnan(hit), [[False,True],[False,True],[True,False]])
test_eq(finding_hits(np.ones((1,4)), np.ones((1,1)), np.array([[1],[0],[0],[1.]]), 1)[0,0], .5)  # all tied: chance
test_eq(finding_hits(s, have, np.array([[1,-1],[np.nan,0],[0,1.]]), 2)[0,0], .5)  # unknown is not present
test_fail(lambda: finding_hits(s, have, have[:2], 2), contains='expected [q n], [q f], [n f]')
test_fail(lambda: finding_hits(s, have, have, 4), contains='k is 4; there are 3')

# %% [10] The mean over findings, with an interval
from medvl.eval.precision import (by_finding, finding_precision)

# %% [12] The mean over findings, with an interval
rng = np.random.default_rng(0)
lab = (rng.random((200,3)) < [.5,.2,.02]).astype(float)
names = ['often','rare','hardly']
known = finding_precision(lab@lab.T, lab, lab, names, ks=(1,10), n_boot=0)
test_eq(known['left_out'], {'hardly': int(lab[:,2].sum())}); test_eq(list(known['by_finding']), ['often','rare'])
test_close(known['chance'], lab[:,:2].mean(), 1e-9)
luck = finding_precision(rng.random((200,200)), lab, lab, names, n_boot=200)
p = luck['metrics']['P@10']
print(f"knows the labels {known['metrics']['P@10']:.2f}, knows nothing {p['value']:.2f} "
      f"[{p['low']:.2f}, {p['high']:.2f}], chance {luck['chance']:.2f}")
assert known['metrics']['P@10'] > .9 and p['low'] < luck['chance'] < p['high']
test_close(by_finding(np.array([[1,np.nan],[0,.25]])), (.5+.25)/2)
assert np.isnan(by_finding(np.full((2,2), np.nan)))
test_fail(lambda: finding_precision(s, have, have, ['a','b']), contains='no finding has 10 queries')

# %% [14] Labels of samples
from medvl.eval.precision import (ASKED, labels_of, enough)

# %% [15] Labels of samples
one = Sample((None,)*4, '', 'a', 'p', 'p', 'test', {'Edema': 1., 'Support Devices': 1.}, None)
test_eq(np.nan_to_num(labels_of([one]), nan=-9)[0].tolist(), [1. if k == 'Edema' else -9 for k in ASKED])
test_eq((len(ASKED), labels_of([]).shape), (12, (0,12)))
test_eq(enough(np.array([[1,1],[1,np.nan],[0,-1]]), 2), [0])
