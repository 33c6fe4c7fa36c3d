# nbs/run/81_downstream.ipynb: runs against the imported medvl.run.downstream.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Downstream tasks
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from medvl.run.data import named_in, read, units
from medvl.run.folder import found

# %% [4] Downstream tasks
from dataclasses import replace
import contextlib, io, tempfile
from PIL import Image
from fastcore.test import *

from medvl.phantom.set import phantom_studies

# %% [6] The tower
from medvl.run.downstream import (Transfer, tower_of)

# %% [7] The tower
clip, blank = tower_of('phantom-clip'), tower_of('random')
test_eq((clip.name, blank.name, clip.width, blank.width), ('phantom-clip', 'random 0', 128, 128))
assert clip.key() != blank.key() == tower_of('random:phantom-clip').key() != tower_of('random', seed=1).key()
test_eq(tower_of('phantom-mrm').preset.name, 'mrm-pocket')                               # an image-only tower
test_fail(lambda: tower_of('phantom-clap'), contains='phantom-clip')
test_fail(lambda: Transfer(seeds=0), contains='seeds=0, bs=32; expected 1 or more')
test_fail(lambda: tower_of('phantom-clip', preset='imagenet'), contains='size 128 against 224')

# %% [9] The films
from medvl.run.downstream import (Films, public_split, films_of)

# %% [10] The films
tmp = tempfile.TemporaryDirectory(); root, own = Path(tmp.name), phantom_studies(20, seed=5, size=128)
f = films_of(own, clip); print(f.facts['splits'])
test_eq(sum(o['films'] for o in f.facts['splits'].values()), len(f.samples))
assert not set(f.group('train')) & set(f.group('test')) and 'Edema' in {k for s in f.samples for k in s.labels}
some = films_of(own, clip, keep=lambda s: s.labels.get('No Finding') != 1)
assert f.key() == films_of(own, clip).key() and len({o.key() for o in (f, some)} | {f.key([1.])}) == 3
assert 0 < len(some.samples) < len(f.samples); test_eq(some.facts['not_used'], len(f.samples)-len(some.samples))
test_fail(lambda: films_of(own, clip, column='nothing'), contains="column 'nothing'")
test_fail(lambda: films_of(own, clip, Transfer(split='gloria')), contains="'gloria' is for the folder of a public set")

# %% [12] The films
from medvl.run.downstream import (rules, lineage_films, _mgca_chexpert)

# %% [13] The films
test_eq(rules(['zeros'], ['a','b']), 'zeros'); test_eq(rules(['ones','b=drop'], ['a','b']), dict(a='ones', b='drop'))
test_fail(lambda: rules(['ones','zeros'], ['a']), contains='ones and zeros')
test_fail(lambda: lineage_films('mrm-nih', root, clip), contains='needs its published lists')
test_fail(lambda: lineage_films('mrm-nih', root, clip, lists=root), contains='there is no')
test_fail(lambda: lineage_films('mgca', root, clip), contains='known: mgca-chexpert')
theirs = [replace(s, split='train' if i%3 else 'val') for i,s in enumerate(own)]
was = {s.id for s in theirs if s.split == 'val'}; _mgca_chexpert(theirs, 6)
test_eq({s.id for s in theirs if s.split == 'test'}, was)
where = [{s.split for s in theirs if s.group == g}-{'test'} for g in {s.group for s in theirs}]
assert max(map(len, where)) == 1 and 6 <= sum(len(s.frontals) for s in theirs if s.split == 'val') < 12

# %% [15] The films
nih = root/'nih'; (nih/'images').mkdir(parents=True); rows = []
for i,v in enumerate([v for s in own for v in s.frontals][:24]):
    name = f'{i//2:08}_{i%2:03}.png'; Image.fromarray(v.px).save(nih/'images'/name)
    rows.append(f"{name},{('Effusion','No Finding','Mass|Edema')[i%3]},{i%2},{i//2},50,M,PA,128,128,.1,.1")
head = 'Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,W,H,x,y'
(nih/'Data_Entry_2017.csv').write_text('\n'.join([head, *rows]))
for k,i in dict(train=slice(0, 12), val=slice(12, 18), test=slice(18, 24)).items():
    (nih/f'{k}.txt').write_text('\n'.join(r.split(',')[0] for r in rows[i]))
out = io.StringIO()
with contextlib.redirect_stdout(out): f, names, how, one = lineage_films('mrm-nih', nih, clip, lists=nih)
test_eq({k: len(v) for k,v in f.rows.items()}, dict(train=12, val=6, test=6))
test_eq((len(names), how, one), (14, 'ignore', False))
assert 'mrm-nih: (12, 6, 6) films; published: (78468, 11219, 22433)' in out.getvalue() and 'Effusion' in names

# %% [17] Steps that are not done twice
from medvl.run.downstream import (Steps)

# %% [18] Steps that are not done twice
calls = []; make = lambda: calls.append(1) or dict(auroc=.75)
for _ in range(2): test_eq(Steps(root/'run', clip)('share 1, seed 0', make), dict(auroc=.75))
test_eq(len(calls), 1); Steps(root/'run', blank)('share 1, seed 0', make); test_eq(len(calls), 2)  # another tower
Steps(root/'run', clip, force=True)('share 1, seed 0', make); test_eq(len(calls), 3)
Steps(root/'run', clip, data=f.key())('share 1, seed 0', make); test_eq(len(calls), 4)                   # other data
test_eq(Steps(None, clip)('x', make), dict(auroc=.75))

# %% [19] Steps that are not done twice
tmp.cleanup()
