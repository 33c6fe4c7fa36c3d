# nbs/tutorials/mimic.ipynb: exports nothing; its cells run as they are.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [2] From a MIMIC-CXR download to pairs
import shutil, tempfile
from pathlib import Path
from fastcore.test import *
from medvl.core import MedvlError
from medvl.data.batch import dataloaders, show_batch
from medvl.readers.find import read_studies
from medvl.data.study import samples, show_timeline
from medvl.data.summary import summary
from medvl.data.table import ReadLog
from medvl.data.words import impression_findings
from medvl.data.tokens import train_tokenizer
from medvl.phantom.set import phantom_studies
from medvl.readers.rehearsal import write_mimic

# %% [3] From a MIMIC-CXR download to pairs
tmp = tempfile.TemporaryDirectory(); root = Path(tmp.name)
made = phantom_studies(12, seed=3, size=128, difficulty='lifelike')
folder = write_mimic(made, root/'mimic-cxr-jpg')
for p in sorted(folder.iterdir()): print(p.name)
print(next(p.relative_to(folder).as_posix() for p in sorted(folder.rglob('*.jpg'))))

# %% [5] Read
log = ReadLog('MIMIC-CXR-JPG'); studies = read_studies(folder, log=log)
print(str(log).replace(str(root), '...'))
test_eq(len(studies), len(made)); test_eq(len(log.left), 0)
assert all(s.report for s in studies) and {s.split for s in studies} == {'train','val','test'}

# %% [8] When something is missing
def without(glob):
    "What the reader prints for a copy of the download without these files."
    copy = root/'copy'; shutil.rmtree(copy, ignore_errors=True); shutil.copytree(folder, copy)
    for p in copy.glob(glob): shutil.rmtree(p) if p.is_dir() else p.unlink()
    log = ReadLog('MIMIC-CXR-JPG')
    try: read_studies(copy, log=log)
    except MedvlError as e: log.lines.append(str(e))
    print(str(log).replace(str(root), '...'), end='\n\n'); return log

log = without('files/p10'); test_eq({w for w,_ in log.left}, {'film is not there'})
log = without('mimic-cxr-reports.zip'); test_eq(log.found['studies with a report'], 0)
assert log.lines[-1].startswith('no reports: mimic-cxr-reports.zip')
log = without('*-metadata.csv.gz'); assert 'neither mimic-cxr-*-metadata.csv(.gz)' in log.lines[-1]

# %% [10] Look at the set
s = summary(studies, bar=False)
print(s)
assert s.leak.ok
s.figure();

# %% [12] One patient
most = max({s.patient for s in studies}, key=lambda p: sum(s.patient == p for s in studies))
own = [s for s in studies if s.patient == most]
show_timeline(own);
for s in sorted(own, key=lambda s: s.time)[:3]:
    print(s.id, s.time, [v.pos for v in s.views], 'prior', s.prior and s.prior.id)
test_eq([s.prior is None for s in sorted(own, key=lambda s: s.time)][:2], [True,False])

# %% [14] The text of a pair
one = own[0]
print(one.report[:400], '...\n')
print(impression_findings(one.report)[:300], '...')
assert 'INDICATION' not in impression_findings(one.report)

# %% [16] Pairs
units = samples(studies, per='image', text=impression_findings, need_text=True)
print(len(units), 'pairs;', sum(o.slots[2] is not None for o in units), 'with a prior,',
      sum(o.slots[1] is not None for o in units), 'with a lateral,',
      sum(all(o.slots) for o in units), 'with all four slots')
full = next(o for o in units if all(o.slots))
test_eq([v.kind for v in full.slots], ['frontal','lateral','frontal','lateral'])
test_eq({v.id for v in full.slots[2:]} <= {v.id for v in full.study.prior.views}, True)

# %% [18] A batch
tok = train_tokenizer([o.text for o in units if o.split == 'train'], 400)
# of the split that is shown, only pairs that fill all four slots
seen = [o for o in units if o.split != full.split or all(o.slots)]
dls = dataloaders(seen, tok, 'alta-small', bs=2, seed=3)
batch, ids = dls.loader(full.split).one_batch()
print({k: tuple(v.shape) for k,v in batch.items() if hasattr(v, 'shape')})
print(batch['img_msk'])
test_eq(batch['img'].shape[1], 4); assert batch['img_msk'].all()
show_batch(dls, 1, full.split);

# %% [20] A batch
tmp.cleanup()
