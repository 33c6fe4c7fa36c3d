"""PLACE against its own parts, CLIP and image-only training: towers of one size, trained on the same phantom patients.

    OMP_NUM_THREADS=1 python benchmarks/place_transfer.py runs/place --seeds 3

Trains each tower of `SYSTEMS` with each seed (a run that is done is kept), and scores the frozen towers on
patients that none has seen by the macro AUROC of a linear probe on all training labels. Intervals are over
patients, of the mean over seeds, and the value of each seed is kept. A tower of random weights is scored, too.
Retrieval, segmentation, detection and reports are not part of this script."""
import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.stats import rankdata

from medvl.core import CHEXPERT, seed_everything
from medvl.data.tokens import train_tokenizer
from medvl.eval.classify import linear_probe, mean_auroc
from medvl.eval.metrics import bootstrap
from medvl.eval.transfer import Tower, features, label_table, random_tower
from medvl.files import jsonable, provenance, save_json
from medvl.models.checkpoint import from_pretrained
from medvl.run.data import units
from medvl.run.run import Run
from medvl.run.stages import ALIGNED, FILMS, REPORTS, SAME, patients

TOWERS = dict(vision=FILMS, text=REPORTS, preset='alta-pocket')
PARTS = dict(TOWERS, width=128, heads=4, hidden=256, positives=True)
def part(**w): return dict(PARTS, weights=dict(glob=0., pcma=0., alike=0., cce=0.) | w)
SYSTEMS = {'PLACE': Run('place', model=PARTS, **ALIGNED),
           'instance loss alone': Run('place', model=part(glob=1.), **ALIGNED),
           'PCMA alone': Run('place', model=part(pcma=1., alike=.05), **ALIGNED),
           'correlations alone': Run('place', model=part(cce=1.), **ALIGNED),
           'CLIP': Run('clip', model=dict(TOWERS, positives=True, film_norm=True), **ALIGNED),
           'MAE': Run('mrm', per='film', slots='current', **SAME,
                      model=dict(vision=FILMS, text=REPORTS, decoder=dict(width=128, depth=1, heads=4), zoom=1,
                                 mask=.75, film_norm=True, weights=dict(img=1., txt=0.), preset='mrm-pocket'))}

def probe(tower, smp, y, at):
    "Scores [m k] of the test films by a linear probe."
    x = features(tower, [s.slots[0] for s in smp], dir=at).glob
    (tr, va, te) = (np.array([s.split == k for s in smp]) for k in ('train','val','test'))
    return linear_probe(x[tr], y[tr], (x[va], y[va]), x[te], cs=(.001, .01, .1))[0][0]

def scored(a, data):
    "Scores of each system."
    smp = [s for k in ('train','val','test') for s in units(data[k], split=k)]
    y = label_table(smp, CHEXPERT); y = y[0] if isinstance(y, tuple) else y
    test = np.array([s.split == 'test' for s in smp])
    keep = [j for j in range(y.shape[1]) if all(min((y[m,j] == 1).sum(), (y[m,j] == 0).sum()) >= 10
                                                for m in (test, ~test))]
    y, group, out = (y[:,keep] == 1).astype(float), [s.group for s in smp if s.split == 'test'], {}
    for name in [*SYSTEMS, 'random']:
        s = []
        for seed in range(a.seeds):
            at = a.out/f"{(name if name != 'random' else 'PLACE').replace(' ', '-')}.{seed}"/'model'
            t = Tower(from_pretrained(at), name=name)
            s.append(probe(random_tower(t, seed) if name == 'random' else t, smp, y, a.out/'features'/name/str(seed)))
        out[name] = np.stack(s, 1)                                                       # [n seeds k]
    def mean(s, y):
        "Macro AUROC, mean over seeds: the rank sum of the positives."
        pos = y[:,None] == 1; p, q = pos.sum(0), (~pos).sum(0)
        return float((((rankdata(s, axis=0)*pos).sum(0)-p*(p+1)/2)/(p*q)).mean())
    assert abs(mean(out['CLIP'][:,:1], y[test])-mean_auroc(out['CLIP'][:,0], y[test])) < 1e-9
    def gain(s, c, y): return mean(s, y)-mean(c, y)
    yt, res = y[test], {}
    for name,s in out.items():
        res[name] = dict(auroc=bootstrap(mean, s, yt, group=group),
                         seeds=[mean(s[:,[i]], yt) for i in range(a.seeds)])
        for other in ('CLIP', 'PLACE'):
            if name != other: res[name][f'over {other}'] = bootstrap(gain, s, out[other], yt, group=group)
        print(f"{name:20} AUROC {res[name]['auroc']}  seeds {np.round(res[name]['seeds'], 3)}  "
              f"over PLACE {res[name].get('over PLACE', '')}", flush=True)
    return res, [CHEXPERT[j] for j in keep]

def main():
    p = argparse.ArgumentParser(); p.add_argument('out', type=Path)
    for k,n in (('patients', 400), ('test', 300), ('epochs', 8), ('seeds', 3), ('film', 128)):
        p.add_argument(f'--{k}', type=int, default=n)
    p.add_argument('--only'); p.add_argument('--results', type=Path)
    a = p.parse_args()
    data = patients(dict(train=a.patients, val=60, test=a.test), a.film, 7)
    studies = [s for o in data.values() for s in o]
    tok = train_tokenizer([s.text for s in units(data['train'], need_text=True, text='impression')], 600)
    for seed in range(a.seeds):
        for name,r in SYSTEMS.items():
            if a.only and a.only != name: continue
            r = replace(r, data=studies, seed=seed, epochs=a.epochs, cache=a.out/'films'); seed_everything(seed)
            r.train(a.out/f"{name.replace(' ', '-')}.{seed}", tok)
    res, findings = scored(a, data)
    said = {k: getattr(a, k) for k in ('patients','test','epochs','seeds','film')}
    if a.results: save_json(a.results, jsonable(dict(arguments=said, provenance=provenance(), findings=findings,
                                                     systems=res)))

if __name__ == '__main__': main()