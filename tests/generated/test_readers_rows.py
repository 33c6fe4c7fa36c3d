# nbs/readers/11_rows.ipynb: runs against the imported medvl.readers.rows.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Rows for the authors' code
from io import StringIO
from pathlib import Path
from typing import Callable, Iterable
import pandas as pd
from medvl.core import MedvlError
from medvl.data.study import Study, View, samples
from medvl.data.table import write_table
from medvl.data.words import impression_findings

# %% [4] Rows for the authors' code
import tempfile
from fastcore.test import *
from medvl.data.study import link_priors

# %% [5] Rows for the authors' code
from medvl.readers.rows import (FILES, ABSENT, film_file, study_rows)

# %% [7] By hand
def visit(id, day, kinds, report):
    views = [View(f'films/{id}{i}.jpg', f'{id}{i}', k) for i,k in enumerate(kinds.split())]
    return Study('p1', id, float(day), views, report, split='train')
three = link_priors([visit('a', 0, 'lateral frontal frontal', ''), visit('b', 3, 'lateral', 'FINDINGS: Clear.'),
                     visit('c', 5, 'frontal', 'INDICATION: Cough.\n\nFINDINGS: Clear.\n\nIMPRESSION: Normal.')])
rows = study_rows(three); display(rows)
test_eq(rows.values.tolist(), [['films/c0.jpg', '-1', 'films/a1.jpg', 'films/a0.jpg', 'Clear. Normal.']])
films = study_rows(three, 'mrm')
test_eq(films.image_path.tolist(), ['films/b0.jpg', 'films/c0.jpg'])      # the lateral too; a film without words not
test_eq(films.report_content[1].split('\n')[0], 'INDICATION: Cough.')

# %% [9] By hand
test_fail(lambda: study_rows(three, 'gloria'), contains="code is 'gloria'; expected alta or mrm")
test_fail(lambda: study_rows(three, split='val'), contains="split='val'")
test_fail(lambda: study_rows(three, 'mrm', 'val'), contains="no film with a report in 0 studies (split='val')")
three[2].views[0].path = None
test_fail(lambda: study_rows(three), contains="film 'c0' is only in memory")
three[2].views[0].path = 'films/c0.jpg'

# %% [11] How their programs read the table
from medvl.readers.rows import (write_rows)

# %% [12] How their programs read the table
tmp = tempfile.TemporaryDirectory(); to = Path(tmp.name)/'train.csv'
test_fail(lambda: write_rows(three, to), contains="'-1' would be read as the int64 -1 (1 of 1 rows)")
assert not to.exists()
more = visit('d', 9, 'frontal lateral', 'FINDINGS: Two lines,\n"quoted".'); link_priors([*three, more], say=None)
wrote = write_rows([*three, more], to); back = pd.read_csv(to); display(back)
test_eq(back.values.tolist(), wrote.values.tolist()); test_eq(len(back), 2)
test_eq(back.last_auxview_image_path.tolist(), ['films/a0.jpg', '-1'])    # c, the prior of d, has no lateral
more.report = 'NA'
test_fail(lambda: write_rows([more], Path(tmp.name)/'t.csv', 'mrm'), contains="'NA' would be read as the float64 nan")
tmp.cleanup()
