# nbs/eval/22_gallery.ipynb: runs against the imported medvl.eval.gallery.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Gallery
import base64, html, io
from collections import Counter
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from medvl.core import MedvlError
from medvl.eval.grounding import METRICS, Grounding
from medvl.eval.maps import heat

# %% [4] Gallery
from textwrap import fill
from fastcore.test import *
from medvl.core import Aligner, Feat
from medvl.data.preset import Preset
from medvl.data.regions import phrases
from medvl.phantom.set import phantom_studies
import torch

# %% [6] Which films
from medvl.eval.gallery import (picked)

# %% [8] Which films
def made(values, placed=True):
    rows = [dict(film=f'f{i}', phrase=c.lower(), category=c, patient=f'p{i}', area=.1,
                 **dict.fromkeys(('cnr','cnr_abs','dice','pointing'), v), miou=v) for i,(c,v) in enumerate(values)]
    return Grounding({}, [], [rows], [None]*len(rows) if placed else [])
six = made([('Heart',.9), ('Heart',.8), ('Heart',.7), ('Effusion',.4), ('Effusion',.1), ('Effusion',.2)])
test_eq(picked(six, n=2), dict(found=[0,3], missed=[4,2]))
test_eq(picked(six, n=9), dict(found=[0,1,3], missed=[4,5,2]))
test_eq(picked(made([('Heart',.9), ('Heart',np.nan), ('Heart',.1)]), n=3), dict(found=[0], missed=[2]))
test_fail(lambda: picked(six, by='beauty'), contains="no measure 'beauty'")
test_fail(lambda: picked(made([('Heart',np.nan)])), contains='no phrase with miou')
test_fail(lambda: picked(made([('Heart',.5)], placed=False)), contains='no phrase with miou')

# %% [10] A film, and the page
from medvl.eval.gallery import (said, film_card, _png, _STYLE, _LEGEND)

# %% [11] A film, and the page
from medvl.eval.gallery import (gallery_page)

# %% [13] A film, and the page
class Bright(Aligner):
    "Its map is the film's own brightness; texts have no say."
    def encode_image(self, img, msk=None): return Feat(loc=img.flatten(2).transpose(1,2), grid=tuple(img.shape[-2:]))
    def encode_text(self, txt, msk=None, word=None, norm=True): return Feat(torch.ones(len(txt),1))
    def maps(self, img, txt): return img.loc.transpose(1,2).unflatten(-1, img.grid)[None]
page = Preset('page', 32, 32, 32)
made = phantom_studies(12, seed=3, size=128, difficulty='lifelike')
recs = [r for r in phrases(made) if r.view.kind == 'frontal'][:24]
from medvl.data.tokens import train_tokenizer
from medvl.eval.grounding import grounding
res = grounding(Bright(), train_tokenizer([r.text for r in recs]*3, 200), recs, page, side=128, n_boot=20,
                progress=False)
fig, axs = plt.subplots(1, 4, figsize=(10,3.4), dpi=47, layout='constrained')
for ax,(kind,j) in zip(axs, [(k, j) for k,js in picked(res, n=2).items() for j in js]):
    r = res.rows[-1][j]; film_card(res, j, ax); scores = said(r).replace(' · highest', '\nhighest')
    ax.set_title(fill(f"{kind}: {r['phrase']}", 30)+'\n'+scores, fontsize=10)
plt.show()
test_eq([bool(ax.collections and ax.patches) for ax in axs], [True]*4)        # contour and box on each

# %% [14] A film, and the page
text = gallery_page(res, 'Brightness <only>', n=3)
print(f"{len(text)/1e3:.0f} kB, {text.count('<figure>')} films")
test_eq((text.count('<figure>'), text.count('data:image/png')), (6, 6))
test_eq('Brightness &lt;only&gt;' in text and '<only>' not in text, True)
test_eq(all(f'src="{o}' not in text for o in ('http','/')), True)          # nothing from elsewhere
rows = res.rows[-1]; j = picked(res, n=3)['found'][0]
test_eq(f"mIoU {rows[j]['miou']:.2f}" in text, True)
rows[j]['phrase'] = '<script>alert(1)</script>'; test_eq('<script>' in gallery_page(res, n=1), False)
