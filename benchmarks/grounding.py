"""Does looking again help? GLoRIA and PLAN with K=0 to K=3 find phrases on films of unseen phantom patients.

    OMP_NUM_THREADS=1 python benchmarks/grounding.py --out runs/grounding                    # goes on where it stopped
    OMP_NUM_THREADS=1 python benchmarks/grounding.py --out runs/grounding --results results  # and writes result files

All methods have the same film tower: a narrow ResNet with 256 cells of 8 pixels that has learnt what the training
reports name, on which side and at what height (read from their sentences by `data.report.entities`; no box, no mask).
Each such thing is a soft maximum over linear maps of the cells, so that the cells learn to know findings; a cell sees
43 of the film's 128 pixels. From there on the tower is frozen and its cells are computed once, less what all films
have at their place; text tower and heads are trained from scratch, all with the same batches, steps and learning rate.
A seed changes text tower, heads, batches and order; the film tower is one.
Each time a film comes up, its text is one sentence of its report that says something is there (GLoRIA's code takes
one sentence, too); of a report without any, the first of the impression. Sentences that name the same things, on the
same sides, are right answers of each other. Of the studies without a finding, `--normal` are used. Scored with
`eval.grounding`: masks projected from the phantom's own anatomy, intervals over patients, of the mean over seeds;
those of differences over patients and seeds.
GLoRIA is read in two ways: cosine of cells and words, and attention of the words. Phrases on findings that show
(`visibility` in the phantom's truth at least `--faint`) are reported apart, too.

Noise in reports (`--noise`): each sentence is dropped, its sides are swapped, a sentence of another report is put
after it, each with that probability, and GLoRIA and PLAN K=2 are trained again on it (`--noise-seeds`); the reports of
the film tower stay clean. Noise in films: Gaussian, on the films that are scored, first seed; nothing is trained
again.
PLAN K=2 is read in other ways (`READ`), and after its first look. K=1 and K=3 (`SWEEP`) have `--sweep-seeds`.
Controls: every phrase on the film of another patient, and on one with nothing in the phrase's place, where there is
such a film."""
import argparse, hashlib, json, math, re, textwrap, time
from collections import Counter
from copy import copy
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import nn

from medvl.core import SLOTS, Batch, Feat
from medvl.files import provenance, save_json
from medvl.data.batch import pad_texts
from medvl.data.preset import Preset
from medvl.eval.robust import noisy_reports, noisy_views
from medvl.data.regions import phrases
from medvl.data.report import entities
from medvl.data.words import sections, sentences
from medvl.data.tokens import encode, train_tokenizer
from medvl.eval.maps import heat
from medvl.eval.grounding import METRICS, Grounding, Protocol, grounding, summarise, versus
from medvl.methods.gloria import GLoRIA
from medvl.methods.plan import PLAN
from medvl.methods.dual import first_film
from medvl.models.checkpoint import save_pretrained
from medvl.models.vision import VisionTower
from medvl.phantom.set import phantom_studies
from medvl.run.run import Run
from medvl.run.stages import Stages

PAGE = Preset('benchmark', 128, 128, 128, .4785, .2834)
TOWER = dict(name='resnet26', size=128, in_chans=1, layers=(1,2,1,1), channels=(24,48,64,96), stride=8)
BERT = dict(hidden_size=96, num_hidden_layers=1, num_attention_heads=3, intermediate_size=192,
            max_position_embeddings=96, hidden_dropout_prob=0., attention_probs_dropout_prob=0., initializer_range=.05)
FAIR = dict(hidden=0, tau_a=.5)  # PLAN's heads and sharpness as GLoRIA's
SYSTEMS = {'GLoRIA': (GLoRIA, dict(mean=True, cls_word=False)), 'PLAN K=0': (PLAN, dict(FAIR, K=0)),
           'PLAN K=2': (PLAN, dict(FAIR, K=2))}
