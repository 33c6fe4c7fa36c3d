# nbs/data/01_image.ipynb: runs against the imported medvl.data.image.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Images
import re, struct, warnings
from dataclasses import dataclass, field
from pathlib import Path
import numpy as np
import pydicom, torch, xxhash
from jaxtyping import Float
from PIL import Image, ImageChops
from pydicom.encaps import get_frame
from pydicom.pixels import apply_color_lut, pixel_array
from pydicom.uid import JPEG2000TransferSyntaxes, JPEGLSTransferSyntaxes, JPEGTransferSyntaxes
from scipy.fft import dctn
from torch import Tensor
from torch.nn import functional as F
from medvl.core import MedvlError

# %% [4] Images
import io, tempfile
import matplotlib.pyplot as plt
from fastcore.test import *

# %% [6] What comes out
from medvl.data.image import (ImageError, Film)

# %% [8] An array becomes a film
from medvl.data.image import (MIN_SIDE, MAX_RATIO, as_film, check_size)

# %% [10] An array becomes a film
test_close(as_film(np.full((32,40), 51, np.uint8)).px.mean(), 51/255)
test_eq(as_film(np.ones((1,32,40), bool)).px.shape, (1,32,40))
test_eq(as_film(np.zeros((32,32), np.uint16)).warnings, ['no contrast: every pixel is 0'])
bad = np.random.rand(40,40); bad[3,4] = np.nan
test_fail(lambda: as_film(bad, 'a.png'), contains='a.png: 1 of 1600 pixels are NaN')
test_fail(lambda: as_film(np.random.rand(40,40)*255), contains='must lie in [0,1]')
test_fail(lambda: as_film(np.zeros((16,40), np.uint8)), contains='too small')
test_fail(lambda: as_film(np.zeros((40,400), np.uint8)), contains='strip')
test_fail(lambda: as_film(np.zeros((3,40,40), np.uint8)), contains='got shape (3, 40, 40)')
test_fail(lambda: as_film(np.zeros((0,40), np.uint8)), contains='empty')

# %% [12] A film to play with
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

# %% [14] A film to play with
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

# %% [16] Three ways to say "the same film"
from medvl.data.image import (file_hash, pixel_hash, phash)

# %% [17] Three ways to say "the same film"
img = as_film(np.float32(dense)).px
far = lambda a,b: (phash(a)^phash(b)).bit_count()
noisy = (img+torch.randn(img.shape, generator=torch.Generator().manual_seed(0))*.05).clamp(0,1)
test_eq(pixel_hash(img), pixel_hash(img.clone())); test_ne(pixel_hash(img), pixel_hash(noisy))
test_ne(pixel_hash(torch.zeros(1,2,3)), pixel_hash(torch.zeros(1,3,2)))
changed = {'noise': noisy, 'half size': F.interpolate(img[None], (80,72), mode='area')[0], 'darker': img*.7+.1,
           'mirrored': img.flip(-1)}
print('bits that differ:', {k: far(img, o) for k,o in changed.items()})
test_eq(far(img, img*.5) <= 1, True); test_eq(far(img, noisy) <= 6, True); test_eq(far(img, img.flip(-1)) > 10, True)

# %% [19] 1. Is it a picture, and one of our kind?
from medvl.data.image import (tag, first_line, check_dicom)

# %% [20] 1. Is it a picture, and one of our kind?
check_dicom(ds)
test_fail(lambda: check_dicom(make_dicom(stored, NumberOfFrames=7), 'loop.dcm'), contains='loop.dcm: 7 frames')
test_fail(lambda: check_dicom(make_dicom(stored, Rows=0), 'x.dcm'), contains='not an image (Computed Radiography')
test_fail(lambda: check_dicom(make_dicom(stored, BitsStored=1), 'seg.dcm'), contains='a mask')

# %% [22] 2. The stored values
from medvl.data.image import (stored_values, cut_jpeg, cut_bits)

