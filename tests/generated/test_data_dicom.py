# nbs/data/11_dicom.ipynb: runs against the imported medvl.data.dicom.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] DICOM
import copy, math, os, re, struct, warnings
from contextlib import contextmanager, nullcontext
from functools import cache, lru_cache
from pathlib import Path
from typing import BinaryIO, Iterator
import numpy as np
import pydicom
from PIL import Image
from pydicom.dataelem import DataElement
from pydicom.encaps import get_frame
from pydicom.pixels import apply_color_lut, pixel_array
from pydicom.tag import BaseTag, Tag
from pydicom.uid import (HTJ2K, JPEG2000, JPEG2000TransferSyntaxes, JPEGExtended12Bit, JPEGLSNearLossless,
                         JPEGLSTransferSyntaxes, JPEGTransferSyntaxes, RLELossless)
from medvl.data.pixels import (MIN_SIDE, Film, ImageError, as_film, check_size, first_line, grey, guarded, jumps,
                               printable, spread)

# %% [4] DICOM
import io, tempfile
import matplotlib.pyplot as plt
from fastcore.test import *
from medvl.data.pixels import pixel_hash

# %% [6] A film for the examples
def thorax(h=160, w=144):
    "Attenuation of a drawn thorax, 0 (air) to 1 (dense)."
    y, x = np.mgrid[-1:1:h*1j, -1:1:w*1j]
    blob = lambda cx,cy,rx,ry: np.exp(-(((x-cx)/rx)**2+((y-cy)/ry)**2)**2)
    body = .75*blob(0,.1,.95,1.2)
    lungs = .5*(blob(-.42,-.05,.33,.62)+blob(.42,-.05,.33,.62))
    ribs = .05*np.sin(22*y+3*x**2)*(np.abs(x) < .8)
    return np.clip(body - lungs + .3*blob(.15,.3,.28,.3) + .2*blob(0,0,.12,1) + ribs, 0, 1)

dense = thorax()
stored = np.round(3900 - 3300*dense).astype(np.uint16)
fig, axs = plt.subplots(1,3, figsize=(7,2.5), dpi=70)
for ax,a,t in zip(axs[:2], (dense,stored), ('attenuation','as stored (MONOCHROME1)')):
    ax.imshow(a, cmap='gray'); ax.set_title(t, fontsize=8); ax.axis('off')
axs[2].hist(stored.ravel(), 60, color='.4'); axs[2].set_title('stored values', fontsize=8);

# %% [8] A film for the examples
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, ComputedRadiographyImageStorage, generate_uid

def make_dicom(a, bits=12, alloc=16, signed=0, **tags):
    "`a` as a CR data set; `tags` override."
    ds = Dataset(); ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = ComputedRadiographyImageStorage
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = generate_uid(entropy_srcs=['film'])
    ds.StudyInstanceUID = generate_uid(entropy_srcs=['study'])
    ds.SeriesInstanceUID = generate_uid(entropy_srcs=['series'])
    ds.PatientID, ds.StudyDate, ds.StudyTime = 'p1', '20200131', '093000'
    ds.Modality, ds.BodyPartExamined, ds.ViewPosition = 'CR', 'CHEST', 'PA'
    ds.PhotometricInterpretation, ds.SamplesPerPixel, ds.PixelRepresentation = 'MONOCHROME1', 1, signed
    ds.Rows, ds.Columns, ds.BitsAllocated, ds.BitsStored, ds.HighBit = *a.shape[:2], alloc, bits, bits-1
    ds.PixelSpacing, ds.PatientOrientation = [.4,.4], ['L','F']
    ds.PixelData = a.astype(f"{'i' if signed else 'u'}{alloc//8}").tobytes()
    for k,v in tags.items(): setattr(ds, k, v)
    return ds

ds = make_dicom(stored)

# %% [10] 1. Is it a radiograph?
from medvl.data.dicom import (tag_number, tag, numbers, number, text, check_dicom)

# %% [11] 1. Is it a radiograph?
check_dicom(ds)
test_fail(lambda: check_dicom(make_dicom(stored, NumberOfFrames=7), 'loop.dcm'), contains='loop.dcm: 7 frames')
test_fail(lambda: check_dicom(make_dicom(stored, Rows=0), 'x.dcm'), contains='not an image (Computed Radiography')
test_fail(lambda: check_dicom(make_dicom(stored, BitsStored=1), 'seg.dcm'), contains='a mask')
def raw(ds, key, vr, value):
    "`ds` with the bytes `value` in the place of the value of `key`, as a damaged file has them."
    tag = pydicom.datadict.tag_for_keyword(key)
    ds._dict[pydicom.tag.Tag(tag)] = pydicom.dataelem.RawDataElement(tag, vr, len(value), value, 0, False, True)
    return ds
