# nbs/readers/12_mscxr.ipynb: runs against the imported medvl.readers.mscxr.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Phrases on films of MIMIC-CXR
import re
from pathlib import Path
from typing import Iterable, Sequence
import numpy as np
import pandas as pd
from medvl.core import MedvlError
from medvl.data.manifest import Row
from medvl.data.regions import cut_box
from medvl.readers.find import NESTED
from medvl.data.study import Box, Study
from medvl.data.table import ReadLog, check_columns, read_table
from medvl.readers.layout import close_log, look, need_table, open_log, split_films, to_studies
from medvl.readers.shapes import read_coco

# %% [4] Phrases on films of MIMIC-CXR
import json, tempfile
from fastcore.test import *
from medvl.readers.find import read_studies
from medvl.data.regions import attach, phrases
from medvl.readers.find import find_layouts
from medvl.data.study import View

# %% [6] Where a film of MIMIC-CXR is
from medvl.readers.mscxr import (mimic_ids, row_ids, mimic_file)

# %% [7] Where a film of MIMIC-CXR is
test_eq(mimic_ids('files/p10/p10000032/s50414267/02aa-b.jpg'), ('10000032','50414267','02aa-b'))
test_eq(mimic_ids('p10/p10000032/s50414267/02aa-b'), ('10000032','50414267','02aa-b'))
test_eq(mimic_ids('files/p10/p10000032/s50414267/02aa-b.dcm'), ('10000032','50414267','02aa-b'))
test_fail(lambda: mimic_ids('a/b.jpg'), contains="'a/b.jpg'; expected files/p10")
tmp = tempfile.TemporaryDirectory(); root = Path(tmp.name); (root/'jpg/files').mkdir(parents=True)
one = 'files/p10/p10000032/s50414267/02aa.jpg'
for images in (root/'jpg', root/'jpg/files'): test_eq(mimic_file(images, one), str(root/'jpg'/one))
test_eq(mimic_file(root, one, '.png'), str(root/'p10/p10000032/s50414267/02aa.png'))

# %% [9] MS-CXR
from medvl.readers.mscxr import (MSCXR, SPLIT_WORDS, NUMBERS, mscxr_csv, mscxr_json)

# %% [11] MS-CXR
from medvl.readers.mscxr import (read_mscxr, mscxr_films)

# %% [13] MS-CXR
cols = 'dicom_id,category_name,label_text,path,x,y,w,h,image_width,image_height,split'.split(',')
p1, p2 = 'files/p10/p10000032/s50000001/', 'files/p11/p11000011/s50000002/'
lines = [['aa','Pneumonia','bibasilar opacities',p1+'aa.jpg',10,20,100,50,300,400,'test'],
         ['aa','Pneumonia','Bibasilar opacities',p1+'aa.jpg',250.0,20.0,100.0,50.0,300,400,'test'],
         ['aa','Pleural Effusion','small left effusion',p1+'aa.jpg',200,300,50,60,300,400,'test'],
         ['aa','Pleural Effusion','small left effusion',p1+'aa.jpg',200,300,50,60,300,400,'test'],
         ['bb','Edema','mild edema',p2+'bb.jpg',0,0,0,60,500,400,'val'],
         ['bb','Edema','mild edema, in both lungs',p2+'bb.jpg',30,30,60,60,500.0,400.0,'val'],
         ['cc','Edema','mild edema',p2+'cc.jpg',30,30,60,60,500,400,'train']]
def as_csv(rows, cols):
    "Text of a table; cells with commas are quoted."
    return '\n'.join(','.join(f'"{o}"' if ',' in str(o) else str(o) for o in r) for r in [cols]+rows)+'\n'
ms = root/'ms-cxr'; ms.mkdir(); (ms/'MS_CXR_Local_Alignment_v1.1.0.csv').write_text(as_csv(lines, cols))
test_eq(find_layouts(ms), ['mscxr'])
log = ReadLog('MS-CXR'); studies = read_studies(ms, log=log); print(log)
test_eq([(s.patient, s.id, s.split, len(s.views[0].boxes)) for s in studies],
        [('10000032','50000001','test',3), ('11000011','50000002@val','val',1),
         ('11000011','50000002@train','train',1)])
test_eq(studies[0].labels, {'Pneumonia': 1, 'Pleural Effusion': 1})
test_eq(studies[0].views[0].boxes[1], Box('Pneumonia', 250, 20, 50, 50, 'Bibasilar opacities'))
test_eq(sorted(w for w,_ in log.left), ['box without area','the same box again'])
ps = phrases(studies)
test_eq([(p.text, len(p.boxes)) for p in ps][:2], [('bibasilar opacities',2), ('small left effusion',1)])
test_eq((log.found['boxes'], log.found['phrases']), (5, 4)); test_eq(ps[0].mask().shape, (400,300))
test_eq(ps[0].mask().sum(), 100*50 + 50*50)

