"""Retrieval ranks in both directions: medvl's block counting beside open_clip's chunked evaluation and a full sort.

    python benchmarks/retrieval_metrics.py            # N=5,000 timed, N=5,000 and 20,000 for memory; about two minutes
    python benchmarks/retrieval_metrics.py --n 1000 --repeat 5

Equality comes first: on the same embeddings all three must give the same numbers, or nothing is timed. The runs are
interleaved, on one thread, and the best process time of each counts. Peak memory is measured in a fresh process for
each way, over what the embeddings themselves need. If a version of open_clip with `open_clip_train.metrics` is
installed, that very function runs; else a re-creation of what it does: square blocks of 4,096, the right scores taken
first from the diagonal blocks, one product for both directions, and of two equal scores the earlier candidate first.
The full sort is the older way, `argsort` of the whole matrix (what open_clip 3.3.0 and most copies of it do)."""
import argparse, re, subprocess, sys, time
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import normalize

from medvl.eval.retrieval import match_ranks, rank_metrics

KS = (1, 5, 10)

def data(n, d=512, seed=0):
    "Pairs that fit moderately well, so that ranks are spread."
    g = torch.Generator().manual_seed(seed)
    v = torch.randn(n, d, generator=g)
    return normalize(v, dim=1), normalize(.12*v+torch.randn(n, d, generator=g), dim=1)

def named(i2t, t2i):
    both = rank_metrics('image_to_text', i2t, KS)|rank_metrics('text_to_image', t2i, KS)
    return {k: x for k, x in both.items() if 'MRR' not in k}

def medvl(v, t): return named(*match_ranks(v, t, torch.arange(len(v)), torch.arange(len(t))))

def full_sort(v, t):
    s, own, res = v @ t.T, torch.arange(len(v))[:, None], []
    for m in (s, s.T): res.append(1+torch.where(m.argsort(descending=True) == own)[1])
    return named(*res)

def chunked(v, t, side=4096):
    "open_clip's chunked evaluation, re-created from its description."
    n, own = len(v), torch.arange(len(v))
    cuts = [slice(i, min(i+side, n)) for i in range(0, n, side)]
    goal = torch.cat([(v[c] @ t[c].T).diagonal() for c in cuts])
    rank = [torch.ones(n, dtype=torch.long), torch.ones(n, dtype=torch.long)]
    for r in cuts:
        for c in cuts:
            s, i, j = v[r] @ t[c].T, own[r, None], own[None, c]
            rank[0][r] += ((s > goal[r, None]) | ((s == goal[r, None]) & (j < i))).sum(1)
            rank[1][c] += ((s > goal[None, c]) | ((s == goal[None, c]) & (i < j))).sum(0)
    return named(*rank)

def open_clip_way():
    "The real function where it can be imported, else the re-creation; and which one it is."
    try: from open_clip_train.metrics import get_clip_metrics
    except ImportError: return chunked, 'open_clip chunked (re-created)'
    return lambda v, t: get_clip_metrics(v, t, 1.), 'open_clip chunked (installed)'

def same(a, b): # but for the median, which open_clip floors
    return all(abs(float(a[k])-float(b[k])) < 1e-9 for k in a if 'median' not in k)

def high_water(reset=False):
    "Highest resident memory of this process in MB (Linux), since the start or the last reset."
    if reset: Path('/proc/self/clear_refs').write_text('5')
    return int(re.search(r'VmHWM:\s+(\d+)', Path('/proc/self/status').read_text())[1])/1024

def peak(way, n):
    "MB over the embeddings, in a process of its own; None if it ended early."
    r = subprocess.run([sys.executable, __file__, '--peak', way, '--n', str(n)], capture_output=True, text=True)
    return float(r.stdout) if r.returncode == 0 else None

def main():
    p = argparse.ArgumentParser()
    p.add_argument('--n', type=int, default=5000); p.add_argument('--repeat', type=int, default=3)
    p.add_argument('--peak'); p.add_argument('--no-memory', action='store_true')
    a = p.parse_args()
    torch.set_num_threads(1)
    other, name = open_clip_way()
    ways = {'medvl match_ranks': medvl, name: other, 'full argsort': full_sort}
    if a.peak:
        v, t = data(a.n); medvl(v[:100], t[:100]); before = high_water(reset=True)
        ways[a.peak](v, t); print(high_water()-before); return
    v, t = data(a.n)
    got = {k: f(v, t) for k, f in ways.items()}
    ref = got['full argsort']
    for k, g in got.items():
        if not same(ref, g): sys.exit(f"{k} disagrees with the full sort: {g} != {ref}")
    print(f"N={a.n} D={v.shape[1]}: all ways agree; image_to_text_R@1 {ref['image_to_text_R@1']:.4f}, "
          f"text_to_image_R@10 {ref['text_to_image_R@10']:.4f}")
    ways['matrix product alone'] = lambda v, t: v @ t.T
    best = dict.fromkeys(ways, np.inf)
    for _ in range(a.repeat):
        for k, f in ways.items():
            t0 = time.process_time(); f(v, t); best[k] = min(best[k], time.process_time()-t0)
    base = best['medvl match_ranks']
    for k, s in best.items(): print(f"{k:34s} {s*1e3:8.0f} ms  {s/base:6.2f} x medvl")
    if a.no_memory: return
    for n in (5000, 20000):
        print(f"peak memory over the embeddings, N={n}:")
        for k in list(ways)[:3]:
            if k == 'full argsort' and n > 5000:
                print(f"{k:34s}  not run: matrix, order and comparison need about {n*n*(4+8+1)/1e9:.1f} GB"); continue
            mb = peak(k, n); print(f"{k:34s} {mb:8.0f} MB" if mb is not None else f"{k:34s}   failed")

if __name__ == '__main__': main()
