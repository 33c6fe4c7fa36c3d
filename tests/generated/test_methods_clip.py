# nbs/methods/10_clip.ipynb: runs against the imported medvl.methods.clip.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] CLIP
from pathlib import Path
from typing import Mapping
import torch
import torch.nn.functional as F
from fastcore.basics import patch_to
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from medvl.core import Aligner, Feat, MedvlError, Out
from medvl.losses.contrastive import clip_loss, gather, log_scale, same_text
from medvl.models.checkpoint import read_config
from medvl.models.heads import BatchScale, fuse_views
from medvl.methods.dual import first_film, load_vision, text_pairs
from medvl.models.text import TextTower, pool_words
from medvl.models.vision import VisionTower

# %% [4] CLIP
import json, math, tempfile
import matplotlib.pyplot as plt
from fastcore.test import *
from medvl.core import Batch
torch.set_num_threads(1);

# %% [6] The idea
fig, ax = plt.subplots(figsize=(7,2.3), dpi=75); ax.axis('off'); ax.set(xlim=(0,10), ylim=(0,4))
def box(x, y, s, c): ax.text(x, y, s, ha='center', va='center', bbox=dict(boxstyle='round,pad=.5', fc=c, ec='.4'))
def arrow(x0, y0, x1, y1): ax.annotate('', (x1,y1), (x0,y0), arrowprops=dict(arrowstyle='->', color='.4'))
for y,names in ((3,('film','VisionTower','head','v')), (1,('report','TextTower','head','t'))):
    for x,n,c in zip((.6,2.7,4.7,6.2), names, ('white','#cfe2f3','#d9ead3','#fff2cc')): box(x, y, n, c)
    for x0,x1 in ((1.1,1.75),(3.65,4.2),(5.2,5.85)): arrow(x0, y, x1, y)
box(8.4, 2, r'$L=\mathrm{CE}_{rows}+\mathrm{CE}_{columns}$'+'\nof '+r'$s\,v_i\cdot t_j$', '#f4cccc')
arrow(6.5,3,7.2,2.3); arrow(6.5,1,7.2,1.7); plt.show()

# %% [8] Two heads
from medvl.methods.clip import (make_head)

# %% [9] Two heads
test_eq(make_head('linear', 8, 4)(torch.zeros(2,8)).abs().sum().item(), 0.)  # no bias: nothing in, nothing out
test_eq(len(list(make_head('mlp', 8, 4).parameters())), 4)
test_fail(lambda: make_head('deep', 8, 4), contains="expected 'linear' or 'mlp'")

# %% [11] One vector per sample
slots = torch.arange(8.).view(2,4,1,1,1)
test_eq(first_film(slots, torch.tensor([[1,0,0,1],[0,1,1,0]]).bool()).flatten(), torch.tensor([0.,5]))
empty = torch.tensor([[1,0,0,1],[0,0,0,0]]).bool()
test_fail(lambda: first_film(slots, empty), contains='sample 1 of the batch has no film')

# %% [13] One vector per sample
from medvl.methods.clip import (pool_text)

# %% [14] One vector per sample
f = Feat(glob=torch.tensor([[9.]]), loc=torch.tensor([[[1.],[3.],[50.]]]), msk=torch.tensor([[True,True,False]]))
test_eq([pool_text(f, k).item() for k in ('cls','mean','max')], [9.,2.,3.])
test_fail(lambda: pool_text(f, 'last'), contains="'last'")

# %% [17] The model
from medvl.methods.clip import (CLIP)

# %% [26] A batch in, an `Out` out
torch.manual_seed(0)
m = CLIP.small(vocab=50, size=32, vision=dict(name='vit_small_cpu', size=32, depth=2))
b = Batch(img=torch.randn(4,4,1,32,32), img_msk=torch.tensor([[1,0,0,0],[1,1,0,0],[1,0,1,0],[0,1,0,0]]).bool(),
          txt=torch.tensor([[2,7,8,3],[2,9,3,0],[0,0,0,0],[2,9,3,0]]), txt_id=torch.tensor([1,2,-1,2]))
b['txt_msk'] = b.txt > 0
out = m(b)
print({k: round(v.item(),3) for k,v in out.terms.items()}, list(out.img.glob.shape), 'chance:', round(math.log(3),3))
test_eq(out.img.glob.shape, (3,128)); test_eq(int(out.n['glob']), 3)  # the sample without a text took no part
test_close(out.img.glob.norm(dim=-1), torch.ones(3), eps=1e-5)
again = CLIP(**json.loads(json.dumps(m.config))); again.load_state_dict(m.state_dict())
test_close(again.eval().encode_image(b.img, b.img_msk).glob, m.eval().encode_image(b.img, b.img_msk).glob, eps=1e-6)

