# nbs/data/45_mix.ipynb: runs against the imported medvl.data.mix.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Several sources
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any
import numpy as np
from torch import Tensor
from medvl.core import MedvlError
from medvl.data.batch import StudyData, StudyDL, StudyLoaders, readable
from medvl.data.disease import Templates, disease_prompt
from medvl.data.study import Sample

# %% [4] Several sources
from types import SimpleNamespace
from fastcore.test import *
from medvl.data.disease import PROMPT_FIELDS, load_templates
from medvl.data.preset import Preset
from medvl.data.study import View
from medvl.data.tokens import train_tokenizer
from medvl.data.batch import dataloaders
from medvl.toy import square_sample

# %% [6] What a sample can do alone
from medvl.data.mix import (KINDS, kind_of, one_side)

# %% [7] What a sample can do alone
rng = np.random.default_rng(0)
pair = square_sample(0, 4, rng)
film = replace(pair, text='', labels={'Edema': 1}); bare = one_side(film, 'films'); note = one_side(pair, 'reports')
test_eq([kind_of(s) for s in (pair, film, bare, note, one_side(bare, 'reports'))],
        ['pairs', 'labels', 'films', 'reports', ''])
test_eq(kind_of(replace(film, labels={'Edema': -1})), 'films')                # uncertain: nothing is known
test_fail(lambda: kind_of(replace(film, labels={'Gout': 1})), contains="label 'Gout' has no prompt")

# %% [9] A source
from medvl.data.mix import (Source, unpaired)

# %% [10] A source
every = [pair, film, bare]
a = unpaired(every, 'A'); print(a, a.left_out)
test_eq((a.kind, len(a.samples), a.left_out), ('labels', 1, {'pairs': 1, 'films': 1}))
test_eq(a.words(), ['There is edema.'])
test_eq([len(unpaired(every, 'A', k).samples) for k in ('films','reports')], [3, 1])
test_eq(unpaired(every, 'A', 'reports').samples[0].text, pair.text)
test_fail(lambda: unpaired([pair], 'A'), contains='A has no unpaired sample: of 1 samples 1 are pairs')
test_fail(lambda: unpaired([bare], 'A', 'labels'), contains='A has no films with labels')
test_fail(lambda: unpaired([film, note], 'A'), contains='choose: labels=PATH, films=PATH or reports=PATH')
test_fail(lambda: unpaired([film], 'A', 'both'), contains="kind is 'both'")
odd = replace(film, labels={'Gout': 1})
test_fail(lambda: unpaired([odd], 'A'), contains="label 'Gout' has no prompt")
test_eq(unpaired([odd], 'A', 'films').samples[0].labels, {})                  # as the message says

# %% [12] Whether a method can use it
from medvl.data.mix import (for_method)

# %% [13] Whether a method can use it
class Pairs(SimpleNamespace):
    unpaired, weights, fields, positives = dict(labels=('glob',)), dict(glob=1.), ('img','txt'), True
class Both(Pairs):
    unpaired, weights = dict(labels=('prompt',), films=('mim',)), dict(prompt=1., mim=0.)
    fields = ('img','txt','prompt')
test_eq(for_method(Pairs(), a).samples[0].text, 'There is edema.')
test_eq(for_method(Both(), a).samples[0].text, '')                            # it has a field of its own
v2 = load_templates('disease-v2')
b = unpaired([replace(a.samples[0], labels={'Edema': 1, 'Fracture': 0})]*9, 'B', t=v2)
test_eq({s.text for s in for_method(Pairs(), b, v2).samples},
        {'There is edema.', 'There is edema. There is no fracture.'})
assert 'There is no hernia.' in b.words()  # for a tokenizer: all that may be said
test_fail(lambda: for_method(Pairs(positives=False), a), contains='--set positives=true')
test_fail(lambda: for_method(Both(), unpaired(every, 'A', 'films')),
          contains='Both has no term for films alone (A); it takes films with labels')
test_fail(lambda: for_method(Pairs(), unpaired(every, 'A', 'reports')), contains='no term for reports alone')

# %% [15] Turns
from medvl.data.mix import (parse_ratio, turns, stream)

# %% [16] Turns
test_eq(turns([3,3]), [0,1,0,1,0,1]); test_eq(turns([2,1,4]), [2,0,2,1,2,0,2])
test_eq(parse_ratio('2:1', 1), [2.,1.]); test_eq(parse_ratio(None, 2), [1.,1.,1.])
for bad in ('2', '1:0', '1:x', '1:2:3'): test_fail(lambda: parse_ratio(bad, 1), contains='expected 2 positive')
s = stream(5, 0, 13); test_eq([sorted(s[:5]), sorted(s[5:10])], [list(range(5))]*2)
test_eq(stream(5, 3, 9), s[3:12])                                            # any stretch, without what is before it

