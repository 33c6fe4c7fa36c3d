# nbs/models/32_heads.ipynb: runs against the imported medvl.models.heads.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Heads
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F
from medvl.core import MedvlError
from medvl.models.norm import norm_of_all, rows_of_all, several
from medvl.models.vision import sincos_2d

# %% [4] Heads
import matplotlib.pyplot as plt
from fastcore.test import *
from medvl.core import SLOTS, seed_everything
_ = seed_everything(1)

# %% [6] CXR-BERT's projection
from medvl.models.heads import (ProjectionHead)

# %% [7] CXR-BERT's projection
head = ProjectionHead(768)
test_eq(sum(p.numel() for p in head.parameters()), 115_200)  # 768*128+128, 2*128, 128*128+128
x = torch.randn(2,5,768)
with torch.no_grad():
    test_eq(head(x).shape, (2,5,128))
    test_close(head(x)[1,3], head(x[1,3]), eps=1e-5)  # one head for a vector and for a grid of them
    plain = nn.Sequential(nn.Linear(768,128), nn.GELU(), nn.LayerNorm(128, eps=1e-12), nn.Linear(128,128))
    for old, new in zip(plain.parameters(), head.parameters()): old.copy_(new)
    test_close(plain(x), head(x), eps=1e-5)

# %% [9] Projections with batch norm
from medvl.models.heads import (BatchNormHead)

# %% [10] Projections with batch norm
head = BatchNormHead(6, dim=3, hidden=16)
words, msk = torch.randn(4,5,6), torch.tensor([5,2,3,1])[:,None] > torch.arange(5)
y = head(words, msk)
test_close(y[msk].mean(0), torch.zeros(3), eps=1e-5)
test_close(y[msk].var(0, unbiased=False), torch.ones(3), eps=1e-2)
test_eq(y[~msk].abs().sum().item(), 0.)
junk = torch.where(msk[...,None], words, torch.full_like(words, 1e4))
test_close(head(junk, msk), y, eps=1e-4)  # padding has no influence
assert not torch.allclose(head(junk)[msk], y[msk], atol=.1)  # without the mask it would have
test_close(head(words), head(words.view(20,6)).view(4,5,3), eps=1e-5)
test_eq([k for k,_ in BatchNormHead(6, bias=False, norm_out=False).named_parameters()],
        ['hidden.weight', 'norm.weight', 'norm.bias', 'out.weight', 'out.bias'])
test_fail(lambda: head(words, msk[:,:2]), contains='the mask is [4, 2], the vectors [4, 5, 6]')

# %% [12] One vector, standardised
from medvl.models.heads import (BatchScale)

# %% [13] One vector, standardised
same = 50+torch.randn(64,3)*torch.tensor([.1,1.,10.]); scale = BatchScale(3)
test_close(scale(same).mean(0), torch.zeros(3), eps=1e-3); test_close(scale(same).var(0), torch.ones(3), eps=.03)
test_eq(scale(same[:1]).shape, (1,3)); test_eq(list(scale.parameters()), [])
was = scale.running_mean.clone(); scale(same.view(8,8,3)); test_eq(scale.running_mean, was)   # patches leave no trace
test_close(scale(same.view(8,8,3))[2,1], scale(same[17:18])[0])

# %% [15] The shared component of each place
from medvl.models.heads import (CellMean)

# %% [16] The shared component of each place
heart = torch.tensor([[0.],[100.]])                       # two cells; every film has a heart in the second
films = heart + torch.tensor([[[1.],[0.]], [[-1.],[0.]]])  # they differ in the first
cells = CellMean(2, 1, momentum=1.)
test_eq(cells(films), films-heart); test_eq(cells.mean, heart); test_eq(list(cells.parameters()), [])
test_eq(cells.eval()(films[:1]), films[:1]-heart); test_eq(cells.train()(films[:1]), films[:1]-heart)
test_fail(lambda: cells(films[:,:1]), contains='cells are [1, 1], the means [2, 1]')

# %% [18] Several films, one vector
from medvl.models.heads import (fuse_views)

# %% [20] Several films, one vector
cls, msk = torch.tensor([[[2.],[9.],[4.],[9.]]]), torch.tensor([[True,False,True,False]])
test_eq(fuse_views(cls, msk), torch.tensor([[3.]])); test_eq(fuse_views(cls), torch.tensor([[6.]]))
cls[0,1] = torch.nan; test_eq(fuse_views(cls, msk), torch.tensor([[3.]]))  # an absent slot may hold anything
test_eq(fuse_views(cls[:,:1], msk[:,:1]), torch.tensor([[2.]]))
test_fail(lambda: fuse_views(torch.zeros(2,1,1), torch.tensor([[True],[False]])), contains='samples [1] of the batch')
test_fail(lambda: fuse_views(cls, msk[:,:3]), contains='the mask is [1, 3]')

# %% [22] Vectors for view and time
from medvl.models.heads import (ViewTimeEmbedding)

