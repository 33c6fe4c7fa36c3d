# nbs/phantom/20_projection.ipynb: runs against the imported medvl.phantom.projection.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Projection
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
import numpy as np
from jaxtyping import Bool, Float, UInt8
from PIL import Image, ImageDraw, ImageFont
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from scipy import fft as sfft
from scipy import ndimage as ndi
from scipy.special import j1
from medvl.core import MedvlError
from medvl.files import written
from medvl.phantom.anatomy import Reals
from medvl.phantom.bones import Strokes

# %% [4] Projection
import os
from fastcore.test import *
from io import BytesIO
from IPython.display import Image as Picture, display
import matplotlib.pyplot as plt
from tempfile import TemporaryDirectory
from medvl.data.dicom import read_dicom
from medvl.phantom.bones import tube

# %% [6] The cone
from medvl.phantom.projection import (VIEWS, Geometry)

# %% [7] The cone
g = Geometry(); c,r,M = g.project(np.array([[0,0,-1.5],[10,0,-1.5],[0,0,8.5]]), 224)
test_close(c[0], 111.5); test_close(r[0], 111.5)
assert c[1] > c[0] and r[2] < r[0]  # left of the patient: right of the film
test_close(M[0], 180/(180-12), 1e-4)
heart = np.array([[0,-5.,0]])
assert Geometry('AP', sdd=105).project(heart, 224)[2] > 1.1*g.project(heart, 224)[2]  # the AP heart is larger
test_fail(lambda: Geometry('RL'), contains="'RL'")

# %% [9] The cone
from medvl.phantom.projection import (Rays, rays, occupied, whole, _up)

# %% [11] The cone
ball = lambda R, o=(0,0,0), r=4.: np.sqrt((R.x-o[0])**2+(R.y-o[1])**2+(R.z-o[2])**2)-r
for view in VIEWS:
    G = Geometry(view, cz=0.); R = rays(G, 112, ((-6,-6,-6),(6,6,6)))
    chord = whole((occupied(ball(R), R.step)*R.dl).sum(0), R, 224)
    test_close(chord.max(), 8, .15)
    M = G.project(np.zeros((1,3)), 224)[2][0]
    test_close(chord.sum()*(39/224/M)**2/(4/3*np.pi*64), 1, .02)

# %% [13] Thin structures
from medvl.phantom.projection import (RADII, _jinc, draw)

# %% [15] Thin structures
G = Geometry(sdd=1e6, cz=0.)  # parallel rays
p = draw(tube([(-12,0,0),(12,0,0)], 1., .2), G, 256, blur=0)
test_close(p[:,128].max(), .4, .012)
test_close(p[:,128].sum()*39/256, .2*np.pi, .01)  # cross-section
q = draw(tube([(0,-3,0),(0,3,0)], .5, .2), G, 256, blur=0); test_close(q.max(), .2*6, .25)
test_close(q.sum()*(39/256)**2, .2*np.pi*.25*6, .01)

# %% [17] From the integral to the film
from medvl.phantom.projection import (Quality, expose)

# %% [19] From the integral to the film
q0 = Quality(scatter=0., electronic=0., blur=0.)
P = expose(np.full((128,128), 2., np.float32), q0, 12.8, np.random.default_rng(0))
test_close(P.mean(), 2, .002)
test_close(P.std(), 1/np.sqrt(8e4*np.exp(-2)), .001)  # relative noise: one over the root of the counts
test_eq(expose(np.zeros((8,8),np.float32), Quality(), 1., np.random.default_rng(5)),
        expose(np.zeros((8,8),np.float32), Quality(), 1., np.random.default_rng(5)))

# %% [20] From the integral to the film
from medvl.phantom.projection import (window, _wide)

# %% [22] From the integral to the film
from medvl.phantom.projection import (_letter, mark, collimate)

# %% [24] Files
from medvl.phantom.projection import (ORIENT, write_png, write_dicom)

# %% [25] Files
ramp = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (64,1))
with TemporaryDirectory() as d:
    for bits,inv in ((12,False),(15,True)):
        f = read_dicom(write_dicom(ramp, Path(d)/'a.dcm', bits=bits, invert=inv, study='s1'))
        test_close(f.px[0].numpy(), ramp, 1e-3)
    test_fail(lambda: write_dicom(ramp, Path(d)/'a.dcm', bits=16), contains='12 to 15')
    test_eq(os.listdir(d), ['a.dcm'])  # no half file left
    test_eq(np.asarray(Image.open(write_png(np.arange(16, dtype=np.uint8).reshape(4,4), Path(d)/'b.png'))).ravel(),
            np.arange(16))
f.info
