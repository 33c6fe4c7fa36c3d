# nbs/data/34_manifest.ipynb: runs against the imported medvl.data.manifest.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Manifests
import difflib, hashlib, json, math, os, re, shutil
from collections import Counter, defaultdict
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Iterable, NamedTuple, Sequence
import numpy as np
import pandas as pd
from PIL import Image
from medvl.core import CHEXPERT, MedvlError
from medvl.files import jsonable, written
from medvl.data.dicom import view_kind
from medvl.data.identity import doubtful, person
from medvl.data.scan import odd_date
from medvl.data.study import Box, Study, View, link_priors, share_bits, slots
from medvl.data.table import ReadLog, read_table, unsaid, write_table

# %% [4] Manifests
import tempfile
from fastcore.test import *

# %% [6] The columns
from medvl.data.manifest import (Column, COLUMNS)

# %% [8] The columns
pd.set_option('display.max_colwidth', 100)
test_eq([c.name for c in COLUMNS if c.need], ['image','patient_id'])
pd.DataFrame(COLUMNS).set_index('name')

# %% [9] The columns
def table(folder, text, name='manifest.csv', encoding='utf-8'):
    p = Path(folder)/name; p.write_bytes(text.encode(encoding)); return p

tmp = tempfile.TemporaryDirectory(); d = Path(tmp.name)/'set'; d.mkdir()
def show(o): print(str(o).replace(str(d), 'set'))  # the same words on every machine

# %% [11] Cells
from medvl.data.manifest import (plain, OURS, odd_name)

# %% [12] Cells
test_eq(plain(' Pleural__Effusion '), plain('pleural effusion')); test_eq(OURS['edema'], 'Edema')
names = ('No Finding', 'Nodule/Mass', 'Pleural_Thickening', 'Effusion, left', 'Lung: mass', 'COVID-19', 'Épanchement')
test_eq({odd_name(k) for k in names}, {''})
wrong = ('', 'Edema, Pneumonia', 'edema/pleural_effusion', 'Edema and Pneumonia', 'Edema:1', 'edema: false',
         'No edema', '-Edema', "['Edema', 'Mass']", '["Edema"]')
for k in wrong: print(f'{k!r:26} expected {odd_name(k)}')
assert all(map(odd_name, wrong))

# %% [14] Cells
from medvl.data.manifest import (Row)

# %% [15] Cells
r = Row('m.csv', 2, {'a': ' 3.5 ', 'b': 'x', 'labels': 'Edema|Mass=0', 'label:Nodule': '-1', 'label:Hernia': '',
                     'time': '2020-01-31', 'image': 'x/y.png', 'up': 'x/../../y.png'})
test_eq((r.number('a'), r.number('none'), r['none']), (3.5, None, ''))
test_eq(r.labels(), {'Edema': 1., 'Mass': 0., 'Nodule': -1.})
test_fail(lambda: r.number('b'), contains="m.csv: row 4, column 'b': 'x'; expected a number")
test_fail(lambda: r.one_of('b', ('train','val')), contains="'x'; expected train or val")
test_eq(r.when(), datetime(2020,1,31)); test_eq(Row('', 0, {'offset_days': '-2'}).when(), -2.)
test_fail(lambda: Row('', 0, {'time': '31.1.2020'}).when(), contains='an ISO date')
test_eq(r.file('image', Path('/data')), '/data/x/y.png')
test_eq(Row('', 0, {'image': r'x\y.png'}).file('image', Path('/data')), '/data/x/y.png')
test_fail(lambda: r.file('up', Path('/data')), contains='a path below /data')
test_eq(Row('', 0, {'image': '/films/a.png'}).file('image', Path('/data')), os.path.normpath('/films/a.png'))
test_eq({Row('', 0, {'image': o}).id for o in ('x/y.png', './x/y.png', 'x/../x//y.png', r'x\y.png')}, {'x/y.png'})
test_eq(Row('', 0, {'image': './y.png', 'image_id': './y'}).id, './y')
test_fail(lambda: Row('', 0, {'labels': 'Edema=2'}).labels(), contains="1, 0 or -1 for 'Edema'")
test_eq(Row('', 0, {'labels': 'Edema; Mass = 0;'}).labels(), {'Edema': 1., 'Mass': 0.})
test_fail(lambda: Row('m.csv', 0, {'labels': 'Edema, Pneumonia'}).labels(),
          contains="row 2, column 'labels': 'Edema, Pneumonia'; expected one finding; several are joined by |")
