"""A linear probe from kept features against one that encodes the films again.

    python benchmarks/transfer_cache.py --patients 150 --out results/transfer_cache.json

Three probes (seeds) of the same films and tower: with features that are computed for each, and with features that are
kept from the first time (`eval.transfer.features`). Films are decoded once for both. The numbers are seconds of one
run and their ratio; what the probes say is compared and has to be the same."""
import argparse, tempfile, time
from pathlib import Path

import numpy as np

from medvl.core import CHEXPERT
from medvl.data.cache import ImageCache
from medvl.eval.classify import labelled, linear_probe
from medvl.eval.transfer import features
from medvl.files import provenance, save_json
from medvl.phantom.set import phantom_studies
from medvl.run.downstream import films_of, tower_of


def probe(tower, lab, cache, dir, bs=32):
    "Test scores of a probe, and the seconds that features and probe took."
    start = time.perf_counter()
    x = {k: features(tower, [s.slots[0] for s in o], dir=dir, cache=cache, bs=bs, progress=False).glob
         for k, o in lab.samples.items()}
    mid = time.perf_counter()
    (s,), _ = linear_probe(x['train'], lab.y['train'], (x['val'], lab.y['val']), x['test'], cs=(1e-3,))
    return s, mid-start, time.perf_counter()-mid


def main():
    p = argparse.ArgumentParser()
    p.add_argument('--model', default='phantom-clip'); p.add_argument('--patients', type=int, default=150)
    p.add_argument('--repeats', type=int, default=3); p.add_argument('--out', type=Path)
    a = p.parse_args()
    tower = tower_of(a.model)
    with tempfile.TemporaryDirectory() as tmp:
        studies = phantom_studies(a.patients, seed=31, size=128, difficulty='easy')
        f = films_of(studies, tower)
        lab = labelled(f.samples, f.rows, [k for k in CHEXPERT if any(k in s.labels for s in f.samples)])
        cache = ImageCache(f.cache.dir, f.cache.size)
        new = [probe(tower, lab, cache, Path(tmp)/f'new{i}') for i in range(a.repeats)]
        kept = [probe(tower, lab, cache, Path(tmp)/'new0') for _ in range(a.repeats)]
    assert all(np.array_equal(s, new[0][0]) for s, *_ in new+kept), 'kept features are not those that were computed'
    sec = {k: dict(features=float(np.median([o[1] for o in v])), probe=float(np.median([o[2] for o in v])))
           for k, v in dict(recomputed=new, kept=kept).items()}
    ratio = dict(features=sec['recomputed']['features']/sec['kept']['features'],
                 whole=sum(sec['recomputed'].values())/sum(sec['kept'].values()))
    print(f"{len(f.samples)} films, seconds: {sec}\nratio: {ratio}")
    if a.out:
        save_json(a.out, dict(arguments={k: str(v) for k, v in vars(a).items() if k != 'out'}, films=len(f.samples),
                              provenance=provenance(), seconds=sec, ratio=ratio))


if __name__ == '__main__': main()
