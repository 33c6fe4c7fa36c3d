# nbs/models/33_checkpoint.ipynb: runs against the imported medvl.models.checkpoint.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Checkpoints
import argparse, importlib, json, pickle, re, struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
import torch
import xxhash
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from medvl.core import MedvlError, methods
from medvl.files import jsonable, provenance, save_json, written
from medvl.models.names import say_names
from medvl.models.text import TextTower
from medvl.models.vision import VisionTower

# %% [4] Checkpoints
import os, tempfile
from contextlib import redirect_stdout
from io import StringIO
from unittest.mock import patch
from fastcore.test import *
from medvl.core import seed_everything
from medvl.models.adapters import add_adapters, add_lora, freeze, merge_lora, trainable
from medvl.models.heads import ProjectionHead, ViewTimeEmbedding
from medvl.models.masked import PatchDecoder
from medvl.models.text import TextTower
from medvl.models.vision import VisionTower
_ = seed_everything(1)
home = tempfile.TemporaryDirectory(); at = Path(home.name)

# %% [6] Reading a file
from medvl.models.checkpoint import (CheckpointError, _read_torch, _read_safetensors)

# %% [7] Reading a file
from medvl.models.checkpoint import (read_state)

# %% [9] Reading a file
w = torch.arange(4.)
torch.save({'model': {'module.w': w}, 'args': argparse.Namespace(lr=1e-3), 'epoch': 3}, at/'mae.pth')
save_file({'w': w}, at/'w.safetensors')
for name in ('mae.pth', 'w.safetensors'):
    test_eq(list(read_state(at/name)), ['w']); assert torch.equal(read_state(at/name)['w'], w)

class Evil:
    def __reduce__(self): return os.system, (f'touch {at}/was_run',)
torch.save({'model': Evil()}, at/'evil.pth')
(at/'cut.safetensors').write_bytes((at/'w.safetensors').read_bytes()[:-3])
(at/'cut.pth').write_bytes((at/'mae.pth').read_bytes()[:400])
torch.save({'w': w, 'epoch': 3}, at/'mixed.pth')
errors = {'evil.pth': 'plain tensors', 'cut.safetensors': 'no whole safetensors file',
          'cut.pth': 'no whole PyTorch file', 'mixed.pth': 'more than tensors, or nothing: epoch',
          'absent.pth': 'no such weights file'}
for name, why in errors.items():
    test_fail(lambda: read_state(at/name), contains=why, exc=CheckpointError)
assert not (at/'was_run').exists()
test_fail(lambda: read_state(at), contains='neither model.safetensors nor')
# a download that was broken off, anywhere, in both of torch's formats
for new in (True, False):
    torch.save({f'w{i}': torch.randn(30,30) for i in range(4)}, at/'whole.pth', _use_new_zipfile_serialization=new)
    whole = (at/'whole.pth').read_bytes()
    for n in range(1, len(whole), 251):
        (at/'cut.pth').write_bytes(whole[:n])
        test_fail(lambda: read_state(at/'cut.pth'), contains='cut.pth is no whole PyTorch file', exc=CheckpointError)

# %% [11] Other people's names
from medvl.models.checkpoint import (Rules, rename_keys)

# %% [12] Other people's names
new, left = rename_keys({'enc.w': 1, 'old.w': 2, 'b': 3}, {r'enc\.': 'vision.', r'old': None})
test_eq(new, {'vision.w': 1, 'b': 3}); test_eq(left, ['old.w'])
test_eq(rename_keys({'layer.7.x': 1}, [(r'layer\.(\d+)\.', r'blocks.\1.')])[0], {'blocks.7.x': 1})
test_fail(lambda: rename_keys({'a.w': 1, 'w': 2}, {r'a\.': ''}), contains="would be called 'w'")

# %% [14] Comparing
from medvl.models.checkpoint import (LoadReport, _first_names)

# %% [15] Comparing
from medvl.models.checkpoint import (compare_state, _legacy, _same)

# %% [17] Loading
from medvl.models.checkpoint import (FAMILIES, load_state, _why)

