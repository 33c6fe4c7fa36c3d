# nbs/commands/30_eval.ipynb: runs against the imported medvl.commands.eval.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Score
from pathlib import Path
from typing import Literal
import typer
from medvl.command import ARG, LOOK, command
from medvl.run.data import read, units
from medvl.run.folder import close_run, open_run, save_figure
from medvl.run.score import (Scoring, ask_retrieval, ask_scores, ask_zeroshot, boxed, facts_of, loaded, prompts_of,
                             settled)

# %% [4] Score
import dataclasses, json, os, tempfile
import matplotlib.pyplot as plt
import numpy as np
from unittest import mock
from fastcore.test import *
from PIL import Image
from typer.testing import CliRunner
from medvl.commands import train
from medvl.core import MedvlError, seed_everything
from medvl.data.manifest import write_manifest
from medvl.data.tokens import train_tokenizer
from medvl.eval.protocols import EIGHT, FIVE, PUBLISHED, protocol
from medvl.files import save_json
from medvl.methods.plan import PLAN
from medvl.models.checkpoint import save_pretrained
from medvl.phantom.projection import write_dicom
from medvl.phantom.set import phantom_studies
from medvl.run.change import changes_of, pairs_of

# %% [5] Score
from medvl.commands.eval import (app)

# %% [7] `medvl eval retrieval`
from medvl.commands.eval import (EVAL_DOCS, eval_retrieval)

# %% [9] `medvl eval retrieval`
tmp, home, root = tempfile.TemporaryDirectory(), os.getcwd(), Path()
os.chdir(tmp.name)
env = mock.patch.dict(os.environ, MEDVL_CACHE=os.path.abspath('cache')); env.start()
data = write_manifest(phantom_studies(12, size=64, cache=False), root/'set/manifest.csv')
medvl = typer.Typer()
medvl.add_typer(train.app); medvl.add_typer(app, name='eval')           # as `medvl` itself does it
def run(*args):
    r = CliRunner().invoke(medvl, list(map(str, args)), catch_exceptions=False)
    return r.exit_code, r.output
code, said = run('align', 'clip', '--data', data, '--out', root/'clip', *'--slots current --bs 4 --epochs 1 '
                 '--warmup 0 --precision fp32 --vocab 200 --max-len 24'.split())
test_eq(code, 0)

# %% [10] `medvl eval retrieval`
base = ['--model', root/'clip', '--data', data, '--n-boot', 50]
code, said = run('eval', 'retrieval', *base, '--out', root/'ret', '--rows', 3, '--embeddings')
print(said)
test_eq(code, 0)
res = json.loads((root/'ret/results.json').read_text())
test_eq(res['retrieval']['n_pairs'], len(units(read(data)[0], need_text=True, split='test')))
full = res['retrieval']['full']
assert 0 <= full['image_to_text_R@1'] <= full['image_to_text_R@5'] <= full['image_to_text_R@10'] <= 1
test_eq(sorted(p.name for p in (root/'ret').iterdir()),
        ['embeddings.npz','film_to_text.png','results.json','run.json','text_to_film.png'])

# %% [11] `medvl eval retrieval`
fig, ax = plt.subplots(figsize=(5.5,3.3), dpi=60)
ax.imshow(plt.imread(root/'ret/text_to_film.png')); ax.axis('off');

# %% [13] `medvl eval zeroshot`
from medvl.commands.eval import (eval_zeroshot)

# %% [14] `medvl eval zeroshot`
code, said = run('eval', 'zeroshot', *base, '--out', root/'zs')
print(said)
test_eq(code, 0)
z = json.loads((root/'zs/results.json').read_text())['zeroshot']
test_eq((z['prompts']['id'], z['transductive']), ('chexpert14-normal-v1', False))
assert (root/'zs/roc.png').stat().st_size > 1000

# %% [16] `medvl eval zeroshot`
for args, want in [(['--out', root/'zs'], 'medvl eval zeroshot'), (['--out', root/'x', '--source', 'toys'], "'toys'")]:
    code, said = run('eval', 'retrieval', *base, *args)
    print(said.strip()); test_eq(code, 2); assert want in said
