# nbs/run/83_localise.ipynb: runs against the imported medvl.run.localise.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Masks and boxes as transfer tasks
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal
from medvl.run.downstream import Films, Steps, Transfer, films_of, tower_of

# %% [4] Masks and boxes as transfer tasks
import tempfile
import numpy as np
from dataclasses import replace
from fastcore.test import *
from medvl.data.manifest import write_manifest
from medvl.data.regions import Region
from medvl.data.study import Box, Study, View
from medvl.phantom.fields import with_fields
from medvl.phantom.set import phantom_studies

# %% [6] Classes and settings
from medvl.run.localise import (Head, classes_of, encoder)

# %% [7] Classes and settings
test_eq(classes_of(['Edema','lungs=left_lung|right_lung']), {'Edema': ['Edema'], 'lungs': ['left_lung','right_lung']})
for bad in (['a','a=b'], ['=b']): test_fail(lambda: classes_of(bad), contains='expected NAME or NAME=mark|mark')
scratch = encoder('scratch:resnet10t', Transfer(preset='mrm-pocket'))
test_eq((scratch.grid, scratch.width_loc), ((8,8), 256))
test_fail(lambda: encoder('scratch:resnet10t', Transfer()), contains='give a preset')

# %% [9] What a head reads
from medvl.run.localise import (inputs)

# %% [11] What a head reads
from medvl.run.localise import (_films, _taught, _no_truth, _without, Part, _shares)

# %% [13] Segmentation
from medvl.run.localise import (Task, segment)

# %% [15] Segmentation
from medvl.run.localise import (_over_seeds)

# %% [17] Segmentation
S = with_fields(phantom_studies(60, seed=0, size=128, difficulty='lifelike-easy'), 'lifelike-easy')[:70]
tmp = tempfile.TemporaryDirectory(); root = Path(tmp.name); t = Transfer(share=[1.,.25], seeds=2, cache=root/'films')
h = Head(small=True, epochs=8, lr=3e-3); tower = encoder('phantom-mrm', t)
lungs = classes_of(['lungs=left_lung|right_lung'])
task = segment(tower, S, lungs, t=t, h=h, out=root)
for k,r in task.result['shares'].items():
    m, n = r['mean']['lungs'], r['seeds'][0]['subset']['patients']
    print(f"share {k:4} {n:3d} patients: Dice {m['dice']}, seeds {m['by_seed']}")

# %% [18] Segmentation
again = segment(tower, S, lungs, t=t, h=h, out=root)                     # a run that is repeated reads what it had
test_eq(str(again.result), str(task.result)); test_eq(again.last, None)
test_eq(task.truth.shape[1:], (1,128,128)); test_eq(task.last.shape, task.truth.shape)
whole = segment(tower, S[:30], lungs, t=replace(t, share=[1.], seeds=1), h=replace(h, whole=True, epochs=1))
test_eq(whole.result['shares']['1']['seeds'][0]['epochs'], 1)
unet = segment(scratch, S[:30], lungs, t=replace(t, share=[1.], seeds=1), h=replace(h, epochs=1), balanced=True)
test_eq(list(unet.result['shares']['1']['mean']), ['lungs'])
test_fail(lambda: segment(tower, S, classes_of(['spleen']), t=t, h=h), contains="no training film has a mask 'spleen'")
blank = [replace(s, views=[replace(v, masks={}, boxes=[]) for v in s.views]) if s.split == 'test' else s for s in S]
test_fail(lambda: segment(tower, blank, lungs, t=t, h=h), contains="test films has a mask 'left_lung or right")
odd = replace(S[0].views[0], masks=dict(left_lung=np.ones((64,64), bool)))
test_fail(lambda: segment(tower, [replace(S[0], views=[odd]), *S[1:]], lungs, t=t, h=h),
          contains='64 x 64 pixels, the film 128 x 128')

# %% [20] Detection
from medvl.run.localise import (detect)

# %% [22] Detection
from medvl.run.localise import (_mean_map)

# %% [23] Detection
boxes = classes_of(['right=right_lung','left=left_lung'])
task = detect(tower, S, boxes, t=replace(t, share=[1.]), h=h, out=root)
r = task.result['shares']['1']
print('every film:', r['mean']['map'], r['mean']['by_seed'], '; boxes', task.result['boxes']['test'])
test_eq(len(task.last), len(task.truth)); test_eq(set(r['seeds'][0]['all']['ap']), {'right','left'})
test_close(r['seeds'][0]['all']['map']['value'], r['mean']['by_seed'][0], eps=2e-3)
again = detect(tower, S, boxes, t=replace(t, share=[1.]), h=h, out=root)
test_eq(str(again.result), str(task.result))
test_fail(lambda: detect(tower, S, classes_of(['spleen']), t=t, h=h), contains="no training film has a box 'spleen'")
test_fail(lambda: detect(tower, blank, boxes, t=t, h=h), contains="test films has a box")
odd = replace(S[0].views[0], boxes=[Box('left_lung', 200, 5, 9, 9)])
test_fail(lambda: detect(tower, [replace(S[0], views=[odd]), *S[1:]], boxes, t=t, h=h),
          contains='has no area on the film of 128 x 128')

# %% [25] A picture
from medvl.run.localise import (shown)

# %% [26] A picture
fig = shown(task); test_eq(shown(again), None)

# %% [27] A picture
tmp.cleanup()
