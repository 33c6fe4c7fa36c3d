# nbs/run/32_change.ipynb: runs against the imported medvl.run.change.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Change between two visits
import json
from collections import defaultdict
from pathlib import Path
from typing import Any
from medvl.run.data import units
from medvl.run.score import Scoring, eval_loader

# %% [4] Change between two visits
import os, tempfile
import numpy as np
from dataclasses import replace
from fastcore.test import *
from medvl.core import MedvlError
from medvl.data.study import View
from medvl.phantom.export import export_set
from medvl.phantom.set import phantom_studies

# %% [6] Pairs and their labels
from medvl.run.change import (pairs_of, changes_of, file_changes, phantom_changes)

# %% [7] Pairs and their labels
studies = phantom_studies(80, size=64, cache=False)
smp = pairs_of(studies)
print(len(smp), 'pairs of', len(studies), 'studies')
assert all(s.slots[2].id == s.study.prior.frontals[0].id for s in smp)
said = changes_of('report', smp)
print({k: [v.count(o) for o in ('improved','stable','worsened')] for k, v in list(said.items())[:4]})
one = next(i for i, o in enumerate(said['pleural effusion']) if o)
print(said['pleural effusion'][one], '|', [o for o in smp[one].text.split('.') if 'effusion' in o][:1])
test_eq(len(said['pleural effusion']), len(smp))
a, b = smp[0].slots[0].id, smp[0].slots[2].id
test_eq([o and o.id for o in pairs_of(studies, {a: b})[0].slots], [a, None, b, None])
test_fail(lambda: pairs_of(studies, {a: 'x9'}), contains='1 films of the table are not frontals of the set, e.g. x9')
test_fail(lambda: pairs_of([s for s in studies if not s.prior]), contains='has a frontal and a prior')
test_fail(lambda: changes_of('column:cue', smp), contains="no film has a column 'cue'")
test_fail(lambda: changes_of('nothing.csv', smp), contains='neither report, nor column:NAME, nor a file')

# %% [9] Pairs and their labels
tmp, home, root = tempfile.TemporaryDirectory(), os.getcwd(), Path()
os.chdir(tmp.name)
with open('truth.jsonl', 'w') as f:
    for s in studies: f.write(json.dumps(dict(study=s.id, info=dict(state=s.info['state'])))+'\n')
export_set('export', 3, size=32, masks=False, bar=False)                     # as `medvl phantom` writes it
by_study = file_changes(Path('export/truth.jsonl'))[1]
test_eq({k: o for k, o in by_study.items() if o},
        {s.id: phantom_changes(s.info['state']) for s in phantom_studies(3, size=32, cache=False) if s.prior})
gone = dict(change={'effusion-left': 'stable', 'effusion-right': 'resolved', 'edema': 'worse', 'nodule-left': 'new'})
test_eq(phantom_changes(gone), {'pleural effusion': 'improved', 'edema': 'worsened', 'lung lesion': 'worsened'})
true = changes_of('truth.jsonl', smp)
n = sum(x is not None and y is not None for x, y in zip(true['pleural effusion'], said['pleural effusion']))
print({k: [v.count(o) for o in ('improved','stable','worsened')] for k, v in true.items()}, n)
(root/'t.csv').write_text('dicom_id,previous_dicom_id,pleural_effusion_progression,edema_progression\n'
                          f'{a},{b},improving,\n')
test_eq({k: v[0] for k, v in changes_of('t.csv', smp).items()}, {'pleural effusion': 'improving'})
(root/'u.csv').write_text(f'dicom_id,change\n{a},improving\n')
test_fail(lambda: changes_of('u.csv', smp), contains='no column ends in _progression; there are dicom_id, change')
os.chdir(home); tmp.cleanup()

# %% [11] Features
from medvl.run.change import (_side, readable_pairs, film_features)

# %% [12] Features
from medvl.data.tokens import train_tokenizer
from medvl.run.train import build
tok = train_tokenizer([s.report for s in studies], 300); m = build('clip', given=dict(dim=32), tok=tok)
clip = m, tok, dict(extra=dict(preset=m.config['preset'], max_len=24))
with tempfile.TemporaryDirectory() as d:
    now, then = (film_features(clip, smp[:6], k, 'tower', Scoring(cache=Path(d))) for k in (0, 2))
    lost = replace(smp[1], slots=(smp[1].slots[0], None, View(id='x', path='gone.png'), None))
    test_eq(readable_pairs(clip, [smp[0], lost, smp[2]], Scoring(errors='skip', cache=Path(d))), [0, 2])
    test_fail(lambda: readable_pairs(clip, [lost], Scoring(cache=Path(d))), contains='no such file')
test_eq((now.shape, then.shape), ((6, m.vision.width),)*2); test_ne(now.tolist(), then.tolist())
