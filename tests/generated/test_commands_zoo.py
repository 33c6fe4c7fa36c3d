# nbs/commands/35_zoo.ipynb: runs against the imported medvl.commands.zoo.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Published models
from pathlib import Path
import typer
from medvl.command import ARG, LOOK, command

# %% [4] Published models
import tempfile
from fastcore.test import *
from typer.testing import CliRunner
import torch
from medvl.methods.zoo import zoo

# %% [5] Published models
from medvl.commands.zoo import (app, zoo_list, zoo_get)

# %% [6] Published models
def run(*args):
    got = CliRunner().invoke(app, [str(o) for o in args])
    return got.exit_code, got.output
code, said = run('list'); print(said); test_eq(code, 0); assert all(k in said for k in zoo)

# %% [8] Published models
with tempfile.TemporaryDirectory() as tmp:
    d = Path(tmp); torch.save(dict(w=torch.zeros(2)), d/'model.pt')
    for args, want in [(('get','chexzero','--out',d/'x'), 'rajpurkarlab/CheXzero. Fetch them'),
                       (('get','chexzero','--files',d/'model.pt','--out',d/'x'), 'and nothing was changed'),
                       (('get','chexnet','--files',d,'--out',d/'x'), "no published model 'chexnet'"),
                       (('get','biovil-t','--files',d,'--out',d/'x'), 'biovil_t_image_model_proj_size_128.pt'),
                       (('get','rad-dino','--files',d/'none','--out',d/'x'), 'no such file or folder')]:
        code, said = run(*args); test_eq(code, 2); assert want in said, said
    assert not (d/'x').exists()
    (d/'own').mkdir(); (d/'own'/'config.json').write_text('{}')
    code, said = run('get','rad-dino','--files',d,'--out',d/'own'); assert 'holds a model already' in said
