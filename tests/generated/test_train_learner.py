# nbs/train/11_learner.ipynb: runs against the imported medvl.train.learner.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Learner
import json, math, os, random, shutil, time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Callable, Mapping, Sequence
from medvl.core import Aligner, MedvlError, Out, best_precision, default_device, seed_everything
from medvl.files import jsonable, provenance, save_json, written
from medvl.data.batch import StudyLoaders, world_size
from medvl.data.preset import check_preset
from medvl.models.checkpoint import save_pretrained
from medvl.models.chunks import in_chunks
from medvl.models.norm import several, sync_norms
from medvl.train.step import (AlignLearner, AutocastCB, BarCB, ClampScaleCB, ClipCB, PairsCB, StepCB, TermsCB, WandbCB,
                              bare, by_source, check_pairs, lr_at, param_groups)
import numpy as np
import torch
from fastai.callback.core import Callback, TrainEvalCallback
from fastai.learner import Recorder
from fastai.optimizer import OptimWrapper
from fastai.torch_core import rank_distrib
from fastcore.basics import noop
from safetensors import safe_open
from safetensors.torch import load_model, save_model
from torch import Tensor, distributed as dist, nn
from torch.nn.parallel import DistributedDataParallel

# %% [4] Learner
import io, signal, subprocess, sys, tempfile
from contextlib import redirect_stdout
import pandas as pd
from fastai.callback.schedule import LRFinder
from fastcore.test import *
from medvl.core import Feat, Out
from medvl.toy import MeanToy, Toy, square_loaders
from torch.nn.functional import normalize
from medvl.models.checkpoint import from_pretrained, read_config
torch.set_num_threads(1);

# %% [6] A toy
def toy_loaders(bs=8, seed=0): return square_loaders(bs, seed=seed, affine=(5., 0., .02, 1., 1.))
def dropping(cls=Toy, **kw): return cls(**{'drop': .1, **kw})
tmp = tempfile.TemporaryDirectory(); work = Path(tmp.name)

# %% [8] Random states
from medvl.train.learner import (random_state, set_random_state)

# %% [9] Random states
def draws(): return random.random(), np.random.rand(), np.random.randn(), torch.rand(1).item()
s = random_state(); a = draws(); test_ne(draws(), a)
set_random_state(s); test_eq(draws(), a)
buf = io.BytesIO(); torch.save(s, buf); buf.seek(0)
set_random_state(torch.load(buf, weights_only=True)); test_eq(draws(), a)

# %% [11] Checkpoints
from medvl.train.learner import (signature, save_checkpoint, last_checkpoint)

# %% [13] Checkpoints
from medvl.train.learner import (MAY_CHANGE, check_weights, flat, check_run)

# %% [14] Checkpoints
test_eq(flat(dict(a=1, b=dict(c=2, d=dict(e=3)))), {'a': 1, 'b.c': 2, 'b.d.e': 3})
s = dict(method='A', config=dict(d=4), args=dict(lr=.1, world=1, data=dict(n=3)))
check_run(s, {**s, 'args': dict(lr=.1, world=2, data=dict(n=3))}, 'here')  # more processes: the same run
test_fail(lambda: check_run(s, {**s, 'method': 'B'}, 'here'), contains='is a checkpoint of A, and the model is a B')
test_fail(lambda: check_run(s, {**s, 'args': dict(lr=.1, data=dict(n=4))}, 'here'), contains='data.n was 3, now 4')
test_fail(lambda: check_run(s, {**s, 'config': dict(d=8)}, 'here'), contains='config.d was 4, now 8')
now = {**s, 'args': dict(lr=.1, world=1, data=dict(n=3, content='a'))}                    # a text was corrected
was = {**s, 'args': dict(lr=.1, world=1, data=dict(n=3, content='b'))}
test_fail(lambda: check_run(was, now, 'here'), contains="data.content was 'b', now 'a'")
check_run(s, now, 'here')                                            # an older checkpoint, without the content

# %% [16] Checkpoints
from medvl.train.learner import (load_checkpoint, ResumeCB)

# %% [18] The best epoch
from medvl.train.learner import (BestCB)

# %% [20] Several processes
from medvl.train.learner import (init_processes, DistCB, shared_loss)

# %% [22] At chance
from medvl.train.learner import (ChanceCB)

# %% [24] All together
from medvl.train.learner import (align_learner)

# %% [26] All together
from medvl.train.learner import (save_run, write_results)

# %% [27] All together
from medvl.train.learner import (begin, fit)

# %% [28] All together
def toy_run(out=None, epochs=3, make=dropping, seed=0, quiet=True, fit_kw={}, **kw):
    seed_everything(seed); m = make()
    learn = align_learner(toy_loaders(seed=seed), m, **{**dict(lr=5e-3, out=out, seed=seed, precision='fp32'), **kw})
    return learn, fit(learn, epochs, quiet=quiet, **fit_kw)

learn, res = toy_run(work/'one', 4, quiet=False, precision='bf16', fit_kw=dict(warmup=1))
sorted(p.relative_to(work/'one').as_posix() for p in (work/'one').rglob('*') if p.is_file() and 'token' not in p.name)

