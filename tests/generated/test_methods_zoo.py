# nbs/methods/50_zoo.ipynb: runs against the imported medvl.methods.zoo.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Published models
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
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
from medvl.core import Aligner, Feat, MedvlError, Registry, SLOTS, methods, need
from medvl.data.preset import PRESETS, Preset
from medvl.data.tokens import load_tokenizer
from medvl.models.authors import cxr_bert_keys
from medvl.models.checkpoint import CheckpointError, load_state, read_state, save_pretrained
from medvl.models.heads import BatchNormHead, ProjectionHead
from medvl.models.text import TextTower, pool_words
from medvl.models.vision import VisionTower
from medvl.methods.dual import CellTower, DualEncoder, first_film

# %% [4] Published models
import tempfile
import torchvision
from fastcore.test import *
from torch import tensor
from transformers import BertConfig, BertModel, CLIPConfig, CLIPModel
from medvl.core import seed_everything
from medvl.models.checkpoint import compare_state, from_pretrained
from medvl.models.text import TextTower
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
from medvl.methods.zoo import (Recipe, zoo)

# %% [27] Recipes
from medvl.methods.zoo import (BERT, BIO, _under, _biovil, _biovil_rules, _hi_ml, _flat, _two)

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

# %% [41] A folder like any other
from medvl.methods.zoo import (zoo_table)

# %% [42] A folder like any other
import pandas as pd
pd.set_option('display.max_colwidth', 80)
pd.DataFrame(zoo_table()).set_index('name')[['what','film','tokens','licence']]

# %% [44] Every tensor finds its place
def meta(f):
    with torch.device('meta'): return f()
def shapes(net, prefix, drop=()): # names and tensors of a network
    return {prefix+k: v for k,v in net.state_dict().items() if not any(o in k for o in drop)}
def empty(**names): return {k.replace('__', '.'): torch.empty(s, device='meta') for k,s in names.items()}
def linear(k, o, i, bias=True, conv=0): # a linear layer, or a convolution of one pixel
    return {f'{k}.weight': torch.empty((o, i)+(1,)*conv, device='meta')} | (
        {f'{k}.bias': torch.empty(o, device='meta')} if bias else {})
def norm(k, d, affine=True): # batch norm
    state = nn.BatchNorm1d(d, affine=affine, device='meta').state_dict()
    return {f'{k}.{n}': v for n,v in state.items()}
def older(state, swin): # names of transformers before version 5
    out = {}
    for k,v in state.items():
        b = 'attention.self.' if swin else 'attention.attention.'
        for o in ('query','key','value'): k = k.replace(f'attention.{o[0]}_proj.', b+o+'.')
        k = k.replace('attention.o_proj.', 'attention.output.dense.')
        if swin:
            k = k.replace('attention.relative_position_bias.relative', 'attention.self.relative')
            k = k.replace('mlp.fc1.', 'intermediate.dense.').replace('mlp.fc2.', 'output.dense.')
        out[k] = v
        if k.endswith('bias_table'): out[k.replace('bias_table', 'index')] = torch.empty(49, 49, device='meta')
    return out

# %% [45] Every tensor finds its place
def resnet(prefix, fc=True): return shapes(meta(torchvision.models.resnet50), prefix, () if fc else ('fc.',))
def vit(prefix, **kw): return shapes(meta(lambda: timm.create_model('vit_base_patch16_224', num_classes=0, **kw)), prefix)
def bert(prefix, vocab=28996, layers=12):
    c = BertConfig(vocab_size=vocab, num_hidden_layers=layers)
    return shapes(meta(lambda: BertModel(c)), prefix) | {prefix+'embeddings.position_ids': torch.empty(1, 512)}
