# nbs/run/20_train.ipynb: runs against the imported medvl.run.train.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Build and train
import json, re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from medvl.run.data import read_rsna_set, shown, slots_of, units
from medvl.run.folder import model_dir
from medvl.run.sources import open_source

# %% [4] Build and train
import os, tempfile
import torch
from types import SimpleNamespace
from unittest import mock
from fastcore.test import *
from medvl.core import MedvlError, methods
from medvl.methods.recipe import one_step, recipe_of
from medvl.run.run import Run
from medvl.phantom.set import phantom_studies

# %% [6] Values by name
from medvl.run.train import (value_of, settings)

# %% [7] Values by name
test_eq(settings(['mode=clean','dim=64','x=[1,2]'], {'mode','dim','x'}), {'mode':'clean','dim':64,'x':[1,2]})
test_eq([value_of(o) for o in ('False','None','.5','1.','1E-3','-.5','no','1e')],
        [False,None,.5,1.,.001,-.5,'no','1e'])
test_fail(lambda: settings(['a=1','a=2'], {'a'}), contains="--set 'a=2': a is 1 already")
test_fail(lambda: settings(['mood=1'], {'mode'}), contains="--set 'mood=1': expected name=value with a name of mode")
test_fail(lambda: settings(['mode'], {'mode'}), contains="--set 'mode'")

# %% [9] A method by its name
from medvl.run.train import (takes_of, check_given)

# %% [11] A method by its name
from medvl.run.train import (text_dir, report_tower, build, counted)

# %% [12] A method by its name
assert {'vocab','mask_id','mode'} & takes_of('alta')
with torch.device('meta'): m = build('clip', given=dict(dim=32))
print(counted(m)); test_eq(m.config['dim'], 32)
test_eq(counted(torch.nn.Linear(3, 2)), dict(trainable=8, total=8))
test_eq(counted(torch.nn.Linear(3, 2).requires_grad_(False)), dict(trainable=0, total=8))
test_fail(lambda: takes_of('blip'), contains="unknown method 'blip'")
test_fail(lambda: build('clip', given=dict(mood=1)), contains="clip takes no 'mood'; it takes dim")
for k,v,want in (('film_norm','no','true or false'), ('dim',.5,'a whole number'), ('tau','x','a number'),
                 ('dim',True,'a whole number')):
    test_fail(lambda: build('clip', given={k: v}), contains=f'clip: {k} is {v!r}; expected {want}')
check_given('clip', dict(tau=1, film_norm=True, vision=dict(depth=2), vocab=None))

# %% [14] The tokenizer
from medvl.run.train import (tokenizer, check_words)

# %% [15] The tokenizer
tmp, home, root = tempfile.TemporaryDirectory(), os.getcwd(), Path()
os.chdir(tmp.name); env = mock.patch.dict(os.environ, MEDVL_CACHE=os.path.abspath('cache')); env.start();

# %% [16] The tokenizer
tok = tokenizer(None, [None, 'nothing'], ['no effusion', 'small left effusion']*20, 60, 16)
print(tok.tokenize('small right effusion'))
assert len(tok) <= 60 and tok.mask_token_id is not None
test_eq(tok.decode(tok('no effusion')['input_ids'], skip_special_tokens=True), 'no effusion')
test_eq(tokenizer(None, [], [], 60, 16), None)
tok.save_pretrained('bert'); test_eq(len(tokenizer(None, ['bert', None], [], 9, 16)), len(tok))
check_words(tok, ['bert', None, 'nothing'])
other = tokenizer('train', [], ['large right lesion', 'heart']*20, 60, 16)
test_fail(lambda: check_words(other, ['bert']), contains='leave --tokenizer out')
test_eq(len(tokenizer('train', ['bert', None], ['a b c']*20, 9, 16)) < len(tok), True)     # not that of the start

# %% [17] The tokenizer
test_eq((text_dir(dict(text='bert')), text_dir({}), text_dir(dict(text='bert-small'))), ('bert', None, None))
with torch.device('meta'): several = {k: build(k, tok=tok) for k in methods}      # every method of the registry
test_eq({m.text.vocab_size for m in several.values() if hasattr(m.text, 'vocab_size')}, {len(tok)})

# %% [19] Samples and batches
from medvl.run.train import (samples_of, loaders_of)

# %% [20] Samples and batches
studies = phantom_studies(8, size=64, cache=False)
r = recipe_of(methods['mrm'], 'small'); smp = samples_of(studies, r)
test_eq(len(smp), sum(len(s.views) for s in studies if s.split in ('train','val')))     # every film, with text or not
a = SimpleNamespace(cache=None, num_workers=0, errors='raise', seed=0)
dls = loaders_of(a, r, smp, tok, 'mrm-small', 4)
test_eq((dls.train.one_batch()[0]['img'].shape[:2], dls.names), ((4, 1), ['train','val']))

# %% [22] Further sources
from medvl.run.train import (sources_of, annotated, with_sources, work_of)

# %% [24] The best epoch of a task
from medvl.run.train import (chooser, chosen)

# %% [26] One training
from medvl.run.train import (accumulated, LEFT_OUT, in_words)

# %% [27] One training
from medvl.run.train import (train)

# %% [28] One training
with torch.device('meta'): m = build('alta', tok=tok)
a = Run('alta'); r = recipe_of(m, 'small')
lines = in_words(a, r, one_step(r), m, dict(samples=dict(train=9), with_text=dict(train=9))).split('\n')
print('\n'.join(lines))
test_eq(len(lines), 4); assert 'never trained: vision, text' in lines[3]
env.stop(); os.chdir(home); tmp.cleanup()
