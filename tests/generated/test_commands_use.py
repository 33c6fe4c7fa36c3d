# nbs/commands/32_use.ipynb: runs against the imported medvl.commands.use.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Use
from pathlib import Path
import typer
from medvl.command import ARG, LOOK, command
from medvl.run.folder import save_figure

# %% [4] Use
import os, tempfile
from unittest import mock
from fastcore.test import *
from PIL import Image
from typer.testing import CliRunner
from medvl.phantom.set import phantom_studies

# %% [5] Use
from medvl.commands.use import (app, WARNING, free)

# %% [7] Search
from medvl.commands.use import (search)

# %% [9] Predict
from medvl.commands.use import (predict)

# %% [11] Predict
tmp = tempfile.TemporaryDirectory(); d = Path(tmp.name)/'films'; d.mkdir()
env = mock.patch.dict(os.environ, MEDVL_CACHE=str(d.parent/'cache')); env.start()
films = [s.frontals[0].px for s in phantom_studies(4, seed=5, size=128)]
for i,px in enumerate(films[:4]): Image.fromarray(px).save(d/f'{i}.png')
(d/'broken.png').write_bytes(b'\x89PNG\r\n\x1a\n')
def run(*args):
    got = CliRunner().invoke(app, [str(o) for o in args])
    return got.exit_code, got.output
code, said = run('search', 'left pleural effusion', '--data', d, '--k', 2, '--out', d.parent/'hits.png')
print(said.replace(str(d), 'FILMS').replace(tmp.name, '...'))
test_eq(code, 0); assert (d.parent/'hits.png').stat().st_size > 1000
assert 'not for clinical use' in said and 'broken.png' in said
test_eq('encoded before' in said, False)
assert '4 of 4 films were encoded before' in run('search', 'cardiomegaly', '--data', d)[1]
two = 'Pleural Effusion, Cardiomegaly'
code, said = run('predict', d/'0.png', d/'1.png', '--findings', two, '--out', d/'p.csv')
print(said.replace(str(d), 'FILMS').replace(tmp.name, '...'))
test_eq((code, (d/'p.csv').read_text().splitlines()[0]), (0, 'film,Pleural Effusion,Cardiomegaly'))
code, said = run('predict', d/'0.png', '--findings', 'Edma', '--out', d/'p.csv', '--force')
assert "'Edma' is not in chexpert14-normal-v1" in said and "did you mean 'Edema'?" in said

# %% [13] Predict
for args, want in [(('search', 'x', '--data', d/'none'), 'no such file or folder'),
                   (('search', 'x', '--data', d, '--model', 'phantom-clap'), 'shipped: '),
                   (('predict', d/'9.png'), 'no such file'),
                   (('predict', d/'0.png', d), 'is a folder among 2 films'),
                   (('predict', d/'0.png', '--out', d/'p.csv'), 'p.csv exists already'),
                   (('search', 'x', '--data', d, '--out', d/'0.png'), '0.png exists already'),
                   (('search', 'x', '--data', d, '--k', 0), 'k=0; expected 1 or more'),
                   (('predict', d/'0.png', '--out', d/'x.xls'), 'is a .csv')]:
    code, said = run(*args); test_eq(code, 2); assert want in said, said
env.stop(); tmp.cleanup()
