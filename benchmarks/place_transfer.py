"""PLACE against its own parts, CLIP, image-only and supervised training: five tasks on the same phantom patients.

    OMP_NUM_THREADS=1 python benchmarks/place_transfer.py runs/place --results results/place_transfer.json

Each of `systems` is trained with each seed, from scratch or, with `--start phantom-mrm`, from the towers of a shipped
model; and one tower with the labels of the same films in as many passes. They, the start, and towers of random weights
are frozen and encode each film once. Cells are standardised over the training films. Heads of one size learn each task
on the training patients, in one cycle of the learning rate, and are scored on patients that none has seen. Each
training and each scored task is a file, so a run that was stopped goes on; `--seconds` stops it, `--only` and
`--tasks` do a part. Intervals are over patients and seeds, differences paired by film and seed."""
import argparse, time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from scipy.stats import rankdata

from medvl.core import CHEXPERT, SLOTS, seed_everything
from medvl.data.batch import sample_loader
from medvl.data.cache import ImageCache
from medvl.data.regions import rle_encode
from medvl.data.tokens import load_tokenizer, train_tokenizer
from medvl.eval.boxes import find_all, map_of, matches, mean_ap, padded, square_boxes
from medvl.eval.classify import fine_tune, linear_probe
from medvl.eval.generate import fit_reports, nearest_reports
from medvl.eval.metrics import OneClass, seed_interval, units_of
from medvl.eval.precision import by_finding, labels_of
from medvl.eval.retrieval import embed
from medvl.eval.segment import CellMaps, cell_scale, dice, draw_masks, focal_dice, square_masks, start_rare
from medvl.eval.transfer import Tower, features, label_table, random_tower, subset
from medvl.eval.wording import METRICS, report_counts
from medvl.files import jsonable, provenance, save_json
from medvl.models.checkpoint import from_pretrained
from medvl.models.decoder import ReportDecoder
from medvl.models.dense import SETRPUP, BoxFinder
from medvl.run.data import units
from medvl.run.folder import found, shipped
from medvl.run.run import Run
from medvl.run.stages import ALIGNED, FILMS, REPORTS, SAME, chances, hits_of, patients, unseen
from medvl.train.fitting import Pairs, fit_head

SEED = 7  # of the patients; phantom-mrm has seen those of another
def systems(start=None):
    "What is compared; name -> Run."
    towers = dict({} if start else dict(vision=FILMS), text=REPORTS, preset='alta-pocket', positives=True)
    parts = dict(towers, width=128, heads=4, hidden=256)
    mae = dict(vision=FILMS, text=REPORTS, decoder=dict(width=128, depth=1, heads=4), zoom=1, mask=.75, film_norm=True,
               weights=dict(img=1., txt=0.), preset='mrm-pocket')
    def part(**w): return dict(parts, weights=dict(glob=0., pcma=0., alike=0., cce=0.) | w)
    def aligned(method, model): return Run(method, report=bool(start), model=model, **ALIGNED)
    return {'PLACE': aligned('place', parts), 'instance loss alone': aligned('place', part(glob=1.)),
            'PCMA alone': aligned('place', part(pcma=1., alike=.05)),
            'correlations alone': aligned('place', part(cce=1.)),
            'CLIP': aligned('clip', dict(towers, film_norm=True)),
            'MAE': Run('mrm', per='film', slots='current', **SAME, model=mae)}
NAMES = [*systems(), 'supervised', 'random weights', 'the start']
MARKED = ('Pleural Effusion','Consolidation','Cardiomegaly','Edema','Pneumothorax')  # masks and boxes
SHARES = (.01, .1, 1.)
HEADS = dict(segmentation=dict(epochs=8, lr=5e-3, bs=32, cycle=True),
             detection=dict(epochs=8, lr=5e-3, bs=32, cycle=True),
             reports=dict(epochs=8, lr=2e-3, bs=32, max_len=60, cycle=True))
