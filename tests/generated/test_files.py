# nbs/01_files.ipynb: runs against the imported medvl.files.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Files
import errno, json, os, shutil, subprocess, time
from contextlib import contextmanager
from dataclasses import fields
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Iterator, Mapping
import numpy as np
import torch
from torch import Tensor
from medvl.core import MedvlError, default_device

# %% [4] Files
import tempfile
from types import SimpleNamespace
from unittest.mock import patch
from fastcore.test import *

# %% [6] Atomic writes
from medvl.files import (_full, written)

# %% [7] Atomic writes
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

# %% [9] Atomic writes
from medvl.files import (_git, _version, provenance, jsonable, save_json)

# %% [10] Atomic writes
with tempfile.TemporaryDirectory() as d:
    p = save_json(Path(d)/'new/results.json', dict(x=torch.ones(2), y=np.float32('nan'), where=Path('a')))
    test_eq(json.loads(p.read_text()), {'x': [1.,1.], 'y': None, 'where': 'a'})
    test_eq([o.name for o in p.parent.iterdir()], ['results.json'])
sorted(provenance())

# %% [12] Where things are cached
from medvl.files import (cache_dir)

# %% [13] Where things are cached
with tempfile.TemporaryDirectory() as d:
    old = os.environ.get('MEDVL_CACHE'); os.environ['MEDVL_CACHE'] = d
    test_eq(cache_dir('films','v1'), Path(d)/'films'/'v1')
    os.environ.pop('MEDVL_CACHE') if old is None else os.environ.update(MEDVL_CACHE=old)
