# nbs/losses/10_contrastive.ipynb: runs against the imported medvl.losses.contrastive.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Contrastive losses
import math
import torch
import torch.distributed as dist
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from medvl.core import MedvlError

# %% [4] Contrastive losses
import os, subprocess, sys, tempfile, textwrap
import matplotlib.pyplot as plt
from fastcore.test import *

# %% [6] The square of similarities
from medvl.losses.contrastive import (log_scale)

# %% [7] The square of similarities
test_close(log_scale().exp().item(), 14.2857, eps=1e-3)
test_close(log_scale(1.).item(), 0.)
test_fail(lambda: log_scale(0.), contains='positive, not 0')

# %% [9] More than one right answer
from medvl.losses.contrastive import (_distribution, contrast)

# %% [11] More than one right answer
s = 2.
test_close(contrast(torch.eye(2)*s).item(), math.log(1+math.exp(-s)), eps=1e-6)
test_close(contrast(torch.zeros(8,8)).item(), math.log(8), eps=1e-6)  # knows nothing: log b

# %% [13] More than one right answer
torch.manual_seed(0)
S, lbl = torch.randn(6,6), torch.arange(6)
test_close(contrast(S, w=1.).item(), F.cross_entropy(S, lbl).item(), eps=1e-6)
test_close(contrast(S, w=0.).item(), F.cross_entropy(S.T, lbl).item(), eps=1e-6)
test_close(contrast(S).item(), (F.cross_entropy(S, lbl)+F.cross_entropy(S.T, lbl)).item()/2, eps=1e-6)

# %% [15] More than one right answer
P = torch.rand(6,6)
want = (F.cross_entropy(S, P/P.sum(1,keepdim=True)) + F.cross_entropy(S.T, P.T/P.T.sum(1,keepdim=True)))/2
test_close(contrast(S, P).item(), want.item(), eps=1e-6)
test_close(contrast(S, 7*P).item(), want.item(), eps=1e-6)
test_close(contrast(S, torch.eye(6)).item(), contrast(S).item(), eps=1e-6)
test_fail(lambda: contrast(S, P[:3]), contains='[3, 6]')
test_fail(lambda: contrast(S[:4]), contains='[4, 6]')
hole = torch.eye(6); hole[2,2] = 0
test_fail(lambda: contrast(S, hole), contains='no right answer for 1 of 6')

# %% [17] The square, a strip at a time
from medvl.losses.contrastive import (_LogSums)

# %% [18] The square, a strip at a time
from medvl.losses.contrastive import (log_sums)

# %% [20] The square, a strip at a time
x, y = (torch.randn(5,3, dtype=torch.float64).requires_grad_() for _ in range(2))
for strip,keep in ((2,0), (2,2**20), (None,0)):
    for got,dim in zip(log_sums(x, y, strip, keep), (1,0)): test_close(got, (x@y.T).logsumexp(dim), eps=1e-9)
    assert torch.autograd.gradcheck(lambda x,y: log_sums(x, y, strip, keep), (x,y))
test_eq(bool(torch.isfinite(torch.cat(log_sums(1e3*x, y))).all()), True)  # exp(1000) would not be

# %% [22] The square, a strip at a time
from medvl.losses.contrastive import (clip_loss)

# %% [23] The square, a strip at a time
def unit(*shape): return F.normalize(torch.randn(*shape), dim=-1)
v, t = unit(5,16), unit(5,16)
P = torch.rand(5,5)
for m in (None, P):
    test_close(clip_loss(v, t, 10., m, w=.75, strip=2).item(), contrast(10*v@t.T, m, w=.75).item(), eps=1e-5)
test_close(clip_loss(v, t, 10.).item(), clip_loss(t, v, 10.).item(), eps=1e-6)  # symmetric at w=1/2
test_fail(lambda: clip_loss(v, t[:4], 10.), contains='[5, 16] and [4, 16]')

# %% [25] The square, a strip at a time
a = log_scale()
clip_loss(t, t, a.exp()).backward()
test_eq(bool(a.grad < 0), True)
a.grad = None
clip_loss(-t, t, a.exp()).backward()  # every film likes its own report least: being less sure is better
test_eq(bool(a.grad > 0), True)

# %% [27] Identical texts
from medvl.losses.contrastive import (same_text)

# %% [28] Identical texts
ids = torch.tensor([4,7,4,9])
test_eq(same_text(ids).int(), torch.tensor([[1,0,1,0],[0,1,0,0],[1,0,1,0],[0,0,0,1]]))
test_eq(same_text(ids, torch.tensor([9,4])).int(), torch.tensor([[0,1],[0,0],[0,1],[1,0]]))

# %% [30] Identical texts
t = unit(4,16)[[0,1,0,2]]; v = unit(4,16).requires_grad_()
many, diag = clip_loss(v, t, 10., same_text(ids)), clip_loss(v, t, 10.)
test_close(many.item(), diag.item(), eps=1e-5)
test_close(*(torch.autograd.grad(o, v)[0] for o in (many, diag)), eps=1e-5)

# %% [32] Identical texts
noise = .3*torch.randn(16)
t = F.normalize(torch.stack([t[0]+noise, t[1], t[0]-noise, t[3]]), dim=-1)
v = F.normalize(torch.stack([t[0]+t[2], t[1], t[0]+t[2], t[3]]), dim=-1).requires_grad_()
push = {n: (torch.autograd.grad(clip_loss(v, t, 10., m), v)[0] @ noise)[[0,2]]
        for n,m in (('diagonal',None), ('same_text',same_text(ids)))}
