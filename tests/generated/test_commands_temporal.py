# nbs/commands/18_temporal.ipynb: runs against the imported medvl.commands.temporal.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Change between two visits, as a command
import json
from collections import defaultdict
from pathlib import Path
from typing import Any, Literal
import typer
from medvl.command import close_run, command, open_run
from medvl.commands.data import read, units
from medvl.commands.eval import Scoring, app, eval_loader, loaded, settled

# %% [4] Change between two visits, as a command
import os, tempfile
import numpy as np
from unittest import mock
from fastcore.test import *
from typer.testing import CliRunner
from medvl.commands import train
from medvl.core import MedvlError
from medvl.files import save_json
from medvl.data.manifest import write_manifest
from medvl.phantom.export import export_set
from medvl.phantom.set import phantom_studies

# %% [6] Pairs and what is said of them
from medvl.commands.temporal import (pairs_of, told, file_changes, phantom_changes)

# %% [7] Pairs and what is said of them
studies = phantom_studies(80, size=64, cache=False)
smp = pairs_of(studies)
print(len(smp), 'pairs of', len(studies), 'studies')
assert all(s.slots[2].id == s.study.prior.frontals[0].id for s in smp)
said = told('report', smp)
print({k: [v.count(o) for o in ('improved','stable','worsened')] for k, v in list(said.items())[:4]})
one = next(i for i, o in enumerate(said['pleural effusion']) if o)
print(said['pleural effusion'][one], '|', [o for o in smp[one].text.split('.') if 'effusion' in o][:1])
test_eq(len(said['pleural effusion']), len(smp))
a, b = smp[0].slots[0].id, smp[0].slots[2].id
test_eq([o and o.id for o in pairs_of(studies, {a: b})[0].slots], [a, None, b, None])
test_fail(lambda: pairs_of(studies, {a: 'x9'}), contains='1 films of the table are not frontals of the set, e.g. x9')
test_fail(lambda: pairs_of([s for s in studies if not s.prior]), contains='has a frontal and a prior')
test_fail(lambda: told('column:cue', smp), contains="no film has a column 'cue'")
test_fail(lambda: told('nothing.csv', smp), contains='neither report, nor column:NAME, nor a file')

# %% [9] Pairs and what is said of them
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
true = told('truth.jsonl', smp)
n = sum(x is not None and y is not None for x, y in zip(true['pleural effusion'], said['pleural effusion']))
print({k: [v.count(o) for o in ('improved','stable','worsened')] for k, v in true.items()}, n)
(root/'t.csv').write_text('dicom_id,previous_dicom_id,pleural_effusion_progression,edema_progression\n'
                          f'{a},{b},improving,\n')
test_eq({k: v[0] for k, v in told('t.csv', smp).items()}, {'pleural effusion': 'improving'})
(root/'u.csv').write_text(f'dicom_id,change\n{a},improving\n')
test_fail(lambda: told('u.csv', smp), contains='no column ends in _progression; there are dicom_id, change')

# %% [11] Features
from medvl.commands.temporal import (film_features)

# %% [13] Features
from medvl.commands.temporal import (eval_temporal)

# %% [15] Features
env = mock.patch.dict(os.environ, MEDVL_CACHE=os.path.abspath('cache')); env.start()
medvl = typer.Typer(); medvl.add_typer(train.app); medvl.add_typer(app, name='eval')    # as `medvl` itself does it
def run(*args):
    r = CliRunner().invoke(medvl, list(map(str, args)), catch_exceptions=False)
    return r.exit_code, r.output
data = write_manifest(studies, root/'set/manifest.csv')
code, out = run('align', 'clip', '--data', data, '--out', root/'clip', *'--slots current --bs 4 --samples 4 '
                '--epochs 1 --warmup 0 --precision fp32 --vocab 200 --max-len 24'.split())
test_eq(code, 0)
args = ['eval', 'temporal', '--model', root/'clip', '--data', data, '--folds', 3, '--n-boot', 100]
code, out = run(*args, '--labels', 'truth.jsonl', '--out', root/'truth')
print(out); test_eq(code, 0)
res = json.loads((root/'truth/results.json').read_text())['temporal']
judged = sum(any(w[i] for w in told('truth.jsonl', smp).values()) for i in range(len(smp)))
test_eq((res['pairs'], res['folds'], res['how']), (judged, 3, 'both')); assert 'consolidation' in res['findings']
for r in res['findings'].values(): assert 0 <= r['macro_accuracy']['value'] <= 1 and len(r['C']) <= 3

# %% [17] Features
code, out = run(*args, '--labels', 't.csv', '--out', root/'one')
print(out.splitlines()[-2:]); test_eq(code, 0); assert 'not computable' in out and '1 pairs of 1 patients' in out
for what, want in [('column:cue', "no film has a column 'cue'"), ('n.csv', 'n.csv')]:
    code, out = run(*args, '--labels', what, '--out', root/'no')
    test_eq(code, 2); assert want in out
env.stop(); os.chdir(home); tmp.cleanup()
