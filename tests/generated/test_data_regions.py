# nbs/data/35_regions.ipynb: runs against the imported medvl.data.regions.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Regions
import copy, json, struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Iterable
import numpy as np
from PIL import Image, ImageDraw
from medvl.core import MedvlError
from medvl.data.image import turned
from medvl.data.pixels import guarded
from medvl.data.study import Box, Study, View
from medvl.data.table import ReadLog

# %% [4] Regions
import tempfile
import matplotlib.pyplot as plt
from fastcore.test import *

# %% [6] Run lengths
from medvl.data.regions import (column_runs, fill_runs)

# %% [7] Run lengths
m = np.array([[0,1],[1,1],[0,0]], bool)
test_eq(column_runs(m), [1,1,1,2,1]); test_eq(column_runs(~m), [0,1,1,1,2,1]); test_eq(column_runs(m*0), [6])
test_eq(fill_runs([1,1,1,2,1], (3,2)), m); test_eq(fill_runs([1,1,1,2], (3,2)), m); test_eq(fill_runs([], (3,2)), m*0)
test_fail(lambda: fill_runs([3,4], (3,2)), contains='they fill 7 pixels, the picture has 3 x 2 = 6')
test_fail(lambda: fill_runs([3,-1], (3,2)), contains='-1 is negative')
test_fail(lambda: column_runs(np.zeros((2,2,2))), contains='two dimensions')

# %% [9] Run lengths
from medvl.data.regions import (rle_encode, rle_decode)

# %% [10] Run lengths
test_eq(rle_encode(m), '1 1 1 2'); test_eq(rle_decode(' 1 1 1 2', (3,2)), m)
test_eq(rle_encode(m*0), '-1'); test_eq(rle_decode(' -1', (3,2)), m*0)
full = np.ones((3,2), bool); test_eq(rle_encode(full), '0 6'); test_eq(rle_decode('0 6', (3,2)), full)
test_eq(rle_decode('2 1 5 2', (4,3)).T.ravel().astype(int), [0,0,1,0, 0,0,0,0, 1,1,0,0])  # read down the columns
test_fail(lambda: rle_decode('1 2 3', (3,2)), contains='3 numbers; expected pairs')
test_fail(lambda: rle_decode('1 x', (3,2)), contains="expected whole numbers, got '1 x'")
test_fail(lambda: rle_decode('5 2', (3,2)), contains='fill 7 pixels')

# %% [12] Run lengths
yy, xx = np.mgrid[:96,:96]
blob = ((xx-60)**2/500 + (yy-30)**2/220 < 1) & ~((xx-66)**2 + (yy-26)**2 < 30)
cell = rle_encode(blob); runs = np.array(cell.split(), int)
wrong = np.zeros(96*96, bool)
for a,b in zip(np.maximum.accumulate(runs[::2]), runs[1::2]): wrong[a:a+b] = True
fig, axs = plt.subplots(1, 3, figsize=(6,2.1), dpi=75, layout='constrained')
three = [('relative, down the columns', rle_decode(cell, (96,96))),
         ('along the rows', rle_decode(cell, (96,96)).T), ('absolute starts', wrong.reshape(96,96))]
for ax,(title,a) in zip(axs, three): ax.imshow(a, cmap='gray'); ax.set_title(title, fontsize=9); ax.axis('off')
test_eq(three[0][1], blob); assert (three[1][1] != blob).any() and (three[2][1] != blob).any()

# %% [14] Run lengths
from medvl.data.regions import (coco_encode, coco_runs, coco_decode)

# %% [15] Run lengths
test_eq(coco_encode(m), dict(size=[3,2], counts='11110')); test_eq(coco_decode(dict(size=[3,2], counts='11110')), m)
test_eq(coco_decode(dict(size=[3,2], counts=b'11110')), m)
test_eq(coco_decode(dict(size=[3,2], counts=[1,1,1,2,1])), m)
test_eq(coco_runs('11110'), [1,1,1,2,1])
test_eq(coco_encode(np.zeros((3,2)))['counts'], '6')

