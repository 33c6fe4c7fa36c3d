# nbs/phantom/53_export.ipynb: runs against the imported medvl.phantom.export.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Phantom patients on disk
import json, multiprocessing
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
import numpy as np
import pandas as pd
from pydicom import dcmread
from tqdm import tqdm
from medvl.core import MedvlError
from medvl.files import jsonable, save_json, written
from medvl.data.manifest import write_manifest
from medvl.data.study import Box, Study, View, link_priors
from medvl.data.table import write_table
from medvl.phantom.projection import write_dicom, write_png
from medvl.phantom.set import draw_member, fingerprint, knobs, patient_name

# %% [4] Phantom patients on disk
import os, tempfile
import matplotlib.pyplot as plt
from fastcore.test import *
from medvl.data.image import read_image
from medvl.readers.find import read_studies
from medvl.data.scan import scan_dicom
from medvl.data.table import ReadLog
from medvl.phantom.set import draw_studies, patient_number, phantom_studies

# %% [6] One film
from medvl.phantom.export import (number_dicom, write_film)

# %% [7] One film
tmp, home = tempfile.TemporaryDirectory(), os.getcwd()
os.chdir(tmp.name)
s = draw_studies(patient_number(3), 64, name='ph3', shots=True)[0]
s.patient, s.split = 'ph0003', 'train'
row = write_film(s.views[0], s, Path('one'), dicom=True)
film = read_image(Path('one')/row['path'])
print(row['path'], film.info['photometric'], film.info['bits'], 'bits')
test_eq(tuple(film.px.shape), (1, 64, 64))
assert np.abs(film.px[0].numpy()*255-s.views[0].px).max() < 1.01   # the window gives back what is displayed

# %% [9] One patient
from medvl.phantom.export import (write_patient, studies_of)

# %% [10] One patient
rec = write_patient(3, Path('two'), size=64)
own = studies_of(rec, Path('two'))
mem = [s for s in phantom_studies(4, size=64, cache=False) if s.patient == own[0].patient]
test_eq([s.report for s in own], [s.report for s in mem])               # the same patient as in memory
test_eq([s.prior and s.prior.id for s in own], [s.prior and s.prior.id for s in mem])
test_eq([len(v.boxes) for s in own for v in s.views], [len(v.boxes) for s in mem for v in s.views])
before = rec.stat().st_mtime_ns
test_eq(write_patient(3, Path('two'), size=64).stat().st_mtime_ns, before)            # there already: not drawn again

# %% [12] The whole set
from medvl.phantom.export import (export_set, check_folder, write_truth)

# %% [13] The whole set
n = export_set('png', 4, size=64, bar=False)
print(n)
print(sorted(p.name for p in Path('png').iterdir()))
back = read_studies('png')
mem = phantom_studies(4, size=64, cache=False)
test_eq([s.id for s in back], [s.id for s in mem])
test_eq([s.labels for s in back], [{k: x for k, x in s.labels.items() if x == x} for s in mem])
test_eq([s.split for s in back], [s.split for s in mem])
a, b = (next(v for s in o for v in s.views if v.masks) for o in (back, mem))
test_eq(a.film().px.numpy()[0], b.film().px.numpy()[0])                 # to the bit
k = next(iter(b.masks)); test_eq(plt.imread(a.masks[k]) > .5, b.masks[k])

# %% [15] The whole set
px, mask = a.film().px[0], plt.imread(a.masks[k])
fig, axs = plt.subplots(1, 2, figsize=(5, 2.6), dpi=75)
for ax in axs: ax.imshow(px, cmap='gray'); ax.axis('off')
axs[1].imshow(np.where(mask > .5, 1, np.nan), cmap='autumn', alpha=.5, vmin=0, vmax=1)
for o in a.boxes: axs[0].add_patch(plt.Rectangle((o.x, o.y), o.w, o.h, fill=False, color='C1'))
axs[0].set_title(a.id, fontsize=8); axs[1].set_title(k, fontsize=8);

# %% [17] The whole set
more = export_set('png', 6, size=64, workers=2, bar=False)
once = export_set('once', 6, size=64, bar=False)
test_eq(more, once)
for f in ('manifest.csv','regions.csv','truth.jsonl'):
    test_eq(Path('png', f).read_text(), Path('once', f).read_text())
test_fail(lambda: export_set('png', 6, seed=1, size=64), contains='seed was 0, is 1')
test_fail(lambda: export_set('.', 2, size=64), contains='no phantom.json')
test_fail(lambda: export_set('x', 0), contains='0 patients')

# %% [19] The whole set
export_set('dcm', 2, size=64, dicom=True, bar=False)
v = read_studies('dcm')[0].views[0]
film = v.film()
print({k: film.info[k] for k in ('kind','bits','photometric','view_position')})
test_eq(film.info['kind'], 'dicom'); test_eq(film.info['view_position'], v.pos)
uids = pd.read_csv('dcm/reports.csv').study_uid
test_eq(len(set(uids)), len(read_studies('dcm')))
# as a stranger would: a scan of the films, with the reports as a table or as text files
for reports, by in (('dcm/reports.csv', 'study'), ('dcm/reports', 'accession')):
    log = ReadLog(); found = scan_dicom('dcm/films', reports, log=log)
    test_eq(log.found[f'films given a report by {by}'], len(found)); test_eq((log.left, log.noted), ([], []))
os.chdir(home); tmp.cleanup()
