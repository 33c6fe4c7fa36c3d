# nbs/methods/41_mmclip.ipynb: runs against the imported medvl.methods.mmclip.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] MMCLIP
import math
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
import torch
import torch.nn.functional as F
from fastcore.basics import patch_to
from jaxtyping import Bool, Float
from torch import Tensor, nn
from medvl.core import Batch, Feat, MedvlError, Out
from medvl.data.batch import field, piece_spans
from medvl.data.disease import PROMPT_FIELDS
from medvl.losses.contrastive import gather, log_scale, same_text
from medvl.methods.dual import (DualEncoder, first_film, make_head, masked_tower, number_pieces, patch_decoder,
                                pool_text, text_tower, unpack_films, vision_tower)
from medvl.methods.recipe import Recipe
from medvl.models.guided import mask_named, patch_scores, standard, top_patches
from medvl.models.heads import BatchScale
from medvl.models.masked import patchify, pixel_loss, token_loss

# %% [4] MMCLIP
import json, math
import matplotlib.pyplot as plt
from fastcore.test import *
from medvl.methods.clip import CLIP
from medvl.methods.recipe import recipe_of
from medvl.toy import (Diagram, curves, ends, toy_batch, toy_bert, toy_pairs, toy_scores, toy_chance, toy_vit,
                       train_toy)
torch.set_num_threads(1);

# %% [6] The idea
d = Diagram(7.4, 2.9)
d.box('film', .5, 2.4).box('vision', 1.7, 2.4, 'image encoder', '#cfe2f3')
d.box('mask', 3.5, 2.4, 'hide the patches\nthat match the text', '#fff2cc')
d.box('idec', 5.3, 2.4, 'cross-attention,\nimage decoder', '#d9ead3')
d.box('mim', 6.9, 2.4, r'$L_{MIM}$', '#f4cccc')
d.box('report', .5, 1.2, 'report,\nprompt')
d.box('text', 1.7, 1.2, 'text encoder', '#cfe2f3').box('clip', 3.5, 1.2, r'$L_{CL}$', '#f4cccc')
d.box('ner', .5, .3, 'report, entities\nhidden')
d.box('tdec', 5.3, .3, 'cross-attention,\ntext decoder', '#d9ead3')
d.box('mlm', 6.9, .3, r'$L_{MLM}$', '#f4cccc')
d.box('text2', 2.4, .3, 'text encoder', '#cfe2f3')
d.arrow('film','vision','mask','idec','mim').arrow('report','text','clip').arrow('vision','clip')
d.arrow('text','mask').arrow('text','idec')
d.arrow('ner','text2','tdec','mlm').arrow('vision','tdec'); plt.show()

# %% [8] Entities
from medvl.methods.mmclip import (_term)

# %% [10] AttMIM: the patches that match the text
from medvl.methods.mmclip import (FilmFiller, with_blank)

# %% [11] AttMIM: the patches that match the text
torch.manual_seed(0)
vit, bert = toy_vit(32), toy_bert(50)
fill = FilmFiller(vision_tower(vit, 32), 96, 3, dict(width=24, depth=1, heads=3)).eval()
f, mem = Feat(torch.randn(2,96), torch.randn(2,16,96)), torch.randn(2,3,96)
keep = torch.tensor([[1,1,0],[0,0,0]]).bool()
hidden = top_patches(torch.rand(2,16), .5)[1]
with torch.no_grad():
    a = fill(f, hidden, mem, keep)
    b = fill(Feat(f.glob, f.loc.masked_fill(hidden[...,None], 7.)), hidden, mem.masked_fill(~keep[...,None], 5.), keep)
test_eq(a.shape, (2,16,64)); test_close(a, b, eps=1e-5)   # neither hidden patches nor padding are read

# %% [13] EntMLM: the entities of the report
from medvl.methods.mmclip import (TextFiller)

# %% [14] EntMLM: the entities of the report
read = TextFiller(96, 96, 50, 3, 1).eval()
t, msk, v, film = torch.randn(2,5,96), torch.ones(2,5).bool(), torch.randn(2,16,96), torch.tensor([True,False])
with torch.no_grad(): a, b = read(t, msk, v, film), read(t, msk, v+1, film)
test_close(a[1], b[1], eps=1e-6); assert (a[0]-b[0]).abs().max() > 1e-3      # only a film that is there is looked at

