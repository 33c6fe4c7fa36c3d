# nbs/eval/10_metrics.ipynb: runs against the imported medvl.eval.metrics.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Metrics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.stats import norm, t as student
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.model_selection import StratifiedKFold
from medvl.core import MedvlError

# %% [4] Metrics
import matplotlib.pyplot as plt
import torch
from fastcore.test import *

# %% [6] Invalid input
from medvl.eval.metrics import (MetricError, OneClass, finite)

# %% [7] Invalid input
test_eq(finite([1,2], 'scores'), np.array([1,2]))
test_fail(lambda: finite([[0,1],[np.nan,2]], 'scores'),
          contains='scores: 1 of 4 values are not finite, the first at [1, 0] is nan')
test_fail(lambda: finite([np.inf], 'scores'), contains='is inf')
test_fail(lambda: finite([], 'scores'), contains='is empty')
test_fail(lambda: finite(['a'], 'scores'), contains='expected numbers')
test_fail(lambda: finite([1,2], 'scores', 2), contains='expected 2 dimensions, got shape (2,)')

# %% [9] The rank of the right answer, and ties
from medvl.eval.metrics import (TIES, tie_rank)

# %% [11] The rank of the right answer, and ties
rng = np.random.default_rng(0)
first = [1+rng.permutation([0,0,0,1,1]).argmax() for _ in range(20_000)]
test_close(np.mean(first), tie_rank(0, 3, 2, 'mean'), eps=.02)
test_eq([tie_rank(4, 3, 2, o) for o in TIES], [8, 6., 5])
test_fail(lambda: tie_rank(0,0,1,'lucky'), contains='unknown tie rule')

# %% [12] The rank of the right answer, and ties
from medvl.eval.metrics import (_scored, ranks)

# %% [14] The rank of the right answer, and ties
s = np.array([[.9,.7,.1,.0], [.2,.9,.5,.6], [.5,.5,.5,.1]])
r = np.array([[0,1,0,0], [0,1,1,0], [1,0,0,0]]).astype(bool)
test_eq(ranks(s, r), [2,1,3])
test_eq(ranks(s, r, 'mean'), [2,1,2])
test_eq(ranks(s, r, 'optimistic'), [2,1,1])
flat = np.ones((3,4))
test_eq(ranks(flat, np.eye(3,4,dtype=bool)), [4,4,4])     # a collapsed model is last
# so it is where rounding favours the right answer, with `near`
off = flat+1e-7*np.eye(3,4)
test_eq(ranks(off, np.eye(3,4,dtype=bool)), [1,1,1]); test_eq(ranks(off, np.eye(3,4,dtype=bool), near=1e-6), [4,4,4])
test_fail(lambda: ranks(s, r[:,:2]), contains='right has shape (3, 2), scores (3, 4)')
test_fail(lambda: ranks(s, r*0>1), contains='3 of 3 queries have no right candidate')
test_fail(lambda: ranks(s, r.astype(int)), contains='must be boolean')
test_fail(lambda: ranks(np.where(s>.8,np.nan,s), r), contains='scores: 2 of 12 values are not finite')

# %% [16] From ranks to numbers
from medvl.eval.metrics import (_ranks, recall_at, median_rank, mrr)

# %% [17] From ranks to numbers
x = [1,2,4,20]
test_eq([recall_at(x,k) for k in (1,5,10)], [.25,.75,.75])
test_eq(median_rank(x), 3.)
test_close(mrr(x), (1+.5+.25+.05)/4)
test_fail(lambda: recall_at([0,1], 1), contains='ranks start at 1, got 0')
test_fail(lambda: recall_at(x, 0), contains='k >= 1')
test_fail(lambda: median_rank([]), contains='is empty')

# %% [19] From ranks to numbers
from medvl.eval.metrics import (chance_recall)

# %% [20] From ranks to numbers
test_close(chance_recall([1], 20, 5), 5/20)
test_close(chance_recall([2], 4, 2), 1-(2/4)*(1/3))
test_close(chance_recall([4,1], 4, 1), (1+.25)/2)
test_eq(chance_recall([1], 4, 10), 1.)
test_fail(lambda: chance_recall([5], 4, 1), contains='must lie in [1, 4]')

