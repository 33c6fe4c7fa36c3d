# nbs/readers/04_labels.ipynb: runs against the imported medvl.readers.labels.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Labelled sets: NIH, VinDr, COVIDx
import re
from pathlib import Path
import numpy as np
import pandas as pd
from medvl.core import MedvlError
from medvl.data.manifest import Row
from medvl.data.regions import cut_box
from medvl.data.scan import read_text
from medvl.data.study import Box, Study
from medvl.data.table import ReadLog, read_table
from medvl.readers.layout import (close_log, each_once, films_in, find_table, link_by_number, look, need_table,
                                  open_log, our_names, read_cells, to_studies)

# %% [4] Labelled sets: NIH, VinDr, COVIDx
import importlib.util, tempfile
from fastcore.test import *
from PIL import Image
from medvl.core import CHEXPERT
from medvl.data.manifest import read_studies
from medvl.data.sets import find_layouts
from medvl.data.study import leakage
from medvl.phantom.projection import write_dicom

# %% [6] NIH ChestX-ray14
from medvl.readers.labels import (NIH, nih_labels)

# %% [7] NIH ChestX-ray14
def relation(ours): return 'a kind of it' if ours[0] == '<' else 'the same' if ours in CHEXPERT else 'not one of ours'
def table_of(names):
    rows = [(k, v.lstrip('<'), relation(v)) for k,v in names.items()]
    return pd.DataFrame(rows, columns=['published','here','relation'])
table_of(NIH)

# %% [8] NIH ChestX-ray14
test_eq(nih_labels('Mass|Effusion'), {'Lung Lesion': 1, 'Pleural Effusion': 1})
test_eq(nih_labels('Infiltration'), {'Infiltration': 1, 'Lung Opacity': 1})
test_eq(len(nih_labels('No Finding','own')), 15)
test_eq(nih_labels('Mass|Effusion', closed=True)['Edema'], 0.); test_eq(nih_labels('Hernia','own'), {'Hernia': 1})
clear = nih_labels('No Finding')
test_eq((clear['No Finding'], clear['Lung Lesion'], 'Lung Opacity' in clear), (1,0,False))
test_fail(lambda: nih_labels('Masses'), contains="unknown finding 'Masses'", exc=ValueError)

# %% [10] NIH ChestX-ray14
from medvl.readers.labels import (nih_age, nih_boxes)

# %% [11] NIH ChestX-ray14
test_eq([nih_age(o) for o in ('58','058Y','006M','414','414Y','')], [58,58,.5,None,None,None])

# %% [13] NIH ChestX-ray14
from medvl.readers.labels import (read_nih)

# %% [15] NIH ChestX-ray14
from medvl.readers.labels import (own_or_ours, nih_split)

# %% [17] NIH ChestX-ray14
tmp = tempfile.TemporaryDirectory(); d = Path(tmp.name)
END = 'View Position,OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]'
def nih_fixture(root, early):
    root.mkdir()
    sex, comma = ('Gender', ',') if early else ('Sex', '')
    age = (lambda o: f'{o:03}Y') if early else str
    rows = [f'Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient {sex},{END}{comma}'] + [
        f'{p:08}_{k:03}.png,{f},{k},{p},{age(a)},M,{v},2682,2749,0.143,0.143{comma}' for p,k,f,a,v in [
            (1,0,'Cardiomegaly',57,'PA'), (1,2,'Cardiomegaly|Effusion',58,'AP'), (1,1,'No Finding',58,'PA'),
            (2,0,'Infiltration|Pleural_Thickening',414,'PA'), (3,0,'Mass|Nodule',40,'PA')]]
    (root/f"Data_Entry_2017{'' if early else '_v2020'}.csv").write_text('\n'.join(rows)+'\n')
    (root/'BBox_List_2017.csv').write_text('Image Index,Finding Label,Bbox [x,y,w,h],,,\n'
        '00000001_000.png,Cardiomegaly,225.08,547.01,86.77,79.18\n00000002_000.png,Infiltrate,1,2,3,4\n'
        '00000009_000.png,Mass,1,2,3,4\n')
    (root/'train_val_list.txt').write_text('00000001_000.png\n00000001_001.png\n00000001_002.png')
    (root/'test_list.txt').write_text('00000002_000.png\n')
    for i,o in enumerate(['00000001_000','00000001_001','00000001_002','00000002_000']):
        p = root/(f'images_{3*i+1:03}/images' if early else 'images')/f'{o}.png'
        p.parent.mkdir(parents=True, exist_ok=True)
        im = Image.fromarray(np.random.default_rng(i).integers(0, 255, (64,64), np.uint8))
        (im.convert('RGBA') if i == 1 else im).save(p)