# %% [19] Loading
tower = VisionTower('vit_small_cpu', depth=2); good = {k: v.clone() for k,v in tower.state_dict().items()}
other = VisionTower('vit_small_cpu', depth=2); before = {k: v.clone() for k,v in other.state_dict().items()}
unchanged = lambda: all(torch.equal(v, before[k]) for k,v in other.state_dict().items())
bad = {"lacks 1 tensors, e.g. net.norm.bias": {k: v for k,v in good.items() if k != 'net.norm.bias'},
       "no place for 1 tensors, e.g. net.head.weight": {**good, 'net.head.weight': torch.zeros(5,192)},
       "net.norm.bias is [384] in the file and [192] in the model.": {**good, 'net.norm.bias': torch.zeros(384)},
       "tied tensor: net.cls_token": {**good, 'net.cls_token': torch.full((1,1,192), torch.nan)},
       "no tensor in common": {}}
for why, state in bad.items():
    may = () if state else ['*']
    test_fail(lambda: load_state(other, state, allow_missing=may), contains=why, exc=CheckpointError)
    assert unchanged()
rep = load_state(other, good)
test_eq(len(rep.fits), len(good)); assert torch.equal(other.net.cls_token, tower.net.cls_token)

# %% [21] Loading
odd = {**good, 'net.head.weight': torch.zeros(5,192), 'net.position_ids': torch.arange(5)}; del odd['net.norm.bias']
rep = load_state(other, odd, allow_missing=['net.norm.*'], allow_unexpected=['net.head.*'])
test_eq((rep.missing, rep.unexpected, rep.left_out), (['net.norm.bias'], ['net.head.weight'], ['net.position_ids']))

# %% [23] Loading
shallow = VisionTower('vit_small_cpu', depth=1)
try: load_state(shallow, {k: torch.zeros(1,577,192) if 'pos' in k else v for k,v in good.items()})
except CheckpointError as e: print(e)

# %% [25] Loading
bert = TextTower('bert-small', mlm=True, vocab_size=40, num_hidden_layers=1); s = bert.state_dict()
one = {k: v for k,v in s.items() if 'decoder' not in k}; test_eq(load_state(bert, one).missing, [])
two = {**s, 'net.cls.predictions.decoder.weight': torch.randn(40,192)}
test_fail(lambda: load_state(bert, two), contains='two values for one tied tensor')
test_fail(lambda: load_state(bert, two), contains='tie_word_embeddings=False')
apart = TextTower({**bert.config_dict(), 'tie_word_embeddings': False}, mlm=True)
load_state(apart, two, verbose=False)
assert torch.equal(apart.net.cls.predictions.decoder.weight, two['net.cls.predictions.decoder.weight'])
test_fail(lambda: load_state(apart, one), contains='lacks 1 tensors, e.g. net.cls.predictions.decoder.weight')
lora = VisionTower('vit_small_cpu', depth=2); add_lora(lora, r=2)
rep = load_state(lora, good, allow_missing=['*lora_*'], verbose=False)
assert torch.equal(lora.net.blocks[0].attn.qkv.base_layer.weight, good['net.blocks.0.attn.qkv.weight'])
test_eq(len(rep.missing), 4); merge_lora(lora); assert set(lora.state_dict()) == set(good)

# %% [27] Saving
from medvl.models.checkpoint import (_hash, _split)

# %% [28] Saving
from medvl.models.checkpoint import (save_pretrained)

# %% [30] Rebuilding
from medvl.models.checkpoint import (read_config, _class)

# %% [31] Rebuilding
from medvl.models.checkpoint import (from_pretrained, _load_base)

# %% [33] Rebuilding
class Both(nn.Module):
    "Two frozen towers with adapters, a head, a bare parameter: the parts that ALTA has."
    def __init__(self, depth=2, vocab=40):
        super().__init__()
        self.config = dict(depth=depth, vocab=vocab)
        self.vision = VisionTower('vit_small_cpu', depth=depth)
        self.text = TextTower('bert-small', mlm=True, vocab_size=vocab, num_hidden_layers=depth)
        for t in (self.vision, self.text): add_adapters(freeze(t))
        self.slot, self.log_scale = ViewTimeEmbedding(192), nn.Parameter(torch.tensor(2.66))
        self.head_v, self.head_vs, self.head_t, self.head_ts = (ProjectionHead(192) for _ in range(4))