# %% [16] The model
from medvl.methods.mmclip import (MMCLIP)

# %% [18] The model
from medvl.methods.mmclip import (Sides)

# %% [24] The loss
def made(**kw):
    torch.manual_seed(0)
    few = dict(depth=1, heads=3)
    return MMCLIP(**dict(vision=vit, text=bert, size=32, dim=16, decoder=dict(width=24) | few, mask_id=4) | few | kw)
b = toy_batch(32); b['term'] = torch.where(b.word == 0, 0, -1)
b['prompt'] = torch.tensor([[2,9,3,-1]]*3+[[-1]*4]+[[2,9,3,-1]]*2); b['prompt_id'] = torch.tensor([7,7,7,-4,7,7])
six, m = b, made(); out = m(b); m.loss(out).backward()
print({k: round(v.item(), 3) for k,v in out.terms.items()}, out.n)
test_eq(out.n, dict(glob=4, prompt=2, mim=6, mlm=4))
with torch.no_grad():                                                         # equal prompts share, 1/2 each; by hand
    v, p = m.encode_image(b.img[4:], b.img_msk[4:]).glob, m.encode_text(b['prompt'][4:5,:3]).glob
    z = (m.log_scale.exp()*v @ p.T)[:,0]
test_close(out.terms['prompt'].item(), (math.log(2)+(z.logsumexp(0)-z.mean()).item())/2, eps=1e-4)
test_eq([k for k,p in m.named_parameters() if p.grad is None and p.requires_grad], [])
again = MMCLIP(**json.loads(json.dumps(m.config))); again.load_state_dict(m.state_dict())
test_close(again.eval().encode_image(b.img).glob, m.eval().encode_image(b.img).glob, eps=1e-6)

# %% [28] The recipe
with torch.device('meta'): full = MMCLIP.paper()
n = {k: sum(p.numel() for p in getattr(full, k).parameters())/1e6 for k in ('vision','text','filler','reader')}
print({k: f'{v:.1f} M' for k,v in n.items()}, recipe_of(MMCLIP).origin)
test_eq((full.vision.grid, full.filler.decoder.config['out'], full.head_v.weight.shape), ((14,14), 768, (512,768)))

# %% [30] It learns
from medvl.core import SLOTS
toys = toy_pairs(slots=SLOTS[:1], big=0, fields=MMCLIP.fields)
print(toys); seen, held, tok, page = toys
torch.manual_seed(0)
m = MMCLIP(vision=toy_vit(), text=toy_bert(len(tok)), size=64, dim=64, text_pool='mean', depth=1, heads=3,
           decoder=dict(width=48, depth=1, heads=3), mask_id=tok.mask_token_id, score='shared', preset='alta-small',
           weights=dict(prompt=0))
from medvl.data.batch import StudyData, collate
from medvl.data.study import samples
from medvl.data.words import sections
from medvl.phantom.set import phantom_studies
every = samples(phantom_studies(60, seed=0, size=128, difficulty='lifelike-easy'), say=None,
                text=lambda r: sections(r).get('impression') or r)
found = [s for s in every if s.split != 'train' and s.slots[0] and s.slots[0].masks][:3]
data = StudyData(found, tok, page, max_len=48, slots=SLOTS[:1], fields=MMCLIP.fields)
three = collate([data[i] for i in range(len(found))], data)[0]
true = torch.stack([torch.stack([torch.as_tensor(o) for o in s.slots[0].masks.values()]).any(0) for s in found])
def masked():
    with torch.no_grad(): return top_patches(m.eval().scores_of(m.sides(three)), .5)[1]
before = masked()
log = train_toy(m, seen, 90, 1e-3)
after = masked()
print(ends(log)); curves(log); plt.show()

# %% [31] It learns
assert all(b < a for a,b in ends(log).values())
s, c = toy_scores(m, seen), toy_chance(seen)
print(s, 'chance', round(c, 3)); assert min(s['image_to_text_MRR'], s['text_to_image_MRR']) > 2*c

