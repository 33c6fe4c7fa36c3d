# nbs/readers/13_imagenome.ipynb: runs against the imported medvl.readers.imagenome.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Chest ImaGenome
import json, os, zipfile
from collections import defaultdict
from datetime import datetime
from pathlib import Path
from typing import Iterable, Iterator
import pandas as pd
from tqdm import tqdm
from medvl.core import MedvlError
from medvl.data.dicom import view_kind
from medvl.data.regions import cut_box
from medvl.readers.find import NESTED
from medvl.data.study import Box, Study, View, link_priors
from medvl.data.table import ReadLog, check_columns, read_table
from medvl.readers.mscxr import SPLIT_WORDS, mimic_file
from medvl.readers.layout import add_label, close_log, find_table, look, need_table, open_log, our_names, to_studies

# %% [4] Chest ImaGenome
import tempfile
from collections import Counter
from fastcore.test import *
from medvl.readers.find import read_studies
from medvl.data.regions import phrases
from medvl.readers.find import find_layouts

# %% [6] Names
from medvl.readers.imagenome import (IMAGENOME, DEVICES, scene_labels)

# %% [7] Names
tokens = ['anatomicalfinding|no|lung opacity', 'anatomicalfinding|yes|lung opacity', 'nlp|yes|abnormal',
          'disease|no|pneumonia', 'tubesandlines|yes|picc', 'anatomicalfinding|yes|rib fracture',
          'anatomicalfinding|no|infiltration', 'technicalassessment|yes|low lung volumes']
test_eq(scene_labels(tokens), {'Lung Opacity': 1, 'Pneumonia': 0, 'Support Devices': 1, 'rib fracture': 1,
                               'Fracture': 1, 'infiltration': 0})
test_eq(scene_labels(['lung opacity','tubesandlines|no|picc']), {})

# %% [9] One scene graph
from medvl.readers.imagenome import (CORNERS, corner_box, scene_view, scene_changes)

# %% [10] One scene graph
def region(name, x1, y1, x2, y2, **cells):
    "An object of a graph; the small space is a sixteenth of the film here."
    vs = dict(zip(CORNERS, (x1,y1,x2,y2)))
    own = {f'original_{k}': o for k,o in vs.items()} | {k: o/16 for k,o in vs.items()}
    return own | dict(object_id=f'aa_{name}', bbox_name=name, name=name.title(), synsets=['C1']) | cells
def finding(name, *pairs):
    "An attribute of a graph: tokens and phrase, as often as they are said."
    return {name: True, 'bbox_name': name, 'attributes': [t for t,_ in pairs], 'phrases': [p for _,p in pairs]}
graph = dict(image_id='aa', viewpoint='AP', patient_id=10000032, study_id=50000001, gender='F', age_decile='50-60',
    reason_for_exam='cough', StudyOrder=2, StudyDateTime='2180-05-06 21:30:00',
    objects=[region('right lung', 160, 320, 1600, 2400), region('left lung', -16, 320, 1600, 2400),
             region('carina', 800, 800, 800, 900), dict(bbox_name='spine', x1=1, y1=1, x2=9, y2=9)],
    attributes=[finding('right lung',
                        (['anatomicalfinding|yes|lung opacity','nlp|yes|abnormal','nlp|no|normal'],
                         'Opacity on\n both sides.'),
                        (['anatomicalfinding|no|pneumothorax'], 'No pneumothorax.')),
                finding('left lung', (['anatomicalfinding|yes|lung opacity'], 'Opacity on\n both sides.')),
                finding('neck', (['anatomicalfinding|yes|subcutaneous air'], 'Air in the neck.'))],
    relationships=[dict(bbox_name='right lung', predicate="['Improved']",
                        relationship_names=['comparison|yes|improved','comparison|no|worsened'],
                        phrase='Opacity has \n improved.')])
log = ReadLog(); v, labels = scene_view(graph, log)
test_eq(v.boxes[0], Box('right lung', 160, 320, 1440, 2080)); test_eq(v.boxes[1], Box('left lung', 0, 320, 1600, 2080))
test_eq(sorted(w for w,_ in log.left), ['box without area','phrases about regions without a box',
                                        'region without coordinates on the film'])
test_eq([b.text for b in v.boxes[2:]], ['Opacity on both sides.','No pneumothorax.','Opacity on both sides.'])
test_eq(labels, {'Lung Opacity': 1, 'Pneumothorax': 0, 'subcutaneous air': 1})
test_eq(v.info['flags'], {'right lung': 'abnormal'})
test_eq(v.info['compared'], [['right lung','improved','Opacity has improved.']])
test_eq((v.kind, v.info['reason_for_exam']), ('frontal', 'cough'))
test_eq(len(scene_view(graph, log, words=False)[0].boxes), 2)
test_fail(lambda: scene_view(dict(image_id='a'), log), contains="no column 'objects'")

# %% [12] Silver
from medvl.readers.imagenome import (scene_files, scene_splits, when)

# %% [13] Silver
test_eq(when('2180-05-06 21:30:00 UTC'), datetime(2180,5,6,21,30))
test_is(when(None), None); test_is(when('soon'), None)

# %% [15] Silver
from medvl.readers.imagenome import (read_imagenome, silver)

# %% [17] Gold
from medvl.readers.imagenome import (gold, gold_sentences, gold_patients)

# %% [19] Gold
tmp = tempfile.TemporaryDirectory(); d = Path(tmp.name)/'1.0.0'; s, g = d/'silver_dataset', d/'gold_dataset'
(s/'splits').mkdir(parents=True); g.mkdir()
def scene(id, study, day):
    return graph | dict(image_id=id, study_id=study, StudyDateTime=f'2180-05-{day:02d} 10:00:00')