def same(a, b): return all(torch.equal(v, b.state_dict()[k]) for k,v in a.state_dict().items())
m = Both()
for p in m.parameters():
    if p.requires_grad: nn.init.normal_(p)
save_pretrained(m, at/'whole', extra=dict(lr=1e-4))
again = from_pretrained(at/'whole', Both)
assert same(m, again) and not again.training
assert again.text.net.cls.predictions.decoder.weight is again.text.encoder.get_input_embeddings().weight  # still tied
files = lambda: sorted(o.name for o in (at/'whole').iterdir())
{k: v for k,v in read_config(at/'whole').items() if k not in ('made_by','id')} | dict(files=files())

# %% [35] Rebuilding
save_pretrained(m, at/'adapters', adapters_only=True)
kept = _read_safetensors(at/'adapters/adapters.safetensors')[0]
test_eq(set(kept), {k for k,p in m.named_parameters() if p.requires_grad})
assert {'log_scale', 'slot.view', 'slot.time'} <= set(kept)
test_eq(sum(v.numel() for v in kept.values()), trainable(m))
base = {k: v for k,v in m.state_dict().items() if k not in kept}
assert same(m, from_pretrained(at/'adapters', Both, base=base))
assert same(m, from_pretrained(at/'adapters', Both, base=at/'whole'))
sizes = {d: round(sum(o.stat().st_size for o in (at/d).iterdir())/1e6, 1) for d in ('whole','adapters')}; sizes

# %% [36] Rebuilding
fill = lambda model: load_state(model, base, allow_missing=['*'], verbose=False)
assert same(m, from_pretrained(at/'adapters', Both, base=fill))
test_fail(lambda: from_pretrained(at/'adapters', Both), contains='give the weights they were trained on')
test_fail(lambda: from_pretrained(at/'adapters', Both, base=Both().state_dict()), contains='trained on another base')
torn = {k: v for k,v in base.items() if 'patch' not in k}
test_fail(lambda: from_pretrained(at/'adapters', Both, base=torn), contains='lacks 2 tensors')
test_fail(lambda: from_pretrained(at/'whole', Both, base=base), contains='base= is for adapters')
test_fail(lambda: from_pretrained(at/'whole'), contains='is not a class of medvl')
test_fail(lambda: save_pretrained(ProjectionHead(4), at/'x'), contains='ProjectionHead has no dictionary `config`')
learned = VisionTower('vit_small_cpu', depth=1, pos='learned')
test_fail(lambda: save_pretrained(learned, at/'x', adapters_only=True), contains='nothing is frozen')
test_eq(type(from_pretrained(save_pretrained(tower, at/'tower'))), VisionTower)  # medvl's own class needs no cls=

# %% [38] Killed in the middle
deep = Both(depth=1)
with patch('os.replace', side_effect=OSError('disk full')):
    test_fail(lambda: save_pretrained(deep, at/'whole'), contains='disk full')
assert same(m, from_pretrained(at/'whole', Both)); test_eq(files(), ['config.json', 'model.safetensors'])
def killed(*args): raise KeyboardInterrupt
with patch.dict(save_pretrained.__globals__, save_json=killed):
    try: save_pretrained(deep, at/'whole')
    except KeyboardInterrupt: print('killed after the weights, before the config')
with redirect_stdout(StringIO()) as said: assert same(deep, from_pretrained(at/'whole', Both))
assert 'config.json is of another save' in said.getvalue()
for text, why in {'{"config": {': 'is no JSON', '{"hidden_size": 4}': 'lacks class, config, weights, id'}.items():
    (at/'whole/config.json').write_text(text)
    test_fail(lambda: read_config(at/'whole'), contains=why)
test_fail(lambda: read_config(at/'nowhere'), contains='holds no config.json')

# %% [40] Published checkpoints
from medvl.models.checkpoint import (_at, _decoder_rules, mae_keys, mrm_keys, _part)

# %% [41] Published checkpoints
from medvl.models.checkpoint import (_head_rules, cxr_bert_keys, alta_keys)

# %% [43] Published checkpoints
def linear(k, o, i): return {f'{k}.weight': (o,i), f'{k}.bias': (o,)}
def norm(k, d): return {f'{k}.weight': (d,), f'{k}.bias': (d,)}
def vit_block(k, d):
    return {**norm(f'{k}.norm1', d), **linear(f'{k}.attn.qkv', 3*d, d), **linear(f'{k}.attn.proj', d, d),
            **norm(f'{k}.norm2', d), **linear(f'{k}.mlp.fc1', 4*d, d), **linear(f'{k}.mlp.fc2', d, 4*d)}
