# nbs/readers/50_tb.ipynb: runs against the imported medvl.readers.tb.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] TBX11K, Shenzhen, Montgomery
import re
from pathlib import Path
import pandas as pd
from medvl.core import MedvlError
from medvl.data.regions import cut_box
from medvl.data.study import Box, Study
from medvl.data.table import ReadLog, check_columns
from medvl.readers.layout import close_log, films_in, look, open_log
from medvl.readers.shapes import read_coco, with_regions

# %% [4] TBX11K, Shenzhen, Montgomery
import json, tempfile
import numpy as np
from PIL import Image
from fastcore.test import *
from medvl.readers.find import read_studies
from medvl.data.regions import read_mask
from medvl.readers.find import find_layouts

# %% [6] TBX11K
from medvl.readers.tb import (TBX11K, TBX_FOLDERS, tbx_labels, tbx_films, read_tbx11k)

# %% [7] TBX11K
tmp = tempfile.TemporaryDirectory(); d = Path(tmp.name)/'TBX11K'; (d/'annotations/json').mkdir(parents=True)
names = [dict(id=i+1, name=n, supercategory='Tuberculosis') for i,n in enumerate(TBX11K)]
def coco(name, films, boxes=None, categories=names):
    "A COCO file; boxes are (number of the film, category, x, y, w, h)."
    images = [dict(id=i, file_name=f, width=512, height=400) for i,f in enumerate(films)]
    notes = [dict(id=i, image_id=f, category_id=c, bbox=xywh, area=xywh[2]*xywh[3], iscrowd=0)
             for i,(f,c,*xywh) in enumerate(boxes or ())]
    made = dict(images=images, categories=categories) | ({} if boxes is None else dict(annotations=notes))
    (d/f'annotations/json/{name}.json').write_text(json.dumps(made))
coco('TBX11K_train', ['health/h0001.png','sick/s0001.png','tb/tb0003.png','tb/tb0004.png'],
     [(2, 1, 100.5, 90., 60., 80.), (2, 2, 480., 20., 60., 30.)])
coco('TBX11K_val', ['tb/tb0009.png'], [(0, 2, 10., 20., 30., 40.)])
coco('all_test', ['test/test_00001.png','extra/x.png'])
test_eq((find_layouts(d), find_layouts(tmp.name)), (['tbx11k'], ['tbx11k']))
log = ReadLog('TBX11K'); studies = read_studies(tmp.name, log=log); print(log)
def told(s): return s.id, s.split, s.labels.get('Tuberculosis'), s.labels.get('No Finding'), len(s.views[0].boxes)
test_eq([told(s) for s in studies],
        [('health/h0001.png','train',0,1,0), ('sick/s0001.png','train',0,0,0), ('tb/tb0003.png','train',1,0,2),
         ('tb/tb0004.png','train',1,0,0), ('tb/tb0009.png','val',1,0,1), ('test/test_00001.png','test',None,None,0)])
test_eq(studies[2].views[0].boxes, [Box('Active Tuberculosis', 100.5, 90, 60, 80),
                                      Box('Obsolete Tuberculosis', 480, 20, 32, 30)])
test_eq(studies[4].labels['Active Tuberculosis'], 0); assert 'Active Tuberculosis' not in studies[3].labels
test_eq(log.noted[-1], ('tuberculosis without a box', 'tb/tb0004.png'))
assert 'TBX11K_train.json: category PulmonaryTuberculosis is never used' in log.lines

# %% [8] TBX11K
test_fail(lambda: read_tbx11k(d, missing='error'), contains='imgs/health/h0001.png')
test_fail(lambda: read_tbx11k(d/'annotations'), contains='expected annotations/json/TBX11K_train.json')
coco('TBX11K_val', ['tb/tb0003.png'])
test_fail(lambda: read_tbx11k(d), contains='tb/tb0003.png is already in TBX11K_train.json')
coco('TBX11K_val', ['tb/x.png'], [(7,1,0.,0.,1.,1.)])
test_fail(lambda: read_tbx11k(d), contains='image 7 or category 1 unknown')
coco('TBX11K_val', [], (), [dict(id=1, name='TB')])
test_fail(lambda: read_tbx11k(d), contains="category 'TB'; expected Active")
(d/'annotations/json/TBX11K_val.json').write_text('{"images": [')
test_fail(lambda: read_tbx11k(d), contains='TBX11K_val.json: can')
coco('all_train', ['extra/mc/a.png'], [(0, 1, 1., 1., 5., 5.)]); got = read_tbx11k(d, extra=True, log=ReadLog())
test_eq([(s.id, s.split) for s in got],
        [('extra/mc/a.png','train'), ('test/test_00001.png','test'), ('extra/x.png','test')])
