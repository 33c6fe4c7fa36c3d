"""Published models: at full size every tensor of the authors' files finds its place, and at a small size the vectors
are those of the authors' topology, written out in torchvision, timm and transformers."""
import re

import pytest
import timm
import torch
import torch.nn.functional as F
import torchvision
from safetensors.torch import save_file
from torch import nn, tensor
from torchvision.models.resnet import BasicBlock, ResNet
from transformers import (BertConfig, BertForMaskedLM, BertModel, CLIPConfig, CLIPModel, Dinov2Config, Dinov2Model,
                          SiglipConfig, SiglipModel, SwinConfig, SwinModel)

from medvl.data.tokens import train_tokenizer
from medvl.methods.zoo import CLIP_STATS, IMAGENET_STATS, HubFilm, PriorPool, build, convert, zoo
from medvl.models.checkpoint import compare_state, from_pretrained


def meta(f):
    with torch.device('meta'): return f()
def empty(*s): return torch.empty(s, device='meta')
def shapes(net, prefix='', drop=()): # names and tensors of a network
    return {prefix+k: v for k,v in net.state_dict().items() if not k.startswith(tuple(drop))}
def linear(k, o, i, bias=True, conv=0): # a linear layer, or a convolution of one pixel
    return {f'{k}.weight': empty(o, i, *(1,)*conv)} | ({f'{k}.bias': empty(o)} if bias else {})
def norm(k, *s): return {f'{k}.{o}': empty(*s) for o in ('weight','bias')}
def batch_norm(k, d, affine=True):
    return {f'{k}.{n}': v for n,v in nn.BatchNorm1d(d, affine=affine, device='meta').state_dict().items()}

def older(state, swin):
    "Names of transformers before version 5."
    out = {}
    for k,v in state.items():
        for o in ('query','key','value'):
            k = k.replace(f'attention.{o[0]}_proj.', f"attention.{'self' if swin else 'attention'}.{o}.")
        k = k.replace('attention.o_proj.', 'attention.output.dense.')
        if swin:
            k = k.replace('attention.relative_position_bias.relative', 'attention.self.relative')
            k = k.replace('mlp.fc1.', 'intermediate.dense.').replace('mlp.fc2.', 'output.dense.')
        out[k] = v
        if k.endswith('bias_table'): out[k.replace('bias_table', 'index')] = torch.zeros(49, 49)
    return out

# ---- files at full size

def resnet(prefix, fc=True): return shapes(meta(torchvision.models.resnet50), prefix, () if fc else ('fc.',))
def vit(prefix): return shapes(meta(lambda: timm.create_model('vit_base_patch16_224', num_classes=0)), prefix)
def bert(prefix, vocab=28996, layers=12, pooler=True):
    own = shapes(meta(lambda: BertModel(BertConfig(vocab_size=vocab, num_hidden_layers=layers))), prefix)
    own |= {prefix+'embeddings.position_ids': empty(1, 512)}
    return {k: v for k,v in own.items() if pooler or '.pooler.' not in k}
def swin(prefix): return older(shapes(meta(lambda: HubFilm('swin').net), prefix), True)
def dino(prefix, size): return older(shapes(meta(lambda: HubFilm('dinov2', size, patch_size=14).net), prefix), False)
def scale(*s): return {'logit_scale': empty(*s)}

def biovil(d):
    t, h, p = 'text.cls_projection_head.', 'text.cls.predictions.', 'film.projector.model.'
    return (resnet('film.encoder.encoder.') | linear(p+'0', 128, d, False, 2) | batch_norm(p+'1', 128)
            | linear(p+'3', 128, 128, True, 2) | bert('text.bert.', 30522) | linear(h+'transform.dense', 768, 768)
            | norm(h+'transform.LayerNorm', 768) | linear(h+'decoder', 30522, 768) | {h+'bias': empty(30522)}
            | linear(t+'dense_to_hidden', 128, 768) | norm(t+'LayerNorm', 128) | linear(t+'dense_to_output', 128, 128))

