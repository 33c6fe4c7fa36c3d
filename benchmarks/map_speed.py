"""mAP over overlaps of 0.40 to 0.75 on random boxes: medvl's counting beside torchmetrics (pycocotools).

    python benchmarks/map_speed.py                 # 10,000 films, about 20 boxes found on each
    python benchmarks/map_speed.py --n 500 --repeat 3 --out results/map_speed.json

Equality comes first: both must give the same mAP to 1e-4, or nothing is timed. The runs are interleaved, on one
thread, and the median process time of each counts."""
import argparse
from pathlib import Path

import numpy as np
import torch
from torchmetrics.detection import MeanAveragePrecision

from _bench import interleave, show
from medvl.eval.boxes import IOUS, mean_ap
from medvl.files import provenance, save_json

def films(n, classes=2, found=20, seed=0):
    "Up to four true boxes of each film, and boxes found near them and anywhere, as `mean_ap` takes them."
    g, out = np.random.default_rng(seed), ([], [])
    def boxes(k):
        xy = g.uniform(0, 160, (k, 2))
        return np.concatenate([xy, xy+g.uniform(10, 64, (k, 2))], 1)
    def one(b, c, **kw): return dict(boxes=torch.tensor(b).float(), labels=torch.tensor(c), **kw)
    for _ in range(n):
        t = boxes(int(g.integers(0, 5))); c = g.integers(0, classes, len(t))
        near = np.repeat(t, 2, 0)+g.normal(0, 4, (2*len(t), 4))
        b = np.concatenate([near, boxes(int(g.integers(0, 2*found-8)))])
        k = np.concatenate([np.repeat(c, 2), g.integers(0, classes, len(b)-len(near))])
        b[:, 2:] = np.maximum(b[:, 2:], b[:, :2]+1)
        out[0].append(one(b, k, scores=torch.tensor(g.random(len(b))).float())); out[1].append(one(t, c))
    return out

def main():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    p.add_argument('--n', type=int, default=10_000); p.add_argument('--repeat', type=int, default=1)
    p.add_argument('--out', type=Path)
    a = p.parse_args(); torch.set_num_threads(1)
    found, truth = films(a.n)
    def ours(): return mean_ap(found, truth, interval=False).map.value
    def theirs():
        m = MeanAveragePrecision(iou_thresholds=list(IOUS)); m.update(found, truth)
        return m.compute()['map'].item()
    x, y = ours(), theirs()
    assert abs(x-y) < 1e-4, (x, y)
    print(f"{a.n} films, {sum(len(o['labels']) for o in found)} boxes found, mAP {x:.4f} and {y:.4f}")
    times = interleave(dict(medvl=ours, torchmetrics=theirs), a.repeat); show(times, 'medvl')
    if a.out:
        save_json(a.out, dict(command='benchmarks/map_speed.py', arguments=dict(n=a.n, repeat=a.repeat), map=[x, y],
                              seconds=times, ratio=times['torchmetrics']/times['medvl'], provenance=provenance()))

if __name__ == '__main__': main()
