"""Reading MIMIC-CXR's tables: 200,000 studies, about 331,000 films, priors linked, in seconds and megabytes.

    python benchmarks/mimic_read.py [--studies 200000] [--reports]

The tables are made in a temporary folder, in the layout of MIMIC-CXR-JPG; there are no films, and none is looked for.
With --reports a zip of as many reports is made too, and read through the section rules.
"""
import argparse, subprocess, sys, tempfile, time, zipfile
from pathlib import Path

import numpy as np
import pandas as pd

from medvl.core import CHEXPERT
from medvl.readers.rehearsal import mimic_id, mimic_number

REPORT = '''                                 FINAL REPORT
 EXAMINATION:  CHEST (PA AND LAT)
 
 INDICATION:  ___ year old with cough, film {0}
 
 COMPARISON:  ___.
 
 FINDINGS: 
 
 The lungs are well expanded and clear, as in film {0}.  There is no pleural effusion or
 pneumothorax.  The cardiomediastinal silhouette is normal.
 
 IMPRESSION: 
 
 No acute cardiopulmonary process.
'''


def write(folder: Path, studies: int, reports: bool, seed: int = 0) -> int:
    "Tables (and reports) of so many studies; returns the number of films. Shares are about those of the real set."
    rng = np.random.default_rng(seed)
    patient = np.sort(rng.integers(0, int(studies*.287), studies))  # 65,379 patients of 227,835 studies
    n = rng.choice([1, 2, 3, 4], studies, p=[.45, .45, .09, .01])
    s = np.repeat(np.arange(studies), n); i = np.concatenate([np.arange(k) for k in n])
    subject = np.array([mimic_number(p, 1) for p in range(patient.max()+1)])[patient]
    study = np.array([mimic_number(k, 5) for k in range(studies)])
    view = np.where(i == 0, rng.choice(['AP', 'PA', ''], len(s), p=[.6, .36, .04]), np.where(i == 1, 'LATERAL', 'LL'))
    day = pd.Timestamp('2180-01-01')+pd.to_timedelta(rng.integers(0, 3000, studies), 'D')
    clock = np.round(rng.integers(0, 24, studies)*10000+rng.integers(0, 60, studies)*100+rng.random(studies)*59, 3)
    meta = pd.DataFrame(dict(dicom_id=[mimic_id(f'{a}-{b}') for a, b in zip(s, i)], subject_id=subject[s],
        study_id=study[s], PerformedProcedureStepDescription='CHEST (PA AND LAT)', ViewPosition=view, Rows=2544,
        Columns=3056, StudyDate=day.strftime('%Y%m%d').to_numpy()[s], StudyTime=clock[s],
        ProcedureCodeSequence_CodeMeaning='CHEST', ViewCodeSequence_CodeMeaning=np.where(view == '', 'lateral', ''),
        PatientOrientationCodeSequence_CodeMeaning='Erect'))
    meta.to_csv(folder/'mimic-cxr-2.0.0-metadata.csv.gz', index=False)
    split = np.where(patient % 100 == 0, 'validate', np.where(patient % 100 == 1, 'test', 'train'))
    meta[['dicom_id', 'study_id', 'subject_id']].assign(split=split[s]).to_csv(
        folder/'mimic-cxr-2.0.0-split.csv.gz', index=False)
    lab = pd.DataFrame({k: rng.choice(['1.0', '0.0', '-1.0', ''], studies, p=[.1, .1, .02, .78])
                        for k in sorted(CHEXPERT)})
    pd.concat([pd.DataFrame(dict(subject_id=subject, study_id=study)), lab], axis=1).to_csv(
        folder/'mimic-cxr-2.0.0-chexpert.csv.gz', index=False)
    if reports:
        with zipfile.ZipFile(folder/'mimic-cxr-reports.zip', 'w', zipfile.ZIP_DEFLATED, compresslevel=1) as z:
            for p, k in zip(subject, study): z.writestr(f'files/p{p[:2]}/p{p}/s{k}.txt', REPORT.format(k))
    return len(meta)


READ = '''
import resource, sys, time
from medvl.data.table import ReadLog
from medvl.readers.mimic import read_mimic
def most(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss/1024
base, t, cpu, log = most(), time.time(), time.process_time(), ReadLog('mimic')
s = read_mimic(sys.argv[1], missing='ignore', log=log)
print(f"{len(s):,} studies, {sum(len(o.views) for o in s):,} films, "
      f"{sum(o.prior is not None for o in s):,} with a prior, {sum(bool(o.report) for o in s):,} with a report")
print(f"{time.time()-t:.1f} s ({time.process_time()-cpu:.1f} s of processor time), {most():,.0f} MB at most "
      f"({base:,.0f} MB of it for the libraries)")
'''


def main():
    "Make the tables, read them in a process of its own."
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument('--studies', type=int, default=200_000); ap.add_argument('--reports', action='store_true')
    a = ap.parse_args()
    with tempfile.TemporaryDirectory() as d:
        t = time.time(); n = write(Path(d), a.studies, a.reports)
        print(f'made {a.studies:,} studies, {n:,} films in {time.time()-t:.1f} s')
        subprocess.run([sys.executable, '-c', READ, d], check=True)


if __name__ == '__main__': main()
