# nbs/train/12_fitting.ipynb: runs against the imported medvl.train.fitting.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Fitting a head
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any
import torch
from medvl.core import MedvlError, default_device
from fastai.callback.core import CancelFitException, Callback
from fastai.callback.progress import ProgressCallback
from fastai.callback.schedule import ParamScheduler, combined_cos
from fastai.data.core import DataLoaders
from fastai.learner import Learner
from fastai.optimizer import OptimWrapper
from torch import Tensor, nn
from torch.utils.data import BatchSampler, DataLoader, RandomSampler, SequentialSampler

# %% [4] Fitting a head
import medvl
import numpy as np
import matplotlib.pyplot as plt
from fastcore.test import *

# %% [6] Batches
from medvl.train.fitting import (Pairs, batches)

# %% [7] Batches
x = torch.arange(10.)
got = [a.tolist() for a,_ in batches(Pairs(x, x), 4)]; test_eq(got, [[0,1,2,3],[4,5,6,7],[8,9]])
turned = [a.tolist() for a,_ in batches(Pairs(x, np.arange(10)), 4, True, drop=True)]
test_eq((len(turned), len({o for r in turned for o in r})), (2, 8))
test_fail(lambda: Pairs(x, x[:9]), contains='columns differ in length: [10, 9]')

# %% [9] The best weights
from medvl.train.fitting import (KeepBestCB, fit_head)

# %% [11] The best weights
def line(n, seed):
    g = torch.Generator().manual_seed(seed); x = torch.randn(n, 20, generator=g)
    return Pairs(x, x[:,:1] + torch.randn(n, 1, generator=g))
torch.manual_seed(0); net = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 1))
mse = nn.functional.mse_loss
rows = fit_head(net, mse, line(40, 0), line(200, 1), 60, 3e-3, 0, 8, patience=8, device='cpu')
fig, ax = plt.subplots(figsize=(4,2.1), dpi=75, layout='constrained')
for k in ('train','valid'): ax.plot([r[k] for r in rows], label=k)
ax.legend(); ax.set(xlabel='epoch', ylabel='loss');

# %% [12] The best weights
best = min(rows, key=lambda r: r['valid']); test_eq(len(rows), best['epoch']+1+8); assert len(rows) < 60
x, y = line(200, 1)[range(200)]
with torch.no_grad(): test_close(mse(net(x), y).item(), best['valid'], eps=1e-4)
assert not net.training
short = fit_head(net, mse, line(40, 0), line(200, 1), 12, 3e-3, 0, 8, patience=1, device='cpu', cycle=True)
test_eq(len(short), 12)                                                       # patience does not end a cycle
test_fail(lambda: fit_head(net, mse, line(0, 0), line(9, 1)), contains='no film to train on')
test_fail(lambda: fit_head(net, lambda a,b: a.mean()*torch.nan, line(9, 0), line(9, 1), device='cpu'),
          contains='loss is nan')