def swin(prefix): return older(shapes(meta(lambda: HubFilm('swin').net), prefix), True)
def dino(prefix, size): return older(shapes(meta(lambda: HubFilm('dinov2', size, patch_size=14).net), prefix), False)
def scale(k='logit_scale', s=()): return {k: torch.empty(s, device='meta')}
def biovil(d):
    t, h = 'text.cls_projection_head.', 'text.cls.predictions.'
    names = {k.replace('text.', 'text.bert.', 1): v for k,v in bert('text.', 30522).items()}
    return (resnet('film.encoder.encoder.') | linear('film.projector.model.0', 128, d, False, 2)
            | norm('film.projector.model.1', 128) | linear('film.projector.model.3', 128, 128, True, 2) | names
            | linear(h+'transform.dense', 768, 768) | linear(h+'transform.LayerNorm', 768, 768) | linear(h+'decoder', 30522, 768)
            | scale(h+'bias', (30522,)) | {h+f'transform.LayerNorm.{k}': torch.empty(768, device='meta') for k in ('weight','bias')}
            | linear(t+'dense_to_hidden', 128, 768) | linear(t+'dense_to_output', 128, 128)
            | {t+f'LayerNorm.{k}': torch.empty(128, device='meta') for k in ('weight','bias')})
def prior_pool():
    p = 'film.encoder.vit_pooler.'
    out = scale(p+'type_embed', (2,1,256)) | scale('film.encoder.missing_previous_emb', (1,256,1,1)) | linear(
        'film.encoder.backbone_to_vit', 256, 2048, False, 2)
    for i in range(3):
        b = f'{p}blocks.{i}.'
        for k in ('q','k','v'): out |= linear(b+f'attn.proj_{k}', 256, 256, False)
        for k in ('attn.proj','mlp.fc1','mlp.fc2'): out |= linear(b+k, 256, 256)
        for k in ('norm1','norm2'): out |= {b+f'{k}.{o}': torch.empty(256, device='meta') for o in ('weight','bias')}
    return out | {p+f'norm_post.{o}': torch.empty(256, device='meta') for o in ('weight','bias')}
def mgca(film, d, d_loc):
    out = film | {k.replace('.pooler.', '.gone.'): v for k,v in bert('text_encoder_q.model.', layers=6).items() if 'pooler' not in k}
    for s,n in (('img', (d, d_loc)), ('text', (768, 768))):
        for w,i in zip(('global','local'), n):
            h, c = f'{s}_encoder_q.{w}_embed.head.', int(w == 'local')
            out |= linear(h+'0', 2048, i, True, c) | norm(h+'1', 2048) | linear(h+'3', 128, 2048, True, c) | norm(h+'4', 128, False)
    cross = {k.replace('attention.self', 'crossattention.self'): v for k,v in out.items() if 'text' in k and '.attention.self.' in k}
    return out | cross | linear('prototype_layer', 500, 128, False) | scale('patch_local_atten_layer.in_proj_weight', (384,128))

