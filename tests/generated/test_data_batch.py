# nbs/data/42_batch.ipynb: runs against the imported medvl.data.batch.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Batches
import math
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Callable, Mapping, Sequence
from medvl.core import CHEXPERT, SLOTS, Batch, MedvlError, Registry
from medvl.data.pixels import count_kinds
from medvl.data.preset import Preset, cut, decode_film, draw, resize, sided
from medvl.data.show import Rows, counted
from medvl.data.study import Sample, Study, View, samples as study_samples
from medvl.data.report import entities, mentions
from medvl.data.words import as_text, sentence_spans, sentences, swap_sides
from medvl.data.tokens import encode, txt_id
import matplotlib.pyplot as plt
import numpy as np
import torch, xxhash
from fastai.data.core import DataLoaders
from fastai.data.load import DataLoader
from fastai.torch_core import num_distrib, rank_distrib
from fastcore.basics import patch_to
from torch import Tensor
from transformers import PreTrainedTokenizerFast

# %% [4] Batches
import os
import pandas as pd
from fastcore.test import *
from medvl.data.preset import PRESETS
from medvl.data.report import Mention
from medvl.data.tokens import train_tokenizer

# %% [6] Further fields
from medvl.data.batch import (FIELDS, STANDARD, field, field_names)

# %% [8] Further fields
from medvl.data.batch import (_txt_id, _lbl)

# %% [10] Further fields
from medvl.data.batch import (piece_spans, in_order, _spans, _sent, _ent, _twin)

# %% [12] Items
from medvl.data.batch import (film_bytes, check_samples)

# %% [13] Items
from medvl.data.batch import (StudyData)

# %% [17] Items
def film(i, side=72): # a synthetic picture: two dark ovals and a bright disc that wanders with i
    y, x = np.mgrid[:side, :side]/side
    lungs = np.minimum(((x-.3)/.15)**2+((y-.5)/.3)**2, ((x-.7)/.15)**2+((y-.5)/.3)**2)
    a = np.where(lungs < 1, 60, 150).astype(float)
    a[(x-.25-.1*(i%6))**2+(y-.4)**2 < .006] = 240
    return np.clip(a+np.random.default_rng(i).normal(0, 6, a.shape), 0, 255).astype('uint8')

def sample(i, text, slots=(1,0,0,0), split='train', **labels):
    views = tuple(View(id=f'{i}-{j}', px=film(i+j), kind=('frontal','lateral')[j%2]) if on else None
                  for j,on in enumerate(slots))
    study = Study(f'p{i}', f's{i}', float(i), [v for v in views if v], text, split=split)
    return Sample(views, text, f's{i}', f'p{i}', f'p{i}', split, labels, study)

smp = [sample(0, 'Left-sided effusion. No pneumothorax.', (1,1,1,1), Edema=1.), sample(1, ''),
       sample(2, 'Heart enlarged.', (0,1,0,0)), sample(3, 'no  pneumothorax.'),
       sample(4, 'No pneumothorax.', (1,0,1,0), 'val'), sample(5, 'Effusion.', split='test')]
tok = train_tokenizer([s.text for s in smp]*2, 200)
tiny = replace(PRESETS['alta'], name='tiny', size=32, resize=36, decode=72, mean=.5, std=.25, big=64)
data = StudyData(smp, tok, tiny, train=True, max_len=32, classes=('Edema',))
it, i = data[0]
test_eq(sorted(map(str, it['films'])), ['0','1','2','3','big']); test_eq(i, 0)
test_eq(list(data[2][0]['films']), [1]); test_eq(len(data[1][0]['txt'][0]), 0)

# %% [19] Items
v = smp[0].slots[0]
twin = StudyData([replace(smp[0], slots=(v,v,v,v))], tok, replace(tiny, big=0), train=True)
f = twin[0][0]['films']
test_eq(f[0], f[2]); test_eq(f[1], f[3]); test_ne(f[0], f[1])
twin.epoch = 1; test_ne(twin[0][0]['films'][0], f[0])  # another epoch, another wobble