def prior_pool():
    e, p = 'film.encoder.', 'film.encoder.vit_pooler.'
    out = {p+'type_embed': empty(2,1,256), e+'missing_previous_emb': empty(1,256,1,1)} | norm(p+'norm_post', 256)
    out |= linear(e+'backbone_to_vit', 256, 2048, False, 2)
    for b in (f'{p}blocks.{i}.' for i in range(3)):
        for k in ('q','k','v'): out |= linear(b+f'attn.proj_{k}', 256, 256, False)
        for k in ('attn.proj','mlp.fc1','mlp.fc2'): out |= linear(b+k, 256, 256)
        for k in ('norm1','norm2'): out |= norm(b+k, 256)
    return out

def mgca(film, d, d_loc):
    out = film | bert('text_encoder_q.model.', layers=6, pooler=False)
    for s,n in (('img', (d, d_loc)), ('text', (768, 768))):
        for w,i in zip(('global','local'), n):
            h, c = f'{s}_encoder_q.{w}_embed.head.', int(w == 'local')
            out |= linear(h+'0', 2048, i, True, c) | batch_norm(h+'1', 2048)
            out |= linear(h+'3', 128, 2048, True, c) | batch_norm(h+'4', 128, False)
    cross = {k.replace('attention.self', 'crossattention.self'): v for k,v in out.items() if '.attention.self.' in k}
    return out | cross | linear('prototype_layer', 500, 128, False) | {
        'patch_local_atten_layer.in_proj_weight': empty(384,128), 'word_local_atten_layer.in_proj_bias': empty(384)}