SWEEP = {'PLAN K=1': (PLAN, dict(FAIR, K=1)), 'PLAN K=3': (PLAN, dict(FAIR, K=3))}
READ = {'three_looks': dict(K=3), 'no_importance': dict(how='none'), 'mean_importance': dict(how='mean')}
READS = 'product', 'cosine', 'attention'  # of GLoRIA
SHOWN = ('cnr','miou','pointing','near')
PROTO = Protocol('phantom', sigma=.75)
MADE = provenance()  # before the result files change the working tree
CLEAR = dict(variety=.5, subtle=0., co=.3, photons=2., pose=.5, typo=0., noise=0.)  # as 'easy', mild findings as well
AIR = ('opacity','consolidation','pneumonia')  # words for the same shadow
FINDINGS = ('pleural effusion','edema','airspace','cardiomegaly','atelectasis','pneumothorax','mass','nodule',
            'fracture')
MORE = ('opacity','consolidation','endotracheal tube','central line','enteric tube','chest tube','widened mediastinum',
        'pacemaker')
SCORED = ['Atelectasis','Cardiomegaly','Consolidation','Edema','Lung Lesion','Pleural Effusion','Pneumothorax']
HEIGHT = {k: h for h,ks in dict(upper=('apex','upper','upper lobe'), mid=('mid','hilar','middle lobe'),
                                lower=('base','lower','lower lobe')).items() for k in ks}

def level(name): return CLEAR if name == 'clear' else name

def there(report):
    "What a report says is on the film."
    return [e for e in entities(report) if e.polarity == 'present' and not e.context and e.labels]

def named(report):
    "Findings and devices that a report names, the same with a side, and with a side and a height."
    out = set()
    for e in there(report):
        sides = ('left','right') if e.side == 'bilateral' else (e.side,) if e.side else ()
        high = {HEIGHT[z] for z in e.zone.split('+') if z in HEIGHT}
        for k in ([e.name,'airspace'] if e.name in AIR else [e.name]):
            out |= {k, *(f'{k}|{o}' for o in sides)}
            if k not in AIR: out |= {f'{k}|{o}|{h}' for o in sides for h in high}
    return out

def spoken(report, full=''):
    "Sentences that say something is there; without any, the first of the impression of `full`."
    s = sentences(report); own = sorted({e.sentence for e in there(report)})
    last = sections(full or report).get('impression') or full or report
    return [s[i] for i in own if len(s[i].split()) < 30] or sentences(last)[:1]

class Texts:
    "The sentences of each report as tokens; equal numbers for sentences that name the same things."
    def __init__(self, said, tok, keys):
        e = encode(tok, [s for o in said for s in o], 64); it = iter(zip(e.ids, e.word))
        self.tok, self.pieces = tok, [[next(it) for _ in o] for o in said]
        self.ids = [[keys.setdefault(frozenset(named(s)), len(keys)) for s in o] for o in said]
    def batch(self, ids, rng):
        at = [int(rng.integers(len(self.pieces[i]))) for i in ids]; t = [self.pieces[i][k] for i,k in zip(ids, at)]
        txt_id = torch.tensor([self.ids[i][k] for i,k in zip(ids, at)])
        return Batch(pad_texts(t, self.tok.pad_token_id, max(len(o[0]) for o in t)), txt_id=txt_id)

def load(a):
    "Training films, their sentences, these with noise, what their reports name, tokenizer, phrases to look for."
    def make(n, split): return phantom_studies(n, a.data_seed, 128, split, level(a.difficulty))
    rng, train, test = np.random.default_rng(0), make(a.train, 'train'), make(a.test, 'test')
    every = [(s, s.frontals[0], named(s.report)) for s in train]
    used = [o for o in every if o[2] & set(FINDINGS) or rng.random() < a.normal]
    px = torch.from_numpy(np.stack([v.px for _,v,_ in used]))[:,None]
    reports, keys = [s.report for s,*_ in used], {}
    said = [spoken(r) for r in reports]; tok = train_tokenizer([s for o in said for s in o], 600, max_len=96)
    films = [' '.join(o) for o in said]
    dirty = [spoken(t, r) for t,r in zip(noisy_reports(films, a.noise, a.noise, a.noise, seed=1), reports)]
    known = [k for k,n in Counter(k for *_,o in used for k in o).most_common()
             if n >= len(used)/100 and k.split('|')[0] in FINDINGS+MORE]
    Y = torch.tensor([[float(k in o) for k in known] for *_,o in used])
    asked = [p for p in phrases(test) if p.view.kind == 'frontal' and p.label in a.findings]
    return px, Texts(said, tok, keys), Texts(dirty, tok, keys), Y, known, tok, asked, dict(train=train, test=test)

