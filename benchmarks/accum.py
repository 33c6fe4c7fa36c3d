"""A step of CLIP on a batch of B: whole, in parts with one contrast (models.chunks), and plain accumulation.

    python benchmarks/accum.py                     # B = 64 in parts of 8, CLIP.small, one thread; about two minutes
    python benchmarks/accum.py --bs 128 --part 16 --out results/accum.json

Equality comes first: the gradient in parts must be that of the whole batch to 1e-5 of its length, or nothing is timed;
plain accumulation is another step, and by how much is printed. Times are interleaved medians of process time; peak
memory is the growth in a process of its own."""
import argparse, json, subprocess, sys
from pathlib import Path

import torch

from _bench import growth, interleave, show
from medvl.core import Batch
from medvl.files import provenance
from medvl.methods.clip import CLIP
from medvl.models.chunks import in_chunks

def made(b):
    "A small CLIP without dropout, so that the steps can be compared, and a batch of noise."
    torch.manual_seed(0)
    bert = dict(hidden_size=192, num_hidden_layers=4, num_attention_heads=3, intermediate_size=768, vocab_size=1000,
                max_position_embeddings=64, hidden_dropout_prob=0., attention_probs_dropout_prob=0.)
    txt = torch.randint(5, 1000, (b, 48))
    return CLIP.small(text=bert).train(), Batch(img=torch.randn(b, 1, 128, 128), txt=txt,
                                                    txt_msk=torch.ones_like(txt).bool())

def step(m, batch, part, how):
    "Loss and gradient of one step."
    m.zero_grad()
    in_chunks(m, part if how == 'parts' else None)
    b = batch.bs
    parts = [slice(i, i+part) for i in range(0, b, part)] if how == 'accum' else [slice(0, b)]
    loss = 0.
    for at in parts:
        one = m.loss(m(Batch({k: v[at] for k, v in batch.items()})))*len(batch.txt[at])/b
        one.backward(); loss += one.item()
    in_chunks(m, None)
    return loss, torch.cat([p.grad.flatten() for p in m.parameters() if p.grad is not None])

WAYS = {'whole batch': 'whole', 'in parts, one contrast': 'parts', 'plain accumulation': 'accum'}

def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--bs', type=int, default=64); p.add_argument('--part', type=int, default=8)
    p.add_argument('--repeat', type=int, default=3); p.add_argument('--threads', type=int, default=1)
    p.add_argument('--out', type=Path); p.add_argument('--peak')
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    m, batch = made(a.bs)
    if a.peak: return print(growth(lambda: step(m, batch, a.part, a.peak)))
    got = {k: step(m, batch, a.part, how) for k, how in WAYS.items()}
    want = got['whole batch'][1]
    off = {k: ((g-want).norm()/want.norm()).item() for k, (_, g) in got.items()}
    assert off['in parts, one contrast'] < 1e-5, off
    times = interleave({k: lambda how=how: step(m, batch, a.part, how) for k, how in WAYS.items()}, a.repeat)
    mem = {k: peak_of(a, how) for k, how in WAYS.items()}
    print(f'CLIP.small, B = {a.bs}, parts of {a.part}, {a.threads} thread(s)')
    show(times, 'whole batch')
    for k in WAYS: print(f'  {k:44s} peak {mem[k]:7.0f} MB   loss {got[k][0]:.4f}   gradient off by {off[k]:.1e}')
    if a.out:
        rows = [dict(way=k, seconds=times[k], peak_mb=mem[k], loss=got[k][0], gradient_off=off[k]) for k in WAYS]
        args = {k: v for k, v in vars(a).items() if k not in ('out', 'peak')}
        said = dict(benchmark='accum', arguments=args, rows=rows, provenance=provenance())
        a.out.write_text(json.dumps(said, indent=1)+'\n')

def peak_of(a, how):
    "Peak memory of one way, in a process of its own."
    r = subprocess.run([sys.executable, __file__, '--bs', str(a.bs), '--part', str(a.part), '--peak', how],
                       capture_output=True, text=True, check=True)
    return float(r.stdout.split()[-1])

if __name__ == '__main__': main()
