# nbs/methods/01_dual.ipynb: runs against the imported medvl.methods.dual.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Dual encoders
from dataclasses import replace
from pathlib import Path
from typing import Any, Mapping, NamedTuple
import torch
import torch.nn.functional as F
from fastcore.basics import patch_to
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from medvl.core import Aligner, Batch, Feat, MedvlError, Out
from medvl.losses.contrastive import clip_loss, gather, same_text, twin_loss
from medvl.models.checkpoint import load_state, read_config
from medvl.models.authors import mrm_keys
from medvl.models.heads import CellMean
from medvl.models.masked import PatchDecoder
from medvl.models.text import TextTower, pool_words
from medvl.models.vision import VisionTower

# %% [4] Dual encoders
import json, math, tempfile
from fastcore.test import *
from safetensors.torch import load_file
from medvl.losses.contrastive import log_scale
from medvl.models.checkpoint import save_pretrained

# %% [6] The films of a sample
from medvl.methods.dual import (first_film)

# %% [7] The films of a sample
films = torch.arange(6.).view(2,3,1,1,1)
test_eq(first_film(films, torch.tensor([[0,1,1],[1,0,0]]).bool()).flatten(), torch.tensor([1.,3]))
test_eq(first_film(films[:,2]).flatten(), torch.tensor([2.,5]))
empty = torch.tensor([[0,1,1],[0,0,0]]).bool()
test_fail(lambda: first_film(films, empty), contains='sample 1 of the batch has no film')

# %% [9] The films of a sample
from medvl.methods.dual import (pack_films, unpack_films)

# %% [10] The films of a sample
four = torch.arange(8.).view(2,4,1,1,1)
use = torch.tensor([[1,1,0,1],[1,0,0,0]]).bool()
x, slot = pack_films(four, use)
test_eq(x.flatten(), torch.tensor([0.,1,3,4])); test_eq(slot, torch.tensor([0,1,3,0]))
test_eq(unpack_films(x, use).flatten(), torch.tensor([0.,1,0,3,4,0,0,0]))

# %% [12] The pairs of a batch
from medvl.methods.dual import (Pairs, text_pairs)

# %% [14] The pairs of a batch
txt = torch.tensor([[2,7,3],[0,0,0],[2,8,3]])
three = dict(img=torch.arange(3.).view(3,1,1,1,1), txt=txt, txt_msk=txt > 0, txt_id=torch.tensor([4,5,6]))
p = text_pairs(three)
test_eq((p.img.flatten().tolist(), p.txt[:,1].tolist(), p.txt_id.tolist()), ([0.,2.], [7,8], [4,6]))
test_eq((p.img_msk.tolist(), p.word), ([[True],[True]], None))
test_eq(len(text_pairs(dict(img=three['img'], txt=txt)).txt), 3)                 # no mask: all are texts
test_fail(lambda: text_pairs(dict(three, txt_msk=txt > 9), 'PLAN'),
          contains='no sample of this batch has a text; PLAN')
test_fail(lambda: text_pairs(dict(img=films), 'PLAN'), contains="PLAN needs batch['txt']")

# %% [16] Towers
from medvl.methods.dual import (load_vision, vision_tower, text_tower)

# %% [17] Towers
class Holder(nn.Module):
    "A method with nothing but a vision tower."
    def __init__(self, vision=None): super().__init__(); self.vision, self.config = vision or VisionTower(**kw), {}
kw = dict(name='vit_small_cpu', size=32, patch_size=16, depth=1, embed_dim=24, num_heads=2)
with tempfile.TemporaryDirectory() as d:
    save_pretrained(Holder(), d); a = load_vision(VisionTower(**kw), d)
    test_close(a.net.cls_token, load_file(Path(d)/'model.safetensors')['vision.net.cls_token'])
    test_fail(lambda: vision_tower({**kw, 'depth': 2}, init=d), contains='net.blocks.1')
test_eq(vision_tower('vit_small_cpu', 64).grid, (4,4))

# %% [19] Heads
from medvl.methods.dual import (make_head)

# %% [20] Heads
test_eq(make_head('linear', 8, 4)(torch.zeros(2,8)).abs().sum().item(), 0.)  # no bias: nothing in, nothing out
test_eq(len(list(make_head('mlp', 8, 4).parameters())), 4)
test_fail(lambda: make_head('deep', 8, 4), contains="expected 'linear' or 'mlp'")

# %% [22] Heads
from medvl.methods.dual import (pool_text)