for early in (True, False):
    nih_fixture(d/f'nih{early}', early); test_eq(find_layouts(d/f'nih{early}'), ['nih'])
    log = ReadLog('NIH'); studies = read_studies(d/f'nih{early}', log=log)
    test_eq([(s.id, s.split) for s in studies], [('00000001_000','train'), ('00000001_002','train'),
            ('00000001_001','train'), ('00000002_000','test'), ('00000003_000',None)])
    test_eq([s.prior and s.prior.id for s in studies], [None,'00000001_001','00000001_000',None,None])
    test_eq([s.views[0].info.get('age') for s in studies], [57,58,58,None,40])
    test_eq({s.views[0].info['sex'] for s in studies}, {'M'})  # of Patient Gender and of Patient Sex
    test_eq(log.to_dict()['left_out'], {'boxes of a film that is not here': 1})
    if early: assert studies[1].views[0].path.endswith('images_007/images/00000001_002.png')
    assert studies[2].views[0].film().px.shape == (1,64,64)
print(str(log).replace(str(d), 'DIR'))

# %% [18] NIH ChestX-ray14
test_eq(studies[1].labels, {'Cardiomegaly': 1, 'Pleural Effusion': 1}); test_eq(studies[4].labels, {'Lung Lesion': 1})
test_eq(studies[3].labels, {'Infiltration': 1, 'Lung Opacity': 1, 'Pleural_Thickening': 1, 'Pleural Other': 1})
test_eq(studies[2].labels['No Finding'], 1.)
test_eq((studies[0].views[0].pos, studies[0].views[0].info['sex']), ('PA','M'))
test_eq([(b.label, b.x, b.h) for s in studies for b in s.views[0].boxes],
        [('Cardiomegaly',225.08,79.18),('Lung Opacity',1,4)])
own = read_nih(d/'nihTrue', names='own', closed=True, split='official+patient', missing='skip', log=(log := ReadLog()))
test_eq(log.left[0][0], 'film is not there'); test_eq((len(own), len(own[0].labels)), (4,15))
test_eq(own[3].views[0].boxes[0].label, 'Infiltration'); test_eq([s.split for s in own if s.patient == '2'], ['test'])
assert leakage(own, bar=False).ok
test_fail(lambda: read_nih(d/'nihTrue', names='theirs', log=log), contains="names is 'theirs'")
test_fail(lambda: read_nih(d, log=log), contains='expected Data_Entry_2017_v2020.csv or Data_Entry_2017.csv')
table = d/'nihTrue/Data_Entry_2017.csv'; table.write_text(table.read_text().replace('Mass|', 'Masses|'))
test_fail(lambda: read_nih(d/'nihTrue', log=log), contains="row 6, column 'Finding Labels': 'Masses|Nodule': unknown")

# %% [20] VinDr-CXR
from medvl.readers.labels import (VINDR, MERGE, merge_votes)

# %% [21] VinDr-CXR
three = pd.DataFrame(dict(Edema=[0,1,2,3])); n = pd.Series([3]*4)
table = pd.DataFrame({k: [o['Edema'] for o in merge_votes(three, n, k)] for k in MERGE}).T.add_suffix(' of 3')
display(table); test_eq(table.values.tolist(), [[0,0,1,1],[0,1,1,1],[0,0,0,1],[0,-1,-1,1]])

# %% [23] VinDr-CXR
table_of(VINDR)

# %% [24] VinDr-CXR
from medvl.readers.labels import (vindr_votes, vindr_boxes)

