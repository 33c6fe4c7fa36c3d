# nbs/methods/00_recipe.ipynb: runs against the imported medvl.methods.recipe.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Recipes
from dataclasses import asdict, dataclass, fields, replace
from typing import Any
import pandas as pd
from fastcore.docments import docments
from medvl.core import MedvlError
from medvl.files import jsonable
from medvl.data.preset import Preset

# %% [4] Recipes
import json
from fastcore.test import *

# %% [6] The object
from medvl.methods.recipe import (Recipe)

# %% [7] The object
r = Recipe(samples=96)
test_eq((r.bs, r.accum, r.stop_at), (None, 1, None))
test_fail(lambda: setattr(r, 'wd', 0), contains='wd')  # frozen: a run cannot change it behind one's back

# %% [9] Overriding a recipe
from medvl.methods.recipe import (_names, but)

# %% [10] Overriding a recipe
mine = but(r, epochs=5, wd=None)
test_eq((mine.epochs, mine.wd, r.epochs), (5, .05, 100))
test_fail(lambda: but(r, learning_rate=1), contains="no 'learning_rate'")

# %% [12] One step, on any number of processes
from medvl.methods.recipe import (one_step)

# %% [13] One step, on any number of processes
contrast, masked = Recipe(samples=96), Recipe(samples=256, bs=32, accum=None)
both = dict(contrast=contrast, masked=masked)
display(pd.DataFrame({(name, w): one_step(o, w) for name,o in both.items() for w in (1,2,4)}).T)
test_eq([one_step(contrast, w)['bs'] for w in (1,2,4)], [96,48,24])
test_eq([one_step(masked, w)['accum'] for w in (1,2,4)], [8,4,2])
test_close(one_step(contrast)['lr'], 5.625e-5, eps=1e-12)   # ALTA's
test_close(one_step(masked)['lr'], 1.5e-4, eps=1e-12)       # MRM's

# %% [15] One step, on any number of processes
test_close(one_step(but(contrast, bs=24))['lr'], 1.5e-4*24/256, eps=1e-12)
test_eq(one_step(but(masked, bs=64))['accum'], 4)
test_eq(one_step(but(contrast, lr=1e-3))['lr'], 1e-3)
test_fail(lambda: one_step(contrast, 5), contains='96 samples can\'t be shared by 5 processes')
test_fail(lambda: one_step(but(masked, bs=48)), contains='batches of 48')
test_fail(lambda: one_step(but(contrast, bs=0)), contains='bs=0')
for v in (0., -1., float('nan')):
    test_fail(lambda: one_step(but(contrast, lr=v)), contains=f'lr={v}; expected a positive')

# %% [17] As a table
from medvl.methods.recipe import (_FILM, recipe_table)

# %% [18] As a table
from medvl.methods.recipe import recipe_table  # the comments are those of the module's file
table = recipe_table(contrast, 'alta', mask=(.75, 'share of patches hidden'))
display(table)
test_eq(list(table.value[['samples','films: std','mask']]), ['96', '0.2834', '0.75'])
assert all(isinstance(table.meaning[k], str) and len(table.meaning[k]) > 3 for k in _names() if k != 'origin')

# %% [20] Of a method
from medvl.methods.recipe import (SMALL, recipe_of, recipe_dict)

# %% [21] Of a method
class Toy: recipes = dict(full=contrast)
test_eq(recipe_of(Toy).samples, 96); test_eq(recipe_of(Toy(), 'small'), SMALL)
test_eq(recipe_of(object).origin, 'defaults')
test_fail(lambda: recipe_of(Toy, 'tiny'), contains="'tiny'")
back = json.loads(json.dumps(recipe_dict(contrast)))
test_eq(Recipe(**{**back, 'betas': tuple(back['betas'])}), contrast)
