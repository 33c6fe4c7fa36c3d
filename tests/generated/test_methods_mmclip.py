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
from medvl.data.report import mentions
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
m = made(); out = m(b); m.loss(out).backward()
print({k: round(v.item(), 3) for k,v in out.terms.items()}, out.n)
test_eq(out.n, dict(glob=4, prompt=2, mim=6, mlm=4))
with torch.no_grad():                                                         # equal prompts share, 1/2 each; by hand
    v, p = m.encode_image(b.img[4:], b.img_msk[4:]).glob, m.encode_text(b['prompt'][4:5,:3]).glob
    z = (m.log_scale.exp()*v @ p.T)[:,0]
test_close(out.terms['prompt'].item(), (math.log(2)+(z.logsumexp(0)-z.mean()).item())/2, eps=1e-4)
test_eq([k for k,p in m.named_parameters() if p.grad is None and p.requires_grad], [])
again = MMCLIP(**json.loads(json.dumps(m.config))); again.load_state_dict(m.state_dict())
test_close(again.eval().encode_image(b.img).glob, m.eval().encode_image(b.img).glob, eps=1e-6)

# %% [26] The loss
s = m.sides(b); score = m.scores_of(s)
test_eq(score.requires_grad, False); test_eq(top_patches(score, .5)[1].sum(1).tolist(), [8]*6)
m.train();
one, two = m.scores_of(s), m.scores_of(s)
test_eq(torch.equal(one[:3], two[:3]), True)                                  # decided by the texts
m.progress = .01; test_eq(torch.equal(m.scores_of(s), m.scores_of(s)), False); m.progress = 1.  # at first by chance
seen, labels = mask_named(b.txt, b.word, b['term'] >= 0, .6, 4)
assert ((labels == -100) | (b['term'] >= 0))[:4].all()
for kw in (dict(stage='input'), dict(guide='random'), dict(entities=False), dict(score='shared')):
    test_eq(all(v.isfinite() for v in made(**kw)(b).terms.values()), True)

# %% [28] The loss
text_only = {k: b[k][:4] for k in ('txt','txt_msk','word','term')}
test_eq(m(text_only).n, dict(glob=0, prompt=0, mim=0, mlm=4))
test_eq(m(dict(img=b.img, img_msk=b.img_msk)).n, dict(glob=0, prompt=0, mim=6, mlm=0))
assert m(dict(text_only, term=torch.full_like(text_only['term'], -1))).terms['mlm'] > 0
test_fail(lambda: m(dict(txt=b.txt, txt_msk=b.txt_msk & False)), contains='this batch has neither')
test_fail(lambda: m({k: v for k,v in b.items() if k != 'term'}), contains="MMCLIP needs batch['term']")
test_fail(lambda: made(stage='late'), contains="stage is 'late'")
test_fail(lambda: made(text=bert | dict(hidden_size=48))(b), contains='need a common space')

# %% [30] The loss
off = made(weights=dict(prompt=0, mim=0, mlm=0))
torch.manual_seed(0); clip = CLIP(vision=vit, text=bert, size=32, dim=16)
logs = [train_toy(o, b, 10, 1e-3, bs=6) for o in (off, clip)]
test_eq(logs[0], logs[1]); test_eq(off.state_dict().keys(), clip.state_dict().keys())
assert all(torch.equal(a, c) for a,c in zip(off.state_dict().values(), clip.state_dict().values()))

# %% [34] The recipe
with torch.device('meta'): full = MMCLIP.paper()
n = {k: sum(p.numel() for p in getattr(full, k).parameters())/1e6 for k in ('vision','text','filler','reader')}
print({k: f'{v:.1f} M' for k,v in n.items()}, recipe_of(MMCLIP).origin)
test_eq((full.vision.grid, full.filler.decoder.config['out'], full.head_v.weight.shape), ((14,14), 768, (512,768)))

# %% [36] It learns
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

# %% [37] It learns
assert all(b < a for a,b in ends(log).values())
s, c = toy_scores(m, seen), toy_chance(seen)
print(s, 'chance', round(c, 3)); assert min(s['image_to_text_MRR'], s['text_to_image_MRR']) > 2*c

# %% [39] It learns
fig, axs = plt.subplots(2, len(found), figsize=(2*len(found), 4.3), dpi=70, squeeze=False)
for row,name,h in zip(axs, ('before','after'), (before, after)):
    up = F.interpolate(h.view(-1,1,8,8).float(), size=true.shape[-2:])[:,0]
    for ax,x,o,lesion in zip(row, three['img'][:,0,0], up, true):
        ax.imshow(F.interpolate(x[None,None], size=true.shape[-2:])[0,0], cmap='gray'); ax.axis('off')
        ax.imshow(torch.zeros_like(o), cmap='gray', alpha=.65*o.numpy())
        ax.contour(lesion, [.5], colors='C1', linewidths=1)
        ax.set_title(f'{name}: {(o[lesion] > 0).float().mean():.0%} of the lesion', fontsize=7)
plt.tight_layout(); plt.show()