# %% [27] A batch in, an `Out` out
none = Batch(b, txt_msk=torch.zeros(4,4).bool())
test_fail(lambda: m(none), contains='learns from pairs only')
test_fail(lambda: CLIP.small(slots='last'), contains="expected 'first' or 'mean'")
two, word = [b.txt[:2], b.txt_msk[:2]], torch.tensor([[-1,0,1,-1],[-1,0,-1,-1]])
f, t = m.encode_image(b.img[:2], b.img_msk[:2]), m.encode_text(*two, word)
test_eq(f.loc.shape, (2,4,128)); test_eq(f.grid, (2,2))
test_eq(t.loc.shape, (2,2,128)); test_eq(t.msk, torch.tensor([[True,True],[True,False]]))
raw = m.encode_text(*two, norm=False).glob  # as projected: for prompts that are averaged before they are normalised
test_close(F.normalize(raw, dim=-1), t.glob, eps=1e-6); test_eq(bool((raw.norm(dim=-1)-1).abs().min() > .01), True)

# %% [29] A batch in, an `Out` out
mm = CLIP.small(vocab=50, vision=m.vision.config, slots='mean').eval(); mm.load_state_dict(m.state_dict())
noisy = b.img.clone(); noisy[~b.img_msk] = 7.
with torch.no_grad(): one, mean, same = (k.encode_image(x, b.img_msk) for k,x in ((m,b.img), (mm,b.img), (mm,noisy)))
test_close(mean.glob, same.glob, eps=1e-6)
moved = (one.glob-mean.glob).abs().amax(1) > 1e-5
test_eq(moved, torch.tensor([False,True,True,False]))  # samples with two films
test_close(mean.loc, one.loc, eps=1e-5)  # local features are those of the first film in both

# %% [31] A batch in, an `Out` out
m.train().loss(m(b)).backward()
without = [k for k,p in m.named_parameters() if p.grad is None]
print('without gradient:', without)
test_eq(without, ['vision.net.pos_embed'])  # the fixed sine table
test_eq(CLIP.convirt(vision=m.vision.config, text=m.text.config_dict()).log_scale.requires_grad, False)

# %% [33] A batch in, an `Out` out
from medvl.models.checkpoint import save_pretrained
with tempfile.TemporaryDirectory() as d:
    save_pretrained(m, d)
    taker = CLIP.small(vocab=50, init=d)
    test_close(taker.vision.net.blocks[0].attn.qkv.weight, m.vision.net.blocks[0].attn.qkv.weight)
    test_eq(taker.vision.config, m.vision.config)
    test_fail(lambda: CLIP.small(vocab=50, init=d, vision='vit_small_cpu'), contains='of another size')

# %% [35] A batch in, an `Out` out
with torch.device('meta'): full = {k: f() for k,f in dict(paper=CLIP.paper, convirt=CLIP.convirt).items()}
for k,o in full.items():
    n = {p: sum(x.numel() for x in getattr(o,p).parameters())/1e6 for p in ('vision','text','head_v','head_t')}
    print(f"{k:8s}", ', '.join(f"{p} {x:.2f} M" for p,x in n.items()))
test_eq(full['paper'].head_v.weight.shape, (512,768)); test_eq(full['convirt'].head_v[0].weight.shape, (2048,2048))

# %% [37] The classic mistake: one report, many films
# three films of one study, and a perfect model
v = F.normalize(torch.eye(3)[[0,0,0,1,2]], dim=-1); ids = torch.tensor([7,7,7,8,9])
best = (v@v.T).argmax(1)
by_row, by_text = (best == torch.arange(5)).float().mean().item(), (ids[best] == ids).float().mean().item()
print('top-1 by row number:', by_row, ' by text:', by_text)
test_eq((ids[best] == ids).all().item(), True)
test_eq((best == torch.arange(5)).float().mean().item() < 1, True)

# %% [39] It learns
from medvl.data.batch import StudyData, collate
from medvl.data.preset import Preset
from medvl.data.study import samples
from medvl.data.words import sections
from medvl.data.tokens import train_tokenizer
from medvl.eval.retrieval import retrieval
from medvl.phantom.set import phantom_studies

# %% [40] It learns
studies = phantom_studies(60, seed=0, size=128, difficulty='lifelike-easy')
smp = samples(studies, text=lambda r: sections(r).get('impression') or r, say=None)
tok = train_tokenizer([s.text for s in smp if s.split == 'train'], 600)
page = Preset('page', 64, 64, 64, .4785, .2834, big=128)
def whole(train):
    data = StudyData([s for s in smp if (s.split == 'train') == train], tok, page, max_len=48)
    return collate([data[i] for i in range(len(data))], data)[0]
seen, held = whole(True), whole(False)
films = seen.img_msk.sum(1).float().mean().item()
print(f"{seen.bs} training pairs, {held.bs} of other patients; films a sample: {films:.2f}")

# %% [41] It learns
vit = dict(name='vit_small_cpu', size=64, patch_size=8, depth=2, embed_dim=96, num_heads=3)
bert = dict(hidden_size=96, num_hidden_layers=1, num_attention_heads=3,
            intermediate_size=192, max_position_embeddings=64,
            vocab_size=len(tok), hidden_dropout_prob=0., attention_probs_dropout_prob=0., initializer_range=.1)