# %% [15] MS-CXR
old = root/'old'; old.mkdir(); order = [1,2,3,4,5,6,7,8,9,0]
first = as_csv([[r[i] for i in order] for r in lines], [cols[i] for i in order])
(old/'MS_CXR_Local_Alignment_v1.0.0.csv').write_text(first)
early = read_mscxr(old, log=(log := ReadLog('v1.0'))); test_eq({s.split for s in early}, {None})
assert any("split='patient'" in o for o in log.lines); test_eq(len(early), 2)
twin = dict(info={}, licenses=[], categories=[dict(id=i+1, name=n) for i,n in enumerate(MSCXR)],
            images=[dict(id=i, file_name=f'{r[0]}.jpg', width=r[8], height=r[9], num_annotations=1, path=r[3],
                         split=r[10]) for i,r in enumerate(lines)],
            annotations=[dict(id=i, image_id=i, category_id=MSCXR.index(r[1])+1, bbox=r[4:8], width=r[8], height=r[9],
                              label_text=r[2]) for i,r in enumerate(lines)])
# the same, with less in the images and more in the annotations
lean = twin | dict(images=[dict(id=o['id'], file_name=o['path'], width=o['width'], height=o['height'])
                           for o in twin['images']],
                   annotations=[{k: x for k,x in a.items() if k not in ('width','height')} | dict(split=r[10])
                                for a,r in zip(twin['annotations'], lines)])
def spoiled(**new):
    (old/'MS_CXR_v.json').write_text(json.dumps(twin | new)); return lambda: mscxr_json(old/'MS_CXR_v.json')
test_fail(spoiled(images=[]), contains='annotation 0: image 0 or category 7 unknown')
test_fail(spoiled(annotations=[dict(image_id=0, category_id=1, box=[1,2,3,4])]), contains="did you mean 'box'")
js = root/'js'; (js/'1.1.0').mkdir(parents=True)
for made in (twin, lean):
    (js/'1.1.0/MS_CXR_Local_Alignment_v1.1.0.json').write_text(json.dumps(made)); test_eq(find_layouts(js), ['mscxr'])
    test_eq([(s.id, s.views[0].info, s.views[0].boxes) for s in read_mscxr(js, log=ReadLog())],
            [(s.id, s.views[0].info, s.views[0].boxes) for s in studies])

# %% [17] MS-CXR
for f in ('aa','bb'):
    file = Path(mimic_file(root/'jpg', next(r[3] for r in lines if r[0] == f)))
    file.parent.mkdir(parents=True); file.touch()
test_fail(lambda: read_mscxr(ms, root/'jpg', missing='error'), contains='row 8: no such file')
test_eq(len(read_mscxr(ms, missing='error', log=ReadLog())), 3)  # without images= nobody looks
log = ReadLog(); test_eq(len(read_mscxr(ms, root/'jpg', missing='skip', log=log)), 2)
test_eq(log.left[-1][0], 'film is not there')
mimic = [Study('10000032','50000001', views=[View('aa.jpg','aa'), View('zz.jpg','zz', 'lateral')], report='Clear.')]
attach(mimic, studies, log=ReadLog()); v = mimic[0].views[0]
test_eq((len(v.boxes), v.info), (3, dict(size=(400,300))))
def broken(i, j, value):
    rows = [list(r) for r in lines]; rows[i][j] = value
    (old/'MS_CXR_Local_Alignment_v1.0.0.csv').write_text(as_csv(rows, cols))
    return lambda log=None: read_mscxr(old, log=log)
test_fail(broken(1, 10, 'train'), contains='row 3: split of aa is train, in')
test_fail(broken(1, 8, 301), contains='row 3: size of aa is (400, 301), in')
test_fail(broken(1, 3, p2+'aa.jpg'), contains='row 3: patient of aa is 11000011, in')
test_fail(broken(1, 10, 'dev'), contains="'dev'; expected train, val or test")
test_fail(broken(1, 4, 'ten'), contains="column 'x': 'ten'; expected a number")
test_fail(broken(1, 3, 'aa.jpg'), contains='expected files/p10')
test_fail(broken(1, 0, 'ab'), contains='a file named ab')
log = ReadLog()  # an unknown name, no phrase, no number
for j,value in ((1,'Nodule'), (2,''), (4,'')): broken(1, j, value)(log)
assert {'an unknown category','box without a phrase'} <= {w for w,_ in log.noted}, log.noted
assert 'box with a number missing' in {w for w,_ in log.left}, log.left
test_fail(lambda: read_mscxr(root/'jpg'), contains='MS_CXR_Local_Alignment_v*.csv')

# %% [19] MS-CXR-T
from medvl.readers.mscxr import (CHANGE, QUALITY, MSCXRT, read_mscxrt, mscxrt_pair)

# %% [21] MS-CXR-T
from medvl.readers.mscxr import (changes)

