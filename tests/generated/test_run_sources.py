# nbs/run/12_sources.ipynb: runs against the imported medvl.run.sources.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Open unpaired sets
from pathlib import Path
from typing import Any
from medvl.run.data import impression, shown, units

# %% [4] Open unpaired sets
import os, tempfile
from types import SimpleNamespace
from fastcore.test import *
from medvl.data.manifest import write_manifest
from medvl.phantom.set import phantom_studies
from medvl.run.data import read

# %% [5] Open unpaired sets
from medvl.run.sources import (report_rows, alone, open_source)

# %% [7] Open unpaired sets
tmp, home, root = tempfile.TemporaryDirectory(), os.getcwd(), Path()
os.chdir(tmp.name)
made = phantom_studies(8, size=64, cache=False)
for i,s in enumerate(made):
    s.source = 'phantom'
    if i%2: s.report = ''
path = write_manifest(made, root/'set/manifest.csv')
studies = read(path)[0]; r = SimpleNamespace(per='image', slots='current', text='impression')
a = open_source(str(path), path, studies, r); print(a, a.left_out)
n = sum(len(s.frontals) for s in studies if s.split == 'train' and not s.report)
test_eq((a.name, a.kind, len(a.samples)), ('set', 'labels', n))
test_eq({s.split for s in a.samples}, {'train'})

# %% [8] Open unpaired sets
b = open_source(f'films={path}', path, studies, r); c = open_source(f'reports={path}', path, studies, r)
test_eq((b.name, len(b.samples)), ('set-films', sum(len(s.frontals) for s in studies if s.split == 'train')))
test_eq(len(c.samples), sum(bool(s.report) for s in studies if s.split == 'train'))
test_eq({any(s.slots) for s in c.samples}, {False}); assert all('IMPRESSION' not in s.text for s in c.samples)
for s in made: s.split = None                                    # the same films in another file, without splits
d = open_source(str(write_manifest(made, root/'more/manifest.csv')), path, studies, r)
print(d, d.left_out)
test_eq({s.group for s in d.samples} & {s.group for s in studies if s.split in ('val','test')}, set())
test_eq(d.left_out['held'], sum(s.split in ('val','test') for s in studies))

# %% [10] Open unpaired sets
(root/'notes.csv').write_text('patient_id,text\na,No effusion.\nb,Small left effusion.\n')
e = open_source('notes.csv', path, studies, r); print(e)
test_eq((e.kind, [s.text for s in e.samples]), ('reports', ['No effusion.', 'Small left effusion.']))
test_fail(lambda: open_source('labels=notes.csv', path, studies, r), contains='notes-labels has no films with labels')
(root/'bad.csv').write_text('patient_id,words\na,b\n')
test_fail(lambda: open_source('bad.csv', path, studies, r), contains='no column image, report or text')
(root/'bad.csv').write_text('text\nno effusion\n""\n')
test_fail(lambda: open_source('bad.csv', path, studies, r), contains="row 3, column 'text': ''; expected words")
os.chdir(home); tmp.cleanup()
