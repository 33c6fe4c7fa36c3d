# nbs/methods/05_mrm.ipynb: runs against the imported medvl.methods.mrm.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] MRM
import warnings
warnings.filterwarnings('ignore', message='`torch.jit.script` is deprecated')

# %% [4] MRM
import math
from pathlib import Path
from typing import Mapping
import torch
import torch.nn.functional as F
from fastcore.basics import patch_to
from jaxtyping import Bool, Float
from torch import Tensor, nn
from medvl.core import Aligner, Batch, Feat, MedvlError, Out
from medvl.models.checkpoint import load_state, mae_keys
from medvl.models.masked import PatchDecoder, mask_words, patchify, pick_patches, pixel_loss, token_loss
from medvl.models.text import TextTower
from medvl.models.vision import VisionTower

# %% [5] MRM
import json, tempfile, time
import matplotlib.pyplot as plt
from fastcore.test import *
from medvl.models.adapters import param_table, trainable
from medvl.models.masked import unpatchify
torch.set_num_threads(1);

# %% [7] The idea
fig, ax = plt.subplots(figsize=(8,2.5), dpi=75); ax.axis('off'); ax.set(xlim=(0,11.5), ylim=(0,4))
def box(x, y, s, c): ax.text(x, y, s, ha='center', va='center', fontsize=9, bbox=dict(boxstyle='round,pad=.4', fc=c, ec='.4'))
def arrow(x0, y0, x1, y1): ax.annotate('', (x1,y1), (x0,y0), arrowprops=dict(arrowstyle='->', color='.4'))
box(1,3.2,'film, 448','white'); box(3.2,3.2,'224, 49 of 196\npatches','white'); box(5.6,3.2,'ViT-B/16','#cfe2f3'); box(7.8,3.2,'decoder\n4 blocks','#cfe2f3')
box(10.2,3.2,r'$L_{img}$'+': 147 patches\nof 32 x 32','#f4cccc')
box(1,.8,'report','white'); box(3.2,.8,'half of its\nwords','white'); box(5.6,.8,'word embeddings\n+ film vector','#d9ead3'); box(7.8,.8,'BERT\n6 x 384','#d9ead3'); box(10.2,.8,r'$L_{txt}$'+': the\nmissing words','#f4cccc')
for y in (3.2,.8):
    for x0,x1 in ((1.7,2.3),(4.1,4.7),(6.5,7.1),(8.5,9.2)): arrow(x0,y,x1,y)
arrow(5.6,2.8,5.6,1.4); ax.text(5.75,2.1,'mean of 49 patches, 768 -> 384',fontsize=8); plt.show()

# %% [9] One film, two sizes
from medvl.methods.mrm import (shrink)

# %% [11] One film, two sizes
from medvl.phantom.set import phantom_studies
studies = phantom_studies(48, seed=0, size=128)
film = torch.from_numpy(studies[0].frontals[0].px).float()[None,None]/255
big = F.interpolate(film, size=(256,256), mode='bicubic').clamp(0,1)
torch.manual_seed(1)
idx, removed = pick_patches(1, 64, .75)
seen = unpatchify(patchify(shrink(big,128),16)*~removed[...,None] + .5*removed[...,None], 16, (8,8))
target = unpatchify(patchify(big,32)*removed[...,None] + .5*~removed[...,None], 32, (8,8))
fig, axs = plt.subplots(1,3, figsize=(7,2.5), dpi=75)
for ax,x,n in zip(axs, (shrink(big,128),seen,target), ('128 x 128','16 of 64 patches are seen','48 are restored, at 256 x 256')):
    ax.imshow(x[0,0], cmap='gray', vmin=0, vmax=1); ax.set_title(n, fontsize=9); ax.axis('off')
plt.tight_layout(); plt.show()
test_eq(shrink(torch.ones(1,1,8,8), 4), torch.ones(1,1,4,4))
test_eq((~removed).sum().item(), 16)

# %% [13] One film, two sizes
comb = torch.zeros(1,1,64,64); comb[...,::4] = 1.
sharp, soft = shrink(comb,32), F.interpolate(comb, size=(32,32), mode='bicubic', antialias=True)
print(f"brightest column: {sharp.max():.2f} as MRM does, {soft.max():.2f} with antialiasing")
test_eq(bool(sharp.max() > soft.max()+.05), True)

# %% [15] The film speaks to the words
lin, patches = nn.Linear(768,384), torch.randn(2,49,768)
test_close(lin(patches).mean(1), lin(patches.mean(1)), eps=1e-5)

# %% [17] The model
from medvl.methods.mrm import (MRM)

# %% [26] At full size
with torch.device('meta'): full = MRM.paper()
table = param_table(full); display(table.round(4))
test_eq(table.loc['all','parameters'], 139_937_328); test_eq(trainable(full), 139_634_736)
test_eq([k for k,p in full.named_parameters() if not p.requires_grad], ['vision.net.pos_embed','decoder.pos_embed'])
test_eq(pick_patches(1, 196, full.mask)[0].shape[1], 49)
test_eq(full.decoder.pred.out_features, 3072); test_eq(patchify(torch.zeros(1,3,448,448), 32).shape, (1,196,3072))
test_eq((full.text.width, full.text.vocab_size, full.text.max_len), (384, 30000, 100))

