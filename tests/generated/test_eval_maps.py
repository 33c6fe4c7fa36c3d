# nbs/eval/20_maps.ipynb: runs against the imported medvl.eval.maps.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Maps
import textwrap
from difflib import get_close_matches
from collections.abc import Iterable, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple
import matplotlib.pyplot as plt
import numpy as np
import torch
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from scipy.ndimage import gaussian_filter
from torch import Tensor
from medvl.core import Aligner, Feat, MedvlError
from medvl.data.batch import pad_texts
from medvl.data.preset import Preset, crop_box, cut, decode_film
from medvl.data.report import chexpert_labels
from medvl.data.study import Box, Study, View
from medvl.data.tokens import encode
from medvl.losses.local import sim_map

# %% [4] Maps
from fastcore.test import *
from medvl.data.tokens import train_tokenizer
from medvl.models.vision import VisionTower

# %% [6] The window of a film
from medvl.eval.maps import (Window, window)

# %% [8] The window of a film
test_eq(window(1000, 2000, 'alta'), Window(62.5, 562.5, 875., 875.))
test_eq(window(2000, 1000, 'alta'), Window(562.5, 62.5, 875., 875.))
test_eq(window(300, 300, 'clip'), Window(0., 0., 300., 300.))  # all of a square film
odd = window(333, 517, 'alta')  # rounding to whole bytes moves an edge by less than a stored pixel
assert abs(odd.height-333*.875) < 1 and abs(odd.top+odd.height/2-333/2) < 1 and abs(odd.left+odd.width/2-517/2) < 1
odd

# %% [10] Boxes there and back
from medvl.eval.maps import (to_square, to_film)

# %% [12] Boxes there and back
win = window(1000, 2000, 'alta')
box = [[1000., 500., 250., 125.], [462.5, 62.5, 275., 875.], [0., 0., 50., 50.]]
got = to_square(box, win, 224)
test_close(got[:2], [[112., 112., 64., 32.], [0., 0., 175*.256, 224.]])
test_close(got[2,2:], [0., 0.])                                     # never seen
test_close(to_film(to_square(box, win, 224, clip=False), win, 224), box)  # and back, all three
test_close(to_film([[0,0,224,224]], win, 224), [[win.left, win.top, win.width, win.height]])

# %% [14] Boxes there and back
def painted(h, w, x, y, bw, bh):
    px = np.zeros((h, w), np.uint8); px[y:y+bh, x:x+bw] = 255
    return View(id=f'{h}x{w}', px=px)

for h,w,b in ((512,512,(128,64,100,200)), (600,900,(400,150,160,90)), (900,600,(150,380,90,160))):
    for name in ('alta','clip','imagenet'):
        p = Preset.of(name)
        seen = cut(decode_film(painted(h, w, *b), p.decode), p, p.size)[0].numpy() > .5
        y, x = np.nonzero(seen)
        bright = [x.min(), y.min(), x.max()+1-x.min(), y.max()+1-y.min()]
        test_close(to_square([b], window(h, w, p), p.size)[0], bright, eps=1.01)  # to a pixel of the square

# %% [16] From cells to pixels
from medvl.eval.maps import (axis_weights, on_film)

# %% [18] From cells to pixels
W, inside = axis_weights(4, 0, 4, 2)
test_close(W, [[1,0],[.75,.25],[.25,.75],[0,1]])
test_eq(axis_weights(4, 0, 4, 2, nearest=True)[0], [[1,0],[1,0],[0,1],[0,1]])
test_eq(axis_weights(4, 1, 2, 2)[1], [False,True,True,False])
g = np.random.default_rng(0).normal(size=(3,14,14))
torch_way = torch.nn.functional.interpolate(torch.tensor(g)[None], (150,90), mode='bilinear', align_corners=False)[0]
test_close(on_film(g, Window(0,0,150,90), (150,90)), torch_way.numpy(), eps=1e-5)
blocks = torch.nn.functional.interpolate(torch.tensor(g)[None], (112,112), mode='nearest')[0]
test_close(on_film(g, Window(0,0,112,112), (112,112), nearest=True), blocks.numpy(), eps=1e-5)

# %% [20] From cells to pixels
one = np.zeros((7,7)); one[2,4] = 1
h, w, win = 600, 900, window(600, 900, 'alta')
blk = on_film(one, win, (h,w), nearest=True)
y, x = np.nonzero(np.nan_to_num(blk) > .5)
bx = to_film([[4*32, 2*32, 32, 32]], win, 224)[0]
test_close([x.min(), y.min(), x.max()+1, y.max()+1], [bx[0], bx[1], bx[0]+bx[2], bx[1]+bx[3]], eps=1.)
test_close(np.isnan(blk).mean(), 1-win.height*win.width/(h*w), eps=.01)
soft = on_film(one, win, (h,w))
peak = np.unravel_index(np.nanargmax(soft), soft.shape)
test_close([peak[1]+.5, peak[0]+.5], [bx[0]+bx[2]/2, bx[1]+bx[3]/2], eps=1.)  # the peak is the cell's centre
test_eq(on_film(one, win, (h,w), shape=(60,90)).shape, (60,90))
wide = on_film(one, win, (h,w), sigma=1.5)
assert np.nanmax(wide) < .1 and abs(np.nansum(wide)/np.nansum(soft)-1) < .05  # spread, not lost
bad = np.ones((3,3)); bad[1,1] = np.nan
test_fail(lambda: on_film(bad, win, (h,w)), contains='1 cells without a value')

