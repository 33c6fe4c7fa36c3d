# nbs/run/13_vectors.ipynb: runs against the imported medvl.run.vectors.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Vectors that are kept
import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
import numpy as np
import torch
import xxhash
from filelock import FileLock
from jaxtyping import Float
from torch import Tensor
import medvl
from medvl.core import SLOTS, Aligner, MedvlError
from medvl.data.cache import stamp
from medvl.data.preset import Preset
from medvl.data.study import Sample
from medvl.files import jsonable
from medvl.models.checkpoint import state_hash

# %% [4] Vectors that are kept
import os, tempfile
from fastcore.test import *
from PIL import Image
from medvl.data.study import View

# %% [6] What a vector depends on
from medvl.run.vectors import (code_hash, model_key, sample_key)

# %% [7] What a vector depends on
class Mean(Aligner):
    "Its vector is the mean grey value, times a weight."
    def __init__(self, config=None):
        super().__init__(); self.w, self.config = torch.nn.Parameter(torch.ones(2)), config or {}
tmp = tempfile.TemporaryDirectory(); d = Path(tmp.name)
for k in 'ab': Image.fromarray(np.full((8, 8), ord(k), np.uint8)).save(d/f'{k}.png')
def of(*names):
    slots = [View(path=str(d/n), id=n) for n in names]+[None]*(4-len(names))
    return Sample(tuple(slots), '', 's', 'p', 'p', None, {}, None)
p, m = Preset('one', 8, 8, 8), Mean()
base = model_key(m, p); test_eq(model_key(Mean(), p), base)
test_ne(model_key(m, Preset('one', 8, 8, 8, mean=.5)), base)
test_ne(model_key(Mean(dict(depth=2)), p), base)
with torch.no_grad(): m.w[0] = 2
test_ne(model_key(m, p), base)                                          # a weight that changed in memory counts
one = sample_key(of('a.png')); test_ne(sample_key(of('b.png')), one)
test_ne(sample_key(of('a.png', 'b.png')), one)
test_eq(sample_key(of('a.png', 'b.png'), ['current_frontal']), one)      # the second film is not looked at
test_eq(sample_key(of('absent.png')), None)

# %% [9] The file
from medvl.run.vectors import (_records, _sum, Vectors)

# %% [10] The file
v = torch.nn.functional.normalize(torch.randn(3, 4, generator=torch.Generator().manual_seed(0)), dim=-1)
kept = Vectors(d/'kept', base); keys = ['a'*32, None, 'b'*32]
test_eq((kept.add(keys, v), kept.add(keys, v), len(kept)), (2, 0, 2))    # nothing is written twice
again = Vectors(d/'kept', base)
test_eq(again.get('b'*32), v[2]); test_eq((again.get('c'*32), again.get(None)), (None, None))
test_eq(len(Vectors(d/'kept', 'another model')), 0)
file = next((d/'kept').glob('*.v1')); raw = bytearray(file.read_bytes())
file.write_bytes(raw+raw[:20])                                          # a process was killed while it wrote
test_eq(Vectors(d/'kept', base).add(['c'*32], v[1:2]), 1)
test_eq(Vectors(d/'kept', base).get('c'*32), v[1])
raw = bytearray(file.read_bytes()); raw[40] ^= 1; file.write_bytes(raw)  # a bit of the first vector
test_eq([Vectors(d/'kept', base).get(k*32) is None for k in 'abc'], [True, False, False])
test_eq(Vectors(d/'kept', base).add(['a'*32], v[:1]), 1)                 # encoded again
test_eq(Vectors(d/'kept', base).get('a'*32), v[0])
tmp.cleanup()