# %% [24] Vectors for view and time
emb = ViewTimeEmbedding(1); test_eq(emb().abs().sum().item(), 0.)
with torch.no_grad(): emb.view[0,1] = 1; emb.time[0,1] = 10
dict(zip(SLOTS, emb()[:,0].int().tolist()))

# %% [25] Vectors for view and time
test_eq(emb()[:,0].detach(), torch.tensor([0.,1,10,11]))
test_eq(emb(torch.tensor([3,0]))[:,0].detach(), torch.tensor([11.,0]))
test_eq([('lateral' in s) + 10*('prior' in s) for s in SLOTS], [0,1,10,11])  # the order of the slots is core's
emb().sum().backward(); test_eq(emb.view.grad[0,:,0], torch.tensor([2.,2.]))  # each row serves two slots

# %% [27] One vector per span
from medvl.models.heads import (SpanPool)

# %% [29] One vector per span
span, x = torch.tensor([[-1,0,0,1]]), torch.tensor([[[1.],[3.],[5.],[7.]]])
pool = SpanPool(1)
y, msk = pool(x, span, 3)
test_close(y[0,:,0].detach(), torch.tensor([4.,7.,0.]), eps=1e-6); test_eq(msk.tolist(), [[True,True,False]])
with torch.no_grad():
    pool.score.weight.fill_(.5)                                    # scores 1.5 and 2.5: weights 1 to e
    test_close(pool(x, span, 1)[0].item(), (3+5*2.718281828)/3.718281828, eps=1e-5)
test_fail(lambda: pool(x, span[:,:3], 2), contains='the spans are [1, 3]')

# %% [31] Queries over patches
from medvl.models.heads import (QueryPool)

# %% [32] Queries over patches
pool, x = QueryPool(24, n=3, heads=2).eval(), torch.randn(2,6,24)
msk = torch.tensor([[True]*6, [True]*4 + [False]*2])
with torch.no_grad():
    y = pool(x, msk); test_eq(y.shape, (2,3,24))
    junk = torch.where(msk[...,None], x, torch.full_like(x, 50.)); test_close(pool(junk, msk), y, eps=1e-5)
    look = pool.looks_at(x, msk); test_close(look.sum(-1), torch.ones(2,3), eps=1e-5)
    test_eq((look.shape, look[1,:,4:].abs().sum().item()), ((2,3,6), 0.))          # nobody looks at what is hidden
    test_close(pool(x[1:,:4])[0], y[1], eps=1e-4)  # hidden is the same as absent
    test_close(pool(x.flip(1)), pool(x), eps=1e-4)  # without positions, a bag of patches
    placed = QueryPool(24, n=3, heads=2, grid=(2,3)).eval()
    assert not torch.allclose(placed(x.flip(1)), placed(x), atol=1e-3)  # with them, place counts
assert not torch.allclose(y[0,0], y[0,1], atol=1e-3)  # queries differ
test_fail(lambda: pool(x, torch.zeros_like(msk)), contains='samples [0, 1] have nothing to gather from')
test_fail(lambda: QueryPool(20), contains="12 heads don't divide a width of 20")

# %% [34] Queries over patches
kinds = torch.randn(3,24)
def toy(b, g):
    kind, at = torch.randint(3, (b,), generator=g), torch.randint(16, (b,), generator=g)
    x = torch.randn(b, 16, 24, generator=g)
    x[torch.arange(b), at] += kinds[kind]
    return x, kind

pool, g = QueryPool(24, n=3, depth=1, heads=2, dropout=0.), torch.Generator().manual_seed(0)
ways = dict(queries=nn.Sequential(pool, nn.Flatten(), nn.Linear(72, 3)),
            mean=nn.Sequential(nn.AvgPool2d((16,1)), nn.Flatten(), nn.Linear(24, 3)))
opt, losses = torch.optim.AdamW([p for m in ways.values() for p in m.parameters()], 3e-3), {k: [] for k in ways}
for _ in range(250):
    x, kind = toy(64, g)
    loss = {k: F.cross_entropy(m(x), kind) for k,m in ways.items()}
    opt.zero_grad(); sum(loss.values()).backward(); opt.step()
    for k,v in loss.items(): losses[k].append(v.item())
x, kind = toy(1000, g)
with torch.no_grad(): right = {k: (m(x).argmax(1) == kind).float().mean().item() for k,m in ways.items()}

# %% [35] Queries over patches
fig, ax = plt.subplots(figsize=(4.6,2.4), dpi=75, layout='constrained')
for k,v in losses.items(): ax.plot(v, label=f'{k}: {right[k]:.0%} right')
ax.legend(); ax.set(xlabel='step', ylabel='cross-entropy', title='which kind? (chance: 33 %)', ylim=(0,1.5));

# %% [36] Queries over patches
assert right['queries'] > right['mean'] > .4 and right['queries'] > .8