test_fail(lambda: check_dicom(raw(make_dicom(stored), 'Rows', 'US', b'7'), 'x.dcm'), contains='Rows is None')
test_fail(lambda: check_dicom(make_dicom(stored, Rows=[160,160]), 'x.dcm'), contains='Rows has 2 values')
notes = []; test_eq(number(raw(make_dicom(stored), 'RescaleSlope', 'DS', b'0.478U16'), 'RescaleSlope', notes), None)
test_eq(numbers(raw(make_dicom(stored), 'WindowCenter', 'DS', b'2048,5'), 'WindowCenter'), [2048.5])
test_eq(len(notes), 1)

# %% [13] 2. Padding
from medvl.data.dicom import (padding)

# %% [14] 2. Padding
row = np.array([[0,1,2,3]])
test_eq(padding(row, make_dicom(stored, PixelPaddingValue=2)), row == 2)
test_eq(padding(row, make_dicom(stored, PixelPaddingValue=3, PixelPaddingRangeLimit=2)), row >= 2)
minus = make_dicom(stored, signed=1, bits=16); minus.add_new('PixelPaddingValue', 'US', 63536)
test_eq(padding(row-2002, minus), row == 2)
minus = make_dicom(stored, bits=16); minus.add_new('PixelPaddingValue', 'SS', -1)
test_eq(padding(row+65532, minus), row == 3)
test_eq(padding(row, ds), None)
notes = []; test_eq(padding(row*0, make_dicom(stored, PixelPaddingValue=0), notes), None); test_eq(len(notes), 1)

# %% [16] 3. The stored values
from medvl.data.dicom import (mended)

# %% [18] 3. The stored values
from medvl.data.dicom import (cut_bits, overshoot, LOSSY)

# %% [19] 3. The stored values
from medvl.data.dicom import (no_stderr, stored_values, cut_jpeg)

# %% [21] 3. The stored values
word = np.array([[0x5A]], np.uint16)
test_eq(cut_bits(word, 4), [[10]]); test_eq(cut_bits(word, 4, high=7), [[5]])
test_eq(cut_bits(word, 4, signed=True), [[-6]])
test_eq(stored_values(ds), stored)
notes = []; test_eq(stored_values(make_dicom(stored | 0x3000), notes=notes), stored); test_eq(len(notes), 1)
test_eq(stored_values(make_dicom(stored << 4, HighBit=15)), stored)
for k in ('HighBit','BitsStored','PixelRepresentation','SamplesPerPixel','BitsAllocated','PhotometricInterpretation'):
    bare = make_dicom(stored, PresentationLUTShape='INVERSE'); delattr(bare, k); notes = []
    test_eq(stored_values(bare, notes=notes), stored); test_eq(len(notes), k != 'HighBit')