env.stop(); os.chdir(home); tmp.cleanup()

# %% [18] `medvl eval scores`
from medvl.commands.eval import (eval_scores)

# %% [20] `medvl eval scores`
tmp = tempfile.TemporaryDirectory(); root = Path(tmp.name)
os.environ['MEDVL_CACHE'], cache = str(root/'cache'), os.environ.get('MEDVL_CACHE')
studies = phantom_studies(14, seed=2, size=64)
tok = train_tokenizer([s.report for s in studies], 600)
seed_everything(0)
vit = dict(name='vit_small_cpu', size=64, patch_size=16, depth=1, embed_dim=48, num_heads=3)
bert = dict(hidden_size=48, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64)
small = dict(name='page', size=64, resize=64, decode=64, mean=.48, std=.28)
m = PLAN.small(vision=vit, text=bert, vocab=len(tok), size=64, dim=32, hidden=32, layers=1, preset=small)
save_pretrained(m, root/'run'/'model', extra=dict(preset=small, max_len=64)); tok.save_pretrained(root/'run'/'model')
def kept(i, s):
    "A study with films and boxes on disk, as a manifest wants it."
    (root/'set').mkdir(exist_ok=True); views = []
    for v in s.frontals:
        Image.fromarray(v.px).save(root/'set'/f'{v.id}.png')
        views.append(dataclasses.replace(v, path=str(root/'set'/f'{v.id}.png'), px=None, masks={}, info={}))
    return dataclasses.replace(s, views=views, prior=None, split='test' if i % 2 else 'train', info={})
number = {p: i for i,p in enumerate(dict.fromkeys(s.patient for s in studies))}
write_manifest([kept(number[s.patient], s) for s in studies], root/'set'/'manifest.csv')
def run(*args):
    r = CliRunner().invoke(app, list(map(str, args)), catch_exceptions=False)
    return r.exit_code, r.output.replace(str(root), 'RUNS')
base = '--model', root/'run', '--data', root/'set'
code, said = run('scores', *base, '--out', root/'s', '--n-boot', 20); print(said); test_eq(code, 0)
res = json.loads((root/'s'/'results.json').read_text())
test_eq(set(res['retrieval']), {'glob','local','z'}); test_eq(res['zeroshot']['how'], 'z')
for r in res['retrieval'].values(): test_eq(0 <= r['image_to_text_R@1'] <= r['image_to_text_R@10'] <= 1, True)
code, said = run('scores', *base, '--out', root/'s2', '--how', 'best'); test_eq(code, 2)

# %% [22] `medvl eval detect`
from medvl.commands.eval import (eval_detect)

# %% [23] `medvl eval detect`
code, said = run('detect', *base, '--out', root/'d', '--label', 'Pleural Effusion', '--steps', 60); print(said)
test_eq(code, 0)
res = json.loads((root/'d'/'results.json').read_text())
test_eq(res['train']['films'] + res['test']['films'], sum(len(s.frontals) for s in studies))
test_eq(0 <= res['scores']['cells']['AP@0.5'] <= res['scores']['cells']['AP@0.3'] <= 1, True)
code, said = run('detect', *base, '--out', root/'e', '--label', 'Elephant'); test_eq(code, 2)
assert 'has a box to learn from' in ' '.join(said.split()), said
os.environ.pop('MEDVL_CACHE') if cache is None else os.environ.update(MEDVL_CACHE=cache); tmp.cleanup();

# %% [25] `medvl eval temporal`
from medvl.commands.eval import (eval_temporal)

# %% [27] `medvl eval temporal`
tmp, home, root = tempfile.TemporaryDirectory(), os.getcwd(), Path()
os.chdir(tmp.name)
studies = phantom_studies(80, size=64, cache=False); smp = pairs_of(studies)
a, b = smp[0].slots[0].id, smp[0].slots[2].id
with open('truth.jsonl', 'w') as f:
    for s in studies: f.write(json.dumps(dict(study=s.id, info=dict(state=s.info['state'])))+'\n')
