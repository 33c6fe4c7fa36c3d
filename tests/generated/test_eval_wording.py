# nbs/eval/64_wording.ipynb: runs against the imported medvl.eval.wording.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Wording of reports
import re, shutil
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
import numpy as np
from scipy.sparse import coo_array, csr_array
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast
from medvl.core import CHEXPERT, MedvlError, need
from medvl.data.report import chexpert_labels
from medvl.data.splits import plain
from medvl.data.tokens import SPECIAL
from medvl.eval.metrics import Interval, bootstrap, mean_interval, seed_bootstrap

# %% [4] Wording of reports
import sys
from importlib.util import find_spec
from types import SimpleNamespace
from unittest.mock import patch
import matplotlib.pyplot as plt
import pandas as pd
from fastcore.test import *
from medvl.data.words import impression_findings
from medvl.phantom.set import phantom_studies

# %% [6] Words, raw and as R2Gen has them
from medvl.eval.wording import (_R2GEN, r2gen_text, r2gen_tokenizer, r2gen_reference)

# %% [7] Words, raw and as R2Gen has them
SEEN = ['Heart size is normal.. 1. No effusion. 2. No pneumothorax.',
        'Heart size is normal. No effusion, (left) side.']
test_eq(r2gen_text(SEEN[0]), 'heart size is normal . no effusion . no pneumothorax .')
test_eq(r2gen_text(SEEN[1]), 'heart size is normal . no effusion left side .')
test_eq(r2gen_text('A well-expanded lung; nodule of 2. Clear'), 'a well-expanded lung nodule of . clear .')
test_eq(r2gen_text('Clear.\n____ seen   by ___.', 'mimic'), 'clear . seen by .')
tok = r2gen_tokenizer(SEEN, threshold=2)
test_eq(r2gen_reference(SEEN[0], tok), 'heart size is normal . no effusion . no <unk> .')
test_eq(r2gen_reference(SEEN[0], tok, max_len=4), 'heart size is')                  # three words and a mark
test_eq(plain(SEEN[1]), 'heart size is normal no effusion left side')
test_eq(tok.decode(tok('heart size .')['input_ids'], skip_special_tokens=True), 'heart size .')
test_fail(lambda: r2gen_text('', 'chexpert'), contains="expected 'iu' or 'mimic'")
test_fail(lambda: r2gen_tokenizer(SEEN, threshold=9), contains='no word occurs 9 times')

# %% [9] Counting n-grams
from medvl.eval.wording import (ngram_counts, _lists, Grams)

# %% [10] Counting n-grams
one, two = ngram_counts(['no effusion no', '', 'effusion'], 2)
test_eq(one.toarray(), [[2,1],[0,0],[0,1]])
test_eq(two.sum(1), [2,0,0])                                       # 'no effusion', 'effusion no'; none crosses
g = Grams(['a b a'], [['a a', 'b']])
test_eq(g.best(0).sum(), 3.)
test_fail(lambda: Grams(['a'], ['a','b']), contains='1 generated reports, but 2 true ones')
test_fail(lambda: Grams(['a','b'], ['a','  ']), contains='the first is number 1')
test_fail(lambda: Grams(['a'], [[]]), contains='1 of 1 true reports are empty')
test_fail(lambda: Grams([], []), contains='no report to compare')

# %% [12] BLEU
from medvl.eval.wording import (bleu_counts, bleu)

# %% [14] BLEU
test_close(bleu(bleu_counts(Grams(['the the the'], ['the cat'])))[0], 1/3)
test_close(bleu(bleu_counts(Grams(['a b c d'], ['a b c d e f g h']))), [np.exp(-1)]*4, eps=1e-6)
test_close(bleu(bleu_counts(Grams(['a b c d'], ['a b c d']))), [1]*4, eps=1e-6)
both = bleu_counts(Grams(['a b c d', 'x'], ['a b c d', 'y y y']))
test_close(bleu(both)[0], 4/5*np.exp(1-7/5))                       # sums first
assert bleu(both)[0] < (bleu(both[:1])[0]+bleu(both[1:])[0])/2+.1 and len(both) == 2
assert bleu(bleu_counts(Grams([''], ['a'])))[0] < 1e-6             # an empty generated report is allowed, and scores 0

