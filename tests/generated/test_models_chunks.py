# nbs/models/41_chunks.ipynb: runs against the imported medvl.models.chunks.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] A large contrast in little memory
from contextlib import contextmanager, nullcontext
from dataclasses import fields, replace
from functools import partial
from typing import Any, Sequence
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint
from medvl.core import Feat, MedvlError
from medvl.models.masked import PatchDecoder
from medvl.models.text import TextTower
from medvl.models.vision import VisionTower

# %% [4] A large contrast in little memory
import json
from pathlib import Path
from fastcore.test import *
import pandas as pd
from medvl.core import Batch, methods

# %% [6] Parts of a batch
from medvl.models.chunks import (some_rows, join_rows)

# %% [7] Parts of a batch
whole = Feat(glob=torch.arange(5.)[:,None], loc=torch.randn(5,2,3), grid=(1,2))
parts = [some_rows(whole, slice(i, i+2), 5) for i in (0,2,4)]
test_eq([len(p.glob) for p in parts], [2,2,1]); test_eq(join_rows(parts).loc, whole.loc)
test_eq(join_rows(parts).grid, (1,2))
test_eq((some_rows(None, slice(2), 5), some_rows(torch.ones(3), slice(2), 5).shape), (None, (3,)))

# %% [9] A tower that encodes in parts
from medvl.models.chunks import (_second_pass, _in_parts, in_chunks)

# %% [11] The same step
bert = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, vocab_size=40,
            max_position_embeddings=32, hidden_dropout_prob=0., attention_probs_dropout_prob=0.)
tiny = dict(vision=dict(name='vit_small_cpu', size=32, patch_size=8, depth=2, embed_dim=32, num_heads=2),
            text=bert, size=32, dim=16, vocab=40)
torch.manual_seed(0); n, l = 6, 10
b = Batch(img=torch.randn(n,2,1,32,32), img_msk=torch.tensor([[1,1],[1,0]]*3).bool(), big=torch.randn(n,1,64,64),
          txt=torch.randint(5, 40, (n,l)), txt_msk=torch.arange(l) < torch.tensor([10,7,9,5,10,6])[:,None])
b['word'] = torch.where((torch.arange(l) > 0) & b.txt_msk, torch.arange(l)-1, -1)
b['txt_id'] = torch.tensor([0,1,2,3,1,4])
def part(b, at): return Batch({k: v[at] for k,v in b.items()})
def step(m, *batches):
    m.zero_grad(); torch.manual_seed(7); loss = 0.
    for o in batches: one = m.loss(m(o))/len(batches); one.backward(); loss += one.item()
    return loss, torch.cat([p.grad.flatten() for p in m.parameters() if p.grad is not None])
def gap(a, b): return ((a[1]-b[1]).norm()/b[1].norm()).item()
makers = dict(CLIP=lambda: methods['clip'].small(**tiny), GLoRIA=lambda: methods['gloria'].small(**tiny),
    PLAN=lambda: methods['plan'].small(**tiny, hidden=24),
    ALTA=lambda: methods['alta'].small(**tiny, mask_id=4, also=('text.*',), decoder=dict(width=16, depth=1, heads=2)))
rows = {}
for name, make in makers.items():
    torch.manual_seed(1); m = make().train()
    whole, apart = step(m, b), step(m, *(part(b, slice(i, i+2)) for i in (0,2,4)))
    test_eq(in_chunks(m, 2), 3 if name == 'ALTA' else 2); exact = step(m, b); in_chunks(m, None)
    test_close(exact[0], whole[0], eps=1e-5); assert gap(exact, whole) < 1e-5, (name, gap(exact, whole))
    rows[name] = {'loss, whole batch': whole[0], 'in parts': exact[0], 'gradient off by': gap(exact, whole),
                  'accumulated': apart[0], 'gradient off by ': gap(apart, whole)}
    assert gap(apart, whole) > .01; test_eq(step(m, b)[0], whole[0])
pd.DataFrame(rows).T.style.format('{:.2g}')

# %% [13] The same step
from copy import deepcopy
def both(m):
    plain = deepcopy(m); in_chunks(m, 2)
    for o in (plain.vision, plain.text):
        def go(*a, o=o, **k):
            return join_rows([type(o).forward(o, *(some_rows(v, slice(i,i+2), n) for v in a), **k) for i in (0,2,4)])
        o.forward = go
    return step(m, b), step(plain, b), plain
for vision in (tiny['vision'], dict(name='resnet18', size=32, in_chans=1)):
    torch.manual_seed(2)
    m = methods['clip'].small(**(tiny | dict(vision=vision, text={**bert, 'hidden_dropout_prob': .3}))).train()
    exact, want, plain = both(m)
    test_close(exact[0], want[0], eps=1e-6); assert gap(exact, want) < 1e-5
    for (k,x),y in zip(m.named_buffers(), plain.buffers()): test_close(x, y, eps=1e-6)

# %% [15] The same step
with torch.no_grad():
    one, two = (o.eval().encode_image(b.img, b.img_msk).glob for o in (m, plain)); test_close(one, two, eps=1e-5)
test_fail(lambda: in_chunks(nn.Linear(2,2), 2), contains='Linear has no VisionTower')
test_fail(lambda: in_chunks(m, 0), contains='chunk=0')

# %% [17] Time and memory
run = json.loads(Path('../../results/accum.json').read_text())
got = pd.DataFrame(run['rows']).set_index('way')
print(run['arguments'], 'commit', run['provenance']['commit'])
display(got.style.format({'seconds': '{:.2f}', 'peak_mb': '{:.0f}', 'loss': '{:.2f}', 'gradient_off': '{:.1e}'}))
parts, whole = got.loc['in parts, one contrast'], got.loc['whole batch']
test_eq((parts.gradient_off < 1e-5, parts.peak_mb < whole.peak_mb/2, parts.seconds < 2*whole.seconds),
        (True, True, True))
