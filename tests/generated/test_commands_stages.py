# nbs/commands/11_stages.ipynb: runs against the imported medvl.commands.stages.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Stages of the demo
import json, multiprocessing, resource, shutil, time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any
from medvl.commands.data import units
from medvl.core import CHEXPERT, SLOTS, MedvlError, methods, seed_everything
from medvl.files import jsonable, save_json, written
from medvl.data.batch import Preset, dataloaders, sample_loader
from medvl.data.cache import ImageCache
from medvl.data.prompts import load_prompts
from medvl.data.study import Sample
from medvl.data.words import sections
from medvl.data.tokens import load_tokenizer, train_tokenizer
from medvl.eval.precision import ASKED, by_finding, enough, finding_hits, finding_precision, labels_of
from medvl.eval.metrics import paired_bootstrap
from medvl.eval.retrieval import WAYS, Embeddings, embed, pair_ranks, retrieval_report
from medvl.eval.zeroshot import zeroshot
from medvl.train.learner import align_learner, fit
from medvl.models.checkpoint import from_pretrained, load_state
from medvl.models.compute import count_step
from medvl.phantom.set import fingerprint, iter_phantom
import numpy as np
import torch
from fastai.callback.core import Callback
from torch import nn
from tqdm import tqdm

# %% [4] Stages of the demo
import os, tempfile
from unittest import mock
from fastcore.test import *

# %% [6] A stage
from medvl.commands.stages import (Stage, FILMS_OF, FILMS, REPORTS, STAGES)

# %% [7] A stage
from medvl.commands.stages import (with_settings)

# %% [8] A stage
s = with_settings(STAGES, ['alta.lr=2e-3', 'alta.model.mode=faithful', 'clip.bs=16'], epochs=3)
print(s['alta'])
test_eq((s['alta'].lr, s['clip'].bs), (2e-3, 16))
test_eq(s['alta'].model, {**STAGES['alta'].model, 'mode': 'faithful'})
test_eq({o.epochs for o in s.values()}, {3})
assert 'mode' not in STAGES['alta'].model                              # the defaults are not touched
test_fail(lambda: with_settings(STAGES, ['alta.slots=both']), contains="'both'; expected current, views")
for bad in ('alta.speed=1', 'beta.lr=1', 'alta.lr', 'alta.model=1'):
    test_fail(lambda: with_settings(STAGES, [bad]), contains=f'{bad!r}: expected')

# %% [10] A stage
from medvl.commands.stages import (needed)

# %% [11] A stage
test_eq(needed(STAGES), ['mrm','alta','clip','clip_mrm'])
test_eq(needed(STAGES, ['alta']), ['mrm','alta'])
test_eq(needed(STAGES, ['clip']), ['clip'])
test_fail(lambda: needed(STAGES, ['clap']), contains="no stage 'clap'; there are: mrm, alta")
far = with_settings(STAGES, ['alta.init=runs/long/mrm'])
test_fail(lambda: needed(far, ['alta']), contains="alta is to start from 'runs/long/mrm', which is neither a stage")
test_eq(needed(far, ['clip']), ['clip'])

# %% [13] Patients
from medvl.commands.stages import (patients, told)

# %% [14] Patients
tmp, home = tempfile.TemporaryDirectory(), os.getcwd()
os.chdir(tmp.name); env = mock.patch.dict(os.environ, MEDVL_CACHE=os.path.abspath('cache')); env.start()
data = patients(dict(train=8, val=2, test=4), film=64)
for k, o in told(data).items(): print(k, o)
who = [{s.patient for s in o} for o in data.values()]
test_eq(len(set.union(*who)), 8+2+4)                                    # nobody is in two splits
test_eq({s.split for s in data['test']}, {'test'})
assert not any(v.masks for o in data.values() for s in o for v in s.views)

# %% [16] One tokenizer for all
from medvl.commands.stages import (found, shared_tokenizer)

# %% [17] One tokenizer for all
texts = [s.report for s in data['train']]
tok = shared_tokenizer('tok', texts, 300)
again = shared_tokenizer('tok', texts, 300)
test_eq(tok(texts[0])['input_ids'], again(texts[0])['input_ids'])
assert len(shared_tokenizer('tok2', texts, 200)) <= 200 < len(tok)

# %% [19] Starting from another stage
from medvl.commands.stages import (report_tower, made)

# %% [21] Training
from medvl.commands.stages import (impression, Common, slots_of)

# %% [23] Training
from medvl.commands.stages import (EpochsCB)

# %% [24] Training
told_by = []
cb = EpochsCB('mrm', 10, told_by.append); cb.before_fit()
for e in range(10):
    cb.learn = type('', (), dict(epoch=e))(); cb.after_epoch()
print(told_by); test_eq([o.split(',')[0] for o in told_by], [f'mrm: epoch {k} of 10' for k in (2,4,6,8)])

