# nbs/commands/14_crossval.ipynb: runs against the imported medvl.commands.crossval.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Cross-validation
import json, shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal
import typer
from medvl.command import LOOK, close_run, command, open_run, save_figure
from medvl.commands.data import read, units
from medvl.commands.eval import Scoring, eval_loader, loaded
from medvl.commands.train import Training, train

# %% [4] Cross-validation
import os, tempfile
from unittest import mock
from fastcore.test import *
from typer.testing import CliRunner
from medvl.core import MedvlError
from medvl.data.manifest import write_manifest
from medvl.phantom.set import phantom_studies

# %% [5] Cross-validation
from medvl.commands.crossval import (app)

# %% [7] What is trained
from medvl.commands.crossval import (PLAN, plan_of, systems)

# %% [8] What is trained
plan = plan_of(['alta.epochs=40','*.lr=3e-4','clip.set.dim=64','mine.method=gloria'], leave=['clip_mrm'])
for k, v in plan.items(): print(k, v)
test_eq(systems(plan), ['alta','clip','mine']); test_eq(plan['alta']['epochs'], 40)
test_eq((plan['clip']['set'], plan['mrm']['lr'], plan['mine']['method']), (['dim=64'], 3e-4, 'gloria'))
test_eq(PLAN['alta']['set'], ['also=["text.*"]'])                                # nothing of it was changed
for bad in ('alta.epoch=3', 'blip.lr=1', 'alta', 'alta.set=1', 'clip.seed=3'):
    test_fail(lambda: plan_of([bad]), contains=f'--run {bad!r}: expected')
test_fail(lambda: plan_of(leave=['mrm']), contains="alta starts from 'mrm', which is not trained here")
mine = plan_of(leave=['clip'], start=Path.cwd()); test_eq(list(mine), ['alta','clip_mrm'])
test_eq((mine['alta']['init'], systems(mine)), (str(Path.cwd()), ['alta','clip_mrm']))
test_fail(lambda: plan_of(start=Path('none.pth')), contains="alta starts from 'none.pth', which is not trained here")

# %% [10] Where things lie
from medvl.commands.crossval import (Folds)

# %% [12] Where things lie
from medvl.commands.crossval import (shared)

# %% [13] Where things lie
tmp, home, root = tempfile.TemporaryDirectory(), os.getcwd(), Path()
os.chdir(tmp.name)
env = mock.patch.dict(os.environ, MEDVL_CACHE=os.path.abspath('cache')); env.start()
studies = phantom_studies(16, size=64, cache=False)
silent = sorted({s.group for s in studies})[:4]
for s in studies:
    if s.group in silent: s.report = ''
data = write_manifest(studies, root/'set/manifest.csv')
f = Folds(data, root/'cv', plan_of(leave=['clip_mrm']), k=2, pretrain='once')
print(f.write(studies)); print(shared(studies, f))
test_eq((f.dir('mrm', 1), f.dir('clip', 1)), (root/'cv/mrm', root/'cv/fold-1/clip'))
test_eq((root/'cv/pretraining.csv').read_text().split()[1:], [f'{g},train' for g in silent])
who = [dict(o.split(',') for o in (root/f'cv/fold-{i}/splits.csv').read_text().split()[1:]) for i in (0,1)]
test_eq(len(who[0]), 12); assert all({who[0][g], who[1][g]} == {'train','test'} for g in who[0])
assert shared(studies, f).ok

# %% [15] Where things lie
from dataclasses import replace
one, two = (next(s for s in studies if who[i].get(s.group) == 'test') for i in (0,1))
leak = shared([o for o in studies if o is not two]+[replace(two, views=[replace(one.views[0], id='copy')])], f)
print(leak); test_eq((leak.ok, leak.count['film']), (False, 1))
test_fail(lambda: Folds(data, root/'x', f.plan, pretrain='once').write([s for s in studies if s.report]),
          contains='every patient has a text')

# %% [17] A training, and its answers
from medvl.commands.crossval import (trained, answers)

# %% [19] `medvl crossval`
from medvl.commands.crossval import (crossval)

# %% [20] `medvl crossval`
from medvl.commands.crossval import (in_lines)

# %% [22] `medvl crossval`
TINY = [f'--run={o}' for o in ('*.bs=4','*.samples=4','*.epochs=1','*.warmup=0','*.precision=fp32','*.vocab=200',
                               '*.max_len=24')]
args = ['--data', data, '--folds', 2, '--pretrain', 'once', '--leave', 'clip_mrm', '--n-boot', 200, '--out', root/'cv']
def medvl(*more):
    r = CliRunner().invoke(app, [str(o) for o in (*args, *TINY, *more)], catch_exceptions=False)
    return r.exit_code, r.output
shutil.rmtree(root/'cv')
code, said = medvl(); test_eq(code, 0)
print(said[said.index('queries')-4:])
res = json.loads((root/'cv/results.json').read_text())
n = sum(len(s.frontals) for s in studies if s.report)
test_eq({k: o['queries'] for k, o in res['systems'].items()}, dict(alta=n, clip=n))         # every frontal once
test_eq((res['systems']['clip']['patients'], list(res['differences'])), (12, ['alta - clip']))
assert res['leakage']['ok']
assert (root/'cv/crossval.png').exists() and (root/'cv/fold-1/alta/model/model.safetensors').exists()
m = json.loads((root/'cv/mrm/results.json').read_text())
test_eq((m['data']['samples']['train'], m['data']['with_text']['train']),
        (sum(len(s.frontals)+len(s.laterals) for s in studies if not s.report), 0))

# %% [24] `medvl crossval`
shutil.rmtree(root/'cv/fold-1/clip')
code, said = medvl(); test_eq((code, said.count('done before')), (0, 5))
test_eq(json.loads((root/'cv/results.json').read_text())['systems'], res['systems'])
code, said = medvl('--run=alta.epochs=2'); print(said.splitlines()[-1])
test_eq(code, 2); assert 'holds another run: epochs was 1, is 2' in said

# %% [26] `medvl crossval`
begin = ['--leave', 'clip', '--out', root/'cv2', '--start', root/'cv/mrm', '--run=*.tokenizer=train',
         '--run=alta.set.text=bert-small']
code, said = medvl(*begin); test_eq(code, 0)
test_eq(sorted(o.name for o in (root/'cv2').iterdir() if o.is_dir()), ['fold-0', 'fold-1'])
two = json.loads((root/'cv2/results.json').read_text()); test_eq(list(two['systems']), ['alta'])
was = json.loads((root/'cv2/fold-0/alta/run.json').read_text())['arguments']
test_eq(was['init'], str((root/'cv/mrm').resolve()))
code, said = medvl(*begin, '--start', root/'cv'); test_eq(code, 2); assert 'holds another run: init was' in said
env.stop(); os.chdir(home); tmp.cleanup()
