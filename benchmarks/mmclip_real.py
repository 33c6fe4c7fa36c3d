"""Real pairs alone against the same pairs with unpaired real films: retrieval and zero-shot, by folds of patients.

    OMP_NUM_THREADS=1 python benchmarks/mmclip_real.py --data PACK/manifest.csv --out DIR --results results

The pack is one table of public chest films: notes of the COVID-19 Image Data Collection are the pairs; ChestX-ray14
(its training patients) is a source with labels, the others are sources of films alone, drawn down to `--most`. Both
runs of a fold take the same number of steps on pairs. MMCLIP starts from the film tower of the shipped phantom-mrm,
with a new report tower. Scored: film to note and back among the fold's test films (identical notes count as correct),
COVID-19 against other causes, and the findings of ChestX-ray14 on its test patients. Only numbers leave; the pack is
neither copied nor shown. Goes on where it stopped."""
import argparse
from pathlib import Path

import numpy as np
import torch

from medvl.core import SLOTS
from medvl.data.batch import Preset, sample_loader
from medvl.data.cache import ImageCache
from medvl.data.mix import unpaired
from medvl.data.splits import fold_of
from medvl.eval.metrics import auroc, paired_bootstrap
from medvl.eval.retrieval import embed
from medvl.eval.zeroshot import zeroshot
from medvl.files import jsonable, provenance, save_json
from medvl.models.checkpoint import from_pretrained
from medvl.readers.find import read_studies
from medvl.run.data import units
from medvl.run.folder import found
from medvl.run.model import shipped
from medvl.run.run import Run
from medvl.run.stages import hits, shared_tokenizer
from medvl.run.suite import NIH14, prompt_set
from medvl.run.train import train

from mmclip import FULL

def sets(a):
    "Pairs as studies, sources, and the films of ChestX-ray14 that are tested."
    every = read_studies(a.data)
    def of(word): return [s for s in every if s.source.startswith(word) and s.frontals]
    pairs = [s for s in of('covid') if any(v.text for v in s.frontals) or s.report]
    nih = of('nih')
    for s in nih: s.labels = {c: float(s.labels.get(c) == 1) for c in (*NIH14, 'No Finding')}
    rng, films = np.random.default_rng(0), units([*of('hannover'), *of('kermany')])
    labels = unpaired(units([s for s in nih if s.split == 'train']), 'ChestX-ray14')
    some = rng.permutation(len(films))[:a.most-len(labels.samples)]
    bare = unpaired([films[i] for i in sorted(some)], 'other films', 'films')
    return pairs, [labels, bare], units([s for s in nih if s.split == 'test'])

def one(a, fold, name, pairs, sources, nih, tok):
    "Train and score one run of a fold, or read it."
    out = a.out/f"{name}-{fold}"
    if was := found(out/'scored.json'): return was
    for s in pairs: s.split = 'test' if fold_of(s.group, a.folds) == fold else 'train'
    run = Run('mmclip', data=pairs, init=str(shipped()['phantom-mrm']), model=dict(FULL), per='image', slots='current',
              text='findings', shuffle_sentences=False, epochs=a.epochs, warmup=2, bs=32, lr=a.lr, precision='fp32',
              **(dict(unpaired=sources, templates='disease-v2') if name == 'unpaired' else {}), cache=a.out/'films')
    got = train(run, out, tok, resume=True, quiet=True)['run']
    m, preset = from_pretrained(out/'model'), Preset.of('alta-pocket')
    films = ImageCache(a.out/'films', preset.decode)
    def embedded(smp, classes=()):
        return embed(m, sample_loader(smp, tok, preset, 64, films, slots=SLOTS[:1], classes=classes), progress=False)
    test = units(pairs, split='test', need_text=True)
    emb, hit = embedded(test), {}
    for k in (1, 5): hit |= {f'{w}_R@{k}': x.tolist() for w,x in hits(emb, k).items()}
    y = np.array([float(s.slots[0].info.get('finding', '').startswith('COVID')) for s in test])
    def ask(e, names, lbl):
        e.lbl = torch.tensor(lbl, dtype=torch.float32)
        return zeroshot(m, e, tok, prompt_set('there is', names), names=names, cv=False, n_boot=0)
    covid = auroc(ask(emb, ['COVID-19'], y[:,None]).scores[:,0], y.astype(int))
    z = ask(embedded(nih, NIH14), NIH14, [[s.labels[c] for c in NIH14] for s in nih])
    n = (z.labels == 1).sum(0)
    each = {c: auroc(z.scores[:,j], z.labels[:,j].astype(int)) for j,c in enumerate(z.names) if n[j] >= 5}
    res = dict(films=len(test), notes=len({s.text for s in test}), group=[s.group for s in test], hits=hit,
               covid=covid, nih=float(np.mean(list(each.values()))), findings=each, steps=got['steps'],
               seconds=got['seconds'])
    save_json(out/'scored.json', jsonable(res))
    print(f"fold {fold}, {name}: {got['steps']} steps, {got['seconds']:.0f} s; COVID-19 {covid:.3f}, ChestX-ray14 "
          f"{res['nih']:.3f}; " + ', '.join(f'{k} {np.mean(v):.3f}' for k,v in hit.items()), flush=True)
    return res

def main():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    p.add_argument('--data', type=Path, required=True); p.add_argument('--out', type=Path, required=True)
    p.add_argument('--results', type=Path); p.add_argument('--lr', type=float, default=1e-3)
    for k,v in dict(folds=5, epochs=10, most=6000).items(): p.add_argument(f'--{k}', type=int, default=v)
    a = p.parse_args(); a.out.mkdir(parents=True, exist_ok=True)
    pairs, sources, nih = sets(a)
    words = [s.text for s in units(pairs)]+[t for s in sources for t in s.words()]  # of notes of every fold
    tok = shared_tokenizer(a.out/'tokenizer', words)
    got = dict(pairs=[], unpaired=[])
    for i in range(a.folds):
        for k,o in got.items(): o.append(one(a, i, k, pairs, sources, nih, tok))
    group = [g for r in got['pairs'] for g in r['group']]
    def all_of(k, m): return np.concatenate([r['hits'][m] for r in got[k]])
    runs = {k: dict(covid=[r['covid'] for r in o], nih=[r['nih'] for r in o], steps=o[0]['steps'],
                    seconds=[r['seconds'] for r in o], **{m: float(all_of(k, m).mean()) for m in o[0]['hits']})
            for k,o in got.items()}
    diff = {m: paired_bootstrap(np.mean, all_of('unpaired', m), all_of('pairs', m), group=group)
            for m in got['pairs'][0]['hits']}
    if a.results:
        save_json(a.results/'mmclip_real.json', jsonable(dict(
            data='a public pack of chest films with notes', arguments=dict(folds=a.folds, epochs=a.epochs, lr=a.lr),
            pairs=len(group), patients=len(set(group)), sources=[dict(name=s.name, kind=s.kind, films=len(s.samples))
            for s in sources], tested=dict(nih=len(nih)), runs=runs, differences=diff, provenance=provenance())))
    for k,o in runs.items(): print(k, {m: np.round(v, 3).tolist() for m,v in o.items()})
    for k,o in diff.items(): print(f'{k:24} {o}')

if __name__ == '__main__': torch.set_num_threads(1); main()
