"""Does looking again help? GLoRIA, PLAN with K=0 and with K=2 find phrases on films of unseen phantom patients.

    OMP_NUM_THREADS=1 python benchmarks/grounding.py --out runs/grounding                    # goes on where it stopped
    OMP_NUM_THREADS=1 python benchmarks/grounding.py --out runs/grounding --results results  # and writes result files

All methods have the same towers (a narrow ResNet with 64 cells, a BERT of two layers), trained together as a CLIP on
the same pairs before. From there on the vision tower is frozen, and its cells are computed once; text tower and heads
are trained, all methods with the same batches, steps and learning rate. A seed changes heads, batches and order; the
common start is one. Texts are impressions; equal texts are right answers of each other. Scored with `eval.grounding`:
masks projected from the phantom's own anatomy, intervals over patients, of the mean over seeds. GLoRIA is read in two
ways: cosine of cells and words, and attention of the words.

Noise in reports (`--noise`): each sentence is dropped, its sides are swapped, a sentence of another report is put
after it, each with that probability, and the methods are trained again on it. Noise in films: Gaussian, on the films
that are scored; nothing is trained again."""
import argparse, copy, json, re, time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

from medvl.core import Batch, Feat, provenance, save_json
from medvl.data.batch import StudyData, collate
from medvl.data.films import Preset
from medvl.data.regions import phrases
from medvl.data.report import sections
from medvl.data.study import samples
from medvl.data.text import sentences
from medvl.data.tokens import train_tokenizer
from medvl.eval.grounding import METRICS, Grounding, Protocol, grounding, summarise, versus
from medvl.methods.clip import CLIP
from medvl.methods.gloria import GLoRIA
from medvl.methods.plan import PLAN
from medvl.phantom.set import phantom_studies

PAGE = Preset('benchmark', 128, 128, 128, .4785, .2834)
TOWER = dict(name='resnet18', size=128, in_chans=1, layers=(1,1,1,1), channels=(24,48,96,192))
BERT = dict(hidden_size=128, num_hidden_layers=2, num_attention_heads=4, intermediate_size=256,
            max_position_embeddings=96, hidden_dropout_prob=0., attention_probs_dropout_prob=0., initializer_range=.05)
SYSTEMS = {'GLoRIA': (GLoRIA, {}), 'PLAN K=0': (PLAN, dict(K=0, hidden=256)),
           'PLAN K=2': (PLAN, dict(K=2, hidden=256))}
SHOWN = ('cnr','miou','pointing')
PROTO = Protocol('phantom', sigma=.75)
SWAP = {'left': 'right', 'right': 'left', 'Left': 'Right', 'Right': 'Left'}

def impression(r): return sections(r).get('impression') or r

def noisy(texts, p, seed):
    "Reports with sentences dropped, sides swapped, and sentences of other reports added, each with probability `p`."
    rng, parts, out = np.random.default_rng(seed), [sentences(t) for t in texts], []
    for own in parts:
        new = []
        for s in own:
            if rng.random() < p: s = re.sub(r'\b(left|right|Left|Right)\b', lambda m: SWAP[m[0]], s)
            if rng.random() >= p: new.append(s)
            if rng.random() < p: new.append((o := parts[rng.integers(len(parts))])[rng.integers(len(o))])
        out.append(' '.join(new or own[:1]))
    return out

def load(a):
    "Training pairs as one batch, the tokenizer, phrases of the test patients."
    st = {k: phantom_studies(n, a.data_seed, 128, k, 'easy') for k,n in (('train', a.train), ('test', a.test))}
    smp = samples(st['train'], text=impression, say=None, need_text=True)
    tok = train_tokenizer([s.text for s in smp], 600)
    def batch(smp):
        d = StudyData(smp, tok, PAGE, max_len=64, slots=('current_frontal',))
        return collate([d[i] for i in range(len(d))], d)[0]
    smp = [s for s in smp if s.slots[0] is not None]
    clean = batch(smp)
    dirty = copy.deepcopy(smp)
    for s,t in zip(dirty, noisy([s.text for s in smp], a.noise, 1)): s.text = t
    asked = [p for p in phrases(st['test']) if p.view.kind == 'frontal' and p.label in a.findings]
    return clean, batch(dirty), tok, asked

