"""Does MRM's report need the film? Four small MRMs on phantom patients: words hidden 50 or 90 %, film_norm off or on.

    OMP_NUM_THREADS=1 python benchmarks/film_worth.py --out runs/film_worth --results results

For each: what the film is worth to the report on films of unseen patients (`methods.mrm.film_worth`, nats per hidden
word, at the share of words that it was trained with), and a linear probe of the frozen tower (`benchmarks/probe.py`).
CLIP of as many steps stands beside them. All share patients, tokenizer, steps and seed; one seed. Goes on where it
stopped."""
import argparse
from dataclasses import replace
from pathlib import Path

import torch
from probe import films, probe

from medvl.files import jsonable, provenance, save_json
from medvl.data.batch import Preset, sample_loader
from medvl.data.cache import ImageCache
from medvl.methods.mrm import film_worth
from medvl.models.checkpoint import from_pretrained
from medvl.run.stages import STAGES, Stages, patients, shared_tokenizer

def variants(epochs, more):
    "Name -> run; `more`: films for each frontal, so that CLIP takes as many steps."
    m, c, out = STAGES['mrm'], STAGES['clip'], {}
    for w in (.5, .9):
        for n in (False, True):
            model = m.model | dict(word_mask=w, film_norm=n)
            out[f'words {w:.0%}, film_norm {"on" if n else "off"}'] = replace(m, epochs=epochs, model=model)
    return out | {'CLIP': replace(c, epochs=round(epochs*more))}

def worth(c, run, model, n=256):
    "Nats per hidden word on test films."
    preset = Preset.of(model.config['preset'])
    dl = sample_loader(run.draw('test')[:n], c.tok, preset, n, ImageCache(run.cache, preset.decode), max_len=c.max_len)
    return film_worth(model.eval(), next(iter(dl))[0])

def main():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    p.add_argument('--out', type=Path, required=True); p.add_argument('--results', type=Path)
    for k,v in dict(train=500, val=40, test=300, epochs=16, n_boot=200).items():
        p.add_argument(f"--{k.replace('_','-')}", type=int, default=v)
    a = p.parse_args(); a.out.mkdir(parents=True, exist_ok=True)
    data = patients(dict(train=a.train, val=a.val, test=a.test), difficulty='easy')
    tok = shared_tokenizer(a.out/'tokenizer', [s.report for s in data['train']])
    c, res = Stages(a.out, data, tok, STAGES), {}
    more = len(c.run('mrm').draw('train'))/len(c.run('clip').draw('train'))
    train, test = films(data['train']), films(data['test'])
    for i,(k,st) in enumerate(variants(a.epochs, more).items()):
        name = f'run{i}'; c.runs = {name: st}
        ran = c.train(name)
        model = from_pretrained(a.out/name/'model')
        res[k] = dict(steps=ran['steps'], multiply_adds=ran['multiply_adds'], losses=ran['val'],
                      **probe(model.vision, train, test, a.n_boot))
        if st.method == 'mrm': res[k]['worth'] = worth(c, c.run(name), model)
        said = f"worth {res[k]['worth']:.3f}" if 'worth' in res[k] else ''
        print(f"{k:28} {ran['steps']} steps  {said:12}  probe {res[k]['macro']}", flush=True)
    if a.results:
        args = {k: v for k,v in vars(a).items() if k not in ('out','results')}
        save_json(a.results/'film_worth.json', jsonable(dict(data='phantom, easy, 128 px', args=args, towers=res,
                                                             provenance=provenance())))

if __name__ == '__main__': torch.set_num_threads(1); main()
