# nbs/data/14_show.ipynb: runs against the imported medvl.data.show.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Films in a notebook
import html
from collections.abc import Iterable
from typing import Any
from medvl.data.pixels import ImageError, first_line, thumbnail

# %% [4] Films in a notebook
from types import SimpleNamespace
from fastcore.test import *
from medvl.data.pixels import as_film
from medvl.phantom.set import phantom_studies

# %% [6] Cards
from medvl.data.show import (card, cards)

# %% [7] Cards
class Shown:
    "HTML as it is, for examples."
    def __init__(self, text): self.text = text
    def _repr_html_(self): return self.text

views = [s.frontals[0] for s in phantom_studies(4, seed=3, size=96, difficulty='easy')]
lost = SimpleNamespace(id='lost', film=lambda: as_film('no picture', 'lost.png'))
row = cards([*((v, v.id) for v in views[:3]), (lost, 'lost'), (None, 'no lateral')])
assert row.count('<img') == 3 and 'lost.png' in row and 'no film' in row and len(row) < 60_000
assert '<b>' not in card(None, '<b>')
Shown(row)

# %% [9] Short lists
from medvl.data.show import (Rows, counted, clipped)

# %% [10] Short lists
few = Rows(views)
print(few)
test_eq(few, views); test_eq(type(few[:2]), Rows); test_eq(type(few+few), Rows); test_eq(few[1], views[1])
assert len(repr(Rows(views*1000))) < 1000 and len(Rows(views*1000)._repr_html_()) < 100_000
test_eq(Rows().title, 'nothing (an empty list)'); test_eq(clipped('a  b\n'*40, 10), 'a b a b...')
test_eq([counted(1, 'film'), counted(2, 'study', 'studies')], ['1 film','2 studies'])
test_eq(counted(1200, 'film'), '1,200 films')
few
