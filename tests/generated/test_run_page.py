# nbs/run/70_page.ipynb: runs against the imported medvl.run.page.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] The demo's page of results
import base64, functools, html, io, re, textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from PIL import Image
from sklearn.metrics import roc_curve
from torch import Tensor
from medvl.core import methods
from medvl.eval.metrics import auroc
from medvl.eval.retrieval import WAYS, Embeddings, dedup, ranked
from medvl.run.stages import STAGES, Stages, stages

# %% [4] The demo's page of results
import torch
from fastcore.test import *
from IPython.display import HTML
from medvl.phantom.set import phantom_studies

# %% [6] Inlined pictures
from medvl.run.page import (thumb, svg)

# %% [7] Inlined pictures
study = phantom_studies(1, size=64, cache=False)[0]
uri = thumb(study.views[0].px, 32)
back = Image.open(io.BytesIO(base64.b64decode(uri.split(',')[1])))
test_eq(back.size, (32, 32))
test_eq(thumb(torch.zeros(1, 40, 20), 20), thumb(np.zeros((40, 20), np.uint8), 20))

fig, ax = plt.subplots(figsize=(2,1)); ax.plot([0,1], [0,1])
s = svg(fig, 'line')
assert s.startswith('<svg viewBox=') and s.rstrip().endswith('</svg>')
test_eq(re.findall(r'https?://(?!www.w3.org)', s), [])                  # names of a standard, no addresses
assert 'id="line-' in s and 'url(#line-' in s

# %% [9] Names and colours
from medvl.run.page import (PALETTE, name_of, color_of)

# %% [10] Names and colours
test_eq([name_of(k) for k in STAGES], ['MRM','ALTA','CLIP from scratch','CLIP from MRM'])
test_eq([name_of(k) for k in ('gloria','plan_mrm','mine')], ['GLoRIA from scratch','PLAN from MRM','mine'])
test_eq(len({color_of(k) for k in stages()}), len(stages()))

# %% [12] Curves
from medvl.run.page import (curves)

# %% [13] Curves
log = pd.DataFrame(dict(split=['train']*40+['val'], step=[*range(40), 39], loss=[*np.linspace(4, 2, 40), 2.5]))
fig = curves(dict(mrm=log, alta=log))
test_eq([ax.get_title('left') for ax in fig.axes], ['MRM','ALTA'])
test_close(fig.axes[0].lines[0].get_ydata()[0], 4)

# %% [15] Zero-shot ROC
from medvl.run.page import (rocs)

# %% [16] Zero-shot ROC
y = np.array([[0,1,np.nan]]*10+[[1,1,0]]*10, float)
z = dict(scores=y[:,[0,0,0]]+np.linspace(0, .5, 20)[:,None], labels=y, names=np.array(['Edema','Fracture','Mass']))
fig = rocs(dict(alta=z, clip=dict(z, scores=-z['scores'])))
titles = [ax.get_title('left') for ax in fig.axes if ax.get_title('left')]
test_eq(titles, ['Edema (10)'])                                         # the others have one kind only
test_eq([t.get_text()[:4] for t in fig.axes[0].get_legend().get_texts()], ['1.00','0.00'])

# %% [18] Ranked lists
from medvl.run.page import (queries, short, text_rows)

# %% [19] Ranked lists
e = Embeddings(torch.eye(3), torch.eye(3)[[0,2,1]], torch.ones(3).bool(), torch.tensor([0,1,2]))
words = ['no <effusion>', 'small effusion on the left', 'large heart']
test_eq(queries(e, 3), [0,1,2])
test_eq(queries(Embeddings(e.v, e.t, e.has, torch.tensor([5,5,7])), 3), [0,2])     # equal texts are one query
test_eq(short('a <b> c'), 'a &lt;b&gt; c')
px = [study.views[0].px]*3
h = text_rows(e, lambda i: px[i], lambda i: words[i], [0,1], 2)
test_eq(h.count('✓'), 1)                                                # texts 1 and 2 were exchanged
test_eq((h.count('class="right"'), h.count('class="wrong"')), (1, 3))
assert '<effusion>' not in h