# %% [24] 2. The stored values
word = np.array([[0x5A]], np.uint16)
test_eq(cut_bits(word, 4), [[10]]); test_eq(cut_bits(word, 4, high=7), [[5]])
test_eq(cut_bits(word, 4, signed=True), [[-6]])
test_eq(stored_values(ds), stored)
notes = []; test_eq(stored_values(make_dicom(stored | 0x3000), notes=notes), stored); test_eq(len(notes), 1)
test_eq(stored_values(make_dicom(stored << 4, HighBit=15)), stored)
half = make_dicom(stored); half.PixelData = half.PixelData[:1000]
test_fail(lambda: stored_values(half, 'half.dcm'), contains='half.dcm: the pixels can')

# %% [26] 3. To the scanner's own values
from medvl.data.image import (number, numbers, modality_values, look_up)

# %% [27] 3. To the scanner's own values
row = np.array([[0,1,2,3]])
test_eq(modality_values(row, make_dicom(stored, RescaleSlope=2, RescaleIntercept=-1)), [[-1,1,3,5]])
notes = []; test_eq(modality_values(row, make_dicom(stored, RescaleSlope=0, RescaleIntercept=0), notes), row)
test_eq(len(notes), 1)
lut = Dataset(); lut.LUTDescriptor, lut.LUTData = [3,1,8], [5,9,250]
test_eq(look_up(row, lut)[0], [[5,5,9,250]])  # 0 lies below the first entry, which belongs to 1
test_eq(modality_values(row, make_dicom(stored, ModalityLUTSequence=[lut])), [[5,5,9,250]])

# %% [29] 4. What is padding
from medvl.data.image import (padding)

# %% [30] 4. What is padding
test_eq(padding(row, make_dicom(stored, PixelPaddingValue=2)), row == 2)
test_eq(padding(row, make_dicom(stored, PixelPaddingValue=3, PixelPaddingRangeLimit=2)), row >= 2)
test_eq(padding(row, ds), None)
notes = []; test_eq(padding(row*0, make_dicom(stored, PixelPaddingValue=0), notes), None); test_eq(len(notes), 1)

# %% [32] 5. The window
from medvl.data.image import (apply_window)

# %% [34] 5. The window
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

# %% [36] 5. The window
from medvl.data.image import (display_values, pick, windows, stretch)

# %% [37] 5. The window
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
lut.LUTDescriptor, lut.LUTData = [4,0,8], [0,51,102,255]
test_close(display_values(row, make_dicom(stored, VOILUTSequence=[lut], WindowCenter=2, WindowWidth=3))[0],
           [[0,.2,.4,1]])
test_close(stretch(np.array([[0,10,20,999]]), np.array([[0,0,0,1]])>0)[0], [[0,.5,1,1]])

# %% [39] 7. What else the header tells
from medvl.data.image import (TAGS, PLAIN, CHEST, dicom_info, spacing, not_chest)

# %% [40] 7. What else the header tells
info = dicom_info(ds)
test_eq((info['view_position'], info['spacing'], info['warnings']), ('PA', (.4,.4), []))
odd = dicom_info(make_dicom(stored, PixelSpacing=[0,0], PatientOrientation=['R','F'], BodyPartExamined='ANKLE'))
test_eq(odd['spacing'], None); test_eq(len(odd['warnings']), 3)
test_eq(not_chest(dict(modality='CT')), 'modality CT is not a plain film'); test_eq(not_chest({}), '')
test_eq(not_chest(dict(body_part='Thorax ap')), ''); odd['warnings']

# %% [42] 8. Which way was it taken?
from medvl.data.image import (FRONTAL, LATERAL, NEITHER, view_kind)

# %% [43] 8. Which way was it taken?
for p in ('PA','ap','AP Supine','AP_horizontal','frontal_unspecified','postero-anterior','view1_frontal','AP Erect'):
    test_eq(view_kind(p), 'frontal')
for p in ('L','LL','lateral','Left Lateral','XTABLE LATERAL','view2_lateral'): test_eq(view_kind(p), 'lateral')
for p in ('','nan',None,'AP LLD','Axial','COSTAL','PA oblique','LAO'): test_eq(view_kind(p), 'other')

# %% [45] All steps
from medvl.data.image import (read_dicom, dicom_grey, open_dicom)

# %% [47] All steps
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

# %% [49] All steps
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

# %% [51] PNG and JPEG
from medvl.data.image import (grey)

