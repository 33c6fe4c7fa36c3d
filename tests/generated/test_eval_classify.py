# nbs/eval/61_classify.ipynb: runs against the imported medvl.eval.classify.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [4] Classification
import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from medvl.core import SLOTS, Batch, MedvlError
from medvl.data.batch import dataloaders
from medvl.data.study import Sample
from medvl.models.adapters import add_adapters, add_lora, freeze, trainable, unfreeze
from medvl.eval.metrics import (auprc, auprc_draws, auroc, auroc_without, best_threshold, hanley_mcneil,
                                seed_interval, units_of)
from medvl.eval.transfer import CHEXPERT5, MGCA_UNCERTAIN, Tower, features, label_table, settle, subset
import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from fastai.callback.core import Callback
from fastai.callback.schedule import ParamScheduler, combined_cos
from fastai.callback.tracker import EarlyStoppingCallback
from fastai.learner import Learner
from jaxtyping import Float
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

# %% [5] Classification
from fastcore.test import *
from medvl.data.preset import Preset
from medvl.eval.transfer import random_tower
from medvl.models.vision import VisionTower
from medvl.phantom.set import phantom_studies
from medvl.run.downstream import films_of, tower_of
from medvl.toy import square_sample, toy_vit
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score
import json, tempfile, time, warnings
import pandas as pd
from pathlib import Path

# %% [7] Probes
from medvl.eval.classify import (C, standard, mean_auroc, logistic)

# %% [8] Probes
from medvl.eval.classify import (linear_probe, _best, _learned, _each_finding, _all_findings, _multinomial)

# %% [10] Probes
rng = np.random.default_rng(0); y = (rng.random((300, 2)) < .5).astype(float); y[:,1] = 0; y[::7,0] = np.nan
x = rng.normal(size=(300, 10)); x[:,0] += 6*np.nan_to_num(y[:,0])
tr, va, te = slice(0, 150), slice(150, 200), slice(200, 300); ok = ~np.isnan(y[te,0])
(s,), how = linear_probe(x[tr], y[tr], (x[va], y[va]), x[te]); print(how)
assert auroc(s[ok,0], y[te][ok,0]) > .98; test_eq(s[:,1], np.zeros(100)); test_eq(how['C'][1], None)   # never positive
test_close(x[tr].std(0)*standard(x[tr])[0].std(0), x[tr].std(0))
a, b = (linear_probe(x[tr], y[tr], (x[va], y[va]), x[te], large=n, cs=[.1])[0][0] for n in (0, 1000))
test_close(a, b, eps=2e-3)                                                                # the same minimum in torch
c = rng.integers(0, 3, 300); z = rng.normal(size=(300, 4)); z[:,0] += 5*c
(s,), _ = linear_probe(z[tr], np.eye(3)[c][tr], (z[va], np.eye(3)[c][va]), z[te], one=True)
assert (s.argmax(1) == c[te]).mean() > .9; test_close(np.exp(s).sum(1), np.ones(100))

# %% [12] Probes
from medvl.eval.classify import (_unit, knn_probe, prototype_probe, PROBES)

# %% [13] Probes
for name, probe in PROBES.items():
    (s,), how = probe(x[tr], y[tr], (x[va], y[va]), x[te]); a = auroc(s[ok,0], y[te][ok,0])
    print(f"{name:10} AUROC {a:.3f}", how); assert a > .9; test_eq(np.ptp(s[:,1]), 0)
(s,), _ = knn_probe(np.eye(3)[[0, 0, 1]], np.array([[1.], [np.nan], [0]]), None, np.eye(3)[[0, 1]], k=2)
test_close(s[:,0], [1, 0], eps=1e-3)          # the first film's neighbours: one positive, one without a label

# %% [15] Fine-tuning
from medvl.eval.classify import (Classifier)

# %% [16] Fine-tuning
own = Preset('toy', 32, 32, 32, .3, .2); make = lambda: Tower(VisionTower(**toy_vit(32)), own)
for tune in ('full','layerwise','lora','adapters','head'):
    m = Classifier(make(), 2, tune); g = m.groups()
    print(f"{tune:10} {trainable(m):7,} of {sum(p.numel() for p in m.parameters()):,} parameters; rates",
          ', '.join(f'{f:.3g}' for _,f in g))
    test_eq(sum(p.numel() for ps,_ in g for p in ps), trainable(m))
test_close([f for _,f in Classifier(make(), 2, 'layerwise').groups()], [.65**3, .65**2, .65, 1])  # embedding, blocks
test_fail(lambda: Classifier(make(), 2, 'half'), contains="tune is 'half'")

# %% [17] Fine-tuning
from medvl.eval.classify import (LabelsCB, KeepBestCB, label_loss)

# %% [18] Fine-tuning
from medvl.eval.classify import (fine_tune, _logits)