class Stored(torch.nn.Module):
    "Features of the training films in place of the tower; `img` holds their numbers."
    def __init__(self, f): super().__init__(); self.f = f
    def forward(self, img, msk=None): return self.f.map(lambda x: x[img.flatten().long()])

def moved(b, g):
    "Films shifted by up to 8 pixels."
    dy, dx = torch.randint(0, 17, (2,), generator=g).tolist()
    return F.pad(b.img[:,0], (8,8,8,8), mode='replicate')[:,None,:,dy:dy+128,dx:dx+128]

def fit(m, data, steps, bs, lr, seed, log, numbers=False):
    "Train on `data`, films shifted, or as their numbers; CPU seconds go to the log."
    g, n = torch.Generator().manual_seed(seed), data.bs
    opt = torch.optim.AdamW([p for p in m.parameters() if p.requires_grad], lr=lr, weight_decay=.02)
    rate = torch.optim.lr_scheduler.OneCycleLR(opt, lr, total_steps=steps, pct_start=.2)
    begin, total, order = time.process_time(), 0., torch.empty(0, dtype=torch.long)
    for i in range(steps):
        if len(order) < bs: order = torch.randperm(n, generator=g)
        ids, order = order[:bs], order[bs:]
        b = Batch({k: v[ids] for k,v in data.items()})
        keep = int(b.txt_msk.sum(1).max())
        for k in ('txt','word','txt_msk'): b[k] = b[k][:,:keep]
        b['img'] = ids.view(-1,1,1,1,1) if numbers else moved(b, g)
        out = m.train()(b); loss = m.loss(out)
        opt.zero_grad(); loss.backward(); torch.nn.utils.clip_grad_norm_(m.parameters(), 1.)
        opt.step(); rate.step()
        total += loss.item()
        if (i+1) % 50 == 0 or i+1 == steps:
            log(f"  step {i+1}/{steps}: loss {total/(i%50+1):.3f}, {time.process_time()-begin:.0f} s of CPU")
            total = 0.
    return m.eval()

def start(a, data, tok, log):
    "The common start: both towers, trained as a CLIP."
    f = a.out/'start.safetensors'
    torch.manual_seed(0)
    m = CLIP(vision=TOWER, text=dict(BERT, vocab_size=len(tok)), size=128, dim=128, tau=.1, preset='alta-small')
    if f.exists(): m.load_state_dict(load_file(f))
    else: save_file(fit(m, data, a.warm, a.bs, a.lr, 0, log).state_dict(), f)
    with torch.no_grad(): parts = [m.eval().vision(x[:,0]) for x in data.img.split(32)]
    m.films = Feat(torch.cat([o.glob for o in parts]), torch.cat([o.loc for o in parts]), grid=parts[0].grid)
    return m

def trained(a, name, seed, data, tok, common, key, log):
    "A system of a seed, from its file or trained now."
    cls, kw = SYSTEMS[name]; f = a.out/f"{key}.safetensors"
    torch.manual_seed(seed)
    m = cls(vision=TOWER, text=dict(BERT, vocab_size=len(tok)), size=128, up=None, dim=128, layers=2, positives=True,
            preset='alta-small', **kw)
    m.vision.net.load_state_dict(common.vision.state_dict())
    m.text.net.load_state_dict(common.text.state_dict())
    if f.exists(): m.load_state_dict(load_file(f)); return m.eval()
    log(key)
    tower, m.vision = m.vision, Stored(common.films)
    fit(m, data, a.steps, a.bs, a.lr, 100+seed, log, numbers=True)
    m.vision = tower
    save_file(m.state_dict(), f)
    return m.eval()

