# nbs/methods/20_gloria.ipynb: runs against the imported medvl.methods.gloria.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] GLoRIA
from pathlib import Path
import torch
import torch.nn.functional as F
from fastcore.basics import patch_to
from jaxtyping import Float
from torch import Tensor, nn
from medvl.core import Feat, MedvlError
from medvl.losses.local import attend, local_loss, over_texts, regions, similar
from medvl.methods.dual import CellsAndWords

# %% [4] GLoRIA
import json, tempfile, time
import matplotlib.pyplot as plt
from fastcore.test import *
from medvl.core import SLOTS, Batch
from medvl.methods.dual import DualEncoder
torch.set_num_threads(1);

# %% [6] The idea
fig, ax = plt.subplots(figsize=(8.5,2.9), dpi=75); ax.axis('off'); ax.set(xlim=(0,12), ylim=(0,4.4))
def box(x, y, s, c):
    ax.text(x, y, s, ha='center', va='center', fontsize=8.5, bbox=dict(boxstyle='round,pad=.35', fc=c, ec='.4'))
def arrow(x0, y0, x1, y1): ax.annotate('', (x1,y1), (x0,y0), arrowprops=dict(arrowstyle='->', color='.4'))
box(1, 3.3, 'film, enlarged\nto 299 x 299', 'white'); box(3.4, 3.3, 'ResNet-50', '#cfe2f3'); arrow(1.9,3.3,2.7,3.3)
box(1, 1, 'report', 'white'); box(3.4, 1, 'BERT', '#d9ead3'); arrow(1.5,1,2.9,1)
box(6, 3.9, 'layer 4, averaged: 1 vector', 'white'); box(6, 2.8, 'layer 3: 19 x 19 cells', 'white')
arrow(4.1,3.3,4.6,3.8); arrow(4.1,3.3,4.8,2.9)
box(6, 1.6, 'words (pieces summed)', 'white'); box(6, .5, 'mean over tokens: 1 vector', 'white')
arrow(3.9,1,4.7,1.5); arrow(3.9,1,4.5,.6)
box(10, 2.2, 'local: each word\nfinds its cells', '#f4cccc'); box(10, .8, 'global', '#f4cccc')
arrow(7.3,2.8,9.1,2.3); arrow(7.3,1.6,9.1,2.1); arrow(7.5,3.9,9.6,1.1); arrow(7.6,.5,9.5,.8); plt.show()

# %% [8] The model
from medvl.methods.gloria import (GLoRIA)

# %% [14] In use
from medvl.toy import Diagram, curves, ends, toy_batch, toy_bert, toy_pairs, toy_vit, train_toy
small = dict(embed_dim=24, num_heads=2, depth=1, patch_size=16)
tiny = dict(vision=toy_vit(64, **small), text=toy_bert(50, hidden_size=24, num_attention_heads=2),
            size=64, dim=16, layers=1)
torch.manual_seed(0); b = toy_batch(); m = GLoRIA.small(**tiny)
out = m.train()(b); print({k: round(v.item(),3) for k,v in out.terms.items()})
test_eq((out.img.loc.shape, out.txt.loc.shape, out.txt.msk.sum(1).tolist()), ((4,16,16), (4,5,16), [5,2,4,5]))

# %% [16] In use
def as_written(v, words, s1=4., s2=5., s3=10.):
    sims = []
    for w in words:                                                    # [k d], one report
        a = torch.einsum('kd,bnd->bnk', w, v).softmax(-1)              # over words
        a = (s1*a.transpose(1,2)).softmax(-1)                          # over cells
        sims.append((s2*F.cosine_similarity(a @ v, w[None], dim=-1)).exp().sum(1).log())
    M, y = s3*torch.stack(sims, 1), torch.arange(len(v))
    return F.cross_entropy(M, y) + F.cross_entropy(M.T, y)
with torch.no_grad():
    words = [w[k] for w,k in zip(out.txt.loc, out.txt.msk)]                # words and [CLS]
    test_close(out.terms['local'].item(), as_written(out.img.loc, words).item(), eps=1e-3)
    cos, y = 10*out.img.glob @ out.txt.glob.T, torch.arange(4)
    test_close(out.terms['glob'].item(), (F.cross_entropy(cos, y)+F.cross_entropy(cos.T, y)).item(), eps=1e-4)
    test_close(m.loss(out).item(), out.terms['glob'].item()+out.terms['local'].item(), eps=1e-5)

# %% [18] In use
m.eval()
args = b.txt[:4], b.txt_msk[:4], b.word[:4]
with torch.no_grad(): t, whole = m.encode_text(*args), DualEncoder.encode_text(m, *args)
test_close(t.loc, whole.loc[:,1:], eps=1e-6); test_eq(t.msk.sum(1).tolist(), [4,1,3,4])
for kw in ({}, dict(cls_word=False), dict(mean=True), dict(positives=True)):
    x = GLoRIA.small(**{**tiny, **kw}).train(); x.loss(x(b)).backward()
    test_eq([k for k,p in x.named_parameters() if p.requires_grad and p.grad is None], [])