del bare.PresentationLUTShape
test_fail(lambda: stored_values(bare, 'x.dcm'), contains='x.dcm: PhotometricInterpretation is missing')
notes = []; test_eq(stored_values(make_dicom(stored*8), notes=notes), stored*8)  # 15 bits, 12 of them said
test_eq(notes, ['BitsStored is too small, ignored: 12 bits for values up to 30752'])
edgy = np.where(np.indices((80, 90)).sum(0)//16 % 2, 400, 3400)+np.random.default_rng(0).integers(0, 400, (80, 90))
edgy = edgy.astype(np.uint16)  # a small picture full of edges
notes = []; test_eq(stored_values(make_dicom(edgy*8), notes=notes), edgy*8); test_eq(len(notes), 1)
lossy = make_dicom(np.where(stored > 3000, 4095, stored), BitsStored=16, HighBit=15)
lossy.compress(JPEG2000, j2k_psnr=[65]); lossy.BitsStored, lossy.HighBit, notes = 12, 11, []
got = stored_values(lossy, notes=notes); print(notes, pixel_array(lossy).max(), got.max())
test_eq((got.max(), len(notes)), (4095, 1)); assert got[stored > 3000].min() > 3800
half = make_dicom(stored); half.PixelData = half.PixelData[:1000]
test_fail(lambda: stored_values(half, 'half.dcm'), contains='half.dcm: the pixels can')

# %% [23] 4. To the scanner's own values
from medvl.data.dicom import (modality_values, entries, look_up)

# %% [24] 4. To the scanner's own values
test_eq(modality_values(row, make_dicom(stored, RescaleSlope=2, RescaleIntercept=-1)), [[-1,1,3,5]])
notes = []; test_eq(modality_values(row, make_dicom(stored, RescaleSlope=0, RescaleIntercept=0), notes), row)
test_eq(len(notes), 1)
def lut(descriptor, data=None, vr='US'):
    "An item with a look-up table."
    item = Dataset(); item.add_new('LUTDescriptor', 'US' if descriptor[1] >= 0 else 'SS', descriptor)
    if data is not None: item.add_new('LUTData', vr, data)
    return item
table, first = entries(lut([3,1,8], [5,9,250]), row, []); test_eq((table, first), ([5,9,250], 1))
test_eq(look_up(row, table, first), [[5,5,9,250]])  # 0 lies below the first entry, which belongs to 1
test_eq(modality_values(row, make_dicom(stored, ModalityLUTSequence=[lut([3,1,8], [5,9,250])])), [[5,5,9,250]])
wide = np.array([5,9,250], '<u2').tobytes()
for d,data,vr in [([3,1,8], b'\5\x09\xfa\0', 'OW'), ([3,1,16], b'\5\x09\xfa\0', 'OW'), ([3,1,16], wide, 'OW'),
                  ([3,1,8], wide, 'OW'), ([3,1,8], [0x905,250], 'US')]:
    test_eq(entries(lut(d, data, vr), row, [])[0], [5,9,250])
notes = []; test_eq(entries(lut([9,1,8], [5,9,250]), row, notes)[0], [5,9,250]); test_eq(len(notes), 1)
test_eq(entries(lut([3,65534,8], [5,9,250]), row-2, [])[1], -2)
for bad in (lut([3,1,8]), lut([3,1,8], b'', 'OW'), Dataset()):
    with ExceptionExpected(ImageError): entries(bad, row, [])
notes = []; test_eq(modality_values(row, make_dicom(stored, ModalityLUTSequence=[lut([3,1,8])]), notes), row); notes

# %% [26] 5. The window
from medvl.data.dicom import (apply_window)

# %% [28] 5. The window
test_close(apply_window(np.array([0,1,2,3]), 2, 3), [0,.25,.75,1])
test_close(apply_window(np.array([0,1,2,3]), 2, 3, 'LINEAR_EXACT'), [0,1/6,.5,5/6])
test_close(apply_window(np.array([2]), 2, 3, 'SIGMOID'), [.5])
test_fail(lambda: apply_window(row, 1, 1, 'CUBIC'), contains='CUBIC')
from pydicom.pixels import apply_windowing
for f in ('LINEAR','LINEAR_EXACT','SIGMOID'):
    one = make_dicom(stored, WindowCenter=2100, WindowWidth=1800, VOILUTFunction=f,
                     PhotometricInterpretation='MONOCHROME2')
    test_close(apply_window(stored, 2100, 1800, f), apply_windowing(stored, one)/4095, eps=1e-5)
x = np.arange(4096)
fig, axs = plt.subplots(1,4, figsize=(8,2.2), dpi=70)
for f in ('LINEAR','SIGMOID'): axs[0].plot(x, apply_window(x, 2100, 1800, f), label=f)
axs[0].legend(fontsize=6); axs[0].set_title('c=2100, w=1800', fontsize=8)
for ax,(c,w) in zip(axs[1:], ((2100,3600),(2100,1800),(1200,800))):
    ax.imshow(1-apply_window(stored, c, w), cmap='gray', vmin=0, vmax=1); ax.set_title(f'c={c}, w={w}', fontsize=8)
    ax.axis('off')

# %% [30] 5. The window
from medvl.data.dicom import (is_picture, voi_tables, pick, windows, stretch)

# %% [31] 5. The window
from medvl.data.dicom import (display_values)

# %% [32] 5. The window
out, how = display_values(row, make_dicom(stored)); test_close(out, row/3); test_eq(how['source'], 'range')
two = make_dicom(stored, WindowCenter=[2,1], WindowWidth=[3,4])
test_close(display_values(row, two)[0], [[0,.25,.75,1]]); test_eq(display_values(row, two, 1)[1]['width'], 4)
test_fail(lambda: display_values(row, two, 2), contains='has 2')
notes = []
test_eq(display_values(row, make_dicom(stored, WindowCenter=1, WindowWidth=0), notes=notes)[1]['source'], 'range')
test_eq(len(notes), 1)
notes = []
test_eq(display_values(row, make_dicom(stored, WindowCenter=9000, WindowWidth=10), notes=notes)[1]['source'], 'range')
test_eq('leaves no picture' in notes[0], True)
four = [0,51,102,255]
both = make_dicom(stored, VOILUTSequence=[lut([4,0,8], four)], WindowCenter=2, WindowWidth=3)
test_close(display_values(row, both)[0], [[0,.2,.4,1]])
hot = stored.copy(); hot[0,0] = 65535; notes = []
assert stretch(hot, notes=notes)[1]['hi'] < 3900 and len(notes) == 1
test_close(stretch(np.array([[0,10,20,999]]), np.array([[0,0,0,1]])>0)[0], [[0,.5,1,1]])

# %% [34] 5. The window
line, noise = np.arange(4096), np.random.default_rng(0).integers(0, 4096, 4096)
said = {'12 bits, said 16': lut([4096,0,16], line.tolist()), '16 bits, said 8': lut([4096,0,8], (line*16).tolist()),
        'off the range': lut([256,40000,16], line[:256].tolist()), 'noise': lut([4096,0,12], noise.tolist()),
        'empty': lut([4096,0,12])}
fig, axs = plt.subplots(1, 5, figsize=(8,2), dpi=70)
for ax,(k,item) in zip(axs, said.items()):
    notes = []
    one = make_dicom(stored, VOILUTSequence=[item], WindowCenter=2048, WindowWidth=4096)
    x, how = display_values(stored, one, notes=notes)
    ax.imshow(1-x, cmap='gray', vmin=0, vmax=1); ax.set_title(k, fontsize=8); ax.axis('off')
    test_close(x, stored/4095, eps=1e-3)
    test_eq((how['source'], len(notes)), ('VOI LUT',0) if 'said' in k else ('window',1))

# %% [36] 6. White is dense
from medvl.data.dicom import (RAW, for_processing, low_is_dense)

# %% [37] 6. White is dense
for k,v,want in [('FOR PROCESSING',1,True), ('FOR PROCESSING',-1,False), ('FOR PRESENTATION',1,False)]:
    one = make_dicom(stored, PhotometricInterpretation='MONOCHROME2', PresentationIntentType=k,
                     PixelIntensityRelationshipSign=v)
    notes = []; test_eq(low_is_dense(one, notes), want); test_eq(len(notes), for_processing(one))
notes = []; test_eq(low_is_dense(make_dicom(stored, PresentationLUTShape='IDENTITY'), notes), True); notes

# %% [39] 7. Which way was it taken?
from medvl.data.dicom import (FRONTAL, LATERAL, ALONE, NEITHER, NOT_LATERAL, TWO, view_kind, by_orientation)

# %% [40] 7. Which way was it taken?
for p in ('PA','ap','AP Supine','AP_horizontal','frontal_unspecified','postero-anterior','view1_frontal','AP Erect',
          'PA_ERECT','Thorax p.a.','Chest-PA','ChestPA','A-P','Postero Anterior','ANT','POST','Thorax ap Liegend'):
    test_eq(view_kind(p), 'frontal')
for p in ('L','LL','RL','lateral','Left Lateral','XTABLE LATERAL','view2_lateral','RLAT','LLAT','LAT-L',
          'Thorax seitlich','W034 Chest L','Chest LAT'):
    test_eq(view_kind(p), 'lateral')
for p in ('','nan',None,'AP LLD','Axial','COSTAL','PA oblique','LAO','CHEST PA AND LATERAL','CHEST (PA AND LAT)',
          'Thorax PA/LAT','AP_LAT','Chest frontal & lateral','CHEST 2 VIEWS PA','LAT DECUB','L DECUB',
          'LEFT LAT DECUBITUS','LDECUB','Rib LEFT L','CHEST LORDOTIC AP','CHEST POST PICC','PORTABLE CHEST'):
    test_eq(view_kind(p), 'other')
test_eq([by_orientation(o) for o in (['A','F'],['P','F'],['L','F'],['R','F'],['L','A'],[],['A'])],
        ['lateral','lateral','frontal','frontal','other','other','other'])

# %% [42] 8. Other values of the header
from medvl.data.dicom import (TAGS, PLAIN, CHEST, dicom_info, spacing, not_chest)

# %% [43] 8. Other values of the header
info = dicom_info(ds)
test_eq((info['view_position'], info['spacing'], info['warnings']), ('PA', (.4,.4), []))
odd = dicom_info(make_dicom(stored, PixelSpacing=[0,0], PatientOrientation=['R','F'], BodyPartExamined='ANKLE'))
test_eq(odd['spacing'], None); test_eq(len(odd['warnings']), 3)
test_eq(not_chest(dict(modality='CT')), 'modality CT is not a plain film'); test_eq(not_chest({}), '')
test_eq(not_chest(dict(body_part='Thorax ap')), '')
test_eq(dicom_info(make_dicom(stored, PatientOrientation=['A','F']))['warnings'],
        ["ViewPosition contradicts PatientOrientation: PA, ['A', 'F']"]); odd['warnings']

# %% [45] All steps
from medvl.data.dicom import (read_dicom, dicom_grey)

# %% [46] All steps
from medvl.data.dicom import (open_dicom, check_whole)

# %% [48] All steps
cut = stored.astype(int) - 2048; cut[:30,:25] = -2000
full = make_dicom(cut, signed=1, alloc=16, bits=13, WindowCenter=500, WindowWidth=3000, RescaleIntercept=0,
                  RescaleSlope=1)
full.add_new('PixelPaddingValue', 'SS', -2000); full.add_new('PixelPaddingRangeLimit', 'SS', -1500)
film = read_dicom(full); a = stored_values(full); pad = padding(a, full)
steps = dict(stored=a, window=display_values(modality_values(a, full), full, pad=pad)[0],
             inverted=1-display_values(a, full, pad=pad)[0], film=film.px[0])
fig, axs = plt.subplots(1,4, figsize=(8,2.5), dpi=70)
for ax,(k,v) in zip(axs, steps.items()):
    ax.imshow(v, cmap='gray'); ax.set_title(f'{k}: {v.min():.0f} to {v.max():.0f}', fontsize=8); ax.axis('off')
test_eq(film.px[0,:30,:25].max(), 0); test_eq(film.px[0,80,72] > film.px[0,80,40], True)  # spine above lung
test_eq(film.info['window'], dict(source='window', centre=500., width=3000., function='LINEAR', index=0, of=1)); film

# %% [50] All steps
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless, RLELossless, JPEGBaseline8Bit
with tempfile.TemporaryDirectory() as d:
    want = read_dicom(make_dicom(stored))
    for uid in (ExplicitVRLittleEndian, RLELossless, JPEG2000Lossless):
        one = make_dicom(stored)
        if uid.is_compressed: one.compress(uid, generate_instance_uid=False)
        one.save_as(Path(d)/'a.dcm', enforce_file_format=True)
        test_eq(pixel_hash(read_dicom(Path(d)/"a.dcm").px), pixel_hash(want.px))
    test_close(read_dicom(make_dicom(4095-stored, PhotometricInterpretation='MONOCHROME2')).px, want.px, eps=1e-6)
    bare = make_dicom(stored); bare.file_meta = FileMetaDataset()
    bare.save_as(Path(d)/'bare', implicit_vr=True, little_endian=True)  # neither preamble nor file header nor suffix
    test_eq(pixel_hash(read_dicom(Path(d)/"bare").px), pixel_hash(want.px))
    eight, out = np.uint8(dense*255), io.BytesIO(); Image.fromarray(eight).save(out, 'jpeg', quality=95)
    lossy = make_dicom(eight, bits=8, alloc=8, PhotometricInterpretation='MONOCHROME2')
    lossy.file_meta.TransferSyntaxUID = JPEGBaseline8Bit; lossy.PixelData = encapsulate([out.getvalue()])
    lossy['PixelData'].is_undefined_length = True
    test_close(read_dicom(lossy).px, read_dicom(make_dicom(eight, bits=8, alloc=8,
                                                           PhotometricInterpretation='MONOCHROME2')).px, eps=.03)
    lossy.PixelData = encapsulate([out.getvalue()[:2000]]); lossy['PixelData'].is_undefined_length = True
    test_fail(lambda: read_dicom(lossy), contains='lack their end marker')
