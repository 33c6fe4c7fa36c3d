# nbs/readers/51_jsrt.ipynb: runs against the imported medvl.readers.jsrt.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] JSRT and SCR
import re
from pathlib import Path
import pandas as pd
from medvl.core import MedvlError
from medvl.data.regions import cut_box
from medvl.data.study import Box, Study
from medvl.data.table import ReadLog
from medvl.readers.layout import close_log, films_in, open_log
from medvl.readers.shapes import with_regions

# %% [4] JSRT and SCR
import tempfile
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image
from fastcore.test import *
from medvl.readers.find import read_studies
from medvl.data.regions import draw_ellipse, read_mask
from medvl.readers.find import find_layouts

# %% [6] The tables
from medvl.readers.jsrt import (NODULE, jsrt_lines, jsrt_table, jsrt_number)

# %% [7] The tables
tmp = tempfile.TemporaryDirectory(); d = Path(tmp.name)/'jsrt'
info = d/'Clinical_Information'; info.mkdir(parents=True)
lines = ['JPCLN001.IMG\t5\t15\t53\tMale\t1634\t692\tmalignant\tl.upper lobe\tlung cancer',
         'JPCLN002.IMG\t1\t30\t?\tFemale\t20\t1024\tbenign\tr.lower lobe\tWegener\xb4s']
(info/'CLNDAT_EN.txt').write_bytes('\r'.join(lines).encode('latin-1')+b'\r')  # bare CR
(info/'CNNDAT_EN.TXT').write_bytes(b'JPCNN001.IMG  66  Female  Non-nodule\r\nJPCNN002.IMG ? Male Non-nodule\r\n')
test_eq(len(jsrt_lines(info/'CLNDAT_EN.txt')), 2)
first = jsrt_table(info/'CLNDAT_EN.txt')
test_eq([o['diagnosis'] for o in first.values()], ['lung cancer','Wegener\xb4s'])
assert 'age' not in first['JPCLN002']; test_eq(jsrt_number(first['JPCLN001'], 'x'), 1634)
test_is(jsrt_number(first['JPCLN002'], 'age'), None)
test_eq(list(jsrt_table(info/'CNNDAT_EN.TXT')), ['JPCNN001','JPCNN002'])
def broken(text, then=lambda t: None):
    (d/'cln.TXT').write_bytes(text.encode('latin-1')); return lambda: then(jsrt_table(d/'cln.TXT'))
big = broken(lines[0].replace('15', 'big'), lambda t: jsrt_number(t['JPCLN001'], 'size_mm'))
test_fail(big, contains="cln.TXT line 1: size_mm is 'big'")
test_fail(broken('JPCLN001.IMG 5 15'), contains='expected file, subtlety')
test_fail(broken(lines[0]+'\n'+lines[0]), contains='JPCLN001 occurs twice')
(d/'cln.TXT').unlink()

# %% [9] The reader
from medvl.readers.jsrt import (PIXEL, ORGANS, scr_masks, nodule_box, read_jsrt)

# %% [11] The reader
films = d/'All247images'; films.mkdir()
yy, xx = np.mgrid[:2048,:2048]
for k,x,y in (('JPCLN001',1634,692), ('JPCLN002',20,1024), ('JPCNN001',-999,0)):
    left, right = (draw_ellipse(o, 200, 700, 1500, (2048,2048)) for o in (200, 1150))
    body = 1500 + 900*(left | right) - 400*((xx-x)**2 + (yy-y)**2 < (7.5/.175)**2)  # low values are dense tissue
    body.astype('>u2').tofile(films/(f'{k}.IMG' if x >= 0 else f'{k.lower()}.img'))
for fold,k in (('fold1','JPCLN001'), ('fold2','JPCLN002')):
    for organ in ORGANS[:3]:
        (d/'scratch'/fold/'masks'/organ).mkdir(parents=True, exist_ok=True)
        end = '.gif' if organ == 'heart' else '.GIF'
        m = draw_ellipse(*((575,100,350,750) if organ == 'left lung' else (100,100,350,750)), (1024,1024))
        Image.fromarray(np.uint8(m*255)).save(d/'scratch'/fold/'masks'/organ/f'{k}{end}')
(films/'readme.doc').touch(); test_eq(find_layouts(d), ['jsrt']); test_eq(find_layouts(tmp.name), ['jsrt'])
log = ReadLog('JSRT'); studies = read_studies(d, log=log); print(log)
test_eq([(s.id, s.split, s.labels['Lung Lesion'], len(s.views[0].boxes), len(s.views[0].masks)) for s in studies],
        [('JPCLN001','train',1,1,3), ('JPCLN002','test',1,1,3), ('JPCNN001',None,0,0,0)])
b = studies[0].views[0].boxes[0]; test_close([b.x, b.y, b.x+b.w, b.y+b.h], [1591.1,649.1,1676.9,734.9], eps=.1)
test_close(studies[1].views[0].boxes[0].w, 20+15/.175, eps=1e-6)  # cut at the left edge
test_eq((studies[0].views[0].info['diagnosis'], studies[0].views[0].info['age']), ('lung cancer','53'))
assert 'age' not in studies[1].views[0].info
test_eq(dict(log.left), {'not called JPCLN001.IMG or JPCNN001.IMG': 'readme.doc',
                         'row without a film': 'CNNDAT_EN.TXT line 2'})

# %% [13] The reader
v = studies[0].views[0]; px = v.film().px[0]; inside = px[int(b.y):int(b.y+b.h), int(b.x):int(b.x+b.w)]
assert inside.mean() > px[500:600,1300:1400].mean() and px[0,0] > px[900,1500]
fig, ax = plt.subplots(figsize=(3,3), dpi=75); ax.axis('off')
ax.imshow(px[::8,::8], cmap='gray', vmin=0, vmax=1, extent=(0,2048,2048,0))
ax.add_patch(plt.Rectangle((b.x, b.y), b.w, b.h, fill=False, color='C1'))
lung = read_mask(v.masks['left lung']); test_eq(lung.shape, (1024,1024))
ax.contour(lung[::4,::4], [.5], colors='C0', linewidths=1, extent=(0,2048,0,2048))
assert read_mask(v.masks['left lung'], (2048,2048))[692,1634]

# %% [14] The reader
(info/'CLNDAT_EN.txt').write_bytes('\r'.join(lines[1:]).replace('\t30\t', '\t?\t').encode('latin-1')); log = ReadLog()
again = read_jsrt(tmp.name, log=log); test_eq([len(s.views[0].boxes) for s in again], [0,0,0])
test_eq([w for w,_ in log.noted], ['film that is in no table','nodule without a place or a size'])
test_fail(lambda: read_jsrt(info), contains='expected All247images/JPCLN001.IMG')
tmp.cleanup()
