# nbs/data/36_summary.ipynb: runs against the imported medvl.data.summary.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] What is in a set
import html
from collections import Counter
from dataclasses import dataclass, field
from typing import Iterable
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import rankdata
from torch import Tensor
from tqdm import tqdm
from medvl.core import MedvlError
from medvl.files import jsonable
from medvl.data.identity import doubtful
from medvl.data.pixels import ImageError, count_kinds, kinds_text
from medvl.data.study import Study, View, days_between, slots
from medvl.data.splits import Leakage, fingerprint, leakage

# %% [4] What is in a set
import json, tempfile
from dataclasses import replace
from pathlib import Path
import matplotlib.pyplot as plt
from fastcore.test import *
from PIL import Image
from medvl.data.study import link_priors
from medvl.data.splits import split_by_patient

# %% [6] The counts
from medvl.data.summary import (Summary)

# %% [8] The counts
from medvl.data.summary import (summary)

# %% [10] The counts
from medvl.data.summary import (films_table, split_table, label_table, finding_table, darker, open_all)

# %% [12] The figure
from medvl.data.summary import (TINTS, bars, hist, draw_summary)

# %% [14] The figure
gen, made = np.random.default_rng(5), []
for p in range(60):
    for t in range(1 + p%3):
        films = [View(id=f'{p}.{t}', px=gen.integers(0, 255, (40,40), np.uint8), pos='PA' if p%4 else 'AP')]
        if t: films.append(View(id=f'{p}.{t}l', kind='lateral', pos='LL', px=gen.integers(0, 255, (40,40), np.uint8)))
        said = 'Clear lungs.' if p%2 else f'Effusion of {p} and {t} millimetres.'
        made.append(Study(f'p{p}', f's{p}.{t}', 10.*t+p%7*t, films, said, {'Effusion': float(p%2 == 0)},
                          source='made'))
link_priors(made, say=None); split_by_patient(made); sm = summary(made, decode=True, bar=False); print(sm)
test_eq(sm.counts['studies'], 20*(1+2+3)); test_eq(sm.counts['studies with a prior'], 20+40)
test_eq(sm.counts['laterals'], 60)
test_eq(sm.splits.studies.sum(), 120); test_eq(sm.films['all'].sum(), 180)
test_eq(sm.labels.loc['Effusion'].tolist(), [sum(1+p%3 for p in range(0,60,2)), sum(1+p%3 for p in range(1,60,2)), 0])
test_eq(sm.texts['count'], 120); test_eq(sm.texts['distinct'], 1+sum(1+p%3 for p in range(0,60,2)))
test_eq((sm.leak.ok, sm.unreadable), (True, []))
assert sm._repr_html_().count('<table') == 3 and len(sm._repr_html_()) < 20_000
json.dumps(sm.to_dict()); sm.figure();

# %% [16] The figure
with tempfile.TemporaryDirectory() as d:
    a, b = Path(d)/'a.png', Path(d)/'b.png'
    c = Path(d)/'c.png'; Image.fromarray(gen.integers(0, 20, (48,40), np.uint8)).save(c)
    for p in (a, b): Image.fromarray(gen.integers(0, 255, (48,40), np.uint8)).save(p)
    b.write_bytes(b.read_bytes()[:900])  # cut short
    few = [Study('p', p.stem, views=[View(str(p), p.stem, pos='PA')]) for p in (a, b, c)]
    test_eq(summary(few, bar=False).unreadable, None); found = summary(few, decode=True, bar=False)
test_eq([Path(f).name for f,_ in found.unreadable], ['b.png'])
assert "1 x can't be decoded (is the file cut short?)" in str(found) and 'b.png' in str(found)
test_eq(found.noticed['hardly any contrast']['films'], 1)
masked = [replace(s, patient='ANONYMOUS', group='ANONYMOUS', prior=None) for s in made[:9]]
sm = summary(masked, bar=False); print(sm.leak)
test_eq((sm.counts['patients'], sm.counts['studies of unknown patients'], sm.leak.unknown), (0,9,9))
test_fail(lambda: summary([]), contains='no study')
plt.close('all')

# %% [18] The figure
y, x = np.mgrid[0:1:64j, 0:1:56j]
px = .2 + .6*np.abs(np.sin(4*x+y))*y
films = dict(raw=1-px**2, shown=px, next=px[::-1].copy())
pair = [View(id=k, pos='AP', px=p.astype(np.float32)) for k,p in films.items()]
twins = summary([Study('p', 's', None, pair, '')], decode=True, bar=False).noticed['perhaps one exposure twice']
test_eq(twins, dict(films=1, first=['shown: inverted, the same picture as raw']))