# %% [25] Training
from medvl.commands.stages import (train_stage)

# %% [26] Training
tiny = with_settings(STAGES, ['mrm.bs=8','alta.bs=4','clip.bs=4','clip_mrm.bs=4'], epochs=1)
c = Common(Path('demo'), data, tok, max_len=48)
ran = {k: train_stage(c, tiny, k) for k in needed(tiny, ['alta','clip_mrm'])}
for k, r in ran.items():
    test_eq(r['multiply_adds'], r['multiply_adds_per_sample']*r['samples'])
    assert np.isfinite(r['train']['loss']) and np.isfinite(r['val']['loss'])
test_eq(ran['clip_mrm']['steps'], told(data)['train']['frontals']//4)
few, all_of = ran['alta'], ran['clip_mrm']
assert few['trainable'] < few['parameters']//2 and few['trainable'] < all_of['trainable']

# %% [28] Training
start = made(tiny['clip_mrm'], tok, Path('demo/mrm/model'))
below = from_pretrained('demo/mrm/model')
a, b = start.state_dict(), below.state_dict()
same = [k for k in a if k.startswith('vision.') and a[k].equal(b[k])]
test_eq(len(same), sum(k.startswith('vision.') for k in a))
assert a['text.net.encoder.layer.0.output.dense.weight'].equal(b['text.net.bert.encoder.layer.0.output.dense.weight'])

# %% [30] Training
lines = []
again = replace(c, say=lines.append)
test_eq(train_stage(again, tiny, 'alta'), json.loads(Path('demo/alta/stage.json').read_text()))
test_eq(lines, ['alta: done before, in demo/alta'])
test_ne(c.plan(tiny, 'alta'), c.plan(with_settings(tiny, ['mrm.lr=.1']), 'alta'))
test_eq(c.plan(tiny, 'clip'), c.plan(with_settings(tiny, ['mrm.lr=.1']), 'clip'))
far = with_settings(tiny, ['alta.init=demo/mrm'])                       # the same MRM, by its folder
test_eq(needed(far, ['alta']), ['alta'])
test_eq(c.plan(far, 'alta')['below'], c.plan(tiny, 'alta')['below'])
alone = train_stage(replace(again, out=Path('far')), {'alta': far['alta']}, 'alta')
test_eq(alone['train']['loss'], ran['alta']['train']['loss'])

# %% [32] Score
from medvl.commands.stages import (score_stage)

# %% [33] Score
scores = {k: score_stage(c, tiny, k, n_boot=50) for k in ('alta','clip_mrm')}
rep = scores['alta']['retrieval']
test_eq(rep['n_pairs'], told(data)['test']['frontals'])
test_eq(score_stage(c, tiny, 'alta', n_boot=50), scores['alta'])        # read, not made again
assert rep['full']['image_to_text_R@10'] >= rep['full']['image_to_text_R@1']
test_eq(scores['alta']['findings'], {})                                # four patients are too few for it
test_eq(labels_of(c.samples(tiny['alta'], 'test')).shape, (rep['n_pairs'], 12))

# %% [35] Who is ahead, and by how much
from medvl.commands.stages import (hits, ahead)

# %% [36] Who is ahead, and by how much
ids = torch.arange(4)
right = Embeddings(torch.eye(4), torch.eye(4), torch.ones(4, dtype=torch.bool), ids)
half = replace(right, t=torch.eye(4)[[0,1,3,2]])                        # two texts exchanged
test_eq(hits(right)['image_to_text'].tolist(), [1,1,1,1])
test_eq(hits(half)['text_to_image'].tolist(), [1,1,0,0])
d = ahead(right, half, list('abcd'), ks=[1], n_boot=200)
print(d['image_to_text_R@1'])
test_eq(d['image_to_text_R@1'].value, .5)
ten = Embeddings(torch.eye(20), torch.eye(20), torch.ones(20, dtype=torch.bool), torch.arange(20))
turned = replace(ten, t=torch.eye(20).roll(10, 0))                     # texts of films without the finding
lab = np.repeat([[1.,0.],[0.,1.]], 10, 0)
d = ahead(ten, turned, range(20), ks=[1], n_boot=50, lab=lab)
test_eq([d[f'{w}_P@1'].value for w in WAYS], [1.,1.])

# %% [38] Two at a time
from medvl.commands.stages import (_both, _alone, run_stages)

# %% [39] Two at a time
ran2, scored2 = run_stages(replace(c, say=lambda o: None), tiny, needed(tiny, ['alta']), n_boot=50)
test_eq((list(ran2), list(scored2)), (['mrm','alta'], ['alta'])); test_eq(scored2['alta'], scores['alta'])
env.stop(); os.chdir(home); tmp.cleanup()
