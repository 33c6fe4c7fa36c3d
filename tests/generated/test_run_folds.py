# nbs/run/52_folds.ipynb: runs against the imported medvl.run.folds.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Runs by fold
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from medvl.core import MedvlError, methods
from medvl.data.splits import fold_of, fold_splits, leakage, without, write_splits
from medvl.eval.retrieval import Embeddings, embed
from medvl.files import jsonable, save_json
from medvl.run.data import read, units
from medvl.run.folder import found
from medvl.run.run import FREE_OF, Run, change, train_as
from medvl.run.score import Scoring, eval_loader, loaded

# %% [4] Runs by fold
import os, tempfile
from unittest import mock
from fastcore.test import *
from medvl.data.manifest import write_manifest
from medvl.phantom.set import phantom_studies

# %% [6] The plan
from medvl.run.folds import (LINES, plan_of, systems)

# %% [7] The plan
plan = plan_of(['alta.epochs=40','*.lr=3e-4','clip.set.dim=64','mine.method=gloria'], leave=['clip_mrm'])
for k, r in plan.items(): print(k, dict(method=r.method, init=r.init, epochs=r.epochs, lr=r.lr, model=r.model))
test_eq(systems(plan), ['alta','clip','mine']); test_eq(plan['alta'].epochs, 40)
test_eq((plan['clip'].model, plan['mrm'].lr, plan['mine'].method), (dict(dim=64), 3e-4, 'gloria'))
test_eq(LINES['alta'].model, dict(also=['text.*']))                              # nothing of it was changed
for bad in ('alta.epoch=3', 'blip.lr=1', 'alta', 'alta.set=1', 'clip.seed=3'):
    test_fail(lambda: plan_of([bad]), contains=f'--run {bad!r}: expected')
test_fail(lambda: plan_of(leave=['mrm']), contains="alta starts from 'mrm', which is not trained here")
mine = plan_of(leave=['clip'], start=Path.cwd()); test_eq(list(mine), ['alta','clip_mrm'])
test_eq((mine['alta'].init, systems(mine)), (str(Path.cwd()), ['alta','clip_mrm']))
test_fail(lambda: plan_of(start=Path('none.pth')), contains="alta starts from 'none.pth', which is not trained here")

# %% [9] Folders and leakage
from medvl.run.folds import (Folds)

# %% [11] Folders and leakage
from medvl.run.folds import (shared)

# %% [12] Folders and leakage
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

# %% [14] Folders and leakage
one, two = (next(s for s in studies if who[i].get(s.group) == 'test') for i in (0,1))
leak = shared([o for o in studies if o is not two]+[replace(two, views=[replace(one.views[0], id='copy')])], f)
print(leak); test_eq((leak.ok, leak.count['film']), (False, 1))
test_fail(lambda: Folds(data, root/'x', f.plan, pretrain='once').write([s for s in studies if s.report]),
          contains='every patient has a text')

# %% [16] A training and its scores
from medvl.run.folds import (trained, answers)

# %% [18] A training and its scores
TINY = ['*.bs=4','*.samples=4','*.epochs=1','*.warmup=0','*.precision=fp32','*.vocab=200','*.max_len=24',
        '*.slots=current']
f = Folds(data, root/'cv', plan_of(TINY, leave=['mrm','alta','clip_mrm']), k=2)
f.write(studies); trained(f, 'clip', 0); trained(f, 'clip', 0)
test_fail(lambda: trained(replace(f, plan=plan_of([*TINY, 'clip.lr=.1'], leave=['mrm','alta','clip_mrm'])), 'clip', 0),
          contains='holds another run: lr was')
emb, who = answers(f, 'clip', 0, Scoring(precision='fp32'))
table = dict(o.split(',') for o in (root/'cv/fold-0/splits.csv').read_text().split()[1:])
test_eq((len(emb), {table[g] for g in who}), (len(who), {'test'}))
test_eq(answers(f, 'clip', 0, Scoring())[1], who)                       # read, not made again

# %% [19] A training and its scores
from medvl.run.folds import (pool_lines)

# %% [20] A training and its scores
x = dict(queries=4, patients=2, folds=[{},{}], metrics=dict(R=.5), chance=dict(R=.25))
print(pool_lines(dict(a=x, b=x), {'a - b': dict(R=0.)}))
test_eq(len(pool_lines(dict(a=x, b=x), {'a - b': dict(R=0.)}).splitlines()), 5)
env.stop(); os.chdir(home); tmp.cleanup()
