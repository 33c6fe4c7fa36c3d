"""A training step of ALTA: absent films skipped (mode 'clean') beside all four slots encoded (mode 'faithful').

    python benchmarks/alta_step.py                    # ViT-S size, 1 to 4 films a sample; a few minutes on one thread
    python benchmarks/alta_step.py --size b --bs 2    # ViT-B and BERT-base: 242 million parameters, 3 GB

Both are the whole model, forward and backward of all four terms, at 224 pixels with a target of 448, on the same
random batch with weights of the same size; runs in turns, medians of process time. With all four films there, both do
the same work. The vision tower alone is timed too (masked films, forward and backward), since skipping saves only
there and in the patches of the local loss. Equality first: with four films in each slot the two modes give the same
terms from the same weights. Peak memory: growth in a step, in a process of its own."""
import argparse, sys

import torch

from _bench import growth, interleave, peak, show
from medvl.core import Batch
from medvl.methods.alta import ALTA

SIZES = {'s': dict(vision=dict(name='vit_small_patch16_224', pos='sincos'), decoder=dict(width=384, depth=4, heads=6),
                   text=dict(hidden_size=384, num_hidden_layers=12, num_attention_heads=6, intermediate_size=1536)),
         'b': {}}

def build(size, mode):
    torch.manual_seed(0)
    return ALTA.paper(mode=mode, text_up='zero', **SIZES[size]).train()

def data(bs, films, l=64):
    g = torch.Generator().manual_seed(0)
    word = torch.arange(l).expand(bs, -1).clone() - 1
    return Batch(img=torch.randn(bs, 4, 1, 224, 224, generator=g), big=torch.randn(bs, 1, 448, 448, generator=g),
                 img_msk=torch.arange(4).expand(bs, -1) < films, txt=torch.randint(5, 30000, (bs, l), generator=g),
                 txt_msk=torch.ones(bs, l, dtype=torch.bool), word=word, txt_id=torch.arange(bs))

def step(m, b):
    m.zero_grad(set_to_none=True)
    m.loss(m(b)).backward()

def tower(m, b):
    "The masked films through the vision tower, forward and backward."
    m.zero_grad(set_to_none=True)
    f, *_ = m.encode_films(b.img, b.img_msk, b.txt_msk.any(1))
    (f.glob.sum() + f.loc.sum()).backward()

def same(models, b):
    "Terms of both modes with every slot filled, from the same weights and random numbers."
    got = []
    own = models['faithful'].state_dict()  # has a missing_token of zeros, which `clean` has not
    models['faithful'].load_state_dict({**own, **models['clean'].state_dict()})
    for m in models.values():
        m.eval(); torch.manual_seed(1)
        with torch.no_grad(): got.append(m(b).terms)
        m.train()
    return all(torch.allclose(got[0][k], got[1][k], rtol=1e-4) for k in got[0])

def main():
    p = argparse.ArgumentParser()
    p.add_argument('--size', choices=list(SIZES), default='s'); p.add_argument('--bs', type=int, default=4)
    p.add_argument('--films', type=int, nargs='+', default=[1, 2, 3, 4])
    p.add_argument('--repeat', type=int, default=3)
    p.add_argument('--peak'); p.add_argument('--no-memory', action='store_true')
    a = p.parse_args(); torch.set_num_threads(1)
    if a.peak:
        m, b = build(a.size, a.peak), data(a.bs, a.films[0])
        step(m, data(1, 1)); print(growth(lambda: step(m, b))); return
    models = {k: build(a.size, k) for k in ('clean', 'faithful')}
    if not same(models, data(a.bs, 4)): sys.exit("with all films there the two modes differ")
    n = sum(o.numel() for o in models['clean'].parameters())
    print(f"ViT-{a.size.upper()}, {n/1e6:.0f} M parameters, B={a.bs}; with all films there both give equal terms")
    for k in a.films:
        b = data(a.bs, k)
        for what, f in (('whole step', step), ('vision tower', tower)):
            times = interleave({f'{what}, {mode}': lambda m=m: f(m, b) for mode, m in models.items()}, a.repeat)
            if what == 'whole step': print(f"{k} of 4 films there:")
            show(times, f'{what}, clean')
        if not a.no_memory:
            mb = {m: peak(__file__, m, '--size', a.size, '--bs', a.bs, '--films', k) for m in models}
            said = (f"{m} {'failed' if x is None else format(x, '.0f')+' MB'}" for m, x in mb.items())
            print("  growth of memory in a step:", ', '.join(said))

if __name__ == '__main__': main()
