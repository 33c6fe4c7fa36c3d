# nbs/commands/04_count.ipynb: runs against the imported medvl.commands.count.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Parameters
from collections.abc import Iterator
from json import dumps
from pathlib import Path
from typing import Literal
import typer
from medvl.command import ARG, LOOK, close_run, command, open_run
from medvl.commands.train import build, counted

# %% [4] Parameters
import json
import pandas as pd
from fastcore.test import *
from typer.testing import CliRunner

# %% [5] Parameters
from medvl.commands.count import (app)

# %% [6] Parameters
from medvl.commands.count import (params)

# %% [8] Parameters
medvl = typer.Typer()
medvl.add_typer(app)                                                    # as `medvl` itself does it
def run(*args): return CliRunner().invoke(medvl, list(map(str, args)), catch_exceptions=False)
print(run('params', 'alta').output)

# %% [9] Parameters
res = json.loads(run('params', 'alta', '--json').output)
test_eq((res['trainable'], res['total']), (18_333_502, 242_177_854))
test_eq(sum(o['total'] for o in res['parts'].values()), res['total'])
clip = json.loads(run('params', 'clip', '--size', 'small', '--depth', '2', '--json').output)
test_eq(clip['total']-clip['trainable'], (1+8*8)*192)                         # a class token, 8 x 8 patches
test_eq(sum(o['total'] for o in clip['parts'].values()), clip['total'])

# %% [11] Parameters
wide, narrow = (json.loads(run('params', 'clip', '--size', 'small', '--set', f'dim={d}', '--json').output)['total']
                for d in (256, 64))
assert wide > narrow
for args, want in [(['blip'], "unknown method 'blip'"), (['clip', '--set', 'mood=1'], "--set 'mood=1'")]:
    r = run('params', *args)
    print(r.output.strip()); test_eq(r.exit_code, 2); assert want in r.output

# %% [13] Compute
from medvl.commands.count import (systems, SYSTEMS, one_system)

# %% [14] Compute
test_eq([o[0] for o in systems(['mrm','alta clean'])], ['mrm', *(f'alta clean, {n} films' for n in (1,2,3,4))])
test_fail(lambda: list(systems(['blip'])), contains="unknown system 'blip'")
rows = {o[0]: one_system(*o, 'small', 2, 0) for o in systems(['alta clean','clip','clip lora'])}
M = pd.DataFrame(rows).T[['forward','backward','trainable']]
display(M.map('{:,}'.format))
costs = [rows[f'alta clean, {n} films']['forward'] for n in (1,2,3,4)]
test_eq(1 < costs[3]/costs[0] < 4, True)                        # the report is there once, whatever the films
test_eq(rows['clip']['forward'] < rows['clip lora']['forward'], True)               # the low-rank parts are extra
test_eq(rows['clip lora']['backward'] < rows['clip']['backward'], True)             # but most weights want no gradient

# %% [16] Compute
from medvl.commands.count import (whole)

# %% [18] The two sentences of the abstract
from medvl.commands.count import (readings, in_table)

# %% [20] The two sentences of the abstract
four = dict(trainable=8, parameters=100, film_adapters=3, film_tower=60, forward=1, total=2)
made = {'alta faithful, 4 films': four, 'mrm': dict(trainable=60, forward=1, total=1)}
w = whole(made, 20, [10, 20], 200, 30); test_eq((w['ratio'], w['below']), ({'10': .15, '20': .3}, 13))
said = readings(made, w); print(in_table(said, w))
test_eq([r['holds'] for r in said], [True, False, False, False, False, True, False])
test_close([r['ratio'] for r in said], [.08, .05, 8/60, 1, 2, .15, .3])
test_eq((readings({}, {}), whole({}, 1, [1], 1, 1)), ([], {}))

# %% [21] The two sentences of the abstract
from medvl.commands.count import (compute, as_line)

# %% [22] The two sentences of the abstract
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
