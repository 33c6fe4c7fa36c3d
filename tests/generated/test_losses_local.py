# nbs/losses/20_local.ipynb: runs against the imported medvl.losses.local.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Local losses
import math
from typing import Callable, Sequence
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor
from torch.utils.checkpoint import checkpoint
from medvl.core import Feat, MedvlError
from medvl.losses.contrastive import contrast, gather

# %% [4] Local losses
import json, os, subprocess, sys, tempfile, textwrap
from pathlib import Path
import matplotlib.pyplot as plt
import pandas as pd
from fastcore.test import *
from IPython.display import display

# %% [6] The score of one film and one report
def pair_score(c, w, s1, s2):
    "Score of one film (cells `[n d]`) and one report (words `[k d]`), formula by formula."
    a = torch.stack([torch.stack([wk @ cq for cq in c]) for wk in w])              # k n
    p = torch.stack([a[:,q].exp()/a[:,q].exp().sum() for q in range(len(c))], 1)   # k n: over words
    A = torch.stack([(s1*pk).exp()/(s1*pk).exp().sum() for pk in p])               # k n: over cells
    ctx = torch.stack([sum(A[k,q]*c[q] for q in range(len(c))) for k in range(len(w))])
    cos = torch.stack([wk@x/(wk.norm()*x.norm()) for wk,x in zip(w,ctx)])
    return (s2*cos).exp().sum().log()

# %% [8] The score of one film and one report
test_close(pair_score(torch.ones(3,4), torch.ones(1,4), 4., 5.).item(), 5., eps=1e-5)

# %% [10] Words, packed
from medvl.losses.local import (pack_words)

# %% [11] Words, packed
w,lens = pack_words(torch.arange(6.).view(2,3,1), torch.tensor([[1,1,0],[0,0,1]]).bool())
test_eq(w[:,0], torch.tensor([0.,1,5])); test_eq(lens, [2,1])
none = torch.tensor([[1,1,0],[0,0,0]]).bool()
test_fail(lambda: pack_words(torch.zeros(2,3,1), none), contains='text 1 of 2 has no word')
test_fail(lambda: pack_words(torch.zeros(2,3,1), torch.ones(2,2).bool()), contains='[2, 3, 1]')

# %% [13] Attention, regions, pooling
from medvl.losses.local import (similar)

# %% [14] Attention, regions, pooling
from medvl.losses.local import (SPARSE, sparse_softmax)

# %% [15] Attention, regions, pooling
from medvl.losses.local import (spread, attend, regions, soft_max_words)

# %% [17] Attention, regions, pooling
torch.manual_seed(0)
d, side = 32, 8
heart, effusion, other = F.normalize(torch.randn(3,d), dim=-1)
cells = .15*torch.randn(side,side,d)
cells[3:6,4:6] += 3*heart; cells[6:,0:3] += 3*effusion
film, report = cells.view(1,-1,d), torch.stack([3*heart, 3*effusion, 3*other])
A = attend(report, film, [3], s1=10.)
fig, axs = plt.subplots(1,3, figsize=(6,2.1), dpi=75)
for ax,m,name in zip(axs, A[:,0].view(3,side,side), ('heart','effusion','other')):
    ax.imshow(m, cmap='magma', vmin=0, vmax=A.max()); ax.set_title(name); ax.axis('off')
plt.tight_layout(); plt.show()
cos = F.cosine_similarity(regions(A, film), report[:,None], dim=-1)
print('cosine of each word and what it found:', [round(o,2) for o in cos[:,0].tolist()])

