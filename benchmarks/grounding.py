"""Does looking again help? GLoRIA, PLAN with K=0 and with K=2 find phrases on films of unseen phantom patients.

    OMP_NUM_THREADS=1 python benchmarks/grounding.py --out runs/grounding                    # goes on where it stopped
    OMP_NUM_THREADS=1 python benchmarks/grounding.py --out runs/grounding --results results  # and writes result files

All methods have the same film tower: a narrow ResNet with 64 cells that has learnt which findings the training
reports name, and on which side (read from their sentences by `data.report.entities`; no box, no mask). Each finding is
a soft maximum over linear maps of the cells, so that the cells learn to know findings. From there on the tower is
frozen and its cells are computed once; text tower and heads are trained from nothing, all methods with the same
batches, steps and learning rate. A seed changes text tower, heads, batches and order; the film tower is one. Texts are
impressions; equal texts are right answers of each other. Scored with `eval.grounding`: masks projected from the
phantom's own anatomy, intervals over patients, of the mean over seeds. GLoRIA is read in two ways: cosine of cells and
words, and attention of the words.

Noise in reports (`--noise`): each sentence is dropped, its sides are swapped, a sentence of another report is put
after it, each with that probability, and GLoRIA and PLAN K=2 are trained again on it (one seed; the film tower's
reports stay clean). Noise in films: Gaussian, on the films that are scored; nothing is trained again, first seed.
Control: every phrase on the film of another patient, first seed."""
import argparse, hashlib, json, math, re, time
from collections import Counter
from copy import copy
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import nn

from medvl.core import Batch, Feat, provenance, save_json
from medvl.data.batch import StudyData, collate
from medvl.data.films import Preset
from medvl.data.noise import noisy_samples, noisy_views
from medvl.data.regions import phrases
from medvl.data.report import entities, sections
from medvl.data.study import samples
from medvl.data.tokens import train_tokenizer
from medvl.eval.grounding import METRICS, Grounding, Protocol, grounding, summarise, versus
from medvl.methods.gloria import GLoRIA
from medvl.methods.plan import PLAN
from medvl.models.local import first_film
from medvl.models.vision import VisionTower
from medvl.phantom.set import phantom_studies

PAGE = Preset('benchmark', 128, 128, 128, .4785, .2834)
TOWER = dict(name='resnet18', size=128, in_chans=1, layers=(1,1,1,1), channels=(24,48,96,192))
BERT = dict(hidden_size=128, num_hidden_layers=2, num_attention_heads=4, intermediate_size=256,
            max_position_embeddings=96, hidden_dropout_prob=0., attention_probs_dropout_prob=0., initializer_range=.05)
SYSTEMS = {'GLoRIA': (GLoRIA, {}), 'PLAN K=0': (PLAN, dict(K=0, hidden=256)),
           'PLAN K=2': (PLAN, dict(K=2, hidden=256))}
SHOWN = ('cnr','miou','pointing')
PROTO = Protocol('phantom', sigma=.75)

def impression(r): return sections(r).get('impression') or r

def named(report):
    "What a report says is there: findings, and findings with a side."
    out = set()
    for e in entities(report):
        if e.polarity != 'present' or e.context: continue
        sides = ('left','right') if e.side == 'bilateral' else (e.side,) if e.side else ()
        out |= {e.name, *(f'{e.name}|{o}' for o in sides)}
    return out

def load(a):
    "Training pairs as one batch, the same with noise, what their reports name, the tokenizer, phrases to look for."
    def make(n, split): return phantom_studies(n, a.data_seed, a.size, split, a.difficulty)
    st = dict(train=make(a.train, 'train'), test=make(a.test, 'test'))
    smp = [s for s in samples(st['train'], text=impression, say=None, need_text=True) if s.slots[0] is not None]
    tok = train_tokenizer([s.text for s in smp], 600)
    def batch(smp):
        d = StudyData(smp, tok, PAGE, max_len=64, slots=('current_frontal',))
        return collate([d[i] for i in range(len(d))], d)[0]
    clean = batch(smp); p = a.noise
    dirty = batch(noisy_samples(smp, drop=p, swap=p, add=p, seed=1)) if a.noise_seeds else None
    said = [named(s.study.report) for s in smp]
    often = [k for k,n in Counter(k for o in said for k in o).most_common() if n >= len(smp)/64]
    Y = torch.tensor([[float(k in o) for k in often] for o in said])
    asked = [p for p in phrases(st['test']) if p.view.kind == 'frontal' and p.label in a.findings]
    return clean, dirty, Y, often, tok, asked