# %% [33] It learns
fig, axs = plt.subplots(2, len(found), figsize=(2*len(found), 4.3), dpi=70, squeeze=False)
for row,name,h in zip(axs, ('before','after'), (before, after)):
    up = F.interpolate(h.view(-1,1,8,8).float(), size=true.shape[-2:])[:,0]
    for ax,x,o,lesion in zip(row, three['img'][:,0,0], up, true):
        ax.imshow(F.interpolate(x[None,None], size=true.shape[-2:])[0,0], cmap='gray'); ax.axis('off')
        ax.imshow(torch.zeros_like(o), cmap='gray', alpha=.65*o.numpy())
        ax.contour(lesion, [.5], colors='C1', linewidths=1)
        ax.set_title(f'{name}: {(o[lesion] > 0).float().mean():.0%} of the lesion', fontsize=7)
plt.tight_layout(); plt.show()

# %% [35] Results on phantom patients
from pathlib import Path
from IPython.display import Markdown
def saved(name): return json.loads(p.read_text()) if (p := Path(f'../../results/{name}.json')).exists() else None
def table(head, rows):
    return Markdown('\n'.join(f"| {' | '.join(map(str, o))} |" for o in [head, ['---']*len(head), *rows]))
def span(v): return f"{v['value']:.3f} [{v['low']:.3f}, {v['high']:.3f}]"
r = saved('mmclip'); R = 'image_to_text_R@10', 'text_to_image_R@10'
print(r['data'], r['provenance']['date'], r['provenance']['commit'], sep='; ')
main = {k: o for k,o in r['arms'].items() if ' pairs' not in k}                   # those of 300 pairs
print({len(o['seeds']) for o in main.values()}, 'trainings of each;', r['test'])
table(['run', 'zero-shot AUROC', 'film to text R@10', 'text to film R@10', 'steps'],
      [[k, *(span(o[m]) for m in ('auroc',*R)), o['steps']] for k,o in main.items()])

# %% [36] Results on phantom patients
from medvl.run.page import stands
diff = {k: o['auroc'] for k,o in r['differences'].items()}
table(['difference', 'zero-shot AUROC', 'p', 'the first is', 'film to text R@10', 'text to film R@10'],
      [[k, span(o['auroc']), f"{o['auroc']['p']:.3f}", stands(o['auroc']), *(span(o[m]) for m in R)]
       for k,o in r['differences'].items()])

# %% [37] Results on phantom patients
many = {0: 'MMCLIP', 1: 'MMCLIP, 1x', 4: 'MMCLIP, 4x', 16: 'MMCLIP, 16x'}
many = {n: k for n,k in many.items() if k in r['arms']}
fig, axs = plt.subplots(1, 2, figsize=(8.2, 2.6), dpi=75)
x, y = list(range(len(many))), [r['arms'][k]['auroc'] for k in many.values()]
err = [[o['value']-o['low'] for o in y], [o['high']-o['value'] for o in y]]
axs[0].errorbar(x, [o['value'] for o in y], err, fmt='o-', capsize=3, label='MMCLIP')
axs[0].axhline(r['arms']['CLIP']['auroc']['value'], c='.5', ls=':', label='CLIP, pairs alone')
axs[0].set_xticks(x, [f"{n*300:,}" for n in many]); axs[0].legend(fontsize=7)
axs[0].set(xlabel='unpaired films beside 300 paired studies', ylabel='zero-shot AUROC')
for k in [o for o in ('MMCLIP','random patches','MMCLIP, 16x') if o in r['arms']]:
    m, all_steps = r['arms'][k]['mask'], r['arms'][k]['steps']
    at, m = [i/all_steps for i,_ in m[0]], [[v for _,v in o] for o in m]
    axs[1].plot(at, [sum(o)/len(o) for o in zip(*m)], 'o-', ms=3, label=k)
axs[1].axhline(.5, c='.5', ls=':'); axs[1].legend(fontsize=7)
axs[1].set(xlabel='share of the training', ylabel='lesion pixels hidden')
plt.tight_layout(); plt.show()

