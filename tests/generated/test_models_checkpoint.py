# nbs/models/10_checkpoint.ipynb: runs against the imported medvl.models.checkpoint.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Checkpoints
import argparse, importlib, json, pickle, re, struct
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
import torch
import xxhash
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from medvl.core import MedvlError
from medvl.files import jsonable, provenance, save_json, written

# %% [4] Checkpoints
import itertools, os, random, tempfile
from contextlib import redirect_stdout
from io import StringIO
from unittest.mock import patch
from fastcore.test import *
from medvl.core import seed_everything
from medvl.models.adapters import add_adapters, add_lora, freeze, merge_lora, trainable
from medvl.models.heads import ProjectionHead, ViewTimeEmbedding
from medvl.models.text import TextTower
from medvl.models.vision import VisionTower
_ = seed_everything(1)
home = tempfile.TemporaryDirectory(); at = Path(home.name)

# %% [6] Reading a file
from medvl.models.checkpoint import (CheckpointError, _read_torch, _Blank, _read_foreign, _read_safetensors)

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
class Config(dict): pass
config = Config(lr=1); config.path = Path('runs')
mixed = dict(state_dict={'module.w': w, 'step': 3}, hyper_parameters=config, callbacks=[{1: config}])
torch.save(mixed, at/'lightning.ckpt')  # a file of Lightning
test_fail(lambda: read_state(at/'lightning.ckpt'), contains='no whole PyTorch file of plain tensors')
with redirect_stdout(StringIO()) as said: got = read_state(at/'lightning.ckpt', foreign=True)
test_eq(list(got), ['w']); assert torch.equal(got['w'], w)
print(said.getvalue().strip()); test_eq(said.getvalue().startswith('lightning.ckpt: left out step'), True)
test_fail(lambda: read_state(at/'evil.pth', foreign=True), contains='no whole PyTorch file')  # a blocked module
assert not (at/'was_run').exists()
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

# %% [15] Names, folded
from medvl.models.checkpoint import (_tree, _either, _folded, fold_names, say_names)

# %% [17] Names, folded
two = [f'blocks.{i}.norm.{o}' for i in (0,1) for o in ('weight','bias')]
names = ['cls_token', *two, 'blocks.2.norm.weight', 'norm']
for k,n in fold_names(names): print(f'{n:3}  {k}')
test_eq(fold_names(names), [('{cls_token,norm}', 2), ('blocks.{0-1}.norm.{bias,weight}', 4),
                            ('blocks.2.norm.weight', 1)])
test_eq(say_names(['a.w']), 'a.w'); test_eq(say_names([]), '')
test_eq(say_names(f'b.{i}' for i in (3,4,5,9,10,12)), 'b.{3-5,9-10,12} (6)')
test_eq(say_names(['a', 'a.b']), 'a, a.b')                       # a name that is also the beginning of another

# %% [19] Names, folded
def unfold(pattern):
    parts = [re.sub(r'[{}]', '', o).split(',') for o in re.findall(r'\{[^}]*\}|[^.{}]+', pattern)]
    def each(o): a, _, z = o.partition('-'); return [str(i) for i in range(int(a), int(z)+1)] if z else [a]
    return ['.'.join(o) for o in itertools.product(*([x for p in ps for x in each(p)] for ps in parts))]
test_eq(unfold('a.{0-1,3}.{w,b}'), ['a.0.w','a.0.b','a.1.w','a.1.b','a.3.w','a.3.b'])
rng = random.Random(0)
for _ in range(100):
    all_ = [f'{t}.{i}.{p}.{o}' for t in 'xy' for i in range(12) for p in ('attn','mlp') for o in ('weight','bias')]
    some = rng.sample(all_, rng.randint(1, len(all_)))+['cls', 'pos']
    got = fold_names(some)
    test_eq(sorted(n for k,_ in got for n in unfold(k)), sorted(some)); test_eq(sum(n for _,n in got), len(some))
full = fold_names(all_); test_eq(full, [('{x,y}.{0-11}.{attn,mlp}.{bias,weight}', 96)])

# %% [21] Comparing
from medvl.models.checkpoint import (LoadReport, _first_names)

# %% [22] Comparing
from medvl.models.checkpoint import (compare_state, _legacy, _same)

# %% [24] Loading
from medvl.models.checkpoint import (FAMILIES, load_state, _why)

# %% [26] Loading
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

# %% [28] Loading
odd = {**good, 'net.head.weight': torch.zeros(5,192), 'net.position_ids': torch.arange(5)}; del odd['net.norm.bias']
rep = load_state(other, odd, allow_missing=['net.norm.*'], allow_unexpected=['net.head.*'])
test_eq((rep.missing, rep.unexpected, rep.left_out), (['net.norm.bias'], ['net.head.weight'], ['net.position_ids']))

# %% [30] Loading
shallow = VisionTower('vit_small_cpu', depth=1)
try: load_state(shallow, {k: torch.zeros(1,577,192) if 'pos' in k else v for k,v in good.items()})
except CheckpointError as e: print(e)

# %% [32] Loading
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

# %% [34] Saving
from medvl.models.checkpoint import (state_hash, _split)

# %% [35] Saving
from medvl.models.checkpoint import (save_pretrained)

# %% [37] Rebuilding
from medvl.models.checkpoint import (read_config, _class)

# %% [38] Rebuilding
from medvl.models.checkpoint import (from_pretrained, _load_base)

# %% [40] Rebuilding
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

# %% [42] Rebuilding
save_pretrained(m, at/'adapters', adapters_only=True)
kept = _read_safetensors(at/'adapters/adapters.safetensors')[0]
test_eq(set(kept), {k for k,p in m.named_parameters() if p.requires_grad})
assert {'log_scale', 'slot.view', 'slot.time'} <= set(kept)
test_eq(sum(v.numel() for v in kept.values()), trainable(m))
base = {k: v for k,v in m.state_dict().items() if k not in kept}
assert same(m, from_pretrained(at/'adapters', Both, base=base))
assert same(m, from_pretrained(at/'adapters', Both, base=at/'whole'))
sizes = {d: round(sum(o.stat().st_size for o in (at/d).iterdir())/1e6, 1) for d in ('whole','adapters')}; sizes

# %% [43] Rebuilding
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

# %% [45] Interrupted saves
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

# %% [47] Interrupted saves
w = at/'whole/model.safetensors'; b = bytearray(w.read_bytes()); b[-1] ^= 1; w.write_bytes(b)
test_fail(lambda: from_pretrained(at/'whole', Both), contains='is damaged')
for text, why in {'{"config": {': 'is no JSON', '{"hidden_size": 4}': 'lacks class, config, weights, id'}.items():
    (at/'whole/config.json').write_text(text)
    test_fail(lambda: read_config(at/'whole'), contains=why)
test_fail(lambda: read_config(at/'nowhere'), contains='holds no config.json')

# %% [48] Interrupted saves
home.cleanup()
