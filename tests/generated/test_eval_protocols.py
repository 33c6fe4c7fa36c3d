# nbs/eval/31_protocols.ipynb: runs against the imported medvl.eval.protocols.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Protocols
import csv, hashlib, json, re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
import numpy as np
import torch
from jaxtyping import Float
from medvl.core import Aligner, MedvlError
from medvl.files import jsonable
from medvl.data.batch import StudyDL
from medvl.data.pairing import ends, parts_of, stem
from medvl.data.prompts import load_prompts
from medvl.data.study import Sample
from medvl.eval.metrics import mean_interval
from medvl.eval.retrieval import class_precision, embed
from medvl.eval.zeroshot import zeroshot
from medvl.train.learner import AlignLearner
from medvl.train.step import bare

# %% [4] Protocols
import tempfile
from fastcore.test import *
from medvl.data.study import View

# %% [6] The rules
from medvl.eval.protocols import (FIVE, EIGHT, Protocol, PUBLISHED, protocol)

# %% [7] The rules
for p in PUBLISHED.values(): print(f"{p.id:22s} {p.hash[:12]}")
p = protocol('chexpert5x200-zs-v1')
test_eq(len({o.hash for o in PUBLISHED.values()}), 6)
test_eq(replace(p, tau=2.).hash == p.hash, False); test_eq(replace(p).hash, p.hash)
test_eq([len(load_prompts(p.prompts).classes[c]['pos']) for c in FIVE], [210, 15, 192, 18, 54])  # all combinations
test_fail(lambda: protocol('chexpert5x100'), contains='known: chexpert5x200-i2t-v1')

# %% [9] Building a set
from medvl.eval.protocols import (only_class, draw_set)

# %% [10] Building a set
class FakeStudy: pass
def sample(i, **labels):
    return Sample((None,)*4, f'report {i}', f's{i:03d}', f'p{i}', f'p{i}', 'test', labels, FakeStudy())
test_eq(only_class({'Edema': 1, 'Cardiomegaly': 0}, FIVE), 'Edema')
test_eq(only_class({'Edema': 1, 'Cardiomegaly': 1}, FIVE), None)
test_eq(only_class({'Edema': 1, 'Cardiomegaly': -1, 'Fracture': 1}, FIVE), 'Edema')   # Fracture is none of the five
test_eq(only_class({'Edema': float('nan')}, FIVE), None)
many = [sample(i, **{FIVE[i%5]: 1., **({FIVE[(i+1)%5]: 1.} if i%7 == 0 else {})}) for i in range(70)]
few = replace(protocol('chexpert5x200-i2t-v1'), per_class=8)
films, cls = draw_set(many, few)
test_eq((len(films), np.bincount(cls).tolist()), (40, [8]*5))
test_eq([only_class(s.labels, FIVE) for s in films], [FIVE[c] for c in cls])
test_eq(draw_set(many[::-1], few)[0], films)                        # the order of the folder does not matter
test_ne(draw_set(many, few, 1)[0], films)
lots = replace(few, per_class=200)
test_fail(lambda: draw_set(many, lots), contains="needs 200 films with only 'Atelectasis', there are")

# %% [12] Or a list from a file
from medvl.eval.protocols import (_bare, fit, find_films)

# %% [13] Or a list from a file
def paths(*films): # of each: path and id
    old = View('x/old.png', 'old')
    return [Sample((View(p, id or p), None, old, None), '', id or p, 'p', 'p', None, {}, None) for p,id in films]
def found(names, data, **kw): return [s.id for s in find_films(names, data, 'list', **kw)]
dots = paths(*((f'/d/1.2.840.{i}', '') for i in range(1, 4)))
test_eq(found(['1.2.840.3', '1.2.840.1.dcm', r'C:\d\1.2.840.2'], dots), [f'/d/1.2.840.{i}' for i in (3, 1, 2)])
same = paths(*((f'/d/p{i}/IM-1.png', f'p{i}/IM-1.png') for i in (1, 2)),
             ('/d/q/b.v1.png', 'b1'), ('/d/q/b.v2.png', 'b2'))
test_eq(found(['p2/IM-1.png', 'p1/im-1', 'b.v2', '/mnt/d/q/b.v1.jpg'], same),
        ['p2/IM-1.png', 'p1/IM-1.png', 'b2', 'b1'])
