"""`medvl transfer` on RSNA, SIIM, Object-CXR, COVIDx, CheXpert and IU X-ray, called as their users call it.

The folders are made here to the published layouts, with films of noise on which what is to be found is bright. The
tower has random weights. What is tested is that each task reads each layout, scores the films that it should, and
states what it leaves out; the numbers mean nothing.
"""
import json, re

import numpy as np
import pytest
from PIL import Image

from medvl.core import CHEXPERT
from medvl.methods.clip import CLIP
from medvl.models.checkpoint import save_pretrained
from medvl.phantom.projection import write_dicom
from medvl.toy import toy_bert
from test_cli import medvl, results

SIDE, BOX = 64, (16, 24, 20, 12)  # film; x, y, w, h of what is bright on every other film
SMALL = ['--model', 'random', '--seeds', '1']
HEAD = [*SMALL, '--small', '--epochs', '2', '--batch', '4', '--shown', '0']


def pixels(i):
    "Noise, with a bright rectangle on even films."
    px = .3*np.random.default_rng(i).random((SIDE, SIDE)); x, y, w, h = BOX
    if i % 2 == 0: px[y:y+h,x:x+w] = .9
    return px


def picture(i, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == '.dcm': write_dicom(pixels(i), path)
    else: Image.fromarray((255*pixels(i)).astype('uint8')).save(path)


def lines(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True); path.write_text('\n'.join(rows)+'\n', encoding='utf-8')


def rsna(root, n=24):
    "Boxes refer to 1024 x 1024 pixels; films of the challenge's test part have no row."
    k = 1024//SIDE; x, y, w, h = (k*o for o in BOX)
    lines(root/'stage_2_train_labels.csv', ['patientId,x,y,width,height,Target', *(
        f'f{i:02},{x}.0,{y}.0,{w}.0,{h}.0,1' if i % 2 == 0 else f'f{i:02},,,,,0' for i in range(n))])
    lines(root/'stage_2_detailed_class_info.csv', ['patientId,class', *(
        f"f{i:02},{'Lung Opacity' if i % 2 == 0 else 'Normal' if i % 4 == 1 else 'No Lung Opacity / Not Normal'}"
        for i in range(n))])
    for i in range(n): picture(i, root/'stage_2_train_images'/f'f{i:02}.dcm')
    picture(99, root/'stage_2_test_images'/'z.dcm')


def siim(root, n=24):
    "Masks are relative run lengths down the columns of 1024 x 1024 pixels."
    k = 1024//SIDE; x, y, w, h = (k*o for o in BOX)
    first, gap = x*1024+y, 1024-h
    rle = f'{first} {h}'+f' {gap} {h}'*(w-1)
    lines(root/'stage_2_train.csv', ['ImageId,EncodedPixels', *(
        f"1.2.{i},{rle if i % 2 == 0 else '-1'}" for i in range(n))])
    for i in range(n): picture(i, root/'dicom-images-train'/f'1.{i}'/f'2.{i}'/f'1.2.{i}.dcm')


def objectcxr(root):
    x, y, w, h = BOX
    for part,rows in dict(train=range(14), dev=range(20, 24), test=range(30, 38)).items():
        lines(root/f'{part}.csv', ['image_name,annotation', *(
            f"{i:05}.jpg,{f'0 {x} {y} {x+w} {y+h}' if i % 2 == 0 else ''}" for i in rows)])
        for i in rows: picture(i, root/part/f'{i:05}.jpg')


def covidx(root):
    kinds = ('normal','pneumonia','COVID-19')
    for part,rows in dict(train=range(18), test=range(30, 42)).items():
        lines(root/f'{part}_COVIDx6.txt', [f'p{i} f{i}.png {kinds[i % 3]} cohen' for i in rows])
        for i in rows: picture(i, root/'data'/part/f'f{i}.png')


def chexpert(root):
    "A cell is 1.0, 0.0, -1.0 or empty; every third patient has two studies."
    for part,table,rows in (('train','train.csv',range(16)), ('valid','valid.csv',range(20, 24)),
                            ('test','test_labels.csv',range(30, 40))):
        out = [','.join(['Path','Sex','Age','Frontal/Lateral','AP/PA',*CHEXPERT])]
        for i in rows:
            for s in range(1, 2+(i % 3 == 0)):
                path = f'{part}/patient{i:05}/study{s}/view1_frontal.jpg'
                cells = ['']*14; cells[CHEXPERT.index('Edema')] = ('1.0','0.0')[i % 2]
                cells[CHEXPERT.index('Atelectasis')] = '-1.0' if i in (3, 8) else ('1.0','0.0','')[i % 3]
                out.append(','.join([f'CheXpert-v1.0-small/{path}','Female','60','Frontal','AP',*cells]))
                picture(i, root/path)
        lines(root/table, out)


def said(i): return 'Large pleural effusion .' if i % 2 == 0 else 'No pleural effusion . The lungs are clear .'


def openi(root, n=30):
    "Kaggle's tables; a report without findings and impression can't be learned from."
    lines(root/'indiana_reports.csv', ['uid,MeSH,Problems,image,indication,comparison,findings,impression', *(
        f'{i},normal,normal,Xray Chest PA and Lateral,Pain,None.,'+(',' if i == 4 else f'{said(i)},Stable.')
        for i in range(1, n+1))])
    lines(root/'indiana_projections.csv', ['uid,filename,projection', *(
        f'{i},{i}_IM-{i:04}-{k}001.dcm.png,{v}' for i in range(1, n+1) for k,v in ((1,'Frontal'),(2,'Lateral')))])
    for i in range(1, n+1):
        for k in (1, 2): picture(i, root/'images'/'images_normalized'/f'{i}_IM-{i:04}-{k}001.dcm.png')


def r2gen(root):
    parts = dict(train=range(1, 15), val=range(15, 19), test=range(19, 27))
    def one(i, part):
        id = f'CXR{i}_IM-{i:04}'
        for k in (0, 1): picture(i, root/'images'/id/f'{k}.png')
        return dict(id=id, report=said(i), image_path=[f'{id}/{k}.png' for k in (0, 1)], split=part)
    lines(root/'annotation.json', [json.dumps({k: [one(i, k) for i in o] for k,o in parts.items()})])


SETS = dict(rsna=rsna, siim=siim, objectcxr=objectcxr, covidx=covidx, chexpert=chexpert, openi=openi, r2gen=r2gen)


@pytest.fixture(scope='module')
def at(tmp_path_factory):
    "All sets, and a cache of decoded films and features that they share."
    root = tmp_path_factory.mktemp('sets')
    for k,f in SETS.items(): (root/k).mkdir(); f(root/k)
    with pytest.MonkeyPatch.context() as m: m.setenv('MEDVL_CACHE', str(root/'cache')); yield root


def films_in(out):
    "Films of each part, as the run recorded them."
    return {k: v['films'] for k,v in (results(out).get('data') or results(out)['films'])['splits'].items()}


def go(task, data, out, *more, code=0):
    "A task on a set."
    how = HEAD if task in ('segment','detect') else SMALL
    if task == 'report': how = [*how, '--epochs', '2', '--vocab', '60', '--max-len', '20', '--beam', '1']
    return medvl('transfer', task, '--data', data, '--out', out, *how, *more, code=code)


@pytest.mark.parametrize('data, more, films, scored', [
    ('rsna', ['--lineage', 'mgca-rsna'], (16, 4, 4), ['Pneumonia']),
    ('siim', ['--split', 'gloria'], (16, 4, 4), ['Pneumothorax']),
    ('objectcxr', [], (14, 4, 8), ['Foreign Object']),
    ('covidx', ['--lineage', 'mgca-covidx'], (15, 3, 12), ['No Finding', 'Pneumonia', 'COVID-19']),
    ('chexpert', ['--finding', 'Edema', '--finding', 'Atelectasis'], (22, 5, 14), ['Edema', 'Atelectasis'])])
def test_classify(at, tmp_path, data, more, films, scored):
    said = go('classify', at/data, tmp_path, *more); own = results(tmp_path)['classification']['1']
    assert tuple(films_in(tmp_path).values()) == films
    assert list(own['findings']) == scored and own['films'] == films[2]
    if data == 'rsna': assert 'mgca-rsna: (16, 4, 4) films; published: (18678, 4003, 4003)' in said
    if data == 'covidx': assert own['macro']['accuracy']['value'] is not None


@pytest.fixture(scope='module')
def resnet(tmp_path_factory):
    "A model with a ResNet of random weights."
    out = tmp_path_factory.mktemp('resnet')
    m = CLIP(vision=dict(name='resnet18', size=128, in_chans=1), text=toy_bert(50), dim=32, preset='mrm-small')
    save_pretrained(m, out/'model'); return out


def tuned(at, out, how, model, code=0):
    "Two epochs of fine-tuning on RSNA."
    return medvl('transfer', 'classify', '--data', at/'rsna', '--lineage', 'mgca-rsna', '--out', out, '--model', model,
                 '--seeds', '1', '--how', how, '--epochs', '2', code=code)


def test_fine_tuning(at, resnet, tmp_path):
    "Each way trains what it should: more from head to LoRA, adapters and the whole; a ResNet has no blocks to adapt."
    trained = {}
    for how in ('head', 'lora', 'adapters', 'full', 'layerwise'):
        tuned(at, tmp_path/how, how, 'random'); log, = results(tmp_path/how)['classification']['1']['logs']
        trained[how] = log['trained']; assert log['epochs'] == 2 and np.isfinite(log['losses']).all()
    assert trained['head'] < trained['lora'] < trained['adapters'] < trained['full'] == trained['layerwise']
    for how in ('head', 'full'):
        tuned(at, tmp_path/f'res-{how}', how, resnet)
        assert results(tmp_path/f'res-{how}')['classification']['1']['findings']['Pneumonia']
    for how in ('lora', 'adapters', 'layerwise'):
        said = tuned(at, tmp_path/f'res-{how}', how, resnet, code=2)
        assert f"tune={how!r} is for the blocks of a ViT; for a ResNet: full or head" in ' '.join(said.split())


def test_uncertain_labels(at, tmp_path):
    "Patients 3 (two studies) and 8 are uncertain; each rule counts them, and only 'drop' leaves films out."
    for rule,left in (('ones', 22), ('zeros', 22), ('ignore', 22), ('drop', 19)):
        out = tmp_path/rule
        said = go('classify', at/'chexpert', out, '--finding', 'Atelectasis', '--uncertain', rule)
        assert re.search(rf'Atelectasis +10 present, 5 absent, 3 uncertain \({rule}\), 4 blank', said)
        own = results(out); assert own['labels']['train']['films_dropped'] == 22-left
    raw = go('classify', at/'chexpert', tmp_path/'raw', '--finding', 'Atelectasis', '--uncertain', 'raw', code=2)
    assert "uncertain='raw' leaves them so" in raw


@pytest.mark.parametrize('data, more, films', [
    ('siim', ['--mask', 'Pneumothorax', '--balanced', '--split', 'gloria'], (16, 4, 4)),
    ('rsna', ['--mask', 'Pneumonia', '--boxes', '--split', 'gloria'], (16, 4, 4)),
    ('objectcxr', ['--mask', 'Foreign Object'], (14, 4, 8))])
def test_segment(at, tmp_path, data, more, films):
    go('segment', at/data, tmp_path, *more, '--epochs', 20, '--lr', 1e-2); r = results(tmp_path)
    one, = r['shares']['1']['mean'].values()
    assert tuple(films_in(tmp_path).values()) == films
    assert 0 < one['positives']['value'] <= 1 and one['dice']['n_units'] == films[2]


@pytest.mark.parametrize('data, more, films', [
    ('rsna', ['--box', 'Pneumonia', '--split', 'gloria'], (16, 4, 4)),
    ('objectcxr', ['--box', 'Foreign Object'], (14, 4, 8))])
def test_detect(at, tmp_path, data, more, films):
    go('detect', at/data, tmp_path, *more); r = results(tmp_path)
    assert tuple(films_in(tmp_path).values()) == films
    assert sum(o['boxes'] for o in r['boxes'].values()) == sum(i % 2 == 0 for i in range(24)) if data == 'rsna' else 13
    assert 0 <= r['shares']['1']['mean']['map']['value'] <= 1


@pytest.mark.parametrize('data, more, left', [('openi', [], 1), ('r2gen', ['--words', 'r2gen'], 0)])
def test_report(at, tmp_path, data, more, left):
    said = go('report', at/data, tmp_path, *more); r = results(tmp_path)
    assert ('1 films without a report are left out' in said) == bool(left)
    assert r['data']['not_used'] == left and {'generated','commonest','nearest film'} <= {
        *r['report']['1']['references']['r2gen']['systems']}
    if data == 'r2gen': assert tuple(films_in(tmp_path).values()) == (14, 4, 8)


@pytest.mark.parametrize('task, data, more, says', [
    ('segment', 'rsna', ['--mask', 'Pneumonia', '--boxes'], "none of 1 test films has a mask 'Pneumonia'"),
    ('detect', 'rsna', ['--box', 'Pneumonia'], "none of 1 test films has a box 'Pneumonia'"),
    ('segment', 'siim', ['--mask', 'Pneumothorax'], 'no film in test'),
    ('classify', 'rsna', [], 'Pneumonia has 0 patients with it'),
    ('classify', 'chexpert', ['--task', 'multiclass'], 'do not have exactly one of Edema, Atelectasis'),
    ('classify', 'chexpert', ['--lineage', 'mgca-chexpert'], 'takes 5,000 training films for validation'),
    ('classify', 'siim', ['--split', 'mgca'], "split is 'mgca'; expected one of official"),
    ('report', 'rsna', [], 'no film')])
def test_what_a_set_cannot_give(at, tmp_path, task, data, more, says):
    "As published, or with a wrong name: an error that names the reason, and nothing is scored."
    said = go(task, at/data, tmp_path, *more, code=2)
    assert says in ' '.join(said.split()), said
    assert not (tmp_path/'results.json').exists()
