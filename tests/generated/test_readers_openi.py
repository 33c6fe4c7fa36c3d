# nbs/readers/20_openi.ipynb: runs against the imported medvl.readers.openi.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Open-i, and the annotation files of R2Gen
import json, os, re, tarfile
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Iterator
from xml.etree import ElementTree
from medvl.core import MedvlError
from medvl.data.dicom import view_kind
from medvl.data.manifest import count_found
from medvl.data.pixels import ImageError
from medvl.data.scan import dicom_header
from medvl.data.study import Study, View, link_priors
from medvl.data.splits import split_by_patient
from medvl.data.table import ReadLog, read_table

# %% [4] Open-i, and the annotation files of R2Gen
import tempfile
import pandas as pd
from fastcore.test import *
from PIL import Image
from medvl.readers.find import read_studies
from medvl.readers.find import find_layouts
from medvl.data.study import samples
from medvl.data.splits import leakage
from medvl.data.words import impression_findings
from medvl.phantom.projection import write_dicom
from medvl.phantom.set import phantom_studies

# %% [6] A report
from medvl.readers.openi import (Report, film_key, parse_openi)

# %% [7] A report
test_eq([film_key(o) for o in ('CXR1_1_IM-0001-3001','CXR1000_IM-0003-1001.png','1_IM-0001-3001.dcm',
                               '1_IM-0001-4001.dcm.png')],
        ['1_IM-0001-3001','1000_IM-0003-1001','1_IM-0001-3001','1_IM-0001-4001'])
def xml(n, films=(), major=(), **texts):
    "An XML file in the layout of Open-i."
    texts = dict(COMPARISON='', INDICATION='', FINDINGS='', IMPRESSION='') | texts
    said = ''.join(f'<AbstractText Label="{k}">{v}</AbstractText>' for k,v in texts.items())
    imgs = ''.join(f'<parentImage id="{o}"><figureId>F1</figureId><caption>X</caption></parentImage>' for o in films)
    return (f'<?xml version="1.0" encoding="utf-8"?>\n<eCitation><uId id="CXR{n}"/><pmcId id="{n}"/><MedlineCitation>'
            f'<Article><Abstract>{said}</Abstract></Article></MedlineCitation><MeSH>'
            + ''.join(f'<major>{o}</major>' for o in major) + f'</MeSH>{imgs}</eCitation>').encode()
one = xml(1, ['CXR1_1_IM-0001-3001'], ['Cardiomegaly/mild ','normal'], FINDINGS='Heart\n is  large.')
r = parse_openi(one, '1.xml')
print(r)
test_eq(r, Report('CXR1', {'FINDINGS': 'Heart is large.'}, ['1_IM-0001-3001'], ['Cardiomegaly/mild','normal']))
test_fail(lambda: parse_openi(b'<eCitation>', '7.xml'), contains='7.xml: not a whole XML file')
test_fail(lambda: parse_openi(b'<a/>', '7.xml'), contains='7.xml: no uId')

# %% [9] Labels
from medvl.readers.openi import (MESH, PARTS, openi_labels)

# %% [10] Labels
test_eq(openi_labels(['Cardiomegaly/mild','Opacity/lung/base/left','Opacity/pleura','Thickening/pleura/apex','Spine']),
        {'Cardiomegaly': 1., 'Lung Opacity': 1., 'Pleural Other': 1.})
test_eq((openi_labels(['normal']), openi_labels(['No Indexing'])), ({'No Finding': 1.}, {}))
pd.DataFrame(list(MESH.items()), columns=['Open-i','medvl']).groupby('medvl').agg('; '.join)

# %% [12] Which film is the lateral?
from medvl.readers.openi import (VIEW_TABLES, openi_views, settle_views)

# %% [13] Which film is the lateral?
tmp = tempfile.TemporaryDirectory(); root = Path(tmp.name)/'openi'; root.mkdir()
(root/'nlmcxr_tsne_pa.csv').write_text('imageid,tsne-view\nCXR9001_IM-0001-1001,L\n')
(root/'indiana_projections.csv').write_text('uid,filename,projection\n9001,9001_IM-0001-1001.dcm.png,Frontal\n'
                                           '9001,9001_IM-0001-4001.dcm.png,Frontal\n')  # the first table counts
