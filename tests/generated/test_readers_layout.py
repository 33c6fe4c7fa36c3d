# nbs/readers/01_layout.ipynb: runs against the imported medvl.readers.layout.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] What the readers share
import os, re
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable, Iterable
import pandas as pd
import xxhash
from medvl.core import MedvlError
from medvl.data.identity import doubtful
from medvl.data.manifest import count_found
from medvl.data.scan import read_text
from medvl.data.study import Study, View, link_priors
from medvl.data.splits import split_by_patient
from medvl.data.table import ReadLog

# %% [4] What the readers share
import gzip, tempfile
from datetime import datetime
from fastcore.test import *
from medvl.data.splits import leakage

# %% [6] Files
from medvl.readers.layout import (find_table, need_table)

# %% [7] Files
tmp = tempfile.TemporaryDirectory(); d = Path(tmp.name)
(d/'deep').mkdir(); (d/'deep/b.csv').write_text('x\n')
with gzip.open(d/'a.csv.gz', 'wt') as f: f.write('x\n')
test_eq(find_table(d, 'a.csv', '*/b.csv').name, 'a.csv.gz'); test_eq(find_table(d, 'c.csv', '*/b.csv').name, 'b.csv')
test_is(find_table(d, 'c.csv'), None)
test_fail(lambda: need_table(d, 'c.csv', 'd.csv'), contains='expected c.csv or d.csv')

# %% [9] Files
from medvl.readers.layout import (films_in, look)

# %% [10] Files
log, df = ReadLog(), pd.DataFrame(dict(path=[str(d/'deep/b.csv'), str(d/'no.png')], row=['t.csv row 2','t.csv row 3']))
test_eq(len(look(df, 'ignore', log)), 2); assert 'not looked for' in log.lines[0]
test_eq(len(look(df, 'skip', log)), 1); test_eq(log.left[0][0], 'film is not there')
test_fail(lambda: look(df, 'error', log), contains='t.csv row 3: no such file')
test_eq(films_in([d/'deep', d/'nowhere'])['b.csv'], str(d/'deep/b.csv'))

# %% [12] Names of findings
from medvl.readers.layout import (STRENGTH, add_label, our_names, own_or_ours)

# %% [13] Names of findings
example = {'Effusion':'Pleural Effusion', 'Nodule':'Lung Lesion', 'Mass':'Lung Lesion', 'Infiltration':'<Lung Opacity'}
test_eq(our_names({'Effusion': 0, 'Nodule': 0, 'Mass': 1, 'Hernia': 1}, example),
        {'Pleural Effusion': 0, 'Lung Lesion': 1, 'Hernia': 1})
test_eq(our_names({'Infiltration': 1}, example), {'Infiltration': 1, 'Lung Opacity': 1})
test_eq(our_names({'Infiltration': 0}, example), {'Infiltration': 0})
test_eq(our_names({'Nodule': -1, 'Mass': 0}, example), {'Lung Lesion': -1})
test_fail(lambda: add_label({'a': 1.}, 'a', 2), contains="label 'a' is 2; expected 1, 0 or -1")

# %% [15] Names of findings
from medvl.readers.layout import (each_once, read_cells)

# %% [16] Names of findings
asked = []
def pairs(cell): asked.append(cell); return {'a': float(cell)}
test_eq(read_cells(pd.Series(['1','0','1'], name='a'), pairs, d/'t.csv'), [{'a': 1},{'a': 0},{'a': 1}])
test_eq(asked, ['1','0'])
test_fail(lambda: read_cells(pd.Series(['1','x'], name='a'), pairs, 't.csv'), contains="row 3, column 'a': 'x'")
left = pd.Series(['1','1','x'], name='a')[[0,2]]  # a row before it was left out
test_fail(lambda: read_cells(left, pairs, 't.csv'), contains="row 4, column 'a': 'x'")
log = ReadLog(); films = pd.DataFrame(dict(film=['a','b','a'], row=['t.csv row 2','t.csv row 3','t.csv row 4']))
test_eq(each_once(films, log).index.tolist(), [0,1]); test_eq(log.left, [('the same film again','t.csv row 4: a')])

# %% [18] From rows to studies
from medvl.readers.layout import (FILM, to_studies)

# %% [19] From rows to studies
rows = pd.DataFrame(dict(patient=['1','1','1','2'], study=['s1','s1','s2','s3'], film=['a','b','c','d'],
                         path=['a.png','b.png','c.png','d.png'], kind=['frontal','lateral','frontal','frontal'],
                         order=[1,1,2,1], age=[50,50,51,0], sex=['F','F','F',''], split=['train']*3+[None]))
