# nbs/readers/05_regions.ipynb: runs against the imported medvl.readers.regions.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] RSNA, SIIM-ACR, Object-CXR
import json, os
from collections import defaultdict
from pathlib import Path
from typing import Iterable
import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split
from medvl.core import MedvlError
from medvl.data.manifest import Row
from medvl.data.regions import Region, cut_box
from medvl.data.study import Box, Study
from medvl.data.table import ReadLog, check_columns, read_table
from medvl.readers.layout import close_log, films_in, find_table, look, need_table, open_log, to_studies

# %% [4] RSNA, SIIM-ACR, Object-CXR
import tempfile
from collections import Counter
import matplotlib.pyplot as plt
from PIL import Image
from fastcore.test import *
from medvl.data.manifest import read_studies
from medvl.data.regions import draw_ellipse, phrases, read_mask, rle_encode
from medvl.data.sets import find_layouts
from medvl.phantom.projection import write_dicom

# %% [6] The lineage's draw
from medvl.readers.regions import (lineage_split)

# %% [7] The lineage's draw
drawn = lineage_split([f'{i:05d}' for i in range(26684)])
test_eq(pd.Series([o[0] for o in drawn.values()]).value_counts().to_dict(), dict(train=18678, val=4003, test=4003))
twice = lineage_split(sorted([f'{i}' for i in range(200)]*2)); test_eq(len(twice), 200)
assert max(map(len, twice.values())) == 2  # rows of one film in two parts
test_eq(lineage_split(list('abcdefghij')), lineage_split(list('abcdefghij')))

# %% [9] The lineage's draw
from medvl.readers.regions import (read_json, read_coco)

# %% [10] The lineage's draw
with tempfile.TemporaryDirectory() as t:
    f = Path(t)/'a.json'
    def holds(text): f.write_text(text); return lambda: read_json(f, ['images'])
    test_eq(holds('{"images": [1]}')(), dict(images=[1])); test_fail(holds('{"images": [1'), contains='cut short?')
    test_fail(holds('[1]'), contains='holds a list'); test_fail(holds('{"image": 1}'), contains="did you mean 'image'")
    test_fail(lambda: read_json(Path(t)/'none.json'), contains="can't be read")

# %% [12] The lineage's draw
from medvl.readers.regions import (with_regions, set_lineage)

# %% [14] RSNA
from medvl.readers.regions import (RSNA, rsna_labels, read_rsna)

# %% [16] RSNA
from medvl.readers.regions import (rsna_classes, rsna_films)

# %% [17] RSNA
tmp = tempfile.TemporaryDirectory(); d = Path(tmp.name)/'rsna'; d.mkdir()
flat = np.tile(np.arange(64, dtype=np.uint8)*4, (64,1))
for n in ('train_images/aa','train_images/bb','train_images/cc','test_images/zz'):
    write_dicom(flat/255, d/f'stage_2_{n}.dcm')
boxes = ['aa,264.0,152.0,213.0,379.0,1', 'aa,562.0,152.0,256.0,453.0,1', 'bb,,,,,0', 'cc,,,,,0']
kinds = ['aa,Lung Opacity', 'aa,Lung Opacity', 'bb,Normal', 'cc,No Lung Opacity / Not Normal']
def tables(boxes=boxes, kinds=kinds):
    (d/'stage_2_train_labels.csv').write_text('patientId,x,y,width,height,Target\n' + '\n'.join(boxes)+'\n')
    (d/'stage_2_detailed_class_info.csv').write_text('patientId,class\n' + '\n'.join(kinds)+'\n')
    return lambda: read_rsna(d, log=ReadLog())
tables(); test_eq(find_layouts(d), ['rsna'])
log = ReadLog('RSNA'); studies = read_studies(d, missing='error', log=log); print(log)
def told(s): return s.id, s.split, s.labels.get('No Finding'), s.labels.get('Pneumonia'), len(s.views[0].boxes)
test_eq([told(s) for s in studies],
        [('aa','train',0,1,2), ('bb','train',1,0,0), ('cc','train',0,0,0), ('zz','test',None,None,0)])
test_eq(studies[0].views[0].boxes[0], Box('Pneumonia', 264, 152, 213, 379))  # two boxes, not four
test_eq(studies[0].views[0].film().px.shape, (1,64,64)); test_eq(studies[0].views[0].info['group'], 'Lung Opacity')
p = phrases(studies, prompt=lambda o: f'findings suggesting {o.lower()}')[0]
test_eq((p.text, p.mask().sum()), ('findings suggesting pneumonia', 213*379 + 256*453))

