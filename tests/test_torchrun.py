"""Two processes under torchrun against one with the same batch: the local loss, the methods, and the command.

PLAN has batch norms in its heads, the ResNet in its tower, `film_norm` is one; MRM also with reports that are missing,
ALTA with so few that in some steps a process has none.

On a CPU with gloo. What is drawn at random in training (hidden patches, hidden words, dropout) is drawn in each
process by itself and so can't be equal; here the patterns are fixed. Then every step must give the same loss and the
same weights, up to the order of sums: 2e-4 relative in the losses, 2e-4 in the weights after six steps of a rate of
1e-3.
"""
import json, os, subprocess, sys
from pathlib import Path

import pytest
import torch

JOB = '''
import json, os, sys
import numpy as np, torch
from torch import distributed as dist, nn
from torch.nn import functional as F
from medvl.data.batch import Preset, dataloaders
from medvl.data.study import Sample, Study, View
from medvl.data.tokens import train_tokenizer
from medvl.train.learner import align_learner, fit, init_processes
from medvl.losses.contrastive import log_scale
from medvl.losses.local import local_loss
from medvl.methods import alta, clip, mrm, plan
from fastai.callback.core import Callback

torch.set_num_threads(1)
rank, world = init_processes()
out = sys.argv[1]

def pair_loss(vs, ws, counts, keep, s1, s2, s3):
    "From the formula: pair by pair, word by word."
    rows = []
    for c, k in zip(vs, keep):
        row = []
        for w, n in zip(ws, counts):
            a = torch.stack([torch.stack([(q*x).sum() for q in c[k]]) for x in w[:n]])      # words x cells
            A = (s1*a.softmax(0)).softmax(1)
            r = [s2*F.cosine_similarity((A[i][:,None]*c[k]).sum(0), w[i], dim=0) for i in range(n)]
            row.append(s3*torch.logsumexp(torch.stack(r), 0))
        rows.append(torch.stack(row))
    M, at = torch.stack(rows), torch.arange(len(rows))
    return (F.cross_entropy(M, at)+F.cross_entropy(M.T, at))/2

g = torch.Generator().manual_seed(3)
vs, ws = (torch.randn(6, n, 8, generator=g, dtype=torch.float64) for n in (5, 7))
counts, keep = [7, 1, 3, 5, 2, 7], torch.rand(6, 5, generator=g) < .7
keep[:,0] = True
scales = [log_scale(t).double().detach().requires_grad_() for t in (.3, .2, .1)]
full = [vs.clone().requires_grad_(), ws.clone().requires_grad_()]
want = pair_loss(*full, counts, keep, *(o.exp() for o in scales))
truth = torch.autograd.grad(want, [*full, *scales])
own = slice(rank*6//world, (rank+1)*6//world)
part = [x[own].clone().requires_grad_() for x in (vs, ws)]
msk = torch.arange(7) < torch.tensor(counts)[own,None]
got = local_loss(part[0], part[1], msk, keep[own], *(o.exp() for o in scales))
grads = torch.autograd.grad(got, [*part, *scales])
def mean(x):  # what DistributedDataParallel does with gradients
    x = x.clone()
    if world > 1: dist.all_reduce(x); x /= world
    return x
gaps = [abs(got.item()-want.item())]
gaps += [(a/world-b[own]).abs().max().item() for a, b in zip(grads[:2], truth[:2])]
gaps += [(mean(a)-b).abs().item() for a, b in zip(grads[2:], truth[2:])]
assert max(gaps) < 1e-5, gaps

def first_patches(b, n, ratio, generator=None, device=None):
    k = int(n*(1-ratio)+1e-6)
    idx = torch.arange(k, device=device).expand(b, -1)
    return idx, torch.ones(b, n, dtype=torch.bool, device=device).scatter(1, idx, False)
def two_words(txt, word, p, mask_id, whole=True, labels='masked', generator=None):
    hide = (word == 0) | (word == 2)                       # two words of every text, one piece each
    return txt.masked_fill(hide, mask_id), txt if labels == 'all' else txt.masked_fill(~hide, -100)
for o in (alta, mrm): o.pick_patches, o.mask_words = first_patches, two_words

WORDS = 'no small large left right effusion opacity edema nodule lung heart film clear'.split()
def sample(i, mute=False):
    rng = np.random.default_rng(i)
    film = lambda k: View(id=f'{i}{k}', px=rng.integers(0, 255, (36,36)).astype('uint8'))
    slots = (film('a'), film('b') if i%2 else None, film('c') if i%3 else None, None)
    text = '' if mute else ' '.join(rng.choice(WORDS, 3+i%5))
    return Sample(slots, text, f's{i}', f'p{i}', f'p{i}', 'train' if i < 16 else 'val', {},
                  Study(f'p{i}', f's{i}', None, [slots[0]], text))
smp = [sample(i) for i in range(24)]
some = [sample(i, i%3 == 0) for i in range(24)]        # processes with unequal numbers of reports
few = [sample(i, i%6 != 0) for i in range(24)]         # and with none
tok = train_tokenizer([' '.join(WORDS)]*3, 200, min_frequency=1)
assert all(len(tok.tokenize(w)) == 1 for w in WORDS)
p = Preset('toy', 32, 36, 36, .5, .25, big=64, affine=(5.,0.,.02,1.,1.))
bert = dict(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, vocab_size=len(tok),
            max_position_embeddings=32, hidden_dropout_prob=0., attention_probs_dropout_prob=0.)
small = dict(vision=dict(name='vit_small_cpu', size=32, patch_size=8, depth=2, embed_dim=32, num_heads=2), text=bert,
             size=32, decoder=dict(width=16, depth=1, heads=2), vocab=len(tok), mask_id=tok.mask_token_id, preset=None)
pair = {k: v for k, v in small.items() if k not in ('decoder', 'mask_id')} | dict(dim=16)
resnet = pair | dict(vision=dict(name='resnet18', size=32, in_chans=1), film_norm=True)
makers = {'alta-clean': lambda: alta.ALTA.small(**small, dim=16, also=('text.*',)),
          'alta-few': lambda: alta.ALTA.small(**small, dim=16, film_norm=True),
          'alta-faithful': lambda: alta.ALTA.small(**small, dim=16, mode='faithful', text_up='zero'),
          'plan-pairs': lambda: plan.PLAN.small(**pair, hidden=24), 'clip-resnet': lambda: clip.CLIP.small(**resnet),
          'plan-words': lambda: plan.PLAN.small(**pair, hidden=24, local='words'),
          'plan-some': lambda: plan.PLAN.small(**pair, hidden=24, local='words'),
          'mrm-some': lambda: mrm.MRM.small(**small, film_norm=True),
          'mrm-masked': lambda: mrm.MRM.small(**small), 'mrm-all': lambda: mrm.MRM.small(**small, text_loss='all')}
class Curve(Callback):
    run_valid = False
    def __init__(self): self.losses, self.norms = [], []
    def after_loss(self): self.losses.append(self.loss.item())
    def after_step(self): self.norms.append(self.learn.grad_norm)
for name, make in makers.items():
    torch.manual_seed(0)
    model = make()
    own = some if 'some' in name else few if 'few' in name else smp
    dls = dataloaders(own, tok, p, 8//world, max_len=16, pad='max_len',
                      shuffle_sentences=True, seed=0)
    curve = Curve()
    learn = align_learner(dls, model, lr=1e-3, precision='fp32', log=None, seed=0, cbs=[curve])
    fit(learn, 3, schedule='constant', quiet=True)
    every = [None]*world
    if world > 1: dist.all_gather_object(every, curve.losses)
    else: every = [curve.losses]
    if rank == 0:
        torch.save({k: v for k, v in learn.model.state_dict().items()}, f'{out}/{name}.pt')
        curves = dict(loss=np.mean(every, 0).tolist(), norm=curve.norms)
        with open(f'{out}/{name}.json', 'w') as f: json.dump(curves, f)
print('rank', rank, 'of', world, 'done')
'''

