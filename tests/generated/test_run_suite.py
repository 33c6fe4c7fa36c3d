# nbs/run/33_suite.ipynb: runs against the imported medvl.run.suite.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Zero-shot on several sets
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any
from medvl.run.data import read, units
from medvl.run.score import Scoring, eval_loader

# %% [4] Zero-shot on several sets
import contextlib, io, tempfile
from fastcore.test import *
from medvl.core import MedvlError
from medvl.data.manifest import write_manifest
from medvl.phantom.set import phantom_studies
from medvl.readers.rehearsal import WRITERS
from medvl.run.model import shipped
from medvl.run.score import loaded

# %% [6] Wordings
from medvl.run.suite import (wordings, prompt_set)

# %% [7] Wordings
for k,(pos,neg) in wordings().items(): print(f'{k:10} {pos}  {neg}')
test_eq(prompt_set('there is', ['Effusion','COVID-19']).classes['Effusion'],
        dict(pos=['There is pleural effusion.'], neg=['There is no pleural effusion.']))
test_eq(prompt_set('plain', ['COVID-19']).classes['COVID-19']['neg'], ['No COVID-19'])
test_fail(lambda: prompt_set('loud', ['Edema']), contains="unknown wording 'loud'; known: there is")

# %% [9] The sets
from medvl.run.suite import (Test, NIH14, FIVE, SUITE, parts_of)

# %% [11] The sets
tmp = tempfile.TemporaryDirectory(); root, made = Path(tmp.name), phantom_studies(36, seed=4, size=64)
dirs, quiet = {}, contextlib.redirect_stdout(io.StringIO())
for k,t in SUITE.items(): dirs[k] = WRITERS[t.layout](made, root/t.layout)
for k in SUITE:
    with quiet: test, val, how = parts_of(k, dirs[k])
    n = sum(any(s.labels.get(c) == 1 for c in SUITE[k].classes) for s in test)
    print(f'{k:12} {len(test)} test films, {n} with a finding; validation: {len(val)}, {how}')
    assert test and not {s.group for s in test} & {s.group for s in val}
with quiet: test_eq(parts_of('chestxray14', dirs['chestxray14'])[0][0].labels.keys() >= set(NIH14), True)
one = next(s for s in made if s.split == 'test' and s.frontals)
test, _, how = parts_of('rsna', [replace(one, labels={'No Finding': 1.})])       # no finding: all are absent
test_eq((test[0].labels['Pneumonia'], how), (0., 'none'))
test_fail(lambda: parts_of('mimic', root), contains="no set 'mimic' in the suite; there are chestxray14")
test_fail(lambda: parts_of('covidx', [replace(one, labels={'Edema': 1.})]),
          contains='covidx: no frontal film of the test or validation part')

# %% [13] The numbers
from medvl.run.suite import (at_best, ask_suite, suite_lines)

# %% [14] The numbers
model = loaded(shipped()['phantom-clip'])
a = Scoring(n_boot=200, precision='fp32', cache=root/'films', slots='current')
with quiet: got = {k: ask_suite(model, k, dirs[k], a) for k in SUITE}
for r in got.values(): print('\n'.join(suite_lines(r)))
r = got['rsna']['wordings']['there is']
test_eq(set(got), set(SUITE)); test_eq(set(got['rsna']['wordings']), set(wordings()))
assert all(r['at_best']['f1'] >= r['f1'] for r in got['chexpert']['wordings'].values() if r.get('f1') is not None)
import numpy as np
s, y = np.array([[.9],[.8],[.3],[.1],[.5]]), np.array([[1.],[0.],[1.],[0.],[np.nan]])      # by hand: cut below .3
test_eq(at_best(s, y, ['x']), dict(f1=.8, accuracy=.75, classes=dict(x=dict(f1=.8, accuracy=.75))))
test_eq(at_best(s, y*0, ['x'])['f1'], None)

# %% [16] Does the wording change the order?
from medvl.run.suite import (flips)

# %% [17] Does the wording change the order?
test_eq(flips(dict(x=dict(p=.7, q=.5), y=dict(p=.6, q=.6), z=dict(p=.1, q=.1))),
        [dict(a='x', b='y', a_ahead=['p'], b_ahead=['q'])])
test_eq(flips(dict(x=dict(p=.7, q=.5), y=dict(p=.6, q=.4))), [])
test_fail(lambda: flips(dict(x=dict(p=1), y=dict(q=1))), contains='not scored with the same wordings')
tmp.cleanup()
