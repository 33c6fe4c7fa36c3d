# nbs/eval/50_results.ipynb: runs against the imported medvl.eval.results.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Results
import json, re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from medvl.core import MedvlError, methods

# %% [4] Results
import tempfile
from fastcore.test import *
from IPython.display import Markdown

# %% [6] The files
from medvl.eval.results import (result_files)

# %% [7] The files
with tempfile.TemporaryDirectory() as d:
    test_eq(result_files(d), {})
    (Path(d)/'b.json').write_text('{"a": 1}'); test_eq(result_files(d), {'b': {'a': 1}})
    (Path(d)/'a.json').write_text('{"a": 1')
    test_fail(lambda: result_files(d), contains='a.json: not JSON')
    (Path(d)/'a.json').write_text('[1]')
    test_fail(lambda: result_files(d), contains='an object with names')

# %% [9] A number and its source
from medvl.eval.results import (shown, of_its_time, how_scored, made_of)

# %% [10] A number and its source
test_eq([shown(o) for o in (None, 'x', .5, dict(value=None), dict(value=.5))], ['-', 'x', '0.500', '-', '0.500'])
test_eq(shown(dict(value=.5, low=.4, high=.6, seeds=[.1, .9])), '0.500 [0.400, 0.600]')
test_eq(shown(dict(value=.5, seeds=[.5, .2, .8])), '0.500 [seeds 0.200, 0.800]')
one = dict(arguments=dict(seeds=3, difficulty='easy', patients=9, test=4),
           provenance=dict(date='2026-01-02', commit='abc'), data=dict(train=dict(patients=9)))
test_eq(made_of(one), 'phantom, easy, 9 patients to train, 4 to test; 3 seeds; 2026-01-02, commit abc')
test_eq(made_of(dict(data='x', args=dict(train=9, test=4))), 'x, 9 patients to train, 4 to test')
far = dict(one, arguments=dict(one['arguments'], start='runs/long/mrm'),
           below=dict(mrm=dict(plan=dict(data=dict(train=dict(patients=99))))))
assert made_of(far).startswith('phantom, easy, 9 patients to train, 4 to test, MRM of 99 patients; 3 seeds')
other = dict(far, arguments=dict(far['arguments'], set=['clip.lr=1']))
assert ', 4 to test, clip.lr=1, MRM of' in made_of(other)                # not the same run
test_eq(made_of(dict(data='noise', args=dict(seed=7))), 'noise; seed 7'); test_eq(made_of({}), '')
# how it was scored, where it says so
old = dict(metrics={'image_to_text_R@1': dict(value=.5, low=.4, high=.6)})
test_eq(how_scored(old), 'R@k by pairs-v1, percentile intervals')
new = dict(rule='distinct-v2', metrics={'image_to_text_R@1': dict(value=.5, low=.4, high=.6, method='wilson')})
test_eq(how_scored(new), 'R@k by distinct-v2, wilson intervals'); test_eq(how_scored(dict(metrics={'AUROC': .5})), '')
bare = dict(provenance=dict(date='2026-11-30', commit='abc'), metrics=dict(cnr=dict(value=1., low=.9, high=1.1)))
test_eq(how_scored(bare), 'jackknife intervals')
test_eq(how_scored(dict(bare, method='labeller')), 'wilson intervals')
test_eq(made_of(dict(bare, data='x', n_seeds=1)), 'x; 1 seed; 2026-11-30, commit abc; jackknife intervals')

# %% [12] From a file to systems and scores
from medvl.eval.results import (SPELT, spelt, retrieved, grounded, labelled)

# %% [13] From a file to systems and scores
from medvl.eval.results import (probed, counted, scored)

# %% [14] From a file to systems and scores
test_eq([spelt(o) for o in ('alta.0', 'clip_mrm', 'clip_from_mrm.0', 'plan', 'untrained')],
        ['ALTA', 'CLIP from MRM', 'CLIP from MRM', 'PLAN', 'untrained'])
one = dict(value=.5, low=.4, high=.6)
two = dict(variants={'ALTA': {'AUROC': one}, 'CLIP from MRM': {}})
test_eq(list(retrieved(two)), ['ALTA', 'CLIP from MRM'])
test_eq(retrieved(dict(variants={'ALTA': {}, 'LoRA': {}})), {})          # an ablation
demo = dict(scored={'clip_mrm': dict(findings={'text_to_image': {'metrics': {'P@10': one}}},
                                     zeroshot=dict(macro=dict(auroc=one)))})
test_eq(retrieved(demo), {'CLIP from MRM': {'text_to_image_P@10': one, 'AUROC': one}})
test_eq(grounded(dict(method='plan', task='grounding, K=2', metrics={'cnr': one})), {'PLAN, K=2': {'cnr': one}})
lab = dict(method='labeller', metrics={f'{k} of present, all findings': one for k in ('precision','recall')})
test_eq(labelled(lab), {'present': dict(precision=one, recall=one)})
row = dict(system='alta clean, 2 films', films=2, trainable=2_000_000, parameters=3e6, total=4e9)
work = dict(command='compute', rows=[row, dict(row, system='mrm', films=1)])
test_eq(counted(work), {'MRM': dict(trainable='2.0 M', parameters='3.0 M', total='4.0 G')})
test_eq(probed(dict(towers={'clip_mrm.0': dict(macro=one)})), {'CLIP from MRM': {'AUROC': one}})
test_eq(probed(dict(towers={'words 90%': dict(macro=one, worth=.1), 'CLIP': dict(macro=one)})), {})
other = dict(method='CLIP', task='retrieval', metrics={'R@1': one})
test_eq(scored(other), {'CLIP, retrieval': {'R@1': one}})
for o in (two, demo, lab, work, {}): test_eq(scored(o), {})

# %% [16] The questions
from medvl.eval.results import (Question, HIT, WORK, QUESTIONS, MORE)

# %% [17] The questions
from medvl.eval.results import (answer, summary)

# %% [18] The questions
files = dict(a=dict(two, provenance=dict(date='2026', commit='c')), ablations=dict(variants={'ALTA': {}, 'LoRA': {}}))
test_eq(answer('retrieval', files).split('\n')[2:], ['|  | zero-shot AUROC |', '| --- | --- |',
        '| ALTA | 0.500 [0.400, 0.600] |', '| CLIP from MRM | - |', '', '2026, commit c; percentile intervals (`a`).'])
test_eq(answer('grounding', files), 'not run'); test_eq(summary({}), 'not run')
assert summary(files).startswith('**Retrieval between films and reports.** P@10')
assert summary(files, up='../').endswith('of their own: [ablations](../tutorials/ablations.ipynb).')
assert summary(dict(x={})).endswith('`results/x.json`.')                                # never left out
assert '| CLIP, retrieval | 0.500 [0.400, 0.600] |' in answer('other', dict(o=other))
assert answer('labels', dict(x=lab, y=dict(lab, args=dict(seed=1)))).count('| present |') == 2    # not mixed up

# %% [20] All results
Markdown(summary(result_files('../../results'), up='../'))