# %% [21] From cells to pixels
fig, axs = plt.subplots(1, 3, figsize=(7,1.9), dpi=75, layout='constrained')
for ax,(t,m) in zip(axs, {'blocks': blk, 'bilinear': soft, 'Gaussian first': wide}.items()):
    ax.imshow(m, cmap='viridis'); ax.set_title(t, fontsize=8); ax.axis('off'); ax.set_facecolor('k')
plt.show()

# %% [23] Phrases
from medvl.eval.maps import (check_phrase)

# %% [24] Phrases
tok = train_tokenizer(['left pleural effusion', 'right basal opacity', 'no pneumothorax or effusion']*5, 200)
test_eq(check_phrase(tok, 'left effusion'), [])
test_eq(check_phrase(tok, 'left эффузия'), ["The model's vocabulary does not contain 'эффузия'."])
test_eq(check_phrase(tok, 'left effusoin')[0],
        "The vocabulary has 'effusoin' only in pieces; did you mean 'effusion'?")
test_eq(check_phrase(tok, 'no rnaeleu')[0], "The vocabulary can only spell 'rnaeleu', so the map may mean nothing.")
test_fail(lambda: check_phrase(tok, ' \n'), contains='empty')
test_fail(lambda: check_phrase(tok, 'выпот слева'), contains="knows no word of 'выпот слева'")
test_fail(lambda: check_phrase(tok, 'effusion '*600), contains='602 tokens (5,400 characters)')

# %% [25] Phrases
from medvl.eval.maps import (evaluating, phrase_feats)

# %% [27] One function for every method
from medvl.eval.maps import (ground, film_tensor)

# %% [29] One function for every method
class Shade(Aligner):
    "Cells of 16 x 16 pixels; bright is (1,0), dark is (0,1)."
    calls = 0
    def __init__(self, tok):
        super().__init__()
        self.ids, self.p = tok.convert_tokens_to_ids(['bright','dark']), torch.nn.Parameter(torch.eye(2))
    def encode_image(self, img, msk=None):
        self.calls += 1
        x = torch.nn.functional.avg_pool2d(img, 16)[:,0]
        loc = torch.stack([x, 1-x], -1).flatten(1,2)
        return Feat(torch.nn.functional.normalize(loc.mean(1), dim=-1), loc, grid=tuple(x.shape[1:]))
    def encode_text(self, txt, msk=None, word=None):
        is_word = torch.stack([txt == i for i in self.ids], -1).float() @ self.p
        keep = is_word.sum(-1) > 0
        return Feat(torch.nn.functional.normalize(is_word.sum(1), dim=-1), is_word, keep)

btok = train_tokenizer(['bright','dark','bright dark']*9, 60)
toy = Shade(btok)
img = torch.zeros(2,1,64,64); img[0,:,16:32,32:48] = 1; img[1] = 1
m = ground(toy, img, phrase_feats(toy, btok, ['bright','dark']))
test_eq(m.shape, (1,2,2,4,4))
want = torch.zeros(4,4); want[1,2] = 1
test_close(m[0,0,0], want); test_close(m[0,0,1], 1-want); test_close(m[0,1,0], torch.ones(4,4))
toy.grounds_by = 'words'
both = phrase_feats(toy, btok, ['bright dark'])
test_close(ground(toy, img, both)[0,:,0], torch.full((2,4,4), .5))

# %% [31] One function for every method
toy.calls = 0
f = toy.encode_image(img)
test_eq(ground(toy, f, phrase_feats(toy, btok, ['bright']*5)).shape, (1,2,5,4,4)); test_eq(toy.calls, 1)

class TwoLooks(Shade):
    def maps(self, img, txt):
        m = sim_map(img, txt.glob)
        return torch.stack([m, 2*m])
two = TwoLooks(btok).train()
test_close(ground(two, img, both[:1])[1], 2*ground(two, img, both[:1])[0]); assert two.training

class Wrong(Shade):
    def maps(self, img, txt): return sim_map(img, txt.glob)
test_fail(lambda: ground(Wrong(btok), img, both), contains='Wrong.maps gave [2, 1, 4, 4]')
class Blind(Shade):
    def encode_image(self, img, msk=None): return Feat(torch.ones(len(img),2))
test_fail(lambda: ground(Blind(btok), img, both), contains='no local features')

# %% [33] A calibrated scale
from medvl.eval.maps import (Scale)

# %% [35] A calibrated scale
from medvl.eval.maps import (clear_views)

# %% [36] A calibrated scale
def reported(who, said): return Study(who, who, views=[View(id=f'{who}1', px=film.px)], report=said)
film = painted(32, 32, 8, 8, 4, 4)
four = [reported('a', 'No effusion or pneumothorax.'), reported('b', 'Left pleural effusion.'),
        reported('c', 'No pneumothorax.'), reported('c', 'No effusion.')]