rows = 'CXR9001_IM-0001-1001,PA\nCXR9001_IM-0001-2001,AP\nCXR9001_IM-0001-3001,\n'
(root/'nlmcxr_dicom_metadata.csv').write_text('imageid,View Position\n'+rows)
log = ReadLog(); views = openi_views(root, log)
test_eq(views['picture']['9001_IM-0001-1001'], 'L'); test_eq(views['header']['9001_IM-0001-2001'], 'AP')
test_eq('9001_IM-0001-3001' in views['header'], False)
test_eq(log.lines[:2], [f'views by picture: 1 from {o}.csv' for o in ('nlmcxr_tsne_pa','indiana_projections')])
test_eq(views['picture']['9001_IM-0001-4001'], 'Frontal'); (root/'indiana_projections.csv').unlink()
kinds = lambda *said: [k[0]+w[:1] for k,_,w in settle_views(said)]
test_eq(kinds(('L','PA'), ('','PA')), ['lp','fh'])  # the picture against its own header; the other may be frontal
test_eq(kinds(('PA',''), ('','PA')), ['fp','le'])  # both headers say PA: one is the lateral
test_eq(kinds(('PA',''), ('','LL')), ['fp','lh']); test_eq(kinds(('PA','PA'), ('',''), ('','PA')), ['fp','o','o'])
test_eq(kinds(('',''), ('','LARGE LATERAL')), ['o','lh']); test_eq(kinds(('','AP'),), ['fh'])

# %% [15] The reader
from medvl.readers.openi import (PLACES, openi_reports, kaggle_reports, openi_films)

# %% [17] The reader
from medvl.readers.openi import (read_openi)

# %% [19] The reader
from medvl.readers.openi import (openi_text, openi_study_films, dicom_view, openi_split)

# %% [21] R2Gen's files
from medvl.readers.openi import (read_annotation, read_r2gen, r2gen_record)

# %% [23] On fixtures
made = phantom_studies(5, seed=4, size=48)
two = [s for s in made if s.laterals][:2]; front, side = two[0].frontals[0].px, two[0].laterals[0].px
(root/'ecgen-radiology').mkdir(); (root/'NLMCXR_png').mkdir()
ids = {1: ['CXR1_1_IM-0001-3001','CXR1_1_IM-0001-4001'], 2: ['CXR2_IM-0652-1001'],
       3: [f'CXR3_IM-1384-{i}001' for i in range(1, 6)], 4: []}
said = {1: dict(FINDINGS='Heart is large.', IMPRESSION='Cardiomegaly.', INDICATION='XXXX'),
        2: dict(IMPRESSION='Clear.'), 3: dict(INDICATION='Cough.'), 4: dict(FINDINGS='Clear.')}
major = {1: ['Cardiomegaly/mild ','Opacity/lung/base/left'], 2: ['normal'], 3: ['No Indexing'], 4: ['normal']}
for n in ids: (root/'ecgen-radiology'/f'{n}.xml').write_bytes(xml(n, ids[n], major[n], **said[n]))
(root/'ecgen-radiology'/'5.xml').write_bytes(b'<eCitation>')
for o in sum(ids.values(), []):
    Image.fromarray(side if o.endswith('4001') else front).save(root/'NLMCXR_png'/f'{o}.png')
rows = ''.join(f"{o},{'L' if o.endswith('4001') else 'PA'}\n" for n in (1,2) for o in ids[n])
(root/'nlmcxr_tsne_pa.csv').write_text('imageid,tsne-view\n'+rows)
(root/'nlmcxr_dicom_metadata.csv').write_text('imageid,View Position\n'+''.join(f'{o},\n' for o in ids[3]))
test_eq(find_layouts(root), ['openi'])
log = ReadLog('Open-i'); got = read_openi(root, log=log); print(str(log).replace(str(root), '...'))
test_eq([(s.id, [v.kind[0] for v in s.views]) for s in got], [('CXR1',['f','l']), ('CXR2',['f']), ('CXR3',['o']*5)])
test_eq(got[0].labels, {'Cardiomegaly': 1., 'Lung Opacity': 1.}); test_eq(got[1].labels, {'No Finding': 1.})
test_eq(impression_findings(got[0].report), 'Heart is large. Cardiomegaly.'); test_eq(got[2].report, '')
test_eq([w for w,_ in log.left], ['report can not be read','report without a film'])
assert ('neither findings nor impression','CXR3') in log.noted
assert got[0].split in ('train','val','test') and got[0].prior is None

