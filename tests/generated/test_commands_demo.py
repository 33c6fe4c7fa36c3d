# nbs/commands/13_demo.ipynb: runs against the imported medvl.commands.demo.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Demo
from pathlib import Path
from typing import Any
import typer
from medvl.command import LOOK, close_run, command, save_text

# %% [4] Demo
import json, os, re, tempfile, time
from unittest import mock
from fastcore.test import *
from typer.testing import CliRunner

# %% [6] Results of all stages
from medvl.commands.demo import (whole_cost, compared, draw_page)

# %% [7] Results of all stages
from medvl.commands.stages import STAGES
ran = {k: dict(multiply_adds=n) for k, n in dict(mrm=10, alta=3, clip=20, clip_mrm=5).items()}
test_eq({k: whole_cost(STAGES, ran, k) for k in STAGES}, dict(mrm=10, alta=13, clip=20, clip_mrm=15))

# %% [9] The command
from medvl.commands.demo import (is_ours, app, demo)

# %% [10] The command
from medvl.commands.demo import (finish)

# %% [12] Once, tiny
tmp, home = tempfile.TemporaryDirectory(), os.getcwd()
os.chdir(tmp.name); env = mock.patch.dict(os.environ, MEDVL_CACHE=os.path.abspath('cache')); env.start()
medvl = typer.Typer()
medvl.add_typer(app)                                                    # as `medvl` itself does it
def run(*args): return CliRunner().invoke(medvl, list(map(str, args)), catch_exceptions=False)
TINY = ['demo', *'--out run --patients 10 --val 2 --test 4 --film 64 --epochs 1 --vocab 300 --max-len 48'.split(),
        *'--n-boot 50 --workers 0 --set mrm.bs=8 --set alta.bs=4 --set clip_mrm.bs=4'.split()]
r = run(*TINY, '--only', 'alta,clip_mrm')
print(r.output)
test_eq(r.exit_code, 0)

# %% [13] Once, tiny
res = json.loads(Path('run/results.json').read_text())
test_eq(list(res['stages']), ['mrm','alta','clip_mrm'])
test_eq(list(res['scored']), ['alta','clip_mrm'])
test_eq(res['stages']['alta']['multiply_adds_all'],
        res['stages']['alta']['multiply_adds']+res['stages']['mrm']['multiply_adds'])
diff = res['differences']['alta - clip_mrm']['text_to_image_R@1']
a, b = (res['scored'][k]['retrieval']['full']['text_to_image_R@1'] for k in ('alta','clip_mrm'))
test_close(diff['value'], a-b, 1e-9)
test_eq(res['data']['test']['patients'], 4)

# %% [15] Once, tiny
doc = Path('run/index.html').read_text()
assert 'Not for clinical use' in doc and doc.count('data:image/png;base64,') > 20 and doc.count('<svg') == 3
test_eq(re.findall(r'(?:src|href)="(?!data:|#)[^"]*"|@import|<script', doc), [])
print(f'{len(doc)/1e3:.0f} kB')

# %% [17] Once, tiny
before = {k: os.stat(f'run/{k}/stage.json').st_mtime_ns for k in ('mrm','alta','clip_mrm')}
r = run(*TINY, '--only', 'alta,clip_mrm')
test_eq((r.exit_code, r.output.count('done before')), (0, 3))
test_eq({k: os.stat(f'run/{k}/stage.json').st_mtime_ns for k in before}, before)
test_eq(json.loads(Path('run/results.json').read_text())['scored'], res['scored'])
Path('mine').mkdir(); Path('mine/thesis.txt').write_text('x')
for args, want in [(['--out', 'mine'], 'holds files, and none of a demo'), (['--only', 'clap'], "no stage 'clap'"),
                   (['--set', 'alta.speed=1'], 'alta.speed=1')]:
    r = run(*TINY, *args)
    print(r.output.strip()); test_eq(r.exit_code, 2); assert want in r.output
env.stop(); os.chdir(home); tmp.cleanup()
