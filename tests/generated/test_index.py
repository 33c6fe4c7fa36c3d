# nbs/index.ipynb: exports nothing; its cells run as they are.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [4] A few lines
import medvl
m = medvl.load('phantom-clip')
films = medvl.phantom_studies(40, seed=11, size=128, difficulty='lifelike-easy')
m.embed(films, progress=False)
hits = m.search('left pleural effusion', k=4)
hits.figure();

# %% [5] A few lines
medvl.load('phantom-gloria').heat(hits[0][0].front, 'left pleural effusion', clear=films)

# %% [10] Methods
import sys
sys.path.append('../tools')
from pages import NBS, notebooks, page_name, says
from IPython.display import Markdown

there = {page_name(p): p.relative_to(NBS).as_posix() for p in notebooks() if p.stem != 'index'}
papers = [('clip', 'CLIP', 'a whole film with its whole report: ConVIRT, then CLIP', '2010.00747, 2103.00020'),
    ('siglip', 'SigLIP', 'the same, with a sigmoid for each pair', '2303.15343'),
    ('gloria', 'GLoRIA', 'words with the regions that they attend to', 'ICCV 2021'),
    ('plan', 'PLAN', 'words with cells of the film, refined step by step; re-implemented from the abstract',
     '2502.18047'),
    ('mrm', 'MRM', 'masked films and masked reports, reconstructed together (pretraining only)', '2301.13155'),
    ('alta', 'ALTA', 'a frozen masked model, aligned through adapters; lateral and prior films', '2506.08990'),
    ('place', 'PLACE', 'observations of the film with sentences of the report; re-implemented from the abstract',
     '2506.10573'),
    ('mmclip', 'MMCLIP', 'patches and words chosen by attention are masked and reconstructed; re-implemented from '
     'abstract and figure', '2407.19546'),
    ('mgca', 'MGCA', 'film, region and disease, each with its counterpart in the text', '2210.06044'),
    ('biovil', 'BioViL', 'phrases with regions, with a text tower trained on radiology reports', '2204.09817')]
def row(key, name, what, who):
    page = there.get(f'methods.{key}')
    state = 'here' if page else f"[its published weights]({there['methods.zoo']})"
    return f"| {f'[{name}]({page})' if page else name} | {what} | {who} | {state} |"

head = '| method | what is aligned | paper (arXiv) | status |\n|---|---|---|---|\n'
Markdown(head + '\n'.join(row(*o) for o in papers))

# %% [11] Methods
from medvl.core import methods
assert set(methods) <= {k for k, *_ in papers}  # what the command line knows is in the table

# %% [14] Results
from medvl.eval.results import answer, result_files
shown = 'alta_against_clip_few_lifelike'
Markdown(answer('retrieval', {shown: result_files('../results')[shown]}))

# %% [15] Results
lead = result_files('../results')[shown]['variants']
ways = 'text_to_image_P@10', 'image_to_text_P@10'
def above(other, w): return lead[other][w]['minus_alta']
assert all(above('CLIP from scratch', w)['high'] < 0 < above('CLIP from MRM', w)['low'] for w in ways)
assert all(lead['CLIP from MRM'][w]['low'] > lead['CLIP from scratch'][w]['high'] for w in ways)

# %% [19] What a method is
import torch
from torch import nn
from torch.nn.functional import normalize
from medvl.core import Aligner, Batch, Feat, Out

class Tiny(Aligner):
    "Mean brightness against mean token: a minimal aligner."
    def __init__(self):
        super().__init__()
        self.v, self.t = nn.Linear(1, 4), nn.Embedding(10, 4)
    def encode_image(self, img, msk=None): return Feat(glob=normalize(self.v(img.mean((-1,-2))), dim=-1))
    def encode_text(self, txt, msk=None, word=None): return Feat(glob=normalize(self.t(txt).mean(1), dim=-1))
    def forward(self, batch):
        b = Batch.of(batch)
        i, t = self.encode_image(b.img), self.encode_text(b.txt)
        return Out({'pull': (1-(i.glob*t.glob).sum(-1)).mean()}, i, t)

out = Tiny()(Batch(img=torch.rand(3,1,32,32), txt=torch.randint(0,10,(3,6))))
list(out.terms), tuple(out.img.glob.shape)

# %% [20] What a method is
assert torch.allclose(out.img.glob.norm(dim=-1), torch.ones(3), atol=1e-5)

# %% [22] Pages
LAYERS = {'tutorials': 'where to start: a first run, your own films, MIMIC-CXR; how ALTA does on the phantom',
    'core files': 'what every part shares: batch, features, loss terms, the interface of a method; files on disk',
    'data': 'films and reports, from DICOM and text to batches: studies, manifests, splits, leakage, cache',
    'models': 'towers, adapters, masks, heads, checkpoints; the work of a step, counted',
    'losses': 'contrasts of whole films and reports, of words and places, of sets',
    'readers': 'public sets as they are downloaded, each with its pitfalls',
    'phantom': 'a simulated thorax: films, reports, labels, boxes and masks whose truth is known',
    'methods': 'the methods, equation by equation',
    'train': 'the training step as callbacks; a whole training, with resume',
    'eval': 'retrieval, zero-shot, grounding, probes: each score with an interval',
    'run': 'a run from data to scores: build, train, score, compare, resume; a trained model in use',
    'commands command cli toy': 'the command line, a page for each family of commands; small fixtures for the pages'}
def layer(tops):
    "The pages of a layer, in the order of reading."
    return [(n, path) for n,path in there.items() if n.split('.')[0] in tops.split()]

def links(tops): return ', '.join(f'[{n.rpartition(".")[2]}]({p})' for n,p in layer(tops))
rows = [f'| {tops.split()[0]} | {what} | {links(tops)} |' for tops,what in LAYERS.items()]
Markdown('| layer | what is in it | pages |\n|---|---|---|\n'+'\n'.join(rows))

# %% [23] Pages
assert there['core'] == '00_core.ipynb'
assert len(there) == len(set(there.values()))  # no two pages under one address
assert sorted(there) == sorted(n for tops in LAYERS for n,_ in layer(tops))  # no page is left out

# %% [25] Every page in a sentence
def catalogue():
    "Every page with the sentence under its title, a table for each layer."
    for tops in LAYERS:
        rows = [f'| [{n}]({p}) | {says(NBS/p)} |' for n,p in layer(tops)]
        yield f"**{tops.split()[0]}**\n\n| page | what it is about |\n|---|---|\n"+'\n'.join(rows)

Markdown('\n\n'.join(catalogue()))