class Stored(nn.Module):
    "Features of the training films in place of the tower; `img` holds their numbers."
    def __init__(self, f): super().__init__(); self.f = f
    def forward(self, img, msk=None): return self.f.map(lambda x: x[img.flatten().long()])

class Remember(nn.Module):
    "A frozen tower that encodes each batch of films once."
    known = {}
    def __init__(self, net): super().__init__(); self.net = net
    def forward(self, img, msk=None):
        x = first_film(img, msk); key = hashlib.blake2b(x.numpy().tobytes(), digest_size=12).digest()
        if key not in self.known:
            with torch.no_grad(): self.known[key] = self.net.eval()(x)
        return self.known[key]

def found(z, sharp=4.):
    "Soft maximum over cells."
    return ((z*sharp).logsumexp(1)-math.log(z.shape[1]))/sharp

def start(a, data, Y, log):
    "The common film tower: it has learnt to name findings from cells, and from the whole."
    f, bs = a.out/'start.safetensors', a.bs
    torch.manual_seed(0)
    net = VisionTower(**TOWER).to(memory_format=torch.channels_last)
    cell, whole = nn.Linear(net.width_loc, Y.shape[1]), nn.Linear(net.width, Y.shape[1])
    if f.exists(): net.load_state_dict(load_file(f)); return net.eval()
    rare = torch.logit(Y.mean(0)); cell.bias.data, whole.bias.data = rare-1, rare.clone()
    every = [*net.parameters(), *cell.parameters(), *whole.parameters()]
    opt = torch.optim.AdamW(every, lr=a.start_lr, weight_decay=.02)
    rate = torch.optim.lr_scheduler.OneCycleLR(opt, a.start_lr, total_steps=a.warm, pct_start=.15)
    g, begin, total = torch.Generator().manual_seed(0), time.process_time(), 0.
    order = torch.empty(0, dtype=torch.long)
    for i in range(a.warm):
        if len(order) < bs: order = torch.randperm(data.bs, generator=g)
        ids, order = order[:bs], order[bs:]
        dy, dx = torch.randint(0, 13, (2,), generator=g).tolist()
        x = F.pad(data.img[ids][:,0], (6,6,6,6), mode='replicate')[:,:,dy:dy+128,dx:dx+128]
        o = net.train()(x.contiguous(memory_format=torch.channels_last))
        loss = sum(F.binary_cross_entropy_with_logits(z, Y[ids]) for z in (found(cell(o.loc)), whole(o.glob)))
        opt.zero_grad(); loss.backward(); opt.step(); rate.step(); total += loss.item()
        if (i+1) % 50 == 0:
            log(f"  film tower, step {i+1}/{a.warm}: loss {total/50:.3f}, {time.process_time()-begin:.0f} s of CPU")
            total = 0.
    save_file({k: v.contiguous() for k,v in net.state_dict().items()}, f)
    return net.eval()

def fit(m, data, steps, bs, lr, seed, log):
    "Train on stored cells; CPU seconds go to the log."
    g, n = torch.Generator().manual_seed(seed), data.bs
    opt = torch.optim.AdamW([p for p in m.parameters() if p.requires_grad], lr=lr, weight_decay=.02)
    rate = torch.optim.lr_scheduler.OneCycleLR(opt, lr, total_steps=steps, pct_start=.2)
    begin, total, order = time.process_time(), 0., torch.empty(0, dtype=torch.long)
    for i in range(steps):
        if len(order) < bs: order = torch.randperm(n, generator=g)
        ids, order = order[:bs], order[bs:]
        b = Batch({k: data[k][ids] for k in ('txt','word','txt_msk','txt_id')})
        keep = int(b.txt_msk.sum(1).max())
        for k in ('txt','word','txt_msk'): b[k] = b[k][:,:keep]
        b['img'] = ids.view(-1,1,1,1,1)
        out = m.train()(b); loss = m.loss(out)
        opt.zero_grad(); loss.backward(); torch.nn.utils.clip_grad_norm_(m.parameters(), 1.)
        opt.step(); rate.step()
        total += loss.item()
        if (i+1) % 50 == 0 or i+1 == steps:
            log(f"  step {i+1}/{steps}: loss {total/(i%50+1):.3f}, {time.process_time()-begin:.0f} s of CPU")
            total = 0.
    return m.eval()

