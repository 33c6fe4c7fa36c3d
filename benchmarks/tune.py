"""What further training adds to phantom-clip on phantom patients that are drawn in another way than its own.

    OMP_NUM_THREADS=1 python benchmarks/tune.py runs/tune --results results/tune.json

As `medvl tune phantom-clip --how HOW --lr RATE`. The rate of each way is the one with the best validation pairs; then
the test patients, who took no part, are ranked. Each training is a folder, so a run that was stopped goes on;
`--seconds` stops it."""
import argparse, contextlib, io, json, time
from pathlib import Path

import numpy as np
import torch

from medvl.eval.retrieval import embed
from medvl.files import jsonable, provenance, save_json
from medvl.run.run import Run, train_as
from medvl.run.score import Scoring, eval_loader, loaded
from medvl.run.stages import patients, unseen
from medvl.run.tuning import Tune, compared, whole_loss
from medvl.data.manifest import write_manifest

BASE, SEED = 'phantom-clip', 7
RATES = dict(head=(1e-3, 5e-3), lora=(1e-3, 5e-3), adapters=(1e-3, 5e-3), full=(3e-5, 3e-4))

def main():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0]); p.add_argument('out', type=Path)
    for k, n in (('patients', 100), ('val', 40), ('test', 200), ('epochs', 10)):
        p.add_argument(f'--{k}', type=int, default=n)
    p.add_argument('--difficulty', default='lifelike')
    p.add_argument('--seconds', type=float, default=float('inf'), help='begin nothing new after so many seconds')
    p.add_argument('--results', type=Path); a = p.parse_args(); until = time.time()+a.seconds
    unseen(BASE, SEED)
    if not (data := a.out/'set'/'manifest.csv').exists():
        got = patients(dict(train=a.patients, val=a.val, test=a.test), 128, SEED, difficulty=a.difficulty)
        write_manifest([s for o in got.values() for s in o], data)
    how = dict(data=data, epochs=a.epochs, precision='fp32', cache=a.out/'films')
    runs = {(k, lr): Tune(init=BASE, how=k, lr=lr, out=a.out/f'{k}-{lr:g}', **how)
            for k, o in RATES.items() for lr in o}
    runs['scratch', 1e-3] = Run('clip', slots='current', lr=1e-3, out=a.out/'scratch', patience=a.epochs, **how)
    for (k, lr), run in runs.items():
        if (run.out/'results.json').exists() and 'data' in json.loads((run.out/'results.json').read_text()): continue
        if time.time() > until: print('not done yet'); return
        start = time.process_time()
        with contextlib.redirect_stdout(io.StringIO()) as said:
            train_as(run, 'align' if k == 'scratch' else 'tune', True)
        lines = [o for o in said.getvalue().splitlines() if 'ntuned' in o]
        print(k, lr, f'{time.process_time()-start:.0f} s', lines, flush=True)
    res = {k: json.loads((r.out/'results.json').read_text()) for k, r in runs.items()}
    val = lambda k, lr: res[k, lr]['run']['best']['value']
    best = {k: max(o, key=lambda lr: val(k, lr)) for k, o in RATES.items()} | dict(scratch=1e-3)
    m, tok, cfg = loaded(Path(BASE)); a_ = Scoring(precision='fp32', cache=how['cache'])
    dl = eval_loader(runs['lora', best['lora']].draw('test'), tok, cfg, a_)
    was = embed(m, dl, progress=False); group = [s.group for s in dl.dataset.samples]
    out = dict(untuned=dict(loss=whole_loss(m, was)))
    for k, lr in best.items():
        r, at = res[k, lr], runs[k, lr].out/('best' if k == 'scratch' else 'model'); n, tok, cfg = loaded(at)
        now = embed(n, eval_loader(runs[k, lr].draw('test'), tok, cfg, a_), progress=False)
        out[k] = dict(lr=lr, trained=r['parameters']['trainable'], epoch=r['run']['best']['at']+1,
                      seconds=r['run']['seconds'], val={f'{o:g}': val(k, o) for o in RATES.get(k, (lr,))},
                      loss=whole_loss(n, now), retrieval=compared(was, now, group))
        if (f := at/'adapters'/'adapters.safetensors').exists(): out[k]['bytes'] = f.stat().st_size
        print(k, lr, out[k]['epoch'], str(out[k]['retrieval']['both MRR']['difference']))
    names = 'patients','val','test','epochs','difficulty'
    said = {k: getattr(a, k) for k in names} | dict(base=BASE, seed=SEED)
    if a.results: save_json(a.results, jsonable(dict(task='tune', data=f'phantom, {a.difficulty}', arguments=said,
                            provenance=provenance(), films=len(group), groups=len(np.unique(group)), how=out)))

if __name__ == '__main__': torch.set_num_threads(1); main()
