# nbs/methods/10_clip.ipynb: runs against the imported medvl.methods.clip.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] CLIP
from pathlib import Path
import torch
from fastcore.basics import patch_to
from jaxtyping import Bool, Float
from torch import Tensor, nn
from medvl.core import Feat, MedvlError
from medvl.losses.contrastive import clip_loss, gather, log_scale
from medvl.methods.dual import DualEncoder, first_film, make_head, pack_films, text_tower, unpack_films, vision_tower
from medvl.models.heads import BatchScale, fuse_views

# %% [4] CLIP
import json, math, tempfile
import matplotlib.pyplot as plt
import torch.nn.functional as F
from fastcore.test import *
from medvl.core import Batch
from medvl.losses.contrastive import contrast
from medvl.toy import Diagram, curves, toy_bert, toy_chance, toy_pairs, toy_scores, toy_vit, train_toy
torch.set_num_threads(1);

# %% [6] The idea
d = Diagram(8.6, 1.9)
sides = ('film', 'VisionTower', 'head $g_v$', r'$\mathbf{v}$'), ('report', 'TextTower', 'head $g_u$', r'$\mathbf{u}$')
for y,names in zip((1.4, .5), sides):
    for x,n,c in zip((.5,2,3.5,4.7), names, ('white','#cfe2f3','#d9ead3','#fff2cc')): d.box(n, x, y, n, c)
    d.arrow(*names)
d.box('loss', 7.1, .95, '$v_i\\cdot u_j$ of all pairs:\ncross-entropy of rows\nand of columns', '#f4cccc')
d.arrow(r'$\mathbf{v}$','loss').arrow(r'$\mathbf{u}$','loss'); plt.show()

# %% [8] The model
from medvl.methods.clip import (CLIP)

# %% [13] The loss
torch.manual_seed(0)                                                    # by hand
v, u = (F.normalize(torch.randn(3,8), dim=-1) for _ in range(2)); s = 1/.07
def ce(z): return -torch.stack([z[i,i]-z[i].exp().sum().log() for i in range(3)]).mean()
vit = dict(name='vit_small_cpu', size=32, depth=1)
for w in (.5, .75):
    m = CLIP.small(vocab=50, vision=vit, w=w)
    test_close(m.glob_term(v, u).item(), (w*ce(s*v@u.T)+(1-w)*ce(s*u@v.T)).item(), eps=1e-4)
ids = torch.tensor([1,2,2]); y = torch.tensor([[1,0,0],[0,.5,.5],[0,.5,.5]])      # texts 1 and 2 are the same
test_close(m.glob_term(v, u, m.target(ids)).item(), contrast(s*v@u.T, y, .75).item(), eps=1e-4)

# %% [17] The classic mistake: one report, many films
v = F.normalize(torch.eye(3)[[0,0,0,1,2]], dim=-1); ids = torch.tensor([7,7,7,8,9])  # three films of one study
best = (v@v.T).argmax(1)
by_row, by_text = (best == torch.arange(5)).float().mean().item(), (ids[best] == ids).float().mean().item()
print(f'top-1 by row number: {by_row:.2f}, by text: {by_text:.2f}')
test_eq(by_text, 1.); assert by_row < 1

# %% [19] It learns
print(toys := toy_pairs()); seen, held, tok, page = toys
torch.manual_seed(0)
m = CLIP(vision=toy_vit(), text=toy_bert(len(tok)), size=64, dim=64, text_pool='mean', preset='alta-small')
log = train_toy(m, seen, 90, 1e-3)
scores = {k: (toy_scores(m, b), round(toy_chance(b), 3)) for k,b in (('training', seen), ('other patients', held))}
for k,(s,c) in scores.items(): print(f'{k}: {s}, MRR by chance {c}')
curves(log, math.log(32)); plt.show()

# %% [20] It learns
assert log[-1]['glob'] < .75*log[0]['glob']
s, c = scores['training']
assert min(s['image_to_text_MRR'], s['text_to_image_MRR']) > 2*c

# %% [22] It learns
def alike(m):
    "Mean cosine of two films of the training patients."
    with torch.no_grad(): v = F.normalize(m.train().film_vector(seen.img, seen.img_msk)[0], dim=-1)
    return ((v @ v.T).sum()-len(v)).item()/len(v)/(len(v)-1)
