# nbs/readers/30_nih.ipynb: runs against the imported medvl.readers.nih.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] NIH ChestX-ray14
import re
from pathlib import Path
import pandas as pd
from medvl.core import MedvlError
from medvl.data.regions import cut_box
from medvl.data.scan import read_text
from medvl.data.study import Box, Study
from medvl.data.table import ReadLog, read_table
from medvl.readers.layout import (close_log, each_once, films_in, find_table, link_by_number, look, need_table,
                                  open_log, our_names, own_or_ours, read_cells, to_studies)

# %% [4] NIH ChestX-ray14
import tempfile
import numpy as np
from fastcore.test import *
from PIL import Image
from medvl.core import CHEXPERT
from medvl.readers.find import read_studies
from medvl.readers.find import find_layouts
from medvl.data.splits import leakage
from medvl.readers.rehearsal import published_tables

# %% [6] Tables and names
from medvl.readers.nih import (NIH, nih_labels)

# %% [7] Tables and names
def relation(ours): return 'a kind of it' if ours[0] == '<' else 'the same' if ours in CHEXPERT else 'not one of ours'
pd.DataFrame([(k, v.lstrip('<'), relation(v)) for k,v in NIH.items()], columns=['published','here','relation'])

# %% [8] Tables and names
test_eq(nih_labels('Mass|Effusion'), {'Lung Lesion': 1, 'Pleural Effusion': 1})
test_eq(nih_labels('Infiltration'), {'Infiltration': 1, 'Lung Opacity': 1})
test_eq(len(nih_labels('No Finding','own')), 15)
test_eq(nih_labels('Mass|Effusion', closed=True)['Edema'], 0.); test_eq(nih_labels('Hernia','own'), {'Hernia': 1})
clear = nih_labels('No Finding')
test_eq((clear['No Finding'], clear['Lung Lesion'], 'Lung Opacity' in clear), (1,0,False))
test_fail(lambda: nih_labels('Masses'), contains="unknown finding 'Masses'", exc=ValueError)

# %% [10] Tables and names
from medvl.readers.nih import (nih_age, nih_boxes)

# %% [11] Tables and names
test_eq([nih_age(o) for o in ('58','058Y','006M','414','414Y','')], [58,58,.5,None,None,None])

# %% [13] Tables and names
from medvl.readers.nih import (read_nih)

# %% [15] Tables and names
from medvl.readers.nih import (nih_split)

# %% [17] Tables and names
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

# %% [18] Tables and names
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

# %% [19] Tables and names
tmp.cleanup()

# %% [21] On the published tables
if (tmp := published_tables(('Data_Entry_2017_v2020.csv.gz',)*2, ('BBox_List_2017.csv.gz',)*2)):
    log = ReadLog('NIH'); real = read_nih(tmp.name, log=log, names='own'); display(log.to_dict()); tmp.cleanup()
    test_eq([log.found[o] for o in ('films','patients','boxes')], [112120, 30805, 984])
    n = pd.Series([k for s in real for k,v in s.labels.items() if v == 1]).value_counts()
    test_eq((n['No Finding'], n['Infiltration'], n['Hernia'], n['Pleural_Thickening']), (60361,19894,227,3385))
