# nbs/data/31_table.ipynb: runs against the imported medvl.data.table.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Tables
import csv, difflib, gzip, io, json, re, zipfile, zlib
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from decimal import Decimal
from typing import Callable, Iterable
import numpy as np
import pandas as pd
from medvl.core import MedvlError
from medvl.files import jsonable, written

# %% [4] Tables
import tempfile
from fastcore.test import *

# %% [6] The log of a reader
from medvl.data.table import (MOST, ReadLog)

# %% [7] The log of a reader
log = ReadLog('films.csv'); log.found['films'] += 3
for r in (4,7,9): log.leave('no such file', f'row {r}')
print(log); test_eq('3 x no such file (row 4; row 7 ...)' in str(log), True)
test_eq(log.to_dict()['left_out'], {'no such file': 3}); test_eq(log.to_dict(rows=True)['left'], log.left)
for r in range(28): log.note(f'oddity {r}', f'row {r}')
test_eq('8 x 8 other reasons' in str(log), True)

# %% [9] Reading the table
from medvl.data.table import (not_utf8, damaged)

# %% [10] Reading the table
from medvl.data.table import (read_table, UNSAID, unsaid, parquet_text, check_columns)

# %% [12] Reading the table
from medvl.data.table import (check_quotes, check_sep, zipped)

# %% [14] Reading the table
from medvl.data.table import (form_of, check_swallowed)

# %% [15] Reading the table
def table(folder, text, name='manifest.csv', encoding='utf-8'):
    p = Path(folder)/name; p.write_bytes(text.encode(encoding)); return p

tmp = tempfile.TemporaryDirectory(); d = Path(tmp.name)
df = read_table(table(d, '\ufeffimage , patient_id\na.png,007\n"b, c.png",NA\n'), ['image','patient_id'])
test_eq(df.patient_id.tolist(), ['007','NA']); test_eq(df.image.tolist(), ['a.png','b, c.png'])
test_fail(lambda: read_table(table(d, 'image,patientid\na,b\n'), ['image','patient_id']),
          contains="no column 'patient_id'; did you mean 'patientid'? It has: image, patientid")
test_fail(lambda: read_table(table(d, 'file,x\na,b\n'), ['patient_id']),
          contains="no column 'patient_id'. It has: file, x")
test_fail(lambda: read_table(table(d, '')), contains='is empty (0 bytes)')
test_fail(lambda: read_table(table(d, 'image,text\na.png,Größe\n', encoding='latin-1')),
          contains="line 2, byte 8 of it, is not UTF-8 (b'\\xf6'; as Latin-1 it would be 'a.png,Größe')")
test_fail(lambda: read_table(table(d, 'image,text\na.png,é\n', encoding='utf-16')), contains='this is UTF-16')
test_fail(lambda: read_table(table(d, 'a,b,a\n1,2,3\n')), contains="column 'a' occurs 2 times")
test_fail(lambda: read_table(table(d, 'a,b\n1,2\n1,2,3\n')), contains="can not be read as a table")
test_fail(lambda: read_table(table(d, 'image;report\na.png;"Clear; no, no."\n')), contains='separated by semicolons')
test_fail(lambda: read_table(table(d, 'image\treport\na.png\tClear.\n')), contains='separated by tabs')
test_eq(list(read_table(table(d, 'image;report\na.png;b\n'), sep=';')), ['image','report'])
test_fail(lambda: read_table(d/'no.csv'), contains='no such file')

# %% [16] Reading the table
def quoted(*rows): return lambda: read_table(table(d, 'accession,report\nA0,Normal.\n'+'\n'.join(rows)+'\n', 'q.csv'))
test_fail(quoted('A1,"Nail.', 'A2,Two.', 'A3,"Three."', 'A4,Four.'),
    contains='q.csv: line 3 to 5: a quotation mark is out of place')
test_fail(quoted('A1,Nail.', 'A2,"Two.', 'A3,Three.'), contains='line 4')                       # never closed
test_fail(quoted('A1,"Nail.', 'A2,Two.', 'A3,Three."', 'A4,Four.'),
    contains="row 3, column 'report': the cell holds a line that looks")
test_fail(quoted('A1,"a 5" nail"'), contains='out of place')
test_eq(quoted('A1,a 5" nail', 'A2,"A ""nail"", seen.\nA1, too.\nLungs, clear."')().report.tolist()[1:],
        ['a 5" nail', 'A "nail", seen.\nA1, too.\nLungs, clear.'])

# %% [18] Reading the table
plain = ''.join(['image,text\n']+[f'film{i}.png,{i*7919%65521} and {i*104729%65537}\n' for i in range(30_000)])
gz = bytearray(gzip.compress(plain.encode()))
def held(name, data): (d/name).write_bytes(data); return lambda: read_table(d/name)
test_eq(held('t.csv.gz', gz)().equals(held('t.csv', plain.encode())()), True)
test_fail(held('cut.csv.gz', gz[:len(gz)//2]), contains='damaged or not whole')
with zipfile.ZipFile(d/'t.csv.zip', 'w') as z: z.writestr('t.csv', plain)
test_eq(read_table(d/'t.csv.zip').equals(read_table(d/'t.csv')), True)
test_fail(held('cut.csv.zip', (d/'t.csv.zip').read_bytes()[:900]), contains='cut.csv.zip: not a whole zip file')
held('tab.txt', b'a\tb\n1,2\t3\n'); test_eq(read_table(d/'tab.txt', ['b'], '\t').a[0], '1,2')
gz[len(gz)//2] ^= 255
test_fail(held('flip.csv.gz', gz), contains='damaged or not whole')
test_fail(held('plain.csv.gz', b'a,b\n1,2\n'), contains='not packed with gzip, as its name says')
test_fail(held('packed.csv', gzip.compress(b'a,b\n1,2\n')), contains='its name should end with .gz')
test_fail(held('long.csv', plain.encode()+'film.png,Größe\n'.encode('latin-1')), contains='line 30002, byte 11')
test_fail(held('long.csv.gz', gzip.compress(plain.encode()+b'\xe9')), contains='line 30002, byte 0')

# %% [20] Writing
from medvl.data.table import (write_table)

# %% [21] Writing
write_table(df, d/'new/t.csv'); write_table(df, d/'new/t.parquet')
for o in ('csv','parquet'): test_eq(read_table(d/f'new/t.{o}').to_dict(), df.to_dict())
test_eq(sorted(o.name for o in (d/'new').iterdir()), ['t.csv','t.parquet'])
kinds = pd.DataFrame(dict(patient_id=[10000032., None], list=[[1,2], None], yes=[True, False], share=[.5, 1.],
    n=[2**60+1, 3]))
kinds.to_parquet(d/'kinds.parquet'); got = read_table(d/'kinds.parquet').to_dict('list'); print(got)
test_eq(got, dict(patient_id=['10000032',''], list=['[1, 2]',''], yes=['True','False'], share=['0.5','1.0'],
    n=['1152921504606846977','3']))
test_fail(lambda: write_table(df, d/'t.xlsx'), contains='.csv or .parquet')
tmp.cleanup()
