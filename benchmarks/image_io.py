"""A film file to a tensor: medvl beside torchxrayvision and hi-ml's way.

    python benchmarks/image_io.py                # 3056x2544, 5 turns, about a minute
    python benchmarks/image_io.py --repeat 9

Synthetic films with the noise of a detector are written to a temporary folder as JPEG, PNG and DICOM (12 bits,
uncompressed, JPEG 2000, RLE). Each way reads the same file, in turns, on one thread; medians of process time. `to the
model` adds what each library does to make its network's input, so the sizes differ: medvl keeps bytes of 512 on the
shorter side, and cuts ALTA's centre of 224 out of them; torchxrayvision cuts a square and resizes to 224 with
scikit-image, its default; hi-ml shrinks to 512 and cuts 448. torchxrayvision is the installed package. hi-ml's own
reader runs where it is installed; else its way is re-created from its description: scikit-image reads, the range is
stretched in float64 to uint8, then Pillow and torchvision. It has no DICOM path here.
Agreement of the pictures comes first, or nothing is timed."""
import argparse, io, tempfile, warnings
from pathlib import Path

import numpy as np
import pydicom, torch
from PIL import Image
from pydicom.uid import (ComputedRadiographyImageStorage, ExplicitVRLittleEndian, JPEG2000Lossless, RLELossless,
                         generate_uid)

from _bench import interleave, show
from medvl.core import need
from medvl.data.preset import PRESETS, cut, decode_film
from medvl.data.image import load_image
from medvl.data.study import View

def film(h, w, seed=0):
    "A drawn thorax with quantum noise (stronger where little arrives) and a little blur, 0 to 1."
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[-1:1:h*1j, -1:1:w*1j].astype(np.float32)
    def blob(cx, cy, rx, ry): return np.exp(-(((x-cx)/rx)**2+((y-cy)/ry)**2)**2)
    lungs = blob(-.42, -.05, .33, .62)+blob(.42, -.05, .33, .62)
    dense = .75*blob(0, .1, .95, 1.2) - .5*lungs + .3*blob(.15, .3, .28, .3)
    dense = np.clip(dense + .2*blob(0, 0, .12, 1) + .04*np.sin(22*y+3*x**2), 0, 1)
    noise = rng.standard_normal((h, w), np.float32)
    noise = (noise + np.roll(noise, 1, 0) + np.roll(noise, 1, 1))/3**.5  # neighbours share light
    return np.clip(.05 + .85*dense + noise*(.008+.02*dense), 0, 1)

def write(folder, h, w):
    "The files, by kind."
    a, out = film(h, w), {}
    eight = Image.fromarray(np.uint8(np.rint(a*255)))
    eight.save(folder/'film.jpg', quality=95); eight.save(folder/'film.png', compress_level=6)
    out |= {'JPEG, grey': folder/'film.jpg', 'PNG, 8 bit': folder/'film.png'}
    kinds = {'DICOM, plain': ExplicitVRLittleEndian, 'DICOM, JPEG 2000': JPEG2000Lossless, 'DICOM, RLE': RLELossless}
    for name, uid in kinds.items():
        ds = pydicom.Dataset(); ds.file_meta = pydicom.dataset.FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = ComputedRadiographyImageStorage
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = generate_uid()
        ds.Modality, ds.PhotometricInterpretation = 'CR', 'MONOCHROME2'
        ds.SamplesPerPixel, ds.PixelRepresentation = 1, 0
        ds.Rows, ds.Columns, ds.BitsAllocated, ds.BitsStored, ds.HighBit = h, w, 16, 12, 11
        ds.WindowCenter, ds.WindowWidth = 2048, 4096
        ds.PixelData = np.uint16(np.rint(a*4095)).tobytes()
        if uid.is_compressed: ds.compress(uid, generate_instance_uid=False)
        out[name] = folder/f'{uid.name[:8].strip()}-{len(out)}.dcm'; ds.save_as(out[name], enforce_file_format=True)
    return out

def himl_read(path):
    "hi-ml's way, re-created: scikit-image, range to [0,255] in float64, Pillow."
    from skimage import io as skio
    a = skio.imread(path).astype(float)
    a = (a-a.min())/(a.max()-a.min())*255
    return Image.fromarray(a.astype(np.uint8)).convert('L')

def himl_reader():
    "hi-ml's own reader where it can be imported (`pip install --no-deps hi-ml-multimodal SimpleITK`), and its name."
    try: from health_multimodal.image.data.io import load_image as read
    except ImportError: return himl_read, "hi-ml's way (re-created)"
    return read, 'hi-ml-multimodal'

def ways(path):
    "name -> (only the film, film to the network's input)."
    import torchvision.transforms as T
    xrv = need('torchxrayvision', 'to be compared with', 'torchxrayvision==1.5.7')
    crop, size = xrv.datasets.XRayCenterCrop(), xrv.datasets.XRayResizer(224)
    himl = T.Compose([T.Resize(512), T.CenterCrop(448), T.ToTensor()])
    alta, view = PRESETS['alta'], View(str(path))
    res = {'medvl': (lambda: load_image(path), lambda: cut(decode_film(view, alta.decode), alta, alta.size)),
           'torchxrayvision': (lambda: torch.from_numpy(xrv.utils.load_image(str(path))),
                               lambda: torch.from_numpy(size(crop(xrv.utils.load_image(str(path))))))}
    if path.suffix != '.dcm':
        read, name = himl_reader()
        res[name] = lambda: T.functional.to_tensor(read(path)), lambda: himl(read(path))
    return res

def stretched(img):
    "To [0,1], so that conventions of range do not matter."
    img = img.float()
    return (img-img.min())/(img.max()-img.min())

def main():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    p.add_argument('--repeat', type=int, default=5); p.add_argument('--size', type=int, nargs=2, default=(3056, 2544))
    args = p.parse_args(); torch.set_num_threads(1)
    logged = io.StringIO()
    with tempfile.TemporaryDirectory() as d, warnings.catch_warnings():
        warnings.simplefilter('ignore')
        for kind, path in write(Path(d), *args.size).items():
            all_ways = ways(path)
            want = stretched(all_ways['medvl'][0]())
            for k, (f, _) in all_ways.items():
                gap = (stretched(f())-want).abs().mean().item()
                if gap > .005: raise SystemExit(f'{kind}: {k} reads another picture, mean difference {gap:.4f}')
                print(f'{kind}: {k} differs by {gap:.5f} on average', file=logged)
            mb = path.stat().st_size/1e6
            print(f'\n{kind}, {args.size[0]}x{args.size[1]}, {mb:.1f} MB (the ratio is to medvl)')
            for what, i in (('film', 0), ('film to the model', 1)):
                show(interleave({f'{what}: {k}': o[i] for k, o in all_ways.items()}, args.repeat), f'{what}: medvl')
    print('\nagreement, after stretching each to [0,1]:', *sorted(logged.getvalue().splitlines()), sep='\n  ')

if __name__ == '__main__': main()