# %% [19] Attention, regions, pooling
test_close(A.sum(-1), torch.ones(3,1), eps=1e-5)
even = attend(report, film, [3], s1=0.)
test_close(regions(even, film)[0,0], film[0].mean(0), eps=1e-5)
test_close(regions(even, film, center=True), torch.zeros(3,1,d), eps=1e-5)
keep = torch.ones(1,64).bool(); keep[:,:32] = False
test_eq(attend(report, film, [3], vs_msk=keep)[...,:32].sum().item(), 0.)
test_close(attend(report, film, [3], prior=(~keep).float()*1e4)[...,:32].sum(-1), torch.ones(3,1), eps=1e-5)
test_close(soft_max_words(torch.zeros(5,2), [2,3]), torch.tensor([[2.,3.],[2.,3.]]).log(), eps=1e-6)
test_close(sparse_softmax(torch.tensor([1.,.5,-1.]), 'sparsemax'), torch.tensor([.75,.25,0.]), eps=1e-6)
test_close(sparse_softmax(torch.tensor([3.,.5,-1.]), 'sparsemax'), torch.tensor([1.,0.,0.]), eps=1e-6)
x = torch.randn(5,20, dtype=torch.float64, requires_grad=True)
test_close(sparse_softmax(x, 'sparsemax').sum(-1), torch.ones(5), eps=1e-6)
test_eq((sparse_softmax(x, 'topk') > 0).sum(-1), torch.full((5,), 2))
test_eq(torch.autograd.gradcheck(lambda x: sparse_softmax(x, 'sparsemax'), x), True)
test_eq((spread(x[:,None], [5], over_words=False, sparse='topk') > 0).sum(-1), torch.full((5,1), 2))
test_fail(lambda: sparse_softmax(x, 'hard'), contains="'hard'; known: none, topk, sparsemax")

# %% [21] All pairs, some texts at a time
from medvl.losses.local import (_groups, _chunk, over_texts)

# %% [22] All pairs, some texts at a time
test_eq(_groups([3,2,4,9,1], 10, 50), [[3,2],[4],[9],[1]])

# %% [24] All pairs, some texts at a time
def gloria_score(vs, words, lens, s1=4., s2=5.):
    A = attend(words, vs, lens, s1)
    return soft_max_words(F.cosine_similarity(regions(A, vs), words[:,None], dim=-1), lens, s2)

def small(dtype=torch.float32, b=4, n=7, d=6, lens=(3,1,5,2)):
    g = torch.Generator().manual_seed(1)
    vs, ws = (torch.randn(*s, d, generator=g, dtype=dtype).requires_grad_() for s in ((b,n), (len(lens),max(lens))))
    return vs, ws, torch.arange(max(lens))[None] < torch.tensor(lens)[:,None]

vs, ws, msk = small()
want = torch.stack([torch.stack([pair_score(c, w[m], 4., 5.) for w,m in zip(ws,msk)]) for c in vs])  # film, text
r = torch.randn(4,4)
gw = torch.autograd.grad((want*r).sum(), (vs,ws))
for keep in (2**27, 0):                                                        # kept, and computed again
    got = over_texts(gloria_score, vs, ws, msk, chunk=60, keep=keep)
    test_close(got, want, eps=1e-5)
    for a,b in zip(torch.autograd.grad((got*r).sum(), (vs,ws)), gw): test_close(a, b, eps=1e-5)

# %% [26] All pairs, some texts at a time
twice = lambda vs, words, lens, k: torch.stack([gloria_score(vs, words, lens)]*2)*k
got = over_texts(twice, vs, ws, msk, chunk=60, more=[torch.tensor([1.,2,1,2])])
test_eq(got.shape, (2,4,4)); test_close(got[1], want*torch.tensor([1.,2,1,2]), eps=1e-5)

# %% [28] Importance of words and cells
from medvl.losses.local import (soft_mean, word_weights, cell_weights)

