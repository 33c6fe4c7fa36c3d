# nbs/run/80_model.ipynb: runs against the imported medvl.run.model.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Using a trained model
import difflib, html, io, textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from fastcore.basics import patch_to
from torch.nn.functional import normalize
from tqdm import tqdm
from medvl.core import SLOTS, Aligner, MedvlError, default_device
from medvl.data.batch import sample_loader
from medvl.data.dicom import view_kind
from medvl.data.manifest import plain, read_manifest
from medvl.data.pixels import ImageError
from medvl.data.preset import Preset, decode_film
from medvl.data.prompts import DEFAULT, PromptSet, load_prompts
from medvl.data.scan import UNKNOWN_VIEW, as_logged, scan_dicom, scan_file
from medvl.data.show import Rows, cards
from medvl.data.study import Sample, Study, View, samples, share_bits
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
from pydicom import dcmread
from medvl.phantom.projection import write_dicom
from medvl.phantom.set import phantom_studies
from medvl.toy import toy_set

# %% [6] Films to embed
from medvl.run.model import (as_studies, check_listed, by_header, scanned)

# %% [7] Films to embed
tmp = tempfile.TemporaryDirectory(); d = Path(tmp.name)
films = [v for s in phantom_studies(4, seed=5, size=128) for v in s.frontals[:1]]
for i,v in enumerate(films): Image.fromarray(v.px).save(d/f'film{i}.png')
(d/'broken.png').write_bytes(b'\x89PNG\r\n\x1a\n and no more'); (d/'notes.txt').write_text('not a film')
log = ReadLog('a folder'); studies = as_studies(d, log)
print(str(log).replace(str(d)+'/', ''))
test_eq(len(studies), len(films)); test_eq({v.kind for s in studies for v in s.views}, {'frontal'})
assert 'view_class' not in str(log)
two = ReadLog('two files'); test_eq(len(as_studies((d/f'film{i}.png' for i in range(2)), two)), 2)
test_eq((dict(two.found), [o for o,_ in two.noted]), (dict(films=2), ['projection unknown: taken as frontal']*2))
test_eq([as_studies(o, two) for o in (studies, studies[0], films[0])][:2], [studies, studies[:1]])
listed, _ = toy_set(d/'set', 2); Image.fromarray(films[0].px > 99).save(d/'set'/'mask.png')   # not in the manifest
test_eq([s.id for s in as_studies(d/'set', log)], [s.id for s in listed])
test_fail(lambda: as_studies(d/'nowhere', log), contains='no such file or folder')
test_fail(lambda: as_studies([d/'film0.png', d/'film9.png'], log), contains='1 of 2 films are not there')
test_fail(lambda: as_studies([], log), contains='the list is empty')
test_fail(lambda: as_studies([d/'film0.png', d], log), contains='is a folder among 2 films')
test_fail(lambda: as_studies([films[0].px], log), contains='given as ndarray; expected a path, a View or a Study')
test_fail(lambda: as_studies([d/'notes.txt'], log), contains='not a DICOM, PNG or JPEG image')

# %% [9] Films to embed
for name,view in dict(pa='PA', side='LL', ankle='PA').items():
    write_dicom(films[0].px/255, d/f'{name}.dcm', view, patient='P')
ds = dcmread(d/'ankle.dcm'); ds.BodyPartExamined = 'ANKLE'; ds.save_as(d/'ankle.dcm')
three = ReadLog('three files'); got = as_studies([d/f'{o}.dcm' for o in ('pa','side','ankle')], three)
print(str(three).replace(str(d)+'/', ''))
test_eq([(s.patient, s.views[0].kind) for s in got], [('P', 'frontal'), ('P', 'lateral')])
test_eq(three.left, [('BodyPartExamined is ANKLE, not the chest', str(d/'ankle.dcm'))])
for o in d.glob('*.dcm'): o.unlink()

# %% [11] Results
from medvl.run.model import (Films)

# %% [12] Results
from medvl.run.model import (Hits)

# %% [13] Results
from medvl.run.model import (Heat)

# %% [15] The model
from medvl.run.model import (Opened, opened, note_unused)

# %% [16] The model
from medvl.run.model import (Model)

# %% [20] Loading
from medvl.run.model import (load)

