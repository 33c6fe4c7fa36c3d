# nbs/data/30_study.ipynb: runs against the imported medvl.data.study.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Studies
import html
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Callable, Iterable, Mapping
import numpy as np
from matplotlib.axes import Axes
from medvl.core import SLOTS, MedvlError
from medvl.data.identity import doubtful, say_doubtful
from medvl.data.image import read_image, set_bits
from medvl.data.pixels import Film, ImageError, as_film, file_hash, pixel_hash
from medvl.data.show import Rows, cards, clipped, counted

# %% [4] Studies
import pickle, tempfile
from datetime import timezone
from pathlib import Path
import matplotlib.pyplot as plt
from PIL import Image
from fastcore.test import *
from medvl.phantom.set import phantom_studies

# %% [6] A film, a visit, a unit
from medvl.data.study import (Box, View)

# %% [8] A film, a visit, a unit
from medvl.data.study import (Time, Study)

# %% [10] A film, a visit, a unit
from medvl.data.study import (present, Sample)

# %% [11] A film, a visit, a unit
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

# %% [13] A film, a visit, a unit
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

# %% [15] A film, a visit, a unit
from medvl.data.study import (share_bits, bits_text)

# %% [16] A film, a visit, a unit
with tempfile.TemporaryDirectory() as d:
    for i in range(10): Image.fromarray(px.astype(np.uint16)*(2 if i < 2 else 16)).save(f'{d}/{i}.png')
    films, said = [View(id=str(i), path=f'{d}/{i}.png') for i in range(10)], []
    alone = films[0].film().px.max(); share_bits([Study('p', 's', views=films)], said.append)
    test_eq(films[0].bits, 12); test_close(alone/films[0].film().px.max(), 4095/1023, eps=.01)
    share_bits([Study('p', 's', views=films)], said.append); test_eq(len(said), 1); print(said[0])

# %% [18] A film, a visit, a unit
far = None
for i in range(300): far = Study('p', f's{i}', float(i), [View(id=f'v{i}')], prior=far)
back, n = pickle.loads(pickle.dumps(far)), 0
while back is not None: back, n = back.prior, n+1
test_eq(n, 300)

# %% [20] The prior
from medvl.data.study import (days_between, link_priors, link_one)

# %% [21] The prior
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

# %% [23] Samples: four slots and a text
from medvl.data.study import (samples, slots)

# %% [24] Samples: four slots and a text
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

# %% [26] A patient's timeline
from medvl.data.study import (show_timeline)

# %% [27] A patient's timeline
show_timeline(link_priors([visit('p1','a',0.,'fl'), visit('p1','b',3.,'l'), visit('p1','c',7.,'ffl'),
                           visit('p1','d',12.), visit('p1','e',None)], say=None))
test_fail(lambda: show_timeline([a,e]), contains="['p1', 'p2']")