test_eq(Row('', 0, {'label: Edema': 'True', 'labels': ' Edema = 1 |Mass=0'}).labels(), {'Edema': 1., 'Mass': 0.})
for o in ({'labels': 'Edema=1|Edema=0'}, {'labels': 'Edema', 'label: Edema': '0'}, {'label:Edema': '1',
    'label: Edema': '-1'}, {'label:edema': '0', 'label:Edema': '1'}):
    test_fail(lambda: Row('', 0, o).labels(), contains="one value for 'Edema', not both")
test_fail(lambda: Row('', 0, {'label:Edema': 'yes'}).labels(),
    contains="column 'label:Edema': 'yes'; expected 1, 0 or -1")

# %% [17] From rows to studies
from medvl.data.manifest import (KNOWN, regions_of, note_columns, read_manifest)

# %% [19] From rows to studies
from medvl.data.manifest import (row_views, same_film)

# %% [21] From rows to studies
from medvl.data.manifest import (ONE, group_rows, count_found)

# %% [23] From rows to studies
from medvl.data.manifest import (words, note_ids)

# %% [25] Links
from medvl.data.manifest import (named, link_rows, read_regions)

# %% [26] Links
from medvl.data.manifest import (check_link, check_circles)

# %% [28] Links
rng = np.random.default_rng(0); (d/'films').mkdir()
for n in 'abcde': Image.fromarray(rng.integers(0, 255, (48,40), np.uint8)).save(d/f'films/{n}.png')
head = 'image,image_id,patient_id,study_id,offset_days,view,text,labels,split,scanner\n'
body = ['films/a.png,a,p1,s1,0,PA,Clear lungs.,,train,X1',
        'films/b.png,b,p1,s2,9.5,AP,"Effusion, new.",Effusion|Edema=0,train,X1',
        'films/c.png,c,p1,s2,9.5,LL,,Edema=-1,train,',
        'films/d.png,d,p2,,,PA,,,test,']
log = ReadLog('set/manifest.csv'); studies = read_manifest(table(d, head+'\n'.join(body)), log=log); show(log)
a, b, c = studies
test_eq([s.id for s in studies], ['s1','s2','d'])
test_eq((b.time, b.prior.id, c.time, c.prior), (9.5,'s1',None,None))
test_eq([v.id for v in b.laterals], ['c']); test_eq(b.labels, {'Effusion': 1., 'Edema': -1.})
test_eq(a.views[0].info, {'scanner': 'X1'})
test_eq((a.views[0].text, c.views[0].text, c.group, c.split), ('Clear lungs.', None, 'p2', 'test'))

# %% [30] Links
def says(text, **kw):
    "The message for a bad manifest, without the folder."
    try: read_manifest(table(d, text), **kw)
    except MedvlError as e: return str(e).replace(str(d), 'set')
    return 'was read'

wrong = dict(
    duplicate = head+'\n'.join([body[0], body[3], body[0]]),
    absent = head+body[0].replace('a.png', 'z.png'),
    number = head+body[0].replace('s1,0', 's1,soon'),
    split = head+body[0].replace('train', 'training'),
    view_class = 'image,patient_id,view_class\nfilms/a.png,p,PA\n',
    escape = head+body[0].replace('films/a.png', '../../a.png'),
    torn = head+'\n'.join([body[1], body[2].replace('p1', 'p9')]),
    rows = head, patient = head+body[0].replace('p1', ''),
    prior = 'image,image_id,patient_id,prior_image_id\nfilms/a.png,a,p1,\nfilms/b.png,b,p2,a\n',
    later = 'image,image_id,patient_id,offset_days,prior_image_id\nfilms/a.png,a,p1,5,\nfilms/b.png,b,p1,3,a\n',
    itself = 'image,image_id,patient_id,prior_image_id\nfilms/a.png,a,p1,a\n',
    circle = 'image,image_id,patient_id,view,prior_image_id\n'
             'films/a.png,a,p1,PA,c\nfilms/b.png,b,p1,PA,a\nfilms/c.png,c,p1,PA,b\n',
    lateral = 'image,image_id,patient_id,view,lateral_image_id\nfilms/a.png,a,p1,PA,b\nfilms/b.png,b,p1,AP,\n')
said = {k: says(v) for k,v in wrong.items()}
for k,v in said.items(): show(f'{k:11}{v}')
test_eq('rows 2 and 4' in said['duplicate'] and 'films/z.png (1 of 1' in said['absent'] and "'soon'" in said['number']
        and 'train or val or test' in said['split'], True)
test_eq([k for k,v in said.items() if v == 'was read'], [])