# %% [46] Every tensor finds its place
def openai(width=768, text=512, patch=32, layers=12, vocab=49408, size=224): # names of OpenAI's CLIP
    out = scale() | scale('text_projection', (text,512)) | scale('visual.proj', (width,512)) | scale('visual.class_embedding', (width,))
    out |= scale('visual.positional_embedding', ((size//patch)**2+1, width)) | scale('visual.conv1.weight', (width,3,patch,patch))
    out |= scale('token_embedding.weight', (vocab,text)) | scale('positional_embedding', (77,text))
    for k,d in (('visual.ln_pre',width), ('visual.ln_post',width), ('ln_final',text)):
        out |= {f'{k}.{o}': torch.empty(d, device='meta') for o in ('weight','bias')}
    for p,d in (('visual.',width), ('',text)):
        for i in range(layers):
            b = f'{p}transformer.resblocks.{i}.'
            out |= scale(b+'attn.in_proj_weight', (3*d,d)) | scale(b+'attn.in_proj_bias', (3*d,)) | linear(b+'attn.out_proj', d, d)
            out |= linear(b+'mlp.c_fc', 4*d, d) | linear(b+'mlp.c_proj', d, 4*d)
            for k in ('ln_1','ln_2'): out |= {b+f'{k}.{o}': torch.empty(d, device='meta') for o in ('weight','bias')}
    return out
_cxr_heads = lambda d: linear('image_projection.projection', 512, d) | linear('text_projection.projection', 512, 768) | scale()
_med_text = bert('text_model.model.') | linear('text_model.projection_head', 512, 768, False) | scale()
def siglip():
    m = meta(lambda: build('medsiglip'))
    return (shapes(m.vision.net, 'vision_model.') | shapes(m.text.net, 'text_model.') | scale('logit_scale', (1,)) | scale('logit_bias', (1,)))

files = {
    'biovil': lambda: biovil(2048), 'biovil-t': lambda: biovil(512) | prior_pool(), 'chexzero': openai,
    'biomedclip': lambda: vit('visual.trunk.') | linear('visual.head.proj', 512, 768, False) | bert('text.transformer.', 30522)
        | linear('text.proj.0', 640, 768, False) | linear('text.proj.2', 512, 640, False) | scale(),
    'cxr-clip-r50': lambda: resnet('image_encoder.resnet.', False) | bert('text_encoder.text_encoder.') | _cxr_heads(2048),
    'cxr-clip-swin': lambda: swin('image_encoder.image_encoder.') | bert('text_encoder.text_encoder.') | _cxr_heads(768),
    'medclip-r50': lambda: resnet('vision_model.model.', False) | linear('vision_model.model.fc', 512, 2048, False) | _med_text,
    'medclip-swin': lambda: swin('vision_model.model.') | linear('vision_model.projection_head', 512, 768, False) | _med_text,
    'gloria': lambda: resnet('gloria.img_encoder.model.', False) | linear('gloria.img_encoder.global_embedder', 768, 2048)
        | linear('gloria.img_encoder.local_embedder', 768, 1024, False, 2) | bert('gloria.text_encoder.model.'),
    'mgca-vit': lambda: mgca(vit('img_encoder_q.model.'), 768, 768),
    'mgca-r50': lambda: mgca(resnet('img_encoder_q.model.', False), 2048, 1024), 'medsiglip': siglip,
    'chexficient': lambda: dino('image_encoder.model.', 378) | bert('text_encoder.model.') | _cxr_heads(768)
        | scale('prototypes', (6,1024)) | scale('step_count'),
    'rad-dino': lambda: dino('', 518)}
test_eq(set(files), set(zoo))

# %% [48] Every tensor finds its place
def count(state, prefix=''): return sum(k.startswith(prefix) for k in state)
test_eq([count(files[k](), 'film.') for k in ('biovil','biovil-t')], [328, 372])
test_eq([count(files[k]()) for k in ('rad-dino','medsiglip')], [223, 888])
rows = []
for name in zoo:
    r, state, model = zoo[name], files[name](), meta(lambda: build(name))
    rep, _ = compare_state(model, r.fix(state) if r.fix else state, r.rules)
    lacks = set() if any(k.startswith('logit') for k in state) else {'log_scale'}
    assert not set(rep.missing)-lacks and not rep.unexpected and not rep.shapes, (name, str(rep)[:1500])
    n = sum(p.numel() for p in model.parameters())
    rows.append(dict(name=name, parameters=f'{n/1e6:.1f} M', tensors=len(state), left_out=len(rep.left_out)))
pd.DataFrame(rows).set_index('name')

# %% [50] The same numbers
def fill(state, seed=0): # numbers for names and shapes; batch norm gets a positive variance
    g = torch.Generator().manual_seed(seed)
    def one(k, v):
        if v.dtype == torch.long: return torch.ones(v.shape, dtype=torch.long)
        x = torch.randn(v.shape, generator=g)
        return x.abs()+.5 if k.endswith('running_var') else x*.5/max(1, v[0].numel() if v.ndim > 1 else 1)**.5+(.5 if v.ndim == 1 and 'weight' in k else 0)
    return {k: one(k, v) for k,v in state.items()}
def part(state, prefix): return {k.removeprefix(prefix): v for k,v in state.items() if k.startswith(prefix)}
def loaded(net, state): net.load_state_dict(state); return net.eval()
tiny_bert = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, vocab_size=60,
                 max_position_embeddings=32)
words = ['small pleural effusion on the left', 'no acute disease']
from medvl.data.tokens import train_tokenizer
tok = train_tokenizer(words*2, 60, max_len=32); tok.save_pretrained(at/'tok')
b = tok(words, padding=True, return_tensors='pt'); ids, keep = b['input_ids'], b['attention_mask'].bool()
def small_bert(layers=2): return BertModel(BertConfig(**{**tiny_bert, 'num_hidden_layers': layers}))
def bert_of(state, prefix): return loaded(small_bert(), {k: v for k,v in part(state, prefix).items()})
def unit(x): return F.normalize(x, dim=-1)
checks = {}

def check(name, state, f_film, f_text, x, files=None, **sizes):
    "Convert, load, compare."
    d = at/name; d.mkdir()
    if files is None: torch.save(state, d/'weights.pt')
    else:
        for f,prefix in files.items(): torch.save(part(state, prefix), d/f)
    m = from_pretrained(convert(name, d, at/f'{name}-ours', at/'tok', **sizes))
    with torch.no_grad():
        ours = m.encode_image(x).glob, m.encode_text(ids, keep).glob if f_text else None
        theirs = f_film(x), f_text() if f_text else None
    for a,b in zip(ours, theirs):
        if a is not None: test_close(a, unit(b), eps=1e-4); assert (a[0]-a[1]).abs().max() > 1e-3
    checks[name] = max(float((a-unit(b)).abs().max()) for a,b in zip(ours, theirs) if a is not None)
    return m

# %% [52] The same numbers
from torchvision.models.resnet import BasicBlock, ResNet
from transformers import BertForMaskedLM
small = dict(name='resnet18', layers=(1,1,1,1)); r50 = ResNet(BasicBlock, [1,1,1,1]).eval()  # the names of a ResNet-50
def stages(x, n=r50): # cells of the last two stages
    x = n.maxpool(n.relu(n.bn1(n.conv1(x.expand(-1, 3, -1, -1)))))
    mid = n.layer3(n.layer2(n.layer1(x)))
    return mid, n.layer4(mid)
def projector(d): return nn.Sequential(nn.Conv2d(d, 16, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 16, 1))
class CXRBert(nn.Module):
    def __init__(self):
        super().__init__(); own = BertForMaskedLM(BertConfig(**tiny_bert)); self.bert, self.cls = own.bert, own.cls
        h = self.cls_projection_head = nn.Module()
        h.dense_to_hidden, h.LayerNorm, h.dense_to_output = nn.Linear(32, 16), nn.LayerNorm(16, eps=1e-12), nn.Linear(16, 16)
    def forward(self):
        h, x = self.cls_projection_head, self.bert(ids, keep).last_hidden_state[:,0]
        return h.dense_to_output(h.LayerNorm(F.gelu(h.dense_to_hidden(x))))

t, p, x = CXRBert(), projector(512), torch.rand(2, 1, 64, 64)
state = fill(shapes(r50, 'film.encoder.encoder.') | shapes(p, 'film.projector.model.') | shapes(t, 'text.'))
for k,o in (('weight','bert.embeddings.word_embeddings.weight'), ('bias','cls.predictions.bias')): # tied
    state[f'text.cls.predictions.decoder.{k}'] = state['text.'+o]
loaded(r50, part(state, 'film.encoder.encoder.')); loaded(p, part(state, 'film.projector.model.')); loaded(t, part(state, 'text.'))
def two(name): return {zoo[name].files['film.']: 'film.', 'pytorch_model.bin': 'text.'}
m = check('biovil', state, lambda x: p(stages(x)[1]).mean((2,3)), t, x, two('biovil'), vision=dict(small, size=64),
          text=tiny_bert, dim=16)
test_close(m.encode_image(x).loc[0,1], p(stages(x)[1]).flatten(2)[0,:,1], eps=1e-4)

# %% [53] The same numbers
pool, p2 = PriorPool(16, 2, 1, 2), projector(32)
more = shapes(pool, 'film.encoder.vit_pooler.', ('place',)) | {'film.encoder.backbone_to_vit.weight': torch.empty(16,512,1,1),
    'film.encoder.missing_previous_emb': torch.empty(1,16,1,1)} | shapes(p2, 'film.projector.model.')
state = {k: v for k,v in state.items() if 'projector' not in k} | fill(more, 1)
loaded(p2, part(state, 'film.projector.model.')); w = part(state, 'film.encoder.')
def small_cells(x): return F.conv2d(stages(x)[1], w['backbone_to_vit.weight'])
def ln(x, k): return F.layer_norm(x, x.shape[-1:], w[f'vit_pooler.{k}.weight'], w[f'vit_pooler.{k}.bias'], 1e-6)
def compared(now, prior): # [4 16] each: cells of one film and of its prior
    i = torch.arange(8); one = torch.stack([(r+1)/(2+1e-6)*2*torch.pi/10_000**(2*(i//2)/8) for r in range(2)])  # 2 8
    one = torch.stack([torch.where(i % 2 == 0, o.sin(), o.cos()) for o in one])
    place = torch.stack([torch.cat([one[r], one[c]]) for r in range(2) for c in range(2)])
    z = torch.cat([now, prior]); e = torch.cat([place+w['vit_pooler.type_embed'][i] for i in range(2)]); b = 'blocks.0.'
    y = ln(z, b+'norm1')+e; q, k, v = (y @ w[f'vit_pooler.{b}attn.proj_{o}.weight'].T for o in 'qkv')
    o = torch.cat([(q[:,h] @ k[:,h].T/8**.5).softmax(-1) @ v[:,h] for h in (slice(0,8), slice(8,16))], -1)
    z = z+o @ w[f'vit_pooler.{b}attn.proj.weight'].T+w[f'vit_pooler.{b}attn.proj.bias']
    m = F.gelu(ln(z, b+'norm2') @ w[f'vit_pooler.{b}mlp.fc1.weight'].T+w[f'vit_pooler.{b}mlp.fc1.bias'])
    return ln(z+m @ w[f'vit_pooler.{b}mlp.fc2.weight'].T+w[f'vit_pooler.{b}mlp.fc2.bias'], 'norm_post')[:4]
def fused(x, change): return p2(torch.cat([small_cells(x), change], 1)).mean((2,3))
gone = w['missing_previous_emb'].expand(2, 16, 2, 2)
m = check('biovil-t', state, lambda x: fused(x, gone), t, x, two('biovil-t'), text=tiny_bert, dim=16,
          vision=dict(small, size=64, depth=1, heads=2) | dict(dim=16))
four, has = torch.zeros(2, 4, 1, 64, 64), torch.zeros(2, 4).bool()
four[:,0], four[0,2], has[:,0], has[0,2] = x, torch.rand(1, 64, 64), True, True  # the first has a prior film
with torch.no_grad():
    now, old = (small_cells(o).flatten(2).transpose(1,2)[0] for o in (x, four[:1,2]))
    theirs = fused(x[:1], compared(now, old).T.reshape(1, 16, 2, 2))
    got = m.encode_image(four, has).glob
test_close(got[0], unit(theirs)[0], eps=1e-4); test_close(got[1], m.encode_image(x).glob[1], eps=1e-5)
assert (got[0]-m.encode_image(x).glob[0]).abs().max() > 1e-3

# %% [55] The same numbers
net = timm.create_model('vit_tiny_patch16_224', num_classes=0, img_size=64, depth=1).eval(); head = nn.Linear(192, 16, bias=False)
bert1, proj = small_bert(), nn.Sequential(nn.Linear(32, 24, bias=False), nn.GELU(), nn.Linear(24, 16, bias=False))
state = fill(shapes(net, 'visual.trunk.') | shapes(head, 'visual.head.proj.') | shapes(bert1, 'text.transformer.')
             | shapes(proj, 'text.proj.') | {'logit_scale': torch.empty(())})
for o,k in ((net,'visual.trunk.'), (head,'visual.head.proj.'), (bert1,'text.transformer.'), (proj,'text.proj.')): loaded(o, part(state, k))
m, s = (tensor(o)[:,None,None] for o in CLIP_STATS)
def names(name): d = at/name; return {zoo[name].files[''].split('|')[0]: ''}
m = check('biomedclip', state, lambda x: head(net((x-m)/s)), lambda: proj(bert1(ids, keep).last_hidden_state[:,0]), x,
          names('biomedclip'), vision=dict(name='vit_tiny_patch16_224', size=64, depth=1), text=tiny_bert, dim=16)
test_close(m.log_scale, state['logit_scale'])

# %% [56] The same numbers
c = CLIPConfig(text_config=dict(hidden_size=512, intermediate_size=2048, num_hidden_layers=1, num_attention_heads=8, vocab_size=60,
                                bos_token_id=1, eos_token_id=3, max_position_embeddings=77),
               vision_config=dict(hidden_size=768, intermediate_size=3072, num_hidden_layers=1, num_attention_heads=12, image_size=64,
                                  patch_size=32), projection_dim=512)
state = fill(openai(layers=1, vocab=60, size=64)); hf = CLIPModel(c).eval(); out = {}
for ours,theirs in (('vision_model.','visual.'), ('text_model.','')):
    d = theirs+'transformer.resblocks.0.'
    for n,v in part(hf.state_dict(), ours).items():
        if (q := re.match(r'encoder\.layers\.0\.self_attn\.([qkv])_proj\.(\w+)', n)):
            out[ours+n] = state[d+f'attn.in_proj_{q[2]}'].chunk(3)['qkv'.index(q[1])]; continue
        k = n.replace('encoder.layers.0.', 'transformer.resblocks.0.').replace('self_attn.out_proj', 'attn.out_proj')
        for a,b in (('layer_norm','ln_'), ('mlp.fc1','mlp.c_fc'), ('mlp.fc2','mlp.c_proj'), ('embeddings.class_embedding','class_embedding'),
                    ('embeddings.patch_embedding','conv1'), ('embeddings.position_embedding.weight','positional_embedding'),
                    ('pre_layrnorm','ln_pre'), ('post_layernorm','ln_post'), ('final_ln_','ln_final'), ('final_layer_norm','ln_final'),
                    ('embeddings.token_embedding','token_embedding')): k = k.replace(a, b)
        out[ours+n] = state[theirs+k]
out |= {'visual_projection.weight': state['visual.proj'].T, 'text_projection.weight': state['text_projection'].T,
        'logit_scale': state['logit_scale']}
loaded(hf, out)
def hf_text(): return hf.text_projection(hf.text_model(input_ids=ids, attention_mask=keep.long()).pooler_output)
def hf_film(x): return hf.visual_projection(hf.vision_model(pixel_values=x.expand(-1, 3, -1, -1)).pooler_output)
m = check('chexzero', state, hf_film, hf_text, x, vision=dict(size=64, depth=1), text=dict(num_hidden_layers=1, vocab_size=60,
          bos_token_id=1, eos_token_id=3))

# %% [58] The same numbers
from transformers import Dinov2Config, Dinov2Model, SiglipConfig, SiglipModel, SwinConfig, SwinModel
tiny_swin = dict(embed_dim=24, depths=[1,1], num_heads=[2,2], window_size=4, image_size=64)
swin1, bert1 = SwinModel(SwinConfig(**tiny_swin)), small_bert()
film512, film48, text16 = nn.Linear(512, 16), nn.Linear(48, 16), nn.Linear(32, 16)
texts = fill(shapes(bert1, 'b.') | shapes(text16, 't.') | shapes(swin1, 's.') | shapes(film48, 'f.') | shapes(film512, 'g.') | {'l': torch.empty(())}, 2)
for o,k in ((bert1,'b.'), (text16,'t.'), (swin1,'s.'), (film48,'f.'), (film512,'g.')): loaded(o, part(texts, k))
def named(**names): # tensors under the names of a file
    return {new+k: v for old,new in names.items() for k,v in part(texts, old+('.' if old != 'l' else '')).items()}
r50_state = {k: v for k,v in r50.state_dict().items() if not k.startswith('fc.')}
old_swin = {k: v for k,v in older(part(texts, 's.'), True).items()}
last = keep.sum(1)-1
def cxr_text(): return text16(bert1(ids, keep).last_hidden_state[torch.arange(2), last])
common = named(b='text_encoder.text_encoder.', t='text_projection.projection.', l='logit_scale')
kw = dict(text=tiny_bert, dim=16); m, s = (tensor(o)[:,None,None] for o in IMAGENET_STATS)
check('cxr-clip-r50', common | named(g='image_projection.projection.') | {'image_encoder.resnet.'+k: v for k,v in r50_state.items()},
      lambda x: film512(stages((x-m)/s)[1].mean((2,3))), cxr_text, x, vision=dict(small, size=64), **kw)
def swin_of(x): return swin1(pixel_values=x.expand(-1, 3, -1, -1))
sw = {k: v for k,v in tiny_swin.items() if k != 'image_size'} | dict(size=64)
check('cxr-clip-swin', common | named(f='image_projection.projection.') | {'image_encoder.image_encoder.'+k: v for k,v in old_swin.items()},
      lambda x: film48(swin_of(x).last_hidden_state[:,0]), cxr_text, x, vision=sw, **kw)
def med_text():
    h = bert1(ids, keep, output_hidden_states=True).hidden_states; h = (h[1]+h[2]+h[-1])/3
    return ((h*keep[...,None]).sum(1)/keep.sum(1, keepdim=True)) @ text16.weight.T
def bare(state, *drop): return {k: v for k,v in state.items() if not k.endswith(drop)}
common = bare(named(b='text_model.model.', t='text_model.projection_head.', l='logit_scale'), 'projection_head.bias')
check('medclip-r50', common | {'vision_model.model.fc.weight': film512.weight.data} | {'vision_model.model.'+k: v for k,v in r50_state.items()},
      lambda x: stages(x)[1].mean((2,3)) @ film512.weight.T, med_text, x, vision=dict(small, size=64), **kw)
check('medclip-swin', common | {'vision_model.projection_head.weight': film48.weight.data} | {'vision_model.model.'+k: v for k,v in old_swin.items()},
      lambda x: swin_of(x).pooler_output @ film48.weight.T, med_text, x, vision=sw, **kw);

# %% [60] The same numbers
local, glob = nn.Conv2d(256, 32, 1, bias=False), nn.Linear(512, 32)
heads = fill(shapes(local, 'l.') | shapes(glob, 'g.'), 3); loaded(local, part(heads, 'l.')); loaded(glob, part(heads, 'g.'))
state = ({'gloria.img_encoder.model.'+k: v for k,v in r50_state.items()} | named(b='gloria.text_encoder.model.')
         | {'gloria.img_encoder.local_embedder.weight': local.weight.data}
         | {'gloria.img_encoder.global_embedder.'+k: v for k,v in glob.state_dict().items()})
def larger(x): return F.interpolate(x, (80,80), mode='bilinear', align_corners=True)
def gloria_text(): # the mean over all pieces of the sum of the last layers
    h = sum(bert1(ids, keep, output_hidden_states=True).hidden_states[-2:])
    return (h*keep[...,None]).sum(1)
m = check('gloria', state, lambda x: glob(stages(larger(x))[1].mean((2,3))), gloria_text, x, vision=small, text=tiny_bert, size=64,
          up=80, dim=32, layers=2)
test_close(m.encode_image(x).loc[0], local(stages(larger(x))[0]).flatten(2)[0].T, eps=1e-4)

# %% [61] The same numbers
def bn_head(d, conv): # MGCA's
    lin = (lambda i,o: nn.Conv1d(i, o, 1)) if conv else nn.Linear
    return nn.Sequential(lin(d, 24), nn.BatchNorm1d(24), nn.ReLU(), lin(24, 16), nn.BatchNorm1d(16, affine=False))
net = timm.create_model('vit_tiny_patch16_224', num_classes=0, img_size=64, depth=1).eval()
vit_state = fill(shapes(net, '')); loaded(net, vit_state); tsts = dict(text=tiny_bert, dim=16, hidden=24)
for name,film,d,d_loc in (('mgca-vit', vit_state, 192, 192), ('mgca-r50', r50_state, 512, 256)):
    hs = {'img_encoder_q.global_embed': bn_head(d, False), 'img_encoder_q.local_embed': bn_head(d_loc, True),
          'text_encoder_q.global_embed': bn_head(32, False), 'text_encoder_q.local_embed': bn_head(32, True)}
    state = {'img_encoder_q.model.'+k: v for k,v in film.items()} | bare(named(b='text_encoder_q.model.'), 'pooler.dense.weight', 'pooler.dense.bias')
    for k,h in hs.items():
        own = fill(shapes(h, k+'.head.'), len(k)); loaded(h, part(own, k+'.head.')); state |= own
    g = hs['img_encoder_q.global_embed']
    def film_of(x): return g(net(x.expand(-1, 3, -1, -1)) if d == 192 else stages(larger(x))[1].mean((2,3)))
    v = dict(name='vit_tiny_patch16_224', size=64, depth=1) if d == 192 else dict(vision=small, size=64, up=80)
    m = check(name, state, film_of, lambda: hs['text_encoder_q.global_embed'](bert1(ids, keep).last_hidden_state[:,0]), x, vision=v, **tsts)
    cells = net.forward_features(x.expand(-1, 3, -1, -1))[:,1:].transpose(1,2) if d == 192 else stages(larger(x))[0].flatten(2)
    with torch.no_grad(): test_close(m.encode_image(x).loc, hs['img_encoder_q.local_embed'](cells).transpose(1,2), eps=1e-4)

# %% [63] The same numbers
sig = dict(hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2)
sig_t = dict(sig, vocab_size=60, max_position_embeddings=16, projection_size=32, pad_token_id=0, bos_token_id=1, eos_token_id=1)
hf = SiglipModel(SiglipConfig(vision_config=dict(sig, image_size=64, patch_size=16), text_config=sig_t)).eval()
state = fill(hf.state_dict()); loaded(hf, state); full = F.pad(ids.masked_fill(~keep, 0), (0, 16-ids.shape[1]))
m = check('medsiglip', state, lambda x: hf.vision_model(pixel_values=x.expand(-1, 3, -1, -1)).pooler_output,
          lambda: hf.text_model(input_ids=full).pooler_output, x, names('medsiglip'), vision=dict(sig, size=64, patch_size=16), text=sig_t)
test_close(m.bias, state['logit_bias'][0]); test_close(m.log_scale, state['logit_scale'][0])
tiny_dino = dict(hidden_size=32, num_hidden_layers=1, num_attention_heads=2, patch_size=16)
dino1, film32 = Dinov2Model(Dinov2Config(image_size=64, **tiny_dino)), nn.Linear(32, 16)
own = fill(shapes(dino1, 'd.') | shapes(film32, 'f.'), 4); loaded(dino1, part(own, 'd.')); loaded(film32, part(own, 'f.'))
old_dino = older(part(own, 'd.'), False); m, s = (tensor(o)[:,None,None] for o in CLIP_STATS)
def dino_of(x): return dino1(pixel_values=x.expand(-1, 3, -1, -1)).last_hidden_state
state = named(b='text_encoder.model.', t='text_projection.projection.', l='logit_scale') | {'prototypes': torch.zeros(2, 4)}
state |= {'image_encoder.model.'+k: v for k,v in old_dino.items()} | {'image_projection.projection.'+k: v for k,v in film32.state_dict().items()}
check('chexficient', state, lambda x: film32(dino_of((x-m)/s)[:,0]), cxr_text, x, vision=dict(tiny_dino, size=64), **kw)
m = check('rad-dino', old_dino, lambda x: dino_of(x)[:,0], None, x, names('rad-dino'), vision=dict(tiny_dino, size=64))
test_close(m.before_head(x).loc, dino_of(x)[:,1:], eps=1e-5)
test_fail(lambda: m.encode_text(ids, keep), contains='rad-dino is a model of films alone: it reads no text')
test_eq(set(checks), set(zoo)); print(f'largest difference of {len(checks)} models: {max(checks.values()):.1e}')