test_fail(lambda: found(['IM-1.png', 'b1'], same),
          contains='1 of 2 names fit several films: IM-1.png (p1/IM-1.png, p2')
for o in ('p3/IM-1.png', 'b', '1.2.840', '', 'x/old.png'):
    test_fail(lambda: found([o], same+dots), contains='1 of 1 films are not in the data')
test_fail(lambda: found(['b1', 'q/b.v1.png'], same), contains='list: film b1 occurs twice: b1; q/b.v1.png')
rsna = paths(('/d/train/u1.dcm', ''), ('/d/train/u2.dcm', ''))
test_eq(found(['images/u2.dcm', 'images/u1.dcm'], rsna), ['/d/train/u2.dcm', '/d/train/u1.dcm'])
test_fail(lambda: found(['a/u2.dcm', 'b/u1.dcm'], rsna), contains='2 of 2 films are not in the data')

# %% [15] Or a list from a file
from medvl.eval.protocols import (read_list, set_hash)

# %% [16] Or a list from a file
with tempfile.TemporaryDirectory() as d:
    f = Path(d)/'list.csv'
    f.write_text('image,class,text\ns003,Edema,\ns001,Cardiomegaly,own words\n')
    got, c = read_list(f, many, few)
    test_eq(([s.id for s in got], c, got[1].text), (['s003','s001'], [3,1], 'own words'))
    f.write_text('image,class\ns003,Edema\nnope.jpg,Edema\n')
    test_fail(lambda: read_list(f, many, few), contains='1 of 2 films are not in the data: line 3: nope.jpg')
    f.write_text('image,class\ns003,Flu\n'); test_fail(lambda: read_list(f, many, few), contains="line 2: class 'Flu'")
    f.write_text('film\ns003\n'); test_fail(lambda: read_list(f, many, few), contains='columns image and class')
test_eq(set_hash(films, cls) == set_hash(films[::-1], cls[::-1]), False)

# %% [18] Films with and without one finding
from medvl.eval.protocols import (read_targets, judged_parts)

# %% [19] Films with and without one finding
some = [replace(s, labels={'Pneumonia': float(i%3 == 0)}, split=('val','test')[i%2]) for i,s in enumerate(many[:12])]
test_eq({k: len(v) for k,v in judged_parts(some).items()}, dict(test=6, val=6))
test_fail(lambda: judged_parts(some[:1], need=['val']), contains='the val part has 1 films of one kind')
with tempfile.TemporaryDirectory() as d:
    d = Path(d); ids = [s.id for s in some]
    (d/'val_list.txt').write_text(''.join(f'images/{k}.dcm {i%2} \n' for i,k in enumerate(ids[:4])))
    got = judged_parts(some, need=['val'], path=d/'val_list.txt')['val']
    test_eq([(s.id, s.labels, s.split) for s in got], [(k, {'Pneumonia': i%2}, 'val') for i,k in enumerate(ids[:4])])
    (d/'test_list.txt').write_text(f'{ids[5]}.dcm 1\n{ids[6]}.dcm 0\n')
    test_eq({k: len(v) for k,v in judged_parts(some, path=d).items()}, dict(test=2, val=4))  # both files of the folder
    (d/'t.csv').write_text(f'image,target,split\n{ids[0]},1,val\n{ids[1]},0.0,val\n')
    test_eq(len(judged_parts(some, need=['val'], path=d/'t.csv')['val']), 2)
    for text, why in [('image,target,split\nx,1,val\ny,0,val\n', '2 of 2 films are not in the data: x (val); y (val)'),
                      ('image,target,split\nx,2,val\n',  "line 2: expected a film, its target"),
                      (f'image,target,split\n{ids[0]},1,val\n{ids[0]},1,test\n',
                       f'film {ids[0]} occurs twice: {ids[0]} (val); {ids[0]} (test)'),
                      ('', "line 1: expected")]:
        (d/'t.csv').write_text(text); test_fail(lambda: judged_parts(some, path=d/'t.csv'), contains=why)
    (d/'val_list.txt').write_text('a.dcm\n')
    test_fail(lambda: judged_parts(some, path=d), contains="val_list.txt: line 1: expected a film")
    test_fail(lambda: read_targets(d/'no'), contains='no list of films')

# %% [21] Impressions, as GLoRIA cleans them
from medvl.eval.protocols import (clean_impression)

