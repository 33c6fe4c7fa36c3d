# nbs/run/60_cost.ipynb: runs against the imported medvl.run.cost.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] What a step costs
from collections.abc import Iterator, Sequence
from medvl.run.run import Run

# %% [4] What a step costs
import pandas as pd
from fastcore.test import *

# %% [6] Systems
from medvl.run.cost import (SYSTEMS, systems_of, one_system, _vocab)

# %% [7] Systems
test_eq([o[0] for o in systems_of(['mrm','alta clean'])], ['mrm', *(f'alta clean, {n} films' for n in (1,2,3,4))])
test_fail(lambda: list(systems_of(['blip'])), contains="unknown system 'blip'")
test_eq([o[:1]+o[2:] for o in systems_of(['gloria'])], [('gloria', 1, False)])
rows = {o[0]: one_system(*o, 'small', 2, 0) for o in systems_of(['alta clean','clip','clip lora','gloria','plan'])}
M = pd.DataFrame(rows).T[['forward','backward','trainable']]
display(M.map('{:,}'.format))
costs = [rows[f'alta clean, {n} films']['forward'] for n in (1,2,3,4)]
test_eq(1 < costs[3]/costs[0] < 4, True)                        # the report is there once, whatever the films
test_eq(rows['clip']['forward'] < rows['clip lora']['forward'], True)               # the low-rank parts are extra
test_eq(rows['clip lora']['backward'] < rows['clip']['backward'], True)             # but most weights want no gradient

# %% [9] Systems
from medvl.run.cost import (whole)

# %% [11] The two claims of the abstract
from medvl.run.cost import (readings, in_table)

# %% [13] The two claims of the abstract
four = dict(trainable=8, parameters=100, film_adapters=3, film_tower=60, forward=1, total=2)
made = {'alta faithful, 4 films': four, 'mrm': dict(trainable=60, forward=1, total=1)}
w = whole(made, 20, [10, 20], 200, 30); test_eq((w['ratio'], w['below']), ({'10': .15, '20': .3}, 13))
said = readings(made, w); print(in_table(said, w))
test_eq([r['holds'] for r in said], [True, False, False, False, False, True, False])
test_close([r['ratio'] for r in said], [.08, .05, 8/60, 1, 2, .15, .3])
test_eq((readings({}, {}), whole({}, 1, [1], 1, 1)), ([], {}))

# %% [14] The two claims of the abstract
from medvl.run.cost import (as_line)

# %% [15] The two claims of the abstract
print(as_line(rows['clip'])); assert as_line(rows['clip']).startswith('clip ') and 'train' in as_line(rows['clip'])