# %% [30] Importance of words and cells
S = similar(F.normalize(report, dim=-1), F.normalize(film, dim=-1))
print('words:', [round(o,3) for o in word_weights(S, [3])[:,0].exp().tolist()])
c = cell_weights(S, [3])[0,0].exp().view(side,side)
fig, ax = plt.subplots(figsize=(2,2.1), dpi=75)
ax.imshow(c, cmap='magma'); ax.set_title('cells'); ax.axis('off'); plt.show()
test_eq(word_weights(S, [3])[:,0].argmin().item(), 2); test_eq(bool(c[3:6,4:6].mean() > 5*c[:3].mean()), True)
test_close(c.sum().item(), 1., eps=1e-5); test_eq(word_weights(S[:1], [1]).exp()[0,0].item(), 1.)
x = torch.tensor([0.,1.])
test_close(soft_mean(x, .01).item(), 1-.01*math.log(2), eps=1e-6); test_close(soft_mean(x, 1e3).item(), .5, eps=1e-3)
test_eq(soft_mean(x, 0).item(), .5); test_fail(lambda: soft_mean(x, -1), contains='negative')

# %% [32] Importance of words and cells
from medvl.losses.local import (top_words)

# %% [33] Importance of words and cells
test_eq(top_words(torch.tensor([1.,3,2,5,9]), [3,2]), torch.tensor([0,1,1,0,1]).bool())
test_eq(top_words(torch.tensor([[1.,3],[3,1]]), [2]), torch.tensor([[0,1],[1,0]]).bool())
test_eq(top_words(torch.rand(1), [1], .1).item(), True)
test_fail(lambda: top_words(torch.rand(2), [2], 0.), contains='(0,1]')

# %% [35] Words that are drawn
from medvl.losses.local import (drawn_words)

# %% [36] Words that are drawn
torch.manual_seed(0)
odds = torch.tensor([.5,.3,.2]); many = odds.log()[:,None].expand(3,20_000)
test_close(drawn_words(many, [3], .3).float().mean(1), odds, eps=.02)       # one of three: by its importance
left = 1-drawn_words(many, [3], .6).float().mean(1)[2]                      # two of three: the third is left out ...
test_close(left, .5*.3/.5 + .3*.5/.7, eps=.02)                              # ... if the others come, in either order
test_eq(drawn_words(odds.log(), [3], 1.).all().item(), True)
test_fail(lambda: drawn_words(odds, [3], 2.), contains='(0,1]')

# %% [38] Words against the words of the same report
from medvl.losses.local import (word_nce)

# %% [40] Words against the words of the same report
e = torch.eye(4)
test_close(word_nce(e, e, [4], tau=.01).item(), 0., eps=1e-6); test_eq(word_nce(e[:1], e[1:2], [1]).item(), 0.)
test_close(word_nce(torch.ones(4,4), torch.ones(4,4), [4]).item(), math.log(4), eps=1e-6)
test_close(word_nce(e, e[[1,0,2,3]], [2,2], torch.tensor([0.,0,1,1])+1e-9, .01).item(), 50., eps=1e-3)

# %% [42] A faster version with its own gradient
from medvl.losses.local import (_EPS, _blocks, _maps, _cosines, _slopes, _d_maps)

# %% [43] A faster version with its own gradient
test_eq(_blocks(3, 10, [3,2,4], 180), [(slice(0,2), slice(0,9), [3,2,4]), (slice(2,4), slice(0,9), [3,2,4])])
test_eq(_blocks(1, 10, [3,2,4], 50), [(slice(0,1), slice(0,5), [3,2]), (slice(0,1), slice(5,9), [4])])

# %% [45] A faster version with its own gradient
from medvl.losses.local import (_Scores)

# %% [46] A faster version with its own gradient
from medvl.losses.local import (local_scores)

