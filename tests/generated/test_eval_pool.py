# nbs/eval/41_pool.ipynb: runs against the imported medvl.eval.pool.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Scores over folds
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
import matplotlib.pyplot as plt
import numpy as np
from medvl.eval.metrics import Interval, MetricError, chance_recall, mean_interval, paired_bootstrap
from medvl.eval.retrieval import WAYS, Embeddings, candidates, pair_ranks, right_candidates

# %% [4] Scores over folds
import torch
from fastcore.test import *
from medvl.files import jsonable

# %% [6] A query, and what chance would give it
from medvl.eval.pool import (query_scores)

# %% [8] A query, and what chance would give it
v = torch.tensor([[1.,0.],[0.,1.],[.6,.8]])
t = torch.tensor([[1.,0.],[.8,-.6],[.96,.28]])
def of(ids): return Embeddings(v, t, torch.ones(3, dtype=torch.bool), torch.tensor(ids))
print(v @ t.T)
got, chance = query_scores(of([0,1,2]), (1,2))
test_eq(got['image_to_text_R@1'], [1,0,1]); test_eq(got['image_to_text_percentile'], [1.,0.,1.])
test_eq(chance['image_to_text_percentile'], [.5]*3); test_close(chance['text_to_image_R@2'], [2/3]*3)
got, chance = query_scores(of([0,1,0]), (1,))
# of two texts; of three films
test_close(chance['image_to_text_R@1'], [1/2]*3); test_close(chance['text_to_image_R@1'], [2/3,1/3,2/3])
old = query_scores(of([0,1,0]), (1,), 'pairs-v1')[1]; test_close(old['image_to_text_R@1'], [2/3,1/3,2/3])
test_eq(got['image_to_text_percentile'], [1,0,1])

# %% [10] The pool
from medvl.eval.pool import (Pool)

# %% [12] The pool
eye, has = torch.eye(2), torch.ones(2, dtype=torch.bool)
right = Embeddings(eye, eye, has, torch.tensor([0,1])); wrong = Embeddings(eye, eye.flip(0), has, torch.tensor([0,1]))
a = Pool.of({0: (right, ['p','q']), 1: (wrong, ['r','s'])}, ks=(1,))
b = Pool.of({0: (right, ['p','q']), 1: (right, ['r','s'])}, ks=(1,))
d = a.to_dict(200)
print({k: str(x) for k,x in d['metrics'].items()})
test_eq((d['queries'], d['patients'], d['metrics']['text_to_image_R@1'].value), (4, 4, .5))
test_eq(d['chance'], {k: .5 for k in d['metrics']})
test_eq([d['folds'][i]['image_to_text_percentile'] for i in '01'], [1., 0.])
lead = b.ahead_of(a, 200)['image_to_text_R@1']
test_eq((lead.value, d['rule']), (.5, 'distinct-v2'))
assert lead.low < 0 < lead.high and lead.p > .05 and jsonable(d)

# %% [14] The pool
twice = {0: (right, ['p','q']), 1: (right, ['p','s'])}
test_fail(lambda: Pool.of(twice), contains='patient p is tested in folds 0 and 1')
test_fail(lambda: Pool.of({0: (right, ['p'])}), contains='2 rows and 1 patients')
test_fail(lambda: a.ahead_of(Pool.of({0: (right, ['p','q'])}, (1,))), contains='not tested on the same queries')

# %% [16] The pool
lone = Embeddings(eye[:1], eye[:1], has[:1], torch.tensor([0]))
c = Pool.of({0: (wrong, ['p','q']), 1: (lone, ['r'])}, ks=(1,))
test_close(c.to_dict(0)['metrics']['image_to_text_R@1'].value, 1/3)
test_close(np.mean([o['image_to_text_R@1'] for o in c.to_dict(0)['folds'].values()]), .5)

# %% [18] The figure
from medvl.eval.pool import (fold_figure)

# %% [19] The figure
g = torch.Generator().manual_seed(0)
def system(noise): # 4 folds of 12 patients; texts are the films with noise
    out = {}
    for i in range(4):
        x = torch.randn(12, 8, generator=g); y = x+noise*torch.randn(12, 8, generator=g)
        x, y = (o/o.norm(dim=1, keepdim=True) for o in (x, y))
        emb = Embeddings(x, y, torch.ones(12, dtype=torch.bool), torch.arange(12))
        out[i] = (emb, [f'{i}-{j}' for j in range(12)])
    return Pool.of(out, (1,5))
pools = {'good': system(.5), 'poor': system(2.), 'none': system(1e3)}
fig = fold_figure(pools, n_boot=200)
m = {k: p.to_dict(0)['metrics']['text_to_image_percentile'].value for k,p in pools.items()}
print(m)
assert m['good'] > m['poor'] > .5 and abs(m['none']-.5) < .15
test_eq(fig.axes[0].get_title('left'), 'image to text, R@1')