# %% [20] Ranked lists
from medvl.run.page import (film_rows)

# %% [21] Ranked lists
h = film_rows(e, lambda i: px[i], lambda i: words[i], [1], 1)
test_eq(h.count('<li'), 2)                                              # the first, which is wrong, and its own
assert '<li value="3" class="right">✓ small effusion' in h             # behind one that is better and one that ties
test_eq(film_rows(e, lambda i: px[i], lambda i: words[i], [0], 1).count('<li'), 1)

# %% [23] The table
from medvl.run.page import (span, rows_of, table, luck_by_finding, costs)

# %% [24] The table
x = dict(value=.5, low=.4, high=.6)
test_eq(span(x), '50.0 <small>(40.0 to 60.0)</small>')
test_eq(span(dict(value=None, low=None, high=None)), 'not computable')
one = dict(retrieval=dict(chance={'R@1': .1, 'R@5': .5, 'R@10': 1.}, n_pairs=10, n_texts=9, n_units=5,
                          interval={f'{w}_R@{k}': x for w in WAYS for k in (1,5,10)}),
           zeroshot=dict(macro=dict(auroc=x)))
cost = dict(trainable=1234567, parameters=2000000, samples=640, steps=10, seconds=66., seconds_per_step=6.6,
            multiply_adds=2e12, multiply_adds_all=5e12)
res = dict(scored=dict(alta=one), stages=dict(alta=cost), data=dict(test=dict(patients=5, frontals=10)),
           differences={}, settings=dict(seed=0),
           provenance=dict(date='2000-01-01', commit='abc', threads=1, versions={}))
t = table(res)
test_eq(t.count('<tr>'), 3)                                             # head, chance, ALTA
assert '50.0 <small>(40.0 to 60.0)</small>' in t and '<td>chance</td><td>10.0</td>' in t
for want in ('1,234,567', '2.0 T', '5.0 T', '<td>1.1</td>'): assert want in costs(res), want
test_eq(table(dict(scored={})), '<p>No stage was scored.</p>')
HTML(t+costs(res))

# %% [26] The table
from medvl.run.page import (dots)

# %% [27] The table
fig = dots(res)
test_eq([len(ax.containers) for ax in fig.axes], [1,1])                 # one model in each panel
test_close(fig.axes[0].containers[0].lines[0].get_ydata(), [50,50,50])

# %% [29] The text of the page
from medvl.run.page import (INTRO, HOW, COST, verdict)

# %% [30] The text of the page
d = {'alta - clip': {'image_to_text_R@1': dict(value=.06, low=.02, high=.1),
                         'text_to_image_R@1': dict(value=-.01, low=-.05, high=.03)}}
print(verdict(d))
assert 'film to text 6.0 points higher (+2.0 to +10.0)' in verdict(d)
assert 'text to film 1.0 points lower (-5.0 to +3.0, not distinguishable)' in verdict(d)
test_eq(verdict({}), '')

# %% [32] The whole page
from medvl.run.page import (STYLE, section, others, made_by)

# %% [33] The whole page
from medvl.run.page import (page)

# %% [34] The whole page
both = text_rows(e, lambda i: px[i], lambda i: words[i], [0], 2), h
doc = page(res, dict(curves='<svg></svg>'), dict(alta=both))
test_eq(re.findall(r'<h2>(.*?)</h2>', doc)[:3], ['What is alignment?', 'What was compared', 'Results'])
test_eq(re.findall(r'(?:src|href)="(?!data:|#)[^"]*"', doc), [])         # asks nothing of anybody
assert 'Not for clinical' in doc and '10 frontal films' in doc and 'commit abc' in doc
test_eq(doc.count('<section>'), doc.count('</section>'))
more = others(dict(stages=dict(alta=cost, gloria=cost))); print(more)
assert more.startswith('<b>GLoRIA from scratch</b>: ') and others(res) == ''

# %% [36] From the folder of a demo
from medvl.run.page import (draw_page)