class Stored(nn.Module):
    "Features of the training films in place of the tower; `img` holds their numbers."
    def __init__(self, f): super().__init__(); self.f = f
    def forward(self, img, msk=None): return self.f.map(lambda x: x[img.flatten().long()].float())

def see(net, x): return net(x.contiguous(memory_format=torch.channels_last))

class Remember(nn.Module):
    "A frozen tower that encodes each batch of films once."
    known = {}
    def __init__(self, net): super().__init__(); self.net = net
    def forward(self, img, msk=None):
        x = first_film(img, msk); key = hashlib.blake2b(x.numpy().tobytes(), digest_size=12).digest()
        if key not in self.known:
            with torch.no_grad(): self.known[key] = self.net.eval()(x)
        return self.known[key]

def shown(px): return (px.float()/255-PAGE.mean)/PAGE.std

def found(z, sharp=4.):
    "Soft maximum over cells."
    return ((z*sharp).logsumexp(1)-math.log(z.shape[1]))/sharp

def start(a, px, Y, log):
    "The common film tower: it has learnt to name findings from cells, and from the whole."
    f, bs = a.out/'start.safetensors', a.warm_bs
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
        if len(order) < bs: order = torch.randperm(len(px), generator=g)
        ids, order = order[:bs], order[bs:]
        dy, dx = torch.randint(0, 13, (2,), generator=g).tolist()
        o = see(net.train(), F.pad(shown(px[ids]), (6,6,6,6), mode='replicate')[:,:,dy:dy+128,dx:dx+128])
        loss = sum(F.binary_cross_entropy_with_logits(z, Y[ids]) for z in (found(cell(o.loc)), whole(o.glob)))
        opt.zero_grad(); loss.backward(); opt.step(); rate.step(); total += loss.item()
        if (i+1) % 100 == 0:
            log(f"  film tower, step {i+1}/{a.warm}: loss {total/100:.3f}, {time.process_time()-begin:.0f} s of CPU")
            total = 0.
    save_file({k: v.contiguous() for k,v in net.state_dict().items()}, f)
    return net.eval()

def fit(m, texts, n, steps, bs, lr, seed, log):
    "Train on stored cells; CPU seconds go to the log."
    g, rng = torch.Generator().manual_seed(seed), np.random.default_rng(seed)
    opt = torch.optim.AdamW([p for p in m.parameters() if p.requires_grad], lr=lr, weight_decay=.02)
    rate = torch.optim.lr_scheduler.OneCycleLR(opt, lr, total_steps=steps, pct_start=.2)
    begin, total, order = time.process_time(), 0., torch.empty(0, dtype=torch.long)
    for i in range(steps):
        if len(order) < bs: order = torch.randperm(n, generator=g)
        ids, order = order[:bs], order[bs:]
        b = texts.batch(ids.tolist(), rng); b['img'] = ids.view(-1,1,1,1,1)
        out = m.train()(b); loss = m.loss(out)
        opt.zero_grad(); loss.backward(); torch.nn.utils.clip_grad_norm_(m.parameters(), 1.)
        opt.step(); rate.step()
        total += loss.item()
        if (i+1) % 100 == 0 or i+1 == steps:
            log(f"  step {i+1}/{steps}: loss {total/(i%100+1):.3f}, {time.process_time()-begin:.0f} s of CPU")
            total = 0.
    return m.eval()

