# nbs/run/31_published.ipynb: runs against the imported medvl.run.published.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Published tests on your copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from medvl.run.data import read, read_rsna_set, units
from medvl.run.score import Scoring, eval_loader

# %% [4] Published tests on your copy
from fastcore.test import *

# %% [6] Names
from medvl.run.published import (protocols_of)

# %% [7] Names
test_eq([p.id for p in protocols_of('chexpert5x200')], ['chexpert5x200-i2t-v1','chexpert5x200-zs-v1'])
test_eq([p.id for p in protocols_of('rsna-zs-v1')], ['rsna-zs-v1'])
test_fail(lambda: protocols_of('rsna-zs'), contains="no protocol 'rsna-zs'; there are chexpert5x200-i2t-v1")

# %% [9] The sets
from medvl.run.published import (Asked, five)

# %% [11] The sets
from medvl.run.published import (eight)

# %% [13] The sets
from medvl.run.published import (rsna)

# %% [15] Scoring a model
from medvl.run.published import (ask, num, in_line)

# %% [16] Scoring a model
test_eq(num(dict(value=.5, low=.25, high=None)), '0.500 [0.250, -]')
print(in_line(dict(protocol='x-v1', hash='ab12', set='cd', films=9, chance=.2, 
                   metrics={'P@5': dict(value=.3, low=.1, high=.4)})))
