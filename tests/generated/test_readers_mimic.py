# nbs/readers/10_mimic.ipynb: runs against the imported medvl.readers.mimic.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] MIMIC-CXR and MIMIC-CXR-JPG
import os, sys
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Iterable
import pandas as pd
from tqdm import tqdm
from medvl.core import CHEXPERT, MedvlError
from medvl.data.dicom import view_kind
from medvl.data.manifest import count_found
from medvl.data.pixels import ImageError
from medvl.data.scan import dicom_header, odd_date
from medvl.readers.find import NESTED
from medvl.data.study import Study, View, link_priors
from medvl.data.table import ReadLog, check_columns, read_table
from medvl.readers.sections import add_reports, find_reports

# %% [4] MIMIC-CXR and MIMIC-CXR-JPG
import re, shutil, tempfile
import numpy as np
from fastcore.test import *
from PIL import Image
from pydicom import dcmread
from medvl.readers.find import read_studies
from medvl.readers.find import find_layouts
from medvl.data.study import samples, show_timeline, slots
from medvl.data.summary import summary
from medvl.data.words import impression_findings
from medvl.phantom.projection import write_dicom
from medvl.phantom.set import phantom_studies
from medvl.readers.rehearsal import mimic_id, write_mimic
from medvl.readers.sections import report_path

# %% [6] A rehearsal
tmp = tempfile.TemporaryDirectory(); root = Path(tmp.name)
made = phantom_studies(4, seed=2, size=64)
made[-1].split = made[-2].split = 'val' if made[-1].patient == made[-2].patient else 'train'
jpg = write_mimic(made, root/'mimic-cxr-jpg')
for p in sorted(jpg.iterdir()): print(p.name)
print(next(jpg.rglob('*.jpg')).relative_to(jpg).as_posix())
meta = pd.read_csv(jpg/'mimic-cxr-2.0.0-metadata.csv.gz', dtype=str)
test_eq(len(meta), sum(len(s.views) for s in made)); test_eq(meta.StudyTime[0], '90312.5')
test_eq(list(meta)[:5], ['dicom_id','subject_id','study_id','PerformedProcedureStepDescription','ViewPosition'])
meta.head(3)[['subject_id','study_id','ViewPosition','StudyDate','StudyTime']]

# %% [8] Where things are
from medvl.readers.mimic import (TABLES, release_folders, release_table)

# %% [9] Where things are
test_eq(release_table(release_folders(jpg), 'metadata').name, 'mimic-cxr-2.0.0-metadata.csv.gz')
test_is(release_table(release_folders(jpg), 'negbio'), None)
deep = root/'wget'/'physionet.org'/'files'/'mimic-cxr-jpg'/'2.1.0'; deep.mkdir(parents=True)
(deep/'mimic-cxr-2.0.0-split.csv').write_text('x'); (deep/'mimic-cxr-2.0.0-split.csv.gz').write_text('x')
(old := deep.parent/'2.0.0').mkdir(); (old/'mimic-cxr-2.0.0-split.csv.gz').write_text('x')  # the newest release counts
found = release_table(release_folders(root/'wget'), 'split')
test_eq(found, Path(os.path.abspath(deep))/'mimic-cxr-2.0.0-split.csv.gz')

# %% [11] A row
from medvl.readers.mimic import (IDS, clean_ids, mimic_time, film_kind)

# %% [12] A row
test_eq(mimic_time('21800506', '90312.5'), (datetime(2180,5,6,9,3,12,500_000), ''))
test_eq(mimic_time('21800506', '213014.53100000002')[0], datetime(2180,5,6,21,30,14,531_000))
test_eq(mimic_time('21800506', '5.0')[0], datetime(2180,5,6,0,0,5))
test_eq(mimic_time('21800506.0', ''), (datetime(2180,5,6), "StudyTime is ''"))
test_eq(mimic_time('21800506', '996000'), (datetime(2180,5,6), "StudyTime is '996000'"))
test_eq([mimic_time(o)[0] for o in ('','nan','2180-05-06')], [None]*3)
kinds = 'AP PA LATERAL LL LPO RAO AP_AXIAL XTABLE_LATERAL AP_LLD PA_RLD SWIMMERS L5_S1'
test_eq([film_kind(o.replace('_', ' '), '')[0][0] for o in kinds.split()], [*'ffllooolooo','o'])
test_eq([film_kind('', o) for o in ('postero-anterior','antero-posterior','lateral','')],
        [('frontal','postero-anterior'), ('frontal','antero-posterior'), ('lateral','lateral'), ('other','')])
