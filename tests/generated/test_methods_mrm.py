# nbs/methods/30_mrm.ipynb: runs against the imported medvl.methods.mrm.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] MRM
import math
from pathlib import Path
from typing import Mapping
import torch
import torch.nn.functional as F
from fastcore.basics import patch_to
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from medvl.core import Batch, Feat, MedvlError, Out
from medvl.methods.dual import (DualEncoder, film_to_text, large_films, masked_tower, patch_decoder, text_tower,
                                vision_tower)
from medvl.methods.recipe import Recipe
from medvl.models.checkpoint import load_state
from medvl.models.authors import mae_keys
from medvl.models.heads import BatchScale
from medvl.models.masked import mask_words, patchify, pick_patches, pixel_loss, token_loss
from medvl.models.vision import init_mae

# %% [4] MRM
import json, tempfile
import matplotlib.pyplot as plt
import pandas as pd
from fastcore.test import *
from medvl.data.preset import Preset
from medvl.methods.recipe import one_step, recipe_of, recipe_table
from medvl.train.step import lr_at
from medvl.models.adapters import param_table, trainable
from medvl.models.masked import unpatchify
torch.set_num_threads(1);

# %% [6] The idea
from medvl.toy import Diagram
d = Diagram(9, 2.4)
blue, green, red = '#cfe2f3', '#d9ead3', '#f4cccc'
d.box('film', .8, 1.9, 'film, 448').box('seen', 2.5, 1.9, '224, 49 of 196\npatches')
d.box('vit', 4.4, 1.9, 'ViT-B/16', blue)
d.box('decoder', 6.1, 1.9, 'decoder\n4 blocks', blue).box('img', 8, 1.9, '$L_{img}$: 147 patches\nof 32 x 32', red)
d.box('report', .8, .5).box('half', 2.5, .5, 'half of its\nwords')
d.box('words', 4.4, .5, 'word embeddings\n+ film vector', green).box('bert', 6.1, .5, 'BERT\n6 x 384', green)
d.box('txt', 8, .5, '$L_{txt}$: the\nmissing words', red)
d.arrow('film','seen','vit','decoder','img').arrow('report','half','words','bert','txt')
d.arrow('vit','words', text='mean of 49 patches, 768 -> 384'); plt.show()

# %% [8] One film, two sizes
from medvl.methods.mrm import (shrink)

# %% [10] One film, two sizes
from medvl.phantom.set import phantom_studies
studies = phantom_studies(60, seed=0, size=128, difficulty='lifelike-easy')
film = torch.from_numpy(studies[0].frontals[0].px).float()[None,None]/255
big = F.interpolate(film, size=(256,256), mode='bicubic').clamp(0,1)
torch.manual_seed(1)
idx, removed = pick_patches(1, 64, .75)
seen = unpatchify(patchify(shrink(big,128),16)*~removed[...,None] + .5*removed[...,None], 16, (8,8))
target = unpatchify(patchify(big,32)*removed[...,None] + .5*~removed[...,None], 32, (8,8))
fig, axs = plt.subplots(1,3, figsize=(7,2.5), dpi=75)
shown = {'128 x 128': shrink(big,128), '16 of 64 patches are seen': seen, '48 are restored, at 256 x 256': target}
for ax,(n,x) in zip(axs, shown.items()):
    ax.imshow(x[0,0], cmap='gray', vmin=0, vmax=1); ax.set_title(n, fontsize=9); ax.axis('off')
plt.tight_layout(); plt.show()
test_eq(shrink(torch.ones(1,1,8,8), 4), torch.ones(1,1,4,4))
test_eq((~removed).sum().item(), 16)

# %% [12] One film, two sizes
comb = torch.zeros(1,1,64,64); comb[...,::4] = 1.
sharp, soft = shrink(comb,32), F.interpolate(comb, size=(32,32), mode='bicubic', antialias=True)
print(f"brightest column: {sharp.max():.2f} as MRM does, {soft.max():.2f} with antialiasing")
test_eq(bool(sharp.max() > soft.max()+.05), True)

# %% [14] From the film to the words
lin, patches = nn.Linear(768,384), torch.randn(2,49,768)
test_close(lin(patches).mean(1), lin(patches.mean(1)), eps=1e-5)

