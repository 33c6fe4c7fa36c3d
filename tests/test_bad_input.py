"""What is wrong in a real folder, one by one: each is refused with a sentence, and leaves nothing half-written.

A truncated DICOM; an ankle; a colour picture; a manifest without a column, with an id twice, with a path that is not
there; an empty report; pixels that are not numbers; a checkpoint of another size; a report of 10,000 words; and a
download of MIMIC-CXR-JPG that is none, half of one, cut short, in another encoding, with columns swapped, with a visit
before the birth. The messages are printed with `-s`.
"""
import gzip, json, re, shutil, time
from pathlib import Path

import numpy as np
import pandas as pd
import pydicom
import pytest
import torch
from PIL import Image
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian, generate_uid

from medvl.core import MedvlError
from medvl.data.batch import StudyData, dataloaders
from medvl.data.cache import ImageCache
from medvl.data.dicom import read_dicom
from medvl.data.preset import Preset
from medvl.data.image import read_image
from medvl.data.manifest import read_manifest
from medvl.data.pixels import ImageError, as_film
from medvl.data.report import chexpert_labels, entities
from medvl.data.scan import scan_dicom
from medvl.readers.find import readers
from medvl.data.study import Sample, Study, View, samples
from medvl.data.table import ReadLog, write_table
from medvl.data.words import impression_findings, sections, sentences
from medvl.data.tokens import train_tokenizer
from medvl.methods.alta import ALTA
from medvl.methods.mrm import MRM
from medvl.models.checkpoint import from_pretrained, save_pretrained
from medvl.readers.mscxr import MSCXRT
from medvl.readers.mimic import read_mimic
from medvl.readers.rehearsal import write_mimic
from test_cli import listing, make_set, medvl

SMALL = ['--bs', '2', '--epochs', '1', '--warmup', '0', '--precision', 'fp32', '--vocab', '100', '--max-len', '16']


@pytest.fixture(autouse=True)
def own(tmp_path, monkeypatch):
    "A cache of its own; and whatever a test does, no half-written file may be anywhere below its folder."
    monkeypatch.setenv('MEDVL_CACHE', str(tmp_path/'cache')); monkeypatch.setenv('HF_HUB_OFFLINE', '1')
    yield
    assert not [p for p in tmp_path.rglob('*') if '.part' in p.name or p.suffix == '.tmp']


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    "A good set, for everyone to spoil a copy of its table."
    root = tmp_path_factory.mktemp('set')/'data'
    make_set(root)
    return root


def refused(f, *says, error=MedvlError):
    "`f` raises, and its message holds every one of `says`."
    with pytest.raises(error) as e: f()
    said = str(e.value); print('\n  ', said.replace('\n', '\n   '))
    for s in says: assert s in said, f'{s!r} is not in {said!r}'


def told(*args, says, out=None):
    "A command that fails with one sentence; of its run nothing is there but the note of how it was begun."
    said = medvl(*args, code=2); print('\n  ', said.strip())
    for s in says: assert s in said, f'{s!r} is not in {said!r}'
    if out is not None: assert {p.name for p in out.rglob('*')} <= {'run.json'}


def dicom(path, **tags):
    "A film as DICOM: 200 x 160, 12 bits."
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = DigitalXRayImageStorageForPresentation
    meta.MediaStorageSOPInstanceUID = generate_uid()
    ds = FileDataset(str(path), {}, file_meta=meta, preamble=b'\0'*128)
    px = np.random.default_rng(0).integers(0, 4000, (200, 160)).astype('uint16')
    own = dict(SOPClassUID=meta.MediaStorageSOPClassUID, SOPInstanceUID=meta.MediaStorageSOPInstanceUID, Modality='DX',
               PatientID='p', StudyInstanceUID=generate_uid(), Rows=200, Columns=160, BitsAllocated=16, BitsStored=12,
               HighBit=11, PixelRepresentation=0, SamplesPerPixel=1, PhotometricInterpretation='MONOCHROME2',
               BodyPartExamined='CHEST', ViewPosition='PA')
    for k, v in (own | tags).items(): setattr(ds, k, v)
    ds.PixelData = px.tobytes()
    ds.save_as(path, enforce_file_format=True)
    return path


