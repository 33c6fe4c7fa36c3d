# nbs/eval/33_temporal.ipynb: runs against the imported medvl.eval.temporal.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Change between two visits
from collections.abc import Mapping, Sequence
from typing import Any
import numpy as np
from jaxtyping import Float, Int
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from medvl.core import MedvlError
from medvl.files import jsonable
from medvl.data.splits import fold_of
from medvl.eval.metrics import MetricError, OneClass, bootstrap, finite

# %% [4] Change between two visits
import matplotlib.pyplot as plt
from fastcore.test import *

# %% [6] The answer, three ways
from medvl.eval.temporal import (CHANGES, macro_accuracy)

# %% [7] The answer, three ways
test_eq(macro_accuracy([0,1,1,2], [0,1,1,2]), 1.)
test_eq(macro_accuracy([1]*10, [1]*8+[0,2]), 1/3)        # "always stable" is right in 8 of 10, and worth nothing
test_fail(lambda: macro_accuracy([1,1], [1,1]), contains='all 2 pairs are stable')

# %% [9] Features of a pair
from medvl.eval.temporal import (pair_features)

# %% [10] Features of a pair
c, p = np.array([[1.,2.]]), np.array([[0.,5.]])
test_eq(pair_features(c, p), [[1,2,0,5]]); test_eq(pair_features(c, p, 'difference'), [[1,-3]])
test_eq(pair_features(c, p, 'all').shape, (1,6))
test_fail(lambda: pair_features(c, p[:,:1]), contains='current films are (1, 2)')
test_fail(lambda: pair_features(c, p, 'sum'), contains="how is 'sum'")

# %% [12] The read-out, a finding at a time
from medvl.eval.temporal import (_fit, change_head, _answers, _report)

# %% [14] The read-out, a finding at a time
rng = np.random.default_rng(0)
n, d = 600, 8
way = rng.normal(size=d)
size = rng.uniform(0, 3, (n,2)); y = np.digitize(size[:,1]-size[:,0], (-.5, .5))    # current minus prior
prior, current = (size[:,[k]]*way + .3*rng.normal(size=(n,d)) for k in (0,1))
group = np.arange(n)//2
split = np.select([group%5 < 3, group%5 == 3], ['train','val'], 'test')
both = change_head(pair_features(current, prior), y, split, group, n_boot=100)
alone = change_head(current, y, split, group, n_boot=100)
for k,r in dict(both=both, alone=alone).items(): print(k, round(r['macro_accuracy']['value'],3), r['recall'])
test_eq(both['macro_accuracy']['value'] > .75, True)
test_eq(alone['macro_accuracy']['value'] < both['macro_accuracy']['value']-.1, True)
shuffled = change_head(pair_features(current, prior), rng.permutation(y), split, group, n_boot=0)
test_eq(abs(shuffled['macro_accuracy']['value']-1/3) < .12, True)                   # labels that mean nothing
test_eq(sum(both['n'].values()), (split == 'test').sum())

# %% [16] Few pairs
from medvl.eval.temporal import (change_folds)

# %% [18] Few pairs
few = change_folds(pair_features(current, prior)[:60], y[:60], group[:60], n_boot=100)
print(few['macro_accuracy'], few['C'], few['n'])
test_eq(sum(few['n'].values()), 60); assert few['macro_accuracy']['value'] > .55
noise = change_folds(rng.normal(size=(200,8)), y[:200], group[:200], n_boot=0)
assert abs(noise['macro_accuracy']['value']-1/3) < .15
test_fail(lambda: change_folds(current, np.ones(n, int), group), contains='pairs with 1 kinds of change')

# %% [20] Few pairs
mixed = split.copy(); mixed[:2] = 'train', 'test'                          # two pairs of one patient
test_fail(lambda: change_head(current, y, mixed, group), contains='1 patients are in train and in test')
test_fail(lambda: change_head(current, np.where(split == 'val', 1, y), split, group), contains='val: ')
test_fail(lambda: change_head(current, y+5, split, group), contains='labels must be')

# %% [22] All findings
from medvl.eval.temporal import (temporal)

# %% [23] All findings
t = temporal(current, prior, {'Edema': y, 'Fracture': np.ones(n, int)}, split, group, n_boot=0)
test_eq((list(t['findings']), t['mean'] > .7), (['Edema'], True))
assert 'kinds of change' in t['not_computable']['Fracture']
t = temporal(current[:80], prior[:80], {'Edema': y[:80]}, None, group[:80], folds=4, n_boot=0)
test_eq((list(t['findings']), t['folds']), (['Edema'], 4))