graphs = [scene('aa', 50000001, 6), scene('bb', 50000002, 9), scene('cc', 50000003, 12) | dict(patient_id=11000011)]
for k in ('viewpoint','relationships'): del graphs[2][k]  # not every graph says everything
with zipfile.ZipFile(s/'scene_graph.zip', 'w') as z:
    for o in graphs+[scene('gg', 50000009, 1)]:
        z.writestr(f"scene_graph/{o['image_id']}_SceneGraph.json", json.dumps(o))
    z.writestr('scene_graph/dd_SceneGraph.json', '{"image_id": "d')
    z.writestr('scene_graph/ee_SceneGraph.json', '{"image_id": "ee", "attributes": [], "objects": [{"x1": 1}]}')
    z.writestr('scene_graph/ff_SceneGraph.json', '["ff"]')
for f,ids in (('train','aa bb'), ('valid','cc'), ('test',''), ('images_to_avoid','gg')):
    lines = [',subject_id,study_id,dicom_id,path,ViewPosition']
    lines += [f'{i},1,2,{o},files/p10/{o}.dcm,AP' for i,o in enumerate(ids.split())]
    (s/f'splits/{f}.csv').write_text('\n'.join(lines)+'\n')
test_eq(find_layouts(tmp.name), ['imagenome']); test_eq(find_layouts(d), ['imagenome'])
log = ReadLog('silver'); studies = read_studies(tmp.name, log=log); print(log)
test_eq([(o.patient, o.id, o.split, o.prior and o.prior.id) for o in studies], [('10000032','50000001','train',None),
        ('10000032','50000002','train','50000001'), ('11000011','50000003','val',None)])
test_eq([(v.kind, v.path) for o in studies for v in o.views], [('frontal',None)]*3)
test_eq(studies[0].time, datetime(2180,5,6,10)); test_eq(studies[0].labels['Lung Opacity'], 1)
both = next(p for p in phrases(studies) if p.text.startswith('Opacity'))
test_eq([b.label for b in both.boxes], ['right lung','left lung'])
test_eq(Counter(w for w,_ in log.left), {'film of a gold patient (images_to_avoid.csv)': 1, 'box without area': 3,
        'region without coordinates on the film': 3, 'phrases about regions without a box': 3,
        'scene graph that is cut short': 1, 'scene graph of another form': 2})

# %% [20] Gold
deep = s/'scene_graph/scene_graph'; deep.mkdir(parents=True)
for o in graphs: (deep/f"{o['image_id']}_SceneGraph.json").write_text(json.dumps(o))
same = read_imagenome(d, films=['aa','cc'], words=False, log=ReadLog())
test_eq([o.id for o in same], ['50000001','50000003']); test_eq([len(o.views[0].boxes) for o in same], [2,2])
jpg = Path(tmp.name)/'jpg'; (jpg/'files').mkdir(parents=True)
test_fail(lambda: read_imagenome(d, images=jpg, missing='error'), contains='files/p10/p10000032/s50000001/aa.jpg')
test_fail(lambda: read_imagenome(d, 'bronze'), contains="part is 'bronze'")
test_fail(lambda: read_imagenome(jpg), contains='no folder silver_dataset')
test_fail(lambda: read_imagenome(d, films=['zz']), contains='no film left')

# %% [21] Gold
names = ','.join(['image_id','bbox_name',*CORNERS,*(f'original_{k}' for k in CORNERS)])
(g/'gold_bbox_coordinate_annotations_1000images.csv').write_text('\n'.join([names,
    'gg.dcm,right lung,10,20,100,150,160,320,1600,2400', 'gg.dcm,carina,50,50,50,50,800,800,800,800',
    'hh.dcm,left lung,1,2,3,4,-8,32,48,64', 'kk.dcm,left lung,1,2,3,4,8,32,48,64'])+'\n')
cols = 'image_id patient_id study_id row_id sentence section bbox categoryID label_name context relation'.split()
def said(row, sentence, *rest): return ['gg.dcm','10000032','50000009',row,sentence,'finalreport',*rest,'1']
said = [said('r1', 'Lungs  are clear.', 'right lung', 'anatomicalfinding', 'lung opacity', 'no'),
        said('r1', 'Lungs  are clear.', 'right lung', 'nlp', 'normal', 'yes'),
        said('r2', 'Air in the neck.', 'neck', 'anatomicalfinding', 'subcutaneous air', 'yes')]
(g/'gold_attributes_relations_500pts_500studies1st.txt').write_text('\n'.join('\t'.join(o) for o in [cols]+said)+'\n')
(d/'utils').mkdir()
(d/'utils/cxr-record-list_view.csv').write_text('subject_id,study_id,dicom_id\n10000032,50000010,hh\n')
log = ReadLog('gold'); best = read_imagenome(d, 'gold', log=log); print(log)
test_eq([(o.patient, o.id, o.split, [b.text for b in o.views[0].boxes]) for o in best],
        [('10000032','50000009','test',['','Lungs are clear.']), ('10000032','50000010','test',['']),
         ('kk','kk','test',[''])])
test_eq(best[0].labels, {'Lung Opacity': 0, 'subcutaneous air': 1}); test_eq(best[1].views[0].boxes[0].x, 0)
test_eq(dict(Counter(w for w,_ in log.left)), {'box without area': 1, 'phrases about regions without a box': 1})
test_eq([o.id for o in read_imagenome(d, 'gold', films=['hh'], log=ReadLog())], ['50000010'])
tmp.cleanup()
