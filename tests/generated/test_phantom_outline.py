# nbs/phantom/21_outline.ipynb: runs against the imported medvl.phantom.outline.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] The body's outline
import numpy as np
from jaxtyping import Bool, Float
from medvl.phantom.anatomy import Anatomy, MU, wall
from medvl.phantom.projection import Geometry

# %% [4] The body's outline
from dataclasses import replace
from fastcore.test import *
from io import BytesIO
from IPython.display import Image as Picture, display
import matplotlib.pyplot as plt
from medvl.phantom.anatomy import draw_anatomy, lung
from medvl.phantom.bones import bones
from medvl.phantom.projection import Quality, draw, expose, mark, occupied, rays, whole, window
from medvl.phantom.vessels import vessels

# %% [6] The body's outline
from medvl.phantom.outline import (_mid, chest, _ell)

# %% [8] The body's outline
from medvl.phantom.outline import (body, _plain, _breasts)

# %% [10] The body's outline
from medvl.phantom.outline import (skin, _side)

# %% [11] The body's outline
from medvl.phantom.outline import (_frontal)

# %% [12] The body's outline
b = draw_anatomy(np.random.default_rng(0), style=2); Z,F,B = skin(b)
assert (F < -4).all() and (B > 7).all()
assert (wall(b, np.pi, Z[:30])[1] > F[:30]).all() and (wall(b, 0., Z[:30])[1] < B[:30]).all()  # the cage is inside
for view in ('PA','LL'):
    p,chord = body(replace(b, breast=0.), Geometry(view), 96); assert chord[0,0] == chord[0,-1] == 0, view
    assert chord[60,48] > 15; test_close(p[60,48], .2*chord[60,48]-.02*2*b.fat, 1e-5)  # muscle in two coats of fat

# %% [14] A first film
a = draw_anatomy(np.random.default_rng(4), style=2); G, q, n = Geometry('PA', cz=-1.5), Quality(glare=.15), 224
R = rays(G, 112, ((-a.width-.5,-a.front-1,a.base-8),(a.width+.5,a.back+1,a.apex+.5)))
air = sum(occupied(lung(a, R.x, R.y, R.z, o), R.step) for o in ('right','left'))
p,chord = body(a, G, n); v,left = vessels(a)
v = v[np.where(left, lung(a, *v.xyz.T, 'left'), lung(a, *v.xyz.T, 'right')) < -.1]
soft = p - whole((air*R.dl).sum(0), R, n)*(MU['soft']-a.lung_mu); vp = draw(v, G, n)*.62; bp = draw(bones(a), G, n)
steps = dict(body=p, lungs=soft, vessels=soft+vp, bones=soft+vp+bp)
fig,ax = plt.subplots(1, 5, figsize=(13,2.8))
for o,(k,img) in zip(ax, steps.items()): o.imshow(img, cmap='gray'); o.set_title(f'+ {k}')
film,_ = window(expose(soft+vp+bp, q, G.width, np.random.default_rng(0)), q, chest(a, G, chord), G.width)
ax[4].imshow(mark(film, 'L', (.1,.93)), cmap='gray', vmin=0, vmax=1); ax[4].set_title('exposed')
for o in ax: o.axis('off')
plt.tight_layout(); plt.savefig(buf := BytesIO(), format='jpg', dpi=70, pil_kwargs=dict(quality=70)); plt.close()
display(Picture(buf.getvalue()))