for k,g in push.items(): print(f"{k:9s} pull along the noise: film 0 {-g[0]:+.3f}, film 2 {-g[1]:+.3f}")
test_eq(bool(push['diagonal'].abs().min() > 10*push['same_text'].abs().max()), True)
fig, axs = plt.subplots(1,3, figsize=(8,2.4), dpi=75)
shown = {'cosines': (v@t.T).detach(), 'the diagonal': torch.eye(4), 'same_text': same_text(ids).float()}
for ax,(name,m) in zip(axs, shown.items()):
    ax.imshow(m, cmap='Blues', vmin=0, vmax=1)
    ax.set(title=name, xlabel='report', ylabel='film', xticks=range(4), yticks=range(4))
plt.tight_layout(); plt.show()

# %% [34] The classic mistake: embeddings that are not of unit length
raw_v, raw_t = torch.randn(64,128), torch.randn(64,128)
good, bad = clip_loss(F.normalize(raw_v,dim=-1), F.normalize(raw_t,dim=-1), 1/.07), clip_loss(raw_v, raw_t, 1/.07)
print(f"random pairs, b=64: {good:.2f} with unit length (log 64 = {math.log(64):.2f}), {bad:.0f} without")
test_eq(bool(good < 2*math.log(64) < bad), True)

# %% [36] Pairs judged one by one: SigLIP
from medvl.losses.contrastive import (siglip_loss)

# %% [38] Pairs judged one by one: SigLIP
test_close(siglip_loss(v, t, 0., 0.).item(), 4*math.log(2), eps=1e-5)
test_close(siglip_loss(torch.eye(2), torch.eye(2), 3., -1.).item(),
           math.log(1+math.exp(-2)) + math.log(1+math.exp(-1)), eps=1e-6)
test_fail(lambda: siglip_loss(v, t, 1., target=torch.eye(3).bool()), contains='[3, 3]')

# %% [40] Pairs judged one by one: SigLIP
same = torch.eye(4)[[0,1,0,2]]
told, untold = siglip_loss(same, same, 40., -20., same_text(ids)), siglip_loss(same, same, 40., -20.)
test_eq(bool(told < 1e-6), True)
test_close(untold.item(), 2*20/4, eps=1e-3)  # two pairs called wrong at a logit of 20

# %% [42] One wrong answer that is nearly right
from medvl.losses.contrastive import (twin_loss)

# %% [43] One wrong answer that is nearly right
test_close(twin_loss(torch.zeros(3), torch.zeros(3)).item(), math.log(2), eps=1e-6)          # as good as chance
test_close(twin_loss(torch.tensor([1.]), torch.tensor([.8]), 10.).item(), math.log(1+math.exp(-2)), eps=1e-6)
own, twin = torch.rand(2,5); both = 10*torch.stack([own, twin], 1)
test_close(twin_loss(own, twin), F.cross_entropy(both, torch.zeros(5, dtype=int)), eps=1e-6)

# %% [45] Across processes
from medvl.losses.contrastive import (_Gather, gather)

# %% [46] Across processes
x = torch.randn(3,2)
test_is(gather(x), x)

# %% [48] Across processes
def two_ranks(body):
    "Run `body` in two processes that know `rank`; returns what they printed."
    head = """
    import sys, torch, torch.distributed as dist
    torch.set_num_threads(1); rank = int(sys.argv[1])
    dist.init_process_group('gloo', init_method=f'file://{sys.argv[2]}', rank=rank, world_size=2)
    """
    with tempfile.TemporaryDirectory() as d:
        f = os.path.join(d, 'run.py'); open(f,'w').write(textwrap.dedent(head) + textwrap.dedent(body))
        ps = [subprocess.Popen([sys.executable, f, str(r), os.path.join(d,'meet')], stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True) for r in range(2)]
        outs = [p.communicate(timeout=120)[0] for p in ps]
    assert all(p.returncode==0 for p in ps), '\n'.join(outs)
    return outs

outs = two_ranks("""
from torch.nn.functional import normalize
from medvl.losses.contrastive import clip_loss, gather, same_text
g = torch.Generator().manual_seed(3)
x, y, ids = torch.randn(6,8,generator=g), torch.randn(6,5,generator=g), torch.tensor([1,2,3,1,5,6])
W, U = torch.randn(8,4,generator=g).requires_grad_(), torch.randn(5,4,generator=g).requires_grad_()
a = torch.tensor(2.).requires_grad_()

def grads(x, y, ids, spread):
    v, t = normalize(x@W,dim=-1), normalize(y@U,dim=-1)
    if spread: v, t, ids = gather(v), gather(t), gather(ids)
    loss = clip_loss(v, t, a.exp(), same_text(ids))
    return loss.detach(), torch.autograd.grad(loss, (W,U,a))

alone, want = grads(x, y, ids, False)
mine = slice(0,2) if rank == 0 else slice(2,6)
loss, got = grads(x[mine], y[mine], ids[mine], True)
assert torch.allclose(loss, alone)
for w,g in zip(want, got):
    dist.all_reduce(g); g /= 2
    assert torch.allclose(w, g, atol=1e-6), (w,g)
print(f"loss {loss:.6f}, alone {alone:.6f}, rows {len(gather(torch.zeros(2+rank,3,2)))}, gradients equal")
dist.barrier(); dist.destroy_process_group()
""")
said = [[o for o in out.splitlines() if o.startswith('loss')][0] for out in outs]
for rank,o in enumerate(said): print(f"process {rank}: {o}")
test_eq(said[0], said[1]); test_eq('rows 5, gradients equal' in said[0], True)
