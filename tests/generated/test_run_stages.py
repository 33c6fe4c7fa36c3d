# nbs/run/50_stages.ipynb: runs against the imported medvl.run.stages.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Runs that start from one another
import multiprocessing, os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any
from medvl.core import CHEXPERT, MedvlError, methods
from medvl.data.batch import Preset, sample_loader
from medvl.data.cache import ImageCache
from medvl.data.prompts import load_prompts
from medvl.data.tokens import load_tokenizer, train_tokenizer
from medvl.eval.metrics import Interval, chance_recall, seed_bootstrap, seed_interval
from medvl.eval.precision import ASKED, by_finding, enough, finding_hits, finding_precision, labels_of
from medvl.eval.retrieval import (WAYS, Embeddings, candidates, embed, pair_ranks, retrieval_report,
                                  right_candidates)
from medvl.eval.zeroshot import macro_auroc, zeroshot
from medvl.files import jsonable, save_json, written
from medvl.models.checkpoint import from_pretrained, read_config
from medvl.phantom.set import fingerprint, iter_phantom
from medvl.run.data import counts, slots_of, units
from medvl.run.folder import found, shipped
from medvl.run.run import Run, as_plan
from medvl.run.train import takes_of
import numpy as np
import torch
from fastcore.basics import patch_to
from tqdm import tqdm

# %% [4] Runs that start from one another
import json, tempfile
from unittest import mock
from fastcore.test import *
from medvl.run.run import change, needed

# %% [6] The table of stages
from medvl.run.stages import (FILMS, REPORTS, SAME, ALIGNED, STAGES, stages)

# %% [7] The table of stages
print(*stages())
assert {*methods} <= {*stages()} and list(stages())[:4] == list(STAGES)
s = change(stages(), ['alta.lr=2e-3', 'alta.model.mode=faithful', 'clip.bs=16'], epochs=3)
test_eq((s['alta'].lr, s['clip'].bs, {o.epochs for o in s.values()}), (2e-3, 16, {3}))
test_eq((s['alta'].model, 'mode' in STAGES['alta'].model), ({**STAGES['alta'].model, 'mode': 'faithful'}, False))
test_eq([needed(STAGES), needed(s, ['gloria_mrm'])], [['mrm','alta','clip','clip_mrm'], ['mrm','gloria_mrm']])

# %% [9] Few pairs and more, from several seeds
from medvl.run.stages import (EPOCHS_AT, BATCH, epochs_at, grid, start_of)

# %% [10] Few pairs and more, from several seeds
runs, few = grid(start_of(STAGES, 'phantom-mrm'), ['alta','clip'], [40, 10], [1, 2])
print(*runs)
test_eq((runs['alta.10.2'].init, runs['alta.10.2'].seed), ('phantom-mrm', 2))
test_eq([few[f'alta.{o}'] for o in ('40.1','40.2','10.2')], [range(40), range(40, 80), range(40, 50)])
test_eq((runs['clip.40.1'].init, 'mrm' in runs), (None, False))
test_eq([epochs_at(8, n) for n in (20, 80, 320, 10**6)], [16, 8, 4, 1])
test_eq([grid(STAGES, ['clip'], [20], [1], o)[0]['clip.20.1'].epochs for o in (True, False)], [16, 8])
test_eq({k: r.init for k, r in grid(STAGES, ['mrm','alta'], [10], [1])[0].items()}, {'mrm': None, 'alta.10.1': 'mrm'})
test_eq(grid(STAGES | dict(x=Run('clip', init='alta')), ['alta','x'], [10], [3])[0]['x.10.3'].init, 'alta.10.3')

# %% [12] Patients
from medvl.run.stages import (patients)

# %% [13] Patients
from medvl.run.stages import (SHIPPED, trained_on, unseen)

# %% [14] Patients
test_fail(lambda: unseen('phantom-mrm', 0), contains='the patients that phantom-mrm was trained on (2,000 of them)')
unseen('phantom-mrm', 1); unseen('runs/long/mrm', 0)

