# nbs/eval/60_transfer.ipynb: runs against the imported medvl.eval.transfer.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [4] Frozen towers for downstream tasks
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
import numpy as np
import torch
import xxhash
from filelock import FileLock
from jaxtyping import Float
from safetensors.torch import save
from torch import Tensor, nn
from tqdm import tqdm
from medvl.core import SLOTS, Aligner, Batch, Feat, MedvlError
from medvl.files import cache_dir, save_json
from medvl.data.batch import StudyDL, sample_loader
from medvl.data.cache import film_key
from medvl.data.identity import doubtful
from medvl.data.preset import Preset
from medvl.data.splits import fold_of
from medvl.data.study import Sample, Study, View

# %% [5] Frozen towers for downstream tasks
from fastcore.test import *
from medvl.toy import square_sample, toy_vit
from medvl.models.checkpoint import from_pretrained
from medvl.models.vision import VisionTower
from medvl.run.model import shipped
from dataclasses import replace
import matplotlib.pyplot as plt
import shutil, tempfile, time

# %% [7] A tower
from medvl.eval.transfer import (Tower)

# %% [9] A tower
towers = {k: Tower(from_pretrained(p), (json.loads((p/'config.json').read_text())['extra'] or {}).get('preset'), k)
          for k,p in shipped().items()}
for k,t in towers.items():
    print(f"{k:14} global {t.width}, cells {t.grid} x {t.width_loc}, films of {t.preset.size} pixels, {t.key()[:8]}")
own = Preset('toy', 32, 32, 32, .3, .2)
toy = Tower(VisionTower(**toy_vit(32)), own, 'toy'); x = torch.randn(2, 1, 32, 32)
with torch.no_grad(): f, g = toy(x), towers['phantom-clip'](torch.zeros(2, 1, 128, 128))
test_eq((f.glob.shape, f.loc.shape, f.grid), ((2, 96), (2, 16, 96), (4, 4))); test_eq(g.glob.shape, (2, 128))
clip = from_pretrained(shipped()['phantom-clip'])
with torch.no_grad():
    test_close(Tower(clip)(x := torch.randn(2, 1, 128, 128)).glob, clip.vision.eval()(x).glob)     # not projected
    test_close(Tower(clip, space='shared')(x).glob, clip.encode_image(x[:,None]).glob)
test_eq(toy.key(), toy.key()); test_ne(toy.key(), towers['phantom-clip'].key())
test_fail(lambda: Tower(VisionTower(**toy_vit(32))), contains='give a preset')
test_fail(lambda: Tower(toy.net, own, space='shared'), contains='no space shared')
test_fail(lambda: Tower(toy.net, own, space='all'), contains="expected 'tower'")

# %% [11] A tower
from medvl.eval.transfer import (random_tower)

# %% [12] A tower
blank = random_tower(towers['phantom-clip'])
test_eq((blank.width, blank.grid), (128, (8, 8))); test_eq(random_tower(blank).key(), blank.key())
test_ne(random_tower(blank, 1).key(), blank.key())
plain = nn.Module(); plain.encoder = nn.Linear(1, 1); test_fail(lambda: random_tower(plain), contains='no config')

# %% [14] Features that are kept
from medvl.eval.transfer import (Rows)

# %% [15] Features that are kept
tmp = tempfile.TemporaryDirectory(); box = Path(tmp.name); r = Rows(box/'x.rows', (2,)); key = lambda i: f'{i:032x}'
r.add([key(0), key(1)], np.array([[0., 1], [2, 3]])); r.add([key(2)], np.array([[4., 5]]))
test_eq(Rows(box/'x.rows', (2,)).map(), np.arange(6.).reshape(3, 2)); test_eq(Rows(box/'x.rows', (2,)).row[key(2)], 2)
with (box/'x.rows').open('r+b') as f: f.truncate(20)                        # killed in the middle of the third row
r.refresh(); test_eq(len(r), 2); r.add([key(3)], np.array([[6., 7]]))
test_eq(Rows(box/'x.rows', (2,)).map()[2], [6, 7])

# %% [16] Features that are kept
from medvl.eval.transfer import (Cells, Features)

# %% [17] Features that are kept
from medvl.eval.transfer import (SEEN, _facts, feature_folder)

