# nbs/run/45_tuning.ipynb: runs against the imported medvl.run.tuning.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Tune a model on one's own pairs
import contextlib, io, os, shutil, sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal
from fastcore.basics import patch_to
from medvl.run.data import read, slots_of
from medvl.run.folder import found, model_dir, save_text
from medvl.run.run import Options, Run
from medvl.run.score import Scoring, ask_zeroshot, eval_loader, loaded

# %% [4] Tune a model on one's own pairs
import json, tempfile
import pandas as pd
import torch
from dataclasses import replace
from unittest import mock
from fastcore.test import *
from medvl.data.manifest import write_manifest
from medvl.eval.metrics import Interval
from medvl.eval.results import shown
from medvl.eval.retrieval import Embeddings
from medvl.models.checkpoint import read_config, save_pretrained
from medvl.phantom.set import phantom_studies
from medvl.run.folder import shipped
from medvl.run.model import load
from medvl.run.run import train_as
from medvl.run.score import loaded

# %% [6] What a run settles, and what its model has settled
from medvl.run.tuning import (SETTLED, RATES, Tune)

# %% [8] What a run settles, and what its model has settled
from medvl.run.tuning import (KEEP, FEW)

# %% [10] What a run settles, and what its model has settled
tmp, home, root = tempfile.TemporaryDirectory(), os.getcwd(), Path()
os.chdir(tmp.name); env = mock.patch.dict(os.environ, MEDVL_CACHE=os.path.abspath('cache')); env.start()
for kw, want in [(dict(tokenizer='bert-base'), "tokenizer='bert-base' does not fit a model that is trained further"),
                 (dict(vocab=300), 'phantom-clip has its own'), (dict(init=root/'no.pt'), 'holds no model'),
                 (dict(init=None), 'None is no model to train further')]:
    test_fail(lambda: Tune(**dict(init='phantom-clip') | kw).recipe(), contains=want)
for kw, want in [(dict(rank=0), 'the rank of a low-rank part is 0'), (dict(towers='left'), "towers is 'left'"),
                 (dict(init='phantom-mrm'), 'MRM'), (dict(also=['gate.*']), "no parameter matches 'gate.*'")]:
    test_fail(lambda: Tune(**dict(init='phantom-clip') | kw).build(), contains=want)
r = Tune(init='phantom-clip', how='full', epochs=3).recipe()
test_eq((r.slots, r.max_len, r.lr, r.epochs), ('current', 128, RATES['full'], 3))

# %% [12] Does it help?
from medvl.run.tuning import (mrr_metric, whole_loss)

# %% [14] Does it help?
from medvl.run.tuning import (compared, verdict)

# %% [16] Does it help?
from medvl.run.tuning import (forgot)

# %% [17] Does it help?
nan = float('nan'); test_eq(forgot(None, None) + forgot(Interval(.7, nan, nan), Interval(.5, nan, nan)), '')
test_eq(forgot(Interval(.7, .65, .75), Interval(.66, .6, .7)), '')
print(forgot(Interval(.7, .65, .75), Interval(.52, .5, .55)))

# %% [19] Does it help?
eye = torch.eye(3); ids = torch.arange(3); has = torch.ones(3, dtype=torch.bool)
def pairs(t): return Embeddings(eye, torch.tensor(t).float(), has, ids, ids)
was, now = pairs([[1,.5,0],[0,0,0.1],[0,.4,1]]), pairs([[1,0,0],[0,1,0],[0,0,1]])
rows = compared(was, now, ['a','b','c'])
test_close([rows['film to text MRR'][k].value for k in ('untuned','tuned','difference')], [7/9, 1, 2/9])
test_close(rows['film to text R@1']['difference'].value, 1/3)
print(verdict(rows, 2)); print(verdict(compared(now, now, ['a','b','c']), -1))
assert verdict({'both MRR': dict(difference=Interval(-.2, -.3, -.1))}, 0).startswith('WARNING: Tuned is worse')

# %% [21] What the base has seen
from medvl.run.tuning import (films_seen, overlap, say_overlap)

# %% [23] The run
from medvl.run.tuning import (table_of, card_of)

# %% [27] The run
studies = phantom_studies(24, 11, size=128, difficulty='lifelike-easy', cache=False)
who = list(dict.fromkeys(s.group for s in studies))                             # half of them for validation
for s in studies: s.split = 'train' if who.index(s.group) < 12 else 'val'
data = write_manifest(studies, root/'set/manifest.csv')
few = dict(data=data, bs=8, epochs=2, warmup=0, precision='fp32')
def trained(name, hide=('tokenizer', 'set/', 'wrote'), resume=False, **kw):
    "A run as `medvl tune` makes it; what it prints, and what it leaves."
    with contextlib.redirect_stdout(io.StringIO()) as said:
        train_as(Tune(out=root/name, **few | kw), 'tune', resume=resume)
    print('\n'.join(o for o in said.getvalue().splitlines() if not o.startswith(hide)))
    return json.loads((root/name/'results.json').read_text())