# %% [22] Impressions, as GLoRIA cleans them
raw = '1. No acute\nfinding. 2. Effusion. 3. Heart size is 1.5 x normal.'
test_eq(clean_impression(raw), 'no acute finding heart size is 1 5 x normal')
test_eq(clean_impression('Normal.'), '')                            # a sentence of one word

# %% [24] Retrieval by class
from medvl.eval.protocols import (precision_by_class)

# %% [25] Retrieval by class
t = torch.eye(5)[cls]                                               # embeddings that know the class
few = replace(few, ks=(5,8))
r = precision_by_class(few, t, t, cls, cls, n_boot=20, set=set_hash(films, cls))
print(r['protocol'], r['hash'][:8], r['set'][:8], r['chance'], {k: v['value'] for k,v in r['metrics'].items()})
test_eq((r['metrics']['P@5']['value'], r['chance'], r['queries']), (1., .2, 40))
g = torch.Generator().manual_seed(0)
noise = precision_by_class(few, torch.randn(40,8,generator=g), torch.randn(40,8,generator=g), cls, cls, n_boot=0)
test_eq(abs(noise['metrics']['P@8']-.2) < .1, True)
half = t.clone(); half[:8] = t[8]                                   # films of the first class look like the second
test_eq(precision_by_class(few, half, t, cls, cls, n_boot=0)['by_class']['Atelectasis'], {'P@5': 0., 'P@8': 0.})

# %% [27] Zero-shot
from medvl.eval.protocols import (run_zeroshot)

# %% [29] Zero-shot
from medvl.core import Feat
from medvl.eval.retrieval import Embeddings
class Oracle(Aligner):
    "Knows which class a prompt names, and whether it denies it."
    def __init__(self, words): super().__init__(); self.words = words
    def encode_text(self, txt, msk=None, word=None, norm=True):
        rows = [[w in s for w in self.words]+[' no' in s or s.startswith('no ')] for s in self.said]
        return Feat(glob=torch.tensor(rows).float()+.1)
class Tok:
    model_max_length = 512
    def __init__(self, m): self.m = m
    def __call__(self, texts, **kw):
        texts = [texts] if isinstance(texts, str) else texts
        self.m.said = [s.lower() for s in texts]
        class Out(dict):
            def to(self, d): return self
        n = len(texts) if kw.get('return_tensors') else 3
        return Out(input_ids=torch.zeros(n, 3), attention_mask=torch.ones(n, 3))
words = ['atelectasis', 'car', 'consolidation', 'edema', 'effusion']
m = Oracle(words); lbl = torch.eye(5)[cls]
emb = Embeddings(v=torch.nn.functional.normalize(torch.cat([lbl, torch.zeros(40,1)], 1)+.1, dim=-1), lbl=lbl)
r = run_zeroshot(protocol('chexpert5x200-zs-v1'), m, emb, Tok(m), FIVE, n_boot=20, set=set_hash(films, cls))
print(r['protocol'], r['hash'][:8], r['prompts']['id'], r['n_prompts'], 'accuracy', r['accuracy']['value'])
test_eq(r['n_prompts']['Cardiomegaly']['pos'], 15); test_eq(r['accuracy']['value'] > .5, True)
y = (torch.arange(60)%3 == 0).float()[:,None]
v = torch.nn.functional.normalize(torch.cat([y, 1-y], 1)+.5*torch.randn(60,2,generator=g), dim=-1)
m = Oracle(['pneumonia']); rsna = Embeddings(v=v, lbl=y)
r = run_zeroshot(protocol('rsna-zs-v1'), m, rsna, Tok(m), ('Pneumonia',), val=rsna, n_boot=20)
one = r['classes']['Pneumonia']
print({k: one[k] for k in ('threshold','in_test_cv')}, one['auroc']['value'])
test_eq(one['threshold_from'].startswith('validation'), True); test_eq(set(one['in_test_cv']), {'accuracy','f1'})
wrong = protocol('chexpert8x200-i2i-v1')
test_fail(lambda: run_zeroshot(wrong, m, rsna, Tok(m), ()), contains='is a protocol of retrieval')

# %% [32] Checkpoint selection by a validation protocol
from medvl.eval.protocols import (with_prompts, protocol_metric)

# %% [34] By hand: a model that turns
import math
from medvl.core import Out, seed_everything
from medvl.data.batch import dataloaders, sample_loader
from medvl.data.preset import Preset
from medvl.data.study import Study, View
from medvl.data.tokens import train_tokenizer
from medvl.models.checkpoint import read_state
from medvl.train.learner import align_learner, fit

