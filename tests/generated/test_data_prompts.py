# nbs/data/23_prompts.ipynb: runs against the imported medvl.data.prompts.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Prompts
import json
from collections import Counter
from dataclasses import dataclass, field
from hashlib import sha256
from importlib.resources import files
from itertools import product
from pathlib import Path
from medvl.core import MedvlError

# %% [4] Prompts
import tempfile
from fastcore.test import *
from medvl.core import CHEXPERT
from medvl.files import save_json
from medvl.data.report import chexpert_labels

# %% [6] A prompt set
from medvl.data.prompts import (prompt_hash, PromptSet)

# %% [8] A file
from medvl.data.prompts import (_strings, _object, _written, _once, _checked)

# %% [9] A file
from medvl.data.prompts import (DEFAULT, prompt_sets, load_prompts)

# %% [11] Prompt sets in medvl
for o in prompt_sets(): print(load_prompts(o))

# %% [13] Prompt sets in medvl
test_eq({k: len(c['pos']) for k,c in load_prompts('chexpert5-cross-v1').classes.items()},
        {'Atelectasis': 210, 'Cardiomegaly': 15, 'Consolidation': 192, 'Edema': 18, 'Pleural Effusion': 54})
test_eq([len(v) for v in load_prompts('rsna-pneumonia-v1').classes['Pneumonia'].values()], [4,4])
plain = load_prompts('chexpert14-plain-v1')
test_eq(plain.classes['Pleural Effusion'], dict(pos=['pleural effusion'], neg=['no pleural effusion']))
test_eq(set(plain.names), set(CHEXPERT))
normal = load_prompts('chexpert14-normal-v1'); test_eq(set(normal.names), set(CHEXPERT))
test_eq(set(normal.classes['Edema']['neg']), set(normal.classes['No Finding']['pos']))
test_eq(load_prompts('covid-real-v1').values['COVID-19'][0], 'COVID-19')

# %% [15] Prompt sets in medvl
def says(p, k): return chexpert_labels(p)[k]
for o in ('rsna-pneumonia-v1','chexpert14-plain-v1','chexpert14-normal-v1','chexpert5-cross-v1'):
    for k,c in load_prompts(o).classes.items():
        if k in ('No Finding','Support Devices','Pleural Other'): continue
        test_eq({says(p, k) for p in c['pos']} - {1.}, set())
        assert 1. not in {says(p, k) for p in c['neg']}, (o,k)

# %% [17] Your own prompts
tmp = tempfile.TemporaryDirectory(); folder = Path(tmp.name)
def mine(name='mine.json', **kw): return save_json(folder/name, dict(id='mine', version=1) | kw)
a = load_prompts(mine(pairs=dict(names=['Edema'], pos=['{name}'], neg=['no {name}'])))
b = load_prompts(mine('other.json', id='another', classes={'Edema': {'neg': ['no edema'], 'pos': ['edema']}}))
test_eq(a.hash, b.hash); test_eq(a.hash, prompt_hash(a.classes)); test_eq(len(a.hash), 64)
assert load_prompts(mine(classes={'Edema': {'pos': ['oedema'], 'neg': ['no edema']}})).hash != a.hash

# %% [18] Your own prompts
bad = [(dict(classes={'Edema': {'neg': ['no edema']}}), "class 'Edema' has no prompts under 'pos'"),
       (dict(version='1', classes={}), "key 'version' must be int"),
       (dict(classes={'Edema': ['edema']}), 'classes.Edema must be an object'),
       (dict(classes={'Edema': {'pos': [3]}}), 'classes.Edema.pos must be a list'),
       (dict(classes={'Edema': {'pos': ['edema','edema']}}), 'twice'),
       (dict(classes={'Edema': {'pos': ['edema'], 'neg': ['edema']}}), "'edema' under 'pos' and under 'neg'"),
       (dict(classes={k: {'pos': [k]} for k in ('Edema','edema')}), "several classes are called 'edema'"),
       (dict(cross={'Edema': {'severity': ['mild'], 'subtype': ['edema']}}), 'cross.Edema.location'),
       (dict(pairs={'names': ['Edema']}), 'pairs.pos'), (dict(), 'names no class'),
       (dict(clases={}), 'with the keys id'),
       (dict(classes={'Edema': {'pos': ['edema']}}, values={'Oedema': ['x']}), 'values.Oedema')]
for d,msg in bad: test_fail(lambda: load_prompts(mine(**d)), contains=msg)
(folder/'broken.json').write_text('{"id": "x",')
test_fail(lambda: load_prompts(folder/'broken.json'), contains='is not JSON')
(folder/'again.json').write_text('{"id": "x", "version": 1, "classes": {"A": {"pos": ["a"]}, "A": {"pos": ["b"]}}}')
test_fail(lambda: load_prompts(folder/'again.json'), contains="again.json: the key 'A' is there twice")
test_fail(lambda: load_prompts('rsna'), contains='known ids: chexpert14-normal-v1')
test_fail(lambda: load_prompts(folder/'none.json'), contains='no prompt file')
try: load_prompts(folder/'broken.json')
except MedvlError as err: print(err)
tmp.cleanup()
