# nbs/readers/00_find.ipynb: runs against the imported medvl.readers.find.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Public sets
import gzip, re
from pathlib import Path
from zipfile import BadZipFile, ZipFile
from medvl.core import MedvlError, Registry
from medvl.data.manifest import read_manifest
from medvl.data.show import Rows
from medvl.data.study import Study, share_bits

# %% [4] Public sets
import tempfile
import pandas as pd
from PIL import Image
from fastcore.test import *
from medvl.core import MedvlError
from medvl.data.table import ReadLog

# %% [6] The readers
from medvl.readers.find import (readers)

# %% [8] The marks
from medvl.readers.find import (NESTED, MARKS)

# %% [9] The marks
pd.set_option('display.max_colwidth', 60)
test_eq(sorted(MARKS), sorted(readers))
pd.DataFrame([dict(layout=k, file=globs.split('|')[0], says=says) for k,(globs,says) in MARKS.items()])

# %% [11] Finding a set
from medvl.readers.find import (_opened, first_line, find_layouts)

# %% [13] Finding a set
with tempfile.TemporaryDirectory() as d:
    d = Path(d); test_eq(find_layouts(d), [])
    (d/'metadata.csv').write_text('Patientid,offset\n'); test_eq(find_layouts(d), ['covid'])
    test_eq(first_line(d/'metadata.csv'), 'Patientid,offset\n')
    nih = d/'Data_Entry_2017.csv.gz'; nih.write_bytes(gzip.compress(b'Image Index,Finding Labels\n'))
    test_eq(find_layouts(d), ['covid','nih'])
    nih.write_text('not packed at all'); test_eq((first_line(nih), find_layouts(d)), ('', ['covid']))
    zipped = d/'stage_2_train_labels.csv.zip'; zipped.write_text('nor this'); test_eq(first_line(zipped), '')
    with ZipFile(zipped, 'w') as z: test_eq(first_line(zipped), '')  # nothing in it yet
    with ZipFile(zipped, 'w') as z: z.writestr('stage_2_train_labels.csv', 'patientId,x,y,width,height,Target\n')
    test_eq(find_layouts(d), ['covid','rsna']); zipped.unlink()
    deep = d/'wget'/'physionet.org'/'files'/'mimic-cxr-jpg'/'2.1.0'; deep.mkdir(parents=True)
    (deep/'mimic-cxr-2.0.0-split.csv').write_text('dicom_id,split\n')  # a download that has just begun
    test_eq(find_layouts(deep), ['mimic'])
    (deep/'mimic-cxr-2.0.0-metadata.csv.gz').write_bytes(gzip.compress(b'dicom_id,subject_id\n1,2\n'))
    test_eq([find_layouts(o) for o in (d/'wget', deep.parent, deep)], [['mimic']]*3)
test_fail(lambda: readers['mimik'], contains="unknown layout 'mimik'; known: covid, chexpert")

# %% [15] Any path
from medvl.readers.find import (manifest_in, read_studies)

# %% [16] Any path
tmp = tempfile.TemporaryDirectory(); d = Path(tmp.name); (d/'films').mkdir()
Image.new('L', (40,40)).save(d/'films/a.png')
(d/'manifest.csv').write_text('image,patient_id\nfilms/a.png,p1\n')
read = read_studies(d, log=ReadLog()); print(read); test_eq(len(read), 1); assert len(repr(read)) < 200
test_eq(len(read_studies(d/'manifest.csv', log=ReadLog())), 1)
test_fail(lambda: read_studies(d/'films'), contains='no known layout. Known: covid (metadata.csv), ')
test_fail(lambda: read_studies(d/'nowhere'), contains='no such file or folder')
test_fail(lambda: read_studies(d/'films', kind='mimik'), contains="unknown layout 'mimik'")
test_fail(lambda: read_studies(d/'manifest.csv', kind='covid'), contains='wants a folder')
(d/'films/metadata.csv').write_text('Patientid,offset\n')
(d/'films/Data_Entry_2017.csv').write_text('Image Index,\n')
test_fail(lambda: read_studies(d/'films'), contains='looks like covid and nih: say which with kind=')
tmp.cleanup()