(root/'t.csv').write_text('dicom_id,previous_dicom_id,pleural_effusion_progression,edema_progression\n'
                          f'{a},{b},improving,\n')
env = mock.patch.dict(os.environ, MEDVL_CACHE=os.path.abspath('cache')); env.start()
medvl = typer.Typer(); medvl.add_typer(train.app); medvl.add_typer(app, name='eval')    # as `medvl` itself does it
def run(*args):
    r = CliRunner().invoke(medvl, list(map(str, args)), catch_exceptions=False)
    return r.exit_code, r.output
data = write_manifest(studies, root/'set/manifest.csv')
code, out = run('align', 'clip', '--data', data, '--out', root/'clip', *'--slots current --bs 4 --samples 4 '
                '--epochs 1 --warmup 0 --precision fp32 --vocab 200 --max-len 24'.split())
test_eq(code, 0)
args = ['eval', 'temporal', '--model', root/'clip', '--data', data, '--folds', 3, '--n-boot', 100]
code, out = run(*args, '--labels', 'truth.jsonl', '--out', root/'truth')
print(out); test_eq(code, 0)
res = json.loads((root/'truth/results.json').read_text())['temporal']
judged = sum(any(w[i] for w in changes_of('truth.jsonl', smp).values()) for i in range(len(smp)))
test_eq((res['pairs'], res['folds'], res['how']), (judged, 3, 'both')); assert 'consolidation' in res['findings']
for r in res['findings'].values(): assert 0 <= r['macro_accuracy']['value'] <= 1 and len(r['C']) <= 3

# %% [29] `medvl eval temporal`
code, out = run(*args, '--labels', 't.csv', '--out', root/'one')
print(out.splitlines()[-2:]); test_eq(code, 0); assert 'not computable' in out and '1 pairs of 1 patients' in out
for what, want in [('column:cue', "no film has a column 'cue'"), ('n.csv', 'n.csv')]:
    code, out = run(*args, '--labels', what, '--out', root/'no')
    test_eq(code, 2); assert want in out
env.stop(); os.chdir(home); tmp.cleanup()

# %% [31] `medvl eval protocol`
from medvl.commands.eval import (eval_protocol)

# %% [33] On tables and films in their layout
tmp, home, root = tempfile.TemporaryDirectory(), os.getcwd(), Path()
os.chdir(tmp.name)
env = mock.patch.dict(os.environ, MEDVL_CACHE=os.path.abspath('cache')); env.start()
medvl = typer.Typer(); medvl.add_typer(train.app); medvl.add_typer(app, name='eval')    # as `medvl` itself does it
def run(*args):
    r = CliRunner().invoke(medvl, list(map(str, args)), catch_exceptions=False)
    return r.exit_code, r.output
def error(said): return next(o for o in said.splitlines() if o.startswith('Error'))
data = write_manifest(phantom_studies(12, size=64, cache=False), root/'set/manifest.csv')
code, said = run('align', 'clip', '--data', data, '--out', root/'clip', *'--slots current --bs 4 --samples 4 '
                 '--epochs 1 --warmup 0 --precision fp32 --vocab 200 --max-len 24'.split())
test_eq(code, 0)

# %% [34] On tables and films in their layout
rng = np.random.default_rng(0)
def film_of(i): return f'train/patient{i:05d}/study1/view1_frontal.jpg'
def one_hot(j, n): return ','.join(str(float(j == k)) for k in range(n))
chex = root/'CheXpert-v1.0-small'
for i in range(1, 131):
    (chex/film_of(i)).parent.mkdir(parents=True)
    Image.fromarray(rng.integers(0, 255, (40,40)).astype('uint8')).save(chex/film_of(i))
(root/'chexpert_5x200.csv').write_text('\n'.join([',Path,'+','.join(FIVE)+',Report Impression']+[
    f'{i},CheXpert-v1.0/{film_of(i+1)},{one_hot(i//25, 5)},"1. Words about {FIVE[i//25]}. 2. Number {i}."'
    for i in range(125)])+'\n')
