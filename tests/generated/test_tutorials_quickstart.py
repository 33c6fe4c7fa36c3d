# nbs/tutorials/quickstart.ipynb: exports nothing; its cells run as they are.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [2] Quickstart
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import medvl

studies = medvl.phantom_studies(60, seed=21, size=128, difficulty='lifelike-easy')  # or a folder: m.embed('films/')
m = medvl.load('phantom-clip')
films = m.embed(studies, progress=False)
m, films

# %% [4] Which of these films show an effusion?
hits = m.search('left pleural effusion', k=5)
hits.figure()
plt.show()

# %% [6] Which of these films show an effusion?
def has(sample): return sample.labels.get('Pleural Effusion') == 1
ranked = [has(s) for s,_ in m.search('pleural effusion', k=len(films))]
rows = {f'first {k}': sum(ranked[:k])/k for k in (5, 10, 20)} | {'all films': sum(ranked)/len(ranked)}
display(pd.Series(rows, name='share with an effusion').round(2).to_frame())
assert rows['first 10'] > 1.5*rows['all films']

# %% [8] Where is it?
from medvl.data.regions import phrases
g = medvl.load('phantom-gloria')
for i in hits.order[:3]:
    v = films.view(i); h = g.heat(v, 'left pleural effusion', clear=studies); display(h)
    for p in (p for p in phrases(studies) if p.view is v and p.label == 'Pleural Effusion'):
        inside = p.mask(h.map.shape).ravel()[np.nanargmax(h.map)]
        print(f'drawn: {p.text!r}; the highest point of the map is {"in it" if inside else "elsewhere"}')

# %% [11] Findings without labels
margin = m.zeroshot(findings=['Pleural Effusion','Edema','Pneumothorax'])
fig, axs = plt.subplots(1, 3, figsize=(8, 2.4), dpi=75, sharey=True, layout='constrained')
for ax,f in zip(axs, margin):
    for yes,color in ((False,'#9aa4ad'), (True,'#d1495b')):
        x = margin[f][[(s.labels.get(f) == 1) == yes for s in films.samples]]
        ax.hist(x, bins=15, range=(margin.min().min(), margin.max().max()), color=color, alpha=.7,
                label='has it' if yes else 'does not')
    ax.set_title(f, fontsize=9); ax.spines[['top','right']].set_visible(False)
axs[0].set_ylabel('films'); axs[0].legend(fontsize=7, frameon=False); fig.supxlabel('margin', fontsize=9)
plt.show()
