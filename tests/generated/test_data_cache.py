# nbs/data/41_cache.ipynb: runs against the imported medvl.data.cache.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Cache
import json, os
from pathlib import Path
from typing import Iterable
import numpy as np
import xxhash
from fastcore.basics import patch
from filelock import FileLock
from jaxtyping import UInt8
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm
from medvl.core import MedvlError
from medvl.data.preset import decode_film
from medvl.data.pixels import count_kinds, file_hash, kinds_text
from medvl.data.study import View

# %% [4] Cache
import multiprocessing, shutil, signal, tempfile, time
from fastcore.test import *
from PIL import Image

# %% [6] Keys
from medvl.data.cache import (film_key, stamp)

# %% [7] Keys
a = View(px=np.arange(6, dtype='uint8').reshape(2,3))
b, c = View(px=a.px.reshape(3,2)), View(px=a.px.copy(), id='other')
test_ne(film_key(a), film_key(b)); test_eq(film_key(a), film_key(c))
test_eq(stamp(View('/no/such/file')), None)

# %% [9] On the disk
from medvl.data.cache import (RECORD, record, whole_records)

# %% [10] On the disk
px = np.full((2,3), 7, 'uint8')
raw = record(film_key(a), 0, px)+record(film_key(b), 6, px)
test_eq(len(raw), 96)
test_eq(len(whole_records(raw, 12)), 2)
test_eq(len(whole_records(raw, 11)), 1)  # the second film's last byte is missing
test_eq(len(whole_records(raw[:-1], 12)), 1)  # torn record
test_eq(len(whole_records(raw[:48]+bytes(48), 12)), 1)  # zeros, as some file systems leave after a power cut

# %% [12] On the disk
from medvl.data.cache import (keys_of)

# %% [13] On the disk
test_eq(keys_of(np.frombuffer(record('ab'*15+'00', 0, px), RECORD)), ['ab'*15+'00'])

# %% [15] The cache
from medvl.data.cache import (_as_it_is, _Decode)

# %% [16] The cache
from medvl.data.cache import (ImageCache)

# %% [18] The cache
from medvl.data.cache import (_append, _cut_tail, _write)

# %% [21] The cache
tmp = tempfile.TemporaryDirectory(); root = Path(tmp.name)
def make_film(i, h=220, w=180):
    y, x = np.mgrid[:h,:w]
    return ((np.sin(x/9+i)+np.cos(y/13)+2)*40+np.random.default_rng(i).integers(0, 60, (h,w))).astype('uint8')
for i in range(20): Image.fromarray(make_film(i)).save(root/f'{i:02}.png')
shutil.copy(root/'03.png', root/'copy.png')
(root/'broken.png').write_bytes((root/'04.png').read_bytes()[:5000])
views = [View(path=str(p), id=p.stem) for p in sorted(root.glob('*.png'))]+[View(px=make_film(99), id='memory')]

cache = ImageCache(root/'cache', 96)
bad = cache.build(views)
cache, {Path(k).name: v.replace(str(root), '...')[:70] for k,v in bad.items()}

# %% [22] The cache
good = [v for v in views if v.id != 'broken']
test_eq(len(cache), 21)  # 20 files and one in memory; the copy has the same content
test_eq([Path(k).name for k in bad], ['broken.png'])
for v in good: test_eq(cache.get(v), decode_film(v, 96))
test_eq(cache.get(views[0]).shape, (117, 96))  # the aspect ratio is kept
test_eq(cache.verify(), [])
test_fail(lambda: cache.get(views[-3]), contains='not in the cache of size 96')
test_fail(lambda: ImageCache(root/'cache', 96).build(views, errors='raise'), contains='broken.png')
test_eq(len(ImageCache(root/'cache', 96)), 21)

# %% [24] The cache
Image.fromarray(make_film(20)//8).save(root/'dark.png')
Image.fromarray(make_film(21).astype(np.uint16)).save(root/'deep.png')
odd = [View(path=str(root/o)) for o in ('dark.png','deep.png','deep.png')]; odd[2].info['png_bits'] = 12
ImageCache(root/'odd', 96).build(odd); dark = ImageCache(root/'odd', 96)
test_eq(dark.build(odd), {}); test_eq([dark.noticed(odd[:1])[k]['films'] for k in ('hardly any contrast',)], [1])
test_close(dark.get(odd[1]).mean()/dark.get(odd[2]).mean(), 4095/255, eps=.3)

# %% [26] The cache
before = cache.films.stat().st_size
(root/'05.png').rename(root/'moved.png')
test_eq(cache.build([View(path=str(root/'moved.png'))]), {}); test_eq(cache.films.stat().st_size, before)
Image.fromarray(make_film(5)[::-1].copy()).save(root/'06.png')
test_eq(View(path=str(root/'06.png')) in cache, False)
(root/'moved.png').rename(root/'05.png'); Image.fromarray(make_film(6)).save(root/'06.png')
two = ImageCache(root/'two', 96); two.build(good, num_workers=2)
same_files = lambda a, b: all(getattr(a, k).read_bytes() == getattr(b, k).read_bytes() for k in ('films','index'))
test_eq(same_files(two, cache), True)

# %% [28] Crash safety
def build_slowly(where):
    ImageCache.sync_every = 3
    ImageCache(where, 96).build(good)

left, rng = [], np.random.default_rng()
for n in range(5):
    where = root/f'killed-{n}'
    p = multiprocessing.get_context('fork').Process(target=build_slowly, args=(where,)); p.start()
    goal = rng.integers(0, 19)
    while p.is_alive() and len(ImageCache(where, 96)) < goal: pass
    time.sleep(rng.uniform(0, .004)); os.kill(p.pid, signal.SIGKILL); p.join()
    k = ImageCache(where, 96); left.append(len(k))
    test_eq(k.verify(), [])
    for v in good:
        if v in k: test_eq(k.get(v), decode_film(v, 96))
    k.build(good)
    test_eq(same_files(k, cache), True)
print('films found after each kill:', left, ' at the end:', len(k))

# %% [30] Crash safety
for extra in (b'12345', record('ab'*16, 10**9, px), b'x'*30):
    with k.films.open('ab') as f: f.write(b'pixels of a film that was never entered')
    with k.index.open('ab') as f: f.write(extra)
    k = ImageCache(where, 96); test_eq(len(k), 21); k.build(good)
    test_eq(same_files(k, cache), True)
tmp.cleanup()