# %% [26] VinDr-CXR
from medvl.readers.labels import (read_vindr, vindr_part)

# %% [28] VinDr-CXR
ALL28 = ('Aortic enlargement,Atelectasis,Calcification,Cardiomegaly,Clavicle fracture,Consolidation,Edema,Emphysema,'
         'Enlarged PA,ILD,Infiltration,Lung Opacity,Lung cavity,Lung cyst,Mediastinal shift,Nodule/Mass,'
         'Pleural effusion,Pleural thickening,Pneumothorax,Pulmonary fibrosis,Rib fracture,Other lesion,COPD,'
         'Lung tumor,Pneumonia,Tuberculosis,Other diseases,No finding').split(',')
hexa = lambda c: c*32
def seen(*have): return ','.join('1' if o in have else '0' for o in ALL28)
v = d/'vindr'; (v/'annotations').mkdir(parents=True); (v/'train').mkdir()
ramp = np.tile(np.linspace(0, 1, 64), (64,1))
write_dicom(ramp, v/'train'/(hexa('a')+'.dicom'), invert=True)
(v/'annotations/image_labels_train.csv').write_text('\n'.join(['image_id,rad_id,'+','.join(ALL28)] +
    [f"{hexa('a')},{r},{seen(*f)}" for r,*f in (('R1','Cardiomegaly','Infiltration'), ('R2','Cardiomegaly'),
                                                ('R8','Rib fracture'))] +
    [f"{hexa('b')},R{i},{seen('No finding')}" for i in (3,4,5)])+'\n')
(v/'annotations/annotations_train.csv').write_text('image_id,rad_id,class_name,x_min,y_min,x_max,y_max\n'
    f"{hexa('a')},R1,Cardiomegaly,691.0,1375.0,1653.0,1831.0\n{hexa('a')},R2,Cardiomegaly,700,1380,1650,1830\n"
    f"{hexa('a')},R8,Rib fracture,1,2,4,6\n{hexa('b')},R3,No finding,,,,\n{hexa('c')},R3,Edema,1,1,2,2\n")
singular = ','.join(ALL28).replace('Other diseases', 'Other disease')
found = f"{hexa('e')},{seen('Other diseases', 'Pleural effusion')}"
(v/'annotations/image_labels_test.csv').write_text(f'image_id,{singular}\n{found}\n')
(v/'annotations/annotations_test.csv').write_text('image_id,class_name,x_min,y_min,x_max,y_max\n'
    f"{hexa('e')},Pleural effusion,10,20,30,60\n")
test_eq(find_layouts(v), ['vindr']); log = ReadLog('VinDr'); studies = read_studies(v, log=log); print(str(log))
a, b, e = studies; test_eq([s.split for s in studies], ['train','train','test'])
test_eq((a.labels['Cardiomegaly'], a.labels['Infiltration'], a.labels['Rib fracture'], a.labels['Edema']), (1,0,0,0))
assert 'Fracture' not in a.labels and 'Lung Opacity' in a.labels; test_eq(b.labels['No Finding'], 1.)
test_eq(a.views[0].info['votes'], {'Cardiomegaly': 2, 'Infiltration': 1, 'Rib fracture': 1})
test_eq([(o.label, o.w) for o in a.views[0].boxes], [('Cardiomegaly',962),('Cardiomegaly',950),('Fracture',3)])
test_eq(a.views[0].info['box_readers'], ['R1','R2','R8'])
test_eq(e.views[0].boxes, [Box('Pleural Effusion',10,20,20,40)])
test_eq(e.labels['Other diseases'], 1.)
(d/'x.csv').write_text('image_id,class_name,x_min,y_min,x_max,y_max\nk,Other disease,1,1,2,2\n')
test_eq([b.label for b,_ in vindr_boxes(d/'x.csv', 'own', ReadLog())['k']], ['Other diseases'])
test_eq(log.left, [('boxes of a film that is not here', f"train: {hexa('c')}")])
assert a.views[0].path.endswith('.dicom'); px = a.views[0].film().px[0]  # MONOCHROME1, and still white is dense
assert px[0,-1] > .9 and px[0,0] < .1

