"""MMCLIP's and CLIP's towers on the sets of the suite: zero-shot, linear probes and fine-tuning on 1, 10 and 100 %.

    OMP_NUM_THREADS=1 python benchmarks/mmclip_sets.py --towers runs/mmclip --out runs/mmclip_sets \
        --real PACK/manifest.csv --results results

The towers are those that benchmarks/mmclip.py left in `--towers`, one for each seed. Films of other phantom
patients, the last visit of each, are written in the layouts of ChestX-ray14, CheXpert, RSNA, SIIM and COVIDx, whose
readers bring their own labels and splits. With `--real`, a public pack of real films adds ChestX-ray14 at 64 pixels,
COVID-19 against other causes, and paediatric pneumonia, where anything that works is far above chance. Zero-shot
asks each finding with every wording of `run.suite`. Findings are kept that five test patients have and five do not;
a finding without an example in a share of the training patients is named. Each head and each answer is a file, so a
run that was stopped goes on. Intervals are over patients and trainings, differences are paired. Only numbers leave;
films are not shown."""
import argparse, time
from pathlib import Path

import numpy as np
import torch

from medvl.data.splits import fold_of
from medvl.eval.classify import classify, labelled
from medvl.eval.metrics import seed_interval
from medvl.eval.retrieval import embed
from medvl.eval.zeroshot import macro_auroc, zeroshot
from medvl.files import jsonable, provenance, save_json
from medvl.readers.find import read_studies, readers
from medvl.readers.rehearsal import WRITERS
from medvl.run.data import units
from medvl.run.downstream import Steps, Transfer, films_of, tower_of
from medvl.run.folder import found
from medvl.run.score import Scoring, eval_loader, loaded
from medvl.run.stages import patients
from medvl.run.suite import NIH14, SUITE, at_best, flips, prompt_set, wordings

SYSTEMS = {'MMCLIP, 16x': 'MMCLIP_16x', 'CLIP': 'CLIP', 'CLIP, 16x': 'CLIP_16x', 'random weights': 'random:CLIP'}
PAIRS = [('MMCLIP, 16x','CLIP'), ('MMCLIP, 16x','CLIP, 16x'), ('CLIP, 16x','CLIP')]
NAMES = dict(chestxray14='ChestX-ray14', chexpert='CheXpert', rsna='RSNA', siim='SIIM', covidx='COVIDx')
SHARES = .01, .1, 1.
PROBED = 'paediatric pneumonia', 'random weights', 'CLIP, 16x'          # not fine-tuned

def phantoms(a):
    "Name -> studies and findings, by the readers of the five sets."
    n, out = dict(train=a.train, val=a.val, test=a.test), {}
    drawn = [s for o in patients(n, 128, 11, bar=False).values() for s in o]
    made = list({s.patient: s for s in drawn}.values())                 # the last visit of each
    for k,name in NAMES.items():
        t, dir = SUITE[k], a.out/'phantom'/k
        if not dir.exists(): WRITERS[t.layout](made, dir)
        out[f'phantom as {name}'] = readers[t.layout](dir, **t.kw), t.classes
    return out

def real(a):
    "The same of real films."
    every, out = read_studies(a.real), {}
    def of(word): return [s for s in every if s.source.startswith(word) and s.frontals]
    def said(s, k): return s.frontals[0].info.get(k, '')
    nih, covid, kids = of('nih'), of('covid'), of('kermany')
    for s in nih: s.labels = {c: float(s.labels.get(c) == 1) for c in NIH14}
    for s in covid: s.labels = {'COVID-19': float(said(s, 'finding').startswith('COVID'))}
    for s in kids: s.labels = {'Pneumonia': float(not s.labels.get('normal'))}
    few = [s for s in kids if fold_of(s.group, 5) == 0]
    return {'real ChestX-ray14, 64 px': (nih, NIH14), 'real COVID-19': (covid, ('COVID-19',)),
            'paediatric pneumonia': (few, ('Pneumonia',))}

def model_of(a, system, seed):
    "Name of a tower."
    kind, _, name = SYSTEMS[system].rpartition(':')
    return f"{kind}:{a.towers/name}-{seed}".lstrip(':')

def asked(a, system, seed, smp, names):
    "Zero-shot scores of the test films by wording, and what the lineage reports of them."
    m, tok, cfg = loaded(Path(model_of(a, system, seed)))
    how = Scoring(slots='current', n_boot=0, precision='fp32', cache=a.out/'films')
    def films(k): return embed(m, eval_loader(smp[k], tok, cfg, how, names), 'fp32', text=False, progress=False)
    test, val, out = films('test'), films('val'), {}
    for w in wordings():
        z = zeroshot(m, test, tok, prompt_set(w, names), names=names, val=val, cv=False, n_boot=0)
        best, own = at_best(z.scores, z.labels, z.names), z.table['macro']
        out[w] = dict(scores=z.scores.round(5), best_f1=best['f1'], accuracy_there=best['accuracy'],
                      f1=own.get('f1'), accuracy=own.get('accuracy'))
    return out

