# nbs/data/30_study.ipynb: runs against the imported medvl.data.study.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Studies
import html, re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Callable, Iterable, Mapping
import numpy as np
import pandas as pd
import xxhash
from matplotlib.axes import Axes
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm
from medvl.core import SLOTS, MedvlError
from medvl.data.identity import doubtful, say_doubtful
from medvl.data.image import read_image, set_bits
from medvl.data.pixels import Film, ImageError, as_film, file_hash, phash, pixel_hash
from medvl.data.show import Rows, cards, clipped, counted

# %% [4] Studies
import pickle, tempfile
from dataclasses import replace
from datetime import timezone
from pathlib import Path
import matplotlib.pyplot as plt
from PIL import Image
from fastcore.test import *
from medvl.phantom.set import phantom_studies

# %% [6] A film, a visit, a unit
from medvl.data.study import (Box, View)

# %% [8] A film, a visit, a unit
from medvl.data.study import (Time, Study, present, Sample)

# %% [9] A film, a visit, a unit
v = View(id='a', path='a.png', pos='PA'); s = Study('p1', 's1', 0., [View(id='l', kind='lateral'), View(id='b'), v])
test_eq([o.id for o in s.frontals], ['a','b']); test_eq([o.id for o in s.laterals], ['l']); test_eq(s.group, 'p1')
test_fail(lambda: View(id='x', kind='PA'), contains="view 'x': kind is 'PA'")
test_fail(lambda: View(id='x').film(), contains="film 'x' has neither a file nor pixels")
test_fail(lambda: View(id='x').content(), contains='neither a file nor pixels')
px = np.random.default_rng(0).integers(0, 255, (64,48), np.uint8)
with tempfile.TemporaryDirectory() as d:
    Image.fromarray(px).save(Path(d)/'a.png')
    disk, memory = View(id='a', path=f'{d}/a.png'), View(id='a', px=px)
    test_eq(disk.film().px, memory.film().px)
    test_eq([View(info=dict(png_bits=o)).bits for o in ('12','12.0','many','',8)], [12,12,None,None,None])
    test_eq(disk.content(), file_hash(f'{d}/a.png')); test_ne(disk.content(), memory.content())

# %% [11] A film, a visit, a unit
shown = phantom_studies(3, seed=2, size=128, difficulty='easy')
study = next(s for s in shown if s.prior and s.laterals)
print(study.views[0]); print(study)
many = {f'finding {i}': 1 for i in range(50)}
long = Study('p'*300, 's'*300, 2., study.views*50, 'word '*3000, many, info=dict(a='b'*9000))
assert 'day 2, 50 frontals' in repr(long) and len(repr(long)) < 300
assert len(repr(shown)) < 1500 and len(repr(study.views[0])) < 200
assert 'finding 0, finding 1, finding 2, finding 3, ...; report of 3,000 words' in repr(long)
test_eq(repr(Study('p', 's')), 'Study s: patient p; no film; no report')
assert study._repr_html_().count('<img') == len(study.views) and study.report in study._repr_html_()
assert 'no such file' in View('gone.png', 'gone')._repr_html_() and len(shown._repr_html_()) < 100_000
study

# %% [13] A film, a visit, a unit
from medvl.data.study import (share_bits, bits_text)

# %% [14] A film, a visit, a unit
with tempfile.TemporaryDirectory() as d:
    for i in range(10): Image.fromarray(px.astype(np.uint16)*(2 if i < 2 else 16)).save(f'{d}/{i}.png')
    films, said = [View(id=str(i), path=f'{d}/{i}.png') for i in range(10)], []
    alone = films[0].film().px.max(); share_bits([Study('p', 's', views=films)], said.append)
    test_eq(films[0].bits, 12); test_close(alone/films[0].film().px.max(), 4095/1023, eps=.01)
    share_bits([Study('p', 's', views=films)], said.append); test_eq(len(said), 1); print(said[0])

# %% [16] A film, a visit, a unit
far = None
for i in range(300): far = Study('p', f's{i}', float(i), [View(id=f'v{i}')], prior=far)
back, n = pickle.loads(pickle.dumps(far)), 0
while back is not None: back, n = back.prior, n+1
test_eq(n, 300)

# %% [18] The prior
from medvl.data.study import (days_between, link_priors, link_one)

