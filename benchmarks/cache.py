"""An epoch from the cache beside an epoch that decodes, on films of 2 to 3 megapixels that this script makes.

    python benchmarks/cache.py                  # JPEG, PNG and DICOM, 12 films each, about a minute
    python benchmarks/cache.py --films 24 --repeat 5 --preset mrm

First the batches of both ways must be equal to the last bit, or nothing is timed. Then whole epochs of a loader run in
turns on one thread, and the median process time of each counts. Cached epochs still cut, normalise and collate; they
only don't decode. What building costs is printed too: it is paid once. All files are in the page cache of the system
while this runs, so disks are not measured, which favours neither way on local disks and the cache on slow ones.
"""
import argparse, tempfile, time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian, generate_uid

from _bench import interleave, show
from medvl.data.batch import sample_loader
from medvl.data.cache import ImageCache
from medvl.data.preset import Preset
from medvl.data.study import Sample, Study, View

SIZES = ((1760, 1440), (2022, 1736), (1536, 1536))  # 2.5, 3.5 and 2.4 megapixels


def picture(i):
    "Smooth shapes and grain, 12 bits: about as hard to compress as a film."
    h, w = SIZES[i % len(SIZES)]
    y, x = np.mgrid[:h, :w].astype(np.float32)/h
    a = 2000+900*np.sin(5*x+i)*np.cos(4*y)-1100*(((x-.3)/.2)**2+((y-.5)/.35)**2 < 1)
    return np.clip(a+np.random.default_rng(i).normal(0, 25, a.shape), 0, 4095).astype(np.uint16)


def write_dicom(path, a):
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = DigitalXRayImageStorageForPresentation
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    d = FileDataset(str(path), {}, file_meta=meta, preamble=b'\0'*128)
    d.SOPClassUID, d.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    d.Modality, d.BodyPartExamined, d.PatientID, d.ViewPosition = 'DX', 'CHEST', 'synthetic', 'PA'
    d.PhotometricInterpretation, d.SamplesPerPixel, d.PixelRepresentation = 'MONOCHROME2', 1, 0
    d.BitsAllocated, d.BitsStored, d.HighBit = 16, 12, 11
    d.WindowCenter, d.WindowWidth, (d.Rows, d.Columns), d.PixelData = 2048, 4096, a.shape, a.tobytes()
    d.save_as(path, enforce_file_format=True)


WRITE = {'JPEG, 8 bits': ('jpg', lambda p, a: Image.fromarray((a >> 4).astype(np.uint8)).save(p, quality=92)),
         'PNG, 8 bits': ('png', lambda p, a: Image.fromarray((a >> 4).astype(np.uint8)).save(p)),
         'DICOM, 12 bits': ('dcm', write_dicom)}


def samples(root, ext, write, n):
    out = []
    for i in range(n):
        path = root/f'{i:03}.{ext}'; write(path, picture(i))
        v = View(path=str(path), id=path.stem)
        study = Study(f'p{i}', f's{i}', None, [v])
        out.append(Sample((v, None, None, None), '', f's{i}', f'p{i}', f'p{i}', 'val', {}, study))
    return out


def main():
    o = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    o.add_argument('--films', type=int, default=12); o.add_argument('--repeat', type=int, default=3)
    o.add_argument('--preset', default='clip', help="'clip' shows films of 224, 'alta' films of 448 and 224")
    a = o.parse_args(); torch.set_num_threads(1); p = Preset.of(a.preset)
    print(f'{a.films} films a format, preset {p.name}: decoded to {p.decode}, shown at {p.big or p.size}; one thread')
    for name, (ext, write) in WRITE.items():
        with tempfile.TemporaryDirectory() as d:
            smp, cache = samples(Path(d), ext, write, a.films), ImageCache(Path(d)/'cache', p.decode)
            t = time.process_time(); cache.build([s.slots[0] for s in smp]); built = time.process_time()-t
            dls = {k: sample_loader(smp, None, p, bs=4, cache=c, slots=('current_frontal',))
                   for k, c in (('decoded', None), ('from the cache', cache))}
            for (x, _), (y, _) in zip(*dls.values()):
                assert all(torch.equal(x[k], y[k]) for k in x), 'the two ways give different batches'
            size = sum(Path(s.slots[0].path).stat().st_size for s in smp)/a.films/1e6
            print(f'{name}: {size:.1f} MB a file, building took {built/a.films*1e3:.0f} ms a film')
            times = interleave({k: (lambda dl=dl: [None for _ in dl]) for k, dl in dls.items()}, a.repeat)
            show(times, 'from the cache')


if __name__ == '__main__': main()
