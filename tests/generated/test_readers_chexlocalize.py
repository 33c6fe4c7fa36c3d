# nbs/readers/23_chexlocalize.ipynb: runs against the imported medvl.readers.chexlocalize.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] CheXlocalize
import re
from pathlib import Path
import pandas as pd
from medvl.core import CHEXPERT, MedvlError
from medvl.data.manifest import Row
from medvl.data.regions import Region
from medvl.data.study import Study
from medvl.data.table import ReadLog, check_columns, read_table
from medvl.readers.layout import close_log, find_table, look, open_log
from medvl.readers.shapes import read_json, with_regions

# %% [4] CheXlocalize
import json, tempfile
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image
from fastcore.test import *
from medvl.readers.find import read_studies
from medvl.data.regions import coco_encode, draw_polygon, phrases, read_mask
from medvl.readers.find import find_layouts

# %% [6] Masks
from medvl.readers.chexlocalize import (TASKS, task_masks, empty)

# %% [7] Masks
tmp = tempfile.TemporaryDirectory(); d = Path(tmp.name)
contours = {'Airspace Opacity': [[[10.5,10.],[60.,12.],[40.,50.]], [[70.,60.],[90.,60.],[90.,80.],[70.,80.]]],
            'Edema': [[[1.,1.],[2.,2.]]]}
drawn = {'patient1_study1_view1_frontal': dict(img_size=[100,140]) | contours}
(d/'gt_annotations_val.json').write_text(json.dumps(drawn))
log = ReadLog(); got = task_masks(d/'gt_annotations_val.json', log)
size, masks = got['patient1_study1_view1_frontal']; test_eq((size, list(masks)), ((100,140), ['Lung Opacity']))
first, second = (draw_polygon(p, (100,140)) for p in contours['Airspace Opacity']); opacity = first | second
test_eq(read_mask(masks['Lung Opacity']), opacity)  # two contours, one mask
test_eq(log.left, [('contour of fewer than 3 points', 'patient1_study1_view1_frontal')])
segs = {t: coco_encode(opacity if t == 'Airspace Opacity' else opacity*0) for t in TASKS}
(d/'gt_segmentations_val.json').write_text(json.dumps({'patient1_study1_view1_frontal': segs}))
size, same = task_masks(d/'gt_segmentations_val.json', log)['patient1_study1_view1_frontal']
test_eq((size, list(same)), ((100,140), ['Lung Opacity'])); test_eq(read_mask(same['Lung Opacity']), opacity)
dot = np.zeros((100,140), bool); dot[3,0] = True  # short, and not empty
test_eq([empty(coco_encode(m)['counts'], m.shape) for m in (opacity*0, opacity, dot)], [True,False,False])
test_eq(len(segs['Edema']['counts']), 3)

# %% [8] Masks
def broken(**found):
    (d/'x.json').write_text(json.dumps({'p': found})); return lambda: task_masks(d/'x.json', log)
test_fail(broken(img_size=[1,2], Opacity=[]), contains="p: finding 'Opacity'; expected Enlarged")
test_fail(broken(Edema=[]), contains='expected one [h, w]')
test_fail(broken(Edema=dict(size=[1,1])), contains="p: Edema: no column 'counts'")
turned = broken(Edema=coco_encode(opacity), Atelectasis=coco_encode(opacity.T))
test_fail(turned, contains='sizes [(100, 140), (140, 100)]')

# %% [10] The reader
from medvl.readers.chexlocalize import (local_path, local_labels, read_chexlocalize)

# %% [12] The reader
top = d/'set'; (top/'CheXpert').mkdir(parents=True); (top/'CheXlocalize').mkdir()
def table(name, rows, *more):
    head = ['Path', *more, *CHEXPERT]
    lines = [','.join([p, *extra, *(str(float(k in has)) for k in CHEXPERT)]) for p,extra,has in rows]
    (top/f'CheXpert/{name}_labels.csv').write_text('\n'.join([','.join(head)]+lines)+'\n')
one = 'CheXpert-v1.0/valid/patient64541/study1/'
table('val', [(one+'view1_frontal.jpg', ['Male','73','Frontal','AP'], ['Lung Opacity']),
              (one+'view2_lateral.jpg', ['Male','73','Lateral',''], ['Lung Opacity'])],
      'Sex', 'Age', 'Frontal/Lateral', 'AP/PA')
table('test', [('test/patient64741/study1/view1_frontal.jpg', [], [])])
def masks(who, part, *ids):
    (top/f'CheXlocalize/{who}_segmentations_{part}.json').write_text(json.dumps({k: segs for k in ids}))
masks('gt', 'val', 'patient64541_study1_view1_frontal', 'patient64999_study1_view1_frontal')
(top/'CheXlocalize/gt_annotations_val.json').write_text('{}')  # the masks are preferred to the contours
masks('gt', 'test', 'patient64741_study1_view1_frontal'); masks('hb', 'test', 'patient64741_study1_view1_frontal')
film = top/'CheXpert/val/patient64541/study1/view1_frontal.jpg'; film.parent.mkdir(parents=True)
Image.fromarray(np.tile(np.arange(70, dtype=np.uint8)*3, (50,1))).save(film)  # at half the size
test_eq(find_layouts(top), ['chexlocalize'])
for k in ('segmentations','annotations'): (d/f'gt_{k}_val.json').unlink()
test_eq(find_layouts(d), ['chexlocalize']); test_eq(len(read_chexlocalize(d, log=ReadLog())), 3)  # a folder above
log = ReadLog('CheXlocalize'); studies = read_studies(top, log=log); print(log)
test_eq([(s.id, s.split, [v.kind for v in s.views]) for s in studies],
        [('patient64541/study1','val',['frontal','lateral']), ('patient64999/study1','val',['frontal']),
         ('patient64741/study1','test',['frontal'])])
a, b = studies[0].views; test_eq((a.pos, b.pos, b.masks), ('AP', '', {}))
test_eq(a.info, dict(size=(100,140), Sex='Male', Age='73'))
test_eq(studies[0].labels['Lung Opacity'], 1); test_eq(studies[0].labels['Edema'], 0); test_eq(studies[1].labels, {})
test_eq(read_mask(a.masks['Lung Opacity']), opacity); test_eq(a.film().px.shape, (1,50,70))
test_eq([w for w,_ in log.noted], ['masks of a film that is not in the table'])

# %% [13] The reader
p = phrases(studies, prompt=lambda o: f'There is {o.lower()}.')[0]
test_eq((p.text, p.boxes), ('There is lung opacity.', []))
fig, ax = plt.subplots(figsize=(3,2.1), dpi=75); ax.imshow(a.film().px[0], cmap='gray'); ax.axis('off')
ax.contour(p.mask((50,70)), [.5], colors='C1', linewidths=1); ax.set_title(p.text, fontsize=9)
test_eq([s.split for s in read_chexlocalize(top, 'hb', log=ReadLog())], ['test'])
log = ReadLog(); test_eq(len(read_chexlocalize(top, missing='skip', log=log)), 1); test_eq(len(log.left), 3)
test_fail(lambda: read_chexlocalize(top, missing='error'), contains='view2_lateral.jpg')
(top/'CheXlocalize/gt_segmentations_test.json').unlink(); read_chexlocalize(top, log=(log := ReadLog()))
assert 'test: no file of masks' in log.lines, log.lines
test_fail(lambda: read_chexlocalize(top, 'me'), contains="who is 'me'")
test_fail(lambda: read_chexlocalize(top/'CheXpert'), contains='expected gt_segmentations_val.json')
test_fail(lambda: local_path('a/b.jpg'), contains='expected patient64541')
tmp.cleanup()
