# nbs/train/10_step.ipynb: runs against the imported medvl.train.step.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Training, step by step
import csv, math, os, time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Callable, Mapping, Sequence
from medvl.core import MedvlError, Out, best_precision, need
from medvl.files import jsonable, written
from medvl.data.batch import world_size
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from fastai.callback.core import CancelBatchException, CancelEpochException, Callback
from fastai.callback.schedule import combined_cos
from fastai.learner import Learner
from fastai.torch_core import rank_distrib
from torch import distributed as dist, nn
from torch.nn.parallel import DistributedDataParallel
from tqdm import tqdm

# %% [4] Training, step by step
import tempfile, warnings
from functools import partial
from fastai.callback.core import TrainEvalCallback
from fastai.callback.fp16 import MixedPrecision
from fastai.data.core import DataLoaders
from fastai.optimizer import OptimWrapper
from fastcore.test import *
from medvl.core import Batch, default_device, seed_everything
from medvl.toy import MeanToy, Toy, square_loaders

# %% [6] A toy
torch.set_num_threads(1)
seed_everything(0); dls, model = square_loaders(), Toy()
dls.show_batch(2);

# %% [8] Parameter groups
from medvl.train.step import (param_groups)

# %% [9] Parameter groups
g = param_groups(model, .05)
test_eq([o['weight_decay'] for o in g], [.05, 0.]); test_eq(len(g[0]['params']), 3)  # two matrices, an embedding
test_eq(any(p is model.log_scale for p in g[1]['params']), True)
class Slow(Toy):
    def groups(self):
        return [dict(params=self.v.parameters(), lr=.1), dict(params=[self.t.weight, self.log_scale], wd=False)]
g = [(o['lr_mult'], o['weight_decay']) for o in param_groups(Slow(), .05)]
test_eq(g, [(.1, .05), (.1, 0.), (1., 0.), (1., 0.)])
class Forgets(Toy):
    def groups(self): return [dict(params=self.v.parameters())]
test_fail(lambda: param_groups(Forgets()), contains="forgets ['log_scale', 't.weight']")
class Twice(Toy):
    def groups(self): return [dict(params=self.parameters()), dict(params=[self.log_scale])]
test_fail(lambda: param_groups(Twice()), contains='twice')

# %% [11] Schedules
from medvl.train.step import (lr_at, scale_lr)

# %% [12] Schedules
alta = partial(lr_at, peak=scale_lr(1.5e-4, 96), total=100*50, warmup=10*50)  # 50 steps an epoch
test_close(alta(500), 5.625e-5, eps=1e-12); test_close(alta(250), 5.625e-5/2, eps=1e-12); test_eq(alta(0), 0)
test_close(alta(30*50)/5.625e-5, .883, eps=1e-3)
test_close(lr_at(5, 1., 10), .5); test_eq(lr_at(10, 1., 10), 0.); test_eq(lr_at(7, 1., 10, 2, 'constant'), 1.)
test_close(lr_at(25, 1., 100, schedule='one_cycle'), 1.); test_close(lr_at(0, 1., 100, schedule='one_cycle'), .04)
test_fail(lambda: lr_at(0, 1., 1, schedule='cosin'), contains='known: cosine, one_cycle')

# %% [13] Schedules
fig, ax = plt.subplots(figsize=(5,2.2), dpi=75)
e = np.arange(5000)/50
ax.plot(e, [alta(s) for s in range(5000)], label='ALTA: laid over 100')
ax.plot(e, [lr_at(s, 5.625e-5, 5000, schedule='one_cycle') for s in range(5000)], lw=.8, label='one_cycle')
ax.axvline(30, c='k', lw=.8, ls=':'); ax.text(31, 1e-5, 'stops at 30', fontsize=8)
ax.set(xlabel='epoch', ylabel='lr'); ax.legend(fontsize=8);

# %% [15] Calling the loss
called = []
def spy(out, *ids): called.append(ids); return model.loss(out)
class NoTarget: # the same loader without ids
    def __init__(self, dl): self.dl = dl
    def __iter__(self): return ((b,) for b,_ in self.dl)
    def __len__(self): return len(self.dl)

plain = dict(loss_func=spy, default_cbs=False, cbs=TrainEvalCallback)
before = model.t.weight.clone()
Learner(DataLoaders(NoTarget(dls.train), NoTarget(dls.valid)), model, **plain).fit(1)
test_eq(called, []); test_eq(model.t.weight, before)  # an epoch went by, nothing was learned
Learner(dls, model, **plain).fit(1)
test_eq(len(called), len(dls.train)+len(dls.valid)); test_ne(model.t.weight, before)

