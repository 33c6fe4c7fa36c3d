# nbs/data/40_preset.ipynb: runs against the imported medvl.data.preset.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Films for a model
import math, re
from dataclasses import dataclass
from typing import Any, Mapping, NamedTuple
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional as F
from torchvision.transforms.v2 import InterpolationMode, functional as TF
from medvl.core import MedvlError
from medvl.data.pixels import ImageError
from medvl.data.study import View

# %% [4] Films for a model
from dataclasses import asdict, replace
import matplotlib.pyplot as plt
from fastcore.test import *

# %% [6] Presets
from medvl.data.preset import (Preset)

# %% [7] Presets
from medvl.data.preset import (grey, _wobbly, _clip, _imagenet, PRESETS)

# %% [8] Presets
alta, mrm = PRESETS['alta'], PRESETS['mrm']
test_eq(alta.big, 2*alta.size); test_eq(grey(0., .3, .6), .3)
test_eq(Preset.of(asdict(alta)), alta)  # survives JSON
test_close(alta.denorm(alta.norm(torch.tensor(.3))), .3)
test_eq(any(p.flip for p in PRESETS.values()), False)
test_fail(lambda: Preset.of('atla'), contains='known: mrm, alta')
test_fail(lambda: replace(alta, fit='fill'), contains="fit is 'fill'; expected 'crop'")

# %% [10] From a film to bytes
from medvl.data.preset import (resize, decode_film)

# %% [11] From a film to bytes
ramp = np.tile(np.linspace(0, 255, 96).astype('uint8'), (64,1))  # 64 rows, 96 columns, black to white
v = View(id='ramp', px=ramp)
test_eq(decode_film(v, 64), ramp)
test_eq(decode_film(v, 32).shape, (32,48))
test_eq(np.all(np.diff(decode_film(v, 32)[5].astype(int)) > 0), True)
test_fail(lambda: decode_film(View(id='x'), 32), contains='neither pixels nor a path')
hole = np.where(np.eye(64, 96) > 0, np.nan, ramp/255)
test_fail(lambda: decode_film(View(id='hole', px=hole), 32), contains='NaN')

# %% [13] Cropping and augmentation
from medvl.data.preset import (Wobble, draw, crop_box)

# %% [14] Cropping and augmentation
test_eq(crop_box(512, 600, alta), (32, 76, 448, 448))  # 512/256*224
test_eq(crop_box(512, 600, mrm), (0, 44, 512, 512))  # MRM's resize = size: the whole shorter side
test_eq(crop_box(512, 600, replace(mrm, fit='pad')), (-44, 0, 600, 600))  # a border of 44 above and below
test_eq(crop_box(512, 600, replace(alta, fit='pad')), (-7, 37, 525, 525))  # 600/256*224: some of the border is cut
test_eq(crop_box(512, 600, replace(mrm, fit='squash')), (0, 0, 512, 600))
rng = np.random.default_rng(0)
ks = [draw(mrm, rng) for _ in range(200)]
boxes = [crop_box(512, 600, mrm, k) for k in ks]
test_eq(all(0 <= t and t+h <= 512 and 0 <= l and l+w <= 600 for t,l,h,w in boxes), True)
areas = [h*w/512/600 for *_,h,w in boxes]
test_eq(min(areas) > .19 and max(areas) <= 1, True)
test_eq(draw(alta, np.random.default_rng(3)), draw(alta, np.random.default_rng(3)))
test_eq(draw(replace(alta, affine=None, jitter=None), rng)[:8], (0, 0, 0, 0, 1, 1, 1, False))

# %% [16] Cropping and augmentation
from medvl.data.preset import (wobble, cut)

# %% [18] Cropping and augmentation
p = Preset('test', 32, 32, 64, affine=None, jitter=(1.2, 1.2))
x = cut(ramp, p, 32)
test_eq(x.shape, (1,32,32)); test_close(x[0,0,0].item(), ramp[0,16]/255, eps=.02)
k = draw(p, np.random.default_rng(0))._replace(contrast=1.)
test_close(cut(ramp, p, 32, k), (x*1.2).clamp(max=1), eps=1e-5)
test_close(wobble(x, k._replace(bright=1., contrast=0.)), torch.full_like(x, x.mean()), eps=1e-6)
test_eq(wobble(x, k._replace(bright=1., flip=True)), x.flip(-1))
a, b = (cut(ramp, alta, 32, draw(alta, np.random.default_rng(5))) for _ in range(2)); test_eq(a, b)