# %% [25] On fixtures
(root/'NLMCXR_png'/'CXR2_IM-0652-1001.png').rename(root/'away.png')
test_fail(lambda: read_openi(root, log=ReadLog()), contains='film 2_IM-0652-1001 of report CXR2 is not there')
log = ReadLog(); test_eq([s.id for s in read_openi(root, missing='skip', log=log)], ['CXR1','CXR3'])
assert ('film is not there','CXR2: 2_IM-0652-1001') in log.left
test_eq(len(read_openi(root, missing='ignore', log=ReadLog())), 3)
(root/'away.png').rename(root/'NLMCXR_png'/'CXR2_IM-0652-1001.png')
# packed, and DICOM
pack = Path(tmp.name)/'packed'; (pack/'NLMCXR_dcm'/'9001').mkdir(parents=True)
with tarfile.open(pack/'NLMCXR_reports.tgz', 'w:gz') as t: t.add(root/'ecgen-radiology', 'ecgen-radiology')
one = Path(tmp.name)/'dcm'; (one/'NLMCXR_dcm'/'9001').mkdir(parents=True)
(one/'9001.xml').write_bytes(xml(9001, ['CXR9001_IM-0001-1001','CXR9001_IM-0001-2001'], IMPRESSION='Clear.'))
for o,px,view in (('9001_IM-0001-1001', front, 'PA'), ('9001_IM-0001-2001', side, 'LL')):
    write_dicom(px/255, one/'NLMCXR_dcm'/'9001'/f'{o}.dcm', view)
test_eq([(v.kind, v.pos) for v in read_openi(one, log=ReadLog())[0].views], [('frontal','PA'), ('lateral','LL')])
(one/'NLMCXR_png').mkdir(); Image.fromarray(front).save(one/'NLMCXR_png'/'CXR9001_IM-0001-1001.png')
test_eq([Path(v.path).suffix for v in read_openi(one, log=ReadLog())[0].views], ['.png','.dcm'])  # PNG is preferred
test_eq([r.uid for r in openi_reports(pack, ReadLog())], ['CXR1','CXR2','CXR3','CXR4'])
(pack/'NLMCXR_reports.tgz').write_bytes((pack/'NLMCXR_reports.tgz').read_bytes()[:200])
test_fail(lambda: read_openi(pack, log=ReadLog()), contains='not a whole archive')

# %% [26] On fixtures
kag = Path(tmp.name)/'kaggle'; (kag/'images/images_normalized').mkdir(parents=True)
(kag/'indiana_reports.csv').write_text('uid,MeSH,Problems,image,indication,comparison,findings,impression\n'
                                       '9001,Cardiomegaly/mild;Spine,Cardiomegaly,Xray,Cough,,,"Large, clear."\n')
(kag/'indiana_projections.csv').write_text('uid,filename,projection\n9001,9001_IM-0001-4001.dcm.png,Frontal\n'
                                           '9001,9001_IM-0001-3001.dcm.png,Lateral\n')
for i,px in ((4,front), (3,side)):
    Image.fromarray(px).save(kag/f'images/images_normalized/9001_IM-0001-{i}001.dcm.png')
s, = read_studies(kag, log=ReadLog())
test_eq((s.id, [v.kind for v in s.views], s.labels), ('CXR9001', ['frontal','lateral'], {'Cardiomegaly': 1.}))
test_eq(s.report, 'INDICATION: Cough\n\nIMPRESSION: Large, clear.')

# %% [28] On fixtures
iu = Path(tmp.name)/'iu_xray'; rec = lambda id, split: dict(id=id, report='the heart is large .', split=split,
                                                            image_path=[f'{id}/0.png',f'{id}/1.png'])
for o in ('CXR1_1_IM-0001','CXR2_IM-0652-1001','CXR3_IM-1384'):
    (iu/'images'/o).mkdir(parents=True)
    for i,px in enumerate((front, side)): Image.fromarray(px).save(iu/'images'/o/f'{i}.png')