# %% [52] PNG and JPEG
im = Image.fromarray(np.uint8(dense*255))
notes = []
for mode in ('L','RGB','RGBA','LA','P'): test_eq(np.asarray(grey(im.convert(mode), notes)), np.asarray(im))
test_eq(notes, [])
red = im.convert('RGB'); red.paste((255,0,0), (10,10,14,14)); grey(red, notes); test_eq(len(notes), 1)
test_fail(lambda: grey(Image.merge('RGB', (im, im.rotate(90).resize(im.size), im)), []), contains='a colour picture')
test_fail(lambda: grey(im.convert('1'), []), contains='mask')
clear = im.convert('RGBA'); clear.putalpha(0); test_eq(np.asarray(grey(clear, notes)).max(), 0); notes

# %% [54] PNG and JPEG
from medvl.data.image import (read_picture, grey16)

# %% [55] PNG and JPEG
test_eq(grey16(np.array([[0,4095]]))[1], 12); test_eq(grey16(np.array([[0,4095]]))[0], [[0,1]])
test_close(grey16(np.array([[4095]]), 16)[0], [[4095/65535]])
test_fail(lambda: grey16(np.array([[70000]]), 16), contains='does not fit')

# %% [57] One door
from medvl.data.image import (SIGNS, file_kind, read_image, load_image)