# %% [16] ROUGE-L
from medvl.eval.wording import (lcs, rouge_l)

# %% [17] ROUGE-L
test_eq(lcs('a b c d'.split(), 'a x c'.split()), 2)
test_eq(lcs([], ['a']), 0)
test_close(rouge_l(Grams(['a x c'], ['a b c d']), 1.), [2*(2/3)*(1/2)/(2/3+1/2)])
test_close(rouge_l(Grams(['a b', '', 'z'], ['a b', 'a', 'a'])), [1,0,0])
def slow(a, b):
    "The table of the textbook."
    t = np.zeros((len(a)+1, len(b)+1), int)
    for i,x in enumerate(a):
        for j,y in enumerate(b): t[i+1,j+1] = t[i,j]+1 if x == y else max(t[i,j+1], t[i+1,j])
    return t[-1,-1]
rng = np.random.default_rng(0)
pairs = [[rng.integers(0, 5, rng.integers(1, 90)).astype(str).tolist() for _ in range(2)] for _ in range(50)]
test_eq([lcs(*o) for o in pairs], [slow(*o) for o in pairs])

# %% [19] CIDEr and CIDEr-D
from medvl.eval.wording import (cider)

# %% [21] CIDEr and CIDEr-D
A = ['heart size is normal', 'small left pleural effusion']
test_close(cider(Grams(A, A)), [10,10])
test_close(cider(Grams(A, A[::-1])), [0,0])
test_close(cider(Grams(A[:1], A[:1])), [0])                                               # one film: nothing is rare
same = Grams(['no', 'no'], ['no', 'no'])
test_close(cider(same), [0,0])
twice = Grams([f'{A[0]} {A[0]}', A[1]], A)
print(f'said twice: CIDEr {cider(twice, False)[0]:.2f}, CIDEr-D {cider(twice)[0]:.2f}')
assert cider(twice)[0] < cider(twice, False)[0] < 10
several = Grams(A, [[A[0], 'unlike'], [A[1]]])
test_close(cider(several), [5,10])                                                        # mean over the true reports

# %% [23] Findings
from medvl.eval.wording import (FIVE, finding_table, finding_scores)

# %% [24] Findings
said = finding_table(['Small left pleural effusion. Heart size is normal.', 'No effusion.', 'No effusion.'])
true = finding_table(['Pleural effusion. Cardiomegaly.', 'No effusion. Possible edema.',
                      'Lungs are clear. No effusion.'])
print({CHEXPERT[i]: (said[:,i].tolist(), true[:,i].tolist()) for i in np.flatnonzero((said+true).sum(0))})
s = finding_scores(said, true)
at = [CHEXPERT.index(k) for k in ('Pleural Effusion','Cardiomegaly')]
test_eq(said[0,at], [1,0]); test_eq(true[0,at], [1,1]); test_eq(true[1,at], [0,0])        # uncertain is negative
test_eq((s['F1 of Pleural Effusion'], s['F1 of Cardiomegaly']), (1.,0.))
assert 'F1 of Fracture' not in s and 0 < s['micro F1'] < 1

# %% [26] All of them, with intervals
from medvl.eval.wording import (METRICS, report_counts, wording)

# %% [28] All of them, with intervals
studies = phantom_studies(60, seed=0, size=128, difficulty='lifelike-easy')
texts, who = [impression_findings(s.report) for s in studies], [s.patient for s in studies]
other = [next(t for t,p in zip(texts[i:]+texts, who[i:]+who) if p != who[i]) for i in range(len(texts))]
tok = r2gen_tokenizer(texts)
ways = dict(raw=plain, r2gen=(r2gen_text, lambda r: r2gen_reference(r, tok)))
res = {k: wording(other, texts, w, who) for k,w in ways.items()}
show = ['BLEU-1','BLEU-4','ROUGE-L','CIDEr-D','CIDEr','micro F1','macro F1']
def text(x): return f'{x.value:.3f} [{x.low:.3f}, {x.high:.3f}]'
display(pd.DataFrame({k: {n: text(r['scores'][n]) for n in show} for k,r in res.items()}))
raw = res['raw']['scores']
assert all(x.low <= x.value <= x.high for x in raw.values())
assert raw['BLEU-4'].value < res['r2gen']['scores']['BLEU-4'].value
assert raw['BLEU-1'].n_units == len(set(who)) < len(texts) and raw['BLEU-1'].value > raw['BLEU-4'].value
test_eq(raw['micro F1'].value, res['r2gen']['scores']['micro F1'].value)     # read from the reports as written
perfect = wording(texts, texts, group=who)['scores']
test_close([perfect[k].value for k in ('BLEU-4','ROUGE-L','CIDEr-D','micro F1','macro F1')], [1,1,10,1,1], eps=1e-6)
few = wording(texts[:3], texts[:3])
assert few['not_computable'] and not {f'F1 of {k}' for k in few['not_computable']} & set(few['scores'])
test_eq(wording(['','No effusion.'], ['No effusion.']*2)['n_empty'], 1)
test_fail(lambda: wording(['a'], ['...']), contains='true reports are empty')