def openai(width=768, text=512, patch=32, layers=12, vocab=49408, size=224):
    out = scale() | {'text_projection': empty(text,512), 'visual.proj': empty(width,512),
                     'visual.class_embedding': empty(width), 'visual.conv1.weight': empty(width,3,patch,patch),
                     'visual.positional_embedding': empty((size//patch)**2+1, width),
                     'token_embedding.weight': empty(vocab,text), 'positional_embedding': empty(77,text)}
    for k,d in (('visual.ln_pre',width), ('visual.ln_post',width), ('ln_final',text)): out |= norm(k, d)
    for p,d in (('visual.',width), ('',text)):
        for b in (f'{p}transformer.resblocks.{i}.' for i in range(layers)):
            out |= {b+'attn.in_proj_weight': empty(3*d,d), b+'attn.in_proj_bias': empty(3*d)}
            out |= linear(b+'attn.out_proj', d, d) | linear(b+'mlp.c_fc', 4*d, d) | linear(b+'mlp.c_proj', d, 4*d)
            out |= norm(b+'ln_1', d) | norm(b+'ln_2', d)
    return out

def cxr_heads(d):
    return linear('image_projection.projection', 512, d) | linear('text_projection.projection', 512, 768) | scale()
def med(film):
    return film | bert('text_model.model.') | linear('text_model.projection_head', 512, 768, False) | scale()
def siglip():
    m = meta(lambda: build('medsiglip'))
    return (shapes(m.vision.net, 'vision_model.') | shapes(m.text.net, 'text_model.') | scale(1)
            | {'logit_bias': empty(1)})

FILES = {
    'biovil': lambda: biovil(2048), 'biovil-t': lambda: biovil(512) | prior_pool(), 'chexzero': openai,
    'biomedclip': lambda: vit('visual.trunk.') | linear('visual.head.proj', 512, 768, False) | scale()
        | bert('text.transformer.', 30522) | linear('text.proj.0', 640, 768, False)
        | linear('text.proj.2', 512, 640, False),
    'cxr-clip-r50': lambda: resnet('image_encoder.resnet.', False) | bert('text_encoder.text_encoder.')
        | cxr_heads(2048),
    'cxr-clip-swin': lambda: swin('image_encoder.image_encoder.') | bert('text_encoder.text_encoder.')
        | cxr_heads(768),
    'medclip-r50': lambda: med(resnet('vision_model.model.', False)
                               | linear('vision_model.model.fc', 512, 2048, False)),
    'medclip-swin': lambda: med(swin('vision_model.model.') | linear('vision_model.projection_head', 512, 768, False)),
    'gloria': lambda: resnet('gloria.img_encoder.model.', False) | bert('gloria.text_encoder.model.')
        | linear('gloria.img_encoder.global_embedder', 768, 2048)
        | linear('gloria.img_encoder.local_embedder', 768, 1024, False, 2),
    'mgca-vit': lambda: mgca(vit('img_encoder_q.model.'), 768, 768),
    'mgca-r50': lambda: mgca(resnet('img_encoder_q.model.', False), 2048, 1024), 'medsiglip': siglip,
    'chexficient': lambda: dino('image_encoder.model.', 378) | bert('text_encoder.model.') | cxr_heads(768)
        | {'prototypes': empty(6,1024), 'step_count': empty()},
    'rad-dino': lambda: dino('', 518)}

@pytest.mark.parametrize('name', zoo)
def test_every_tensor_finds_its_place(name):
    r, state, model = zoo[name], FILES[name](), meta(lambda: build(name))
    rep, _ = compare_state(model, r.fix(state) if r.fix else state, r.rules)
    lacks = set() if any(k.startswith('logit') for k in state) else {'log_scale'}
    assert not set(rep.missing)-lacks and not rep.unexpected and not rep.shapes, str(rep)[:1500]

def test_counted():
    "The numbers of tensors that others have counted in the files."
    def count(name, prefix=''): return sum(k.startswith(prefix) for k in FILES[name]())
    assert [count(k, 'film.') for k in ('biovil','biovil-t')] == [328, 372]
    assert [count(k) for k in ('rad-dino','medsiglip')] == [223, 888]

# ---- the same numbers at a small size

def fill(state, seed=0): # numbers for names and shapes
    g = torch.Generator().manual_seed(seed)
    def one(k, v):
        if v.dtype == torch.long: return torch.ones(v.shape, dtype=torch.long)
        x = torch.randn(v.shape, generator=g)
        if v.ndim > 1: return x*1.4/v[0].numel()**.5
        return .1*x+(k.endswith(('weight','running_var','lambda1')))
    return {k: one(k, v) for k,v in state.items()}
def part(state, prefix): return {k.removeprefix(prefix): v for k,v in state.items() if k.startswith(prefix)}
def under(prefix, state): return {prefix+k: v for k,v in state.items()}
def filled(net, seed=0): net.load_state_dict(fill(net.state_dict(), seed)); return net.eval()
def unit(x): return F.normalize(x, dim=-1)
def three(x): return x.expand(-1, 3, -1, -1)
def stats(s): return (tensor(o)[:,None,None] for o in s)

WORDS = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, vocab_size=60,
             max_position_embeddings=32)
SMALL = dict(name='resnet18', layers=(1,1,1,1))  # has the names of a ResNet-50
SAID = ['small pleural effusion on the left', 'no acute disease']
NET = filled(ResNet(BasicBlock, [1,1,1,1]))
BERT = filled(BertModel(BertConfig(**WORDS)), 1)
X = torch.rand(2, 1, 64, 64, generator=torch.Generator().manual_seed(0))
X = X*torch.linspace(0, 1, 64).pow(tensor([0.,3.])[:,None])[:,None,None]     # the second is dark on one side
R50 = {k: v for k,v in NET.state_dict().items() if not k.startswith('fc.')}
TOK = train_tokenizer(SAID*2, 60, max_len=32); B = TOK(SAID, padding=True, return_tensors='pt')
IDS, KEEP = B['input_ids'], B['attention_mask'].bool()

def stages(x): # cells of the last two stages
    x = NET.maxpool(NET.relu(NET.bn1(NET.conv1(three(x)))))
    mid = NET.layer3(NET.layer2(NET.layer1(x)))
    return mid, NET.layer4(mid)
def pooled(x): return stages(x)[1].mean((2,3))
def larger(x): return F.interpolate(x, (80,80), mode='bilinear', align_corners=True)
def bert_words(): return BERT(IDS, KEEP).last_hidden_state
def last_word(): return bert_words()[torch.arange(2), KEEP.sum(1)-1]

@torch.no_grad()
def check(at, name, state, f_film, f_text=None, files=None, **sizes):
    "Convert, load, compare; the model."
    d = at/'theirs'; d.mkdir(); TOK.save_pretrained(at/'tok')
    for f,prefix in (files or {'weights.pt': ''}).items():
        (save_file if f.endswith('.safetensors') else torch.save)(part(state, prefix), d/f)
    m = from_pretrained(convert(name, d, at/'ours', at/'tok', **sizes))
    pairs = [(m.encode_image(X).glob, f_film(X))]
    if f_text: pairs.append((m.encode_text(IDS, KEEP).glob, f_text()))
    for a,b in pairs:
        assert torch.allclose(a, unit(b), atol=1e-5) and (a[0]-a[1]).abs().max() > .01
    return m
def named(name): return {zoo[name].files[''].split('|')[0]: ''}
def two(name): return {zoo[name].files['film.']: 'film.', 'pytorch_model.bin': 'text.'}
def close(a, b): assert torch.allclose(a, b, atol=1e-5), float((a-b).abs().max())

class CXRBert(nn.Module):
    def __init__(self):
        super().__init__(); own = BertForMaskedLM(BertConfig(**WORDS)); self.bert, self.cls = own.bert, own.cls
        h = self.cls_projection_head = nn.Module()
        h.dense_to_hidden, h.dense_to_output = nn.Linear(32, 16), nn.Linear(16, 16)
        h.LayerNorm = nn.LayerNorm(16, eps=1e-12)
    def forward(self):
        h, x = self.cls_projection_head, self.bert(IDS, KEEP).last_hidden_state[:,0]
        return h.dense_to_output(h.LayerNorm(F.gelu(h.dense_to_hidden(x))))

def cxr_bert():
    t = filled(CXRBert(), 2); state = t.state_dict()
    for k,o in (('weight','bert.embeddings.word_embeddings.weight'), ('bias','cls.predictions.bias')): # tied
        state[f'cls.predictions.decoder.{k}'] = state[o]
    t.load_state_dict(state)
    return t, under('text.', state)
def projector(d):
    return filled(nn.Sequential(nn.Conv2d(d, 16, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 16, 1)))

def test_biovil(tmp_path):
    (t, words), p = cxr_bert(), projector(512)
    state = under('film.encoder.encoder.', NET.state_dict()) | shapes(p, 'film.projector.model.') | words
    m = check(tmp_path, 'biovil', state, lambda x: p(stages(x)[1]).mean((2,3)), t, two('biovil'),
              vision=dict(SMALL, size=64), text=WORDS, dim=16)
    close(m.encode_image(X).loc[0,1], p(stages(X)[1]).flatten(2)[0,:,1])

def test_biovil_t(tmp_path):
    "The comparison with the prior film, with attention written out head by head."
    (t, words), p, pool = cxr_bert(), projector(32), filled(PriorPool(16, 2, 1, 2), 3)
    w = shapes(pool, 'pool.') | fill({'down': empty(16,512,1,1), 'missing': empty(1,16,1,1)})
    state = under('film.encoder.encoder.', NET.state_dict()) | shapes(p, 'film.projector.model.') | words
    state |= under('film.encoder.vit_pooler.', part(w, 'pool.'))
    state |= {'film.encoder.backbone_to_vit.weight': w['down'], 'film.encoder.missing_previous_emb': w['missing']}
    def cells(x): return F.conv2d(stages(x)[1], w['down'])
    def ln(x, k): return F.layer_norm(x, x.shape[-1:], w[f'pool.{k}.weight'], w[f'pool.{k}.bias'], 1e-6)
    def lin(x, k): return F.linear(x, w[f'pool.{k}.weight'], w.get(f'pool.{k}.bias'))
    def compared(now, prior): # [4 16] each: cells of one film and of its prior
        i = torch.arange(8)
        one = torch.stack([(r+1)/(2+1e-6)*2*torch.pi/10_000**(2*(i//2)/8) for r in range(2)])
        one = torch.stack([torch.where(i % 2 == 0, o.sin(), o.cos()) for o in one])
        place = torch.stack([torch.cat([one[r], one[c]]) for r in range(2) for c in range(2)])
        z, e = torch.cat([now, prior]), torch.cat([place+o for o in w['pool.type_embed']])
        y = ln(z, 'blocks.0.norm1')+e; q, k, v = (lin(y, f'blocks.0.attn.proj_{o}') for o in 'qkv')
        heads = [(q[:,h] @ k[:,h].T/8**.5).softmax(-1) @ v[:,h] for h in (slice(0,8), slice(8,16))]
        z = z+lin(torch.cat(heads, -1), 'blocks.0.attn.proj')
        z = z+lin(F.gelu(lin(ln(z, 'blocks.0.norm2'), 'blocks.0.mlp.fc1')), 'blocks.0.mlp.fc2')
        return ln(z, 'norm_post')[:4]
    def fused(x, change): return p(torch.cat([cells(x), change], 1)).mean((2,3))
    m = check(tmp_path, 'biovil-t', state, lambda x: fused(x, w['missing'].expand(2, 16, 2, 2)), t, two('biovil-t'),
              text=WORDS, dim=16, vision=dict(SMALL, size=64, depth=1, heads=2, dim=16))
    four, has = torch.zeros(2, 4, 1, 64, 64), torch.zeros(2, 4).bool()
    four[:,0], four[0,2], has[:,0], has[0,2] = X, X[1].flip(-1), True, True       # the first has a prior film
    with torch.no_grad():
        now, old = (cells(o).flatten(2).transpose(1,2)[0] for o in (X, four[:1,2]))
        theirs = fused(X[:1], compared(now, old).T.reshape(1, 16, 2, 2))
        got, alone = m.encode_image(four, has).glob, m.encode_image(X).glob
    close(got[0], unit(theirs)[0]); close(got[1], alone[1])
    assert (got[0]-alone[0]).abs().max() > .01

def test_biomedclip(tmp_path):
    net = filled(timm.create_model('vit_tiny_patch16_224', num_classes=0, img_size=64, depth=1))
    head = filled(nn.Linear(192, 16, bias=False), 1)
    proj = filled(nn.Sequential(nn.Linear(32, 24, bias=False), nn.GELU(), nn.Linear(24, 16, bias=False)), 2)
    state = shapes(net, 'visual.trunk.') | shapes(head, 'visual.head.proj.') | shapes(BERT, 'text.transformer.')
    state |= shapes(proj, 'text.proj.') | {'logit_scale': tensor(3.)}
    m, s = stats(CLIP_STATS)
    got = check(tmp_path, 'biomedclip', state, lambda x: head(net((x-m)/s)), lambda: proj(bert_words()[:,0]),
                named('biomedclip'), vision=dict(name='vit_tiny_patch16_224', size=64, depth=1), text=WORDS, dim=16)
    assert got.log_scale == 3

def test_chexzero(tmp_path):
    "transformers' own CLIP is filled from the same file in OpenAI's names."
    text = dict(hidden_size=512, intermediate_size=2048, num_hidden_layers=1, num_attention_heads=8, vocab_size=60,
                bos_token_id=1, eos_token_id=3, max_position_embeddings=77)
    film = dict(hidden_size=768, intermediate_size=3072, num_hidden_layers=1, num_attention_heads=12, image_size=64,
                patch_size=32)
    state = fill(openai(layers=1, vocab=60, size=64))
    hf, out = CLIPModel(CLIPConfig(text_config=text, vision_config=film, projection_dim=512)).eval(), {}
    words = (('encoder.layers.0.', 'transformer.resblocks.0.'), ('self_attn.out_proj','attn.out_proj'),
             ('layer_norm','ln_'), ('mlp.fc1','mlp.c_fc'), ('mlp.fc2','mlp.c_proj'),
             ('embeddings.class_embedding','class_embedding'), ('embeddings.patch_embedding','conv1'),
             ('embeddings.position_embedding.weight','positional_embedding'), ('pre_layrnorm','ln_pre'),
             ('post_layernorm','ln_post'), ('final_ln_','ln_final'), ('embeddings.token_embedding','token_embedding'))
    for ours,theirs in (('vision_model.','visual.'), ('text_model.','')):
        for n in part(hf.state_dict(), ours):
            if q := re.match(r'encoder\.layers\.0\.self_attn\.([qkv])_proj\.(\w+)', n):
                whole = state[f'{theirs}transformer.resblocks.0.attn.in_proj_{q[2]}']
                out[ours+n] = whole.chunk(3)['qkv'.index(q[1])]; continue
            k = n
            for a,b in words: k = k.replace(a, b)
            out[ours+n] = state[theirs+k]
    hf.load_state_dict(out | {'visual_projection.weight': state['visual.proj'].T, 'logit_scale': state['logit_scale'],
                              'text_projection.weight': state['text_projection'].T})
    def says(): return hf.text_model(input_ids=IDS, attention_mask=KEEP.long()).pooler_output
    check(tmp_path, 'chexzero', state,
          lambda x: hf.visual_projection(hf.vision_model(pixel_values=three(x)).pooler_output),
          lambda: hf.text_projection(says()), vision=dict(size=64, depth=1),
          text=dict(num_hidden_layers=1, vocab_size=60, bos_token_id=1, eos_token_id=3))

SWIN_SIZE = dict(embed_dim=24, depths=[1,1], num_heads=[2,2], window_size=4)
SWIN = filled(SwinModel(SwinConfig(image_size=64, **SWIN_SIZE)), 4)
FILM48, FILM512, TEXT = (filled(nn.Linear(d, 16), d) for d in (48, 512, 32))

@pytest.mark.parametrize('tower', ['r50','swin'])
def test_cxr_clip(tmp_path, tower):
    state = {'logit_scale': tensor(2.)} | shapes(BERT, 'text_encoder.text_encoder.')
    state |= shapes(TEXT, 'text_projection.projection.'); m, s = stats(IMAGENET_STATS)
    def film(x):
        if tower == 'r50': return FILM512(pooled((x-m)/s))
        return FILM48(SWIN(pixel_values=three(x)).last_hidden_state[:,0])
    if tower == 'r50': own, head, size = under('image_encoder.resnet.', R50), FILM512, SMALL
    else: own, head, size = under('image_encoder.image_encoder.', older(SWIN.state_dict(), True)), FILM48, SWIN_SIZE
    check(tmp_path, f'cxr-clip-{tower}', state | own | shapes(head, 'image_projection.projection.'), film,
          lambda: TEXT(last_word()), vision=dict(size, size=64), text=WORDS, dim=16)

@pytest.mark.parametrize('tower', ['r50','swin'])
def test_medclip(tmp_path, tower):
    state = {'logit_scale': tensor(2.), 'text_model.projection_head.weight': TEXT.weight.detach()}
    state |= shapes(BERT, 'text_model.model.')
    def says():
        h = BERT(IDS, KEEP, output_hidden_states=True).hidden_states; h = (h[1]+h[2]+h[-1])/3
        return (h*KEEP[...,None]).sum(1)/KEEP.sum(1, keepdim=True) @ TEXT.weight.T
    if tower == 'r50':
        own = under('vision_model.model.', R50 | {'fc.weight': FILM512.weight.detach()})
        def film(x): return pooled(x) @ FILM512.weight.T
    else:
        own = under('vision_model.model.', older(SWIN.state_dict(), True))
        own |= {'vision_model.projection_head.weight': FILM48.weight.detach()}
        def film(x): return SWIN(pixel_values=three(x)).pooler_output @ FILM48.weight.T
    check(tmp_path, f'medclip-{tower}', state | own, film, says, text=WORDS, dim=16,
          vision=dict(SMALL if tower == 'r50' else SWIN_SIZE, size=64))

def test_gloria(tmp_path):
    local, glob = filled(nn.Conv2d(256, 32, 1, bias=False)), filled(nn.Linear(512, 32))
    e = 'gloria.img_encoder.'
    state = under(e+'model.', R50) | shapes(BERT, 'gloria.text_encoder.model.')
    state |= shapes(local, e+'local_embedder.') | shapes(glob, e+'global_embedder.')
    def says(): # the mean over all pieces of the sum of the last layers
        return (sum(BERT(IDS, KEEP, output_hidden_states=True).hidden_states[-2:])*KEEP[...,None]).sum(1)
    m = check(tmp_path, 'gloria', state, lambda x: glob(pooled(larger(x))), says, vision=dict(SMALL, size=80),
              text=WORDS, size=64, up=80, dim=32, layers=2)
    close(m.encode_image(X).loc[0], local(stages(larger(X))[0]).flatten(2)[0].T)

@pytest.mark.parametrize('tower', ['vit','r50'])
def test_mgca(tmp_path, tower):
    def head(d, conv):
        lin = (lambda i,o: nn.Conv1d(i, o, 1)) if conv else nn.Linear
        return filled(nn.Sequential(lin(d, 24), nn.BatchNorm1d(24), nn.ReLU(), lin(24, 16),
                                    nn.BatchNorm1d(16, affine=False)), d)
    net = filled(timm.create_model('vit_tiny_patch16_224', num_classes=0, img_size=64, depth=1))
    d, d_loc = (192, 192) if tower == 'vit' else (512, 256)
    heads = {'img_encoder_q.global': head(d, False), 'img_encoder_q.local': head(d_loc, True),
             'text_encoder_q.global': head(32, False), 'text_encoder_q.local': head(32, True)}
    state = under('img_encoder_q.model.', net.state_dict() if tower == 'vit' else R50)
    state |= shapes(BERT, 'text_encoder_q.model.', ('pooler.',))
    for k,h in heads.items(): state |= shapes(h, f'{k}_embed.head.')
    def vector(x): return net(three(x)) if tower == 'vit' else pooled(larger(x))
    own = dict(name='vit_tiny_patch16_224', size=64, depth=1)
    m = check(tmp_path, f'mgca-{tower}', state, lambda x: heads['img_encoder_q.global'](vector(x)),
              lambda: heads['text_encoder_q.global'](bert_words()[:,0]), text=WORDS, dim=16, hidden=24,
              vision=own if tower == 'vit' else dict(vision=dict(SMALL, size=80), size=64, up=80))
    x = net.forward_features(three(X))[:,1:].transpose(1,2) if tower == 'vit' else stages(larger(X))[0].flatten(2)
    close(m.encode_image(X).loc, heads['img_encoder_q.local'](x).transpose(1,2))
    word = torch.full_like(IDS, -1); word[:,1:3], word[:,3] = 0, 1; loc = m.encode_text(IDS, KEEP, word).loc
    both = heads['text_encoder_q.local']((bert_words()[:,1]+bert_words()[:,2])[:,:,None])[...,0]
    close(loc[:,0], both)                                                     # the pieces of a word are added up

def test_medsiglip(tmp_path):
    "Every text is padded to the full length."
    size = dict(hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2)
    text = dict(size, vocab_size=60, max_position_embeddings=16, projection_size=32, pad_token_id=0, bos_token_id=1,
                eos_token_id=1)
    hf = filled(SiglipModel(SiglipConfig(vision_config=dict(size, image_size=64, patch_size=16), text_config=text)))
    full = F.pad(IDS.masked_fill(~KEEP, 0), (0, 16-IDS.shape[1]))
    m = check(tmp_path, 'medsiglip', hf.state_dict(), lambda x: hf.vision_model(pixel_values=three(x)).pooler_output,
              lambda: hf.text_model(input_ids=full).pooler_output, named('medsiglip'),
              vision=dict(size, size=64, patch_size=16), text=text)
    assert m.bias == hf.logit_bias[0] and m.log_scale == hf.logit_scale[0]

DINO_SIZE = dict(hidden_size=32, num_hidden_layers=1, num_attention_heads=2, patch_size=16)
DINO = filled(Dinov2Model(Dinov2Config(image_size=64, **DINO_SIZE)), 5)

def test_chexficient(tmp_path):
    head, (m, s) = filled(nn.Linear(32, 16), 6), stats(CLIP_STATS)
    state = {'logit_scale': tensor(2.), 'prototypes': torch.zeros(2, 4)} | shapes(BERT, 'text_encoder.model.')
    state |= under('image_encoder.model.', older(DINO.state_dict(), False))
    state |= shapes(head, 'image_projection.projection.') | shapes(TEXT, 'text_projection.projection.')
    check(tmp_path, 'chexficient', state, lambda x: head(DINO(pixel_values=(three(x)-m)/s).last_hidden_state[:,0]),
          lambda: TEXT(last_word()), vision=dict(DINO_SIZE, size=64), text=WORDS, dim=16)

def test_rad_dino(tmp_path):
    def both(x): return DINO(pixel_values=three(x)).last_hidden_state
    m = check(tmp_path, 'rad-dino', older(DINO.state_dict(), False), lambda x: both(x)[:,0], None, named('rad-dino'),
              vision=dict(DINO_SIZE, size=64))
    close(m.before_head(X).loc, both(X)[:,1:])
    with pytest.raises(ValueError, match='rad-dino is a model of films alone: it reads no text'):
        m.encode_text(IDS, KEEP)