# %% [22] An example
m = load('phantom-clip'); print(m)
studies = phantom_studies(40, seed=11, size=128, difficulty='lifelike-easy')
films = m.embed(studies, progress=False); print(films)
hits = m.search('left pleural effusion', k=4)
hits.figure()
plt.show()

# %% [23] An example
found = [s.labels.get('Pleural Effusion') == 1 for s,_ in hits]
there = np.mean([s.labels.get('Pleural Effusion') == 1 for s in films.samples])
print(f'{sum(found)} of {len(found)} have an effusion; of all {len(films)} films {100*there:.0f} % do')
assert np.mean(found) > there and hits.score == sorted(hits.score, reverse=True)
z = m.zeroshot(findings=['Pleural Effusion','Pneumothorax','bowel gas'])
print(z.attrs['notes'])
test_eq(m.zeroshot(findings='pleural effusion').iloc[:,0].tolist(), z['Pleural Effusion'].tolist())
assert 'did you mean' in m.zeroshot(findings=['Plural Effusion']).attrs['notes'][0]
assert 'no words against Edema' in m.zeroshot(findings='Edema', prompts='chexpert5-cross-v1').attrs['notes'][0]
truth = np.array([s.labels.get('Pleural Effusion') == 1 for s in films.samples])
assert z['Pleural Effusion'][truth].mean() > z['Pleural Effusion'][~truth].mean()
z.head(3).round(2)

# %% [25] Heat maps
g = load('phantom-gloria'); print(g)
h = g.heat(films.view(hits.order[0]), 'left pleural effusion', clear=studies); h

# %% [26] Heat maps
test_eq(h.map.shape, (128,128)); y, x = np.unravel_index(np.nanargmax(h.map), h.map.shape)
print(f'highest at column {x}, row {y}; notes: {h.notes}')
test_eq(g.heat(films.view(hits.order[0]), 'left pleural effusion').map, h.map)  # the scale changes the colours alone
normal = [s.frontals[0] for s in studies if s.labels['No Finding'] == 1]
assert any('claims no place' in n for n in g.heat(normal[0], 'left pleural effusion', clear=normal).notes)
assert any('does not contain' in n for n in g.heat(normal[0], 'effusion \u20ac').notes)
test_fail(lambda: g.heat(normal[0], 'effusion', clear=normal[:1]), contains='at least 2')
test_fail(lambda: g.heat(normal[0], 'effusion', clear=[s for s in studies if s.labels['No Finding'] != 1]),
          contains='without a finding')

# %% [28] Heat maps
import shutil
test_fail(lambda: load('phantom-clap'), contains='no shipped or published model; shipped: ')
test_fail(lambda: load(d), contains='holds no config.json')
bad = Path(shutil.copytree(shipped()['phantom-clip'], d/'bad'))
(bad/'model.safetensors').write_bytes((bad/'model.safetensors').read_bytes()[:10_000])
test_fail(lambda: load(bad), contains='model.safetensors')
mute = Model(m.aligner, None, m.preset, name='mute')
test_fail(lambda: mute.search('x', films=films), contains='no tokenizer')
test_fail(lambda: mute.search('x'), contains='embed films first')
test_fail(lambda: g.search('effusion', films=films), contains="embedded by 'phantom-clip'")
for k in (0, -1): test_fail(lambda: m.search('effusion', k), contains='expected 1 or more')

# %% [30] Heat maps
(few := d/'few').mkdir()
for o in d.glob('film*.png'): shutil.copy(o, few)
Image.fromarray(np.random.default_rng(0).integers(0, 255, (99,80,3), 'uint8')).save(few/'colour.png')
some = m.embed(few, progress=False); test_eq(len(some), len(list(few.iterdir()))-1)
print(str(some.log).replace(str(few)+'/', ''))
assert 'a colour picture' in str(some.log) and '1 left out' in repr(some)
test_fail(lambda: m.embed(few, errors='raise', progress=False), contains='a colour picture')
side = replace(studies[0].views[0], kind='lateral', id='side')
both = m.embed([films.view(0), side], progress=False)
test_eq(both.log.left, [('not a frontal film (lateral)', 'side')])
half = load('phantom-clip'); half.aligner.half()
test_close(half.embed(films.view(0), progress=False).emb.v, films.emb.v[:1], .01)
one = m.embed(d/'film0.png', progress=False); test_eq(len(one), 1)
test_eq(m.search('effusion', 3).table.columns.tolist(), ['film','patient','score'])
tmp.cleanup()