# %% [15] Patients
tmp, home = tempfile.TemporaryDirectory(), os.getcwd()
os.chdir(tmp.name); env = mock.patch.dict(os.environ, MEDVL_CACHE=os.path.abspath('cache')); env.start()
data = patients(dict(train=8, val=2, test=4), film=64)
for k, o in counts(data).items(): print(k, o)
who = [{s.patient for s in o} for o in data.values()]
test_eq(len(set.union(*who)), 8+2+4)                                    # nobody is in two splits
test_eq({s.split for s in data['test']}, {'test'})
assert not any(v.masks for o in data.values() for s in o for v in s.views)

# %% [17] One tokenizer for all
from medvl.run.stages import (shared_tokenizer)

# %% [18] One tokenizer for all
texts = [s.report for s in data['train']]
tok = shared_tokenizer('tok', texts, 300)
again = shared_tokenizer('tok', texts, 300)
test_eq(tok(texts[0])['input_ids'], again(texts[0])['input_ids'])
assert len(shared_tokenizer('tok2', texts, 200)) <= 200 < len(tok)

# %% [20] Training the stages
from medvl.run.stages import (Stages)

# %% [21] Training the stages
tiny = change(STAGES, ['mrm.bs=8','alta.bs=4','clip.bs=4','clip_mrm.bs=4'], epochs=1)
c = Stages(Path('demo'), data, tok, tiny, max_len=48)
ran = {k: c.train(k) for k in needed(tiny, ['alta','clip_mrm'])}
for k, r in ran.items():
    test_eq(r['multiply_adds'], r['multiply_adds_per_sample']*r['samples'])
    assert np.isfinite(r['train']['loss']) and np.isfinite(r['val']['loss'])