def one_set(a, name, studies, names, until):
    "All heads and answers of a set; None where the time is over. With `--score` nothing is trained."
    where, got = a.out/name.replace(' ', '_').replace(',', ''), {}
    for how in a.how.split(','):
        for seed in range(a.seeds):
            for system in SYSTEMS:
                random = system == 'random weights'
                if random and how == 'zero' or how == 'full' and {name, system} & {*PROBED}: continue
                if time.time() > until: return None
                model = model_of(a, system, seed); t = Transfer(seeds=1, seed=seed, cache=a.out/'films')
                tower, start = tower_of(model, seed=seed), time.time()
                f = films_of(studies, tower, t); lab = labelled(f.samples, f.rows, list(names))
                step = Steps(where/f"{system.replace(', ', '_').replace(' ', '_')}-{seed}", tower)
                there = [(step.dir/f'{how} {p:g} {seed}.json').exists() for p in SHARES]
                if a.score and how != 'zero' and not all(there):
                    print(f'{name}: {how}, {system}, seed {seed} was not run', flush=True); continue
                if how == 'zero': r = step('zero', lambda: asked(a, system, seed, lab.samples, list(names)))
                else:
                    kw = dict(epochs=a.epochs, lr=5e-4, patience=a.epochs) if how == 'full' else {}
                    res = classify(tower, lab, how, SHARES, [seed], False, step, f.cache, 32, False, **kw)
                    r = {p: dict(scores=step(f'{how} {p} {seed}', dict)['test'], lost=list(o['not_learned']),
                                 films=o['subsets'][0]['films']) for p,o in res.items()}
                if (s := time.time()-start) > 5: print(f'{name}: {how}, {system}, seed {seed}: {s:.0f} s', flush=True)
                got.setdefault(how, {}).setdefault(system, {})[seed] = r
    return got, lab

def common(x):
    "Of each system the trainings that all of them have."
    seeds = sorted(set.intersection(*map(set, x.values())))
    return {k: [o[i] for i in seeds] for k,o in x.items()} if seeds else {}

def summary(got, lab):
    "Intervals of a set: scores, differences, wordings."
    got = {h: x for h,o in got.items() if (x := common(o))}
    y, group = lab.y['test'], [s.group for s in lab.samples['test']]
    def folk(v): return [len({g for g,x in zip(group, c) if x == v}) for c in y.T]
    keep = [j for j,(p,q) in enumerate(zip(folk(1), folk(0))) if min(p, q) >= 5]
    y, out, main = y[:,keep], {}, next(iter(wordings()))
    def scores(rows): return np.array([r['scores'] for r in rows])[...,keep]
    def parts(s): return tuple(np.array(o) for o in zip(*[macro_auroc(o, y, group) for o in s]))
    def table(x): return {k: seed_interval(*parts(s)) for k,s in x.items()}
    def pairs(x):
        p = {k: parts(s) for k,s in x.items()}
        return {f'{a} - {b}': seed_interval(p[a][0]-p[b][0], p[a][1]-p[b][1], None) for a,b in PAIRS if {a, b} <= {*x}}
    zero = {w: {k: scores([r[w] for r in o]) for k,o in got['zero'].items()} for w in wordings()}
    words = {k: {w: float(np.mean([macro_auroc(o, y)[0] for o in x[k]])) for w,x in zero.items()} for k in zero[main]}
    def mean(o, m): v = [r[main][m] for r in o if r[main][m] is not None]; return float(np.mean(v)) if v else None
    out['zero'] = dict(auroc=table(zero[main]), differences=pairs(zero[main]), wordings=words, flips=flips(words),
        lineage={k: {m: mean(o, m) for m in ('best_f1','accuracy_there','f1','accuracy')}
                 for k,o in got['zero'].items()})
    for how in [k for k in ('linear','full') if k in got]:
        for p in next(iter(got[how].values()))[0]:
            x = {k: scores([r[p] for r in o]) for k,o in got[how].items()}
            one = next(iter(got[how].values()))
            lost = [sorted(set(r[p]['lost'])) for r in one]
            out.setdefault(how, {})[p] = dict(auroc=table(x), differences=pairs(x), without_an_example=lost,
                                              films=[r[p]['films'] for r in one], trainings=len(one))
    n = {k: dict(films=len(o), patients=len({s.group for s in o})) for k,o in lab.samples.items()}
    return dict(splits=n, findings=[lab.names[j] for j in keep], **out)

def main():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    p.add_argument('--towers', type=Path, required=True); p.add_argument('--out', type=Path, required=True)
    p.add_argument('--real', type=Path); p.add_argument('--results', type=Path); p.add_argument('--only', default='')
    p.add_argument('--how', default='zero,linear,full'); p.add_argument('--score', action='store_true')
    for k,v in dict(train=260, val=40, test=200, epochs=6, seeds=3).items():
        p.add_argument(f'--{k}', type=int, default=v)
    p.add_argument('--seconds', type=float, default=float('inf'), help='begin nothing new after so many seconds')
    a = p.parse_args(); until = time.time()+a.seconds
    sets = phantoms(a) | (real(a) if a.real else {}); res = {}
    for k,(studies, names) in sets.items():
        if a.only and k not in a.only.split(';'): continue
        if (got := one_set(a, k, studies, names, until)) is None: return
        res[k] = r = summary(*got); print(k, r['splits'], r['findings'], flush=True)
        said = {'zero-shot': r['zero']} | {f'{h} {s}': x for h in ('linear','full') for s,x in r.get(h, {}).items()}
        for h,x in said.items(): print(f'  {h}:', '; '.join(f'{n} {v}' for n,v in x['auroc'].items()), flush=True)
    if not a.results: return
    save_json(a.results/'mmclip_sets.json', jsonable(dict(
        arguments=dict(train=a.train, val=a.val, test=a.test, epochs=a.epochs), seeds=a.seeds, sets=res,
        provenance=provenance())))

if __name__ == '__main__': torch.set_num_threads(1); main()