# %% [18] The loader
from medvl.data.mix import (MixedDL, shares)

# %% [20] The loader
from medvl.data.mix import (mixed)

# %% [22] The loader
rng = np.random.default_rng(0)
rows = [square_sample(i, 24, rng) for i in range(24)]
def films(n, seed, side=(32,32), **kw):
    r = np.random.default_rng(seed)
    return [replace(rows[0], slots=(View(id=f'f{seed}.{i}', px=r.integers(0, 255, side).astype('uint8')),)+(None,)*3,
                    id=f'f{seed}.{i}', **(dict(text='', labels={}) | kw)) for i in range(n)]
B = films(6, 1, (50,41), labels={'Edema': 1, 'Fracture': 0})+films(6, 2, labels={'No Finding': 1})
notes = [one_side(replace(s, id=f'n{i}'), 'reports') for i,s in enumerate(rows[:7])]
sources = [unpaired(B, 'B'), unpaired(films(9, 3), 'C'), unpaired(notes, 'D')]
tok = train_tokenizer([s.text for s in rows]+['There is edema. There is no finding.']*2, 100, min_frequency=1)
pairs = dataloaders(rows, tok, Preset('toy', 32, 32, 32, .3, .2), bs=4, max_len=16, fields=PROMPT_FIELDS)
dls = mixed(pairs, sources, '2:1:1:2')
for b, ids in list(dls.train)[:8]:
    has = dict(film=b.img_msk.any(1), report=b.txt_msk.any(1), prompt=(b['prompt'] >= 0).any(1))
    print(f"{dls.train.source(ids):6}", b.img[:,0].shape[1:], {k: int(v.sum()) for k,v in has.items()})

# %% [23] The loader
dl = dls.train
test_eq(dl.batches, [4,2,2,4]); test_eq(len(dl), 12)
def went(dl): return [ids.tolist() for _,ids in dl]
one = went(dl); test_eq(one, went(dl))
test_eq([{dl.of([i]) for i in o} for o in one], [{k} for k in turns([4,2,2,4])])     # each batch of one source
test_eq(sorted(i for o in one for i in o if i < 16), list(range(16)))                # one pass through the pairs
test_eq([o for o in one if max(o) < 16], went(pairs.train))                          # in the order they have alone
dl.start = 5; test_eq(went(dl), one[5:]); test_eq(len(dl), 7); dl.start = 0          # a run goes on in the middle
seen = sum((went(dl) for dl.dataset.epoch in range(3)), []); dl.dataset.epoch = 0    # B: 12 films, 8 an epoch
test_eq(sorted(i for o in seen for i in o if dl.of([i]) == 1), sorted([*range(16,28)]*2))
assert all((kind_of(s), s.labels) == ('films', {}) for s in dl.dataset.samples[28:37])
test_eq([dl.paired([i]) for i in (0, 16, 28, 37)], [True, False, False, False])
by = {dl.source(ids): b for b,ids in dl}
test_eq(by['B']['prompt_id'].unique().numel() <= 2, True)                             # equal prompts share a number
test_eq(dls.config()['sources'][1], dict(name='B', kind='labels', samples=12, ratio=1., batches=2, left_out={}))

# %% [25] Wrong input
test_fail(lambda: mixed(pairs, [unpaired(films(3, 4), 'E')]), contains='E has 3 films alone, fewer than a batch of 4')
test_fail(lambda: mixed(pairs, sources, '1:1'), contains="ratio is '1:1'; expected 4 positive numbers")
test_fail(lambda: mixed(pairs, [sources[0]]*2), contains='sources need names of their own; got pairs, B, B')
gone = replace(B[0], labels={}, slots=(View(id='x', path='/no/film.png'),)+(None,)*3)
test_fail(lambda: mixed(pairs, [unpaired([gone]*4, 'E')]), contains='no such file')

# %% [27] Wrong input
many = Source('many', 'films', films(1, 5)*160_000)
big = mixed(pairs, [many], epochs=3).train
print(big.batches, big.sizes, len(big)); test_eq((big.batches, big.sizes), ([4,4], [16,48]))
test_eq(len({i for big.dataset.epoch in range(3) for i in sum(went(big), []) if i >= 16}), 48)
