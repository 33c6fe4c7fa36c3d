# nbs/run/80_model.ipynb: runs against the imported medvl.run.model.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Using a trained model
import html, io, textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from fastcore.basics import patch_to
from torch.nn.functional import normalize
from medvl.core import SLOTS, Aligner, MedvlError, default_device
from medvl.data.batch import sample_loader
from medvl.data.manifest import read_manifest
from medvl.data.preset import Preset
from medvl.data.prompts import DEFAULT, load_prompts
from medvl.data.scan import UNKNOWN_VIEW, scan_dicom
from medvl.data.show import Rows, cards
from medvl.data.study import Sample, Study, View, samples
from medvl.data.table import ReadLog, write_table
from medvl.data.tokens import load_tokenizer
from medvl.data.words import sections
from medvl.eval.maps import Asker, clear_views, heats
from medvl.eval.retrieval import Embeddings, embed
from medvl.eval.zeroshot import embed_texts
from medvl.models.authors import open_model
from medvl.models.checkpoint import read_config
from medvl.readers.find import find_layouts, manifest_in, read_studies
from medvl.run.folder import named_model, shipped

# %% [4] Using a trained model
import tempfile
from fastcore.test import *
from PIL import Image
from medvl.phantom.set import phantom_studies
from medvl.toy import toy_set

# %% [6] Films to embed
from medvl.run.model import (as_studies, scanned)

# %% [7] Films to embed
tmp = tempfile.TemporaryDirectory(); d = Path(tmp.name)
films = [v for s in phantom_studies(4, seed=5, size=128) for v in s.frontals[:1]]
for i,v in enumerate(films): Image.fromarray(v.px).save(d/f'film{i}.png')
(d/'broken.png').write_bytes(b'\x89PNG\r\n\x1a\n and no more'); (d/'notes.txt').write_text('not a film')
log = ReadLog('a folder'); studies = as_studies(d, log)
print(str(log).replace(str(d)+'/', ''))
test_eq(len(studies), len(films)); test_eq({v.kind for s in studies for v in s.views}, {'frontal'})
assert 'view_class' not in str(log)
two = ReadLog('two files'); test_eq(len(as_studies([d/'film0.png', d/'film1.png'], two)), 2)
test_eq((as_studies(studies, log), str(two)), (studies, 'two files: 2 films'))
listed, _ = toy_set(d/'set', 2); Image.fromarray(films[0].px > 99).save(d/'set'/'mask.png')   # not in the manifest
test_eq([s.id for s in as_studies(d/'set', log)], [s.id for s in listed])
test_fail(lambda: as_studies(d/'nowhere', log), contains='no such file or folder')
test_fail(lambda: as_studies([d/'film0.png', d/'film9.png'], log), contains='1 of 2 films are not there')
test_fail(lambda: as_studies([], log), contains='the list is empty')

# %% [9] Results
from medvl.run.model import (Films)

# %% [10] Results
from medvl.run.model import (Hits)

# %% [11] Results
from medvl.run.model import (Heat)

# %% [13] The model
from medvl.run.model import (Model)

# %% [17] Loading
from medvl.run.model import (load)

# %% [19] An example
m = load('phantom-clip'); print(m)
studies = phantom_studies(40, seed=11, size=128, difficulty='lifelike-easy')
films = m.embed(studies, progress=False); print(films)
hits = m.search('left pleural effusion', k=4)
hits.figure()
plt.show()

# %% [20] An example
found = [s.labels.get('Pleural Effusion') == 1 for s,_ in hits]
there = np.mean([s.labels.get('Pleural Effusion') == 1 for s in films.samples])
print(f'{sum(found)} of {len(found)} have an effusion; of all {len(films)} films {100*there:.0f} % do')
assert np.mean(found) > there and hits.score == sorted(hits.score, reverse=True)
z = m.zeroshot(findings=['Pleural Effusion','Pneumothorax','bowel gas'])
truth = np.array([s.labels.get('Pleural Effusion') == 1 for s in films.samples])
assert z['Pleural Effusion'][truth].mean() > z['Pleural Effusion'][~truth].mean()
z.head(3).round(2)

# %% [22] Heat maps
g = load('phantom-gloria'); print(g)
h = g.heat(films.view(hits.order[0]), 'left pleural effusion', clear=studies); h

# %% [23] Heat maps
test_eq(h.map.shape, (128,128)); y, x = np.unravel_index(np.nanargmax(h.map), h.map.shape)
print(f'highest at column {x}, row {y}; notes: {h.notes}')
test_eq(g.heat(films.view(hits.order[0]), 'left pleural effusion').map, h.map)  # the scale changes the colours alone
normal = [s.frontals[0] for s in studies if s.labels['No Finding'] == 1]
assert any('claims no place' in n for n in g.heat(normal[0], 'left pleural effusion', clear=normal).notes)
assert any('does not contain' in n for n in g.heat(normal[0], 'effusion \u20ac').notes)
test_fail(lambda: g.heat(normal[0], 'effusion', clear=normal[:1]), contains='at least 2')
test_fail(lambda: g.heat(normal[0], 'effusion', clear=[s for s in studies if s.labels['No Finding'] != 1]),
          contains='without a finding')

# %% [25] Heat maps
import shutil
test_fail(lambda: load('phantom-clap'), contains='no shipped or published model; shipped: ')
test_fail(lambda: load(d), contains='holds no config.json')
bad = Path(shutil.copytree(shipped()['phantom-clip'], d/'bad'))
(bad/'model.safetensors').write_bytes((bad/'model.safetensors').read_bytes()[:10_000])
test_fail(lambda: load(bad), contains='model.safetensors')
mute = Model(m.aligner, None, m.preset, name='mute')
test_fail(lambda: mute.search('x', films=films), contains='no tokenizer')
test_fail(lambda: mute.search('x'), contains='embed films first')
one = m.embed(d/'film0.png', progress=False); test_eq(len(one), 1)
test_eq(m.search('effusion', 3).table.columns.tolist(), ['film','patient','score'])
tmp.cleanup()
