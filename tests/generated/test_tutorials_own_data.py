# nbs/tutorials/own_data.ipynb: exports nothing; its cells run as they are.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [2] Your own data
import os, tempfile
from pathlib import Path

import pandas as pd
from fastcore.test import test_eq, test_fail
from medvl.core import SLOTS
from medvl.data.batch import dataloaders, show_batch
from medvl.data.manifest import read_manifest
from medvl.data.scan import scan_dicom
from medvl.data.study import samples
from medvl.data.splits import leakage, split_by_patient
from medvl.data.summary import summary
from medvl.data.table import write_table
from medvl.data.words import impression_findings
from medvl.data.tokens import train_tokenizer
from medvl.phantom.export import export_set

# %% [3] Your own data
tmp, home = tempfile.TemporaryDirectory(), os.getcwd()
os.chdir(tmp.name)
export_set('made', 12, size=96, difficulty='lifelike', dicom=True, masks=False, bar=False)
Path('made/films').rename('archive')                                    # what you start with: films ...
reports = pd.read_csv('made/reports.csv', dtype=str)[['study_uid','report']]
reports.loc[len(reports)] = ['1.2.3.4', 'The heart is normal.']
reports.to_csv('reports.csv', index=False)                              # ... and a table of reports
Path('archive/readme.dcm').write_bytes(b'films of the clinic')
for p in sorted(Path('archive').iterdir())[:3]: print(p.name, [o.name for o in sorted(p.iterdir())][:3])

# %% [5] From a folder to a table
table = scan_dicom('archive', 'reports.csv', bar=False)
table[['image','patient_id','time','view','view_class','photometric']].head(5)

# %% [7] From a folder to a table
write_table(table.assign(image=['archive/'+o for o in table.image], source='clinic'), 'manifest.csv')
studies = read_manifest('manifest.csv')
test_eq(sum(len(s.views) for s in studies), len(table))
test_eq(sum(bool(s.report) for s in studies), len(studies))             # every study has found its report

# %% [9] From a folder to a table
bad = pd.read_csv('manifest.csv', dtype=str, keep_default_na=False)
bad.loc[3, 'time'] = '31.1.2000'
bad.to_csv('bad.csv', index=False)
try: read_manifest('bad.csv')
except ValueError as e: print(e)
test_fail(lambda: read_manifest('bad.csv'), contains="row 5, column 'time': '31.1.2000'; expected an ISO date")

# %% [11] What is in it?
split_by_patient(studies)
s = summary(studies, decode=True, bar=False)
print(s)
s.figure();

# %% [13] Does anything leak?
train = next(s for s in studies if s.split == 'train')
other = next(s for s in studies if s.split == 'test')
test_eq(leakage(studies, bar=False).ok, True)
copy = Path('archive/copy.dcm'); copy.write_bytes(Path(train.frontals[0].path).read_bytes())
was = other.frontals[0].path
other.frontals[0].path, other.frontals[0].hash = str(copy), None
found = leakage(studies, bar=False)
print(found)
found.table()[['kind','a','split_a','b','split_b']]

# %% [14] Does anything leak?
test_eq(found.ok, False)
test_eq((found.count['film'], found.count['patient']), (1, 0))
other.frontals[0].path, other.frontals[0].hash = was, None

# %% [16] Pairs
smp = samples(studies, 'image', impression_findings, need_text=True)
tok = train_tokenizer([s.text for s in smp if s.split == 'train'], 800)
dls = dataloaders(smp, tok, 'alta-small', bs=4, seed=0)
batch, ids = dls.train.one_batch()
print({k: tuple(batch[k].shape) for k in ('img','img_msk','txt')})
test_eq(batch['img'].shape[1], len(SLOTS))
show_batch(dls, 2, chars=90);

# %% [17] Pairs
os.chdir(home); tmp.cleanup()
