# nbs/eval/65_generate.ipynb: runs against the imported medvl.eval.generate.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Report generation
import copy, math, textwrap
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
import matplotlib.pyplot as plt
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize
from transformers import PreTrainedTokenizerFast
from medvl.core import MedvlError
from medvl.data.batch import collate
from medvl.data.splits import plain
from medvl.data.study import View
from medvl.eval.transfer import Features, Tower
from medvl.eval.wording import Grams, rouge_l
from medvl.models.decoder import ReportDecoder, write_ids

# %% [4] Report generation
import json, time
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
from fastcore.test import *
from medvl.data.tokens import train_tokenizer
from medvl.data.words import sections
from medvl.eval.transfer import features
from medvl.eval.wording import report_counts, wording, wording_gain
from medvl.phantom.set import phantom_studies
from medvl.run.downstream import tower_of
torch.set_num_threads(1);

# %% [6] Tokens
from medvl.eval.generate import (cached_tokens, live_tokens)

# %% [8] Tokens
studies = [s for s in phantom_studies(60, seed=3, size=128, difficulty='lifelike-easy') if s.frontals]
part = {k: [s for s in studies if s.split == k] for k in ('train','val','test')}
views = {k: [s.frontals[0] for s in o] for k,o in part.items()}
texts = {k: [sections(s.report)['impression'] for s in o] for k,o in part.items()}
who = [s.group for s in part['test']]
tower, home = tower_of('phantom-mrm'), TemporaryDirectory()
feats = {k: features(tower, v, local=True, dir=home.name) for k,v in views.items()}
tokens = {k: cached_tokens(f) for k,f in feats.items()}
print({k: len(v) for k,v in views.items()}, 'films; tokens of one:', tuple(tokens['test']([0]).shape[1:]))
live = live_tokens(tower, views['test'])
test_close(live([1,0]).detach(), tokens['test']([1,0]), eps=2e-2)                    # kept as half-precision numbers
assert live([0]).requires_grad and not tokens['test']([0]).requires_grad
test_fail(lambda: cached_tokens(features(tower, views['test'], dir=home.name)), contains='local=True')

# %% [10] Training
from medvl.eval.generate import (Generator, report_ids, _loss, _mean_loss)

# %% [11] Training
from medvl.eval.generate import (fit_reports)

# %% [12] Training
tok = train_tokenizer(texts['train'], 600); t0 = time.perf_counter()
gen = fit_reports(tokens['train'], texts['train'], tokens['val'], texts['val'], tok, max_len=32, epochs=30, patience=4)
print(f"best of {len(gen.log)} epochs: {gen.best}; {gen.n_cut} of {len(texts['train'])} training reports cut; "
      f'{len(tok)} pieces; {time.perf_counter()-t0:.0f} s')
ax = plt.subplots(figsize=(3.6, 2), dpi=75)[1]
for k in ('train','val'): ax.plot([o[k] for o in gen.log], label=k)
ax.axvline(gen.best, c='.6', ls=':'); ax.set(xlabel='epoch', ylabel='loss of a token'); ax.legend();

assert gen.log[gen.best]['val'] == min(o['val'] for o in gen.log) < gen.log[0]['val'] and not gen.dec.training
test_fail(lambda: fit_reports(tokens['train'], ['a',''], tokens['val'], ['a'], tok), contains='1 of 2 reports are')
test_eq([len(o) for o in report_ids(tok, ['no effusion. no effusion.', 'no'], 4)[0]], [4,3])
test_eq(report_ids(tok, ['no effusion. no effusion.', 'no'], 4)[0][0][-1], tok.sep_token_id)  # cut, but it ends

# %% [14] What a generator has to beat
from medvl.eval.generate import (nearest_reports, commonest_report)

# %% [15] What a generator has to beat
said = ['no effusion', 'effusion', 'No effusion.', 'edema']
test_eq(commonest_report(said), 'no effusion')
test_eq(commonest_report(['a b', 'a c', 'd']), 'a b')                # all differ: the one most like the others
eye = np.eye(3, dtype='float32')
test_eq(nearest_reports(eye[[2,0]]+.1, eye*5, ['x','y','z']), ['z','x'])
test_fail(lambda: nearest_reports(eye, eye, ['x']), contains='3 training features, but 1 reports')
test_fail(lambda: nearest_reports(eye[:,:2], eye, said[:3]), contains='2 numbers against 3')
test_fail(lambda: commonest_report([]), contains='no training report')

