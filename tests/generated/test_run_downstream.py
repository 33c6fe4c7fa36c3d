# nbs/run/81_downstream.ipynb: runs against the imported medvl.run.downstream.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Downstream tasks
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from medvl.run.data import read, units
from medvl.run.folder import found

# %% [4] Downstream tasks
import tempfile
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
test_fail(lambda: tower_of('phantom-clip', preset='imagenet'), contains='size 128 against 224')

# %% [9] The films
from medvl.run.downstream import (Films, films_of)

# %% [10] The films
tmp = tempfile.TemporaryDirectory(); root, own = Path(tmp.name), phantom_studies(20, seed=5, size=128)
f = films_of(own, clip); print(f.facts['splits'])
test_eq(sum(o['films'] for o in f.facts['splits'].values()), len(f.samples))
assert not set(f.group('train')) & set(f.group('test')) and 'Edema' in {k for s in f.samples for k in s.labels}
some = films_of(own, clip, keep=lambda s: s.labels.get('No Finding') != 1)
assert 0 < len(some.samples) < len(f.samples); test_eq(some.facts['not_used'], len(f.samples)-len(some.samples))
test_fail(lambda: films_of(own, clip, column='nothing'), contains="column 'nothing'")

# %% [12] Steps that are not done twice
from medvl.run.downstream import (Steps)

# %% [13] Steps that are not done twice
calls = []; make = lambda: calls.append(1) or dict(auroc=.75)
for _ in range(2): test_eq(Steps(root/'run', clip)('share 1, seed 0', make), dict(auroc=.75))
test_eq(len(calls), 1); Steps(root/'run', blank)('share 1, seed 0', make); test_eq(len(calls), 2)  # another tower
Steps(root/'run', clip, force=True)('share 1, seed 0', make); test_eq(len(calls), 3)
test_eq(Steps(None, clip)('x', make), dict(auroc=.75))

# %% [14] Steps that are not done twice
tmp.cleanup()