BEFORE = dict(epochs=6, lr=2e-3, bs=32, patience=6)  # cells as they are, a bias of zero, a constant rate
SPLITS = ('train','val','test')

class Bench:
    "Films, labels, masks and boxes of the patients, which all towers share."
    def __init__(self, a):
        self.a, self.data = a, patients(dict(train=a.patients, val=60, test=a.test), a.film, SEED, masks=SPLITS)
        if a.start: unseen(a.start, SEED)
        self.systems = systems(a.start); self.names = [n for n in NAMES if a.start or n != 'the start']
        self.smp = {k: units(self.data[k], text='impression', need_text=True) for k in SPLITS}
        self.views = {k: [s.slots[0] for s in o] for k,o in self.smp.items()}
        self.group = {k: [s.group for s in o] for k,o in self.smp.items()}
        y = {k: (label_table(o, CHEXPERT) == 1).astype(float) for k,o in self.smp.items()}
        both = {k: np.minimum(o.sum(0), (1-o).sum(0)) for k,o in y.items()}
        keep = [j for j in range(len(CHEXPERT)) if min(both['train'][j], both['test'][j]) >= 10]
        self.findings, self.y = [CHEXPERT[j] for j in keep], {k: o[:,keep] for k,o in y.items()}
        self.classes, self.dense = {k: [k] for k in MARKED}, {}

    def tower(self, name, seed):
        "A trained tower, frozen."
        if name in self.systems: return Tower(from_pretrained(self.dir(name, seed)/'model'), name=name)
        if self.a.start: t = Tower(from_pretrained(shipped()[self.a.start]).vision, 'alta-pocket', name)
        else: t = self.tower('PLACE', seed)
        if name == 'random weights' or not self.a.start: t = random_tower(t, seed)
        if name == 'supervised': t.net.load_state_dict(load_file(self.dir(name, seed)/'tower.safetensors'))
        return t

    def start(self, name):
        "What a training starts from; MRM's method takes a file as MAE has it."
        if not self.a.start: return None
        if self.systems[name].aligns(): return str(shipped()[self.a.start])
        at = self.a.out/'start.safetensors'
        if not at.exists():
            net = from_pretrained(shipped()[self.a.start]).vision.net
            save_file({k: v.contiguous() for k,v in net.state_dict().items()}, at)
        return at

    def dir(self, name, seed): return self.a.out/f"{name.replace(' ', '-')}.{seed}"
    def film_cache(self, tower): return ImageCache(self.a.out/'films', tower.preset.decode)

    def marks(self, preset):
        "Masks and boxes on the square that a preset shows."
        if preset not in self.dense:
            self.dense[preset] = {k: (square_masks(v, self.classes, preset)[...,::2,::2],    # half the film's size
                                      square_boxes(v, self.classes, preset)[0]) for k,v in self.views.items()}
        return self.dense[preset]

    def shown(self, preset, n=4):
        "Rows of the first test films of different patients that have two of the masks."
        several = (self.marks(preset)['test'][0].flatten(2).any(2).sum(1) > 1).nonzero()[:,0].tolist()
        return list({self.group['test'][i]: i for i in reversed(several)}.values())[::-1][:n]

    def encode(self, tower, name, seed, scaled=True):
        "Vectors and standardised cells of all films, each encoded once."
        cache = self.film_cache(tower)
        got = {k: features(tower, v, True, self.a.out/'maps'/f'{name}.{seed}', cache=cache, progress=False)
               for k,v in self.views.items()}
        scale = cell_scale(got['train'].loc) if scaled else None
        return {k: (f.glob, CellMaps(f.loc, scale)[range(len(f))]) for k,f in got.items()}

