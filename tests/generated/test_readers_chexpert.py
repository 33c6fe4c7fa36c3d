# nbs/readers/21_chexpert.ipynb: runs against the imported medvl.readers.chexpert.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] CheXpert
import json, os
from dataclasses import dataclass, field
from pathlib import Path
import pandas as pd
from medvl.core import CHEXPERT, MedvlError
from medvl.data.scan import read_text
from medvl.data.study import Study
from medvl.data.table import ReadLog, check_columns, read_table
from medvl.readers.layout import (STRENGTH, close_log, each_once, films_in, find_table, link_by_number, look,
                                  need_table, open_log, read_cells, to_studies)

# %% [4] CheXpert
import importlib.util, io, tempfile
import numpy as np
from fastcore.test import *
from PIL import Image
from medvl.readers.find import read_studies
from medvl.readers.find import find_layouts
from medvl.data.study import samples

# %% [6] A row
from medvl.readers.chexpert import (PATH, path_parts)

# %% [7] A row
one = path_parts(pd.Series(['CheXpert-v1.0-small/train/patient00002/study2/view2_lateral.jpg',
                            'CheXpert-v1.0/valid/patient64541/study12/view1_frontal.jpg',
                            'test/patient64741/study1/view1_frontal.jpg', 'train/somebody.jpg']))
test_eq(one.split.tolist()[:3], ['train','val','test']); assert one.patient.isna().tolist() == [False]*3+[True]
test_eq(one.film[0], 'patient00002/study2/view2_lateral.jpg'); test_eq(one.kind[0], 'lateral')
test_eq(one.order.tolist()[:2], ['2','12'])

# %% [9] Labels
from medvl.readers.chexpert import (label_value, label_columns)

# %% [10] Labels
LABELS = ','.join(CHEXPERT)
def labels_of(line):
    return label_columns(pd.read_csv(io.StringIO(LABELS+'\n'+line), dtype=str).fillna(''), Path('t.csv'))
test_eq(labels_of('1.0'+','*12+',1.0'), [{'No Finding': 1, 'Support Devices': 1}])
test_eq(labels_of(','*4+'-1.0,0.0'+','*8), [{'Lung Lesion': -1, 'Edema': 0}]); test_eq(labels_of(','*13), [{}])
test_fail(lambda: labels_of('2.0'+','*13), contains="t.csv: row 2, column 'labels'")
other = pd.DataFrame([{n.replace('Lung Opacity', 'Airspace Opacity'): '1.0' for n in CHEXPERT}])  # as some say it
test_eq(label_columns(other, Path('t.csv'))[0]['Lung Opacity'], 1.)
swapped = pd.DataFrame({n: [str(float(i == 5))] for i,n in enumerate(reversed(CHEXPERT))})
test_eq([k for k,v in label_columns(swapped, Path('t.csv'))[0].items() if v], [CHEXPERT[8]])

# %% [12] Where the films are
from medvl.readers.chexpert import (PARTS, film_paths)

# %% [14] The reader
from medvl.readers.chexpert import (TABLES, read_chexpert)

# %% [16] The reader
from medvl.readers.chexpert import (chexpert_rows, chexpert_films)

# %% [18] On a fixture
HEAD = 'Path,Sex,Age,Frontal/Lateral,AP/PA,' + LABELS
def line(path, sex='Female', age='68', side='Frontal', pos='AP', **labels):
    return ','.join([path,sex,age,side,pos]+[labels.get(n.replace(' ','_'), '') for n in CHEXPERT])
def release(name):
    t = f'{name}/train/'
    return [line(t+'patient00001/study1/view1_frontal.jpg', No_Finding='1.0', Pneumothorax='0.0',
                 Support_Devices='1.0'),
            line(t+'patient00002/study2/view1_frontal.jpg', age='87', Lung_Opacity='-1.0', Edema='1.0'),
            line(t+'patient00002/study2/view2_lateral.jpg', age='87', side='Lateral', pos='', Lung_Opacity='-1.0',
                 Edema='1.0'),
            line(t+'patient00002/study1/view1_frontal.jpg', age='83', pos='PA'),
            line(t+'patient00003/study1/view1_frontal.jpg', sex='Unknown', age='0', pos='LL', Fracture='1.0')]
