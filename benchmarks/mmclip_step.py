"""A training step of MMCLIP beside CLIP's, and what each part adds.

    python benchmarks/mmclip_step.py [--results results]      # small towers, 128 pixels, 32 pairs; a minute

Forward and backward on the same random batch with towers of one size; runs in turns, medians of process time, and
multiply-adds of a step (`models.compute`). AttMIM at the feature stage takes one pass of the image encoder, at the
input stage a second one over the visible patches; EntMLM takes a second pass of the report encoder. Equality first:
with the extra weights at 0 the terms are CLIP's."""
import argparse
from pathlib import Path

import torch

from _bench import interleave, show
from medvl.core import Batch
from medvl.files import jsonable, provenance, save_json
from medvl.methods.clip import CLIP
from medvl.methods.mmclip import MMCLIP
from medvl.models.compute import count_step
from medvl.run.stages import FILMS, REPORTS

SIZE = dict(vision=FILMS, text=REPORTS | dict(vocab_size=3000), size=128, dim=128)
PARTS = dict(decoder=dict(width=128, depth=1, heads=4), depth=1, heads=4, mask_id=4)
WAYS = {'CLIP': None, 'all extra weights 0': dict(weights=dict(prompt=0, mim=0, mlm=0)),
        'AttMIM, feature stage': dict(weights=dict(prompt=0, mlm=0)),
        'AttMIM, input stage': dict(weights=dict(prompt=0, mlm=0), stage='input'),
        'random patches, feature stage': dict(weights=dict(prompt=0, mlm=0), guide='random'),
        'EntMLM': dict(weights=dict(prompt=0, mim=0)), 'AttMIM and EntMLM': {}}

def build(k):
    torch.manual_seed(0)
    return (CLIP(**SIZE) if WAYS[k] is None else MMCLIP(**SIZE, **PARTS, **WAYS[k])).train()

def data(bs, l=40):
    g = torch.Generator().manual_seed(0); at = torch.arange(l)
    word = torch.where((at > 0) & (at < l-1), (at-1)//2, -1).expand(bs, -1)
    return Batch(img=torch.randn(bs, 1, 1, 128, 128, generator=g), img_msk=torch.ones(bs, 1, dtype=torch.bool),
                 txt=torch.randint(5, 3000, (bs, l), generator=g), txt_msk=torch.ones(bs, l, dtype=torch.bool),
                 word=word, term=torch.where(word%3 == 0, word, -1), txt_id=torch.arange(bs),
                 prompt=torch.randint(5, 3000, (bs, 8), generator=g), prompt_id=torch.arange(bs))

def step(m, b):
    m.zero_grad(set_to_none=True)
    m.loss(m(b)).backward()

def main():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    p.add_argument('--bs', type=int, default=32); p.add_argument('--repeat', type=int, default=5)
    p.add_argument('--results', type=Path); a = p.parse_args()
    torch.set_num_threads(1)
    b, models = data(a.bs), {k: build(k) for k in WAYS}
    same = [models[k](b).terms['glob'].item() for k in list(WAYS)[:2]]
    assert same[0] == same[1], same
    times = interleave({k: lambda m=m: step(m, b) for k,m in models.items()}, a.repeat)
    work = {k: count_step(m, b).total for k,m in models.items()}
    show(times, 'CLIP'); print({k: round(w/work['CLIP'], 2) for k,w in work.items()})
    if a.results:
        rows = {k: dict(seconds=times[k], times=times[k]/times['CLIP'], multiply_adds=work[k],
                        work=work[k]/work['CLIP']) for k in WAYS}
        args = dict(bs=a.bs, size=128, repeat=a.repeat)
        save_json(a.results/'mmclip_step.json', jsonable(dict(arguments=args, ways=rows,
                                                              provenance=provenance())))

if __name__ == '__main__': main()
