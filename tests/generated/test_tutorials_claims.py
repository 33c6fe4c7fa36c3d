# nbs/tutorials/claims.ipynb: exports nothing; its cells run as they are.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [2] ALTA's claims
import json, math
from pathlib import Path
import matplotlib.pyplot as plt
import pandas as pd
from fastcore.test import *

# %% [3] ALTA's claims
above = [Path.cwd(), *Path.cwd().parents]
home = next(p for p in above if (p/'settings.ini').exists())
def read(name): return json.loads((home/'results'/name).read_text())
count, many, few = read('compute.json'), read('alta_against_clip.json'), read('alta_against_clip_few.json')
abl, every, bare = (read(f'{k}.json') for k in ('ablations','clip_all','film_norm'))
many2, few2, soft = (read(f'alta_against_clip_{k}.json') for k in ('lifelike','few_lifelike','few_gentle'))
probe, probe_few = read('probe.json'), read('probe_few.json')
V, F, W = many['variants'], few['variants'], abl['variants']
def pct(x): return f"{100*x['value']:.1f} [{100*x['low']:.1f}, {100*x['high']:.1f}]"
runs = dict(compute=count, many=many, few=few, many_lifelike=many2, few_lifelike=few2,
            clip_all=every, film_norm=bare, ablations=abl, probe=probe,
            probe_few=probe_few)
for k,o in runs.items():
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
def less(d): return f"{-100*d['value']:+.1f} [{-100*d['high']:+.1f}, {-100*d['low']:+.1f}]"  # ALTA minus the other
def row(X, n): return {name: pct(X[n][w]) + ('' if n == 'ALTA' else f"; ALTA {less(X[n][w]['minus_alta'])}")
                       for w,name in ways.items()}
sizes = {many['arguments']['patients']: V, few['arguments']['patients']: F}
clips = 'CLIP from scratch', 'CLIP from MRM'
tower = {r['arguments']['patients']: {k: o['macro'] for k,o in r['towers'].items()} for r in (probe, probe_few)}
with pd.option_context('display.max_colwidth', None):
    display(pd.DataFrame({(f'{n:,} patients', s): row(X, s) for n,X in sizes.items() for s in ('ALTA', *clips)}).T)
print('linear probes of the frozen towers, macro AUROC')
display(pd.DataFrame({f'{n:,} patients': {k: pct(o) for k,o in t.items()} for n,t in tower.items()}))

# %% [9] The table
def held(yes, partly=False): return 'held' if yes else 'held in part' if partly else 'did not hold'
def minus(X, n): return {w: X[n][w]['minus_alta'] for w in ways}
def each(d, f): return ', '.join(f"{name} {f(d[w])}" for w,name in ways.items())
def more(d): return f"{100*d['value']:+.1f} [{100*d['low']:+.1f}, {100*d['high']:+.1f}]"
def wins(X, n): return [d['high'] < 0 for d in minus(X, n).values()]      # ALTA is ahead, beyond the interval
def level(X, n): return all(d['low'] < 0 < d['high'] for d in minus(X, n).values())
def goal(X, n): return [-minus(X, n)[w]['high'] > g for w,g in zip(ways, (.04, .055))]    # the whole interval
def by_size(f): return '; '.join(f"{n:,} patients: {f(X)}" for n,X in sizes.items())
alone = minus(W, 'neither'); lost = [d['high'] < 0 for d in alone.values()]
def apart(a, b):
    return 'held' if a['low'] > b['high'] else 'did not hold' if a['high'] < b['low'] else 'not distinguishable'