# %% [18] Features that are kept
from medvl.eval.transfer import (features, _encode)

# %% [19] Features that are kept
rng = np.random.default_rng(0); smp = [square_sample(i, 120, rng) for i in range(120)]
views, at = [s.slots[0] for s in smp], [time.perf_counter()]
one = features(toy, views, local=True, dir=box/'toy'); at.append(time.perf_counter())
two = features(toy, views[::-1], local=True, dir=box/'toy'); at.append(time.perf_counter())
print(f"{one.computed} films in {at[1]-at[0]:.2f} s; again, in another order: {two.computed} in {at[2]-at[1]:.3f} s")
test_eq((one.computed, two.computed, one.loc.shape), (120, 0, (120, 4, 4, 96))); test_eq(one.glob, two.glob[::-1])
with torch.no_grad(): f = toy(torch.cat([Batch.of(b).img[:,0] for b,_ in toy.loader(views)]))
test_close(one.glob, f.glob.numpy(), eps=1e-5); test_close(one.loc[7], f.loc[7].reshape(4, 4, 96).numpy(), eps=5e-3)
test_eq(one.loc[[3, 5]].shape, (2, 4, 4, 96)); test_eq(features(toy, views[:9], dir=box/'toy').computed, 0)

# %% [21] Features that are kept
wide = Tower(toy.net, replace(own, mean=.4), 'wide')
test_fail(lambda: features(wide, views, dir=box/'toy'), contains='preset.mean was 0.3, is 0.4')
test_fail(lambda: features(random_tower(toy), views, dir=box/'toy'), contains='weights was')
test_ne(feature_folder(wide).name, feature_folder(toy).name)
test_fail(lambda: features(toy, []), contains='no film')
test_fail(lambda: features(toy, [View(path='gone.png', id='gone')], dir=box/'toy'), contains='gone.png')
for o in (wide, toy): shutil.rmtree(feature_folder(o))

# %% [23] Uncertain labels
from medvl.eval.transfer import (POLICIES, CHEXPERT5, MGCA_UNCERTAIN, label_table, settle)

# %% [24] Uncertain labels
names = ['Edema','Pneumonia']; raw = np.array([[1, -1], [-1, 0], [0, np.nan]])
y, stay, n = settle(raw, names, dict(Edema='ones', Pneumonia='ignore'))
np.testing.assert_array_equal(y, [[1, np.nan], [1, 0], [0, 0]]); test_eq(stay, [True]*3)
test_eq(n['Edema'], dict(present=1, absent=1, uncertain=1, not_mentioned=0, rule='ones', blank='zeros'))
test_eq(settle(raw, names, 'drop')[1], [False, False, True])
np.testing.assert_array_equal(settle(raw, names, 'raw', 'ignore')[0], raw)
test_eq(settle(raw, names, 'zeros')[0], np.array([[1, 0], [0, 0], [0, 0]]))
test_fail(lambda: settle(raw, names, 'half'), contains="unknown rule 'half'")
test_fail(lambda: settle(raw, names, dict(Edema='ones')), contains='Pneumonia')
some = [replace(s, labels=dict(square=1.)) for s in smp[:3]]
test_eq(label_table(some, ['square']), np.ones((3, 1)))
test_fail(lambda: label_table(some, ['Edema']), contains='there are square')            # a label file with other names

# %% [26] Patients, splits, subsets
from medvl.eval.transfer import (parts, label_order)

# %% [27] Patients, splits, subsets
from medvl.eval.transfer import (Share, subset)

# %% [29] Patients, splits, subsets
rng = np.random.default_rng(1); sick = rng.random((700, 3)) < [.3, .1, .01]
group = np.repeat(np.arange(700), rng.integers(1, 6, 700)).astype(str)
y = (sick[group.astype(int)] & (rng.random((len(group), 3)) < .8)).astype(float); three = ['common','less','rare']
shares = [.01, .02, .05, .1, .2, .5, 1]
ours = np.array([[y[subset(y, three, group, p, s).rows, 1].mean() for p in shares] for s in range(20)])
def some(p, s): return np.isin(group, np.random.default_rng(s).permutation(700)[:max(1, round(700*p))].astype(str))
plain = np.array([[y[some(p, s), 1].mean() for p in shares] for s in range(20)])
fig, ax = plt.subplots(figsize=(4.6, 2.4), dpi=80, layout='constrained')
for v, label, c in ((plain, 'random patients', '#D55E00'), (ours, 'subset', '#0072B2')):
    ax.fill_between(shares, v.min(0), v.max(0), alpha=.3, color=c, lw=0, label=label)
