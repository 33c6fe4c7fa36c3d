"""Contrastive loss, forward and backward: medvl's one matrix product beside open_clip's two.

    python benchmarks/clip_loss.py                    # B = 256, 1024, 4096, D = 512, one thread; about a minute
    python benchmarks/clip_loss.py --bs 4096 --repeat 9

Equality comes first: loss and all gradients must agree to 1e-5 of their size, or nothing is timed. Runs are
interleaved; medians of process time. Where open_clip can be imported its own `ClipLoss` runs; else a re-creation from
what it does on one GPU: logits of images against texts, logits of texts against images by a second product, two
cross-entropies. The floor is three products of that size and nothing else: one for the logits, two for the gradients.
Peak memory: growth in a process of its own."""
import argparse, sys

import torch
import torch.nn.functional as F

from _bench import growth, interleave, peak, show
from medvl.losses.contrastive import clip_loss

def two_products(v, t, scale):
    "open_clip's form, re-created from its description."
    lbl = torch.arange(len(v))
    return (F.cross_entropy(scale*v@t.T, lbl) + F.cross_entropy(scale*t@v.T, lbl))/2

def open_clip_loss():
    try: from open_clip.loss import ClipLoss
    except ImportError: return two_products, 'open_clip (re-created)'
    import open_clip
    return ClipLoss(), f'open_clip {open_clip.__version__} ClipLoss'

def data(b, d):
    torch.manual_seed(0)
    v, t = (F.normalize(torch.randn(b, d), dim=-1).requires_grad_() for _ in range(2))
    return v, t, torch.tensor(1/.07).requires_grad_()

def step(f, x):
    for o in x: o.grad = None
    loss = f(*x); loss.backward()
    return [loss.detach(), *(o.grad for o in x)]

def floor(v, t):
    with torch.no_grad():
        s = v @ t.T; s @ t; s.T @ v

def main():
    p = argparse.ArgumentParser()
    p.add_argument('--bs', type=int, nargs='+', default=[256, 1024, 4096])
    p.add_argument('--d', type=int, default=512)
    p.add_argument('--repeat', type=int, default=7); p.add_argument('--peak')
    a = p.parse_args(); torch.set_num_threads(1)
    other, name = open_clip_loss()
    ways = {'medvl clip_loss': clip_loss, name: other}
    if a.peak:
        step(ways[a.peak], data(64, a.d)); x = data(a.bs[0], a.d)
        print(growth(lambda: step(ways[a.peak], x))); return
    for b in a.bs:
        x = data(b, a.d)
        for u, w in zip(step(clip_loss, x), [o.clone() for o in step(other, x)]):
            if (u-w).abs().max() > 1e-5*w.abs().max().clamp(min=1e-8): sys.exit(f"B={b}: the losses differ")
        timed = {k: lambda f=f: step(f, x) for k, f in ways.items()} | {'floor: three products': lambda: floor(*x[:2])}
        times = interleave(timed, a.repeat)
        print(f"B={b} D={a.d}, loss and gradients agree; forward and backward, median of {a.repeat}:")
        show(times, 'medvl clip_loss')
    print(f"growth of memory, B={b}:")
    for k in ways: print(f"  {k:44s} {peak(__file__, k, '--bs', b, '--d', a.d):9.0f} MB")

if __name__ == '__main__': main()
