"""`medvl data manifest` on 20,000 DICOM headers with a table of reports: seconds of processor time.

    python benchmarks/scan.py [--films 20000] [--repeat 3] [--base FOLDER]

The films are synthetic: a header as a clinic writes it, and 32 x 32 pixels, in a folder a patient. The table has
accession number, patient and date of every second study. With --base, the folder of another version of this repository
is run in turns with this one, and the ratio of the two is printed.
"""
import argparse, os, resource, statistics, subprocess, sys, tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian

HERE = Path(__file__).resolve().parent.parent


def write(folder: Path, films: int, seed: int = 0):
    "So many films, two a study and two studies a patient, and the table."
    rng, rows = np.random.default_rng(seed), []
    for i in range(films):
        study, patient = i//2, i//4
        ds = Dataset(); ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = ComputedRadiographyImageStorage
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = f'1.2.826.0.1.3680043.8.498.{study}.{i}'
        ds.StudyInstanceUID, ds.SeriesInstanceUID = f'1.2.826.0.1.3680043.8.498.{study}', f'1.2.826.0.1.{study}.1'
        ds.PatientID, ds.AccessionNumber, ds.PatientSex = f'{patient:07}', f'A{study:08}', 'FM'[patient % 2]
        ds.PatientBirthDate, ds.StudyDate, ds.StudyTime = '19500101', f'2020{study % 12+1:02}15', '083000.5'
        ds.Modality, ds.BodyPartExamined, ds.ViewPosition, ds.Manufacturer = 'DX', 'CHEST', ('PA','LL')[i % 2], 'none'
        ds.WindowCenter, ds.WindowWidth, ds.PixelSpacing = '2048', '4096', ['.143', '.143']
        ds.PhotometricInterpretation, ds.SamplesPerPixel, ds.PixelRepresentation = 'MONOCHROME2', 1, 0
        ds.Rows, ds.Columns, ds.BitsAllocated, ds.BitsStored, ds.HighBit = 32, 32, 16, 12, 11
        ds.PixelData = rng.integers(0, 4096, (32, 32), np.uint16).tobytes()
        path = folder/'films'/f'{patient:07}'/f'{i:08}.dcm'; path.parent.mkdir(parents=True, exist_ok=True)
        ds.save_as(path, enforce_file_format=True)
        if study % 2 == 0 and i % 2 == 0:
            rows.append(dict(accession=f'A{study:08}', patient_id=f'{patient:07}', date=ds.StudyDate,
                             report=f'FINDINGS: Film {i} is clear.\nIMPRESSION: Nothing new in {study}.'))
    pd.DataFrame(rows).to_csv(folder/'reports.csv', index=False)


def seconds(tree: Path, folder: Path) -> float:
    "Processor time of one command, its start included."
    had = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, '-c', 'from medvl.cli import main; main()', 'data', 'manifest', folder/'films',
                    '--out', folder/'m.csv', '--reports', folder/'reports.csv', '--force'], check=True, cwd=folder,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                   env=os.environ | dict(PYTHONPATH=str(tree)))
    now = resource.getrusage(resource.RUSAGE_CHILDREN)
    return now.ru_utime+now.ru_stime-had.ru_utime-had.ru_stime


def main():
    "Write the films, time the versions in turns."
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument('--films', type=int, default=20_000); ap.add_argument('--repeat', type=int, default=3)
    ap.add_argument('--base', type=Path)
    a = ap.parse_args()
    trees = dict(this=HERE) | (dict(base=a.base.resolve()) if a.base else {})
    with tempfile.TemporaryDirectory() as d:
        write(Path(d), a.films)
        times = {k: [] for k in trees}
        for _ in range(a.repeat):
            for k, tree in trees.items(): times[k].append(seconds(tree, Path(d)))
    best = {k: statistics.median(t) for k, t in times.items()}
    for k, t in best.items():
        print(f'{k:5} {t:6.1f} s for {a.films:,} films ({", ".join(f"{o:.1f}" for o in times[k])})')
    if a.base: print(f"ratio {best['this']/best['base']:.2f}")


if __name__ == '__main__': main()