# %% [22] MS-CXR-T
head = ['dicom_id','previous_dicom_id','subject_id','study_id','previous_study_id',
        *[f'{k}_{o}' for k in MSCXRT for o in ('progression','label_quality')]]
def pair(a, b, subject, study, before, **found):
    "One line of the table; ids are paths without files/ and ending."
    own = [f'p{subject[:2]}/p{subject}/s{o}/{n}' for n,o in ((a,study),(b,before))] + [subject, study, before]
    return own + [found.get(k, ('',''))[i] for k in MSCXRT for i in (0,1)]
pairs = [pair('n1','o1','10000032','50000009','50000001', edema=('improving','one_expert'),
              pneumonia=('stable','disagreement')),
         pair('n2','o2','11000011','50000012','50000011', pleural_effusion=('worsening','multiple_experts')),
         pair('n3','n2','11000011','50000013','50000012')]
mt = root/'ms-cxr-t'; (mt/'1.0.0').mkdir(parents=True)
table = mt/'1.0.0/MS_CXR_T_temporal_image_classification_v1.0.0.csv'
table.write_text(as_csv(pairs, head)); test_eq(find_layouts(mt), ['mscxrt'])
log = ReadLog('MS-CXR-T'); seen = read_studies(mt, log=log); print(log)
test_eq([(s.id, s.prior and s.prior.id) for s in seen], [('50000009','50000001'), ('50000001',None),
        ('50000012','50000011'), ('50000011',None), ('50000013','50000012')])
test_eq(seen[0].info['change'], {'Edema': 'improving', 'Pneumonia': 'stable'})  # blank cells: no entry
test_eq(seen[0].views[0].prior.id, 'o1'); test_eq(seen[0].labels, {}); test_eq(len(changes(seen)), 3)
test_eq(changes(seen, QUALITY[:2])['finding'].tolist(), ['Edema','Pleural Effusion'])
test_eq(log.noted[0], ('a pair without any annotation', f'{table.name} row 4'))
display(changes(seen))

# %% [23] MS-CXR-T
def wrong(i, j, value):
    rows = [list(r) for r in pairs]; rows[i][j] = value
    table.write_text(as_csv(rows, head)); return lambda: read_mscxrt(mt)
test_fail(wrong(0, 7, 'better'), contains="row 2, column 'edema_progression': 'better'; expected improving or stable")
test_fail(wrong(0, 8, 'sure'), contains='expected one_expert or multiple_experts')
test_fail(wrong(0, 1, 'p12/p12000000/s50000001/o1'), contains='a film of patient 10000032')
test_fail(wrong(0, 3, '50000010'), contains='50000009, as in dicom_id')
test_fail(wrong(0, 4, '50000010'), contains='50000001, as in previous_dicom_id')
test_fail(wrong(0, 0, '02aa'), contains='expected files/p10')
again = pair('n1','o3','10000032','50000009','50000003')
table.write_text(as_csv(pairs+[again], head)); read_mscxrt(mt, log=(log := ReadLog()))
test_eq(log.left[0][0], 'a second pair of the same study')
few = [0,1,*range(5, 15, 2)]  # ids and changes alone
table.write_text(as_csv([[r[j] for j in few] for r in pairs], [head[j] for j in few]))
test_eq(len(changes(read_mscxrt(mt, log=ReadLog()), ['one_expert'])), 3)
for film in {o for r in pairs for o in r[:2]} - {pairs[0][1]}:
    file = Path(mimic_file(root/'jpg', film)); file.parent.mkdir(parents=True, exist_ok=True); file.touch()
some = read_mscxrt(mt, root/'jpg', missing='skip', log=(log := ReadLog()))
test_eq(changes(some)['finding'].tolist(), ['Pleural Effusion'])
assert ('one film of the pair is not there', f'{table.name} row 2') in log.left, log.left
test_eq(len(read_mscxrt(mt, missing='error', log=ReadLog())), 5)  # without images= nobody looks
test_fail(lambda: changes([Study('p','s')]), contains='no change is annotated')

# %% [25] MS-CXR-T
from medvl.readers.mscxr import (read_sentence_pairs)

# %% [26] MS-CXR-T
said = mt/'1.0.0/MS_CXR_T_temporal_sentence_similarity_v1.0.0.csv'
said.write_text('sentence_1,sentence_2,category,subset_name\n'
                '"Edema is worse.","Edema has increased, slightly.",paraphrase,Swaps\n'
                'Edema is worse.,Edema is better.,contradiction,RadGraph\n')
test_eq(read_sentence_pairs(mt)['same'].tolist(), [True,False])
test_eq(read_sentence_pairs(said)['subset'].tolist(), ['Swaps','RadGraph'])
said.write_text('sentence_1,sentence_2,category\na,b,same\n')
test_fail(lambda: read_sentence_pairs(mt), contains="row 2, column 'category': 'same'")
tmp.cleanup()