# %% [59] One door
with tempfile.TemporaryDirectory() as d:
    d = Path(d); eight = np.uint8(dense*255)
    Image.fromarray(eight).save(d/'liar.jpg', 'png')
    Image.fromarray(eight).convert('RGB').save(d/'rgb.jpeg', quality=95)
    Image.fromarray(np.uint16(dense*4095)).save(d/'deep.png')
    plain = make_dicom(eight, bits=8, alloc=8, PhotometricInterpretation='MONOCHROME2')
    plain.save_as(d/'film', enforce_file_format=True)
    png, jpg, deep, dcm = (read_image(d/o) for o in ('liar.jpg','rgb.jpeg','deep.png','film'))
    test_eq([o.info['kind'] for o in (png,jpg,deep,dcm)], ['png','jpeg','png','dicom'])
    test_eq(deep.info['bits'], 12)
    test_close(png.px, jpg.px, eps=.02); test_close(png.px, deep.px, eps=.01)
    test_close((png.px-png.px.min())/(png.px.max()-png.px.min()), dcm.px, eps=1e-5)
    whole = (d/'rgb.jpeg').read_bytes(); (d/'half.jpg').write_bytes(whole[:len(whole)//2])
    whole = (d/'film').read_bytes(); (d/'half.dcm').write_bytes(whole[:len(whole)//2])
    (d/'none.dcm').write_bytes(b'')
    (d/'letter.dcm').write_text('Dear colleague, '*40); (d/'scan.pdf').write_bytes(b'%PDF-1.4 ...')
    make_dicom(stored, BodyPartExamined='ANKLE').save_as(d/'ankle.dcm', enforce_file_format=True)
    Image.merge('RGB', [Image.fromarray(np.roll(eight, k*40, 1)) for k in range(3)]).save(d/'face.png')
    im = Image.fromarray(eight); ex = im.getexif(); ex[0x0112] = 6; im.save(d/'turned.jpg', exif=ex)
    test_eq(read_image(d/'turned.jpg').warnings, ['EXIF asks to turn the picture: not done'])
    test_eq(len(read_image(d/'ankle.dcm').warnings), 1)
    said = []
    for name,kw in [('half.jpg',{}), ('half.dcm',{}), ('none.dcm',{}), ('letter.dcm',{}), ('scan.pdf',{}),
                    ('face.png',{}), ('ankle.dcm',dict(chest=True)), ('gone.png',{}), ('',{})]:
        try: read_image(d/name, **kw); said.append(f'{name}: was read')
        except ImageError as e:
            test_eq(str(e).startswith(str(d/name)), True)
            said.append(str(e).replace(f'{d}/', '').replace(str(d), 'folder')[:110])
print(*said, sep='\n'); test_eq([o for o in said if 'was read' in o], [])

# %% [61] A film without a header
from medvl.data.image import (read_raw)

# %% [62] A film without a header
with tempfile.TemporaryDirectory() as t:
    raw = Path(t)/'JPCLN001.IMG'; dark = np.full((2048,2048), 4095, '>u2'); dark[:1024] = 0; dark.tofile(raw)
    film = read_image(raw); test_eq(film.px[0,[0,-1],0].tolist(), [1,0]); test_eq(film.px.shape, (1,2048,2048))
    test_eq((film.info['kind'], film.info['bits'], film.info['photometric']), ('raw', 12, 'MONOCHROME1'))
    small = Path(t)/'a.raw'; np.arange(1600, dtype='>u2').reshape(40,40).tofile(small)
    test_close(read_raw(small, (40,40), invert=False).px[0,0,1], 1/4095, eps=1e-7)
    test_fail(lambda: read_raw(small, (40,41)), contains='3200 bytes; a raw film of 40x41 has 3280')
    np.arange(1600, dtype='<u2').reshape(40,40).tofile(small)
    test_fail(lambda: read_raw(small, (40,40)), contains='does not fit 12 bits (is the high byte first?)')
    raw.write_bytes(b'letter'); test_fail(lambda: read_image(raw), contains='6 bytes; a raw film')
    test_fail(lambda: read_raw(Path(t)/'none.IMG'), contains='no such file')

# %% [64] On other people's files
from pydicom.data import get_testdata_file
def sample(name):
    "A file of pydicom or pydicom-data, without any download; None if it isn't installed."
    try: return get_testdata_file(name, download=False)
    except (ValueError, FileNotFoundError): return None

if sample('RG1_UNCR.dcm') is None: print('skipped: pydicom-data is not installed (pip install pydicom-data)')
else:
    r = {k: read_image(sample(f'RG1_{k}.dcm'), chest=True) for k in ('UNCR','J2KR','UNCI','J2KI')}
    test_eq(pixel_hash(r['UNCR'].px), pixel_hash(r['J2KR'].px))
    test_eq(pixel_hash(r['UNCI'].px), pixel_hash(r['J2KI'].px))
    gap = (r['UNCR'].px-r['UNCI'].px).abs()
    print(f'lossy against lossless: mean {gap.mean():.4f}, largest {gap.max():.3f}')
    test_eq(gap.mean() < .005, True); test_eq({phash(o.px) for o in r.values()}.__len__(), 1)
    i = r['UNCR'].info; print(r['UNCR'])
    test_eq((i['photometric'], i['bits'], i['view_position'], i['window']['centre'], i['spacing']),
            ('MONOCHROME1', 15, 'PA', 15000., None))
    p = r['UNCR'].px[0]
    # mediastinum whiter than lung: the inversion happened
    test_eq(p[900:1300,850:1000].mean() > p[900:1300,400:600].mean(), True)
    test_eq([w.split()[0] for w in read_image(sample('RG3_J2KR.dcm')).warnings],
            ['PatientOrientation','BodyPartExamined'])
    test_fail(lambda: read_image(sample('RG3_J2KR.dcm'), chest=True), contains='BodyPartExamined is EXTREMITY')

# %% [66] On other people's files
same = ['', '_RLE', '_bigendian', '_expb', '_implicit', '_jp2klossless', '_jpeg_ls_lossless', '_padded']
test_eq(len({pixel_hash(read_image(sample(f'MR_small{o}.dcm')).px) for o in same}), 1)
said = []
for name in ('MR_truncated','SC_rgb_rle','SC_rgb_rle_2frame','examples_palette','test-SR','liver_1frame','rtplan',
             'SC_rgb_small_odd','waveform_ecg','no_meta'):
    try: read_image(sample(f'{name}.dcm')); said.append(f'{name}: was read')
    except ImageError as e: said.append(str(e).split('/')[-1][:120])
print(*said, sep='\n'); test_eq([o for o in said if 'was read' in o], [])

# %% [68] Sizes
from medvl.data.image import (resize_shorter, center_crop, pad_square)

# %% [69] Sizes
img = as_film(np.float32(dense)).px
test_eq(resize_shorter(img, 72).shape, (1,80,72)); test_close(resize_shorter(img, 72).mean(), img.mean(), eps=2e-3)
test_eq(center_crop(img, 100).shape, (1,100,100)); test_eq(center_crop(img, 144), img[:,8:152])
test_eq(pad_square(img).shape, (1,160,160)); test_eq(pad_square(img)[:,:,8:152], img)
test_fail(lambda: center_crop(img, 150), contains="can't cut 150x150 out of 160x144")