def fit(m, steps, lr, bs=32):
    "Train `m` and return the terms of each step."
    torch.manual_seed(0)
    opt = torch.optim.AdamW([p for p in m.parameters() if p.requires_grad], lr=lr, weight_decay=.05)
    rate, log = torch.optim.lr_scheduler.OneCycleLR(opt, lr, total_steps=steps, pct_start=.2), []
    for _ in range(steps):
        ids = torch.randperm(seen.bs)[:bs]
        out = m.train()({k: v[ids] for k,v in seen.items()})
        opt.zero_grad(); m.loss(out).backward(); opt.step(); rate.step()
        log.append({k: v.item() for k,v in out.terms.items()})
    m.eval()
    return log

def score(m, b):
    "MRR and R@5 in both directions, equal texts counted as right."
    with torch.no_grad(): v, t = m.encode_image(b.img, b.img_msk).glob, m.encode_text(b.txt, b.txt_msk).glob
    r = retrieval(v, t, b.txt_id, b.txt_id)
    return {k: round(float(v),3) for k,v in r.items() if k.endswith(('MRR','R@5'))}
def chance(b, n=200):
    "The same for embeddings that know nothing: mean MRR over `n` draws."
    g, got = torch.Generator().manual_seed(0), []
    for _ in range(n):
        v, t = (F.normalize(torch.randn(b.bs,8,generator=g), dim=-1) for _ in range(2))
        got.append(float(retrieval(v, t, b.txt_id, b.txt_id)['image_to_text_MRR']))
    return sum(got)/n

# %% [43] It learns
def alike(m):
    "Mean cosine of two films of the training patients."
    with torch.no_grad(): v = F.normalize(m.train().film_vector(seen.img, seen.img_msk)[0], dim=-1)
    return ((v @ v.T).sum()-len(v)).item()/len(v)/(len(v)-1)
def fresh(on): torch.manual_seed(0); return CLIP(vision=vit, text=bert, size=64, dim=64, film_norm=on)
plain, norm = fresh(False), fresh(True)                                 # the same weights
print({k: round(alike(o),3) for k,o in dict(plain=plain, film_norm=norm).items()})
assert alike(plain) > .9 and abs(alike(norm)) < .1
again = CLIP(**json.loads(json.dumps(norm.config))); again.load_state_dict(norm.state_dict())
test_close(again.eval().encode_image(seen.img[:4]).glob, norm.eval().encode_image(seen.img[:4]).glob, eps=1e-6)

# %% [44] It learns
torch.manual_seed(0)
m = CLIP(vision=vit, text=bert, size=64, dim=64, text_pool='mean', preset='alta-small')
log = fit(m, 90, 1e-3)
first, last = log[0]['glob'], log[-1]['glob']
print(f"loss {first:.2f} -> {last:.2f} (chance: log 32 = {math.log(32):.2f})")
for name,b in (('training', seen), ('held out', held)): print(f"{name}: {score(m, b)}, MRR by chance {chance(b):.3f}")
fig, ax = plt.subplots(figsize=(4.5,2.3), dpi=75)
ax.plot([o['glob'] for o in log]); ax.axhline(math.log(32), c='.6', ls=':'); ax.set(xlabel='step', ylabel='glob')
plt.tight_layout(); plt.show()

# %% [45] It learns
test_eq(log[-1]['glob'] < .75*log[0]['glob'], True)
test_eq(min(score(m, seen)[f'{k}_MRR'] for k in ('image_to_text','text_to_image')) > 2*chance(seen), True)

# %% [47] It learns
from medvl.losses.local import sim_map
i = int(seen.txt_msk.sum(1).lt(14).nonzero()[0])
one = Batch({k: x[i:i+1] for k,x in seen.items()})
with torch.no_grad(): f, t = m.encode_image(one.img, one.img_msk), m.encode_text(one.txt, one.txt_msk)
maps, words = sim_map(f, t)[0], tok.convert_ids_to_tokens(seen.txt[i][seen.txt_msk[i]].tolist())
fig, axs = plt.subplots(1, 5, figsize=(8,1.9), dpi=75)
axs[0].imshow(page.denorm(seen.img[i,0,0]), cmap='gray'); axs[0].set_title('film', fontsize=8)
for ax,k in zip(axs[1:], range(1,5)):
    ax.imshow(maps[k], cmap='coolwarm', vmin=-1, vmax=1); ax.set_title(words[k], fontsize=8)
for ax in axs: ax.axis('off')
plt.tight_layout(); plt.show()
test_eq(maps.shape[1:], (8,8))

# %% [50] Results
from IPython.display import Markdown
from medvl.eval.results import answer, result_files
Markdown(answer('retrieval', result_files('../../results'), up='../'))