# %% [25] Labels
from medvl.eval.temporal import (WORDS, change_labels, overall)

# %% [26] Labels
test_eq(change_labels(['better', 'stable', None, 'new', 'mixed']), [0,1,-1,2,-1])
two = ('stable stable', 'better stable', 'new worse', 'new better', 'mixed stable', '')    # lesions of one finding
test_eq([overall(o.split()) for o in two], ['stable', 'improved', 'worsened', None, None, None])
test_fail(lambda: change_labels(['bigger']), contains="'bigger' is no word of change")

# %% [28] Labels
from medvl.data.report import temporal_cues
from medvl.phantom.findings import KINDS
from medvl.phantom.set import phantom_studies
pairs = [s for s in phantom_studies(40, seed=0, size=64, cache=False) if s.prior]
def happened(s, name):
    "What became of all its lesions."
    return overall([w for k,w in s.info['state']['change'].items() if KINDS[k.split('-')[0]] == name])
true = change_labels([happened(s, 'Pleural Effusion') for s in pairs])
said = change_labels([temporal_cues(s.report).get('pleural effusion') for s in pairs])
known = (true >= 0) & (said >= 0)
print(f"{len(pairs)} pairs, {(true >= 0).sum()} with effusion, the report speaks of {known.sum()}; "
      f"it says what happened in {(true == said)[known].mean():.0%}")
test_eq(known.sum() > 3, True); test_eq((true == said)[known].mean() > .6, True)

# %% [30] How much of it do features hold?
import json
from pathlib import Path
import pandas as pd
found = Path('../../results/temporal.json')
run = json.loads(found.read_text()) if found.exists() else None
def cell(x): return f"{x['value']:.2f} [{x['low']:.2f}, {x['high']:.2f}]"
if run:
    rows = {(k, how): {f: cell(o['macro_accuracy']) for f,o in r['findings'].items()} | {'mean': f"{r['mean']:.2f}"}
            for k,by in run['features'].items() for how,r in by.items()}
    t = pd.DataFrame(rows).T.rename_axis(['features','the head sees'])
    first = next(iter(run['features'].values()))['both']['findings']
    a, tr = run['arguments'], run['training']
    print(*(run['provenance'][k] for k in ('date','commit')), sum(run['pairs'].values()), 'pairs of',
          f"{a['train']} training and "
          f"{a['test']} test patients, {a['difficulty']}, {a['film']} px; tower: {tr['epochs']:.0f} epochs")
    print('AUROC of the tower on test films:', {k: round(v, 2) for k,v in tr['auroc'].items()})
    n = pd.DataFrame({k: o['n'] | {'patients': o['patients']} for k,o in first.items()})
    display(n.rename_axis('test pairs'), t)
else: print('not run')

# %% [31] How much of it do features hold?
if run:
    T = run['features']; best = {k: max(by.values(), key=lambda r: r['mean']) for k,by in T.items()}
    assert set(first) >= {'edema','consolidation','pleural effusion','pneumothorax'}      # all computable
    test_eq(best['untrained']['mean'] < best['findings']['mean'] < best['truth']['mean'], True)
    for k,r in best.items():
        above = [f for f,o in r['findings'].items() if o['macro_accuracy']['low'] > 1/3]
        way = (r['mean']-1/3)/(best['truth']['mean']-1/3)
        print(f"{k}, {r['how']}: {way:.0%} of the way from chance to the truth; intervals above chance:",
              ', '.join(above))
    low, high = ({f: o['macro_accuracy'] for f,o in best[k]['findings'].items()} for k in ('untrained','findings'))
    apart = [f for f in low if low[f]['high'] < high[f]['low']]
    print('learnt features above untrained ones, intervals apart:', ', '.join(apart))

# %% [34] How much of it do features hold?
far = Path('../../results/temporal_towers.json')
if far.exists():
    far = json.loads(far.read_text())
    best = {k: max(by.values(), key=lambda r: r['mean']) for k,by in far['features'].items()}
    print(*(far['provenance'][k] for k in ('date','commit')), sum(far['pairs'].values()), 'pairs')
    def row(r): return {f: cell(o['macro_accuracy']) for f,o in r['findings'].items()} | {'mean': f"{r['mean']:.2f}"}
    display(pd.DataFrame({k: row(r) for k,r in best.items()}).T)
    learnt = [k for k in best if k not in ('untrained','truth')]
    assert all(best['untrained']['mean'] < best[k]['mean'] < best['truth']['mean'] for k in learnt)
else: print('not run')
