"""Lungs and labels of real films by frozen towers, beside random weights and a U-Net trained from scratch.

    OMP_NUM_THREADS=1 python benchmarks/real_lungs.py runs/lungs --data CXR-REAL --place RUN --results results

CXR-REAL is a folder with a manifest of public films, masks, boxes and labels; RUN is a PLACE trained on phantom films.
As `medvl transfer segment`, `detect` and `classify` do. Heads learn in one cycle from three seeds, on the same films
for each system; intervals are over patients and seeds. Only numbers are written. Each training of a head is a file, so
a run that was stopped goes on."""
import argparse
from dataclasses import asdict, replace
from pathlib import Path

import torch

from medvl.eval.classify import classify, labelled
from medvl.files import jsonable, provenance, save_json
from medvl.run.downstream import Transfer, films_of, tower_of
from medvl.run.localise import Head, classes_of, detect, encoder, segment

CLASSES = ['lungs=lung|left_lung|right_lung', 'right_lung', 'left_lung']
UNET = 'scratch:resnet10t'
FINDINGS = ['Effusion','Infiltration','Atelectasis','Cardiomegaly']  # of ChestX-ray14's films
MASKS = Head(small=True, epochs=30, lr=5e-3, batch=16, without='drop', cycle=True)
BOXES = Head(small=True, epochs=20, lr=5e-3, batch=16, without='drop', cycle=True)
WHOLE = Head(small=True, epochs=15, lr=3e-3, batch=16, without='drop', cycle=True, whole=True)

def main():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0]); p.add_argument('out', type=Path)
    p.add_argument('--data', type=Path, required=True); p.add_argument('--place', required=True)
    p.add_argument('--results', type=Path); a = p.parse_args()
    towers = {'phantom-mrm': 'phantom-mrm', 'PLACE': a.place, 'random weights': 'random:phantom-mrm'}
    t, res = Transfer(source='covid-chestxray', cache=a.out/'films'), {}
    for name,model in {**towers, 'U-Net from scratch': UNET}.items():
        own = Transfer(**{**vars(t), 'preset': 'mrm-pocket'}) if model == UNET else t
        tower, h = encoder(model, own), WHOLE if model == UNET else MASKS
        row = res[name] = dict(model=Path(model).name, masks=asdict(h))
        r = segment(tower, a.data, classes_of(CLASSES[:1]), t=own, h=h, out=a.out/'masks'/name)
        row |= dict(films=r.films.facts['splits'], dice=r.result['shares']['1']['mean']['lungs'])
        print(name, row['dice']['dice'], row['dice']['by_seed'], flush=True)
        if model == UNET: continue
        r = detect(tower, a.data, classes_of(CLASSES[1:]), t=own, h=BOXES, out=a.out/'boxes'/name)
        row |= dict(boxes=asdict(BOXES), box_films=r.films.facts['splits'], map=r.result['shares']['1']['mean'])
        print(name, row['map'], flush=True)
        f = films_of(a.data, tower, replace(own, source='nih-cxr14-64px'))
        lab = labelled(f.samples, f.rows, FINDINGS)
        r = classify(tower, lab, 'linear', (.1, 1.), (0,1,2), cache=f.cache, progress=False)
        row['labels'] = {k: o['macro'] for k,o in r.items()}
        print(name, {k: str(o['macro']['auroc']) for k,o in r.items()}, flush=True)
    said = dict(data='cxr-real', source=t.source, classes=CLASSES, seeds=t.seeds)
    if a.results:
        save_json(a.results/'real_lungs.json', jsonable(dict(arguments=said, provenance=provenance(), systems=res)))

if __name__ == '__main__': torch.set_num_threads(1); main()