# %% [17] The model
from medvl.methods.mrm import (MRM)

# %% [23] What is the film worth to the report?
from medvl.methods.mrm import (film_worth)

# %% [27] At full size
with torch.device('meta'): full = MRM.paper()
table = param_table(full); display(table.round(4))
n = table.loc['all','parameters']; test_eq(n, 151_605_168-147_840); test_eq(trainable(full), n-2*197*768)
head = full.text.net.cls.predictions.decoder
assert head.weight is not full.text.encoder.embeddings.word_embeddings.weight; test_eq(head.weight.numel(), 11_520_000)
assert MRM.small().text.net.config.tie_word_embeddings  # the small one ties them
test_eq([k for k,p in full.named_parameters() if not p.requires_grad], ['vision.net.pos_embed','decoder.pos_embed'])
test_eq(pick_patches(1, 196, full.mask)[0].shape[1], 49)
test_eq(full.decoder.pred.out_features, 3072); test_eq(patchify(torch.zeros(1,3,448,448), 32).shape, (1,196,3072))
test_eq((full.text.width, full.text.vocab_size, full.text.max_len), (384, 30000, 100))

# %% [29] A batch in, an `Out` out
torch.manual_seed(0)
tiny = dict(vision=dict(name='vit_small_cpu', size=32, depth=2), size=32, vocab=60)
m = MRM.small(**tiny)
b = Batch(big=torch.randn(4,1,64,64), img_msk=torch.tensor([[1,0],[1,0],[0,1],[1,1]]).bool(),
          txt=torch.randint(5,60,(4,8)))
b['txt'][:,0] = 2; b['txt_msk'] = torch.ones(4,8).bool(); b['txt_msk'][1] = False
b['word'] = torch.tensor([-1,0,0,1,2,3,4,5]).repeat(4,1)
out = m(b)
print({k: round(v.item(),2) for k,v in out.terms.items()}, 'log 60 =', round(math.log(60),2))
test_eq(out.img.loc.shape, (3,1,192))  # 3 films, one of 4 patches visible
test_close(m.loss(out).item(), sum(v.item() for v in out.terms.values()), eps=1e-5)
test_eq(bool(abs(out.terms['txt']-math.log(60)) < .5), True)  # knows nothing yet
test_eq({k: int(n) for k,n in out.n.items()}, {'img': 3, 'txt': 2})  # samples that each term is a mean of

# %% [31] A batch in, an `Out` out
for join in (True, False):
    torch.manual_seed(0)
    x = MRM.small(**tiny, join=join); x(b).terms['txt'].backward()
    g = x.vision.net.blocks[0].attn.qkv.weight.grad
    test_eq(bool(g.abs().max() > 0), join)
torch.manual_seed(0); pixels = MRM.small(**tiny, weights=dict(txt=0))
out2 = pixels(b); test_close(pixels.loss(out2).item(), out2.terms['img'].item())
torch.manual_seed(0); apart = MRM.small(**tiny, join=False).eval()
test_eq(film_worth(apart, b), 0.)  # strangers
test_eq(film_worth(MRM.small(**tiny, film_norm=True).eval(), b) != 0, True)
test_fail(lambda: film_worth(apart, Batch({k: v[:1] for k,v in b.items()})), contains='two samples')

# %% [33] A batch in, an `Out` out
m.loss(m(b)).backward()
test_eq([k for k,p in m.named_parameters() if p.requires_grad and p.grad is None], [])
m.zero_grad(); m(b).terms['txt'].backward()
test_eq(bool(m.vision.net.blocks[-1].mlp.fc2.weight.grad.abs().sum() > 0), True)
test_eq(m.decoder.pred.weight.grad, None)

# %% [35] A batch in, an `Out` out
only = m(Batch(b, txt_msk=torch.zeros(4,8).bool()))
test_eq(only.terms['txt'].item(), 0.); test_eq(int(only.n['txt']), 0)  # no sample has it: it stays out of the log
m.zero_grad(); m.loss(only).backward()
test_eq(m.text.net.bert.embeddings.word_embeddings.weight.grad.abs().sum().item(), 0.)
test_eq(m(Batch(big=b.big)).terms['txt'].item(), 0.)

