"""What each part of MMCLIP is worth on phantom patients, and what unpaired films add to few pairs.

    OMP_NUM_THREADS=1 python benchmarks/mmclip.py --out runs/mmclip --results results

300 paired studies (in some runs 75 or 1,200); up to 4,800 frontal films of other patients with labels and without
reports. All start from both towers of the shipped phantom-mrm and take the same number of steps on pairs; runs with
unpaired films take as many steps on them in turn, however many films there are, so each film is seen less often where
there are more. Where numbers of pairs are compared, runs on pairs alone take all these steps on pairs. The prompts of
the films are those of disease-v2, which also deny findings, and in one run those of disease-v1, which do not.
Zero-shot AUROC on 300 other patients (macro over findings) and retrieval, intervals over patients and trainings;
zero-shot with every wording of `run.suite`, and whether it changes the order of the runs. The share of lesion pixels
in the mask is taken at four moments of the training. Goes on where it stopped; `--only` and `--seeds` do a part."""
import argparse, time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
import torch.nn.functional as F
from scipy.stats import t as student

from medvl.core import CHEXPERT, SLOTS
from medvl.data.batch import Preset, piece_spans, sample_loader
from medvl.data.cache import ImageCache
from medvl.data.mix import Source, one_side
from medvl.data.report import mentions
from medvl.data.tokens import load_tokenizer
from medvl.eval.metrics import Interval, seed_bootstrap
from medvl.eval.retrieval import Embeddings, embed
from medvl.eval.zeroshot import macro_auroc, zeroshot
from medvl.files import jsonable, provenance, save_json
from medvl.methods.mmclip import MMCLIP
from medvl.models.checkpoint import from_pretrained
from medvl.models.guided import top_patches
from medvl.phantom.set import iter_phantom
from medvl.run.data import units
from medvl.run.folder import found
from medvl.run.model import shipped
from medvl.run.run import Run
from medvl.run.stages import REPORTS, hits
from medvl.run.suite import flips, prompt_set, wordings
from medvl.run.train import train
from fastai.callback.core import Callback

BASE = dict(text=REPORTS, preset='alta-pocket', film_norm=True)
FULL = BASE | dict(decoder=dict(width=128, depth=1, heads=4), depth=1, heads=4)
SETS = 75, 300, 1200                                                # numbers of pairs

def A(method, model, films=0, pairs=300, longer=1, said='disease-v2'):
    "An arm: unpaired films, pairs, how many times the steps, templates."
    return SimpleNamespace(method=method, model=model, films=films, pairs=pairs, longer=longer, said=said)

ARMS = {'CLIP': A('clip', BASE), 'MMCLIP': A('mmclip', FULL),
        'random patches': A('mmclip', FULL | dict(guide='random')),
        'random words': A('mmclip', FULL | dict(entities=False)),
        'MMCLIP, 1x': A('mmclip', FULL, 300), 'MMCLIP, 4x': A('mmclip', FULL, 1200),
        'MMCLIP, 16x': A('mmclip', FULL, 4800), 'CLIP, 16x': A('clip', BASE, 4800),
        'CLIP, 16x, disease-v1': A('clip', BASE, 4800, said='disease-v1')}
for n in SETS:                                         # pairs alone take the steps that runs with films take in all
    ARMS |= {f'CLIP, {n} pairs': A('clip', BASE, 0, n, 2), f'MMCLIP, {n} pairs': A('mmclip', FULL, 0, n, 2),
             f'MMCLIP, {n} pairs and films': A('mmclip', FULL, 1200, n)}
ARMS['MMCLIP, 300 pairs and films'] = ARMS['MMCLIP, 4x']
PAIRS = [('MMCLIP','CLIP'), ('MMCLIP','random patches'), ('MMCLIP','random words'), ('MMCLIP, 1x','MMCLIP'),
         ('MMCLIP, 4x','MMCLIP'), ('MMCLIP, 16x','MMCLIP'), ('MMCLIP, 16x','CLIP'), ('CLIP, 16x','CLIP'),
         ('MMCLIP, 16x','CLIP, 16x'), ('MMCLIP, 16x','MMCLIP, 1x'), ('CLIP, 16x','CLIP, 16x, disease-v1')]

def cohort(a, most, pairs):
    "Training studies, those of validation and test, and unpaired films, each with the number of studies before it."
    train, pool, rest, n = [], [], [], 0                # n: studies before a patient
    for p in iter_phantom(10**6, 0, 128, 'train', 'lifelike-easy'):
        if n < pairs: train += p
        if n >= SETS[1]: pool += [(n, one_side(s, 'labels')) for s in units(p)]
        for v in (v for s in p for v in s.views): v.masks.clear()
        n += len(p)
        if n >= pairs and sum(before >= pairs for before,_ in pool) >= most: break
    for k,n in dict(val=a.val, test=a.test).items():
        for p in iter_phantom(n, 0, 128, k, 'lifelike-easy'): rest += p
    return train, rest, pool

