# nbs/cli.ipynb: runs against the imported medvl.cli.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Command line
import importlib.metadata, inspect, json, os, warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from json import dumps
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal
import typer
from medvl.command import ARG, LOOK, close_run, command, open_run, save_figure

# %% [4] Command line
import subprocess, sys, tempfile
from fastcore.test import *
from typer.testing import CliRunner

# %% [5] Command line
from medvl.cli import (app, data_app, eval_app)

# %% [7] Reading a set
from medvl.cli import (read, units)

# %% [8] Reading a set
from medvl.cli import (data_summary)

# %% [10] Training
from medvl.cli import (model_dir, tokenizer, settings)

# %% [11] Training
test_eq(settings(['mode=clean','dim=64','x=[1,2]'], {'mode','dim','x'}), {'mode':'clean','dim':64,'x':[1,2]})
test_fail(lambda: settings(['mood=1'], {'mode'}), contains="--set 'mood=1': expected name=value with a name of mode")
with tempfile.TemporaryDirectory() as d: test_fail(lambda: model_dir(Path(d)), contains='holds no model')

# %% [12] Training
from medvl.cli import (takes_of, build, counted, train)

# %% [14] Training
from medvl.cli import (Training, TRAIN_DOCS)

# %% [15] Training
from medvl.cli import (pretrain, align)

# %% [17] Evaluation
from medvl.cli import (loaded, Scoring, eval_loader, facts_of)

# %% [18] Evaluation
from medvl.cli import (EVAL_DOCS, eval_retrieval)

# %% [20] Labels for a prompt set
from medvl.cli import (set_labels)

# %% [21] Labels for a prompt set
from medvl.data.study import Sample, Study, View
from medvl.data.report import PromptSet
def one(finding):
    v = View(id='a', info={'finding': finding})
    return Sample((v,None,None,None), '', 'a', 'p', 'p', 'test', {}, Study('p','s',views=[v]))
ps = PromptSet('t', 1, {k: {'pos': [k], 'neg': []} for k in ('Viral','Bacterial')},
               values={'Viral': ['SARS','MERS'], 'Bacterial': ['Klebsiella']})
got, n = set_labels([one('SARS'), one('Klebsiella'), one('ARDS'), one(''), one('SARS|Klebsiella')], ps, 'finding')
test_eq([list(s.labels.values()) for s in got], [[1,0], [0,1], [], [], [1,1]])
test_eq(n, {'left out: ARDS': 1, 'without a label': 1})

# %% [22] Labels for a prompt set
from medvl.cli import (eval_zeroshot)

# %% [24] How large is it?
from medvl.cli import (params)

# %% [26] The entry point
from medvl.cli import (top, main)

# %% [28] The entry point
heavy = ('torch','timm','transformers','fastai','matplotlib','sklearn')
code = f"""import sys
from medvl.cli import app
from typer.testing import CliRunner
print(CliRunner().invoke(app, '--help').output, [m for m in {heavy} if m in sys.modules])"""
t = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True).stdout
print(t)
test_eq(t.split()[-1], '[]')

# %% [29] The entry point
def run(args): return CliRunner().invoke(app, args)
for cmd in (['data','summary'], ['pretrain'], ['align'], ['eval','retrieval'], ['eval','zeroshot'], ['params']):
    r = run([*cmd, '--help'])
    test_eq(r.exit_code, 0)
    for o in ('--seed', '--out', '--debug'): assert o in r.output, (cmd, o)
print(run(['eval','zeroshot','--help']).output)

# %% [30] The entry point
test_eq(run(['--version']).output.strip()[:6], 'medvl ')
r = run(['data','summary','/no/such/folder']); test_eq(r.exit_code, 2); print(r.output)
r = run(['params','blip']); test_eq(r.exit_code, 2); assert 'unknown method' in r.output