# %% [17] What a generator has to beat
wrote = {'generated': gen.write(tokens['test'], len(views['test'])),
         'nearest film': nearest_reports(feats['test'].glob, feats['train'].glob, texts['train']),
         'commonest': [commonest_report(texts['train'])]*len(views['test'])}
show = ['BLEU-1','BLEU-4','ROUGE-L','CIDEr-D','micro F1','macro F1']
res = {k: wording(w, texts['test'], group=who)['scores'] for k,w in wrote.items()}
def text(x): return f'{x.value:.3f} [{x.low:.3f}, {x.high:.3f}]'
display(pd.DataFrame({k: {n: text(r[n]) for n in show} for k,r in res.items()}))
counts = {k: report_counts(w, texts['test']) for k,w in wrote.items()}
gain = wording_gain(counts['generated'], counts['nearest film'], who)
print('generated against nearest film:', *(f"{k} {gain[k]}" for k in ('BLEU-4','ROUGE-L','micro F1')), sep='\n  ')
test_close(gain['ROUGE-L'].value, res['generated']['ROUGE-L'].value-res['nearest film']['ROUGE-L'].value)

# %% [19] What a generator has to beat
from medvl.eval.generate import (said_and_missed, show_reports)

# %% [20] What a generator has to beat
ill = [i for i,t in enumerate(texts['test']) if said_and_missed('', t)['missed'] not in ([], ['No Finding'])]
show_reports(views['test'], texts['test'], {k: wrote[k] for k in ('generated','nearest film')}, ill[:3])
test_eq(said_and_missed('Edema. No effusion.', 'Pleural effusion and edema.'),
        {'right': ['Lung Opacity','Edema'], 'missed': ['Pleural Effusion'], 'made up': []})

# %% [22] Three frozen towers
kept = Path('../../results/reports_phantom.json')
if not kept.is_file(): print('not run')
else:
    r = json.loads(kept.read_text(encoding='utf-8')); towers = r['writers']
    def cell(x): return f"{x['value']:.3f} [{x['low']:.3f}, {x['high']:.3f}]"
    seen = ('BLEU-4','ROUGE-L','CIDEr-D','micro F1')
    rows = {(t, k): {n: cell(o[n]) for n in seen} for t,x in towers.items() for k,o in x['raw']['systems'].items()
            if k != 'commonest' or t == 'ALTA'}
    display(pd.DataFrame(rows).T)
    print(f"{r['films']['train']['films']} training films, {r['films']['test']['films']} test films of "
          f"{r['films']['test']['patients']} patients, {r['arguments']['seeds']} seeds; gains over the nearest film:")
    for t,x in towers.items():
        gain = x['raw']['gain']['nearest film']
        print(f'  {t:8}', '; '.join(f'{n} {cell(gain[n])}' for n in seen))

# %% [25] R2Gen's words, and a tower that learns
from medvl.eval.wording import r2gen_reference, r2gen_text, r2gen_tokenizer
words = r2gen_tokenizer(texts['train'])
clean = {k: [r2gen_text(t) for t in o] for k,o in texts.items()}
whole = fit_reports(tokens['train'], clean['train'], tokens['val'], clean['val'], words, max_len=60, epochs=8)
one = whole.write(tokens['test'], 2)
print(one[0])
assert set(' '.join(one).split()) <= {*words.get_vocab()} and '<unk>' in r2gen_reference('Hypervolemia.', words)

tower = tower_of('phantom-mrm'); before = tower.key()
few = {k: live_tokens(tower, views[k][:6]) for k in ('train','val')}
said = [texts[k][:6] for k in ('train','val')]
learned = fit_reports(few['train'], said[0], few['val'], said[1], tok, max_len=32, epochs=1, tower=tower)
assert tower.key() != before and not tower.training and learned.log[0]['val'] > 0
home.cleanup()
