# nbs/models/40_compute.ipynb: runs against the imported medvl.models.compute.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Counting compute
import ctypes, gc, re, time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode, flop_registry, sdpa_backward_flop_count, sdpa_flop_count
from medvl.core import Batch, MedvlError
from medvl.models.adapters import trainable

# %% [4] Counting compute
import json, math
import pandas as pd
from fastcore.test import *
from torch.nn import functional as F
torch.set_num_threads(1);

# %% [6] What torch's counter does not see
q = torch.randn(1, 2, 5, 4)                                            # b h n d
with FlopCounterMode(display=False) as c: F.scaled_dot_product_attention(q, q, q)
print('torch counts', c.get_total_flops(), 'for', 2*2*2*5*5*4, 'floating-point operations')
test_eq(c.get_total_flops(), 0)

# %% [8] What torch's counter does not see
from medvl.models.compute import (_aten,
    _mm,
    _added,
    _vector,
    _attention,
    _attention_back,
    FORMULAS,
    PRODUCTS,
    _Seen,
    multiply_adds)

# %% [9] What torch's counter does not see
def total(f): return multiply_adds(f)[0].total()
a, b = torch.randn(7,3), torch.randn(3,5)
test_eq(total(lambda: a @ b), 7*3*5)
test_eq(total(lambda: torch.zeros(7,5).addmm_(a, b)), 7*3*5)
test_eq(total(lambda: torch.zeros(4,7,5).baddbmm_(a.expand(4,7,3), b.expand(4,3,5))), 4*7*3*5)
test_eq(total(lambda: a @ b[:,0]), 7*3)
test_eq(total(lambda: F.scaled_dot_product_attention(q, q, q)), 2*2*5*5*4)  # two products of n x n x d, two heads
test_eq(total(lambda: F.conv2d(torch.zeros(1,3,32,32), torch.zeros(8,3,16,16), stride=16)), 4*8*3*16*16)
test_eq(total(lambda: torch.relu(a).softmax(-1)), 0)
test_fail(lambda: total(lambda: torch.cdist(a, a)), contains='no formula for aten._cdist_forward')

# %% [11] A step
x = torch.randn(7, 3)
def chain(*train):
    net = nn.Sequential(nn.Linear(3,3), nn.Linear(3,3), nn.Linear(3,3))
    for layer, on in zip(net, train): layer.requires_grad_(bool(on))
    out = net(x).sum()
    return total(out.backward)//(7*3*3)
print('products in the backward pass of three layers:', {t: chain(*t) for t in ((1,1,1),(0,0,1),(1,0,0))})
test_eq(chain(1,1,1), 5)   # three for the weights, two for inputs: the first layer's input needs no gradient
test_eq(chain(0,0,1), 1)   # only the last layer's weights
test_eq(chain(1,0,0), 3)   # down through two frozen layers, and the first one's weights

# %% [13] A step
from medvl.models.compute import (StepCount, kept_bytes, count_step)

# %% [14] A step
class Line(nn.Module):
    def __init__(self): super().__init__(); self.a, self.b = nn.Linear(3,5,bias=False), nn.Linear(5,1,bias=False)
    def forward(self, b): return self.b(self.a(b['img']))
    def loss(self, out): return out.sum()