def trained(a, name, seed, texts, tok, tower, films, key, log):
    "A system of a seed, from its file or trained now."
    cls, kw = (SYSTEMS | SWEEP)[name]; f = a.out/f"{key}.safetensors"
    torch.manual_seed(seed)
    m = cls(vision=TOWER, text=dict(BERT, vocab_size=len(tok)), size=128, up=None, dim=96, layers=1, positives=True,
            cell_norm=True, preset='alta-small', **kw)
    m.vision.net.load_state_dict(tower.state_dict()); m.vision.norm.mean.copy_(films.mean)
    m.vision.requires_grad_(False)
    if f.exists(): m.load_state_dict(load_file(f))
    else:
        log(key); own, m.vision = m.vision, Stored(films)
        fit(m, texts, len(films.loc), a.steps, a.bs, a.lr, 100+seed, log)
        m.vision = own; save_file(m.state_dict(), f)
    m.vision = Remember(m.vision)
    return m.eval()

def encoded(tower, px):
    "Features of all training films, in half precision, less what all have at their place (kept as `mean`)."
    with torch.no_grad(): parts = [see(tower, shown(x)).map(torch.Tensor.half) for x in px.split(32)]
    loc = torch.cat([o.loc for o in parts]); mean = loc.float().mean(0)
    out = Feat(torch.cat([o.glob for o in parts]), (loc-mean).half(), grid=parts[0].grid)
    out.mean = mean
    return out

def noised(records, sigma):
    "Phrases on films with grain."
    out = []
    for r,v in zip(records, noisy_views([r.view for r in records], sigma)): r = copy(r); r.view = v; out.append(r)
    return out

def pooled(runs):
    "Several seeds as one result: the mean of each phrase's measures, look by look."
    def mean(seeds): return dict(seeds[0], **{k: float(np.mean([s[k] for s in seeds])) for k in (*METRICS,'area')})
    rows = [[mean(seeds) for seeds in zip(*looks)] for looks in zip(*(r.rows for r in runs))]
    g = Grounding(runs[0].info, [summarise(r, 1000, 0, (*METRICS,'area')) for r in rows], rows)
    g.trainings = runs
    return g

def visible(r):
    "How well the finding of a phrase shows on its film, 0 to 1, from the phantom's truth."
    return max((f['visibility'].get(r.view.id, 0.) for f in r.study.info['state']['findings']
                if f['name'] == r.label and (not f['side'] or f['side'] in r.text.lower())), default=0.)

def part(g, keep):
    "Some of the phrases of a result."
    rows = [[r for r,k in zip(look, keep) if k] for look in g.rows]
    return Grounding(g.info, [summarise(r, 1000, 0, (*METRICS,'area')) for r in rows], rows)

def row(name, g, look=-1, by='macro'):
    t = g.looks[look][by]
    return f"  {name:34s}" + ''.join(f"{str(t[k]):34s}" for k in SHOWN)

def kept(f, make):
    "A result from its file, or made now and written, without its maps."
    if not f.exists():
        g = make(); part = f.with_suffix('.part'); f.parent.mkdir(exist_ok=True)
        part.write_text(json.dumps(dict(info=g.info, rows=g.rows))); part.replace(f)
        return g
    r = json.loads(f.read_text())
    return Grounding(r['info'], [summarise(o, 0, 0, (*METRICS,'area')) for o in r['rows']], r['rows'])

def score(systems, records, tok, page=PAGE, proto=PROTO, reads=READS, at=None, **kw):
    """Each system, pooled over its seeds; GLoRIA in each of the read-outs `reads`. With `at`, a folder for the results
    of each training, an interrupted run goes on."""
    out = {}
    for name,models in systems.items():
        for read in reads if name.startswith('GLoRIA') else ('',):
            runs = []
            for i,m in enumerate(models):
                m.read = read
                def make():
                    return grounding(m, tok, records, page, proto, 64, max_len=64, n_boot=0, progress=False, **kw)
                f = re.sub('[^a-z0-9]+', '-', f"{name} {read} {i} {kw.get('control', 'own')}".lower())
                runs.append(kept(at/f'{f}.json', make) if at else make())
            out[f'{name} {read}'.strip()] = pooled(runs)
    return out