# %% [29] All together
test_eq(res['steps'], 16); test_eq(json.loads((work/'one/results.json').read_text())['args']['lr'], 5e-3)
train = learn.table.query("split == 'train'")
test_eq(train.lr.iloc[[0,4]].tolist(), [0., 5e-3])  # a warm-up of one epoch: 4 steps
test_eq(train.loss.iloc[-1] < train.loss.iloc[0], True)
again = from_pretrained(work/'one/model', Toy)
for a, b in zip(again.parameters(), learn.model.parameters()): test_eq(a, b.cpu())
test_eq(read_config(work/'one/model')['extra']['preset']['name'], 'toy')

# %% [31] All together
learn, res = toy_run(epochs=10, fit_kw=dict(warmup=1, stop_at=3))
test_eq(res['steps'], 12)
test_close(learn.table.query("split == 'train'").lr.iloc[-1], lr_at(11, 5e-3, 40, 4), eps=1e-9)
test_fail(lambda: align_learner(learn.dls, Toy(), log='tensorboard'), contains="expected 'csv', 'wandb' or None")
test_fail(lambda: align_learner(learn.dls, Toy(), accum=0), contains='expected 1 or more')
class Wants(Toy): preset = 'alta'
test_fail(lambda: align_learner(learn.dls, Wants()), contains="wants films as in preset 'alta'")
test_fail(lambda: toy_run(fit_kw=dict(schedule='linear')), contains='known: cosine, one_cycle, constant')
with redirect_stdout(io.StringIO()) as said: auto = align_learner(learn.dls, Toy())
test_eq(auto.args['precision'], best_precision(default_device()))  # what was chosen goes into results.json
test_eq(said.getvalue(), f"precision: {auto.args['precision']}, the best of this {default_device().type}\n")

# %% [33] All together
learn = align_learner(toy_loaders(), dropping(), precision='fp32')
before = learn.model.t.weight.clone()
learn.path, learn.bar_cb.lines = work, False
learn.fit(8, cbs=LRFinder(num_it=30)); test_eq(learn.model.t.weight, before)
lrs = learn.recorder.lrs; print(f'learning rates tried: {lrs[0]:.0e} to {lrs[-1]:.0e}, {len(lrs)} steps')

# %% [35] All together
class Alike(Toy):
    def encode_image(self, img, msk=None): return Feat(glob=normalize(self.v(img[:,0])*0+1, dim=-1))

with redirect_stdout(io.StringIO()) as said: toy_run(epochs=30, make=Alike, quiet=True)
test_eq(said.getvalue().count('at chance for 25 epochs'), 1); print(said.getvalue())  # of 4 steps each
class Both(Toy):                                        # as in GLoRIA, PLAN and PLACE: both directions are added
    glob_sides = 2
    def forward(self, batch): return replace(o := super().forward(batch), terms=dict(glob=2*o.terms['glob']))
with redirect_stdout(io.StringIO()) as said: toy_run(epochs=30, make=Both, quiet=True)
test_eq(said.getvalue(), '')
class Aside(Alike): weights = Alike.weights | {'glob': 0.}                        # a term that is only logged
with redirect_stdout(io.StringIO()) as said: toy_run(epochs=30, make=Aside, quiet=True)
test_eq(said.getvalue(), '')
with redirect_stdout(io.StringIO()) as said: toy_run(epochs=30, quiet=True)
test_eq(said.getvalue(), ''); test_is(ChanceCB().unfinished(2.5, 32), None); print(ChanceCB().unfinished(2.9, 32))
ChanceCB.unfinished.__defaults__ = (.01,)                                     # as if that were much
with redirect_stdout(io.StringIO()) as said: toy_run(epochs=30, quiet=True)
test_eq(said.getvalue().count('glob ended at'), 1); ChanceCB.unfinished.__defaults__ = (.8,)

# %% [37] All together
kw = dict(metric=lambda l: -abs(l.epoch-1), patience=2)
learn, res = toy_run(work/'best', 6, fit_kw=kw)
test_eq(res['best'], dict(value=0., at=1, stop=True, by='metric'))
asked = learn.table[learn.table.split == 'select']
test_eq((asked.epoch.tolist(), asked.metric.tolist(), res['select']['metric']), ([0,1,2,3], [-1.,0.,-1.,-2.], -2.))
test_eq(learn.table.epoch.max(), 3)  # the best was 1; two more without a better one
test_eq(read_config(work/'best/best')['extra']['step'], 8)
_, res2 = toy_run(work/'best', 6, fit_kw=kw); test_eq(res2['steps'], res['steps'])
test_fail(lambda: BestCB(mode='largest'), contains="expected 'max' or 'min'")
worse = dict(metric=lambda l: -float(l.opt_step), start=True, patience=2)                 # every step does harm
learn, res = toy_run(work/'start', 6, fit_kw=worse)
test_eq(res['best'], dict(value=0., at=-1, stop=True, by='metric'))
test_eq(learn.table.query("split == 'select'").epoch.tolist(), [-1, 0, 1])
test_eq(read_config(work/'start/best')['extra']['step'], 0)
test_fail(lambda: BestCB(start=True, patience=1), contains='give a metric')
nan = lambda l: float('nan') if l.epoch else .5
test_fail(lambda: toy_run(work/'no number', 6, fit_kw=dict(metric=nan)), contains='metric is nan after epoch 2')

