# nbs/tutorials/ablations.ipynb: exports nothing; its cells run as they are.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [2] Ablations
import json
from pathlib import Path
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from fastcore.test import *
from medvl.run.ablation import SCORES, VARIANTS

# %% [3] Ablations
above = [Path.cwd(), *Path.cwd().parents]
home = next(p for p in above if (p/'settings.ini').exists())
res = json.loads((home/'results'/'ablations.json').read_text())
told = res['arguments']
for k in ('patients','test','film','difficulty','seeds','epochs','start','set'): print(f'{k}: {told[k]}')
print('commit', res['provenance']['commit'])
print(res['data'])
V = {n: res['variants'][n] for n in VARIANTS if n in res['variants']}  # by question
test_eq(set(V), set(res['variants'])); test_eq('ALTA' in V, True)

# %% [5] All variants
def cell(x): return f"{100*x['value']:.1f} [{100*x['low']:.1f}, {100*x['high']:.1f}]"
def table_of(V, cost):
    rows = {n: {'question': VARIANTS[n][0], 'trained': f"{cost[n]['trainable']:,}",
                'M multiply-adds': round(cost[n]['multiply_adds_per_sample']/1e6),
                **{SCORES[k]: cell(v[k]) for k in SCORES if k in v},
                'zero-shot AUROC': f"{100*v['AUROC']['value']:.1f}"} for n,v in V.items()}
    return pd.DataFrame(rows).T
table_of(V, res['cost'])

# %% [7] What a change costs
def forest(way, ax):
    names = [n for n in V if n != 'ALTA']
    base = V['ALTA'][way]['value']
    for i,n in enumerate(reversed(names)):
        d = V[n][way]['minus_alta']
        sure = d['low'] > 0 or d['high'] < 0
        ax.plot([100*d['low'], 100*d['high']], [i,i], color='#0072B2' if sure else '#999999', lw=2)
        ax.plot(100*d['value'], i, 'o', ms=5, color='#0072B2' if sure else '#999999')
    
    ax.axvline(0, color='k', lw=.8); ax.set_yticks(range(len(names)), reversed(names), fontsize=8)
    ax.set_title(SCORES[way], fontsize=10, loc='left'); ax.set_xlabel('points more than ALTA', fontsize=8)
    ax.tick_params(axis='x', labelsize=8); ax.spines[['top','right']].set_visible(False)
ways = [k for k in SCORES if 'P@10' in k]
fig, axs = plt.subplots(1, 2, figsize=(9.5, .27*len(V)+1), sharey=True, dpi=75, layout='constrained')
for ax,w in zip(axs, ways): forest(w, ax)
plt.show()

# %% [9] What the reports gave the tower
begin = json.loads((home/'results'/'ablations_start.json').read_text())
told2 = begin['arguments']
print({k: told2[k] for k in ('patients','test','difficulty','seeds','set')}, begin['provenance']['commit'])
def gap(x): return f"{100*x['value']:+.1f} [{100*x['low']:+.1f}, {100*x['high']:+.1f}]"
apart = begin['variants']['from MAE and BERT']
display(table_of(begin['variants'], begin['cost']))
print('apart minus together:', {SCORES[w]: gap(apart[w]['minus_alta']) for w in SCORES if 'P@10' in w})

# %% [11] How large is the effect of the seed?
def spread(x): return 100*(max(x['seeds'])-min(x['seeds']))
for w in ways:
    s = [spread(v[w]) for v in V.values()]
    print(f"{SCORES[w]}: the {told['seeds']} seeds of a variant differ by {np.median(s):.1f} points in the median, "
          f"{max(s):.1f} at most")
for n,v in V.items():
    for w in ways: assert min(v[w]['seeds'])-1e-9 <= np.mean(v[w]['seeds']) <= max(v[w]['seeds'])+1e-9

# %% [13] In words
def verdict(n):
    out = []
    for w in ways:
        d = V[n][w]['minus_alta']
        out.append('better' if d['low'] > 0 else 'worse' if d['high'] < 0 else 'not distinguishable')
    return out
said = pd.DataFrame({n: [VARIANTS[n][0], *verdict(n)] for n in V if n != 'ALTA'}).T
said.columns = ['question', *(SCORES[w] for w in ways)]
test_eq(len(said), len(V)-1)
said

# %% [15] In words
def lost(n, w): return round(-100*V[n][w]['minus_alta']['value'])
to_text, to_film = ways
same = 'not distinguishable'
test_eq((lost('from nothing', to_film), lost('from nothing', to_text)), (18, 8))
points = {'hide 50 %': 3, 'hide 75 %': 8, 'no prior': 3, 'no lateral': 6, 'without MLM': 2}
test_eq({n: lost(n, to_film) for n in points}, points)
assert all(V['from nothing'][w]['value'] < V['CLIP from scratch'][w]['value'] for w in ways)
test_eq([round(gap['value'], 2) for gap in (apart[w]['minus_alta'] for w in ways)], [-.03,.02])
assert all(V['without global'][w]['value'] < .51*V['ALTA'][w]['value'] for w in ways)
test_eq(round(max(spread(V['without global'][w]) for w in ways)), 31)
alike = ('serial only','parallel only','ratio 1/16','ratio 1/8','ratio 1/2','LoRA','norms and heads','heads alone',
         'without local','without MIM','faithful','CLIP from MRM')
assert all(verdict(n) == [same]*2 for n in alike)
for n in ('neither', *points): test_eq(verdict(n), [same, 'worse'])
for n in ('from nothing','hide 90 %','without global','CLIP from scratch'): test_eq(verdict(n), ['worse']*2)
test_eq(verdict('everything trains'), ['worse', same]); test_eq(len(V)-1, 23)
code = sorted(a-b for a,b in zip(V['ALTA'][to_film]['seeds'], V['faithful'][to_film]['seeds']))
assert code[-1] > .1 and abs(code[0]) < .02
