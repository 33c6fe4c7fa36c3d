# nbs/commands/34_localise.ipynb: runs against the imported medvl.commands.localise.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Masks and boxes
from pathlib import Path
from typing import Literal
import typer
from medvl.command import command
from medvl.commands.transfer import app
from medvl.run.downstream import Transfer
from medvl.run.folder import close_run, open_run, save_figure
from medvl.run.localise import Head, classes_of, detect, encoder, segment, shown as picture

# %% [4] Masks and boxes
import json, tempfile
from fastcore.test import *
from typer.testing import CliRunner
from medvl.phantom.export import export_set

# %% [5] Masks and boxes
from medvl.commands.localise import (LOCAL_DOCS, _close, transfer_segment, transfer_detect)

# %% [7] Masks and boxes
tmp = tempfile.TemporaryDirectory(); root = Path(tmp.name)
export_set(root/'set', 20, seed=0, size=96, difficulty='lifelike-easy', bar=False)
def transfer(*args):
    r = CliRunner().invoke(app, [*map(str, args)], catch_exceptions=False)
    return r.exit_code, r.output
same = ('--model', 'phantom-mrm', '--data', root/'set', '--cache', root/'films', '--seeds', 1, '--epochs', 2,
        '--small')
code, text = transfer('segment', *same, '--out', root/'a', '--mask', 'Pleural Effusion', '--mask',
                      'any=Consolidation|Atelectasis|Pleural Effusion', '--shown', 3)
print(text.replace(str(root), 'RUNS')); test_eq(code, 0)
test_eq(sorted(p.name for p in (root/'a').iterdir()), ['films.png','results.json','run.json','steps'])
res = json.loads((root/'a'/'results.json').read_text())
test_eq(set(res['shares']['1']['mean']), {'Pleural Effusion','any'})

# %% [8] Masks and boxes
code, text = transfer('detect', *same, '--out', root/'b', '--box', 'Pleural Effusion', '--shown', 0)
print(text.replace(str(root), 'RUNS')); test_eq(code, 0); assert not (root/'b'/'films.png').exists()
code, text = transfer('segment', *same, '--out', root/'c', '--mask', 'Spleen'); test_eq(code, 2)
assert "no training film has a mask 'Spleen'" in text
code, text = transfer('detect', *same, '--out', root/'a', '--box', 'Pleural Effusion'); test_eq(code, 2)
assert 'it is of `medvl transfer segment`' in text
tmp.cleanup()
