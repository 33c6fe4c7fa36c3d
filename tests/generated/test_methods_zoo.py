# nbs/methods/50_zoo.ipynb: runs against the imported medvl.methods.zoo.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Published models
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
import timm
import torch
from fastcore.basics import patch_to
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import (AutoConfig, AutoModel, SiglipTextConfig, SiglipTextModel, SiglipVisionConfig,
                          SiglipVisionModel)
from medvl.core import SLOTS, Aligner, Feat, MedvlError, methods, need
from medvl.data.preset import PRESETS, Preset
from medvl.data.tokens import load_tokenizer
from medvl.models.authors import cxr_bert_keys
from medvl.models.checkpoint import load_state, read_state, save_pretrained
from medvl.models.heads import BatchNormHead, ProjectionHead
from medvl.models.text import TextTower, pool_words
from medvl.models.vision import VisionTower
from medvl.methods.dual import CellTower, DualEncoder, first_film

# %% [4] Published models
import tempfile
import pandas as pd
from fastcore.test import *
from torch import tensor
from transformers import BertConfig, BertModel
from medvl.core import seed_everything
from medvl.data.tokens import train_tokenizer
from medvl.models.checkpoint import CheckpointError, from_pretrained
home = tempfile.TemporaryDirectory(); at = Path(home.name)
_ = seed_everything(0)

# %% [6] Film towers
from medvl.methods.zoo import (CLIP_STATS, IMAGENET_STATS, ColourTower)

# %% [7] Film towers
plain, colour = (c('resnet10t', 64, **kw) for c,kw in ((VisionTower, {}), (ColourTower, dict(stats=CLIP_STATS))))
colour.load_state_dict(plain.state_dict()); x = torch.rand(2, 1, 64, 64)
m, s = (tensor(o)[:,None,None] for o in CLIP_STATS)
test_close(colour.eval()(x).glob, plain.eval()((x-m)/s).glob)

# %% [9] Film towers
from medvl.methods.zoo import (LastCells)

# %% [11] Film towers
from medvl.methods.zoo import (PriorBlock, sines, PriorPool)

# %% [12] Film towers
from medvl.methods.zoo import (PriorCells)

# %% [14] Film towers
t = PriorCells(64, dim=16, heads=2, depth=1, name='resnet10t').eval()
nn.init.normal_(t.missing); nn.init.normal_(t.pool.type_embed)
x, old, has = torch.rand(2, 1, 64, 64), torch.rand(2, 1, 64, 64), tensor([True,False])
alone, both = t(x), t(x, old, has)
test_eq((both.glob.shape, both.grid), ((2,32), (2,2)))
test_close(both.glob[1], alone.glob[1]); assert (both.glob[0]-alone.glob[0]).abs().max() > .01
assert (t(x, torch.zeros_like(old)).glob-alone.glob).abs().max() > .01
with torch.no_grad(), torch.autocast('cpu', torch.bfloat16): low = t(x, old, has).glob
assert (low.float()-both.glob).abs().max() < .1*both.glob.abs().max()  # in half precision, too
test_close(sines(2, 8)[0,1,:4], sines(2, 8)[0,0,:4])  # the same row

# %% [16] Film towers
from medvl.methods.zoo import (HubFilm)

# %% [18] Text towers
from medvl.methods.zoo import (MixedBERT, HubText)

# %% [20] Text towers
small = dict(hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64, vocab_size=50)
for kind,more in dict(clip=dict(eos_token_id=49, bos_token_id=48, pad_token_id=1),
                      siglip=dict(pad_token_id=1, bos_token_id=48, eos_token_id=49, projection_size=32)).items():
    t = HubText(kind, max_position_embeddings=16, **small, **more).eval()
    ids, keep = tensor([[48,5,49,1,1],[48,7,8,9,49]]), tensor([[1,1,1,0,0],[1,1,1,1,1]]).bool()
    test_close(t(ids, keep).glob[0], t(ids[:1,:3]).glob[0], eps=1e-5)
    test_fail(lambda: t(torch.ones(1, 17).long()), contains='a text of 17 tokens; this tower reads 16')

# %% [22] The model
from medvl.methods.zoo import (Published)

# %% [25] Recipes
from medvl.methods.zoo import (WEIGHTS, Recipe, zoo)

# %% [27] Recipes
from medvl.methods.zoo import (BERT, BIO, _under, _biovil, _film, _biovil_rules, _flat, _two, _hi_ml)

# %% [29] Recipes
from medvl.methods.zoo import (_biomedclip, _chexzero, openai_names, _v, _t, _openai_rules)

