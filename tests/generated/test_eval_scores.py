# nbs/eval/30_scores.ipynb: runs against the imported medvl.eval.scores.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Scores of pairs
import inspect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor
from tqdm import tqdm
from medvl.core import Aligner, Batch, Feat, MedvlError
from medvl.eval.maps import evaluating, phrase_feats
from medvl.eval.metrics import MetricError, ranks
from medvl.eval.retrieval import NEAR, RULES, both_ways, film_ids
from medvl.eval.zeroshot import binary_labels, multilabel_table

# %% [4] Scores of pairs
import matplotlib.pyplot as plt
from fastcore.test import *
from medvl.eval.retrieval import Embeddings, pair_ranks, retrieval
torch.set_num_threads(1);

# %% [6] PairFeatures of a data set
from medvl.eval.scores import (PairFeatures, join_feats, text_fields, pair_features)

# %% [8] PairFeatures of a data set
from medvl.methods.gloria import GLoRIA
torch.manual_seed(0)
bert = dict(hidden_size=24, num_hidden_layers=1, num_attention_heads=2, intermediate_size=48, vocab_size=50)
vit = dict(name='vit_small_cpu', size=64, patch_size=16, depth=1, embed_dim=24, num_heads=2)
m = GLoRIA.small(vision=vit, text=bert, size=64, dim=16, layers=1)
def batches(lens=(9,4,7,9,0,6,5,9,8,4), bs=4):
    g = torch.Generator().manual_seed(1); lens = torch.tensor(lens)
    for i in range(0, len(lens), bs):
        k = lens[i:i+bs]; l = int(k.max())
        ids = torch.arange(i, i+len(k))
        yield Batch(img=torch.randn(len(k),1,1,64,64,generator=g), img_msk=torch.ones(len(k),1).bool(), txt_id=ids//2,
                    txt=torch.randint(5,50,(len(k),l),generator=g), txt_msk=torch.arange(l)[None] < k[:,None],
                    lbl=torch.rand(len(k),2,generator=g).round()), ids
f = pair_features(m, batches())
test_eq((len(f), f.img.loc.shape, f.txt.loc.shape, f.ids.tolist()), (9, (9,16,16), (9,7,16), [0,1,2,3,5,6,7,8,9]))
test_eq(f.txt.msk.sum(1).tolist(), [7,2,5,7,4,3,7,6,2])                       # pieces without [CLS] and [SEP]
test_eq(pair_features(m, batches(), half=True).img.loc.dtype, torch.float16)
test_fail(lambda: pair_features(m, batches(lens=(0,0))), contains='no sample of this data set has a text')
two = [Feat(torch.zeros(1,2), grid=o) for o in ((1,1), (2,2))]
test_eq(text_fields(m), [])
test_fail(lambda: join_feats(two), contains='expected one')