# %% [17] Run lengths
test_eq(coco_encode(np.zeros((10,10)))['counts'], 'T3')
test_eq(len(coco_encode(np.zeros((2320,2828)))['counts']), 5)
neg = np.zeros((1,12), bool); neg[0,:5] = neg[0,9:10] = True  # counts 0 5 4 1 2: differences 1-5 = -4, 2-4 = -2
test_eq(column_runs(neg), [0,5,4,1,2]); test_eq(coco_encode(neg)['counts'], '054LN')  # 48+28 = L, 48+30 = N
test_fail(lambda: coco_runs('1~'), contains="'~' can't be")
test_fail(lambda: coco_runs('T'), contains='cut short')
test_fail(lambda: coco_decode(dict(size=[3,2], counts='1')), contains='they fill 1 pixels, the size is 3 x 2')
rng = np.random.default_rng(0)
for h,w,p in ((1,1,.5), (7,5,.5), (64,48,.02), (64,48,.98), (300,211,.5)):  # there and back
    a = rng.random((h,w)) < p
    test_eq(rle_decode(rle_encode(a), (h,w)), a); test_eq(coco_decode(coco_encode(a)), a)
test_eq(coco_decode(coco_encode(blob)), blob)

# %% [19] Shapes
from medvl.data.regions import (draw_box, draw_ellipse, draw_polygon)

# %% [20] Shapes
test_eq(draw_box(2, 1, 3, 1, (3,6)).astype(int), [[0]*6, [0,0,1,1,1,0], [0]*6])
test_eq(draw_box(-2, -1, 4, 3, (3,6)).sum(), 4)
test_eq(draw_box(1.4, 0, 1.2, 1, (1,4))[0], [False,True,True,False])  # the centres 1.5 and 2.5 lie in 1.4 to 2.6
disc = draw_ellipse(0, 0, 100, 60, (60,100)); test_close(disc.sum(), np.pi*50*30, eps=20)
test_eq(disc[0].any(), True); test_eq(draw_ellipse(0, 0, 3, 3, (3,3)).astype(int), [[1,1,1],[1,1,1],[1,1,1]])
test_eq(draw_polygon([[1,0],[3,0],[3,2],[1,2]], (4,5)).astype(int), [[0,1,1,1,0]]*3 + [[0]*5])
test_fail(lambda: draw_polygon([[1,1],[2,2]], (4,4)), contains='three corners')
test_fail(lambda: draw_ellipse(1, 1, 0, 3, (4,4)), contains='positive w and h')

# %% [22] Region
from medvl.data.regions import (DRAW, Region, picture_size)

# %% [23] Region
r = Region((4,5), [('box', 0, 0, 2, 2)]) | Region((4,5), [('polygon', [[3,2],[4,2],[4,3],[3,3]])])
test_eq(np.asarray(r).astype(int), [[1,1,0,0,0],[1,1,0,0,0],[0,0,0,1,1],[0,0,0,1,1]]); test_eq(r.shape, (4,5))
test_eq(np.asarray(Region((96,96), [('rle', cell)])), blob)
test_eq(np.asarray(Region((96,96), [('coco', coco_encode(blob)['counts'])])), blob)
test_eq(np.asarray(Region((2,2), []), float).sum(), 0)
test_fail(lambda: Region((4,5), [('circle', 1, 1, 1)]), contains="'circle'; expected one of rle, coco")

# %% [25] Region
from medvl.data.regions import (scale_mask, read_mask)

# %% [26] Region
test_eq(scale_mask(m, (6,2))[:,0], [False,False,True,True,False,False]); test_eq(scale_mask(m, (3,2)), m)
test_eq(scale_mask(blob, (48,48)).mean().round(1), blob.mean().round(1))
with tempfile.TemporaryDirectory() as d:
    Image.fromarray(np.uint8(blob*255)).save(f'{d}/a.png'); Image.fromarray(np.uint8(blob)).save(f'{d}/b.gif')
    for f in ('a.png','b.gif'): test_eq(read_mask(f'{d}/{f}'), blob)
    test_eq(read_mask(f'{d}/a.png', (48,48)).shape, (48,48)); test_eq(Region(f'{d}/a.png', []).shape, (96,96))
    test_fail(lambda: read_mask(f'{d}/none.png'), contains='no mask')
