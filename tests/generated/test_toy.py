# nbs/toy.ipynb: runs against the imported medvl.toy.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Toys for the pages
from pathlib import Path
from typing import Any, Mapping, NamedTuple, Sequence
import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from medvl.core import SLOTS, Aligner, Batch, Feat, Out
from medvl.data.batch import StudyData, StudyLoaders, collate, dataloaders
from medvl.data.manifest import write_manifest
from medvl.data.preset import Preset
from medvl.data.study import Sample, Study, View, samples
from medvl.data.tokens import train_tokenizer
from medvl.data.words import sections
from medvl.eval.retrieval import retrieval
from medvl.phantom.set import phantom_studies

# %% [4] Toys for the pages
import tempfile
from fastcore.test import *
from medvl.data.manifest import read_manifest
from medvl.data.table import ReadLog
from medvl.losses.contrastive import clip_loss
torch.set_num_threads(1);

# %% [6] Diagrams
from medvl.toy import (Diagram)

# %% [7] Diagrams
d = Diagram(5, 1.2).box('film', .5, .9).box('tower', 2.2, .9, 'VisionTower', '#cfe2f3')
d.box('v', 4, .9, r'$\mathbf{v}$', '#fff2cc')
d.box('report', .5, .3).box('t', 4, .3, r'$\mathbf{t}$', '#fff2cc')
d.arrow('film','tower','v').arrow('report','t'); d.fig.canvas.draw()
tip = d.ax.texts[-1].arrow_patch.get_window_extent()                     # of report -> t
assert d.boxes['report'].get_window_extent().x1 < tip.x0 < tip.x1 < d.boxes['t'].get_window_extent().x0
plt.show()
test_fail(lambda: d.arrow('film','loss'), exc=KeyError)

# %% [9] Towers and a batch
from medvl.toy import (toy_vit, toy_bert, toy_batch)

# %% [10] Towers and a batch
b = toy_batch(slots=4)
test_eq((b.img.shape, b.img_msk.sum(1).tolist(), b.txt_id.tolist()), ((6,4,1,64,64), [1,2,3,4,1,2], [0,1,2,0,3,4]))
test_eq((b.word[1].tolist(), b.txt_msk.sum(1).tolist()), ([-1,0,0,-1,-1,-1,-1,-1,-1], [9,4,7,9,0,0]))
test_eq((toy_batch(big=128).big.shape, toy_batch().img_msk.all().item()), ((6,1,128,128), True))

# %% [12] Phantom films with their impressions
from medvl.toy import (Toys, toy_pairs)

# %% [13] Phantom films with their impressions
print(toys := toy_pairs())
seen, held, tok, page = toys
test_eq((seen.img.shape[1:], seen.big.shape[1:]), ((4,1,64,64), (1,128,128)))
one = toy_pairs(slots=SLOTS[:1], big=0, fields=('sent',))
assert {s.bs for s in one[:2]} <= set(range(10, 80)) and one.seen.sent.max() > 0

# %% [15] A set in a folder
from medvl.toy import (toy_set)

# %% [16] A set in a folder
with tempfile.TemporaryDirectory() as d:
    made, path = toy_set(d, 2)
    test_eq(len(read_manifest(path, log=ReadLog())), len(made))

# %% [18] A training loop
from medvl.toy import (train_toy, curves, ends)

# %% [20] A training loop
from medvl.toy import (toy_scores, toy_chance)

# %% [22] The smallest task
from medvl.toy import (square_sample, square_loaders)

# %% [23] The smallest task
from medvl.toy import (Toy, MeanToy)

# %% [24] The smallest task
torch.manual_seed(0); dls, m = square_loaders(), Toy()
dls.show_batch(2)
b = dls.train.one_batch()[0]
test_eq(b.img.shape, (8,4,1,32,32)); out = m(b)
test_close(out.terms['glob'].item(), clip_loss(out.img.glob, out.txt.glob, m.log_scale.exp()).item(), eps=1e-5)
all_of = dls.train.dataset
log = train_toy(m, collate([all_of[i] for i in range(len(all_of))], all_of)[0], 60, 1e-2, bs=16)
curves(log); plt.show()
assert ends(log)['glob'][1] < .9*ends(log)['glob'][0]
