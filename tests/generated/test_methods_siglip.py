# nbs/methods/11_siglip.ipynb: runs against the imported medvl.methods.siglip.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] SigLIP
from pathlib import Path
import torch
from fastcore.basics import patch_to
from jaxtyping import Bool, Float
from torch import Tensor, nn
from medvl.losses.contrastive import gather, log_scale, siglip_loss
from medvl.methods.dual import DualEncoder, make_head, text_tower, vision_tower

# %% [4] SigLIP
import json
import matplotlib.pyplot as plt
import torch.nn.functional as F
from fastcore.test import *
from medvl.losses.contrastive import clip_loss
torch.set_num_threads(1);

# %% [6] The loss
torch.manual_seed(0)
v, t = (F.normalize(torch.randn(64,32), dim=-1) for _ in range(2))
bias = torch.linspace(-20, 10, 61)
loss = torch.stack([siglip_loss(v, t, 10., b) for b in bias])
fig, ax = plt.subplots(figsize=(4.5,2.2), dpi=75)
ax.semilogy(bias, loss); ax.axvline(-10, c='.6', ls=':'); ax.set(xlabel='bias $b$', ylabel='loss, untrained')
plt.tight_layout(); plt.show()
z = 2*torch.eye(64)-1                                                    # by hand
test_close(siglip_loss(v, t, 10., -10.).item(), (1+(-z*(10*v@t.T-10)).exp()).log().sum().item()/64, eps=1e-4)
assert siglip_loss(v, t, 10., 0.) > 4*siglip_loss(v, t, 10., -10.)

# %% [8] The model
from medvl.methods.siglip import (SigLIP)

# %% [10] The model
tiny = dict(vision=dict(name='vit_small_cpu', size=32, depth=1), size=32, vocab=50)
torch.manual_seed(0); m = SigLIP.small(**tiny)
txt = torch.tensor([[2,7,8,3],[0,0,0,0],[2,9,3,0],[2,9,3,0]])
b = dict(img=torch.randn(4,1,32,32), txt=txt, txt_msk=txt > 0, txt_id=torch.tensor([1,-2,2,2]))
out = m(b); m.loss(out).backward()
z = 2*torch.tensor([[1.,0,0],[0,1,1],[0,1,1]])-1
s = 10*out.img.glob @ out.txt.glob.T-10
test_close(out.terms['glob'].item(), -F.logsigmoid(z*s).sum().item()/3, eps=1e-4)
test_eq({k for k,p in m.named_parameters() if p.grad is None}, {'vision.net.pos_embed'})     # a fixed table
assert m.bias.grad != 0 and m.log_scale.grad != 0
again = SigLIP(**json.loads(json.dumps(m.config))); again.load_state_dict(m.state_dict())
test_close(again.eval().encode_image(b['img']).glob, m.eval().encode_image(b['img']).glob, eps=1e-6)
test_fail(lambda: SigLIP.small(**tiny, slots='mean'), contains="SigLIP has no argument 'slots'")

# %% [12] It learns
from medvl.core import SLOTS
from medvl.toy import curves, ends, toy_bert, toy_chance, toy_pairs, toy_scores, toy_vit, train_toy

# %% [13] It learns
seen, held, tok, page = toy_pairs(slots=SLOTS[:1], big=0)
torch.manual_seed(0)
m = SigLIP(vision=toy_vit(), text=toy_bert(len(tok)), size=64, dim=64, text_pool='mean', preset='alta-small')
log = train_toy(m, seen, 240, 2e-3)
scores = {k: (toy_scores(m, b), round(toy_chance(b), 3)) for k,b in (('training', seen), ('other patients', held))}
for k,(s,c) in scores.items(): print(f'{k}: {s}, MRR by chance {c}')
print(f'scale {m.log_scale.exp().item():.2f} (from 10), bias {m.bias.item():.2f} (from -10)')
curves(log); plt.show()

# %% [14] It learns
assert ends(log)['glob'][1] < .6*ends(log)['glob'][0]
s, c = scores['training']
assert min(s['image_to_text_MRR'], s['text_to_image_MRR']) > 2*c
