# nbs/eval/62_segment.ipynb: runs against the imported medvl.eval.segment.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Segmentation
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torchvision.ops import sigmoid_focal_loss
from medvl.core import MedvlError
from medvl.data.preset import Preset, cut
from medvl.data.regions import draw_box, frame, read_mask
from medvl.data.study import View
from medvl.eval.maps import Window, window
from medvl.eval.metrics import Interval, MetricError, mean_interval
from medvl.train.fitting import batches

# %% [4] Segmentation
import tempfile
import matplotlib.pyplot as plt
from pathlib import Path
from fastcore.test import *
from medvl.data.regions import Region, draw_ellipse, rle_encode
from medvl.data.splits import split_by_patient
from medvl.data.study import Box
from medvl.data.table import ReadLog
from medvl.eval.transfer import Tower, features, random_tower
from medvl.models.dense import SETRPUP
from medvl.phantom.fields import with_fields
from medvl.phantom.set import phantom_studies
from medvl.readers.siim import read_siim
from medvl.run.model import load
from medvl.train.fitting import Pairs, fit_head

# %% [6] True masks
from medvl.eval.segment import (film_mask, marked, on_square, square_masks)

# %% [7] True masks
px = np.zeros((40,60), np.uint8); disc = draw_ellipse(10, 5, 20, 20, (40,60))
v = View(id='a', px=px, masks=dict(left=disc, right=disc[:,::-1]), boxes=[Box('Pneumonia', 0, 0, 10, 4)])
test_eq(film_mask(v, ['left','right']), disc | disc[:,::-1]); test_eq(film_mask(v, ['heart']).sum(), 0)
test_eq(film_mask(v, ['Pneumonia'], boxes=True).sum(), 40); assert not marked(v, ['Pneumonia']) and marked(v, ['left'])
p = Preset('page', 32, 32, 40); sq = square_masks([v], dict(left=['left'], both=['left','right']), p)
test_eq(sq.shape, (1,2,32,32)); test_close(sq[0,0].float().mean().item()*1600, disc.sum(), eps=20)
whole = View(id='b', px=px, masks=dict(all=np.ones((40,60), bool)))  # a border around the film has no mask
black, = square_masks([whole], dict(all=['all']), Preset('page', 30, 30, 40, fit='pad'))
test_eq(black[0,:,0].nonzero().flatten().tolist(), list(range(5, 25)))
off = View(id='b', px=px, masks=dict(left=disc[:30]))
test_fail(lambda: film_mask(off, ['left']), contains="film 'b': the mask 'left' is 30 x 60 pixels, the film 40 x 60")

# %% [9] True masks
one, two = draw_ellipse(10, 10, 20, 12, (40,60)), draw_ellipse(24, 12, 20, 16, (40,60))
lesions = Region((40,60), [('rle', rle_encode(one)), ('rle', rle_encode(two))])
v = View(id='siim', px=px, masks=dict(Pneumothorax=lesions))
test_eq(film_mask(v, ['Pneumothorax']), one | two); assert (one & two).sum() > 20

# %% [11] Dice
from medvl.eval.segment import (EMPTY, dice)

# %% [12] Dice
T = torch.tensor([[1,1,0,0],[0,0,0,0],[0,0,0,0],[1,0,0,0]]).bool()
P = torch.tensor([[1,0,1,0],[0,0,0,0],[1,0,0,0],[0,0,0,0]]).bool()
test_eq(dice(P, T).tolist(), [.5,1,0,0]); test_eq(dice(P, T, 'zero').tolist(), [.5,0,0,0])
test_eq(np.nan_to_num(dice(P, T, 'skip'), nan=-1).tolist(), [.5,-1,-1,0])
test_fail(lambda: dice(P, T[:3]), contains='drawn masks are [4, 4], true ones [3, 4]')
test_fail(lambda: dice(P, T, 'nan'), contains="empty is 'nan'; expected one, zero, skip")

# %% [14] Dice
from medvl.eval.segment import (Overlap, overlap)

# %% [15] Dice
o = overlap(P, T, ['a','a','b','c']); print(o)
test_close([o.dice.value, o.positives.value, o.false_alarms.value], [.375,.25,.5])
test_close(overlap(P, T, empty='skip').dice.value, .25)
test_eq(overlap(P[:1], T[:1]).false_alarms, None)
test_fail(lambda: overlap(P[1:3], T[1:3], empty='skip'), contains='none of 2 films has a mask')

# %% [17] The loss
from medvl.eval.segment import (focal_dice)

# %% [18] The loss
x, y = torch.zeros(1,1,2,2), torch.tensor([[[[1,0],[0,0]]]])   # p is 1/2 everywhere
test_close(focal_dice(x, y).item(), 10*.25*np.log(2) - np.log((2*.5+1)/(2+1+1)), eps=1e-6)
sure = torch.where(y > 0, 20., -20.); test_close(focal_dice(sure, y).item(), 0, eps=1e-5)
assert focal_dice(-sure, y) > 20

# %% [20] SIIM by film
from medvl.eval.segment import (as_many_empty)