def mae_file(d, depth, dd, ddepth, out, c=3):
    file = {'cls_token': (1,1,d), 'pos_embed': (1,197,d), 'patch_embed.proj.weight': (d,c,16,16),
            'patch_embed.proj.bias': (d,), **norm('norm', d), 'mask_token': (1,1,dd), 'decoder_pos_embed': (1,197,dd),
            **linear('decoder_embed', dd, d), **norm('decoder_norm', dd), **linear('decoder_pred', out, dd)}
    for i in range(depth): file |= vit_block(f'blocks.{i}', d)
    for i in range(ddepth): file |= vit_block(f'decoder_blocks.{i}', dd)
    return file

# %% [45] Published checkpoints
def bert_file(d, depth, vocab, places, k=''):
    e, h = f'{k}bert.embeddings', f'{k}cls.predictions'
    file = {f'{e}.word_embeddings.weight': (vocab,d), f'{e}.position_embeddings.weight': (places,d),
            f'{e}.token_type_embeddings.weight': (2,d), f'{e}.position_ids': (1,places), **norm(f'{e}.LayerNorm', d),
            f'{h}.bias': (vocab,), **linear(f'{h}.transform.dense', d, d), **norm(f'{h}.transform.LayerNorm', d),
            **linear(f'{h}.decoder', vocab, d)}
    for l in (f'{k}bert.encoder.layer.{i}' for i in range(depth)):
        for p in ('query','key','value'): file |= linear(f'{l}.attention.self.{p}', d, d)
        file |= {**linear(f'{l}.attention.output.dense', d, d), **norm(f'{l}.attention.output.LayerNorm', d),
                 **linear(f'{l}.intermediate.dense', 4*d, d), **linear(f'{l}.output.dense', d, 4*d),
                 **norm(f'{l}.output.LayerNorm', d)}
    return file
def cxr_head(k, d, dim=128):
    return {**linear(f'{k}.dense_to_hidden', dim, d), **norm(f'{k}.LayerNorm', dim),
            **linear(f'{k}.dense_to_output', dim, dim)}
def cxr_file(*size, k=''): return {**bert_file(*size, k), **cxr_head(f'{k}cls_projection_head', size[0])}

# %% [47] Published checkpoints
def mrm_file(d, depth, dd, ddepth, out, t, tdepth, vocab, places, c=3):
    k = 'bert_encoder.model.'
    return {**mae_file(d, depth, dd, ddepth, out, c), **linear('bert_mlp', t, d),
            **bert_file(t, tdepth, vocab, places, k), **linear(f'{k}bert.pooler.dense', t, t)}
