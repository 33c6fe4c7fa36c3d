# nbs/run/82_reporting.ipynb: runs against the imported medvl.run.reporting.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Report generation as a run
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from medvl.run.downstream import Films, Steps, Transfer

# %% [4] Report generation as a run
import io, json
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from fastcore.test import *
from PIL import Image
from medvl.eval.transfer import features
from medvl.phantom.set import phantom_studies
from medvl.run.data import read
from medvl.run.downstream import films_of, tower_of
from medvl.run.model import load

# %% [6] Options
from medvl.run.reporting import (Reporting, with_report, reports_of)

# %% [8] Options
studies = phantom_studies(40, seed=5, size=128, difficulty='lifelike-easy')
studies[0] = replace(studies[0], report=''); tower = tower_of('phantom-alta')
opts = Transfer(seeds=2, n_boot=100)
films = films_of(studies, tower, opts, keep=with_report)
print({k: len(v) for k,v in films.rows.items()}, 'films, left out:', films.facts['not_used'])
assert films.facts['not_used'] == len(studies[0].frontals) and all(reports_of(films, 'test'))
one = reports_of(films, 'test', Reporting('impression'))[0]
assert one in reports_of(films, 'test')[0]
if studies[0].frontals:
    test_fail(lambda: reports_of(films_of(studies, tower, opts), studies[0].split), contains='have no report, e.g. ')

# %% [10] Reports in the shared space
from medvl.run.reporting import (report_vectors)

# %% [11] Reports in the shared space
model = load('phantom-alta'); v = report_vectors(model, ['No effusion.', 'Left effusion.', 'No effusion.'])
test_close(v.norm(dim=1).numpy(), np.ones(3), eps=1e-4); test_close(v[0], v[2], eps=1e-5)
assert (v[0]-v[1]).norm() > 1e-3
assert report_vectors(load('phantom-mrm'), ['No effusion.']) is None

# %% [13] Training and writing
from medvl.run.reporting import (tokenizer_for, write_reports_of, found_reports)

# %% [15] Scores
from medvl.run.reporting import (score_reports, ask_reports, report_table)

# %% [16] Scores
a = Reporting(epochs=15, batch=8, lr=2e-3, text='impression', max_len=32, beam=1)
with TemporaryDirectory() as d:
    steps = Steps(Path(d), tower); t0 = pd.Timestamp.now()
    got = ask_reports(tower, films, opts, a, model, steps); first = pd.Timestamp.now()-t0
    t0 = pd.Timestamp.now(); again = ask_reports(tower, films, opts, a, model, Steps(Path(d), tower))
    names = sorted(p.stem for p in Path(d).rglob('*.json'))
    assert again['1']['reports'] == got['1']['reports'] and pd.Timestamp.now()-t0 < first
    test_eq(names, ['found', 'written-1-0', 'written-1-1'])
display(report_table(got['1']), report_table(got['1'], 'r2gen'))
res = got['1']['references']
test_eq(list(res['raw']['systems']), ['generated','commonest','nearest film','nearest text'])
test_eq(list(res['raw']['gain']), ['commonest','nearest film','nearest text'])
own = res['raw']['systems']
assert len(own['generated']['seeds']) == 2 and own['commonest']['n'] == len(films.rows['test'])
f1 = [res[k]['systems']['nearest film']['scores']['micro F1'].value for k in ('raw','r2gen')]
test_eq(*f1)

# %% [18] Scores
small = replace(opts, share=[.3], seeds=1)
got = ask_reports(tower, films, small, replace(a, epochs=1, tune=True, words='r2gen', lr=1e-3), None)['0.3']
print(got['trainings'][0]['patients'], 'patients;', got['reports']['generated'][0][0])
before = tower.key(); test_eq(before, tower_of('phantom-alta').key())                   # a copy was trained
assert got['trainings'][0]['train'] < len(films.rows['train'])

# %% [20] IU X-ray
def as_r2gen(studies, folder):
    "Phantom studies in R2Gen's layout."
    rows = {k: [] for k in ('train','val','test')}
    for j,s in enumerate(studies):
        name = f'CXR{1000+int(s.patient[-4:] if s.patient[-4:].isdigit() else j)}_IM-{j:04d}'
        (folder/'images'/name).mkdir(parents=True)
        for i,v in enumerate((s.frontals+s.laterals)[:2]): Image.fromarray(v.px).save(folder/'images'/name/f'{i}.png')
        shown = [f'{name}/{i}.png' for i in range(min(2, len(s.frontals+s.laterals)))]
        rows[s.split].append(dict(id=name, report=s.report, image_path=shown, split=s.split))
    (folder/'annotation.json').write_text(json.dumps(rows))

home = TemporaryDirectory(); as_r2gen([s for s in studies[1:60] if s.frontals], Path(home.name))
with redirect_stdout(io.StringIO()): iu = films_of(Path(home.name), tower, opts, keep=with_report)
print({k: len(v) for k,v in iu.rows.items()}, {s.study.source for s in iu.samples})
got = ask_reports(tower, iu, replace(opts, seeds=1), replace(a, epochs=2, words='r2gen', max_len=60))['1']
test_eq(set(got['references']), {'raw','r2gen'})
assert got['references']['r2gen']['systems']['generated']['n'] == len(iu.rows['test'])

# %% [22] IU X-ray
features(tower, films.views('val')[:2], dir=home.name+'/kept')
other = tower_of('phantom-alta'); other.preset = replace(other.preset, mean=.3)
test_fail(lambda: features(other, films.views('val')[:2], dir=home.name+'/kept'), contains='preset.mean was')
home.cleanup()
