"""Tokens a second of the report decoder, with and without the key-value cache; greedy and with a beam of 3.

    python benchmarks/generate.py                    # the size of R2Gen, 196 tokens of 768 numbers; about two minutes
    python benchmarks/generate.py --small --bs 4

Equality comes first: both ways must write the same tokens. Every report is written to its full length, so that
random weights do not decide how long it is. Runs are interleaved; medians of process time."""
import argparse, sys

import torch

from _bench import interleave
from medvl.models.decoder import ReportDecoder, write_ids

def main():
    p = argparse.ArgumentParser()
    p.add_argument('--bs', type=int, default=8); p.add_argument('--repeat', type=int, default=3)
    p.add_argument('--lens', type=int, nargs='+', default=[30, 60, 100])
    p.add_argument('--small', action='store_true')
    a = p.parse_args()
    torch.manual_seed(0); torch.set_num_threads(1)
    dec = (ReportDecoder.small if a.small else ReportDecoder)(768, 760, max_len=max(a.lens)).eval()
    loc = torch.randn(a.bs, 196, 768)
    print(f"{'small' if a.small else 'R2Gen'} size, {sum(p.numel() for p in dec.parameters())/1e6:.1f} M parameters, "
          f"{a.bs} films at a time, one thread")
    for beam in (1, 3):
        for n in a.lens:
            how = dict(beam=beam, max_len=n, min_length=n)
            ways = {c: lambda c=c, how=how: write_ids(dec, loc, cache=c, **how) for c in (True, False)}
            if ways[True]() != ways[False](): sys.exit(f'beam {beam}, {n} tokens: the two ways write other reports')
            t = interleave(ways, a.repeat)
            rate = {c: a.bs*(n-1)/s for c, s in t.items()}
            print(f"  {'greedy' if beam == 1 else f'beam {beam}'}, {n:3d} tokens: {rate[True]:7.0f} tokens/s with the "
                  f"cache, {rate[False]:7.0f} without, {t[False]/t[True]:5.1f} times")

if __name__ == '__main__': main()
