"""Do the maps of a local model follow 'left' and 'right'? Highest points of phrases, and of the same phrases with
their sides exchanged.

    OMP_NUM_THREADS=1 python benchmarks/sides.py --results results

Each phrase on a finding of `SCORED` that names one side is looked for on its film, as it is and with left and right
exchanged (`data.words.swap_sides`). `own` is the share of the phrases whose highest point is on the side that the
phrase names, `swapped` the share of exchanged phrases whose highest point is on that same side, `moved` the share of
pairs whose two highest points are on different sides. The side of a film is its half. Films on which only one side has
the finding are counted apart from those on which both have it: on the former a map that finds the finding and ignores
the word has a high `own` and an equal `swapped`; on the latter only the word can decide."""
import argparse, re
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch

import medvl
from medvl.files import provenance, save_json
from medvl.data.regions import phrases
from medvl.data.words import swap_sides
from medvl.eval.maps import Asker
from medvl.eval.metrics import mean_interval

from grounding import SCORED

KINDS = {1: 'one side has the finding', 2: 'both sides have it'}

def named_side(text):
    s = set(re.findall('left|right', text.lower()))
    return s.pop() if len(s) == 1 else None

def peak_side(asker, view, text):
    "The side of the patient on which the map is highest: a patient's left is right on the film."
    m = asker.on(view, text)[-1]
    return 'left' if np.nanargmax(m) % m.shape[1] >= m.shape[1]/2 else 'right'

def main():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    p.add_argument('--model', default='phantom-gloria'); p.add_argument('--results', type=Path)
    p.add_argument('--test', type=int, default=300); p.add_argument('--seed', type=int, default=0)
    p.add_argument('--difficulty', default='lifelike-easy')
    a = p.parse_args(); torch.set_num_threads(1)
    m = medvl.load(a.model); asker = Asker(m.aligner, m.tok, m.preset, m.max_len)
    said = defaultdict(dict)
    for r in phrases(medvl.phantom_studies(a.test, a.seed, m.preset.size, 'test', a.difficulty)):
        if r.label not in SCORED or r.view.kind != 'frontal' or not (s := named_side(r.text)): continue
        said[id(r.view), r.label].setdefault(s, r)
    rows = defaultdict(list)
    for (_,label),sides in said.items():
        for s,r in sides.items():
            x, y = (peak_side(asker, r.view, t) for t in (r.text, swap_sides(r.text)))
            one = dict(own=x == s, swapped=y == s, moved=x != y, patient=r.study.group)
            for k in ('all', label): rows[len(sides), k].append(one)
    out = {}
    for (n,label),v in sorted(rows.items()):
        who = [o['patient'] for o in v]
        of = {k: mean_interval([o[k] for o in v], who, (0, 1)) for k in ('own','swapped','moved')}
        print(f"{KINDS[n]:26s}{label:18s}{len(v):4d}  ", ', '.join(f'{k} {i}' for k,i in of.items()))
        out.setdefault(KINDS[n], {})[label] = dict(n=len(v)) | {k: dict(value=i.value, low=i.low, high=i.high)
                                                               for k,i in of.items()}
    data = f"phantom, {a.difficulty}, {a.test} test patients"
    if a.results:
        save_json(a.results/'sides.json', dict(task='sides of maps', model=a.model, data=data, films=out,
                  args={k: v for k,v in vars(a).items() if k != 'results'}, provenance=provenance()))

if __name__ == '__main__': main()