def adapter(k, d): return {**linear(f'{k}.D_fc1', d//4, d), **linear(f'{k}.D_fc2', d, d//4)}
def alta_file(d, depth, vocab, places, decoder=(64,1,1024), c=3):
    file = {**mae_file(d, depth, *decoder, c), **cxr_file(d, depth, vocab, places, k='bert_encoder.'),
            'missing_token': (1,196,d), 'view_embedding': (1,2,d), 'temporal_embedding': (1,2,d),
            **linear('bert_embed', d, d), **{f'logit_scale{s}': () for s in ('', '_local1', '_local2', '_local3')}}
    for k in ('projection_head', 'local_projection_head', 'bert_encoder.local_projection_head'): file |= cxr_head(k, d)
    for k in [f'{o}.{i}.{p}_adapter' for o in ('blocks', 'bert_encoder.bert.encoder.layer') for i in range(depth)
              for p in ('attn','mlp')]: file |= adapter(k, d)
    return file

# %% [49] Published checkpoints
def total(file): return sum(torch.Size(s).numel() for s in file.values())
encoder = {k: s for k,s in mae_file(768, 12, 512, 8, 768).items() if not k.startswith(('decoder','mask'))}
test_eq(total(encoder), 85_798_656)
test_eq(total(bert_file(768, 12, 30522, 512)), 109_514_298 + 30522*768 + 30522 + 512)  # twice, and position_ids

# %% [51] Published checkpoints
with torch.device('meta'):
    vit, bert, mrm = VisionTower('mrm'), TextTower('cxr-bert', mlm=True), nn.Module()
    mrm.vision, mrm.decoder = vit, PatchDecoder()
    mrm.text, mrm.to_text = TextTower('mrm-text', mlm=True), nn.Linear(768, 384)
cases = {'MAE encoder': (vit, mae_file(768, 12, 512, 8, 768), mae_keys('')),
         'CXR-BERT': (bert, cxr_file(768, 12, 30522, 512), cxr_bert_keys('')),
         'MRM': (mrm, mrm_file(768, 12, 768, 4, 3072, 384, 6, 30000, 100),
                 mrm_keys('vision', 'decoder', 'text', 'to_text'))}
for name, (model, file, rules) in cases.items():
    rep, _ = compare_state(model, {k: torch.empty(s, device='meta') for k,s in file.items()}, rules)
    test_eq((rep.missing, rep.unexpected, rep.shapes), ([], [], {}))
    left = sorted({k.removeprefix('bert_encoder.model.').split('.')[0] for k in rep.left_out})
    print(f'{name:12}{len(rep.fits):4} tensors fit, {len(rep.left_out):3} left out: {", ".join(left)}')
n = sum(p.numel() for p in mrm.parameters())
test_eq(n, 151_605_168 - 147_840)  # the authors' network without the pooler, which was never trained
test_eq(total(cases['MRM'][1]), 151_605_168 + 30_000 + 100)  # a file holds the head's bias twice, and position_ids
test_eq(trainable(mrm), n - 2*197*768)  # two sine tables don't train

# %% [53] Published checkpoints
from medvl.methods.alta import ALTA
with torch.device('meta'): alta = ALTA()
file = alta_file(768, 12, 30522, 512, (768,4,3072))
rep, _ = compare_state(alta, {k: torch.empty(s, device='meta') for k,s in file.items()}, alta_keys())
test_eq((rep.missing, rep.unexpected, rep.shapes), ([], [], {}))
test_eq(sum(p.numel() for p in alta.parameters()), 242_177_854)
test_eq(total(file), 242_177_854 + 30522*769 + 512)  # again the tied head, and position_ids
cases['ALTA'] = alta, file, alta_keys()

# %% [55] What is wrong with a file
def meta(file): return {k: torch.empty(s, device='meta') for k,s in file.items()}
def refused(model, state, rules):
    try: load_state(model, state, rules, verbose=False)
    except CheckpointError as e: return e
    raise AssertionError('it was loaded')
one = {'MAE encoder': 'blocks.5.mlp.fc1.weight', 'CXR-BERT': 'bert.encoder.layer.5.output.dense.weight',
       'MRM': 'bert_encoder.model.bert.encoder.layer.3.intermediate.dense.weight',
       'ALTA': 'blocks.5.attn_adapter.D_fc2.weight'}
others = list(cases)[1:]+list(cases)[:1]
for (name, (model, file, rules)), other in zip(cases.items(), others):
    k, some = one[name], list(file)[:len(file)//2]
    renamed = {n if n != k else k+'_old': s for n,s in file.items()}
    said = {w: refused(model, meta(f), rules) for w,f in dict(renamed=renamed, turned=file | {k: file[k][::-1]},
            half={n: file[n] for n in some}, other=cases[other][1]).items()}
    r = {w: e.report for w,e in said.items()}
    test_eq([len(o) for o in (r['renamed'].missing, r['renamed'].unexpected, r['turned'].shapes)], [1, 1, 1])
    assert r['renamed'].unexpected[0].endswith('_old') and r['turned'].missing == r['half'].unexpected == []
    test_eq(len(r['half'].missing)+len(r['half'].fits), len(model.state_dict()))
    for w,e in said.items(): # short, and nothing is kept back
        assert len(str(e)) < 3500, (name, w, len(str(e)))
        names = [*e.report.missing, *e.report.unexpected, *e.report.shapes]
        assert all(any(l.endswith(n) for l in e.report.full().splitlines()) for n in names)
    long = {w: len(str(e)) for w,e in said.items()}
    print(f"{name:12} half: {len(r['half'].missing):3} missing, {long['half']:4} characters;  {other:11} instead: "
          f"{len(r['other'].full().splitlines()):3} names, {long['other']:4} characters")
half, mae = cases['MRM'][1], cases['MAE encoder'][1]
print(refused(mrm, meta(dict(list(half.items())[:len(half)//2])), cases['MRM'][2]), end='\n\n')
print(e := refused(mrm, meta(mae), cases['MRM'][2]))
assert "Its names are those of MAE's file" in str(e) and 'is of another size' in str(e)

# %% [57] What is wrong with a file
k = 'bert.embeddings.position_ids'
rep, _ = compare_state(bert, meta(cxr_file(768, 12, 30522, 512) | {k: (1,77)}), cxr_bert_keys(''))
test_eq((rep.missing, rep.unexpected, rep.shapes), ([], [], {})); assert k in rep.left_out
old = nn.Module(); old.register_buffer('position_ids', torch.zeros(1, 5))
test_eq(refused(old, meta({'position_ids': (1,77)}), {}).report.shapes, {'position_ids': ((1,77), (1,5))})

# %% [59] What is wrong with a file
names, b = alta_file(192, 2, 40, 256, c=1), 'bert_encoder.'
made = {k: torch.full(s, i/1000.) for i,(k,s) in enumerate(names.items())}  # each tensor another number
made[b+'cls.predictions.decoder.weight'] = made[b+'bert.embeddings.word_embeddings.weight']
made[b+'cls.predictions.decoder.bias'] = made[b+'cls.predictions.bias']
torch.save({'model': made}, at/'ALTA.pth')
m = Both()
rules = alta_keys(decoder=None, to_text=None, missing=None, scales=('log_scale', None, None, None))
rep = load_state(m, at/'ALTA.pth', rules, verbose=False)
test_eq(rep.missing, [])
test_eq(sorted({k.split('.')[0].split('_')[0] for k in rep.left_out}), ['bert', 'decoder', 'logit', 'mask', 'missing'])
l = 'bert.encoder.layer.1.'
pairs = {'vision.net.blocks.1.mlp.adapter.up.weight': 'blocks.1.mlp_adapter.D_fc2.weight',
         f'text.net.{l}attention.output.adapter.down.bias': f'{b}{l}attn_adapter.D_fc1.bias',
         f'text.net.{l}output.adapter.up.weight': f'{b}{l}mlp_adapter.D_fc2.weight',
         f'text.net.{l}output.dense.weight': f'{b}{l}output.dense.weight',
         'slot.time': 'temporal_embedding', 'head_vs.norm.weight': 'local_projection_head.LayerNorm.weight',
         'head_t.out.bias': b+'cls_projection_head.dense_to_output.bias', 'log_scale': 'logit_scale'}
for ours, theirs in pairs.items(): assert torch.equal(m.state_dict()[ours], made[theirs]), ours

# %% [61] A file, and nothing else known
from medvl.models.checkpoint import (family, _published, _whole_head, from_authors)

# %% [63] A file, and nothing else known
lists = {'MAE': mae_file(192, 2, 64, 1, 768), 'CXR-BERT': cxr_file(192, 2, 40, 256),
         'MRM': mrm_file(192, 2, 64, 1, 768, 64, 1, 40, 32), 'ALTA': alta_file(192, 2, 40, 256)}
for name,file in lists.items(): test_eq(family(file), name)
test_fail(lambda: family({'fc.weight': 0}), contains='weights of none of ALTA, MRM, CXR-BERT, MAE: fc.weight')
mae = {k: torch.full(s, .5) for k,s in mae_file(192, 2, 64, 1, 1024, 1).items()}
torch.save({'model': mae, 'epoch': 3}, at/'mae.pth')
tower = from_authors(at/'mae.pth', VisionTower('vit_small_cpu', depth=2))
test_eq(tower.net.blocks[1].mlp.fc1.weight.unique().item(), .5); test_eq(tower.training, False)
tiny = dict(vision=dict(name='vit_small_cpu', size=224, depth=2), decoder=dict(width=64, depth=1, heads=2),
            text=dict(hidden_size=192, num_hidden_layers=2, num_attention_heads=3, intermediate_size=768,
                      vocab_size=40, max_position_embeddings=256))
small_alta = ALTA(**tiny); got = from_authors(at/'ALTA.pth', small_alta)
test_eq(got.slot.time.flatten()[0].item(), made['temporal_embedding'].flatten()[0].item())
short = {k: v for k,v in made.items() if k != 'projection_head.LayerNorm.bias'} | {'extra.weight': torch.zeros(2)}
torch.save(short, at/'short.pth')
test_fail(lambda: from_authors(at/'short.pth', ALTA(**tiny)),
          contains='missing (1): head_v.norm.bias\nunexpected (1): extra.weight')
torch.save({'fc.weight': torch.zeros(2)}, at/'other.pth')
test_fail(lambda: from_pretrained(at/'other.pth'), contains='weights of none of')
test_fail(lambda: from_authors(at/'short.pth', ALTA(**tiny)), contains='short.pth: the checkpoint does not fit ALTA')
(at/'half.pth').write_bytes((at/'ALTA.pth').read_bytes()[:9999])            # a download that was broken off
test_fail(lambda: from_pretrained(at/'half.pth'), contains='half.pth is no whole PyTorch file')
test_fail(lambda: ALTA(**tiny, init=at/'other.pth'), contains='other.pth does not fit ModuleDict')

# %% [65] A file, and nothing else known
from medvl.methods.mrm import MRM
def tiny_mrm(tie): return MRM(**(tiny | dict(text={**tiny['text'], 'tie_word_embeddings': tie})))
names, k = mrm_file(192, 2, 64, 1, 1024, 192, 2, 40, 256, c=1), 'bert_encoder.model.'
rows, matrix = k+'bert.embeddings.word_embeddings.weight', k+'cls.predictions.decoder.weight'
torch.manual_seed(0); apart = {n: torch.randn(s) for n,s in names.items()}
apart[k+'cls.predictions.decoder.bias'] = apart[k+'cls.predictions.bias']
tied = {**apart, matrix: apart[rows]}
once = {n: v for n,v in tied.items() if n != matrix}
for file in (apart, tied, once, {n: v for n,v in apart.items() if 'pooler' not in n}):
    torch.save({'model': file}, at/'MRM.pth')
    got = from_authors(at/'MRM.pth', tiny_mrm(False)).state_dict()
    assert torch.equal(got['text.net.cls.predictions.decoder.weight'], file.get(matrix, file[rows]))
    assert torch.equal(got['text.net.bert.embeddings.word_embeddings.weight'], file[rows])
    test_eq(len(got), len([n for n in apart if 'pooler' not in n and 'position_ids' not in n]))
torch.save({'model': apart}, at/'MRM.pth')
test_fail(lambda: from_authors(at/'MRM.pth', tiny_mrm(True)), contains='tie_word_embeddings=False')
torch.save({'model': tied}, at/'MRM.pth'); from_authors(at/'MRM.pth', tiny_mrm(True))
whole = save_pretrained(tiny_mrm(True), at/'old')  # a run of our own with a tied head stays what it was
assert from_pretrained(whole).text.net.config.tie_word_embeddings

# %% [67] A file, and nothing else known
real = lambda *size, **kw: {k: torch.zeros(s) for k,s in mae_file(*size, **kw).items()}
small = VisionTower('vit_small_cpu', depth=2)
wrong = {'no place for 12 tensors, e.g. net.blocks.2.norm1.weight': real(192, 3, 64, 1, 1024, c=1),
         'lacks 12 tensors, e.g. net.blocks.1.norm1.weight': real(192, 1, 64, 1, 1024, c=1),
         'net.cls_token is [1, 1, 384] in the file and [1, 1, 192] in the model': real(384, 2, 64, 1, 1024, c=1),
         'weight is [192, 3, 16, 16] in the file and [192, 1, 16, 16] in the model.': real(192, 2, 64, 1, 1024),
         'The file lacks 30 tensors': {k: torch.zeros(s) for k,s in cxr_file(192, 2, 40, 256).items()}}
for why, state in wrong.items():
    test_fail(lambda: load_state(small, state, mae_keys('')), contains=why, exc=CheckpointError)
rep = load_state(small, real(192, 2, 64, 1, 1024, c=1), mae_keys(''), verbose=False)
test_eq(len(rep.fits), len(small.state_dict()))
home.cleanup()
