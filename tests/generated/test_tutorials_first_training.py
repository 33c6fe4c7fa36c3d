# nbs/tutorials/first_training.ipynb: exports nothing; its cells run as they are.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [2] A first training
import math
from dataclasses import asdict

import matplotlib.pyplot as plt
import torch
from fastcore.test import test_eq
from medvl.core import SLOTS, seed_everything
from medvl.data.batch import dataloaders, sample_loader, show_batch
from medvl.data.preset import Preset
from medvl.data.study import samples
from medvl.data.splits import leakage
from medvl.data.words import sections
from medvl.data.tokens import train_tokenizer
from medvl.eval.metrics import chance_recall
from medvl.eval.retrieval import embed, film_to_text, retrieval, text_to_film
from medvl.train.learner import align_learner, fit
from medvl.methods.clip import CLIP
from medvl.phantom.set import phantom_studies

# %% [4] Patients
studies = phantom_studies(60, seed=0, size=128, difficulty='lifelike-easy')
s = next(s for s in studies if s.prior and s.laterals)
fig, axs = plt.subplots(1, 3, figsize=(7, 2.6), dpi=70)
for ax, (name, v) in zip(axs, {'now': s.frontals[0], 'lateral': s.laterals[0], 'before': s.prior.frontals[0]}.items()):
    ax.imshow(v.px, cmap='gray'); ax.set_title(name, fontsize=9); ax.axis('off')
print(s.report)

# %% [6] Patients
print(leakage(studies, bar=False))
test_eq(leakage(studies, bar=False).ok, True)

# %% [8] Samples, words, batches
smp = samples(studies, text=lambda r: sections(r).get('impression') or r, say=None)
tok = train_tokenizer([s.text for s in smp if s.split == 'train'], 600)
small = Preset('small', 64, 64, 64, .4785, .2834)
dls = dataloaders(smp, tok, small, bs=14, max_len=48, slots=SLOTS[:1], seed=0)
print({k: len(o.dataset) for k, o in zip(dls.names, dls.loaders)}, 'samples;', len(tok), 'pieces')
show_batch(dls, 2);

# %% [10] A model and its training
vit = dict(name='vit_small_cpu', size=64, patch_size=8, depth=2, embed_dim=96, num_heads=3)
bert = dict(hidden_size=96, num_hidden_layers=1, num_attention_heads=3, intermediate_size=192,
            max_position_embeddings=64, vocab_size=len(tok), hidden_dropout_prob=0.,
            attention_probs_dropout_prob=0., initializer_range=.1)
seed_everything(0)
model = CLIP(vision=vit, text=bert, size=64, dim=64, text_pool='mean', preset=asdict(small))
learn = align_learner(dls, model, lr=1e-3, precision='fp32', seed=0)
run = fit(learn, 20, schedule='one_cycle', quiet=True)
log = learn.table[learn.table.split == 'train']
fig, ax = plt.subplots(figsize=(4.5, 2.2), dpi=75)
ax.plot(log.step, log.loss); ax.axhline(math.log(14), c='.6', ls=':'); ax.set(xlabel='step', ylabel='loss');
first, last = log.loss.iloc[:5].mean(), log.loss.iloc[-5:].mean()
print(f"{run['steps']} steps, loss {first:.2f} -> {last:.2f}; chance: log 14 = {math.log(14):.2f}")

# %% [11] A model and its training
assert last < .6*first

# %% [13] Retrieval
emb, split = {}, {k: [s for s in smp if s.split == k] for k in ('train','test')}
for k, rows in split.items():
    dl = sample_loader(rows, tok, small, max_len=48, slots=SLOTS[:1])
    e = emb[k] = embed(model, dl, progress=False)
    r, same = retrieval(e.v, e.t, e.txt_id), (e.txt_id[:,None] == e.txt_id).sum(1).numpy()
    print(f"{k}: {len(e)} films; R@5 film to text {r['image_to_text_R@5']:.2f}, text to film "
          f"{r['text_to_image_R@5']:.2f}; chance: {chance_recall(same, len(e), 5):.2f}")

# %% [14] Retrieval
seen = retrieval(emb['train'].v, emb['train'].t, emb['train'].txt_id)
assert min(seen[f'{w}_R@5'] for w in ('image_to_text','text_to_image')) > 3*5/len(emb['train'])

# %% [16] Retrieval
rows, k = [0, 20, 40], 'train'
def film(i): return split[k][i].slots[0].px
def text(i): return split[k][i].text
text_to_film(emb[k], film, text, rows, k=4, dpi=60);

# %% [18] Retrieval
k = 'test'
film_to_text(emb[k], film, text, [0, 5], k=3, size=1.3, dpi=70);
