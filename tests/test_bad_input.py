"""What is wrong in a real folder, one by one: each is refused with a sentence, and leaves nothing half-written.

A truncated DICOM; an ankle; a colour picture; a manifest without a column, with an id twice, with a path that is not
there; an empty report; pixels that are not numbers; a checkpoint of another size; a report of 10,000 words; and a
download of MIMIC-CXR-JPG that is none, half of one, cut short, in another encoding, with columns swapped, with a visit
before the birth. The messages are printed with `-s`.
"""
import gzip, json, shutil, time
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
from medvl.data.films import Preset
from medvl.data.image import read_image
from medvl.data.manifest import read_manifest
from medvl.data.pixels import ImageError, as_film
from medvl.data.report import chexpert_labels, entities
from medvl.data.scan import scan_dicom
from medvl.data.study import Sample, Study, View, samples
from medvl.data.table import ReadLog, write_table
from medvl.data.text import impression_findings, sections, sentences
from medvl.data.tokens import train_tokenizer
from medvl.methods.alta import ALTA
from medvl.methods.mrm import MRM
from medvl.models.checkpoint import from_pretrained, save_pretrained
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
    assert log.left == [('film is not there', str(films[0]))] and sum(len(s.views) for s in got) == len(films)-1
    strict = lambda: read_mimic(jpg, missing='error', log=ReadLog())
    refused(strict, f'1 of {len(films)} films are not there', films[0].name)
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
    assert len(many.views) == 12 and log.noted == [('more than 10 films', f'study {many.id}: 12 films')]


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
