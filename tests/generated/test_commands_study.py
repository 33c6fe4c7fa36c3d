# nbs/commands/40_study.ipynb: runs against the imported medvl.commands.study.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Studies of several trainings
import shutil
from pathlib import Path
from typing import Any, Literal
import typer
from medvl.command import LOOK, command
from medvl.run.folder import close_run, open_run, save_figure, save_text

# %% [4] Studies of several trainings
import html, json, os, re, tempfile
from unittest import mock
import pandas as pd
from fastcore.test import *
from typer.testing import CliRunner
from medvl.data.manifest import write_manifest
from medvl.phantom.set import phantom_studies
from medvl.run.page import stands

# %% [6] `medvl demo`
from medvl.commands.study import (app, is_ours, begun, demo)

# %% [8] `medvl demo`
from medvl.commands.study import (to_train, known_of, tokenizer_of)

# %% [10] `medvl demo`
from medvl.commands.study import (finish)

# %% [12] The same demo on other patients
def sign(d): return stands(d).replace('not distinguishable', '')
def shown(name):
    r = json.loads(Path(f'../../results/{name}.json').read_text())
    rows = {k: {f"seed {o['seed']}": f"{100*o['value']:+.1f} {sign(o)}".strip() for o in v['demos']}
            | {'mean': f"{100*v['value']:+.1f} [{100*v['low']:+.1f}, {100*v['high']:+.1f}]"}
            for k, v in r['differences'].items()}
    return r, pd.DataFrame(rows).T
shared, table = shown('demos_shared'); table

# %% [13] The same demo on other patients
own, table = shown('demos'); table

# %% [15] The same demo on other patients
over = {n: {k: stands(v) for k, v in r['differences'].items()} for n, r in dict(shared=shared, own=own).items()}
test_eq(list(over['own'].values()), ['ahead', 'ahead', 'ahead', 'not distinguishable'])
test_eq({*over['shared'].values()}, {'not distinguishable'})
def verdicts(r, k): return {stands(o) for o in r['differences'][k]['demos']}
assert {'ahead','behind'} <= verdicts(shared, 'ALTA - CLIP from scratch, AUROC')  # one demo against another
assert not any({'ahead','behind'} <= verdicts(own, k) for k in own['differences'])

# %% [17] A tiny demo
tmp, home = tempfile.TemporaryDirectory(), os.getcwd()
os.chdir(tmp.name); env = mock.patch.dict(os.environ, MEDVL_CACHE=os.path.abspath('cache')); env.start()
medvl = typer.Typer(); medvl.add_typer(app)                             # as `medvl` itself does it
def run(*args): return CliRunner().invoke(medvl, list(map(str, args)), catch_exceptions=False)
TINY = ['demo', *'--out run --patients 10 --seeds 1 --val 2 --test 4 --film 64 --epochs 1 --max-len 48'.split(),
        *'--n-boot 50 --workers 0 --set alta.bs=4 --set clip_mrm.bs=4'.split()]
r = run(*TINY, '--patients', 6, '--only', 'alta,clip_mrm')
print(r.stdout)
test_eq(r.exit_code, 0)

# %% [18] A tiny demo
res = json.loads(Path('run/results.json').read_text())
test_eq(list(res['stages']), [f'{k}.{n}.1' for n in (10, 6) for k in ('alta','clip_mrm')])
test_eq(res['stages']['alta.6.1']['multiply_adds_all'], res['stages']['alta.6.1']['multiply_adds'])
test_eq(res['arguments']['pretrained']['patients'], 2000)
few = res['compared']['6']; a, b = (few['systems'][k]['text_to_image_T@10'] for k in ('alta','clip_mrm'))
test_close(b['minus_alta']['value'], b['value']-a['value'], 1e-9)
test_eq((few['patients'], res['data']['test']['patients']), (6, 4))
assert few['pairs'] < res['compared']['10']['pairs']