five_args = ['eval', 'protocol', 'chexpert5x200', '--model', root/'clip', '--data', chex, '--n-boot', 50]
code, said = run(*five_args, '--list', root/'chexpert_5x200.csv', '--out', root/'five')
print(said); test_eq(code, 0)
a, b = json.loads((root/'five/results.json').read_text())['protocols']
test_eq((a['protocol'], a['hash']), ('chexpert5x200-i2t-v1', PUBLISHED['chexpert5x200-i2t-v1'].hash))
test_eq((a['set'] == b['set'], a['films'], a['of_each'], a['chance']), (True, 125, dict.fromkeys(FIVE, 25), .2))
test_close(a['metrics']['P@100']['value'], .2, .02)                    # 100 of 125 candidates: chance, whatever it is
assert b['task'] == 'multiclass' and b['prompts']['id'] == 'chexpert5-cross-v1'; test_eq(b['n'], 125)

# %% [36] On tables and films in their layout
from medvl.core import CHEXPERT as names
table = ['Path,Sex,Age,Frontal/Lateral,AP/PA,'+','.join(names)]
for i in range(130): table.append(f"CheXpert-v1.0-small/{film_of(i+1)},Male,50,Frontal,PA,"
                                  + ','.join('1.0' if n == FIVE[i % 5] else '' for n in names))
(chex/'train.csv').write_text('\n'.join(table)+'\n')
for which, want in [('chexpert5x200-zs-v1', "needs 200 films with only 'Atelectasis', there are 26"),
                    ('chexpert5x200', 'no study of'),
                    ('chexpert8x200', 'needs its list'), ('chexpert', 'no protocol')]:
    code, said = run('eval', 'protocol', which, *five_args[3:], '--out', root/'no')
    print(error(said)); test_eq(code, 2); assert want in said

# %% [38] On tables and films in their layout
(root/'own.csv').write_text('image,class,text\n'+''.join(f"{film_of(i)},{FIVE[(i-1) % 5]},words about {i} and more\n"
                                                        for i in range(1, 121)))
code, said = run(*five_args, '--list', root/'own.csv', '--out', root/'own')
test_eq(code, 0); print(said.splitlines()[-3])
test_eq(json.loads((root/'own/results.json').read_text())['protocols'][0]['of_each'], dict.fromkeys(FIVE, 24))

# %% [39] On tables and films in their layout
lists = root/'convirt'
for k in ('image-retrieval','text-retrieval'): (lists/k).mkdir(parents=True)
(lists/'image-retrieval/candidate.csv').write_text('\n'.join(['Path,'+','.join(EIGHT)]+[
    f'CheXpert-v1.0-small/{film_of(i+1)},{one_hot(i % 8, 8)}' for i in range(96)])+'\n')
(lists/'image-retrieval/query.csv').write_text('Variable,Path\n'+''.join(
    f'{EIGHT[i % 8]},CheXpert-v1.0-small/{film_of(97+i)}\n' for i in range(16)))
(lists/'text-retrieval/query.csv').write_text('Variable,Text\n'+''.join(f'{c},There is {c.lower()}.\n' for c in EIGHT))
code, said = run('eval', 'protocol', 'chexpert8x200', *five_args[3:], '--list', lists, '--out', root/'eight')
print(said); test_eq(code, 0)
i2i, t2i = json.loads((root/'eight/results.json').read_text())['protocols']
test_eq([(r['queries'], r['candidates'], r['chance']) for r in (i2i, t2i)], [(16, 96, .125), (8, 96, .125)])
test_eq(t2i['hash'], protocol('chexpert8x200-t2i-v1').hash)
for r in (i2i, t2i): assert abs(r['metrics']['P@50']['value']-.125) < .08

# %% [41] On tables and films in their layout
r = root/'rsna'
for i in range(160): write_dicom(rng.random((40,40)), r/f'stage_2_train_images/film{i:03d}.dcm')
(r/'stage_2_train_labels.csv').write_text('patientId,x,y,width,height,Target\n'+''.join(
    f'film{i:03d},10,10,12,12,1\n' if i % 2 else f'film{i:03d},,,,,0\n' for i in range(160)))