# %% [37] A batch in, an `Out` out
test_fail(lambda: m(Batch(img=b.big)), contains="needs batch['big']")
test_fail(lambda: m(Batch(b, big=b.big[...,:48])), contains='64 x 64 pixels')
test_fail(lambda: m(Batch(b, word=None)), contains="batch['word']")
test_fail(lambda: m.encode_text(b.txt), contains='align it first')
test_fail(lambda: MRM.small(vision='resnet18'), contains='must be a ViT')
test_fail(lambda: MRM.small(text_loss='some', **tiny), contains="'all' or 'masked'")

# %% [39] A batch in, an `Out` out
f = m.eval().encode_image(torch.randn(2,2,1,32,32), torch.tensor([[1,0],[1,1]]).bool())
test_eq(f.loc.shape, (2,4,192)); test_close(f.glob.norm(dim=-1), torch.ones(2), eps=1e-5)
again = MRM(**json.loads(json.dumps(m.config))); again.load_state_dict(m.state_dict())
x = torch.randn(1,1,32,32)
test_close(again.eval().encode_image(x).glob, m.encode_image(x).glob, eps=1e-6)

# %% [41] From the authors' file
from medvl.models.authors import mrm_keys
d, t, v, deep = 192, 384, 60, 2
def lin(k, o, i): return {k+'.weight': (o,i), k+'.bias': (o,)}
def norm(k, w): return {k+'.weight': (w,), k+'.bias': (w,)}
def block(k, w): return {**norm(k+'.norm1', w), **lin(k+'.attn.qkv', 3*w, w), **lin(k+'.attn.proj', w, w),
                         **norm(k+'.norm2', w), **lin(k+'.mlp.fc1', 4*w, w), **lin(k+'.mlp.fc2', w, 4*w)}
def layer(k): return {n: o for x in ('query','key','value') 
                         for n,o in lin(f'{k}.attention.self.{x}', t, t).items()} | {
    **lin(k+'.attention.output.dense', t, t), **norm(k+'.attention.output.LayerNorm', t),
    **lin(k+'.intermediate.dense', 4*t, t), **lin(k+'.output.dense', t, 4*t), **norm(k+'.output.LayerNorm', t)}
e, h = 'bert_encoder.model.bert.embeddings', 'bert_encoder.model.cls.predictions'
size = {'cls_token': (1,1,d), 'pos_embed': (1,5,d), **lin('patch_embed.proj', d, 1), **norm('norm', d),
        'mask_token': (1,1,d),
        'decoder_pos_embed': (1,5,d), **lin('decoder_embed', d, d), **norm('decoder_norm', d),
        **lin('decoder_pred', 1024, d), **lin('bert_mlp', t, d), **norm(e+'.LayerNorm', t), h+'.bias': (v,),
        e+'.word_embeddings.weight': (v,t), e+'.position_embeddings.weight': (100,t), e+'.position_ids': (1,100),
        e+'.token_type_embeddings.weight': (2,t), **lin(h+'.transform.dense', t, t), **lin(h+'.decoder', v, t),
        **norm(h+'.transform.LayerNorm', t), **lin('bert_encoder.model.bert.pooler.dense', t, t)}
size |= {'patch_embed.proj.weight': (d,1,16,16)}
for i in range(deep): size |= block(f'blocks.{i}', d) | block(f'decoder_blocks.{i}', d)
for i in range(6): size |= layer(f'bert_encoder.model.bert.encoder.layer.{i}')
torch.manual_seed(1); theirs = {k: torch.randn(o) for k,o in size.items()}
theirs[h+'.decoder.bias'] = theirs[h+'.bias']  # the one pair that is tied in their code

def alike(text): return MRM(**(MRM.small(**tiny).config | dict(text=dict(vocab_size=v, **text))))
paper_text = dict(hidden_size=t, num_hidden_layers=6, num_attention_heads=6, intermediate_size=4*t,
                  max_position_embeddings=100)