test_eq(ran['clip_mrm']['steps'], counts(data)['train']['frontals']//4)
few, all_of = ran['alta'], ran['clip_mrm']
assert few['trainable'] < few['parameters']//2 and few['trainable'] < all_of['trainable']

# %% [23] Training the stages
below = from_pretrained('demo/mrm/model').state_dict()
c.runs = change(stages(), ['*.bs=8'], epochs=1) | tiny
for k in ('clip_mrm','gloria_mrm','plan_mrm'):
    m = c.run(k).build(tok)
    words = next(w for o, w in m.text.state_dict().items() if o.endswith('layer.0.output.dense.weight'))
    assert words.equal(below['text.net.bert.encoder.layer.0.output.dense.weight']), k
    a = {o.replace('net.net.', 'net.'): w for o, w in m.state_dict().items() if o.startswith('vision.')}
    test_eq([o for o in a if not a[o].equal(below[o])], [])
c.runs = tiny

# %% [25] Training the stages
lines = []
again = replace(c, say=lines.append)
test_eq(again.train('alta'), json.loads(Path('demo/alta/stage.json').read_text()))
test_eq(lines, ['alta: done before, in demo/alta'])
def other(*given, k): return replace(c, runs=change(tiny, given)).plan(k)
test_ne(c.plan('alta'), other('mrm.lr=.1', k='alta'))
test_eq(c.plan('clip'), other('mrm.lr=.1', k='clip'))
far = change(tiny, ['alta.init=demo/mrm'])                              # the same MRM, by its folder
test_eq(needed(far, ['alta']), ['alta'])
test_eq(other('alta.init=demo/mrm', k='alta')['below'], c.plan('alta')['below'])
alone = replace(again, out=Path('far'), runs=dict(alta=far['alta'])).train('alta')
test_eq(alone['train']['loss'], ran['alta']['train']['loss'])

# %% [27] Training the stages
runs, few = grid(start_of(tiny, 'phantom-mrm'), ['clip_mrm'], [4, 3], [1, 2])
small = replace(c, runs=runs, few=few, tok=load_tokenizer(shipped()['phantom-mrm']))
some = {k: {s.patient for s in small.part(f'clip_mrm.{k}')['train']} for k in ('3.1','4.1','4.2')}
test_eq([len(o) for o in some.values()], [3, 4, 4]); assert some['3.1'] < some['4.1'] and not some['4.1'] & some['4.2']
test_eq([small.plan(f'clip_mrm.{k}')['places'] for k in ('3.1','4.2')], [[0, 3], [4, 8]])
test_fail(lambda: replace(small, few=dict(x=range(5, 9))).part('x'), contains='up to place 9; there are 8')
test_eq(small.plan('clip_mrm.3.1')['below'], dict(shipped=SHIPPED, id=read_config(shipped()[SHIPPED])['id']))
own, at = small.run('clip_mrm.3.1').build(small.tok), 'vision.net.blocks.0.attn.qkv.weight'
test_close(own.state_dict()[at], from_pretrained(shipped()[SHIPPED]).state_dict()[at].float())

# %% [30] Score
scores = {k: c.score(k, n_boot=50) for k in ('alta','clip_mrm')}
rep = scores['alta']['retrieval']
test_eq(rep['n_pairs'], counts(data)['test']['frontals'])
test_eq(c.score('alta', n_boot=50), scores['alta'])                     # read, not made again
assert rep['full']['image_to_text_R@10'] >= rep['full']['image_to_text_R@1']
test_eq(scores['alta']['findings'], {})                                 # four patients are too few for it
test_eq(labels_of(c.run('alta').draw('test')).shape, (rep['n_pairs'], 12))

# %% [32] Who is ahead, and by how much
from medvl.run.stages import (SCORES, hits, hits_of, by_text, mean_of)

# %% [33] Who is ahead, and by how much
from medvl.run.stages import (chances, zeros_of, compare)

# %% [35] Who is ahead, and by how much
from medvl.run.stages import (at_each_size)

# %% [36] Who is ahead, and by how much
ids = torch.arange(4)
right = Embeddings(torch.eye(4), torch.eye(4), torch.ones(4, dtype=torch.bool), ids)
half = replace(right, t=torch.eye(4)[[0,1,3,2]])                        # two texts exchanged
test_eq(hits(right)['image_to_text'].tolist(), [1,1,1,1])
test_eq(hits(half)['text_to_image'].tolist(), [1,1,0,0])
test_eq(by_text(np.array([1.,1,1,0]), np.array([7,7,7,3])), .5)         # three films of one text count once
ten = Embeddings(torch.eye(20), torch.eye(20), torch.ones(20, dtype=torch.bool), torch.arange(20))
turned = replace(ten, t=torch.eye(20).roll(10, 0))                     # texts of films without the finding
lab = np.repeat([[1.,0.],[0.,1.]], 10, 0)
test_eq([by_finding(finding_hits((o.v@o.t.T).numpy(), lab, lab, 1)) for o in (ten, turned)], [1., 0.])
test_eq(hits_of(ten, lab)['P@10'].shape, (20, 4))
luck = chances(ten, lab); print(luck)
test_eq((luck['P@10'], luck['image_to_text_T@10']), (.5, .5))           # ten of twenty, both

# %% [37] Who is ahead, and by how much
some = compare(c, dict(alta=['alta'], clip_mrm=['clip_mrm']), 'alta')
a, b = (some[k]['image_to_text_R@10'] for k in ('alta','clip_mrm'))
test_close(b['minus_alta']['value'], b['value']-a['value'], 1e-9); assert 'minus_alta' not in a
both = compare(c, dict(two=['alta','clip_mrm']))['two']['image_to_text_T@10']   # as if they were two seeds
test_close(np.mean(both['seeds']), both['value'], 1e-9); test_eq(len(both['seeds']), 2)
test_close(a['value'], scores['alta']['retrieval']['full']['image_to_text_R@10'], 1e-9)
luck = chances(Embeddings.load('demo/alta/embeddings.npz'), labels_of(c.run('alta').draw('test')))
test_eq(set(luck), set(some['alta'])-{'AUROC'})

# %% [39] Who is ahead, and by how much
from medvl.run.stages import (whole_cost)

# %% [40] Who is ahead, and by how much
cost = {k: dict(multiply_adds=n) for k, n in dict(mrm=10, alta=3, clip=20, clip_mrm=5).items()}
test_eq({k: whole_cost(STAGES, cost, k) for k in STAGES}, dict(mrm=10, alta=13, clip=20, clip_mrm=15))
test_eq(whole_cost(far, cost, 'alta'), 3)                               # its MRM was paid for elsewhere

# %% [42] Two at a time
from medvl.run.stages import (_both, _alone, _here, _one)

# %% [43] Two at a time
ran2, scored2 = replace(c, say=lambda o: None).go(needed(tiny, ['alta']), n_boot=50)
test_eq((list(ran2), list(scored2)), (['mrm','alta'], ['alta'])); test_eq(scored2['alta'], scores['alta'])
env.stop(); os.chdir(home); tmp.cleanup()