test_eq(got[0].labels['Tuberculosis'], 1)

# %% [10] Readings
from medvl.readers.tb import (YEARS, nlm_reading)

# %% [11] Readings
test_eq(nlm_reading('male 45yrs\nnormal\n'), ('normal', dict(sex='M', age_years=45)))
test_eq(nlm_reading('Female  32yrs \r\n1.bilateral secondary PTB \r\n2.right  pleural adhesions'),
        ('1.bilateral secondary PTB\n2.right pleural adhesions', dict(sex='F', age_years=32)))
test_eq(nlm_reading('Male, 6 months\nnormal')[1], dict(sex='M', age_years=.5))
test_eq(nlm_reading("Patient's Sex: F\nPatient's Age: 027Y\nnormal"), ('normal', dict(sex='F', age_years=27)))
test_eq(nlm_reading('cavity in the male patient'), ('cavity in the male patient', {}))

# %% [13] Shenzhen and Montgomery
from medvl.readers.tb import (read_nlm, nlm_masks, read_shenzhen, read_montgomery)

# %% [14] Shenzhen and Montgomery
c, m = Path(tmp.name)/'c/ChinaSet_AllFiles', Path(tmp.name)/'m/MontgomerySet'
for o in (c,m): (o/'CXR_png').mkdir(parents=True); (o/'ClinicalReadings').mkdir()
px = np.zeros((40,50), np.uint8); px[10:30,5:20] = 255
def film(root, k, text):
    Image.fromarray(px).save(root/f'CXR_png/{k}.png')
    if text: (root/f'ClinicalReadings/{k}.txt').write_bytes(text)
film(c, 'CHNCXR_0001_0', b'male 45yrs\nnormal')
film(c, 'CHNCXR_0327_1', b'Female  32yrs\nright upper PTB \xb1 cavity')
film(c, 'CHNCXR_0328_1', None); (c/'CXR_png/Thumbs.db').write_bytes(b'x'); (c/'mask').mkdir()
(c/'masks').mkdir(); Image.fromarray(px).save(c/'masks/CHNCXR_0327_1_mask.png')  # this folder's other name
Image.fromarray(px).save(c/'mask/CHNCXR_0001_0_mask.png'); test_eq(find_layouts(c.parent), ['shenzhen'])
log = ReadLog('Shenzhen'); studies = read_studies(c.parent, log=log); print(log)
test_eq([(s.id, s.labels['Tuberculosis'], s.labels['No Finding'], s.report[:9]) for s in studies],
        [('CHNCXR_0001_0',0,1,'normal'), ('CHNCXR_0327_1',1,0,'right upp'), ('CHNCXR_0328_1',1,0,'')])
test_eq(studies[0].views[0].info, dict(sex='M', age_years=45.)); test_eq(studies[2].views[0].info, {})
test_eq(log.left[0][1], 'Thumbs.db')
test_eq([w for w,_ in log.noted], ['reading with bytes that are not UTF-8','no reading'])
for s in studies[:2]: test_eq(read_mask(s.views[0].masks['lungs']), px > 0)

# %% [15] Shenzhen and Montgomery
film(m, 'MCUCXR_0001_0', b"Patient's Sex: F\nPatient's Age: 027Y\nnormal")
film(m, 'MCUCXR_0104_1', b"Patient's Sex: M\nPatient's Age: 061Y\nscars in both upper lobes")
for side in ('left','right'): (m/f'ManualMask/{side}Mask').mkdir(parents=True)
Image.fromarray(px).save(m/'ManualMask/leftMask/MCUCXR_0001_0.png'); test_eq(find_layouts(m), ['montgomery'])
studies = read_studies(m, log=(log := ReadLog('Montgomery'))); print(log)
test_eq([(s.labels['Tuberculosis'], s.report, s.views[0].info['age_years']) for s in studies],
        [(0,'normal',27), (1,'scars in both upper lobes',61)])
test_eq([list(s.views[0].masks) for s in studies], [['left lung'],[]])
test_fail(lambda: read_montgomery(c), contains='expected CXR_png/MCUCXR_0001_0.png')
tmp.cleanup()
