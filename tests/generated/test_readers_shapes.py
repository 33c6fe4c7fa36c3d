# nbs/readers/03_shapes.ipynb: runs against the imported medvl.readers.shapes.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Boxes, masks and a draw that readers share
import json
from collections import defaultdict
from pathlib import Path
from typing import Iterable
import pandas as pd
from sklearn.model_selection import train_test_split
from medvl.core import MedvlError
from medvl.data.regions import Region
from medvl.data.study import Box, Study
from medvl.data.table import ReadLog, check_columns
from medvl.readers.layout import to_studies

# %% [4] Boxes, masks and a draw that readers share
import tempfile
from fastcore.test import *

# %% [6] GLoRIA's split
from medvl.readers.shapes import (lineage_split)

# %% [7] GLoRIA's split
drawn = lineage_split([f'{i:05d}' for i in range(26684)])
test_eq(pd.Series([o[0] for o in drawn.values()]).value_counts().to_dict(), dict(train=18678, val=4003, test=4003))
twice = lineage_split(sorted([f'{i}' for i in range(200)]*2)); test_eq(len(twice), 200)
assert max(map(len, twice.values())) == 2  # rows of one film in two parts
test_eq(lineage_split(list('abcdefghij')), lineage_split(list('abcdefghij')))

# %% [9] GLoRIA's split
from medvl.readers.shapes import (read_json, read_coco)

# %% [10] GLoRIA's split
with tempfile.TemporaryDirectory() as t:
    f = Path(t)/'a.json'
    def holds(text): f.write_text(text); return lambda: read_json(f, ['images'])
    test_eq(holds('{"images": [1]}')(), dict(images=[1])); test_fail(holds('{"images": [1'), contains='cut short?')
    test_fail(holds('[1]'), contains='holds a list'); test_fail(holds('{"image": 1}'), contains="did you mean 'image'")
    test_fail(lambda: read_json(Path(t)/'none.json'), contains="can't be read")

# %% [12] GLoRIA's split
from medvl.readers.shapes import (with_regions, set_lineage)
