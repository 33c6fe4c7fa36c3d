# nbs/00_core.ipynb: runs against the imported medvl.core.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Core
import errno, importlib, json, os, random, shutil, subprocess, time
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Callable, Iterator, Mapping
import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

# %% [4] Core
import tempfile
from types import SimpleNamespace
from unittest.mock import patch
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

# %% [13] A batch
from medvl.core import (Batch)

# %% [14] A batch
b = Batch(img=torch.zeros(2,4,1,8,8), img_msk=torch.tensor([[1,0,0,0],[1,1,0,0]]).bool(), txt=torch.ones(2,5).long())
test_eq(b.bs, 2); test_eq(b.lbl, None)
img, msk = b.slots()
test_eq(img.shape, (2,4,1,8,8)); test_eq(msk.sum().item(), 3)
test_eq(Batch(img=torch.zeros(2,1,8,8)).slots()[1].shape, (2,1))
test_fail(lambda: b.lables, contains='no field')

# %% [16] Features
from medvl.core import (Feat)

# %% [17] Features
f = Feat(glob=torch.ones(2,8), loc=torch.ones(2,6,8), grid=(2,3))
test_eq(f.keep().all().item(), True)
test_eq(f.map(lambda x: x*2).glob.sum(), 32.)
test_eq(f.map(lambda x: x*2).grid, (2,3))

# %% [20] An aligner
from medvl.core import (Out, Aligner)

# %% [22] An aligner
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

# %% [24] A registry
from medvl.core import (Registry, methods)

# %% [25] A registry
r = Registry('thing', path='pathlib:Path')
test_eq(r['path'], Path)
r.add('one', 1); test_eq(r['one'], 1)
test_fail(lambda: r['pth'], contains='known: path')
test_eq('alta' in methods, True)

# %% [27] Seeds, devices, precision
from medvl.core import (seed_everything, default_device)

# %% [28] Seeds, devices, precision
seed_everything(7); a = (random.random(), np.random.rand(), torch.rand(1).item())
seed_everything(7); test_eq(a, (random.random(), np.random.rand(), torch.rand(1).item()))

# %% [30] Seeds, devices, precision
from medvl.core import (best_precision)

# %% [31] Seeds, devices, precision
def cpu_with(**has): return patch.multiple(torch.cpu, create=True, **{k: lambda v=v: v for k,v in has.items()})
none = dict(_is_avx512_bf16_supported=False, _is_amx_tile_supported=False)
with cpu_with(**none): test_eq(best_precision(), 'fp32')
with cpu_with(**{**none, '_is_amx_tile_supported': True}): test_eq(best_precision('cpu'), 'bf16')
for can, said in ((True,'bf16'), (False,'fp16')): # a GPU is only imitated here
    with patch('torch.cuda.is_bf16_supported', lambda **kw: can): test_eq(best_precision('cuda:0'), said)
test_eq(best_precision('mps'), 'fp32')

# %% [33] What a run leaves behind
from medvl.core import (_full, written)

# %% [34] What a run leaves behind
with tempfile.TemporaryDirectory() as d:
    p, new = Path(d)/'new/a.txt', Path(d)/'new/run'
    with written(p) as part: part.write_text('old')
    def half(e):
        with written(p) as part: part.write_text('new'); raise e
    test_fail(lambda: half(ValueError('mine')), contains='mine')                     # any other error stays as it is
    test_fail(lambda: half(OSError(errno.ENOSPC, 'full')), contains='a.txt could not be written: the disk is full')
    with patch('shutil.disk_usage', lambda d: SimpleNamespace(free=4096)):           # torch says nothing of the disk
        test_fail(lambda: half(RuntimeError('unexpected pos')), contains='the disk is full')
    with written(new) as part: part.mkdir(); (part/'x').write_text('1')                   # a folder as well
    test_eq((p.read_text(), sorted(o.name for o in p.parent.iterdir())), ('old', ['a.txt', 'run']))

# %% [36] What a run leaves behind
from medvl.core import (_git, _version, provenance, jsonable, save_json)

# %% [37] What a run leaves behind
with tempfile.TemporaryDirectory() as d:
    p = save_json(Path(d)/'new/results.json', dict(x=torch.ones(2), y=np.float32('nan'), where=Path('a')))
    test_eq(json.loads(p.read_text()), {'x': [1.,1.], 'y': None, 'where': 'a'})
    test_eq([o.name for o in p.parent.iterdir()], ['results.json'])
sorted(provenance())

# %% [39] Where things are cached
from medvl.core import (cache_dir)

# %% [40] Where things are cached
with tempfile.TemporaryDirectory() as d:
    old = os.environ.get('MEDVL_CACHE'); os.environ['MEDVL_CACHE'] = d
    test_eq(cache_dir('films','v1'), Path(d)/'films'/'v1')
    os.environ.pop('MEDVL_CACHE') if old is None else os.environ.update(MEDVL_CACHE=old)
