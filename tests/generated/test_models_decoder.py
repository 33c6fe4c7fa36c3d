# nbs/models/52_decoder.ipynb: runs against the imported medvl.models.decoder.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Report decoder
from typing import Any
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from transformers import GenerationConfig, GPT2Config, GPT2LMHeadModel
from medvl.core import MedvlError

# %% [4] Report decoder
import itertools, time

import matplotlib.pyplot as plt
from fastcore.test import *
from medvl.data.tokens import train_tokenizer
torch.set_num_threads(1);

# %% [6] The model
from medvl.models.decoder import (ReportDecoder)

# %% [8] The model
torch.manual_seed(0)
dec = ReportDecoder.small(24, 40, max_len=16).eval()
loc, ids = torch.randn(2, 4, 24), torch.tensor([[2,7,8,9,3], [2,11,3,0,0]])
with torch.no_grad():
    alone = [dec(loc[:1], ids[:1]), dec(loc[1:], ids[1:,:3])]
    test_close(dec(loc, ids), (4*alone[0]+2*alone[1])/6, eps=1e-5)                   # 4 and 2 tokens are predicted
    keep = torch.tensor([[True]*4, [True,True,False,False]])
    test_close(dec(loc, ids, keep), dec(loc.masked_fill(~keep[...,None], 9.), ids, keep), eps=1e-6)
    assert abs(dec(loc, ids, keep)-dec(loc, ids)) > 1e-5
test_fail(lambda: dec(loc[...,:20], ids), contains='built for [b n 24]')
test_fail(lambda: dec(loc, ids.repeat(1, 4)), contains='20 tokens; this decoder knows 16 positions')
test_fail(lambda: ReportDecoder(24, 3), contains='the vocabulary has 3')
assert all(p.grad is not None for p in (dec.train()(loc, ids).backward(), *dec.parameters())[1:])
full = ReportDecoder(768, 760)
print(f'{sum(p.numel() for p in full.parameters())/1e6:.1f} million parameters in the size of R2Gen, '
      f'{sum(p.numel() for p in ReportDecoder.small(768, 760).parameters())/1e6:.2f} million in the small one')

# %% [10] Writing
from medvl.models.decoder import (write_ids)

# %% [12] Writing
def wild(seed, vocab=7, **kw):
    "A decoder of large random weights, so that its reports differ from film to film."
    torch.manual_seed(seed)
    dec = ReportDecoder.small(24, vocab, drop=0., **kw).eval()
    for p in dec.words.parameters():
        if p.ndim > 1: nn.init.normal_(p, std=.4)
    return dec

def score(dec, loc, ids):
    "Log-probability of a report of at most four tokens, with its end if there is one, from the loss."
    ids = [2, *ids, 3][:5]
    return -float(dec(loc, torch.tensor([ids])))*(len(ids)-1)

can = (1,4,5,6)                                                                       # what may be written
every = [o for k in range(5) for o in itertools.product(can, repeat=k)]
found, greedy = [], 0
for seed in range(8):
    dec, loc = wild(seed, max_len=8), torch.randn(1, 4, 24)
    with torch.no_grad(): p = {o: score(dec, loc, o) for o in every}
    best = max(p, key=p.get)
    wide, one = (tuple(write_ids(dec, loc, beam=k, length=0., max_len=5)[0]) for k in (64, 1))
    found.append(wide == best); greedy += one != best
print(f'a wide beam finds the best of {len(every)} reports: {sum(found)} of 8; greedy search misses it {greedy} times')
assert all(found) and greedy

# %% [14] Writing
dec, loc = wild(1, vocab=60, max_len=40), torch.randn(5, 9, 24)
keep = torch.ones(5, 9, dtype=torch.bool); keep[2,5:] = False
for beam in (1, 3):
    fast = write_ids(dec, loc, keep, beam)
    test_eq(fast, write_ids(dec, loc, keep, beam, cache=False))
    test_eq(fast, [write_ids(dec, loc[[i]], keep[[i]], beam)[0] for i in range(5)])
    test_ne(fast[2], write_ids(dec, loc, None, beam)[2])                              # the mask is heard
    assert len({tuple(o) for o in fast}) == 5 and not {0,2} & {i for o in fast for i in o}
test_fail(lambda: write_ids(dec, loc, max_len=41), contains='expected 2 to 40')
test_fail(lambda: write_ids(dec, loc, beam=0), contains='beam is 0')
assert all(len(o) <= 9 for o in write_ids(dec, loc, max_len=10))

# %% [16] Writing
dec = ReportDecoder(24, 60, max_len=130, drop=0.).eval(); took = {True: [], False: []}; lens = (10, 40, 80, 120)
for n in lens:
    for cache in took:
        t0 = time.process_time()
        write_ids(dec, loc[:2], beam=1, max_len=n, cache=cache, min_length=n)
        took[cache].append(time.process_time()-t0)
ax = plt.subplots(figsize=(4, 2.2), dpi=75)[1]
for cache, y in took.items(): ax.plot(lens, y, 'o-', label='with the cache' if cache else 'without')
ax.set(xlabel='tokens of the report', ylabel='seconds'); ax.legend(); assert took[True][-1] < took[False][-1]

# %% [18] From ids to words
from medvl.models.decoder import (write_reports)

# %% [20] From ids to words
texts = ['no pleural effusion.', 'small left pleural effusion.', 'the heart is enlarged.', 'no acute process.']
tok = train_tokenizer(texts, 80, min_frequency=1)
torch.manual_seed(0)
loc = torch.randn(4, 6, 24); dec = ReportDecoder.small(24, len(tok), drop=0., max_len=16)
ids = tok(texts, padding=True, return_tensors='pt')['input_ids']
opt, log = torch.optim.AdamW(dec.parameters(), lr=2e-3), []
for _ in range(60):
    loss = dec(loc, ids); opt.zero_grad(); loss.backward(); opt.step(); log.append(loss.item())
said = write_reports(dec, tok, loc, bs=3)
for s in said: print(s)
test_eq([s.replace(' .', '.') for s in said], texts)
assert log[-1] < .05 < 3 < log[0] and dec.training
