# nbs/commands/17_protocol.ipynb: runs against the imported medvl.commands.protocol.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Protocols from a local copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal
import typer
from medvl.command import ARG, close_run, command, open_run
from medvl.commands.data import read, read_rsna_set, units
from medvl.commands.eval import Scoring, app, eval_loader, loaded, settled

# %% [4] Protocols from a local copy
import json, os, tempfile
import numpy as np
from unittest import mock
from fastcore.test import *
from PIL import Image
from typer.testing import CliRunner
from medvl.commands import train
from medvl.core import MedvlError
from medvl.data.manifest import write_manifest
from medvl.eval.protocols import EIGHT, FIVE, PUBLISHED, protocol
from medvl.phantom.projection import write_dicom
from medvl.phantom.set import phantom_studies
import typer

# %% [6] Names
from medvl.commands.protocol import (protocols_of)

# %% [7] Names
test_eq([p.id for p in protocols_of('chexpert5x200')], ['chexpert5x200-i2t-v1','chexpert5x200-zs-v1'])
test_eq([p.id for p in protocols_of('rsna-zs-v1')], ['rsna-zs-v1'])
test_fail(lambda: protocols_of('rsna-zs'), contains="no protocol 'rsna-zs'; there are chexpert5x200-i2t-v1")

# %% [9] The sets
from medvl.commands.protocol import (Asked, five)

# %% [11] The sets
from medvl.commands.protocol import (eight)

# %% [13] The sets
from medvl.commands.protocol import (rsna)

# %% [15] What is asked of a model
from medvl.commands.protocol import (ask, num, in_line)

# %% [16] What is asked of a model
test_eq(num(dict(value=.5, low=.25, high=None)), '0.500 [0.250, -]')
print(in_line(dict(protocol='x-v1', hash='ab12', set='cd', films=9, chance=.2, 
                   metrics={'P@5': dict(value=.3, low=.1, high=.4)})))

# %% [18] The command
from medvl.commands.protocol import (eval_protocol)

# %% [20] On tables and films in their layout
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

# %% [21] On tables and films in their layout
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

# %% [23] On tables and films in their layout
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

# %% [25] On tables and films in their layout
(root/'own.csv').write_text('image,class,text\n'+''.join(f"{film_of(i)},{FIVE[(i-1) % 5]},words about {i} and more\n"
                                                        for i in range(1, 121)))
code, said = run(*five_args, '--list', root/'own.csv', '--out', root/'own')
test_eq(code, 0); print(said.splitlines()[-3])
test_eq(json.loads((root/'own/results.json').read_text())['protocols'][0]['of_each'], dict.fromkeys(FIVE, 24))

# %% [26] On tables and films in their layout
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

# %% [28] On tables and films in their layout
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

# %% [30] On tables and films in their layout
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
env.stop(); os.chdir(home); tmp.cleanup()
