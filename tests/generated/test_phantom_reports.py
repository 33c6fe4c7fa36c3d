# nbs/phantom/42_reports.ipynb: runs against the imported medvl.phantom.reports.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Reports
from dataclasses import replace
import numpy as np
from medvl.core import MedvlError
from medvl.phantom.findings import Finding, OPACITY, grade
from medvl.phantom.sentences import (CHANGE, NOUNS, STYLES, Claim, Report, Writer, _hedged, _terse, phrase,
                                     sentence)
from medvl.phantom.visits import SEEN, Visit, draw_patient

# %% [4] Reports
from fastcore.test import *
import re, tarfile
from importlib.util import find_spec
from pathlib import Path
import pandas as pd
from medvl.core import CHEXPERT
from medvl.data.report import chexpert_labels
from medvl.phantom.findings import KINDS
from medvl.phantom.visits import draw_finding, truth_labels
from medvl.phantom.anatomy import draw_anatomy

# %% [6] Negative sentences
from medvl.phantom.reports import (ABSENT, PART, PARTS, part_of, present_names)

# %% [7] Negative sentences
test_eq(present_names([Finding('collapse','left')]), {'Atelectasis','Lung Opacity','Collapse'})
test_eq({n for names,_,_ in ABSENT for n in names} - set(KINDS.values()), {'Pneumonia','Lung Opacity','Collapse'})

# %% [9] The whole report
from medvl.phantom.reports import (COMPLAINTS, _EXAM, _pairs, _positives, _mirror)

# %% [10] The whole report
from medvl.phantom.reports import (_gone)

# %% [12] The whole report
from medvl.phantom.reports import (_negatives)

# %% [14] The whole report
from medvl.phantom.reports import (BACKGROUND, PLAIN, _background)

# %% [16] The whole report
from medvl.phantom.reports import (_impression)

# %% [17] The whole report
from medvl.phantom.reports import (write, _typos)

# %% [18] The whole report
p = draw_patient(21); rng = np.random.default_rng(0)
for k,v in enumerate(p.visits[:2]):
    print(write(v, rng, p.anatomy.age, p.anatomy.sex, was=p.visits[k-1].findings if k else None).text, '\n'+'-'*40)
test_eq(write(v, np.random.default_rng(7)), write(v, np.random.default_rng(7)))
test_fail(lambda: write(v, rng, noise=3), contains='noise is 3')

# %% [20] No sentence may deny the truth
from medvl.phantom.reports import (contradictions)

# %% [21] No sentence may deny the truth
v = Visit(0., [Finding('effusion', 'left', .5, id='e')], {}, draw_anatomy(np.random.default_rng(0)))
test_eq(contradictions([Claim('Pleural Effusion','present','left'), Claim('Pneumothorax','absent')], v), [])
test_eq(len(contradictions([Claim('Pleural Effusion','present','right'), Claim('Pleural Effusion','absent'),
                            Claim('No Finding','present')], v)), 3)

# %% [23] No sentence may deny the truth
from medvl.phantom.reports import (draw_texts)

# %% [24] No sentence may deny the truth
R = list(draw_texts(900)); bad = [b for v,r in R for b in contradictions(r.claims, v)]
test_eq(bad, [])
wrong = sum(bool(contradictions(r.claims, v)) for v,r in draw_texts(100, noise=.3)); assert wrong > 15, wrong
print(f'{len(R)} reports, {sum(len(r.claims) for _,r in R)} claims, none denied by the state')
print(f'with noise 0.3, of 100 patients {wrong} reports are false')

# %% [26] No sentence may deny the truth
truths = [truth_labels(v.findings) for v,_ in R]; read = [chexpert_labels(r.text) for _,r in R]; rows = []
for k in CHEXPERT[1:]:
    t = np.array([o[k] for o in truths]); s = np.array([o[k] for o in read]); said = (s == 1) | (s == -1)
    rows.append(dict(finding=k, present=int((t==1).sum()), precision=(t[said]==1).mean() if said.any() else np.nan,
                     recall=said[t==1].mean(), false_denial=(t[s==0]==1).mean() if (s==0).any() else np.nan))
T = pd.DataFrame(rows).set_index('finding'); T.round(3)

# %% [28] No sentence may deny the truth
def denies(k): return [(v, r) for (v,r),t,s in zip(R, truths, read) if t[k] == 1 and s[k] == 0]
def devices(v, r): return {f.kind for f in v.findings if f.name == 'Support Devices' and f.id not in r.omitted}
unread = [(v, r) for (v,r),t,s in zip(R, truths, read) if t['Consolidation'] == 1 and np.isnan(s['Consolidation'])]
assert (T.precision > .99).all() and not any('consolidat' in r.text.lower() for _,r in unread)
denied = {k: denies(k) for k in ('Support Devices','Enlarged Cardiomediastinum')}
assert all('remov' in r.text and devices(v, r) <= {'wires'} for v,r in denied['Support Devices'])
assert all('heart' in r.omitted for _,r in denied['Enlarged Cardiomediastinum'])
{k: len(o) for k,o in denied.items()} | {'consolidation by another name': len(unread)}

# %% [30] Beside real reports
NEG = re.compile(r'\b(no|not|without|negative|free|clear|normal|unremarkable|resolved)\b')
def words(t): return [w for w in re.findall('[a-z]+', t.lower()) if w != 'xxxx']  # what Open-i blacked out

def profile(texts, n=60_000):
    "Length, vocabulary and negation of reports."
    W = [words(t) for t in texts]; lo, mid, hi = np.percentile([len(o) for o in W], (10,50,90)).astype(int)
    sents = [s.lower() for t in texts for s in re.split(r'(?<=[.])\s', t) if len(s) > 3]
    return {'reports': len(texts), 'words, median': mid, 'words, 10-90 %': f'{lo}-{hi}',
            'words a sentence': round(np.mean([len(words(s)) for s in sents]), 1),
            f'vocabulary of {n:,} words': len(set([w for o in W for w in o][:n])),
            'sentences of absence or norm': f'{np.mean([bool(NEG.search(s)) for s in sents]):.0%}',
            'reports unlike all others': f'{pd.Series(texts).drop_duplicates(keep=False).size/len(texts):.0%}'}

def openi(path):
    "Findings and impression of each report."
    with tarfile.open(path) as z:
        files = [z.extractfile(m).read().decode('utf-8', 'replace') for m in z if m.name.endswith('.xml')]
    part = re.compile(r'<AbstractText Label="(?:FINDINGS|IMPRESSION)">(.*?)</AbstractText>', re.S)
    return [t for f in files if (t := ' '.join(part.findall(f)).strip())]

ours = [r.text.split('FINDINGS:')[1].replace('IMPRESSION:', '') for _,r in R]
both = {'phantom': profile(ours)}
if spec := find_spec('torchxrayvision'):
    real = openi(Path(spec.origin).parent/'data'/'NLMCXR_reports.tgz'); both['Open-i'] = profile(real)
    flat, known = [w for t in real for w in words(t)], {w for t in ours for w in words(t)}
    print(f"of the phantom's {len(known)} words {len(known & set(flat))/len(known):.0%} occur in Open-i; of Open-i's "
          f"running words {np.mean([w in known for w in flat]):.0%} are among them")
else: print('Open-i: not run, torchxrayvision is not installed')
pd.DataFrame(both)