# %% [20] Fine-tuning
rng = np.random.default_rng(0); smp = [square_sample(i, 120, rng) for i in range(120)]
big = np.array([['large' in s.text, 'left' in s.text] for s in smp], float); big[::5,1] = np.nan
cut = dict(train=slice(0, 40), val=slice(40, 70), test=slice(70, 120))
take = lambda o: {k: o[v] for k,v in cut.items()}
torch.manual_seed(0); small = make(); was = small.key()
fig, ax = plt.subplots(figsize=(4.5, 2.4), dpi=80, layout='constrained')
for tune in ('full','lora','adapters'):
    out, log, m = fine_tune(small, take(smp), take(big), tune, epochs=12, lr=5e-3, patience=4)
    a = mean_auroc(out['test'], big[cut['test']]); assert a > .8
    print(f"{tune:9} {log['epochs']:2} epochs, the best {log['best']}: mean AUROC {a:.3f}")
    ax.plot([v for _,v in log['losses']], label=tune)
ax.set(xlabel='epoch', ylabel='validation loss'); ax.legend(); test_eq(small.key(), was)   # the tower is not touched
again, _, m = fine_tune(small, take(smp), take(big), 'adapters', epochs=12, lr=5e-3, patience=4)
test_close(again['test'], out['test'], eps=1e-5); test_ne(m.tower.key(), was)               # the copy is trained
test_close(label_loss(torch.zeros(2, 2), torch.tensor([[1, np.nan], [0, 1.]])), np.log(2), eps=1e-6)

# %% [22] Fine-tuning
tuned = json.loads(Path('../../results/fine_tune.json').read_text())
def auroc_of(o, p): return '{value:.3f} [{low:.3f}, {high:.3f}]'.format(**o['shares'][p]['macro']['auroc'])
pd.DataFrame({k: {'parameters trained': f"{o['trained']:,}", 'seconds': round(o['seconds'], 1),
                  'AUROC, 10 % of the labels': auroc_of(o, '0.1'), 'AUROC, all labels': auroc_of(o, '1')}
              for k,o in tuned['how'].items()}).T

# %% [24] Fine-tuning
ways = {k: [o['shares'][p]['macro']['auroc']['value'] for p in ('0.1','1')] for k,o in tuned['how'].items()}
assert all(a > b for k,v in ways.items() if k != 'linear' for a,b in zip(ways['linear'], v))
spent = {k: o['seconds'] for k,o in tuned['how'].items()}; assert 1.5 < spent['full']/spent['head'] < 2.5
assert all(ways[k][1] < ways['head'][1] for k in ('lora','adapters','layerwise','full'))

# %% [26] Scores
from medvl.eval.classify import (_without, score_findings, _over, _accuracy)

# %% [28] Scores
rng = np.random.default_rng(0); worst = 0
for i in range(12):
    n, k = int(rng.integers(12, 60)), 3
    y = (rng.random((n, k)) < rng.uniform(.2, .8)).astype(float); y[:2], y[2:4] = 1, 0
    s = np.round(rng.normal(size=(n, k))+y*rng.uniform(-1, 2), int(rng.integers(0, 4)))                # with ties
    r = score_findings(s[None], y, 'abc', range(n), s[None], y)
    f1s = [max(f1_score(y[:,j], s[:,j] >= t) for t in s[:,j]) for j in range(k)]       # val is test here: the best one
    ref = dict(auroc=roc_auc_score(y, s), auprc=average_precision_score(y, s), f1=np.mean(f1s))
    worst = max(worst, *(abs(r['macro'][m].value-v) for m,v in ref.items()))
print(f'largest difference to scikit-learn in {12*3} scores: {worst:.1e}'); assert worst < 1e-12
def both(s, y):
    "AUROC and AUPRC of one finding."
    s, y = np.array(s)[None,:,None], np.array(y)[:,None]; r = score_findings(s, y, 'x', range(len(y)), s, y)['macro']
    return [r[m].value for m in ('auroc','auprc')]
test_close(both([1, 2, 3, 4.], [0, 0, 1, 1.]), [1, 1]); test_close(both([4, 3, 2, 1.], [0, 0, 1, 1.]), [0, 5/12])
test_close(both([1, 1, 1, 1.], [0, 1, 1, 0.]), [.5, .5])                                          # all tied: chance
c = rng.integers(0, 3, 60); s = rng.normal(size=(60, 3))+np.eye(3)[c]; p = np.exp(s)/np.exp(s).sum(1, keepdims=True)
r = score_findings(p[None], np.eye(3)[c], 'abc', range(60), p[None], np.eye(3)[c], one=True)
test_close(r['macro']['auroc'].value, roc_auc_score(c, p, multi_class='ovr'))
test_close(r['macro']['accuracy'].value, (p.argmax(1) == c).mean())