def fixture(root, name, films=True):
    root.mkdir(parents=True); rows = release(name)
    (root/'train.csv').write_text('\n'.join([HEAD]+rows+rows[:1]+[line('elsewhere.jpg')])+'\n')
    val = line('CheXpert-v1.0/valid/patient64541/study1/view1_frontal.jpg', age='73', Cardiomegaly='1.0', Edema='0.0')
    (root/('valid.csv' if 'small' in name else 'val_labels.csv')).write_text(HEAD+'\n'+val+'\n')
    test = 'test/patient64741/study1/view1_frontal.jpg,'+'0.0,'*13+'1.0'
    (root/'test_labels.csv').write_text(f'Path,{LABELS}\n{test}\n')
    for r in rows[:4]+[f"x/{'valid' if 'small' in name else 'val'}/patient64541/study1/view1_frontal.jpg"]:
        p = root/r.split(',')[0].split('/', 1)[1]; p.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(len(r)).integers(0, 255, (64,60), np.uint8)).save(p)
tmp = tempfile.TemporaryDirectory(); d = Path(tmp.name)
for name in ('CheXpert-v1.0-small','CheXpert-v1.0'):
    fixture(d/name, name); test_eq(find_layouts(d/name), ['chexpert'])
    log = ReadLog(name); studies = read_studies(d/name, log=log)
    test_eq([(s.id, s.split) for s in studies],
            [('patient00001/study1','train'), ('patient00002/study2','train'), ('patient00002/study1','train'),
             ('patient00003/study1','train'), ('patient64541/study1','val'), ('patient64741/study1','test')])
print(str(log).replace(str(d), 'DIR'))

# %% [19] On a fixture
by = {s.id: s for s in studies}; two = by['patient00002/study2']
test_eq(by['patient00001/study1'].labels, {'No Finding': 1, 'Pneumothorax': 0, 'Support Devices': 1})
test_eq(two.labels, {'Lung Opacity': -1, 'Edema': 1}); test_eq(by['patient00002/study1'].labels, {})
test_eq([(v.kind, v.pos) for v in two.views], [('frontal','AP'),('lateral','')])
test_eq(two.prior.id, 'patient00002/study1')
test_is(two.time, None)
test_eq(two.views[0].info, {'sex': 'Female', 'age': '87'}); test_eq(by['patient00003/study1'].views[0].info, {})
test_eq(len(by['patient64741/study1'].labels), 14)
test_eq(by['patient64541/study1'].labels, {'Cardiomegaly': 1, 'Edema': 0})
assert by['patient64541/study1'].views[0].path.endswith('/val/patient64541/study1/view1_frontal.jpg')
test_eq(log.to_dict()['left_out'], {'the path has another form': 1, 'the same film again': 1})
test_eq(log.to_dict()['noted'], {'marked Frontal, but in a lateral position': 1})
test_eq([tuple(v and v.id[-15:-4] for v in o.slots) for o in samples([two], say=None)],
        [('ew1_frontal','ew2_lateral','ew1_frontal',None)])
assert two.views[0].film().px.shape == (1,64,60)

# %% [21] On a fixture
for o in ('batch 1 (validate & csv)/valid/patient64541', 'batch 2 (train 1)/patient00001'):
    (d/'new'/o).mkdir(parents=True)
got = film_paths(path_parts(pd.Series(['v/train/patient00001/study1/view1_frontal.jpg',
                                       'v/valid/patient64541/study1/view1_frontal.jpg',
                                       'v/train/patient00009/study1/view1_frontal.jpg'])), d/'new')
test_eq([o.removeprefix(str(d/'new')+'/').split('/study')[0] for o in got],
        ['batch 2 (train 1)/patient00001', 'batch 1 (validate & csv)/valid/patient64541', 'train/patient00009'])

# %% [23] On a fixture
log = ReadLog(); test_eq(len(read_chexpert(d/'CheXpert-v1.0', 'skip', log=log)), 4)
test_eq([w for w,_ in log.left].count('film is not there'), 2)
test_fail(lambda: read_chexpert(d/'CheXpert-v1.0', 'error', log=log), contains='train.csv row 6: no such file')
(d/'CheXpert-v1.0/test_labels.csv').unlink()
held = read_chexpert(d/'CheXpert-v1.0', split='official+patient', log=ReadLog())
test_eq([s.patient for s in held if s.split == 'test'], ['patient64541'])
test_fail(lambda: read_chexpert(d/'CheXpert-v1.0/val', log=log), contains='no train.csv')
test_fail(lambda: read_chexpert(d/'CheXpert-v1.0', train='train_cheXbert.csv', split='official+patient', log=log),
          contains="the splits here are ['val']")