def supervised(b, seed):
    "A tower trained with the labels."
    at = b.dir('supervised', seed)/'tower.safetensors'
    if at.exists(): return
    start = b.tower('the start' if b.a.start else 'random weights', seed)
    _, log, m = fine_tune(start, b.smp, b.y, 'full', epochs=b.a.epochs, lr=1e-2, bs=32, patience=b.a.epochs,
                            seed=seed, cache=b.film_cache(start))
    at.parent.mkdir(parents=True, exist_ok=True)
    save_json(at.parent/'log.json', log); save_file(m.tower.net.state_dict(), at)
    print(f"supervised, seed {seed}: losses {np.round(log['losses'], 3).tolist()}", flush=True)

def classification(b, tower, x, seed):
    "Scores of the test films by linear probes on shares of the training patients."
    out = {}
    for p in SHARES:
        rows = subset(b.y['train'], b.findings, b.group['train'], p, seed).rows
        (s,), _ = linear_probe(x['train'][0][rows], b.y['train'][rows], (x['val'][0], b.y['val']), x['test'][0],
                               cs=(.001, .01, .1))
        out[f'{p:g}'] = s.round(6)
    return out

def retrieval(b, tower, x, seed):
    "What each film finds among the reports, and each report among the films; None for a tower without texts."
    if tower.name not in b.systems or not b.systems[tower.name].aligns(): return None
    tok, smp = load_tokenizer(b.dir(tower.name, seed)/'model'), b.smp['test']
    dl = sample_loader(smp, tok, tower.preset, 64, b.film_cache(tower), max_len=128, slots=SLOTS[:1])
    return {k: h for k,h in hits_of(embed(tower.net, dl, progress=False), labels_of(smp)).items() if '_T@' not in k}

def maps(x): return {k: o[1] for k,o in x.items()}