def trained(a, name, seed, data, tok, tower, films, key, log):
    "A system of a seed, from its file or trained now."
    cls, kw = SYSTEMS[name]; f = a.out/f"{key}.safetensors"
    torch.manual_seed(seed)
    m = cls(vision=TOWER, text=dict(BERT, vocab_size=len(tok)), size=128, up=None, dim=128, layers=2, positives=True,
            preset='alta-small', **kw)
    m.vision.net.load_state_dict(tower.state_dict())
    if f.exists(): m.load_state_dict(load_file(f))
    else:
        log(key); own, m.vision = m.vision, Stored(films)
        fit(m, data, a.steps, a.bs, a.lr, 100+seed, log)
        m.vision = own; save_file(m.state_dict(), f)
    m.vision = Remember(m.vision.net)
    return m.eval()

def encoded(tower, img):
    "Features of all training films."
    with torch.no_grad(): parts = [tower(x[:,0].contiguous(memory_format=torch.channels_last)) for x in img.split(32)]
    return Feat(torch.cat([o.glob for o in parts]), torch.cat([o.loc for o in parts]), grid=parts[0].grid)

def noised(records, sigma):
    "Phrases on films with grain."
    out = []
    for r,v in zip(records, noisy_views([r.view for r in records], sigma)): r = copy(r); r.view = v; out.append(r)
    return out

def pooled(runs):
    "Several seeds as one result: the mean of each phrase's measures, look by look."
    def mean(seeds): return dict(seeds[0], **{k: float(np.mean([s[k] for s in seeds])) for k in (*METRICS,'area')})
    rows = [[mean(seeds) for seeds in zip(*looks)] for looks in zip(*(r.rows for r in runs))]
    return Grounding(runs[0].info, [summarise(r, 1000, 0, (*METRICS,'area')) for r in rows], rows)

def row(name, g, look=-1, by='macro'):
    t = g.looks[look][by]
    return f"  {name:34s}" + ''.join(f"{str(t[k]):26s}" for k in SHOWN)

def score(a, systems, records, tok, **kw):
    "Each system, pooled over its seeds; GLoRIA in both read-outs."
    out = {}
    for name,models in systems.items():
        for read in ('cosine','attention') if name == 'GLoRIA' else ('',):
            for m in models: m.read = read
            runs = [grounding(m, tok, records, PAGE, PROTO, side=128, n_boot=0, progress=False, **kw) for m in models]
            out[f'{name} {read}'.strip()] = pooled(runs)
    return out

def show(title, res, log):
    log(f"{title}\n  {'macro mean of the findings':34s}{'CNR, signed':26s}{'mIoU':26s}{'pointing':26s}")
    for k,g in res.items():
        log(row(k, g))
        for j in range(len(g.looks)-1): log(row(f'  read at look {j}', g, j))

def against(res):
    "Differences in pairs, by patient: 'a minus b' -> measure -> interval. GLoRIA in the read-out with the higher CNR."
    best = max((k for k in res if k.startswith('GLoRIA')), key=lambda k: res[k].table['macro']['cnr'].value)
    pairs = ('PLAN K=2','PLAN K=0'), ('PLAN K=2',best), ('PLAN K=0',best)
    return {f'{x} minus {y}': {k: versus(res[x], res[y], k) for k in SHOWN} for x,y in pairs if x in res and y in res}

def compare(res, log):
    for k,gap in against(res).items(): log(f"  {k:44s}" + ''.join(f"{m} {v!s:26s}" for m,v in gap.items()))