# %% [22] Precision at k
from medvl.eval.metrics import (precision_at, edge_hits)

# %% [23] Precision at k
s = np.array([[.9,.8,.7,.6,.5]]); r = np.array([[1,0,1,0,0]]).astype(bool)
test_eq([precision_at(s,r,k)[0] for k in (1,2,4)], [1,.5,.5])
s = np.array([[.9,.5,.5,.5,.1]])                          # places 2 and 3 go to two of the three that tie
test_eq(precision_at(s,r,3,'pessimistic'), [1/3])         # the two wrong ones take both places
test_eq(precision_at(s,r,3,'optimistic'), [2/3])
test_close(precision_at(s,r,3,'mean'), [(1+2/3)/3])
test_eq(precision_at(s,r,2,'pessimistic'), [.5]); test_eq(precision_at(s,r,2,'optimistic'), [1.])
test_fail(lambda: precision_at(s,r,6), contains='P@6: there are 5 candidates')
test_fail(lambda: precision_at(s,r,2,'lucky'), contains='unknown tie rule')

# %% [25] Area under the ROC curve
from medvl.eval.metrics import (_labelled, auroc, auprc)

# %% [27] Area under the ROC curve
test_eq(auroc([.8,.3,.5,.3], [1,1,0,0]), 2.5/4)
test_eq(auroc([1,1,1,1], [1,0,1,0]), .5)
test_close(auprc([.8,.3,.5,.1], [1,1,0,0]), (1+2/3)/2)
test_fail(lambda: auroc([.1,.2], [0,0]), contains='all 2 labels are 0', exc=OneClass)
test_fail(lambda: auroc([.1,.2], [-1,1]), contains='got -1 at [0]')
test_fail(lambda: auroc([.1,np.nan], [0,1]), contains='score: 1 of 2')
test_fail(lambda: auroc([.1], [0,1]), contains='score has 1 entries, label 2')

# %% [29] Accuracy and F1 need a threshold, and the threshold needs other data
from medvl.eval.metrics import (accuracy, f1)

# %% [30] Accuracy and F1 need a threshold, and the threshold needs other data
p, y = np.array([1,1,0,0,1]), np.array([1,0,1,0,1])       # TP 2, FP 1, FN 1
test_eq(accuracy(p,y), .6); test_close(f1(p,y), 4/6)
test_eq(f1([0,0],[1,0]), 0.)
test_fail(lambda: f1([1,0],[0,0]), contains='none of the 2 labels is positive', exc=OneClass)

# %% [32] Accuracy and F1 need a threshold, and the threshold needs other data
from medvl.eval.metrics import (best_threshold)

# %% [33] Accuracy and F1 need a threshold, and the threshold needs other data
s, y = np.array([.9,.8,.7,.4,.2]), np.array([1,1,0,1,0])  # cuts: F1 = .5, .8, .67, .86, .75
test_close(best_threshold(s,y), .3)
test_eq(f1(s>=.3, y), 6/7)
test_eq(best_threshold(s,y,'youden'), .75)
test_eq(best_threshold([.5,.5],[0,1]), .5)                # nothing can be told apart: all are positive
brute = max(f1(s>=c, y) for c in np.linspace(0,1,1001)); test_close(f1(s>=best_threshold(s,y),y), brute)
test_fail(lambda: best_threshold(s,y,'f2'), contains="unknown metric 'f2'")
test_fail(lambda: best_threshold([.1,.2],[1,1]), contains='both classes')

# %% [35] Accuracy and F1 need a threshold, and the threshold needs other data
from medvl.eval.metrics import (cv_threshold)

