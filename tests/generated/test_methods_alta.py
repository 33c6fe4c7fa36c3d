# nbs/methods/06_alta.ipynb: runs against the imported medvl.methods.alta.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] ALTA
import warnings
warnings.filterwarnings('ignore', message='`torch.jit.script` is deprecated')

# %% [4] ALTA
import copy, math
from pathlib import Path
from typing import Mapping
import torch
import torch.nn.functional as F
from fastcore.basics import patch_to
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from medvl.core import Aligner, Batch, Feat, MedvlError, Out
from medvl.losses.contrastive import clip_loss, gather, log_scale, same_text
from medvl.losses.local import local_loss
from medvl.models.adapters import add_adapters, freeze, unfreeze
from medvl.models.checkpoint import cxr_bert_keys, load_state, mrm_keys, read_config
from medvl.models.heads import ProjectionHead, ViewTimeEmbedding, fuse_views
from medvl.models.masked import PatchDecoder, mask_words, patchify, pick_patches, pixel_loss, token_loss
from medvl.models.text import TextTower, pool_words
from medvl.models.vision import VisionTower

# %% [5] ALTA
import json, tempfile, time
import matplotlib.pyplot as plt
from fastcore.test import *
from medvl.models.adapters import param_table, trainable
torch.set_num_threads(1);

# %% [7] The idea
fig, ax = plt.subplots(figsize=(9,3.4), dpi=75); ax.axis('off'); ax.set(xlim=(0,13), ylim=(-.2,5.2))
def box(x, y, s, c, **kw): ax.text(x, y, s, ha='center', va='center', fontsize=8.5, bbox=dict(boxstyle='round,pad=.35', fc=c, ec='.4'), **kw)
def arrow(x0, y0, x1, y1): ax.annotate('', (x1,y1), (x0,y0), arrowprops=dict(arrowstyle='->', color='.4'))
for y,n in zip((4.8,4,3.2,2.4), ('current frontal','current lateral','prior frontal','prior lateral')): box(1.1, y, n, 'white'); arrow(2.1,y,3.2,3.6)
box(4.4, 3.6, '49 of 196 patches\n+ view + time', 'white'); box(6.9, 3.6, 'ViT, frozen\n+ adapters', '#cfe2f3'); arrow(5.5,3.6,6.1,3.6)
box(4.4, .9, 'report\nreport, half hidden', 'white'); box(6.9, .9, 'BERT, frozen\n+ adapters', '#d9ead3'); arrow(5.3,.9,6.1,.9)
for y,n in ((4.8,'restore film (MIM)'),(3.2,'global: mean of 4 [CLS]'),(1.9,'local: patches, words'),(.4,'restore words (MLM)')): box(11, y, n, '#f4cccc')
for y in (4.8,3.2,1.9): arrow(7.8,3.6,9.6,y)
for y in (3.0,1.8,.4): arrow(7.8,.9,9.6,y)
arrow(6.9,3.15,6.9,1.35); ax.text(7,2.2,'mean [CLS]',fontsize=8); plt.show()

# %% [9] Films that are there
from medvl.methods.alta import (pack_films, unpack_films)

# %% [10] Films that are there
films = torch.arange(8.).view(2,4,1,1,1)
use = torch.tensor([[1,1,0,1],[1,0,0,0]]).bool()
x, slot = pack_films(films, use)
test_eq(x.flatten(), torch.tensor([0.,1,3,4])); test_eq(slot, torch.tensor([0,1,3,0]))
test_eq(unpack_films(x, use).flatten(), torch.tensor([0.,1,0,3,4,0,0,0]))

# %% [12] Films that are there
st = ViewTimeEmbedding(2)
with torch.no_grad(): st.view[0] = torch.tensor([[0.,0],[1,0]]); st.time[0] = torch.tensor([[0.,0],[0,1]])
test_eq(st().detach(), torch.tensor([[0.,0],[1,0],[0,1],[1,1]]))  # current frontal, current lateral, prior frontal, prior lateral

# %% [14] What is trained
from medvl.methods.alta import (TRAINED)

# %% [16] The model
from medvl.methods.alta import (ALTA)

# %% [18] The model
from medvl.methods.alta import (_from_mrm)

# %% [35] At full size
with torch.device('meta'): full = ALTA.paper()
test_eq(trainable(full), 18_333_502)
test_eq(sum(p.numel() for p in full.parameters()), 242_177_854)
print(f"{trainable(full):,} of {sum(p.numel() for p in full.parameters()):,} are trained: {trainable(full)/242_177_854:.2%}")
def count(*names): return sum(p.numel() for k,p in full.named_parameters() if p.requires_grad and any(n in k for n in names))
got = {k: sum(p.numel() for n,p in full.named_parameters() if all(o in n for o in v)) for k,v in {'vision adapters': ('vision','adapter'), 'text adapters': ('text.','adapter')}.items()}
got |= {'heads': count('head_'), 'decoder in and out': count('decoder.embed','decoder.pred','decoder.mask_token'), 'MLM head': count('cls.predictions'),
        'norms of towers and decoder': sum(p.numel() for k,p in full.named_parameters() if p.requires_grad and 'norm' in k.lower() and 'head_' not in k and 'predictions' not in k),
        '[CLS], view, time, scales': count('cls_token','slot.','log_scale')}
for k,n in got.items(): print(f"{k:30s}{n:12,}")
test_eq(list(got.values()), [7_100_928, 7_100_928, 460_800, 2_953_728, 622_650, 90_624, 3_844])
test_eq(sum(got.values()), 18_333_502)