line = Line(); s = count_step(line, Batch(img=x))
print(s)
test_eq((s.forward, s.backward), (3*5+5, 3*5+5+5))      # per sample: weights of both, input of the second
test_eq((s.trainable, s.parameters, s.optimiser_bytes), (20, 20, 240))
test_eq(s.kept, 4*(7*3+7*5)//7)                         # the input of each layer
line.a.requires_grad_(False)
test_eq(count_step(line, Batch(img=x)).backward, 5)
test_fail(lambda: count_step(line.requires_grad_(False), Batch(img=x)), contains='nothing in Line trains')

# %% [16] Measuring time and memory
from medvl.models.compute import (_high_water, _give_back, peak_bytes, seconds)

# %% [17] Measuring time and memory
big = 64_000_000
grown = peak_bytes(lambda: torch.ones(big//4))
print('a tensor of 64 MB adds', grown and round(grown/1e6), 'MB')
test_eq(grown is None or .8*big < grown < 1.5*big, True)
test_eq(0 < seconds(lambda: sum(range(100_000)), 3) < 2, True)
test_fail(lambda: seconds(print, 0), contains='repeat=0')

# %% [19] A batch of noise
from medvl.models.compute import (noise_batch)

# %% [20] A batch of noise
b = noise_batch(2, 32, 64, films=3, l=8)
test_eq((b.img.shape, b.big.shape, b.img_msk[0].tolist()), ((2,4,1,32,32), (2,1,64,64), [True]*3+[False]))
test_eq(b.word[0], torch.tensor([-1,0,1,2,3,4,5,-1]))
test_fail(lambda: noise_batch(1, films=5), contains='films=5')

# %% [22] The counter against a calculation by hand
from medvl.core import methods
def blank(build):
    with torch.device('meta'): m = build()
    n = sum(p.numel() for p in m.parameters())
    m = m.to_empty(device='cpu')
    with torch.no_grad():
        for p in [*m.parameters(), *m.buffers()]: p.zero_()
    return m, n
def block(n, d): return 12*n*d*d + 2*n*n*d
mrm, n = blank(methods['mrm'].paper); test_eq(n, 151_457_328)
with torch.no_grad(): mrm_ops, _ = multiply_adds(lambda: mrm(noise_batch(1, films=1, l=100)))
encoder = 49*768*256 + 12*block(50, 768)                   # visible patches only, of a grey film
decoder = 50*768*768 + 4*block(197, 768) + 197*768*3072
text = 6*block(100, 384) + 100*(384*384 + 384*30000) + 768*384
def said(**parts): return ', '.join(f'{k} {v/1e9:.2f} G' for k,v in parts.items())
print('MRM, forward:', said(counted=mrm_ops.total()), '; by hand', said(encoder=encoder, decoder=decoder, text=text))
test_close(mrm_ops.total()/(encoder+decoder+text), 1, eps=.001)
del mrm

# %% [24] The counter against a calculation by hand
def adapted(n, d): return block(n, d) + 4*n*d*(d//4)       # two adapters, down and up
alta, n = blank(methods['alta'].paper); test_eq(n, 242_177_854)
torch.manual_seed(0)
with torch.no_grad(): alta_ops, out = multiply_adds(lambda: alta(noise_batch(1, films=4, l=128)))
encoder = 4*(49*768*256 + 12*adapted(50, 768))
bert = 2*12*adapted(128, 768)
heads = 2*768*128+2*128*128 + (196+127)*(768*128+128*128)
words = 63*(768*768 + 768*30522)                          # half of 126
parts = dict(encoder=encoder, decoder=decoder, bert=bert, words=words, heads=heads)
print('ALTA, forward:', said(counted=alta_ops.total()), '; by hand', said(**parts))
by_hand = sum(parts.values()) + 768*768
test_close(alta_ops.total()/by_hand, 1, eps=.01)          # but for the words that were drawn, and the losses
with torch.no_grad(): look = total(lambda: alta.encode_image(torch.zeros(1,1,224,224)))
print(f"one whole frontal at test time: {look/1e9:.2f} G")
test_close(look/1e9, 18.96, eps=.2)
del alta

# %% [26] What grows with the batch
from medvl.losses.local import local_loss
def local(n):
    vs, ws = (torch.randn(n, k, 128, requires_grad=True) for k in (196, 127))
    ahead, loss = multiply_adds(lambda: local_loss(vs, ws, torch.ones(n, 127, dtype=torch.bool)))
    return ahead.total(), multiply_adds(loss.backward)[0].total()
pairs = {n: local(n) for n in (1, 2, 4)}
n, k, d = 196, 127, 128                                    # cells, words, width
def by_hand(b): return b*n*n*d + b*b*k*n*(d+n)             # Gram matrix of each film; then every pair
test_eq([o[0] for o in pairs.values()], [by_hand(b) for b in pairs])
ahead, back = by_hand(96)/96, (pairs[4][1]-2*pairs[2][1])/8*96  # of one sample in a batch of 96; all but linear
print(f"local loss in a batch of 96, a sample: {ahead/1e9:.2f} G forward, {back/1e9:.2f} G backward")
test_eq(ahead < .03*alta_ops.total(), True)

# %% [28] A whole training
from medvl.models.compute import (whole_training, mixed, most_samples)

# %% [29] A whole training
test_eq(whole_training(s, 10, 2), (s.forward+s.backward)*20)
test_eq(mixed({1: 10., 4: 40.}, {1: .5, 4: .5}), 25.)
test_eq(most_samples(2., 10, 1000.), 10)                        # 10 samples x 10 epochs x 2 = a fifth of 1,000
test_fail(lambda: mixed({1: 10.}, {1: .5}), contains='add up to 0.5')
test_fail(lambda: mixed({1: 10.}, {2: 1.}), contains='2 films')
test_fail(lambda: whole_training(1., 0, 1), contains='samples=0')

# %% [31] The two claims
found = Path('../../results/compute.json')
run = json.loads(found.read_text()) if found.exists() else None
G = {**dict.fromkeys(('forward','backward','total','seconds'), '{:.1f}'), **dict.fromkeys(('kept','peak'), '{:.0f}'),
     **dict.fromkeys(('trainable','parameters'), '{:,}')}
def shown(run):
    t = pd.DataFrame(run['rows'])
    for k in ('forward','backward','total'): t[k] = t[k]/1e9
    for k in ('kept','peak'): t[k] = t[k]/1e6
    return t.set_index('system')
if run: display(shown(run).style.format(G, na_rep='-')); print(run['provenance'])
else: print('not run')

# %% [33] The two claims
if run:
    w = run['whole']
    print(f"one sample: ALTA (faithful) {w['per_sample']:.2f} x MRM")
    mrm_work = f"{w['images']:,} films x {w['pretrain_epochs']} epochs of MRM"
    for n,r in w['ratio'].items():
        print(f"{int(n):,} studies x {w['align_epochs']} epochs of ALTA, over {mrm_work}: {r:.2f}")
    print(f"below 1/5 up to {w['below']:,} studies; clean, one film a study: up to {w['below_clean_one']:,}")
    test_eq(w['per_sample'] > 1, True)                     # a sample of ALTA costs more than one of MRM
    row = {r['system']: r for r in run['rows']}
    test_close(w['per_sample'], row['alta faithful, 4 films']['total']/row['mrm']['total'], eps=1e-6)

# %% [35] The two claims
if run and 'readings' in run:
    said = pd.DataFrame(run['readings'])
    said['ratio'] = [f"{100*x:.2f} %" if '%' in s else f'{x:.2f}' for s,x in zip(said.sentence, said.ratio)]
    said['holds'] = said.holds.map({True: 'holds', False: 'does not hold'})
    with pd.option_context('display.max_colwidth', None): display(said.set_index('sentence'))
    by = {(r['of'].split(' ', 1)[1], r['over'].split(' ', 1)[1]): r for r in run['readings'] if '%' in r['sentence']}
    test_eq([round(100*r['ratio'], 2) for r in by.values()][:3], [7.57, 8.28, 12.13])
# the shares once more, from the models themselves
with torch.device('meta'): a, m = (methods[k].paper() for k in ('alta','mrm'))
def size(x): return sum(p.numel() for p in x.parameters())
inside = sum(p.numel() for k,p in a.named_parameters() if k.startswith('vision') and '.adapter.' in k)
shares = trainable(a)/size(a), inside/(size(a.vision)-inside), trainable(a)/trainable(m)
test_eq([round(100*v, 2) for v in shares], [7.57, 8.28, 12.13])