# %% [20] A tiny demo
doc = Path('run/index.html').read_text()
assert 'Not for clinical use' in doc and doc.count('data:image/png;base64,') > 20 and doc.count('<svg') == 3
test_eq(re.findall(r'(?:src|href)="(?!data:|#)[^"]*"|@import|<script', doc), [])
print(f'{len(doc)/1e3:.0f} kB; {html.unescape(re.search("medvl search .*?<", doc)[0][:-1])}')
from medvl.run.model import load
hits = load('run/clip_mrm.10.1').search('pleural effusion', 3, 'run/test/manifest.csv'); test_eq(len(hits), 3)

# %% [22] A tiny demo
before = {k: os.stat(f'run/{k}/stage.json').st_mtime_ns for k in res['stages']}
r = run(*TINY, '--patients', 6, '--only', 'alta,clip_mrm')
test_eq((r.exit_code, r.output.count('done before')), (0, 4))
test_eq({k: os.stat(f'run/{k}/stage.json').st_mtime_ns for k in before}, before)
test_eq(json.loads(Path('run/results.json').read_text())['scored'], res['scored'])
Path('mine').mkdir(); Path('mine/thesis.txt').write_text('x')
for args, want in [(['--out', 'mine'], 'holds files, and none of a demo'), (['--only', 'clap'], "no stage 'clap'"),
                   (['--set', 'alta.speed=1'], 'alta.speed=1'), (['--seed', 0], 'that phantom-mrm was trained on'),
                   (['--set', 'mrm.epochs=2'], '--from-nothing trains it')]:
    r = run(*TINY, *args)
    print(r.output.strip()); test_eq(r.exit_code, 2); assert want in r.output

# %% [24] A tiny demo
r = run(*TINY, '--out', 'own', '--only', 'gloria,plan_mrm', '--set', '*.bs=8', '--from-nothing',
        '--vocab', 300, '--seed', 0)
print(r.stdout); test_eq(r.exit_code, 0)
res = json.loads(Path('own/results.json').read_text())
test_eq(list(res['stages']), ['mrm','gloria.10.0','plan_mrm.10.0'])
test_eq({k: p['init'] for k, p in res['plans'].items()}, {'mrm': None, 'gloria.10.0': None, 'plan_mrm.10.0': 'mrm'})
test_eq(res['stages']['plan_mrm.10.0']['multiply_adds_all'],
        res['stages']['plan_mrm.10.0']['multiply_adds']+res['stages']['mrm']['multiply_adds'])
doc = Path('own/index.html').read_text(); assert 'GLoRIA from scratch' in doc and 'PLAN from MRM' in doc

# %% [26] `medvl ablate`
from medvl.commands.study import (ablate)

# %% [28] `medvl ablate`
TINY = ['ablate', *'--out one --patients 10 --val 2 --test 4 --film 64 --epochs 1 --vocab 300 --max-len 32'.split(),
        *'--n-boot 20 --workers 0 --seeds 1 --set mrm.bs=8 --set alta.bs=4 --set clip.bs=4'.split()]
