# nbs/readers/31_rsna.ipynb: runs against the imported medvl.readers.rsna.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] RSNA Pneumonia
from pathlib import Path
import pandas as pd
from medvl.core import MedvlError
from medvl.data.manifest import Row
from medvl.data.regions import cut_box
from medvl.data.study import Box, Study
from medvl.data.table import ReadLog, read_table
from medvl.readers.layout import close_log, films_in, find_table, look, need_table, open_log
from medvl.readers.shapes import set_lineage, with_regions

# %% [4] RSNA Pneumonia
import os, tempfile
from collections import Counter
import numpy as np
from fastcore.test import *
from medvl.readers.find import read_studies
from medvl.data.regions import phrases
from medvl.readers.find import find_layouts
from medvl.phantom.projection import write_dicom

# %% [6] Two tables
from medvl.readers.rsna import (RSNA, rsna_labels, read_rsna)

# %% [8] Two tables
from medvl.readers.rsna import (rsna_classes, rsna_films)

# %% [9] Two tables
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

# %% [10] Two tables
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

# %% [11] Two tables
tmp.cleanup()