test_eq([v.id for v in clear_views(four)], ['a1','c1'])                  # one of each patient
test_fail(lambda: clear_views(four[1:3]), contains='1 frontal films of patients without a finding')

# %% [38] A calibrated scale
off = [np.array([[0.,0,0,k]]) for k in (1.,2.,3.)]
test_eq(Scale.against(off, .5), Scale(0., 2., 3., 3))
test_eq(Scale.against(off, .5).claimed(np.array([[0.,2.,2.1,9.,np.nan]])), .5)
test_eq(Scale.of(np.array([[1.,5.,np.nan]])), Scale(1., 4., 5.))
test_eq(Scale.of(np.ones((2,2))), Scale(1., 1.75, 2.))
test_fail(lambda: Scale.against(off[:1]), contains='at least 2, got 1')

# %% [40] Interactive use
from medvl.eval.maps import (Asker)

# %% [41] Interactive use
tiny = Preset('tiny', 64, 64, 64)
toy.calls, toy.grounds_by = 0, 'glob'
asker, film = Asker(toy, btok, tiny), painted(64, 96, 48, 16, 16, 16)  # rows, columns, and a bright rectangle
m, notes = asker.ask(film, 'bright')
test_eq((m.shape, notes), ((1,64,96), []))
test_eq(int(np.isnan(m).sum()), 64*32)                                  # 16 columns on each side were cut away
test_eq(divmod(int(np.nanargmax(m[0])), 96), (23,55))                   # in the bright cell: rows 16-32, columns 48-64
asker.ask(film, 'dark'); asker.ask(film, ' bright  ')
test_eq((toy.calls, len(asker.maps)), (1, 2))                           # one film, two phrases
test_fail(lambda: asker.ask(film, ''), contains='empty')
test_fail(lambda: asker.ask(View(id='lost', path='/no/such.png'), 'dark'), contains='/no/such.png')
black = [painted(64, 96, 48, 16, 16, 0) for _ in range(3)]                # nothing bright on them
strict = Asker(Shade(btok), btok, tiny, controls=black, kinds=('lateral',))
test_eq(strict.scale('bright')[0].films, 3)
test_eq(strict.ask(film, 'bright')[1], ['This is a frontal film; the model was trained on lateral films.'])
assert strict.ask(black[0], 'bright')[1][-1].endswith('3 films without the finding: it claims no place.')
test_close(strict.scale('bright')[0].claimed(strict.on(film, 'bright')[0]), (2/4)**2)  # a cell, half a cell around it

# %% [43] Interactive use
tower = VisionTower('vit_small_cpu', size=128)
x = torch.zeros(1,1,128,128); r = tower.patch; x[:,:,2*r:3*r,5*r:6*r] = 1
with torch.no_grad():
    tower.net.patch_embed.proj.weight.fill_(1.); tower.net.patch_embed.proj.bias.zero_()
    cell = tower.net.patch_embed(x)[0].sum(-1).view(tower.grid)
test_eq(divmod(int(cell.argmax()), tower.grid[1]), (2,5))

# %% [45] The figure
from medvl.eval.maps import (heat)

# %% [46] The figure
from medvl.phantom.set import phantom_studies
pair = phantom_studies(2, seed=2, size=128, difficulty='lifelike')
v = next(v for s in pair for v in s.frontals if 'Pleural Effusion' in v.masks)
truth, (h, w) = v.masks['Pleural Effusion'], v.px.shape
b = next(b for b in v.boxes if b.label == 'Pleural Effusion')
guess = np.zeros((14,14)); guess[int((b.y+b.h/2)/h*14), int((b.x+b.w/2)/w*14)] = 1
m = on_film(guess, window(h, w, 'alta'), (h,w), sigma=1.5)
ax = heat(v.px, m, 'a made-up map of an effusion', truth, [b])
test_eq(ax.get_title(), 'a made-up map of an effusion')
test_eq(len(ax.figure.axes), 2)  # the film, and the colour bar
test_eq(len(heat(v.px, m, 'x'*99, bar=False).get_title().replace('\n', '')), 60); plt.close()

# %% [48] The figure
from medvl.eval.maps import (heats)

# %% [49] The figure
fig, said = heats(Asker(two.eval(), btok, tiny), film, ['bright','dark'], dpi=50)
test_eq([ax.get_title() for ax in fig.axes[:4]], ['bright (look 0)','dark (look 0)','bright (look 1)','dark (look 1)'])
test_eq((said[0]['y'], said[0]['x']), (23,55)); assert 1.75 < said[0]['highest'] <= 2
test_eq(len(heats(asker, film, ['bright'], looks=False)[0].axes), 2); plt.close()
fig, said = heats(strict, film, ['bright'], dpi=60)                      # the film, and a black one on the same scale
test_eq([ax.get_title() for ax in fig.axes[:2]], ['bright','control: bright']); plt.show()
test_close(said[0]['claimed'], 1/4); test_eq(heats(strict, black[1], ['bright'])[1][0]['claimed'], 0.); plt.close()