# %% [39] Results on phantom patients
n = [diff[f'MMCLIP, {k}x - MMCLIP'] for k in (1, 4, 16)]
assert all(stands(o) == 'ahead' for o in (*n, diff['CLIP, 16x - CLIP'], diff['MMCLIP, 16x - CLIP']))
same = ('MMCLIP, 16x - MMCLIP, 1x', 'MMCLIP, 16x - CLIP, 16x', 'MMCLIP - CLIP', 'MMCLIP - random patches',
        'MMCLIP - random words', 'CLIP, 16x - CLIP, 16x, disease-v1')
assert all(stands(diff[k]) == 'not distinguishable' for k in same)
best = [r['arms'][k]['auroc']['value'] for k in ('MMCLIP','MMCLIP, 1x','MMCLIP, 4x','MMCLIP, 16x')]
assert best == sorted(best); test_eq([round(v, 2) for v in best], [.57,.66,.69,.70])
ends_at = [m[-1][1] for k,o in main.items() if k.startswith('MMCLIP') for m in o['mask']]
begins = {round(m[0][1], 2) for k,o in main.items() if k.startswith('MMCLIP') for m in o['mask']}
test_eq((begins, round(min(ends_at), 2), round(max(ends_at), 2)), ({.56}, .51, .65))
def better(kind, o): return sum(x[kind]['own']-x[kind]['another'] for x in o['recovered'])/len(o['recovered'])
told = [o for k,o in main.items() if k.startswith('MMCLIP')]
assert all(better('side', o) < 0 and .014 < better('finding', o) < .031 for o in told)
assert all(x['finding']['own'] > x['finding']['another'] for o in told for x in o['recovered'])
test_eq(sum(len(o['recovered']) for o in told), 12)
far = {(k,m) for k,o in r['differences'].items() for m in R if stands(o[m]) != 'not distinguishable'}
test_eq(far, {(f'MMCLIP, {a}x - MMCLIP{b}', R[0]) for a,b in ((4,''), (16,''), (16,', 1x'))})

# %% [41] Few and many pairs
few = {k: [n for n in (75, 300, 1200) if k.format(n) in r['arms']]
       for k in ('MMCLIP, {} pairs and films', 'MMCLIP, {} pairs', 'CLIP, {} pairs')}
fig, ax = plt.subplots(figsize=(4.6, 2.7), dpi=75)
for i,(k,ns) in enumerate((k, ns) for k,ns in few.items() if ns):
    y = [r['arms'][k.format(n)]['auroc'] for n in ns]
    err = [[o['value']-o['low'] for o in y], [o['high']-o['value'] for o in y]]
    ax.errorbar([n*1.04**(i-1) for n in ns], [o['value'] for o in y], err, fmt='o-', ms=4, capsize=3,
                label=k.replace(', {} pairs', ', pairs'))
ax.set(xscale='log', xlabel='paired studies', ylabel='zero-shot AUROC')
ax.set_xticks([75,300,1200], ['75','300','1,200'])
ax.minorticks_off(); ax.legend(fontsize=7); plt.tight_layout(); plt.show()
name = {'MMCLIP': 'over MMCLIP on pairs alone', 'CLIP': 'over CLIP on pairs alone'}
table(['pairs', 'gain of 1,200 films', 'zero-shot AUROC', 'p', 'trainings'],
      [[n, name.get(k, k), span(v), f"{v['p']:.3f}", v['seeds']] for n,o in r['gains'].items() for k,v in o.items()])

# %% [43] Few and many pairs
g = r['gains']; assert all(stands(o['MMCLIP']) == 'ahead' for o in g.values())
test_eq([round(o['MMCLIP']['value'], 2) for o in g.values()], [.12,.11,.12])
assert all(stands(g[n]['more than with 1200']) == 'not distinguishable' for n in ('75','300'))
test_eq([round(r['arms'][f'MMCLIP, {n} pairs']['auroc']['value'], 2) for n in (75,300,1200)], [.59,.58,.59])
test_eq({v['seeds'] for o in g.values() for v in o.values()}, {3})

# %% [45] How hard each term pulls
g = {k: o['gradients'][0] for k,o in main.items()}
table(['run', 'glob', 'mim', 'mlm'], [[k, *(f"{o[t]:.4f}" if t in o else '-' for t in ('glob','mim','mlm'))]
                                      for k,o in g.items()])

