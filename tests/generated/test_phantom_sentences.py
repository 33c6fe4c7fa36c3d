# nbs/phantom/41_sentences.ipynb: runs against the imported medvl.phantom.sentences.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Sentences
from collections.abc import Sequence
from dataclasses import dataclass, field
import numpy as np
from medvl.phantom.findings import Finding, grade, measure

# %% [4] Sentences
from fastcore.test import *
from medvl.phantom.findings import KINDS

# %% [6] Words
from medvl.phantom.sentences import (STEPS, DEFAULT_STEPS, NOUNS, CHANGE, ZONES)

# %% [8] Words
from medvl.phantom.sentences import (Claim, Report, STYLES, _a, _cap, Writer, where)

# %% [9] Words
w = Writer(np.random.default_rng(0)); f = Finding('consolidation', 'left', .9, lobe='lower', zone='lower')
test_eq({where(f, w) for _ in range(200)},
        {'left lower lobe','left lower zone','left lung base','left basal region','left lower lung'})
assert {w.step(f) for _ in range(50)} == {'extensive','dense','large'}

# %% [11] One finding, one sentence
from medvl.phantom.sentences import (phrase)

# %% [13] One finding, one sentence
from medvl.phantom.sentences import (_device)

# %% [15] One finding, one sentence
from medvl.phantom.sentences import (sentence, _hedged, _terse, _flowing)

# %% [16] One finding, one sentence
w = Writer(np.random.default_rng(1)); e = Finding('effusion', 'left', .6, id='e')
for st in STYLES:
    for ch in ('','worse'): print(f'{st:10}', sentence(e, w, st, ch)[0], '|', sentence(e, w, st, ch, vis=.15)[0])
assert len({sentence(e, w, 'flowing', 'worse')[0] for _ in range(300)}) > 60  # one state, many sentences
for _ in range(100):
    s,pol,c = sentence(e, w, 'flowing', 'worse'); s = s.lower()
    assert 'left' in s and 'right' not in s and pol == 'present'
    assert not any(o in s for o in ('decreased','improved','unchanged','stable'))
