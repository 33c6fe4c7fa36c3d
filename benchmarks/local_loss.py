"""Word-region loss, forward and backward: medvl's `local_loss` beside a loop over texts in GLoRIA's form.

    python benchmarks/local_loss.py               # GLoRIA's size at B=16, 48, 192, ALTA's at 32; five minutes or more
    python benchmarks/local_loss.py --bs 16 --d 768 --cells 361 --words 10 60
    python benchmarks/local_loss.py --results results     # and writes results/local_loss.json

Equality comes first: loss and gradients agree to 1e-5 of their size, or nothing is timed. Interleaved, one thread,
process time, the quickest of the repetitions. Growth of memory in a process of its own for each.
  loop, as GLoRIA does   words repeated for every film, two batched products and their transposes per text (re-created
                         from its description)
  loop, lean             the same loop with what torch offers today: no repeats, no copies
  pieces                 `over_texts` with attend, regions, soft_max_words: readable, every group computed again in the
                         backward pass
  medvl local_loss       film by film, packed words, Gram matrix, two maps kept for the backward pass, up to `keep`
                         bytes
  medvl, keep=0          the same, everything computed again (what large batches do)
Beside them the floors: the matrix products that loss and gradient need and nothing else, film by film, without
allocating.
  products, GLoRIA's form   scores and contexts, and two products backward for each
  products, medvl's form    Gram matrices instead of contexts; what is computed again is not counted
At B=192 medvl runs alone, once: its time, and its growth of memory beside that at B=48, both ways (the larger ratio
counts)."""
import argparse, sys, time
from pathlib import Path

import torch
import torch.nn.functional as F

from _bench import growth, interleave, peak, show
from medvl.files import provenance, save_json
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

def buffers(vs, ws, msk):
    "Words, packed, and room for maps, words, cells and Gram matrix."
    w, (n, d) = ws.detach()[msk], vs.shape[1:]
    return w, vs.new_empty(len(w), n), torch.empty_like(w), vs.new_empty(n, d), vs.new_empty(n, n)

def floor_contexts(vs, ws, msk):
    w, a, dw, dv, _ = buffers(vs, ws, msk)
    for v in vs.detach():
        for _ in range(2):   # scores, contexts, cells' gradient; attention's gradient, words' gradient, cells' again
            torch.mm(w, v.T, out=a); torch.mm(a, v, out=dw); torch.mm(a.T, w, out=dv)

def floor_gram(vs, ws, msk):
    w, a, dw, dv, gram = buffers(vs, ws, msk); ag = torch.empty_like(a)
    for v in vs.detach():
        torch.mm(v, v.T, out=gram); torch.mm(w, v.T, out=a); torch.mm(a, gram, out=ag)                  # forward
        torch.mm(a, v, out=dw); torch.mm(a.T, w, out=dv); torch.mm(ag.T, a, out=gram); torch.mm(gram, v, out=dv)

FLOORS = {"products, GLoRIA's form": floor_contexts, "products, medvl's form": floor_gram}

def run(a, b):
    x = data(a, b)
    ref = [o.clone() for o in step(lean_loop, x)]
    for k, f in WAYS.items():
        for u, w in zip(step(f, x), ref):
            off = float((u-w).abs().max())
            if off > 1e-5*float(w.abs().max()): sys.exit(f"{k} differs from the loop: {off}")
    m = int(x[2].sum())
    print(f"B={b} D={a.d}, {a.cells} cells, {m} words in texts of {a.words[0]} to {a.words[1]}; all agree; "
          f"quickest of {a.repeat}:")
    timed = {k: lambda f=f: step(f, x) for k, f in WAYS.items()} | {k: lambda f=f: f(*x) for k, f in FLOORS.items()}
    times = interleave(timed, a.repeat, min)
    show(times, 'medvl local_loss')
    grown = {k: peak(__file__, k, *args(a, b)) for k in WAYS}
    print("  growth of memory:", ', '.join(f"{k} {o:.0f} MB" for k, o in grown.items()))
    r = dict(d=a.d, cells=a.cells, words=a.words, packed=m, seconds=times, growth_mb=grown)
    r['ratios'] = ratios(r)
    print("  medvl:", ', '.join(f"{k} {o:.2f}" for k, o in r['ratios'].items()))
    return r

def ratios(r):
    "medvl beside the loop as GLoRIA does it, and beside both floors; `times_floor`: the lower of them."
    t, m, me, loop = r['seconds'], r['growth_mb'], 'medvl local_loss', 'loop, as GLoRIA does'
    gloria, own = (t[me]/t[k] for k in FLOORS)
    return dict(times_faster=t[loop]/t[me], share_of_memory=m[me]/m[loop], times_floor=max(gloria, own),
                times_gloria_floor=gloria, times_own_floor=own)

def large(a, b, small):
    "medvl alone with `b` pairs: seconds of one step, and growth of memory beside `small`, the MB at B=48."
    grown = {k: peak(__file__, k, *args(a, b)) for k in ('medvl local_loss', 'medvl, keep=0')}
    x = data(a, b); t0 = time.process_time(); step(local_loss, x); t = time.process_time()-t0
    more = {k: m/small[k] for k, m in grown.items()}
    print(f"B={b}: medvl local_loss {t:.1f} s; growth of memory, and beside that at B=48:",
          ', '.join(f"{k} {m:.0f} MB, {more[k]:.2f} x" for k, m in grown.items()))
    return dict(d=a.d, cells=a.cells, words=a.words, packed=int(x[2].sum()), seconds={'medvl local_loss': t},
                growth_mb=grown, ratios=dict(memory_to_48=max(more.values())))

def args(a, b): return ['--bs', b, '--d', a.d, '--cells', a.cells, '--words', *a.words]

def main():
    p = argparse.ArgumentParser()
    p.add_argument('--bs', type=int, nargs='+'); p.add_argument('--d', type=int, default=768)
    p.add_argument('--cells', type=int, default=361)
    p.add_argument('--words', type=int, nargs=2, default=[10, 60]); p.add_argument('--repeat', type=int, default=5)
    p.add_argument('--results', type=Path); p.add_argument('--peak')
    a = p.parse_args(); torch.set_num_threads(1)
    if a.peak:
        small, x = argparse.Namespace(d=8, cells=9, words=[2, 4]), data(a, a.bs[0])
        step(WAYS[a.peak], data(small, 3))
        print(growth(lambda: step(WAYS[a.peak], x))); return
    found = {f'B={b}': run(a, b) for b in a.bs or [16, 48]}
    if not a.bs:
        found['B=192'] = large(a, 192, found['B=48']['growth_mb'])
        a.d, a.cells = 128, 196; found['B=32, ALTA'] = run(a, 32)
    if a.results: save_json(a.results/'local_loss.json', dict(runs=found, threads=1, provenance=provenance()))

if __name__ == '__main__': main()
