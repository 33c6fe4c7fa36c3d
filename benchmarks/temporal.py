"""Improved, stable or worsened: a linear head on frozen features of two films of phantom patients.


    python benchmarks/temporal.py --train 1500 --test 1500 --minutes 6 --out results/temporal.json
    python benchmarks/temporal.py --run runs/ablate alta.0 clip_from_scratch.0

Beside the trained tower stand one of random weights and the truth itself (the severities of all lesions at both visits
as features): the floor and the ceiling of this read-out. The tower is a small ViT that learns the findings of the
training patients' frontal films, and nothing of change. Heads are fitted on pairs of four fifths of these patients,
their strength is chosen on the last fifth, and all test patients are new to both. `--run` takes towers of `medvl demo`
or `medvl ablate` instead of training one; the training patients have to be those of that run."""
import argparse, json, time
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from medvl.core import CHEXPERT, seed_everything
from medvl.files import jsonable, provenance, save_json
from medvl.data.batch import sample_loader
from medvl.data.splits import fold_of
from medvl.eval.metrics import auroc
from medvl.eval.temporal import change_labels, temporal
from medvl.models.checkpoint import from_pretrained
from medvl.models.vision import VisionTower
from medvl.run.change import pairs_of, phantom_changes
from medvl.run.data import units
from medvl.run.stages import FILMS, patients
from medvl.train.step import lr_at, param_groups

ASKED = ('consolidation', 'edema', 'pleural effusion', 'pneumothorax', 'atelectasis')  # those that come and go


def films(samples, slot=0):
    "Normalised films of one slot, and labels."
    own = [type(s)((s.slots[slot], None, None, None), '', s.id, s.patient, s.group, s.split, s.labels, s.study)
           for s in samples]
    got = [(b.img[:, 0], b.lbl) for b, _ in sample_loader(own, None, 'alta-pocket', 64, slots=['current_frontal'],
                                                          classes=CHEXPERT)]
    return torch.cat([x for x, _ in got]), torch.cat([y for _, y in got])


@torch.no_grad()
def features(tower, x):
    "Mean of the patches, as `medvl eval temporal` takes it."
    return torch.cat([tower.eval()(o).loc.mean(1) for o in x.split(64)]).numpy()


def shifted(x, g, pad=6):
    "All films of a batch moved by the same few pixels."
    y, z = torch.randint(0, 2*pad+1, (2,), generator=g).tolist()
    return F.pad(x, (pad,)*4, mode='replicate')[..., y:y+x.shape[-2], z:z+x.shape[-1]]


def taught(tower, x, y, minutes, bs=64, lr=1e-3, seed=0):
    "A tower that learns findings; what is not known of a film does not count."
    g, head = torch.Generator().manual_seed(seed), nn.Linear(tower.width, y.shape[1])
    net, known = nn.ModuleDict(dict(tower=tower, head=head)), ~y.isnan()
    opt, start, steps = torch.optim.AdamW(param_groups(net), lr=lr, betas=(.9, .95)), time.process_time(), 0
    while (at := (time.process_time()-start)/60/minutes) < 1:
        ids = torch.randint(len(x), (bs,), generator=g)
        for o in opt.param_groups: o['lr'] = lr_at(int(1e4*at), lr, 10_000, 500)
        logit = head(tower.train()(shifted(x[ids], g)).loc.mean(1))
        loss = F.binary_cross_entropy_with_logits(logit, y[ids].nan_to_num(), known[ids].float())
        opt.zero_grad(); loss.backward(); opt.step(); steps += 1
    return head, dict(steps=steps, epochs=steps*bs/len(x), minutes=minutes, loss=loss.item())


def severities(study):
    "The truth as a vector: the largest severity of each kind, side by side."
    out = {f'{k} {s}': 0. for k in ASKED for s in ('left', 'right', 'bilateral', '')}
    for f in study.info['state']['findings']:
        k = f"{f['name'].lower()} {f['side']}"
        if k in out: out[k] = max(out[k], f['sev'])
    return list(out.values())


def line(name, how, res):
    each = ', '.join(f"{k} {r['macro_accuracy']['value']:.3f} [{r['macro_accuracy']['low']:.3f}, "
                     f"{r['macro_accuracy']['high']:.3f}]" for k, r in res['findings'].items())
    lack = (f'{k}: {v}' for k, v in res['not_computable'].items())
    print(f"{name:12} {how:10} mean {res['mean']:.3f} | {each}", *lack)


def main():
    p = argparse.ArgumentParser()
    p.add_argument('--train', type=int, default=1500); p.add_argument('--test', type=int, default=1500)
    p.add_argument('--seed', type=int, default=0); p.add_argument('--difficulty', default='easy')
    p.add_argument('--minutes', type=float, default=6.); p.add_argument('--n-boot', type=int, default=1000)
    p.add_argument('--run', nargs='+', default=[]); p.add_argument('--out', type=Path)
    p.add_argument('--how', nargs='+', default=['both', 'difference', 'all'])
    a = p.parse_args()
    torch.set_num_threads(1)
    data = patients(dict(train=a.train, test=a.test), 128, a.seed, bar=False, difficulty=a.difficulty)
    pairs = pairs_of(data['train'])+pairs_of(data['test'])
    words = [phantom_changes(s.study.info['state']) for s in pairs]
    labels = {k: change_labels([w.get(k) for w in words]) for k in ASKED}
    split = ['test' if s.split == 'test' else 'val' if fold_of(s.group, 5) == 0 else 'train' for s in pairs]
    now, then = (films(pairs, k)[0] for k in (0, 2))
    seed_everything(a.seed)
    towers, facts = {'untrained': VisionTower(**FILMS)}, {}
    if a.run: towers |= {k: from_pretrained(Path(a.run[0])/k/'model').vision for k in a.run[1:]}
    else:
        fronts = {k: films(units(data[k], 'image')) for k in data}
        tower = towers['findings'] = VisionTower(**FILMS)
        head, facts = taught(tower, *fronts['train'], a.minutes, seed=a.seed)
        with torch.no_grad(): z = head(torch.from_numpy(features(tower, fronts['test'][0]))).numpy()
        y = fronts['test'][1].numpy()
        facts['auroc'] = {c: float(auroc(z[:, j], y[:, j] == 1)) for j, c in enumerate(CHEXPERT) if 10 < y[:, j].sum()}
        print(facts)
    res, kw = {}, dict(n_boot=a.n_boot, seed=a.seed)
    def ask(name, c, p):
        res[name] = {how: temporal(c, p, labels, split, [s.group for s in pairs], how, **kw) for how in a.how}
        for how, r in res[name].items(): line(name, how, r)
    for name, t in towers.items(): ask(name, features(t, now), features(t, then))
    ask('truth', *(np.array([severities(s) for s in o], np.float32) for o in
                   ([s.study for s in pairs], [s.study.prior for s in pairs])))
    if a.out:
        said = {k: v for k, v in vars(a).items() if k != 'out'} | dict(film=128, tower=FILMS)
        n = {k: split.count(k) for k in ('train', 'val', 'test')}
        save_json(a.out, jsonable(dict(method='several', task='temporal', data='phantom', metrics={}, arguments=said,
                                       provenance=provenance(), pairs=n, training=facts, features=res)))


if __name__ == '__main__': main()
