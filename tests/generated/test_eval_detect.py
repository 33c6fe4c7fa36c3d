# nbs/eval/23_detect.ipynb: runs against the imported medvl.eval.detect.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Detection
from collections.abc import Sequence
from dataclasses import dataclass
import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torchvision.ops import generalized_box_iou_loss, nms
from medvl.core import MedvlError
from medvl.eval.metrics import MetricError, OneClass

# %% [4] Detection
import matplotlib.pyplot as plt
from fastcore.test import *
from torchvision.ops import box_iou
torch.set_num_threads(1);

# %% [6] Average precision
from medvl.eval.detect import (_boxes, _iou, _padded, _greedy)

# %% [8] Average precision
from medvl.eval.detect import (Matches)

# %% [10] Average precision
from medvl.eval.detect import (match, average_precision)

# %% [12] Average precision
A, B = torch.tensor([[0.,0,10,10]]), torch.tensor([[20.,20,30,30]])
found, sure = [torch.cat([A, B]), B], [torch.tensor([.9,.8]), torch.tensor([.7])]
test_close(average_precision(found, sure, [A, B]), (1+2/3)/2)
test_eq(average_precision([A, B], [torch.ones(1)]*2, [A, B]), 1.)
none = torch.zeros(0,4)
# a right and a wrong box of one score: 1/2 of 1 of 2 ...
test_close(average_precision([B, A], [torch.ones(1)]*2, [A, A]), .25)
test_close(average_precision([A, B], [torch.ones(1)]*2, [A, A]), .25)      # ... whichever film comes first
close = torch.tensor([[0.,0,10,8],[0.,0,10,10]]); both = torch.tensor([[0.,0,10,10],[0.,0,10,6]])
# the better fit chooses first
for o in ([0,1], [1,0]): test_eq(average_precision([close[o]], [torch.ones(2)], [both]), 1.)
nan = torch.tensor([torch.nan])
test_fail(lambda: average_precision([A], [nan], [A]), contains='film 0: the score of box 0 is nan')
test_fail(lambda: average_precision([A, A*torch.nan], [torch.ones(1)]*2, [A, A]), contains='film 1: box 0 is [nan')
test_fail(lambda: average_precision([A], [torch.ones(1)], [A.flip(1)]), contains='truth of film 0: box 0')
# nothing found: missed
test_close(average_precision([A, none], [torch.ones(1), torch.zeros(0)], [A, B]), .5)
test_close(average_precision([A, B], [torch.tensor([.5]), torch.tensor([.9])], [A, none]), .5)  # nothing there: wrong
test_close(average_precision([torch.cat([A, A])], [torch.tensor([.9,.8])], [A]), 1.)  # found twice: too late to hurt
test_eq(average_precision([A+6], [torch.ones(1)], [A]), 0.)
test_eq(average_precision([A+3], [torch.ones(1)], [A], iou=.3), 1.)
test_fail(lambda: average_precision([A], [torch.ones(1)], [none]), contains='none of 1 films')
test_fail(lambda: average_precision([A], [torch.ones(1)], [A, B]), contains='truth of 2')
one = match(found, sure, [A, B], (.5, .9)); test_eq(one.hit.tolist(), [[True]*2, [False]*2, [True]*2])
test_close(one.ap(weight=[1,0]), [1.,1.]); test_close(one.ap(weight=[0,1]), [1.,1.])
test_close(one.ap(weight=[2,1])[0], (1+1+3/5)/3)          # the first film counts twice: precision 1, 1, 1/2, 1/2, 3/5
test_close(one.ap(points=101)[0], (51+50*2/3)/101)        # recalls 0 to 0.5: 1; 0.51 to 1: 2/3
test_close(match(found, sure, [A, B], chunk=1).ap(), one.ap()[:1])
test_eq(match([none], [torch.zeros(0)], [A]).ap(), [0.])
g = torch.rand(2, 30, 4, generator=torch.Generator().manual_seed(0)).double()
g[...,2:] += g[...,:2]; g[0,3,2:] = g[0,3,:2]
test_close(_iou(g[:1].numpy(), g[1:].numpy())[0], box_iou(*g).numpy(), eps=1e-9)   # torchvision's

# %% [14] The head
from medvl.eval.detect import (BoxHead, assign)

# %% [15] The head
h = BoxHead(8, (3,4))
test_eq(h.at[0].tolist(), [.5,.5]); test_eq(h.at[5].tolist(), [1.5,1.5])
test_eq(assign(h.at, torch.tensor([[0.,0,4,3],[1,1,2,2]])).view(3,4), torch.tensor([[0,0,0,0],[0,1,0,0],[0,0,0,0]]))
test_eq(assign(h.at, torch.zeros(0,4)).tolist(), [-1]*12)
l, b = h(torch.randn(2,12,8)); test_eq((l.shape, b.shape), ((2,12), (2,12,4)))
test_eq(bool((b[...,2:] > b[...,:2]).all()), True)
test_fail(lambda: h(torch.randn(2,9,8)), contains='9 cells, expected 12')

# %% [17] The head
from medvl.eval.detect import (fit_boxes, find_boxes)

# %% [19] A planted case
def planted(n, seed, carry=True):
    g = torch.Generator().manual_seed(seed); loc, truth = .3*torch.randn(n,64,16,generator=g), []
    at = BoxHead(1, (8,8)).at
    for i in range(n):
        x, y = torch.randint(0,5,(2,),generator=g).tolist(); w, h = torch.randint(2,4,(2,),generator=g).tolist()
        box = torch.tensor([x,y,x+w,y+h]).float(); truth.append(box[None]/8)
        inside = assign(at, box[None]) == 0
        if carry: loc[i,inside,0] += 3; loc[i,inside,1:5] += torch.cat([at[inside]-box[:2], box[2:]-at[inside]], 1)
    return loc, truth
(x, y), (tx, ty) = planted(96, 0), planted(32, 1)
ap = average_precision(*find_boxes(fit_boxes(x, y, (8,8), steps=150), tx), ty)
nx, ny = planted(96, 0, carry=False)
nothing = average_precision(*find_boxes(fit_boxes(nx, ny, (8,8), steps=60), planted(32, 1, carry=False)[0]), ty)
print(f"AP at IoU 0.5: {ap:.2f}; cells without a trace of the box: {nothing:.2f}")
test_eq(ap > .7 and nothing < .2, True)
test_fail(lambda: fit_boxes(x, [torch.zeros(0,4)]*96, (8,8)), contains='none of 96 films has a box')

# %% [20] A planted case
b, s = find_boxes(fit_boxes(x, y, (8,8), steps=150), tx[:3])
fig, axs = plt.subplots(1, 3, figsize=(6,2.1), dpi=75)
for ax,f,t,p,q in zip(axs, tx, ty, b, s):
    ax.imshow(f[:,0].view(8,8), cmap='gray', extent=(0,1,1,0)); ax.axis('off')
    ax.set_title(f"{q[0]:.2f}", fontsize=8)
    for o,c in ((t[0],'#27e0b3'), (p[0],'#d55e00')):
        ax.add_patch(plt.Rectangle(o[:2].tolist(), *(o[2:]-o[:2]).tolist(), fill=False, ec=c, lw=1.5))
plt.tight_layout(); plt.show()