rules = mrm_keys('vision','decoder','text','to_text')
with tempfile.TemporaryDirectory() as folder:
    torch.save({'model': theirs}, f'{folder}/MRM.pth')
    fresh = alike(paper_text | dict(tie_word_embeddings=False))
    rep = load_state(fresh, f'{folder}/MRM.pth', rename=rules)
    test_eq((rep.missing, rep.unexpected), ([], [])); test_eq(len(rep.fits), len(theirs)-3)  # pooler, position_ids
    got = fresh.state_dict()
    for ours,name in {'text.net.cls.predictions.decoder.weight': h+'.decoder.weight',
                      'decoder.pred.bias': 'decoder_pred.bias',
                      'text.net.bert.embeddings.word_embeddings.weight': e+'.word_embeddings.weight',
                      'vision.net.blocks.1.attn.qkv.weight': 'blocks.1.attn.qkv.weight',
                      'to_text.weight': 'bert_mlp.weight',
                      'decoder.blocks.1.mlp.fc2.bias': 'decoder_blocks.1.mlp.fc2.bias',
                      'decoder.mask_token': 'mask_token'}.items():
        assert torch.equal(got[ours], theirs[name]), ours
    test_eq(sorted(o.sum().item() for o in got.values()),
            sorted(o.sum().item() for k,o in theirs.items() if 'pooler' not in k and 'position_ids' not in k))
    test_fail(lambda: load_state(alike(paper_text), theirs, rename=rules), contains='tie_word_embeddings=False')
    del theirs['norm.weight']; torch.save({'model': theirs}, f'{folder}/MRM.pth')
    test_fail(lambda: load_state(fresh, f'{folder}/MRM.pth', rename=rules), contains='vision.net.norm.weight')

# %% [43] The classic mistake: a loss over visible patches and words
vocab, l = 30000, 100
labels, hidden = torch.randint(5, vocab, (1,l)), torch.zeros(1,l).bool()
hidden[0,1:60:2] = True  # 60 tokens, half hidden, then padding
sure = 30*(~hidden[...,None]).float()  # of what it saw; blank on the rest
copy = torch.zeros(1,l,vocab).scatter(2, labels[...,None], sure)
over_all, over_hidden = token_loss(copy, labels), token_loss(copy, labels.masked_fill(~hidden, -100))
print(f"all positions: {over_all:.2f}, hidden words: {over_hidden:.2f} (log of the vocabulary: {math.log(vocab):.2f})")
test_eq(bool(over_all < over_hidden/3), True); test_close(over_hidden.item(), math.log(vocab), eps=1e-3)

# %% [45] It learns
from medvl.toy import curves, toy_bert, toy_pairs, toy_vit, train_toy
print(toys := toy_pairs()); seen, held, tok, page = toys

# %% [46] It learns
def tests(m, b, n=5):
    "Both terms on `b`, mean over `n` draws of what is hidden."
    torch.manual_seed(2)
    with torch.no_grad(): got = [m.eval()(b).terms for _ in range(n)]
    return {k: round(sum(o[k].item() for o in got)/n,2) for k in got[0]}
torch.manual_seed(0)
m = MRM.small(vision=toy_vit(), text=toy_bert(len(tok)), size=64, decoder=dict(width=96, depth=2, heads=3))
before = tests(m, held)
log, after = train_toy(m, seen, 90, 2e-3), tests(m, held)
print(f"other patients: {before} -> {after}")
print(f"log of the vocabulary: {math.log(len(tok)):.2f}")
curves(log); plt.show()
test_eq(after['img'] < .9 < before['img'], True); test_eq(after['txt'] < .75*before['txt'], True)

# %% [48] It learns
torch.manual_seed(3)
big = held.big[:1]; idx, removed = pick_patches(1, 64, .75); cells = patchify(big, 16)
with torch.no_grad(): guess = m.decoder(m.vision(shrink(big, 64), idx))
guess = guess*cells.std(-1, keepdim=True) + cells.mean(-1, keepdim=True)
hole, here = cells.mean(), removed[...,None]
shown = {'seen': torch.where(here, hole, cells), 'restored': torch.where(here, guess, cells), 'film': cells}
fig, axs = plt.subplots(1, 3, figsize=(6.5,2.3), dpi=75)
for ax,(name,x) in zip(axs, shown.items()):
    ax.imshow(unpatchify(x, 16, (8,8))[0,0], cmap='gray'); ax.set_title(name, fontsize=9); ax.axis('off')