# %% [29] VinDr-CXR
graded = read_vindr(v, merge='agree', names='own', log=ReadLog())
test_eq({k: x for k,x in graded[0].labels.items() if x}, {'Cardiomegaly': -1, 'Infiltration': -1, 'Rib fracture': -1})
test_eq(read_vindr(v, merge='any', log=ReadLog())[0].labels['Fracture'], 1.)
test_fail(lambda: read_vindr(v, merge='mean', log=log), contains="merge is 'mean'")
test_fail(lambda: read_vindr(v, 'error', log=log), contains=f"image {hexa('b')}: no such file")
k = d/'kaggle'; (k/'train').mkdir(parents=True); (k/'sample_submission.csv').write_text('image_id,PredictionString\n')
(k/'train.csv').write_text('image_id,class_name,class_id,rad_id,x_min,y_min,x_max,y_max\n' +
    ''.join(f"{hexa('5')},No finding,14,R{i},,,,\n" for i in (11,7,10)) +
    ''.join(f"{hexa('9')},{o},3,R{i},691.0,1375.0,1653.0,1831.0\n" for i,o in
            ((8,'Cardiomegaly'),(9,'Cardiomegaly'),(9,'Cardiomegaly'),(10,'Aortic enlargement'))))
test_eq(find_layouts(k), ['vindr']); log = ReadLog('Kaggle'); got = {s.id[0]: s for s in read_studies(k, log=log)}
test_eq(got['5'].labels, {'Aortic enlargement': 0, 'Cardiomegaly': 0, 'No Finding': 1})
test_eq((got['9'].labels['Cardiomegaly'], len(got['9'].views[0].boxes)), (1.,4))
test_eq(got['9'].views[0].info['votes'], {'Aortic enlargement': 1, 'Cardiomegaly': 2})
test_eq([o for o in log.lines if 'Kaggle' in o], ["Kaggle's test films have no labels: not read"])
(v/'annotations/image_labels_test.csv').write_text(f"image_id,Edema\n{hexa('e')},yes\n")
test_fail(lambda: read_vindr(v, log=log), contains="row 2, column 'Edema': 'yes'; expected 0 or 1")

# %% [31] COVIDx
from medvl.readers.labels import (COVIDX, covidx_line)

# %% [32] COVIDx
display(pd.DataFrame(COVIDX).T.astype(object).fillna('').rename_axis('class'))
test_eq(covidx_line('3 SARS-Fig8a-day0.jpeg pneumonia cohen'), ('3','SARS-Fig8a-day0.jpeg','pneumonia','cohen'))
test_eq(covidx_line('COVID 216 COVID(216).png COVID-19 sirm'), ('COVID 216','COVID(216).png','COVID-19','sirm'))
test_eq(covidx_line('c56b c56b.png normal'), ('c56b','c56b.png','normal',''))
test_fail(lambda: covidx_line('c56b c56b.png healthy'), contains='expected: patient file class', exc=ValueError)
test_fail(lambda: covidx_line('a.png normal'), contains='expected: patient file class', exc=ValueError)

# %% [34] COVIDx
from medvl.readers.labels import (ORDER, covidx_lists, read_covidx, covidx_part)

# %% [36] COVIDx
c = d/'covidx'; (c/'labels').mkdir(parents=True); (c/'data/train').mkdir(parents=True)
(c/'labels/train_COVIDx8A.txt').write_text(
    '3 a.jpeg pneumonia cohen\nCOVID 216 COVID(216).png COVID-19 sirm\n' + 2*'c56b c56b.png normal rnsa\n' +
    '419639-003251 MIDRC-0.png COVID-19 ricord\n')
(c/'labels/test_COVIDx8A.txt').write_text('77 t.png normal\n3 u.png COVID-19 cohen')
(c/'labels/train_COVIDx6.txt').write_text('3 a.jpeg positive cohen\n'); test_eq(find_layouts(c), ['covidx'])
log = ReadLog('COVIDx'); studies = read_studies(c, log=log); print(log)
test_eq([(s.patient, s.id, s.split) for s in studies],
        [('3','a.jpeg','train'), ('COVID 216','COVID(216).png','train'), ('c56b','c56b.png','train'),
         ('419639-003251','MIDRC-0.png','train'), ('77','t.png','test'), ('3','u.png','test')])
