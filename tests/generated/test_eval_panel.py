# nbs/eval/24_panel.ipynb: runs against the imported medvl.eval.panel.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] A panel
import html, io
from collections.abc import Sequence
from typing import Any
import ipywidgets as W
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from medvl.core import Aligner, MedvlError
from medvl.data.preset import Preset
from medvl.data.regions import Phrase, phrases
from medvl.data.study import Study
from medvl.eval.maps import Asker, heat

# %% [4] A panel
import torch
from fastcore.test import *
from medvl.core import Feat
from medvl.data.study import Box
from medvl.data.tokens import train_tokenizer
from medvl.losses.local import sim_map
from medvl.phantom.set import phantom_studies

# %% [6] A panel
class Bright(Aligner):
    def __init__(self): super().__init__(); self.p = torch.nn.Parameter(torch.ones(1))
    def encode_image(self, img, msk=None):
        x = torch.nn.functional.avg_pool2d(img, 16)[:,0]
        return Feat(torch.ones(len(img),1), torch.stack([x, 1-x], -1).flatten(1,2), grid=tuple(x.shape[1:]))
    def encode_text(self, txt, msk=None, word=None): return Feat(torch.tensor([[1.,0.]]).repeat(len(txt),1))
    def maps(self, img, txt):
        m = sim_map(img, txt.glob)
        return torch.stack([m, m**2])

studies = phantom_studies(3, seed=2, size=128, difficulty='lifelike')
tok = train_tokenizer([s.report for s in studies], 800)
m, notes = Asker(Bright(), tok, 'alta-small').ask(studies[0].frontals[0], 'left pleural effusion')
test_eq(m.shape, (2,128,128)); assert np.nanmin(m[0]) < 0 <= np.nanmin(m[1])  # a square

# %% [8] The widgets
from medvl.eval.panel import (png)

# %% [9] The widgets
from medvl.eval.panel import (Panel)

# %% [11] The widgets
panel = Panel(Bright(), tok, 'alta-small', studies)
test_eq((panel.look.max, panel.look.value, panel.say.value), (1, 1, ''))
first = bytes(panel.image.value); assert first.startswith(b'\x89PNG')
panel.look.value = 0
assert bytes(panel.image.value) != first                         # the first look is another picture
own = next((s,v) for _,(s,v) in panel.film.options if any(b.label == 'Pleural Effusion' for b in v.boxes))
panel.film.value = own
assert any('pleural' in t for t in panel.text.options)    # the film's own phrases are suggested
assert own[0].report[:30] in panel.report.value
panel.text.value = panel.text.options[0]
assert panel.figure(panel.asker.ask(own[1], panel.text.value)[0]).axes[0].collections  # its outline is drawn
plt.close('all')

# %% [13] The widgets
for bad,word in (('', 'empty'), ('эффузия', 'knows no word'), ('word '*2000, 'trained on at most')):
    panel.text.value = bad
    assert word in panel.say.value and panel.image.layout.visibility == 'hidden', panel.say.value
panel.text.value = 'heart <b>'
assert panel.image.layout.visibility == 'visible' and '<b>' not in panel.say.value
test_fail(lambda: Panel(Bright(), tok, 'alta-small', []), contains='none of 0 studies')
test_fail(lambda: Panel(Bright(), tok, 'alta-small', studies, kinds=('other',)), contains='of kind other')

# %% [15] The widgets
panel = Panel(Bright(), tok, 'alta-small', studies, phrase='pleural effusion')
fig = panel.figure(panel.asker.ask(panel.film.value[1], 'pleural effusion')[0])
fig.set_dpi(60); test_eq(fig.axes[0].get_title(), 'pleural effusion'); plt.show()
