# nbs/eval/13_zeroshot.ipynb: runs against the imported medvl.eval.zeroshot.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Zero-shot classification
import html, inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
import matplotlib.pyplot as plt
import numpy as np
import torch
from jaxtyping import Float, Int
from sklearn.metrics import roc_curve
from torch import Tensor
from torch.nn.functional import normalize
from medvl.core import CHEXPERT, Aligner, MedvlError
from medvl.files import jsonable
from medvl.eval.metrics import (Interval, MetricError, OneClass, accuracy, auroc, auroc_interval, auroc_without,
                                best_threshold, bootstrap, cv_threshold, f1, hanley_mcneil, jackknife, units_of)
from medvl.eval.retrieval import Embeddings, embed

# %% [4] Zero-shot classification
from fastcore.test import *
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import PreTrainedTokenizerFast
from medvl.core import Batch, Feat

# %% [6] A toy world
VOCAB = ['[PAD]','[UNK]','no','there','is','opacity','density','in','the','zone','upper','middle','lower']
_tk = Tokenizer(WordLevel({w:i for i,w in enumerate(VOCAB)}, unk_token='[UNK]')); _tk.pre_tokenizer = Whitespace()
tok = PreTrainedTokenizerFast(tokenizer_object=_tk, pad_token='[PAD]', unk_token='[UNK]', model_max_length=16)

class Toy(Aligner):
    def __init__(self):
        super().__init__()
        g = torch.Generator().manual_seed(0)
        w = .25*torch.randn(len(VOCAB), 3, generator=g); w[:3] = 0; w[10:] = 2*torch.eye(3)
        self.words = torch.nn.Parameter(w)
    def encode_image(self, img, msk=None):
        x = torch.nn.functional.avg_pool2d(img[:,0] if img.ndim==5 else img, (8,24))[:,0,:,0]-.5
        return Feat(glob=normalize(x, dim=-1))
    def encode_text(self, txt, msk=None, word=None, norm=True):
        t = self.words[txt].sum(1)*(1-2*(txt==2).any(1).float())[:,None]
        return Feat(glob=normalize(t, dim=-1) if norm else t)

def toy_dl(n, noise=.6, seed=0, bs=32):
    g = torch.Generator().manual_seed(seed)
    lbl = (torch.rand(n, 3, generator=g) < .4).float()
    amp = lbl + noise*torch.randn(n, 3, generator=g)
    img = amp.repeat_interleave(8, 1)[:,None,:,None].expand(n,1,24,24)
    return [(Batch(img=img[i:i+bs], lbl=lbl[i:i+bs]), torch.arange(i,min(i+bs,n))) for i in range(0,n,bs)]

ZONES = ['Upper','Middle','Lower']
PROMPTS = {z: {'pos': [f'there is opacity in the {z.lower()} zone', f'{z.lower()} zone density'],
               'neg': [f'there is no opacity in the {z.lower()} zone']} for z in ZONES}
img = toy_dl(6)[0][0]
fig, axs = plt.subplots(1, 6, figsize=(6,1.4), dpi=75)
for i,ax in enumerate(axs):
    ax.imshow(img['img'][i,0], cmap='gray', vmin=-1, vmax=2); ax.axis('off')
    ax.set_title('+'.join(z for z,o in zip(ZONES,img['lbl'][i]) if o) or 'none', fontsize=5)
plt.show()

# %% [8] Encoding the prompts
from medvl.eval.zeroshot import (_encoder, embed_texts, embed_prompts)

# %% [9] Encoding the prompts
m = Toy(); P = embed_prompts(m, tok, PROMPTS)
test_eq(P['Upper']['pos'].shape, (2,3)); test_close(P['Upper']['pos'].norm(dim=1), torch.ones(2), eps=1e-5)
test_close(P['Lower']['neg'][0], -P['Lower']['pos'][0], eps=1e-5)                     # "no" turns it round
assert (embed_prompts(m, tok, PROMPTS, raw=True)['Upper']['pos'].norm(dim=1) > 1.2).all()
test_eq(embed_prompts(m, tok, {'a': {'pos': ['opacity']}})['a'].keys(), {'pos'})
class Unit(Toy):
    def encode_text(self, txt, msk=None, word=None): return super().encode_text(txt)
