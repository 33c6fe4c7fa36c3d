"""What fine-tuning adds to a linear probe, by how much of the tower is trained: phantom-mrm on phantom patients.

    OMP_NUM_THREADS=1 python benchmarks/fine_tune.py runs/fine_tune --results results/fine_tune.json

As `medvl transfer classify --how HOW` with 10 % and with all of the labels. Learning rates were fixed before the test
films were scored. Each training is a file, so a run that was stopped goes on; `--seconds` stops it."""
import argparse, time
from pathlib import Path

import numpy as np
import torch

from medvl.core import CHEXPERT
from medvl.data.cache import ImageCache
from medvl.eval.classify import classify, labelled
from medvl.eval.transfer import label_table
from medvl.files import jsonable, provenance, save_json
from medvl.run.data import units
from medvl.run.downstream import Steps, tower_of
from medvl.run.stages import patients, unseen

RATES = dict(linear=None, head=1e-2, lora=5e-3, adapters=5e-3, layerwise=1e-3, full=5e-3)  # 'full': the tower a tenth
SEED = 7

def main():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0]); p.add_argument('out', type=Path)
    for k,n in (('patients', 200), ('test', 200), ('epochs', 10), ('seeds', 2)):
        p.add_argument(f'--{k}', type=int, default=n)
    p.add_argument('--seconds', type=float, default=float('inf'), help='begin nothing new after so many seconds')
    p.add_argument('--results', type=Path); a = p.parse_args(); until = time.time()+a.seconds
    unseen('phantom-mrm', SEED); tower = tower_of('phantom-mrm')
    data = patients(dict(train=a.patients, val=60, test=a.test), 128, SEED)
    smp = [s for k,o in data.items() for s in units(o, text='impression', need_text=True)]
    rows = {k: np.array([i for i,s in enumerate(smp) if s.split == k]) for k in data}
    y = label_table(smp, CHEXPERT) == 1
    names = [k for k,c in zip(CHEXPERT, y.T) if min(min(c[i].sum(), (~c[i]).sum()) for i in rows.values()) >= 5]
    lab, cache, keep = labelled(smp, rows, names), ImageCache(a.out/'films', tower.preset.decode), Steps(a.out, tower)
    res, cpu = {}, {}
    def step(name, make):
        def run():
            if time.time() > until: raise TimeoutError
            start = time.process_time(); got = make()
            return dict(got, cpu=time.process_time()-start)
        got = keep(name, run); cpu.setdefault(name.split()[0], []).append(got['cpu'])
        return got
    for how,lr in RATES.items():
        kw = {} if lr is None else dict(lr=lr, epochs=a.epochs, patience=a.epochs)
        try: r = classify(tower, lab, how, (.1, 1.), range(a.seeds), step=step, cache=cache, progress=False, **kw)
        except TimeoutError: print(f'{how}: not done yet'); return
        trained = [o.get('trained') for o in r['1']['logs'] if isinstance(o, dict)]
        res[how] = dict(lr=lr, trained=trained[0] if trained and trained[0] else (tower.width+1)*len(names),
                        seconds=float(np.mean(cpu[how][-a.seeds:])),
                        shares={k: dict(macro=o['macro'], subsets=o['subsets']) for k,o in r.items()})
        print(how, res[how]['trained'], f"{res[how]['seconds']:.1f} s",
              {k: str(o['macro']['auroc']) for k,o in r.items()},
              flush=True)
    said = {k: getattr(a, k) for k in ('patients','test','epochs','seeds')}
    if a.results: save_json(a.results, jsonable(dict(
                            data='phantom, lifelike-easy', arguments=said, provenance=provenance(),
                            films={k: len(o) for k,o in rows.items()}, findings=names, how=res)))

if __name__ == '__main__': torch.set_num_threads(1); main()
