# nbs/models/31_masked.ipynb: runs against the imported medvl.models.masked.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Masking
from functools import partial
import torch
from jaxtyping import Bool, Float, Int
from timm.models.vision_transformer import Block
from torch import Tensor, nn
from torch.nn import functional as F
from medvl.core import Feat, MedvlError
from medvl.models.vision import init_mae, sincos_2d

# %% [4] Masking
import copy, math
import matplotlib.pyplot as plt
from fastcore.test import *
from medvl.core import seed_everything
from medvl.models.vision import VisionTower
_ = seed_everything(1)

# %% [6] Masking
def drawing(size=448):
    y, x = torch.meshgrid(*[torch.linspace(-1, 1, size)]*2, indexing='ij')
    oval = lambda cx, cy, rx, ry: torch.sigmoid(40*(1 - ((x-cx)/rx)**2 - ((y-cy)/ry)**2))
    img = .75*oval(0, .1, .9, 1.1) - .55*oval(-.4, 0, .3, .65) - .55*oval(.4, 0, .3, .65)
    ribs = .08*torch.sin(22*(y + .3*x.abs())).clamp(min=0)*oval(0, 0, .8, .75)
    return (img + ribs + .45*oval(.15, .35, .3, .28)).clamp(0, 1)[None,None]
big = drawing(); small = F.avg_pool2d(big, 2)
test_eq((big.shape, small.shape), ((1,1,448,448), (1,1,224,224)))

# %% [8] Which patches stay
from medvl.models.masked import (pick_patches)

# %% [9] Which patches stay
idx, removed = pick_patches(3, 196, .75, torch.Generator().manual_seed(4))
fig, axs = plt.subplots(1, 4, figsize=(8.4,2.2), dpi=75, layout='constrained')
axs[0].imshow(small[0,0], cmap='gray'); axs[0].set_title('drawing')
for ax, r in zip(axs[1:], removed):
    seen = small[0,0].masked_fill(r.view(14,14).repeat_interleave(16, 0).repeat_interleave(16, 1), .5)
    ax.imshow(seen, cmap='gray'); ax.set_title('49 of 196 patches')
for ax in axs: ax.axis('off')

# %% [10] Which patches stay
test_eq(idx.shape, (3,49)); test_eq(removed.sum(1), torch.full((3,), 147))
assert not removed.gather(1, idx).any() and not torch.equal(idx[0], idx[1])  # each image its own choice
again = pick_patches(3, 196, .75, torch.Generator().manual_seed(4))
assert torch.equal(again[0], idx) and torch.equal(again[1], removed)
test_eq(pick_patches(1, 10, .9)[0].shape, (1,1)); test_eq(pick_patches(1, 4, 0.)[0], torch.arange(4)[None])
test_fail(lambda: pick_patches(1, 4, .9), contains='leaves 0 of 4 patches')
test_fail(lambda: pick_patches(1, 4, 1.), contains='must be in [0, 1)')

# %% [12] Which patches stay
kept = (~pick_patches(20_000, 16, .75, torch.Generator().manual_seed(0))[1]).float()
pairs = (kept.T @ kept)/20_000; off = ~torch.eye(16, dtype=torch.bool)
assert (kept.mean(0) - 1/4).abs().max() < 5*(1/4*3/4/20_000)**.5
assert (pairs[off] - 1/20).abs().max() < 5*(1/20*19/20/20_000)**.5

# %% [14] Blocks of pixels
from medvl.models.masked import (patchify, unpatchify)

# %% [15] Blocks of pixels
img = torch.arange(16.).view(1,1,4,4)
test_eq(patchify(img, 2)[0], torch.tensor([[0.,1,4,5], [2,3,6,7], [8,9,12,13], [10,11,14,15]]))
test_eq(patchify(torch.cat([img, -img], 1), 2)[0,0], torch.tensor([0.,-0.,1,-1,4,-4,5,-5]))  # channels side by side
wide = torch.randn(2,3,64,96)
test_eq(unpatchify(patchify(wide, 32), 32, (2,3)), wide)
test_fail(lambda: patchify(wide, 24), contains="patches of 24 pixels don't tile an image of 64 x 96")
test_fail(lambda: unpatchify(patchify(wide, 32), 32, (3,3)), contains='6 patches of 3072 values')