# %% [28] A batch in, an `Out` out
torch.manual_seed(0)
tiny = dict(vision=dict(name='vit_small_cpu', size=32, depth=2), size=32, vocab=60)
m = MRM.small(**tiny)
b = Batch(big=torch.randn(4,1,64,64), img_msk=torch.tensor([[1,0],[1,0],[0,1],[1,1]]).bool(), txt=torch.randint(5,60,(4,8)))
b['txt'][:,0] = 2; b['txt_msk'] = torch.ones(4,8).bool(); b['txt_msk'][1] = False
b['word'] = torch.tensor([-1,0,0,1,2,3,4,5]).repeat(4,1)
out = m(b)
print({k: round(v.item(),2) for k,v in out.terms.items()}, 'log 60 =', round(math.log(60),2))
test_eq(out.img.loc.shape, (3,1,192))  # 3 films, one of 4 patches visible
test_close(m.loss(out).item(), sum(v.item() for v in out.terms.values()), eps=1e-5)
test_eq(bool(abs(out.terms['txt']-math.log(60)) < .5), True)  # knows nothing yet

# %% [30] A batch in, an `Out` out
m.loss(m(b)).backward()
test_eq([k for k,p in m.named_parameters() if p.requires_grad and p.grad is None], [])
m.zero_grad(); m(b).terms['txt'].backward()
test_eq(bool(m.vision.net.blocks[-1].mlp.fc2.weight.grad.abs().sum() > 0), True)
test_eq(m.decoder.pred.weight.grad, None)

# %% [32] A batch in, an `Out` out
only = m(Batch(b, txt_msk=torch.zeros(4,8).bool()))
test_eq(only.terms['txt'].item(), 0.)
m.zero_grad(); m.loss(only).backward()
test_eq(m.text.net.bert.embeddings.word_embeddings.weight.grad.abs().sum().item(), 0.)
test_eq(m(Batch(big=b.big)).terms['txt'].item(), 0.)

# %% [34] A batch in, an `Out` out
test_fail(lambda: m(Batch(img=b.big)), contains="needs batch['big']")
test_fail(lambda: m(Batch(b, big=b.big[...,:48])), contains='64 x 64 pixels')
test_fail(lambda: m(Batch(b, word=None)), contains="batch['word']")
test_fail(lambda: m.encode_text(b.txt), contains='align it first')
test_fail(lambda: MRM.small(vision='resnet18'), contains='must be a ViT')
test_fail(lambda: MRM.small(text_loss='some', **tiny), contains="'all' or 'masked'")

# %% [36] A batch in, an `Out` out
f = m.eval().encode_image(torch.randn(2,2,1,32,32), torch.tensor([[1,0],[1,1]]).bool())
test_eq(f.loc.shape, (2,4,192)); test_close(f.glob.norm(dim=-1), torch.ones(2), eps=1e-5)
again = MRM(**json.loads(json.dumps(m.config))); again.load_state_dict(m.state_dict())
x = torch.randn(1,1,32,32)
test_close(again.eval().encode_image(x).glob, m.encode_image(x).glob, eps=1e-6)

# %% [38] From the authors' file
from medvl.models.checkpoint import mrm_keys
theirs = {}
for k,v in m.state_dict().items():
    for ours,name in (('vision.net.',''), ('decoder.embed','decoder_embed'), ('decoder.blocks','decoder_blocks'), ('decoder.norm','decoder_norm'),
                      ('decoder.pred','decoder_pred'), ('decoder.pos_embed','decoder_pos_embed'), ('decoder.mask_token','mask_token'),
                      ('to_text','bert_mlp'), ('text.net','bert_encoder.model')):
        if k.startswith(ours): theirs[name+k[len(ours):]] = v
with tempfile.TemporaryDirectory() as d:
    torch.save({'model': theirs}, f'{d}/MRM.pth')
    fresh = MRM.small(**tiny)
    rep = load_state(fresh, f'{d}/MRM.pth', rename=mrm_keys('vision','decoder','text','to_text'))
    test_eq(rep.missing, []); test_eq(rep.unexpected, [])
    test_close(fresh.eval().encode_image(x).glob, m.encode_image(x).glob, eps=1e-6)
    del theirs['norm.weight']; torch.save({'model': theirs}, f'{d}/MRM.pth')
    test_fail(lambda: load_state(fresh, f'{d}/MRM.pth', rename=mrm_keys('vision','decoder','text','to_text')), contains='vision.net.norm.weight')

# %% [40] The classic mistake: a loss that counts what was in sight
vocab, l = 30000, 100
labels = torch.randint(5, vocab, (1,l)); hidden = torch.zeros(1,l).bool(); hidden[0,1:60:2] = True  # 60 tokens, half hidden, then padding
copy = torch.zeros(1,l,vocab).scatter(2, labels[...,None], 30*(~hidden[...,None]).float())  # sure of what it saw, blank on the rest
over_all, over_hidden = token_loss(copy, labels), token_loss(copy, labels.masked_fill(~hidden, -100))
print(f"all positions: {over_all:.2f}, hidden words: {over_hidden:.2f} (log of the vocabulary: {math.log(vocab):.2f})")
test_eq(bool(over_all < over_hidden/3), True); test_close(over_hidden.item(), math.log(vocab), eps=1e-3)