def dir_of(a, name, seed):
    name = next(k for k,o in ARMS.items() if o is ARMS[name])
    return a.out/f"{name.replace(', ','_').replace(' ','_')}-{seed}"

class MaskCB(Callback):
    "The share of lesion pixels that the mask hides, at four moments."
    order = 90
    def __init__(self, films, at=(0, .25, .5, 1)): self.films, self.at, self.got = films, list(at), []
    def before_batch(self):
        if self.training and self.at and self.opt_step >= self.at[0]*self.n_epoch*self.total: self.look()
    def after_fit(self):
        if self.at: self.look()
    def look(self):
        self.at.pop(0); m = self.model
        if hasattr(m, 'scores_of'):
            was = m.training; m.eval()
            with torch.random.fork_rng(): self.got.append((self.opt_step, hidden(m, *self.films)))
            m.train(was)
    @property
    def total(self): return self.step_cb.per_epoch

def lesions(samples, tok, preset, cache, n=96):
    "Films with lesions, in one batch, and a map of each lesion in patches."
    some = [s for s in samples if s.slots[0].masks][:n]
    dl = sample_loader(some, tok, preset, len(some), cache, max_len=128, slots=SLOTS[:1], fields=MMCLIP.fields)
    on = np.stack([np.any(list(s.slots[0].masks.values()), 0) for s in some])
    return next(iter(dl))[0], torch.from_numpy(on).float()

def hidden(m, b, on):
    "Mean share of lesion pixels below hidden patches."
    with torch.no_grad(): idx = top_patches(m.scores_of(m.sides(b)), m.mask)[1]
    g = m.vision.grid
    up = F.interpolate(idx.view(-1, 1, *g).float(), size=on.shape[-2:])[:,0]
    return float(((up*on).sum((1,2))/on.sum((1,2)).clamp(min=1)).mean())