def knows(n): return apart(tower[n]['mrm'], tower[n]['clip_from_scratch.0'])
rows = [
 ('about 8 % of the parameters are trained',
  f'{share:.2%} of the whole model; {of_mrm:.1%} of what MRM trains', 'counted, full size',
  held(.06 < share < .09)+', of the whole model'),
 ("less than a fifth of MRM's compute",
  f'{step:.2f} times as much per sample; whole trainings {whole[150000]:.2f} at 150,000 studies, '
  f'{whole[227835]:.2f} at 227,835', 'counted, full size; 377,110 films, 200 and 30 epochs',
  held(whole[227835] < .2, whole[150000] < .2)),
 ('CLIP-style training has the weaker vision tower',
  '; '.join(f"{n:,} patients: MRM {pct(t['mrm'])}, CLIP from scratch {pct(t['clip_from_scratch.0'])}"
            for n,t in tower.items()), 'phantom: linear probe, macro AUROC',
  '; '.join(f'{n:,}: {knows(n)}' for n in tower)),
 ('adapted masked models retrieve better than CLIP-style training',
  by_size(lambda X: f"ALTA minus CLIP from scratch, P@10: {each(minus(X, clips[0]), less)}"), 'phantom',
  '; '.join(f'{n:,}: ' + ('not distinguishable' if level(X, clips[0]) else
                          held(all(wins(X, clips[0])), any(wins(X, clips[0])))) for n,X in sizes.items())),
 ('over 4 points text to image, about 6 image to text, above the best other method',
  by_size(lambda X: f"over CLIP from scratch {each(minus(X, clips[0]), less)}, over CLIP that goes on from the same "
                    f"MRM {each(minus(X, clips[1]), less)}"), 'phantom',
  '; '.join(f"{n:,}: " + ', '.join(f"over {c} {held(all(goal(X, c)), any(goal(X, c)))}" for c in clips)
            for n,X in sizes.items())),
 ('priors and laterals help', f'P@10 without them: {each(alone, more)}', 'phantom, ablations',
  held(all(lost), any(lost)))]
table = pd.DataFrame(rows, columns=['the abstract says','measured','on','verdict'])
test_eq([held(*o) for o in ((True,), (False,True), (False,))], ['held','held in part','did not hold'])
back = dict(value=.02, low=.01, high=.03)                                # the other is ahead of ALTA by 1 to 3 points
test_eq((less(back), more(back)), ('-2.0 [-3.0, -1.0]', '+2.0 [+1.0, +3.0]'))
one, two = dict(low=.1, high=.2), dict(low=.3, high=.4)
test_eq([apart(one, two), apart(two, one), apart(one, one)], ['did not hold', 'held', 'not distinguishable'])
test_eq([wins({'x': {w: dict(minus_alta=b) for w in ways}}, 'x') for b in (back, dict(low=-.3, high=-.1))],
        [[False, False], [True, True]])
with pd.option_context('display.max_colwidth', None): display(table)

# %% [11] What the table shows
def said(d): return 'ahead' if d['high'] < 0 else 'behind' if d['low'] > 0 else 'not distinguishable'      # ALTA
def against(X, n): return [said(d) for d in minus(X, n).values()]
same = 'not distinguishable'
test_eq([against(F, c) for c in clips], [['ahead']*2, [same]*2])
test_eq([against(V, c) for c in clips], [[same]*2, ['behind']*2])
test_eq(goal(F, clips[0]), [True, False])
assert all(-minus(F, clips[0])[w]['value'] > g for w,g in zip(ways, (.04, .055)))
whole = {r['system']: r['total'] for r in count['rows']}
assert whole['alta clean, 1 films'] < whole['clip'] < whole['alta clean, 4 films']
assert few['cost']['ALTA']['multiply_adds_per_sample'] > few['cost'][clips[0]]['multiply_adds_per_sample']
test_eq(against(W, 'everything trains'), [same, 'ahead'])                # text to film, film to text
for n in ('LoRA','heads alone','without local'): test_eq(against(W, n), [same]*2)
for n in ('no prior','no lateral','neither'): test_eq(against(W, n), ['ahead', same])

# %% [13] The same films and reports for both
hit = {f'{way}_P@10': f['metrics']['P@10'] for way,f in every['scored']['clip']['findings'].items()}
def work(o): return o['multiply_adds_per_sample']*o['samples']/1e12
pre = many['below']['mrm']['multiply_adds']/1e12
rows = {f"ALTA, {r['arguments']['patients']:,} patients": (work(r['cost']['ALTA']), pre, r['variants']['ALTA'])
        for r in (few, many)}
rows |= {f"{clips[0]}, {r['arguments']['patients']:,} patients":
         (work(r['cost'][clips[0]]), 0, r['variants'][clips[0]]) for r in (few, many)}
rows[f"{clips[0]}, {every['arguments']['patients']:,} patients"] = work(every['stages']['clip']), 0, hit
pd.DataFrame({n: {'T multiply-adds': f'{w:.1f}', 'and before, by MRM': f'{p:.1f}',
                  **{name: pct(s[k]) for k,name in ways.items()}} for n,(w,p,s) in rows.items()}).T

# %% [16] On films drawn after real ones
styles = {n: {'first style': X, 'second': Y['variants']} for (n,X),Y in zip(sizes.items(), (many2, few2))}
for Y,n in zip((many2, few2), sizes):
    test_eq((Y['arguments']['patients'], Y['data']['test']), (n, many['data']['test']))  # the same patients