# %% [19] The prior
def visit(p, id, time, kinds='f', **kw):
    "A study with frontals (f) and laterals (l), for examples."
    return Study(p, id, time, [View(id=f'{id}{k}{i}', kind=dict(f='frontal', l='lateral')[k])
                               for i,k in enumerate(kinds)], **kw)

a, b, c, d, e = (visit('p1','a',0.), visit('p1','b',3.,'l'), visit('p1','c',7.,'fl'), visit('p1','d',None),
                 visit('p2','e',9.))
said = []
test_eq(link_priors([e,d,c,b,a], say=said.append), [e,d,c,b,a])
test_eq([o.prior and o.prior.id for o in (a,b,c,d,e)], [None,'a','a',None,None])  # b has no frontal: it is no prior
test_eq(said, ['priors: 2 linked, 1 have no time'])
test_eq(link_priors([a,c], max_days=5, say=None)[1].prior, None)
x, y, z = visit('p','x',1.), visit('p','y',1.), visit('p','z',2.)
link_priors([z,y,x]); test_eq((x.prior, y.prior, z.prior.id), (None, None, 'x'))
day = lambda d: datetime(2020,1,d)
m, n = link_priors([visit('q','m',day(1)), visit('q','n',day(3))], say=None); test_eq(n.prior.id, 'm')
test_eq(days_between(m.time, n.time), 2.)
test_fail(lambda: link_priors([visit('q','m',day(1)), visit('q','n',3.)]),
          contains='patient q: some studies have a date')
zone = datetime(2020,1,2,tzinfo=timezone.utc)
test_fail(lambda: link_priors([visit('q','m',day(1)), visit('q','n',zone)]), contains='some times have a time zone')
names = [visit(p,f'{p}{i}',float(i),info=dict(sex=s)) for p in ('ANONYMOUS','p3','p4') for i,
    s in enumerate(dict(p3='FM').get(p, 'FF'))]
test_eq([o.prior and o.prior.id for o in link_priors(names)], [None]*5+['p40'])

# %% [21] Samples: four slots and a text
from medvl.data.study import (samples, slots)

# %% [22] Samples: four slots and a text
s = visit('p1','c',7.,'flf', report='Clear.'); s.prior = visit('p1','a',0.,'lff'); s.frontals[1].text = 'Film note.'
ids = lambda o: tuple(v and v.id for v in o.slots)
one, = samples([s]); test_eq(ids(one), ('cf0','cl1','af1','al0')); test_eq((one.id, one.text), ('c','Clear.'))
two = samples([s], per='image', text=str.upper)
test_eq([(o.id, o.text) for o in two], [('cf0','CLEAR.'),('cf2','FILM NOTE.')])
test_eq(ids(samples([e])[0]), ('ef0',None,None,None)); test_eq(samples([e])[0].text, '')
s.frontals[0].prior = s.prior.frontals[1]  # the prior's second film, with the prior's lateral
test_eq(ids(samples([s])[0]), ('cf0','cl1','af2','al0'))
s.frontals[0].prior = View(id='told'); s.frontals[0].lateral = View(id='told too', kind='lateral')
# the explicit prior isn't of study a: that study's lateral isn't its lateral
test_eq(ids(samples([s])[0]), ('cf0','told too','told',None))
test_eq(len(samples([s,e,b], need_text=True)), 1)
test_fail(lambda: samples([s], per='patient'), contains="'study' or 'image'")
test_fail(lambda: samples([s], split='val'), contains="split='val' of {None: 1}")

# %% [24] A patient's timeline
from medvl.data.study import (show_timeline)

# %% [25] A patient's timeline
show_timeline(link_priors([visit('p1','a',0.,'fl'), visit('p1','b',3.,'l'), visit('p1','c',7.,'ffl'),
                           visit('p1','d',12.), visit('p1','e',None)], say=None))
test_fail(lambda: show_timeline([a,e]), contains="['p1', 'p2']")

# %% [27] Splits
from medvl.data.study import (split_by_patient)

# %% [28] Splits
many = split_by_patient([visit(f'p{i}', f's{i}', 0.) for i in range(5000)])
n = Counter(o.split for o in many); print(dict(n))
test_close(np.array([n['train'], n['val'], n['test']])/5000, [.7,.1,.2], eps=.02)
few = split_by_patient([visit(f'p{i}', f't{i}', 1.) for i in range(0,5000,7)])
test_eq([o.split for o in few], [o.split for o in many[::7]])                   # the others don't matter
test_eq({o.split for o in split_by_patient([visit('p1','a',0.,group='g'), visit('p2','b',0.,group='g')])},
        {split_by_patient([visit('g','c',0.)])[0].split})
