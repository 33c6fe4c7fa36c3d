# nbs/data/10_pixels.ipynb: runs against the imported medvl.data.pixels.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Pixels
import base64, html, io, struct
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Iterable, Iterator
import numpy as np
import torch, xxhash
from jaxtyping import Float
from PIL import Image, ImageChops
from scipy.fft import dctn
from torch import Tensor
from torch.nn import functional as F
from medvl.core import MedvlError

# %% [4] Pixels
import matplotlib.pyplot as plt
from fastcore.test import *
from medvl.phantom.set import phantom_studies

# %% [6] What comes out
from medvl.data.pixels import (printable, by_kind, count_kinds, kinds_text, ImageError, thumbnail, Film)

# %% [8] What comes out
px = phantom_studies(1, seed=3, size=192, difficulty='easy')[0].frontals[0].px
film = Film(torch.from_numpy(px)[None]/255, dict(kind='png', warnings=['the pixel spacing is 0, ignored: <0>']))
assert '! the pixel spacing is 0, ignored: &lt;0&gt;' in film._repr_html_() and len(film._repr_html_()) < 60_000
test_eq(thumbnail(px, 32), thumbnail(px[None]/255.+1e-4, 32))
film

# %% [10] What comes out
from medvl.data.pixels import (first_line, guarded)

# %% [11] What comes out
test_eq(first_line(OSError('cut\n  short')), 'cut short'); test_eq(first_line(KeyError()), 'KeyError')
test_eq(len(first_line('x'*300)), 200); test_eq(printable('a\x1b[2J\nb\udcff é'), 'a\\x1b[2J\\nb\\udcff é')
test_eq(by_kind('a.png: a colour picture: 9% of the pixels', 'a.png'), ('a colour picture', '9% of the pixels'))
said = count_kinds([('a.png','few greys: 9'), ('b.png','b.png: no contrast'), ('c.png','few greys: 7')])
test_eq(said, {'few greys': dict(films=2, first=['a.png: 9','c.png: 7']),
               'no contrast': dict(films=1, first=['b.png'])})
test_eq(kinds_text(said, 'note', 1), 'note: 2 x few greys (a.png: 9; c.png: 7)\nnote: 1 other kinds')

class Panic(BaseException): pass
def read(e):
    with guarded('a.dcm'): raise e
def said(e):
    try: read(e)
    except ImageError as o: return str(o)
test_eq(said(ValueError('odd\nvalue')), "a.dcm: can't be read: ValueError: odd value")
test_eq(said(Panic()), "a.dcm: can't be read: Panic: Panic")
test_eq(said(OSError(13, 'Permission denied')), "a.dcm: can't be read: Permission denied")
test_eq([said(ImageError(o)) for o in ('7 frames', 'a.dcm: 7 frames')], ['a.dcm: 7 frames']*2)
for e in (KeyboardInterrupt, SystemExit, MemoryError):
    with ExceptionExpected(e): read(e())

# %% [13] An array becomes a film
from medvl.data.pixels import (MIN_SIDE, MAX_RATIO, MAX_PIXELS, as_film, spread, jumps, odd_picture, check_size)

# %% [15] An array becomes a film
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
test_fail(lambda: check_size((65535, 65535), 'a.dcm'), contains='too large')

# %% [17] An array becomes a film
twelve = np.uint16(phantom_studies(1, size=160, cache=False)[0].frontals[0].film().px[0].numpy()*4095)
patch = np.zeros((160,160), np.uint8); patch[:60,:60] = twelve[50:110,50:110] >> 4
odd = {'as it is': twelve/4095, 'nearly black': twelve/65535, 'three bits': (twelve >> 9)/7,
       'lower eight bits': (twelve & 255)/255, 'patch': patch/255}
fig, axs = plt.subplots(1, 5, figsize=(8,2), dpi=70)
for ax,(k,o) in zip(axs, odd.items()):
    ax.imshow(o, cmap='gray', vmin=0, vmax=1); ax.set_title(k, fontsize=8); ax.axis('off')
test_eq([[by_kind(o)[0] for o in as_film(a).warnings] for a in odd.values()],
        [[], ['hardly any contrast', 'few greys (bits cut off?)'], ['few greys (bits cut off?)'],
         ['values wrapped round (bits cut off?)'], ['most pixels have one value']])

# %% [19] Is the picture grey?
from medvl.data.pixels import (grey)

# %% [21] Is the picture grey?
dense = phantom_studies(1, size=160, cache=False)[0].frontals[0].film().px[0].numpy()
im = Image.fromarray(np.uint8(dense*255))
notes = []
for mode in ('L','RGB','RGBA','LA','P'): test_eq(np.asarray(grey(im.convert(mode), notes)), np.asarray(im))
test_eq(notes, [])
red = im.convert('RGB'); red.paste((255,0,0), (10,10,14,14)); grey(red, notes); test_eq(len(notes), 1)
test_fail(lambda: grey(Image.merge('RGB', (im, im.rotate(90).resize(im.size), im)), []), contains='a colour picture')
test_fail(lambda: grey(im.convert('1'), []), contains='mask')
clear = im.convert('RGBA'); clear.putalpha(0); test_eq(np.asarray(grey(clear, notes)), np.asarray(im))
clear.paste((0,0,0,255), (0,0,80,80)); test_eq(np.asarray(grey(clear, notes)).max(), 0); notes

# %% [23] Three tests for the same film
from medvl.data.pixels import (file_hash, pixel_hash, phash)

# %% [24] Three tests for the same film
img = as_film(np.float32(dense)).px
far = lambda a,b: (phash(a)^phash(b)).bit_count()
noisy = (img+torch.randn(img.shape, generator=torch.Generator().manual_seed(0))*.05).clamp(0,1)
test_eq(pixel_hash(img), pixel_hash(img.clone())); test_ne(pixel_hash(img), pixel_hash(noisy))
test_ne(pixel_hash(torch.zeros(1,2,3)), pixel_hash(torch.zeros(1,3,2)))
changed = {'noise': noisy, 'half size': F.interpolate(img[None], (80,80), mode='area')[0], 'darker': img*.7+.1,
           'mirrored': img.flip(-1)}
print('bits that differ:', {k: far(img, o) for k,o in changed.items()})
test_eq(far(img, img*.5) <= 1, True); test_eq(far(img, noisy) <= 6, True); test_eq(far(img, img.flip(-1)) > 10, True)
