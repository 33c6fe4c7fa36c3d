# nbs/data/12_image.ipynb: runs against the imported medvl.data.image.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Images
import warnings
from collections import Counter
from pathlib import Path
from typing import Iterable
import numpy as np
from jaxtyping import Float
from PIL import Image, ImageOps
from torch import Tensor
from medvl.data.dicom import read_dicom
from medvl.data.pixels import Film, ImageError, as_film, check_size, first_line, grey, guarded

# %% [4] Images
import tempfile
import pydicom
from fastcore.test import *
from medvl.data.pixels import phash, pixel_hash
from medvl.phantom.projection import write_dicom
from medvl.phantom.set import phantom_studies

# %% [6] PNG and JPEG
from medvl.data.image import (read_picture, turned, grey16)

# %% [7] PNG and JPEG
from medvl.data.image import (deep, set_bits)

# %% [8] PNG and JPEG
test_eq(grey16(np.array([[0,4095]]))[1], 12); test_eq(grey16(np.array([[0,4095]]))[0], [[0,1]])
test_close(grey16(np.array([[4095]]), 16)[0], [[4095/65535]])
test_fail(lambda: grey16(np.array([[70000]]), 16), contains='does not fit')

# %% [10] PNG and JPEG
twelve = (np.random.default_rng(0).random((200,200))*4095).astype(np.uint16)
for v,k in ((65535,1), (4100,30)):
    hot, notes = twelve.copy(), []; hot[0,:k] = v
    x, bits = grey16(hot, notes=notes); test_eq((bits, len(notes)), (12, 1))
    test_close(x.mean(), twelve.mean()/4095, eps=1e-3)
notes = []; test_eq(grey16(twelve//8, least=12, notes=notes)[1], 12); test_eq(notes, [])
test_eq(grey16(twelve*4, least=12, notes=notes)[1], 14)
test_eq(notes, ['more bits than other films of the set: 14, not 12'])
with tempfile.TemporaryDirectory() as d:
    for i in range(10): Image.fromarray(twelve//(8 if i < 2 else 1)).save(Path(d)/f'{i}.png')
    Image.fromarray(np.uint8(twelve >> 4)).save(Path(d)/'eight.png')
    test_eq(set_bits(sorted(Path(d).iterdir())), (12, {10: 2, 12: 8}))
    test_eq(set_bits([Path(d)/'eight.png'])[0], None)

# %% [12] One function for all formats
from medvl.data.image import (SIGNS, file_kind, read_image, load_image)

# %% [14] One function for all formats
eight = phantom_studies(1, size=160, cache=False)[0].frontals[0].px; dense = np.float32(eight)/255
with tempfile.TemporaryDirectory() as d:
    d = Path(d)
    Image.fromarray(eight).save(d/'liar.jpg', 'png')
    Image.fromarray(eight).convert('RGB').save(d/'rgb.jpeg', quality=95)
    Image.fromarray(np.uint16(dense*4095)).save(d/'deep.png')
    write_dicom(dense, d/'film')
    png, jpg, deep, dcm = (read_image(d/o) for o in ('liar.jpg','rgb.jpeg','deep.png','film'))
    test_eq([o.info['kind'] for o in (png,jpg,deep,dcm)], ['png','jpeg','png','dicom'])
    test_eq(deep.info['bits'], 12)
    test_eq((png.px-jpg.px).abs().mean() < .01, True); test_close(png.px, deep.px, eps=.01)
    test_close(png.px, dcm.px, eps=1e-3)
    whole = (d/'rgb.jpeg').read_bytes(); (d/'half.jpg').write_bytes(whole[:len(whole)//2])
    whole = (d/'film').read_bytes(); (d/'half.dcm').write_bytes(whole[:len(whole)//2])
    (d/'none.dcm').write_bytes(b'')
    (d/'letter.dcm').write_text('Dear colleague, '*40); (d/'scan.pdf').write_bytes(b'%PDF-1.4 ...')
    ds = pydicom.dcmread(d/'film'); ds.BodyPartExamined = 'ANKLE'; ds.save_as(d/'ankle.dcm')
    Image.merge('RGB', [Image.fromarray(np.roll(eight, k*40, 1)) for k in range(3)]).save(d/'face.png')
    im = Image.fromarray(eight); ex = im.getexif(); ex[0x0112] = 6; im.save(d/'turned.jpg', exif=ex)
    up = read_image(d/'turned.jpg'); test_eq(len(up.warnings), 1)
    test_eq((up.px-png.px.rot90(-1, (1,2))).abs().mean() < .01, True)
    test_eq(len(read_image(d/'ankle.dcm').warnings), 1)
    said = []
    for name,kw in [('half.jpg',{}), ('half.dcm',{}), ('none.dcm',{}), ('letter.dcm',{}), ('scan.pdf',{}),
                    ('face.png',{}), ('ankle.dcm',dict(chest=True)), ('gone.png',{}), ('',{})]:
        try: read_image(d/name, **kw); said.append(f'{name}: was read')
        except ImageError as e:
            test_eq(str(e).startswith(str(d/name)), True)
            said.append(str(e).replace(f'{d}/', '').replace(str(d), 'folder')[:110])
print(*said, sep='\n'); test_eq([o for o in said if 'was read' in o], [])

# %% [16] A film without a header
from medvl.data.image import (read_raw)

# %% [17] A film without a header
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

# %% [19] Other people's files
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

# %% [21] Other people's files
same = ['', '_RLE', '_bigendian', '_expb', '_implicit', '_jp2klossless', '_jpeg_ls_lossless', '_padded']
test_eq(len({pixel_hash(read_image(sample(f'MR_small{o}.dcm')).px) for o in same}), 1)
said = []
for name in ('MR_truncated','SC_rgb_rle','SC_rgb_rle_2frame','examples_palette','test-SR','liver_1frame','rtplan',
             'SC_rgb_small_odd','waveform_ecg','no_meta'):
    try: read_image(sample(f'{name}.dcm')); said.append(f'{name}: was read')
    except ImageError as e: said.append(str(e).split('/')[-1][:120])
print(*said, sep='\n'); test_eq([o for o in said if 'was read' in o], [])
