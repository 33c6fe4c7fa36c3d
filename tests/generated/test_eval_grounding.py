# nbs/eval/21_grounding.ipynb: runs against the imported medvl.eval.grounding.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Grounding
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any
import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import Bool, Float
from matplotlib.figure import Figure
from scipy.ndimage import distance_transform_edt
from tqdm import tqdm
from medvl.core import Aligner, MedvlError
from medvl.files import jsonable
from medvl.data.preset import Preset
from medvl.data.regions import Phrase, frame
from medvl.data.study import View
from medvl.eval.maps import Asker, evaluating, film_tensor, ground, heat, on_film, phrase_feats, window
from medvl.eval.metrics import Interval, MetricError, OneClass, jackknife, seed_bootstrap, units_of

# %% [4] Grounding
from dataclasses import replace
import torch
from fastcore.test import *
from torchvision.ops import box_iou
from medvl.core import Feat
from medvl.data.regions import draw_box, phrases
from medvl.data.study import Box, Study
from medvl.data.tokens import train_tokenizer
from medvl.phantom.set import phantom_studies

# %% [6] Contrast
from medvl.eval.grounding import (_seen, CNR_MOST, cnr)

# %% [8] Contrast
m = np.array([[4,6,1,np.nan],[1,3,3,np.nan]], float); y = np.zeros((2,4), bool); y[0,:2] = True
test_close(cnr(m, y), 3/2**.5)
test_close(cnr(-5*m+9, y), -3/2**.5)   # upside down: as bad as the other was good
test_eq(cnr(np.ones((2,4)), y), 0.)
test_eq(cnr(y.astype(float), y), CNR_MOST); test_eq(cnr(1-y.astype(float), y), -CNR_MOST)  # no noise at all
test_eq(cnr(y+1e-9*m, y), CNR_MOST)  # hardly any: the same
test_fail(lambda: cnr(np.where(y, np.nan, m), y), contains='no pixel of the 2')
test_fail(lambda: cnr(m, np.ones((2,4), bool)), contains='covers all')
test_fail(lambda: cnr(m, y[:1]), contains='the mask (1, 4)')
test_fail(lambda: cnr(np.where(y, np.inf, m), y), contains='2 of 8 values of the map are infinite')

# %% [10] Overlap
from medvl.eval.grounding import (overlap)

# %% [12] Overlap
a, b = draw_box(0,0,4,4,(8,8)), draw_box(2,2,4,4,(8,8))
test_close([o.item() for o in overlap(a.ravel(), b.ravel())], [1/7, 1/4])
test_eq([o.item() for o in overlap(np.zeros(64, bool), b.ravel())], [0., 0.])
test_fail(lambda: overlap(a.ravel(), np.zeros(64, bool)), contains='mask is empty')
rng = np.random.default_rng(0)
for _ in range(50):
    (x1,y1,x2,y2), (w1,h1,w2,h2) = rng.integers(0,40,4), rng.integers(1,24,4)
    ours = overlap(draw_box(x1,y1,w1,h1,(64,64)).ravel(), draw_box(x2,y2,w2,h2,(64,64)).ravel())[0]
    t = torch.tensor([[x1,y1,x1+w1,y1+h1],[x2,y2,x2+w2,y2+h2]]).float()
    test_close(ours, box_iou(t[:1], t[1:]).item(), eps=1e-6)

# %% [14] Pointing
from medvl.eval.grounding import (pointing, miss)

# %% [15] Pointing
test_eq(pointing(m, y), 1.)                    # 6 is the highest
test_eq(pointing(-m, y), 0.)
test_eq(pointing(np.ones((2,4)), y), 2/8)      # flat: the mask's share of the film
test_eq(pointing(np.minimum(m, 3), y), 2/4)    # four pixels share the maximum 3, two of them inside
spot, tip = draw_box(0,0,2,2,(8,8)), np.zeros((8,8)); tip[4,5] = 1  # its peak is 3 rows and 4 columns from the box
test_eq(miss(tip, spot), 5.); test_eq(miss(spot.astype(float), spot), 0.)
test_eq([pointing(tip, spot, t) for t in (0., 4.9, 5.)], [0., 0., 1.])

