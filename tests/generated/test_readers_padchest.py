# nbs/readers/22_padchest.ipynb: runs against the imported medvl.readers.padchest.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] PadChest
import ast, re
from pathlib import Path
import pandas as pd
from medvl.core import MedvlError
from medvl.data.dicom import view_kind
from medvl.data.scan import odd_date
from medvl.data.study import Study, link_priors
from medvl.data.table import ReadLog, read_table
from medvl.readers.layout import close_log, each_once, look, need_table, open_log, our_names, read_cells, to_studies

# %% [4] PadChest
import importlib.util, tempfile
import numpy as np
from datetime import datetime
from fastcore.test import *
from PIL import Image
from medvl.core import CHEXPERT
from medvl.readers.find import read_studies
from medvl.readers.find import find_layouts

# %% [6] Names
from medvl.readers.padchest import (REMARKS, KINDS, SAME)

# %% [8] Names
rows = [(o, ', '.join(k for k,v in SAME.items() if v == o), ', '.join(KINDS.get(o, ()))) for o in CHEXPERT]
with pd.option_context('display.max_colwidth', None):
    display(pd.DataFrame(rows, columns=['ours','the same','kinds of it']))
test_eq(set(SAME.values()) | KINDS.keys(), set(CHEXPERT))

# %% [10] Names
from medvl.readers.padchest import (literal, padchest_labels)

# %% [11] Names
said = lambda cell, **kw: padchest_labels(cell, **kw)['labels']
test_eq(said("['pneumonia', ' pneumonia', '']"), {'Pneumonia': 1}); test_eq(said("['normal']"), {'No Finding': 1})
test_eq(said("['nodule', 'scoliosis']"), {'nodule': 1, 'scoliosis': 1, 'Lung Lesion': 1})
test_eq(said("['pseudonodule']"), {'pseudonodule': 1})  # not a nodule
test_eq(said("['hydropneumothorax']"), {'hydropneumothorax': 1, 'Pneumothorax': 1, 'Pleural Effusion': 1})
test_eq([said(o) for o in ('nan','','None','[]',"['']")], [{}]*5)
test_eq(padchest_labels("['unchanged', 'pneumonia']"), dict(labels={'Pneumonia': 1}, remarks=['unchanged']))
test_eq(said("['cardiomegaly']", closed=True)['Edema'], 0)
test_eq(said("['unchanged','cardiomegaly']", closed=True), {'Cardiomegaly': 1})
test_eq(said("[' pneumonia']", names='own'), {'pneumonia': 1})
test_eq(said("['nodule']", closed=True)['Lung Lesion'], 1)
test_fail(lambda: literal("{'a': 1}"), contains='expected a list', exc=ValueError)

# %% [13] Names
from medvl.readers.padchest import (places)

# %% [14] Names
test_eq(places("[['unchanged'], ['alveolar pattern', 'interstitial pattern', 'loc basal', 'loc left']]"),
        {'interstitial pattern': ['basal','left']})
test_eq(places("[['pleural effusion', 'loc right'], ['pleural effusion', 'loc left', 'loc right']]"),
        {'pleural effusion': ['right','left']})
test_eq((places('nan'), places("[nan, ['nodule', 'loc hilar'], nan]")), ({}, {'nodule': ['hilar']}))

# %% [16] The reader
from medvl.readers.padchest import (NEED, INFO, read_padchest)

# %% [18] The reader
from medvl.readers.padchest import (padchest_films)

# %% [20] On a fixture
COLS = (',ImageID,ImageDir,StudyDate_DICOM,StudyID,PatientID,PatientBirth,PatientSex_DICOM,ViewPosition_DICOM,'
        'Projection,MethodProjection,Pediatric,Modality_DICOM,Manufacturer_DICOM,PhotometricInterpretation_DICOM,'
        'PixelRepresentation_DICOM,PixelAspectRatio_DICOM,SpatialResolution_DICOM,BitsStored_DICOM,WindowCenter_DICOM,'
        'WindowWidth_DICOM,Rows_DICOM,Columns_DICOM,XRayTubeCurrent_DICOM,Exposure_DICOM,ExposureInuAs_DICOM,'
        'ExposureTime,RelativeXRayExposure_DICOM,ReportID,Report,MethodLabel,Labels,Localizations,'
        'LabelsLocalizationsBySentence,labelCUIS,LocalizationsCUIS').split(',')
test_eq(len(COLS), 36)
LONG = '216840111366964013829543166512013354131013504'; test_eq(len(LONG), 45)
def film(study, slug, patient, date, proj='PA', folder=0, **kw):
    c = dict(ImageID=f'{study}_{slug}.png', ImageDir=folder, StudyDate_DICOM=date, StudyID=study, PatientID=patient,
             PatientBirth='1930.0', PatientSex_DICOM='F', ViewPosition_DICOM='nan', Projection=proj, Pediatric='No',
             SpatialResolution_DICOM='None', Report=' sin hallazg .', MethodLabel='Physician', Labels="['normal']",
             Localizations='[]', LabelsLocalizationsBySentence='[]', labelCUIS="['C1' 'C2'\n 'C3']") | kw
    return ','.join(f'"{c.get(o, "")}"' for o in COLS)
