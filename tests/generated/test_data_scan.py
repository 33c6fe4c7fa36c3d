# nbs/data/33_scan.ipynb: runs against the imported medvl.data.scan.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Scanning a folder
import os, re, warnings
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
import pandas as pd
from PIL import Image
from tqdm import tqdm
from medvl.core import MedvlError
from medvl.data.dicom import (by_orientation, check_dicom, dicom_info, mended, not_chest, number, open_dicom, tag,
                               text, view_kind)
from medvl.data.identity import doubtful
from medvl.data.image import deep, file_kind, read_picture, set_bits, turned
from medvl.data.pairing import ENDING, Claim, Pairs, claim, keys_of, loose_claim, pair
from medvl.data.pixels import ImageError, by_kind, check_size, first_line, guarded, printable
from medvl.data.study import bits_text
from medvl.data.table import ReadLog, check_columns, read_table, unsaid

# %% [4] Scanning a folder
import tempfile
import numpy as np
from fastcore.test import *
from medvl.data.table import write_table
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian

# %% [6] One file's row
from medvl.data.scan import (FIRST, odd_date)

# %% [7] One file's row
test_eq(odd_date('2001-02-03T10:00:00', '20010204'), '20010203 is before the birth (20010204)')
test_eq(odd_date(datetime(2000,5,1), '2001.0'), '20000501 is before the birth (2001)')
test_eq(odd_date('00010101'), '00010101 is before there were films')
test_eq([odd_date(*o) for o in (('20010204','20010204'), ('20010101','2001'), (datetime(2180,1,1), ''), ('','1950'),
                                (None,), ('20010101','unknown'))], ['']*6)

# %% [8] One file's row
from medvl.data.scan import (dicom_time, dicom_header, picture_header)

# %% [9] One file's row
test_eq(dicom_time('20200131', '093000.12'), '2020-01-31T09:30:00')
test_eq(dicom_time('2020.01.31', ''), '2020-01-31T00:00:00')
test_eq(dicom_time('20200131', 'noon'), '2020-01-31T00:00:00')
test_eq((dicom_time('', '0930'), dicom_time('00000000')), ('',''))

# %% [11] One file's row
def write_film(path, patient='p1', study='1.2.1', date='20200101', view='PA', acc='', seed=0, **tags):
    "A small DICOM film of noise."
    ds = Dataset(); ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = ComputedRadiographyImageStorage
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = f'{study}.{seed}'
    ds.PatientID, ds.StudyInstanceUID, ds.StudyDate, ds.StudyTime = patient, study, date, '080000'
    ds.ViewPosition, ds.AccessionNumber, ds.Modality, ds.BodyPartExamined = view, acc, 'DX', 'CHEST'
    ds.PhotometricInterpretation, ds.SamplesPerPixel, ds.PixelRepresentation = 'MONOCHROME2', 1, 0
    ds.Rows, ds.Columns, ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelSpacing = 48, 40, 8, 8, 7, [.2,.2]
    ds.PixelData = np.random.default_rng(seed).integers(0, 255, (48,40), np.uint8).tobytes()
    for k,v in tags.items(): setattr(ds, k, v)
    path.parent.mkdir(parents=True, exist_ok=True); ds.save_as(path, enforce_file_format=True)

tmp = tempfile.TemporaryDirectory(); d = Path(tmp.name)/'clinic'
def show(o): print(str(o).replace(str(d), 'clinic'))
write_film(d/'p1/a.dcm', acc='A1'); write_film(d/'p1/b', study='1.2.2', date='20200301', acc='A2', seed=1)
write_film(d/'p1/c.dcm', study='1.2.2', date='20200301', view='LL', acc='A2', seed=2)
write_film(d/'p2/d.dcm', patient='p2', study='1.2.3', view='', SeriesDescription='Thorax AP liegend', seed=3)
write_film(d/'e.dcm', patient='', study='1.2.4', date='', view='', seed=4)
write_film(d/'junk/ankle.dcm', BodyPartExamined='ANKLE'); write_film(d/'junk/ct.dcm', Modality='CT')
write_film(d/'junk/sr.dcm', Rows=None); write_film(d/'junk/loop.dcm', NumberOfFrames=9)
(d/'junk/cut.dcm').write_bytes((d/'p1/a.dcm').read_bytes()[:200]); (d/'junk/letter.doc').write_text('Dear colleague')
(d/'junk/none.dcm').write_bytes(b''); (d/'notes.txt').write_text('shopping list')
h = dicom_header(d/'p2/d.dcm')
test_eq((h['view'], h['time'], h['spacing']), ('Thorax AP liegend', '2020-01-01T08:00:00', '0.2\\0.2'))
test_fail(lambda: dicom_header(d/'junk/ankle.dcm'), contains='BodyPartExamined is ANKLE')
test_eq(dicom_header(d/'junk/ankle.dcm', chest=False)['body_part'], 'ANKLE')

# %% [13] Films that belong together
from medvl.data.scan import (as_logged, without_raw, shared_bits)

# %% [14] Films that belong together
film = dict(patient_id='p', study_id='s', view_class='frontal')
rows = [film|dict(image='a'), film|dict(image='raw', raw=True),
        film|dict(image='side', view_class='lateral', raw=True)]
log = ReadLog(); test_eq([r['image'] for r in without_raw(rows, log)], ['a','side']); log

# %% [16] The scan
from medvl.data.scan import (COLUMN_ORDER, OTHER_FILES, LEFTOVER, named_groups, scan_dicom)

# %% [17] The scan
from medvl.data.scan import (UNKNOWN_VIEW, scan_file)

# %% [19] The scan
from medvl.data.scan import (all_files)