def show(title, res, log):
    log(f"{title}\n  {'macro mean of the findings':34s}"
        f"{'CNR, signed':34s}{'mIoU':34s}{'pointing':34s}{'within 15/224':34s}")
    for k,g in res.items():
        log(row(k, g))
        for j in range(len(g.looks)-1): log(row(f'  read at look {j}', g, j))

def grid(g, path):
    "A hit and a miss of each finding: the film with the true place (green), and the map on it."
    import matplotlib; matplotlib.use('Agg')
    import matplotlib.pyplot as plt
    labels = sorted(g.table['n']); fig, axs = plt.subplots(len(labels), 4, figsize=(6.4,1.75*len(labels)), dpi=60)
    for ax in axs.flat: ax.axis('off')
    for line,label in zip(axs, labels):
        own = [(p,r) for p,r in zip(g.placed, g.rows[-1]) if p.phrase.label == label]
        for k,(name,hit) in enumerate((('hit',1), ('miss',0))):
            if (p := next((p for p,r in own if r['near'] == hit), None)) is None: continue
            film, map_ = line[2*k:2*k+2]; maps, mask = p.on_film(); px = p.phrase.view.px
            film.imshow(px, cmap='gray'); film.contour(p.phrase.mask(px.shape), [.5], colors='#27e0b3', linewidths=1)
            film.set_title(textwrap.fill(f'{name}: {p.phrase.text}', 24), fontsize=7)
            heat(px, maps[-1], '', mask, ax=map_, bar=False)
            map_.set_title(f"{np.mean([r['near'] for _,r in own]):.2f} of {len(own)} within 15/224", fontsize=7)
    fig.tight_layout(pad=.3); fig.savefig(path, pil_kwargs=dict(quality=72, optimize=True)); plt.close(fig)

def early(res):
    "PLAN K=2 read after its first look, as a system of its own."
    first = [Grounding(g.info, g.looks[:1], g.rows[:1]) for g in res['PLAN K=2'].trainings]
    return {'PLAN K=2, read at look 0': pooled(first)}

def against(res):
    """Differences in pairs, over patients and the trainings that both have: 'a minus b' -> measure -> interval. GLoRIA
    in the read-outs with the highest CNR and with the most hits."""
    def ahead(m):
        return max((k for k in res if re.match('GLoRIA [a-z]+$', k)), key=lambda k: res[k].table['macro'][m].value)
    best, plan = dict.fromkeys((ahead('cnr'), ahead('near'))), [k for k in res if re.match(r'PLAN K=\d$', k)]
    pairs = [(k, o) for k in plan for o in ('PLAN K=0', *best) if k != o]
    pairs += [(k, 'PLAN K=2') for k in res if k.startswith('PLAN K=2,')]
    sharp, equal = 'GLoRIA, s1=8 product', 'GLoRIA, equal steps product'
    pairs += [('PLAN K=2', sharp)] if sharp in res else []
    pairs += [(k, equal) for k in res if equal in res and k.startswith('GLoRIA, ') and len(res[k].trainings) == 1]
    def gaps(x, y):
        both = list(zip(res[x].trainings, res[y].trainings))
        alone = len(both) == 1 < max(len(res[k].trainings) for k in (x, y))
        return f"{x} minus {y}{', seed 0'*alone}", {k: versus(*zip(*both), k) for k in SHOWN}
    return dict(gaps(*o) for o in pairs)

def compare(res, log):
    for k,gap in against(res).items(): log(f"  {k:44s}" + ''.join(f"{m} {v!s:26s}" for m,v in gap.items()))

def iv(i): return dict(value=i.value, low=i.low, high=i.high)

