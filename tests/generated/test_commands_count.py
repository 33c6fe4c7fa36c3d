# nbs/commands/50_count.ipynb: runs against the imported medvl.commands.count.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Parameters
from json import dumps
from pathlib import Path
from typing import Literal
import typer
from medvl.command import ARG, LOOK, command
from medvl.run.cost import SYSTEMS
from medvl.run.folder import close_run, open_run

# %% [4] Parameters
import json
from fastcore.test import *
from typer.testing import CliRunner

# %% [5] Parameters
from medvl.commands.count import (app, params)

# %% [7] Parameters
medvl = typer.Typer()
medvl.add_typer(app)                                                    # as `medvl` itself does it
def run(*args): return CliRunner().invoke(medvl, list(map(str, args)), catch_exceptions=False)
print(run('params', 'alta').output)

# %% [8] Parameters
res = json.loads(run('params', 'alta', '--json').output)
test_eq((res['trainable'], res['total']), (18_333_502, 242_177_854))
test_eq(sum(o['total'] for o in res['parts'].values()), res['total'])
clip = json.loads(run('params', 'clip', '--size', 'small', '--depth', '2', '--json').output)
test_eq(clip['total']-clip['trainable'], (1+8*8)*192)                         # a class token, 8 x 8 patches
test_eq(sum(o['total'] for o in clip['parts'].values()), clip['total'])

# %% [10] Parameters
wide, narrow = (json.loads(run('params', 'clip', '--size', 'small', '--set', f'dim={d}', '--json').output)['total']
                for d in (256, 64))
assert wide > narrow
for args, want in [(['blip'], "unknown method 'blip'"), (['clip', '--set', 'mood=1'], "--set 'mood=1'")]:
    r = run('params', *args)
    print(r.output.strip()); test_eq(r.exit_code, 2); assert want in r.output

# %% [12] Compute
from medvl.commands.count import (compute)

# %% [13] Compute
r = run('compute', '--size', 'small', '--repeat', '0', '--system', 'mrm', '--system', 'alta faithful', '--json')
res = json.loads(r.output)
test_eq([o['system'] for o in res['rows']], ['mrm', 'alta faithful, 1 films', 'alta faithful, 4 films'])
same = [o['forward'] for o in res['rows'][1:]]
test_eq(max(same) < 1.01*min(same), True)                       # faithful: absent films are encoded all the same
w, by = res['whole'], {o['system']: o['total'] for o in res['rows']}
test_close(w['ratio']['200000'], by['alta faithful, 4 films']*200_000*30/(by['mrm']*377_110*200), eps=1e-9)
test_eq(w['below'], int(by['mrm']*377_110*200/5/(by['alta faithful, 4 films']*30)))
test_eq(len(res['readings']), 7)                                # the same as a table, without a CLIP
plain = run('compute', '--size', 'small', '--repeat', '0', '--system', 'mrm', '--system', 'alta faithful').output
print(plain); assert 'about 8 %' in plain and 'whole trainings are below 1/5 up to' in plain
bad = run('compute', '--system', 'blip'); print(bad.output.strip()); test_eq(bad.exit_code, 2)
