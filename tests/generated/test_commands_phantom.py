# nbs/commands/05_phantom.ipynb: runs against the imported medvl.commands.phantom.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Phantom films
from pathlib import Path
from typing import Literal
import typer
from medvl.command import LOOK, command

# %% [4] Phantom films
import os, tempfile
from fastcore.test import *
from typer.testing import CliRunner
from medvl.commands import data
from medvl.readers.find import read_studies

# %% [5] Phantom films
from medvl.commands.phantom import (app, phantom)

# %% [6] Phantom films
tmp, home = tempfile.TemporaryDirectory(), os.getcwd()
os.chdir(tmp.name)
medvl = typer.Typer()
medvl.add_typer(app); medvl.add_typer(data.app, name='data')            # as `medvl` itself does it
def run(*args): return CliRunner().invoke(medvl, list(map(str, args)), catch_exceptions=False)
r = run('phantom', '--n', 5, '--out', 'set', '--film', 64, '--workers', 0)
print(r.output)
test_eq(r.exit_code, 0)
test_eq(len({s.patient for s in read_studies('set')}), 5)

# %% [8] Phantom films
r = run('data', 'summary', 'set')
print(r.output)
test_eq(r.exit_code, 0); assert '5 patients' in r.output and 'one split only' in r.output

# %% [10] Phantom films
base = ['phantom', '--out', 'dcm', '--dicom', '--film', 64, '--workers', 0]
test_eq(run(*base, '--patients', 1).exit_code, 0)
r = run(*base, '--patients', 2)
test_eq((r.exit_code, r.output.split(',')[0]), (0, '2 patients'))
test_eq({Path(v.path).suffix for s in read_studies('dcm') for v in s.views}, {'.dcm'})
for args, want in [([*base, '--patients', 2, '--seed', 7], 'seed was 0, is 7'),
                   (['phantom', '--patients', 2, '--out', '.'], 'no phantom.json'),
                   ([*base, '--patients', 0], '0 patients')]:
    r = run(*args)
    print(r.output.strip()); test_eq(r.exit_code, 2); assert want in r.output
os.chdir(home); tmp.cleanup()