# %% [21] SIIM by film
tmp = tempfile.TemporaryDirectory(); table = Path(tmp.name)/'train-rle.csv'
rows = [f'f{i:02d},{1+40*j} 9' for i in range(60) for j in range(1+(i%3 == 0)*(1+i%2))]
table.write_text('ImageId, EncodedPixels\n'+'\n'.join(rows)+'\n')
by_row = read_siim(tmp.name, split='gloria', log=(log := ReadLog()))
by_film = split_by_patient(read_siim(tmp.name, log=ReadLog()), say=None); tmp.cleanup()
torn = [o for o in log.noted if 'several parts' in o[0]]
print(f'{len(rows)} rows of {len(by_row)} films; drawn by row, {len(torn)} films are in several parts; by film, none')
assert len(torn) > 5; test_eq(len({s.id for s in by_film}), len(by_film))
test_eq({s.split for s in by_film}, {'train','val','test'})
assert {1,4} < set(as_many_empty([0,1,0,0,1,0])); test_eq(len(as_many_empty([0,1,0,0,1,0])), 4)
test_eq(as_many_empty([1,0,1]), [0,1,2]); test_fail(lambda: as_many_empty([0,0]), contains='none of 2 training films')

# %% [23] Films by batch
from medvl.eval.segment import (Pictures, CellMaps, cell_scale, start_rare, draw_masks)

# %% [25] Films by batch
cells = np.stack([np.full((3,2,2), 7.), np.arange(12.).reshape(3,2,2)], -1); mean, sd = cell_scale(cells)
test_close((mean, sd), ([7,5.5], [1,np.arange(12).std()]), eps=1e-6)
scaled = CellMaps(cells, (mean, sd))[[0,1,2]]; test_close(scaled.mean((0,2,3)), torch.zeros(2), eps=1e-6)
test_close(scaled[:,1].std(unbiased=False).item(), 1., eps=1e-6)
eighth = torch.zeros(4, 1, 4, 4).bool(); eighth[:2,:,:2,:2] = True
test_close(start_rare(SETRPUP(2, 2, 1, (4,)), eighth).out.bias.sigmoid().item(), .125, eps=1e-6)

# %% [27] Lungs of phantom patients
S = with_fields(phantom_studies(60, seed=0, size=128, difficulty='lifelike-easy'), 'lifelike-easy')
part = {k: [s for s in S if s.split == k] for k in ('train','val','test')}
films = {k: [s.views[0] for s in o] for k,o in part.items()}
mrm = load('phantom-mrm'); tower = Tower(mrm.aligner, mrm.preset, 'phantom-mrm')
classes = dict(right=['right_lung'], left=['left_lung'])
masks = {k: square_masks(o, classes, tower.preset) for k,o in films.items()}
tmp = tempfile.TemporaryDirectory()
def lungs(t):
    cells = {k: features(t, o, local=True, dir=Path(tmp.name)/t.name).loc for k,o in films.items()}
    scale = cell_scale(cells['train']); data = {k: CellMaps(o, scale) for k,o in cells.items()}
    torch.manual_seed(0); head = start_rare(SETRPUP(t.width_loc, 16, 2, (32,16,16,8)), masks['train'])
    both = (Pairs(data[k], masks[k]) for k in ('train','val'))
    fit_head(head, focal_dice, *both, 10, 5e-3, device='cpu', cycle=True)
    return draw_masks(head, data['test'])
drawn, dull = lungs(tower), lungs(random_tower(tower))
patients = [s.patient for s in part['test']]
for name,d in (('phantom-mrm', drawn), ('random', dull)):
    for j,k in enumerate(classes): print(f'{name:12}{k:6}', overlap(d[:,j], masks['test'][:,j], patients))

# %% [28] Lungs of phantom patients
fig, axs = plt.subplots(1, 6, figsize=(10,1.9), dpi=75, layout='constrained')
for i,ax in enumerate(axs):
    ax.imshow(films['test'][i].px, cmap='gray'); ax.axis('off')
    ax.set_title(f"{dice(drawn[i:i+1], masks['test'][i:i+1])[0]:.2f}", fontsize=8)
    for m,c in ((masks['test'][i], '#27e0b3'), (drawn[i], '#d55e00')):
        ax.contour(m.any(0), [.5], colors=c, linewidths=1)

# %% [30] Lungs of phantom patients
test_close(overlap(drawn.flatten(1,2), masks['test'].flatten(1,2)).dice.value, dice(drawn, masks['test']).mean())
assert min(dice(d, masks['test']).mean() for d in (drawn, dull)) > .8

# %% [32] Few films with a mask: what the rule is worth
eff = square_masks(films['test'], dict(e=['Pleural Effusion']), tower.preset)[:,0]; never = torch.zeros_like(eff)
for rule in EMPTY: print(f'{rule:5}', overlap(never, eff, patients, rule))

# %% [33] Few films with a mask: what the rule is worth
o = overlap(never, eff, patients); test_close(o.dice.value, 1-o.with_mask/o.films); test_eq(o.positives.value, 0.)

# %% [35] Checked
from importlib.util import find_spec
if find_spec('torchmetrics'):
    from torchmetrics.functional.classification import binary_f1_score, binary_jaccard_index
    g = torch.Generator().manual_seed(0)
    a, b = (torch.rand(40, 24, 24, generator=g) < torch.linspace(0, 1, 40)[:,None,None] for _ in range(2))
    a[3] = b[3] = b[5] = a[7] = False; a[9] = b[9] = a[11] = True
    d = dice(a, b, 'zero'); j = np.where(d > 0, d/(2-d), 0)
    test_close([binary_f1_score(p, t).item() for p,t in zip(a, b)], d, eps=1e-4)
    test_close([binary_jaccard_index(p, t, zero_division=0).item() for p,t in zip(a, b)], j, eps=1e-4)
else: print('torchmetrics is not installed: not compared')
tmp.cleanup()
