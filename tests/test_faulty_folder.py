"""A folder of two hundred good films and one of each fault: all that is good is read, and each fault is in the log.

`medvl data manifest` reads headers, `medvl data summary` and the loaders decode. What is wrong with a file is said by
kind and file, in a log short enough to read, and a file that can't be read stops nothing.
"""
import io, json, sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag
from pydicom.uid import RLELossless

from medvl.data.batch import dataloaders
from medvl.data.cache import ImageCache
from medvl.data.manifest import read_manifest
from medvl.data.splits import split_by_patient
from medvl.data.table import ReadLog
from test_cli import medvl

sys.path.insert(0, str(Path(__file__).resolve().parent.parent/'benchmarks'))
from fuzz_dicom import film, lut  # noqa: E402

LINE = np.arange(4096)


def picture(seed=0, h=72, w=64):
    "A smooth picture of 12 bits with a little noise."
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[-1:1:h*1j, -1:1:w*1j]
    a = 2000+1400*np.sin(2.5*x+rng.random())*np.cos(2*y+rng.random())+60*rng.random((h, w))
    return np.round((a-a.min())/np.ptp(a)*4095).astype('<u2')


def raw(data, key, vr, value):
    "The file `data` with the bytes `value` for a tag, as a damaged one has them."
    ds = dcmread(io.BytesIO(data)); tag = Tag(key)
    ds._dict[tag] = RawDataElement(tag, vr, len(value), value, 0, False, True)
    out = io.BytesIO(); ds.save_as(out); return out.getvalue()


def without(data, key):
    ds = dcmread(io.BytesIO(data)); del ds[key]
    out = io.BytesIO(); ds.save_as(out); return out.getvalue()


def png(a, kind='png', **kw):
    out = io.BytesIO(); (a if isinstance(a, Image.Image) else Image.fromarray(a)).save(out, kind, **kw)
    return out.getvalue()


def turned(a):
    im = Image.fromarray(np.uint8(a >> 4)); ex = im.getexif(); ex[0x0112] = 6
    return png(im, 'jpeg', exif=ex, quality=95)


def clear(a):
    im = Image.fromarray(np.uint8(a >> 4)).convert('RGBA'); im.putalpha(0); return png(im)


def hot(a): b = a.copy(); b[5, 5] = 65535; return b