# %% [30] Scores
y = (rng.random((120, 2)) < .4).astype(float); g = np.repeat(np.arange(40), 3)
s = rng.normal(size=(3, 120, 2))*.6+rng.normal(size=(120, 2))+y
apart, alike = (score_findings(o, y, 'ab', g, o, y)['macro']['auroc'] for o in (s, s[[0, 0, 0]])); print(apart, alike)
assert apart.high-apart.low > alike.high-alike.low
ref = np.array([roc_auc_score(y[g != u], s[0][g != u]) for u in range(40)])
one = score_findings(s[:1], y, 'ab', g, s[:1], y)['macro']['auroc']
o = seed_interval([one.value], ref[None]); test_close([one.low, one.high], [o.low, o.high], eps=1e-9)
y[:,1] = 0; r = score_findings(s, y, 'ab', g, s, y); print(r['not_computable']); test_eq(list(r['findings']), ['a'])
test_fail(lambda: score_findings(s[...,1:], y[:,1:], 'b', g, s, y), contains='0 patients with it and 40 without')

# %% [32] The whole task
from medvl.eval.classify import (TUNES, Labels, labelled)

# %% [33] The whole task
from medvl.eval.classify import (classify, _train, _lost)

# %% [34] The whole task
from medvl.eval.classify import (efficiency)

# %% [36] Published splits
from medvl.eval.classify import (Lineage, LINEAGES, lineage)

# %% [37] Published splits
test_eq(lineage('mgca-rsna').films, (18_678, 4_003, 4_003)); test_fail(lambda: lineage('mgca'), contains='mrm-nih')
test_eq(lineage('mgca-chexpert').uncertain, dict(zip(CHEXPERT5, ('ones','zeros','zeros','ones','ones'))))

# %% [39] On phantom films
saved = json.loads(Path('../../results/place_transfer.json').read_text())['systems']
def at(k, p): return saved[k][f'AUROC at {p:.0%}']
curve = {k: {f'{p:g}': dict(macro=dict(auroc=at(k, p))) for p in (.01, .1, 1)}
         for k in ('PLACE','CLIP','MAE','supervised','random weights')}
ax = efficiency(curve)
for k in curve: print(f"{k:15}", '  '.join(f"{p:4.0%} {at(k, p)['value']:.3f}" for p in (.01, .1, 1)))

# %% [41] On phantom films
def over(n, other, p): o = at(n, p)[f'over {other}']; return (o['low'] > 0)-(o['high'] < 0)
for p in (.01, .1, 1):
    test_eq([over(n, 'CLIP', p) for n in ('PLACE','supervised','random weights')], [0, 0, -1])
    test_eq([over(n, 'PLACE', p) for n in ('supervised','random weights')], [0, -1])

# %% [43] On phantom films
studies = phantom_studies(80, seed=77, size=128, difficulty='easy')
three = ['Cardiomegaly','Pleural Effusion','Edema','Pneumothorax']; runs = {}
for name in ('phantom-clip','phantom-mrm','random'):
    t = tower_of(name); f = films_of(studies, t); lab = labelled(f.samples, f.rows, three)
    runs[t.name] = classify(t, lab, shares=(.1, 1), seeds=(0, 1), cache=f.cache, progress=False)
for k,r in runs.items(): print(f"{k:13}", '  '.join(f"{float(p):.0%} {o['macro']['auroc']}" for p,o in r.items()))
print('trainings of two without an example, at 10 %:', runs['random 0']['0.1']['not_learned'])
print('Edema in train:', lab.counts['train']['Edema'])

# %% [44] On phantom films
assert runs['phantom-clip']['1']['macro']['auroc'].value > runs['random 0']['1']['macro']['auroc'].value
other = dict(runs, other={'1': dict(lineage='mgca-rsna')})
test_fail(lambda: efficiency(other), contains='different splits: own, mgca-rsna')
kept = {}; keep = lambda name, make: kept[name] if name in kept else kept.setdefault(name, make())
a = classify(t, lab, 'knn', seeds=[0], step=keep, cache=f.cache, progress=False); test_eq(list(kept), ['knn 1 0'])
kept['knn 1 0'] = dict(kept['knn 1 0'], log='kept')
test_eq(classify(t, lab, 'knn', seeds=[0], step=keep, cache=f.cache)['1']['logs'], ['kept'])
listed = lambda name, make: (o := make()) | {k: o[k].tolist() for k in ('val','test')}            # as from JSON
few = classify(t, lab, step=listed, shares=(.02,), seeds=[0, 1], cache=f.cache, progress=False)['0.02']
print('2 %:', few['not_learned'], few['macro']['auroc'])
assert few['not_learned'] and 0 < few['macro']['auroc'].value < 1                             # stated, and no crash
test_fail(lambda: classify(t, lab, 'tree'), contains="how is 'tree'")
test_fail(lambda: labelled(f.samples, f.rows, ['Edema','Oedema']), contains="no sample has a label 'Oedema'")
odd = [replace(s, labels=dict(s.labels, Edema=-1.)) for s in f.samples]
test_fail(lambda: labelled(odd, f.rows, three, 'raw'), contains="uncertain='raw' leaves them so")
gone = labelled(odd, f.rows, three, dict.fromkeys(three, 'zeros') | dict(Edema='drop'))
test_fail(lambda: classify(t, gone), contains='no film that has labels in train')
test_fail(lambda: labelled(f.samples, f.rows, three, one=True), contains='do not have exactly one')
