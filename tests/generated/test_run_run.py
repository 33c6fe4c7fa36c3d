# nbs/run/40_run.ipynb: runs against the imported medvl.run.run.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] A run
import contextlib, io, json, os, shutil, time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal
from fastcore.basics import patch_to
from medvl.run.data import FILMS_OF, counts, read
from medvl.run.folder import alone, close_run, found, open_run, shipped
from medvl.run.score import TASKS, Scoring, loaded, settled
from medvl.run.train import build, chooser, samples_of, train as train_one, value_of

# %% [4] A run
import tempfile
from unittest import mock
from fastcore.test import *
from medvl.core import MedvlError
from medvl.phantom.set import phantom_studies

# %% [6] The fields of a run
from medvl.run.run import (Options)

# %% [7] The fields of a run
from medvl.run.run import (FREE_OF, Run)

# %% [9] The fields of a run
run = Run('alta', size='full', epochs=50); r = run.recipe(); print(run)
test_eq(repr(run), 'Run of alta: no data, size=full, epochs=50')
test_eq(repr(Run('clip', [1]*1500, init=Path('mrm'))), 'Run of clip: 1,500 studies in memory, init=mrm')
print(r)
test_eq((r.epochs, r.stop_at, r.samples, r.per, r.precision), (50, 30, 96, 'study', 'fp16'))
test_eq((r.bs, run.patience), (None, None))                          # open: it follows from the number of processes
r = Run('mrm', size='full').recipe()
test_eq((r.samples, r.bs, r.epochs, r.warmup, r.flip, r.text, r.need_text), (256, 32, 200, 40, True, 'whole', False))
test_eq(Run('mrm', size='full', flip=False).recipe().flip, False)
test_eq([Run(k).aligns() for k in ('mrm','clip','alta','gloria','plan')], [False, True, True, True, True])
test_fail(lambda: Run('clip', slots='both').recipe(), contains="slots 'both'; expected current, views")
test_fail(lambda: Run('blip').recipe(), contains="unknown method 'blip'")
test_eq({k: v for k, v in Run('clip', lr=.1).record().items() if k in ('method','lr','epochs','seed')},
        dict(method='clip', lr=.1, epochs=100, seed=0))

# %% [11] A plan
from medvl.run.run import (as_plan, differs)

# %% [12] A plan
old = dict(stage=dict(method='clip', init='mrm', per='image', slots='current', text='impression', epochs=8, warmup=1,
                      bs=32, lr=.001, wd=.05, seed=None, model=dict(film_norm=True)),
           data=dict(train=dict(patients=8)), films='x', seed=3, max_len=64, vocab=300, below=None)
mine = Run('clip', init='mrm', per='image', slots='current', text='impression', epochs=8, warmup=1, bs=32, lr=.001,
           wd=.05, model=dict(film_norm=True), seed=3, max_len=64, shuffle_sentences=False, precision='fp32',
           report=True)
test_eq(as_plan(old)['stage'], mine.record())                           # a plan of an older run: the same training
test_eq(as_plan(as_plan(old)), as_plan(old))
test_eq(differs(as_plan(old), as_plan(old | dict(stage=old['stage'] | dict(lr=.1)))), ['stage.lr was 0.001, is 0.1'])
test_eq((as_plan(None), as_plan(dict(old, below=old))['below']), (None, as_plan(old)))

# %% [14] Training and scoring
from medvl.run.run import (epochs_cb)

# %% [15] Training and scoring
lines = []
cb = epochs_cb('mrm', 10, lines.append); cb.before_fit()
for e in range(10):
    cb.learn = type('', (), dict(epoch=e))(); cb.after_epoch()
print(lines); test_eq([o.split(',')[0] for o in lines], [f'mrm: epoch {k} of 10' for k in (2,4,6,8)])

# %% [18] Training and scoring
tmp, home, root = tempfile.TemporaryDirectory(), os.getcwd(), Path()
os.chdir(tmp.name); env = mock.patch.dict(os.environ, MEDVL_CACHE=os.path.abspath('cache')); env.start()
studies = phantom_studies(12, size=64, cache=False)