# %% [17] Protocols
from medvl.eval.grounding import (Protocol, PROTOCOLS, cells_to_film, score_map)

# %% [19] Protocols
row = np.arange(10.)[None]; top = row > 6
r = score_map(row, top)
test_close(list(r['iou'].values()), [3/5, 3/4, 3/4, 1, 1]); test_close(r['miou'], .82)
test_close(r['dice'], (6/8+6/7+6/7+2)/5)
test_close(r['cnr'], 5/(2/3+4)**.5); test_eq((r['pointing'], r['area'], r['in_view'], r['empty']), (1., .3, 1., 0))
half = np.where(row > 7, np.nan, row)         # 8 and 9 were cut away
test_close(score_map(half, top)['in_view'], 1/3)
test_eq(score_map(np.ones((1,10)), top)['miou'], 0.); test_eq(score_map(np.ones((1,10)), top)['empty'], 5)
test_eq(score_map(row/100, top, 'mscxr-raw')['empty'], 5)  # cosines that never reach 0.1
test_fail(lambda: Protocol.of('coco'), contains='known: mscxr')
test_fail(lambda: Protocol('x', 'log'), contains="scale is 'log'")
test_fail(lambda: Protocol('x', thresholds=()), contains='at least one')
test_fail(lambda: Protocol('x', sigma=-1.), contains='expected 0 or more cells')

# %% [21] Protocols
cells = np.array([[0,0],[0,.1]])
got = cells_to_film(cells, PROTOCOLS['rsna'], window(64,64,'clip'), (64,64))
test_close([got[63,63], got[0,0]], [np.e/(np.e+3), 1/(np.e+3)])
test_eq(score_map(got, draw_box(32,32,32,32,(64,64)), 'rsna')['miou'], .25)
peak = np.zeros((14,14)); peak[4,5] = .6
got = cells_to_film(peak, PROTOCOLS['rsna'], window(224,224,'clip'), (224,224))
r = score_map(got, draw_box(80,64,16,16,(224,224)), 'rsna')
test_eq((r['miou'], r['dice'], r['pointing']), (1., 1., 1.))

# %% [23] Many phrases: means and intervals
from medvl.eval.grounding import (METRICS, BOUNDS, _means, summarise)

# %% [25] Many phrases: means and intervals
def made(cat, patient, c): return dict(category=cat, patient=patient) | {k: c for k in METRICS}
rows = [made('Effusion','a',1.), made('Effusion','b',3.), made('Pneumothorax','a',0.), made('Pneumothorax','c',np.nan)]
s = summarise(rows)
test_close([s['mean']['cnr'].value, s['macro']['cnr'].value], [4/3, 1.])
test_close([s['Effusion']['cnr'].value, s['Pneumothorax']['cnr'].value], [2., 0.])
# patient c has no score
test_eq(s['n'], {'Effusion': 2, 'Pneumothorax': 2}); test_eq(s['mean']['cnr'].n_units, 2)
i = s['Effusion']['cnr']
test_close([i.low, i.high], [2-12.706, 2+12.706], eps=.01)       # Student's t of two patients
test_eq(i.few, 1.)
one = summarise([made('x','a',1.), made('x','a',3.)])['mean']['cnr']
test_eq((one.value, str(one)), (2., '2.000 [no interval] few:1'))
test_fail(lambda: summarise([]), contains='no phrase')

# %% [27] A model on a set of phrases
from medvl.eval.grounding import (_canvas, centre, Placed)

# %% [28] A model on a set of phrases
test_eq(_canvas((2000,1000), 512), (1024,512)); test_eq(_canvas((300,400), 512), (300,400))
for o in (0, 7): test_fail(lambda: centre((9,9), o), contains='expected more than 0, at most 1')
test_close(centre((512,512), .875).sum(), 448**2); test_eq(centre((100,40), .5).any(1).sum(), 20)
v = View(id='f', px=np.zeros((100,200), np.uint8), boxes=[Box('Edema', 60, 20, 40, 40, 'edema')])
def of(**kw):
    return Placed(Phrase('edema','Edema', v, v.boxes), np.eye(2)[None], Preset.of('clip'), Protocol.of('mscxr'), **kw)