given = [{'Edema': 0.}, {'Edema': 1.}, {}, {'Edema': -1.}]
log = ReadLog('rows'); made = to_studies(rows, given, 'example', log)
test_eq([(s.id, len(s.views), s.labels) for s in made], [('s1',2,{'Edema': 1}), ('s2',1,{}), ('s3',1,{'Edema': -1})])
test_eq(given[0], {'Edema': 0.})  # what was handed in is not changed
test_eq(made[0].views[0].info, {'age': 50, 'sex': 'F'}); test_eq(made[2].views[0].info, {'age': 0})
test_eq([s.split for s in made], ['train','train',None])
test_eq(log.noted, [('films of one study have different labels', 's1: b')])
test_fail(lambda: to_studies(rows.assign(split=['train','test',None,None]), given, '', log), contains="its film 'b'")

# %% [21] The earlier study, by number
from medvl.readers.layout import (link_by_number)

# %% [22] The earlier study, by number
link_by_number(made, log); test_eq([s.prior and s.prior.id for s in made], [None,'s1',None])
test_eq([s.time for s in made], [None]*3); print(log.lines[-1])

# %% [24] Splits, by name
from medvl.readers.layout import (SPLITS, split_films, share, set_split, say_leaks)

# %% [26] Splits, by name
from medvl.readers.layout import (keep_test, split_by_lists)

# %% [28] Splits, by name
from medvl.readers.layout import (open_log, close_log)

# %% [30] Splits, by name
def sixty():
    return [Study(f'{p}', f'{p}/{k}', views=[View(id=f'{p}/{k}/{o}', kind=o) for o in ('frontal','lateral')],
                  split='test' if p >= 48 else 'train') for p in range(60) for k in range(3)]
def leaks(split):
    made = close_log(sixty(), split, log := ReadLog(), False); found = leakage(made, files=False)
    parts = {k: sum(len(s.views) for s in made if s.split == k) for k in ('train','val','test')}
    said = [int(o.split('LEAKS: ')[1].split()[0]) for o in log.lines if 'LEAKS' in o]
    return parts | dict(studies=len(made), leaks=found.count['patient'], said=sum(said))
table = pd.DataFrame({k: leaks(k) for k in SPLITS}).T; display(table)
test_eq(table.leaks.gt(0).to_dict(), {k: k.endswith('image') for k in SPLITS})
test_eq(table.said.tolist(), table.leaks.tolist())  # what the log says is what `leakage` counts
test_eq((table.train + table.val + table.test).tolist(), [360]*5)
test_eq(table.test[['official','official+patient','official+image']].tolist(), [72]*3)
assert (table.studies[['image','official+image']] > 180).all()
test_eq([s.split for s in set_split(sixty(), 'patient', ReadLog())],
        [s.split for s in split_by_patient(sixty())])

# %% [31] Splits, by name
cut = sixty(); link = cut[1]; link.prior = cut[0]
made = split_films(cut, lambda v,s: 'val' if v.id == '0/0/lateral' else 'train')
test_eq([s.id for s in made[:3]], ['0/0@train','0/0@val','0/1']); test_eq(link.prior.id, '0/0@train')
(d/'train.txt').write_text('images/0/0/frontal 0 1\n1/0/frontal\nnowhere.png')
(d/'val.txt').write_text('2/0/frontal\n\n')
lists = dict(train=d/'train.txt', val=d/'val.txt'); log = ReadLog(); made = set_split(sixty(), lists, log)
test_eq([s.id for s in made if s.split], ['0/0@train','1/0@train','2/0@val']); test_eq(len(log.left), 1)
(d/'val.txt').write_text('1/0/frontal\n')
test_fail(lambda: set_split(sixty(), lists, log), contains='is in the lists of train and of val')
test_fail(lambda: set_split(sixty(), 'leaky', log), contains="split is 'leaky'")
test_fail(lambda: set_split(sixty(), dict(valid='x'), log), contains='expected train, val or test')
test_fail(lambda: set_split(sixty()[:9], 'official+patient', log), contains='expected train and test')

# %% [32] Splits, by name
root, log, mine = open_log('Example', d, 'skip', None); test_eq((mine, log.found), (True, {}))
made = close_log(sixty(), 'official', log, False); print(str(log).replace(str(d), 'DIR'))
test_eq(log.found['films in train'], 288); test_eq(log.found['films in test'], 72); test_eq(log.found['studies'], 180)
test_fail(lambda: open_log('Example', d, 'maybe', None), contains="missing is 'maybe'")
test_fail(lambda: open_log('Example', d/'no', 'skip', None), contains='expected that of Example')
test_fail(lambda: close_log([], 'official', log, False), contains='no film left')
tmp.cleanup()