def write(a, res, extra, seeds, data, what='grounding', fewer=()):
    "One result file a system; `fewer`: seeds of those that have fewer."
    gaps = against(res)
    for k,g in res.items():
        name = 'gloria' if k.startswith('GLoRIA') else 'plan'
        f = a.results/f"{name}_{what}_{re.sub('[^a-z0-9]+', '', k.lower())}.json"
        def nums(t): return {m: iv(t[m]) for m in SHOWN}
        def each(g): return [{m: o.table['macro'][m].value for m in SHOWN} for o in g.trainings]
        save_json(f, dict(method=name, task='grounding, '+k.partition(' ')[2], data=data,
            n_seeds=dict(fewer).get(k, seeds), metrics=nums(g.table['macro']),
            looks=[nums(l['macro']) for l in g.looks], area=g.table['macro']['area'].value,
            findings={c: nums(g.table[c]) | dict(n=n) for c,n in g.table['n'].items()},
            against={o: {m: iv(v) for m,v in gap.items()} for o,gap in gaps.items() if o.startswith(k+' minus')},
            **{t: nums(r[k].table['macro']) for t,r in extra.items() if k in r}, seeds=each(g),
            **{f'{t}_seeds': each(r[k]) for t,r in extra.items() if k in r and hasattr(r[k], 'trainings')},
            **{f'{t}_unmatched': u for t,r in extra.items() if k in r and (u := r[k].info['unmatched'])},
            args={n: v for n,v in vars(a).items() if n not in ('out','results','figure','name')},
            provenance=MADE))

def keep(a, name, systems, res, extra, tok, studies, used):
    "The first training of a system, scored as a stage of the demo, as a folder for tools/ship.py."
    k = next(k for k in systems if name.startswith(k)); m, at = systems[k][0], a.out/'kept'/'model'
    read, m.vision = name.removeprefix(k).strip(), m.vision.net
    own = type(m)(**m.config | dict(preset=vars(PAGE)) | (dict(read=read) if read else {}))
    own.load_state_dict(m.state_dict())
    one = dict(data=dict(slots=SLOTS[:1]))
    save_pretrained(own, at, dict(preset=vars(PAGE), max_len=tok.model_max_length, args=one)); tok.save_pretrained(at)
    c = Stages(a.out, studies, tok, {'kept': Run(k.split()[0].lower(), slots='current')}, max_len=tok.model_max_length,
               films_are=f'128 px, seed {a.data_seed}, {a.difficulty}', say=print)
    how = dict(steps=a.steps, bs=a.bs, lr=a.lr, tower_steps=a.warm, films_used=used)
    save_json(a.out/'kept'/'plan.json', c.plan('kept') | dict(stage=how))
    parts = {'': res, ", control: another patient's film": extra['control']}
    words = dict(near='maps, highest point within 15/224 of the place', pointing='maps, highest point in the place')
    found = {w+k: iv(r[name].table['macro'][m]) for k,r in parts.items() for m,w in words.items()}
    save_json(a.out/'kept'/'scores.json', c.score('kept') | dict(grounding=found, phrases=len(res[name].rows[-1])))