m, t = of().on_film()
test_eq((m.shape, t.shape, t.sum()), ((1,100,200), (100,200), 1600))
test_eq(np.isnan(m[0]).sum(), 100*100)                             # of 100 x 200 the clip preset sees 100 x 100
test_eq(np.isfinite(of(region=.5).on_film()[0]).sum(), 50*50)
test_eq(of().scores()[0]['in_view'], 1.)
v.boxes[0].x = 0                                                   # moved out of view: said, not scored
assert of().scores()[0]['reason'].startswith('no pixel of the 1600') and np.isnan(of().scores()[0]['cnr'])

# %% [30] A model on a set of phrases
from medvl.eval.grounding import (Grounding)

# %% [32] A model on a set of phrases
from medvl.eval.grounding import (grounding)

# %% [33] A model on a set of phrases
from medvl.eval.grounding import (_all_maps, next_patient)

# %% [35] An oracle, a liar and a coin
studies = phantom_studies(14, seed=2, size=128, difficulty='lifelike')
recs = [r for r in phrases(studies) if r.label != 'Support Devices' and r.view.kind == 'frontal']
print(len(recs), 'phrases, such as:', recs[0].text)

# %% [36] An oracle, a liar and a coin
class Paint(Aligner):
    "Cells know the truth of the phrase whose number they are asked for; `how` says what they do with it."
    def __init__(self, recs, how): super().__init__(); self.recs, self.how, self.at = recs, how, -1
    def encode_image(self, img, msk=None):
        return Feat(torch.ones(len(img),2), torch.zeros(len(img),196,2), grid=(14,14))
    def encode_text(self, txt, msk=None, word=None): return Feat(torch.ones(len(txt),2))
    def maps(self, img, txt):
        self.at += 1
        chance = torch.Generator().manual_seed(self.at)
        if self.how == 'coin': return torch.rand(1,1,1,14,14, generator=chance)
        m = torch.tensor(self.recs[self.at].mask((14*8,14*8))).float().view(14,8,14,8).mean((1,3))
        return (m if self.how == 'oracle' else -m)[None,None,None]

ptok = train_tokenizer([r.text for r in recs], 500)
sharp = replace(PROTOCOLS['mscxr'], sigma=0.)
def run(how, **kw): return grounding(Paint(recs, how), ptok, recs, 'clip', sharp, n_boot=200, progress=False, **kw)
res = {how: run(how) for how in ('oracle','liar','coin')}
print(res['oracle'])
for h,r in res.items(): print(f"{h:8s}", ', '.join(f"{k} {r.table['macro'][k].value:.2f}" for k in METRICS))

# %% [37] An oracle, a liar and a coin
o, l, c = (res[h].table['mean'] for h in ('oracle','liar','coin'))
assert o['cnr'].value > 1.5 and o['pointing'].value > .85 and o['miou'].value > .5
test_close(o['cnr'].value, -l['cnr'].value, eps=1e-5); test_close(o['cnr_abs'].value, l['cnr_abs'].value, eps=1e-5)
assert l['pointing'].value < .05 and l['miou'].value < .3
assert abs(c['cnr'].value) < .15 and abs(c['pointing'].value-c['area'].value) < .2
test_eq(res['oracle'].info['phrases'], len(recs))
test_eq(set(res['coin'].to_dict()) >= {'macro','mean','protocol','left_out','empty','phrases','n'}, True)
test_eq(sum(res['coin'].to_dict()['n'].values()), len(recs))
test_eq(len(res['coin'].to_dict(rows=True)['rows']), len(recs))
test_fail(lambda: grounding(Paint(recs, 'coin'), ptok, [], 'clip'), contains='no phrase to look for')

# %% [39] An oracle, a liar and a coin
def on(i, who, x):
    v = View(id=str(i), px=np.zeros((32,32), np.uint8))
    return Phrase('a','a', v, [Box('a', x, 0, 8, 8)], Study(who, who))
