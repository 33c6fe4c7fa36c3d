# nbs/commands/31_ground.ipynb: runs against the imported medvl.commands.ground.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Ground
from pathlib import Path
from typing import Literal
import typer
from medvl.command import ARG, LOOK, command
from medvl.commands.eval import app as eval_app
from medvl.run.data import read
from medvl.run.folder import close_run, open_run, save_figure, save_text
from medvl.run.score import loaded

# %% [4] Ground
import json, tempfile
import numpy as np
import pydicom
from fastcore.test import *
from PIL import Image
from typer.testing import CliRunner
from medvl.core import seed_everything
from medvl.data.manifest import write_manifest
from medvl.data.tokens import train_tokenizer
from medvl.methods.clip import CLIP
from medvl.models.checkpoint import save_pretrained
from medvl.phantom.set import phantom_studies

# %% [5] Ground
from medvl.commands.ground import (app, NO_CONTROLS)

# %% [7] A phrase on a film
from medvl.commands.ground import (ground_film)

# %% [9] A phrase on a film
tmp = tempfile.TemporaryDirectory(); root = Path(tmp.name)
studies = phantom_studies(6, seed=2, size=128, difficulty='lifelike')
tok = train_tokenizer([s.report for s in studies], 1200)
seed_everything(0)
dir = root/'run'/'model'
save_pretrained(CLIP.small(vocab=len(tok)), dir, extra=dict(preset='alta-small', max_len=64))
tok.save_pretrained(dir)
film = next(v for s in studies for v in s.frontals if v.masks)
Image.fromarray(film.px).save(root/'film.png')

def run(*args):
    r = CliRunner().invoke(app, list(map(str, args)), catch_exceptions=False)
    return r.exit_code, ' '.join(r.output.split())

two = 'left pleural effusion', 'mild pulmonary edema'
code, text = run(root/'film.png', *two, '--model', root/'run', '--out', root/'a.png')
print(text.replace(str(root), 'RUNS')); test_eq(code, 0)
with Image.open(root/'a.png') as im: test_eq(im.format, 'PNG'); assert im.size[0] > 600
assert 'left pleural effusion: highest' in text and text.count('highest') == 2 and NO_CONTROLS in text

# %% [11] A phrase on a film
from medvl.phantom.projection import write_dicom
write_dicom(film.px/255., root/'film.dcm', 'PA', bits=12)
code, same = run(root/'film.dcm', 'left pleural effusion', '--model', root/'run', '--out', root/'b.png')
print(same.replace(str(root), 'RUNS')); test_eq(code, 0)
high = lambda t: float(t.split('highest')[1].split()[0])
test_close(high(text), high(same), eps=.02)

# %% [13] A phrase on a film
Image.fromarray(np.random.default_rng(0).integers(0, 255, (128,128,3), dtype=np.uint8)).save(root/'photo.png')
(root/'notes.txt').write_text('no picture')
cases = {('film.png', ''): 'the phrase is empty', ('film.png', ' \t '): 'the phrase is empty',
         ('film.png', 'x'*5000): 'knows no word', ('film.png', 'effusion '*556): 'trained on at most 64',
         ('film.png', 'выпот'): 'knows no word', ('photo.png', 'effusion'): 'a colour picture',
         ('notes.txt', 'effusion'): 'notes.txt', ('lost.png', 'effusion'): 'lost.png'}
for (name,phrase),want in cases.items():
    code, said = run(root/name, phrase, '--model', root/'run', '--out', root/'c.png')
    print(said.replace(str(root), 'RUNS')[:150]); test_eq(code, 2); assert want in said, said
assert not (root/'c.png').exists()
for more,want in ((['--model', root/'run', '--out', root/'a.png'], '--force overwrites'),
                  (['--model', root/'run', '--out', root/'a.jpg'], 'ends in .png'),
                  (['--model', root, '--out', root/'c.png'], 'holds no model')):
    code, said = run(root/'film.png', 'effusion', *more); test_eq(code, 2); assert want in said, said

# %% [15] A phrase on a film
import dataclasses
def on_disk(s):
    "A study with its frontal films as files, as a manifest wants it."
    (root/'set').mkdir(exist_ok=True); views = []
    for v in s.frontals:
        Image.fromarray(v.px).save(root/'set'/f'{v.id}.png')
        views.append(dataclasses.replace(v, path=str(root/'set'/f'{v.id}.png'), px=None, masks={}, info={}))
    return dataclasses.replace(s, views=views, prior=None, split='test', info={})
calm = [dataclasses.replace(on_disk(s), report='No pleural effusion. No pneumothorax.', labels={}) for s in studies]
write_manifest(calm, root/'set'/'calm.csv')
code, text = run(root/'film.png', two[0], '--model', root/'run', '--out', root/'e.png',
                 '--controls', root/'set'/'calm.csv')
print(text.replace(str(root), 'RUNS')); test_eq(code, 0); assert 'of the film' in text and NO_CONTROLS not in text
with Image.open(root/'e.png') as im: assert im.size[0] > 600             # the film, and the control beside it

# %% [17] A phrase on a film
code, said = run(root/'film.png', 'zqxvkj effusion', '--model', root/'run', '--out', root/'d.png', '--no-looks')
print(said.replace(str(root), 'RUNS')); test_eq(code, 0); assert 'warning' in said and 'zqxvkj' in said

# %% [19] A set of phrases
from medvl.commands.ground import (eval_grounding)

# %% [20] A set of phrases
def evaluate(*args):
    r = CliRunner().invoke(eval_app, ['grounding', *map(str, args)], catch_exceptions=False)
    return r.exit_code, r.output

write_manifest([on_disk(s) for s in studies], root/'set'/'manifest.csv')
code, text = evaluate('--model', root/'run', '--data', root/'set', '--out', root/'g', '--n-boot', 50, '--side', 128,
                      '--leave-out', 'Support Devices')
print(text.replace(str(root), 'RUNS')); test_eq(code, 0)
res = json.loads((root/'g'/'results.json').read_text())
test_eq(sorted(p.name for p in (root/'g').iterdir()),
        ['gallery.html','gallery.png','grounding.png','results.json','run.json'])
page = (root/'g'/'gallery.html').read_text(); print(f"{page.count('<figure>')} films in the gallery's page")
test_eq(page.count('<figure>') >= 4, True)
g = res['grounding']; test_eq(len(g['rows']), g['phrases']); test_eq(set(res['gain']), {'cnr','miou','pointing'})
assert abs(g['macro']['cnr']['value']) < .8       # an untrained model

# %% [21] A set of phrases
code, said = evaluate('--model', root/'run', '--data', root/'set', '--out', root/'h', '--split', 'val')
test_eq(code, 2); assert 'no phrase on these films' in said
tmp.cleanup()