# %% [17] The learner
from medvl.train.step import (bare, scales, AlignLearner, NotFiniteError)

# %% [18] The learner
adamw = partial(OptimWrapper, opt=torch.optim.AdamW)
def toy_fit(m, *cbs, bs=8, epochs=1, lr=1e-3):
    learn = AlignLearner(square_loaders(bs), m, loss_func=lambda o, ids: m.loss(o), opt_func=adamw, default_cbs=False,
                         cbs=[TrainEvalCallback, *cbs])
    learn.fit(epochs, lr=lr); return learn

# %% [20] Steps
from medvl.train.step import (StepCB)

# %% [21] Steps
rates = []
class Rates(Callback):
    order = 13
    def before_step(self): rates.append(self.opt.hypers[0]['lr'])
learn = toy_fit(Toy(), StepCB(3, lambda s: s/100), Rates(), epochs=2)  # 4 batches an epoch: a step of 3, a step of 1
test_close(rates, [0., .01, .02, .03]); test_eq(learn.opt_step, 4)

# %% [23] Steps
class Grads(Callback): # of the first step
    order, kept = 13, None
    def before_step(self):
        if self.kept is not None: return
        self.kept = torch.cat([p.grad.flatten() for p in self.model.parameters() if p.grad is not None])

def first_gradient(cls, bs, accum):
    seed_everything(1); g = Grads(); toy_fit(cls(), StepCB(accum), g, bs=bs); return g.kept

test_close(first_gradient(MeanToy, 4, 2), first_gradient(MeanToy, 8, 1), eps=1e-6)
a, b = first_gradient(Toy, 4, 2), first_gradient(Toy, 8, 1)
print(f'contrastive, accumulated against whole: gradients differ by {(a-b).norm()/b.norm():.0%}')
test_eq((a-b).norm() > .1*b.norm(), True)

# %% [25] Precision
class Probe(Callback):
    def before_fit(self): self.hook = self.model.v[2].register_forward_hook(self.look)
    def look(self, m, args, out): self.dtype = out.dtype
    def after_fit(self): self.hook.remove()
class Scalar(Toy): # fastai's precision callback can't handle an `Out`
    def forward(self, batch): return self.loss(super().forward(batch))

probe = Probe()
with warnings.catch_warnings():
    warnings.simplefilter('ignore')  # torch does warn: 'CUDA is not available. Disabling'
    Learner(dls, Scalar(), loss_func=lambda o, ids: o, default_cbs=False,
            cbs=[TrainEvalCallback, MixedPrecision(amp_mode='bf16'), probe]).fit(1)
if not torch.cuda.is_available(): test_eq(probe.dtype, torch.float32)  # "bf16", it said

# %% [27] Precision
from medvl.train.step import (PRECISIONS, AutocastCB)

# %% [28] Precision
for name, dtype in {**PRECISIONS, 'auto': PRECISIONS[best_precision(default_device())]}.items():
    learn = toy_fit(Toy(), StepCB(), AutocastCB(name), probe)
    test_eq(probe.dtype, dtype or torch.float32); test_eq(learn.model.t.weight.dtype, torch.float32)
    test_eq(learn.scaler is not None, dtype is torch.float16)

class Breaks(Toy):
    def encode_text(self, txt, msk=None, word=None): raise RuntimeError('broken on purpose')
test_fail(lambda: toy_fit(Breaks(), StepCB(), AutocastCB('bf16')), contains='on purpose')
test_eq(torch.is_autocast_enabled('cpu'), False)  # nothing is left switched on
test_fail(lambda: AutocastCB('bf61'), contains='known: auto, fp32, bf16, fp16')

# %% [30] Clipping, clamping and NaN
from medvl.train.step import (ClipCB)

# %% [31] Clipping, clamping and NaN
class Length(Callback):
    order = 13
    def before_step(self): self.now = torch.cat([p.grad.flatten() for p in self.model.parameters()]).norm().item()
length = Length(); learn = toy_fit(Toy(), StepCB(), ClipCB(.01), length)
test_eq(learn.grad_norm > .01, True); test_close(length.now, .01, eps=1e-4)