test_ne([o.split for o in split_by_patient(few, salt='other')], [o.split for o in many[::7]])
said = []; hidden = split_by_patient([visit('0',f'x{i}',None) for i in range(40)]+[visit('p1','a',0.)],
    say=said.append)
test_eq(len({o.split for o in hidden[:40]}), 1); print(said[0])
assert said[0].startswith("split: 40 of 41 studies have an id that is no proof of one person ('0': a placeholder)")
test_fail(lambda: split_by_patient(few, train=.9), contains='0.9+0.1+0.2 = 1.2')

# %% [30] Leakage
from medvl.data.study import (near_pairs, fingerprint, alike)

# %% [31] Leakage
h = np.array([0b0000, 0b0111, 0b1111], np.uint64)
test_eq([list(o) for o in near_pairs(h, h, 1)], [[0,1,1,2,2], [0,1,2,1,2]])
test_eq(near_pairs(h[:0], h, 1)[0].size, 0)
rng = np.random.default_rng(0); big = rng.integers(0, 2**63, (3000,), dtype=np.uint64)
slow = [(i,j) for i,x in enumerate(big[:300].tolist()) for j,y in enumerate(big.tolist()) if (x^y).bit_count() <= 18]
test_eq(list(zip(*near_pairs(big[:300], big, 18))), slow)
test_close(alike(np.array([[1,2,3],[1,2,3]]), np.array([[10,20,30],[3,2,1]])), [1,-1])

# %% [33] Leakage
from medvl.data.study import (LEAKS, Leakage, crossings)

# %% [34] Leakage
rows, n = crossings('text', [('x','train','1'), ('x','train','2'), ('x','test','3'), ('y','val','4')])
test_eq(n, 2); test_eq(rows, [dict(kind='text', key='x', a='1', split_a='train', b='3', split_b='test')])

# %% [35] Leakage
from medvl.data.study import (plain, leakage, attempt, near_films)

# %% [37] Leakage
import torch
from torch.nn.functional import interpolate
gen = np.random.default_rng(3)
def drawn():
    "A smooth random picture."
    soft = interpolate(torch.from_numpy(gen.random((1,1,9,8))), (96,80), mode='bicubic').clamp(0, 1)
    return np.uint8(255*soft[0,0].numpy())
def study(i, split, **kw):
    return Study(f'p{i}', f's{i}', float(i), [View(id=f'f{i}', px=drawn())], f'Report number {i}.', split=split, **kw)
clean = [study(i, s) for i,s in enumerate(['train']*3+['val']+['test']*2)]
rep = leakage(clean, near=8); print(rep); test_eq(rep.ok, True); test_eq(len(rep.table()), 0)

copy = Study('p7', 's7', 0., [View(id='copy', px=clean[0].views[0].px)], split='test')
dark = Study('p8', 's8', 0., [View(id='dark', px=np.uint8(clean[1].views[0].px[::2,::2]*.7+10))],
             report='report NUMBER  1', split='test')
again = Study('p2', 's9', 4., [View(id='f9', px=drawn())], split='val')
rep = leakage(clean+[copy,dark,again], near=8); print(rep)
test_eq(rep.ok, False); test_eq(rep.count, dict(patient=1, group=1, film=1, near=2, text=1))
rep.table()

# %% [39] Leakage
test_eq(leakage(samples(clean+[copy,dark,again], say=None), near=8).count, rep.count)
alone = [replace(clean[0], report='Clear.'), replace(clean[4], report='CLEAR')]
test_eq((leakage(alone).ok, leakage(alone).count['text']), (True, 1)); print(leakage(alone))
gone = leakage([Study('a','a',None,[View(path='no/such.png', id='x')], split='train'), *clean]); print(gone)
test_eq('no/such.png' in gone.skipped['unreadable'], True)
masked = [replace(clean[0], patient='ANONYMOUS', group='ANONYMOUS'), replace(clean[4], patient='ANONYMOUS',
    group='ANONYMOUS')]
rep = leakage(masked); print(rep); test_eq((rep.ok, rep.unknown, rep.checked['patient']), (True, 2, 0))
assert str(rep).startswith('no leak found') and 'patient not looked at: 2 of 2 have an id' in str(rep)
test_eq('one split only' in str(leakage(clean[:2])), True)