# ids
ids = pd.DataFrame(dict(subject_id=['p10000032','10000033.0','x'], study_id=['s50414267','50414268','5'],
                        dicom_id=[mimic_id('a'), mimic_id('b')+'.dcm', '../../etc']))
log = ReadLog()
test_eq(clean_ids(ids, Path('m.csv'), log).values.tolist(),
        [['10000032','50414267',mimic_id('a')], ['10000033','50414268',mimic_id('b')]])
test_eq(log.left, [('dicom_id is not as in MIMIC', "m.csv row 4: '../../etc'")])

# %% [14] From films to studies
from medvl.readers.mimic import (ENDS, film_place, header_table)

# %% [16] From films to studies
from medvl.readers.mimic import (COLUMNS, MANY, group_films, add_film)

# %% [18] Splits and labels
from medvl.readers.mimic import (SPLITS, LABELS, VALUES, add_splits, add_labels)

# %% [19] Splits and labels
pd.DataFrame([(k, v) for k,v in LABELS.items() if k != v], columns=['MIMIC','medvl'])

# %% [20] Splits and labels
two = {o: Study('10000032', o, views=[View(id=f'{o}-{k}') for k in 'ab']) for o in ('50000001','50000002')}
def csv(text): (root/'t.csv').write_text(text); return root/'t.csv'
rows = 'dicom_id,study_id,subject_id,split\n50000001-a,1,1,validate\n50000001-b,1,1,validate\n'
log = ReadLog(); add_splits(two, csv(rows), log)
test_eq([s.split for s in two.values()], ['val',None]); test_eq(log.noted, [('film without a split','study 50000002')])
log = ReadLog(); add_splits(two, csv(rows+'elsewhere,1,1,test\n'), log)  # as where the metadata were cut short
test_eq(log.noted[0], ('split of a film that is not here','t.csv row 4: elsewhere'))
test_fail(lambda: add_splits(two, csv('dicom_id,split\n50000001-a,valid\n'), log), contains="row 2: split is 'valid'")
test_fail(lambda: add_splits(two, csv('dicom_id,split\n50000001-a,test\n50000001-b,train\n'), log),
          contains='films of study 50000001 are in test and train')
head = 'study_id,'+','.join(sorted(CHEXPERT)).replace('Lung Opacity', 'Airspace Opacity')
log = ReadLog(); add_labels(two, csv(f'{head}\n50000001,1.0,,,-1.0,,,,0,,,,,,\n50000009,,,,,,,,,,,,,,\n'), log)
test_eq(two['50000001'].labels, {'Atelectasis': 1., 'Edema': -1., 'Lung Opacity': 0.})
test_eq(sorted(w for w,_ in log.noted), ['labels of a study that is not here','study without a row of labels'])
test_fail(lambda: add_labels(two, csv(f'{head}\n50000001,2,,,,,,,,,,,,,\n'), log),
          contains="row 2, column 'Atelectasis': '2'")
test_fail(lambda: add_labels(two, csv('study_id,Edema\n50000001,1\n'), log), contains="no column 'Atelectasis'")

# %% [22] Are the films there?
from medvl.readers.mimic import (check_films)

# %% [24] The reader
from medvl.readers.mimic import (read_mimic, add_tables, add_providers, add_texts)

# %% [26] On the rehearsal
log = ReadLog('MIMIC-CXR-JPG'); studies = read_mimic(jpg, log=log)
print(str(log).replace(str(root), '...'))
test_eq((find_layouts(jpg), len(studies), len(log.left), len(log.noted)), (['mimic'], len(made), 0, 0))
at = {mimic_id(v.id): (v, s) for s in made for v in s.views}  # the film of the phantom by its new name
for s in studies:
    for v in s.views:
        old, of = at[v.id]
        test_eq((v.kind, v.pos, s.split, s.labels), (old.kind, old.pos, of.split, of.labels))
        test_eq([o and o.id for o in slots(v, s)][1:], [o and mimic_id(o.id) for o in slots(old, of)][1:])
    letters = lambda t: ''.join(c for c in t.lower() if c.isalpha())
    test_eq(letters(impression_findings(s.report)), letters(impression_findings(of.report)))
