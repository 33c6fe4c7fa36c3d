# nbs/run/11_folder.ipynb: runs against the imported medvl.run.folder.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] The folder of a run
import contextlib, json, os, re
from pathlib import Path
from typing import Any

# %% [4] The folder of a run
import io, tempfile
import matplotlib.pyplot as plt
from contextlib import redirect_stdout
from unittest import mock
from fastcore.test import *
from medvl.core import MedvlError

# %% [6] Two files
from medvl.run.folder import (NOT_SAID, FREE, open_run, _whole, _same_run, close_run)

# %% [7] Two files
with tempfile.TemporaryDirectory() as d:
    out = Path(d)/'a'
    said = open_run(out, 'eval x', dict(k=1, data=Path(d), force=False, num_workers=0))
    test_eq(said['k'], 1); test_eq([p.name for p in out.iterdir()], ['run.json'])
    test_eq(open_run(None, 'eval x', dict(init=Path('phantom-mrm')))['init'], 'phantom-mrm')  # not a path
    open_run(out, 'eval x', dict(k=3, data=Path(d))); open_run(out, 'eval x', said)        # nothing came of it
    (out/'roc.png').write_text('')
    open_run(out, 'eval x', dict(k=1, data=Path(d), num_workers=4))                       # the same run, other workers
    test_fail(lambda: open_run(out, 'eval x', said|dict(k=2)), exc=MedvlError, contains='another run: k was 1, is 2')
    test_fail(lambda: open_run(out, 'eval y', dict(k=1, data=Path(d))), contains='it is of `medvl eval x`')
    test_fail(lambda: open_run(out, 'eval x', said, again=False), contains='--resume goes on with it')
    open_run(out, 'eval x', dict(said, resume=True), again=False)
    was = json.loads((out/'run.json').read_text()); was['arguments']['init'] = f'{d}/phantom-mrm'
    (out/'run.json').write_text(json.dumps(was)); open_run(out, 'eval x', dict(said, init=Path('phantom-mrm')))
    open_run(out, 'eval x', dict(k=2, data=Path(d), force=True))
    with redirect_stdout(io.StringIO()): close_run(out, 'eval x', said, score=.5)
    test_eq(json.loads((out/'results.json').read_text())['score'], .5)
    (Path(d)/'b').mkdir(); (Path(d)/'b/film.png').write_text('')
    test_fail(lambda: open_run(Path(d)/'b', 'eval x', {}), contains='holds files but no medvl run (film.png ...)')
    test_fail(lambda: open_run(Path(d), 'eval x', dict(data=Path(d))), contains='is the data itself')
    test_fail(lambda: open_run(Path(d)/'b/film.png', 'eval x', {}), contains='is a file')

# %% [9] Two files
from medvl.run.folder import (alone)

# %% [10] Two files
with tempfile.TemporaryDirectory() as d, mock.patch.dict(os.environ, MEDVL_CACHE=d):
    with alone(Path(d)/'run'):
        test_fail(lambda: alone(Path(d)/'run').__enter__(), contains='another process trains in')
        with alone(Path(d)/'other'): pass
    with alone(Path(d)/'run'): pass

# %% [12] Two files
from medvl.run.folder import (save_figure, save_text)

# %% [13] Two files
with tempfile.TemporaryDirectory() as d:
    save_figure(plt.figure(figsize=(1,1)), Path(d)/'f.png'); plt.close()
    test_eq([p.name for p in Path(d).iterdir()], ['f.png'])
    save_text('<p>\u00e9</p>', Path(d)/'p.html')
    test_eq((Path(d)/'p.html').read_text(encoding='utf-8'), '<p>\u00e9</p>')
    test_eq(sorted(p.name for p in Path(d).iterdir()), ['f.png','p.html'])

# %% [15] The model of a run
from medvl.run.folder import (found, shipped, published_dir, named_model, model_dir)

# %% [16] The model of a run
with tempfile.TemporaryDirectory() as d:
    root = Path(d)
    test_fail(lambda: model_dir(root), contains='holds no model'); test_eq(found(root/'model/config.json'), None)
    (root/'model').mkdir(); (root/'model/config.json').write_text('{}')
    test_eq((model_dir(root), model_dir(root/'model'), found(root/'model/config.json')), (root/'model',)*2+({},))
with tempfile.TemporaryDirectory() as d, contextlib.chdir(d):
    Path('phantom-mrm/model').mkdir(parents=True); Path('phantom-mrm/model/config.json').write_text('{}')
    test_fail(lambda: model_dir(Path('phantom-mrm')), contains='and a run in this folder')
    test_eq(model_dir(Path('phantom-mrm').resolve()), Path(d).resolve()/'phantom-mrm/model')
print(*shipped()); test_eq(model_dir(Path('phantom-mrm')), shipped()['phantom-mrm'])

# %% [18] The model of a run
def written_to(name, files, out): out.mkdir(); (out/'config.json').write_text('{}'); return out
with tempfile.TemporaryDirectory() as d, mock.patch.dict(os.environ, MEDVL_CACHE=d):
    where = 'medvl.methods.zoo.'
    test_fail(lambda: model_dir(Path('chexzero')), contains='medvl zoo get chexzero --files FILE --out DIR')
    with mock.patch(where+'fetch', return_value=Path(d)) as fetched, mock.patch(where+'convert', written_to):
        for _ in range(2): test_eq(model_dir(Path('rad-dino')), Path(d)/'zoo'/'rad-dino')
    test_eq(fetched.call_count, 1)
    test_fail(lambda: model_dir(Path('no-such-model')), contains='holds no model')
