# nbs/commands/15_ablate.ipynb: runs against the imported medvl.commands.ablate.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Ablate
from pathlib import Path
from typing import Any
import typer
from medvl.command import LOOK, close_run, command

# %% [4] Ablate
import json, os, tempfile
from unittest import mock
from fastcore.test import *
from typer.testing import CliRunner

# %% [6] Variants
from medvl.commands.ablate import (VARIANTS, key)

# %% [7] Variants
test_eq(key('ratio 1/16', 2), 'ratio_1-16.2'); test_eq(key('hide 75 %', 0), 'hide_75.0')
test_eq(len({key(k, 0) for k in VARIANTS}), len(VARIANTS))

# %% [9] Variants
from medvl.commands.ablate import (ablation_stages)

# %% [10] Variants
st = ablation_stages([], 3)
print(len(st), 'stages;', {k: o.model for k,o in st.items() if k in ('lora.0', 'no_prior.1')})
test_eq(len(st), 2+3*len(VARIANTS)); test_eq({o.seed for o in st.values()}, {0,1,2})
some = 'alta.0','from_mae_and_bert.0','from_nothing.0','clip_from_scratch.0','clip_from_mrm.0'
test_eq([st[k].init for k in some], ['mrm','apart',None,None,'mrm'])
test_eq((st['no_prior.0'].slots, st['neither.0'].slots, st['alta.0'].slots), ('views','current','all'))
test_eq(ablation_stages(['hide 90 %'], 1, ['alta.epochs=3'])['hide_90.0'].epochs, 3)
test_fail(lambda: ablation_stages(['no hope'], 1), contains="no variant 'no hope'; there are: ALTA")

# %% [12] Scores of a variant
from medvl.commands.ablate import (SCORES, hits_of, compare)

# %% [14] The command
from medvl.commands.ablate import (app, ablate)

# %% [15] The command
from medvl.commands.ablate import (table)

# %% [17] The command
tmp, home = tempfile.TemporaryDirectory(), os.getcwd()
os.chdir(tmp.name); env = mock.patch.dict(os.environ, MEDVL_CACHE=os.path.abspath('cache')); env.start()
medvl = typer.Typer(); medvl.add_typer(app)
def run(*args): return CliRunner().invoke(medvl, list(map(str, args)), catch_exceptions=False)
TINY = ['ablate', *'--out run --patients 10 --val 2 --test 4 --film 64 --epochs 1 --vocab 300 --max-len 32'.split(),
        *'--n-boot 20 --workers 0 --seeds 1 --set mrm.bs=8 --set alta.bs=4 --set clip.bs=4'.split()]
r = run(*TINY, '--only', 'no prior,from nothing,CLIP from scratch')
print(r.output); test_eq(r.exit_code, 0)
res = json.loads(Path('run/results.json').read_text())
test_eq(list(res['variants']), ['ALTA','no prior','from nothing','CLIP from scratch'])
d = res['variants']['no prior']['text_to_image_R@10']
test_close(d['minus_alta']['value'], d['value']-res['variants']['ALTA']['text_to_image_R@10']['value'], 1e-9)
test_eq(len(d['seeds']), 1); test_eq(set(res['below']), {'mrm'})
r = run(*TINY, '--only', 'no prior,from nothing,CLIP from scratch')
test_eq((r.exit_code, r.output.count('done before')), (0, 5))
far = [o.replace('run', 'far') if o == 'run' else o for o in TINY]
r = run(*far, '--only', 'CLIP from MRM', '--start', 'run/mrm', '--set', 'clip_mrm.bs=4')
print(r.output.splitlines()[-1]); test_eq(r.exit_code, 0)
test_eq('mrm: ' in r.output, False)                                     # nothing is pretrained again
below = json.loads(Path('far/results.json').read_text())['below']['mrm']
test_eq((below['steps'], below['plan']['stage']['method']), (res['below']['mrm']['steps'], 'mrm'))
r = run(*far, '--start', 'nowhere'); print(r.output.strip()); test_eq(r.exit_code, 2)
r = run(*TINY, '--only', 'no hope'); print(r.output.strip()); test_eq(r.exit_code, 2)
env.stop(); os.chdir(home); tmp.cleanup()