# %% [47] What comes back of hidden words
kinds, rows = ('side','finding','severity'), []
for k,o in main.items():
    for kind in kinds if o['recovered'] else ():
        m = {how: sum(x[kind][how] for x in o['recovered'])/len(o['recovered']) for how in ('own','another','none')}
        rows.append([k, kind, o['recovered'][0][kind]['words'], *(f'{v:.3f}' for v in m.values())])
table(['run', 'words', 'number', 'own film', "another patient's", 'no film'], rows)

# %% [49] Wordings
names = list(next(iter(main.values()))['wordings'])
table(['run', *names, 'spread'], [[k, *(f"{o['wordings'][w]:.3f}" for w in names),
      f"{max(o['wordings'].values())-min(o['wordings'].values()):.3f}"] for k,o in main.items()])

# %% [50] Wordings
n, turned = len(main), [f for f in r['flips'] if {f['a'], f['b']} <= main.keys()]
print(f"{len(turned)} of {n*(n-1)//2} pairs of runs change their order with the wording:")
for f in turned: print(f"  {f['a']} / {f['b']}: the first is ahead with {', '.join(f['a_ahead'])}")
more = {k for k in main if 'x' in k.split(', ')[-1] or 'disease' in k}
assert all((f['a'] in more) == (f['b'] in more) for f in turned)
spread = {k: max(w.values())-min(w.values()) for k,o in main.items() for w in [o['wordings']]}
assert spread['CLIP, 16x'] < spread['CLIP, 16x, disease-v1']

# %% [52] Zero-shot and fine-tuned on five sets
sets = saved('mmclip_sets'); S = sets['sets']
def spans(v): return span(v) if v['low'] is not None and v['low'] == v['low'] else f"{v['value']:.3f}"
def films(o): return f"{o['splits']['test']['films']} ({o['splits']['test']['patients']})"
who = ['MMCLIP, 16x','CLIP, 16x','CLIP']
def words(o, k): w = o['zero']['wordings'][k].values(); return f"{max(w)-min(w):.3f}"
table(['set', 'test films (patients)', 'findings', *who, 'spread over wordings'],
      [[k, films(o), len(o['findings']), *(spans(o['zero']['auroc'][w]) for w in who),
        ' / '.join(words(o, w) for w in who)] for k,o in S.items()])

# %% [54] Zero-shot and fine-tuned on five sets
def four(o, w):
    v = o['zero']['lineage'][w]; return ['-' if v[m] is None else f'{v[m]:.3f}' for m in v]
table(['set', 'towers', 'highest F1', 'accuracy there', 'F1, threshold of validation', 'accuracy there'],
      [[k, w, *four(o, w)] for k,o in S.items() for w in who])

# %% [56] Zero-shot and fine-tuned on five sets
def rows(how, names):
    return [[k, f'{float(p):.0%}', ', '.join(map(str, x['films'])), x['trainings'],
             *(spans(x['auroc'][w]) if w in x['auroc'] else '-' for w in names)]
            for k,o in S.items() for p,x in o.get(how, {}).items()]
four_of = [*who, 'random weights']
table(['linear probe', 'labels', 'films', 'trainings', *four_of], rows('linear', four_of))

# %% [57] Zero-shot and fine-tuned on five sets
table(['fine-tuned', 'labels', 'films', 'trainings', *who], rows('full', who))

# %% [58] Zero-shot and fine-tuned on five sets
for k,o in S.items():
    lost = [', '.join(x) or 'none' for x in o['linear']['0.01']['without_an_example']]
    print(f"{k}: without an example in 1 %, by draw: {'; '.join(lost)}")

