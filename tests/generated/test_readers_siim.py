# nbs/readers/32_siim.ipynb: runs against the imported medvl.readers.siim.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] SIIM-ACR Pneumothorax
import os
from pathlib import Path
from typing import Iterable
import numpy as np
import pandas as pd
from medvl.core import MedvlError
from medvl.data.manifest import Row
from medvl.data.regions import Region
from medvl.data.study import Study
from medvl.data.table import ReadLog, read_table
from medvl.readers.layout import close_log, look, need_table, open_log
from medvl.readers.shapes import set_lineage, with_regions

# %% [4] SIIM-ACR Pneumothorax
import tempfile
from collections import Counter
import matplotlib.pyplot as plt
from fastcore.test import *
from medvl.readers.find import read_studies
from medvl.data.regions import draw_ellipse, read_mask, rle_encode
from medvl.readers.find import find_layouts
from medvl.phantom.projection import write_dicom

# %% [6] Masks as run lengths
from medvl.readers.siim import (SIIM_PARTS, walk_films, siim_masks)

# %% [8] Masks as run lengths
from medvl.readers.siim import (read_siim)

# %% [10] Masks as run lengths
tmp = tempfile.TemporaryDirectory(); flat = np.tile(np.arange(64, dtype=np.uint8)*4, (64,1))
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

# %% [11] Masks as run lengths
fig, axs = plt.subplots(1, 2, figsize=(5,2.6), dpi=75, layout='constrained')
for ax,s in zip(axs, studies):
    v = s.views[0]; px = v.film().px[0]; ax.imshow(px, cmap='gray', vmin=0, vmax=1); ax.axis('off')
    ax.contour(read_mask(v.masks['Pneumothorax'], px.shape), [.5], colors='C1', linewidths=1)
axs[0].set_title('one row', fontsize=9); axs[1].set_title('two rows, united', fontsize=9);

# %% [13] Masks as run lengths
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

# %% [14] Masks as run lengths
tmp.cleanup()