torch.manual_seed(0); p = GLoRIA.small(**tiny, positives=True); p.load_state_dict(m.state_dict())
test_eq(bool((p.train()(b).terms['glob']-out.terms['glob']).abs() > 1e-3), True)

# %% [20] In use
with torch.no_grad(): f = m.encode_image(b.img, b.img_msk); s = m.scores(f, t)
w, v = t.loc[2][t.msk[2]], f.loc[5]
with torch.no_grad():
    A = (4*(w @ v.T).softmax(0)).softmax(-1)
    test_close(s['local'][5,2].item(), 5*F.cosine_similarity(A @ v, w, dim=-1).max().item(), eps=1e-4)
test_close(s['glob'], f.glob @ t.glob.T, eps=1e-6); test_is(m.maps(f, t), None)
m.read = 'attention'; H = m.maps(f, t)
test_eq(H.shape, (1,6,4,4,4)); test_close(H[0,5,2].flatten(), A.mean(0), eps=1e-5)
test_close(H.sum((-2,-1)), torch.ones(1,6,4), eps=1e-4)
m.read = 'product'; share = (5*F.cosine_similarity(A @ v, w, dim=-1)).softmax(0)
test_close(m.maps(f, t)[0,5,2].flatten(), share @ (w @ v.T), eps=1e-4)
m.read = 'cosine'

# %% [22] In use
from medvl.models.checkpoint import save_pretrained
again = GLoRIA(**json.loads(json.dumps(m.config))); again.load_state_dict(m.state_dict())
with torch.no_grad(): test_close(again.eval().encode_image(b.img, b.img_msk).loc, f.loc, eps=1e-6)
with tempfile.TemporaryDirectory() as d:
    save_pretrained(m, d)
    test_close(GLoRIA.small(**tiny, init=d).vision.net.net.cls_token, m.vision.net.net.cls_token)
with torch.device('meta'): full = {'ResNet-50': GLoRIA.paper(), 'ViT-B/16': GLoRIA.vit()}
for k,x in full.items():
    n = sum(p.numel() for p in x.parameters())
    print(k, f"{n/1e6:.1f} million parameters, cells {x.vision.grid}, width {x.vision.width_loc}")
test_eq((full['ResNet-50'].vision.grid, full['ResNet-50'].head_vs.weight.shape), ((19,19), (768,1024)))
test_is(type(full['ResNet-50'].head_t), nn.Identity)
test_fail(lambda: GLoRIA.small(**tiny, read='gradient'), contains="'cosine', 'product' or 'attention'")
test_fail(lambda: m(Batch(b, txt_msk=torch.zeros(6,9).bool())), contains='no sample of this batch has a text')
test_fail(lambda: m(Batch(b, img_msk=torch.zeros(6,1).bool())), contains='has no film in any slot')

# %% [24] The classic mistake: words with their padding
with torch.no_grad():
    alone = m.scores(f, Feat(t.glob[1:2], t.loc[1:2,:1], t.msk[1:2,:1]))['local'][:,0]
    test_close(alone, s['local'][:,1], eps=1e-5)
    def first(ws): return (4*(ws @ f.loc[0].T).softmax(0)).softmax(-1)[:1] @ f.loc[0]
    padded = [5*F.cosine_similarity(first(ws), t.loc[1,:1], dim=-1).item()
              for ws in (t.loc[1,:1], torch.cat([t.loc[1,:1], torch.zeros(30,16)]))]
print(f"packed {alone[0]:.4f}; padded, beside nobody {padded[0]:.4f}, beside a report of 31 words {padded[1]:.4f}")
test_close(padded[0], alone[0].item(), eps=1e-4); test_eq(abs(padded[1]-padded[0]) > 1e-4, True)

# %% [26] It learns
seen, _, tok, page = toy_pairs(slots=SLOTS[:1], big=0)
torch.manual_seed(0)
m = GLoRIA.small(vision=toy_vit(), text=toy_bert(len(tok)), size=64, dim=64, layers=1, positives=True)

def mrr():
    "Mean reciprocal rank of an own text among all, by both kinds of score; equal texts are right."
    with torch.no_grad():
        s = m.scores(m.encode_image(seen.img, seen.img_msk), m.encode_text(seen.txt, seen.txt_msk, seen.word))
    right, got = seen.txt_id[:,None] == seen.txt_id[None], {}
    for k,x in s.items():
        best = x.masked_fill(~right, -torch.inf).amax(1, keepdim=True)
        got[k] = (1/(1+((x >= best) & ~right).sum(1))).float().mean().item()
    return got
m.eval(); before, log, after = mrr(), train_toy(m, seen, 60, 2e-3, bs=24, wd=.02), mrr()
for when,r in (('before', before), ('after', after)):
    print(f"{seen.bs} pairs; MRR {when}", {k: round(v,3) for k,v in r.items()})
curves(log); plt.show()

# %% [27] It learns
for a,z in ends(log).values(): assert z < a
assert after['glob'] > before['glob']

# %% [30] Results
from IPython.display import Markdown
from medvl.eval.results import answer, result_files
Markdown(answer('grounding', result_files('../../results'), up='../'))