def fresh(on):
    torch.manual_seed(0)
    return CLIP(vision=toy_vit(), text=toy_bert(len(tok)), size=64, dim=64, film_norm=on)
plain, norm = fresh(False), fresh(True)                                 # the same weights
print({k: round(alike(o),3) for k,o in dict(plain=plain, film_norm=norm).items()})
assert alike(plain) > .9 and abs(alike(norm)) < .1
again = CLIP(**json.loads(json.dumps(norm.config))); again.load_state_dict(norm.state_dict())
test_close(again.eval().encode_image(seen.img[:4]).glob, norm.eval().encode_image(seen.img[:4]).glob, eps=1e-6)

# %% [24] It learns
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

# %% [27] Results
from IPython.display import Markdown
from medvl.eval.results import answer, result_files
Markdown(answer('retrieval', result_files('../../results'), up='../'))

# %% [29] Checks
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

# %% [30] Checks
none = Batch(b, txt_msk=torch.zeros(4,4).bool())
test_fail(lambda: m(none), contains='learns from pairs only')
test_fail(lambda: CLIP.small(slots='last'), contains="expected 'first' or 'mean'")
two, word = [b.txt[:2], b.txt_msk[:2]], torch.tensor([[-1,0,1,-1],[-1,0,-1,-1]])
f, t = m.encode_image(b.img[:2], b.img_msk[:2]), m.encode_text(*two, word)
test_eq(f.loc.shape, (2,4,128)); test_eq(f.grid, (2,2))
test_eq(t.loc.shape, (2,2,128)); test_eq(t.msk, torch.tensor([[True,True],[True,False]]))
raw = m.encode_text(*two, norm=False).glob  # as projected: for prompts that are averaged before they are normalised
test_close(F.normalize(raw, dim=-1), t.glob, eps=1e-6); assert (raw.norm(dim=-1)-1).abs().min() > .01

# %% [32] Checks
mm = CLIP.small(vocab=50, vision=m.vision.config, slots='mean').eval(); mm.load_state_dict(m.state_dict())
noisy = b.img.clone(); noisy[~b.img_msk] = 7.
with torch.no_grad(): one, mean, same = (k.encode_image(x, b.img_msk) for k,x in ((m,b.img), (mm,b.img), (mm,noisy)))
test_close(mean.glob, same.glob, eps=1e-6)
moved = (one.glob-mean.glob).abs().amax(1) > 1e-5
test_eq(moved, torch.tensor([False,True,True,False]))  # samples with two films
test_close(mean.loc, one.loc, eps=1e-5)  # local features are those of the first film in both

# %% [34] Checks
m.train().loss(m(b)).backward()
without = [k for k,p in m.named_parameters() if p.grad is None]
print('without gradient:', without)
test_eq(without, ['vision.net.pos_embed'])  # the fixed sine table
test_eq(CLIP.convirt(vision=m.vision.config, text=m.text.config_dict()).log_scale.requires_grad, False)

# %% [36] Checks
from medvl.models.checkpoint import save_pretrained
with tempfile.TemporaryDirectory() as d:
    save_pretrained(m, d)
    taker = CLIP.small(vocab=50, init=d)
    test_close(taker.vision.net.blocks[0].attn.qkv.weight, m.vision.net.blocks[0].attn.qkv.weight)
    test_eq(taker.vision.config, m.vision.config)
    test_fail(lambda: CLIP.small(vocab=50, init=d, vision='vit_small_cpu'), contains='of another size')

# %% [38] Checks
with torch.device('meta'): full = {k: f() for k,f in dict(paper=CLIP.paper, convirt=CLIP.convirt).items()}
for k,o in full.items():
    n = {p: sum(x.numel() for x in getattr(o,p).parameters())/1e6 for p in ('vision','text','head_v','head_t')}
    print(f"{k:8s}", ', '.join(f"{p} {x:.2f} M" for p,x in n.items()))
test_eq(full['paper'].head_v.weight.shape, (512,768)); test_eq(full['convirt'].head_v[0].weight.shape, (2048,2048))
