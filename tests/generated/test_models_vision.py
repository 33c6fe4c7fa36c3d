# nbs/models/20_vision.ipynb: runs against the imported medvl.models.vision.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Vision towers
import timm
import torch
from fastcore.basics import patch_to
from jaxtyping import Bool, Float, Int
from timm.models import checkpoint_seq, is_model, is_model_in_modules
from timm.models.vision_transformer import PatchEmbed, VisionTransformer
from torch import Tensor, nn
from torch.nn import functional as F
from medvl.core import Feat, MedvlError

# %% [4] Vision towers
import copy, math
import matplotlib.pyplot as plt
from unittest.mock import patch
from fastcore.test import *
from torch.utils.flop_counter import FlopCounterMode
from medvl.core import seed_everything
_ = seed_everything(1)

# %% [6] Where a patch is: the sine table
from medvl.models.vision import (sincos_2d)

# %% [7] Where a patch is: the sine table
pos = sincos_2d(64, (14,14))
unit, here = nn.functional.normalize(pos[0,1:], dim=-1), 4*14+9
fig, axs = plt.subplots(1, 2, figsize=(8,2.6), dpi=75, layout='constrained', width_ratios=[2.4,1])
axs[0].imshow(pos[0,1:].T, aspect='auto', cmap='RdBu')
axs[0].set(xlabel='patch, row by row', ylabel='channel', title='the table: 14 x 14 patches, 64 channels')
axs[1].imshow((unit @ unit[here]).view(14,14))
axs[1].set(title='cosine to row 4, column 9', xticks=[], yticks=[]);

# %% [9] Where a patch is: the sine table
by_hand = torch.tensor([math.sin(2), math.cos(2), math.sin(1), math.cos(1)])
test_close(sincos_2d(4, (2,3), prefix=0)[0,5], by_hand, eps=1e-6)
test_eq(pos.shape, (1,197,64)); test_eq(pos[0,0].abs().sum(), 0.)
test_close(pos[0,1:].norm(dim=1), torch.full((196,), 32**.5), eps=1e-4)  # sin² + cos² = 1, for each of 32 pairs
test_fail(lambda: sincos_2d(6, (2,2)), contains='multiple of 4, got 6')

# %% [11] Initial values
from medvl.models.vision import (init_mae)

# %% [12] Initial values
m = init_mae(timm.create_model('vit_tiny_patch16_224', depth=1, num_classes=0))
bound = (6/(192+768))**.5  # Xavier: sqrt(6/(fan in + fan out)); the FFN's first layer maps 192 to 768
assert .98*bound < m.blocks[0].mlp.fc1.weight.abs().max() <= bound
assert .98*bound < m.patch_embed.proj.weight.abs().max() <= bound  # 3*16*16 = 768 pixels to 192
test_eq(m.blocks[0].attn.qkv.bias.abs().sum().item(), 0.)
assert .015 < m.cls_token.std() < .025

# %% [14] The tower
from medvl.models.vision import (vision_presets)

# %% [16] The tower
from medvl.models.vision import (_create, _channels)

# %% [17] The tower
test_fail(lambda: _create('vit_bse_patch16_224', 224, False, {}), contains="unknown vision model 'vit_bse")
with patch('huggingface_hub.constants.HF_HUB_OFFLINE', True):
    test_fail(lambda: _create('vit_tiny_patch16_224', 224, True, {}), contains='Offline: build VisionTower')
test_eq(_channels(.5, 3), (.5,.5,.5)); test_eq(_channels((.25,.5,.75), 1), (.5,))

# %% [19] The tower
from medvl.models.vision import (VisionTower)

# %% [32] Outputs
tower = VisionTower('vit_small_cpu').eval()
img, idx = torch.randn(2,1,224,224), torch.stack([torch.randperm(196)[:49] for _ in range(2)])
with torch.no_grad(): full, part = tower(img), tower(img, idx)
{k: (list(f.glob.shape), list(f.loc.shape), f.grid) for k,f in dict(full=full, part=part).items()}

# %% [33] Outputs
test_eq(full.loc.shape, (2,196,192)); test_eq(part.loc.shape, (2,49,192)); assert torch.equal(part.idx, idx)
test_eq((tower.width, tower.grid, tower.patch, tower.mean), (192, (14,14), 16, (.4785,)))