rows = [film(LONG, 'k6ga29', '8398604886', '20140915', Labels="[' pneumonia', '', 'unchanged']"),
        film(LONG, '2_-4ja5b', '8398604886', '20140915', 'L', Labels="['pneumonia', 'unchanged']"),
        film('77', '02-094-008', '8398604886', '20130101', folder=54, Labels="['nodule']",
             LabelsLocalizationsBySentence="[['nodule', 'loc upper lobe', 'loc left']]"),
        film('88', 'a', '5', '20150101', 'AP_horizontal', Report='nan', Labels='nan', PatientSex_DICOM='nan',
             PatientBirth='2016.0',
             Localizations='nan', LabelsLocalizationsBySentence='nan'),
        film('99', 'b', '6', '20150101', 'COSTAL'), film('99', 'c', '7', '20150102', 'EXCLUDE', Labels="['exclude']")]
tmp = tempfile.TemporaryDirectory(); d = Path(tmp.name); (d/'images/0').mkdir(parents=True); (d/'images/54').mkdir()
file = d/'PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv'; file.write_text('\n'.join([','.join(COLS)]+rows)+'\n')
for p in (f'0/{LONG}_k6ga29.png', f'0/{LONG}_2_-4ja5b.png', '54/77_02-094-008.png'):
    Image.fromarray(np.random.default_rng(0).integers(0, 65535, (64,64)).astype(np.uint16)).save(d/'images'/p)
test_eq(find_layouts(d), ['padchest']); log = ReadLog('PadChest'); studies = read_studies(d, log=log)
print(str(log).replace(str(d), 'DIR'))

# %% [21] On a fixture
a, b, c, e, f = studies
test_eq([s.id for s in studies], [LONG,'77','88','6/99','7/99']); test_eq([len(s.views) for s in studies], [2,1,1,1,1])
test_eq([v.kind for s in studies for v in s.views], ['frontal','lateral','frontal','frontal','other','other'])
test_eq((a.labels, b.labels, c.labels, f.labels), ({'Pneumonia': 1}, {'nodule': 1, 'Lung Lesion': 1}, {}, {}))
test_eq(a.views[0].info['remarks'], 'unchanged'); test_eq(b.views[0].info['where'], {'nodule': ['upper lobe','left']})
test_eq((a.prior.id, a.time, b.prior), ('77', datetime(2014,9,15), None))
test_eq((a.report, c.report), ('sin hallazg .',''))
test_eq(c.views[0].info, {'born': '2016.0', 'pediatric': 'No', 'labelled_by': 'Physician', 'png_bits': '16'})
test_eq(log.noted, [('a date that can not be: kept', f'{file.name} row 5: 20150101 is before the birth (2016)'),
                    ('one StudyID, several patients: kept apart', '99')])
test_eq([s.split for s in studies], [None]*5)
assert b.views[0].path.endswith('images/54/77_02-094-008.png'); test_eq(a.views[0].film().info['bits'], 16)
assert any('no official split' in o for o in log.lines); assert '2 films: labels say nothing' in '\n'.join(log.lines)

# %% [22] On a fixture
seen = read_padchest(d, 'skip', 'patient', closed=True, log=(log := ReadLog()))
test_eq([s.id for s in seen], [LONG,'77']); test_eq([w for w,_ in log.left], ['film is not there']*3)
test_eq(len({s.split for s in seen}), 1); test_eq((seen[0].labels, seen[1].labels['Edema']), ({'Pneumonia': 1}, 0.))
for p in (d/'images').rglob('*.png'): p.rename(d/'images'/p.name)
(d/'images/0').rmdir(); (d/'images/54').rmdir()
test_eq(len(read_padchest(d, 'skip', log=ReadLog())), 2)  # all in one folder
file.write_text(file.read_text().replace('"20130101"', '"2013-01-01"'))
test_fail(lambda: read_padchest(d, log=log), contains="row 4, column 'StudyDate_DICOM': '2013-01-01'")
file.write_text(file.read_text().replace('"2013-01-01"', '"20130101"').replace("\"['exclude']\"", "\"['exclude'\""))
test_fail(lambda: read_padchest(d, log=log), contains="row 7, column 'Labels'")
test_fail(lambda: read_padchest(d/'images', log=log), contains='expected PADCHEST_*.csv')
test_fail(lambda: read_padchest(d, names='both', log=log), contains="names is 'both'")
tmp.cleanup()

# %% [24] On the published table
if importlib.util.find_spec('torchxrayvision') is None: print('torchxrayvision is not installed: not run')
else:
    with tempfile.TemporaryDirectory() as tmp:
        name = 'PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv.gz'
        folder = Path(importlib.util.find_spec('torchxrayvision').origin).parent/'data'
        (Path(tmp)/name).symlink_to(folder/name); log = ReadLog('PadChest'); real = read_padchest(tmp, log=log)
        display(log.to_dict())
        test_eq([log.found[k] for k in ('films','patients','laterals')], [160861, 67614, 49579])  # 11 ids prove nobody
        test_eq(log.found['studies'], 109931 + 1)  # one identifier is two patients'
