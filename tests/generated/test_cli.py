# nbs/cli.ipynb: runs against the imported medvl.cli.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Command line
import importlib.metadata, os
from typing import Any
import typer
from typer.core import TyperGroup
from medvl.command import LOOK
from medvl.commands import count, data, eval, ground, localise, study, train, transfer, use, zoo

# %% [4] Command line
import subprocess, sys
from fastcore.test import *
from typer.testing import CliRunner

# %% [6] The families
from medvl.cli import (FAMILIES, Families, app)

# %% [8] The entry point
from medvl.cli import (top, main)

# %% [10] The entry point
heavy = ('torch','timm','transformers','fastai','matplotlib','sklearn')
code = f"""import sys
from medvl.cli import app
from typer.testing import CliRunner
print(CliRunner().invoke(app, '--help').output, [m for m in {heavy} if m in sys.modules])"""
t = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True).stdout
print(t)
test_eq(t.split()[-1], '[]')
assert '...' not in t.replace('[ARGS]...', '')                          # no sentence is cut

# %% [11] The entry point
def run(args): return CliRunner().invoke(app, args, catch_exceptions=False)
leaves = [['demo'], ['ablate'], ['phantom'], ['data','summary'], ['data','manifest'], ['pretrain'],
          ['align'], ['tune'], ['crossval'], ['eval','retrieval'], ['eval','zeroshot'], ['eval','grounding'],
          ['eval','scores'],
          ['eval','detect'], ['eval','temporal'], ['eval','protocol'], ['eval','suite'], ['transfer','classify'],
          ['transfer','segment'], ['transfer','detect'],
          ['params'], ['compute']]
more = {'ground','search','predict','zoo','merge'}
test_eq(sorted(n for o in FAMILIES.values() for n in o), sorted({o[0] for o in leaves} | more))
for cmd in leaves:
    r = run([*cmd, '--help'])
    test_eq(r.exit_code, 0)
    for o in ('--seed', '--out', '--debug'): assert o in r.output, (cmd, o)
for group in ('data','eval','transfer'):
    assert '...' not in run([group,'--help']).output.replace('[ARGS]...', ''), group
print(run(['eval','zeroshot','--help']).output)

# %% [12] The entry point
test_eq(run(['--version']).output.strip()[:6], 'medvl ')
r = run(['data','summary','/no/such/folder']); test_eq(r.exit_code, 2); print(r.output)
r = run(['params','blip']); test_eq(r.exit_code, 2); assert 'unknown method' in r.output