# %% [31] Recipes
from medvl.methods.zoo import (swin_names,
    dino_names,
    _clip,
    _resnet,
    _colour_resnet,
    _swin,
    _first_swin,
    _cxr,
    _cxr_clip,
    _med,
    _medclip)

# %% [33] Recipes
from medvl.methods.zoo import (_square, _gloria, _mgca, _mgca_rules, _mgca_all)

# %% [35] Recipes
from medvl.methods.zoo import (_siglip, _dino, _rad_dino)

# %% [37] Reading a file
from medvl.methods.zoo import (_recipe, read_published, build, load_published)

# %% [39] A folder like any other
from medvl.methods.zoo import (_card, convert, fetch)

# %% [41] What is here
from medvl.methods.zoo import (zoo_table)

# %% [42] What is here
pd.set_option('display.max_colwidth', 80)
pd.DataFrame(zoo_table()).set_index('name')[['what','film','text','licence']]

# %% [44] An example
film, words = timm.create_model('vit_tiny_patch16_224', num_classes=0, img_size=64, depth=1), dict(hidden_size=32,
    num_hidden_layers=1, num_attention_heads=2, intermediate_size=64, vocab_size=60, max_position_embeddings=32)
bert, head = BertModel(BertConfig(**words)), nn.Linear(192, 16, bias=False)
proj = nn.Sequential(nn.Linear(32, 24, bias=False), nn.GELU(), nn.Linear(24, 16, bias=False))
theirs = {'visual.trunk.': film, 'visual.head.proj.': head, 'text.transformer.': bert, 'text.proj.': proj}
file = {p+k: v for p,m in theirs.items() for k,v in m.state_dict().items()} | {'logit_scale': tensor(4.)}
(at/'theirs').mkdir(); torch.save(file, at/'theirs'/'open_clip_pytorch_model.bin')
said = ['small pleural effusion on the left', 'no acute disease']
tok = train_tokenizer(said*2, 60, max_len=32); tok.save_pretrained(at/'tok')
sizes = dict(vision=dict(name='vit_tiny_patch16_224', size=64, depth=1), text=words, dim=16)
folder = convert('biomedclip', at/'theirs', at/'ours', at/'tok', **sizes)
print(sorted(p.name for p in folder.iterdir())); print((folder/'card.md').read_text())

# %% [45] An example
m = from_pretrained(folder, Published); b = tok(said, padding=True, return_tensors='pt')
x, mean, std = torch.rand(2, 1, 64, 64), *(tensor(o)[:,None,None] for o in CLIP_STATS)
for o in theirs.values(): o.eval()
with torch.no_grad():
    v = F.normalize(head(film((x-mean)/std)), dim=-1)
    t = F.normalize(proj(bert(b['input_ids'], b['attention_mask']).last_hidden_state[:,0]), dim=-1)
    test_close(m.encode_image(x).glob, v)
    test_close(m.encode_text(b['input_ids'], b['attention_mask'].bool()).glob, t)
test_eq(m.log_scale.item(), 4.); test_eq(m.encode_image(x).loc.shape, (2,16,16))  # cells in the shared space, too

# %% [47] An example
test_fail(lambda: build('biovil2'), contains="no published model 'biovil2'; known: biovil, biovil-t")
test_fail(lambda: convert('mgca-vit', at/'theirs', at/'x'), contains='does not fit Published, and nothing was changed')
torch.save({k: v for k,v in file.items() if k != 'text.proj.2.weight'}, at/'cut.bin')
test_fail(lambda: convert('biomedclip', at/'cut.bin', at/'x', at/'tok', **sizes), exc=CheckpointError,
          contains='The file lacks 1 tensors, e.g. head_t.2.weight')
small = sizes | dict(text=words | dict(vocab_size=50))
torch.save(file | {'text.transformer.embeddings.word_embeddings.weight': torch.rand(50, 32)}, at/'other.bin')
test_fail(lambda: convert('biomedclip', at/'other.bin', at/'x', at/'tok', **small), contains='entries, biomedclip 50')
test_fail(lambda: convert('biovil', at/'cut.bin', at/'x'), contains='cut.bin is one file, biovil has 2')
test_fail(lambda: convert('biovil', at, at/'x'), contains='holds no biovil_image_resnet50_proj_size_128.pt')
test_fail(lambda: read_published('cxr-clip-r50', at), contains='cut.bin, other.bin: give the file of cxr-clip')
test_fail(lambda: fetch('chexzero'), contains="its weights are in a folder linked in rajpurkarlab/CheXzero")
assert not (at/'x').exists()
home.cleanup()
