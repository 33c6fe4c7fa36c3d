# nbs/data/10_pixels.ipynb: runs against the imported medvl.data.pixels.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Pixels
import struct
from dataclasses import dataclass, field
from pathlib import Path
import numpy as np
import torch, xxhash
from jaxtyping import Float
from PIL import Image, ImageChops
from scipy.fft import dctn
from torch import Tensor
from torch.nn import functional as F
from medvl.core import MedvlError

# %% [4] Pixels
from fastcore.test import *
from medvl.phantom.set import phantom_studies

# %% [6] What comes out
from medvl.data.pixels import (ImageError, Film)

# %% [8] What comes out
from medvl.data.pixels import (first_line)

# %% [9] What comes out
test_eq(first_line(OSError('cut\n  short')), 'cut short'); test_eq(first_line(KeyError()), 'KeyError')
test_eq(len(first_line('x'*300)), 200)

# %% [11] An array becomes a film
from medvl.data.pixels import (MIN_SIDE, MAX_RATIO, as_film, check_size)

# %% [13] An array becomes a film
test_close(as_film(np.full((32,40), 51, np.uint8)).px.mean(), 51/255)
test_eq(as_film(np.ones((1,32,40), bool)).px.shape, (1,32,40))
test_eq(as_film(np.zeros((32,32), np.uint16)).warnings, ['no contrast: every pixel is 0'])
bad = np.random.rand(40,40); bad[3,4] = np.nan
test_fail(lambda: as_film(bad, 'a.png'), contains='a.png: 1 of 1600 pixels are NaN')
test_fail(lambda: as_film(np.random.rand(40,40)*255), contains='must lie in [0,1]')
test_fail(lambda: as_film(np.zeros((16,40), np.uint8)), contains='too small')
test_fail(lambda: as_film(np.zeros((40,400), np.uint8)), contains='strip')
test_fail(lambda: as_film(np.zeros((3,40,40), np.uint8)), contains='got shape (3, 40, 40)')
test_fail(lambda: as_film(np.zeros((0,40), np.uint8)), contains='empty')

# %% [15] Grey, really
from medvl.data.pixels import (grey)

# %% [17] Grey, really
dense = phantom_studies(1, size=160, cache=False)[0].frontals[0].film().px[0].numpy()
im = Image.fromarray(np.uint8(dense*255))
notes = []
for mode in ('L','RGB','RGBA','LA','P'): test_eq(np.asarray(grey(im.convert(mode), notes)), np.asarray(im))
test_eq(notes, [])
red = im.convert('RGB'); red.paste((255,0,0), (10,10,14,14)); grey(red, notes); test_eq(len(notes), 1)
test_fail(lambda: grey(Image.merge('RGB', (im, im.rotate(90).resize(im.size), im)), []), contains='a colour picture')
test_fail(lambda: grey(im.convert('1'), []), contains='mask')
clear = im.convert('RGBA'); clear.putalpha(0); test_eq(np.asarray(grey(clear, notes)).max(), 0); notes

# %% [19] Three ways to say "the same film"
from medvl.data.pixels import (file_hash, pixel_hash, phash)

# %% [20] Three ways to say "the same film"
img = as_film(np.float32(dense)).px
far = lambda a,b: (phash(a)^phash(b)).bit_count()
noisy = (img+torch.randn(img.shape, generator=torch.Generator().manual_seed(0))*.05).clamp(0,1)
test_eq(pixel_hash(img), pixel_hash(img.clone())); test_ne(pixel_hash(img), pixel_hash(noisy))
test_ne(pixel_hash(torch.zeros(1,2,3)), pixel_hash(torch.zeros(1,3,2)))
changed = {'noise': noisy, 'half size': F.interpolate(img[None], (80,80), mode='area')[0], 'darker': img*.7+.1,
           'mirrored': img.flip(-1)}
print('bits that differ:', {k: far(img, o) for k,o in changed.items()})
test_eq(far(img, img*.5) <= 1, True); test_eq(far(img, noisy) <= 6, True); test_eq(far(img, img.flip(-1)) > 10, True)