# %% [18] RSNA
packed = pd.read_csv(f := d/'stage_2_train_labels.csv', dtype=str); f.unlink()  # as Kaggle gives a single file
packed.to_csv(f'{f}.zip', index=False)
test_eq([told(s) for s in read_rsna(d, log=ReadLog())], [told(s) for s in studies])
test_fail(tables(kinds=kinds+['bb,Lung Opacity']), contains="row 6: bb is 'Lung Opacity' and 'Normal'")
test_fail(tables(kinds=['aa,Opacity']), contains="class 'Opacity'; expected Normal")
test_fail(tables(['aa,1,2,3,4,yes']), contains="column 'Target': 'yes'; expected 0 or 1")
test_fail(tables(['aa,1,2,x,4,1']), contains="column 'width': 'x'; expected a number")
tables(boxes[:2]+['bb,1.0,2.0,3.0,4.0,0','cc,,,,,1','dd,,,,,0']); log = ReadLog()
got = read_rsna(d, log=log); test_eq(dict(Counter(w for w,_ in log.noted)),
    {'Target and box differ': 2, 'class and Target differ': 1, 'no class for a patient': 1})
log = ReadLog(); read_rsna(d, missing='skip', log=log); test_eq([o[0] for o in log.left], ['film is not there'])
tables(boxes+[f'd{i:02d},,,,,0' for i in range(17)]); os.remove(d/'stage_2_detailed_class_info.csv')
some = read_rsna(d, split='gloria', log=ReadLog()); test_eq(some[0].labels, {'Lung Opacity': 1, 'Pneumonia': 1})
test_eq(Counter(s.split for s in some), {'train': 14, 'val': 3, 'test': 3, None: 1})  # the test films are not drawn
test_fail(lambda: read_rsna(d/'stage_2_train_images'), contains='expected stage_2_train_labels.csv')

# %% [20] SIIM-ACR
from medvl.readers.regions import (SIIM_PARTS, walk_films, siim_masks)

# %% [22] SIIM-ACR
from medvl.readers.regions import (read_siim)

# %% [24] SIIM-ACR
def sketch(x):
    "A film with two lungs, and the air beside the lung at x."
    lungs = [draw_ellipse(o, 150, 340, 700, (1024,1024)) for o in (140, 560)]
    air = draw_ellipse(x, 150, 340, 700, (1024,1024)) & ~draw_ellipse(x+40, 230, 270, 620, (1024,1024))
    return np.uint8(170 - 110*(lungs[0] | lungs[1]) - 40*air), air
(film_a, air_a), (film_b, air_b) = sketch(140), sketch(560)
top, low = air_b.copy(), air_b.copy(); top[600:] = low[:500] = False; test_eq(top | low, air_b)
uid = '1.2.276.0.7230010.3.1.{}.8323329.{}.1517875162.25807{}'
def siim(header, none, pre=''):
    "A folder of stage 1 with this header and this value for no pneumothorax."
    d = Path(tempfile.mkdtemp(dir=tmp.name))
    for i,px in enumerate([film_a, film_b, flat, flat]):
        write_dicom(px/255, d/f"dicom-images-{'test' if i == 2 else 'train'}"/uid.format(2,i,0)/uid.format(3,i,1)
                            /f'{uid.format(4,i,2)}.dcm')
    rows = [(0, pre+rle_encode(air_a)), (1, pre+rle_encode(top)), (1, pre+rle_encode(low)), (2, none), (9, none)]
    (d/'train-rle.csv').write_text('\n'.join([header]+[f'{uid.format(4,i,2)},{o}' for i,o in rows])+'\n'); return d
d = siim('ImageId, EncodedPixels', ' -1', ' '); test_eq(find_layouts(d), ['siim'])
log = ReadLog('SIIM'); studies = read_studies(d, missing='skip', log=log); print(str(log).replace(str(d), 'DIR'))
test_eq([(s.labels, s.split) for s in studies],
        [({'Pneumothorax': 1}, 'train'), ({'Pneumothorax': 1}, 'train'), ({'Pneumothorax': 0}, 'test')])
for s,m in zip(studies, (air_a, air_b)): test_eq(read_mask(s.views[0].masks['Pneumothorax']), m)  # two rows are united
test_eq(sorted(o for o,_ in log.left), ['film is not there','film without a row'])
test_eq(studies[2].views[0].masks, {})
plain = read_siim(siim('ImageId,EncodedPixels', '-1'), missing='skip', log=ReadLog())  # without the blanks: the same
test_eq([(s.id, s.labels) for s in plain], [(s.id, s.labels) for s in studies])
test_eq(read_mask(plain[1].views[0].masks['Pneumothorax']), air_b)