# %% [10] PairFeatures of a data set
from medvl.methods.place import PLACE
p = PLACE.small(vision=vit, text=bert, size=64); test_eq(text_fields(p), ['sent'])
def halves(): # two sentences a text
    for b,ids in batches():
        b['sent'] = (torch.arange(b.txt.shape[1])[None] >= b.txt_msk.sum(1)[:,None]//2).long(); yield b, ids
test_eq(pair_features(p, halves()).txt.msk.sum(1).tolist(), [2]*9)
test_fail(lambda: pair_features(p, batches()), contains="PLACE needs batch['sent']")

# %% [12] All pairs
from medvl.eval.scores import (pair_scores)

# %% [13] All pairs
S = pair_scores(m, f.img, f.txt)
test_eq({k: v.shape for k,v in S.items()}, dict(glob=(9,9), local=(9,9)))
for k,s in pair_scores(m, f.img, f.txt, block=2).items(): test_close(s, S[k], eps=1e-4)
test_close(S['glob'], f.img.glob @ f.txt.glob.T, eps=1e-5)
bad = Feat(f.img.glob*torch.nan, f.img.loc, grid=f.img.grid)
test_fail(lambda: pair_scores(m, bad, f.txt), contains='glob: the score of film 0 and text 0 is nan')

# %% [15] Several kinds, one number
from medvl.eval.scores import (combine)

# %% [16] Several kinds, one number
test_eq(combine(S, 'local'), S['local']); test_close(combine(S, 'mean'), (S['glob']+S['local'])/2)
z = combine(S); test_close(z.mean().item(), 0., eps=1e-5)
test_eq(combine(dict(glob=S['glob'])).argsort(1), S['glob'].argsort(1))
test_fail(lambda: combine(S, 'max'), contains="'z', 'mean', or one of glob, local")
test_fail(lambda: combine(dict(glob=torch.ones(2,2))), contains='all 4 scores are equal')

# %% [18] Retrieval
from medvl.eval.scores import (score_retrieval)

# %% [19] Retrieval
got, want = score_retrieval(S['glob'], f.txt_id), retrieval(f.img.glob, f.txt.glob, f.txt_id)
test_eq(score_retrieval(S['glob'], f.txt_id, rule='pairs-v1').keys(), want.keys())
emb = Embeddings(f.img.glob, f.txt.glob, torch.ones(len(f)).bool(), f.txt_id)
old = score_retrieval(S['glob'], f.txt_id, rule='pairs-v1'); new = both_ways(pair_ranks(emb))
for k in want: test_close(old[k], float(want[k]), eps=1e-6); test_close(got[k], new[k], eps=1e-6)
emb.img_id = torch.arange(len(f)) // 2; both = score_retrieval(S['glob'], f.txt_id, img_id=emb.img_id)
for k,v in both_ways(pair_ranks(emb)).items(): test_close(both[k], v, eps=1e-6)
test_eq(torch.unique(f.img_id).numel(), len(f))                            # no film of these occurs twice
eye = score_retrieval(torch.eye(4), torch.arange(4))
test_eq((eye['image_to_text_R@1'], eye['text_to_image_mean_rank']), (1., 1.))
test_eq(score_retrieval(torch.tensor([[0.,1],[1,0]]), torch.arange(2))['image_to_text_R@1'], 0.)
test_fail(lambda: score_retrieval(torch.eye(2), torch.arange(2), torch.tensor([0,5])), contains='no right candidate')

# %% [21] A case that needs words
g = torch.Generator().manual_seed(2)
codes = F.normalize(torch.randn(8,16,generator=g), dim=-1)
cells, words = .3*torch.randn(8,9,16,generator=g), torch.randn(8,4,16,generator=g)
for i in range(8):
    for k,j in enumerate((i, (i+3) % 8)): cells[i,2*k+1] = 4*codes[j]; words[i,k] = 4*codes[j]
v, t = (F.normalize(torch.randn(8,16,generator=g), dim=-1) for _ in range(2))
parts = pair_scores(m, Feat(v, cells, grid=(3,3)), Feat(t, words))
ids = torch.arange(8)
for how in ('glob','local','z'):
    r = score_retrieval(combine(parts, how), ids, ks=(1,))
    print(f"{how:6s} R@1 {r['image_to_text_R@1']:.2f} and {r['text_to_image_R@1']:.2f}, chance 0.12")
fig, axs = plt.subplots(1, 3, figsize=(6.5,2.2), dpi=75)
for ax,k in zip(axs, ('glob','local','z')):
    ax.imshow(combine(parts, k), cmap='Blues'); ax.set(title=k, xlabel='text', ylabel='film', xticks=[], yticks=[])
plt.tight_layout(); plt.show()
local = score_retrieval(parts['local'], ids, ks=(1,))
test_eq(local['image_to_text_R@1'] > .6 > score_retrieval(parts['glob'], ids, ks=(1,))['image_to_text_R@1'], True)

# %% [23] Zero-shot
from medvl.eval.scores import (prompt_scores, score_zeroshot)

# %% [24] Zero-shot
from medvl.data.tokens import train_tokenizer
texts = ['pleural effusion', 'effusion on the left', 'no effusion', 'heart is enlarged']
tok = train_tokenizer(texts*5, 50)
classes = {'Pleural Effusion': dict(pos=texts[:2], neg=texts[2:3]), 'Cardiomegaly': dict(pos=texts[3:])}
s = prompt_scores(m, f.img, tok, classes, 'local')
P = pair_scores(m, f.img, join_feats(phrase_feats(m, tok, texts)))['local'].numpy()
test_close(s[:,0], np.maximum(P[:,0], P[:,1])-P[:,2], eps=1e-5); test_close(s[:,1], P[:,3], eps=1e-5)
res = score_zeroshot(m, f, tok, classes, ['Cardiomegaly','Pleural Effusion'], n_boot=0)
print({k: round(v['auroc'].value,3) for k,v in res['classes'].items()}, 'by chance 0.5, of nine random films')
test_eq((list(res['classes']), res['transductive']), (['Pleural Effusion','Cardiomegaly'], True))
test_fail(lambda: prompt_scores(m, f.img, tok, {'Edema': {}}), contains="'Edema' has no positive prompt")
test_fail(lambda: score_zeroshot(m, f, tok, classes, ['Edema']), contains='no class of the prompts')