ax.axhline(y[:,1].mean(), c='k', lw=.8); ax.legend()
ax.set(xscale='log', xlabel='share of the patients', ylabel='prevalence of "less"')
assert np.ptp(ours, 0)[3] < np.ptp(plain, 0)[3]

# %% [30] Patients, splits, subsets
a, b, c = (subset(y, three, group, p, 3) for p in (.01, .1, 1)); print(a, b, c, sep='\n')
assert set(a.rows) < set(b.rows) < set(c.rows) and not set(group[a.rows]) & set(np.delete(group, a.rows))  # whole
test_eq(subset(y, three, group, .1, 3).rows, b.rows); assert len(c.rows) == len(y) and not c.absent
test_eq(len(set(label_order(y, group))), 700); assert not np.array_equal(subset(y, three, group, .1, 4).rows, b.rows)
lone = y*[1, 1, 0]; test_eq(subset(lone, three, group, .01).absent[-1], 'rare')       # a stated outcome, not a crash
test_fail(lambda: subset(y, three, group, 0), contains='above 0')
test_fail(lambda: subset(y[:,:0], [], group), contains='none of these films has a label')
made = [replace(s, split=('train','val','test')[i%3]) for i,s in enumerate(smp)]
test_eq({k: len(v) for k,v in parts(made)[0].items()}, dict(train=40, val=40, test=40))
test_eq(parts([replace(s, split='test' if s.split == 'val' else 'train') for s in smp])[1], True)
test_fail(lambda: parts([replace(s, group='p', patient='p') for s in made]), contains='in several splits')
test_fail(lambda: parts([replace(s, split='train') for s in smp]), contains='no film in test')

# %% [33] On real films
import json
from pathlib import Path
from IPython.display import Markdown
def saved(name): return json.loads(Path(f'../../results/{name}.json').read_text())
def span(v): return f"{v['value']:.3f} [{v['low']:.3f}, {v['high']:.3f}]"
def table(head, rows):
    return Markdown('\n'.join(f"| {' | '.join(map(str, o))} |" for o in [head, ['---']*len(head), *rows]))
real, names = saved('transfer_real')['sets'], dict(nih='findings of ChestX-ray14', covid='COVID-19, other causes')
rows = [[names[k], t, share, o['splits']['test']['patients'], span(v['macro']['auroc'])]
        for k,o in real.items() if k in names for t,each in o['towers'].items() for share,v in each.items()]
table(['labels', 'tower', 'share of the labels', 'test patients', 'AUROC, mean'], rows)

# %% [34] On real films
lungs = saved('real_lungs')['systems']
def scores(o):
    probe = [o.get('labels', {}).get(k, {}).get('auroc') for k in ('0.1','1')]
    got = [o['dice']['dice'], o.get('map', {}).get('map'), *probe]
    return [span(v) if v else '-' for v in got]
table(['tower', 'lungs, Dice', 'right and left lung, mAP', 'ChestX-ray14, 10 % of the labels', 'all labels'],
      [[k, *scores(o)] for k,o in lungs.items()])

# %% [35] On real films
def apart(a, b): return a['low'] > b['high'] or b['low'] > a['high']
for k in names:
    for share in (t := real[k]['towers'])['phantom-clip']:
        r = next(o for n,o in t.items() if 'random' in n)[share]['macro']['auroc']
        assert not any(apart(o[share]['macro']['auroc'], r) for n,o in t.items() if share in o)
each = [[o['dice']['dice'] for o in lungs.values()], [o['map']['map'] for o in lungs.values() if 'map' in o]]
assert not any(apart(a, b) for o in each for a in o for b in o)

# %% [37] On real films
kept = saved('transfer_cache'); n = kept['ratio']
print(f"{kept['films']} films: features {n['features']:.1f} times as fast, features and probe {n['whole']:.1f} times")
assert n['features'] > 10

# %% [38] On real films
tmp.cleanup()