# %% [20] Cropping and augmentation
bordered, squashed = (cut(ramp, Preset('test', 32, 32, 64, fit=o), 32) for o in ('pad','squash'))
test_eq(bordered[0,[0,4,27,31]].max().item(), 0); assert bordered[0,6:26,-1].min() > .95  # 96 - 64 rows of border
test_close(squashed[0,:,0].max().item(), ramp[0,:3].mean()/255, eps=.02); assert squashed[0,:,-1].min() > .95
fig, axs = plt.subplots(1, 3, figsize=(4, 1.4), dpi=75)
for ax,x,t in zip(axs, (cut(ramp, p, 32), bordered, squashed), ('crop', 'pad', 'squash')):
    ax.imshow(x[0], cmap='gray', vmin=0, vmax=1); ax.set_title(t, fontsize=8); ax.axis('off')

# %% [22] Cropping and augmentation
pale = (64+ramp//2).astype('uint8')  # 64 to 191
one = replace(PRESETS['biovil'], size=64, resize=64); plain = replace(one, stretch=False)
for a in (pale, pale[::-1].copy()): test_close(cut(a, one, 64), (cut(a, plain, 64)*255-64)/127, eps=1e-4)
test_close(cut(pale, replace(one, size=32), 32)[0,0,0].item(), (int(pale[0,32])-64)/127, eps=.02)
test_eq(cut(np.full((64,64), 9, 'uint8'), one, 64).max(), 0)  # a constant film stays finite

# %% [24] Cropping and augmentation
y, x = np.mgrid[:300,:360]/300
lungs = np.minimum(((x-.38)/.17)**2+((y-.5)/.33)**2, ((x-.82)/.17)**2+((y-.5)/.33)**2)
picture = np.where(lungs < 1, 60, 170).astype('uint8'); picture[::30] = 200; picture[:,::30] = 200
fig, axs = plt.subplots(1, 6, figsize=(10, 1.8), dpi=75)
axs[0].imshow(cut(picture, alta, 112)[0], cmap='gray', vmin=0, vmax=1); axs[0].set_title('evaluation', fontsize=8)
for n, ax in enumerate(axs[1:]):
    ax.imshow(cut(picture, alta, 112, draw(alta, np.random.default_rng(n)))[0], cmap='gray', vmin=0, vmax=1)
for ax in axs: ax.axis('off')

# %% [26] Why nothing is mirrored
from medvl.data.preset import (SIDED, sided)

# %% [27] Why nothing is mirrored
test_eq(sided('Small LEFT-sided effusion.'), 'LEFT'); test_eq(sided('Opacity in the RLL.'), 'RLL')
test_eq(sided('Bilateral infiltrates, upright film.'), None)

# %% [29] The right preset for a checkpoint
from medvl.data.preset import (check_preset)

# %% [30] The right preset for a checkpoint
test_eq(check_preset(dict(preset='alta'), alta), alta); test_eq(check_preset({}, alta), None)
test_eq(check_preset(dict(preset=asdict(replace(alta, jitter=None))), alta).name, 'alta')
test_fail(lambda: check_preset(dict(preset='mrm'), alta), contains='resize 224 against 256, mean 0.4978 against')
test_fail(lambda: check_preset('clip', PRESETS['biovil']), contains='size 224 against 448')
test_fail(lambda: check_preset('biovil', plain), contains='stretch 1 against 0')

# %% [32] The classic mistake
x = torch.tensor(mrm.mean)
wrong = PRESETS['imagenet'].norm(x)
print(f"a film of average grey: {mrm.norm(x):.2f} as it should be, {wrong:.2f} with the wrong preset")
test_eq(wrong > .2, True)
