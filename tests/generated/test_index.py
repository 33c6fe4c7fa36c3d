# nbs/index.ipynb: exports nothing; its cells run as they are.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] The way through
import matplotlib.pyplot as plt
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

STEPS = [('films', 'DICOM, PNG, JPEG', 'data.image', 0, 1),
         ('reports', 'sections, findings', 'data.report', 0, 0),
         ('studies', 'views, prior, text', 'data.study', 1, .5),
         ('batch', 'slots, tokens, masks', 'data.batch', 2, .5),
         ('image tower', 'Feat: global, patches', 'models.vision', 3, 1),
         ('text tower', 'Feat: global, words', 'models.text', 3, 0),
         ('method', 'Out: named terms', 'losses, methods', 4, .5),
         ('scores', 'with intervals', 'learner, eval', 5, .5)]
ARROWS = (0, 2), (1, 2), (2, 3), (3, 4), (3, 5), (4, 6), (5, 6), (6, 7)

def flow():
    "The way of the data, from files to scores, with the page of each step below it."
    fig, ax = plt.subplots(figsize=(9.6, 2.5), dpi=80)
    at = [(x*1.62, y*1.15) for *_, x, y in STEPS]
    for (name, what, page, *_), (x, y) in zip(STEPS, at):
        box = dict(boxstyle='round,pad=.06', fc='#eef4fb', ec='#2f6fab', lw=1.2)
        ax.add_patch(FancyBboxPatch((x-.6, y-.28), 1.2, .56, **box))
        for dy, text, kw in ((.13, name, dict(fontsize=10, weight='bold')), (-.13, what, dict(fontsize=7)),
                             (-.46, page, dict(fontsize=7, family='monospace', color='#57606a'))):
            ax.text(x, y+dy, text, ha='center', va='center', **kw)
    for a, b in ARROWS:
        ends = (at[a][0]+.67, at[a][1]), (at[b][0]-.67, at[b][1])
        ax.add_patch(FancyArrowPatch(*ends, arrowstyle='-|>', mutation_scale=9, color='#57606a'))
    ax.set(xlim=(-.75, 8.85), ylim=(-.65, 1.6), aspect='equal'); ax.axis('off')
    fig.subplots_adjust(0, 0, 1, 1)

flow()

# %% [7] What a method is
import torch
from torch import nn
from torch.nn.functional import normalize
from medvl.core import Aligner, Batch, Feat, Out, methods

class Tiny(Aligner):
    "Mean brightness against mean token: the least that can be called an aligner."
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

# %% [8] What a method is
assert torch.allclose(out.img.glob.norm(dim=-1), torch.ones(3), atol=1e-5)

# %% [10] Pages
import json, re
from pathlib import Path
from IPython.display import Markdown

FOLDERS = ['core', 'data', 'models', 'losses', 'readers', 'phantom', 'methods', 'training', 'learner', 'eval',
           'command', 'commands', 'cli', 'tutorials']

def pages(root='.'):
    "Place in the order of reading, path, name, and the one sentence under the title of each notebook."
    for p in Path(root).rglob('*.ipynb'):
        if p.name == 'index.ipynb' or any(o[0] in '._' for o in p.parts): continue
        name = '.'.join(re.sub(r'^\d+_', '', o) for o in p.with_suffix('').parts)
        prose = [''.join(c['source']) for c in json.loads(p.read_text())['cells'] if c['cell_type'] == 'markdown']
        says = next((m[1] for o in prose if (m := re.search(r'^> (.+)', o, re.M))), '')
        top = name.split('.')[0]
        yield FOLDERS.index(top) if top in FOLDERS else len(FOLDERS), p.as_posix(), name, says

there = {name: path for _, path, name, _ in sorted(pages())}
rows = [f'| [{name}]({path}) | {says} |' for _, path, name, says in sorted(pages())]
Markdown('| page | what it is about |\n|---|---|\n' + '\n'.join(rows))

# %% [11] Pages
assert there['core'] == '00_core.ipynb'
assert len(there) == len(set(there.values()))  # no two pages under one address

# %% [13] Methods
papers = [('clip', 'CLIP', 'a whole film with its whole report: ConVIRT, then CLIP', '2010.00747, 2103.00020'),
    ('gloria', 'GLoRIA', 'words with the regions that they attend to', 'ICCV 2021'),
    ('mgca', 'MGCA', 'film, region and disease, each with its counterpart in the text', '2210.06044'),
    ('biovil', 'BioViL', 'phrases with regions, with a text tower of the field', '2204.09817'),
    ('mrm', 'MRM', 'masked films and masked reports, restored together (pretraining only)', '2301.13155'),
    ('alta', 'ALTA', 'a frozen masked model, aligned through adapters; lateral and prior films', '2506.08990'),
    ('plan', 'PLAN', 'words with cells of the film, refined step by step', '2502.18047'),
    ('place', 'PLACE', 'observations of the film with observations of the report', '2506.10573'),
    ('mmclip', 'MMCLIP', 'what attention picks is masked and restored; films without reports take part', '2407.19546')]
def row(key, name, what, who):
    page = there.get(f'methods.{key}')
    return f"| {f'[{name}]({page})' if page else name} | {what} | {who} | {'here' if page else 'planned'} |"

head = '| method | what is aligned | paper (arXiv) | status |\n|---|---|---|---|\n'
Markdown(head + '\n'.join(row(*o) for o in papers))

# %% [14] Methods
assert set(methods) <= {k for k, *_ in papers}  # what the command line knows is in the table

# %% [16] Results
def results(folder='../results'):
    "One row per score of each result file: method, task, data, value with its interval, date and commit."
    rows = []
    for p in sorted(Path(folder).glob('*.json')):
        r = json.loads(p.read_text()); prov = r.get('provenance', {})
        scores = [(r.get('method'), r.get('task'), r.get('data'), k, v) for k, v in r.get('metrics', {}).items()]
        scores += [(n, r['command'], 'phantom', k, s[k]) for n, s in r.get('variants', {}).items()
                   for k in s if k.endswith('P@10')]
        for *what, k, v in scores:
            v = v if isinstance(v, dict) else {'value': v}
            span = f" ({v['low']:.3f} to {v['high']:.3f})" if v.get('low') is not None else ''
            run = f"{prov.get('date', '')} {prov.get('commit', '')}"
            rows.append([*what, k, f"{v['value']:.3f}{span}", run])
    return rows

head = '| method | task | data | score | value (95% interval) | run |\n|---|---|---|---|---|---|\n'
Markdown(head + '\n'.join('| '+' | '.join(o)+' |' for o in results()) if results() else 'No results yet.')

# %% [17] Results
import tempfile
with tempfile.TemporaryDirectory() as d:
    assert results(d) == []
    one = dict(method='CLIP', task='retrieval', data='phantom', metrics={'R@1': dict(value=.5, low=.4, high=.6)})
    (Path(d)/'a.json').write_text(json.dumps(one))
    assert results(d)[0][:5] == ['CLIP', 'retrieval', 'phantom', 'R@1', '0.500 (0.400 to 0.600)']
