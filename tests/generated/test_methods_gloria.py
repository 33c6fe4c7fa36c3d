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
import json, tempfile
import matplotlib.pyplot as plt
import numpy as np
from fastcore.test import *
from medvl.core import SLOTS, Batch
from medvl.methods.dual import DualEncoder
from medvl.models.checkpoint import save_pretrained
from medvl.toy import Diagram, curves, ends, toy_batch, toy_bert, toy_pairs, toy_vit, train_toy
torch.set_num_threads(1);

# %% [6] The idea
d, red = Diagram(9.4, 2.7), '#f4cccc'
d.box('film', .9, 2, 'film, enlarged\nto 299 x 299').box('cnn', 2.6, 2, 'ResNet-50', '#cfe2f3')
d.box('report', .9, .7).box('bert', 2.6, .7, 'BERT', '#d9ead3')
for k,y,s in (('c',2.35,'$c_q$: layer 3, 19 x 19 cells'), ('v',1.7,'$v$: layer 4, averaged'),
              ('t',1,'$t$: mean over tokens'), ('w',.35,'$w_k$: words (pieces summed)')): d.box(k, 4.6, y, s)
d.box('local', 8.5, 1.35, '$L_{local}$: each word\nfinds its cells', red).box('glob', 6.7, 1.35, '$L_{glob}$', red)
d.arrow('film','cnn','v','glob').arrow('cnn','c','local').arrow('report','bert','w','local').arrow('bert','t','glob')
plt.show()

# %% [8] The model
from medvl.methods.gloria import (GLoRIA)

# %% [14] It learns
seen, _, tok, page = toy_pairs(slots=SLOTS[:1], big=0)
torch.manual_seed(0)
m = GLoRIA.small(vision=toy_vit(), text=toy_bert(len(tok)), size=64, dim=64, layers=1, positives=True)

def mrr():
    "Mean reciprocal rank of an own text among all, by both kinds of score; identical texts count as correct."
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

# %% [15] It learns
for a,z in ends(log).values(): assert z < a
assert after['glob'] > before['glob']

# %% [17] It learns
i = int(seen.txt_msk.sum(1).lt(14).nonzero()[0])
with torch.no_grad():
    f, t = m.encode_image(seen.img[i:i+1]), m.encode_text(seen.txt[i:i+1], seen.txt_msk[i:i+1], seen.word[i:i+1])
    A = attend(t.loc[0][t.msk[0]], f.loc, [int(t.msk.sum())], m.s1)[:,0].unflatten(-1, f.grid)
ids = seen.txt[i].numpy(); said = [tok.decode(ids[seen.word[i].numpy() == k]) for k in range(len(A))]
fig, axs = plt.subplots(1, 5, figsize=(8,1.9), dpi=70)
axs[0].imshow(page.denorm(seen.img[i,0,0]), cmap='gray'); axs[0].set_title('film', fontsize=8)
for ax,k in zip(axs[1:], np.linspace(0, len(A)-2, 4).astype(int)): ax.imshow(A[k]); ax.set_title(said[k], fontsize=8)
for ax in axs: ax.axis('off')
plt.tight_layout(); plt.show()
test_close(A.sum((-2,-1)), torch.ones(len(A)), eps=1e-4)

# %% [19] The classic mistake: words with their padding
small = dict(embed_dim=24, num_heads=2, depth=1, patch_size=16)
tiny = dict(vision=toy_vit(64, **small), text=toy_bert(50, hidden_size=24, num_attention_heads=2),
            size=64, dim=16, layers=1)
torch.manual_seed(0); b = toy_batch(); m = GLoRIA.small(**tiny).eval()
with torch.no_grad():
    f, t = m.encode_image(b.img, b.img_msk), m.encode_text(b.txt[:4], b.txt_msk[:4], b.word[:4]); s = m.scores(f, t)
    alone = m.scores(f, Feat(t.glob[1:2], t.loc[1:2,:1], t.msk[1:2,:1]))['local'][:,0]
    test_close(alone, s['local'][:,1], eps=1e-5)
    def first(ws): return (4*(ws @ f.loc[0].T).softmax(0)).softmax(-1)[:1] @ f.loc[0]
    padded = [5*F.cosine_similarity(first(ws), t.loc[1,:1], dim=-1).item()
              for ws in (t.loc[1,:1], torch.cat([t.loc[1,:1], torch.zeros(30,16)]))]
print(f"packed {alone[0]:.4f}; padded, without company {padded[0]:.4f}, beside a report of 31 words {padded[1]:.4f}")
test_close(padded[0], alone[0].item(), eps=1e-4); assert abs(padded[1]-padded[0]) > 1e-4

# %% [22] Results
from IPython.display import Markdown
from medvl.eval.results import answer, result_files
Markdown(answer('grounding', result_files('../../results'), up='../'))

# %% [24] Left and right
import json
from pathlib import Path
def share(i): return f"{i['value']:.2f}" + (f" ({i['low']:.2f} to {i['high']:.2f})" if i['low'] is not None else '')
def sides(r, least=20):
    "Shares of phrases, with intervals over patients; a finding with fewer phrases than `least` is in 'all' alone."
    head = '| films | finding | phrases | point on the named side | the same, sides exchanged | point moves |'
    rows = [[films if k == 'all' else '', k, str(o['n']), *(share(o[m]) for m in ('own','swapped','moved'))]
            for films,of in r['films'].items()
            for k,o in sorted(of.items(), key=lambda o: -o[1]['n']) if o['n'] >= least]
    return '\n'.join([head, '|---'*6+'|', *(f"| {' | '.join(o)} |" for o in rows)])
Markdown(sides(json.loads(Path('../../results/sides.json').read_text())))

# %% [26] Left and right
films = json.loads(Path('../../results/sides.json').read_text())['films']
one, both = films['one side has the finding'], films['both sides have it']
assert one['all']['own']['low'] < one['all']['swapped']['value'] < one['all']['own']['high']
test_eq(round(1/one['all']['moved']['value']), 14); test_eq(round(1/one['Pneumothorax']['moved']['value']), 5)
assert both['Pleural Effusion']['own']['value'] > both['Pleural Effusion']['swapped']['value']+.1

# %% [28] Checks
m.train(); out = m(b); print({k: round(v.item(),3) for k,v in out.terms.items()})
test_eq((out.img.loc.shape, out.txt.loc.shape, out.txt.msk.sum(1).tolist()), ((4,16,16), (4,5,16), [5,2,4,5]))
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

# %% [30] Checks
m.eval()
args = b.txt[:4], b.txt_msk[:4], b.word[:4]
with torch.no_grad(): t, whole = m.encode_text(*args), DualEncoder.encode_text(m, *args)
test_close(t.loc, whole.loc[:,1:], eps=1e-6); test_eq(t.msk.sum(1).tolist(), [4,1,3,4])
for kw in ({}, dict(cls_word=False), dict(mean=True), dict(positives=True)):
    x = GLoRIA.small(**{**tiny, **kw}).train(); x.loss(x(b)).backward()
    test_eq([k for k,p in x.named_parameters() if p.requires_grad and p.grad is None], [])
torch.manual_seed(0); p = GLoRIA.small(**tiny, positives=True); p.load_state_dict(m.state_dict())
assert (p.train()(b).terms['glob']-out.terms['glob']).abs() > 1e-3

# %% [32] Checks
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

# %% [34] Checks
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
