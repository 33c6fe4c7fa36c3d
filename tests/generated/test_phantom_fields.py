# nbs/phantom/55_fields.ipynb: runs against the imported medvl.phantom.fields.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Lung fields
from collections.abc import Iterable
from dataclasses import asdict
import numpy as np
from scipy import ndimage as ndi
from medvl.core import MedvlError
from medvl.data.study import Box, Study, View
from medvl.files import jsonable
from medvl.phantom.anatomy import Anatomy, lung
from medvl.phantom.projection import Geometry, occupied, rays, whole
from medvl.phantom.set import knobs, pose
from medvl.phantom.visits import draw_patient

# %% [4] Lung fields
import matplotlib.pyplot as plt
from fastcore.test import *
from medvl.phantom.set import phantom_studies

# %% [6] The body on the film
from medvl.phantom.fields import (posed, field)

# %% [8] The body on the film
from medvl.phantom.fields import (with_fields)

# %% [9] The body on the film
S = with_fields(phantom_studies(8, seed=5, size=128, difficulty='lifelike-easy'), 'lifelike-easy')
fig, axs = plt.subplots(1, 6, figsize=(10,1.9), dpi=75, layout='constrained')
for ax,s in zip(axs, S):
    v = s.views[0]; ax.imshow(v.px, cmap='gray'); ax.axis('off')
    for side,c in (('left','#27e0b3'), ('right','#ff8c1a')):
        ax.contour(v.masks[f'{side}_lung'], [.5], colors=c, linewidths=1)
        b = next(b for b in v.boxes if b.label == f'{side}_lung')
        ax.add_patch(plt.Rectangle((b.x-.5,b.y-.5), b.w, b.h, fill=False, ec=c, lw=.6, ls='--'))

# %% [10] The body on the film
for s in S:
    v = s.views[0]; r, l = v.masks['right_lung'], v.masks['left_lung']
    at = [np.nonzero(m)[1].mean() for m in (r, l)]; assert at[0] < at[1] and not (r & l).any()
    assert .05 < r.mean() < .3 and .03 < l.mean() < .3
    rest = v.px[~(r | l)]; assert v.px[r | l].mean() < rest[rest > 20].mean()  # lungs are darker than the rest
test_fail(lambda: with_fields(S[:1], 'hard'), contains="is not of difficulty 'hard'")
test_fail(lambda: posed(Study('p', 's-1'), View(id='x')), contains="film 'x': expected the frontal")