# %% [60] Zero-shot and fine-tuned on five sets
def zero_of(k, pair): return stands(S[f'phantom as {k}']['zero']['differences'][pair])
a, b, c = 'MMCLIP, 16x - CLIP', 'CLIP, 16x - CLIP', 'MMCLIP, 16x - CLIP, 16x'
test_eq([zero_of('CheXpert', a), zero_of('CheXpert', b), zero_of('ChestX-ray14', b)], ['ahead']*3)
rest = [o for k,o in S.items() if k not in ('phantom as CheXpert', 'phantom as ChestX-ray14')]
same = 'not distinguishable'; assert all(stands(v) == same for o in rest for v in o['zero']['differences'].values())
assert all(stands(x['differences'][c]) == same for o in S.values() for x in (o['zero'], *o['linear'].values()))
def near(v, *want): test_eq([round(x, 2) for x in v], list(want))
o = S['phantom as CheXpert']; z, p = o['zero'], o['linear']
near([z['auroc'][w]['value'] for w in who], .82, .82, .65)
near([p['1']['auroc'][w]['value'] for w in who], .85, .85, .83)
near([f(z['wordings'][w].values()) for w in ('CLIP','CLIP, 16x') for f in (min, max)], .24, .73, .7, .82)
near([p['0.1']['auroc'][w]['value']-p['0.1']['auroc']['random weights']['value'] for w in who], .12, .12, .09)
for k in ('RSNA','COVIDx'):
    o = S[f'phantom as {k}']
    assert all(v['low'] < .5 for x in (o['zero'], *o['linear'].values()) for v in x['auroc'].values())
near([S['real ChestX-ray14, 64 px']['zero']['auroc'][w]['value'] for w in who], .56, .58, .46)
near([S['paediatric pneumonia']['linear']['1']['auroc']['random weights']['value']], .93)
def all_labels(k): return [S[f'phantom as {k}'][h]['1']['auroc'][who[0]]['value'] for h in ('full','linear')]
near(all_labels('ChestX-ray14'), .63, .77); near(all_labels('CheXpert'), .78, .85)
tuned = [o['full'] for o in S.values() if 'full' in o]
test_eq((len(tuned), {x['1']['trainings'] for x in tuned}), (7, {3}))
for k in ('RSNA','SIIM','COVIDx'):
    assert max(v['value'] for v in S[f'phantom as {k}']['full']['1']['auroc'].values()) < .575
near([S['phantom as SIIM']['linear']['1']['auroc'][who[0]]['value']], .86)
assert all(stands(v) == same for o in tuned for x in o.values() for v in x['differences'].values())

# %% [62] Results on real films
q = saved('mmclip_real')
def num(v): return f'{v:.3f}' if isinstance(v, float) else ', '.join(f'{x:.3f}' for x in v)
def real(q):
    if q is None: return Markdown('not run')
    print(q['pairs'], 'paired films of', q['patients'], 'patients;', q['sources'])
    for k,v in q['differences'].items(): print(f"with unpaired films - pairs alone, {k}: {span(v)}, p {v['p']:.3f}")
    keys = ['covid','nih',*(k for k in q['differences'])]
    head = ['', 'COVID-19 AUROC, by fold', 'ChestX-ray14 AUROC, by fold', *(k.replace('_', ' ') for k in keys[2:])]
    return table(head, [[k, *(num(o[m]) for m in keys)] for k,o in q['runs'].items()])
real(q)

# %% [64] Results on real films
p, u = (q['runs'][k] for k in ('pairs','unpaired'))
assert all(b > a for a,b in zip(p['nih'], u['nih'])) and not all(b > a for a,b in zip(p['covid'], u['covid']))
test_eq([round(sum(o['nih'])/5, 2) for o in (p, u)], [.48,.63])
assert all(stands(o) == 'not distinguishable' for o in q['differences'].values())

# %% [66] What a step costs
w = saved('mmclip_step')['ways']
table(['', "time, CLIP's = 1", "multiply-adds, CLIP's = 1"],
      [[k, f"{o['times']:.2f}", f"{o['work']:.2f}"] for k,o in w.items()])

# %% [69] Checks at length
m, b = made(), six; s = m.sides(b); score = m.scores_of(s)
test_eq(score.requires_grad, False); test_eq(top_patches(score, .5)[1].sum(1).tolist(), [8]*6)
m.train();
one, two = m.scores_of(s), m.scores_of(s)
test_eq(torch.equal(one[:3], two[:3]), True)                                  # decided by the texts
m.progress = .01; test_eq(torch.equal(m.scores_of(s), m.scores_of(s)), False); m.progress = 1.  # at first by chance
seen, labels = mask_named(b.txt, b.word, b['term'] >= 0, .6, 4)
assert ((labels == -100) | (b['term'] >= 0))[:4].all()
for kw in (dict(stage='input'), dict(guide='random'), dict(entities=False), dict(score='shared')):
    test_eq(all(v.isfinite() for v in made(**kw)(b).terms.values()), True)

