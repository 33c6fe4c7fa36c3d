# nbs/eval/11_retrieval.ipynb: runs against the imported medvl.eval.retrieval.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Retrieval
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
import hashlib, textwrap
import matplotlib.pyplot as plt
import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from tqdm import tqdm
from medvl.core import Aligner, Batch, MedvlError, best_precision
from medvl.files import written
from medvl.eval.metrics import (MetricError, bootstrap, chance_recall, edge_hits, finite, mean_interval, median_rank,
                                mrr, ranks, recall_at, tie_rank)

# %% [4] Retrieval
import tempfile
from dataclasses import replace
from fastcore.test import *
from torch.nn.functional import normalize
from medvl.core import Feat
from medvl.eval.metrics import TIES, precision_at

# %% [6] A toy world
ZONES = ['right upper', 'left upper', 'right middle', 'left middle', 'right lower', 'left lower']

def toy_films(n, noise=.5, seed=0):
    g = torch.Generator().manual_seed(seed)
    zone, amp = torch.randint(0, 6, (n,), generator=g), noise*torch.rand(n, 6, generator=g)
    amp[torch.arange(n), zone] = 1.
    y, x = torch.meshgrid(torch.arange(16.)-7.5, torch.arange(16.)-7.5, indexing='ij')
    spot = torch.exp(-(y**2+x**2)/20)
    return torch.einsum('nrc,yx->nrycx', amp.view(n,3,2), spot).reshape(n,1,48,32), zone

class Toy(Aligner):
    def __init__(self): super().__init__(); self.words = torch.nn.Parameter(torch.eye(6)-1/6)
    def encode_image(self, img, msk=None):
        if img.ndim == 5: img = img[:,0]
        x = torch.nn.functional.avg_pool2d(img, 16)[:,0].flatten(1)
        return Feat(glob=normalize(x-x.mean(1, keepdim=True), dim=-1))
    def encode_text(self, txt, msk=None, word=None): return Feat(glob=normalize(self.words[txt[:,0]], dim=-1))

def toy_dl(img, zone, bs=16, has=None):
    msk = torch.ones(len(zone),1).bool() if has is None else has[:,None]
    one = torch.ones(len(img), 1).bool()
    return [(Batch(img=img[i,None], img_msk=one[i], txt=zone[i,None], txt_msk=msk[i], txt_id=zone[i]), i)
            for i in torch.arange(len(img)).split(bs)]

img, zone = toy_films(60)
fig, axs = plt.subplots(1, 6, figsize=(6,1.8), dpi=75)
for i,ax in enumerate(axs):
    ax.imshow(img[i,0], cmap='gray', vmin=0, vmax=1); ax.set_title(ZONES[zone[i]], fontsize=7); ax.axis('off')
plt.show()

# %% [8] From a data set to embeddings
from medvl.eval.retrieval import (Embeddings)

# %% [9] From a data set to embeddings
from medvl.eval.retrieval import (_unit, film_ids, _encode, embed)

# %% [10] From a data set to embeddings
m = Toy().train()
has = torch.arange(60) != 3
e = embed(m, toy_dl(img, zone, has=has))
test_eq(e.v.shape, (60,6))
test_eq(e.v.dtype, torch.float32)
test_eq(e.v.requires_grad, False)
test_eq(m.training, True)
test_close(e.v.norm(dim=1), torch.ones(60), eps=1e-5)
test_eq(e.t[3].isnan().all().item(), True); test_eq(len(e.paired()), 59)           # sample 3 has no text
test_eq(e.ids, torch.arange(60)); test_eq(e.txt_id, zone)
test_eq(len(e.img_id.unique()), 60)                                                # no film is there twice
twice = embed(m, toy_dl(img[[0,1,0]], zone[[0,1,0]])); assert twice.img_id[0] == twice.img_id[2] != twice.img_id[1]
test_eq(embed(m, toy_dl(img, zone), text=False).t, None)
test_close(embed(m, toy_dl(img, zone), amp='bf16').v, e.v, eps=.05)
test_close(embed(m, toy_dl(img, zone), amp='auto').v, embed(m, toy_dl(img, zone), amp=best_precision()).v)
test_close(embed(m, toy_dl(img, zone), slots='current').v, e.v)
with tempfile.TemporaryDirectory() as d:
    e2 = Embeddings.load(e.save(Path(d)/'e.npz'))
    test_eq(e2.v, e.v)
    test_eq(e2.has, e.has)
    test_eq(e2.lbl, None)
    test_eq([o.name for o in Path(d).iterdir()], ['e.npz'])