with pd.option_context('display.max_colwidth', None):
    display(pd.DataFrame({(f'{n:,} patients', s, style): row(X, s) for n,Y in styles.items() for s in ('ALTA', *clips)
                          for style,X in Y.items()}).T)
for n,Y in styles.items():
    for style,X in Y.items():
        print(f"{n:,} patients, {style}: ALTA " + '; '.join(f"against {c} " + each(minus(X, c), said) for c in clips))
mild = soft['arguments']; print(f"scales from 1/0.2 ({mild['set'][0]}), {mild['patients']} patients, second style:")
display(pd.DataFrame({s: row(soft['variants'], s) for s in ('ALTA', *clips)}).T)

# %% [19] On real films
real = read('real_folds.json'); who = dict(alta='ALTA', clip='CLIP from scratch', clip_mrm='CLIP from MRM')
first = real['systems']['alta']
asked = [f'{w}_{k}' for k in ('R@5','R@10') for w in ('text_to_image','image_to_text')]
print(f"{first['queries']} queries of {first['patients']} patients, {len(first['folds'])} folds; "
      f"{real['provenance']['date']}, "
      f"commit {real['provenance']['commit']}")
def named(k): return k.replace('text_to_image_', 'text to film ').replace('image_to_text_', 'film to text ')
shown = {who[s]: {named(k): pct(o['metrics'][k]) for k in asked} for s,o in real['systems'].items()}
ahead = real['differences']['alta - clip']
display(pd.DataFrame({**shown, 'chance': {named(k): f"{100*first['chance'][k]:.1f}" for k in asked}}).T)
print('ALTA minus CLIP from scratch:', {named(k): more(ahead[k]) for k in asked})

# %% [21] Why ALTA was at chance
stuck = read('real_alta_training.json'); lines = stuck['curves']
print(stuck['data'], stuck['provenance']['commit'])
fig, ax = plt.subplots(figsize=(7.5, 3), dpi=75)
for k,c in lines.items(): ax.plot(range(1, len(c['glob'])+1), c['glob'], lw=2 if 'scales' in k else 1.2, label=k)
ax.axhline(math.log(32), color='.6', ls=':', label='chance')
ax.set(xlabel='epoch', ylabel='global contrast, nats')
ax.set_ylim(top=1.45*math.log(32)); ax.legend(fontsize=7, frameon=False, ncols=2, loc='upper center')
ax.spines[['top','right']].set_visible(False); plt.show()
begin = lines['ALTA, scales from 1/0.07']
print(f"local term in the first epoch: {begin['local'][0]:.1f} from 1/0.07, "
      f"{lines['ALTA, scales from 1/0.2']['local'][0]:.1f} from 1/0.2")
assert begin['glob'][-1] > .8*math.log(32) > lines['without the local term']['glob'][-1]
assert lines['ALTA, scales from 1/0.2']['glob'][59] < begin['glob'][59]

# %% [23] Once more
again = read('real_folds_sim.json')
of = again['plan']['alta']
print(f"commit {again['provenance']['commit']}; ALTA: rate {of['lr']}, {of['epochs']} epochs")
table2 = {who[s]: {named(k): pct(o['metrics'][k]) for k in asked} for s,o in again['systems'].items()}
chance = again['systems']['alta']['chance']
display(pd.DataFrame({**table2, 'chance': {named(k): f"{100*chance[k]:.1f}" for k in asked}}).T)
for other in ('clip', 'clip_mrm'):
    print(f"ALTA minus {who[other]}:", {named(k): more(again['differences'][f'alta - {other}'][k]) for k in asked})

# %% [26] The component shared by all films
B = bare['variants']
def auroc(o): return f"{100*o['value']:.1f} [seeds {100*min(o['seeds']):.1f}, {100*max(o['seeds']):.1f}]"
both = {(s, w): {name: pct(X[s][k]) for k,name in ways.items()} | {'zero-shot AUROC': auroc(X[s]['AUROC'])}
        for s in ('ALTA', *clips) for w,X in {'with film_norm': F, 'without': B}.items()}
assert all(F[s][k]['value'] > B[s][k]['value']+.03 for s in ('ALTA', *clips) for k in ways)
test_eq([s for s in ('ALTA', *clips) if all(F[s][k]['low'] > B[s][k]['high'] for k in ways)], ['ALTA', clips[1]])
test_eq([F[s]['AUROC']['value'] < B[s]['AUROC']['value'] for s in ('ALTA', *clips)], [True, True, False])
pd.DataFrame(both).T
