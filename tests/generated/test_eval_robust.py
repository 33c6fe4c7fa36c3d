# nbs/eval/40_robust.ipynb: runs against the imported medvl.eval.robust.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Noise for robustness tests
from collections.abc import Sequence
from copy import copy
from dataclasses import replace
import numpy as np
from jaxtyping import UInt8
from medvl.core import MedvlError
from medvl.data.study import Sample, View
from medvl.data.words import sentences, swap_sides

# %% [4] Noise for robustness tests
from fastcore.test import *
import matplotlib.pyplot as plt

# %% [6] Missing sentences
from medvl.eval.robust import (_chance, drop_sentences)

# %% [7] Missing sentences
three = ['No pneumothorax.', 'Small left effusion.', 'Clear right lung.']
def rng(seed=0): return np.random.default_rng(seed)
test_eq(drop_sentences(three, 0., rng()), three)
test_eq(len(drop_sentences(three, 1., rng())), 1); test_eq(drop_sentences([], .5, rng()), [])
g = rng(); left = [len(drop_sentences(three, .3, g)) for _ in range(2000)]
print('sentences left of three:', np.bincount(left)/2000, '; by hand', [round(o, 3) for o in (.027+.189, .441, .343)])
test_close(np.bincount(left, minlength=4)[1:]/2000, [.216, .441, .343], eps=.04)
test_fail(lambda: drop_sentences(three, 1.5, rng()), contains='must be in [0,1], got 1.5')

# %% [9] Noise for a set of reports
from medvl.eval.robust import (noisy_reports)

# %% [10] Noise for a set of reports
texts = [' '.join(three), 'Heart is enlarged. Left base is clear.', '']
test_eq(noisy_reports(texts, 0, 0, 0), texts)
test_eq(noisy_reports(texts, 0, 1, 0)[1], 'Heart is enlarged. Right base is clear.')
more = noisy_reports(texts, 0, 0, 1)
for t in more: print('·', t)
test_eq([len(t.split('. ')) for t in more[:2]], [6, 4]); test_eq(more[2], '')
test_eq(any(s in more[1] for s in three), True)
test_eq(noisy_reports(texts, seed=3), noisy_reports(texts, seed=3))
test_eq(noisy_reports(texts, seed=3) != noisy_reports(texts, seed=4), True)
test_fail(lambda: noisy_reports(texts, swap=-.1), contains='swap must be in [0,1], got -0.1')
test_fail(lambda: noisy_reports(['', 'One.']), contains='1 of 2 reports have sentences')

# %% [12] Noise for a set of reports
many = ['Left lung is clear.']*4000
got = noisy_reports(many, drop=0, swap=.25, add=.1, seed=1)
swapped, longer = (np.mean([f(o) for o in got]) for f in (lambda o: o.startswith('Right'), lambda o: o.count('.') > 1))
print(f'swapped {swapped:.3f} of .250, with a foreign sentence {longer:.3f} of .100')
test_close(swapped, .25, eps=.03); test_close(longer, .1, eps=.02)

# %% [14] Noise for a set of reports
from medvl.eval.robust import (noisy_samples)

# %% [15] Noise for a set of reports
from medvl.data.study import Study, samples

# %% [16] Noise for a set of reports
def one(i): return Study(f'p{i}', f's{i}', 0., [View(id=f'v{i}', px=np.zeros((8,8), np.uint8))], texts[i])
smp = samples([one(0), one(1)], text=str, say=None)
new = noisy_samples(smp, drop=0, swap=1, add=0)
test_eq([s.text for s in new], [swap_sides(t) for t in texts[:2]]); test_eq([s.text for s in smp], texts[:2])
test_eq([s.slots for s in new], [s.slots for s in smp])

# %% [18] Grain on a film
from medvl.eval.robust import (noisy_film, noisy_views)

# %% [19] Grain on a film
grey = np.full((200,200), 128, np.uint8)
test_eq(noisy_film(grey, 0., rng()), grey)
n = noisy_film(grey, .1, rng()).astype(float)
test_close((n.mean(), n.std()), (128, 25.5), eps=.5)
black = noisy_film(np.zeros((200,200), np.uint8), .1, rng())
test_close((black == 0).mean(), .5, eps=.02)                             # half of it is cut off at zero
v = View(id='a', px=grey); out = noisy_views([v, v], .1)
test_is(out[0], out[1]); test_eq(v.px, grey); test_eq(out[0].id, 'a')
test_fail(lambda: noisy_film(grey, -1, rng()), contains='must not be negative')
test_fail(lambda: noisy_film(grey/255, .1, rng()), contains='expected bytes (uint8), got float64')
test_fail(lambda: noisy_views([View(id='b', path='b.png')], .1), contains="film 'b' is not in memory")

# %% [20] Grain on a film
ramp = np.tile(np.linspace(0, 255, 96).astype(np.uint8), (40,1))
fig, axs = plt.subplots(1, 3, figsize=(6,1.2), dpi=70)
for ax,s in zip(axs, (0, .05, .1)):
    ax.imshow(noisy_film(ramp, s, rng()), cmap='gray', vmin=0, vmax=255); ax.set_title(f'sigma {s:g}', fontsize=8)
    ax.axis('off')
plt.show()
