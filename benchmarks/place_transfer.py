"""PLACE against its own parts, CLIP and image-only training: towers of one size, trained on the same phantom patients.

    OMP_NUM_THREADS=1 python benchmarks/place_transfer.py runs/place --seeds 3

Trains each tower of `SYSTEMS` with each seed (a run that is done is kept)."""
import argparse
from dataclasses import replace
from pathlib import Path

from medvl.core import seed_everything
from medvl.data.tokens import train_tokenizer
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

def main():
    p = argparse.ArgumentParser(); p.add_argument('out', type=Path)
    for k,n in (('patients', 400), ('test', 300), ('epochs', 6), ('seeds', 3), ('film', 128)):
        p.add_argument(f'--{k}', type=int, default=n)
    p.add_argument('--only')
    a = p.parse_args()
    data = patients(dict(train=a.patients, val=60, test=a.test), a.film, 7)
    studies = [s for o in data.values() for s in o]
    tok = train_tokenizer([s.text for s in units(data['train'], need_text=True, text='impression')], 600)
    for seed in range(a.seeds):
        for name,r in SYSTEMS.items():
            if a.only and a.only != name: continue
            r = replace(r, data=studies, seed=seed, epochs=a.epochs, cache=a.out/'films'); seed_everything(seed)
            r.train(a.out/f"{name.replace(' ', '-')}.{seed}", tok)

if __name__ == '__main__': main()