test_eq(len(read_studies(jpg, log=ReadLog())), len(made))
own = [s for s in studies if s.patient == studies[0].patient]
show_timeline(own);

# %% [29] Priors, laterals, several frontals
def film(k): return '-'.join([k*8]+['0'*8]*4)
def chosen(rows, per='study', **kw): # slots of each sample, behind the number of its study
    "Rows as above; a view in brackets stands in the code's column."
    lines = ['dicom_id,subject_id,study_id,ViewPosition,ViewCodeSequence_CodeMeaning,StudyDate,StudyTime']
    for letter,study,view,day,time in (o.replace('_', '').split(' ') for o in rows.split(', ')):
        view = f',{view[1:-1]}' if '[' in view else f'{view},'
        lines.append(f"{film(letter)},10000032,5000000{study},{view},{day and f'2180010{day}'},{time}")
    with tempfile.TemporaryDirectory() as d:
        (Path(d)/'mimic-cxr-2.0.0-metadata.csv').write_text('\n'.join(lines))
        got = read_mimic(d, missing='ignore', log=ReadLog(), **kw)
    smp = samples(got, per, say=None)
    return ' '.join(f"{s.study.id[-1]}:{''.join(v.id[0] if v else '-' for v in s.slots)}" for s in smp)

cases = [
 (1, 'numbers against dates', 'a 3 PA 1 900, b 1 PA 5 900, c 2 AP 9 900', '3:a--- 1:b-a- 2:c-b-'),
 (1, 'same day, other time', 'a 1 PA 1 180000, b 2 PA 1 90000.5', '1:a-b- 2:b---'),
 (2, 'prior without a frontal', 'a 1 PA 1 900, b 2 LL 5 900, c 3 AP 9 900', '1:a--- 3:c-a-'),
 (3, 'equal times', 'a 1 AP 1 900, b 3 AP 5 900, c 2 AP 5 900, d 4 AP 9 900', '1:a--- 3:b-a- 2:c-a- 4:d-c-'),
 (3, 'equal times, one has no frontal', 'b 2 LL 5 900, c 3 AP 5 900, d 4 AP 9 900', '3:c--- 4:d-c-'),
 (4, 'no date', 'a 1 AP 1 900, b 2 AP _ 900, c 3 AP 9 900', '1:a--- 2:b--- 3:c-a-'),
 (5, 'a date without a time', 'a 1 AP 1 900, b 2 AP 1 _, c 3 AP 5 900', '1:a-b- 2:b--- 3:c-a-'),
 (6, 'a study of two times', 'a 1 AP 1 90000, b 2 AP 1 100000, c 2 LL 1 80000', '1:a-bc 2:bc--'),
 (7, 'several frontals', 'b 1 PA 1 900, a 1 AP 1 900, d 2 PA 5 900, c 2 PA 5 900', '1:a--- 2:c-a-'),
 (8, 'several laterals', 'a 1 PA 1 900, c 1 LL 1 900, b 1 LL 1 900, d 2 PA 5 900, f 2 LL 5 900, e 2 LATERAL 5 900',
  '1:ab-- 2:deab'),
 (9, 'the prior has no lateral', 'a 1 PA 1 900, b 1 LL 1 900, c 2 AP 5 900, d 3 AP 9 900', '1:ab-- 2:c-ab 3:d-c-'),
 (10, 'no frontal', 'a 1 PA 1 900, b 2 LL 5 900', '1:a---'),
 (11, 'the view in the code', 'a 1 [postero-anterior] 1 900, b 1 [lateral] 1 900, c 1 _ 1 900, d 2 AP 5 900, '
  'e 2 LPO 5 900', '1:ab-- 2:d-ab')]
for rule,what,rows,want in cases: test_eq((rule, what, chosen(rows)), (rule, what, want))
rows = {what: rows for _,what,rows,_ in cases}
test_eq(chosen(rows['several frontals'], 'image'), '1:a--- 1:b--- 2:c-a- 2:d-a-')          # rule 7, an image each
test_eq(chosen(rows['numbers against dates'], max_days=3), '3:a--- 1:b--- 2:c---')         # rule 1, with a limit
for _,_,rows,want in cases: # in another order
    test_eq(sorted(chosen(', '.join(rows.split(', ')[::-1])).split()), sorted(want.split()))