# %% [23] Heads
f = Feat(glob=torch.tensor([[9.]]), loc=torch.tensor([[[1.],[3.],[50.]]]), msk=torch.tensor([[True,True,False]]))
test_eq([pool_text(f, k).item() for k in ('cls','last','mean','max')], [9.,3.,2.,3.])
test_fail(lambda: pool_text(f, 'first'), contains="'first'")

# %% [25] The base
from medvl.methods.dual import (DualEncoder)

# %% [35] The base
class Least(DualEncoder):
    "CLIP without its knobs."
    variants = dict(positives=(False, 'identical texts count as correct'))
    def __init__(self, vision=None, text='bert-base', size=224, dim=512, tau=.07, vocab=None, preset='clip', init=None,
                 **variant):
        super().__init__(variant, dim=dim, tau=tau, preset=preset)
        self.vision, self.text = vision_tower(vision, size, init), text_tower(text, vocab)
        self.head_v, self.head_t = (make_head('linear', o.width, dim) for o in (self.vision, self.text))
        self.log_scale = log_scale(tau)
torch.manual_seed(0)
bert = dict(hidden_size=24, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48, vocab_size=30)
m = Least.small(vision=kw, text=bert, dim=8, positives=True)
three['img'] = torch.randn(3,1,1,32,32)
out = m(three); m.loss(out).backward()
test_eq((out.img.glob.shape, out.n), ((2,8), {'glob': 2}))
test_close(out.img.glob.norm(dim=-1), torch.ones(2), eps=1e-5)
m.eval()
f, t = m.encode_image(three['img']), m.encode_text(txt, txt > 0, torch.tensor([[-1,0,-1]]*3))
test_eq((f.loc.shape, f.grid, t.loc.shape), ((3,4,8), (2,2), (3,1,8)))
test_close(m.encode_text(txt, txt > 0).loc[:,1], t.loc[:,0], eps=1e-6)           # a word of one piece
test_eq(m.takes(), {'vision','text','size','dim','tau','vocab','preset','init','positives'})
test_eq((m.config['positives'], m.config['size'], m.config['preset']), (True, 32, 'alta-small'))
again = Least(**json.loads(json.dumps(m.config))).eval(); again.load_state_dict(m.state_dict())
test_close(again.encode_image(three['img']).glob, f.glob, eps=1e-6)
test_fail(lambda: Least(film_norm=True), contains="Least has no argument 'film_norm'; it takes dim, init, positives")

# %% [37] The base
twins = dict(three, img=three['img'][[0,1,0]], txt=txt[[0,1,0]], txt_id=torch.tensor([4,5,4]))
test_close(m(twins).terms['glob'].item(), math.log(2), eps=1e-5)
test_eq(m.target(twins['txt_id'][[0,2]]).all().item(), True)
z = m.idle('vision','head_v'); m.zero_grad(); z.backward()
touched = {k.split('.')[0] for k,p in m.named_parameters() if p.grad is not None}
test_eq((z.item(), touched), (0., {'text','head_t','log_scale'}))

# %% [39] Reconstructing films
from medvl.methods.dual import (masked_tower, patch_decoder, film_to_text, large_films)

# %% [40] Reconstructing films
d = patch_decoder(m.vision, 2, dict(width=12, depth=1, heads=2))
test_eq((d.pred.out_features, d.config['grid']), (32*32, (2,2)))
test_eq(film_to_text(m.vision, m.text).bias.abs().sum().item(), 0.)
test_eq(large_films(dict(big=torch.zeros(1,1,64,64)), 64, m).shape, (1,1,64,64))
test_fail(lambda: large_films(dict(img=films), 64, m), contains="Least needs batch['big']")
test_fail(lambda: large_films(dict(big=torch.zeros(1,1,32,32)), 64, m), contains='64 x 64 pixels')
test_fail(lambda: masked_tower(VisionTower('resnet18', 64), m), contains='must be a ViT')

# %% [42] Cells
from medvl.methods.dual import (CellTower)

# %% [43] Cells
net = CellTower('resnet18', size=64, up=75)
f = net(torch.randn(2,1,64,64))
test_eq((f.glob.shape, f.loc.shape, f.grid), ((2,512), (2,25,256), (5,5)))
test_eq(CellTower('resnet18', size=64).grid, (4,4))
cell = CellTower(kw, 32)
with tempfile.TemporaryDirectory() as d:
    save_pretrained(Holder(cell), d)
    test_close(CellTower(kw, 32, init=d).net.net.cls_token, cell.net.net.cls_token)