res = trained('lora', init='phantom-clip')
test_eq((res['command'], res['arguments']['how'], res['tuned']['by']), ('tune','lora','val_MRR'))
test_eq(res['parameters'], dict(trainable=24_576, total=1_472_641)); assert 'tokenizer' not in res['arguments']

# %% [28] The run
print((root/'lora/model/card.md').read_text().split('### phantom-clip')[0])
log = pd.read_csv(root/'lora/log.csv').query("split == 'select'")
test_eq(log.epoch.tolist(), [-1,0,1]); test_eq(res['tuned']['epoch'], int(log.epoch[log.val_MRR.idxmax()])+1)
x = read_config(root/'lora/model')['extra']
test_eq([x['tuned'][k] for k in ('start','how','rank')], ['phantom-clip', 'lora', 8])
test_eq(x['args']['data']['slots'], ['current_frontal'])
test_eq(x['tuned']['id'], read_config(shipped()['phantom-clip'])['id'])

# %% [30] The run
studies = Tune(data=data).studies(); films = [v for s in studies[:4] for v in s.frontals]
print(load(root/'lora').search('small pleural effusion', k=2, films=films))
seen = films_seen(root/'lora'); n = overlap(studies, seen)
print(say_overlap(n, 'lora')); test_eq(n, dict(train=12, val=0, test=0))
turned = [replace(s, split=dict(train='val', val='train')[s.split]) for s in studies]
print(said := say_overlap(overlap(turned, seen), 'lora')); assert said.startswith('LEAK: 12 validation')
test_eq(films_seen('phantom-clip'), None); print(say_overlap(overlap(studies, None), 'phantom-clip'))

# %% [32] The run
bad = dict(init=root/'lora', how='full', lr=.5); res = trained('bad', **bad)['tuned']
test_eq((res['epoch'], res['retrieval']['both MRR']['difference']), (0, None)); assert 'untuned' in res['said']
same = loaded(root/'bad')[0].state_dict()
assert all(torch.equal(v, same[k]) for k,v in loaded(root/'lora')[0].state_dict().items())
test_eq(trained('bad', ('',), True, **bad)['tuned']['retrieval'], res['retrieval'])
assert torch.equal(loaded(root/'bad')[0].log_scale, same['log_scale'])

# %% [34] Adapters alone
from medvl.run.tuning import (merged)

# %% [35] Adapters alone
for s in studies: s.split = 'train' if s.split == 'train' else 'test'
blind = trained('blind', init='phantom-clip', data=write_manifest(studies, root/'blind.csv'), epochs=1)
d = merged(root/'blind/model/adapters', root/'merged')
a, b, base = (loaded(o)[0].state_dict() for o in (d, root/'blind', 'phantom-clip'))
for k in b: test_close(a[k].float(), b[k].float(), eps=1e-6)
changed = [k for k in b if not torch.equal(b[k], base[k])]
assert changed and all(k.endswith(('qkv.weight','query.weight','value.weight')) for k in changed)
print(sorted(p.name for p in d.iterdir())); test_eq(load(d).card, load(root/'blind').card)
assert not (root/'bad/model/adapters').exists()                                             # everything was trained
for args, want in [((root/'lora/model/adapters', root/'x', 'phantom-alta'), 'does not fit CLIP'),
                   ((root/'lora/model', root/'x'), 'holds no adapters of `medvl tune`'),
                   ((root/'lora/model/adapters', d), 'is there already')]:
    test_fail(lambda: merged(*args), contains=want)
test_fail(lambda: Tune(init=root/'lora/model/adapters').recipe(), contains='`medvl merge` makes a model of them')
env.stop(); os.chdir(home); tmp.cleanup()

# %% [37] What tuning gives, and what it costs
def scores(o): return {'MRR, difference': shown(o['retrieval']['both MRR']['difference']) if 'retrieval' in o else '-',
                       'AUROC': shown(o['auroc']), 'loss': f"{o['loss']:.2f}"}
def results(name):
    how = json.loads(Path(f'../../results/{name}.json').read_text())['how']
    table = {k: {(at, c): v for at in ('test','home') for c, v in scores(o[at]).items()} for k, o in how.items()}
    return how, pd.DataFrame.from_dict(table, orient='index')
same, table = results('tune_impression'); table

# %% [39] What tuning gives, and what it costs
other, table = results('tune_findings'); table

# %% [41] What tuning gives, and what it costs
def over(o): d = o['test']['retrieval']['both MRR']['difference']; return (d['low'] > 0)-(d['high'] < 0)
def lost(how, at):
    return [k for k in ways if how[k][at]['auroc']['value'] < how['untuned'][at]['auroc']['low']]
ways = list(same)[1:]; print(ways)
test_eq([over(same[k]) for k in ways], [1, 0, 1, -1]); test_eq([over(other[k]) for k in ways], [0, 1, 0, 0])
test_eq([lost(same, at) for at in ('test','home')], [[], []])
test_eq([lost(other, at) for at in ('test','home')], [ways, ways])
