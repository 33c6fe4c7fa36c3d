# nbs/run/70_page.ipynb: runs against the imported medvl.run.page.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] The demo's page of results
import base64, functools, html, io, re, textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from sklearn.metrics import roc_curve
from torch import Tensor
from medvl.core import methods
from medvl.data.batch import sample_loader
from medvl.data.cache import ImageCache
from medvl.data.pixels import thumbnail
from medvl.data.preset import Preset
from medvl.data.tokens import load_tokenizer
from medvl.eval.grounding import PROTOCOLS, pointing
from medvl.eval.maps import Asker, clear_views, heat
from medvl.eval.metrics import auroc
from medvl.eval.retrieval import Embeddings, dedup, embed, ranked
from medvl.eval.zeroshot import embed_texts
from medvl.models.checkpoint import from_pretrained, read_config
from medvl.run.folder import shipped
from medvl.run.stages import SCORES, STAGES, Stages, stages, trained_on

# %% [4] The demo's page of results
from fastcore.test import *
from IPython.display import HTML, display
from medvl.core import Aligner, Feat
from medvl.data.study import samples
from medvl.data.tokens import train_tokenizer
from medvl.phantom.set import phantom_studies

# %% [6] Inlined pictures
from medvl.run.page import (png, svg)

# %% [7] Inlined pictures
study = phantom_studies(1, size=64, cache=False)[0]; uri = thumbnail(study.views[0].px, 32)
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
test_eq((name_of('clip_mrm.100.1'), color_of('alta.100.1')), (name_of('clip_mrm'), color_of('alta')))
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

# %% [23] The picture that it opens with
from medvl.run.page import (SENTENCE, PHRASE, SOUGHT, FINDS, PLACES, found_by, points, opening)

# %% [24] The picture that it opens with
made = [s for s in phantom_studies(40, seed=3, size=64, difficulty='lifelike-easy') if s.frontals]
smp = samples(made, per='image', say=None)
class Bright(Aligner):
    "Finds what is bright: its vector is the mean of the film, and the map its pixels."
    def __init__(self): super().__init__(); self.w = torch.nn.Parameter(torch.ones(2))
    def encode_image(self, img, msk=None):
        cells = torch.nn.functional.adaptive_avg_pool2d(img.reshape(-1, 1, *img.shape[-2:]), 8).flatten(1)
        loc = torch.stack([cells, torch.ones_like(cells)], -1)
        return Feat(torch.nn.functional.normalize(loc.mean(1), dim=-1), loc, grid=(8, 8))
    def encode_text(self, txt, msk=None, word=None): return Feat(torch.tensor([[1.,0.]]).repeat(len(txt), 1), None)
tok = train_tokenizer([PHRASE]*9, 60)
asker = Asker(Bright(), tok, Preset('small', 64, 64, 64, .4785, .2834), controls=clear_views(made, 5))
three = Embeddings(torch.tensor([[1.,0],[0,1],[.6,.8]]))
test_eq(found_by(three, torch.tensor([1.,0]), 2), [0, 2])
ill = [s.slots[0] for s in {s.patient: s for s in smp if SOUGHT in s.slots[0].masks}.values()]
at = points(asker, ill); print(at)
test_eq((at['films'], 0 <= at['own'] <= 1, points(asker, ill[:1])['own']), (len(ill), True, None))
fig = opening(smp, [0, 1], asker)
test_eq((len(fig.axes), {ax.get_title() for ax in fig.axes[:2]} <= {'has it','does not have it'}), (4, True))
plt.close(fig)

# %% [26] The figure and the tables
from medvl.run.page import (span, ends, rows_of, COLUMNS, in_order, table, costs)

# %% [27] The figure and the tables
from medvl.run.page import (against_pairs)

# %% [28] The figure and the tables
def one(x, d): # a system that scores x, by d more than ALTA
    more = dict(minus_alta=dict(value=d, low=d-.04, high=d+.04)) if d else {}
    return {'P@10': dict(value=x, low=x-.05, high=x+.05, seeds=[x, x], **more),
            'AUROC': dict(value=.6, seeds=[.55, .65])}
few = dict(patients=20, pairs=40, systems=dict(alta=one(.5, 0), clip=one(.4, -.1), clip_mrm=one(.48, -.02)))
many = dict(patients=50, pairs=100, systems=dict(alta=one(.5, 0), clip=one(.51, .01), clip_mrm=one(.6, .1)))
cost = dict(trainable=1234567, parameters=2000000, samples=640, steps=10, seconds=66., seconds_per_step=6.6,
            multiply_adds=2e12, pairs=40)