# %% [21] Items
long = [replace(smp[0], text='Left-sided effusion. No pneumothorax. Heart enlarged.')]
order = []
for train in (True, False):
    d = StudyData(long, tok, tiny, train=train, shuffle_sentences=True)
    for d.epoch in range(6): order.append((train, tok.decode(d[0][0]['txt'][0], skip_special_tokens=True)))
test_eq(len({t for train,t in order if train}) > 1, True); test_eq(len({t for train,t in order if not train}), 1)
test_eq({tuple(sorted(t.split())) for _,t in order}, {tuple(sorted(order[-1][1].split()))})

# %% [23] Items
told = set()
d = StudyData(long, tok, tiny, train=True, one_sentence=True, max_len=32)
for d.epoch in range(12):
    told.add((d.said(0), FIELDS['txt_id'](d, [0], None).item()))
    test_eq(tok.decode(d[0][0]['txt'][0], skip_special_tokens=True), tok.decode(tok(d.said(0))['input_ids'], True))
test_eq({s for s,_ in told}, set(sentences(long[0].text))); test_eq(len(told), 3)
test_eq(StudyData(long, tok, tiny, one_sentence=True).said(0), long[0].text)
test_eq(StudyData([replace(long[0], text='')], tok, tiny, train=True, one_sentence=True).said(0), '')

# %% [25] Collate
from medvl.data.batch import (pad_texts, collate)

# %% [26] Collate
b, ids = collate([data[i] for i in range(4)], data)
{k: tuple(v.shape) for k,v in b.items()}

# %% [27] Collate
test_eq(b.img_msk, torch.tensor([[1,1,1,1],[1,0,0,0],[0,1,0,0],[1,0,0,0]]).bool())
test_eq(b.img[1,1:].abs().sum(), 0.); test_eq(b.big[2].abs().sum(), 0.)
test_eq(b.txt_msk.any(1), torch.tensor([True, False, True, True]))
test_eq(((b.word >= 0) & ~b.txt_msk).any(), False)
test_eq(b.txt_id[1].item(), -2); test_eq(data.txt_id[3], data.txt_id[4])
test_eq(b.lbl.isnan()[:,0], torch.tensor([False, True, True, True])); test_eq(b.lbl[0].item(), 1.)
test_close(b.img[0,0], tiny.norm(resize(tiny.denorm(b.big[0]), 32)), eps=1e-5)
test_eq(collate([data[0]], data, pad='max_len')[0].txt.shape, (1,32))

# %% [29] Collate
more = StudyData(smp, tok, tiny, max_len=32, fields=('img','txt','sent','ent'))
b = collate([more[i] for i in range(4)], more)[0]
for k in ('sent','ent'): test_eq(b[k].shape, b.txt.shape); test_eq((b[k][~b.txt_msk] == -1).all(), True)
row = b.txt_msk[0]
pd.DataFrame(dict(piece=tok.convert_ids_to_tokens(b.txt[0][row]), word=b.word[0][row], sent=b.sent[0][row],
                  ent=b.ent[0][row])).T

