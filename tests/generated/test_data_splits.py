# nbs/data/32_splits.ipynb: runs against the imported medvl.data.splits.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Splits, folds and leakage
import csv, re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
import numpy as np
import pandas as pd
import xxhash
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm
from medvl.core import MedvlError
from medvl.files import written
from medvl.data.identity import doubtful, say_doubtful
from medvl.data.pixels import ImageError, phash
from medvl.data.show import Rows
from medvl.data.study import Sample, Study, View
from medvl.data.table import read_table

# %% [4] Splits, folds and leakage
import os, tempfile
from dataclasses import replace
import torch
from torch.nn.functional import interpolate
from fastcore.test import *
from medvl.data.study import samples
from medvl.phantom.set import phantom_studies

# %% [6] A split by patient
from medvl.data.splits import (split_by_patient)

# %% [7] A split by patient
def visit(p, s, t, **kw): return Study(p, s, t, [View(id=f'{s}0')], **kw)
many = split_by_patient([visit(f'p{i}', f's{i}', 0.) for i in range(5000)])
n = Counter(o.split for o in many); print(dict(n))
test_close(np.array([n['train'], n['val'], n['test']])/5000, [.7,.1,.2], eps=.02)
few = split_by_patient([visit(f'p{i}', f't{i}', 1.) for i in range(0,5000,7)])
test_eq([o.split for o in few], [o.split for o in many[::7]])                   # the others don't matter
test_eq({o.split for o in split_by_patient([visit('p1','a',0.,group='g'), visit('p2','b',0.,group='g')])},
        {split_by_patient([visit('g','c',0.)])[0].split})
test_ne([o.split for o in split_by_patient(few, salt='other')], [o.split for o in many[::7]])
said = []; hidden = split_by_patient([visit('0',f'x{i}',None) for i in range(40)]+[visit('p1','a',0.)],
    say=said.append)
test_eq(len({o.split for o in hidden[:40]}), 1); print(said[0])
assert said[0].startswith("split: 40 of 41 studies have an id that is no proof of one person ('0': a placeholder)")
test_fail(lambda: split_by_patient(few, train=.9), contains='0.9+0.1+0.2 = 1.2')

# %% [9] The fold of a group
from medvl.data.splits import (fold_of, without)

# %% [11] The fold of a group
n = Counter(fold_of(f'p{i}') for i in range(1000))
print(dict(sorted(n.items())))
assert set(n) == set(range(5)) and min(n.values()) > 160
test_eq(fold_of('p7'), fold_of('p7')); assert any(fold_of(f'p{i}') != fold_of(f'p{i}', salt='b') for i in range(9))
test_eq({fold_of(f'p{i}', 2) for i in range(20)}, {0,1})
test_fail(lambda: fold_of('p', 1), contains='1 folds; expected 2 or more')

studies = phantom_studies(12, size=64, cache=False)
mute = studies[0].group
for s in studies:
    if s.group == mute: s.report = ''
test_eq(without(studies), {mute})
test_eq(len(without(studies, text=False)), 11)

# %% [13] A split in a file
from medvl.data.splits import (write_splits, use_splits)

# %% [14] A split in a file
tmp = tempfile.TemporaryDirectory()
split = {s.group: 'test' if s is studies[-1] else 'train' for s in studies[5:]}
file = write_splits(Path(tmp.name)/'fold/splits.csv', split)
print(file.read_text())
kept = use_splits(studies, file)
test_eq({s.group for s in kept}, {s.group for s in studies[5:]})
test_eq({s.group for s in kept if s.split == 'test'}, {studies[-1].group})
assert all(s.split is None for s in studies if s.group not in {o.group for o in kept})

# %% [16] A split in a file
own = kept[0].group
for rows, want in [([f'{own},dev'], "row 2: split is 'dev'"),
                   ([f'{own},train', 'p-else,test'], 'row 3: the set has no'),
                   ([f'{own},train', f'{own},test'], 'row 3: group .* is there already')]:
    file.write_text('\n'.join(['group,split', *rows])+'\n')
    with ExceptionExpected(MedvlError, regex=want): use_splits(studies, file)
tmp.cleanup()

# %% [18] The splits of a fold
from medvl.data.splits import (fold_splits)