test_fail(lambda: embed_prompts(Unit(), tok, PROMPTS, raw=True), contains="Unit.encode_text has no `norm` argument")
test_fail(lambda: embed_prompts(m, tok, {'a': {'neg': ['no opacity']}}), contains="class 'a' has no positive prompt")
test_fail(lambda: embed_texts(m, tok, ['opacity '*20]), contains='a prompt has 20 tokens, the tokenizer allows 16')
test_fail(lambda: embed_texts(m, tok, [' ']), contains='empty text')
test_fail(lambda: embed_texts(m, tok, ['no']), contains="the text 'no' gives no direction")

# %% [11] Several wordings, one score: the protocols
from medvl.eval.zeroshot import (PROTOCOLS, class_scores)

# %% [13] Several wordings, one score: the protocols
v, p = torch.tensor([[1.,0]]), torch.tensor([[1.,0],[0,3.]])
got = {o: class_scores(v, [p], o).item() for o in PROTOCOLS[:4]}
test_close(got['mean-embedding'], 1/2**.5); test_close(got['mean-projected'], 1/10**.5)
test_close(got['mean-similarity'], .5); test_close(got['max'], 1.)
z = class_scores(torch.tensor([[1.,0],[0,1.],[.6,.8]]), [p[:1]], 'gloria')[:,0]          # scores 1, 0, .6
test_close(z, (np.array([1,0,.6])-.5333)/np.std([1,0,.6]), eps=1e-3)
test_fail(lambda: class_scores(v, [p], 'median'), contains='unknown protocol')
test_fail(lambda: class_scores(v, [p], 'gloria'), contains='class 0 has the same score on all 1 films')

# %% [15] Several wordings, one score: the protocols
two, crowd = normalize(torch.tensor([[1.,.2],[.2,1.]]), dim=1), normalize(torch.tensor([[1.,.1]]*6), dim=1)
cls = [torch.tensor([[1.,0]]), torch.tensor([[0,1.]])]
alone, among = class_scores(two, cls, 'gloria'), class_scores(torch.cat([two,crowd]), cls, 'gloria')[:2]
print('film 0 alone', alone[0].numpy().round(2), ' among others', among[0].numpy().round(2))
assert alone[0,0] > 0 and abs(alone[0,0]-among[0,0]) > .5
test_close(class_scores(two, cls), class_scores(torch.cat([two,crowd]), cls)[:2])        # no other protocol does this

# %% [17] Present against absent
from medvl.eval.zeroshot import (finding_scores)

# %% [18] Present against absent
v = torch.tensor([[1.,0]]); one = {'x': {'pos': torch.tensor([[1.,0]]), 'neg': torch.tensor([[-1.,0]])}}
test_close(finding_scores(v, one).item(), 1/(1+np.exp(-2)))                     # the most that tau=1 allows: 0.88
assert finding_scores(v, one, tau=.07).item() > .999
test_close(finding_scores(v, {'x': {'pos': torch.tensor([[.6,.8]])}}).item(), .6)
e = embed(m, toy_dl(50), text=False)
test_eq(finding_scores(e.v, P)[:,0].argsort(), finding_scores(e.v, P, tau=.1)[:,0].argsort())
test_fail(lambda: finding_scores(v, one, tau=0), contains='tau must be positive')
test_fail(lambda: finding_scores(e.v, P, tau=.01), contains='at tau=0.01 the softmax saturates')

# %% [20] Uncertain and missing labels
from medvl.eval.zeroshot import (binary_labels)