run = Run('clip', studies, slots='current', epochs=1, warmup=0, bs=4, vocab=200, max_len=24, precision='fp32')
run.train(root/'clip')
print(run.score('retrieval', ks=[1,5], pool=10)['interval']['image_to_text_R@5'])

# %% [19] Training and scoring
lines = []
done = replace(run).train(root/'clip', say=lines.append)
print(lines); assert len(lines) == 1 and 'done before' in lines[0]
test_eq(done['steps'], sum(len(s.frontals) for s in studies if s.split == 'train')//4)
test_eq(done['multiply_adds'], done['multiply_adds_per_sample']*done['samples'])
test_fail(lambda: replace(run, lr=.1).train(root/'clip'), contains='holds another run: stage.lr was 0.0003, is 0.1')
replace(run, lr=.1).train(root/'clip', anew=True, say=lines.append)
assert 'its settings changed, begun anew' in lines[1] and f"{done['steps']} steps of 4" in lines[2]
(root/'mine').mkdir(); (root/'mine/thesis.txt').write_text('x')
test_fail(lambda: run.train(root/'mine'), contains='holds files, no run')
test_fail(lambda: Run('clip', studies).score(), contains='clip has no folder yet')
test_fail(lambda: run.score('riddles'), contains="no task 'riddles'; there are: retrieval, zeroshot")

# %% [21] Training and scoring
gloria = Run('gloria', studies, init=root/'clip', epochs=1, warmup=0, bs=4, max_len=24, precision='fp32')
test_eq(gloria.plan()['below']['stage']['lr'], .1)
test_fail(lambda: Run('clip', studies, init=root/'mine').train(root/'x'), contains='holds no model')

# %% [23] Many runs by name
from medvl.run.run import (change, needed)

# %% [24] Many runs by name
two = dict(mrm=Run('mrm'), alta=Run('alta', init='mrm', model=dict(mask=.5)), clip=Run('clip'))
s = change(two, ['alta.lr=2e-3', 'alta.model.mode=faithful', '*.bs=16'], epochs=3, seed=1)
test_eq((s['alta'].lr, s['alta'].model, two['alta'].model), (2e-3, dict(mask=.5, mode='faithful'), dict(mask=.5)))
test_eq([(r.epochs, r.seed, r.bs) for r in s.values()], [(3, 1, 16)]*3)
test_eq(change(two, ['mine.method=gloria','mine.set.dim=64'], new=True)['mine'], Run('gloria', model=dict(dim=64)))
test_fail(lambda: change(two, ['alta.slots=both']), contains="'both'; expected current, views")
for bad in ('alta.speed=1', 'beta.lr=1', 'beta.method=clip', 'alta.lr', 'alta.model=1', 'alta.out=x'):
    test_fail(lambda: change(two, [bad], option='--set '), contains=f'--set {bad!r}: expected')

test_eq([needed(two, o) for o in ([], ['alta'], ['clip'])], [['mrm','alta','clip'], ['mrm','alta'], ['clip']])
test_fail(lambda: needed(two, ['clap']), contains="no stage 'clap'; there are: mrm, alta")
far = change(two, ['alta.init=runs/long/mrm'])
test_fail(lambda: needed(far, ['alta']), contains="alta is to start from 'runs/long/mrm', which is neither a stage")
test_eq(needed(change(two, ['alta.init=phantom-mrm']), ['alta']), ['alta'])

# %% [26] A run of the command line
from medvl.run.run import (train_as)

# %% [27] A run of the command line
align = replace(run, data=root/'set/manifest.csv', out=root/'align', model=dict(dim=16, text_pool='mean'))
a = align.arguments()
test_eq((a['set'], a['epochs'], a['lr'], a['per']), (['dim=16','text_pool=mean'], 1, .0003, 'image'))
from medvl.data.manifest import write_manifest
write_manifest(studies, root/'set/manifest.csv')
train_as(align, 'align')
res = json.loads((root/'align/results.json').read_text())
test_eq((res['command'], res['arguments']['set'], res['run']['steps']), ('align', a['set'], done['steps']))
test_fail(lambda: train_as(align, 'align'), contains='holds this very run; --resume goes on with it')
train_as(align, 'align', resume=True)                                   # finished: nothing is left to do
env.stop(); os.chdir(home); tmp.cleanup()
