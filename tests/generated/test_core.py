# nbs/00_core.ipynb: runs against the imported medvl.core.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Core
import importlib, inspect, random
from dataclasses import dataclass, field, fields, replace
from typing import Any, Callable, Iterator, Mapping
import numpy as np
import torch
from fastcore.basics import patch_to
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

# %% [4] Core
import tempfile
from unittest.mock import patch
from pathlib import Path
import numpy as np
from fastcore.test import *

# %% [6] Names
from medvl.core import (SLOTS, CHEXPERT)

# %% [8] Errors
from medvl.core import (MedvlError)

# %% [10] Errors
from medvl.core import (need)

# %% [11] Errors
test_eq(need('json', 'to read JSON').loads('[1]'), [1])
test_fail(lambda: need('no_such_module', 'to show this message'), contains='pip install no_such_module')
with tempfile.TemporaryDirectory() as d, patch('sys.path', [d]):              # a package without what it needs
    Path(d, 'half_there.py').write_text('import no_such_module')
    test_fail(lambda: need('half_there', 'for this'), contains="can't be imported (No module named 'no_such_module')")

# %% [13] A batch
from medvl.core import (Batch)

# %% [14] A batch
b = Batch(img=torch.zeros(2,4,1,8,8), img_msk=torch.tensor([[1,0,0,0],[1,1,0,0]]).bool(), txt=torch.ones(2,5).long())
test_eq(b.bs, 2); test_eq(b.lbl, None)
img, msk = b.slots()
test_eq(img.shape, (2,4,1,8,8)); test_eq(msk.sum().item(), 3)
test_eq(Batch(img=torch.zeros(2,1,8,8)).slots()[1].shape, (2,1))
test_fail(lambda: b.lables, contains='no field')
test_is(b.need('img','txt', who='ALTA'), b)
test_fail(lambda: b.need('img','word', who='ALTA'), exc=MedvlError,
          contains="ALTA needs batch['word'], the word that each piece belongs to; this batch has img, img_msk, txt")

# %% [16] Features
from medvl.core import (Feat)

# %% [17] Features
f = Feat(glob=torch.ones(2,8), loc=torch.ones(2,6,8), grid=(2,3))
test_eq(f.keep().all().item(), True)
test_eq(f.map(lambda x: x*2).glob.sum(), 32.)
test_eq(f.map(lambda x: x*2).grid, (2,3))

# %% [20] An aligner
from medvl.core import (Out)

# %% [22] An aligner
from medvl.core import (Aligner)

# %% [26] An aligner
class Tiny(Aligner):
    weights = {'pull': 2.}
    def __init__(self):
        super().__init__()
        self.v, self.t = nn.Linear(64, 4), nn.Embedding(10, 4)
    def encode_image(self, img, msk=None):
        v = self.v(img.flatten(-3))
        return Feat(glob=nn.functional.normalize(v.mean(1) if img.ndim == 5 else v, dim=-1))
    def encode_text(self, txt, msk=None, word=None):
        return Feat(glob=nn.functional.normalize(self.t(txt).mean(1), dim=-1))
    def forward(self, batch):
        b = Batch.of(batch)
        i, t = self.encode_image(b.img, b.img_msk), self.encode_text(b.txt)
        return Out({'pull': (1-(i.glob*t.glob).sum(-1)).mean()}, i, t)

m = Tiny(); out = m(dict(b))
test_close(m.loss(out).item(), 2*out.terms['pull'].item()); test_eq(out.n, {})  # `pull` is a mean over the batch
test_close(out.img.glob.norm(dim=-1), torch.ones(2), eps=1e-5)
test_fail(lambda: m.loss(Out({})), contains='no loss term')
test_is(m.maps(out.img, out.txt), None)  # no maps of its own, and no cells either
test_close(m.scores(out.img, out.txt)['glob'], out.img.glob @ out.txt.glob.T)
test_eq(m.grounds_by, 'glob')
test_fail(lambda: m.before_head(torch.zeros(2, 1, 8, 8)), contains='no tower `vision`')

# %% [28] A registry
from medvl.core import (Registry, methods)

# %% [29] A registry
r = Registry('thing', path='pathlib:Path')
test_eq(r['path'], Path)
r.add('one', 1); test_eq(r['one'], 1)
test_fail(lambda: r['pth'], contains='known: path')
test_eq('alta' in methods, True)

# %% [31] Seeds, devices, precision
from medvl.core import (seed_everything, default_device)

# %% [32] Seeds, devices, precision
seed_everything(7); a = (random.random(), np.random.rand(), torch.rand(1).item())
seed_everything(7); test_eq(a, (random.random(), np.random.rand(), torch.rand(1).item()))

# %% [34] Seeds, devices, precision
from medvl.core import (best_precision)

# %% [35] Seeds, devices, precision
def cpu_with(**has): return patch.multiple(torch.cpu, create=True, **{k: lambda v=v: v for k,v in has.items()})
none = dict(_is_avx512_bf16_supported=False, _is_amx_tile_supported=False)
with cpu_with(**none): test_eq(best_precision(), 'fp32')
with cpu_with(**{**none, '_is_amx_tile_supported': True}): test_eq(best_precision('cpu'), 'bf16')
for can, said in ((True,'bf16'), (False,'fp16')): # a GPU is only imitated here
    with patch('torch.cuda.is_bf16_supported', lambda **kw: can): test_eq(best_precision('cuda:0'), said)
test_eq(best_precision('mps'), 'fp32')
