# nbs/phantom/50_set.ipynb: runs against the imported medvl.phantom.set.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] The set
import ast, hashlib, json, multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, replace
from functools import lru_cache, partial
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Iterator
from zipfile import BadZipFile
import numpy as np
from medvl.core import MedvlError
from medvl.files import cache_dir, jsonable, written
from medvl.data.show import Rows
from medvl.data.study import Box, Study, View
from medvl.phantom.anatomy import Anatomy
from medvl.phantom.bones import Strokes, smooth, tube
from medvl.phantom.findings import grade, measure
from medvl.phantom.outline import skin
from medvl.phantom.projection import Geometry, Quality
from medvl.phantom.reports import write
from medvl.phantom.sentences import Writer, phrase
from medvl.phantom.shot import shoot
from medvl.phantom.visits import draw_patient, truth_labels

# %% [4] The set
import os
from fastcore.test import *
from io import BytesIO
from itertools import groupby
from tempfile import TemporaryDirectory
import matplotlib.pyplot as plt
import pandas as pd
from IPython.display import Image, display

# %% [6] Settings
from medvl.phantom.set import (DIFFICULTY, SPLITS, knobs, patient_number, patient_name)

# %% [7] Settings
test_eq(len({patient_number(i, s, p) for i in range(50) for s in range(5) for p in SPLITS}), 50*5*4)
test_fail(lambda: knobs('harder'), contains="'harder'"); test_fail(lambda: knobs(dict(nose=1)), contains='nose')
test_eq(knobs(dict(noise=.1))['noise'], .1)

# %% [9] How a film was taken
from medvl.phantom.set import (pose, _frame_side, leads)

# %% [11] One patient's studies
from medvl.phantom.set import (_films)

# %% [13] One patient's studies
from medvl.phantom.set import (_state, draw_studies, draw_member, _view)

# %% [14] One patient's studies
st = draw_studies(patient_number(7), size=64)
test_eq(st[0].prior, None); test_eq([o.prior.id for o in st[1:]], [o.id for o in st[:-1]])
for u,v in zip(st, draw_studies(patient_number(7), size=64)):
    test_eq(u.report, v.report)
    test_eq([o.px.tobytes() for o in u.views], [o.px.tobytes() for o in v.views])  # the same to the byte
json.dumps(st[0].info['state'])[:300]

# %% [16] The cache
from medvl.phantom.set import (fingerprint, _pack, _unpack)

# %% [18] The cache
from medvl.phantom.set import (_one)

# %% [19] The cache
from medvl.phantom.set import (iter_phantom, phantom_studies)

# %% [20] The cache
with TemporaryDirectory() as d:
    os.environ['MEDVL_CACHE'], old = d, os.environ.get('MEDVL_CACHE')
    A = phantom_studies(10, size=48); files = sorted(Path(d).rglob('*.npz')); test_eq(len(files), 10)
    files[3].write_bytes(files[3].read_bytes()[:500])  # as if the disk had filled up
    B = phantom_studies(10, size=48); C = phantom_studies(10, size=48, cache=False, workers=2)
    os.environ.pop('MEDVL_CACHE') if old is None else os.environ.update(MEDVL_CACHE=old)
same = lambda u,v: u.report == v.report and jsonable(u.info) == jsonable(v.info) and all(np.array_equal(x.px, y.px)
    and x.boxes == y.boxes and all(np.array_equal(x.masks[k], y.masks[k]) for k in x.masks) for x,
    y in zip(u.views, v.views))
assert len(A) == len(B) == len(C) and all(same(u, v) and same(u, w) for u,v,
                                          w in zip(A, B, C))  # cached, mended and drawn by two processes: equal
test_eq({s.split for s in A}, {'train','val','test'})
test_fail(lambda: phantom_studies(1, size=8), contains='at least 32 px')
test_eq({s.patient for s in A} & {s.patient for s in phantom_studies(3, size=32, split='test', cache=False)}, set())

# %% [22] The grid
S = phantom_studies(24, seed=1, size=224, difficulty='lifelike')
first = [next(p) for _,p in groupby(S, key=lambda s: s.patient)]
def title(i, s):
    "Number, projection and truth of a film, short enough for its column."
    kinds = sorted({f['kind'] for f in s.info['state']['findings']}) or ['normal']
    return f"{i} {s.frontals[0].pos}: {', '.join(kinds[:2])}"+f' +{len(kinds)-2}'*(len(kinds) > 2)

fig,ax = plt.subplots(4, 6, figsize=(12, 8.6))
for i,(o,s) in enumerate(zip(ax.flat, first), 1):
    o.imshow(s.frontals[0].px, cmap='gray', vmin=0, vmax=255, interpolation='antialiased'); o.axis('off')
    o.set_title(title(i, s), fontsize=8, pad=2)
