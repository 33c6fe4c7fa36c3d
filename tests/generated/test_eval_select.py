# nbs/eval/32_select.ipynb: runs against the imported medvl.eval.select.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] The epoch that a protocol likes best
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from medvl.core import MedvlError
from medvl.data.batch import StudyDL
from medvl.data.prompts import load_prompts
from medvl.eval.protocols import Protocol, protocol
from medvl.eval.retrieval import embed
from medvl.eval.zeroshot import zeroshot
from medvl.train.learner import AlignLearner
from medvl.train.step import bare

# %% [4] The epoch that a protocol likes best
import math, tempfile
import numpy as np, torch
from pathlib import Path
from fastcore.test import *
from medvl.core import Aligner, Feat, Out, seed_everything
from medvl.data.batch import dataloaders, sample_loader
from medvl.data.preset import Preset
from medvl.data.study import Sample, Study, View
from medvl.data.tokens import train_tokenizer
from medvl.eval.protocols import judged_parts
from medvl.train.learner import align_learner, fit
from medvl.models.checkpoint import read_state

# %% [6] The epoch that a protocol likes best
from medvl.eval.select import (with_prompts, protocol_metric)

# %% [8] By hand
class Turn(Aligner):
    "Films by brightness, on a half circle; `by` turns them. Statements: two opposite points."
    def __init__(self, by=0.):
        super().__init__(); self.by = torch.nn.Parameter(torch.tensor(float(by))); self.config = dict(by=by)
    def encode_image(self, img, msk=None):
        a = img.flatten(1).mean(1)*math.pi/2 + self.by
        return Feat(torch.stack([a.cos(), a.sin()], 1))
    def encode_text(self, txt, msk=None, word=None, norm=True):
        denies = (txt == tok.convert_tokens_to_ids('no')).any(1)
        return Feat(torch.where(denies[:,None], torch.tensor([[1.,0.]]), torch.tensor([[0.,1.]])))
    def forward(self, batch): return Out({'pull': (self.by-2.5)**2})

def sample(i, part):
    px = np.full((32,32), 20*(i%12), np.uint8)
    v = View(id=f'{part}{i}', px=px)
    return Sample((v,None,None,None), 'there is pneumonia' if i%12 > 5 else 'there is no pneumonia', v.id, v.id, v.id,
                  part, {'Pneumonia': float(i%12 > 5)}, Study(v.id, v.id))
films = [sample(i, p) for p in ('train','val') for i in range(24)]
tok = train_tokenizer([s.text for s in films], 60)
plain = Preset('plain', 32, 32, 32)
val = judged_parts(films, need=['val'])['val']
dl = sample_loader(val, tok, plain, 8, slots=['current_frontal'], classes=['Pneumonia'])
metric = protocol_metric('rsna-zs-plain-v1', dl, tok)
class L: pass                                                         # a learner, as far as the metric looks
def asked(by): l = L(); l.model = Turn(by); return metric(l)
print(metric.name, [asked(o) for o in (0., math.pi)])
test_eq([asked(0.), asked(math.pi)], [1., 0.])
brightness = [np.array([20*(i%12) for i in range(24)]), np.array([i%12 > 5 for i in range(24)])]
a = brightness[0]/255*math.pi/2+1.7; s = np.sin(a)-np.cos(a)           # turned by 1.7: some pairs are wrong
pairs = [(x > y)+.5*(x == y) for x in s[brightness[1]] for y in s[~brightness[1]]]
test_close(asked(1.7), np.mean(pairs)); assert 0 < asked(1.7) < 1

# %% [10] By hand
other = with_prompts('rsna-zs-plain-v1', 'chexpert14-plain-v1'); print(other.id, other.hash[:8])
test_eq(other.id, 'rsna-zs-plain-v1+chexpert14-plain-v1'); test_ne(other.hash, protocol('rsna-zs-plain-v1').hash)
test_eq(with_prompts('rsna-zs-plain-v1', None), protocol('rsna-zs-plain-v1'))
for k in ('chexpert5x200-zs-v1','chexpert8x200-t2i-v1'):
    test_fail(lambda: protocol_metric(k, dl, tok), contains='has no AUROC')

# %% [12] A training that goes past its best
def run(out, **kw):
    seed_everything(0)
    dls = dataloaders(films, tok, plain, 8, slots=['current_frontal'], classes=['Pneumonia'], seed=0)
    learn = align_learner(dls, Turn(-2.6), lr=.25, wd=0., precision='fp32', out=out, seed=0)
    return learn, fit(learn, 8, schedule='constant', quiet=True, **kw)
tmp = tempfile.TemporaryDirectory(); at = Path(tmp.name)
learn, res = run(at/'asked', metric=metric)
log = learn.table[learn.table.split == 'select'].set_index('epoch')[metric.name]
print(log.round(3).to_dict(), res['best'])
test_eq(len(log), 8)
test_eq([res['best'][k] for k in ('value','at','by')], [log.max(), log.idxmax(), metric.name])
test_eq(res['select'][metric.name], log[7])
best, last = (read_state(at/'asked'/k)['by'] for k in ('best','model'))
test_close([asked(best), asked(last)], [log.max(), log[7]])
print('kept:', {'best': best.item(), 'last': last.item()}); assert log[0] < log.max() > log[7]
alone, _ = run(at/'alone'); test_eq(alone.model.by.item(), last.item())
assert not (at/'alone/best').exists()
tmp.cleanup()