r = run(*TINY, '--only', 'no prior,from nothing,CLIP from scratch')
print(r.stdout); test_eq(r.exit_code, 0)
res = json.loads(Path('one/results.json').read_text())
test_eq(list(res['variants']), ['ALTA','no prior','from nothing','CLIP from scratch'])
d = res['variants']['no prior']['text_to_image_R@10']
test_close(d['minus_alta']['value'], d['value']-res['variants']['ALTA']['text_to_image_R@10']['value'], 1e-9)
test_eq(len(d['seeds']), 1); test_eq(set(res['below']), {'mrm'})
r = run(*TINY, '--only', 'no prior,from nothing,CLIP from scratch')
test_eq((r.exit_code, r.output.count('done before')), (0, 5))
far = ['far' if o == 'one' else o for o in TINY]
r = run(*far, '--only', 'CLIP from MRM', '--start', 'one/mrm', '--set', 'clip_mrm.bs=4')
print(r.output.splitlines()[-1]); test_eq(r.exit_code, 0)
test_eq('mrm: ' in r.output, False)                                     # nothing is pretrained again
below = json.loads(Path('far/results.json').read_text())['below']['mrm']
test_eq((below['steps'], below['plan']['stage']['method']), (res['below']['mrm']['steps'], 'mrm'))
r = run(*far, '--only', 'gloria,plan_mrm', '--start', 'one/mrm', '--set', '*.bs=8')
print(r.stdout); test_eq(r.exit_code, 0)
test_eq(list(json.loads(Path('far/results.json').read_text())['variants']), ['ALTA','gloria','plan_mrm'])
r = run(*far, '--start', 'nowhere'); print(r.output.strip()); test_eq(r.exit_code, 2)
r = run(*TINY, '--only', 'no hope'); print(r.output.strip()); test_eq(r.exit_code, 2)

# %% [30] `medvl crossval`
from medvl.commands.study import (crossval)

# %% [32] `medvl crossval`
studies, root = phantom_studies(16, size=64, cache=False), Path()
silent = sorted({s.group for s in studies})[:4]
for s in studies:
    if s.group in silent: s.report = ''
data = write_manifest(studies, root/'set/manifest.csv')
TINY = [f'--run={o}' for o in ('*.bs=4','*.samples=4','*.epochs=1','*.warmup=0','*.precision=fp32','*.vocab=200',
                               '*.max_len=24')]
args = ['--data', data, '--folds', 2, '--pretrain', 'once', '--leave', 'clip_mrm', '--n-boot', 200, '--out', root/'cv']
def cross(*more):
    r = run('crossval', *args, *TINY, *more)
    return r.exit_code, r.output
code, said = cross(); test_eq(code, 0)
print(said[said.index('queries')-4:])
res = json.loads((root/'cv/results.json').read_text())
n = sum(len(s.frontals) for s in studies if s.report)
test_eq({k: o['queries'] for k, o in res['systems'].items()}, dict(alta=n, clip=n))         # every frontal once
test_eq((res['systems']['clip']['patients'], list(res['differences'])), (12, ['alta - clip']))
assert res['leakage']['ok']
assert (root/'cv/crossval.png').exists() and (root/'cv/fold-1/alta/model/model.safetensors').exists()
m = json.loads((root/'cv/mrm/results.json').read_text())
test_eq((m['data']['samples']['train'], m['data']['with_text']['train']),
        (sum(len(s.frontals)+len(s.laterals) for s in studies if not s.report), 0))

# %% [34] `medvl crossval`
shutil.rmtree(root/'cv/fold-1/clip')
code, said = cross(); test_eq((code, said.count('done before')), (0, 5))
test_eq(json.loads((root/'cv/results.json').read_text())['systems'], res['systems'])
code, said = cross('--run=alta.epochs=2'); print(said.splitlines()[-1])
test_eq(code, 2); assert 'holds another run: epochs was 1, is 2' in said

# %% [36] `medvl crossval`
begin = ['--leave', 'clip', '--out', root/'cv2', '--start', root/'cv/mrm', '--run=*.tokenizer=train',
         '--run=alta.set.text=bert-small']
code, said = cross(*begin); test_eq(code, 0)
test_eq(sorted(o.name for o in (root/'cv2').iterdir() if o.is_dir()), ['fold-0', 'fold-1'])
two = json.loads((root/'cv2/results.json').read_text()); test_eq(list(two['systems']), ['alta'])
was = json.loads((root/'cv2/fold-0/alta/run.json').read_text())['arguments']
test_eq(was['init'], str((root/'cv/mrm').resolve()))
code, said = cross(*begin, '--start', root/'cv'); test_eq(code, 2); assert 'holds another run: init was' in said
env.stop(); os.chdir(home); tmp.cleanup()
