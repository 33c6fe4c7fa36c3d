# nbs/run/30_score.ipynb: runs against the imported medvl.run.score.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Score a model
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal
from medvl.run.data import named_in
from medvl.run.folder import model_dir

# %% [4] Score a model
import json, os, tempfile
import numpy as np
from unittest import mock
from fastcore.test import *
from medvl.data.prompts import PromptSet, load_prompts
from medvl.data.study import Box, Sample, Study, View
from medvl.data.tokens import train_tokenizer
from medvl.models.checkpoint import save_pretrained
from medvl.phantom.set import phantom_studies
from medvl.run.data import units
from medvl.run.train import build

# %% [6] A model and its films
from medvl.run.score import (loaded, Scoring, settled)

# %% [7] A model and its films
from medvl.run.score import (eval_loader, facts_of)

# %% [8] A model and its films
from medvl.run.score import (say_cut)

# %% [10] A model and its films
tmp, root = tempfile.TemporaryDirectory(), Path()
root = Path(tmp.name); env = mock.patch.dict(os.environ, MEDVL_CACHE=str(root/'cache')); env.start()
studies = phantom_studies(12, size=64, cache=False)
tok = train_tokenizer([s.report for s in studies], 300)
m = build('clip', given=dict(dim=32), tok=tok)
save_pretrained(m, root/'clip/model', extra=dict(preset=m.config['preset'], max_len=24))
tok.save_pretrained(root/'clip/model')

model, tok, cfg = clip = loaded(root/'clip')
smp = units(studies, need_text=True, split='test')
dl = eval_loader(smp, tok, cfg, Scoring(bs=4, slots='current'))
print(facts_of(cfg, dl))
test_eq([s.id for s in dl.dataset.samples], [s.id for s in smp])                     # nothing is shuffled
test_eq(facts_of(cfg, dl)['films_per_slot'], {'current_frontal': len(smp)})
long = sum(len(tok(s.text)['input_ids']) > 24 for s in smp); test_eq(facts_of(cfg, dl)['texts_cut'], long)
say_cut(dl); assert long
test_fail(lambda: loaded(root/'set'), contains='holds no model')
assert settled(Scoring()).precision in ('bf16','fp16','fp32')
test_eq(settled(Scoring(precision='bf16')).precision, 'bf16')
for kw in (dict(bs=0), dict(n_boot=-3)): test_fail(lambda: Scoring(**kw), contains='expected a positive bs')

# %% [12] A model and its films
path = root/'clip/model/config.json'; was = path.read_text()
path.write_text(json.dumps({k: v for k, v in json.loads(was).items() if k != 'extra'}))
test_fail(lambda: loaded(root/'clip'), contains='does not say how films were prepared')
path.write_text(was);

# %% [14] Labels for a prompt set
from medvl.run.score import (set_labels)

# %% [15] Labels for a prompt set
def one(finding):
    v = View(id='a', info={'finding': finding})
    return Sample((v,None,None,None), '', 'a', 'p', 'p', 'test', {}, Study('p','s',views=[v]))
ps = PromptSet('t', 1, {k: {'pos': [k], 'neg': []} for k in ('Viral','Bacterial')},
               values={'Viral': ['SARS','MERS'], 'Bacterial': ['Klebsiella']})
got, n = set_labels([one('SARS'), one('Klebsiella'), one('ARDS'), one(''), one('SARS|Klebsiella')], ps, 'finding')
test_eq([list(s.labels.values()) for s in got], [[1,0], [0,1], [], [], [1,1]])
test_eq(n, {'left out: ARDS': 1, 'without a label': 1})
edema = PromptSet('t', 1, {'Edema': dict(pos=['edema'], neg=[])})
got, n = set_labels([one('edema'), one('Herzinsuffizienz')], edema, 'finding')
test_eq([s.labels for s in got], [{'Edema': 1}, {'Herzinsuffizienz': 1}])
test_eq(n, {'no class of the prompts: Herzinsuffizienz': 1})

# %% [18] Tasks
from medvl.run.score import (prompts_of)

# %% [19] Tasks
test_eq([prompts_of(dict(extra=o)).id for o in ({}, dict(prompts='chexpert14-plain-v1'))],
        ['chexpert14-normal-v1','chexpert14-plain-v1'])
test_eq(prompts_of(dict(extra=dict(prompts='chexpert14-plain-v1')), 'rsna-plain-v1').id, 'rsna-plain-v1')

# %% [20] Tasks
from medvl.run.score import (Answer, ask_retrieval, ask_zeroshot)

# %% [21] Tasks
from medvl.run.score import (ask_scores, TASKS)

# %% [22] Tasks
def draw(split): return units(studies, split=split)
a = Scoring(bs=8, slots='current', n_boot=20, precision='fp32')
got = ask_retrieval(clip, draw, a, pool=10)
print(got.result['interval']['text_to_image_R@1'], 'chance', round(got.result['chance']['R@1'], 3))
test_eq((got.result['n_pairs'], len(got.emb), got.dl.dataset.samples), (len(smp), len(smp), smp))
zero = ask_zeroshot(clip, draw, a, val=False)
test_eq((zero.result.to_dict()['prompts']['id'], set(zero.left_out)), ('chexpert14-normal-v1', {'test'}))

# %% [24] Tasks
def present(split): return [replace(s, labels={k: x for k,x in s.labels.items() if x == 1}) for s in draw(split)]
every, train = load_prompts('chexpert14-normal-v1'), replace(a, split='train')
few = PromptSet('few', 1, {k: every.classes[k] for k in ('Pleural Effusion','Consolidation')})
both = [ask_zeroshot(clip, present, train, o).result.table['classes'] for o in (every, few)]
for k in few.classes:
    said = [(o[k]['n'], o[k]['n_positive'], str(o[k]['auroc'])) for o in both]; print(k, said[1])
    test_eq(*said); assert 0 < said[0][1] < said[0][0]

# %% [25] Tasks
two = ask_scores(clip, draw, a, how='glob').result
test_eq(list(two['retrieval']), ['glob'])                               # CLIP has one score, the cosine
test_eq((two['rule'], two['chance']), (got.result['rule'], got.result['chance']))
full = got.result['full']['image_to_text_R@1']
test_close(two['retrieval']['glob']['image_to_text_R@1'], full)         # so it is the same retrieval

# %% [27] Boxes in the window of the model
from medvl.run.score import (boxed)

# %% [28] Boxes in the window of the model
small = dict(name='page', size=64, resize=64, decode=64, mean=.48, std=.28)
v = View(id='a', px=np.zeros((80,160), np.uint8), boxes=[Box('Edema', 40, 0, 40, 80), Box('Edema', 0, 0, 30, 80),
                                                        Box('Fracture', 50, 0, 9, 9)])
_, b = boxed([Study('p', 's', 0., [v], split='test')], 'test', 'Edema', small)
test_close(b[0].numpy(), [[0, 0, .5, 1]])                     # the middle 80 columns are seen, from 40 to 120
test_eq(boxed([Study('p', 's', 0., [v], split='test')], 'test', 'Mass', small)[1][0].shape, (0,4))
test_fail(lambda: boxed([], 'val', 'Edema', small), contains="no frontal film in split 'val'")
env.stop(); tmp.cleanup()
