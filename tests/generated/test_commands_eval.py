# nbs/commands/03_eval.ipynb: runs against the imported medvl.commands.eval.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Score
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal
import typer
from medvl.command import LOOK, close_run, command, open_run, save_figure
from medvl.commands.data import read, units
from medvl.commands.train import model_dir

# %% [4] Score
import json, os, tempfile
import matplotlib.pyplot as plt
from unittest import mock
from fastcore.test import *
from typer.testing import CliRunner
from medvl.commands import train
from medvl.core import SLOTS
from medvl.data.manifest import write_manifest
from medvl.data.prompts import PromptSet
from medvl.data.study import Sample, Study, View
from medvl.phantom.set import phantom_studies

# %% [5] Score
from medvl.commands.eval import (app)

# %% [7] Evaluation
from medvl.commands.eval import (loaded, Scoring, settled)

# %% [9] Evaluation
from medvl.commands.eval import (eval_loader, facts_of)

# %% [11] Evaluation
tmp, home, root = tempfile.TemporaryDirectory(), os.getcwd(), Path()
os.chdir(tmp.name)
env = mock.patch.dict(os.environ, MEDVL_CACHE=os.path.abspath('cache')); env.start()
data = write_manifest(phantom_studies(12, size=64, cache=False), root/'set/manifest.csv')
medvl = typer.Typer()
medvl.add_typer(train.app); medvl.add_typer(app, name='eval')           # as `medvl` itself does it
def run(*args):
    r = CliRunner().invoke(medvl, list(map(str, args)), catch_exceptions=False)
    return r.exit_code, r.output
code, said = run('align', 'clip', '--data', data, '--out', root/'clip', *'--slots current --bs 4 --epochs 1 '
                 '--warmup 0 --precision fp32 --vocab 200 --max-len 24'.split())
test_eq(code, 0)

# %% [12] Evaluation
model, tok, cfg = loaded(root/'clip')
test_eq(cfg['extra']['args']['data']['slots'], ['current_frontal'])
smp = units(read(data)[0], need_text=True, split='test')
dl = eval_loader(smp, tok, cfg, Scoring(bs=4))
print(facts_of(cfg, dl))
test_eq([s.id for s in dl.dataset.samples], [s.id for s in smp])                     # nothing is shuffled
test_eq(facts_of(cfg, dl)['films_per_slot'], {'current_frontal': len(smp)})          # as it was trained
test_fail(lambda: loaded(root/'set'), contains='holds no model')
assert settled(Scoring()).precision in ('bf16','fp16','fp32')
test_eq(settled(Scoring(precision='bf16')).precision, 'bf16')

# %% [14] Evaluation
path = root/'clip/model/config.json'; was = path.read_text()
path.write_text(json.dumps({k: v for k, v in json.loads(was).items() if k != 'extra'}))
test_fail(lambda: loaded(root/'clip'), contains='does not say how films were prepared')
path.write_text(was);

# %% [16] `medvl eval retrieval`
from medvl.commands.eval import (EVAL_DOCS, eval_retrieval)

# %% [17] `medvl eval retrieval`
base = ['--model', root/'clip', '--data', data, '--n-boot', 50]
code, said = run('eval', 'retrieval', *base, '--out', root/'ret', '--rows', 3, '--embeddings')
print(said)
test_eq(code, 0)
res = json.loads((root/'ret/results.json').read_text())
test_eq(res['retrieval']['n_pairs'], len(smp))
full = res['retrieval']['full']
assert 0 <= full['image_to_text_R@1'] <= full['image_to_text_R@5'] <= full['image_to_text_R@10'] <= 1
test_eq(sorted(p.name for p in (root/'ret').iterdir()),
        ['embeddings.npz','film_to_text.png','results.json','run.json','text_to_film.png'])

# %% [18] `medvl eval retrieval`
fig, ax = plt.subplots(figsize=(5.5,3.3), dpi=60)
ax.imshow(plt.imread(root/'ret/text_to_film.png')); ax.axis('off');

# %% [20] Labels for a prompt set
from medvl.commands.eval import (set_labels)

# %% [21] Labels for a prompt set
def one(finding):
    v = View(id='a', info={'finding': finding})
    return Sample((v,None,None,None), '', 'a', 'p', 'p', 'test', {}, Study('p','s',views=[v]))
ps = PromptSet('t', 1, {k: {'pos': [k], 'neg': []} for k in ('Viral','Bacterial')},
               values={'Viral': ['SARS','MERS'], 'Bacterial': ['Klebsiella']})
got, n = set_labels([one('SARS'), one('Klebsiella'), one('ARDS'), one(''), one('SARS|Klebsiella')], ps, 'finding')
test_eq([list(s.labels.values()) for s in got], [[1,0], [0,1], [], [], [1,1]])
test_eq(n, {'left out: ARDS': 1, 'without a label': 1})

# %% [23] `medvl eval zeroshot`
from medvl.commands.eval import (eval_zeroshot)

# %% [24] `medvl eval zeroshot`
code, said = run('eval', 'zeroshot', *base, '--out', root/'zs')
print(said)
test_eq(code, 0)
z = json.loads((root/'zs/results.json').read_text())['zeroshot']
test_eq((z['prompts']['id'], z['transductive']), ('chexpert14-plain-v1', False))
assert (root/'zs/roc.png').stat().st_size > 1000

# %% [26] `medvl eval zeroshot`
for args, want in [(['--out', root/'zs'], 'medvl eval zeroshot'), (['--out', root/'x', '--source', 'toys'], "'toys'")]:
    code, said = run('eval', 'retrieval', *base, *args)
    print(said.strip()); test_eq(code, 2); assert want in said
env.stop(); os.chdir(home); tmp.cleanup()
