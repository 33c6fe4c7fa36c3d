"""What further training adds to phantom-clip on phantom patients that are drawn in another way than its own.

    OMP_NUM_THREADS=1 python benchmarks/tune.py runs/tune --usual --results results/tune_impression.json

As `medvl tune phantom-clip --how HOW --lr RATE`, each way with its usual rate and a higher one. The validation pairs
choose the epoch. The test patients, who took no part, are scored, and, to see what was forgotten, other patients as
those that the model was trained on (`home`). Each training is a folder, so a run that was stopped goes on; `--seconds`
stops it."""
import argparse, contextlib, io, json, time
from pathlib import Path

import torch

from medvl.eval.retrieval import embed
from medvl.files import jsonable, provenance, save_json
from medvl.run.run import Run, train_as
from medvl.run.score import Scoring, ask_zeroshot, eval_loader, loaded
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
    p.add_argument('--text', default='impression', help='of a report; the model was trained on impressions')
    p.add_argument('--usual', action='store_true', help='the usual rates alone')
    p.add_argument('--seconds', type=float, default=float('inf'), help='begin nothing new after so many seconds')
    p.add_argument('--results', type=Path); a = p.parse_args(); until = time.time()+a.seconds
    unseen(BASE, SEED)
    if not (data := a.out/'set'/'manifest.csv').exists():
        got = patients(dict(train=a.patients, val=a.val, test=a.test), 128, SEED, difficulty=a.difficulty)
        write_manifest([s for o in got.values() for s in o], data)
    how = dict(data=data, epochs=a.epochs, precision='fp32', cache=a.out/'films', text=a.text)
    runs = {(k, lr): Tune(init=BASE, how=k, lr=lr, out=a.out/a.text/f'{k}-{lr:g}', **how)
            for k, o in RATES.items() for lr in o[:1 if a.usual else 2]}
    if not a.usual:
        runs['scratch', 1e-3] = Run('clip', slots='current', lr=1e-3, out=a.out/a.text/'scratch',
                                    patience=a.epochs, **how)
    for (k, lr), run in runs.items():
        if (run.out/'results.json').exists() and 'data' in json.loads((run.out/'results.json').read_text()): continue
        if time.time() > until: print('not done yet'); return
        start = time.process_time()
        with contextlib.redirect_stdout(io.StringIO()) as said:
            train_as(run, 'align' if k == 'scratch' else 'tune', True)
        lines = [o for o in said.getvalue().splitlines() if 'ntuned' in o]
        print(k, lr, f'{time.process_time()-start:.0f} s', lines, flush=True)
    res = {k: json.loads((r.out/'results.json').read_text()) for k, r in runs.items()}
    a_, (m, tok, cfg) = Scoring(precision='fp32', cache=how['cache'], n_boot=500), loaded(Path(BASE))
    easy = patients(dict(test=100), 128, SEED)['test']                         # as those that the base was trained on
    home = Tune(init=BASE, data=easy, cache=how['cache'], text=a.text)
    def judged(n, tok, cfg, run):
        "Films and texts of a set, and the AUROC of its findings."
        dl = eval_loader(run.draw('test'), tok, cfg, a_)
        auroc = ask_zeroshot((n, tok, cfg), run.draw, a_, val=False).result.table['macro']['auroc']
        return embed(n, dl, progress=False), auroc, [s.group for s in dl.dataset.samples]
    sets = dict(test=next(iter(runs.values())), home=home)
    was = {k: judged(m, tok, cfg, r) for k, r in sets.items()}
    out = dict(untuned={k: dict(loss=whole_loss(m, e), auroc=auroc) for k, (e, auroc, _) in was.items()})
    for (k, lr), run in runs.items():
        r, at = res[k, lr], run.out/('best' if k == 'scratch' else 'model')
        (n, tok, cfg), k = loaded(at), f'{k} {lr:g}'
        out[k] = dict(trained=r['parameters']['trainable'], epoch=r['run']['best']['at']+1,
                      seconds=r['run']['seconds'])
        for name, run in sets.items():
            e, auroc, group = judged(n, tok, cfg, run)
            out[k][name] = dict(loss=whole_loss(n, e), auroc=auroc, retrieval=compared(was[name][0], e, group))
        if (f := at/'adapters'/'adapters.safetensors').exists(): out[k]['bytes'] = f.stat().st_size
        print(k, out[k]['epoch'], {o: str(out[k][o]['retrieval']['both MRR']['difference']) for o in sets},
              {o: str(out[k][o]['auroc']) for o in sets}, flush=True)
    names = 'patients','val','test','epochs','difficulty','text'
    said = {k: getattr(a, k) for k in names} | dict(base=BASE, seed=SEED)
    if a.results: save_json(a.results, jsonable(dict(task='tune', data=f'phantom, {a.difficulty}', arguments=said,
                            provenance=provenance(), how=out,
                            films={k: len(o[2]) for k, o in was.items()})))

if __name__ == '__main__': torch.set_num_threads(1); main()
