# nbs/readers/41_covidx.ipynb: runs against the imported medvl.readers.covidx.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] COVIDx
from pathlib import Path
import pandas as pd
from medvl.core import MedvlError
from medvl.data.scan import read_text
from medvl.data.study import Study
from medvl.data.table import ReadLog
from medvl.readers.layout import close_log, each_once, look, open_log, to_studies

# %% [4] COVIDx
import tempfile
from fastcore.test import *
from medvl.readers.find import read_studies
from medvl.readers.find import find_layouts
from medvl.data.splits import leakage

# %% [6] Lists and versions
from medvl.readers.covidx import (COVIDX, covidx_line)

# %% [7] Lists and versions
display(pd.DataFrame(COVIDX).T.astype(object).fillna('').rename_axis('class'))
test_eq(covidx_line('3 SARS-Fig8a-day0.jpeg pneumonia cohen'), ('3','SARS-Fig8a-day0.jpeg','pneumonia','cohen'))
test_eq(covidx_line('COVID 216 COVID(216).png COVID-19 sirm'), ('COVID 216','COVID(216).png','COVID-19','sirm'))
test_eq(covidx_line('c56b c56b.png normal'), ('c56b','c56b.png','normal',''))
test_fail(lambda: covidx_line('c56b c56b.png healthy'), contains='expected: patient file class', exc=ValueError)
test_fail(lambda: covidx_line('a.png normal'), contains='expected: patient file class', exc=ValueError)

# %% [9] Lists and versions
from medvl.readers.covidx import (ORDER, covidx_lists, read_covidx, covidx_part)

# %% [11] Lists and versions
tmp = tempfile.TemporaryDirectory(); d = Path(tmp.name)
c = d/'covidx'; (c/'labels').mkdir(parents=True); (c/'data/train').mkdir(parents=True)
(c/'labels/train_COVIDx8A.txt').write_text(
    '3 a.jpeg pneumonia cohen\nCOVID 216 COVID(216).png COVID-19 sirm\n' + 2*'c56b c56b.png normal rnsa\n' +
    '419639-003251 MIDRC-0.png COVID-19 ricord\n')
(c/'labels/test_COVIDx8A.txt').write_text('77 t.png normal\n3 u.png COVID-19 cohen')
(c/'labels/train_COVIDx6.txt').write_text('3 a.jpeg positive cohen\n'); test_eq(find_layouts(c), ['covidx'])
log = ReadLog('COVIDx'); studies = read_studies(c, log=log); print(log)
test_eq([(s.patient, s.id, s.split) for s in studies],
        [('3','a.jpeg','train'), ('COVID 216','COVID(216).png','train'), ('c56b','c56b.png','train'),
         ('419639-003251','MIDRC-0.png','train'), ('77','t.png','test'), ('3','u.png','test')])
test_eq(studies[0].labels, {'Pneumonia': 1, 'COVID-19': 0}); test_eq(studies[1].labels, {'COVID-19': 1})
test_eq(studies[2].labels, {'No Finding': 1, 'Pneumonia': 0, 'COVID-19': 0})
test_eq(studies[2].views[0].info, {'origin':'rsna'}); test_eq([len(s.views) for s in studies], [1]*6)
test_eq(log.to_dict()['left_out'], {'the same film again': 1})
test_eq(log.to_dict()['noted'], {"source 'rnsa' read as 'rsna'": 2, 'no source given': 1})
test_eq(log.lines[0], "version 8A of 8A, 6 (version= takes another; '' is 1)")
test_eq(read_covidx(c, version='6', log=ReadLog())[0].labels, {'COVID-19': 1})
test_eq(leakage(studies, files=False).count['patient'], 1)  # patient 3 is in both lists: official, and not safe
assert leakage(read_covidx(c, split='patient', log=ReadLog()), files=False).ok
test_fail(lambda: read_covidx(c, version='9B', log=log), contains="no lists of version '9B'; there are: 8A, 6")
test_fail(lambda: read_covidx(c, 'error', log=log), contains='train_COVIDx8A.txt line 1: no such file')
test_fail(lambda: read_covidx(d, log=log), contains='there are: none')

# %% [12] Lists and versions
k = d/'cxr2'; (k/'competition_test').mkdir(parents=True)
(k/'train.txt').write_text('379 1e64990d1b40.png positive sirm\n')
(k/'test.txt').write_text('MIDRC-1 x.png positive midrc\n')
(k/'val.txt').write_text('9 y.png negative rsna\n'); test_eq(find_layouts(k), ['covidx'])
got = read_covidx(k, log=ReadLog()); test_eq([s.split for s in got], ['train','val','test'])
assert got[2].views[0].path.endswith('competition_test/x.png')
assert got[0].views[0].path.endswith('data/train/1e64990d1b40.png')
(k/'val.txt').write_text('9 y.png negative rsna\nbroken\n')
test_fail(lambda: read_covidx(k, log=log), contains="val.txt: line 2: 'broken'")
tmp.cleanup()