plt.tight_layout(); plt.show()

# %% [50] Does the report need the film?
got = json.loads(Path('../../results/film_worth.json').read_text())
def row(t): return {'steps': t['steps'], 'T multiply-adds': round(t['multiply_adds']/1e12, 1),
                    'film is worth, nats a word': f"{t['worth']:.3f}" if 'worth' in t else '',
                    'probe': f"{t['macro']['value']:.3f} [{t['macro']['low']:.3f}, {t['macro']['high']:.3f}]"}
print(got['data'], got['args'], 'commit', got['provenance']['commit'])
towers = got['towers']; display(pd.DataFrame({k: row(t) for k,t in towers.items()}).T)
both, neither = towers['words 90%, film_norm on']['worth'], towers['words 50%, film_norm off']['worth']
test_eq(both == max(t.get('worth', 0) for t in towers.values()) and both > 5*max(neither, .01), True)

# %% [53] The recipe
from medvl.methods.mrm import (_films)

# %% [54] The recipe
full_recipe = recipe_of(MRM)
recipe_table(full_recipe, full.config['preset'],
             mask=(full.mask, 'share of patches that is hidden, of each film anew'),
             word_mask=(full.word_mask, 'probability that a word is hidden, all its pieces together'),
             text_loss=(full.text_loss, 'positions that the loss of the words runs over'),
             norm_pix=(full.norm_pix, 'patches are restored with mean 0 and variance 1'))

# %% [56] The recipe
test_eq([one_step(full_recipe, w) for w in (1,4)],
        [dict(bs=32, accum=n, samples=256, lr=1.5e-4) for n in (8,2)])
rate = [lr_at(s, 1.5e-4, 2000, 400) for s in (0, 1, 200, 400, 1200, 2000)]  # ten steps an epoch
test_close(rate, [0, 1.5e-4/400, .75e-4, 1.5e-4, .75e-4, 0], eps=1e-9)
p = Preset.of('mrm')
test_eq((p.mean, p.std, p.crop, p.big, p.antialias), (.4978, .2449, (.2, 1.), 448, False))
torch.manual_seed(0); q = MRM(text=dict(vocab_size=900, num_hidden_layers=1, hidden_size=384, num_attention_heads=6),
                               vision='vit_small_cpu', size=32).text.net
bound = lambda w: (6/sum(w.shape))**.5                                     # of Xavier's uniform distribution
for w in (q.bert.encoder.layer[0].intermediate.dense.weight, q.bert.embeddings.word_embeddings.weight):
    test_eq(.98 < w.abs().max().item()/bound(w) <= 1, True)
torch.manual_seed(0); q = MRM(text=dict(vocab_size=900, num_hidden_layers=1, hidden_size=384, num_attention_heads=6,
                               tie_word_embeddings=False), vision='vit_small_cpu', size=32).text.net
test_close(q.bert.embeddings.word_embeddings.weight.std().item(), .02, eps=1e-3)  # apart: only the head is Xavier's
w = q.cls.predictions.decoder.weight; test_eq(.98 < w.abs().max().item()/bound(w) <= 1, True)
test_eq(MRM.small().config['text_init'], 'normal')
test_fail(lambda: MRM(text_init='zero'), contains="expected 'xavier' or 'normal'")
test_eq((full_recipe.betas, full_recipe.wd, full_recipe.max_len, full_recipe.vocab), ((.9,.95), .05, 100, 30_000))

# %% [59] Results
from IPython.display import Markdown
from medvl.eval.results import answer, result_files
Markdown(answer('towers', result_files('../../results'), up='../'))

# %% [60] Results
for k in ('probe','probe_few'):
    t = {n: o['macro'] for n,o in result_files('../../results')[k]['towers'].items()}
    assert t['mrm']['low'] > t['untrained']['high'], k
    for n in ('alta.0','clip_from_scratch.0','clip_from_mrm.0'):
        assert t['mrm']['low'] < t[n]['high'] and t[n]['low'] < t['mrm']['high']