three = [on(0,'a',0), on(1,'a',16), on(2,'b',0), on(3,'c',16)]
test_eq([v.id for v in next_patient(three)], ['2','2','3','0'])
test_eq([v.id for v in next_patient(three, 'elsewhere')], ['3','2','3','0'])  # 2 has something where 0 has
test_fail(lambda: next_patient(three[:2]), contains='two patients')
test_fail(lambda: next_patient([on(0,'a',0), on(1,'b',0)], 'elsewhere'),
          contains="no film of another patient is free for 'a'")
three[3].label = 'b'
test_eq([v.id for v in next_patient(three[2:]+three[:1], 'absent')], ['3','0','3'])
test_fail(lambda: run('coin', control='other'), contains="control is 'other'")

# %% [41] An oracle, a liar and a coin
four = three[1:]+[on(4, 'd', 0)]; four[-1].boxes = [Box('a', 0, 0, 32, 8)]; four[-1].text = 'all over'
test_eq([v and v.id for v in next_patient(four, 'elsewhere')], ['2','3','2',None])
got = grounding(Paint(four, 'coin'), ptok, four, 'clip', sharp, control='elsewhere', n_boot=0, progress=False)
print(str(got).splitlines()[0])
test_eq((got.info['phrases'], got.info['unmatched'], len(got.placed)), (3, ['all over'], 3))

# %% [43] Phrases that should ground nowhere
from medvl.eval.grounding import (nowhere)

# %% [45] Phrases that should ground nowhere
class Brightness(Aligner):
    def __init__(self): super().__init__(); self.p = torch.nn.Parameter(torch.ones(1))
    def encode_image(self, img, msk=None):
        x = torch.nn.functional.avg_pool2d(img, 16); return Feat(loc=x.flatten(2).transpose(1,2), grid=(2,2))
    def encode_text(self, txt, msk=None, word=None, norm=True): return Feat(torch.ones(len(txt),1))
    def maps(self, img, txt): return img.loc.transpose(1,2).unflatten(-1, img.grid)[None]
def spotted(i, value, label):
    px = np.zeros((32,32), np.uint8); px[:16,:16] = value
    who = f'{label}{i}'
    return Phrase(label, label, View(id=who, px=px), [Box(label, 0, 0, 16, 16)], Study(who, who))
stok = train_tokenizer(['spot','line','no spot','no line']*9, 60)
def asks(grey):
    calm = [spotted(i, grey, 'control').view for i in (0,1)]
    return Asker(Brightness(), stok, Preset('p', 32, 32, 32), controls=calm)
pair = [spotted(0, 250, 'spot'), spotted(0, 90, 'line')]
got = nowhere(asks(100), pair, n_boot=0)
test_eq([got[k]['spot']['any'].value for k in ('present','absent','negated')], [1., 0., 1.])
test_eq([got[k]['line']['any'].value for k in ('present','absent','negated')], [0., 1., 0.])  # the spot is not a line
assert .2 < got['present']['spot']['area'].value < .5                                        # a quarter, and its rim
test_fail(lambda: nowhere(Asker(Brightness(), stok, 'clip'), pair), contains='need films without')
bad = asks(100); bad.controls.append(pair[0].view)
test_fail(lambda: nowhere(bad, pair), contains="film 'spot0' is a control and is scored")

# %% [47] Two models on the same phrases
from medvl.eval.grounding import (versus)

# %% [48] Two models on the same phrases
d = versus(res['oracle'], res['coin'], n_boot=200)
test_close(d.value, res['oracle'].table['macro']['cnr'].value-res['coin'].table['macro']['cnr'].value, eps=1e-6)
assert d.low > 0 and d.p < .05
test_eq(versus(res['coin'], res['coin'], n_boot=50).value, 0.)
short = replace(res['coin'], rows=[res['coin'].rows[-1][1:]])
test_fail(lambda: versus(res['oracle'], short), contains='not the same')
print('oracle - coin:', d)

# %% [50] Figures
from medvl.eval.grounding import (bars, gallery)

# %% [51] Figures
res['oracle'].figure(); plt.show()

# %% [52] Figures
fig = gallery(res['coin'], n=2, dpi=40); plt.show()
test_eq(sum(bool(ax.get_title()) for ax in fig.axes), 4)
test_fail(lambda: gallery(replace(res['coin'], placed=[])), contains='to show')
