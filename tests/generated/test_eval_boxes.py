# nbs/eval/63_boxes.ipynb: runs against the imported medvl.eval.boxes.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Boxes
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from medvl.core import MedvlError
from medvl.data.preset import Preset
from medvl.data.regions import frame
from medvl.data.study import View
from medvl.eval.detect import Matches, match
from medvl.eval.maps import to_square, window
from medvl.eval.metrics import Interval, MetricError, OneClass, bootstrap
from medvl.train.fitting import batches

# %% [4] Boxes
import tempfile
import matplotlib.pyplot as plt
from importlib.util import find_spec
from pathlib import Path
from fastcore.test import *
from medvl.data.study import Box
from medvl.eval.segment import CellMaps, cell_scale
from medvl.eval.transfer import Tower, features, random_tower
from medvl.models.dense import BoxFinder
from medvl.phantom.fields import with_fields
from medvl.phantom.set import phantom_studies
from medvl.run.model import load
from medvl.train.fitting import Pairs, fit_head

# %% [6] True boxes
from medvl.eval.boxes import (square_boxes, padded)

# %% [7] True boxes
p, px = Preset('page', 32, 32, 40), np.zeros((40,60), np.uint8)   # the square shows columns 10 to 50
v = View(id='a', px=px, boxes=[Box('left', 10, 0, 20, 10), Box('right', 45, 30, 30, 30), Box('left', 0, 0, 9, 9),
                               Box('x', 1, 1, 1, 1)])
(t,), n = square_boxes([v], dict(left=['left'], right=['right']), p)
test_close(t['boxes'], torch.tensor([[0,0,16,8],[28,24,32,32.]])); test_eq(t['labels'].tolist(), [0,1])
test_eq(n, dict(boxes=2, cut=1, unseen=1))
boxes, labels = padded([t, dict(boxes=torch.zeros(0,4), labels=torch.zeros(0).long())])
test_eq((boxes.shape, labels.tolist()), ((2,2,4), [[0,1],[-1,-1]]))
for wrong in (Box('left', 61, 0, 5, 5), Box('left', 5, 5, 0, 5), Box('left', -9, 0, 9, 9)):
    test_fail(lambda: square_boxes([View(id='b', px=px, boxes=[wrong])], dict(left=['left']), p),
              contains="has no area on the film of 60 x 40 pixels")

# %% [9] mAP
from medvl.eval.boxes import (IOUS, matches, map_of)

# %% [11] mAP
from medvl.eval.boxes import (Found, _counted, mean_ap)

# %% [13] mAP
def film(*boxes, scores=None):
    b = torch.tensor(boxes).float().reshape(-1, 4); d = dict(boxes=b, labels=torch.zeros(len(b)).long())
    return d if scores is None else d | dict(scores=torch.tensor(scores).float())
A, none = (2,2,9,9), film()
truth = [film(A)]*4+[none]
found = [*(film(A, scores=[s]) for s in (.9,.8,.3)), film(scores=[]), film(A, scores=[.95])]
every, theirs = mean_ap(found, truth), mean_ap(found, truth, rule='mgca'); print(every); print(theirs)
test_close(every.map.value, 76/101*3/4)  # precision 0, 1/2, 2/3, 3/4, made falling 3/4, at recalls 0 to 0.75
test_eq(theirs.map.value, 1.)
test_eq(theirs.left_out, {'films without truth': 1, 'films without a sure box': 2, 'true boxes': 2})
test_close(mean_ap(found, truth, points=0).map.value, 9/16)
two = [dict(boxes=torch.tensor([A,A]).float(), labels=torch.tensor([0,1]))]
both = mean_ap([two[0] | dict(scores=torch.tensor([.9,.8]))], two, ['left','right'])
test_eq(both.ap['right'], {f'{t:g}': 1. for t in IOUS})
test_fail(lambda: mean_ap([none]*2, [none]*2), contains='none of 2 films has a true box that counts')
test_fail(lambda: mean_ap(found[3:4], truth[:1], rule='mgca'), contains="that counts (rule 'mgca')")
test_fail(lambda: mean_ap(found, truth[:2]), contains='boxes of 5 films, truth of 2')
test_fail(lambda: mean_ap(found, truth, rule='coco'), contains="rule is 'coco'")

# %% [15] Lungs of phantom patients
from medvl.eval.boxes import (find_all)