# %% [21] Uncertain and missing labels
nan = np.nan
y = [[1,-1,nan],[nan,nan,nan]]
def rule(*a): return np.nan_to_num(binary_labels(y,*a), nan=9).tolist()                 # 9: left out
test_eq(rule(), [[1,9,0],[9,9,9]])
test_eq(rule('positive','drop'), [[1,1,9],[9,9,9]])
test_eq(rule('negative'), [[1,0,0],[9,9,9]])
test_eq(rule('drop','negative',[True,True]), [[1,9,0],[0,0,0]])            # the second has a label of another finding
test_fail(lambda: binary_labels([[.5]]), contains='got 0.5 in row 0')
test_fail(lambda: binary_labels(y,'maybe'), contains="got 'maybe'")
test_fail(lambda: binary_labels(y,blank='maybe'), contains="got 'maybe'")
test_fail(lambda: binary_labels([1,0]), contains='got shape (2,)')

# %% [23] A table with reasons
from medvl.eval.zeroshot import (_one_class, _macro)

# %% [24] A table with reasons
from medvl.eval.zeroshot import (multilabel_table)

# %% [25] A table with reasons
from medvl.eval.zeroshot import (macro_auroc)

# %% [26] A table with reasons
e, ev = embed(m, toy_dl(200), text=False), embed(m, toy_dl(80, seed=1), text=False)
s, sv = finding_scores(e.v, P), finding_scores(ev.v, P)
y = e.lbl.numpy().copy(); y[:,2] = 0                                                    # nobody has a lower opacity
tab = multilabel_table(s, y, ZONES, val=(sv, ev.lbl), n_boot=200)
for c,r in tab['classes'].items():
    print(f"{c:7s} n={r['n']} positive={r['n_positive']:3d} AUROC {r['auroc']} {r.get('reason','')}")
test_close(tab['classes']['Upper']['auroc'].value, auroc(s[:,0], y[:,0]))
test_eq(np.isnan(tab['classes']['Lower']['auroc'].value), True)
test_eq(tab['classes']['Lower']['reason'], 'all 200 labels are 0')
test_eq(tab['macro']['classes'], ['Upper','Middle'])
test_eq(tab['macro']['not_computable'], {'Lower': 'all 200 labels are 0'})
test_close(tab['macro']['auroc'].value, np.mean([tab['classes'][c]['auroc'].value for c in ('Upper','Middle')]))
value, left = macro_auroc(s, y)
test_close(value, tab['macro']['auroc'].value, 1e-9)                     # the class without positives is left out
test_close(left[7], macro_auroc(np.delete(s.numpy(), 7, 0), np.delete(y, 7, 0))[0], 1e-9)
test_fail(lambda: macro_auroc(s, y*0), contains='none of 3 classes')
test_close(tab['classes']['Upper']['f1'].value, f1(s[:,0].numpy() >= best_threshold(sv[:,0], ev.lbl[:,0]), y[:,0]))
assert 'in_test_cv' in tab['classes']['Upper']
test_eq('f1' in multilabel_table(s, y, ZONES, n_boot=0)['classes']['Upper'], False)
few = multilabel_table(s[:,:1], np.r_[[1,1],np.zeros(198)][:,None], ['Upper'], n_boot=50)['classes']['Upper']
test_eq(few['reason'], 'only 2 films of one kind')
lone = multilabel_table(s[:,2:], y[:,2:], ['Lower'], n_boot=10)['macro']
test_eq((np.isnan(lone['auroc'].value), lone['reason']), (True, 'no class can be computed'))
test_fail(lambda: multilabel_table(s, y[:,:2], ZONES), contains='do not fit')

# %% [28] One of several: arg-max
from medvl.eval.zeroshot import (multiclass_table)

# %% [29] One of several: arg-max
s3 = np.array([[.9,.1,0],[.2,.8,0],[.6,.5,.4],[0,0,1],[1,0,0]])
y3 = np.array([[1,0,0],[0,1,0],[0,1,0],[1,0,1],[0,0,0]])
t3 = multiclass_table(s3, y3, ['a','b','c'], n_boot=50)
test_eq((t3['n'], t3['n_left_out'], t3['not_computable']), (3, 2, {'c': 'no film'}))   # one film has two, one none
test_close(t3['accuracy'].value, 2/3); test_eq(t3['recall'], {'a': 1., 'b': .5})
test_close(t3['macro_f1'].value, (2*1/(1+2)+2*1/(2+1))/2)
test_eq(t3['confusion'], [[1,0,0],[1,1,0],[0,0,0]]); test_close(t3['majority'], 2/3)
test_fail(lambda: multiclass_table(s3, y3*0, ['a','b','c']),
          contains='none of 5 films has exactly one of a, b, c', exc=OneClass)