def write(a, res, extra, seeds):
    "One result file a system."
    iv, gaps = (lambda i: dict(value=i.value, low=i.low, high=i.high)), against(res)
    for k,g in res.items():
        name = 'gloria' if k.startswith('GLoRIA') else 'plan'
        task = 'grounding, ' + (k.split()[1] if ' ' in k else '')
        f = a.results/f"{name}_grounding_{re.sub('[^a-z0-9]+', '', k.lower())}.json"
        def nums(t): return {m: iv(t[m]) for m in SHOWN}
        data = f"phantom, {a.difficulty}, {a.train} patients to train, {a.test} to test"
        save_json(f, dict(method=name, task=task, data=data, n_seeds=seeds, metrics=nums(g.table['macro']),
            looks=[nums(l['macro']) for l in g.looks], area=g.table['macro']['area'].value,
            findings={c: nums(g.table[c]) | dict(n=n) for c,n in g.table['n'].items()},
            against={o: {m: iv(v) for m,v in gap.items()} for o,gap in gaps.items() if o.startswith(k)},
            **{t: nums(r[k].table['macro']) for t,r in extra.items() if k in r},
            args={n: v for n,v in vars(a).items() if n not in ('out','results')}, provenance=provenance()))

def main():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    p.add_argument('--out', type=Path, required=True); p.add_argument('--results', type=Path)
    for k,v in dict(train=1200, test=200, data_seed=0, size=256, warm=600, steps=250, bs=32, seeds=3,
                    noise_seeds=1).items():
        p.add_argument(f"--{k.replace('_','-')}", type=int, default=v)
    for k,v in dict(start_lr=3e-3, lr=1e-3, noise=.3, film_noise=.1).items():
        p.add_argument(f"--{k.replace('_','-')}", type=float, default=v)
    p.add_argument('--difficulty', default='standard')
    p.add_argument('--findings', nargs='+', default=['Atelectasis','Cardiomegaly','Consolidation','Edema',
                                                     'Lung Lesion','Pleural Effusion','Pneumothorax'])
    a = p.parse_args(); torch.set_num_threads(1); a.out.mkdir(parents=True, exist_ok=True)
    def log(s):
        print(s, flush=True)
        with open(a.out/'log.txt', 'a') as f: f.write(s+'\n')
    clean, dirty, Y, names, tok, records = load(a)
    n = len({id(r.view) for r in records})
    log(f"{clean.bs} training pairs; {len(names)} things named; {len(records)} phrases on {n} films of test patients")
    tower = start(a, clean, Y, log); films = encoded(tower, clean.img)
    def train(k, s, data, more=''):
        return trained(a, k, s, data, tok, tower, films, f"{k.replace(' ','-')}-{s}{more}", log)
    systems = {k: [train(k, s, clean) for s in range(a.seeds)] for k in SYSTEMS}
    res = score(a, systems, records, tok)
    show(f"{a.seeds} seeds, clean", res, log); compare(res, log)
    for c in res['PLAN K=2'].table['n']:
        log(f"{c} ({res['PLAN K=2'].table['n'][c]})")
        for k,g in res.items(): log(row(k, g, by=c))
    if a.results: write(a, res, {}, a.seeds)
    first = {k: v[:1] for k,v in systems.items()}
    extra = {'film_noise': score(a, first, noised(records, a.film_noise), tok)}
    show(f"films with grain of {a.film_noise}, first seed", extra['film_noise'], log)
    extra['control'] = score(a, first, records, tok, control=True)
    show("control: the film of another patient, first seed", extra['control'], log)
    if a.results: write(a, res, extra, a.seeds)
    if a.noise_seeds:
        rough = {k: [train(k, i, dirty, '-noise') for i in range(a.noise_seeds)] for k in ('GLoRIA', 'PLAN K=2')}
        extra['report_noise'] = score(a, rough, records, tok)
        show(f"trained on reports with noise {a.noise}, {a.noise_seeds} seeds", extra['report_noise'], log)
        compare(extra['report_noise'], log)
        if a.results: write(a, res, extra, a.seeds)

if __name__ == '__main__': main()