# %% [48] A faster version with its own gradient
vs, ws, msk = small()
s = [torch.tensor(o).requires_grad_() for o in (4.,5.)]
want = torch.stack([torch.stack([pair_score(c, w[m], *s) for w,m in zip(ws,msk)]) for c in vs])
gw = torch.autograd.grad((want*r).sum(), (vs,ws,*s))
channels = vs.detach().mT.contiguous().mT.requires_grad_()
test_eq((channels.is_contiguous(), torch.equal(channels, vs)), (False, True))
for x in (vs, channels):
    for kw in (dict(), dict(keep=0), dict(chunk=1), dict(chunk=1, keep=0), dict(chunk=1, keep=999)):
        got = local_scores(x, ws, msk, s1=s[0], s2=s[1], **kw)
        test_close(got, want, eps=1e-5)
        for a,b in zip(torch.autograd.grad((got*r).sum(), (x,ws,*s)), gw): test_close(a, b, eps=1e-5)
test_close(local_scores(vs, ws, msk, mean=True), want - torch.tensor([3.,1,5,2]).log(), eps=1e-5)

# %% [50] A faster version with its own gradient
vs, ws, msk = small(torch.float64, b=2, n=4, d=3, lens=(2,3))
vm = torch.tensor([[1,1,1,1],[1,0,1,1]]).bool()
s = [torch.tensor(o, dtype=torch.float64).requires_grad_() for o in (1.5,2.)]
want = torch.stack([torch.stack([pair_score(c[o], w[m], *s) for w,m in zip(ws,msk)]) for c,o in zip(vs,vm)])
gw = torch.autograd.grad(want.square().sum(), (vs,ws,*s))
for kw in (dict(), dict(keep=0), dict(chunk=1, keep=200)):
    f = lambda vs,ws,s1,s2,vm=vm: local_scores(vs, ws, msk, vm, s1, s2, **kw)
    test_close(f(vs,ws,*s), want, eps=1e-12)
    for a,b in zip(torch.autograd.grad(f(vs,ws,*s).square().sum(), (vs,ws,*s)), gw): test_close(a, b, eps=1e-12)
    for m in (vm, None): assert torch.autograd.gradcheck(lambda *a: f(*a, m), (vs,ws,*s))

# %% [52] A faster version with its own gradient
def held_score(c, w, s1, s2):
    z = (s1*(w@c.T).softmax(0)).softmax(-1) @ c
    return torch.logsumexp(s2*(z*w).sum(-1)/(z.norm(dim=-1)*w.norm(dim=-1)).clamp(min=1e-8), 0)
for size in (1e-6, 1e-4, (1e-6, 1.), 3e-4):
    vs, ws, msk = small(torch.float64, b=2, n=4, d=3, lens=(2,3))
    a, b = size if isinstance(size, tuple) else (size, size)
    vs, ws = (vs.detach()*a).requires_grad_(), (ws.detach()*b).requires_grad_()
    want = torch.stack([torch.stack([held_score(c, w[m], *s) for w,m in zip(ws,msk)]) for c in vs])
    f = lambda vs, ws: local_scores(vs, ws, msk, None, *s).square().sum()
    test_close(local_scores(vs, ws, msk, None, *s), want, eps=1e-12)
    gw, got = (torch.autograd.grad(o, (vs,ws,*s)) for o in (want.square().sum(), f(vs, ws)))
    for x,y in zip(got, gw): assert (x-y).abs().max() <= 1e-8*y.abs().max()+1e-18, size
    step = torch.zeros_like(ws); step[0,0,0] = 1e-4*b
    with torch.no_grad(): slope = ((f(vs, ws+step)-f(vs, ws-step))/(2e-4*b)).item()
    test_close(got[1][0,0,0].item()/slope, 1, eps=1e-4)
    print(f'features of {size}: analytic {got[1][0,0,0].item():.6g}, numeric {slope:.6g}')

# %% [54] A faster version with its own gradient
vs, ws, msk = small()
with torch.no_grad():
    vm = torch.ones(4,7).bool(); vm[:,5:] = False
    test_close(local_scores(vs, ws, msk, vm), local_scores(vs[:,:5], ws, msk), eps=1e-5)
    test_close(local_scores(vs, torch.where(msk[...,None], ws, 99.), msk), local_scores(vs, ws, msk), eps=1e-6)