rsna_args = ['eval', 'protocol', 'rsna', '--model', root/'clip', '--data', r, '--n-boot', 50]
code, said = run(*rsna_args, '--out', root/'rsna-run')
print(said); test_eq(code, 0)
res = json.loads((root/'rsna-run/results.json').read_text())
one = res['protocols'][0]; o = one['classes']['Pneumonia']
test_eq((one['films'], one['validation_films'], one['parts']), (24, 24, 'gloria'))
test_eq(one['hash'], protocol('rsna-zs-v1').hash)
test_eq([o['prompts']['id'] for o in res['protocols']], ['rsna-pneumonia-v1','rsna-plain-v1'])
assert {'threshold','accuracy','f1'} <= o.keys() and 0 < o['in_test_cv']['f1'] < 1
assert 0 < o['auroc']['value'] < 1 and res['arguments']['precision'] != 'auto'

# %% [43] On tables and films in their layout
def listed(rows): (root/'list.csv').write_text('image,target,split\n'+''.join(o+'\n' for o in rows))
listed([f"film{i:03d}.dcm,{i % 2},{'val' if i < 20 else 'test'}" for i in range(60)])
code, said = run(*rsna_args, '--list', root/'list.csv', '--out', root/'rsna-list')
test_eq(code, 0); test_eq(json.loads((root/'rsna-list/results.json').read_text())['protocols'][0]['films'], 40)
lists = root/'lists'; lists.mkdir()                       # as MRM and ALTA have them: a film and its target in a line
for k, span in (('val', range(20)), ('test', range(20, 60))):
    (lists/f'{k}_list.txt').write_text(''.join(f'stage_2_train_images/film{i:03d}.dcm {i % 2} \n' for i in span))
code, said = run(*rsna_args, '--list', lists, '--out', root/'rsna-txt'); test_eq(code, 0)
test_eq(*(json.loads((root/f'{k}/results.json').read_text())['protocols'][0]['set'] for k in ('rsna-list','rsna-txt')))
for rows, want in [(['film999,1,test'], '1 of 1 films are not in the data'),
                   (['film000,1,test'], 'the test part has 1 films of one kind')]:
    listed(rows); code, said = run(*rsna_args, '--list', root/'list.csv', '--out', root/'no')
    print(error(said)); test_eq(code, 2); assert want in said

# %% [45] `medvl eval suite`
from medvl.commands.eval import (eval_suite)

# %% [46] `medvl eval suite`
from medvl.readers.rehearsal import write_rsna, write_siim
from medvl.run.model import shipped
sets = dict(rsna=write_rsna(phantom_studies(30, 4, size=64, cache=False), root/'rsna'),
            siim=write_siim(phantom_studies(30, 4, size=64, cache=False), root/'siim'))
two = [f'--model={shipped()[k]}' for k in ('phantom-clip','phantom-alta')]
named = [f'--set={k}={d}' for k,d in sets.items()]
code, said = run('eval', 'suite', *two, *named, '--out', root/'suite', '--n-boot', 0)
print('\n'.join(o for o in said.splitlines() if o.startswith(('  AUROC','rsna','siim')))); test_eq(code, 0)
res = json.loads((root/'suite/results.json').read_text())
test_eq([list(o) for o in res['sets'].values()], [['rsna','siim']]*2); test_eq('rsna' in res['flips'], True)
for args, want in [([named[0], named[0]], '--set: rsna is given twice'), ([two[0], named[0]], 'clip is given twice'),
                   (['--set','rsna'], "expected name=folder"), ([f"--set=mimic={sets['rsna']}"], "no set 'mimic'"),
                   ([f"--set=rsna={sets['rsna']}", '--wording', 'loud'], "unknown wording 'loud'")]:
    code, said = run('eval', 'suite', two[0], *args, '--out', root/'bad', '--force')
    print(error(said)) if 'twice' not in want else None; test_eq(code, 2); assert want in said, said
env.stop(); os.chdir(home); tmp.cleanup()
