# nbs/methods/01_dual.ipynb: runs against the imported medvl.methods.dual.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Cells and words
from pathlib import Path
from typing import Mapping, NamedTuple
import torch
import torch.nn.functional as F
from fastcore.basics import patch_to
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from medvl.core import Aligner, Batch, Feat, MedvlError
from medvl.models.checkpoint import load_state, mrm_keys
from medvl.models.text import TextTower, pool_words
from medvl.models.vision import VisionTower

# %% [4] Cells and words
import tempfile
from fastcore.test import *
from safetensors.torch import load_file
from medvl.models.checkpoint import save_pretrained

# %% [6] One film of a sample
from medvl.methods.dual import (first_film)

# %% [7] One film of a sample
films = torch.arange(6.).view(2,3,1,1,1)
test_eq(first_film(films, torch.tensor([[0,1,1],[1,0,0]]).bool()).flatten(), torch.tensor([1.,3]))
test_eq(first_film(films[:,2]).flatten(), torch.tensor([2.,5]))
empty = torch.tensor([[0,1,1],[0,0,0]]).bool()
test_fail(lambda: first_film(films, empty), contains='sample 1 of the batch has no film')

# %% [9] The pairs of a batch
from medvl.methods.dual import (Pairs, text_pairs)

# %% [11] The pairs of a batch
txt = torch.tensor([[2,7,3],[0,0,0],[2,8,3]])
three = dict(img=torch.arange(3.).view(3,1,1,1,1), txt=txt, txt_msk=txt > 0, txt_id=torch.tensor([4,5,6]))
p = text_pairs(three)
test_eq((p.img.flatten().tolist(), p.txt[:,1].tolist(), p.txt_id.tolist()), ([0.,2.], [7,8], [4,6]))
test_eq((p.img_msk.tolist(), p.word), ([[True],[True]], None))
test_eq(len(text_pairs(dict(img=three['img'], txt=txt)).txt), 3)                 # no mask: all are texts
test_fail(lambda: text_pairs(dict(three, txt_msk=txt > 9), 'PLAN'),
          contains='no sample of this batch has a text; PLAN')

# %% [13] A tower from a checkpoint
from medvl.methods.dual import (load_vision)

# %% [14] A tower from a checkpoint
class Holder(nn.Module):
    "A method with nothing but a vision tower."
    def __init__(self, vision=None): super().__init__(); self.vision, self.config = vision or VisionTower(**kw), {}
kw = dict(name='vit_small_cpu', size=32, patch_size=16, depth=1, embed_dim=24, num_heads=2)
with tempfile.TemporaryDirectory() as d:
    save_pretrained(Holder(), d); a = load_vision(VisionTower(**kw), d)
    test_close(a.net.cls_token, load_file(Path(d)/'model.safetensors')['vision.net.cls_token'])
    test_fail(lambda: load_vision(VisionTower(**{**kw, 'depth': 2}), d), contains='net.blocks.1')

# %% [16] Cells
from medvl.methods.dual import (CellTower)

# %% [17] Cells
net = CellTower('resnet18', size=64, up=75)
f = net(torch.randn(2,3,1,64,64), torch.tensor([[0,1,1],[1,0,0]]).bool())
test_eq((f.glob.shape, f.loc.shape, f.grid), ((2,512), (2,25,256), (5,5)))
test_eq(CellTower('resnet18', size=64).grid, (4,4))
cell = CellTower(kw, 32)
with tempfile.TemporaryDirectory() as d:
    save_pretrained(Holder(cell), d)
    test_close(CellTower(kw, 32, init=d).net.net.cls_token, cell.net.net.cls_token)
test_fail(lambda: CellTower(net.net.config, size=64, up=80), contains='enlarged to 80, the tower is built for 75')

# %% [19] Cells
big = CellTower('resnet50', 224, up=299)
test_eq((big.grid, big.width, big.width_loc), ((19,19), 2048, 1024))

# %% [21] Words
from medvl.methods.dual import (number_pieces)

