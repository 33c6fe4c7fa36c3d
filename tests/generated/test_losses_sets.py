# nbs/losses/30_sets.ipynb: runs against the imported medvl.losses.sets.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Sets of observations
import torch
from jaxtyping import Bool, Float
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from medvl.core import MedvlError

# %% [4] Sets of observations
import torch.nn.functional as F
import matplotlib.pyplot as plt
from fastcore.test import *
torch.set_num_threads(1);

# %% [6] Pairing
from medvl.losses.sets import (PAIRINGS, pair_up)

# %% [8] Pairing
a, msk = torch.tensor([[[.9,.1],[.5,.4]]]), torch.tensor([[True,True]])
soft, hard = pair_up(a, msk), pair_up(a, msk, how='hungarian')
fig, axs = plt.subplots(1, 3, figsize=(5.4,1.7), dpi=75, layout='constrained')
for ax,(k,x) in zip(axs, {'cosines': a, 'soft pairing': soft, 'Hungarian pairing': hard}.items()):
    ax.imshow(x[0], cmap='Blues', vmin=0, vmax=1.2); ax.set_title(k, fontsize=9)
    ax.set(xticks=[0,1], yticks=[0,1], xlabel='observation', ylabel='sentence')
    for i in range(2):
        for j in range(2): ax.text(j, i, f'{x[0,i,j]:.2f}', ha='center', va='center', fontsize=9)
plt.show()

# %% [9] Pairing
test_eq((soft.argmax(-1).tolist(), hard.argmax(-1).tolist()), ([[0,0]], [[0,1]]))
test_close(soft[0,1,0].item(), 1/(1+2.718281828**-1), eps=1e-5)                # cosines .5 and .4, temperature .1
test_eq(pair_up(a, torch.tensor([[False,True]]), how='hungarian'), torch.tensor([[[0.,0.],[1.,0.]]]))
few = pair_up(torch.tensor([[[.1],[.7],[.3]]]), torch.ones(1,3).bool(), how='hungarian')
test_eq(few[0,:,0].tolist(), [0.,1.,0.])                                          # one observation, three sentences
test_fail(lambda: pair_up(a, msk, how='greedy'), contains="expected one of soft, hungarian")

# %% [11] The score of a film and a report
from medvl.losses.sets import (set_scores)

# %% [13] The score of a film and a report
g = torch.Generator().manual_seed(0)
ps, os = (F.normalize(torch.randn(*s,8,generator=g), dim=-1) for s in ((3,5), (4,3)))
msk = torch.tensor([[1,1,1],[1,0,0],[1,1,0],[1,1,1]]).bool()
def slow(p, o): return F.cosine_similarity((o @ p.T/.1).softmax(-1) @ p, o).mean()
want = torch.stack([torch.stack([slow(p, o[k]) for o,k in zip(os, msk)]) for p in ps])
test_close(set_scores(ps, os, msk), want, eps=1e-5)
axes, said = torch.eye(2)[None], F.normalize(torch.tensor([[[1.,0.],[1.,1.]]]), dim=-1)
test_close(set_scores(axes, said, torch.ones(1,2).bool(), how='hungarian').item(), (1+.5**.5)/2, eps=1e-6)
test_close(set_scores(ps, os, msk, how='hungarian')[:,1], torch.einsum('bnd,d->bn', ps, os[1,0]).amax(1), eps=1e-6)
test_fail(lambda: set_scores(ps, os, msk & False), contains='report 0 of 4 has no sentence')

# %% [15] Collapse
from medvl.losses.sets import (alike)

# %% [16] Collapse
test_eq(alike(axes).item(), 0.); test_close(alike(axes.repeat_interleave(2, 1)).item(), 1/3, eps=1e-6)  # 4 of 12 pairs
test_close(alike(said, 1).item(), .5**.5, eps=1e-6); test_close(alike(said).item(), .5, eps=1e-6)
test_close(alike(ps[:,:1].expand(-1,4,-1)).item(), 1., eps=1e-6)
test_fail(lambda: alike(ps[:,:1]), contains='1 observation per film')