# %% [30] Collate
said = smp[0].text                                                       # two sentences, a finding in each
test_eq([e.name for e in entities(said)], ['pleural effusion','pneumothorax'])
test_eq((b.sent[0].max().item(), b.ent[0].max().item(), b.sent[0,0].item()), (1, 1, -1))
test_eq(tok.decode(b.txt[0][b.ent[0] == 1]), 'pneumothorax'); test_eq((b.sent[1] == -1).all(), True)
@field('dose', 'a number for the test')
def add_dose(data, ids, b): return torch.tensor([len(data.samples[i].id) for i in ids])
test_eq(StudyData(smp, None, tiny, fields=('dose',)).fields, ['txt_id','dose'])
test_eq(FIELDS.entries.pop('dose')(more, [0,1], b), torch.tensor([2,2])); Batch.known.pop('dose')
test_fail(lambda: StudyData(smp, tok, tiny, fields=('boxes',)), contains="unknown field of a batch 'boxes'; known:")
side = StudyData(smp, tok, tiny, max_len=32, fields=('twin',)); b = collate([side[i] for i in range(4)], side)[0]
sided_ones = [swap_sides(s.text) != s.text for s in smp[:4]]; test_eq((b.twin[:,0] >= 0).any(1).tolist(), sided_ones)
ids, word = b.twin[0]; test_eq(tok.decode(ids[ids >= 0], True), tok.decode(tok(swap_sides(said))['input_ids'], True))
test_eq((word >= 0).sum() <= (ids >= 0).sum(), True)
test_fail(lambda: StudyData(smp, None, tiny, fields=('sent',)), contains="'sent' is made from texts")
text = 'Small left\neffusion. No edema.'                                 # what is annotated moves with its sentence
spans = [(6,10), (11,19), (24,29)]; new = in_order(text, [1,0], spans)
test_eq([text[a:z] for a,z in spans], ['left','effusion','edema'])
test_eq(['No edema. Small left effusion.'[a:z] for a,z in new], ['edema','left','effusion'])
test_eq(in_order(text, [1], spans), [(3,8)]); test_eq(in_order(text, [0,1], [(0,19)]), [(0,19)])
own = [replace(smp[0], text=text, named=[Mention('observation', 'edema', (24,29), 'edema', 1, 'absent')]), *smp[1:]]
for kw,train in ((dict(), False), (dict(shuffle_sentences=True), True)):
    d = StudyData(own, tok, tiny, train, **kw)
    test_eq([d.said(0)[a:z] for a,z in d.named(0)], ['edema'])
d = StudyData(smp, tok, tiny); test_eq(d.named(0), [m.span for m in mentions(smp[0].text)])
test_fail(lambda: StudyData(smp, None, tiny, fields=('lbl',)), contains='names of the classes')

# %% [32] A loader
from medvl.data.batch import (world_size, StudyDL)

# %% [33] A loader
dl = StudyDL(data, bs=2, shuffle=True, drop_last=True)
test_eq(len(dl), 3)
def seen(dl): return [ids.tolist() for _,ids in dl]
one = seen(dl); test_eq(one, seen(dl))  # the same epoch again
test_eq(sorted(sum(one, [])), list(range(6)))
dl.start = 2; test_eq(seen(dl), one[2:]); test_eq(len(dl), 1); dl.start = 0
data.epoch = 1; test_ne(seen(dl), one); data.epoch = 0

# %% [35] A loader
two = StudyDL(data, bs=2, shuffle=True, drop_last=True, num_workers=2)
for (b0,i0),(b2,i2) in zip(dl, two): test_eq(i0, i2); test_eq(b0.img, b2.img); test_eq(b0.txt, b2.txt)

# %% [37] A loader
four, shares = seen(StudyDL(data, bs=4, shuffle=True)), []
for rank in '01':
    os.environ.update(RANK=rank, WORLD_SIZE='2')
    shares.append(seen(StudyDL(data, bs=2, shuffle=True)))
for k in ('RANK','WORLD_SIZE'): os.environ.pop(k)
test_eq([a+b for a,b in zip(*shares)], four)

# %% [39] Missing films
from medvl.data.batch import (missing_films, leave_out)

# %% [40] Missing films
gone = [replace(smp[1], slots=(View(id='g', path='/no/film.png'),None,None,None)), smp[3]]
bad = missing_films(gone); test_eq(list(bad), ['/no/film.png'])
test_fail(lambda: leave_out(gone, bad), contains='row 0 (s1), /no/film.png: no such file')
test_eq([s.id for s in leave_out(gone, bad, errors='skip')], ['s3'])
test_fail(lambda: leave_out(gone, bad, errors='ignore'), contains="expected 'raise' or 'skip'")

# %% [42] DataLoaders
from medvl.data.batch import (StudyLoaders)

# %% [44] DataLoaders
from medvl.data.batch import (readable, label_names)

# %% [45] DataLoaders
test_eq(label_names(smp), ['Edema']); test_eq(label_names([sample(0, '', b=1., a=0., Edema=1.)]), ['Edema','a','b'])

# %% [46] DataLoaders
from medvl.data.batch import (dataloaders)

# %% [47] DataLoaders
notes = ['Left-sided pleural effusion, 12 cm.', 'No pneumothorax. The heart is not enlarged.', 'Effusion.']
many = [sample(i, notes[i%3] if i%4 else '', (1, i%2, i%3 == 0, 0), 'train' if i < 12 else 'val', Edema=float(i%2))
        for i in range(16)]