def main():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    p.add_argument('--out', type=Path, required=True); p.add_argument('--results', type=Path)
    for k,v in dict(train=3000, test=400, data_seed=0, warm=1600, warm_bs=32, steps=1000, bs=16, seeds=3,
                    sweep_seeds=0, noise_seeds=3).items():
        p.add_argument(f"--{k.replace('_','-')}", type=int, default=v)
    for k,v in dict(start_lr=3e-3, lr=1e-3, normal=.3, noise=.3, film_noise=.1, faint=.5).items():
        p.add_argument(f"--{k.replace('_','-')}", type=float, default=v)
    p.add_argument('--train-only', action='store_true', help='score later')
    p.add_argument('--tower-only', action='store_true', help='train the film tower and stop')
    p.add_argument('--figure', type=Path, help='.jpg: a hit and a miss of each finding, by the system ahead')
    p.add_argument('--name', default='grounding', help='of the result files')
    p.add_argument('--keep', help="the first training of this system, e.g. 'GLoRIA product', for tools/ship.py")
    p.add_argument('--brief', action='store_true', help='no other read-outs, no noise')
    p.add_argument('--difficulty', default='clear')
    p.add_argument('--findings', nargs='+', default=SCORED)
    a = p.parse_args(); torch.set_num_threads(1); a.out.mkdir(parents=True, exist_ok=True)
    def log(s):
        print(s, flush=True)
        with open(a.out/'log.txt', 'a') as f: f.write(s+'\n')
    px, clean, dirty, Y, names, tok, records, studies = load(a)
    n = len({id(r.view) for r in records})
    log(f"{len(px)} training films; {len(names)} things named; {len(records)} phrases on {n} films of test patients")
    tower = start(a, px, Y, log)
    if a.tower_only: return
    films = encoded(tower, px)
    def train(k, s, texts, more=''):
        return trained(a, k, s, texts, tok, tower, films, f"{k.replace(' ','-')}-{s}{more}", log)
    systems = {k: [] for k in SYSTEMS}
    for s in range(a.seeds):
        for k in SYSTEMS: systems[k].append(train(k, s, clean))
    swept = min(a.seeds, a.sweep_seeds)
    systems |= {k: [train(k, s, clean) for s in range(swept)] for k in SWEEP if swept}
    again = 0 if a.brief else a.noise_seeds
    rough = {k: [train(k, i, dirty, '-noise') for i in range(again)] for k in ('GLoRIA', 'PLAN K=2')}
    if a.train_only: return
    kw = dict(at=a.out/'scores')
    res = score(systems, records, tok, **kw); res |= early(res)
    show(f"{a.seeds} seeds, clean", res, log); compare(res, log)
    for c in res['PLAN K=2'].table['n']:
        log(f"{c} ({res['PLAN K=2'].table['n'][c]})")
        for k,g in res.items(): log(row(k, g, by=c))
    best = max((k for k in res if ',' not in k), key=lambda k: res[k].table['macro']['near'].value)
    if a.figure:  # with maps, which the kept results lack
        k, read = best.split() if best.startswith('GLoRIA') else (best, '')
        log(f'figure: {best}')
        grid(score({k: systems[k][:1]}, records, tok, reads=(read,))[best].trainings[0], a.figure)
    extra, data = {}, f"phantom, {a.difficulty}, {a.train} patients to train, {a.test} to test"
    def more(name, title, got):
        extra[name] = got; show(title, got, log)
        for t in sorted(set(got['PLAN K=2'].info['unmatched'])): log(f'  left out, no such film: {t!r}')
        if a.results: write(a, res, extra, a.seeds, data, a.name, dict.fromkeys(SWEEP, swept))
    plain = [visible(r) >= a.faint for r in records]
    more('plain', f"{sum(plain)} phrases whose finding shows", {k: part(g, plain) for k,g in res.items()})
    more('control', "control: the film of another patient", score(systems, records, tok, control=True, **kw))
    more('elsewhere', 'control: nothing in its place', score(systems, records, tok, control='elsewhere', **kw))
    if a.keep: keep(a, a.keep, systems, res, extra, tok, studies, len(px))
    if a.brief: return
    first = {k: v[:1] for k,v in systems.items()}
    more('first_seed', 'clean, first seed', score(first, records, tok))
    more('film_noise', f"films with grain of {a.film_noise}, first seed",
         score(first, noised(records, a.film_noise), tok))
    for name,change in READ.items():
        for m in systems['PLAN K=2']: vars(m).update(change)
        more(name, f"PLAN K=2, read with {change}", score({'PLAN K=2': systems['PLAN K=2']}, records, tok))
        for m in systems['PLAN K=2']: vars(m).update({k: m.config[k] for k in change})
    if again:
        more('report_noise', f"trained on reports with noise {a.noise}, {a.noise_seeds} seeds",
             score(rough, records, tok))
        compare(extra['report_noise'], log)

if __name__ == '__main__': main()
