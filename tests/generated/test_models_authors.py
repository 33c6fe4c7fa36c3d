# nbs/models/35_authors.ipynb: runs against the imported medvl.models.authors.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] The authors' files
from collections.abc import Mapping
from pathlib import Path
import torch
from torch import Tensor, nn
from medvl.core import methods
from medvl.models.checkpoint import FAMILIES, CheckpointError, from_pretrained, load_state, read_state
from medvl.models.text import TextTower
from medvl.models.vision import VisionTower

# %% [4] The authors' files
import tempfile
from fastcore.test import *
from medvl.core import seed_everything
from medvl.models.adapters import trainable
from medvl.models.checkpoint import compare_state, rename_keys, save_pretrained
from medvl.models.masked import PatchDecoder
_ = seed_everything(1)
home = tempfile.TemporaryDirectory(); at = Path(home.name)

# %% [6] Rules for four families
from medvl.models.authors import (_at, _decoder_rules, mae_keys, mrm_keys, _part)

# %% [7] Rules for four families
from medvl.models.authors import (_head_rules, cxr_bert_keys, alta_keys)

# %% [9] Rules for four families
for k in ('blocks.3.attn_adapter.D_fc1.weight', 'bert_encoder.bert.encoder.layer.0.mlp_adapter.D_fc2.bias',
          'logit_scale'):
    print(f'{k:58} ->  {list(rename_keys({k: 0}, alta_keys())[0])[0]}')
test_eq(list(rename_keys({'blocks.3.attn_adapter.D_fc1.weight': 0}, alta_keys())[0]),
        ['vision.net.blocks.3.attn.adapter.down.weight'])
test_eq(rename_keys({'decoder_embed.weight': 0}, mae_keys())[1], ['decoder_embed.weight'])

# %% [11] Rules for four families
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

# %% [13] Rules for four families
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

# %% [15] Rules for four families
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

# %% [17] Rules for four families
def total(file): return sum(torch.Size(s).numel() for s in file.values())
encoder = {k: s for k,s in mae_file(768, 12, 512, 8, 768).items() if not k.startswith(('decoder','mask'))}
test_eq(total(encoder), 85_798_656)
test_eq(total(bert_file(768, 12, 30522, 512)), 109_514_298 + 30522*768 + 30522 + 512)  # twice, and position_ids

# %% [19] Rules for four families
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

# %% [21] Rules for four families
from medvl.methods.alta import ALTA
with torch.device('meta'): alta = ALTA()
file = alta_file(768, 12, 30522, 512, (768,4,3072))
rep, _ = compare_state(alta, {k: torch.empty(s, device='meta') for k,s in file.items()}, alta_keys())
test_eq((rep.missing, rep.unexpected, rep.shapes), ([], [], {}))
test_eq(sum(p.numel() for p in alta.parameters()), 242_177_854)
test_eq(total(file), 242_177_854 + 30522*769 + 512)  # again the tied head, and position_ids
cases['ALTA'] = alta, file, alta_keys()

# %% [23] Damaged files
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

# %% [25] Damaged files
k = 'bert.embeddings.position_ids'
rep, _ = compare_state(bert, meta(cxr_file(768, 12, 30522, 512) | {k: (1,77)}), cxr_bert_keys(''))
test_eq((rep.missing, rep.unexpected, rep.shapes), ([], [], {})); assert k in rep.left_out
old = nn.Module(); old.register_buffer('position_ids', torch.zeros(1, 5))
test_eq(refused(old, meta({'position_ids': (1,77)}), {}).report.shapes, {'position_ids': ((1,77), (1,5))})

# %% [27] Damaged files
names, b = alta_file(192, 2, 40, 256, c=1), 'bert_encoder.'
made = {k: torch.full(s, i/1000.) for i,(k,s) in enumerate(names.items())}  # each tensor another number
made[b+'cls.predictions.decoder.weight'] = made[b+'bert.embeddings.word_embeddings.weight']
made[b+'cls.predictions.decoder.bias'] = made[b+'cls.predictions.bias']
torch.save({'model': made}, at/'ALTA.pth')
tiny = dict(vision=dict(name='vit_small_cpu', size=224, depth=2), decoder=dict(width=64, depth=1, heads=2),
            text=dict(hidden_size=192, num_hidden_layers=2, num_attention_heads=3, intermediate_size=768,
                      vocab_size=40, max_position_embeddings=256))
full, m = ALTA(**tiny), nn.Module()                                     # the towers, heads and vectors; no decoder
for k in ('vision','text','slot','head_v','head_vs','head_t','head_ts','log_scale'): setattr(m, k, getattr(full, k))
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

# %% [29] A file of unknown family
from medvl.models.authors import (family, _published, _whole_head, from_authors, open_model)

# %% [31] A file of unknown family
lists = {'MAE': mae_file(192, 2, 64, 1, 768), 'CXR-BERT': cxr_file(192, 2, 40, 256),
         'MRM': mrm_file(192, 2, 64, 1, 768, 64, 1, 40, 32), 'ALTA': alta_file(192, 2, 40, 256)}
for name,file in lists.items(): test_eq(family(file), name)
test_fail(lambda: family({'fc.weight': 0}), contains='weights of none of ALTA, MRM, CXR-BERT, MAE: fc.weight')
mae = {k: torch.full(s, .5) for k,s in mae_file(192, 2, 64, 1, 1024, 1).items()}
torch.save({'model': mae, 'epoch': 3}, at/'mae.pth')
tower = from_authors(at/'mae.pth', VisionTower('vit_small_cpu', depth=2))
test_eq(tower.net.blocks[1].mlp.fc1.weight.unique().item(), .5); test_eq(tower.training, False)
small_alta = ALTA(**tiny); got = from_authors(at/'ALTA.pth', small_alta)
test_eq(got.slot.time.flatten()[0].item(), made['temporal_embedding'].flatten()[0].item())
short = {k: v for k,v in made.items() if k != 'projection_head.LayerNorm.bias'} | {'extra.weight': torch.zeros(2)}
torch.save(short, at/'short.pth')
test_fail(lambda: from_authors(at/'short.pth', ALTA(**tiny)),
          contains='missing (1): head_v.norm.bias\nunexpected (1): extra.weight')
torch.save({'fc.weight': torch.zeros(2)}, at/'other.pth')
test_fail(lambda: open_model(at/'other.pth'), contains='weights of none of')
test_fail(lambda: from_authors(at/'short.pth', ALTA(**tiny)), contains='short.pth: the checkpoint does not fit ALTA')
(at/'half.pth').write_bytes((at/'ALTA.pth').read_bytes()[:9999])            # a download that was broken off
test_fail(lambda: open_model(at/'half.pth'), contains='half.pth is no whole PyTorch file')
test_fail(lambda: ALTA(**tiny, init=at/'other.pth'), contains='other.pth does not fit ModuleDict')

# %% [33] A file of unknown family
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
assert open_model(whole).text.net.config.tie_word_embeddings

# %% [35] A file of unknown family
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
