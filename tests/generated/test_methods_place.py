# nbs/methods/40_place.ipynb: runs against the imported medvl.methods.place.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] PLACE
import copy
from pathlib import Path
from typing import Mapping
import torch
import torch.nn.functional as F
from fastcore.basics import patch_to
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from medvl.core import Batch, Feat, MedvlError, Out
from medvl.data.preset import Preset
from medvl.losses.contrastive import clip_loss, contrast, gather
from medvl.losses.local import word_nce
from medvl.losses.sets import PAIRINGS, alike, pair_up, set_scores
from medvl.methods.dual import CellTower, DualEncoder, first_film, masked_tower, text_pairs, text_tower, vision_tower
from medvl.methods.recipe import Recipe
from medvl.models.heads import BatchNormHead, QueryPool, SpanPool
from medvl.models.masked import patchify, pick_patches
from medvl.models.vision import sincos_2d

# %% [4] PLACE
import json
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from fastcore.test import *
from medvl.core import SLOTS
from medvl.toy import (Diagram, curves, ends, toy_batch, toy_bert, toy_chance, toy_pairs, toy_scores, toy_vit,
                       train_toy)
torch.set_num_threads(1);

# %% [6] The idea
d = Diagram(8.6, 2.9)
d.box('film', .5, 2.2).box('tower', 1.9, 2.2, 'vision tower', '#cfe2f3')
d.box('report', .5, .7).box('bert', 1.9, .7, 'text tower', '#cfe2f3')
d.box('v', 6.2, 2.65, r'$\mathbf{v}$, one per film', '#fff2cc')
d.box('q', 3.9, 2.05, '16 queries', '#cfe2f3')
d.box('p', 6.2, 2.05, 'V-POR $p_1 ... p_{16}$', '#fff2cc')
d.box('f', 3.9, 1.4, 'patches ask words', '#cfe2f3')
d.box('c', 6.2, 1.4, r'correlations $\hat C$', '#fff2cc').box('s', 3.9, .75, 'mean per sentence', '#cfe2f3')
d.box('o', 6.2, .75, 'T-POR $o_1 ... o_S$', '#fff2cc').box('t', 6.2, .15, r'$\mathbf{t}$, one per report', '#fff2cc')
d.box('ita', 8.05, 2.65, '$L_{glob}$', '#f4cccc').box('pcma', 8.05, 2.05, '$L_{pcma}$', '#f4cccc')
d.box('cce', 8.05, 1.4, '$L_{cce}$', '#f4cccc')
d.arrow('film','tower','v','ita').arrow('tower','q','p','pcma').arrow('tower','f','c','cce')
d.arrow('report','bert','s','o','pcma')
d.arrow('bert','f').arrow('bert','t')
d.ax.text(7.35, .15, r'$\mathbf{t}$ enters $L_{glob}$', fontsize=8, va='center'); plt.show()

# %% [8] Sentences (T-POR)
from medvl.methods.place import (as_sentences)

# %% [9] Sentences (T-POR)
msk = torch.tensor([[1,1,1,1],[1,1,0,0]]).bool()
test_eq(as_sentences(torch.tensor([[-1,0,1,-1],[-1,-1,-1,-1]]), msk).tolist(), [[-1,0,1,-1],[0,0,-1,-1]])
test_eq(as_sentences(None, msk).tolist(), [[0,0,0,0],[0,0,-1,-1]])
test_fail(lambda: as_sentences(torch.zeros(2,3).long(), msk), contains='sent is [2, 3]')

# %% [11] Patch correlations
from medvl.methods.place import (pixel_patches, patch_correlation)

# %% [13] Patch correlations
C, keep = patch_correlation(torch.tensor([[[0.,1.],[0.,2.],[1.,0.],[3.,3.]]]))
test_eq(C[0,:3,:3], torch.tensor([[1.,1.,-1.],[1.,1.,-1.],[-1.,-1.,1.]]))
test_eq((keep[0,3].any().item(), keep[0,0].tolist()), (False, [False,True,True,False]))
test_eq(pixel_patches(torch.arange(16.).view(1,1,4,4), (2,2), 2)[0,1].tolist(), [2.,3.,6.,7.])
test_close(pixel_patches(torch.ones(1,3,5,5), (2,2), 2), torch.ones(1,4,4), eps=1e-5)
test_fail(lambda: patchify(torch.ones(1,1,5,5), 2), contains="don't tile")

# %% [15] Patch correlations
from medvl.methods.place import (PositionMean, explained)

