# nbs/models/22_norm.ipynb: runs against the imported medvl.models.norm.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Batch norm over processes
import types
import torch
from jaxtyping import Float
from torch import Tensor, distributed as dist, nn
from torch.nn.modules.batchnorm import _BatchNorm
from medvl.core import MedvlError

# %% [4] Batch norm over processes
from fastcore.test import *
from unittest.mock import patch

# %% [6] Statistics of all rows
from medvl.models.norm import (several, _Sum, rows_of_all, norm_of_all, _remember)

# %% [8] Statistics of all rows
torch.manual_seed(0)
with patch('torch.distributed.all_reduce', lambda x: None):
    for make, shape in ((nn.BatchNorm1d, (6,4)), (nn.BatchNorm2d, (3,4,5,5))):
        x = (torch.randn(shape)*3+7).requires_grad_()
        a, b = (make(4, **kw) for kw in (dict(), dict()))
        for m in (a, b): nn.init.constant_(m.weight, 1.5)
        want, got = a(x), norm_of_all(b, x)
        test_close(got, want, eps=1e-5); r = torch.randn(shape)
        for p,q in zip(torch.autograd.grad((want*r).sum(), (x, *a.parameters())),
                       torch.autograd.grad((got*r).sum(), (x, *b.parameters()))): test_close(p, q, eps=1e-4)
        for k in ('running_mean', 'running_var', 'num_batches_tracked'):
            test_close(getattr(a, k), getattr(b, k), eps=1e-5)
    test_fail(lambda: norm_of_all(nn.BatchNorm1d(4), torch.ones(1,4)), contains='batch norm of 1 values a channel')

# %% [10] Statistics of all rows
x = torch.tensor([[0.],[2.],[4.],[10.]])
whole, halves = nn.BatchNorm1d(1)(x), torch.cat([nn.BatchNorm1d(1)(o) for o in x.split(2)])
print('whole:', whole[:,0].tolist(), 'halves:', halves[:,0].tolist())
test_close(whole[:,0], (x[:,0]-4)/14**.5, eps=1e-4); test_close(halves[:,0], torch.tensor([-1.,1,-1,1]), eps=1e-4)

# %% [12] In a model
from medvl.models.norm import (_forward, sync_norms)

# %% [13] In a model
from timm.layers import BatchNormAct2d
net = nn.Sequential(nn.Conv2d(1, 4, 3), BatchNormAct2d(4), nn.Flatten(), nn.LazyLinear(3), nn.BatchNorm1d(3))
x = torch.randn(4,1,6,6); net(x)
before = {k: v.clone() for k,v in net.state_dict().items()}; want = net(x); after = net.state_dict()
after = {k: v.clone() for k,v in after.items()}; net.load_state_dict(before)
test_eq(sync_norms(net), 2); test_eq((net(x)-want).abs().max().item(), 0)  # no group: the same layers
net.load_state_dict(before)
with patch('medvl.models.norm.several', lambda: True), patch('torch.distributed.all_reduce', lambda x: None):
    test_close(net(x), want, eps=1e-4)
for k,v in net.state_dict().items(): test_close(v, after[k], eps=1e-4)
test_eq(sync_norms(net, False), 2); test_eq([k for m in net for k in m.__dict__ if k == 'forward'], [])