# %% [35] Outputs
plain = timm.create_model('vit_tiny_patch16_224', depth=6, in_chans=1, num_classes=0).state_dict()
test_eq({k: v.shape for k,v in tower.net.state_dict().items()}, {k: v.shape for k,v in plain.items()})
twin = VisionTower(**tower.config).eval(); twin.load_state_dict(tower.state_dict())
with torch.no_grad(): assert torch.equal(twin(img).loc, full.loc)

# %% [37] Is it MAE's order?
net = tower.net
with torch.no_grad():
    x = net.patch_embed(img) + net.pos_embed[:,1:]
    x = torch.stack([row[i] for row,i in zip(x, idx)])
    x = torch.cat([(net.cls_token + net.pos_embed[:,:1]).expand(2,-1,-1), x], dim=1)
    for block in net.blocks: x = block(x)
    x = net.norm(x)
test_close(part.glob, x[:,0], eps=1e-4); test_close(part.loc, x[:,1:], eps=1e-4)
test_eq(net.norm.eps, 1e-6); test_eq(net.blocks[0].norm1.eps, 1e-6)

# %% [39] Is it MAE's order?
hidden = torch.ones(2,196).scatter_(1, idx, 0).view(2,1,14,14)
noise = nn.functional.interpolate(hidden, scale_factor=16)*torch.randn_like(img)
flip = idx.flip(1)
with torch.no_grad():
    assert torch.equal(tower(img+noise, idx).loc, part.loc)
    test_close(tower(img, flip).loc.flip(1), part.loc, eps=1e-4)
    test_close(tower(img, torch.arange(196).expand(2,-1)).loc, full.loc, eps=1e-4)
    assert not torch.allclose(tower(img+noise).loc, full.loc, atol=.01)  # unmasked, the noise would have shown

# %% [41] The classic mistake
grey, one, two = torch.full((1,1,224,224), .5), torch.arange(49)[None], torch.arange(100,149)[None]
wrong = [tower._patches(grey, i) + net.pos_embed[:,1:50] for i in (one, two)]
right = [tower._place(tower._patches(grey, i), i) for i in (one, two)]
assert torch.allclose(*wrong) and not torch.allclose(*right)

# %% [43] The work saved
with torch.device('meta'):
    base = VisionTower('alta')
    gmac = {}
    for what, i in dict(all=None, quarter=torch.zeros(1,49).long()).items():
        with FlopCounterMode(display=False) as count: base(torch.zeros(1,3,224,224), i)
        gmac[what] = count.get_total_flops()/2e9
{k: f'{v:.2f} G' for k,v in gmac.items()} | dict(parameters=f'{sum(p.numel() for p in base.parameters()):,}')

# %% [44] The work saved
test_eq(sum(p.numel() for p in base.parameters()), 85_798_656)  # with the 197 x 768 sine table, which is never trained
test_eq(sum(p.numel() for p in base.parameters() if p.requires_grad), 85_798_656 - 197*768)
assert gmac['quarter']/gmac['all'] < .255
seen = []
handle = tower.net.blocks[0].register_forward_pre_hook(lambda m, args: seen.append(args[0].shape[1]))
tower(img, idx); handle.remove()
test_eq(seen, [50])  # 49 patches and the class token: nothing else is computed

# %% [46] Extra vectors, absent films, frozen towers
entry = []
handle = tower.net.blocks[0].register_forward_pre_hook(lambda m, args: entry.append(args[0].detach()))
extra = torch.randn(2,192)
tower(img); tower(img, add=extra); tower(img, add=extra[:,None]); tower(img, blank=torch.tensor([False,True]))
handle.remove()
test_close(entry[1]-entry[0], extra[:,None].expand(-1,197,-1), eps=1e-5); assert torch.equal(entry[1], entry[2])
test_close(entry[3][1,1:], net.pos_embed[0,1:], eps=1e-6); assert torch.equal(entry[3][0], entry[0][0])

# %% [48] Extra vectors, absent films, frozen towers
frozen = copy.deepcopy(tower).requires_grad_(False).train()
test_eq(frozen(img).glob.requires_grad, False)
def grad_of_first_block(t):
    t.zero_grad(); t(img, idx).glob.square().sum().backward()
    return t.net.blocks[0].attn.qkv.weight.grad.clone()
tower.train(); g = grad_of_first_block(tower)
tower.net.set_grad_checkpointing(True); test_close(grad_of_first_block(tower), g, eps=1e-5)
tower.net.set_grad_checkpointing(False); test_eq(tower.net.pos_embed.grad, None)
_ = tower.eval()

