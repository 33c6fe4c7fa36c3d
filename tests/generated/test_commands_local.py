# nbs/commands/16_local.ipynb: runs against the imported medvl.commands.local.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Scores and boxes
from pathlib import Path
from typing import Any, Literal
import typer
from medvl.command import close_run, command, open_run
from medvl.commands.data import read, units
from medvl.commands.eval import EVAL_DOCS, Scoring, app as eval_app, eval_loader, facts_of, loaded, set_labels, settled

# %% [4] Scores and boxes
import dataclasses, json, os, tempfile
import numpy as np
from fastcore.test import *
from PIL import Image
from typer.testing import CliRunner
from medvl.core import seed_everything
from medvl.data.manifest import write_manifest
from medvl.data.study import Box, Study, View
from medvl.data.tokens import train_tokenizer
from medvl.methods.plan import PLAN
from medvl.models.checkpoint import save_pretrained
from medvl.phantom.set import phantom_studies

# %% [6] `medvl eval scores`
from medvl.commands.local import (eval_scores)

# %% [8] `medvl eval scores`
tmp = tempfile.TemporaryDirectory(); root = Path(tmp.name)
os.environ['MEDVL_CACHE'], cache = str(root/'cache'), os.environ.get('MEDVL_CACHE')
studies = phantom_studies(14, seed=2, size=64)
tok = train_tokenizer([s.report for s in studies], 600)
seed_everything(0)
vit = dict(name='vit_small_cpu', size=64, patch_size=16, depth=1, embed_dim=48, num_heads=3)
bert = dict(hidden_size=48, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64)
small = dict(name='page', size=64, resize=64, decode=64, mean=.48, std=.28)
m = PLAN.small(vision=vit, text=bert, vocab=len(tok), size=64, dim=32, hidden=32, layers=1, preset=small)
save_pretrained(m, root/'run'/'model', extra=dict(preset=small, max_len=64)); tok.save_pretrained(root/'run'/'model')
def kept(i, s):
    "A study with films and boxes on disk, as a manifest wants it."
    (root/'set').mkdir(exist_ok=True); views = []
    for v in s.frontals:
        Image.fromarray(v.px).save(root/'set'/f'{v.id}.png')
        views.append(dataclasses.replace(v, path=str(root/'set'/f'{v.id}.png'), px=None, masks={}, info={}))
    return dataclasses.replace(s, views=views, prior=None, split='test' if i % 2 else 'train', info={})
number = {p: i for i,p in enumerate(dict.fromkeys(s.patient for s in studies))}
write_manifest([kept(number[s.patient], s) for s in studies], root/'set'/'manifest.csv')
def run(*args):
    r = CliRunner().invoke(eval_app, list(map(str, args)), catch_exceptions=False)
    return r.exit_code, r.output.replace(str(root), 'RUNS')
base = '--model', root/'run', '--data', root/'set'
code, said = run('scores', *base, '--out', root/'s', '--n-boot', 20); print(said); test_eq(code, 0)
res = json.loads((root/'s'/'results.json').read_text())
test_eq(set(res['retrieval']), {'glob','local','z'}); test_eq(res['zeroshot']['how'], 'z')
for r in res['retrieval'].values(): test_eq(0 <= r['image_to_text_R@1'] <= r['image_to_text_R@10'] <= 1, True)
code, said = run('scores', *base, '--out', root/'s2', '--how', 'best'); test_eq(code, 2)

# %% [10] `medvl eval detect`
from medvl.commands.local import (boxed)

# %% [11] `medvl eval detect`
v = View(id='a', px=np.zeros((80,160), np.uint8), boxes=[Box('Edema', 40, 0, 40, 80), Box('Edema', 0, 0, 30, 80),
                                                        Box('Fracture', 50, 0, 9, 9)])
_, b = boxed([Study('p', 's', 0., [v], split='test')], 'test', 'Edema', dict(small, resize=64))
test_close(b[0].numpy(), [[0, 0, .5, 1]])                     # the middle 80 columns are seen, from 40 to 120
test_eq(boxed([Study('p', 's', 0., [v], split='test')], 'test', 'Mass', small)[1][0].shape, (0,4))
test_fail(lambda: boxed([], 'val', 'Edema', small), contains="no frontal film in split 'val'")

# %% [13] `medvl eval detect`
from medvl.commands.local import (eval_detect)

# %% [14] `medvl eval detect`
code, said = run('detect', *base, '--out', root/'d', '--label', 'Pleural Effusion', '--steps', 60); print(said)
test_eq(code, 0)
res = json.loads((root/'d'/'results.json').read_text())
test_eq(res['train']['films'] + res['test']['films'], sum(len(s.frontals) for s in studies))
test_eq(0 <= res['scores']['cells']['AP@0.5'] <= res['scores']['cells']['AP@0.3'] <= 1, True)
code, said = run('detect', *base, '--out', root/'e', '--label', 'Elephant'); test_eq(code, 2)
assert 'has a box to learn from' in ' '.join(said.split()), said
os.environ.pop('MEDVL_CACHE') if cache is None else os.environ.update(MEDVL_CACHE=cache); tmp.cleanup();
