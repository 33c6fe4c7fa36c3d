"""The demo on other patients: how far its differences change with the seed.

    for s in 1 2 3 4 5; do medvl demo --seed $s --out runs/demos/$s; done
    python benchmarks/demos.py runs/demos/* --results results

Each demo draws its own patients and gives the difference of ALTA from the other systems over its trainings. Here the
demos are the units: the mean of their differences, with an interval by Student's t over the demos, and how often a
demo's own interval leaves out zero. `--name` is that of the result file."""
import argparse, json
from pathlib import Path

import numpy as np
from scipy.stats import t as student

from medvl.core import MedvlError
from medvl.files import jsonable, provenance, save_json
from medvl.run.page import name_of

SCORES = 'AUROC', 'P@10'

def over(values):
    "Mean of the demos and its interval."
    v = np.array(values); h = student.ppf(.975, len(v)-1)*v.std(ddof=1)/len(v)**.5
    return dict(value=float(v.mean()), low=float(v.mean()-h), high=float(v.mean()+h), n_units=len(v), method='t')

def read(dirs):
    "Results of demos that differ in nothing but the seed."
    res = [json.loads((d/'results.json').read_text()) for d in dirs]
    same = [{k: v for k,v in r['arguments'].items() if k not in ('seed','pretrained')} for r in res]
    for d, s in zip(dirs, same):
        if s != same[0]: raise MedvlError(f"{d} and {dirs[0]} have other settings: {s}, {same[0]}")
    if len(res) < 2: raise MedvlError('expected two demos or more')
    return sorted(res, key=lambda r: r['arguments']['seed'])

def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('demos', nargs='+', type=Path); p.add_argument('--results', type=Path, default=Path('results'))
    p.add_argument('--name', default='demos')
    a = p.parse_args(); res, out = read(a.demos), {}
    first, *rest = res[0]['together']
    for k in rest:
        for of in SCORES:
            less = [r['together'][k][of]['minus_alta'] for r in res]    # the other minus ALTA
            each = [dict(seed=r['arguments']['seed'], value=-d['value'], low=-d['high'], high=-d['low'])
                    for r, d in zip(res, less)]
            at = {n: over([-next(o for o in r['compared'].values() if o['patients'] == n)['systems'][k][of]
                           ['minus_alta']['value'] for r in res]) for n in res[0]['arguments']['patients']}
            name = f'{name_of(first)} - {name_of(k)}, {of}'
            d = out[name] = dict(over([o['value'] for o in each]), demos=each, patients=at)
            print(f'{name}: ' + ', '.join(f"{100*o['value']:+.1f}" for o in each)
                  + f"; mean {d['value']:+.3f} [{d['low']:+.3f}, {d['high']:+.3f}]",
                  *[f"{n} patients {100*o['value']:+.1f}" for n,o in at.items()])
    each = [dict(seed=r['arguments']['seed'], commit=r['provenance']['commit'],
                 pairs=[o['pairs'] for o in r['compared'].values()]) for r in res]
    said = dict(res[0]['arguments'], seed=[o['seed'] for o in each])
    save_json(a.results/f'{a.name}.json', jsonable(dict(arguments=said, demos=each,
              differences=out, provenance=provenance())))

if __name__ == '__main__': main()