wrong = line('x/train/patient00001/study1/view1_frontal.jpg', Edema='maybe')
(d/'CheXpert-v1.0/train.csv').write_text(HEAD+'\n'+wrong+'\n')
test_fail(lambda: read_chexpert(d/'CheXpert-v1.0', log=log), contains='train.csv: row 2')

# %% [25] CheXpert Plus
from medvl.readers.chexpert import (FILMS, SECTIONS, plus_reports, plus_labels)

# %% [26] CheXpert Plus
from medvl.readers.chexpert import (read_chexpert_plus, order_number)

# %% [28] CheXpert Plus
plus = d/'plus'; (plus/'PNG/PNG/train').mkdir(parents=True)
head = (',path_to_image,path_to_dcm,frontal_lateral,ap_pa,deid_patient_id,patient_report_date_order,report,'
        'section_history,section_findings,section_impression,age,sex,race,split')
def row(i, path, side, order, report='', f='', m='', split='train'):
    return f'{i},{path},{path[:-3]}dcm,{side},AP,deid9,{order},"{report}","","{f}","{m}",60,Male,White,{split}'
(plus/'df_chexpert_plus_240401.csv').write_text('\n'.join([head,
    row(0, 'train/patient42142/study5/view1_frontal.jpg', 'Frontal', 2, 'x', 'Small left\neffusion.', '1. Effusion.'),
    row(1, 'train/patient42142/study5/view2_lateral.jpg', 'Lateral', 2, 'x', 'Small left\neffusion.', '1. Effusion.'),
    row(2, 'train/patient42142/study9/view1_frontal.jpg', 'Frontal', 1, 'Lungs are clear.'),
    row(3, 'valid/patient64541/study1/view1_frontal.jpg', 'Frontal', '', 'y', m='Clear.', split='valid'),
    row(4, 'nowhere/a.jpg', 'Frontal', 1)])+'\n')
given = [dict(path_to_image=f'train/patient42142/study5/view{v}.jpg') | {n: None for n in CHEXPERT} |
         {'Pleural Effusion': 1.0, 'Edema': 0.0} for v in ('1_frontal','2_lateral')]
(plus/'report_fixed.json').write_text('\n'.join(json.dumps(o) for o in given)+'\n')
test_eq(find_layouts(plus), ['chexpert_plus'])
log = ReadLog('plus'); studies = read_studies(plus, log=log); print(str(log).replace(str(d), 'DIR'))
test_eq([(s.id, s.split, len(s.views)) for s in studies],
        [('patient42142/study5','train',2), ('patient42142/study9','train',1), ('patient64541/study1','val',1)])
test_eq(studies[0].report, 'FINDINGS:\nSmall left\neffusion.\n\nIMPRESSION:\n1. Effusion.')
test_eq((studies[1].report, studies[2].report), ('Lungs are clear.','IMPRESSION:\nClear.'))
test_eq(studies[0].labels, {'Pleural Effusion': 1, 'Edema': 0}); test_eq(studies[2].labels, {})
test_eq(studies[0].prior.id, 'patient42142/study9'); test_eq(log.left[0][0], 'the path has another form')
assert studies[0].views[0].path.endswith('plus/PNG/PNG/train/patient42142/study5/view1_frontal.png')
(plus/'report_fixed.json').write_text('{"path_to_image": "a", "Edema": 3}\n')
test_fail(lambda: read_chexpert_plus(plus, log=log), contains='report_fixed.json: line 1')
test_fail(lambda: read_chexpert_plus(d, log=log), contains='expected df_chexpert_plus*.csv')

# %% [30] The lists of zero-shot and of retrieval
from medvl.readers.chexpert import (FIVE, EIGHT, listed, one_each, read_5x200)

# %% [32] The lists of zero-shot and of retrieval
from medvl.readers.chexpert import (EightByTwoHundred, read_8x200)