test_fail(lambda: CellTower(net.net.config, size=64, up=80), contains='enlarged to 80, the tower is built for 75')

# %% [45] Cells
big = CellTower('resnet50', 224, up=299)
test_eq((big.grid, big.width, big.width_loc), ((19,19), 2048, 1024))

# %% [47] Words
from medvl.methods.dual import (number_pieces)

# %% [49] Words
msk = torch.tensor([[1,1,1,1,1],[1,1,1,0,0]]).bool()
word = torch.tensor([[-1,0,0,1,-1],[-1,0,-1,-1,-1]])
test_eq(number_pieces(msk, word), word)
test_eq(number_pieces(msk, word, cls=True), torch.tensor([[0,1,1,2,-1],[0,1,-1,-1,-1]]))
test_eq(number_pieces(msk), torch.tensor([[-1,0,1,2,-1],[-1,0,-1,-1,-1]]))
test_fail(lambda: number_pieces(msk, word[:,:4]), contains='[2, 4]')

# %% [51] Words
from medvl.methods.dual import (WordTower)

# %% [52] Words
torch.manual_seed(0)
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

# %% [54] Words
with torch.no_grad(): alone = tower(txt[1:,:3], msk[1:,:3], word[1:,:3])
test_close(alone.loc[0,0], f.loc[1,0], eps=1e-5); test_close(alone.glob[0], f.glob[1], eps=1e-5)

# %% [56] Words and cells in one space
from medvl.methods.dual import (CellsAndWords)

# %% [61] Words and cells in one space
class Plain(CellsAndWords):
    "Linear heads; the local loss pulls the mean word to the mean cell."
    s3 = 10.
    def __init__(self, vision, text, size=32, up=None, dim=8, layers=2, cls_word=True, vocab=None, preset='imagenet',
                 init=None, **variant):
        super().__init__(vision, text, vocab, init, variant, cls_word, size=size, up=up, dim=dim, layers=layers,
                         cls_word=cls_word, preset=preset)
        self.head_vs = nn.Linear(self.vision.width_loc, self.dim)
        self.head_t, self.head_ts = (nn.Linear(self.text.width, self.dim) for _ in range(2))
    def local_term(self, f, t, target): return (f.loc.mean(1)-t.loc.mean(1)).square().mean()
m = Plain.small(vision=kw, text=bert, size=32, dim=8).eval()
with torch.no_grad(): f, t, _ = m.encode_pairs(three)
test_eq((f.loc.shape, f.grid, t.loc.shape), ((2,4,8), (2,2), (2,2,8)))
test_eq(t.msk.tolist(), [[True,True]]*2)
test_close(torch.stack([f.glob, t.glob]).norm(dim=-1), torch.ones(2,2), eps=1e-5)
with torch.no_grad(): use = m.encode_text(three['txt'], three['txt_msk'])
test_close(use.loc[0], t.loc[0,1:], eps=1e-6)                                    # without [CLS]
test_eq({k: m.config[k] for k in ('size','up','dim','layers','cls_word')},
        dict(size=32, up=None, dim=8, layers=2, cls_word=True))
test_eq(Plain(**m.config).state_dict().keys(), m.state_dict().keys())
out = m.train()(three); m.loss(out).backward(); test_eq(set(out.terms), {'glob','local'})
s, y = 10*out.img.glob @ out.txt.glob.T, torch.arange(2)
test_close(out.terms['glob'].item(), (F.cross_entropy(s, y)+F.cross_entropy(s.T, y)).item(), eps=1e-5)
test_fail(lambda: m.encode_pairs(dict(three, txt_msk=three['txt'] > 9)), contains='has a text; Plain')

# %% [63] Words and cells in one space
m.twins, sides = True, torch.full((3,2,3), -1)
sides[0] = torch.tensor([[2,8,3], [-1,0,-1]])
sided = m.eval()(dict(three, twin=sides)).terms
with torch.no_grad(): f, t, _ = m.encode_pairs(three); other = m.encode_text(sides[:1,0])
want = F.softplus(10*(f.glob[0] @ (other.glob[0]-t.glob[0]))); test_close(sided['twin'].item(), want.item(), eps=1e-5)
test_eq(set(m(dict(three, twin=sides*0-1)).terms), {'glob','local'})             # no text names a side
test_fail(lambda: m(three), contains='twin'); m.twins = False