def spoilt(data, folder, change):
    "A copy of the manifest beside the films, changed."
    df = pd.read_csv(data/'manifest.csv', dtype=str, keep_default_na=False)
    df = change(df)
    folder.mkdir(); (folder/'films').symlink_to(data/'films')
    df.to_csv(folder/'manifest.csv', index=False)
    return folder


def one(text='', px=None, split='train', id='a'):
    v = View(id=id, px=np.full((64, 64), 90, 'uint8') if px is None else px)
    s = Study('p'+id, 's'+id, None, [v], text, split=split)
    return Sample((v, None, None, None), text, id, s.patient, s.group, split, {}, s)


# ---- films -----------------------------------------------------------------------------------------------------

def test_truncated_dicom(tmp_path, data):
    whole = dicom(tmp_path/'whole.dcm')
    assert read_image(whole).px.shape == (1, 200, 160)
    raw = whole.read_bytes()
    for share, name in ((.6, 'cut.dcm'), (.002, 'head.dcm')):
        cut = tmp_path/name; cut.write_bytes(raw[:int(len(raw)*share)])
        refused(lambda: read_image(cut), str(cut), error=ImageError)
    def change(df): df.loc[3, 'image'] = 'cut.dcm'; return df
    bad = spoilt(data, tmp_path/'bad', change)
    (bad/'cut.dcm').write_bytes(raw[:len(raw)//2])
    before = listing(bad)
    said = medvl('data', 'summary', bad)
    assert 'unreadable' in said and 'cut.dcm' in said
    out = tmp_path/'run'
    told('pretrain', 'mrm', '--data', bad, '--out', out, *SMALL, says=["films can't be read", 'cut.dcm'], out=out)
    assert listing(bad) == before


def test_ankle_and_colour(tmp_path):
    dicom(tmp_path/'ankle.dcm', BodyPartExamined='ANKLE')
    refused(lambda: read_dicom(tmp_path/'ankle.dcm', chest=True), 'BodyPartExamined is ANKLE, not the chest')
    rgb = np.random.default_rng(0).integers(0, 255, (300, 200, 3)).astype('uint8')
    Image.fromarray(rgb).save(tmp_path/'ankle.png')
    refused(lambda: read_image(tmp_path/'ankle.png'), 'ankle.png', 'a colour picture')
    Image.fromarray(rgb[:4, :4, 0]).save(tmp_path/'stamp.png')
    refused(lambda: read_image(tmp_path/'stamp.png'), '4x4 pixels is too small')
    dicom(tmp_path/'chest.dcm')
    df = scan_dicom(tmp_path)  # looks at headers; that colours differ is seen when the films are opened
    assert [p.split('/')[-1] for p in df.image] == ['ankle.png', 'chest.dcm']
    write_table(df, tmp_path/'manifest.csv')
    said = medvl('data', 'summary', tmp_path); print(said)
    assert 'unreadable films: 1' in said and 'ankle.png' in said and 'a colour picture' in said


def test_nan_pixels(tmp_path):
    px = np.full((64, 64), .5, 'float32'); px[3, 4] = np.nan
    refused(lambda: as_film(px, 'film 7'), 'film 7: 1 of 4096 pixels are NaN or infinite', error=ImageError)
    cache = ImageCache(tmp_path/'films', 32)
    bad = cache.build([View(id='a', px=px), View(id='b', px=np.full((64, 64), 90, 'uint8'))])
    print('\n  ', bad); assert len(bad) == 1 and 'NaN or infinite' in str(bad)
    tok = train_tokenizer(['a film of nothing'], 50, min_frequency=1)
    smp = [one('a film', px, id='a'), one('of nothing', id='b'), one('a film', split='val', id='c')]
    p = Preset('t', 32, 32, 32, .5, .2)
    refused(lambda: dataloaders(smp, tok, p, bs=1, cache=cache, max_len=16), "films can't be read", 'NaN or infinite')


# ---- tables ----------------------------------------------------------------------------------------------------

def test_manifest_lacks_a_column(tmp_path, data):
    bad = spoilt(data, tmp_path/'bad', lambda df: df.drop(columns='patient_id'))
    before, out = listing(bad), tmp_path/'out'
    told('data', 'summary', bad, '--out', out, says=["no column 'patient_id'", 'manifest.csv'], out=out)
    bad2 = spoilt(data, tmp_path/'bad2', lambda df: df.rename(columns=dict(image='Image')))
    refused(lambda: read_manifest(bad2/'manifest.csv'), "no column 'image'", 'Image')
    assert listing(bad) == before


def test_id_twice(tmp_path, data):
    def change(df): df.loc[5, 'image_id'] = df.loc[0, 'image_id']; return df
    bad, out = spoilt(data, tmp_path/'bad', change), tmp_path/'out'
    told('data', 'summary', bad, '--out', out, says=['occurs twice, in rows 2 and 7', 'image_id'], out=out)


def test_path_is_absent(tmp_path, data):
    def change(df): df.loc[2, 'image'] = 'films/nowhere.png'; return df
    bad, out = spoilt(data, tmp_path/'bad', change), tmp_path/'out'
    told('data', 'summary', bad, '--out', out, says=["row 4, column 'image'", 'no such file', 'nowhere.png'], out=out)
    studies = read_manifest(bad/'manifest.csv', missing='skip')
    assert sum(len(s.views) for s in studies) == 39
    told('data', 'summary', tmp_path/'gone', says=['no such file or folder'])


# ---- texts -----------------------------------------------------------------------------------------------------

def test_empty_report(tmp_path, data):
    for text in ('', '  \n', 'FINDINGS:', '___'):
        assert entities(text) == [] and all(np.isnan(v) for v in chexpert_labels(text).values()), text
        assert impression_findings(text).strip() in ('', '___') and len(sentences(text)) <= 1
        assert sections(text) == {}
    mute = Study('p', 's', None, [View(id='a', px=np.zeros((64, 64), 'uint8'))], '')
    refused(lambda: samples([mute], need_text=True), 'without text')
    refused(lambda: train_tokenizer(['', '  ']), 'all of them are empty')
    bad, out = spoilt(data, tmp_path/'bad', lambda df: df.assign(text='')), tmp_path/'out'
    told('align', 'clip', '--data', bad, '--out', out, *SMALL, says=['text'], out=out)


def test_report_of_10_000_words(tmp_path):
    rng, words = np.random.default_rng(0), 'heart lungs clear normal small stable effusion no mild the of seen'.split()
    text = ' '.join(rng.choice(words, 9_990)) + '. There is a large right pneumothorax.'
    t = time.process_time(); lbl = chexpert_labels(text)
    print(f'\n   10,000 words labelled in {time.process_time()-t:.2f} s of processor time')
    assert lbl['Pneumothorax'] == 1
    tok = train_tokenizer([text], 100, min_frequency=1)
    (item, _) = StudyData([one(text)], tok, Preset('t', 32, 32, 32, .5, .2), max_len=64)[0]
    ids, word = item['txt']
    assert len(ids) == len(word) == 64 and ids[-1] == tok.sep_token_id  # cut, and closed as a text is


# ---- a download of MIMIC-CXR-JPG --------------------------------------------------------------------------------

META = 'mimic-cxr-2.0.0-metadata.csv'


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    "Six visits of three patients in the layout of MIMIC-CXR-JPG: a film each, twelve at the last."
    rng, root = np.random.default_rng(0), tmp_path_factory.mktemp('mimic')/'jpg'
    film = lambda id, pos='PA': View(id=id, pos=pos, kind='frontal', px=rng.integers(0, 255, (40, 40), 'uint8'))
    made = [Study(f'p{i//2}', f's{i}', float(i), [film(f'{i}-{j}') for j in range(12 if i == 5 else 1)],
                  f'FINDINGS: Visit {i}. No effusion.', {'Edema': 0.}, split='train') for i in range(6)]
    return write_mimic(made, root, gz=False, zipped=False)


@pytest.fixture
def jpg(whole, tmp_path): return Path(shutil.copytree(whole, tmp_path/'jpg'))


def read(path, **kw):
    "Studies, and the log."
    log = ReadLog('MIMIC')
    got = read_mimic(path, log=log, **kw); print('\n  ', str(log).replace('\n', '\n   '))
    return got, log


def change(path, f):
    "A table, changed as text."
    path.write_text(f(path.read_text(encoding='utf-8')), encoding='utf-8')


def test_folder_that_is_not_mimic(tmp_path, data, jpg):
    (tmp_path/'notes').mkdir(); (tmp_path/'notes/readme.txt').write_text('nothing')
    refused(lambda: read_mimic(tmp_path/'notes'), 'notes: neither mimic-cxr-*-metadata.csv(.gz)', 'cxr-record-list')
    refused(lambda: read_mimic(data), 'neither mimic-cxr-*-metadata')
    told('data', 'summary', tmp_path/'notes', says=['no known layout', 'mimic (mimic-cxr-*-metadata.csv*)'])
    told('data', 'summary', tmp_path/'notes', '--kind', 'mimic', says=['neither mimic-cxr-*-metadata'])
    told('data', 'summary', jpg, '--kind', 'chexpert', says=[str(jpg), 'train.csv'])
    change(jpg/META, lambda t: '<html>Please log in</html>\n')
    refused(lambda: read_mimic(jpg), META, "no column 'dicom_id'. It has: <html>Please log in</html>")


def test_half_a_download(jpg):
    films = sorted((jpg/'files').rglob('*.jpg'))
    films[0].unlink()
    got, log = read(jpg)
    row = 2+pd.read_csv(jpg/META).dicom_id.tolist().index(films[0].stem)
    assert log.left == [('film is not there', f'{META} row {row}: {films[0]}')]
    assert sum(len(s.views) for s in got) == len(films)-1
    why = {w: o for w, o in log.noted}
    assert re.match(r'mimic-cxr-2.0.0-split.csv row \d+: '+films[0].stem, why['split of a film that is not here'])
    strict = lambda: read_mimic(jpg, missing='error', log=ReadLog())
    refused(strict, f'1 of {len(films)} films are not there', films[0].name, f'{META} row {row}')
    medvl('data', 'summary', jpg, '--out', jpg.parent/'sum')  # the screen shows two of a kind, the file all
    assert json.loads((jpg.parent/'sum/log.json').read_text())['left'] == [list(o) for o in log.left]
    said = medvl('data', 'manifest', jpg, '--out', jpg.parent/'m.csv')
    assert '1 x film is not there' in said and films[0].name in said
    for t in ('split', 'chexpert'): (jpg/f'mimic-cxr-2.0.0-{t}.csv').unlink()
    got, log = read(jpg)  # said, and read without them
    assert {s.split for s in got} == {None} and all(not s.labels for s in got)
    assert [o.split(':')[0] for o in log.lines if o.startswith('no ')] == ['no split', 'no chexpert']
    shutil.rmtree(jpg/'files')  # metadata, but no film
    refused(lambda: read_mimic(jpg, log=ReadLog()), f'{len(films)} of {len(films)} films are not there')
    told('data', 'summary', jpg, says=['films are not there, e.g.'])
    (jpg/META).unlink()  # reports, but no metadata
    told('data', 'summary', jpg, says=['no known layout'])
    told('data', 'summary', jpg, '--kind', 'mimic', says=['neither mimic-cxr-*-metadata'])


def test_reports_are_absent_or_odd(jpg):
    texts = sorted((jpg/'mimic-cxr-reports').rglob('*.txt'))
    texts[0].unlink()
    texts[1].write_bytes(' FINAL REPORT\n FINDINGS:  Größe: 1 µm.\n'.encode('latin-1'))
    texts[2].write_text(' FINAL REPORT\n FINDINGS:  Größe.\n', encoding='utf-16')
    texts[3].write_bytes(b'\x00\x01\x02\x00\x03')
    texts[4].write_text('')
    got, log = read(jpg); by = {s.id: s.report for s in got}
    at = lambda p: by[p.stem[1:]]
    assert [bool(at(p)) for p in texts] == [p not in (texts[0], texts[3], texts[4]) for p in texts]
    assert 'Größe: 1 µm' in at(texts[1]) and 'Größe' in at(texts[2])
    why = {w: [o for x, o in log.noted if x == w] for w, _ in log.noted}
    assert len(why['report is not UTF-8: read as Latin-1 or UTF-16']) == 2
    for w, p in (('no report', texts[0]), ('report is not text', texts[3]),
                 ('report without a word on the film', texts[4])):
        assert len(why[w]) == 1 and p.name in why[w][0], w
    shutil.rmtree(jpg/'mimic-cxr-reports')
    assert any(o.startswith('no reports: mimic-cxr-reports.zip') for o in read(jpg)[1].lines)
    refused(lambda: read_mimic(jpg, reports=jpg/'nowhere', log=ReadLog()), 'nowhere: no such folder or file of')


def test_twelve_films(jpg):
    got, log = read(jpg)
    many, = [s for s in got if len(s.views) > 1]
    assert len(many.views) == 12
    (why, where), = log.noted
    assert why == 'more than 10 films' and re.fullmatch(rf'{META} row \d+: study {many.id}: 12 films', where)


def test_dates_that_can_not_be(jpg, tmp_path, data):
    lines = (jpg/META).read_text().splitlines()
    cols = lines[0].split(','); day, study = cols.index('StudyDate'), cols.index('study_id')
    rows = [o.split(',') for o in lines[1:]]
    ids = [o[study] for o in rows]; alone = [i for i, o in enumerate(ids) if ids.count(o) == 1][:4]
    for i, date in zip(alone, ('00010203', '21801340', '', 'May 6')): rows[i][day] = date
    at = [i+2 for i in alone]
    (jpg/META).write_text('\n'.join([lines[0]]+[','.join(o) for o in rows])+'\n')
    got, log = read(jpg)
    why = {w: [o for x, o in log.noted if x == w] for w, _ in log.noted}
    assert why['a date that can not be: kept'] == [f'{META} row {at[0]}: 00010203 is before there were films']
    assert [o.split(': ')[0] for o in why["StudyDate can't be used"]] == [f'{META} row {i}' for i in at[1:]]
    assert sum(s.time is None for s in got) == 3 and len(got) == 6

    dicom(tmp_path/'young.dcm', PatientBirthDate='20100102', StudyDate='20091231')
    dicom(tmp_path/'fine.dcm', PatientBirthDate='19500102', StudyDate='20091231')
    said = medvl('data', 'manifest', tmp_path, '--kind', 'scan', '--out', tmp_path/'m.csv'); print(said)
    assert '1 x a date that can not be: kept (young.dcm: StudyDate 20091231 is before the birth (20100102))' in said
    def back(df): df.loc[4, 'time'] = '0009-12-31'; return df
    bad = spoilt(data, tmp_path/'bad', lambda df: back(df.assign(time='', offset_days='')))
    said = medvl('data', 'summary', bad)
    assert '1 x a date that can not be: kept (row 6: 00091231 is before there were films)' in said
    def twice(df): df.loc[4, 'time'] = '31.12.2009'; return df
    bad = spoilt(data, tmp_path/'bad2', lambda df: twice(df.assign(time='', offset_days='')))
    told('data', 'summary', bad, says=["row 6, column 'time': '31.12.2009'; expected an ISO date"])


def test_tables_in_another_encoding(jpg):
    good = (jpg/META).read_text()
    (jpg/META).write_bytes(good.replace('CHEST (PORTABLE AP)', 'CHEST (BETTLÄGERIG)', 1).encode('latin-1'))
    again = lambda: read_mimic(jpg, log=ReadLog())
    refused(again, META, 'line 2, byte', "b'\\xc4'", 'BETTLÄGERIG', 'save the table as UTF-8')
    told('data', 'summary', jpg, says=[META, 'is not UTF-8'])
    for code in ('utf-16', 'utf-16-le'):
        (jpg/META).write_bytes(b'\xff\xfe'*(code == 'utf-16-le') + good.encode(code))
        refused(lambda: read_mimic(jpg, log=ReadLog()), META, 'this is UTF-16')
    (jpg/META).write_text(good, encoding='utf-8-sig')  # as Excel saves UTF-8
    assert len(read(jpg)[0]) == 6


def test_packed_and_not(jpg):
    want, raw = [s.id for s in read(jpg)[0]], (jpg/META).read_bytes()
    whole, z = gzip.compress(raw*50), jpg/(META+'.gz')
    (jpg/META).unlink()
    z.write_bytes(gzip.compress(raw)); assert [s.id for s in read(jpg)[0]] == want
    flipped = bytearray(whole); flipped[len(whole)//2] ^= 255
    for bad in (whole[:len(whole)//2], whole[:12], bytes(flipped)):
        z.write_bytes(bad); refused(lambda: read_mimic(jpg, log=ReadLog()), z.name, 'damaged or not whole')
    told('data', 'summary', jpg, '--kind', 'mimic', says=[z.name, 'damaged or not whole'])
    z.write_bytes(raw); refused(lambda: read_mimic(jpg, log=ReadLog()), z.name, 'not packed with gzip')
    z.unlink(); (jpg/META).write_bytes(gzip.compress(raw))
    refused(lambda: read_mimic(jpg, log=ReadLog()), META, 'its name should end with .gz')


def test_columns_swapped(jpg, data, tmp_path):
    good = (jpg/META).read_text()
    swap = lambda t, a, b: t.replace(a, '@', 1).replace(b, a, 1).replace('@', b, 1)
    change(jpg/META, lambda t: swap(t, 'subject_id', 'study_id'))
    refused(lambda: read_mimic(jpg, log=ReadLog()), META, 'no film', 'x subject_id is not as in MIMIC', 'row 2')
    (jpg/META).write_text(swap(good, 'dicom_id', 'subject_id'))
    refused(lambda: read_mimic(jpg, log=ReadLog()), 'no film', 'x dicom_id is not as in MIMIC')
    (jpg/META).write_text(good.replace('subject_id', 'SubjectId', 1))
    refused(lambda: read_mimic(jpg, log=ReadLog()), "no column 'subject_id'; did you mean 'SubjectId'?")
    (jpg/META).write_text(swap(good, 'StudyDate', 'StudyTime'))
    got, log = read(jpg)
    assert len(got) == 6 and {s.time for s in got} == {None} and "StudyDate can't be used" in dict(log.noted)
    (jpg/META).write_text(good)
    change(jpg/'mimic-cxr-2.0.0-chexpert.csv', lambda t: t.replace('Edema', 'edema', 1))
    refused(lambda: read_mimic(jpg, log=ReadLog()), "no column 'Edema'; did you mean 'edema'?")
    bad = spoilt(data, tmp_path/'bad', lambda df: df.rename(columns=dict(image='patient_id', patient_id='image')))
    told('data', 'summary', bad, says=["row 2, column 'image'", 'no such file'])


# ---- other layouts ----------------------------------------------------------------------------------------------

NIH = 'Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position\n'
VOTES = 'image_id,rad_id,Edema\na,R1,1\n'
DRAWN = 'image_id,rad_id,class_name,x_min,y_min,x_max,y_max\n'
PAD = 'ImageID,ImageDir,StudyDate_DICOM,StudyID,PatientID,PatientBirth,Projection,MethodLabel,Labels\n'
PHRASES = 'dicom_id,category_name,label_text,path,x,y,w,h,image_width,image_height\n'
PAIRS = 'dicom_id,previous_dicom_id,'+','.join(f'{k}_progression' for k in MSCXRT)+'\n'
PLUS = 'path_to_image,frontal_lateral,patient_report_date_order,report\n'
TB = dict(images=[dict(id=1, file_name='tb/a.png', height=9, width=9)],
          categories=[dict(id=1, name='ActiveTuberculosis')])
SPOILT = [  # layout, files, what is said
    ('rsna', {'stage_2_train_labels.csv.zip': b'PK\x03\x04 half'}, ['labels.csv.zip: not a whole zip file']),
    ('imagenome', {'silver_dataset/scene_graph.zip': b'PK\x03\x04 half'}, ['scene_graph.zip: not a whole zip file']),
    ('nih', {'Data_Entry_2017.csv': NIH+'1_000.png,Mass,x,1,58,M,PA\n'}, ['2017.csv: row 2', "'Follow-up #'", "'x'"]),
    ('nih', {'Data_Entry_2017.csv': NIH+'1_000.png,Mass,0,1,58,M,PA\n', 'test_list.txt': b'1_000.png\nGr\xf6\n'},
     ['test_list.txt: line 2, byte 12 is not UTF-8']),
    ('vindr', {'annotations/image_labels_train.csv': VOTES,
               'annotations/annotations_train.csv': DRAWN+'a,R1,Edema,1,n,3,4'},
     ['annotations_train.csv: row 2', "'y_min'", "'n'"]),
    ('padchest', {'PADCHEST_x.csv': PAD+"a.png,0,20151301,1,2,1930,PA,Physician,['normal']\n"},
     ['row 2', "'20151301'"]),
    ('mscxr', {'MS_CXR_Local_Alignment_v1.0.0.csv': PHRASES+'a,Edema,edema,p10/p1/s5/a.jpg,1,2,3,4,,9\n'},
     ['v1.0.0.csv: row 2', "'image_width'"]),
    ('mscxr', {'MS_CXR_Local_Alignment_v1.0.0.csv': PHRASES+'a,Edema,edema,a.jpg,1,2,3,4,9,9\n'}, ['row 2', "'path'"]),
    ('mscxrt', {'MS_CXR_T_temporal_image_classification_v1.0.0.csv': PAIRS+'bad,p10/p1/s5/a,,,,,\n'},
     ['row 2', "'dicom_id'", "'bad'"]),
    ('tbx11k', {'annotations/json/TBX11K_train.json': json.dumps(dict(TB, images=[dict(id=1)]))}, ["'file_name'"]),
    ('tbx11k', {'annotations/json/TBX11K_train.json': json.dumps(dict(
        TB, annotations=[dict(image_id=1, category_id=1, bbox=[1, 2, 3])]))}, ['annotation 0: [1, 2, 3]']),
    ('covidx', {'labels/train_COVIDx5.txt': b'1 a.png normal rsna\n1 gr\xf6.png normal rsna\n'}, ['line 2, byte 24']),
    ('chexpert_plus', {'df_chexpert_plus_240401.csv': PLUS+'train/patient1/study1/view1_frontal.jpg,Frontal,x,hi\n'},
     ['row 2', "'patient_report_date_order'"]),
    ('r2gen', {'annotation.json': '{"train": ["a"]}'}, ["train, record 0: 'a'"]),
    ('r2gen', {'annotation.json': '{"train": {"a": 1}}'}, ['train holds a dict; expected a list'])]


@pytest.mark.parametrize('kind, files, says', SPOILT)
def test_other_layouts(kind, files, says, tmp_path):
    for name, text in files.items():
        (tmp_path/name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path/name).write_bytes(text if isinstance(text, bytes) else text.encode())
    refused(lambda: readers[kind](tmp_path, log=ReadLog()), *says)


def test_films_twice_and_boxes_turned(tmp_path):
    row = '1_000.png,Mass,0,1,58,M,PA\n'
    (tmp_path/'Data_Entry_2017.csv').write_text(NIH+row+row.replace('Mass', 'Hernia'))
    boxes = 'Image Index,Finding Label,Bbox [x,y,w,h],,,\n1_000.png,Mass,5,5,-3,9\n'
    (tmp_path/'BBox_List_2017.csv').write_text(boxes)
    s, = readers['nih'](tmp_path, log=(log := ReadLog()))
    assert len(s.views) == 1 and s.labels == {'Lung Lesion': 1.} and not s.views[0].boxes
    assert ('the same film again', 'Data_Entry_2017.csv row 3: 1_000.png') in log.left
    assert 'BBox_List_2017.csv row 2: (5.0, 5.0, -3.0, 9.0)' in dict(log.left)['box without area']
    (tmp_path/'PADCHEST_x.csv').write_text(PAD+2*"a.png,0,20150101,1,2,1930,PA,Physician,['normal']\n")
    s, = readers['padchest'](tmp_path, log=(log := ReadLog()))
    assert len(s.views) == 1 and log.left == [('the same film again', 'PADCHEST_x.csv row 3: a.png')]
    (tmp_path/'annotations').mkdir(); (tmp_path/'annotations/image_labels_train.csv').write_text(VOTES)
    (tmp_path/'annotations/annotations_train.csv').write_text(DRAWN+'a,R1,Edema,10,1,3,4\na,R1,Edema,1,1,,4\n')
    s, = readers['vindr'](tmp_path, log=(log := ReadLog()))
    assert not s.views[0].boxes and [w for w, _ in log.left] == ['box without area', 'box with a number missing']
    assert all(o.startswith(f'annotations_train.csv row {i}:') for (_, o), i in zip(log.left, (2, 3)))


# ---- weights ---------------------------------------------------------------------------------------------------

def test_checkpoint_of_another_size(tmp_path):
    vision = dict(name='vit_small_cpu', size=32, depth=1)
    save_pretrained(MRM.small(vision=vision, size=32, vocab=60), tmp_path/'mrm')
    before = listing(tmp_path/'mrm')
    refused(lambda: ALTA.small(init=tmp_path/'mrm', vision=dict(vision, depth=2), size=32, vocab=60), 'blocks.1')
    refused(lambda: ALTA.small(init=tmp_path/'mrm', size=32, vocab=70), 'word_embeddings', '60', '70')
    cfg = json.loads((tmp_path/'mrm/config.json').read_text())
    cfg['config']['vision']['depth'] = 2
    (tmp_path/'other').mkdir(); (tmp_path/'other/config.json').write_text(json.dumps(cfg))
    (tmp_path/'other/model.safetensors').write_bytes((tmp_path/'mrm/model.safetensors').read_bytes())
    refused(lambda: from_pretrained(tmp_path/'other'), 'blocks.1')
    raw = (tmp_path/'mrm/model.safetensors').read_bytes()
    (tmp_path/'other/config.json').write_text((tmp_path/'mrm/config.json').read_text())
    (tmp_path/'other/model.safetensors').write_bytes(raw[:len(raw)//2])
    refused(lambda: from_pretrained(tmp_path/'other'), 'model.safetensors')
    assert listing(tmp_path/'mrm') == before and torch.is_grad_enabled()