# %% [34] The lists of zero-shot and of retrieval
full = d/'CheXpert-v1.0-small'; film = lambda p: f'train/patient{p:05d}/study1/view1_frontal.jpg'
onehot = lambda i, n: ','.join(f'{float(i == k)}' for k in range(n))
(d/'chexpert_5x200.csv').write_text('\n'.join([',Path,'+','.join(FIVE)+',Report Impression'] + [
    f'{i},CheXpert-v1.0/{film(i+1)},{onehot(i % 5, 5)},"1. Words, and more."' for i in range(10)])+'\n')
log = ReadLog(); five = read_5x200(d/'chexpert_5x200.csv', full, log)
test_eq(dict(log.found), {n: 2 for n in FIVE} | {'films': 10}); test_eq(five[3].labels['Edema'], 1.)
test_eq((five[0].report, five[0].split, len(five[0].labels)), ('1. Words, and more.','test',5))
test_eq(five[0].views[0].path, str(full/film(1)))
(d/'p.json').write_text(json.dumps({'124248': dict(image_path=film(1), label=[1,0,0,0,0])}))
test_eq(read_5x200(d/'p.json', full, ReadLog())[0].labels, {n: float(n == 'Atelectasis') for n in FIVE})
(d/'p.json').write_text(json.dumps({'1': dict(image_path=film(1), label=[1,0,0,1,0])}))
test_fail(lambda: read_5x200(d/'p.json', full, log), contains='row 2')
(d/'p.json').write_text(json.dumps({'1': dict(image_path='a.jpg', label=[1,0,0,0,0])}))
test_fail(lambda: read_5x200(d/'p.json', full, log), contains="'a.jpg'; expected .../train/patientN")

# %% [35] The lists of zero-shot and of retrieval
e = d/'8x200'; (e/'image-retrieval').mkdir(parents=True); (e/'text-retrieval').mkdir()
(e/'image-retrieval/candidate.csv').write_text('\n'.join(['Path,'+','.join(EIGHT)] + [
    f'CheXpert-v1.0-small/{film(i+1)},{onehot(i, 8)}' for i in range(8)])+'\n')
(e/'image-retrieval/query.csv').write_bytes(f'Variable,Path\r\nEdema,CheXpert-v1.0-small/{film(9)}'.encode())
(e/'text-retrieval/query.csv').write_bytes(b'Variable,Text\r\nEdema,Mild edema.\r\nFracture,A broken rib.')
eight = read_8x200(e, full, log := ReadLog('8x200')); print(log)
test_eq((len(eight.candidates), eight.texts), (8, [('Edema','Mild edema.'),('Fracture','A broken rib.')]))
test_eq([(c, s.labels, s.patient) for c,s in eight.images], [('Edema', {'Edema': 1.}, 'patient00009')])
test_eq([[k for k,v in s.labels.items() if v] for s in eight.candidates], [[n] for n in EIGHT])
good = (e/'image-retrieval/candidate.csv').read_text()  # a row of two classes is none of the set
(e/'image-retrieval/candidate.csv').write_text(good.replace(onehot(2, 8), onehot(2, 8).replace('0.0', '1.0', 1)))
test_fail(lambda: read_8x200(e, full, ReadLog()), contains='candidate.csv: row 4')
(e/'image-retrieval/candidate.csv').write_text(good)
(e/'text-retrieval/query.csv').write_bytes(b'Variable,Text\r\nOedema,Mild edema.')
test_fail(lambda: read_8x200(e, full, log), contains="row 2: 'Oedema'")
tmp.cleanup()

# %% [37] On the published table
with tempfile.TemporaryDirectory() as tmp:
    spec = importlib.util.find_spec('torchxrayvision')
    if spec is None: print('torchxrayvision is not installed: not run')
    else:
        (Path(tmp)/'train.csv.gz').symlink_to(Path(spec.origin).parent/'data/chexpert_train.csv.gz')
        log = ReadLog('CheXpert, train.csv')
        n = read_chexpert(tmp, log=log); display(log.to_dict())
        test_eq([log.found[k] for k in ('films','frontals','laterals','patients','studies')],
                [223414, 191027, 32387, 64540, 187641])
        test_eq(len(log.noted), 17); assert '12 films have no label at all; they are kept' in log.lines
        test_eq(sum(s.labels.get('Consolidation') == -1 for s in n for _ in s.views), 27742)