plt.subplots_adjust(.002, .002, .998, .975, .01, .09)
plt.savefig(buf := BytesIO(), format='jpg', dpi=92, pil_kwargs=dict(quality=54, optimize=True)); plt.close()
print(len(buf.getvalue())//1000, 'kB'); display(Image(buf.getvalue()))
test_eq(len(first), 24); assert len(buf.getvalue()) < 100_000

# %% [23] The grid
for i,s in enumerate(first, 1): print(f"{i}. {' '.join(s.report.split('FINDINGS:')[1].split())}\n")

# %% [25] The grid
side = [v for s in S for v in s.views if v.pos == 'LL'][:8]
twin = {k: phantom_studies(5, seed=1, size=224, difficulty=k) for k in ('standard','lifelike')}
pairs = [[v.px for v in [s.frontals[0] for s in T[:2]]+[v for s in T for v in s.views if v.pos == 'LL'][:1]]
         for T in twin.values()]
test_eq(*[[s.report for s in T] for T in twin.values()])  # of these patients the style changes no word
fig,ax = plt.subplots(2, 7, figsize=(13, 4.2))
shown = [*[v.px for v in side[:4]], *pairs[0], *[v.px for v in side[4:]], *pairs[1]]
names = [f'{k}, {o}' for k in ('style 1','style 2') for o in ('patient 1','patient 2','lateral')]
titles = [*['lateral']*4, *names[:3], *['lateral']*4, *names[3:]]
for o,p,title in zip(ax.flat, shown, titles):
    o.imshow(p, cmap='gray', vmin=0, vmax=255, interpolation='antialiased'); o.axis('off')
    o.set_title(title, fontsize=9)
plt.subplots_adjust(.002, .002, .998, .94, .02, .1)
plt.savefig(buf := BytesIO(), format='jpg', dpi=92, pil_kwargs=dict(quality=60, optimize=True)); plt.close()
display(Image(buf.getvalue())); assert len(buf.getvalue()) < 100_000

# %% [27] The grid
T, U = (phantom_studies(40, seed=3, size=48, difficulty=k) for k in ('standard','lifelike'))
def found(s, *keys): return [[f[k] for k in keys] for f in s.info['state']['findings']]
kinds = [found(s, 'kind','side','sev','lobe') == found(o, 'kind','side','sev','lobe') for s,o in zip(T, U)]
places, words = [found(s, 'xyz') == found(o, 'xyz') for s,o in zip(T, U)], [s.report == o.report for s,o in zip(T, U)]
print(f'of {len(T)} visits the same: findings with side, lobe and severity {sum(kinds)}, places {sum(places)}, '
      f'reports {sum(words)}')
test_eq(len(T), len(U)); assert min(map(np.mean, (kinds, words))) > .9

# %% [30] The grid
long = max((list(g) for _,g in groupby(S, key=lambda s: s.patient)),
           key=lambda p: sum(c in ('worse','better','new') for s in p for c in s.info['state']['change'].values()))
fig,ax = plt.subplots(1, 6, figsize=(12,2.3)); films = [v for s in long for v in s.views][:6]
for o,v in zip(ax, films):
    o.imshow(v.px, cmap='gray'); o.set_title(v.id[-6:], fontsize=8)
    for k,(n,m) in enumerate(v.masks.items()): o.contour(m, [.5], colors=f'C{k}', linewidths=.6)
for o in ax: o.axis('off')
plt.savefig(buf := BytesIO(), format='jpg', dpi=75, pil_kwargs=dict(quality=70)); plt.close()
display(Image(buf.getvalue()))
for s in long[:3]: print(s.id, s.info['state']['change'])

# %% [32] Speed and memory
known = Path('../../results/phantom_speed.json')
known = json.loads(known.read_text(encoding='utf-8')) if known.exists() else None
def speed(r):
    "A size as a row, films per second."
    return {'level': r.get('difficulty', 'standard'), 'px': r['size'],
            'aim': r['aim'], f"{r['workers']} processes": r['many'], 'one process': r['one'],
            'per s of processor': r['cpu'], 'load': f"{min(r['load'])} to {max(r['load'])}"}

if known:
    print(f"{known['cores']} cores; {known['provenance']['date']}, commit {known['provenance']['commit']}; "
          f"the same bytes in two processes: {len(set(known['bytes']['hashes'])) == 1}")
    display(pd.DataFrame(map(speed, known['rows'])).set_index(['level','px']).round(1))
    m = known['memory']; peaks = [o['peak'] for o in m['marks']]
    display(pd.DataFrame(m['marks'])[['films','peak','cpu','load']].round(1).rename(columns=dict(
        peak=f"peak, MB ({m['size']} px)", cpu='films per s of processor')).set_index('films'))
    assert max(peaks) < 1.05*peaks[0] and all(r['many'] > r['aim'] for r in known['rows'] if r['aim'])
else: print('not run')

# %% [34] phantom-v1
from medvl.phantom.set import (SIGNATURE, V1, phantom_v1, v1_hashes)

# %% [35] phantom-v1
H = v1_hashes(); test_eq(H['text'], V1['text'])
test_close(H['signature'], V1['signature'], 1.)
print('films equal to the byte' if H['films'] == V1['films'] else 'films equal within rounding: another processor')
test_fail(lambda: phantom_v1('dev'), contains="'dev'")
