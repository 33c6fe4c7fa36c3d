"""What a small decoder writes from frozen towers, on phantom patients: three seeds, and the nearest reports beside it.

    python benchmarks/reports.py --out runs/reports --results results

It takes 15 minutes on one thread, and goes on where it stopped.

Towers: those that come with medvl (ALTA, and the MRM that it began with), and one of random weights. Impressions are
written; true reports raw and as R2Gen has them."""
import argparse
from dataclasses import asdict
from pathlib import Path

import torch

from medvl.files import jsonable, provenance, save_json
from medvl.phantom.set import phantom_studies
from medvl.run.downstream import Steps, Transfer, films_of, tower_of
from medvl.run.model import load
from medvl.run.reporting import Reporting, ask_reports, report_table, with_report

TOWERS = {'ALTA': 'phantom-alta', 'MRM': 'phantom-mrm', 'random': 'random:phantom-alta'}
SHOWN = ('BLEU-1','BLEU-2','BLEU-3','BLEU-4','ROUGE-L','CIDEr-D','micro F1','macro F1')

def main():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    p.add_argument('--out', type=Path, required=True); p.add_argument('--results', type=Path)
    p.add_argument('--patients', type=int, default=400); p.add_argument('--seeds', type=int, default=3)
    p.add_argument('--epochs', type=int, default=30)
    a = p.parse_args(); a.out.mkdir(parents=True, exist_ok=True)
    studies, towers = phantom_studies(a.patients, seed=11, size=128, difficulty='lifelike-easy'), {}
    t = Transfer(seeds=a.seeds)
    r = Reporting(text='impression', max_len=40, vocab=1000, epochs=a.epochs, patience=4, batch=32)
    for name,k in TOWERS.items():
        tower = tower_of(k); films = films_of(studies, tower, t, keep=with_report)
        got = ask_reports(tower, films, t, r, None if name == 'random' else load(k), Steps(a.out, tower))['1']
        print(name, {k: len(v) for k,v in films.rows.items()}, [o['best'] for o in got['trainings']])
        print(report_table(got).to_string(), flush=True)
        def scores(s): return {m: s['scores'][m] for m in SHOWN}
        towers[name] = {kind: dict(systems={s: scores(o) for s,o in x['systems'].items()},
                                   gain={s: {m: o[m] for m in SHOWN if m in o} for s,o in x['gain'].items()})
                        for kind,x in got['references'].items()}
        towers[name]['trainings'] = [{k: v for k,v in o.items() if k != 'log'} for o in got['trainings']]
    args = dict(patients=a.patients, seeds=a.seeds, transfer=asdict(t), reporting=asdict(r))
    if a.results: save_json(a.results/'reports_phantom.json', jsonable(dict(
        data='phantom, lifelike-easy, 128 px', arguments=args, films=films.facts['splits'], writers=towers,
        provenance=provenance())))

if __name__ == '__main__': torch.set_num_threads(1); main()
