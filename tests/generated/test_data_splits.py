# nbs/data/32_splits.ipynb: runs against the imported medvl.data.splits.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Folds
import csv
from collections.abc import Iterable, Mapping
from pathlib import Path
import xxhash
from medvl.core import MedvlError
from medvl.files import written
from medvl.data.study import Study
from medvl.data.table import read_table

# %% [4] Folds
import os, tempfile
from collections import Counter
from fastcore.test import *
from medvl.phantom.set import phantom_studies

# %% [6] The fold of a group
from medvl.data.splits import (fold_of, without)

# %% [8] The fold of a group
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

# %% [10] A split in a file
from medvl.data.splits import (write_splits, use_splits)

# %% [11] A split in a file
tmp = tempfile.TemporaryDirectory()
split = {s.group: 'test' if s is studies[-1] else 'train' for s in studies[5:]}
file = write_splits(Path(tmp.name)/'fold/splits.csv', split)
print(file.read_text())
kept = use_splits(studies, file)
test_eq({s.group for s in kept}, {s.group for s in studies[5:]})
test_eq({s.group for s in kept if s.split == 'test'}, {studies[-1].group})
assert all(s.split is None for s in studies if s.group not in {o.group for o in kept})

# %% [13] A split in a file
own = kept[0].group
for rows, want in [([f'{own},dev'], "row 2: split is 'dev'"),
                   ([f'{own},train', 'p-else,test'], 'row 3: the set has no'),
                   ([f'{own},train', f'{own},test'], 'row 3: group .* is there already')]:
    file.write_text('\n'.join(['group,split', *rows])+'\n')
    with ExceptionExpected(MedvlError, regex=want): use_splits(studies, file)
tmp.cleanup()

# %% [15] The splits of a fold
from medvl.data.splits import (fold_splits)

# %% [16] The splits of a fold
groups = [f'p{i}' for i in range(40)]
each = [fold_splits(groups, i) for i in range(5)]
print([Counter(o.values()) for o in each][:2])
test_eq(Counter(g for o in each for g in o if o[g] == 'test'), {g: 1 for g in groups})  # everybody once
both = fold_splits(groups, 4, val=True)
test_eq({fold_of(g) for g in groups if both[g] == 'val'}, {0})
test_eq(*({g for g in o if o[g] == 'test'} for o in (both, each[4])))
test_fail(lambda: fold_splits(groups, 5), contains='fold 5 of 5')
test_fail(lambda: fold_splits(['p1'], fold_of('p1')), contains='nobody of 1 groups is in train')