every = dict(alta=one(.5, 0), clip=one(.455, -.045), clip_mrm=one(.53, .03))
res = dict(compared={'50': many, '20': few}, together=every, chance={'P@10': .1},
           stages={'alta.20.1': cost, 'alta.20.2': cost},
           data=dict(test=dict(patients=5, frontals=10)), settings=dict(seed=0), scored={},
           provenance=dict(date='2000-01-01', commit='abc', threads=1, versions={}))
test_eq(span(few['systems']['alta']['P@10']), '50.0 <small>(45.0 to 55.0)</small>')
test_eq(span(few['systems']['alta']['AUROC']), '60.0 <small>(55.0 to 65.0)</small>')
test_eq(span(dict(value=None, low=None, high=None)), 'not computable')
t = table(res)
test_eq(t.count('<tr>'), 8)                                             # head, chance, three systems twice
assert '<td>chance</td><td>10.0</td><td>50.0</td>' in t and t.index('>40<') < t.index('>100<')
for want in ('1,234,567', '2.00 T', '<td>66</td><td>2</td>'): assert want in costs(res), want
test_eq(table(dict(compared={})), '<p>No stage was scored.</p>')
display(HTML(t+costs(res)))
fig = against_pairs(res)
test_eq([len(ax.containers) for ax in fig.axes], [3, 3])                # three systems in each panel
test_close(fig.axes[0].containers[0].lines[0].get_ydata(), [50, 50])

# %% [30] The text of the page
from medvl.run.page import (INTRO, HOW, STARTS, COST, SCORED)

# %% [31] The text of the page
from medvl.run.page import (stands, turned, points_of, verdicts)

# %% [32] The text of the page
print(*verdicts(res), sep='\n')
scratch, start = verdicts(res)
assert 'ALTA is <b>ahead of</b> CLIP from scratch (+4.5 points, +0.5 to +8.5)' in scratch
assert '40 pairs: +10.0 points, +6.0 to +14.0; 100 pairs: -1.0 points, -5.0 to +3.0' in scratch
assert 'ALTA is <b>not distinguishable from</b> CLIP from MRM (-3.0 points, -7.0 to +1.0)' in start
alone = verdicts(dict(compared={'50': many}, together=many['systems']))
assert alone[1].endswith('<b>behind</b> CLIP from MRM (-10.0 points, -14.0 to -6.0).</p>')
none = {'alta': one(.5, 0), 'clip': one(.4, -.1)}; none['clip']['P@10']['minus_alta'] |= dict(low=None, high=None)
assert '<b>compared with</b> CLIP from scratch (+10.0 points)' in verdicts(dict(compared={}, together=none))[0]
test_eq(verdicts(dict(compared={})), [])

# %% [34] The whole page
from medvl.run.page import (STYLE, section, others, made_by)

# %% [35] The whole page
from medvl.run.page import (ask_more, caption, page)

# %% [36] The whole page
both = text_rows(e, lambda i: px[i], lambda i: words[i], [0], 2), h
res |= dict(opening=dict(patients=2000, right=3, shown=5, share=.25, clear=5, points=at))
doc = page(res, dict(curves='<svg></svg>', opening=uri), dict(alta=both), ask_more('runs/demo', 'alta.50.1'))
test_eq(re.findall(r'<h2>(.*?)</h2>', doc)[:3], ['Who is ahead', 'Ask for something else', 'What is alignment?'])
test_eq(re.findall(r'(?:src|href)="(?!data:|#)[^"]*"', doc), [])         # asks nothing of anybody
assert doc.index('class="open"') < doc.index('<h2>')                     # the picture comes first
for want in ('Not for clinical', '10 frontal films', 'commit abc', '3 of the 5 that come'): assert want in doc, want
test_eq(doc.count('<section>'), doc.count('</section>'))
more = others(dict(stages={'alta.9.1': cost, 'gloria.9.1': cost, 'gloria.9.2': cost})); print(more)
assert more.startswith('<b>GLoRIA from scratch</b>: ') and more.count('GLoRIA from') == 1 and others(res) == ''

# %% [38] From the folder of a demo
from medvl.run.page import (shown_of, found_first, open_with, draw_page)
