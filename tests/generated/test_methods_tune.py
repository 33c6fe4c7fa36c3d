# nbs/methods/02_tune.ipynb: runs against the imported medvl.methods.tune.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Further training
import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from fastcore.basics import patch_to
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from medvl.core import SLOTS, Aligner, Feat, MedvlError, Out
from medvl.data.preset import Preset
from medvl.losses.contrastive import clip_loss, gather, same_text
from medvl.methods.dual import text_pairs
from medvl.models.adapters import adapt, merge_adapted
from medvl.models.checkpoint import save_pretrained
from medvl.models.compute import noise_batch
from medvl.models.heads import CellMean

# %% [4] Further training
import math, tempfile
import pandas as pd
import torch
from fastcore.test import *
from medvl.core import seed_everything
from medvl.methods.zoo import build
from medvl.models.adapters import TUNES, trainable
from medvl.models.checkpoint import from_pretrained, read_config
from medvl.run.folder import shipped
from medvl.toy import toy_batch, toy_bert
home = tempfile.TemporaryDirectory(); at = Path(home.name)
_ = seed_everything(0)

# %% [6] The loss
from medvl.methods.tune import (scale_of)

# %% [8] The loss
from medvl.methods.tune import (KEPT, Tuning)

# %% [11] The loss
def clip(): return from_pretrained(shipped()['phantom-clip'])
b, plain = toy_batch(128, lens=(9,4,7,9,6,5), vocab=1000), clip()
with torch.no_grad(): v, t = plain.encode_image(b.img).glob, plain.encode_text(b.txt, b.txt_msk).glob
rows = {}
for how in TUNES:
    m = Tuning(clip(), how).train(); out = m(b); m.loss(out).backward()
    assert torch.equal(out.img.glob, v) and torch.equal(out.txt.glob, t)
    test_eq({k for k,p in m.base.named_parameters() if p.grad is not None}, set(m.names))
    assert 'vision.net.pos_embed' not in m.names
    rows[how] = dict(trained=trainable(m), of=sum(p.numel() for p in m.parameters()), example=m.names[0])
pd.DataFrame.from_dict(rows, orient='index')

# %% [13] The loss
def sharp(): m = clip(); nn.init.constant_(m.log_scale, math.log(85)); return m
s = 85
x, q = s*v @ t.T, same_text(b.txt_id).float(); q = q/q.sum(1, keepdim=True)
by_hand = -(q*x.log_softmax(1)).sum(1).mean()/2-(q*x.T.log_softmax(1)).sum(1).mean()/2
test_close(Tuning(sharp(), 'head')(b).terms['glob'].item(), by_hand.item(), eps=1e-4)
fresh = clip_loss(v, t, 1/.07, same_text(b.txt_id)).item()
print(f'own scale {s:.1f}: loss {by_hand:.2f}; fresh scale {1/.07:.1f}: loss {fresh:.2f}')
assert abs(fresh-by_hand.item()) > .1

# %% [15] The loss
films = build('rad-dino', vision=dict(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, size=56))
test_fail(lambda: Tuning(films), contains='rad-dino reads no text')
test_fail(lambda: Tuning(from_pretrained(shipped()['phantom-mrm'])), contains='MRM')
small = dict(vision=dict(name='resnet10t', size=64), text=toy_bert(60), dim=16)
test_fail(lambda: Tuning(build('cxr-clip-r50', **small)), contains='vision tower: LoRA changes the attention')
print(len(Tuning(build('cxr-clip-r50', **small), towers='text').names), 'parameters of the text tower alone')
test_fail(lambda: Tuning(clip(), 'prompt'), contains="how is 'prompt'")

# %% [18] What the loss does not reach
alta = Tuning(from_pretrained(shipped()['phantom-alta']), 'full'); n = trainable(alta)
lost = alta.reach(1000); print(f'{n-trainable(alta):,} of {n:,}:', sorted({k.split('.')[0] for k in lost}))
assert {'decoder','head_ts'} <= {k.split('.')[0] for k in lost} and 'head_v.out.weight' in alta.names
test_eq(Tuning(clip()).reach(1000), [])
test_fail(lambda: Tuning(from_pretrained(shipped()['phantom-alta']), 'adapters'), contains='adapters already')

# %% [22] What is saved
def moved(how): # as if it had been trained
    m = Tuning(clip(), how, keep=dict(note='an example'))
    for k in m.names: nn.init.normal_(m.base.get_parameter(k), std=.05)
    return m.eval()
def vectors(m):
    with torch.no_grad(): return torch.cat([m.encode_image(b.img).glob, m.encode_text(b.txt, b.txt_msk).glob])
rows = {}
for how in TUNES:
    m = moved(how); d = m.save(at/how); merged = from_pretrained(d)
    assert (vectors(m)-vectors(plain)).abs().max() > .01
    test_close(vectors(merged), vectors(m), eps=1e-5)
    test_eq(set(merged.state_dict()) == set(plain.state_dict()), how != 'adapters')
    files = {k: (d/k).stat().st_size for k in ('model.safetensors','adapters/adapters.safetensors') if (d/k).exists()}
    rows[how] = {k.split('/')[0]: f'{n/1e3:,.0f} kB' for k,n in files.items()}
    if how == 'full': continue
    again = from_pretrained(d/'adapters', base=shipped()['phantom-clip'])
    test_close(vectors(again), vectors(m), eps=1e-6); test_eq(read_config(d/'adapters')['extra']['note'], 'an example')
pd.DataFrame.from_dict(rows, orient='index').fillna('-')

# %% [24] What is saved
other = Tuning(from_pretrained(at/'full'), 'head').save(at/'other')
test_fail(lambda: from_pretrained(at/'lora/adapters', base=other), contains='were trained on another base')
twice = Tuning(from_pretrained(at/'lora'), 'adapters').save(at/'twice')
test_close(vectors(from_pretrained(twice)), vectors(from_pretrained(at/'lora')), eps=1e-6)
thrice = Tuning(from_pretrained(twice), 'lora').save(at/'thrice')
test_close(vectors(from_pretrained(thrice/'adapters', base=twice)), vectors(from_pretrained(twice)), eps=1e-6)
test_eq(len(read_config(thrice/'adapters')['adapted']), 2); home.cleanup()