# %% [36] Accuracy and F1 need a threshold, and the threshold needs other data
s, y = np.r_[np.full(20,.2), np.full(20,.8)], np.r_[np.zeros(20), np.ones(20)]
got = cv_threshold(s, y)
test_eq((got['accuracy'], got['f1'], len(got['thresholds'])), (1., 1., 10))
test_close(got['thresholds'], [.205]*10)                   # the first grid value above the negatives
test_fail(lambda: cv_threshold(s*2, y), contains='must lie in [0,1]')
test_fail(lambda: cv_threshold(s[15:], y[15:]), contains='10 folds need 10 films of each class, got 5', exc=OneClass)

# %% [38] Accuracy and F1 need a threshold, and the threshold needs other data
rng = np.random.default_rng(1); rows = []
for _ in range(200):
    sv, yv, st, yt = rng.random(60), rng.integers(0,2,60), rng.random(60), rng.integers(0,2,60)
    rows.append([accuracy(st >= best_threshold(a,b,'accuracy'), yt) for a,b in ((sv,yv), (st,yt))])
honest, flattered = np.mean(rows, 0)
print(f"accuracy on noise, 60 films: threshold from validation {honest:.3f}, from the test set itself {flattered:.3f}")
assert abs(honest-.5) < .02 and flattered > .55

# %% [40] Intervals: films of one patient are not independent
from medvl.eval.metrics import (FEW, Interval, explained, resamples, units_of)

# %% [42] Intervals: films of one patient are not independent
from medvl.eval.metrics import (_spread, jackknife, _mean_without, mean_interval)

# %% [43] Intervals: films of one patient are not independent
x = np.r_[np.ones(8), np.zeros(12)]                                     # ungrouped: Wilson's interval for 8 of 20 ...
ci, k = mean_interval(x, bounds=(0,1)), student.ppf(.975, 19)**2/20*(20/19)
test_close([ci.low, ci.high], [(.4+k/2-(h := np.sqrt(k*.24+k*k/4)))/(1+k), (.4+k/2+h)/(1+k)])
ci = mean_interval(x); s = x.std(ddof=1)/np.sqrt(20)*student.ppf(.975, 19)      # ... and Student's, without bounds
test_close([ci.low, ci.high], [.4-s, .4+s])
print('8 of 20:', mean_interval(x, bounds=(0,1)), '| 20 of 20:', mean_interval(np.ones(20), bounds=(0,1)))
one = mean_interval([.1,.9], ['a','a']); test_eq((one.n_units, str(one)), (1, '0.500 [no interval] few:1'))
test_eq(explained('a 0.5 few:1').count('\n'), 1); test_eq(explained('a 0.5'), 'a 0.5')
rare = mean_interval(np.r_[np.ones(3), np.zeros(297)], bounds=(0,1)); test_close(rare.few, 3, eps=.1)   # three hits
test_eq(mean_interval(np.random.default_rng(0).random(300)).few, None)
test_fail(lambda: mean_interval([1,2], ['a']), contains='group has 1 entries, the data 2 rows')
draws = list(resamples(4, ['a','a','b','b'], n_boot=50))
for d in draws: assert len(d)==4 and list(d[:2]) in ([0,1],[2,3]) and list(d[2:]) in ([0,1],[2,3])
test_eq(draws[0], next(iter(resamples(4, ['a','a','b','b']))))          # the same seed draws the same
assert len(next(iter(resamples(4, ['a','a','a','b'], seed=3)))) in (2,4,6)
test_fail(lambda: next(iter(resamples(4, ['a']))), contains='group has 1 entries, the data 4 rows')

# %% [45] Intervals: films of one patient are not independent
from medvl.eval.metrics import (_without, _bca, bootstrap)

# %% [46] Intervals: films of one patient are not independent
y = np.r_[np.zeros(50), np.ones(50)]
ci = bootstrap(np.mean, y)
print(ci)
test_eq(ci.value, .5); test_eq(ci, bootstrap(np.mean, y)); test_eq(ci.method, 'bca')      # seeded
se = np.sqrt(.25/100)                                                  # binomial: +-1.96 standard errors
test_close([ci.low, ci.high], [.5-1.96*se, .5+1.96*se], eps=.02)
b, m = bootstrap(np.mean, y, bounds=(0,1)), mean_interval(y, bounds=(0,1))
test_close([b.low, b.high], [m.low, m.high]); test_eq((b.method, b.n_boot), ('wilson', 0))       # no draw was needed
both = bootstrap(lambda r: {'R@1': recall_at(r,1), 'rank': median_rank(r)}, np.array([1,2,1,4]), n_boot=100,
                 bounds={'R@1': (0,1)})