# %% [17] Blocks of pixels
test_eq(patchify(big.expand(-1,3,-1,-1), 32).shape, (1,196,3072))
block = patchify(big, 32)[0,4*14+9].view(32,32)  # row 4, column 9
test_eq(block, big[0,0,4*32:5*32,9*32:10*32])
test_close(F.avg_pool2d(block[None,None], 2)[0,0], small[0,0,4*16:5*16,9*16:10*16], eps=1e-6)

# %% [19] The loss of pixels
from medvl.models.masked import (pixel_loss)

# %% [21] The loss of pixels
pred, target = torch.tensor([[[0.,0.], [9.,9.]]]), torch.tensor([[[0.,2.], [5.,5.]]])
hidden = torch.tensor([[True,False]])
test_close(pixel_loss(pred, target, hidden).item(), .5, eps=1e-5)
test_close(pixel_loss(pred, target, hidden, norm=False).item(), 2., eps=1e-6)
test_close(pixel_loss(pred, target, ~hidden).item(), 81., eps=1e-4)  # a flat patch has the target zero

# %% [22] The loss of pixels
p, t = torch.randn(2,6,12, requires_grad=True), torch.rand(2,6,4)
hidden = torch.tensor([[1,1,0,1,0,0], [0,1,1,0,0,1]]).bool()
three = t[...,None].expand(-1, -1, -1, 3).reshape(2,6,12)  # a grey film in three channels
ref = (three - three.mean(-1, keepdim=True))/(three.var(-1, keepdim=True) + 1e-6).sqrt()
ref = ((p-ref).square().mean(-1)*hidden).sum()/hidden.sum()  # the definition, with a mask
test_close(pixel_loss(p, three, hidden).item(), ref.item(), eps=1e-5)
test_close(pixel_loss(p, t, hidden).item(), ref.item(), eps=1e-5)  # the grey film given once
pixel_loss(p, t, hidden).backward(); test_eq(p.grad[~hidden].abs().sum().item(), 0.)
test_fail(lambda: pixel_loss(p, t[:,:5], hidden), contains='targets [2, 5, 4]')
test_fail(lambda: pixel_loss(p, t, torch.zeros_like(hidden)), contains='nothing to guess')

# %% [24] The loss of pixels
blocks = patchify(big, 32)
normed = (blocks - blocks.mean(-1, keepdim=True))/(blocks.var(-1, keepdim=True) + 1e-6).sqrt()
fig, axs = plt.subplots(1, 3, figsize=(6.6,2.3), dpi=75, layout='constrained')
shown = {'seen: 49 patches of 16': seen, 'asked for: the rest, at 448': big[0,0],
         'as the loss sees it': unpatchify(normed, 32, (14,14))[0,0].clamp(-2.5, 2.5)}
for ax, (title, o) in zip(axs, shown.items()):
    ax.imshow(o, cmap='gray'); ax.set_title(title, fontsize=9); ax.axis('off')

# %% [26] The decoder
from medvl.models.masked import (PatchDecoder)

# %% [28] The decoder
dec = PatchDecoder(width_in=8, width=8, depth=0, heads=1, out=5, grid=(2,2))
feat = Feat(glob=torch.randn(1,8), loc=torch.randn(1,2,8), grid=(2,2), idx=torch.tensor([[1,3]]))
with torch.no_grad():
    cell = lambda content, i: dec.pred(dec.norm(content + dec.pos_embed[0,1+i]))
    expect = [cell(dec.mask_token[0,0], 0), cell(dec.embed(feat.loc[0,0]), 1),
              cell(dec.mask_token[0,0], 2), cell(dec.embed(feat.loc[0,1]), 3)]
    test_close(dec(feat)[0], torch.stack(expect), eps=1e-5)
test_fail(lambda: dec(Feat(glob=feat.glob, loc=feat.loc)), contains='which patches are visible?')

# %% [30] The decoder
enc, dec = VisionTower('vit_small_cpu'), PatchDecoder(192, 64, 2, 2, out=32*32)
idx, removed = pick_patches(1, 196, .75)
guess = dec(enc(small, idx)); loss = pixel_loss(guess, patchify(big, 32), removed); loss.backward()
test_eq(guess.shape, (1,196,1024)); assert enc.net.blocks[0].attn.qkv.weight.grad.abs().sum() > 0
no_grad = [k for m in (enc, dec) for k,p in m.named_parameters() if p.grad is None]
test_eq(no_grad, ['net.pos_embed', 'pos_embed'])  # everything learns but the two tables
with torch.device('meta'): full = PatchDecoder()
test_eq(sum(p.numel() for p in full.parameters()), 31_458_048)
test_eq(sum(p.numel() for m in (full.embed, full.pred) for p in m.parameters()) + full.mask_token.numel(), 2_953_728)
test_eq({m.eps for m in full.modules() if isinstance(m, nn.LayerNorm)}, {1e-6})

