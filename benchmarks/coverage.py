"""How often intervals hold the true value, and how often a difference of equal systems is called significant.

    python benchmarks/coverage.py                       # some minutes on one thread; writes results/coverage.json
    python benchmarks/coverage.py --reps 50 --out /dev/null

Simulated test sets of n films, each film a patient or four films a patient (their scores correlate by .5, their labels
by .6): AUROC and AUPRC of normal scores at a prevalence, R@k and MRR of ranks, and the mean of a skewed score.
*Before* is the percentile bootstrap (whole patients drawn), *now* what `eval.metrics` gives. A set with fewer than
two patients of a class has no interval and is counted apart. Then p-values of two equally good systems on the same
films, and the time of both ways in turns."""
import argparse, time
from functools import lru_cache

import numpy as np
from scipy.stats import norm

from medvl.eval.metrics import (Interval, OneClass, auprc, auprc_draws, auprc_interval, auroc, auroc_draws,
                                auroc_interval, draw_counts, mean_interval, paired_bootstrap)
from medvl.files import provenance, save_json

def normals(rng, n, g):
    "Standard normal, of one patient correlated by .5."
    if g == 1: return rng.standard_normal(n)
    return (np.repeat(rng.standard_normal(n//g), g)+rng.standard_normal(n))/np.sqrt(2)

def draws(rng, n, g, n_boot):
    "How often each film counts in each draw of whole patients."
    return rng.multinomial(n//g, np.full(n//g, g/n), n_boot).repeat(g, 1)

def labels(rng, n, p, g):
    if g == 1: return (rng.random(n) < p).astype(int)
    own = np.repeat(rng.random(n//g) < p, g)
    return np.where(rng.random(n) < .6, own, rng.random(n) < p).astype(int)

def reciprocal(z, p):
    "1/rank where a share `p` is found at once and the others spread over ranks 2 to 1000, evenly in the logarithm."
    u = norm.cdf(z)
    return np.where(u < p, 1., 1/np.floor(np.exp(np.log(2)+np.clip((u-p)/(1-p), 0, 1)*np.log(500))))

@lru_cache
def truth(kind, p, a, d):
    "The value in the population."
    if kind in ('AUROC','R@k','mean'): return {'AUROC': a, 'R@k': p, 'mean': float(np.exp(2*p*p))}[kind]
    rng = np.random.default_rng(9); z = rng.standard_normal(1_000_000)
    if kind == 'MRR': return float(reciprocal(z, p).mean())
    y = rng.random(len(z)) < p
    return auprc(z+d*y, y.astype(int))

def both(kind, rng, n, p, d, g, n_boot):
    "The interval before and now of one simulated test set; None: a class has fewer than two patients."
    who = None if g == 1 else np.repeat(np.arange(n//g), g)
    z, unit = normals(rng, n, g), np.arange(n)//g
    w = draws(rng, n, g, n_boot)
    if kind in ('AUROC','AUPRC'):
        y = labels(rng, n, p, g)
        if min(len(set(unit[y == o])) for o in (0, 1)) < 2: return None
        value, drawn, now = ((auroc, auroc_draws, auroc_interval) if kind == 'AUROC' else
                             (auprc, auprc_draws, auprc_interval))
        s = z+d*y
        try: old = Interval.of(value(s, y), drawn(s, y, w))
        except OneClass: old = None
        return old, now(s, y, who)
    x = (z < norm.ppf(p)).astype(float) if kind == 'R@k' else reciprocal(z, p) if kind == 'MRR' else np.exp(2*p*z)
    return Interval.of(x.mean(), w @ x/w.sum(1)), mean_interval(x, who, None if kind == 'mean' else (0, 1))

def cell(kind, n, p, a, g, reps, n_boot, seed):
    "Coverage and mean width of both in one setting."
    d = np.sqrt(2)*norm.ppf(a) if a else 0.
    rng, true = np.random.default_rng([seed, n, int(1000*p), int(1000*(a or 0)), g]), truth(kind, p, a, d)
    n, got = n//g*g, []
    for _ in range(reps): got.append(both(kind, rng, n, p, d, g, n_boot))
    had = [o for o in got if o is not None]
    def share(i): return float(np.mean([o[i] is not None and o[i].low <= true <= o[i].high for o in had]))
    def width(i): return float(np.nanmean([np.nan if o[i] is None else o[i].high-o[i].low for o in had]))
    return dict(score=kind, n=n, prevalence=p, auroc=a, films_of_a_patient=g, true=true, sets=len(had),
                without=reps-len(had),
                **(dict(before=share(0), now=share(1), width_before=width(0), width_now=width(1)) if had else
                   dict(now=None)),
                few=float(np.mean([o[1].few is not None for o in had])) if had else None)

def percentile_p(d): return min(1, 2*(1+min((d <= 0).sum(), (d >= 0).sum()))/(len(d)+1))

def rejected(n, p, g, reps, n_boot, seed):
    "How often two equally good systems differ by p < .05, before and now."
    rng, n, who, got = np.random.default_rng([seed, n, int(1000*p), g]), n//g*g, None, []
    if g > 1: who = np.repeat(np.arange(n//g), g)
    for _ in range(reps):
        film = normals(rng, n, g); a, b = ((film+rng.standard_normal(n))/np.sqrt(2) for _ in 'ab')
        w, y = draws(rng, n, g, n_boot), (rng.random(n) < p).astype(int); row = {}
        for k,f in {'R@k': lambda z: (z < norm.ppf(p)).astype(float), 'MRR': lambda z: reciprocal(z, p)}.items():
            row[k] = percentile_p(w @ (f(a)-f(b))/w.sum(1)), paired_bootstrap(np.mean, f(a), f(b), group=who).p
        if 2 <= y.sum() <= n-2 and (y.sum() > 4 or g == 1):
            old = auroc_draws(a+y, y, w)-auroc_draws(b+y, y, w)
            try: row['AUROC'] = percentile_p(old[np.isfinite(old)]), paired_bootstrap(auroc, a+y, b+y, y, group=who).p
            except OneClass: pass
        got.append(row)
    return [dict(score=k, n=n, share=p, films_of_a_patient=g, pairs=len(o := np.array([r[k] for r in got if k in r])),
                 before=float((o[:,0] < .05).mean()), now=float((o[:,1] < .05).mean())) for k in ('R@k','MRR','AUROC')]

def speed(n_boot=1000, repeat=5):
    "Time of the percentile bootstrap over that of today's interval, in turns in one run."
    rng, out = np.random.default_rng(0), {}
    for n in (300, 3000):
        y, who = (rng.random(n) < .1).astype(int), np.arange(n)//3; s, x = y+rng.standard_normal(n), rng.random(n)
        ways = {'AUROC': (lambda: auroc_draws(s, y, draw_counts(n, who, n_boot)), lambda: auroc_interval(s, y, who)),
                'mean': (lambda: draw_counts(n, who, n_boot) @ x, lambda: mean_interval(x, who, (0, 1)))}
        for k,fs in ways.items():
            times = np.zeros((repeat, 2))
            for i in range(repeat):
                for j,f in enumerate(fs): t0 = time.process_time(); f(); times[i,j] = time.process_time()-t0
            t = times.min(0); out[f'{k}, {n} films'] = dict(before_ms=1e3*t[0], now_ms=1e3*t[1], ratio=t[0]/t[1])
    return out

LINE = ('{score:6s} n {n:4d} prevalence {prevalence} AUROC {auroc} films a patient {films_of_a_patient}: '
        '{before:.3f} -> {now:.3f}')

def main():
    p = argparse.ArgumentParser()
    p.add_argument('--reps', type=int, default=250); p.add_argument('--n-boot', type=int, default=200)
    p.add_argument('--seed', type=int, default=0); p.add_argument('--out', default='results/coverage.json')
    a = p.parse_args(); cells, tests = [], []
    for g in (1, 4):
        for n in (25, 100, 400):
            for q in (.03, .1, .5):
                for kind in ('AUROC','AUPRC','R@k','MRR','mean'):
                    for auc in ((.7, .95) if kind.startswith('AU') else (None,)):
                        cells.append(cell(kind, n, q, auc, g, a.reps, a.n_boot, a.seed)); o = cells[-1]
                        if o['now'] is not None: print(LINE.format(**o), flush=True)
            for q in (.1, .5): tests += rejected(n, q, g, a.reps, a.n_boot, a.seed)
    for o in tests: print('p < .05', LINE.replace('prevalence', 'share').replace('AUROC {auroc} ', '').format(**o))
    fast = speed(); print(fast)
    save_json(a.out, dict(task='coverage', data='simulated', arguments=vars(a), provenance=provenance(), level=.95,
                          cells=cells, tests=tests, speed=fast))

if __name__ == '__main__': main()