# %% [20] The scan
from medvl.data.scan import (note_people)

# %% [21] The scan
log = ReadLog('scan of clinic'); df = scan_dicom(d, log=log); show(log)
test_eq(df.image.tolist(), ['e.dcm','p1/a.dcm','p1/b','p1/c.dcm','p2/d.dcm'])
test_eq(df.view_class.tolist(), ['other','frontal','frontal','lateral','frontal'])
test_eq(df.study_id[2], df.study_id[3])
test_eq(len(log.left), 7)
test_eq([w for w,_ in log.noted], ['no patient in the header: named after the first folder, the study or the file',
                                   'projection unknown: view_class other'])
test_eq(df.patient_id[0], '1.2.4')          # two such films of one study are one patient, not two
df[['image','patient_id','study_id','time','view','view_class','width']]

# %% [23] The scan
with tempfile.TemporaryDirectory() as t:
    for k in ('1.2.840.1','1.2.840.2','1.2.840.3.png'):
        Image.fromarray(np.random.default_rng(0).integers(0, 255, (48,40), np.uint8)).save(Path(t)/k, 'png')
    test_eq(scan_dicom(t, log=ReadLog()).patient_id.tolist(), ['1.2.840.1','1.2.840.2','1.2.840.3'])

# %% [25] The scan
for n in ('007_v1_PA','007_v2_lateral','008_v1_AP'):
    (q := d.parent/'png').mkdir(exist_ok=True); Image.fromarray(np.full((40,40), 9, np.uint8)).save(q/f'{n}.png')
for o,said in (('(?P<patient>', 'is no regular expression'), (r'(\d+)', 'has no named group'),
               ('(?P<Patient>.)', "is 'patient' meant")):
    test_fail(lambda: named_groups(o), contains=said)
named = scan_dicom(q, pattern=r'(?P<patient>\d+)_(?P<study>v\d)_(?P<view>\w+)\.png', log=ReadLog())
test_eq(named.patient_id.tolist(), ['007','007','008'])
test_eq(named.study_id.tolist(), ['007/v1','007/v2','008/v1'])
test_eq(named.image.tolist()[0], '007_v1_PA.png'); test_eq(named.view_class.tolist(), ['frontal','lateral','frontal'])
plain = scan_dicom(q, view='PA', log=(log := ReadLog()))
test_eq(plain.patient_id.tolist(), ['007_v1_PA','007_v2_lateral','008_v1_AP']); test_eq(len(log.noted), 3)
test_fail(lambda: scan_dicom(d/'junk', log=ReadLog('junk')), contains='no usable film in 7 files')
test_fail(lambda: scan_dicom(d/'nowhere'), contains='no such folder')

# %% [27] The reports
from medvl.data.scan import (KEYS, read_reports, report_of, read_text)

# %% [29] The reports
from medvl.data.scan import (CLAIMS, match_reports, goes_by, take_patients)

# %% [31] The reports
from medvl.data.scan import (own_texts)

# %% [32] The reports
two = pd.DataFrame(dict(image=['a','b','c'], study_id=['s','s','t'], report=['One.','Two.','Three.']))
own = own_texts(two, log := ReadLog())
test_eq((own.report.tolist(), own.text.tolist()), (['','','Three.'], ['One.','Two.','']))
test_eq([w for w,_ in log.noted], ['films of a study with different reports: each kept as the text of its film'])

# %% [33] The reports
said = pd.DataFrame([dict(accession='A1', report='Clear.'), dict(accession='A2', report='Effusion.'),
                     dict(accession='A9', report='Lost.'), dict(accession='', report='')])
log = ReadLog('scan of clinic'); both = scan_dicom(d, said, log=log); show(log)
test_eq(both.report.tolist(), ['','Clear.','Effusion.','Effusion.',''])
test_eq([w for w,_ in log.left][-2:], ['empty report','report without a film'])
day = pd.DataFrame([dict(patient_id='p1', date='2020-03-01', findings='Effusion.', impression='Worse.'),
                    dict(patient_id='p2', date='20200101', findings='', impression='Clear.')])
both_parts = 'FINDINGS: Effusion.\nIMPRESSION: Worse.'
test_eq(match_reports(df, day, ReadLog()).report.tolist(), ['','',both_parts,both_parts,'IMPRESSION: Clear.'])
(d/'letters').mkdir(); (d/'letters/A1.txt').write_text('Clear, by letter.')
(d/'letters/1.2.3.txt').write_text('By study.'); (d/'letters/e.txt').write_text('By file.')
test_eq(match_reports(df, d/'letters', ReadLog()).report.tolist(), ['By file.','Clear, by letter.','','','By study.'])
test_fail(lambda: match_reports(df, pd.DataFrame([dict(accession='A1', Reports='x')]), ReadLog()),
          contains="no column 'report'; did you mean 'Reports'?")
test_fail(lambda: match_reports(df, pd.DataFrame([dict(name='A1', report='x')]), ReadLog()),
          contains='no column to match films by')
(d/'letters/x.txt').write_bytes('Clear.\nGröße'.encode('latin-1'))
test_fail(lambda: match_reports(df, d/'letters', ReadLog()), contains='x.txt: line 2, byte 9 is not UTF-8')
# where nothing fits, it is said what was compared
log = ReadLog(); match_reports(df, pd.DataFrame([dict(accession='B1', report='x')]), log); print(log.lines[0])
assert log.lines[0].startswith("no report fits a film: a report goes by accession 'B1' ...; a film by "), log.lines

# %% [35] The reports
write_table(both, d/'manifest.csv')
test_eq(read_table(d/'manifest.csv', ['image','patient_id']).report.tolist(), both.report.tolist())
tmp.cleanup()