tok = train_tokenizer(notes*2, 200)
dls = dataloaders(many, tok, tiny, bs=4, max_len=32)
b, ids = dls.one_batch()
test_eq((len(dls.train), len(dls.valid), dls.n_inp, dls.names), (3, 1, 1, ('train','val')))
test_eq(b['img'].shape, (4,4,1,32,32)); test_eq(b['lbl'][:,0], ids.float()%2)
test_eq(dls.config()['n'], {'train': 12, 'val': 4})
test_eq(dataloaders(many, tok, tiny, bs=4, max_len=32, pad='max_len').one_batch()[0]['txt'].shape, (4,32))
val = next(iter(dls.valid))[0]; test_eq(val['img'], next(iter(dls.valid))[0]['img'])

# %% [49] DataLoaders
test_fail(lambda: dataloaders(smp, tok, tiny, bs=2, flip=True), contains="says 'Left'")
test_eq(dataloaders(smp, tok, tiny, bs=2, flip=True, sided='allow', max_len=32).preset.flip, True)
test_fail(lambda: dataloaders([smp[4]], tok, tiny), contains="no training sample: 1 samples with the splits ['val']")
test_fail(lambda: dataloaders(smp, tok, tiny, bs=64), contains='4 training samples are fewer than one batch of 64')
test_fail(lambda: dataloaders(gone, tok, tiny, bs=1), contains='row 0 (s1)')
test_fail(lambda: dataloaders(smp, None, tiny, bs=2, need_mask=True), contains='mask token')
test_fail(lambda: dataloaders(smp, tok, tiny, bs=2, slots=('frontal',)), contains="unknown slots ['frontal']")
test_fail(lambda: dls.loader('tset'), contains='there are: train, val')
facts = [StudyDL(StudyData(o, tok, tiny)).facts().get('annotated', {}).get('texts') for o in (smp, own)]
test_eq(facts, [None,1])                                                  # a run knows what was annotated

# %% [51] DataLoaders
wordy = dataloaders([replace(many[0], text='effusion '*10_000), *many[1:]], tok, tiny, bs=4, max_len=32)
test_eq(len(wordy.train_ds.pieces.ids[0]), 32)
holes = View(id='with holes', px=np.where(film(0) > 200, np.nan, film(0)/255.))
nan = dataloaders([replace(many[0], slots=(holes,None,None,None)), *many[1:]], tok, tiny, bs=4, max_len=32)
test_fail(lambda: nan.train_ds[0], contains='NaN')

# %% [53] DataLoaders
from medvl.data.batch import (sample_loader)

# %% [54] DataLoaders
dl = sample_loader(many[:5], tok, tiny, bs=2, max_len=32); print(dl)
assert repr(dl).startswith('5 samples in 3 batches of 2: films of') and len(repr(dl)) < 250
assert dl._repr_html_().count('<figure') == 5 and len(dl._repr_html_()) < 60_000
test_eq(seen(dl), [[0,1],[2,3],[4]]); test_eq(next(iter(dl))[0].txt_msk.any(1), torch.tensor([False, True]))
os.environ.update(RANK='1', WORLD_SIZE='2')                                # all of them, in each process
test_eq((seen(dl), len(dl)), ([[0,1],[2,3],[4]], 3))
for k in ('RANK','WORLD_SIZE'): os.environ.pop(k)

# %% [56] A look at a batch
from medvl.data.batch import (show_batch)

# %% [57] A look at a batch
print(dls); assert repr(dls).startswith('train: ') and len(repr(dls)) < 500
assert '<figure' in dls._repr_html_() and len(dls._repr_html_()) < 100_000
dls.show_batch(3);

# %% [59] A look at a batch
wordy = dataloaders([replace(m, text='effusion '*500) for m in many], tok, tiny, bs=4, max_len=256)
fig = show_batch(wordy, 2, chars=2000); fig.canvas.draw(); width = fig.axes[0].get_position().width; plt.close()
test_eq(width > .2, True)