# %% [19] The splits of a fold
groups = [f'p{i}' for i in range(40)]
each = [fold_splits(groups, i) for i in range(5)]
print([Counter(o.values()) for o in each][:2])
test_eq(Counter(g for o in each for g in o if o[g] == 'test'), {g: 1 for g in groups})  # everybody once
both = fold_splits(groups, 4, val=True)
test_eq({fold_of(g) for g in groups if both[g] == 'val'}, {0})
test_eq(*({g for g in o if o[g] == 'test'} for o in (both, each[4])))
test_fail(lambda: fold_splits(groups, 5), contains='fold 5 of 5')
test_fail(lambda: fold_splits(['p1'], fold_of('p1')), contains='nobody of 1 groups is in train')

# %% [21] Leakage
from medvl.data.splits import (near_pairs, fingerprint, alike)

# %% [22] Leakage
h = np.array([0b0000, 0b0111, 0b1111], np.uint64)
test_eq([list(o) for o in near_pairs(h, h, 1)], [[0,1,1,2,2], [0,1,2,1,2]])
test_eq(near_pairs(h[:0], h, 1)[0].size, 0)
rng = np.random.default_rng(0); big = rng.integers(0, 2**63, (3000,), dtype=np.uint64)
slow = [(i,j) for i,x in enumerate(big[:300].tolist()) for j,y in enumerate(big.tolist()) if (x^y).bit_count() <= 18]
test_eq(list(zip(*near_pairs(big[:300], big, 18))), slow)
test_close(alike(np.array([[1,2,3],[1,2,3]]), np.array([[10,20,30],[3,2,1]])), [1,-1])

# %% [24] Leakage
from medvl.data.splits import (LEAKS, Leakage, crossings)

# %% [25] Leakage
rows, n = crossings('text', [('x','train','1'), ('x','train','2'), ('x','test','3'), ('y','val','4')])
test_eq(n, 2); test_eq(rows, [dict(kind='text', key='x', a='1', split_a='train', b='3', split_b='test')])

# %% [26] Leakage
from medvl.data.splits import (plain, leakage, attempt, near_films)

# %% [28] Leakage
gen = np.random.default_rng(3)
def drawn():
    "A smooth random picture."
    soft = interpolate(torch.from_numpy(gen.random((1,1,9,8))), (96,80), mode='bicubic').clamp(0, 1)
    return np.uint8(255*soft[0,0].numpy())
def study(i, split, **kw):
    return Study(f'p{i}', f's{i}', float(i), [View(id=f'f{i}', px=drawn())], f'Report number {i}.', split=split, **kw)
clean = [study(i, s) for i,s in enumerate(['train']*3+['val']+['test']*2)]
rep = leakage(clean, near=8); print(rep); test_eq(rep.ok, True); test_eq(len(rep.table()), 0)

copy = Study('p7', 's7', 0., [View(id='copy', px=clean[0].views[0].px)], split='test')
dark = Study('p8', 's8', 0., [View(id='dark', px=np.uint8(clean[1].views[0].px[::2,::2]*.7+10))],
             report='report NUMBER  1', split='test')
again = Study('p2', 's9', 4., [View(id='f9', px=drawn())], split='val')
rep = leakage(clean+[copy,dark,again], near=8); print(rep)
test_eq(rep.ok, False); test_eq(rep.count, dict(patient=1, group=1, film=1, near=2, text=1))
rep.table()

# %% [30] Leakage
test_eq(leakage(samples(clean+[copy,dark,again], say=None), near=8).count, rep.count)
alone = [replace(clean[0], report='Clear.'), replace(clean[4], report='CLEAR')]
test_eq((leakage(alone).ok, leakage(alone).count['text']), (True, 1)); print(leakage(alone))
gone = leakage([Study('a','a',None,[View(path='no/such.png', id='x')], split='train'), *clean]); print(gone)
test_eq('no/such.png' in gone.skipped['unreadable'], True)
masked = [replace(clean[0], patient='ANONYMOUS', group='ANONYMOUS'), replace(clean[4], patient='ANONYMOUS',
    group='ANONYMOUS')]
rep = leakage(masked); print(rep); test_eq((rep.ok, rep.unknown, rep.checked['patient']), (True, 2, 0))
assert str(rep).startswith('no leak found') and 'patient not looked at: 2 of 2 have an id' in str(rep)
test_eq('one split only' in str(leakage(clean[:2])), True)
rep = leakage(clean+[replace(clean[0], split=None, id='none')]); print(rep)  # without a split: takes no part
test_eq((rep.ok, rep.skipped['no split'], sum(rep.splits.values())), (True, f'1 of {len(clean)+1}', len(clean)))
