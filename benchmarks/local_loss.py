"""Word-region loss, forward and backward: medvl's `local_loss` beside a loop over texts in GLoRIA's form.

    python benchmarks/local_loss.py               # GLoRIA's size at B=16 and 48, ALTA's at B=32; about three minutes
    python benchmarks/local_loss.py --memory      # growth of memory at B=48 and B=192 too; some minutes more
    python benchmarks/local_loss.py --bs 16 --d 768 --cells 361 --words 10 60
    python benchmarks/local_loss.py --results results     # and writes results/local_loss.json

Equality comes first: loss and gradients agree to 1e-5 of their size, or nothing is timed. Interleaved, one thread,
medians of process time.
  loop, as GLoRIA does   words repeated for every film, two batched products and their transposes per text (re-created
                         from its description)
  loop, lean             the same loop with what torch offers today: no repeats, no copies
  pieces                 `over_texts` with attend, regions, soft_max_words: readable, every group computed again in the
                         backward pass
  medvl local_loss       packed words, Gram matrix, maps kept while they are small
  medvl, keep=0          the same, maps always computed again (what large batches do)
The floor is the matrix products of GLoRIA's form and nothing else: scores and contexts forward, twice that
backward."""
import argparse, sys
from pathlib import Path

import torch
import torch.nn.functional as F

from _bench import growth, interleave, peak, show
from medvl.core import provenance, save_json
from medvl.losses.contrastive import contrast
from medvl.losses.local import attend, local_loss, over_texts, regions, soft_max_words

def gloria_loop(vs, ws, msk, s1=4., s2=5.):
    b, n, d = vs.shape; ctx, out = vs.transpose(1, 2).contiguous(), []
    for k, w in zip(msk.sum(1).tolist(), ws):
        w = w[:k].T.unsqueeze(0).repeat(b, 1, 1)
        a = torch.bmm(ctx.transpose(1, 2).contiguous(), w).view(b*n, k)
        a = F.softmax(a, dim=-1).view(b, n, k).transpose(1, 2).contiguous().view(b*k, n)
        a = F.softmax(a*s1, dim=-1).view(b, k, n)
        c = torch.bmm(ctx, a.transpose(1, 2).contiguous()).transpose(1, 2).contiguous().view(b*k, d)
        w = w.transpose(1, 2).contiguous().view(b*k, d)
        sim = ((w*c).sum(1)/(w.norm(2, 1)*c.norm(2, 1)).clamp(min=1e-8)).view(b, k)
        out.append((sim*s2).exp().sum(1).log())
    return contrast(10*torch.stack(out, 1))

def lean_loop(vs, ws, msk, s1=4., s2=5.):
    out = []
    for k, w in zip(msk.sum(1).tolist(), ws):
        w = w[:k]
        A = (s1*(vs@w.T).softmax(-1)).transpose(1, 2).softmax(-1)
        out.append((s2*F.cosine_similarity(A@vs, w[None], dim=-1)).logsumexp(-1))
    return contrast(10*torch.stack(out, 1))

def pieces(vs, ws, msk):
    def score(vs, words, lens):
        c = regions(attend(words, vs, lens, 4.), vs)
        return soft_max_words(F.cosine_similarity(c, words[:, None], dim=-1), lens, 5.)
    return contrast(10*over_texts(score, vs, ws, msk))

WAYS = {'loop, as GLoRIA does': gloria_loop, 'loop, lean': lean_loop, 'pieces': pieces, 'medvl local_loss': local_loss,
        'medvl, keep=0': lambda vs, ws, msk: local_loss(vs, ws, msk, keep=0)}

def data(a, b):
    torch.manual_seed(0)
    lens = torch.randint(a.words[0], a.words[1]+1, (b,))
    vs, ws = (.3*torch.randn(b, n, a.d) for n in (a.cells, a.words[1]))
    return vs.requires_grad_(), ws.requires_grad_(), torch.arange(a.words[1])[None] < lens[:, None]

def step(f, x):
    x[0].grad = x[1].grad = None
    loss = f(*x); loss.backward()
    return [loss.detach(), x[0].grad, x[1].grad]

def floor(vs, ws, msk):
    with torch.no_grad():
        w, v, b = ws[msk], vs.flatten(0, 1), len(vs)
        for _ in range(3): (w@v.T).view(len(w), b, -1).transpose(0, 1) @ vs

def run(a, b):
    x = data(a, b)
    ref = [o.clone() for o in step(lean_loop, x)]
    for k, f in WAYS.items():
        for u, w in zip(step(f, x), ref):
            off = float((u-w).abs().max())
            if off > 1e-5*float(w.abs().max()): sys.exit(f"{k} differs from the loop: {off}")
    print(f"B={b} D={a.d}, {a.cells} cells, {int(x[2].sum())} words in texts of {a.words[0]} to {a.words[1]}; "
          f"all agree; median of {a.repeat}:")
    timed = {k: lambda f=f: step(f, x) for k, f in WAYS.items()} | {'floor: matrix products': lambda: floor(*x)}
    times = interleave(timed, a.repeat)
    show(times, 'medvl local_loss')
    print(f"  medvl is {times['medvl local_loss']/times['floor: matrix products']:.2f} x its floor")
    grown = {k: peak(__file__, k, *args(a, b)) for k in WAYS}
    print("  growth of memory:", ', '.join(f"{k} {m:.0f} MB" for k, m in grown.items()))
    return dict(d=a.d, cells=a.cells, words=a.words, seconds=times, growth_mb=grown)

def ratios(r):
    "medvl beside the loop as GLoRIA does it, and beside the floor."
    t, m, me, loop = r['seconds'], r['growth_mb'], 'medvl local_loss', 'loop, as GLoRIA does'
    floor = t['floor: matrix products']
    return dict(times_faster=t[loop]/t[me], share_of_memory=m[me]/m[loop], times_floor=t[me]/floor)

def args(a, b): return ['--bs', b, '--d', a.d, '--cells', a.cells, '--words', *a.words]

def main():
    p = argparse.ArgumentParser()
    p.add_argument('--bs', type=int, nargs='+'); p.add_argument('--d', type=int, default=768)
    p.add_argument('--cells', type=int, default=361)
    p.add_argument('--words', type=int, nargs=2, default=[10, 60]); p.add_argument('--repeat', type=int, default=5)
    p.add_argument('--results', type=Path); p.add_argument('--peak'); p.add_argument('--memory', action='store_true')
    a = p.parse_args(); torch.set_num_threads(1)
    if a.peak:
        small, x = argparse.Namespace(d=8, cells=9, words=[2, 4]), data(a, a.bs[0])
        step(WAYS[a.peak], data(small, 3))
        print(growth(lambda: step(WAYS[a.peak], x))); return
    found = {f'B={b}': run(a, b) for b in a.bs or [16, 48]}
    if not a.bs: a.d, a.cells = 128, 196; found['B=32, ALTA'] = run(a, 32); a.d, a.cells = 768, 361
    res = dict(runs={k: r | dict(ratios=ratios(r)) for k, r in found.items()}, threads=1)
    if a.memory:
        m = {b: peak(__file__, 'medvl local_loss', *args(a, b)) for b in (48, 192)}
        print(f"growth of memory of medvl local_loss: {m[48]:.0f} MB at B=48, {m[192]:.0f} MB at B=192: "
              f"{m[192]/m[48]:.2f} x")
        res['memory'] = dict(growth_mb={f'B={b}': v for b, v in m.items()}, ratio=m[192]/m[48])
    if a.results: save_json(a.results/'local_loss.json', res | dict(provenance=provenance()))

if __name__ == '__main__': main()
