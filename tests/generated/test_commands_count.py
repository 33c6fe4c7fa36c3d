# nbs/commands/04_count.ipynb: runs against the imported medvl.commands.count.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Count
from json import dumps
from pathlib import Path
from typing import Literal
import typer
from medvl.command import ARG, LOOK, close_run, command, open_run
from medvl.commands.train import build, counted

# %% [4] Count
import json
from fastcore.test import *
from typer.testing import CliRunner

# %% [5] Count
from medvl.commands.count import (app)

# %% [6] Count
from medvl.commands.count import (params)

# %% [8] Count
medvl = typer.Typer()
medvl.add_typer(app)                                                    # as `medvl` itself does it
def run(*args): return CliRunner().invoke(medvl, list(map(str, args)))
print(run('params', 'alta').output)

# %% [9] Count
res = json.loads(run('params', 'alta', '--json').output)
test_eq((res['trainable'], res['total']), (18_333_502, 242_177_854))
test_eq(sum(o['total'] for o in res['parts'].values()), res['total'])
clip = json.loads(run('params', 'clip', '--size', 'small', '--depth', '2', '--json').output)
test_eq(clip['total']-clip['trainable'], (1+8*8)*192)                         # a class token, 8 x 8 patches
test_eq(sum(o['total'] for o in clip['parts'].values()), clip['total'])

# %% [11] Count
wide, narrow = (json.loads(run('params', 'clip', '--size', 'small', '--set', f'dim={d}', '--json').output)['total']
                for d in (256, 64))
assert wide > narrow
for args, want in [(['blip'], "unknown method 'blip'"), (['clip', '--set', 'mood=1'], "--set 'mood=1'")]:
    r = run('params', *args)
    print(r.output.strip()); test_eq(r.exit_code, 2); assert want in r.output
