# nbs/eval/15_coverage.ipynb: runs against the imported medvl.eval.coverage.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Coverage
from collections.abc import Mapping, Sequence
import math
import matplotlib.pyplot as plt
from medvl.core import MedvlError

# %% [4] Coverage
import json
import pandas as pd
from fastcore.test import *
from medvl.eval.results import result_files

# %% [6] The precision of the simulation
from medvl.eval.coverage import (margin)

# %% [7] The precision of the simulation
test_close(margin(250), .027, eps=1e-3); test_close(margin(1, .5), .98)
test_fail(lambda: margin(0), contains='got 0')

# %% [9] Coverage by number of films and prevalence
from medvl.eval.coverage import (coverage_figure)

# %% [10] Coverage by number of films and prevalence
res = result_files('../../results')['coverage']; cells = res['cells']
fig = coverage_figure(cells); plt.show()
test_fail(lambda: coverage_figure(cells, 7), contains='no simulation with 7 films')

# %% [12] Coverage by number of films and prevalence
fig = coverage_figure(cells, 4); plt.show()

# %% [13] Coverage by number of films and prevalence
shown = pd.DataFrame([o for o in cells if o['sets'] >= 50])
def cover(o):
    return pd.Series({'lowest before': o.before.min(), 'lowest now': o.now.min(), 'median before': o.before.median(),
                      'median now': o.now.median(), 'width ratio': (o.width_now/o.width_before).median()})
shown.groupby(['films_of_a_patient','n','score']).apply(cover, include_groups=False).round(2)

# %% [14] Coverage by number of films and prevalence
bounded = shown[(shown.score != 'mean') & (shown.n >= 100)]
print(f"{len(bounded)} settings of bounded scores with 100 films or more: below 92 % before "
      f"{(bounded.before < .92).sum()}, now {(bounded.now < .92).sum()}; "
      f"margin of chance {100*margin(res['arguments']['reps']):.1f} points")
assert bounded.now.min() > .89 > bounded.before.min()
assert (bounded.now < .92).mean() < .1 and bounded.now.median() >= .94

# %% [16] Differences of equal systems
tests = pd.DataFrame([o for o in res['tests'] if o['pairs'] >= 50])
print('p < .05, over all settings:', tests[['before','now']].mean().round(3).to_dict())
assert tests.now.mean() < .06 < tests.before.mean()
tests.pivot_table(index=['films_of_a_patient','n'], columns='score', values=['before','now']).round(3)

# %% [18] Time
pd.DataFrame(res['speed']).T.round(1)