class BadLoss(Toy): # the third batch goes wrong
    n = 0
    def forward(self, batch):
        out = super().forward(batch); self.n += 1
        return Out({**out.terms, 'glob': out.terms['glob']*(math.nan if self.n == 3 else 1.)})
m = BadLoss()
with ExceptionExpected(NotFiniteError, r"the loss is nan at epoch 0, step 2, samples \['s.*; terms: glob nan, norm"):
    toy_fit(m, StepCB(), ClipCB())
test_eq(all(p.isfinite().all().item() for p in m.parameters()), True)

class BadGrad(Toy): # the loss is fine, its gradient is not: the square root of zero
    def forward(self, batch):
        out = super().forward(batch)
        return Out({'glob': out.terms['glob'], 'root': (self.log_scale*0).sqrt()})
test_fail(lambda: toy_fit(BadGrad(), StepCB(), ClipCB()), contains='gradient of log_scale is not finite at epoch 0')

# %% [33] Clipping, clamping and NaN
from medvl.train.step import (ClampScaleCB)

# %% [34] Clipping, clamping and NaN
test_eq(list(scales(nn.ModuleDict(dict(a=Toy())))), ['a.log_scale'])
for start, lo, hi in ((9., 4.6, math.log(100)+1e-6), (-9., 0., .1)):
    m = Toy(); m.log_scale.data.fill_(start)
    toy_fit(m, StepCB(), ClampScaleCB()); test_eq(lo <= m.log_scale.item() <= hi, True)

# %% [36] A contrast needs a wrong answer
from medvl.train.step import (CONTRASTS, contrasts, check_pairs)

# %% [37] A contrast needs a wrong answer
class Contrast(Toy): weights = {'glob': 1., 'norm': .1}
test_eq((contrasts(Contrast()), contrasts(Toy())), (['glob'], []))
check_pairs(Contrast(), 2); check_pairs(Toy(), 1)
test_fail(lambda: check_pairs(Contrast(), 1), contains='with the reports of a batch, and a batch of 1')

# %% [39] A contrast needs a wrong answer
from medvl.train.step import (wrong_answers, PairsCB)

# %% [40] A contrast needs a wrong answer
def pairs(ids, has=None):
    return dict(txt_id=torch.tensor(ids), txt_msk=torch.tensor(has or [1]*len(ids))[:,None].expand(-1, 3).bool())
test_eq([wrong_answers(pairs(i), True) for i in ([1,2], [1,1,1], [1])], [True, False, False])
test_eq([wrong_answers(pairs(i), False) for i in ([1,2], [1,1,1], [1])], [True, True, False])
test_eq([wrong_answers(pairs([1,2,1], h), True) for h in ([1,0,1], [0,1,0], [0,0,0], [1,1,0])],
        [False, False, False, True])
test_eq(wrong_answers(dict(img=torch.ones(2,1)), True), True)  # nothing known of the texts

# %% [42] A contrast needs a wrong answer
class Repeat(Callback):
    order = 3
    def __init__(self, upto): self.upto, self.terms = upto, []
    def before_batch(self):
        if self.training and self.iter < self.upto: self.xb[0]['txt_id'] = torch.zeros_like(self.xb[0]['txt_id'])
    def after_loss(self): self.terms.append(self.pred.terms['glob'].item())
class Equal(Contrast): positives = True
look = Repeat(3); learn = toy_fit(Equal(), StepCB(), PairsCB(), look)
test_eq([t == 0 for t in look.terms[:6]], [True]*3+[False]*3)
test_fail(lambda: toy_fit(Equal(), StepCB(), PairsCB(), Repeat(99)), contains='nothing is contrasted')

# %% [44] The log
from medvl.train.step import (term_counts, mean_terms)

# %% [45] The log
test_eq(mean_terms([dict(a=1., b=2.), dict(a=4., b=2.)], [dict(a=2, b=2), dict(a=1, b=1)]), dict(a=2., b=2.))
# 3 samples with a text of the first 8, none of the next 8 (whatever a method returns there), one of the last 4
rows = [dict(img=1., txt=5.), dict(img=1., txt=0.), dict(img=2., txt=7.)]
test_close(mean_terms(rows, [dict(img=8, txt=3), dict(img=8, txt=0), dict(img=4, txt=1)])['txt'], (3*5+7)/4)
test_eq(mean_terms([dict(img=1., txt=math.nan)], [dict(img=8, txt=0)]), dict(img=1.))  # not 0, not NaN: absent
test_eq(mean_terms([], []), {})
out = Out(dict(img=torch.tensor(1.), txt=torch.tensor(5.)), n=dict(txt=torch.tensor(3)))
test_eq(term_counts(out, 8), dict(img=8, txt=3))