show = pd.DataFrame([(k, what, rows.replace(', ', '\n'), want.replace(' ', '\n')) for k,what,rows,want in cases],
                    columns=['rule','case','rows of the table','slots of each study'])
plain = {'white-space': 'pre', 'text-align': 'left', 'vertical-align': 'top'}
show.style.hide(axis='index').set_properties(**plain)

# %% [31] Priors, laterals, several frontals
rows = [('a','10000032','50414267','PA','','21800506','213014.531'),
        ('b','10000032','50414267','LATERAL','','21800506','213014.531'),
        ('c','10000032','53189527','','lateral','21800507','90312.5'),  # no frontal: no prior for the next
        ('d','10000032','56699142','AP','','21800508',''), ('e','10000032','56699142','AP','','21800508','71500.0'),
        ('f','10000032','56699142','LL','','21800508','71500.0'),
        ('g','10000764','57375967','','','21790101','5.0'), ('g','10000764','57375967','PA','','21790101','5.0'),
        ('h','10000764','58888888','','antero-posterior','','5.0'), ('i','10000764','5888','AP','','21790101','5.0'),
        ('j','10000765','57000000','AP','','00010203','5.0')]
trap = root/'traps'; trap.mkdir()
def put(name, lines): (trap/name).parent.mkdir(parents=True, exist_ok=True); (trap/name).write_bytes(lines)
head = 'dicom_id,subject_id,study_id,ViewPosition,ViewCodeSequence_CodeMeaning,StudyDate,StudyTime'
put('mimic-cxr-2.0.0-metadata.csv', '\n'.join([head]+[','.join([mimic_id(r[0]), *r[1:]]) for r in rows]).encode())
put('mimic-cxr-2.0.0-split.csv', ('dicom_id,study_id,subject_id,split\n'+''.join(
    f'{mimic_id(r[0])},{r[2]},{r[1]},{"validate" if r[1][-1] == "2" else "train"}\n' for r in rows[:8])).encode())
labels = ['subject_id,study_id,'+','.join(sorted(CHEXPERT)), '10000032,50414267,,1.0,,-1.0,,,,,,0.0,,,,',
          '10000032,53189527'+','*14, '10000032,56699142,,,,,,,,,1.0,,,,,']
put('mimic-cxr-2.0.0-negbio.csv', '\n'.join(labels).encode())
for r in rows:
    f = trap/f'files/p10/p{r[1]}/s{r[2]}/{mimic_id(r[0])}.jpg'; f.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((8,8), np.uint8)).save(f)
put('files/p10/p10000032/s50414267.txt', b' ADDENDUM  Called in.\n'+b' '+b'_'*40+
    b'\n FINAL REPORT\n INDICATION: ___\n \n IMPRESSION:\n \n Clear.\n')
put('files/p10/p10000032/s53189527.txt', b'   FINAL REPORT\n REASON FOR EXAM:  Fall.\n \n No fracture is seen.\n')
put('files/p10/p10000032/s56699142.txt', b' FINDINGS:  1 \xb5m.\n')
log = ReadLog('traps'); got = read_mimic(trap, labels='negbio', log=log); print(str(log).replace(str(root), '...'))

# %% [32] Priors, laterals, several frontals
by = {s.id: s for s in got}; first = min('de', key=mimic_id)
test_eq(list(by), ['50414267','53189527','56699142','57375967','58888888','57000000'])
test_eq([o and o.id for o in slots(by['56699142'].frontals[0], by['56699142'])],
        [mimic_id(o) for o in (first,'f','a','b')])
test_eq(by['53189527'].prior.id, '50414267'); test_eq([v.kind for v in by['53189527'].views], ['lateral'])
test_eq(by['56699142'].time, datetime(2180,5,8))  # one of its films has no time
test_eq([s.split for s in got], ['val']*3+['train',None,None]); test_eq(by['58888888'].time, None)
test_eq(by['50414267'].labels, {'Cardiomegaly': 1., 'Edema': -1., 'Pleural Effusion': 0.})
test_eq(by['53189527'].labels, {})
test_eq([s.report for s in got], ['ADDENDUM: Called in.\n\nINDICATION: ___\n\nIMPRESSION: Clear.',
                                  'INDICATION: Fall.\n\nFINDINGS: No fracture is seen.','FINDINGS: 1 \xb5m.','','',''])
