# nbs/phantom/54_marks.ipynb: runs against the imported medvl.phantom.marks.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Marks
from collections.abc import Sequence
import numpy as np
from medvl.core import MedvlError
from medvl.data.show import Rows
from medvl.data.study import Box, Study, View

# %% [4] Marks
from fastcore.test import *
import matplotlib.pyplot as plt
from medvl.data.regions import phrases
from medvl.phantom.set import phantom_studies

# %% [6] A mark
from medvl.phantom.marks import (MARKS, mark)

# %% [7] A mark
rng = np.random.default_rng(0)
d, m = mark('nodule', (32,32), rng)
test_close(d.max(), .45); test_eq(bool(d[32,32] > 0 and d[0,0] == 0 and m[32,32] and not m[32,42]), True)
test_close(m.sum(), np.pi*8.25**2, eps=8) # a quarter is lost 8.25 pixels from the middle
test_eq(bool((mark('air', (20,20), rng)[0] <= 0).all()), True)
test_close(mark('nodule', (32,32), rng, 128)[1].sum(), 4*m.sum(), eps=24)
test_fail(lambda: mark('star', (1,1), rng), contains="no mark 'star'")

# %% [9] Films with marks
from medvl.phantom.marks import (marked_studies)

# %% [10] Films with marks
films = phantom_studies(6, seed=0, size=64, difficulty='easy')
made = marked_studies(films, 40)
fig, axs = plt.subplots(1, 4, figsize=(8,2.4), dpi=75, layout='constrained')
for ax,kind in zip(axs, MARKS):
    v = next(s.views[0] for s in made if list(s.views[0].masks) == [kind])
    ax.imshow(v.px, cmap='gray', vmin=0, vmax=255); ax.contour(v.masks[kind], [.5], colors='#27e0b3', linewidths=1)
    ax.set_title(v.boxes[0].text, fontsize=7); ax.axis('off')
plt.show()

# %% [12] Films with marks
again = marked_studies(films, 40)
test_eq([s.report for s in made], [s.report for s in again]); test_eq(made[7].views[0].px, again[7].views[0].px)
test_eq({len(s.views[0].boxes) for s in made}, {1,2})
test_eq({s.patient for s in made} <= {s.patient for s in films}, True)
for p in phrases(made):
    rows, cols = np.nonzero(p.mask()); test_eq(p.mask(), p.view.masks[p.label])
    test_eq(('left' in p.text, 'upper' in p.text), (bool(cols.mean() > 32), bool(rows.mean() < 28)))
test_eq(marked_studies(films, 3, share=0.)[0].report.count('zone'), 1)
test_fail(lambda: marked_studies([], 3), contains='none of 0 studies')