vm[2] = False
test_fail(lambda: local_scores(vs, ws, msk, vm), contains='film 2 of 4 has no cell')
test_fail(lambda: local_scores(vs, ws[...,:5], msk), contains='[4, 5, 5]')

# %% [56] The classic mistake: padding inside the first softmax
def padded_score(c, w, s1=4., s2=5.):  # w: [k d] with padding left in
    A = (s1*(w@c.T).softmax(0)).softmax(-1)
    return F.cosine_similarity(A@c, w, dim=-1)
with torch.no_grad():
    alone = (5*padded_score(vs[0], ws[0,:3])).logsumexp(0)
    beside = (5*padded_score(vs[0], torch.cat([ws[0,:3], torch.zeros(20,6)]))[:3]).logsumexp(0)
packed = local_scores(vs, ws, msk)[0,0].item()
print(f"same film, same 3 words: {alone:.3f} alone, {beside:.3f} beside a text of 23; packed: {packed:.3f} always")
test_close(alone.item(), packed, eps=1e-5); test_eq(bool((alone-beside).abs() > .05), True)

# %% [58] Sum or mean over words
g = torch.Generator().manual_seed(0)
n_words = [2,4,8,16,32,64]
rv, rw = torch.randn(24,49,32, generator=g), torch.randn(6,64,32, generator=g)
m = torch.arange(64)[None] < torch.tensor(n_words)[:,None]
fig, ax = plt.subplots(figsize=(4,2.4), dpi=75)
score = {mean: local_scores(rv, rw, m, mean=mean).mean(0) for mean in (False,True)}
for mean in score: ax.plot(range(6), score[mean], 'o-', label='mean' if mean else 'sum')
ax.set(xticks=range(6), xticklabels=n_words, xlabel='words of a random report', ylabel='score, random films')
ax.legend(); plt.tight_layout(); plt.show()
test_eq(bool(score[False].diff().min() > 0 > score[True].diff()[-1]), True)

# %% [60] The loss
from medvl.losses.local import (local_loss)

# %% [61] The loss
vs, ws, msk = small()
want = torch.stack([torch.stack([pair_score(c, w[m], 4., 5.) for w,m in zip(ws,msk)]) for c in vs])
test_close(local_loss(vs, ws, msk), contrast(10*want), eps=1e-5)
lbl = torch.arange(4)
both = F.cross_entropy(10*want,lbl) + F.cross_entropy(10*want.T,lbl)                     # GLoRIA's sum
test_close(2*local_loss(vs, ws, msk), both, eps=1e-5)

# %% [63] The loss
hv, hw = (o.detach().bfloat16().requires_grad_() for o in (vs, ws))
with torch.autocast('cpu', torch.bfloat16): h = local_loss(hv, hw, msk)
h.backward()
test_eq(h.dtype, torch.float32); test_eq(hv.grad.dtype, torch.bfloat16)
test_close(h.item(), local_loss(hv.detach().float(), hw.detach().float(), msk).item(), eps=1e-6)