# %% [12] From a data set to embeddings
flat = img.clone(); flat[17] = .5
test_fail(lambda: embed(m, toy_dl(flat, zone)),
          contains='film embedding of sample 17 has length 0 (1 in this batch)', exc=MetricError)
nan = img.clone(); nan[2,0,5,5] = float('nan')
test_fail(lambda: embed(m, toy_dl(nan, zone)), contains='film embedding of sample 2 has length nan')
test_fail(lambda: embed(m, []), contains='no batch')
test_fail(lambda: embed(m, toy_dl(img, zone), amp='fp8'), contains="got 'fp8'")
test_fail(lambda: embed(m, toy_dl(img, zone), slots='prior'), contains="got 'prior'")
test_fail(lambda: embed(m, toy_dl(img, zone), text=False).paired(), contains='none of the 60 samples has a text')

# %% [14] Ranking without the matrix
from medvl.eval.retrieval import (_stairs)

# %% [15] Ranking without the matrix
a = zone.sort()[0]
grid = np.zeros((12,12))
for r,c,hit in _stairs(a, a, 5): grid[r.start//5, c.start//5] = hit
fig, ax = plt.subplots(figsize=(2.2,2.2), dpi=75)
ax.imshow(grid, cmap='Blues', vmax=1.5)
ax.set(xlabel='texts, by id', ylabel='films, by id', xticks=[], yticks=[])
plt.show()
test_eq(grid.any(0).all() and grid.any(1).all(), True)
same = a[:,None] == a[None]                                                # no right pair outside the staircase
for r,c,hit in _stairs(a, a, 5): assert hit or not same[r,c].any()

# %% [16] Ranking without the matrix
from medvl.eval.retrieval import (_checked)

# %% [17] Ranking without the matrix
from medvl.eval.retrieval import (NEAR, _near, match_ranks, _count)

# %% [19] Ranking without the matrix
v = torch.tensor([[1.,0],[0,1]]); t = torch.tensor([[.5,.6],[.9,.7],[.1,.3]])
rv, rt = match_ranks(v, t, torch.tensor([7,8]), torch.tensor([7,7,8]))
test_eq(rv, torch.tensor([1,3])); test_eq(rt, torch.tensor([2,1,1]))

# %% [21] Ranking without the matrix
g = torch.Generator().manual_seed(1)
for n,m in ((40,40), (33,57)):
    v, t = (torch.randint(-1,2,(k,4), generator=g).float() for k in (n,m))
    iv, it = (torch.cat([torch.arange(12), torch.randint(0,12,(k-12,), generator=g)]) for k in (n,m))
    for ties in TIES:
        for block in (7, 1000):
            rv, rt = match_ranks(v, t, iv, it, ties, block)
            s, same = (v@t.T).numpy(), (iv[:,None]==it[None]).numpy()
            test_close(rv, ranks(s, same, ties), eps=1e-6); test_close(rt, ranks(s.T, same.T, ties), eps=1e-6)

# %% [23] Ranking without the matrix
one, ids = torch.ones(5,3), torch.arange(5)
test_eq(match_ranks(one, one, ids, ids)[0].tolist(), [5]*5)
test_eq(match_ranks(one, one, ids, ids, 'optimistic')[0].tolist(), [1]*5)
test_close(match_ranks(one, one, ids, ids, 'mean')[0], 3.)
# all alike, but for the rounding of blocks and inputs
g = torch.Generator().manual_seed(4)
same = normalize(torch.randn(1,512,generator=g), dim=1).expand(301,512)+1e-8*torch.randn(301,512,generator=g)
for block in (64, 1024):
    rank = match_ranks(same, same, torch.arange(301), torch.arange(301), block=block)[0]
    test_eq(rank.unique().tolist(), [301])
test_fail(lambda: match_ranks(one, one[:,:2], ids, ids), contains='v has width 3, t 2')
test_fail(lambda: match_ranks(one, one, ids, ids[:4]), contains='t has 5 rows, its txt_id shape (4,)')
test_fail(lambda: match_ranks(one, one, ids, ids+1),
          contains='1 of 5 rows of v have no right answer on the other side, the first is row 0')
test_fail(lambda: match_ranks(one*float('inf'), one, ids, ids), contains='v: 15 of 15 values are not finite')
test_fail(lambda: match_ranks(one[:0], one, ids[:0], ids), contains='v: is empty')
test_fail(lambda: match_ranks(one, one, ids, ids, 'lucky'), contains='unknown tie rule')

# %% [25] The numbers
from medvl.eval.retrieval import (WAYS, rank_metrics, both_ways, retrieval)

# %% [26] The numbers
img, zone = toy_films(60, noise=1.2)                                        # a hard one
e = embed(Toy(), toy_dl(img, zone))
res = retrieval(e.v, e.t, e.txt_id)
{k: round(x,3) for k,x in res.items()}

# %% [27] The numbers
own = retrieval(e.v, e.t, torch.arange(60), ties='mean')                    # only the own report counts
k = 'image_to_text_R@10'
print(f"{k}: same text is right {res[k]:.2f}, only the own is {own[k]:.2f}")
assert own['image_to_text_R@10'] < res['image_to_text_R@10']
perfect = retrieval(torch.eye(4), torch.eye(4), torch.arange(4))
test_eq([perfect[k] for k in ('image_to_text_R@1','text_to_image_median_rank','image_to_text_MRR')], [1.,1.,1.])
test_eq(perfect['R_sum'], 6.)

# %% [29] Distinct candidates, pools of 1,000, chance, and intervals
from medvl.eval.retrieval import (dedup, RULES, candidates, _film_of, _text_ranks, pair_ranks)

# %% [30] Distinct candidates, pools of 1,000, chance, and intervals
from medvl.eval.retrieval import (chance, right_candidates, pools)

# %% [31] Distinct candidates, pools of 1,000, chance, and intervals
u, uid = dedup(e)
test_eq(len(u), 6); test_eq(uid.tolist(), list(dict.fromkeys(zone.tolist())))      # order of first occurrence
d = retrieval(e.v, u, e.txt_id, uid)
print({k: round(d[k],3) for k in ('image_to_text_R@1','text_to_image_R@1')})
f, t = candidates(e); test_eq((len(f), e.txt_id[t].tolist()), (60, uid.tolist()))
rv, rt = pair_ranks(e); test_eq(rank_metrics('image_to_text', rv)['image_to_text_R@1'], d['image_to_text_R@1'])
test_eq(both_ways(pair_ranks(e, 'pairs-v1')), res)                                 # the older rule
test_fail(lambda: candidates(e, 'v3'), contains='known: distinct-v2, pairs-v1')
# every film entered twice: no difference
dbl = e[torch.cat([torch.arange(60)]*2)]
test_eq(pair_ranks(dbl)[1][:60], rt); test_close(list(chance(dbl).values()), list(chance(e).values()))
# films entered twice, with different texts: each is right for both, and random orders are at chance
g, luck = torch.Generator().manual_seed(1), []
for _ in range(200):
    v, t = torch.randn(10,8,generator=g), torch.randn(20,8,generator=g)
    pair = Embeddings(v.repeat(2, 1), t, torch.ones(20).bool(), torch.arange(20), img_id=torch.arange(10).repeat(2))
    luck.append(both_ways(pair_ranks(pair), (1,))['text_to_image_R@1'])
test_close(chance(pair, (1,))['text_to_image_R@1'], .1); test_close(np.mean(luck), .1, eps=.03)
eye = torch.eye(10).repeat(2, 1); test_eq(pair_ranks(replace(pair, v=eye, t=eye))[1].tolist(), [1]*20)
p = pools(e, size=20)
test_eq((len(p['seeds']), p['mean'].keys() == res.keys()), (5, True)); assert p['sd']['image_to_text_R@1'] >= 0
test_eq(pools(e, size=20), p)                                                      # fixed seeds
test_eq(pools(e), {'skipped': 'a pool needs 1000 pairs, there are 60'})

# %% [33] Distinct candidates, pools of 1,000, chance, and intervals
v, t = torch.tensor([[1.,0.]]*10), torch.tensor([[1.,0.]]*9+[[.6,.8]])
ten = Embeddings(v, t, torch.ones(10).bool(), torch.tensor([0]*9+[1]))
test_eq((pair_ranks(ten, 'pairs-v1')[0][9].item(), pair_ranks(ten)[0][9].item()), (10, 2))
# one of two texts; films with the text
test_close([chance(ten, (1,))[f'{w}_R@1'] for w in WAYS], [1/2, (9*.9+.1)/10])

# %% [34] Distinct candidates, pools of 1,000, chance, and intervals
from medvl.eval.retrieval import (retrieval_report, _intervals)

# %% [35] Distinct candidates, pools of 1,000, chance, and intervals
img, zone = toy_films(90, noise=1.2); has = torch.arange(90) > 1
e = embed(Toy(), toy_dl(img, zone, has=has))
patient = np.arange(90)//3
rep = retrieval_report(e, group=patient, n_boot=200)
for k in ('image_to_text_R@1','text_to_image_R@10'):
    print(k, rep['interval'][k], f"| chance {rep['chance'][k]:.3f}")
test_eq([rep[k] for k in ('n_pairs','n_films','n_texts','n_without_text','n_units')], [88, 88, 6, 2, 30])
test_eq(rep['rule'], 'distinct-v2')
old = retrieval_report(e, group=patient, n_boot=0, rule='pairs-v1')
test_eq(old['full'], retrieval(e.paired().v, e.paired().t, e.paired().txt_id)); test_eq(old['interval'], {})
ci = rep['interval']['image_to_text_R@1']
assert ci.low <= ci.value <= ci.high
assert ci.value == rep['full']['image_to_text_R@1'] > rep['chance']['image_to_text_R@1']
how = [rep['interval'][f'image_to_text_{k}'].method for k in ('R@1','MRR','mean_rank','median_rank')]
test_eq(how, ['wilson','wilson','t','bca'])
test_fail(lambda: retrieval_report(e, group=patient[:5]), contains='group has 5 entries, the embeddings 90')
for k,v in (('n_boot', -1), ('pool', 0)):
    test_fail(lambda: retrieval_report(e, **{k: v}), contains=f'{k}={v}; expected')

# %% [37] Distinct candidates, pools of 1,000, chance, and intervals
g, p = torch.Generator().manual_seed(3), e.paired()
# a text, one embedding
def random_order(): v, t = torch.randn(2,88,16,generator=g); return replace(p, v=v, t=t[p.txt_id])
for rule in RULES:
    got = [both_ways(pair_ranks(random_order(), rule), (1,2)) for _ in range(200)]
    mean = {k: np.mean([r[k] for r in got]) for k in got[0]}
    luck = chance(p, (1,2), rule)
    print(rule, *(f'{k} {mean[k]:.3f}, chance {luck[k]:.3f};' for k in ('image_to_text_R@1','image_to_text_R@2')))
    if rule == 'distinct-v2':
        for k,x in chance(p, (1,2), rule).items():
            if k in mean: test_close(mean[k], x, eps=.05)
    # below its own chance
    else: assert mean['image_to_text_R@2'] < chance(p, (2,), rule)['image_to_text_R@2']-.05

# %% [39] Right by class: precision at k
from medvl.eval.retrieval import (class_precision)

# %% [41] Right by class: precision at k
c = torch.tensor([[.9],[.8],[.7],[.6]])
p = class_precision(torch.ones(1,1), c, torch.tensor([1]), torch.tensor([1,0,1,1]), ks=(1,2,4))
test_eq([p[k].item() for k in (1,2,4)], [1.,.5,.75])
q, c = (torch.randint(-1,2,(k,3), generator=g).float() for k in (20,50))
cq, cc = torch.arange(20)%4, torch.arange(50)%5
for ties in TIES:
    p = class_precision(q, c, cq, cc, ks=(3,10), ties=ties, budget=120)
    for k in (3,10): test_close(p[k], precision_at((q@c.T).numpy(), (cq[:,None]==cc[None]).numpy(), k, ties), eps=1e-6)
test_fail(lambda: class_precision(q, c, cq, cc, ks=(60,)), contains='P@60: there are 50 candidates')
test_fail(lambda: class_precision(q, c, cq+3, cc), contains='no right answer')

# %% [43] Figures
from medvl.eval.retrieval import (ranked, RIGHT, WRONG, _film, _text)

# %% [44] Figures
from medvl.eval.retrieval import (text_to_film, film_to_text)

# %% [45] Figures
img, zone = toy_films(40, noise=1.2, seed=2); e = embed(Toy(), toy_dl(img, zone))
text = lambda i: f"There is an opacity in the {ZONES[zone[i]]} zone."
rows = [int((zone==z).nonzero()[0,0]) for z in (0,3,5)]
fig = text_to_film(e, lambda i: img[i], text, rows, dpi=70); plt.show()
test_eq(len(fig.axes), 18)

# %% [46] Figures
fig = film_to_text(e, lambda i: img[i], text, rows, k=4, size=1.2, dpi=70); plt.show()
top, score = ranked(e.v[rows], e.v, 3)
test_eq(top[:,0].tolist(), rows); test_close(score[:,0], torch.ones(3), eps=1e-5)       # a film is its own best match
test_eq(ranked(torch.ones(1,2), torch.ones(4,2), 4)[0].tolist(), [[0,1,2,3]])            # equal scores: in order
test_fail(lambda: ranked(e.v, e.v[:3], 5), contains='cannot show 5 of 3 candidates')