ENV = {**os.environ, 'OMP_NUM_THREADS': '1', 'HF_HUB_OFFLINE': '1', 'MPLBACKEND': 'Agg',
       'TOKENIZERS_PARALLELISM': 'false'}
BIN = Path(sys.executable).parent


def launch(n, *args, cwd):
    "A job in `n` processes; its output, or an assertion with it."
    torchrun = [sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc_per_node', str(n)]
    cmd = [sys.executable, *args] if n == 1 else [*torchrun, *args]
    r = subprocess.run(list(map(str, cmd)), cwd=cwd, env=ENV, capture_output=True, text=True, timeout=1200)
    assert r.returncode == 0, r.stdout[-3000:] + r.stderr[-3000:]
    return r.stdout


@pytest.fixture(scope='module')
def jobs(tmp_path_factory):
    root = tmp_path_factory.mktemp('torchrun')
    (root/'job.py').write_text(JOB)
    for n in (1, 2):
        (root/str(n)).mkdir()
        said = launch(n, root/'job.py', root/str(n), cwd=root)
        assert said.count('done') == n
    return root


METHODS = ['alta-clean', 'alta-few', 'alta-faithful', 'plan-pairs', 'plan-words', 'plan-some', 'clip-resnet',
           'mrm-some', 'mrm-masked',
           'mrm-all']

@pytest.mark.parametrize('name', METHODS)
def test_two_are_one(jobs, name):
    "The same losses and lengths of gradients, step by step, and the same weights; and they moved."
    one, two = (json.loads((jobs/n/f'{name}.json').read_text()) for n in '12')
    assert len(one['loss']) == len(two['loss']) == 6 and abs(one['loss'][-1]-one['loss'][0]) > .01
    # a ResNet of eight films multiplies rounding step by step, so only its first step is compared
    steps = slice(1) if name == 'clip-resnet' else slice(None)
    for k in ('loss', 'norm'):
        assert max(abs(a-b)/abs(a) for a, b in zip(one[k][steps], two[k][steps])) < 2e-4, (k, one, two)
    if name == 'clip-resnet': return
    a, b = (torch.load(jobs/n/f'{name}.pt', weights_only=True) for n in '12')
    assert a.keys() == b.keys()
    # before a batch norm, a bias has no gradient but rounding, which Adam makes a step of; running means follow it
    same = [k for k in a if not name.startswith('plan') or k.endswith('weight')]
    gap = {k: (a[k]-b[k]).abs().max().item() for k in same if a[k].is_floating_point()}
    assert max(gap.values()) < 2e-4, sorted(gap.items(), key=lambda o: -o[1])[:5]


def test_command(tmp_path):
    "`torchrun --no-python medvl pretrain mrm`: one run folder, a step shared by two processes."
    from medvl.data.manifest import write_manifest
    from medvl.phantom.set import phantom_studies
    data = write_manifest(phantom_studies(8, size=64, cache=False), tmp_path/'set/manifest.csv')
    args = ['pretrain', 'mrm', '--data', data, '--out', tmp_path/'run', '--cache', tmp_path/'cache', '--samples', '8',
            '--epochs', '1', '--warmup', '0', '--precision', 'fp32', '--vocab', '200', '--max-len', '24']
    said = launch(2, '--no-python', BIN/'medvl', *args, cwd=tmp_path)
    assert said.count('recipe (') == 1, said                             # one process speaks
    r = json.loads((tmp_path/'run/results.json').read_text())
    assert r['step'] == dict(bs=4, accum=1, samples=8, lr=1e-3, processes=2, precision='fp32')
    assert r['run']['args']['samples_per_step'] == 8 and (tmp_path/'run/model/model.safetensors').exists()


def test_select(tmp_path):
    "`medvl align clip --select`: the first process asks, on all films and not on its share; both take its word."
    import pandas as pd
    from medvl.data.manifest import write_manifest
    from medvl.data.study import samples
    from medvl.phantom.set import phantom_studies
    studies = phantom_studies(14, size=64, cache=False)
    data = write_manifest(studies, tmp_path/'set/manifest.csv')
    seen = [s for s in samples(studies, 'image', say=None) if s.labels['Pneumonia'] in (0, 1)]
    rows = [f"{s.slots[0].id}.dcm {s.labels['Pneumonia']:g}" for s in seen]
    (tmp_path/'val_list.txt').write_text('\n'.join(rows)+'\n')
    args = ['align', 'clip', '--data', data, '--cache', tmp_path/'cache', '--slots', 'current', '--samples', '8',
            '--epochs', '3', '--warmup', '0', '--precision', 'fp32', '--vocab', '200', '--max-len', '24', '--select',
            tmp_path/'set', '--select-list', tmp_path/'val_list.txt', '--patience', '1']
    said = launch(2, '--no-python', BIN/'medvl', *args, '--out', tmp_path/'run', cwd=tmp_path)
    assert f'on {len(seen)} films' in said and said.count('best epoch:') == 1, said
    best = json.loads((tmp_path/'run/results.json').read_text())['run']['best']
    log = pd.read_csv(tmp_path/'run/log.csv').query("split == 'select'").set_index('epoch')[best['by']]
    assert best['value'] == pytest.approx(log.max(), abs=1e-9) and best['at'] == log.idxmax()
    assert (tmp_path/'run/best/model.safetensors').exists() and (tmp_path/'run/model/model.safetensors').exists()