test_eq([(k, o.value, o.method) for k,o in both.items()], [('R@1',.5,'wilson'), ('rank',1.5,'bca')])
test_eq(str(Interval(.5, np.nan, np.nan)), '0.500 [no interval]')
test_eq(Interval.of(1., [1,np.nan,1,1]).n_failed, 1)
test_fail(lambda: Interval.of(1., [1,np.nan,np.nan]), contains='exists in only 1 of 3 draws', exc=OneClass)
test_fail(lambda: bootstrap(auroc, [.1,.2],[1,0,1]), contains='arrays differ in length: [2, 3]')
lone = bootstrap(auroc, rng.random(30), np.r_[1,np.zeros(29)], bounds=(0,1))  # can't be left out
test_eq((lone.n_failed, lone.few, np.isnan(lone.low)), (1, 1., True))

# %% [48] Intervals: films of one patient are not independent
right = np.repeat(np.r_[np.ones(12), np.zeros(8)], 10); patient = np.repeat(np.arange(20), 10)
loose, tight = bootstrap(np.mean, right, group=patient), bootstrap(np.mean, right)
print('by patient', loose, '| by film', tight)
ratio = (loose.high-loose.low)/(tight.high-tight.low)
test_close(ratio, np.sqrt(10), eps=.5)
test_eq((loose.n_units, tight.n_units), (20, 200))

fig, ax = plt.subplots(figsize=(5,1.5), dpi=75)
for i,(nm,o) in enumerate({'by film':tight,'by patient':loose}.items()):
    ax.plot([o.low,o.high],[i,i],lw=3); ax.plot(o.value,i,'ko')
ax.set(yticks=[0,1],yticklabels=['by film','by patient'],xlabel='accuracy, 95 % interval',ylim=(-.6,1.6)); plt.show()

# %% [50] Areas without drawing
from medvl.eval.metrics import (_wins, auroc_without, hanley_mcneil, auroc_interval)

# %% [51] Areas without drawing
from medvl.eval.metrics import (auprc_draws, auprc_interval)

# %% [52] Areas without drawing
rng = np.random.default_rng(5)
s, y, who = rng.integers(0,8,50)/8, rng.integers(0,2,50), rng.integers(0,9,50)
for inv,c in ((np.arange(50), 50), units_of(50, who)):                   # against leaving out, one by one
    test_close(auroc_without(s, y, inv, c), [auroc(s[inv != i], y[inv != i]) for i in range(c)], eps=1e-12)
    keep = (inv != np.arange(c)[:,None]).astype(int)
    test_close(auprc_draws(s, y, keep), [auprc(s[inv != i], y[inv != i]) for i in range(c)], eps=1e-12)
test_close(hanley_mcneil(.5, 10, 10), (.25+9*(1/12)*2)/100)               # by hand: Q1 = Q2 = 1/3
print('AUROC', auroc_interval(s, y), '| by patient', auroc_interval(s, y, who), '| AUPRC', auprc_interval(s, y, who))
perfect = auroc_interval([.9,.8,.7,*np.linspace(0,.6,40)], [1]*3+[0]*40)   # three positives above everybody
print('perfect, of three positives:', perfect)
assert perfect.value == 1. and perfect.low < .8 and perfect.few == 3
test_fail(lambda: auroc_interval([.1,.2], [1,1]), contains='both classes', exc=OneClass)

# %% [54] Areas without drawing
from medvl.eval.metrics import (draw_counts, auroc_draws)