test_eq({w for w,_ in log.left}, {'the same dicom_id again','study_id is not as in MIMIC'})
want = ["StudyTime can't be used","StudyDate can't be used",'view is not said: kind other','film without a split',
        'a row of labels that says nothing','study without a row of labels','no report','a date that can not be: kept']
assert set(want) < {w for w,_ in log.noted}, log.noted
test_eq(sum(w == 'no report' for w,_ in log.noted), 3)
# per image: each frontal is a sample
test_eq(len(samples(got, per='image', say=None)), 5); test_eq(len(samples(got, per='study', say=None)), 4)
# as it is in the file
test_eq(read_mimic(trap, text='whole', log=ReadLog())[1].report.split(chr(10))[0].strip(), 'FINAL REPORT')
# rule 12: the prior's report has no findings, and it is left out as a sample; its films are the prior's all the same
by['50414267'].report = 'INDICATION: ___'
kept = samples(got, text=impression_findings, need_text=True, say=None)
test_eq([(o.id, [v and v.id for v in o.slots[2:]]) for o in kept], [('56699142', [mimic_id('a'), mimic_id('b')])])

# %% [34] Half a download, other places
half = root/'half'; shutil.copytree(jpg, half); gone = studies[0].patient
shutil.rmtree(half/f'files/p{gone[:2]}/p{gone}')
log = ReadLog('half'); few = read_mimic(half, log=log); print(str(log).replace(str(root), '...'))
test_eq(len(log.left), sum(len(s.views) for s in own)); assert gone not in {s.patient for s in few}
test_fail(lambda: read_mimic(half, missing='error', log=ReadLog()), contains='films are not there, e.g.')
test_eq(len(read_mimic(half, missing='ignore', log=ReadLog())), len(studies))
assert all(re.match(r'mimic-cxr-2.0.0-metadata.csv.gz row \d+: .*\.jpg$', o) for _,o in log.left), log.left
# a film to try with, of a set of which only the tables are there; a glance at few says how few
one = root/'one'/'mimic-cxr-jpg'/'2.1.0'
shutil.copytree(jpg, one, ignore=shutil.ignore_patterns('files'))
last = studies[-1].views[-1].path; p = one/os.path.relpath(last, jpg)
p.parent.mkdir(parents=True); shutil.copy(last, p)
ids = clean_ids(read_table(next(one.glob('*metadata*'))), Path('m.csv'), ReadLog())
test_eq(film_place(ids, release_folders(root/'one'), few=1), (one.absolute(), '.jpg'))
test_eq([v.path for s in read_mimic(root/'one', log=ReadLog()) for v in s.views], [str(p.absolute())])
log = ReadLog(); check_films({s.id: s for s in studies}, meta, Path('m.csv'), 'glance', log, few=3)
assert log.lines[0].endswith("of 17 films were looked for, and are there (missing='skip': all)"), log.lines
# as wget leaves both releases
w = root/'both'/'physionet.org'/'files'; shutil.copytree(jpg, w/'mimic-cxr-jpg'/'2.1.0')
(w/'mimic-cxr'/'2.1.0').mkdir(parents=True)
shutil.move(w/'mimic-cxr-jpg'/'2.1.0'/'mimic-cxr-reports.zip', w/'mimic-cxr'/'2.1.0')
for o in (root/'both', w/'mimic-cxr-jpg'/'2.1.0'):
    test_eq([s.report for s in read_mimic(o, log=ReadLog())], [s.report for s in studies])
# without reports it is said; with MIT-LCP's table they come from there
shutil.rmtree(w/'mimic-cxr'); log = ReadLog(); test_eq({s.report for s in read_mimic(root/'both', log=log)}, {''})
assert any('no reports: mimic-cxr-reports.zip' in o for o in log.lines), log.lines
table = w/'mimic-cxr-jpg'/'2.1.0'/'mimic_cxr_sectioned.csv'
cells = f's{studies[0].id},Clear.,"Two\nlines.",,None.'
table.write_text(f'study,impression,findings,last_paragraph,comparison\n{cells}\n')
test_eq(read_mimic(root/'both', log=ReadLog())[0].report,
        'COMPARISON: None.\n\nFINDINGS: Two\nlines.\n\nIMPRESSION: Clear.')

