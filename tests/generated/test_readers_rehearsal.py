# nbs/readers/60_rehearsal.ipynb: runs against the imported medvl.readers.rehearsal.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] A rehearsal of MIMIC-CXR
import hashlib, importlib.util, json, re, zipfile
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Iterable
import pandas as pd
import pydicom
from PIL import Image
from medvl.core import CHEXPERT, MedvlError
from medvl.data.report import entities, mentions
from medvl.data.study import Study, View
from medvl.data.words import as_text

# %% [4] A rehearsal of MIMIC-CXR
import contextlib, io, tempfile
from collections import Counter
from fastcore.test import *
from medvl.phantom.set import phantom_studies

# %% [6] Names
from medvl.readers.rehearsal import (mimic_id, mimic_number)

# %% [7] Names
test_eq([len(o) for o in mimic_id('a').split('-')], [8]*5)
test_eq([mimic_number(i, 5) for i in (0,1)], ['50414267','58068588'])
test_eq(len({mimic_number(i, 1) for i in range(5000)}), 5000)
assert sorted(o := [mimic_number(i, 1) for i in range(9)]) != o

# %% [8] Names
from medvl.readers.rehearsal import (write_mimic, DAY0, film_row)

# %% [9] Names
tmp = tempfile.TemporaryDirectory()
made = phantom_studies(3, seed=2, size=48); made[0].split = 'val'
out = write_mimic(made, Path(tmp.name)/'mimic')
test_eq([p.name for p in sorted(out.iterdir())], ['files', *(f'mimic-cxr-2.0.0-{o}.csv.gz' for o in
        ('chexpert','metadata','split')), 'mimic-cxr-reports.zip'])
split, meta = (pd.read_csv(out/f'mimic-cxr-2.0.0-{o}.csv.gz', dtype=str) for o in ('split','metadata'))
test_eq(list(split), ['dicom_id','study_id','subject_id','split']); test_eq(set(split.split), {'validate','train'})
assert all((out/f'files/p{o.subject_id[:2]}/p{o.subject_id}/s{o.study_id}/{o.dicom_id}.jpg').is_file()
           for o in meta.itertuples())
test_eq(meta.StudyTime[0], '90312.5')
with zipfile.ZipFile(out/'mimic-cxr-reports.zip') as z:
    test_eq(len(z.namelist()), len(made)); text = z.read(z.namelist()[0]).decode()
print(text)
assert all(not o or o[0] == ' ' for o in text.split('\n'))

# %% [10] Names
# unpacked, and what can't be written
out = write_mimic(made[:1], Path(tmp.name)/'plain', gz=False, zipped=False)
test_eq(len(list((out/'mimic-cxr-reports').rglob('s*.txt'))), 1); assert (out/'mimic-cxr-2.0.0-split.csv').is_file()
test_fail(lambda: write_mimic([Study('p', 's', views=[View(path='a.png', id='a')])], Path(tmp.name)/'x'),
          contains="film 'a' is not in memory")
tmp.cleanup()

# %% [12] Six sets with labels
from medvl.readers.rehearsal import (put_film, OWN, IN_NIH, IN_PADCHEST, _fronts, write_nih, write_chexpert)

# %% [13] Six sets with labels
from medvl.readers.rehearsal import (write_rsna, write_siim, write_covidx, write_padchest, WRITERS)

# %% [14] Six sets with labels
from medvl.readers.find import find_layouts, readers
tmp = tempfile.TemporaryDirectory(); made = phantom_studies(20, seed=2, size=48)
for k,write in WRITERS.items():
    with contextlib.redirect_stdout(io.StringIO()): got = readers[k](write(made, Path(tmp.name)/k), missing='error')
    test_eq(find_layouts(Path(tmp.name)/k), [k]); test_eq(len(got), sum(bool(s.frontals) for s in made))
    film = got[0].views[0].film().px; test_eq(film.shape[-2:], (48,48))
    print(f"{k:9}", Counter(s.split for s in got), sorted({f for s in got for f,x in s.labels.items() if x == 1})[:4])
tmp.cleanup()

# %% [16] Annotated reports
from medvl.readers.rehearsal import (_CUT, radgraph_of, _pieces, _STATES, _LONG, SPELT, write_radgraph)

# %% [17] Annotated reports
o = radgraph_of('Small right-sided effusion. No edema.')
print(o['text'], [(e['tokens'], e['label']) for e in o['entities'].values()])
test_eq(o['text'], 'Small right - sided effusion . No edema .')
test_eq([e['label'] for e in o['entities'].values()], ['OBS-DP','ANAT-DP','OBS-DP','OBS-DA'])
test_eq(o['entities']['4'] | dict(label=''), dict(tokens='edema', label='', start_ix=7, end_ix=7, relations=[]))

# %% [19] Published tables
from medvl.readers.rehearsal import (published_tables)

# %% [20] Published tables
if (pub := published_tables(('BBox_List_2017.csv.gz','BBox.csv.gz'))):
    test_eq([o.name for o in Path(pub.name).iterdir()], ['BBox.csv.gz']); pub.cleanup()