# %% [16] Patch correlations
pos, pair = PositionMean(2), torch.tensor([[0.,1.],[1.,0.]]).bool()
for v in (.2,.4,.9): pos.update(torch.full((1,2,2), v), pair[None])
test_close(pos.mean, torch.tensor([[0.,.5],[.5,0.]]), eps=1e-6)
rest = torch.tensor([[[0.,.2],[-.2,0.]]])
test_eq([round(explained(a*rest, rest, pair[None]).item(), 4) for a in (0,1,.5,-1)], [0.,1.,.75,-3.])

# %% [18] The model
from medvl.methods.place import (TARGETS, PLACE)

# %% [33] An example
def sents(b): b['sent'] = torch.where(b.word >= 0, b.word//2, -1); return b
tiny = dict(vision=toy_vit(64, embed_dim=24, num_heads=2, depth=1, patch_size=16),
            text=toy_bert(50, hidden_size=24, num_attention_heads=2), size=64,
            dim=16, hidden=32, width=24, heads=2, n=4, S=3, depth=1, corr=12)
torch.manual_seed(0); b = sents(toy_batch()); m = PLACE.small(**tiny)
print(b.sent[0].tolist())
out = m.train()(b); print({k: round(v.item(),3) for k,v in out.terms.items()})
test_eq((out.img.loc.shape, out.txt.loc.shape, out.txt.msk.sum(1).tolist()), ((4,16,24), (4,3,16), [2,1,2,2]))

# %% [35] An example
m.eval()
with torch.no_grad():
    m.forward(b); out = m(b); t, y = out.terms, torch.arange(4)
    def ce(s): return (F.cross_entropy(s, y) + F.cross_entropy(s.T, y)).item()
    test_close(t['glob'].item(), ce(out.img.glob @ out.txt.glob.T/.07), eps=1e-4)
    P, O, msk = m.observations(out.img.loc), out.txt.loc, out.txt.msk
    def score(p, o): return F.cosine_similarity((o @ p.T/.1).softmax(-1) @ p, o).mean()
    M = torch.stack([torch.stack([score(p, o[k]) for o,k in zip(O, msk)]) for p in P])
    test_close(t['pcma'].item(), ce(M/.1), eps=1e-3)
    G = P @ P.mT; off = ~torch.eye(4).bool()
    test_close(t['alike'].item(), G[:,off].square().mean().item(), eps=1e-5)
    test_close(t['cos'].item(), G[:,off].mean().item(), eps=1e-5)
total = sum(m.weights[k]*v for k,v in t.items()); test_close(m.loss(out).item(), total.item(), eps=1e-5)
test_close(t['r2'].item(), m.correlation_r2(b), eps=1e-5)

# %% [37] An example
ways = dict(pairing='hungarian'), dict(within=True), dict(corr_of='feature'), dict(mask_ratio=.5), dict(positives=True)
for kw in ({}, *ways):
    x = PLACE.small(**{**tiny, **kw}).train(); o = x(b); x.loss(o).backward()
    test_eq([k for k,p in x.named_parameters() if p.requires_grad and p.grad is None], [])
    test_eq(all(p.grad.isfinite().all() for p in x.parameters() if p.grad is not None), True)
    test_eq('within' in o.terms, x.within)
none = dict.fromkeys(('glob','pcma','alike','cce','within'), 0.)
def terms_of(**w): return set(PLACE.small(**tiny, weights=none | w)(b).terms)
test_eq([terms_of(glob=1.), terms_of(pcma=1.), terms_of(cce=1.)],
        [{'glob'}, {'glob','pcma','alike','cos'}, {'glob','cce','r2'}])                  # `glob` is always logged
late = PLACE.small(**tiny, wait=1).train()
test_eq([late(b).terms['cce'].item() > 0 for _ in range(2)], [False, True])
slow = PLACE.small(**tiny, corr_of='feature', momentum=.5).train()
was = next(slow.slow.parameters()).clone()
with torch.no_grad(): next(slow.vision.parameters()).add_(1.)
slow.follow(); test_close(next(slow.slow.parameters()), was + .5, eps=1e-6)

# %% [39] An example
with torch.no_grad():
    f, t = m.encode_image(b.img, b.img_msk), m.encode_text(b.txt[:4], b.txt_msk[:4], sent=b.sent[:4])
    s, H, one = m.scores(f, t), m.maps(f, t), Feat(t.glob[1:2], t.loc[1:2], t.msk[1:2])
    test_eq((H.shape, s['local'].shape), ((1,6,4,4,4), (6,4)))
    test_close(H.sum((-1,-2)), torch.ones(1,6,4), eps=1e-5)                      # attention, mixed
    test_close(m.scores(f, one)['local'][:,0], s['local'][:,1], eps=1e-5)
    test_close(m.maps(f, one)[:,:,0], H[:,:,1], eps=1e-5)
    test_eq(m.encode_text(b.txt[:4], b.txt_msk[:4]).msk.sum(1).tolist(), [1]*4)

# %% [41] An example
again = PLACE(**json.loads(json.dumps(m.config))); again.load_state_dict(m.state_dict())
with torch.no_grad(): test_close(again.eval().scores(f, t)['local'], s['local'], eps=1e-6)
with torch.device('meta'): full = {'ViT-B/16': PLACE.paper(), 'ResNet-50': PLACE.resnet()}
for k,x in full.items():
    print(f"{k}: {sum(p.numel() for p in x.parameters())/1e6:.0f} million parameters, cells {x.vision.grid}")
test_eq((full['ViT-B/16'].observe.query.shape, full['ResNet-50'].vision.grid), ((16,768), (19,19)))
test_fail(lambda: PLACE.small(**tiny, pairing='greedy'), contains='expected one of soft, hungarian')
test_fail(lambda: PLACE.small(**tiny, corr_of='words'), contains='expected one of pixel, feature')
test_fail(lambda: PLACE.small(**{**tiny, 'vision': 'resnet18'}, mask_ratio=.5), contains='must be a ViT')
test_fail(lambda: m(Batch({k: v for k,v in b.items() if k != 'sent'})), contains="PLACE needs batch['sent']")
test_fail(lambda: m(Batch(b, txt_msk=torch.zeros(6,9).bool())), contains='has a text; PLACE')

# %% [43] The classic mistake: all queries give the same observation
same = PLACE.small(**tiny).eval()
with torch.no_grad(): same.observe.query.copy_(same.observe.query[:1].expand(4,-1)); c = same(b).terms
print({k: round(c[k].item(), 3) for k in ('pcma','alike','cos')})
test_close(c['cos'].item(), 1., eps=1e-4); test_close(c['alike'].item(), 1., eps=1e-4)

# %% [45] It learns
toys = toy_pairs(slots=SLOTS[:1], big=0, fields=('sent',)); seen, held, tok, page = toys; print(toys)
torch.manual_seed(0)
m = PLACE.small(vision=toy_vit(64), text=toy_bert(len(tok)), size=64, width=96, dim=32, hidden=64, heads=3, corr=48)
log = train_toy(m, seen, 80, 2e-3)
curves(log); plt.show()
for k in ('glob','pcma','cce'): assert ends(log)[k][1] < ends(log)[k][0], k
print({k: v for k,v in ends(log).items()})

# %% [47] It learns
print('MRR of chance, training and other patients:', *(round(toy_chance(o, 50), 3) for o in (seen, held)))
print('training:', toy_scores(m, seen)); print('other patients:', toy_scores(m, held))
assert toy_scores(m, seen)['image_to_text_MRR'] > toy_chance(seen, 50)+.1
assert ends(log)['cos'][1] < .9

# %% [49] What each query looks at
i = int(torch.tensor([len(set(o.tolist())) for o in held.sent]).argmax())        # the report with most sentences
def said(s): return tok.decode(held.txt[i][held.sent[i] == s])
with torch.no_grad():
    f = m.encode_image(held.img[i:i+1], held.img_msk[i:i+1])
    t = m.encode_text(held.txt[i:i+1], held.txt_msk[i:i+1], sent=held.sent[i:i+1])
    A = m.observe.looks_at(f.loc)[0].unflatten(-1, f.grid)
    w = pair_up(t.loc @ m.observations(f.loc).mT, t.msk, m.tau_o)[0][t.msk[0]]      # sentences, queries
film = page.denorm(held.img[i,0,0])
fig, axs = plt.subplots(2, 8, figsize=(10,3.1), dpi=60, layout='constrained')
for k,ax in enumerate(axs.flat):
    ax.imshow(film, cmap='gray', extent=(0,8,8,0)); ax.axis('off')
    ax.imshow(A[k], cmap='inferno', alpha=.55, extent=(0,8,8,0))
    own = [s+1 for s in range(len(w)) if w[s].argmax() == k]
    ax.set_title(', '.join(f'sentence {s} ({w[s-1,k]:.2f})' for s in own), fontsize=7)
plt.show()
for s in range(len(w)): print(f'sentence {s+1}: {said(s)!r}')
test_close(w.sum(-1), torch.ones(len(w)), eps=1e-5); test_close(A.sum((1,2)), torch.ones(16), eps=1e-5)

# %% [51] Correlations
with torch.no_grad():
    g, (C, keep) = m.text(held.txt[i:i+1], held.txt_msk[i:i+1]), m.targets(held.img[i:i+1,0])
    pred = m.predict(f.loc, g)
k = int(C[0].sub(m.position.mean).square().mul(keep[0]).sum(1).argmax()); y, x = divmod(k, 8)
maps = {'true': C[0,k], 'mean of the position': m.position.mean[k], 'remainder': (C[0]-m.position.mean)[k],
        'predicted remainder': pred[0,k]}
fig, axs = plt.subplots(1, 5, figsize=(9.4,2.1), dpi=65, layout='constrained')
axs[0].imshow(film, cmap='gray', extent=(0,8,8,0)); axs[0].set_title('film', fontsize=8)
for ax,(name,c) in zip(axs[1:], maps.items()):
    shown = torch.where(keep[0,k], c, torch.nan).view(8,8)
    im = ax.imshow(shown, cmap='RdBu_r', vmin=-1, vmax=1, extent=(0,8,8,0)); ax.set_title(name, fontsize=8)
for ax in axs: ax.add_patch(plt.Rectangle((x,y), 1, 1, fill=False, ec='lime')); ax.set(xticks=[], yticks=[])
plt.colorbar(im, ax=axs[-1]); plt.show()

# %% [53] Correlations
def r2s(o): return m.correlation_r2(o), sum(m.correlation_r2(o, k) for k in (1,2,3,4))/4
r2 = {'training patients': r2s(seen), 'other patients': r2s(held)}
assert min(r2['training patients'][0], r2['other patients'][0]) > .1
pd.DataFrame(r2, index=['own report','exchanged reports']).T.round(4)

# %% [55] Results
saved = json.loads(Path('../../results/place_transfer.json').read_text()); systems = saved['systems']
run = saved['provenance']
print(f"{saved['data']}; films {saved['films']}; {saved['arguments']['seeds']} seeds; {run['date']}, {run['commit']}")
WAYS = {'image_to_text': 'film to text', 'text_to_image': 'text to film'}
MAIN = {'AUROC at 100%': 'AUROC', **{f'{w}_{k}@10': f'{k}@10 ({v})' for k in 'PR' for w,v in WAYS.items()},
        'Dice, positives': 'Dice (positives)', 'mAP': 'mAP', 'BLEU-4': 'BLEU-4', 'CIDEr-D': 'CIDEr-D',
        'micro F1': 'micro F1', 'macro F1': 'macro F1'}
def span(o): return f"{o['value']:.3f} [{o['low']:.3f}, {o['high']:.3f}]"
def row(o):
    seeds = [x or 0. for x in o['mAP as MGCA counts']]
    more = {'Dice': f"{o['Dice']['value']:.3f}", 'mAP, MGCA': f'{sum(seeds)/len(seeds):.3f}'}
    near = {f'{v}, nearest': f"{x['value']:.3f}" for k,v in MAIN.items() if (x := o.get(f'{k}, nearest film'))}
    return {v: span(o[k]) if k in o else 'not defined' for k,v in MAIN.items()} | more | near
pd.DataFrame({k: row(o) for k,o in systems.items()})

# %% [57] Results
TASKS = {'AUROC at 100%': 'classification', 'P@10': 'retrieval', 'Dice, positives': 'segmentation', 'mAP': 'detection',
         'CIDEr-D': 'reports, CIDEr-D', 'macro F1': 'reports, macro F1'}
from medvl.run.page import stands
fig, axs = plt.subplots(1, 6, figsize=(11.5, 2.5), dpi=65, layout='constrained', sharey=True)
names = [k for k in systems if k != 'CLIP']
for ax,(k,title) in zip(axs, TASKS.items()):
    for y,n in enumerate(names):
        if k not in systems[n]: continue
        o = systems[n][k]['over CLIP']; hollow = stands(o) == 'not distinguishable'
        ax.errorbar(o['value'], y, xerr=[[o['value']-o['low']], [o['high']-o['value']]], fmt='o', c=f'C{y}', capsize=2,
                    mfc='white' if hollow else f'C{y}')
    ax.axvline(0, c='k', lw=.6); ax.set_title(title, fontsize=9); ax.tick_params(labelsize=8)
axs[0].set_yticks(range(len(names)), names); axs[0].invert_yaxis(); plt.show()

# %% [59] Results
def against(n):
    "PLACE against another system, in words."
    said, swap = {}, {'ahead': 'behind', 'behind': 'ahead'}                         # the file has n minus PLACE
    for k,title in MAIN.items():
        if k in systems[n]: said.setdefault(swap.get(v := stands(systems[n][k]['over PLACE']), v), []).append(title)
    parts = [f"{how} in {', '.join(said[how])}" for how in ('ahead','behind','not distinguishable') if how in said]
    return f"PLACE and {n}: {'; '.join(parts)}."
for n in systems:
    if n != 'PLACE': print(against(n))

# %% [61] Results
same = 'not distinguishable'
def to_clip(n): return {k: stands(systems[n][k]['over CLIP']) for k in ('P@10',*MAIN) if k in systems[n]}
def below(n): return {k for k,v in to_clip(n).items() if v == 'behind'}
test_eq(set(to_clip('PLACE').values()), {same})
test_eq({stands(systems['instance loss alone'][k]['over PLACE']) for k in MAIN}, {same})
test_eq([(n, k) for n in names for k,v in to_clip(n).items() if v == 'ahead'],
        [('instance loss alone', 'text_to_image_R@10')])
test_eq(stands(systems['supervised']['Dice, positives']['over PLACE']), 'ahead')
for n,keys in {'instance loss alone': {'AUROC at 100%','Dice, positives'}, 'PCMA alone': {'AUROC at 100%','P@10'},
               'correlations alone': {'AUROC at 100%','P@10','Dice, positives','mAP','CIDEr-D','macro F1'},
               'MAE': {'AUROC at 100%'}, 'random weights': {'AUROC at 100%'}}.items():
    assert keys <= below(n), (n, below(n))
for n in ('PCMA alone','correlations alone'): test_eq(stands(systems[n]['P@10']['over PLACE']), 'behind')
for k in ('Dice, positives','mAP','CIDEr-D','macro F1'):
    test_eq(stands(systems['correlations alone'][k]['over PLACE']), 'behind')
test_eq(stands(systems['random weights']['AUROC at 100%']['over PLACE']), 'behind')
for k in ('Dice, positives','mAP','CIDEr-D','macro F1'): test_eq(to_clip('random weights')[k], same)
for o in systems.values():
    test_eq(stands(o['CIDEr-D, nearest film']['written over it']), 'ahead')
    assert stands(o['macro F1, nearest film']['written over it']) != 'ahead'

# %% [63] Heads that decide
better = json.loads(Path('../../results/place_heads.json').read_text())
pd.DataFrame(better['head_seeds']['random weights'], index=['seed 0','seed 1']).round(3)

# %% [64] Heads that decide
before, now = (better['head_seeds']['random weights'][k] for k in ('before','now'))
assert abs(before[0]-before[1]) > .2 > .01 > abs(now[0]-now[1]) and min(now) > max(before)
for o in systems.values(): x = o['Dice, positives']['seeds']; assert max(x)-min(x) < .05

# %% [66] Heads that decide
from medvl.data.regions import rle_decode
from medvl.run.stages import patients as phantom_patients
shown, side = better['pictures'], better['arguments']['film']
views = {v.id: v for s in phantom_patients(dict(test=40), side, 7, bar=False)['test'] for v in s.views}
films, names, at = shown['films'][:3], ('PLACE','CLIP'), np.arange(1, side, 2)
def union(o): return np.any([rle_decode(m, (side//2,)*2) for m in o['masks']], 0)
def draw(ax, o, boxes, what, c):
    if what == 'masks' and union(o).any(): ax.contour(at, at, union(o), [.5], colors=c, linewidths=1)
    for l,t,r,b in boxes if what == 'boxes' else ():
        ax.add_patch(plt.Rectangle((l, t), r-l, b-t, fill=False, ec=c, lw=1))
rows = [(n, what) for n in names for what in ('masks','boxes')]
fig, axs = plt.subplots(len(rows), 3, figsize=(4.4, 5.6), dpi=60, layout='constrained')
for j,o in enumerate(films):
    true = [x for _,_,*x in o['true']['boxes']]; own = {k for k,*_ in o['true']['boxes']}
    for i,(n,what) in enumerate(rows):
        ax = axs[i,j]; ax.imshow(views[o['id']].film().px[0], cmap='gray', extent=(0,side,side,0))
        best = {k: x for k,_,*x in reversed(o['systems'][n]['boxes']) if k in own}  # the surest of each finding
        ax.set(xticks=[], yticks=[])
        draw(ax, o['true'], true, what, '#27e0b3'); draw(ax, o['systems'][n], best.values(), what, '#d55e00')
        if not j: ax.set_ylabel(f'{n}, {what}', fontsize=7)
plt.show()