# %% [30] Two systems, and several trainings
from medvl.eval.wording import (wording_gain, wording_seeds)

# %% [31] Two systems, and several trainings
own, foreign = report_counts(texts, texts), report_counts(other, texts)
gain = wording_gain(own, foreign, who)
test_close(gain['BLEU-4'].value, 1-raw['BLEU-4'].value, eps=1e-6)
assert gain['BLEU-4'].low > 0 and gain['micro F1'].p < .01
test_eq([x.value for x in wording_gain(own, own, who).values()], [0.]*10)
two = wording_seeds([own, foreign], who)
test_close(two['ROUGE-L'].value, (1+raw['ROUGE-L'].value)/2); assert two['ROUGE-L'].low < raw['ROUGE-L'].value
test_close(wording_seeds([foreign], who)['BLEU-4'].value, raw['BLEU-4'].value)
test_fail(lambda: wording_gain([own]*2, [own]*3), contains='2 trainings against 3')

# %% [33] Two systems, and several trainings
deny = [t.replace('There is', 'There is no').replace('Moderate', 'No').replace('Small', 'No').replace('Large', 'No')
        .replace('Mild', 'No') for t in texts]
got = {'denied': wording(deny, texts, group=who)['scores'], 'another patient': raw}
fig, ax = plt.subplots(figsize=(5, 2.2), dpi=75)
for i,(k,s) in enumerate(got.items()):
    names = ['BLEU-4','ROUGE-L','micro F1']; y = [s[n].value for n in names]
    err = [[v-s[n].low for v,n in zip(y, names)], [s[n].high-v for v,n in zip(y, names)]]
    ax.bar(np.arange(3)+.35*i, y, .33, yerr=err, label=k, capsize=3)
ax.set_xticks(np.arange(3)+.17, names); ax.legend(fontsize=8)
assert got['denied']['BLEU-4'].value > raw['BLEU-4'].value+.3

# %% [35] Back ends: METEOR, RadGraph, RadEval
from medvl.eval.wording import (meteor, radeval)

# %% [37] Back ends: METEOR, RadGraph, RadEval
for f,pip in ((meteor, 'pycocoevalcap'), (radeval, 'radeval')):
    test_fail(lambda: f(['a'], ['']), contains='true reports are empty')
    if not find_spec(pip): test_fail(lambda: f(['a'], ['a']), contains=f'pip install {pip}')
def stub(**kw): return SimpleNamespace(**kw)                                               # in the place of a package
names = 'pycocoevalcap', 'pycocoevalcap.meteor', 'pycocoevalcap.meteor.meteor'
with patch.dict(sys.modules, {k: stub() for k in names}), patch('shutil.which', lambda k: None):
    test_fail(lambda: meteor(['a'], ['a']), contains='METEOR needs Java')
def offline(**kw): raise OSError('radgraph-xl is not in the cache')
with patch.dict(sys.modules, radeval=stub(RadEval=offline)):
    test_fail(lambda: radeval(['a'], ['a']), contains="RadEval can't give radgraph: radgraph-xl is not in the cache")
with patch.dict(sys.modules, radeval=stub(RadEval=lambda **kw: lambda refs, hyps: {'radgraph_simple': [.5, 1.]})):
    test_close(radeval(['a','b'], ['a','b'])['radgraph_simple'].value, .75)
