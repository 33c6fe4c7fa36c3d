"""How hard the phantom is, by difficulty: retrieval by an oracle and by tricks, a linear probe on thumbnails, distinct
states. Writes results/phantom_calibration.json.

    python benchmarks/calibration.py   # 300 patients to test, 600 to train, each of three times; five minutes alone
    python benchmarks/calibration.py --test 40 --difficulty easy

Patients are those of seed 3, the splits `train` and `test`; films are 64 px and not cached. States are counted over as
many patients as phantom-v1 has. Intervals: percentile bootstrap over patients, 95 %."""
import argparse, time
from pathlib import Path

import numpy as np

from medvl.files import provenance, save_json
from medvl.eval.metrics import Interval, auroc, auroc_draws, draw_counts
from medvl.phantom.calibration import count_states, hits_at, probe_scores, retrieval_scores
from medvl.phantom.set import DIFFICULTY, V1, fingerprint, knobs, patient_number, phantom_studies

ROOT = Path(__file__).resolve().parent.parent

def interval(value, draws):
    o = Interval.of(value, draws)
    return dict(value=o.value, low=o.low, high=o.high)

def mean(x, counts): return interval(x.mean(), counts@x/counts.sum(1))

def area(score, label, rows, counts):
    return interval(auroc(score, label), auroc_draws(score, label, counts[:,rows])) | dict(positives=int(label.sum()))

def row(difficulty, n_train, n_test, seed, size, workers, n_boot):
    "One difficulty."
    t = time.perf_counter()
    train, test = (phantom_studies(n, seed, size, part, difficulty, cache=False, workers=workers)
                   for n, part in ((n_train, 'train'), (n_test, 'test')))
    who, text = np.array([s.patient for s in test]), np.array([s.report.split('FINDINGS:')[1] for s in test])
    counts, right = draw_counts(len(test), who, n_boot), text[:,None] == text[None]
    found = {k: {f'R@{n}': mean(hits_at(v, right, n), counts) for n in (1, 5, 10)}
             for k, v in retrieval_scores(train, test).items()}
    probe = {k: area(*o, counts) for k, o in probe_scores(train, test).items()}
    ids = [patient_number(i, V1['seed'], part) for part, n in V1['patients'].items() for i in range(n)]
    visits, states = count_states(ids, knobs(difficulty))
    print(difficulty, f'{len(train)} training and {len(test)} test studies, {states} states of {visits} visits,',
          f'{time.perf_counter()-t:.0f} s\n ', {k: f"{100*v['R@1']['value']:.1f}" for k, v in found.items()},
          '\n ', {k: round(v['value'], 2) for k, v in probe.items()}, flush=True)
    return dict(difficulty=difficulty, train=len(train), test=len(test), retrieval=found, probe=probe, visits=visits,
                states=states)

def main():
    p = argparse.ArgumentParser()
    p.add_argument('--train', type=int, default=600); p.add_argument('--test', type=int, default=300)
    p.add_argument('--seed', type=int, default=3); p.add_argument('--size', type=int, default=64)
    p.add_argument('--difficulty', nargs='+', default=list(DIFFICULTY))
    p.add_argument('--workers', type=int, default=0); p.add_argument('--n-boot', type=int, default=1000)
    p.add_argument('--out', type=Path, default=ROOT/'results/phantom_calibration.json')
    a, made = p.parse_args(), provenance()
    rows = [row(d, a.train, a.test, a.seed, a.size, a.workers, a.n_boot) for d in a.difficulty]
    save_json(a.out, dict(method='phantom', task='calibration', data=f'phantom, {a.test} patients of seed {a.seed}',
                          args={k: v for k, v in vars(a).items() if k != 'out'}, metrics={}, rows=rows,
                          fingerprint=fingerprint(), provenance=made))
    print(f'wrote {a.out.name}')

if __name__ == '__main__': main()