def faults(a):
    "name -> (bytes, what the scan says, what decoding says); a file that the scan leaves out is not decoded."
    good, whole = film(a), png(np.uint8(a >> 4))
    rle = bytearray(film(a, syntax=RLELossless)); part = slice(-a.size//2, -a.size//4)
    rle[part] = b'\x81'*len(rle[part])
    out = dict(
        zero=(b'', 'the file is empty (0 bytes)'), letter=(b'Dear colleague, '*40, 'not a DICOM, PNG or JPEG image'),
        pdf=(b'%PDF-1.4 ...'*20, 'this is a PDF'), cut_dicom=(good[:-4000], 'cut short'),
        cut_header=(good[:400], None), cut_png=(whole[:len(whole)//2], "can't be decoded (is the file cut short?)"),
        ankle=(film(a, BodyPartExamined='ANKLE'), 'BodyPartExamined is ANKLE, not the chest'),
        ct=(film(a, Modality='CT'), 'modality CT is not a plain film'),
        loop=(film(a, NumberOfFrames=9), None), rows_byte=(raw(good, 0x00280010, 'US', b'7'), None),
        two_rows=(raw(good, 0x00280010, 'US', b'\x48\0\x40\0'), 'Rows has 2 values'),
        no_polarity=(without(good, 'PhotometricInterpretation'), 'PhotometricInterpretation is missing'))
    left = {f'left/{k}': (b, say, None) for k, (b, say) in out.items()}
    read = dict(
        lut_16=(film(a, VOILUTSequence=lut([4096, 0, 16], LINE.tolist())), ''),
        lut_empty=(film(a, VOILUTSequence=lut([4096, 0, 12], b''), WindowCenter=2048, WindowWidth=4096),
                   'a VOI look-up table can not be used, ignored'),
        lut_off=(film(a, VOILUTSequence=lut([256, 40000, 16], LINE[:256].tolist())),
                 'a VOI look-up table leaves no picture, ignored'),
        window=(film(a, WindowCenter=9000, WindowWidth=10), 'a window leaves no picture, ignored'),
        slope=(raw(good, 0x00281053, 'DS', b'0.478U16'), 'RescaleSlope is'),
        no_bits=(without(good, 'BitsStored'), 'BitsStored is missing or odd'),
        few_bits=(film(a*8), 'BitsStored is too small, ignored'), no_high=(without(good, 'HighBit'), ''),
        signed=(raw(film(a, px=np.where(LINE[:64] < 9, -2000, a.astype('<i2')-1000).astype('<i2'), BitsStored=16,
                         HighBit=15, PixelRepresentation=1), 0x00280120, 'US', (63536).to_bytes(2, 'little')), ''),
        shape=(film(a, PresentationLUTShape='INVERSE'),
               'PresentationLUTShape contradicts PhotometricInterpretation, ignored'),
        constant=(film(a*0+7), 'no contrast'), dark=(png(np.uint8(a >> 8)), 'hardly any contrast'),
        wrapped=(png(np.uint8(a & 255)), 'values wrapped round (bits cut off?)'),
        turned=(turned(a), 'EXIF asks to turn the picture, it is turned'), clear=(clear(a), 'wholly transparent'),
        hot=(png(hot(a)), 'a few pixels are brighter than all others, cut off'),
        mirrored=(film(a, PatientOrientation=['R', 'F']),
                  'PatientOrientation starts with R, the film is shown mirrored'))
    bad = dict(colour=(png(np.stack([np.roll(np.uint8(a >> 4), 9*k, 1) for k in range(3)], -1)), 'a colour picture'),
               rle=(bytes(rle), "the pixels can't be decoded (is the file cut short?)"))
    return left | {f'odd/{k}': (b, None, say) for k, (b, say) in read.items()} | \
        {f'bad/{k}': (b, None, say) for k, (b, say) in bad.items()}


def write(folder, a):
    "The good films, the faulty ones, and a film that comes twice, once as raw values."
    kinds = faults(a)
    for i in range(200):
        b = picture(i)
        to = folder/f'good/p{i}{".png" if i % 5 == 0 else ".dcm"}'; to.parent.mkdir(parents=True, exist_ok=True)
        own = dict(PatientID=f'P{i}', StudyInstanceUID=f'1.4.{i}', AccessionNumber=f'A{i}')
        to.write_bytes(png(np.uint8(b >> 4)) if i % 5 == 0 else film(b, **own))
    for k, (b, *_) in kinds.items(): (folder/k).parent.mkdir(exist_ok=True); (folder/k).write_bytes(b)
    (folder/'left/film.dcm.part').write_bytes(film(a)[:2000])
    twin = dict(PatientID='T', StudyInstanceUID='1.7')
    (folder/'good/twin.dcm').write_bytes(film(a, PresentationIntentType='FOR PRESENTATION', **twin))
    (folder/'left/twin').write_bytes(film(4095-a, PresentationIntentType='FOR PROCESSING', **twin,
                                          PixelIntensityRelationshipSign=1))
    return kinds


@pytest.fixture(scope='module')
def seen(tmp_path_factory):
    "The folder, what is wrong in it, and what the two commands print and write."
    root = tmp_path_factory.mktemp('faulty')
    kinds = write(root/'films', picture(999))
    with pytest.MonkeyPatch.context() as m:
        m.setenv('MEDVL_CACHE', str(root/'cache')); m.setenv('MPLBACKEND', 'Agg')
        said = medvl('data', 'manifest', root/'films', '--out', root/'films.csv', '--view', 'PA')
        summed = medvl('data', 'summary', root/'films.csv', '--out', root/'sum')
        yield root, kinds, said, summed


def test_everything_good_is_read(seen):
    root, kinds, *_ = seen
    df = pd.read_csv(root/'films.csv', dtype=str)
    assert sum('good/' in o for o in df.image) == 201
    assert len(df) == 201+sum(say is None and not k.startswith('left') for k, (_, say, _) in kinds.items())
    bad = json.loads((root/'sum/summary.json').read_text())['unreadable']
    assert sorted(Path(f).name for f, _ in bad) == ['colour', 'rle']


def test_each_fault_is_in_the_scan_log(seen):
    root, kinds, said, _ = seen
    log = json.loads((root/'films.log.json').read_text())
    left = {where.split(':')[0]: why for why, where in log['left']}
    assert set(left) == {k for k in kinds if k.startswith('left')} | {'left/film.dcm.part', 'left/twin'}
    for k, (_, say, _) in kinds.items():
        if k.startswith('left') and say: assert left[k].startswith(say), (k, left[k])
    assert left['left/film.dcm.part'] == 'left over from a download' and 'FOR PROCESSING' in left['left/twin']
    assert len(said.splitlines()) < 50 and max(map(len, said.splitlines())) < 400
    assert said.isprintable() or all(o.isprintable() for o in said.splitlines())


def test_each_fault_is_in_the_summary(seen):
    root, kinds, _, said = seen
    noticed = json.loads((root/'sum/summary.json').read_text())['noticed']
    for k, (_, _, say) in kinds.items():
        if k.startswith('odd') and say:
            there = [o for kind, v in noticed.items() if kind.startswith(say) for o in v['first']]
            assert any(k in o for o in there), (k, say, there)
        if k.startswith('odd') and say == '': assert not any(k in o for v in noticed.values() for o in v['first']), k
        if k.startswith('bad'): assert say in said and k in said
    assert len(said.splitlines()) < 80


def test_the_pictures_are_right(seen):
    "Whatever was mended shows the film that was drawn."
    root, kinds, *_ = seen
    want = picture(999)/4095
    views = {v.id: v for s in read_manifest(root/'films.csv', log=ReadLog()) for v in s.views}
    for k in ('lut_16', 'lut_empty', 'lut_off', 'window', 'slope', 'no_bits', 'few_bits', 'no_high', 'shape', 'hot',
              'mirrored'):
        assert np.abs(views[f'odd/{k}'].film().px[0].numpy()-want).mean() < 1e-3, k
    assert np.abs(views['odd/turned'].film().px[0].numpy()-np.rot90(want, -1)).mean() < .02
    x = views['odd/signed'].film().px[0].numpy()
    rest = (want[:, 9:]-want[:, 9:].min())/np.ptp(want[:, 9:])  # padding takes no part in the range
    assert x[:, :9].max() == 0 and np.abs(x[:, 9:]-rest).max() < 1e-3


def test_loaders_go_on(seen):
    "`errors='skip'` leaves out what can't be read, counts it, and remembers what was odd from one run to the next."
    root, kinds, *_ = seen
    studies = read_manifest(root/'films.csv', log=ReadLog()); split_by_patient(studies)
    for s in studies: s.split = s.split or 'train'
    for _ in range(2):
        dls = dataloaders(studies, None, 'mrm-pocket', bs=8, per='image', errors='skip',
                          cache=ImageCache(root/'cache', 128))
        by = dls.films
        assert sum(v['films'] for v in by['unreadable'].values()) == 2
        assert by['noticed']['no contrast'] == dict(films=1, first=[f"{root/'films/odd/constant'}: every pixel is 0"])
    json.dumps(by)