@torch.no_grad()
def recovered(m, smp, tok, cache, n=256):
    "Share of hidden words that come back, by kind: with the own film, with another patient's, and without."
    preset = Preset.of(m.config['preset']); own = smp[:n]
    b, _ = next(iter(sample_loader(own, tok, preset, n, cache, max_len=128, slots=SLOTS[:1])))
    v, yes, out = m.eval().vision(b.img[:,0]).loc, torch.ones(len(own), dtype=torch.bool), {}
    films = dict(own=(v, yes), another=(v.roll(n//2, 0), yes), none=(v, ~yes))
    for kind in ('side','finding','severity'):
        at = torch.full_like(b.txt, -1)
        for row,s in zip(at, own):
            k = piece_spans(tok, s.text, [o.span for o in mentions(s.text, (kind,))], 128)
            row[:len(k)] = torch.from_numpy(k)
        t = m.text(b.txt.masked_fill(at >= 0, tok.mask_token_id), b.txt_msk).loc
        words = {(i, int(k)) for i,row in enumerate(at) for k in row[row >= 0].unique()}
        out[kind] = dict(words=len(words))
        for how,(x, film) in films.items():
            right = m.reader.head(m.reader(t, b.txt_msk, x, film)).argmax(-1) == b.txt
            out[kind][how] = sum(bool(right[i][at[i] == k].all()) for i,k in words)/len(words)
    return out

def pulls(m, b):
    "Length of the gradient of each term in the film tower."
    out = {}
    for k in [k for k in m.weights if m.weights[k] and k != 'prompt']:
        m.train().zero_grad(set_to_none=True); torch.manual_seed(0)
        m(b).terms[k].backward()
        out[k] = float(sum(p.grad.square().sum() for p in m.vision.parameters() if p.grad is not None)**.5)
    m.eval().zero_grad(set_to_none=True)
    return out

def arm(a, name, seed, data, tok):
    "Train one, or find it done. As many steps with few pairs as with many: `a.epochs` are those of 300."
    o, out, (train_on, rest, pool), bs = ARMS[name], dir_of(a, name, seed), data, 32
    if found(out/'scored.json'): return out
    first = sorted({s.group for s in rest if s.split == 'val'})[:2]
    epochs = round(a.epochs*o.longer*(SETS[1]//bs)/(o.pairs//bs)); studies = train_on[:o.pairs]+rest
    if o.pairs < SETS[1]: studies = [s for s in studies if s.split != 'val' or s.group in first]  # epochs are short
    alone = [s for before,s in pool if before >= o.pairs][:o.films]
    more = [Source('films', 'labels', alone)] if alone else []
    run = Run(o.method, data=studies, init=str(shipped()['phantom-mrm']), report=True, model=dict(o.model),
              unpaired=more, templates=o.said if more else None, per='image', slots='current', text='impression',
              shuffle_sentences=False, epochs=epochs, warmup=epochs/15, bs=bs, lr=a.lr, wd=.05, precision='fp32',
              seed=seed, cache=a.out/'films', save_every=10**6)
    smp = units(rest, text='impression', split='test', need_text=True)
    preset = Preset.of('alta-pocket'); cache = ImageCache(a.out/'films', preset.decode)
    look = MaskCB(lesions(smp, tok, preset, cache))
    res = train(run, out, tok, resume=True, quiet=True, cbs=[look])
    m = from_pretrained(out/'model')
    dl = sample_loader(smp, tok, preset, 64, cache, slots=SLOTS[:1], classes=CHEXPERT)
    emb = embed(m, dl, progress=False); emb.save(out/'test.npz')
    save_json(out/'scored.json', jsonable(dict(steps=res['run']['steps'], seconds=res['run']['seconds'], mask=look.got,
                                               losses=res['run']['train'], sources=res['run'].get('sources'))))
    print(f"{name}, seed {seed}: {res['run']['steps']} steps, {res['run']['seconds']:.0f} s; {look.got}", flush=True)
    return out

def answers(a, name, seed, smp, tok, lab, some, cache):
    """What a trained run answers, kept in a file: zero-shot scores `[film finding]` of each wording, retrieval hits by
    direction, words that come back, gradients."""
    dir = dir_of(a, name, seed)
    if was := found(dir/'answers.json'): return was
    m, emb = from_pretrained(dir/'model'), Embeddings.load(dir/'test.npz')
    zero = {w: zeroshot(m, emb, tok, prompt_set(w, lab), names=CHEXPERT, cv=False, n_boot=0).scores
            for w in wordings()}
    back = recovered(m, smp, tok, cache) if hasattr(m, 'reader') else None
    save_json(dir/'answers.json', jsonable(dict(zero=zero, hits=hits(emb, 10), recovered=back,
                                                gradients=pulls(m, some))))
    return found(dir/'answers.json')

def over_both(parts, y, group):
    """Mean AUROC over trainings of a sum of `parts` (sign, scores `[seed film finding]`): interval over patients and
    trainings."""
    got = [(w, [macro_auroc(o, y, group) for o in x]) for w,x in parts]
    each = sum(w*np.array([v for v,_ in x]) for w,x in got)
    jack = sum(w*np.mean([o for _,o in x], 0) for w,x in got); c = len(jack)
    v, n = (c-1)/c*((jack-jack.mean())**2).sum(), len(each)
    w = each.var(ddof=1)/n if n > 1 else 0.
    df = (v+w)**2/(v*v/(c-1)+(w*w/(n-1) if w else 0)); h = student.ppf(.975, df)*np.sqrt(v+w)
    p = None if len(parts) == 1 else float(2*student.sf(abs(each.mean())/np.sqrt(v+w), df))
    return Interval(float(each.mean()), float(each.mean()-h), float(each.mean()+h), n_units=c, p=p, method='t')

def of_arm(a, k, o, w, y, group):
    "Scores of an arm over its trainings, zero-shot by wording `w`; `o`: `answers` by seed."
    ran, o = [found(dir_of(a, k, i)/'scored.json') for i in o], list(o.values())
    zero = np.stack([x['zero'][w] for x in o])
    return dict(recovered=[x['recovered'] for x in o if x['recovered']], gradients=[x['gradients'] for x in o],
                auroc=over_both([(1, zero)], y, group), seeds=[macro_auroc(s, y)[0] for s in zero],
                steps=ran[0]['steps'],
                seconds=float(np.mean([r['seconds'] for r in ran])), mask=[r['mask'] for r in ran],
                wordings={w: float(np.mean([macro_auroc(x['zero'][w], y)[0] for x in o])) for w in wordings()},
                **{f'{w}_R@10': seed_bootstrap(np.mean, np.array([x['hits'][w] for x in o]), group=group)
                   for w in o[0]['hits']})

def gains(got, y, group):
    """What films add to each number of pairs, over as many steps on pairs alone; and how much more than to the most.
    Of each difference the trainings that all its runs have."""
    def of(n, other): return [(1, f'MMCLIP, {n} pairs and films'), (-1, f'{other}, {n} pairs')]
    def less(n): return of(n, 'MMCLIP')+[(-w, k) for w,k in of(SETS[-1], 'MMCLIP')]
    out = {str(n): {k: differ(got, of(n, k), y, group) for k in ('MMCLIP','CLIP')} for n in SETS}
    for n in SETS[:-1]: out[str(n)][f'more than with {SETS[-1]}'] = differ(got, less(n), y, group)
    return {n: some for n,o in out.items() if (some := {k: v for k,v in o.items() if v})}

def shared(got, names):
    "Seeds that all these runs were trained with."
    return sorted(set.intersection(*(set(got[k]) if k in got else set() for k in names)))

def differ(got, parts, y, group):
    "A sum of runs (sign, name), zero-shot; None where no seed has all of them."
    if not (seeds := shared(got, [k for _,k in parts])): return None
    w0 = next(iter(wordings()))
    both = [(w, np.stack([got[k][i]['zero'][w0] for i in seeds])) for w,k in parts]
    return vars(over_both(both, y, group)) | dict(seeds=len(seeds))

def main():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    p.add_argument('--out', type=Path, required=True); p.add_argument('--results', type=Path)
    p.add_argument('--only', default=''); p.add_argument('--seeds', type=int, default=3)
    for k,v in dict(val=40, test=300, epochs=15).items(): p.add_argument(f'--{k}', type=int, default=v)
    p.add_argument('--seconds', type=float, default=float('inf'), help='begin no training after so many seconds')
    p.add_argument('--lr', type=float, default=1e-3); p.add_argument('--score', action='store_true')
    a = p.parse_args(); a.out.mkdir(parents=True, exist_ok=True)
    names, start = a.only.split(';') if a.only else list(ARMS), time.time()
    most = [0 if a.score else max(getattr(ARMS[k], w) for k in names) for w in ('films', 'pairs')]
    data, tok = cohort(a, *most), load_tokenizer(shipped()['phantom-mrm'])
    if not a.score:
        for seed in range(a.seeds):
            for k in names:
                if time.time()-start > a.seconds: return
                arm(a, k, seed, data, tok)
    if not a.results: return
    smp = units(data[1], text='impression', split='test', need_text=True); group = [s.group for s in smp]
    y = np.array([[s.labels.get(c, np.nan) for c in CHEXPERT] for s in smp]); y[(y != 0) & (y != 1)] = np.nan
    keep = [j for j,c in enumerate(CHEXPERT) if c != 'No Finding' and min((y[:,j] == v).sum() for v in (0, 1)) >= 10]
    lab, y = [CHEXPERT[j] for j in keep], y[:,keep]
    done = {k: [i for i in range(a.seeds) if found(dir_of(a, k, i)/'scored.json')] for k in names}
    for k,o in done.items():
        if len(o) < a.seeds: print(f'{k}: {len(o)} of {a.seeds} trainings are there')
    preset, got, main_w = Preset.of('alta-pocket'), {}, next(iter(wordings()))
    cache = ImageCache(a.out/'films', preset.decode); some = lesions(smp, tok, preset, cache, 32)[0]
    for k,i in [(k, i) for k,o in done.items() for i in o]:
        if time.time()-start > a.seconds: return
        o = answers(a, k, i, smp, tok, lab, some, cache)
        o['zero'] = {w: np.array(x) for w,x in o['zero'].items()}
        got.setdefault(k, {})[i] = o
    arms = {k: of_arm(a, k, o, main_w, y, group) for k,o in got.items()}
    diff = {}
    for b,c in PAIRS:
        if not (seeds := shared(got, (b, c))): continue
        def hit(k, w): return np.array([got[k][i]['hits'][w] for i in seeds])
        diff[f'{b} - {c}'] = dict(auroc=differ(got, [(1, b), (-1, c)], y, group)) | {
            f'{w}_R@10': seed_bootstrap(np.mean, hit(b, w), hit(c, w), group=group) for w in got[b][seeds[0]]['hits']}
    gain = gains(got, y, group)
    save_json(a.results/'mmclip.json', jsonable(dict(
        data='phantom, lifelike-easy, 128 px', seeds=a.seeds,
        arguments=dict(val=a.val, test=a.test, epochs=a.epochs, lr=a.lr),
        test=dict(films=len(smp), patients=len(set(group))), findings=lab, arms=arms,
        differences=diff, gains=gain, flips=flips({k: o['wordings'] for k,o in arms.items()}),
        provenance=provenance())))
    for k,o in arms.items(): print(f"{k:16} AUROC {o['auroc']}  {o['seconds']:.0f} s")
    def told(o): return f"{o['value']:.3f} [{o['low']:.3f}, {o['high']:.3f}], {o['seeds']} trainings"
    for k,o in diff.items(): print(f"{k:30} {told(o['auroc'])}")
    for n,o in gain.items(): print(f'films with {n} pairs:', '; '.join(f'over {k} {told(v)}' for k,v in o.items()))

if __name__ == '__main__': torch.set_num_threads(1); main()