# %% [55] Areas without drawing
w = draw_counts(50, n_boot=20)
test_eq(w.sum(1).tolist(), [50]*20)
test_close(auroc_draws(s, y, w), [roc_auc_score(y, s, sample_weight=o) for o in w], eps=1e-12)
test_close(auprc_draws(s, y, w), [average_precision_score(y, s, sample_weight=o) for o in w], eps=1e-12)
test_close(auroc_draws(s, y, np.ones((1,50),int))[0], auroc(s, y), eps=1e-12)
test_eq(np.isnan(auroc_draws([.1,.2], [1,0], [[2,0],[1,1]])), [True,False])          # no negative was drawn

# %% [57] Is one system better than another?
from medvl.eval.metrics import (_tested, paired_bootstrap)

# %% [58] Is one system better than another?
hard = rng.random(200)
a, b = (hard < .65).astype(float), (hard < .60).astype(float)          # a solves the same films as b, and a few more
d = paired_bootstrap(np.mean, a, b)
print(d); print('separate intervals:', bootstrap(np.mean, a), '|', bootstrap(np.mean, b))
test_close(d.value, a.mean()-b.mean())
assert d.low > 0 and d.p < .05                                          # paired: clearly better
assert bootstrap(np.mean, a).low < bootstrap(np.mean, b).high           # separate: they overlap
test_eq(paired_bootstrap(np.mean, a, a).p, 1.)
y = rng.integers(0, 2, 60); s, u = y+rng.standard_normal((2, 60))              # areas at once, and one by one
fast, slow = paired_bootstrap(auroc, s, u, y), paired_bootstrap(lambda *o: auroc(*o), s, u, y)
test_close([fast.low, fast.high, fast.p], [slow.low, slow.high, slow.p], eps=1e-9)
test_fail(lambda: paired_bootstrap(np.mean, a, b[:-1]), contains='not run on the same rows')

# %% [60] More than one training
from medvl.eval.metrics import (seed_bootstrap)

# %% [62] More than one training
def trial(i):
    "Does zero lie outside of the interval, over patients and over both?"
    r = np.random.default_rng(i); a, b = ((r.random((3, 150)) < .5+.05*r.standard_normal((3,1))) for _ in 'ab')
    one = paired_bootstrap(np.mean, a.mean(0), b.mean(0))
    return [d.low > 0 or d.high < 0 for d in (one, seed_bootstrap(np.mean, a, b))]
wrong = np.mean([trial(i) for i in range(150)], 0)
print('significant without a difference, over patients and over both:', wrong)
assert wrong[0] > .15 > .1 > wrong[1]
x = rng.random((1, 60)); one, both = mean_interval(x[0]), seed_bootstrap(np.mean, x)
test_close([one.low, one.high], [both.low, both.high], eps=1e-12)                    # one training: rows alone
y = np.array([[.4]*50, [.5]*50, [.6]*50])                    # films alike, trainings not: Student's t with 2 degrees
d = seed_bootstrap(np.mean, y); test_close(d.high-d.value, student.ppf(.975, 2)*.1/np.sqrt(3))
test_fail(lambda: seed_bootstrap(np.mean, x, x[:,1:]), contains='not run alike')

# %% [64] More than one training
from medvl.eval.metrics import (seed_interval, seed_mean)

# %% [66] More than one training
one, j = seed_mean(np.mean, x), mean_interval(x[0], bounds=(0, 1))
test_close([one.low, one.high], [j.low, j.high], eps=1e-9)
same = seed_mean(np.mean, np.repeat(x, 3, 0)); test_close([same.low, same.high], [one.low, one.high], eps=1e-9)
apart = seed_mean(np.mean, np.concatenate([x-.05, x, x+.05])); test_close(apart.value, one.value)
assert apart.high-apart.low > 1.5*(one.high-one.low)
test_close((o := seed_mean(np.mean, y, bounds=None)).value, .5); assert o.low < .4 and o.high > .6
few = seed_mean(auroc, x, np.eye(60)[0]); assert np.isnan(few.low)        # without its only positive there is no AUROC
print('one training', one, '  three alike', same, '  three that differ', apart)
