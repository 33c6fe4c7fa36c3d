# nbs/commands/20_train.ipynb: runs against the imported medvl.commands.train.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Train
from dataclasses import dataclass, field, fields, make_dataclass
from pathlib import Path
from typing import Any, Literal
import typer
from medvl.command import ARG, LOOK, command
from medvl.run.run import Options, Run, train_as
from medvl.run.train import settings, takes_of
from medvl.run.tuning import SETTLED, Tune, merged

# %% [4] Train
import json, os, tempfile
import pandas as pd
from unittest import mock
from fastcore.test import *
from typer.testing import CliRunner
from medvl.data.manifest import write_manifest
from medvl.phantom.set import phantom_studies
from medvl.run.folder import model_dir

# %% [6] Training
from medvl.commands.train import (app, Training, TRAIN_DOCS, train)

# %% [7] Training
from medvl.commands.train import (pretrain, align)

# %% [9] A small run
tmp, home, root = tempfile.TemporaryDirectory(), os.getcwd(), Path()
os.chdir(tmp.name)
env = mock.patch.dict(os.environ, MEDVL_CACHE=os.path.abspath('cache')); env.start()
data = write_manifest(phantom_studies(8, size=64, cache=False), root/'set/manifest.csv')
TINY = '--bs 4 --epochs 1 --warmup 0 --precision fp32 --vocab 200 --max-len 24'.split()
def run(*args):
    r = CliRunner().invoke(app, [str(o) for o in args], catch_exceptions=False)
    return r.exit_code, r.output
code, said = run('pretrain', 'mrm', '--data', data, '--out', root/'mrm', *TINY)
test_eq(code, 0)
res = json.loads((root/'mrm/results.json').read_text())
print(res['parameters'], res['data']['samples'])
test_eq((res['command'], res['arguments']['method'], res['arguments']['seed']), ('pretrain','mrm',0))
test_eq((res['arguments']['wd'], res['arguments']['per'], res['step']['samples']), (.05, 'film', 4))  # resolved
assert {p.name for p in (root/'mrm/model').iterdir()} >= {'model.safetensors','config.json','tokenizer.json'}
assert (root/'mrm/log.csv').exists() and res['run']['train']['loss'] > 0

# %% [11] A small run
same = ['pretrain', 'mrm', '--data', data, '--out', root/'mrm', *TINY]
for more, want in [([], 'holds this very run'), (['--seed', 1], 'seed was 0, is 1')]:
    code, said = run(*same, *more)
    print(said.strip()); test_eq(code, 2); assert want in said
test_eq(run(*same, '--resume')[0], 0)
for args, want in [(['align','clip','--set','mood=1'], 'mood=1'), (['pretrain','blip'], "unknown method 'blip'")]:
    code, said = run(*args, '--data', data, '--out', root/'bad')
    print(said.strip()); test_eq(code, 2); assert want in said
assert not (root/'bad/results.json').exists()

# %% [13] A small run
from medvl.data.study import samples
seen = samples(phantom_studies(14, 5, size=64, cache=False), 'image', say=None)
seen = [s for s in seen if s.labels['Pneumonia'] in (0,1)]
write_manifest([s.study for s in seen], root/'judged/manifest.csv')
(root/'val_list.txt').write_text(''.join(f"x/{s.slots[0].id}.dcm {s.labels['Pneumonia']:g}\n" for s in seen))
TASK = ['--select', root/'judged', '--select-list', root/'val_list.txt']
three = [3 if o == '1' and p == '--epochs' else o for p, o in zip(['']+TINY, TINY)]
code, said = run('align', 'clip', '--data', data, '--out', root/'chosen', '--slots', 'current', *three, *TASK)
lines = [o for o in said.splitlines() if o.startswith(('best epoch','epoch'))]
print('\n'.join(lines)); test_eq(code, 0)
res = json.loads((root/'chosen/results.json').read_text())['run']; b = res['best']
log = pd.read_csv(root/'chosen/log.csv').query("split == 'select'").set_index('epoch')[b['by']]
test_eq((len(log), b['at'], b['by']), (3, int(log.idxmax()), 'rsna-zs-plain-v1/auroc'))
test_close(b['value'], log.max())
test_close(res['select'][b['by']], log[2])
assert (model_dir(root/'chosen/best')/'tokenizer.json').exists() and model_dir(root/'chosen') == root/'chosen/model'
words = ['--select-prompts', 'rsna-pneumonia-v1']
for args, want in [(['align','clip','--slots','current',*words], 'need --select DIR'),
                   (['pretrain','mrm',*TASK], 'MRM has no space shared by films and texts'),
                   (['align','clip','--slots','current',*TASK[:3],root/'no.txt'], 'no list of films'),
                   (['align','clip','--slots','current',*TASK,'--select-prompts','nothing'], 'nothing')]:
    code, said = run(*args, '--data', data, '--out', root/'bad', *TINY, '--force')
    print(next(o for o in said.splitlines() if o.startswith('Error'))); test_eq(code, 2); assert want in said, said

# %% [15] Unpaired sets
more = write_manifest(phantom_studies(10, 3, size=64, cache=False), root/'more/manifest.csv')
three = [f'--unpaired={k}={more}' for k in ('labels','films','reports')]
code, said = run('align', 'mmclip', '--paired', data, *three, '--ratio', '2:1:1:1', '--out', root/'mixed', *TINY)
test_eq(code, 0); print('\n'.join(o for o in said.splitlines() if o.startswith('source')))
log = pd.read_csv(root/'mixed/log.csv').query("split == 'train'")
has = log[['source','glob','prompt','mim','mlm']].set_index('source').notna().groupby(level=0).agg(['all','any'])
seen = {k: {t for t in ('glob','prompt','mim','mlm') if r[t, 'any']} for k, r in has.iterrows()}
test_eq(seen, {'pairs': {'glob','mim','mlm'}, 'more-labels': {'prompt','mim'}, 'more-films': {'mim'},
               'more-reports': {'mlm'}})