# %% [50] Other networks
x = torch.randn(1,3,224,224)
for name in ('vit_small_patch16_224', 'deit3_small_patch16_224', 'vit_small_patch14_reg4_dinov2',
             'vit_base_patch16_siglip_224'):
    t = VisionTower(name, pos='learned', depth=1).eval()
    with torch.no_grad(): f, ref = t(x), t.net.forward_features(x)
    assert torch.equal(f.loc, ref[:,t.net.num_prefix_tokens:]) and torch.equal(f.glob, t.net(x)), name
    print(f'{name:32}{list(f.loc.shape)!s:16} tokens in front: {t.net.num_prefix_tokens}')

# %% [51] Other networks
r50 = VisionTower('resnet50').eval()
with torch.no_grad(): f = r50(x)
test_eq(f.glob.shape, (1,2048)); test_eq(f.loc.shape, (1,196,1024)); test_eq((f.grid, r50.grid), ((14,14),(14,14)))
test_eq(VisionTower(**r50.config).width_loc, 1024)
small = VisionTower('resnet18', 64, stride=8).eval(); y = x[:,:1,:64,:64].expand(-1,3,-1,-1)
with torch.no_grad(): f, stages = small(y), small.net.forward_intermediates(y)[1]
test_eq((f.loc.shape, f.grid, small.grid, small.width_loc), ((1,64,128), (8,8), (8,8), 128))
test_close(f.loc[0,9], stages[2][0,:,1,1])                            # cell (1,1) of stride 8
test_eq(VisionTower(**small.config).grid, (8,8))

# %% [53] How much of the film a cell sees
from medvl.models.vision import (receptive_field)

# %% [55] How much of the film a cell sees
def res(name, stride): return VisionTower(name, 64, in_chans=1, layers=(1,1,1,1), stride=stride, zero_init_last=False)
towers = {'basic, stride 16': res('resnet18', 16), 'basic, stride 8': res('resnet18', 8),
          'basic, stride 4': res('resnet18', 4),
          'bottleneck, stride 4': res('resnet26', 4), 'ViT': VisionTower('vit_small_cpu', 64)}
fields = {k: receptive_field(v) for k,v in towers.items()}
def sides(f): return int((f > 0).any(1).sum()), int((f > 0).any(0).sum())
fig, axs = plt.subplots(1, len(fields), figsize=(9.5,2.2), dpi=60, layout='constrained')
for ax,(k,f) in zip(axs, fields.items()):
    ax.imshow((f/f.max())**.5, cmap='magma'); ax.axis('off')
    ax.set_title(f'{k}\n{sides(f)[0]} x {sides(f)[1]} of 64 pixels', fontsize=8)
plt.show()

# %% [56] How much of the film a cell sees
test_eq([sides(fields[k]) for k in ('basic, stride 4','bottleneck, stride 4','ViT')], [(27,27),(19,19),(64,64)])
assert sides(fields['basic, stride 8'])[0] > 50                          # most of the film
corner = receptive_field(towers['bottleneck, stride 4'], (0,0))
test_eq(sides(corner), (10,10))                                       # the rest of the 19 lies outside of the film
test_fail(lambda: receptive_field(small, (8,0)), contains='no cell (8, 0) on a grid of 8 x 8')

# %% [58] Errors
test_fail(lambda: tower(torch.randn(2,1,448,448)), contains='films of 224 x 224 pixels, got [2, 1, 448, 448]')
test_fail(lambda: tower(torch.randn(2,3,224,224)), contains='c = 1 or 1')
test_fail(lambda: tower(img, idx[:1]), contains='idx has 1 rows for 2 images')
test_fail(lambda: r50(x, idx[:1]), contains='idx needs a ViT')
test_fail(lambda: VisionTower('resnet50', pos='sincos'), contains='no position table')
test_fail(lambda: VisionTower('vit_small_cpu', pos='rotary'), contains="got 'rotary'")
test_fail(lambda: VisionTower('mixer_s32_224'), contains='neither a timm VisionTransformer nor a network')
test_fail(lambda: VisionTower('vit_small_cpu', stride=8), contains='stride=8 means nothing')
test_fail(lambda: VisionTower('resnet18', 64, stride=5), contains='no stage of stride 5; expected one of 2, 4, 8, 16')
