"""Garbled DICOM files: each is read with a picture, or refused in one sentence.

    python benchmarks/fuzz_dicom.py                  # 10,000 mutations, about fifteen minutes
    python benchmarks/fuzz_dicom.py --n 500 --seed 3

Starts from the smaller test files that pydicom ships, and from synthetic films with look-up tables, windows, overlay
bits and padding in their headers. A mutation flips bytes, overwrites, inserts, removes or repeats a stretch, cuts the
file short, or puts garbage into the value of one tag. `judge` says what came of a file; anything but `read` and
`refused` is a fault: another exception than `ImageError`, a message of several lines or with control characters, a
picture without contrast about which nothing is said. The panic of a decoder still prints to stderr, below Python."""
import argparse, collections, io, sys, tempfile, warnings
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.tag import Tag
from pydicom.uid import (DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian, ImplicitVRLittleEndian,
                         JPEG2000Lossless, RLELossless, generate_uid)

from medvl.data.image import read_image
from medvl.data.pixels import ImageError, spread
from medvl.data.scan import dicom_header

KEYS = ('Rows', 'Columns', 'BitsAllocated', 'BitsStored', 'HighBit', 'PixelRepresentation', 'SamplesPerPixel',
        'PhotometricInterpretation', 'PlanarConfiguration', 'NumberOfFrames', 'WindowCenter', 'WindowWidth',
        'VOILUTFunction', 'RescaleSlope', 'RescaleIntercept', 'PixelPaddingValue', 'PixelPaddingRangeLimit',
        'PixelSpacing', 'PatientOrientation', 'ViewPosition', 'PatientID', 'StudyDate', 'StudyTime', 'SOPClassUID',
        'PatientSex', 'PatientAge', 'LUTDescriptor', 'LUTData', 'PresentationLUTShape',
        'PixelIntensityRelationshipSign', 'OverlayRows', 'OverlayColumns', 'OverlayOrigin', 'OverlayBitsAllocated',
        'OverlayBitPosition', 'OverlayData')
VALUES = (b'', b'\0', b'\x07', b'0.478U16', b'-1', b'1e400', b'nan', b'1\\2', b'12\\x\\3', b'\xff'*2, b'\xff'*4,
          b'\0'*6, b'\x1b[2J\n', b'MONOCHROME1\0', b'monochrome2', b'PALETTE COLOR', b'SIGMOID',
          b'\x01\0\0\0\x10\0', b'99999999')
VRS = ('US', 'SS', 'DS', 'IS', 'CS', 'OW', 'UN', 'FD', 'SQ', 'PN', 'UI', 'AT', 'ZZ')

def tag_of(key):
    "The tag of a keyword; of an overlay, that of the first one."
    many = pydicom.datadict.RepeatersDictionary.items()
    return Tag(pydicom.datadict.tag_for_keyword(key) or
               next(int(t.replace('x', '0'), 16) for t, o in many if o[4] == key))

def lut(descriptor, data):
    "A look-up table as the item of a sequence; `data` as bytes or numbers."
    item = Dataset(); item.add_new('LUTDescriptor', 'US', descriptor)
    item.add_new('LUTData', 'OW' if isinstance(data, bytes) else 'US', data)
    return [item]