# %% [32] Which words are hidden
from medvl.models.masked import (mask_words)

# %% [33] Which words are hidden
pieces = ['[CLS]', 'no', 'cardio', '##mega', '##ly', 'or', 'effusion', '[SEP]', '[PAD]']
txt, word = torch.arange(9)[None].repeat(5, 1), torch.tensor([[-1,0,1,1,1,2,3,-1,-1]]).repeat(5, 1)
MASK = 99
for whole in (True, False):
    out, _ = mask_words(txt, word, .5, MASK, whole=whole, generator=torch.Generator().manual_seed(2))
    rows = ('  '.join('____' if i == MASK else pieces[i] for i in row) for row in out)
    print('whole words' if whole else 'pieces', *rows, sep='\n  ')

# %% [34] Which words are hidden
every, lbl = mask_words(txt, word, 1., MASK)
test_eq(every[0], torch.tensor([0,99,99,99,99,99,99,7,8])); test_eq(lbl[0], torch.tensor([-100,1,2,3,4,5,6,-100,-100]))
none, lbl = mask_words(txt, word, 0., MASK); test_eq(none, txt); test_eq((lbl == -100).all().item(), True)
test_eq(mask_words(txt, word, .5, MASK, labels='all')[1], txt)
many, w = txt[:1].repeat(20_000, 1), word[:1].repeat(20_000, 1)
for whole in (True, False):
    hid = mask_words(many, w, .5, MASK, whole, generator=torch.Generator().manual_seed(0))[0] == MASK
    assert (hid[:,1:7].float().mean(0) - .5).abs().max() < 5*(.25/20_000)**.5 and not hid[:,[0,7,8]].any()
    together = (hid[:,2] == hid[:,3]).float().mean().item()
    test_eq(together, 1.) if whole else test_close(together, .5, eps=.02)
test_fail(lambda: mask_words(txt, word[:,:3], .5, MASK), contains='word is [5, 3], the text [5, 9]')
test_fail(lambda: mask_words(txt, word, 50, MASK), contains='p is a probability, got 50')
test_fail(lambda: mask_words(txt, word, .5, MASK, labels='none'), contains="got 'none'")

# %% [36] The loss of words
from medvl.models.masked import (token_loss)

# %% [38] The loss of words
logits = torch.zeros(1,3,4); logits[0,1,2] = math.log(3)
test_close(token_loss(logits, torch.tensor([[0,-100,-100]])).item(), math.log(4), eps=1e-6)
test_close(token_loss(logits, torch.tensor([[-100,2,-100]])).item(), math.log(2), eps=1e-6)
test_close(token_loss(logits, torch.tensor([[0,2,-100]])).item(), (math.log(4)+math.log(2))/2, eps=1e-6)
test_close(token_loss(logits[0,1:2], torch.tensor([2])).item(), math.log(2), eps=1e-6)
free = torch.randn(1,3,4, requires_grad=True)
token_loss(free, torch.full((1,3), -100)).backward(); test_eq(free.grad.abs().sum().item(), 0.)
test_fail(lambda: token_loss(logits, torch.zeros(3).long()), contains='labels [3]')

# %% [40] The classic mistake
t = patchify(big, 32); t = (t - t.mean(-1, keepdim=True))/(t.var(-1, keepdim=True) + 1e-6).sqrt()
_, removed = pick_patches(1, 196, .75); copycat = t.masked_fill(removed[...,None], 0)
everything, zeros = torch.ones_like(removed), torch.zeros_like(t)
loss = lambda x, where: pixel_loss(x, t, where, norm=False).item()
{k: (round(loss(x, everything), 3), round(loss(x, removed), 3)) for k,x in dict(zeros=zeros, copycat=copycat).items()}

# %% [41] The classic mistake
assert loss(copycat, everything) < .85*loss(zeros, everything)
test_eq(loss(copycat, removed), loss(zeros, removed))