d = {k: [rec(o, k)] for k,o in (('train','CXR1_1_IM-0001'), ('val','CXR2_IM-0652-1001'), ('test','CXR3_IM-1384'))}
(iu/'annotation.json').write_text(json.dumps(d)); test_eq(find_layouts(iu), ['r2gen'])
got = read_studies(iu, log=ReadLog())
test_eq([(s.patient, s.split, [v.kind for v in s.views]) for s in got][1], ('CXR2','val',['frontal','lateral']))
test_eq([s.split for s in read_openi(root, 'r2gen', iu/'annotation.json', log=ReadLog())], ['train','val','test'])
test_fail(lambda: read_openi(root, 'r2gen', log=ReadLog()), contains="can't be read as R2Gen's annotation.json")
test_fail(lambda: read_openi(root, 'mine'), contains="split is 'mine'")
(iu/'images'/'CXR3_IM-1384'/'1.png').unlink()
test_fail(lambda: read_r2gen(iu, log=ReadLog()), contains='1.png: no such film')
test_eq([len(s.views) for s in read_r2gen(iu, 'skip', log=ReadLog())], [2,2,1])
# MIMIC's: a record is a film
mim = Path(tmp.name)/'r2'/'mimic_cxr'; rel = 'p10/p10000032/s50414267/{}.jpg'.format
(mim/'images/p10/p10000032/s50414267').mkdir(parents=True)
for o in 'ab': Image.fromarray(front).save(mim/'images'/rel(o))
film = lambda o: dict(id=o, study_id=50414267, subject_id=10000032, report='clear .', image_path=[rel(o)])
(mim/'annotation.json').write_text(json.dumps(dict(train=[film('a'), film('b')], val=[], test=[])))
s, = read_studies(mim.parent, log=ReadLog())
test_eq((s.patient, s.id, [v.id for v in s.views]), ('10000032','50414267',['a','b']))
test_eq(len(samples([s], per='image', say=None)), 2)
(two := mim.parent/'iu_xray'/'annotation.json').parent.mkdir(); two.write_text('{"train": []}')
test_fail(lambda: read_r2gen(mim.parent, log=ReadLog()), contains='2 files annotation.json; expected one')
(mim/'annotation.json').write_text(json.dumps(dict(train=[film('a')], val=[film('b')])))
test_fail(lambda: read_r2gen(mim, log=ReadLog()), contains='study 50414267 is in train and val')
(mim/'annotation.json').write_text(json.dumps(dict(train=[dict(id='a')])))
test_fail(lambda: read_r2gen(mim, log=ReadLog()), contains='train, record 0: no image_path')

# %% [29] On fixtures
many = Path(tmp.name)/'many'; (many/'NLMCXR_png').mkdir(parents=True)
for n in range(9990, 10020):
    o = [f'CXR{n}_IM-0001-{i}001' for i in (1,2)]
    (many/f'{n}.xml').write_bytes(xml(n, o, FINDINGS=f'Report {n}.'))
safe, leaky = (read_openi(many, k, missing='ignore', log=ReadLog()) for k in ('patient','film'))
print(leakage(safe, files=False)); print(leakage(leaky, files=False))
assert leakage(safe, files=False).ok and leakage(leaky, files=False).count['patient'] > 5
test_eq([s.id for s in safe], [f'CXR{n}' for n in range(9990, 10020)]); test_eq(len(leaky), 60)
tmp.cleanup()

# %% [31] On the real reports
spec = find_spec('torchxrayvision')
if spec:
    log = ReadLog('Open-i'); real = list(openi_reports(Path(spec.origin).parent/'data', log))
    n = pd.Series([len(r.films) for r in real]).value_counts().sort_index().to_dict()
    films = sum(len(r.films) for r in real)
    print(f"{len(real):,} reports, {len(log.left)} not read; {films:,} films; a report has {n}")
    empty = {k: sum(k not in r.texts for r in real) for k in ('COMPARISON','INDICATION','FINDINGS','IMPRESSION')}
    print('empty:', empty, '; neither findings nor impression:', sum(not openi_text(r) for r in real))
    views = openi_views(Path('nowhere'), log); print('\n'.join(log.lines))
    kinds = [(k, w or 'nothing') for r in real for k,_,w in settle_views(
        [(views['picture'].get(f, ''), views['header'].get(f, '')) for f in r.films])]
    print(pd.DataFrame(kinds, columns=['kind','said by']).value_counts().unstack(fill_value=0))
    print(pd.Series([k for r in real for k in openi_labels(r.major)]).value_counts().to_dict())
    test_eq((len(real), len(log.left), len(kinds)), (3955, 0, 7470))
else: print('not run: torchxrayvision is not installed')