def noised(records, sigma, seed=0):
    "Phrases on films with Gaussian noise of `sigma` (of the full range)."
    rng, films, out = np.random.default_rng(seed), {}, []
    for r in records:
        if id(r.view) not in films:
            v = films[id(r.view)] = copy.copy(r.view)
            v.px = (v.px + 255*sigma*rng.standard_normal(v.px.shape)).clip(0, 255).astype(np.uint8)
        r = copy.copy(r); r.view = films[id(r.view)]; out.append(r)
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
        save_json(f, dict(method=name, task=task, data=f"phantom, easy, {a.train} patients to train, {a.test} to test",
            n_seeds=seeds, metrics=nums(g.table['macro']), looks=[nums(l['macro']) for l in g.looks],
            findings={c: nums(g.table[c]) | dict(n=n) for c,n in g.table['n'].items()},
            against={o: {m: iv(v) for m,v in gap.items()} for o,gap in gaps.items() if o.startswith(k)},
            **{t: nums(r[k].table['macro']) for t,r in extra.items() if k in r},
            args={n: v for n,v in vars(a).items() if n not in ('out','results')}, provenance=provenance()))

def main():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    p.add_argument('--out', type=Path, required=True); p.add_argument('--results', type=Path)
    for k,v in dict(train=340, test=90, data_seed=5, warm=250, steps=150, bs=24, seeds=3, noise_seeds=1).items():
        p.add_argument(f"--{k.replace('_','-')}", type=int, default=v)
    for k,v in dict(lr=1e-3, noise=.3, film_noise=.1).items():
        p.add_argument(f"--{k.replace('_','-')}", type=float, default=v)
    p.add_argument('--findings', nargs='+', default=['Atelectasis','Cardiomegaly','Consolidation','Edema',
                                                     'Lung Lesion','Pleural Effusion','Pneumothorax'])
    a = p.parse_args(); torch.set_num_threads(1); a.out.mkdir(parents=True, exist_ok=True)
    def log(s):
        print(s, flush=True)
        with open(a.out/'log.txt', 'a') as f: f.write(s+'\n')
    clean, dirty, tok, records = load(a)
    films = len({id(r.view) for r in records})
    log(f"{clean.bs} training pairs, {len(records)} phrases on {films} films of the test patients")
    common = start(a, clean, tok, log)
    systems = {k: [] for k in SYSTEMS}
    for s in range(a.seeds):
        for k in SYSTEMS:
            systems[k].append(trained(a, k, s, clean, tok, common, f"{k.replace(' ','-')}-{s}", log))
        res = score(a, systems, records, tok)
        show(f"after {s+1} seeds, clean", res, log); compare(res, log)
        if a.results: write(a, res, {}, s+1)
    for c in res['PLAN K=2'].table['n']:
        log(f"{c} ({res['PLAN K=2'].table['n'][c]})")
        for k,g in res.items(): log(row(k, g, by=c))
    extra = {'film_noise': score(a, systems, noised(records, a.film_noise), tok)}
    show(f"films with noise of {a.film_noise}", extra['film_noise'], log)
    compare(extra['film_noise'], log)
    extra['control'] = score(a, systems, records, tok, control=True)
    show("control: the film of another patient", extra['control'], log)
    if a.noise_seeds:
        rough = {k: [trained(a, k, i, dirty, tok, common, f"{k.replace(' ','-')}-{i}-noise", log)
                     for i in range(a.noise_seeds)] for k in SYSTEMS}
        extra['report_noise'] = score(a, rough, records, tok)
        show(f"trained on reports with noise {a.noise}, {a.noise_seeds} seeds", extra['report_noise'], log)
        compare(extra['report_noise'], log)
    if a.results: write(a, res, extra, a.seeds)

if __name__ == '__main__': main()