# %% [25] SIIM-ACR
fig, axs = plt.subplots(1, 2, figsize=(5,2.6), dpi=75, layout='constrained')
for ax,s in zip(axs, studies):
    v = s.views[0]; px = v.film().px[0]; ax.imshow(px, cmap='gray', vmin=0, vmax=1); ax.axis('off')
    ax.contour(read_mask(v.masks['Pneumothorax'], px.shape), [.5], colors='C1', linewidths=1)
axs[0].set_title('one row', fontsize=9); axs[1].set_title('two rows, united', fontsize=9);

# %% [27] SIIM-ACR
def bad(cell):
    (d/'train-rle.csv').write_text(f'ImageId, EncodedPixels\na,{cell}\n'); return lambda: read_siim(d, log=ReadLog())
for cell,why in (('1 2 3','row 2: 3 numbers'), ('1 x','whole numbers'), ('5 -1','pairs of start'), ('','0 numbers'),
                 (f'5 {1<<20}','1048581 pixels')): test_fail(bad(cell), contains=why)
mirror = d/'pneumothorax/dicom-images-train/a/b'; mirror.mkdir(parents=True)
(mirror/f'{uid.format(4,0,2)}.dcm').touch()
many = ''.join(f'{i//2},{1+i%2} 1\n' for i in range(40)) + '0,-1\n0,1 1\n'
(d/'train-rle.csv').write_text('ImageId,EncodedPixels\n'+many)
log = ReadLog(); drawn = read_siim(d, split='gloria', log=log)
why = Counter(w for w,_ in log.noted); test_eq(why['both -1 and a mask: the mask counts'], 1)
assert why['rows of one film are in several parts of the published split'] > 3
test_eq(why['the same film in two places (the first is taken)'], 1); test_eq(log.left[0][0], 'the same mask again')
test_eq(read_mask(drawn[3].views[0].masks['Pneumothorax']).ravel(order='F')[:4], [False,True,True,False])

# %% [29] Object-CXR
from medvl.readers.regions import (object_parts, around, read_objectcxr)

# %% [30] Object-CXR
test_eq(object_parts('0 512 300 640 420;2 10 10 50 12 48 60'),
        [('box', 512, 300, 128, 120), ('polygon', [[10,10],[50,12],[48,60]])])
test_eq(object_parts(''), []); test_eq(object_parts('1 30 20 10 5;'), [('ellipse', 10, 5, 20, 15)])
test_eq(around(('polygon', [[10,10],[50,12],[48,60]])), (10, 10, 40, 50))
for wrong in ('0 1 2 3', '2 1 2 3 4', '2 1 2 3 4 5 6 7', 'rect 1 2 3 4', '3 1 2 3 4'):
    test_fail(lambda: object_parts(wrong), contains='expected 0 or 1 and four numbers')

# %% [31] Object-CXR
d = Path(tmp.name)/'object'; (d/'train').mkdir(parents=True); (d/'dev').mkdir()
for n in ('train/00001.jpg','train/00002.jpg','dev/00001.jpg'): Image.fromarray(np.tile(flat, (2,3))).save(d/n)
three = '0 10 10 30 20;1 40 40 80 80;2 100 10 150 12 120 60'
(d/'train.csv').write_text(f'image_name,annotation\n00001.jpg,{three}\n00002.jpg,\n')
(d/'dev.csv').write_text('image_name,annotation\n00001.jpg,0 5 5 5 20;0 1 1 9 9\n')
test_eq(find_layouts(d), ['objectcxr'])
log = ReadLog('Object-CXR'); studies = read_studies(d, missing='error', log=log); print(log)
test_eq([(s.id, s.split, s.labels['Foreign Object'], len(s.views[0].boxes)) for s in studies],
        [('train/00001.jpg','train',1,3), ('train/00002.jpg','train',0,0), ('dev/00001.jpg','val',1,1)])
m = read_mask(studies[0].views[0].masks['Foreign Object']); test_eq(m.shape, (128,192))
assert m[10:20,10:30].all() and not m[9].any() and m[60,60] and not m[41,41] and m[15,120]
test_close(m[30:90,:90].sum(), np.pi*400, eps=15); test_eq(studies[1].views[0].masks, {})
test_eq(log.left[0][0], 'box without area')
(d/'dev.csv').write_text('image_name,annotation\n00001.jpg,0 5 5 5\n')
test_fail(lambda: read_objectcxr(d), contains="dev.csv: row 2, column 'annotation': '0 5 5 5': expected")
(d/'dev.csv').write_text('image_name,annotation\n1.jpg,\n1.jpg,\n')
test_fail(lambda: read_objectcxr(d), contains='each film once')
test_fail(lambda: read_objectcxr(d/'train'), contains='expected train.csv, dev.csv')
tmp.cleanup()
