# nbs/readers/33_objectcxr.ipynb: runs against the imported medvl.readers.objectcxr.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Object-CXR
from pathlib import Path
import numpy as np
import pandas as pd
from medvl.core import MedvlError
from medvl.data.manifest import Row
from medvl.data.regions import Region, cut_box
from medvl.data.study import Box, Study
from medvl.data.table import ReadLog, read_table
from medvl.readers.layout import close_log, find_table, look, open_log
from medvl.readers.shapes import with_regions

# %% [4] Object-CXR
import tempfile
from PIL import Image
from fastcore.test import *
from medvl.readers.find import read_studies
from medvl.data.regions import read_mask
from medvl.readers.find import find_layouts

# %% [6] Shapes in a cell
from medvl.readers.objectcxr import (object_parts, around, read_objectcxr)

# %% [7] Shapes in a cell
test_eq(object_parts('0 512 300 640 420;2 10 10 50 12 48 60'),
        [('box', 512, 300, 128, 120), ('polygon', [[10,10],[50,12],[48,60]])])
test_eq(object_parts(''), []); test_eq(object_parts('1 30 20 10 5;'), [('ellipse', 10, 5, 20, 15)])
test_eq(around(('polygon', [[10,10],[50,12],[48,60]])), (10, 10, 40, 50))
for wrong in ('0 1 2 3', '2 1 2 3 4', '2 1 2 3 4 5 6 7', 'rect 1 2 3 4', '3 1 2 3 4'):
    test_fail(lambda: object_parts(wrong), contains='expected 0 or 1 and four numbers')

# %% [8] Shapes in a cell
tmp = tempfile.TemporaryDirectory(); flat = np.tile(np.arange(64, dtype=np.uint8)*4, (64,1))
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
