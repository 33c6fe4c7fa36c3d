# nbs/models/34_guided.ipynb: runs against the imported medvl.models.guided.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Guided masks
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from medvl.core import MedvlError

# %% [4] Guided masks
import matplotlib.pyplot as plt
from fastcore.test import *

# %% [6] Scores of patches
from medvl.models.guided import (patch_scores)

# %% [8] Scores of patches
v = torch.tensor([[[2.,0,0,0],[0,0,0,0]]]).requires_grad_()
t = torch.tensor([[[1.,0,0,0],[0,1,0,0],[9,9,9,9]]])
keep = torch.tensor([[True,True,False]])
s = patch_scores(v, t, keep)
e = torch.tensor(1.).exp()
test_close(s[0], torch.stack([e/(e+1), 0*e]), eps=1e-6)
test_eq(s.requires_grad, False)
test_eq(patch_scores(v, t, keep & False)[0].tolist(), [0,0])
test_fail(lambda: patch_scores(v, t[...,:3], keep), contains='patches have width 4, words 3')

# %% [10] Scores of patches
from medvl.models.guided import (standard)

# %% [11] Scores of patches
test_close(standard(torch.tensor([[1.,3],[5,5]])), torch.tensor([[-1.,1],[0,0]]), eps=1e-6)

# %% [13] The patches that are hidden
from medvl.models.guided import (top_patches)

# %% [14] The patches that are hidden
idx, hidden = top_patches(torch.tensor([[.1,.9,.5,.2],[3.,1,2,0]]), .5)
test_eq((idx.tolist(), hidden.int().tolist()), ([[0,3],[1,3]], [[0,1,1,0],[1,0,1,0]]))
torch.manual_seed(0)
test_eq(top_patches(torch.rand(5,196), .5)[1].sum(1).tolist(), [98]*5)
test_eq(top_patches(torch.zeros(3,196), .5)[1].sum(1).tolist(), [98]*3)           # ties, too
test_fail(lambda: top_patches(torch.zeros(1,4), 1.), contains='hides 4 of 4 patches')

# %% [15] The patches that are hidden
y, x = torch.meshgrid(torch.arange(14.), torch.arange(14.), indexing='ij')
blob = (-((y-8)**2+(x-9)**2)/20).exp().flatten()[None]
fig, axs = plt.subplots(1, 3, figsize=(5.4,1.9), dpi=75)
for ax,o,name in zip(axs, (blob, top_patches(blob, .5)[1].float(), top_patches(torch.rand(1,196), .5)[1].float()),
                     ('scores', 'hidden, by score', 'hidden, at random')):
    ax.imshow(o.view(14,14), cmap='gray_r'); ax.set_title(name, fontsize=8); ax.axis('off')
plt.tight_layout(); plt.show()

# %% [17] The words that are hidden
from medvl.models.guided import (mask_named)

# %% [19] The words that are hidden
txt = torch.tensor([[2,10,11,12,13,14,15,16,17,3]])
word = torch.tensor([[-1,0,1,2,3,3,4,5,5,-1]])
named = (word >= 0) & (word != 4)
seen, labels = mask_named(txt, word, named, 1., 4)
test_eq(word[labels != -100].unique().numel(), 3)                             # at most half of six
assert not ((labels != -100) & ~named).any()
test_eq(torch.where(labels == -100, seen, labels), txt)
g = torch.Generator().manual_seed(0)
many, wide = txt.expand(4000,-1), word.expand(4000,-1)
hid = mask_named(many, wide, named.expand(4000,-1), .6, 4, cap=1., generator=g)[1] != -100
test_close(hid[:,1].float().mean().item(), .6, eps=.03); test_eq(hid[:,6].any().item(), False)
test_eq(hid[:,4], hid[:,5])                                                   # whole words
test_eq(hid.any(1).all().item(), True)                                        # one at least
free = mask_named(many, wide, named.expand(4000,-1), .6, 4, cap=1., control=True, generator=g)[1] != -100
test_close(free[:,6].float().mean().item(), .5, eps=.04)                      # 3 of 6 words, *with* among them
none = mask_named(many, wide, named.expand(4000,-1) & False, .6, 4, generator=g)[1] != -100
test_close(none[:,1].float().mean().item(), .21, eps=.04)                     # .15, and one of six if none was drawn
empty = mask_named(txt, torch.full_like(word, -1), named, .6, 4)
test_eq((empty[0], (empty[1] == -100).all().item()), (txt, True))
test_fail(lambda: mask_named(txt, word, named[:,:3], .6, 4), contains='named [1, 3]')