# %% [32] Links
def twice(a, b): return says(f'image,patient_id\n{a},p1\nfilms/b.png,p1\n{b},p1\n')
for a, b in (('films/a.png','./films/a.png'), ('films/x/../a.png','films/a.png'), ('films/a.png', r'films\a.png'),
             (str(d/'films/a.png'), 'films/a.png')):
    said = twice(a, b); show(said)
    assert 'rows 2 and 4' in said or "row 4, column 'image'" in said and 'the film of row 2' in said
said = says('image,image_id,patient_id\nfilms/a.png,a,p1\n./films/a.png,b,p9\n'); show(said)
assert "of patient 'p1', not 'p9'" in said
log = ReadLog('set')
got = read_manifest(table(d, 'view,image,patient_id,study_id,image_id,labels,label:mass,prior_image_id\n'
    'PA,films/a.png,p1,s,a,edema;Lung_Cyst,1,\nPA,./films/a.png,p1,s,a2,EDEMA=0|lung  cyst,,\n'
    'PA,films/b.png,p1,t,,pleural_effusion=-1,,\nPA,films/c.png,p1,u,,,,./films/b.png\n'), log=log); show(log)
test_eq([s.labels for s in got], [{'Edema': 1., 'Lung_Cyst': 1., 'mass': 1.}, {'Pleural Effusion': -1.}, {}])
test_eq((got[2].prior.id, got[1].views[0].id), ('t', 'films/b.png'))
test_eq(Counter(w for w,_ in log.noted), {"label 'edema' read as 'Edema'": 1, "label 'EDEMA' read as 'Edema'": 1,
    "label 'lung  cyst' read as 'Lung_Cyst'": 1, "label 'pleural_effusion' read as 'Pleural Effusion'": 1,
    'one file under several image_ids: each is a film of its own': 1})

# %% [34] Links
log = ReadLog('set')
odd = table(d, 'image,patient_id,Report,Labels,Label:Edema,finding\nfilms/a.png,p1,Clear.,Edema=0,1,x\n')
read_manifest(odd, log=log); show(log)
test_eq([o.split(';')[0] for w,o in log.noted if 'column' in w], ["'Report'", "'Labels'", "'Label:Edema'"])

# %% [36] Links
log = ReadLog('small')
links = ('image,image_id,patient_id,offset_days,view,prior_image_id\nfilms/a.png,a,p,0,PA,\nfilms/b.png,b,p,3,PA,\n'
         'films/d.png,d,p,5,PA,a\nfilms/gone.png,g,p,9,PA,b\n')
got = read_manifest(table(d, links), missing='skip', log=log); show(log)
test_eq([s.prior and s.prior.id for s in got], [None,None,'a']); test_eq(slots(got[2].views[0], got[2])[2].id, 'a')
test_eq(len(log.left), 1)
table(d, 'image_id,kind,label,x,y,w,h,mask\na,box,heart,1,2,3,4,\na,mask,lung,,,,,films/e.png\nzz,box,heart,1,1,1,1,',
      'regions.csv')
log = ReadLog('regions'); got = read_manifest(table(d, links), missing='skip', log=log); v = got[0].views[0]
show(log)
test_eq(v.boxes, [Box('heart',1,2,3,4)]); test_eq(v.masks['lung'].endswith('films/e.png'), True)
(d/'regions.csv').unlink()

# %% [38] Doubtful ids and times
rows = ['a,ANONYMOUS,F,19500101,2020-01-01,nan', 'b,ANONYMOUS,M,19600101,2020-02-01,Clear.',
    'c,p3,F,1950,2020-01-01T09:30:00Z,',
        'd,p3,F,1950,2020-03-01T09:30:00,None', 'e,P3,F,1950,2020-03-01,']
log = ReadLog('set'); who = read_manifest(table(d,
    'image_id,patient_id,sex,birth_date,time,report,view,image\n'+'\n'.join(
    f'{r},PA,films/{r[0]}.png' for r in rows)), log=log); show(log)
test_eq([s.prior and s.prior.id for s in who], [None,None,None,'c',None])
test_eq([s.report for s in who], ['','Clear.','','','']); test_eq((log.found['patients'],
    log.found['studies of unknown patients']), (2,2))
test_eq(Counter(w for w,_ in log.noted), {'patient id that is no proof of one person: no priors, leakage unknown': 1,
    'a report that is the name of a missing value: taken as empty': 2, 'patient ids that may be one: kept apart': 1,
    'times with and without a zone: all taken as the local time': 1})
log = ReadLog(); linked = read_manifest(table(d,
    'image,image_id,patient_id,sex,view,prior_image_id\nfilms/a.png,a,0,F,PA,\nfilms/b.png,b,0,F,PA,a\n'
                                              'films/c.png,c,0,M,PA,a\n'), log=log)