res = json.loads((root/'mixed/results.json').read_text())
print(res['run']['sources']); test_eq(list(res['run']['sources']), list(dict.fromkeys(log.source)))
n = log.source.value_counts(); test_eq(n['more-films'], round(n['pairs']/2))

# %% [17] Unpaired sets
code, said = run('align', 'clip', '--paired', data, three[0], '--out', root/'clip', *TINY); test_eq(code, 0)
test_eq(set(pd.read_csv(root/'clip/log.csv').query("split == 'train'").source), {'pairs','more-labels'})
odd = phantom_studies(10, 3, size=64, cache=False)
for s in odd: s.labels = {'Gout': 1}
odd = write_manifest(odd, root/'odd/manifest.csv')
mine = dict(id='mine', version=1, positive='There is it.', negative='no {name}', none='Nothing.', names={})
(root/'mine.json').write_text(json.dumps(mine))
lack = 'CLIP has no term for films alone (more-films); it takes films with labels'
for args, want in [(['align','clip',three[1]], lack),
                   (['align','gloria',three[0]], '--set positives=true'),
                   (['align','clip','--ratio','1:1'], '--ratio and --templates need --unpaired'),
                   (['align','clip',f'--unpaired=labels={odd}'], "label 'Gout' has no prompt"),
                   (['align','clip',three[0],'--templates',root/'mine.json'], "without the placeholder {name}"),
                   (['align','clip',three[0],'--ratio','1'], "ratio is '1'; expected 2 positive numbers"),
                   (['pretrain','mrm',three[1]], 'MRM has no term for films alone')]:
    code, said = run(*args, '--data', data, '--out', root/'bad', *TINY, '--force')
    print(next(o for o in said.splitlines() if o.startswith('Error'))); test_eq(code, 2); assert want in said, said

# %% [19] Annotated entities
from medvl.readers.rehearsal import write_radgraph
from medvl.run.data import read
got = read(data)[0]; first = next(s for s in got if s.split == 'train' and s.frontals)
write_radgraph([s for s in got if s is not first], root/'graphs.json')
ann = ['align', 'mmclip', '--data', data, '--out', root/'annotated', '--entities', root/'graphs.json', *TINY]
code, said = run(*ann); test_eq(code, 0)
lines = said.splitlines(); i = next(i for i,o in enumerate(lines) if o.startswith('entities of'))
print('\n'.join(lines[i:i+2]))
res = json.loads((root/'annotated/results.json').read_text()); e = res['data']['entities']
assert e['found']['annotated texts'] > 0 and e['found']['entities in them'] > 0
test_eq(e['noted'], {'no annotation: read by the dictionary': len(first.frontals)})
code, said = run(*ann, '--resume'); test_eq(code, 0)
write_radgraph(got, root/'graphs.json')                                          # the same name, other annotations
(root/'annotated/results.json').unlink()
for args, want in [([*ann,'--resume'], 'annotated.hash was'),
                   ([*ann[:6],'--entities',root/'bad.json',*TINY], 'entities was'),
                   (['align','clip','--data',data,'--out',root/'bad','--entities',root/'graphs.json',*TINY],
                    'clip hides no entities; --entities is for mmclip')]:
    code, said = run(*args); said = said.replace(f'{os.getcwd()}/', '')
    print(next(o for o in said.splitlines() if o.startswith('Error')))
    test_eq(code, 2); assert want in said, said

# %% [21] Tuning a finished model
from medvl.commands.train import (Further, tune, merge)

# %% [22] Tuning a finished model
TUNED = '--bs 4 --epochs 1 --warmup 0 --precision fp32'.split()
code, said = run('tune', 'phantom-clip', '--data', data, '--out', root/'tuned', '--how', 'head', *TUNED)
print('\n'.join(o for o in said.splitlines() if 'train' in o or o.startswith('|'))); test_eq(code, 0)
res = json.loads((root/'tuned/results.json').read_text())
test_eq((res['command'], res['arguments']['how'], res['parameters']['trainable']), ('tune', 'head', 2*128*128))
code, said = run('merge', root/'tuned/model/adapters', '--out', root/'merged'); test_eq(code, 0)
assert (model_dir(root/'merged')/'card.md').exists()
twice = ['tune', root/'tuned', '--data', data, '--out', root/'twice', *TUNED]
test_eq(run(*twice)[0], 0); print(json.loads((root/'twice/results.json').read_text())['seen_by_base'])
for args, want in [(['phantom-clip','--rank',0], 'rank of a low-rank part is 0'),
                   (['phantom-mrm'], 'has no temperature'), ([root/'merged/none'], 'holds no model'),
                   (['phantom-alta','--how','adapters'], 'adapters already')]:
    code, said = run('tune', *args, '--data', data, '--out', root/'bad', *TUNED, '--force')
    print(next(o for o in said.splitlines() if o.startswith('Error'))); test_eq(code, 2); assert want in said, said
assert 'No such option: --tokenizer' in run('tune', 'phantom-clip', '--tokenizer', 'x')[1]
env.stop(); os.chdir(home); tmp.cleanup()
