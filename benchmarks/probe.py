"""What a frozen vision tower knows: a linear probe for each finding, on the stages of `medvl demo` or `medvl ablate`.

    python benchmarks/probe.py runs/ablate mrm alta.0 clip_from_scratch.0 clip_from_mrm.0 --out results/probe.json

Features are [CLS] and the mean of the patches of each training patient's frontal films, the classifier is the linear
probe of `eval.classify`, the AUROC is that of the test patients, with intervals by patient. An untrained tower of the
same shape stands beside them. A stage of another run is named by its folder. Patients, size and difficulty are those
of the folder's run.json: the probe is trained on these patients, and tested on those that no tower ever saw."""
import argparse, json
from pathlib import Path

import numpy as np
import torch

from medvl.core import CHEXPERT, SLOTS, seed_everything
from medvl.files import jsonable, provenance, save_json
from medvl.data.batch import sample_loader
from medvl.eval.classify import linear_probe
from medvl.eval.metrics import auroc, bootstrap
from medvl.models.checkpoint import from_pretrained
from medvl.models.vision import VisionTower
from medvl.run.data import units
from medvl.run.stages import FILMS, patients

def films(studies):
    "Normalised frontal films, labels, and the patient of each."
    smp = units(studies, need_text=True)
    dl = sample_loader(smp, None, 'alta-pocket', 64, slots=SLOTS[:1], classes=CHEXPERT)
    got = [(b.img[:,0], b.lbl) for b,_ in dl]
    return torch.cat([x for x,_ in got]), torch.cat([y for _,y in got]).numpy(), [s.group for s in smp]

@torch.no_grad()
def features(tower, x):
    "[CLS] and mean patch."
    got = [tower.eval()(o) for o in x.split(64)]
    return torch.cat([torch.cat([f.glob, f.loc.mean(1)], -1) for f in got]).numpy()

def probe(tower, train, test, n_boot, least=10):
    "Macro AUROC with its interval, and each finding's."
    (x, y, _), (u, v, group) = train, test
    p, q = (y == 1).astype(float), (v == 1).astype(float)
    n = np.stack([o.sum(0) for o in (p, 1-p, q, 1-q)]).min(0); some = np.flatnonzero(n >= least)
    a, b, p, q = features(tower, x), features(tower, u), p[:,some], q[:,some]
    (s,), _ = linear_probe(a, p, (a, p), b, cs=(.003,))
    def macro(s, t):
        ok = [j for j in range(s.shape[1]) if 0 < t[:,j].sum() < len(t)]
        return float(np.mean([auroc(s[:,j], t[:,j]) for j in ok]))
    each = {CHEXPERT[j]: auroc(s[:,i], q[:,i]) for i, j in enumerate(some)}
    return dict(macro=bootstrap(macro, s, q, group=group, n_boot=n_boot), by_finding=each)

def main():
    p = argparse.ArgumentParser()
    p.add_argument('run', type=Path); p.add_argument('stage', nargs='+')
    p.add_argument('--n-boot', type=int, default=300); p.add_argument('--out', type=Path)
    a = p.parse_args()
    said = json.loads((a.run/'run.json').read_text())['arguments']
    data = patients(dict(train=said['patients'], test=said['test']), said['film'], said['seed'],
                    difficulty=said['difficulty'])
    train, test = films(data['train']), films(data['test'])
    seed_everything(0)
    at = {Path(k).name: Path(k) if (Path(k)/'model').is_dir() else a.run/k for k in a.stage}
    towers = {'untrained': VisionTower(**FILMS)} | {k: from_pretrained(o/'model').vision for k,o in at.items()}
    res = {k: probe(t, train, test, a.n_boot) for k,t in towers.items()}
    for k,r in res.items(): print(f"{k:24} macro AUROC {r['macro']}")
    kept = {k: said[k] for k in ('patients','test','film','difficulty','seed','set')}
    if a.out: save_json(a.out, jsonable(dict(arguments=kept, provenance=provenance(), towers=res)))

if __name__ == '__main__': main()
