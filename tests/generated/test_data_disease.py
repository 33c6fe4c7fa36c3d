# nbs/data/44_disease.ipynb: runs against the imported medvl.data.disease.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Disease prompts
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
import torch
from torch import Tensor
from medvl.core import MedvlError
from medvl.data.batch import field, pad_texts
from medvl.data.tokens import encode, txt_id

# %% [4] Disease prompts
import math, tempfile
from fastcore.test import *

# %% [6] Templates
from medvl.data.disease import (Templates, load_templates)

# %% [7] Templates
t = load_templates()
print(t.id, t.version, len(t.names), 'labels;', t.positive, t.negative, t.none)
test_fail(lambda: Templates('mine', 1, 'There is it.', 'no {name}', 'nothing', {}),
          contains="'positive' is 'There is it.', without the placeholder {name}")
test_fail(lambda: load_templates('disease-v9'), contains="no templates 'disease-v9'")
with tempfile.TemporaryDirectory() as d:
    (f := Path(d)/'mine.json').write_text('{"id": "mine", "version": 1}')
    test_fail(lambda: load_templates(f), contains='mine.json holds no templates')

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

# %% [12] Fields of a batch
from medvl.data.disease import (PROMPT_FIELDS, _said, _prompt, _prompt_id)

# %% [13] Fields of a batch
from dataclasses import replace
from medvl.data.batch import StudyData, collate
from medvl.data.preset import Preset
from medvl.data.tokens import train_tokenizer
from medvl.toy import square_sample
import numpy as np

# %% [14] Fields of a batch
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