test_eq(studies[0].labels, {'Pneumonia': 1, 'COVID-19': 0}); test_eq(studies[1].labels, {'COVID-19': 1})
test_eq(studies[2].labels, {'No Finding': 1, 'Pneumonia': 0, 'COVID-19': 0})
test_eq(studies[2].views[0].info, {'origin':'rsna'}); test_eq([len(s.views) for s in studies], [1]*6)
test_eq(log.to_dict()['left_out'], {'the same film again': 1})
test_eq(log.to_dict()['noted'], {"source 'rnsa' read as 'rsna'": 2, 'no source given': 1})
test_eq(log.lines[0], "version 8A of 8A, 6 (version= takes another; '' is 1)")
test_eq(read_covidx(c, version='6', log=ReadLog())[0].labels, {'COVID-19': 1})
test_eq(leakage(studies, files=False).count['patient'], 1)  # patient 3 is in both lists: official, and not safe
assert leakage(read_covidx(c, split='patient', log=ReadLog()), files=False).ok
test_fail(lambda: read_covidx(c, version='9B', log=log), contains="no lists of version '9B'; there are: 8A, 6")
test_fail(lambda: read_covidx(c, 'error', log=log), contains='train_COVIDx8A.txt line 1: no such file')
test_fail(lambda: read_covidx(d, log=log), contains='there are: none')

# %% [37] COVIDx
k = d/'cxr2'; (k/'competition_test').mkdir(parents=True)
(k/'train.txt').write_text('379 1e64990d1b40.png positive sirm\n')
(k/'test.txt').write_text('MIDRC-1 x.png positive midrc\n')
(k/'val.txt').write_text('9 y.png negative rsna\n'); test_eq(find_layouts(k), ['covidx'])
got = read_covidx(k, log=ReadLog()); test_eq([s.split for s in got], ['train','val','test'])
assert got[2].views[0].path.endswith('competition_test/x.png')
assert got[0].views[0].path.endswith('data/train/1e64990d1b40.png')
(k/'val.txt').write_text('9 y.png negative rsna\nbroken\n')
test_fail(lambda: read_covidx(k, log=log), contains="val.txt: line 2: 'broken'")
tmp.cleanup()

# %% [39] On the published tables
def published(*names):
    "A folder with tables of torchxrayvision under the names that the publishers gave them; None without the package."
    spec = importlib.util.find_spec('torchxrayvision')
    if spec is None: print('torchxrayvision is not installed: not run on the published tables'); return
    tmp = tempfile.TemporaryDirectory()
    for own,name in names: (Path(tmp.name)/name).symlink_to(Path(spec.origin).parent/'data'/own)
    return tmp

if (tmp := published(('Data_Entry_2017_v2020.csv.gz',)*2, ('BBox_List_2017.csv.gz',)*2)):
    log = ReadLog('NIH'); real = read_nih(tmp.name, log=log, names='own'); display(log.to_dict()); tmp.cleanup()
    test_eq([log.found[o] for o in ('films','patients','boxes')], [112120, 30805, 984])
    n = pd.Series([k for s in real for k,v in s.labels.items() if v == 1]).value_counts()
    test_eq((n['No Finding'], n['Infiltration'], n['Hernia'], n['Pleural_Thickening']), (60361,19894,227,3385))

# %% [40] On the published tables
if (tmp := published(('vinbigdata-train.csv.gz', 'train.csv.gz'))):
    log = ReadLog('VinDr, Kaggle'); real = read_vindr(tmp.name, log=log); display(log.to_dict()); tmp.cleanup()
    test_eq([log.found[o] for o in ('films','boxes')], [15000, 36096])
    assert '15000 films with 3 readings each' in str(log)
    test_eq(sum(s.views[0].info['votes'] == {'No finding': 3} for s in real), 10606)
