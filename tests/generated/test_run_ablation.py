# nbs/run/51_ablation.ipynb: runs against the imported medvl.run.ablation.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Ablation
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from medvl.core import MedvlError
from medvl.run.run import Run, change
from medvl.run.stages import FILMS, REPORTS, SCORES as COMPARED, compare as compare_runs, stages

# %% [4] Ablation
from fastcore.test import *

# %% [6] Variants
from medvl.run.ablation import (VARIANTS, key)

# %% [7] Variants
test_eq(key('ratio 1/16', 2), 'ratio_1-16.2'); test_eq(key('hide 75 %', 0), 'hide_75.0')
test_eq(len({key(k, 0) for k in VARIANTS}), len(VARIANTS))

# %% [9] Variants
from medvl.run.ablation import (ablation_stages)

# %% [10] Variants
st = ablation_stages([], 3)
print(len(st), 'stages;', {k: o.model for k,o in st.items() if k in ('lora.0', 'no_prior.1')})
test_eq(len(st), 2+3*len(VARIANTS)); test_eq({o.seed for o in st.values()}, {0,1,2})
some = 'alta.0','from_mae_and_bert.0','from_nothing.0','clip_from_scratch.0','clip_from_mrm.0'
test_eq([st[k].init for k in some], ['mrm','apart',None,None,'mrm'])
test_eq((st['no_prior.0'].slots, st['neither.0'].slots, st['alta.0'].slots), ('views','current','all'))
test_eq(ablation_stages(['hide 90 %'], 1, ['alta.epochs=3'])['hide_90.0'].epochs, 3)
test_fail(lambda: ablation_stages(['no hope'], 1), contains="no variant 'no hope'; there are: ALTA")
some = ablation_stages(['gloria','plan_mrm'], 1, ['plan_mrm.lr=1e-4'])
test_eq(list(some), ['mrm','apart','gloria.0','plan_mrm.0'])
test_eq((some['plan_mrm.0'].method, some['plan_mrm.0'].init, some['plan_mrm.0'].lr), ('plan', 'mrm', 1e-4))

# %% [12] Scores of a variant
from medvl.run.ablation import (SCORES, compare)

# %% [13] Scores of a variant
from medvl.run.ablation import (ablation_table)

# %% [15] Scores of a variant
x = dict(value=.5, minus_alta=dict(value=.1, low=-.05, high=.25))
made = {'ALTA': {'image_to_text_P@10': dict(value=.4), 'AUROC': dict(value=.6)},
        'gloria': {'image_to_text_P@10': x, 'AUROC': dict(value=None)}}
said = ablation_table(made, {k: dict(trainable=10) for k in made}); print(said)
assert said.splitlines()[2].split()[:7] == ['opponents', 'gloria', '10', '50.0', '+10.0', '[', '-5.0,']