# %% [46] The log
from medvl.train.step import (write_rows)

# %% [47] The log
tmp = tempfile.TemporaryDirectory(); work = Path(tmp.name)
write_rows(work/'rows/a.csv', [dict(a=1), dict(a=2, b=3)], ['a','b'])
test_eq((work/'rows/a.csv').read_text(), 'a,b\n1,\n2,3\n')

# %% [49] The log
from medvl.train.step import (source_names, by_source)

# %% [50] The log
rows = [dict(source=s, epoch=e, step=1, mim=x) for s,e,x in (('a',0,9.), ('a',1,1.), ('b',1,5.), ('a',1,2.))]
test_eq(by_source(rows), dict(a=dict(steps=2, mim=1.5), b=dict(steps=1, mim=5.)))
test_eq((by_source([dict(epoch=1)]), source_names(None, [0])), ({}, {}))

# %% [51] The log
from medvl.train.step import (TermsCB)

# %% [52] The log
terms = TermsCB(work/'log.csv'); learn = toy_fit(Toy(), StepCB(), ClipCB(), terms)
log = pd.read_csv(work/'log.csv')
test_eq(list(log.columns), 'split step epoch lr samples_per_s loss glob norm log_scale grad_norm'.split())
test_eq(log.step.tolist(), [1,2,3,4,4]); test_eq(log.split.tolist(), ['train']*4+['val'])
r = log.iloc[1]; test_close(r.loss, r.glob+.01*r.norm, eps=1e-5)
with (work/'log.csv').open('a') as f: f.write('train,5,0,0.1')  # torn by a kill
terms.back_to(3); test_eq(pd.read_csv(work/'log.csv').step.tolist(), [1,2,3])
log.round(3)

# %% [53] The log
class Half(Toy): # a second term, of the notes that say 'large'; a batch may have none
    def forward(self, batch):
        out, b = super().forward(batch), Batch.of(batch)
        large = (b.txt == dls.tok.convert_tokens_to_ids('large')).any(1)
        say.append((large.sum().item(), b.bs))
        pull = (1-(out.img.glob*out.txt.glob).sum(-1))[large].sum()/large.sum().clamp(min=1)
        return Out({'glob': out.terms['glob'], 'pull': pull}, n={'pull': large.sum()})
say, seed = [], seed_everything(0)
learn = toy_fit(Half(), StepCB(), ClipCB(), TermsCB(), bs=2)
k, log = [n for n,_ in say], learn.table
test_eq(0 in k[:16] and 0 in k[16:], True)  # there are such batches, in both splits
test_eq(log['pull'].isna().tolist(), [n == 0 for n in k[:16]]+[False])  # their rows are blank
m = learn.model.eval()
with torch.no_grad(): terms = [(m(b).terms['pull'].item(), say[-1][0]) for b,_ in learn.dls.valid]
test_close(log['pull'].iloc[-1], sum(v*n for v,n in terms)/sum(n for _,n in terms), eps=1e-5)
wrong = np.mean([v for v,_ in terms])
print(f"validation: {log['pull'].iloc[-1]:.3f} over those that have it, {wrong:.3f} over batches with zeros")

# %% [55] The log
from medvl.train.step import (WandbCB)

# %% [56] The log
os.environ.pop('WANDB_MODE', None); os.environ['WANDB_SILENT'] = 'true'
toy_fit(Toy(), StepCB(), ClipCB(), TermsCB(), WandbCB(work))
run = list((work/'wandb').glob('offline-run-*')); test_eq(len(run), 1)
test_eq(len(list(run[0].glob('*.wandb'))), 1)

# %% [58] Progress
from medvl.train.step import (BarCB)

# %% [59] Progress
learn = toy_fit(Toy(), StepCB(), ClipCB(), TermsCB(), BarCB(), epochs=5, lr=5e-3)
val = learn.table.query("split == 'val'").loss.tolist(); test_eq(val[-1] < val[0], True)

# %% [61] Progress
from medvl.train.step import (plot_log)

# %% [62] Progress
plot_log(learn.table);

# %% [64] What was not run
tmp.cleanup()
