# nbs/tutorials/claims.ipynb: exports nothing; its cells run as they are.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [2] ALTA's claims
import json
from pathlib import Path
import pandas as pd
from fastcore.test import *

# %% [3] ALTA's claims
above = [Path.cwd(), *Path.cwd().parents]
home = next(p for p in above if (p/'settings.ini').exists())
def read(name): return json.loads((home/'results'/name).read_text())
count, long = read('compute.json'), read('alta_against_clip.json')
abl, probe = read('ablations.json'), read('probe.json')
V, W = long['variants'], abl['variants']
def pct(x): return f"{100*x['value']:.1f} [{100*x['low']:.1f}, {100*x['high']:.1f}]"
for k,o in dict(compute=count, alta_against_clip=long, ablations=abl, probe=probe).items():
    print(k, {a: o['provenance'][a] for a in ('date','commit')}, 'seeds', o['arguments'].get('seeds', 1))

# %% [5] Counted: parameters and compute
row = {r['system']: r for r in count['rows']}
mrm, four, one = row['mrm'], row['alta faithful, 4 films'], row['alta clean, 1 films']
share, of_mrm = four['trainable']/four['parameters'], four['trainable']/mrm['trainable']
step = four['total']/mrm['total']
whole = {n: four['total']*n*30/(mrm['total']*377110*200) for n in (150000, 200000, 227835)}
print(f"trainable {four['trainable']:,}: {share:.2%} of ALTA, {of_mrm:.1%} of what MRM trains")
print(f"multiply-adds of a training sample, ALTA with four films over MRM: {step:.2f}")
print('whole trainings, by number of studies:', {n: round(w, 3) for n,w in whole.items()})
test_eq((four['trainable'], four['parameters']), (18_333_502, 242_177_854))

# %% [7] Tried on the phantom
ways = dict(zip(('text_to_image_P@10','image_to_text_P@10'), ('text to film','film to text')))
better = max(('CLIP from scratch','CLIP from MRM'), key=lambda n: sum(V[n][w]['value'] for w in ways))
gap = {w: -V[better][w]['minus_alta']['value'] for w in ways}
low = {w: -V[better][w]['minus_alta']['high'] for w in ways}
high = {w: -V[better][w]['minus_alta']['low'] for w in ways}
for w,name in ways.items():
    print(f"{name} P@10: ALTA {pct(V['ALTA'][w])}, {better} {pct(V[better][w])}, ALTA minus it {100*gap[w]:+.1f} "
          f"[{100*low[w]:+.1f}, {100*high[w]:+.1f}] points")
tower = {k: o['macro'] for k,o in probe['towers'].items()}
for k,o in tower.items(): print(f"linear probe of the frozen tower, {k}: macro AUROC {pct(o)}")

# %% [9] The table
def held(yes, partly=False): return 'held' if yes else 'held in part' if partly else 'did not hold'
def less(d): return f"{-100*d['value']:+.1f} [{-100*d['high']:+.1f}, {-100*d['low']:+.1f}]"  # ALTA minus the other
def minus(X, n): return {w: X[n][w]['minus_alta'] for w in ways}
def each(d, f): return ', '.join(f"{name} {f(d[w])}" for w,name in ways.items())
def more(d): return f"{100*d['value']:+.1f} [{100*d['low']:+.1f}, {100*d['high']:+.1f}]"
scratch, best, alone = minus(V, 'CLIP from scratch'), minus(V, better), minus(W, 'neither')
ahead = [d['high'] < 0 for d in scratch.values()]
clips = [tower[k]['value'] for k in tower if k.startswith('clip')]
goal = [gap['text_to_image_P@10'] > .04, gap['image_to_text_P@10'] > .055]
lost = [d['high'] < 0 for d in alone.values()]
rows = [
 ('about 8 % of the parameters are trained',
  f'{share:.2%} of the whole model; {of_mrm:.1%} of what MRM trains', 'counted, full size',
  held(.06 < share < .09)+', of the whole model'),
 ("less than a fifth of MRM's compute",
  f'{step:.2f} times as much per sample; whole trainings {whole[150000]:.2f} at 150,000 studies, '
  f'{whole[227835]:.2f} at 227,835', 'counted, full size; 377,110 films, 200 and 30 epochs',
  held(whole[227835] < .2, whole[150000] < .2)),
 ('CLIP-style training has the weaker vision tower',
  '; '.join(f'{k} {pct(o)}' for k,o in tower.items()), 'phantom: linear probe, macro AUROC',
  held(tower['mrm']['value'] > max(clips), tower['mrm']['value'] > min(clips))),
 ('adapted masked models retrieve better', f'ALTA minus CLIP from scratch, P@10: {each(scratch, less)}', 'phantom',
  'not told apart' if all(d['low'] < 0 < d['high'] for d in scratch.values()) else held(all(ahead), any(ahead))),
 ('over 4 points text to image, about 6 image to text, above the best other method',
  f'ALTA minus {better}, P@10: {each(best, less)}', 'phantom', held(all(goal), any(goal))),
 ('priors and laterals help', f'P@10 without them: {each(alone, more)}', 'phantom, ablations',
  held(all(lost), any(lost)))]
table = pd.DataFrame(rows, columns=['the abstract says','measured','on','verdict'])
known = {'held','held in part','did not hold','not told apart'}
test_eq(len(table), 6); assert set(table.verdict.str.split(',').str[0]) <= known
with pd.option_context('display.max_colwidth', None): display(table)