test_eq(read_mask(r), np.asarray(r)); test_eq(read_mask(blob.astype(np.uint8)), blob)

# %% [28] Impossible boxes
from medvl.data.regions import (cut_box)

# %% [29] Impossible boxes
log = ReadLog('boxes')
def cut(x, y, w, h): return cut_box(Box('a', x, y, w, h), (10,20), log, 'row 2')
test_eq(cut(1,2,3,4), Box('a',1,2,3,4)); test_eq(cut(-1,2,3,4), Box('a',0,2,2,4))
test_eq(cut(18,8,9,9), Box('a',18,8,2,2))
test_eq([cut(1,2,0,4), cut(1,2,3,-4), cut(21,2,3,4), cut(1,np.nan,1,1)], [None]*4)
test_eq([w for w,_ in log.left], ['box without area']*2 + ['box outside of its film','box with a number missing'])
test_eq(len(log.noted), 2); test_eq(cut_box(Box('a',1,2,3e4,4), None, log, ''), Box('a',1,2,3e4,4))

# %% [31] Phrases
from medvl.data.regions import (frame, Phrase, phrases)

# %% [32] Phrases
px = np.zeros((40,60), np.uint8)
v = View(id='a', px=px, boxes=[Box('Edema', 2, 2, 10, 10, 'Both bases.'), Box('Edema', 40, 2, 10, 10, 'both  bases.'),
                               Box('Nodule', 30, 30, 4, 4, 'nodule'), Box('Edema', 0, 0, 60, 20)])
s = Study('p', 's', views=[v, View(id='b', px=px)], split='test')
ps = phrases([s])
test_eq([(p.text, p.label, len(p.boxes)) for p in ps], [('Both bases.','Edema',2), ('nodule','Nodule',1)])
test_eq(ps[0].mask().sum(), 200); test_eq(ps[0].mask((20,30)).sum(), 50); test_eq(ps[0].study.id, 's')
test_eq(len(phrases([s], prompt=lambda k: f'there is {k.lower()}')), 3)
test_fail(lambda: phrases([s], 'train'), contains='no phrase')

# %% [34] Phrases
half = View(id='h', px=px[::2,::2], boxes=v.boxes[:2], info=dict(size=(40,60)))
p = phrases([Study('p','s', views=[half])])[0]
test_eq(p.mask().shape, (40,60)); test_eq(p.mask(half.px.shape).sum(), 50)
test_eq(frame(View(id='m', info=dict(size='[40, 60]'))), (40,60)); test_eq(frame(View(id='n', px=px)), (40,60))
v.masks['Nodule'] = Region((40,60), [('ellipse', 28, 30, 6, 4)]); p = phrases([s])[1]
test_eq(p.mask(drawn=False).sum(), 16); assert 4 < p.mask().sum() < 16
v.masks['Cardiomegaly'] = Region((40,60), [('ellipse', 20, 10, 20, 20)])
heart = phrases([s], prompt=str)[-1]; test_eq((heart.text, heart.boxes), ('Cardiomegaly', []))
test_eq(heart.mask(), np.asarray(v.masks['Cardiomegaly']))
fig, ax = plt.subplots(figsize=(3,2), dpi=75); ax.imshow(ps[0].mask()*1. + 2*p.mask() + .5*heart.mask(), cmap='magma')
ax.set_title('two boxes of one phrase; nodule; heart', fontsize=9); ax.axis('off');

# %% [36] Annotations from another download
from medvl.data.regions import (attach)

# %% [37] Annotations from another download
own = [Study('p','s', views=[View('x.png', 'a', info=dict(k=1)), View('y.png','c')])]
attach(own, [s]); a, c = own[0].views
test_eq((len(a.boxes), a.info, c.boxes), (4, dict(k=1), []))
assert a.boxes[0] is not v.boxes[0]
test_fail(lambda: attach([Study('q','t', views=[View('z.png','z')])], [s]), contains='none of the annotated films')
