# nbs/run/31_published.ipynb: runs against the imported medvl.run.published.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Published tests on your copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from medvl.run.data import read, read_rsna_set, units
from medvl.run.score import Scoring, eval_loader

# %% [4] Published tests on your copy
import tempfile
import numpy as np
from fastcore.test import *
from medvl.data.study import Sample, Study, View

# %% [6] Names
from medvl.run.published import (protocols_of)

# %% [7] Names
test_eq([p.id for p in protocols_of('chexpert5x200')], ['chexpert5x200-i2t-v1','chexpert5x200-zs-v1'])
test_eq([p.id for p in protocols_of('rsna-zs-v1')], ['rsna-zs-v1'])
test_fail(lambda: protocols_of('rsna-zs'), contains="no protocol 'rsna-zs'; there are chexpert5x200-i2t-v1")

# %% [9] The sets
from medvl.run.published import (Asked, five)

# %% [11] The sets
from medvl.run.published import (eight)

# %% [13] The sets
from medvl.run.published import (rsna)

# %% [15] Scoring a model
from medvl.run.published import (there)

# %% [16] Scoring a model
def one(id, **kw):
    v = View(id=id, **kw); return Sample((v,None,None,None), '', id, 'p', 'p', 'test', {}, Study('p', id, views=[v]))
good, gone = one('a', px=np.arange(80*64, dtype=np.uint8).reshape(80, 64)), one('b', path='gone.png')
small = dict(extra=dict(preset=dict(name='page', size=64, resize=64, decode=64, mean=.48, std=.28)))
with tempfile.TemporaryDirectory() as d:
    s = Asked([gone, good], [0, 1], ['q','r'], [0, 1], [], {})
    s = there(s, None, small, Scoring(errors='skip', cache=Path(d)))
test_eq((s.films, s.cls, s.queries, s.cls_q, s.said), ([good], [1], ['q','r'], [0, 1], dict(unreadable=1)))

# %% [17] Scoring a model
from medvl.run.published import (ask, num, in_line)

# %% [18] Scoring a model
test_eq(num(dict(value=.5, low=.25, high=None)), '0.500 [0.250, -]')
print(in_line(dict(protocol='x-v1', hash='ab12', set='cd', films=9, chance=.2, 
                   metrics={'P@5': dict(value=.3, low=.1, high=.4)})))