# %% [23] Words
msk = torch.tensor([[1,1,1,1,1],[1,1,1,0,0]]).bool()
word = torch.tensor([[-1,0,0,1,-1],[-1,0,-1,-1,-1]])
test_eq(number_pieces(msk, word), word)
test_eq(number_pieces(msk, word, cls=True), torch.tensor([[0,1,1,2,-1],[0,1,-1,-1,-1]]))
test_eq(number_pieces(msk), torch.tensor([[-1,0,1,2,-1],[-1,0,-1,-1,-1]]))
test_fail(lambda: number_pieces(msk, word[:,:4]), contains='[2, 4]')

# %% [25] Words
from medvl.methods.dual import (WordTower)

# %% [26] Words
torch.manual_seed(0)
bert = dict(hidden_size=24, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48, vocab_size=30)
tower = WordTower(bert, layers=2).eval()
txt = torch.randint(5, 30, (2,5))
with torch.no_grad(): f, pieces = tower(txt, msk, word), tower.net(txt, msk)
test_eq((f.loc.shape, f.msk.tolist()), ((2,2,24), [[True,True],[True,False]]))
test_close(f.loc[0,0], pieces.loc[0,1:3].sum(0), eps=1e-6); test_close(f.glob[1], pieces.loc[1,:3].mean(0), eps=1e-6)
with_cls = WordTower(bert, layers=2, cls=True, glob='cls', reduce='mean').eval()
with_cls.load_state_dict(tower.state_dict())
with torch.no_grad(): c = with_cls(txt, msk, word)
test_close(c.loc[0], torch.stack([pieces.loc[0,0], pieces.loc[0,1:3].mean(0), pieces.loc[0,3]]), eps=1e-6)
test_close(c.glob, pieces.glob, eps=1e-6)
test_fail(lambda: WordTower(bert, layers=3), contains='layers must be from 1 to 2')
test_fail(lambda: WordTower(bert, layers=1, glob='max'), contains="'mean' or 'cls'")

# %% [28] Words
with torch.no_grad(): alone = tower(txt[1:,:3], msk[1:,:3], word[1:,:3])
test_close(alone.loc[0,0], f.loc[1,0], eps=1e-5); test_close(alone.glob[0], f.glob[1], eps=1e-5)

# %% [30] Both, in one space
from medvl.methods.dual import (CellsAndWords)

# %% [34] Both, in one space
class Plain(CellsAndWords):
    "Linear heads, no loss."
    def __init__(self, vision, text, cls_word=True, **args):
        super().__init__(vision, text, cls=cls_word, cls_word=cls_word, **args)
        self.head_vs = nn.Linear(self.vision.width_loc, self.dim)
        self.head_t, self.head_ts = (nn.Linear(self.text.width, self.dim) for _ in range(2))
m = Plain.small(vision=kw, text=bert, size=32, dim=8).eval()
three['img'] = torch.randn(3,1,1,32,32)
with torch.no_grad(): f, t, ids = m.encode_pairs(three)
test_eq((f.loc.shape, f.grid, t.loc.shape, ids.tolist()), ((2,4,8), (2,2), (2,2,8), [4,6]))
test_eq(t.msk.tolist(), [[True,True]]*2)
test_close(torch.stack([f.glob, t.glob]).norm(dim=-1), torch.ones(2,2), eps=1e-5)
with torch.no_grad(): use = m.encode_text(three['txt'], three['txt_msk'])
test_close(use.loc[0], t.loc[0,1:], eps=1e-6)                                    # without [CLS]
test_eq({k: m.config[k] for k in ('size','up','dim','layers','cls_word')},
        dict(size=32, up=None, dim=8, layers=2, cls_word=True))
test_eq(Plain(**{k: v for k,v in m.config.items()}).state_dict().keys(), m.state_dict().keys())
test_fail(lambda: m.encode_pairs(dict(three, txt_msk=three['txt'] > 9)), contains='has a text; Plain')