# %% [71] Checks at length
text_only = {k: b[k][:4] for k in ('txt','txt_msk','word','term')}
test_eq(m(text_only).n, dict(glob=0, prompt=0, mim=0, mlm=4))
test_eq(m(dict(img=b.img, img_msk=b.img_msk)).n, dict(glob=0, prompt=0, mim=6, mlm=0))
assert m(dict(text_only, term=torch.full_like(text_only['term'], -1))).terms['mlm'] > 0
test_fail(lambda: m(dict(txt=b.txt, txt_msk=b.txt_msk & False)), contains='this batch has neither')
test_fail(lambda: m({k: v for k,v in b.items() if k != 'term'}), contains="MMCLIP needs batch['term']")
test_fail(lambda: made(stage='late'), contains="stage is 'late'")
test_fail(lambda: made(heads=5), contains='heads=5 does not divide')
test_fail(lambda: made(text=bert | dict(hidden_size=48))(b), contains='need a common space')

# %% [73] Checks at length
from dataclasses import replace
from medvl.data.report import Mention
said = 'The heart is normal. Small left effusion.'
marked = [Mention('observation', 'effusion', (32,40), 'effusion', 1)]
one = replace(next(s for s in every if s.slots[0]), text=said, named=marked); both = [one, replace(one, named=None)]
for how in ({}, dict(train=True, shuffle_sentences=True)):
    data = StudyData(both, tok, page, max_len=32, slots=SLOTS[:1], fields=MMCLIP.fields, **how)
    x = collate([data[0], data[1]], data)[0]
    hide = mask_named(x.txt, x.word, x['term'] >= 0, 1., tok.mask_token_id, 1.)[1] != -100
    words = [tok.decode(t[h]) for t,h in zip(x.txt, hide)]; print(words)
    test_eq(words[0], 'effusion'); assert 'left' in words[1] and 'small' in words[1].lower()

# %% [75] Checks at length
off = made(weights=dict(prompt=0, mim=0, mlm=0))
torch.manual_seed(0); clip = CLIP(vision=vit, text=bert, size=32, dim=16)
logs = [train_toy(o, b, 10, 1e-3, bs=6) for o in (off, clip)]
test_eq(logs[0], logs[1]); test_eq(off.state_dict().keys(), clip.state_dict().keys())
assert all(torch.equal(a, c) for a,c in zip(off.state_dict().values(), clip.state_dict().values()))

# %% [77] Checks at length
import tempfile
from dataclasses import asdict
from medvl.data.batch import dataloaders
from medvl.data.mix import mixed, unpaired
from medvl.train.learner import align_learner, fit
import medvl.train.learner as learner
def loaders():
    few = [s for s in every if s.slots[0]]
    pairs = dataloaders(few, tok, page, bs=16, max_len=32, slots=SLOTS[:1], fields=MMCLIP.fields)
    part = [s for s in few if s.split == 'train']
    return mixed(pairs, [unpaired(part, k, k) for k in ('labels','films','reports')], '1:1:1:1', 2)
class Stop(Exception): pass
class Halt(learner.Callback):
    def after_batch(self):
        if self.training and self.opt_step == 9: raise Stop('on purpose')
def went(out, *cbs):
    torch.manual_seed(0)
    own = MMCLIP(vision=toy_vit(), text=toy_bert(len(tok)), size=64, dim=16, decoder=dict(width=24, depth=1, heads=3),
                 depth=1, heads=3, mask_id=tok.mask_token_id, preset=asdict(dls.preset))
    run = align_learner(dls, own, lr=1e-3, precision='fp32', out=out, seed=0, cbs=cbs)
    return fit(run, 2, save_every=5, quiet=True), own
tmp = tempfile.TemporaryDirectory(); dls = loaders()
a, whole = went(f'{tmp.name}/a')
try: went(f'{tmp.name}/b', Halt())
except Stop: pass
b, again = went(f'{tmp.name}/b')
print(len(dls.train), 'batches an epoch;', {k: v['steps'] for k,v in a['sources'].items()})
assert all(torch.equal(x, y) for x,y in zip(whole.state_dict().values(), again.state_dict().values()))
test_eq(a['sources'], b['sources']); tmp.cleanup()