# %% [35] By hand: a model that turns
class Turn(Aligner):
    "Films by brightness, on a half circle; `by` turns them. Statements: two opposite points."
    def __init__(self, by=0.):
        super().__init__(); self.by = torch.nn.Parameter(torch.tensor(float(by))); self.config = dict(by=by)
    def encode_image(self, img, msk=None):
        a = img.flatten(1).mean(1)*math.pi/2 + self.by
        return Feat(torch.stack([a.cos(), a.sin()], 1))
    def encode_text(self, txt, msk=None, word=None, norm=True):
        denies = (txt == tok.convert_tokens_to_ids('no')).any(1)
        return Feat(torch.where(denies[:,None], torch.tensor([[1.,0.]]), torch.tensor([[0.,1.]])))
    def forward(self, batch): return Out({'pull': (self.by-2.5)**2})

def sample(i, part):
    px = np.full((32,32), 20*(i%12), np.uint8)
    v = View(id=f'{part}{i}', px=px)
    return Sample((v,None,None,None), 'there is pneumonia' if i%12 > 5 else 'there is no pneumonia', v.id, v.id, v.id,
                  part, {'Pneumonia': float(i%12 > 5)}, Study(v.id, v.id))
films = [sample(i, p) for p in ('train','val') for i in range(24)]
tok = train_tokenizer([s.text for s in films], 60)
plain = Preset('plain', 32, 32, 32)
val = judged_parts(films, need=['val'])['val']
dl = sample_loader(val, tok, plain, 8, slots=['current_frontal'], classes=['Pneumonia'])
metric = protocol_metric('rsna-zs-plain-v1', dl, tok)
class L: pass                                                         # a learner, as far as the metric looks
def asked(by): l = L(); l.model = Turn(by); return metric(l)
print(metric.name, [asked(o) for o in (0., math.pi)])
test_eq([asked(0.), asked(math.pi)], [1., 0.])
brightness = [np.array([20*(i%12) for i in range(24)]), np.array([i%12 > 5 for i in range(24)])]
a = brightness[0]/255*math.pi/2+1.7; s = np.sin(a)-np.cos(a)           # turned by 1.7: some pairs are wrong
pairs = [(x > y)+.5*(x == y) for x in s[brightness[1]] for y in s[~brightness[1]]]
test_close(asked(1.7), np.mean(pairs)); assert 0 < asked(1.7) < 1

# %% [37] By hand: a model that turns
other = with_prompts('rsna-zs-plain-v1', 'chexpert14-plain-v1'); print(other.id, other.hash[:8])
test_eq(other.id, 'rsna-zs-plain-v1+chexpert14-plain-v1'); test_ne(other.hash, protocol('rsna-zs-plain-v1').hash)
test_eq(with_prompts('rsna-zs-plain-v1', None), protocol('rsna-zs-plain-v1'))
for k in ('chexpert5x200-zs-v1','chexpert8x200-t2i-v1'):
    test_fail(lambda: protocol_metric(k, dl, tok), contains='has no AUROC')

# %% [39] A training that goes past its best
def run(out, **kw):
    seed_everything(0)
    dls = dataloaders(films, tok, plain, 8, slots=['current_frontal'], classes=['Pneumonia'], seed=0)
    learn = align_learner(dls, Turn(-2.6), lr=.25, wd=0., precision='fp32', out=out, seed=0)
    return learn, fit(learn, 8, schedule='constant', quiet=True, **kw)
tmp = tempfile.TemporaryDirectory(); at = Path(tmp.name)
learn, res = run(at/'asked', metric=metric)
log = learn.table[learn.table.split == 'select'].set_index('epoch')[metric.name]
print(log.round(3).to_dict(), res['best'])
test_eq(len(log), 8)
test_eq([res['best'][k] for k in ('value','at','by')], [log.max(), log.idxmax(), metric.name])
test_eq(res['select'][metric.name], log[7])
best, last = (read_state(at/'asked'/k)['by'] for k in ('best','model'))
test_close([asked(best), asked(last)], [log.max(), log[7]])
print('kept:', {'best': best.item(), 'last': last.item()}); assert log[0] < log.max() > log[7]
alone, _ = run(at/'alone'); test_eq(alone.model.by.item(), last.item())
assert not (at/'alone/best').exists()
tmp.cleanup()