# %% [65] On two processes
code = """
import sys, torch, torch.distributed as dist
from medvl.losses.local import local_loss
torch.set_num_threads(1); rank = int(sys.argv[1])
dist.init_process_group('gloo', init_method=f'file://{sys.argv[2]}', rank=rank, world_size=2)
g = torch.Generator().manual_seed(5)
x, y = torch.randn(6,9,8,generator=g), torch.randn(6,7,5,generator=g)
msk = torch.arange(7)[None] < torch.tensor([3,1,7,2,5,4])[:,None]
vm = torch.ones(6,9).bool(); vm[1,6:] = vm[4,:3] = False
par = [torch.randn(8,4,generator=g), torch.randn(5,4,generator=g)] + [torch.tensor(o) for o in (4.,5.,10.)]
for p in par: p.requires_grad_()
def f(i):
    loss = local_loss(x[i]@par[0], y[i]@par[1], msk[i], vm[i], *par[2:])
    return loss.detach(), torch.autograd.grad(loss, par)
loss, got = f(slice(0,2) if rank == 0 else slice(2,6))
for o in got: dist.all_reduce(o); o /= 2
dist.barrier(); dist.destroy_process_group()
alone, want = f(slice(None))
assert torch.allclose(loss, alone, atol=1e-5), (loss, alone)
for a,b in zip(want, got): assert torch.allclose(a, b, atol=1e-5), (a,b)
print(f'rank {rank}: loss {loss:.6f}, alone {alone:.6f}, gradients equal')
"""
with tempfile.TemporaryDirectory() as tmp:
    f = os.path.join(tmp, 'run.py'); open(f,'w').write(code)
    ps = [subprocess.Popen([sys.executable, f, str(k), os.path.join(tmp,'meet')], stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True) for k in range(2)]
    outs = [p.communicate(timeout=120)[0] for p in ps]
for o in outs: print(o.strip().splitlines()[-1])
test_eq([o.strip().endswith('gradients equal') for o in outs], [True,True])

# %% [67] Similarity maps
from medvl.losses.local import (sim_map)

# %% [68] Similarity maps
f = Feat(loc=film, grid=(side,side))
maps = sim_map(f, report)
fig, axs = plt.subplots(1,3, figsize=(6,2.1), dpi=75)
for ax,m,name in zip(axs, maps[0], ('heart','effusion','other')):
    ax.imshow(m, cmap='coolwarm', vmin=-1, vmax=1); ax.set_title(name); ax.axis('off')
plt.tight_layout(); plt.show()
test_eq(maps.shape, (1,3,side,side))
test_eq(bool(maps[0,0,3:6,4:6].min() > .9), True); test_eq(bool(maps[0,1,6:,:3].min() > .9), True)
test_eq(bool(maps[0,2].abs().max() < .7), True)

# %% [70] Similarity maps
idx = torch.randperm(64)[None,:32]
part = sim_map(Feat(loc=film[:,idx[0]], grid=(side,side), idx=idx), report)
test_eq(part.isnan().sum().item(), 3*32)
test_close(part[~part.isnan()], maps[~part.isnan()], eps=1e-6)
txt = Feat(loc=report[None], msk=torch.tensor([[True,False,True]]))
test_close(sim_map(f, txt), maps[:,[0,2]], eps=1e-6)
test_close(sim_map(f, Feat(glob=report[:1])), maps[:,:1], eps=1e-6)
few = Feat(loc=film[:,:60], grid=(side,side))
test_fail(lambda: sim_map(few, report), contains='60 cells do not fill a grid of 8 x 8')
test_fail(lambda: sim_map(Feat(glob=film[:,0]), report), contains='needs local features')

# %% [72] How fast, how large
found = Path('../../results/local_loss.json')
run = json.loads(found.read_text()) if found.exists() else None
def shown(run):
    cols = {(size,unit): r[k] for size,r in run['runs'].items() for unit,k in (('s','seconds'), ('MB','growth_mb'))}
    style = pd.DataFrame(cols).loc[list(run['runs']['B=16']['seconds'])].style
    return style.format({c: '{:.2f}' if c[1] == 's' else '{:.0f}' for c in cols}, na_rep='-')
if run: display(shown(run)); print(run['provenance'])
else: print('not run')

# %% [74] How fast, how large
if run:
    ratio = {size: r['ratios'] for size,r in run['runs'].items()}
    display(pd.DataFrame(ratio).style.format('{:.2f}', na_rep='-'))
    for o in (ratio['B=16'], ratio['B=48']):
        test_eq((o['times_faster'] >= 1.8, o['share_of_memory'] <= .55, o['times_floor'] <= 1.4), (True,True,True))
    test_eq(ratio['B=192']['memory_to_48'] <= 4.5, True)
