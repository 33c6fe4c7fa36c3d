# nbs/models/50_dense.ipynb: runs against the imported medvl.models.dense.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Dense heads
import math
from collections.abc import Sequence
from contextlib import nullcontext
import torch
from jaxtyping import Float, Int
from segmentation_models_pytorch.decoders.unet.decoder import UnetDecoder
from segmentation_models_pytorch.decoders.upernet.decoder import UPerNetDecoder
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models.detection import FCOS
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.fcos import FCOSHead
from torchvision.models.detection.image_list import ImageList
from medvl.core import MedvlError
from medvl.models.vision import VisionTower

# %% [4] Dense heads
import matplotlib.pyplot as plt
from fastcore.test import *
from medvl.core import seed_everything
_ = seed_everything(1)

# %% [6] Cells as a picture
from medvl.models.dense import (as_map, doublings)

# %% [7] Cells as a picture
x = torch.arange(6.).view(1,6,1)
test_eq(as_map(x, (2,3))[0,0], torch.tensor([[0.,1,2],[3,4,5]])); test_eq((doublings(16), doublings(1)), (4, 0))
test_fail(lambda: as_map(x, (2,2)), contains="6 cells don't fill a grid of 2 x 2")
test_fail(lambda: doublings(14), contains='cells of 14 pixels')

# %% [9] SETR-PUP
from medvl.models.dense import (SETRPUP)

# %% [10] SETR-PUP
head = SETRPUP(768); test_eq(head(torch.randn(1,768,14,14)).shape, (1,1,224,224))
ws = 768, 512, 256, 128, 64
test_eq(sum(p.numel() for p in head.parameters()), sum(9*a*b+3*b for a,b in zip(ws, ws[1:])) + 9*64+1)
test_eq(SETRPUP(8, 8, 3, (9,8,7,6))(torch.randn(2,8,4,4)).shape, (2,3,32,32))
test_fail(lambda: SETRPUP(8, 16, widths=(8,8)), contains='2 widths for 4 doublings')

# %% [12] A pyramid from one map
from medvl.models.dense import (Pyramid, UPerNet)

# %% [13] A pyramid from one map
x = torch.randn(2,32,7,7)
test_eq([o.shape[1:] for o in Pyramid(32, 16)(x)], [(16,28,28),(16,14,14),(16,7,7),(16,4,4)])
test_eq([o.shape[-1] for o in Pyramid(32, 16, (2,1))([x, x])], [14,7])
test_eq(UPerNet(32, 16, 2, 32)(x).shape, (2,2,112,112)); test_eq(UPerNet(32, 4, 1, 32)(x).shape, (2,1,28,28))
test_fail(lambda: Pyramid(32, 16)([x]), contains='1 maps for 4 levels')
test_fail(lambda: Pyramid(32, 16, (3,)), contains='scale 3')

# %% [15] U-Net on the stages of a ResNet
from medvl.models.dense import (stages, UNet)

# %% [16] U-Net on the stages of a ResNet
res = VisionTower('resnet18', size=64, in_chans=1).eval(); img = torch.randn(2,1,64,64)
with torch.no_grad(): maps = stages(res, img); test_eq(UNet(res, 2)(maps).shape, (2,2,64,64))
test_eq([tuple(o.shape[1:]) for o in maps], [(1,64,64),(64,32,32),(64,16,16),(128,8,8),(256,4,4),(512,2,2)])
vit = VisionTower('vit_small_cpu', size=64, patch_size=8, depth=1, embed_dim=32, num_heads=2)
test_fail(lambda: stages(vit, img), contains='a ViT has maps of one scale')
test_fail(lambda: UNet(vit), contains='U-Net needs the stages')

# %% [18] By name, and with their tower
from medvl.models.dense import (SMALL, SEG_HEADS, seg_head, Drawer)

# %% [19] By name, and with their tower
test_eq([type(seg_head(t, small=True)).__name__ for t in (vit, res)], ['SETRPUP','UNet'])
test_fail(lambda: seg_head(vit, 'fcn'), contains="head 'fcn'; expected setr, upernet, unet")
was = res.net.bn1.running_mean.clone()
whole = Drawer(res, seg_head(res, small=True)).train(); whole(img).sum().backward()
test_eq(res.net.bn1.running_mean, was); assert all(p.grad is None for p in res.parameters())
free = Drawer(vit, seg_head(vit, small=True), frozen=False).train(); free(img).sum().backward()
assert vit.net.blocks[0].attn.qkv.weight.grad.abs().sum() > 0

# %% [21] By name, and with their tower
with torch.device('meta'):
    base, r50 = VisionTower('alta'), VisionTower('resnet50')
    heads = {f'{k} on {n}': sum(p.numel() for p in seg_head(t, k).parameters())/1e6
             for n,t,ks in (('ViT-B/16', base, ('setr','upernet')), ('ResNet-50', r50, ('unet',))) for k in ks}
{k: f'{v:.1f} M' for k,v in heads.items()}