def films():
    "Synthetic films as bytes, by name."
    y, x = np.mgrid[-1:1:96j, -1:1:80j]
    a = np.round(2000+1500*np.sin(3*x)*np.cos(2*y)+200*np.exp(-8*(x**2+y**2))).astype('<u2')
    line = np.arange(4096)
    kinds = dict(plain={}, window=dict(WindowCenter=[2048, 1000], WindowWidth=[4096, 500]),
                 lut=dict(VOILUTSequence=lut([4096, 0, 12], line.tolist())),
                 lut_bytes=dict(VOILUTSequence=lut([4096, 0, 16], line.astype('<u2').tobytes()), WindowCenter=2048,
                                WindowWidth=4096),
                 lut_short=dict(VOILUTSequence=lut([3000, 500, 8], (np.arange(3000)//12).astype('u1').tobytes())),
                 modality=dict(ModalityLUTSequence=lut([4096, 0, 16], (line*16).tolist())),
                 overlay=dict(px=a | 0x3000),
                 padded=dict(px=np.where(x < -.8, 4095, a).astype('<u2'), PixelPaddingValue=4095),
                 limit=dict(px=np.where(x < -.8, -1990+np.round(9*y), a-1000.).astype('<i2'), PixelRepresentation=1,
                            BitsStored=16, HighBit=15, PixelPaddingValue=-2000, PixelPaddingRangeLimit=-1981),
                 overlaid=dict(OverlayRows=96, OverlayColumns=80, OverlayType='G', OverlayOrigin=[1, 1],
                               OverlayBitsAllocated=1, OverlayBitPosition=0, OverlayData=b'\xaa'*960),
                 sigmoid=dict(WindowCenter=2048, WindowWidth=2000, VOILUTFunction='SIGMOID', RescaleSlope='.5',
                              RescaleIntercept='100'),
                 implicit=dict(syntax=ImplicitVRLittleEndian), rle=dict(syntax=RLELossless),
                 jpeg2000=dict(syntax=JPEG2000Lossless),
                 mono1=dict(px=4095-a, PhotometricInterpretation='MONOCHROME1', RescaleSlope=1, RescaleIntercept=0))
    return {k: film(a, **v) for k, v in kinds.items()}

def film(a, px=None, syntax=ExplicitVRLittleEndian, **tags):
    "One film as the bytes of its file."
    px = a if px is None else px
    ds = Dataset(); ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian if syntax.is_compressed else syntax
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = DigitalXRayImageStorageForPresentation
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = generate_uid(entropy_srcs=['fuzz'])
    own = dict(PatientID='p', StudyInstanceUID='1.2.3', StudyDate='20200131', Modality='DX', BodyPartExamined='CHEST',
               ViewPosition='PA', PatientOrientation=['L', 'F'], Rows=px.shape[0], Columns=px.shape[1],
               SamplesPerPixel=1, PhotometricInterpretation='MONOCHROME2', BitsAllocated=16, BitsStored=12, HighBit=11,
               PixelRepresentation=0, PixelSpacing=[.2, .2])
    for k, v in (own | tags).items():
        if k.startswith('Overlay'): ds.add_new(tag_of(k), pydicom.datadict.dictionary_VR(tag_of(k))[:2], v)
        else: setattr(ds, k, v)
    ds.PixelData = px.tobytes()
    if syntax.is_compressed: ds.compress(syntax, generate_instance_uid=False)
    out = io.BytesIO(); ds.save_as(out, enforce_file_format=True)
    return out.getvalue()

def seeds(largest=200_000):
    "Bytes of the files to start from: pydicom's own, and ours."
    from pydicom.data.data_manager import DATA_ROOT
    own = sorted(p for p in Path(DATA_ROOT).rglob('*.dcm') if p.stat().st_size <= largest)
    return {p.name: p.read_bytes() for p in own} | films()

def garbled_tag(raw, rng):
    "`raw` with garbage as the value of one tag, in the header or in a look-up table."
    ds = pydicom.dcmread(io.BytesIO(raw), force=True)
    key = str(rng.choice(KEYS)); tag = tag_of(key)
    seqs = [ds[k].value for k in ('VOILUTSequence', 'ModalityLUTSequence') if k in ds]
    where = seqs[0][0] if key.startswith('LUT') and seqs and len(seqs[0]) else ds
    value = VALUES[rng.integers(len(VALUES))] if rng.random() < .8 else rng.bytes(int(rng.integers(0, 9)))
    vr = str(rng.choice(VRS)) if rng.random() < .3 else pydicom.datadict.dictionary_VR(tag)[:2]
    if rng.random() < .15: where._dict.pop(tag, None)
    else: where._dict[tag] = RawDataElement(tag, vr, len(value), value, 0, False, True)
    out = io.BytesIO()
    try: ds.save_as(out)
    except Exception: return raw[:-1]  # pydicom would not write it
    return out.getvalue()

def mutated(raw, rng):
    "One mutation of a file's bytes."
    how = rng.choice(['tag', 'flip', 'header', 'overwrite', 'insert', 'remove', 'repeat', 'cut'],
                     p=[.35, .1, .2, .1, .05, .1, .05, .05])
    if how == 'tag':
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            try: return garbled_tag(raw, rng)
            except Exception: how = 'header'
    b, n = bytearray(raw), len(raw)
    i, k = int(rng.integers(n)), int(rng.integers(1, 40))
    if how == 'flip':
        for j in rng.integers(n, size=8): b[j] ^= 1 << rng.integers(8)
    if how == 'header':
        for j in rng.integers(min(n, 1500), size=3): b[j] = rng.integers(256)
    if how == 'overwrite': b[i:i+k] = rng.bytes(k)
    if how == 'insert': b[i:i] = rng.bytes(k)
    if how == 'remove': del b[i:i+k]
    if how == 'repeat': b[i:i] = b[i:i+k]
    if how == 'cut': del b[i:]
    return bytes(b)

def judge(path, read=read_image):
    "'read', 'refused', or what is wrong; the picture is looked at, not only that there is one."
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        try: film = read(path)
        except ImageError as e:
            said = str(e)
            if not said.startswith(str(path)): return f'does not name the file: {said[:80]!r}'
            good = said.isprintable() and len(said) < len(str(path))+400
            return 'refused' if good else f'no sentence: {said[:80]!r}'
        except (KeyboardInterrupt, SystemExit): raise
        except BaseException as e: return f'{type(e).__name__}: {str(e)[:80]!r}'
    if isinstance(film, dict): return 'read'
    if any(not o.isprintable() for o in film.warnings): return 'control characters in a warning'
    x = film.px.numpy()
    if not np.isfinite(x).all() or x.min() < 0 or x.max() > 1: return 'values outside of [0,1]'
    return 'read' if spread(x) > .1 or film.warnings else 'no contrast, and nothing said'

def main():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    p.add_argument('--n', type=int, default=10_000); p.add_argument('--seed', type=int, default=0)
    p.add_argument('--keep', type=Path, help='a folder for the files that fail')
    args = p.parse_args()
    rng, start, count = np.random.default_rng(args.seed), seeds(), collections.Counter()
    names, own = list(start), films()
    with tempfile.TemporaryDirectory() as d:
        for i in range(args.n):
            name = names[rng.integers(len(names)) if rng.random() < .6 else -1-rng.integers(len(own))]
            path = Path(d)/'a.dcm'; path.write_bytes(mutated(start[name], rng))
            for what, read in (('pixels', read_image), ('header', dicom_header)):
                got = judge(path, read); count[what, got] += 1
                if got not in ('read', 'refused'):
                    print(f'{i} {name} {what}: {got}')
                    if args.keep: args.keep.mkdir(exist_ok=True); (args.keep/f'{i}.dcm').write_bytes(path.read_bytes())
    print(f'{args.n} mutations of {len(names)} files:')
    for (what, got), n in count.most_common(): print(f'  {n:6d} {what}: {got}')
    return int(any(got not in ('read', 'refused') for _, got in count))

if __name__ == '__main__': sys.exit(main())
