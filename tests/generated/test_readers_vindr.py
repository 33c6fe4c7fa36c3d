# nbs/readers/34_vindr.ipynb: runs against the imported medvl.readers.vindr.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] VinDr-CXR
from pathlib import Path
import numpy as np
import pandas as pd
from medvl.core import MedvlError
from medvl.data.manifest import Row
from medvl.data.regions import cut_box
from medvl.data.study import Box, Study
from medvl.data.table import ReadLog, read_table
from medvl.readers.layout import close_log, films_in, find_table, look, open_log, our_names, own_or_ours, to_studies

# %% [4] VinDr-CXR
import tempfile
from fastcore.test import *
from medvl.readers.find import read_studies
from medvl.readers.find import find_layouts
from medvl.phantom.projection import write_dicom
from medvl.readers.rehearsal import published_tables

# %% [6] Three readers, one label
from medvl.readers.vindr import (VINDR, MERGE, merge_votes)

# %% [7] Three readers, one label
three = pd.DataFrame(dict(Edema=[0,1,2,3])); n = pd.Series([3]*4)
table = pd.DataFrame({k: [o['Edema'] for o in merge_votes(three, n, k)] for k in MERGE}).T.add_suffix(' of 3')
display(table); test_eq(table.values.tolist(), [[0,0,1,1],[0,1,1,1],[0,0,0,1],[0,-1,-1,1]])

# %% [9] Three readers, one label
pd.DataFrame([(k, v.lstrip('<'), 'a kind of it' if v[0] == '<' else 'the same') for k,v in VINDR.items()],
             columns=['published','here','relation'])

# %% [10] Three readers, one label
from medvl.readers.vindr import (vindr_votes, vindr_boxes)

# %% [12] Three readers, one label
from medvl.readers.vindr import (read_vindr, vindr_part)

# %% [14] Three readers, one label
ALL28 = ('Aortic enlargement,Atelectasis,Calcification,Cardiomegaly,Clavicle fracture,Consolidation,Edema,Emphysema,'
         'Enlarged PA,ILD,Infiltration,Lung Opacity,Lung cavity,Lung cyst,Mediastinal shift,Nodule/Mass,'
         'Pleural effusion,Pleural thickening,Pneumothorax,Pulmonary fibrosis,Rib fracture,Other lesion,COPD,'
         'Lung tumor,Pneumonia,Tuberculosis,Other diseases,No finding').split(',')
hexa = lambda c: c*32
def seen(*have): return ','.join('1' if o in have else '0' for o in ALL28)
tmp = tempfile.TemporaryDirectory(); d = Path(tmp.name)
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

# %% [15] Three readers, one label
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

# %% [16] Three readers, one label
tmp.cleanup()

# %% [18] On the published table
if (tmp := published_tables(('vinbigdata-train.csv.gz', 'train.csv.gz'))):
    log = ReadLog('VinDr, Kaggle'); real = read_vindr(tmp.name, log=log); display(log.to_dict()); tmp.cleanup()
    test_eq([log.found[o] for o in ('films','boxes')], [15000, 36096])
    assert '15000 films with 3 readings each' in str(log)
    test_eq(sum(s.views[0].info['votes'] == {'No finding': 3} for s in real), 10606)