def segmentation(b, tower, x, seed):
    "Dice of each test film and finding, by SETR-PUP at half the film's size."
    x, y = maps(x), {k: o[0] for k,o in b.marks(tower.preset).items()}
    head = start_rare(SETRPUP(tower.width_loc, tower.encoder.patch//2, len(MARKED), (32,16,8)), y['train'])
    log = fit_head(head, focal_dice, Pairs(x['train'], y['train']), Pairs(x['val'], y['val']), seed=seed,
                   **HEADS['segmentation'])
    drawn = draw_masks(head, x['test'])
    return dict(dice=np.stack([dice(drawn[:,j], y['test'][:,j]) for j in range(len(MARKED))], 1).round(6), log=log,
                shown=[[rle_encode(m) for m in drawn[i].numpy()] for i in b.shown(tower.preset)])

def detection(b, tower, x, seed):
    "Boxes of the test films, by FCOS."
    x, y = maps(x), {k: o[1] for k,o in b.marks(tower.preset).items()}
    head = BoxFinder(tower.width_loc, tower.preset.size, tower.encoder.patch, len(MARKED), 32, 1)
    pairs = {k: Pairs(x[k], *padded(y[k])) for k in ('train','val')}
    log = fit_head(head, head.loss, pairs['train'], pairs['val'], seed=seed, **HEADS['detection'])
    return dict(found=[{k: v.numpy().round(4) for k,v in o.items()} for o in find_all(head, x['test'])], log=log)

def reports(b, tower, x, seed):
    "Impressions of the test films: written by a decoder, and those of the nearest training films."
    text = {k: [s.text for s in o] for k,o in b.smp.items()}
    tok = train_tokenizer(text['train'], 600)
    def make(d, vocab, **kw): return ReportDecoder(d, vocab, d=96, layers=1, heads=4, ff=192, encoder=1, **kw)
    def tokens(k): return lambda rows: x[k][1][list(rows)].flatten(2).mT
    gen = fit_reports(tokens('train'), text['train'], tokens('val'), text['val'], tok, make, seed=seed,
                      **HEADS['reports'])
    return dict(written=gen.write(tokens('test'), len(text['test']), 64, beam=1), log=gen.log, n_cut=gen.n_cut,
                nearest=nearest_reports(x['test'][0], x['train'][0], text['train']))

TASKS = dict(classification=classification, retrieval=retrieval, segmentation=segmentation, detection=detection,
             reports=reports)

def run(b, until):
    "Train and score what isn't there yet, until the time is over; whether all is done."
    a = b.a; studies = [s for o in b.data.values() for s in o]
    tok = load_tokenizer(shipped()[a.start]) if a.start else train_tokenizer([s.text for s in b.smp['train']], 600)
    for seed in a.seeds:
        for name in b.names if a.only is None else a.only:
            if time.time() > until: return False
            if name in b.systems:
                seed_everything(seed)
                r = replace(b.systems[name], init=b.start(name), data=studies, seed=seed, epochs=a.epochs, lr=a.lr,
                            cache=a.out/'films')
                if not (b.dir(name, seed)/'stage.json').exists(): r.train(b.dir(name, seed), tok)
            if name == 'supervised': supervised(b, seed)
            files = {k: a.out/'scored'/f'{name}.{seed}.{k}.json' for k in a.tasks}
            if all(f.exists() for f in files.values()): continue
            tower = b.tower(name, seed); tower.name = name; x = b.encode(tower, name, seed)
            for k,f in files.items():
                if f.exists(): continue
                if time.time() > until: return False
                start, cpu = time.time(), time.process_time()
                torch.manual_seed(seed); f.parent.mkdir(exist_ok=True)
                save_json(f, jsonable(TASKS[k](b, tower, x, seed)))
                print(f'{name}, seed {seed}, {k}: {time.time()-start:.0f} s, '
                      f'processor {time.process_time()-cpu:.0f} s', flush=True)
    return True

def macro(s, y):
    "Mean AUROC of the findings, by rank sums."
    pos = y == 1; p, q = pos.sum(0), (~pos).sum(0)
    return float((((rankdata(s, axis=0)*pos).sum(0)-p*(p+1)/2)/(p*q)).mean())

def marked_alone(d, has):
    "Mean over findings of the mean Dice of the films that have the mask."
    return float(((d*has).sum(0)/has.sum(0)).mean())

def tensors(o):
    n = len(o['scores'])
    return dict(boxes=torch.tensor(o['boxes']).float().reshape(n, 4), scores=torch.tensor(o['scores']).float(),
                labels=torch.tensor(o['labels']).long())

def scorers(b, saved, preset):
    "Score -> function of the rows of test films, of one tower; and mAP as MGCA's code counts."
    y, (masks, boxes), out = b.y['test'], b.marks(preset)['test'], {}
    for p in SHARES:
        x = np.array(saved['classification'][f'{p:g}'])
        out[f'AUROC at {p:.0%}'] = lambda i, x=x: macro(x[i], y[i])
    for k,h in (saved['retrieval'] or {}).items():
        h = np.array(h, float)
        out[k] = (lambda i, h=h: by_finding(h[i])) if 'P@' in k else (lambda i, h=h: float(h[i].mean()))
    d, has = np.array(saved['segmentation']['dice']), masks.flatten(2).any(2).numpy()
    out['Dice'] = lambda i: float(d[i].mean())
    out['Dice, positives'] = lambda i: marked_alone(d[i], has[i])
    got = [tensors(o) for o in saved['detection']['found']]
    out['mAP'] = map_of(matches(got, boxes), len(boxes))
    true = [s.text for s in b.smp['test']]
    for who in ('written','nearest'):
        c = report_counts(saved['reports'][who], true)
        for m in ('BLEU-4','CIDEr-D','micro F1','macro F1'):
            k, f = METRICS[m]; of = [c[k], c['true']] if k == 'findings' else [c[k]]
            out[m if who == 'written' else f'{m}, nearest film'] = lambda i, f=f, of=of: float(f(*[o[i] for o in of]))
    try: mgca = mean_ap(got, boxes, rule='mgca', interval=False).map.value
    except OneClass: mgca = None                                    # no box is sure enough on a film with truth
    return out, mgca

def numbers(b, name, seed):
    "Each score of a tower, and the same without each patient; kept in a file."
    at, (inv, c) = b.a.out/'scored'/f'{name}.{seed}.numbers.json', units_of(len(b.smp['test']), b.group['test'])
    if not at.exists():
        saved = {k: found(b.a.out/'scored'/f'{name}.{seed}.{k}.json') for k in TASKS}
        own, mgca = scorers(b, saved, b.tower(name, seed).preset)
        without = [np.flatnonzero(inv != i) for i in range(c)]
        own = {k: (f(np.arange(len(inv))), [f(i) for i in without]) for k,f in own.items()}
        save_json(at, jsonable(dict(scores=own, mgca=mgca)))
    return found(at)

def scored(b):
    "Each system's scores with intervals, and the differences to CLIP and PLACE."
    a, num, mgca = b.a, {}, {}                                      # system -> score -> seed: value, without each
    for name in b.names:
        for seed in a.seeds:
            own = numbers(b, name, seed); mgca.setdefault(name, []).append(own['mgca'])
            for k,o in own['scores'].items(): num.setdefault(name, {}).setdefault(k, []).append(o)
        print(name, {k: round(float(np.mean([v for v,_ in o])), 3) for k,o in num[name].items()}, flush=True)
    def pair(name, k): return map(np.array, zip(*num[name][k]))
    res = {}
    for name,o in num.items():
        res[name] = {'mAP as MGCA counts': mgca[name]}
        for k in o:
            v, jack = pair(name, k)
            x = vars(seed_interval(v, jack, (0, 10 if 'CIDEr' in k else 1))) | dict(seeds=v.tolist())
            for other in ('CLIP','PLACE'):
                if other == name or k not in num[other]: continue
                w, without_w = pair(other, k); x[f'over {other}'] = vars(seed_interval(v-w, jack-without_w, None))
            res[name][k] = x
            if 'nearest' in k:                                      # what a generator has to beat
                w, without_w = pair(name, k.partition(',')[0])
                x['written over it'] = vars(seed_interval(w-v, without_w-jack, None))
    return res

def head_seeds(b, names=('random weights',), seed=0):
    "Dice of films with the mask by two heads on one tower: as they are trained here, and as they were before."
    out = {}
    for name in names:
        tower = b.tower(name, seed); cells = b.encode(tower, name, seed, scaled=False), b.encode(tower, name, seed)
        y = {k: o[0] for k,o in b.marks(tower.preset).items()}; has = y['test'].flatten(2).any(2).numpy()
        for how,x in zip(('before','now'), map(maps, cells)):
            def one(s):
                torch.manual_seed(s); head = SETRPUP(tower.width_loc, tower.encoder.patch//2, len(MARKED), (32,16,8))
                if how == 'now': start_rare(head, y['train'])
                fit_head(head, focal_dice, *(Pairs(x[k], y[k]) for k in ('train','val')), seed=s,
                         **(HEADS['segmentation'] if how == 'now' else BEFORE))
                d = draw_masks(head, x['test'])
                return marked_alone(np.stack([dice(d[:,j], y['test'][:,j]) for j in range(len(MARKED))], 1), has)
            at = b.a.out/'scored'/f'{name}.{seed}.heads.{how}.json'
            if not at.exists(): save_json(at, [one(0), one(1)])
            out.setdefault(name, {})[how] = found(at)
    return out

def pictures(b, names=('PLACE','CLIP','random weights'), seed=0, least=.3):
    "What heads drew and found on a few test films, and the truth, on squares of half the film's size and whole."
    preset = b.tower(names[0], seed).preset; rows = b.shown(preset); masks, boxes = b.marks(preset)['test']
    def found_on(name, i):
        o = found(b.a.out/'scored'/f'{name}.{seed}.detection.json')['found'][i]
        return [[MARKED[c], s, *x] for c,s,x in zip(o['labels'], o['scores'], o['boxes']) if s >= least]
    drawn = {n: found(b.a.out/'scored'/f'{n}.{seed}.segmentation.json')['shown'] for n in names}
    return dict(seed=seed, least=least, films=[dict(
        id=b.views['test'][i].id, true=dict(masks=[rle_encode(m) for m in masks[i].numpy()],
            boxes=[[MARKED[c], 1., *x] for c,x in zip(boxes[i]['labels'].tolist(), boxes[i]['boxes'].tolist())]),
        systems={n: dict(masks=drawn[n][k], boxes=found_on(n, i)) for n in names}) for k,i in enumerate(rows)])

def by_seed(b):
    "Dice of films with the mask and mAP of each system and seed, with intervals over patients."
    out, dices, (inv, c) = {}, {}, units_of(len(b.smp['test']), b.group['test'])
    for name in b.names:
        masks, boxes = b.marks(b.tower(name, b.a.seeds[0]).preset)['test']; has = masks.flatten(2).any(2).numpy()
        for seed in b.a.seeds:
            d, o = (found(b.a.out/'scored'/f'{name}.{seed}.{k}.json') for k in ('segmentation','detection'))
            d = np.array(d['dice']); ap = map_of(matches([tensors(x) for x in o['found']], boxes), len(boxes))
            v = marked_alone(d, has), np.array([marked_alone(d[inv != i], has[inv != i]) for i in range(c)])
            dices[name, seed] = v; at = out.setdefault(name, {'Dice, positives': [], 'mAP': []})
            at['Dice, positives'].append(vars(seed_interval([v[0]], [v[1]])))
            at['mAP'].append(float(ap(np.arange(len(boxes)))))
    for (name, seed), (v, jack) in dices.items():
        w, other = dices['CLIP', seed]
        if name != 'CLIP':
            out[name].setdefault('Dice over CLIP', []).append(vars(seed_interval([v-w], [jack-other], None)))
    return out

def chance(b):
    "What a random order would retrieve."
    t, smp = b.tower('CLIP', b.a.seeds[0]), b.smp['test']
    tok = load_tokenizer(b.dir('CLIP', b.a.seeds[0])/'model')
    dl = sample_loader(smp, tok, t.preset, 64, b.film_cache(t), max_len=128, slots=SLOTS[:1])
    return chances(embed(t.net, dl, progress=False), labels_of(smp))

def said_of(a):
    return {k: getattr(a, k) for k in ('patients','test','epochs','film','lr','start')} | dict(seeds=len(a.seeds))

def main():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0]); p.add_argument('out', type=Path)
    for k,n in (('patients', 400), ('test', 300), ('epochs', 8), ('film', 128)):
        p.add_argument(f'--{k}', type=int, default=n)
    p.add_argument('--seeds', type=int, nargs='+', default=[0,1,2]); p.add_argument('--only', nargs='+', choices=NAMES)
    p.add_argument('--tasks', nargs='*', choices=TASKS, default=list(TASKS), help='none: only train')
    p.add_argument('--lr', type=float, default=1e-3); p.add_argument('--start', help='a shipped model; none: scratch')
    p.add_argument('--seconds', type=float, default=float('inf'), help='begin nothing new after so many seconds')
    p.add_argument('--results', type=Path); p.add_argument('--heads', type=Path, help='gets masks and boxes by seed')
    a = p.parse_args(); until = time.time()+a.seconds; b = Bench(a)
    if not run(b, until): return
    if a.heads: save_json(a.heads, jsonable(dict(
        data='phantom, lifelike-easy', arguments=said_of(a), provenance=provenance(), heads=HEADS, before=BEFORE,
        head_seeds=head_seeds(b), systems=by_seed(b), pictures=pictures(b))))
    if not a.results: return
    films = {k: len(o) for k,o in b.smp.items()}
    save_json(a.results, jsonable(dict(
        data='phantom, lifelike-easy', arguments=said_of(a), provenance=provenance(), films=films, findings=b.findings,
        marked=MARKED, heads=HEADS, chance=chance(b), systems=scored(b))))

if __name__ == '__main__': torch.set_num_threads(1); main()