# %% [16] Lungs of phantom patients
S = with_fields(phantom_studies(60, seed=0, size=128, difficulty='lifelike-easy'), 'lifelike-easy')
part = {k: [s for s in S if s.split == k] for k in ('train','val','test')}
films = {k: [s.views[0] for s in o] for k,o in part.items()}
mrm = load('phantom-mrm'); tower = Tower(mrm.aligner, mrm.preset, 'phantom-mrm')
classes = {'right lung': ['right_lung'], 'left lung': ['left_lung'], 'effusion': ['Pleural Effusion']}
goal = {k: square_boxes(o, classes, tower.preset)[0] for k,o in films.items()}
patients = [s.patient for s in part['test']]
tmp = tempfile.TemporaryDirectory()
def boxes_by(t):
    cells = {k: features(t, o, local=True, dir=Path(tmp.name)/t.name).loc for k,o in films.items()}
    scale = cell_scale(cells['train']); x = {k: CellMaps(o, scale) for k,o in cells.items()}
    torch.manual_seed(0); net = BoxFinder(t.width_loc, t.preset.size, 16, 3, 32, 1)
    both = (Pairs(x[k], *padded(goal[k])) for k in ('train','val'))
    fit_head(net, net.loss, *both, 12, 5e-3, device='cpu', cycle=True)
    return find_all(net, x['test'])
found, dull = boxes_by(tower), boxes_by(random_tower(tower)); tmp.cleanup()
for name,f in (('phantom-mrm', found), ('random', dull)):
    res = mean_ap(f, goal['test'], list(classes), group=patients)
    print(f'{name:12}', res, {k: round(float(np.mean(list(o.values()))), 2) for k,o in res.ap.items()})

# %% [17] Lungs of phantom patients
fig, axs = plt.subplots(1, 6, figsize=(10,1.9), dpi=75, layout='constrained')
for ax,v,t,f in zip(axs, films['test'], goal['test'], found):
    ax.imshow(v.px, cmap='gray', extent=(0,128,128,0)); ax.axis('off')
    best = [f['boxes'][f['labels'] == c][:1] for c in t['labels'].unique()]
    for bs,c in ((t['boxes'], '#27e0b3'), (torch.cat([*best, torch.zeros(0,4)]), '#d55e00')):
        for o in bs: ax.add_patch(plt.Rectangle(o[:2].tolist(), *(o[2:]-o[:2]).tolist(), fill=False, ec=c, lw=1.2))

# %% [19] Lungs of phantom patients
lungs = mean_ap([{k: v[o['labels'] < 2] for k,v in o.items()} for o in found],
                [{k: v[o['labels'] < 2] for k,v in o.items()} for o in goal['test']], interval=False)
assert lungs.map.value > .4

# %% [21] Checked
def random_films(n, seed, classes=2):
    g = np.random.default_rng(seed); found, truth = [], []
    for _ in range(n):
        k = int(g.integers(0, 5)); xy = g.uniform(0, 80, (k,2))
        t = np.concatenate([xy, xy+g.uniform(8, 60, (k,2))], 1)
        near = np.concatenate([t+g.normal(0, 3, t.shape), t[:2], g.uniform(0, 40, (2,4))+[0,0,40,40]])
        near = near[g.random(len(near)) < .7]
        truth.append(dict(boxes=torch.tensor(t).float(), labels=torch.tensor(g.integers(0, classes, k))))
        found.append(dict(boxes=torch.tensor(near).float(), scores=torch.tensor(g.random(len(near))).float(),
                          labels=torch.tensor(g.integers(0, classes, len(near)))))
    return found, truth

if find_spec('torchmetrics') and find_spec('pycocotools'):
    from torchmetrics.detection import MeanAveragePrecision
    def theirs(found, truth):
        m = MeanAveragePrecision(iou_thresholds=list(IOUS)); m.update(found, truth)
        return m.compute()['map'].item()
    one, quiet, twice, surer = film(A), film(scores=[]), film(A, A, scores=[.9,.8]), film(A, A, scores=[.99,.7])
    cases = dict(random=random_films(200, 0), one_class=random_films(60, 1, 1), twice=([twice], [one]),
                 missed=([quiet, twice], [one, one]), empty=([surer, twice], [none, one]),
                 all=([quiet, twice, quiet, surer], [none, one, one, none]))
    for k,(f,t) in cases.items():
        a, c = mean_ap(f, t, interval=False).map.value, theirs(f, t)
        print(f'{k:10} {a:.4f} {c:.4f}'); test_close(a, c, eps=1e-4)
    test_close(theirs([quiet], [none]), -1)
else: print('torchmetrics or pycocotools is not installed: not compared')

# %% [23] Checked
import json
from pathlib import Path
speed = json.loads(Path('../../results/map_speed.json').read_text())
print(f"{speed['arguments']['n']:,} films: {speed['ratio']:.1f} times as fast as torchmetrics")
