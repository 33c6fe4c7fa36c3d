# nbs/commands/33_transfer.ipynb: runs against the imported medvl.commands.transfer.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Transfer
from pathlib import Path
from typing import Literal
import typer
from medvl.command import LOOK, command
from medvl.run.downstream import Steps, Transfer, films_of, lineage_films, rules, tower_of
from medvl.run.folder import close_run, open_run, save_figure
from medvl.run.reporting import Reporting

# %% [4] Transfer
import json, os, re, tempfile
import pandas as pd
from fastcore.test import *
from typer.testing import CliRunner
from medvl.cli import app as medvl
from medvl.phantom.export import export_set

# %% [5] Transfer
from medvl.commands.transfer import (app, TRANSFER_DOCS)

# %% [7] Classification
from medvl.commands.transfer import (transfer_classify)

# %% [8] Classification
tmp, here = tempfile.TemporaryDirectory(), os.getcwd(); os.chdir(tmp.name)
export_set('films', 60, seed=9, size=128, difficulty='easy', masks=False, bar=False)
def run(*args):
    "Exit code, and what the command printed."
    r = CliRunner().invoke(medvl, ['transfer', *map(str, args)], catch_exceptions=False)
    return r.exit_code, r.output

args = ['classify','--data','films','--finding','Cardiomegaly','--finding','Pleural Effusion','--share',.1,'--share',1,
        '--seeds',2]
code, text = run(*args, '--model','phantom-clip','--out','clip'); print(text); test_eq(code, 0)
res = json.loads(open('clip/results.json').read()); test_eq(list(res['classification']), ['0.1','1'])
best = res['classification']['1']['macro']['auroc']; assert best['low'] < best['value'] < best['high']
test_eq(sorted(os.listdir('clip')), ['efficiency.png','results.json','run.json','steps'])

# %% [10] Classification
when = {p: os.stat(f'{d}/{p}').st_mtime_ns for d,_,fs in os.walk('clip/steps') for p in fs}; test_eq(len(when), 4)
code, again = run(*args, '--model','phantom-clip','--out','clip'); test_eq(code, 0)
test_eq({p: os.stat(f'{d}/{p}').st_mtime_ns for d,_,fs in os.walk('clip/steps') for p in fs}, when)
test_eq(json.loads(open('clip/results.json').read())['classification'], res['classification'])
m = pd.read_csv('films/manifest.csv', dtype=str, keep_default_na=False); m.to_csv('films/was.csv', index=False)
m['labels'] = [re.sub('Cardiomegaly=.', f'Cardiomegaly={i%2}', o) for i,o in enumerate(m.labels)]
m.to_csv('films/manifest.csv', index=False)                               # the labels are corrected: trained anew
code, other = run(*args, '--model','phantom-clip','--out','clip'); test_eq((code, other != again), (0, True))
os.replace('films/was.csv', 'films/manifest.csv')
for more, says in ((['--model','random','--out','clip'], 'holds another run'),
                   (['--model','phantom-clip','--out','x','--finding','Oedema'], "no sample has a label 'Oedema'"),
                   (['--model','phantom-clip','--out','y','--preset','imagenet'], 'size 128 against 224'),
                   (['--model','phantom-clap','--out','z'], 'shipped: '),
                   (['--model','random','--out','u','--uncertain','half'], "unknown rule 'half'"),
                   (['--model','random','--out','v','--lineage','mgca'], 'mgca-rsna')):
    code, said = run(*args, *more); test_eq(code, 2); assert says in said, (says, said)

# %% [12] Reports
from medvl.commands.transfer import (transfer_report)

# %% [13] Reports
import matplotlib.pyplot as plt
args = ['report','--data','films','--model','phantom-clip','--out','words','--text','impression','--seeds',1,
        '--epochs',8,'--batch',8,'--lr',.002,'--max-len',40,'--beam',1]
code, text = run(*args); print(text); test_eq(code, 0)
res = json.loads(open('words/results.json').read())['report']['1']
test_eq(list(res['references']['raw']['systems']), ['generated','commonest','nearest film','nearest text'])
test_eq(sorted(os.listdir('words')), ['reports.csv','reports.png','results.json','run.json','steps'])
code, said = run(*args, '--beam',2); test_eq(code, 2); assert 'beam was 1, is 2' in said
test_eq(run(*args)[0], 0)                                                            # again: nothing is trained
plt.close('all')

# %% [14] Reports
print(run('classify', '--help')[1])
os.chdir(here); tmp.cleanup()
