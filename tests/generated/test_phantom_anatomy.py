# nbs/phantom/10_anatomy.ipynb: runs against the imported medvl.phantom.anatomy.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Anatomy
from dataclasses import dataclass
import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike
from medvl.core import MedvlError

# %% [4] Anatomy
from dataclasses import replace
from fastcore.test import *
from io import BytesIO
from IPython.display import Image, display
import matplotlib.pyplot as plt

# %% [6] What the body is made of
from medvl.phantom.anatomy import (MU, Reals, hounsfield)

# %% [7] What the body is made of
test_eq(hounsfield(MU['air']), -1000); test_eq(hounsfield(MU['soft']), 0)
test_close(hounsfield(MU['lung']), -750); assert hounsfield(MU['cortex']) > 1000

# %% [9] One patient
from medvl.phantom.anatomy import (STYLES, Anatomy)

# %% [10] One patient
test_eq(Anatomy().sex, 'F')
test_fail(lambda: Anatomy(width=130), contains='8 to 18')
test_fail(lambda: Anatomy(style=3), contains='Anatomy.style is 3')

# %% [12] One patient
from medvl.phantom.anatomy import (draw_anatomy)

# %% [13] One patient
a = draw_anatomy(np.random.default_rng(0))
test_eq(a, draw_anatomy(np.random.default_rng(0)))  # the same seed, the same patient
many = [draw_anatomy(np.random.default_rng(i)) for i in range(300)]
test_eq(len({o.width for o in many}), 300)
assert np.mean([o.width for o in many if o.sex=='M']) > np.mean([o.width for o in many if o.sex=='F'])
test_eq(len({draw_anatomy(np.random.default_rng(i), variety=0).front for i in range(9)} - {7.6, 8.4}),
        0)  # no spread: two bodies
a

# %% [15] Shapes as functions
from medvl.phantom.anatomy import (BOX, WAIST, _axis, cage, wall)

# %% [16] Shapes as functions
psi = np.linspace(.2, 3, 50)
for zz in (-8, 0, 8):
    x,y = wall(a, psi, np.full(50, float(zz)))
    assert np.abs(cage(a, x, y, np.full(50, float(zz)))).max() < 1e-3  # the wall is where the cage's function is zero
test_close(wall(a, np.pi/2, a.base)[0], a.width, 1e-6)
assert cage(a, 0., 0., 0.) < 0 < cage(a, 20., 0., 0.)

# %% [18] Shapes as functions
from medvl.phantom.anatomy import (dome)

# %% [19] Shapes as functions
top = dome(a, .47*a.width, -1.5, 'left')
test_close(top, a.base-a.dome_gap, 1e-5)
assert dome(a, .47*a.width, 6., 'left') < dome(a, .47*a.width, -6., 'left') < top  # deepest behind
test_close(dome(replace(a, lift_r=2.), -6., 0., 'right') - dome(a, -6., 0., 'right'), 2, 1e-5)

# %% [21] Shapes as functions
from medvl.phantom.anatomy import (spine_x, spine_y, heart_parts, mediastinal_tubes)

# %% [22] Shapes as functions
c, axes, half = heart_parts(a)[0]
test_close(axes @ axes.T, np.eye(3), 1e-9)  # an orthonormal frame
th = np.linspace(0, 2*np.pi, 400)
sph = np.array([np.outer(np.cos(th), np.sin(th)).ravel(), np.outer(np.sin(th), np.sin(th)).ravel(),
                np.tile(np.cos(th), 400)])
xs = np.concatenate([(((sph.T*h)@ax)+o)[:,0] for o,ax,h in heart_parts(a)])
test_close((xs.max()-xs.min())/(2*a.width), a.ctr, 2e-3)  # the heart is as wide as asked

# %% [23] Shapes as functions
from medvl.phantom.anatomy import (_ellipsoid, _capsule)

# %% [25] Shapes as functions
from medvl.phantom.anatomy import (edges, block, heart)

# %% [26] Shapes as functions
from medvl.phantom.anatomy import (_septum, _wedges, _rise, mediastinum, _put)

# %% [28] Shapes as functions
from medvl.phantom.anatomy import (lung)

# %% [29] Shapes as functions
r = lambda *p: float(lung(a, *map(np.float32, p), side='right'))
assert r(-7, 0, 0) < 0 < r(7, 0, 0)  # the right lung is on the right
assert r(-7, 0, -19) > 0  # not below the dome
assert heart(a, 3, -2, a.base+4) < 0 < r(-.5, -2, a.base+4)

# %% [31] Shapes as functions
from medvl.phantom.anatomy import (LOBES, lobe)

# %% [32] Shapes as functions
p = tuple(np.random.default_rng(1).uniform(-8, 8, (3, 1000)))
inside = np.stack([lobe(a, *p, 'right', o) < 0 for o in LOBES['right']])
test_eq(inside.sum(0).max(), 1); assert inside.any(0).mean() > .999  # every point is in exactly one lobe
test_fail(lambda: lobe(a, *p, 'left', 'middle'), contains="no left middle")

# %% [33] Shapes as functions
fig,ax = plt.subplots(1, 2, figsize=(8,4.2))
g = np.linspace(-20, 16, 160, dtype=np.float32); h = np.linspace(-16, 16, 160, dtype=np.float32)
X,Z = np.meshgrid(h, g[::-1]); 
img = sum((i+1)*(lung(a, X, X*0+1, Z, o) < 0) for i,o in enumerate(('right','left'))) + 3*(heart(a, X, X*0-1, Z) < 0)
ax[0].imshow(img, extent=(-16,16,-20,16), cmap='Greys'); ax[0].set_title('coronal cut')
Y,Z2 = np.meshgrid(h, g[::-1])
ax[1].imshow((lung(a, 0*Y+6, Y, Z2, 'left') < 0)+2*(heart(a, Y*0+6, Y, Z2) < 0), extent=(-16,16,-20,16),
             cmap='Greys'); ax[1].set_title('sagittal cut, 6 cm left')
plt.tight_layout(); plt.savefig(buf := BytesIO(), format='jpg', dpi=70, pil_kwargs=dict(quality=70)); plt.close()
display(Image(buf.getvalue()))