# %% [23] Boxes
from medvl.models.dense import (BoxFinder)

# %% [24] Boxes
net = BoxFinder.small(16, 64, 8, 2); x = torch.randn(3,16,8,8); out = net(x)
test_eq((out[0]['cls_logits'].shape, out[2]), ((3,16*16+8*8+4*4,2), [256,64,16]))
boxes = torch.tensor([[[8.,8,30,30],[0,0,60,60]],[[8.,8,30,30],[0,0,0,0]],[[0.,0,0,0]]*2])
lbl = torch.tensor([[0,1],[1,-1],[-1,-1]])
loss = net.loss(out, boxes, lbl); assert loss.isfinite() and loss > 0
loss.backward(); assert net.fcos.backbone.levels[0][0].weight.grad.abs().sum() > 0
found = net.eval().find(net(x)); test_eq(len(found), 3)
test_eq([len(o['boxes']) for o in net.find(net(x), least=.9)], [0,0,0])
assert all((o['boxes'] >= 0).all() and (o['boxes'] <= 64).all() and (o['scores'].diff() <= 0).all() for o in found)
test_fail(lambda: BoxFinder(16, width=48), contains='width 48 is no multiple of 32')

# %% [26] They learn
yy, xx = torch.meshgrid(torch.arange(64)+.5, torch.arange(64)+.5, indexing='ij')
def discs(n, seed):
    g = torch.Generator().manual_seed(seed)
    cx, cy, r = (a+(b-a)*torch.rand(n,1,1,generator=g) for a,b in ((16,48),(16,48),(7,16)))
    mask = ((xx-cx)**2+(yy-cy)**2 < r*r).float()[:,None]
    cover, at = F.avg_pool2d(mask, 8), xx[4::8,4::8]
    off = torch.stack([(at-cx)/16, (at.T-cy)/16], 1).clamp(-1, 1)*(cover > 0)
    x = .2*torch.randn(n,16,8,8,generator=g); x[:,:1] += 2*cover; x[:,1:3] += off
    return x, mask, torch.cat([cx-r, cy-r, cx+r, cy+r], 2)

(x, m, b), (tx, tm, tb) = discs(256, 0), discs(64, 1)
def teach(net, loss, steps=70):
    torch.manual_seed(0); opt = torch.optim.AdamW(net.train().parameters(), 5e-3)
    for _ in range(steps):
        i = torch.randperm(len(x))[:16]
        opt.zero_grad(); loss(net(x[i]), i).backward(); opt.step()
    return net.eval()

drawn = {}
for name,net in (('SETR-PUP', SETRPUP(16, 8, widths=(32,16,8))), ('UPerNet', UPerNet(16, 8, width=16))):
    teach(net, lambda y,i: F.binary_cross_entropy_with_logits(y, m[i]))
    with torch.no_grad(): drawn[name] = net(tx) > 0
blocks = F.interpolate(F.avg_pool2d(tm, 8), scale_factor=8) > .5
def dice(p): return (2*(p & (tm > 0)).sum((1,2,3))/(p.sum((1,2,3))+tm.sum((1,2,3)))).mean().item()
finder = BoxFinder(16, 64, 8, 1, 32, 1); teach(finder, lambda o,i: finder.loss(o, b[i], torch.zeros(len(i), 1).long()))
boxes = finder.find(finder(tx))
{k: round(dice(v), 3) for k,v in drawn.items()} | {'whole cells': round(dice(blocks), 3)}

# %% [27] They learn
fig, axs = plt.subplots(1, 4, figsize=(8,2.2), dpi=75, layout='constrained')
for ax,(title,p) in zip(axs, {'whole cells': blocks, **drawn, 'FCOS': None}.items()):
    ax.imshow(tx[0,0], cmap='gray', extent=(0,64,64,0)); ax.contour(tm[0,0], [.5], colors='#27e0b3', linewidths=1.3)
    if p is not None: ax.contour(p[0,0].float(), [.5], colors='#d55e00', linewidths=1.3)
    for o,c in ((tb[0,0],'#27e0b3'), (boxes[0]['boxes'][0],'#d55e00')) if p is None else ():
        ax.add_patch(plt.Rectangle(o[:2].tolist(), *(o[2:]-o[:2]).tolist(), fill=False, ec=c, lw=1.5))
    ax.set(title=title, xlim=(0,64), ylim=(64,0)); ax.axis('off')

# %% [29] They learn
from torchvision.ops import box_iou
assert min(map(dice, drawn.values())) > dice(blocks)+.02
near = torch.tensor([box_iou(o['boxes'][:1], t).max() for o,t in zip(boxes, tb)])
assert (near > .6).float().mean() > .9