test_eq([s.prior and s.prior.id for s in linked], [None,'a',None])   # the table says so of b; c is somebody else
assert ('prior_image_id names a film of another person: not linked', 'row 4: a') in log.noted

# %% [40] Writing one
from medvl.data.manifest import (write_manifest, view_row)

# %% [42] Writing one
from medvl.data.manifest import (safe, put_file)

# %% [43] Writing one
out = Path(tmp.name)/'out'
px = rng.integers(0, 255, (40,40), np.uint8)
made = [Study('p1', 's1', 0., [View(id='x/1', px=px, pos='PA', boxes=[Box('heart',1.,2.,3.,4.,'big heart')],
                                    masks={'lung': px > 99})], 'Clear.\nNo "effusion", none.', {'Edema': 0.},
              split='train', source='made'),
        Study('p1', 's2', 4.5, [View(id='2', px=px, pos='AP', text='Worse, é'),
                                View(id='3', px=px, pos='LL', kind='lateral')], labels={'Edema': -1.}, split='train',
              group='g')]
made[0].group = 'g'; link_priors(made)
for name in ('m.csv','m.parquet'):
    back = read_manifest(write_manifest(made, out/name), log=ReadLog())
    for s,t in zip(made, back):
        test_eq((s.patient,s.id,s.time,s.report,s.labels,s.split,s.group,s.source),
                (t.patient,t.id,t.time,t.report,t.labels,t.split,t.group,t.source))
        test_eq([(v.id,v.kind,v.pos,v.text,v.boxes) for v in s.views],
                [(v.id,v.kind,v.pos,v.text,v.boxes) for v in t.views])
        for v,w in zip(s.views, t.views): test_eq(v.film().px, w.film().px)
    test_eq([v and v.id for v in slots(back[1].frontals[0], back[1])], ['2','3','x/1',None])
    test_eq(np.asarray(Image.open(back[0].views[0].masks['lung'])) > 0, px > 99)
# no temporary file stays
test_eq(sorted(o.name for o in out.iterdir()), ['images','m.csv','m.parquet','m.regions.csv','masks'])
other = [Study('p9', 's9', views=[View(id='9', px=px, boxes=[Box('lung',5.,6.,7.,8.)])])]
def boxes(name): return [b.label for s in read_manifest(out/name, log=ReadLog()) for v in s.views for b in v.boxes]
write_manifest(other, out/'o.csv'); test_eq((boxes('m.csv'), boxes('o.csv')), (['heart'], ['lung']))
other[0].views[0].boxes = []; write_manifest(other, out/'o.csv')
test_eq((boxes('m.csv'), boxes('o.csv')), (['heart'], []))
write_manifest(made, out/'all/manifest.csv'); assert (out/'all/regions.csv').is_file()
test_fail(lambda: write_manifest(got, out/'n.csv'), contains="say outside='copy' or 'absolute'")
test_fail(lambda: write_manifest(got, out/'n.csv', 'copies'), contains="outside is 'copies'")
test_eq(len(read_manifest(write_manifest(got, out/'n.csv', 'copy'), log=ReadLog())), 3)
there = read_manifest(write_manifest(got, out/'elsewhere/n.csv', 'absolute'), log=ReadLog())
test_eq([v.path for s in there for v in s.views], [v.path for s in got for v in s.views])
test_eq(sorted(o.name for o in (out/'elsewhere').iterdir()), ['n.csv','n.regions.csv'])
test_fail(lambda: write_manifest(made+made[:1], out/'n.csv'), contains="'x/1' is used twice")
test_fail(lambda: write_manifest([Study('p','s',labels={'a|b': 1.},views=[View(id='1', px=px)])], out/'n.csv'),
          contains="study 's': not the name of one finding in a manifest: 'a|b'")
test_eq(safe('1.2_b'), '1.2_b'); test_ne(safe('a/b'), safe('a b'))
twins = [Study('p', f's{k}', views=[View(id=k, px=px//(i+1), masks={'lung': px > 99*i})])
         for i,k in enumerate(('a/b','a b','a_b'))]
back = read_manifest(write_manifest(twins, out/'twins/m.csv'), log=ReadLog())
test_eq(len({s.views[0].path for s in back} | {s.views[0].masks['lung'] for s in back}), 6)
for s,t in zip(twins, back): test_eq(s.views[0].px, np.asarray(Image.open(t.views[0].path)))

# %% [44] Writing one
tmp.cleanup()