# %% [36] DICOM
dcm = root/'mimic-cxr'; dcm.mkdir(); rows = []
for s in studies[:3]:
    (dcm/report_path(s)).parent.mkdir(parents=True, exist_ok=True)
    (dcm/report_path(s)).write_text(' FINDINGS:  Clear.\n')
    for v in s.views:
        rel = f'files/p{s.patient[:2]}/p{s.patient}/s{s.id}/{v.id}.dcm'; (dcm/rel).parent.mkdir(exist_ok=True)
        write_dicom(v.film().px[0].numpy(), dcm/rel, v.pos, patient=s.patient, study=s.id, when=s.time)
        if not rows[1:]: ds = dcmread(dcm/rel); ds.PatientBirthDate = '21900101'; ds.save_as(dcm/rel)
        rows.append((s.patient, s.id, v.id, rel))
cols = ['subject_id','study_id','dicom_id','path']
pd.DataFrame(rows, columns=cols).to_csv(dcm/'cxr-record-list.csv.gz', index=False)
pd.DataFrame([(s.patient, s.id, 'P1', '') for s in studies], columns=['subject_id','study_id','attending_provider_id',
             'resident_provider_id']).to_csv(dcm/'cxr-provider-list.csv.gz', index=False)
(dcm/rows[0][3]).write_bytes(b'nothing')
log = ReadLog('MIMIC-CXR'); films = read_mimic(dcm, log=log); print(str(log).replace(str(root), '...'))
test_eq([s.time for s in films], [s.time.replace(microsecond=0) for s in studies[:3]])
test_eq({s.report for s in films}, {'FINDINGS: Clear.'}); test_eq(films[0].info['attending_provider_id'], 'P1')
assert 'is before the birth (21900101)' in dict(log.noted)['a date that can not be: kept'], log.noted
test_eq(log.left[0][0], 'header can not be read'); test_eq({s.source for s in films}, {'mimic-cxr'})
test_eq(sum(len(s.views) for s in films), len(rows)-1); films[0].views[0].film().px.shape

# %% [38] DICOM
test_fail(lambda: read_mimic(root/'nowhere'), contains='neither mimic-cxr-*-metadata.csv(.gz)')
test_fail(lambda: read_mimic(jpg, labels='mine'), contains="labels is 'mine'; expected chexpert, negbio, radiologist")
test_fail(lambda: read_mimic(jpg, reports=root/'no.zip', log=ReadLog()), contains='no such folder or file of reports')
test_fail(lambda: read_mimic(jpg, films=root/'no', log=ReadLog()), contains='--images) names another folder')
two = [f'{mimic_id(o)},{p},50414267,PA,,,' for o,p in (('a','10000032'), ('b','10000764'))]
put('mimic-cxr-2.0.0-metadata.csv', '\n'.join([head, *two]).encode())
test_fail(lambda: read_mimic(trap, log=ReadLog()), contains='row 3: study 50414267 is of patient 10000764, in an')
put('mimic-cxr-2.0.0-metadata.csv', f'{head}\nx,1,2,PA,,,\n'.encode())
test_fail(lambda: read_mimic(trap, log=ReadLog()), contains='no film')
put('mimic-cxr-2.0.0-metadata.csv', b'dicom,subject_id,study_id\n')
test_fail(lambda: read_mimic(trap, log=ReadLog()), contains="no column 'dicom_id'")

# %% [40] DICOM
lines = [f'{mimic_id(str(i))},10000032,50414267,PA,,2180050{6+(i > 5)},1.0' for i in range(12)]
put('mimic-cxr-2.0.0-metadata.csv', '\n'.join([head]+lines).encode())
log = ReadLog(); s, = read_mimic(trap, missing='ignore', log=log); test_eq((len(s.views), s.time.day), (12, 6))
assert {'more than 10 films','films of one study on several days'} <= {w for w,_ in log.noted}
test_eq(log.noted[-1], ('film without a split','study 50414267')); test_eq(dict(log.noted)['more than 10 films'],
        'mimic-cxr-2.0.0-metadata.csv row 13: study 50414267: 12 films')
tmp.cleanup()