# %% [39] Killed, and resumed
RUN = """
import torch; torch.set_num_threads(1)
from medvl.core import seed_everything
from medvl.train.learner import align_learner, fit
from medvl.toy import MeanToy, Toy, square_loaders
seed_everything(0); m = {make}
dls = square_loaders({bs}, affine=(5., 0., .02, 1., 1.))
fit(align_learner(dls, m, lr=5e-3, out={out!r}, seed=0, precision='fp32'), 6, save_every=3)
"""
def start(out, *torchrun, bs=8, make='Toy(drop=.1)'):
    script = work/f'{out.name}.py'
    script.write_text(RUN.format(bs=bs, out=str(out), make=make))
    env = {**os.environ, 'OMP_NUM_THREADS': '1', 'PYTHONWARNINGS': 'ignore'}
    return subprocess.Popen([sys.executable, *torchrun, str(script)], stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, env=env)
def rows_logged(out): return max(0, (out/'log.csv').read_text().count('\n')-1) if (out/'log.csv').exists() else 0
def weights(out):
    with safe_open(str(out/'model/model.safetensors'), 'pt') as f: return {k: f.get_tensor(k) for k in f.keys()}

two = start(work/'ranks', '-m', 'torch.distributed.run', '--standalone', '--nproc_per_node', '2',
            bs=4, make='MeanToy(drop=0.)')  # for the next section
goal, p = int(np.random.default_rng().integers(5, 25)), start(work/'killed')
while p.poll() is None and rows_logged(work/'killed') < goal: time.sleep(.002)
os.kill(p.pid, signal.SIGKILL); p.wait()
at = last_checkpoint(work/'killed/checkpoints').name; test_eq((work/'killed/results.json').exists(), False)
print(start(work/'killed').communicate()[0])

# %% [40] Killed, and resumed
toy_run(work/'whole', 6)
a, b = weights(work/'whole'), weights(work/'killed')
differ = [k for k in a if not torch.equal(a[k], b[k])]
print(f'killed with {goal} rows in the log, went on from {at}; tensors that differ: {differ}')
test_eq(set(a), set(b)); test_eq(differ, [])
old, new = (pd.read_csv(work/k/'log.csv').drop(columns='samples_per_s') for k in ('whole','killed'))
pd.testing.assert_frame_equal(old, new)  # the log has no gap, no double, and the same numbers
test_eq(list((work/'killed/checkpoints').glob('.step*')), [])

# %% [42] Killed, and resumed
test_fail(lambda: toy_run(work/'killed', 6, lambda: dropping(d=8)), contains='config.d was 16, now 8')
test_fail(lambda: toy_run(work/'killed', 6, MeanToy), contains='is a checkpoint of Toy, and the model is a MeanToy')
test_fail(lambda: toy_run(work/'killed', 7), contains='epochs was 6, now 7')
test_fail(lambda: toy_run(work/'killed', 6, wd=.1), contains='wd was 0.05, now 0.1')
file = last_checkpoint(work/'killed/checkpoints')/'model.safetensors'
test_fail(lambda: check_weights(Toy(d=8), file), contains='(100, 16) in the file and (100, 8) in the model')

# %% [44] Killed, and resumed
class Late(Toy): # goes wrong in the sixth batch it trains on
    n = 0
    def forward(self, batch):
        out = super().forward(batch); self.n += self.training
        return Out({**out.terms, 'glob': out.terms['glob']*(math.nan if self.n == 6 else 1.)}, out.img, out.txt)
late = lambda: toy_run(work/'nan', 3, Late, fit_kw=dict(save_every=1))
test_fail(late, contains='the loss is nan at epoch 1, step 5')
test_eq([p.name for p in (work/'nan/checkpoints').iterdir()], ['step-00000005-0001'])
test_eq((work/'nan/results.json').exists(), False)

# %% [46] Two processes
two.communicate()
toy_run(work/'alone', 6, lambda: MeanToy(drop=0.))
a, b = weights(work/'alone'), weights(work/'ranks')
print('largest difference of a weight:', f'{max((a[k]-b[k]).abs().max().item() for k in a):.1e}')
for k in a: test_close(a[k], b[k], eps=1e-4)
res = json.loads((work/'ranks/results.json').read_text())
test_eq((res['args']['world'], res['args']['samples_per_step'], res['steps']), (2, 8, 24))
val = [pd.read_csv(work/k/'log.csv').query("split == 'val'").loss.values for k in ('alone','ranks')]
test_close(*val, eps=1e-4)
state = torch.load(last_checkpoint(work/'ranks/checkpoints')/'state.pt', weights_only=True)
test_eq(len(state['random']), 2)  # each process has its own

# %% [47] Two processes
tmp.cleanup()
