# nbs/data/44_disease.ipynb: runs against the imported medvl.data.disease.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Disease prompts
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
import numpy as np
import torch
from torch import Tensor
from medvl.core import MedvlError
from medvl.data.batch import field, pad_texts
from medvl.data.tokens import encode, txt_id

# %% [4] Disease prompts
import math, tempfile
from dataclasses import replace
from fastcore.test import *

# %% [6] Templates
from medvl.data.disease import (Templates, load_templates)

# %% [7] Templates
t = load_templates()
print(t.id, t.version, len(t.names), 'labels;', t.positive, t.negative, t.none)
test_fail(lambda: Templates('mine', 1, 'There is it.', 'no {name}', 'nothing', {}),
          contains="'positive' is 'There is it.', without the placeholder {name}")
test_fail(lambda: load_templates('disease-v9'), contains="no templates 'disease-v9'; there are disease-v1, disease")
with tempfile.TemporaryDirectory() as d:
    (f := Path(d)/'mine.json').write_text('{"id": "mine", "version": 1}')
    test_fail(lambda: load_templates(f), contains='mine.json holds no templates')
    f.write_text('{"like": "disease-v1", "positive": "There is it."}')
    test_fail(lambda: load_templates(f), contains="mine.json: templates 'disease-v1': 'positive' is 'There is it.'")
    f.write_text('{"like": "disease-v1", "id": "mine", "version": 1, "none": "Normal."}'); load_templates.cache_clear()
    test_eq(load_templates(f), replace(t, id='mine', none='Normal.'))
test_fail(lambda: replace(t, negatives=-1), contains='negatives is -1')

# %% [9] From labels to a sentence
from medvl.data.disease import (disease_prompt)

# %% [10] From labels to a sentence
test_eq(disease_prompt({'Pleural Effusion': 1, 'Edema': 1, 'Fracture': 0, 'Pneumonia': -1}),
        'There is edema. There is pleural effusion.')
test_eq(disease_prompt({'Edema': 1, 'Pleural Effusion': 1}), disease_prompt({'Pleural Effusion': 1., 'Edema': 1.}))
test_eq(disease_prompt({'No Finding': 1, 'Edema': 0}), 'There is no finding.')
test_eq(disease_prompt({'Edema': 0, 'Pneumonia': math.nan}), 'There is no edema.')  # of pneumonia nothing is known
test_eq(disease_prompt({k: 0 for k in list(t.names)[:13]}), 'There is no finding.')
test_eq((disease_prompt({}), disease_prompt({'Edema': -1})), ('', ''))
test_fail(lambda: disease_prompt({'Gout': 1}), contains="label 'Gout' has no prompt")

# %% [11] From labels to a sentence
some, rng = {'Edema': 1, 'Fracture': 0, 'Pneumonia': 0, 'Atelectasis': -1}, np.random.default_rng(0)
drawn = {disease_prompt(some, load_templates('disease-v2'), rng) for _ in range(50)}
for s in sorted(drawn): print(s)
test_eq(drawn, {'There is edema.', 'There is edema. There is no fracture.', 'There is edema. There is no pneumonia.',
                'There is edema. There is no pneumonia. There is no fracture.'})
test_eq(disease_prompt(some, load_templates('disease-v2')), 'There is edema.')  # nothing is drawn without `rng`
test_eq(disease_prompt(some, load_templates(), rng), 'There is edema.')                 # disease-v1 denies nothing

# %% [13] Fields of a batch
from medvl.data.disease import (PROMPT_FIELDS, _denies, _said, _prompt, _prompt_id)

# %% [14] Fields of a batch
from medvl.data.batch import StudyData, collate
from medvl.data.preset import Preset
from medvl.data.tokens import train_tokenizer
from medvl.toy import square_sample

# %% [15] Fields of a batch
rng = np.random.default_rng(0)
facts = [{'Edema': 1}, {'No Finding': 1}, {'Edema': 1}, {}]
rows = [replace(square_sample(i, 4, rng), labels=l) for i,l in enumerate(facts)]
tok = train_tokenizer([disease_prompt(l) for l in facts[:2]], 100, min_frequency=1)
data = StudyData(rows, tok, Preset('toy', 32, 32, 32, .3, .2), max_len=16, fields=PROMPT_FIELDS)
b, _ = collate([data[i] for i in range(4)], data)
for r in b['prompt']: print(tok.decode(r[r >= 0], skip_special_tokens=True) or '(none)')
test_eq(tok.decode(b['prompt'][2][b['prompt'][2] >= 0], skip_special_tokens=True), 'there is edema.')
same = b['prompt_id'][:,None] == b['prompt_id']
test_eq(same.int().tolist(), [[1,0,1,0],[0,1,0,0],[1,0,1,0],[0,0,0,1]])
test_eq((b['prompt'][3] >= 0).any().item(), False)

# %% [16] Fields of a batch
facts = [{'Edema': 1, 'Fracture': 0, 'Pneumonia': 0}]*2+[{'Edema': 1, 'Fracture': 0}]
rows = [replace(square_sample(i, 4, rng), labels=l, text='') for i,l in enumerate(facts)]
v2 = load_templates('disease-v2')
tok = train_tokenizer([disease_prompt(facts[0], v2, rng) for _ in range(20)], 100, min_frequency=1)
data = StudyData(rows, tok, Preset('toy', 32, 32, 32, .3, .2), max_len=32, fields=PROMPT_FIELDS, train=True)
data.templates, drawn = v2, set()
for data.epoch in range(12):
    b, _ = collate([data[i] for i in range(3)], data)
    drawn |= {tok.decode(r[r >= 0], skip_special_tokens=True) for r in b['prompt'][:1]}
    test_eq((b['prompt_id'][:,None] == b['prompt_id']).int().tolist(), [[1,1,0],[1,1,0],[0,0,1]])
assert len(drawn) > 2                                                        # a new draw in each epoch
data.samples[0] = replace(rows[0], text='Edema.')                             # it has a report
b, _ = collate([data[i] for i in range(3)], data)
test_eq(tok.decode(b['prompt'][0][b['prompt'][0] >= 0], skip_special_tokens=True), 'there is edema.')