# %% [31] The evaluation
from medvl.eval.zeroshot import (ZeroShot, _pick)

# %% [32] The evaluation
from medvl.eval.zeroshot import (zeroshot)

# %% [34] The evaluation
from medvl.eval.zeroshot import (roc_figure, confusion_figure)

# %% [35] The evaluation
@dataclass
class Set: id:str; version:str; hash:str; classes:dict
ps = Set('toy', '1', 'a1b2c3d4e5', PROMPTS | {'Hernia': {'pos': ['hernia']}})
dl, dv = toy_dl(200), toy_dl(80, seed=1)
patient = np.arange(200)//4
r = zeroshot(m, dl, tok, ps, names=ZONES, val=dv, group=patient, n_boot=200)
print(r)
test_eq(r.info['without_label_column'], ['Hernia']); test_eq(r.info['prompts']['hash'], 'a1b2c3d4e5')
test_eq(r.table['classes']['Upper']['auroc'].n_units, 50)
assert all(o['auroc'].value > .8 for o in r.table['classes'].values())
again = zeroshot(m, e, tok, ps, names=ZONES, n_boot=0)                                  # from embeddings
test_eq(again.table['macro']['auroc'].value, r.table['macro']['auroc'].value)
assert len(repr(r)) < 1000 and r._repr_html_().count('<tr>') == 2+len(r.names); r.figure(dpi=60); plt.show()
r

# %% [37] The evaluation
import json
d = json.loads(json.dumps(r.to_dict()))
test_eq((d['protocol'], d['transductive'], d['seed'], d['n']), ('mean-embedding', False, 0, 200))
test_close(d['classes']['Upper']['auroc']['value'], r.table['classes']['Upper']['auroc'].value)
mc = zeroshot(m, dl, tok, Set('toy','1','a1b2', PROMPTS), names=ZONES, task='multiclass', n_boot=100)
print(mc); mc.figure(dpi=60); plt.show(); test_eq(repr(mc), str(mc))
assert str(mc.table['accuracy']) in mc._repr_html_()
assert mc.table['accuracy'].value > mc.table['majority']
test_eq(mc.table['n']+mc.table['n_left_out'], 200)

# %% [39] The evaluation
test_fail(lambda: zeroshot(m, dl, tok, ps, names=['a','b','c']),
          contains='no class of the prompts (Upper, Middle, Lower, Hernia) is a label column (a, b, c)')
test_fail(lambda: zeroshot(m, dl, tok, ps), contains='labels have 3 columns, 14 names were given')
no_lbl = [(Batch(img=b['img']), i) for b,i in dl]
test_fail(lambda: zeroshot(m, no_lbl, tok, ps),
          contains='hold no labels')
test_fail(lambda: zeroshot(m, dl, tok, ps, task='regression', names=ZONES), contains="got 'regression'")
test_fail(lambda: zeroshot(m, dl, tok, ps, protocol='median', names=ZONES), contains='unknown protocol')
test_fail(lambda: zeroshot(Unit(), dl, tok, ps, protocol='mean-projected', names=ZONES),
          contains='before normalisation')

# %% [41] How much the protocol moves the number
print(f"{'protocol':16s} macro AUROC  accuracy of arg-max")
for o in PROTOCOLS:
    a, b = (zeroshot(m, e, tok, Set('toy','1','-',PROMPTS), o, task=k, names=ZONES, n_boot=0, cv=False)
            for k in ('multilabel','multiclass'))
    print(f"{o:16s} {a.table['macro']['auroc'].value:.3f}        {b.table['accuracy'].value:.3f}")
