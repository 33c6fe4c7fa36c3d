# nbs/data/21_report.ipynb: runs against the imported medvl.data.report.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Reports
import re
from dataclasses import dataclass
from typing import NamedTuple
from medvl.core import CHEXPERT
from medvl.data.words import about_film, as_text, lexicon, lower, sentence_spans, words_known

# %% [4] Reports
import json, re, tarfile, xml.etree.ElementTree as ET
from pathlib import Path
import pandas as pd, matplotlib.pyplot as plt
from fastcore.test import *
from medvl.core import MedvlError, need
from medvl.data.words import impression_findings, sections, sentences

# %% [6] Entities
from medvl.data.report import (Entity)

# %% [7] Entities
e = Entity('hydropneumothorax', 'present', side='left')
test_eq(e.labels, ('Pneumothorax','Pleural Effusion')); test_eq(e.kind, 'finding')
test_eq(Entity('scoliosis', 'present').labels, ())

# %% [9] Entities
from medvl.data.report import (_has, _BEFORE, _prefix, _named)

# %% [10] Entities
def named(s): return [(n,p) for _,n,p in _named(words_known(lower(s)))]
test_eq(named('The heart is enlarged.'), [('cardiomegaly','present')])
test_eq(named('Normal heart and mediastinum.'), [('cardiomegaly','absent'), ('widened mediastinum','absent')])
test_eq(named('Heart size and vascularity are normal, the lungs clear.'),
        [('cardiomegaly','absent'), ('edema','absent'), ('opacity','absent')])
test_eq(named('Left costophrenic angle is blunted.'), [('pleural effusion','uncertain')])

# %% [12] Entities
from medvl.data.report import (_Trig, _BACK, _NOUNS, _FILL, _ARTICLES, _NOW, _doubled, _earlier)

# %% [14] Entities
from medvl.data.report import (_forward, _said, _over)

# %% [15] Entities
from medvl.data.report import (_subject, _ahead, _LINK, _aside)

# %% [17] Entities
from medvl.data.report import (_last, _alone, _unmoved, _backward)

# %% [19] Entities
from medvl.data.report import (_REST, _where, _of_it)

# %% [21] Entities
from medvl.data.report import (_scope)

# %% [22] Entities
def scope(s):
    hits = words_known(lower(s))
    return {e.name: (e.polarity,e.trigger) for e in _scope(hits, _named(hits))}

test_eq(scope('No effusion, but the heart is mildly enlarged.'),
        {'pleural effusion': ('absent','no'), 'cardiomegaly': ('present','')})
test_eq(scope('Opacity at the base may represent pneumonia.'),
        {'opacity': ('present',''), 'pneumonia': ('uncertain','may represent')})
test_eq(scope('Effusion is small and pneumothorax is not seen.'),
        {'pleural effusion': ('present',''), 'pneumothorax': ('absent','is not seen')})
test_eq(scope('Atelectasis or pneumonia.'), {'atelectasis': ('uncertain','or'), 'pneumonia': ('uncertain','or')})

# %% [24] Entities
test_eq(scope('Neither effusion has grown.'), {'pleural effusion': ('present','')})
test_eq(scope('No displacement of the fracture.'), {'fracture': ('present','')})
test_eq(scope('No nodule is seen in the consolidation.'), {'nodule': ('absent','no'), 'consolidation': ('present','')})
test_eq(scope('The catheter has not been removed.')['device'][0], 'present')
test_eq(scope("The catheter hasn't been removed.")['device'][0], 'present')
test_eq(scope('Effusion (possible), PTX neg.'),
        {'pleural effusion': ('uncertain','possible'), 'pneumothorax': ('absent','neg')})
test_eq(scope('No edema seen, effusion unchanged.'), {'edema': ('absent','no'), 'pleural effusion': ('present','')})

# %% [26] Entities
def window(s, n=5): # a negation window, as it is often written
    w = re.findall(r'\w+', s.lower())
    return {t: 'absent' if 'no' in w[max(0,i-n):i] else 'present' for i,t in enumerate(w)
            if t in ('effusion','edema','pneumothorax')}

tries = ['No focal consolidation or nodule, large effusion or pneumothorax.',
         'No effusion; edema persists.', 'No change in the effusion.']
pd.DataFrame([dict(sentence=s, window=window(s), rules={k: v[0] for k,v in scope(s).items()}) for s in tries])

# %% [27] Entities
test_eq([window(s)['effusion'] for s in tries], ['present','absent','absent'])
test_eq([scope(s)['pleural effusion'][0] for s in tries], ['absent','absent','present'])

# %% [29] Entities
from medvl.data.report import (_KINDS, _Attach)

# %% [31] Entities
from medvl.data.report import (_LABEL, _label, _topic)

# %% [33] Entities
from medvl.data.report import (_whole, _NO, _fields)

# %% [35] Entities
from medvl.data.report import (_frames, _had, _past)

# %% [36] Entities
from medvl.data.report import (_BOX, _unticked, entities)

# %% [37] Entities
report = '''INDICATION: Cough, evaluate for pneumonia.
COMPARISON: Film of last week.
FINDINGS: The heart is mildly enlarged. Small left pleural effusion with left basilar atelectasis, unchanged.
Right upper lobe opacity may represent pneumonia. The right pneumothorax has resolved.
The endotracheal tube ends 4 cm above the carina. No edema.
IMPRESSION: 1. Possible pneumonia. 2. Stable effusion.'''
shown = ('name','polarity','side','zone','severity','change','trigger','sentence')
pd.DataFrame([{k: getattr(e,k) for k in shown} for e in entities(report)])

# %% [38] Entities
by = {e.name: e for e in reversed(entities(report))}
test_eq((by['pleural effusion'].side, by['pleural effusion'].severity, by['pleural effusion'].change),
        ('left','mild','stable'))
test_eq((by['atelectasis'].side, by['atelectasis'].zone, by['atelectasis'].change), ('left','base','stable'))
test_eq((by['opacity'].side, by['opacity'].zone, by['pneumonia'].polarity), ('right','upper lobe','uncertain'))
test_eq((by['pneumothorax'].polarity, by['pneumothorax'].change, by['pneumothorax'].side),
        ('absent','resolved','right'))
assert all(report[e.span[0]:e.span[1]]==e.text for e in entities(report))
assert all(e.text in sentences(report)[e.sentence] for e in entities(report))
test_eq({e.section for e in entities(report)}, {'findings','impression'})
test_eq(entities(report, all_sections=True)[0].context, 'asked')
test_eq([(e.name, e.polarity) for e in entities('LINES AND TUBES: No lines or tubes.')], [('device','absent')])

# %% [39] Entities
def told(s): return {e.name: e.context or e.polarity for e in entities(s)}
test_eq(told('New left effusion, not seen on the prior study.'), {'pleural effusion': 'present'})
test_eq(told('Effusion seen on the prior study is not seen now.'), {'pleural effusion': 'absent'})
test_eq(told('The prior film showed an effusion.'), {'pleural effusion': 'history'})
test_eq(told('The lungs are not free of edema.'), {'edema': 'present'})
test_eq(told('Opacity, pneumonia in the right clinical setting.'), {'opacity': 'present', 'pneumonia': 'uncertain'})
test_eq(told('Pneumothorax: No.'), {'pneumothorax': 'absent'})
test_eq((told('Small effusion?'), told('Is there an effusion?')),
        ({'pleural effusion': 'uncertain'}, {'pleural effusion': 'asked'}))
test_eq((told('ETT has been withdrawn 2 cm.'), told('ETT has been withdrawn.')),
        ({'endotracheal tube': 'present'}, {'endotracheal tube': 'absent'}))

# %% [41] Entities
def where(s): return [' '.join(o for o in (e.severity, e.side, e.zone, e.name, e.change) if o) for e in entities(s)]
test_eq(where('Opacities in the right and left lower lobes.'), ['bilateral lower lobe opacity'])
test_eq(where('Atelectasis and effusion at the left base.'), ['left base atelectasis', 'left base pleural effusion'])
test_eq(where('Left atelectasis and effusion in the right base.'),
        ['left base atelectasis', 'right base pleural effusion'])
test_eq(where('Left effusion and cardiomegaly.'), ['left pleural effusion', 'cardiomegaly'])
test_eq(where('RLL consolidation.'), ['right lower lobe consolidation'])
test_eq(where('Effusions, right greater than left, have increased.'), ['bilateral pleural effusion worsened'])
test_eq(where('Increased opacity at the apex.'), ['apex opacity'])
test_eq(where('Increased opacity at the apex compared to the prior film.'), ['apex opacity worsened'])
test_eq(where('New large right pneumothorax, stable moderate edema.'),
        ['severe right pneumothorax new', 'moderate edema stable'])

# %% [43] Hard sentences
hard = """
No evidence of pneumothorax. | pneumothorax -
No effusion, pneumothorax or edema. | pleural effusion - ; pneumothorax - ; edema -
The lungs are free of consolidation. | consolidation -
No change in the left effusion. | pleural effusion +
No significant interval change in moderate edema. | edema +
There is no longer a pneumothorax. | pneumothorax -
The pneumothorax is no longer seen. | pneumothorax -
The effusion has not significantly changed. | pleural effusion +
Not significantly changed bibasilar atelectasis. | atelectasis +
The right pneumothorax has resolved. | pneumothorax -
Interval resolution of edema. | edema -
Near complete resolution of the left effusion. | pleural effusion +
The effusion has not resolved. | pleural effusion +
Pneumonia cannot be excluded. | pneumonia ?
Pneumonia is not excluded. | pneumonia ?
Cannot exclude a small pneumothorax. | pneumothorax ?
Opacity may represent pneumonia. | opacity + ; pneumonia ?
Atelectasis versus consolidation. | atelectasis ? ; consolidation ?
Basilar opacities, atelectasis or pneumonia. | opacity + ; atelectasis ? ; pneumonia ?
Possible small effusion. | pleural effusion ?
No pneumothorax, but a small effusion persists. | pneumothorax - ; pleural effusion +
No pneumothorax. Small effusion. | pneumothorax - ; pleural effusion +
No effusion, mild cardiomegaly. | pleural effusion - ; cardiomegaly +
No effusion, and the heart is enlarged. | pleural effusion - ; cardiomegaly +
No abnormality other than cardiomegaly. | abnormality - ; cardiomegaly +
Effusion is small and pneumothorax is not seen. | pleural effusion + ; pneumothorax -
There is a small effusion and pneumothorax is not seen. | pleural effusion + ; pneumothorax -
Effusion, pneumothorax and edema are not seen. | pleural effusion - ; pneumothorax - ; edema -
The heart is normal in size and the lungs are clear. | cardiomegaly - ; opacity -
Normal heart size and mediastinal contours. | cardiomegaly - ; widened mediastinum -
Heart size, mediastinal contour and pulmonary vascularity are within normal limits.
  | cardiomegaly - ; widened mediastinum - ; edema -
The cardiac silhouette is enlarged. | cardiomegaly +
The heart is not enlarged. | cardiomegaly -
Borderline heart size. | cardiomegaly ?
Borderline cardiomegaly. | cardiomegaly ?
The mediastinum is widened. | widened mediastinum +
No widening of the mediastinum. | widened mediastinum -
Blunting of the left costophrenic angle. | pleural effusion ?
The costophrenic angles are sharp. | pleural effusion -
Lungs are hyperinflated without consolidation. | hyperinflation + ; consolidation -
No focal consolidation to suggest pneumonia. | consolidation - ; pneumonia -
Findings are suggestive of pneumonia. | pneumonia ?
Findings are consistent with pneumonia. | pneumonia +
No findings consistent with pneumonia. | pneumonia -
History of pneumonia. | pneumonia h
Evaluate for pneumothorax. | pneumothorax h
Rule out pneumonia. | pneumonia h
?pneumonia. | pneumonia ?
Pneumothorax: none. | pneumothorax -
The chest tube has been removed. | chest tube -
Interval removal of the endotracheal tube. | endotracheal tube -
No pneumothorax status post chest tube placement. | pneumothorax - ; chest tube +
Lungs are clear except for a nodule in the left apex. | opacity - ; nodule +
Negative for effusion. | pleural effusion -
The lungs are clear of focal infiltrate. | opacity - ; opacity -
Neither effusion nor pneumothorax is present. | pleural effusion - ; pneumothorax -
No definite pneumothorax, although a skin fold limits the apex. | pneumothorax -
Pneumonia is unlikely. | pneumonia ?
Atelectasis rather than pneumonia. | atelectasis + ; pneumonia ?
A nodule is not identified, yet atelectasis is seen. | nodule - ; atelectasis +
No pleural effusion or pneumothorax is identified, and the heart is mildly enlarged.
  | pleural effusion - ; pneumothorax - ; cardiomegaly +
No new consolidation. | consolidation -
No increase in the small effusion. | pleural effusion +
Without change, the nodule measures 5 mm. | nodule +
Effusion without pneumothorax. | pleural effusion + ; pneumothorax -
Cardiomegaly without edema or effusion. | cardiomegaly + ; edema - ; pleural effusion -
Left effusion with no pneumothorax. | pleural effusion + ; pneumothorax -
The opacity is likely atelectasis. | opacity + ; atelectasis ?
Probable atelectasis, no effusion. | atelectasis ? ; pleural effusion -
No large pleural effusion. | pleural effusion -
Pneumonia should be considered. | pneumonia ?
Edema is difficult to exclude. | edema ?
The patient denies cough; there is a right effusion. | pleural effusion +
No acute fracture; old rib fractures are noted. | fracture - ; fracture +
Pneumothorax has decreased. | pneumothorax +
Resolved pneumothorax. | pneumothorax -
Resolving edema. | edema +
The previously seen effusion is unchanged. | pleural effusion +
No pneumothorax (possible tiny effusion) and no edema. | pneumothorax - ; pleural effusion ? ; edema -
Opacity, which has resolved. | opacity -
There is no effusion, which was present previously. | pleural effusion -
Lungs: clear. Heart: enlarged. | opacity - ; cardiomegaly +
Absence of effusion. | pleural effusion -
No mass, nodule, consolidation, effusion, edema, or pneumothorax.
  | mass - ; nodule - ; consolidation - ; pleural effusion - ; edema - ; pneumothorax -
If there is concern for pneumothorax, an upright film may be obtained. | pneumothorax h
Prominent hila and clear lungs. | hilar enlargement + ; opacity -
Edema cannot entirely be excluded but there is no effusion. | edema ? ; pleural effusion -
Gram negative pneumonia. | pneumonia +
Not only atelectasis but pneumonia. | atelectasis + ; pneumonia +
Effusion has nearly resolved. | pleural effusion +
Stable cardiomegaly, no edema, improved effusion. | cardiomegaly + ; edema - ; pleural effusion +
There is consolidation, not edema. | consolidation + ; edema -
Right lower lobe pneumonia has cleared; left effusion remains. | pneumonia - ; pleural effusion +
No interval development of effusion. | pleural effusion -
No evidence of consolidation, effusion has increased. | consolidation - ; pleural effusion +
Enlarged heart without failure or effusion. | cardiomegaly + ; pleural effusion -
Clear lungs, normal heart, no effusion. | opacity - ; cardiomegaly - ; pleural effusion -
Pneumothorax is excluded. | pneumothorax -
Doubtful pneumothorax. | pneumothorax ?
Suspicious nodule in the right apex. | nodule +
Is there a pneumothorax? | pneumothorax h
No cardiomegaly. Lungs hyperinflated and clear. | cardiomegaly - ; hyperinflation + ; opacity -
Low lung volumes accentuate the heart size. | low lung volumes +
The left costophrenic angle is not seen, and there is a right effusion. | pleural effusion +
There is hazy opacity in the right lower zone and the right heart border is not visualized. | opacity +
Effusion cannot be seen. | pleural effusion -
The patient has no known effusion. | pleural effusion -
Left lung opacity, pneumonia vs. atelectasis. | opacity + ; pneumonia ? ; atelectasis ?
There is no focal consolidation, large pleural effusion, or pneumothorax.
  | consolidation - ; pleural effusion - ; pneumothorax -
No acute cardiopulmonary process. | abnormality -
Heart size is within normal limits with no effusion. | cardiomegaly - ; pleural effusion -
Mildly enlarged heart without overt edema. | cardiomegaly + ; edema -
Question of a small left apical pneumothorax. | pneumothorax ?
Persistent effusion, no longer loculated. | pleural effusion +
Fractures may not be demonstrated on this view. | fracture h
Effusion or pneumothorax is not seen. | pleural effusion - ; pneumothorax -
No pneumothorax or pneumomediastinum; stable emphysema. | pneumothorax - ; pneumomediastinum - ; emphysema +
Pleural effusion is not excluded, but no pneumothorax. | pleural effusion ? ; pneumothorax -
Edema has not improved. | edema +
No improvement in the edema. | edema +
Atelectasis has cleared. | atelectasis -
Pacemaker leads are unchanged, no pneumothorax. | pacemaker + ; pneumothorax -
Opacity compatible with atelectasis, less likely pneumonia. | opacity + ; atelectasis + ; pneumonia ?
No radiographic evidence for active tuberculosis. | tuberculosis -
Given the absence of effusion, pneumonia is likely. | pleural effusion - ; pneumonia ?
Not enlarged cardiac silhouette. | cardiomegaly -
There has been interval clearing of the edema. | edema +
There has been complete clearing of the edema. | edema -
NO EFFUSION. NO PNEUMOTHORAX. | pleural effusion - ; pneumothorax -
no effusion or consolidation but patchy opacity at right base likely atelectasis
  | pleural effusion - ; consolidation - ; opacity + ; atelectasis ?
Cardiomegaly has increased, without edema. | cardiomegaly + ; edema -
No evidence of effusion or of pneumothorax. | pleural effusion - ; pneumothorax -
Neither lung shows consolidation. | consolidation -
Effusions have not changed; no new opacity. | pleural effusion + ; opacity -
Lungs remain clear. | opacity -
Pneumothorax could not be excluded on this supine film. | pneumothorax ?
Trachea is midline and the aorta is tortuous. | mediastinal shift - ; tortuous aorta +
Unremarkable heart, lungs, and bones. | cardiomegaly - ; opacity - ; bone abnormality -
Lungs without effusion, consolidation and pneumothorax. | pleural effusion - ; consolidation - ; pneumothorax -
No focal opacity concerning for pneumonia. | opacity - ; pneumonia -
Consolidation concerning for pneumonia. | consolidation + ; pneumonia ?
No suspicious nodule. | nodule -
Improved but not resolved edema. | edema +
The previously noted nodule is not seen. | nodule -
Previously noted pneumothorax not definitely seen. | pneumothorax -
Minimal if any effusion. | pleural effusion ?
Trace if any pneumothorax. | pneumothorax ?
There may be a small effusion. | pleural effusion ?
Suspected fracture of the left fifth rib. | fracture ?
Fracture is suspected. | fracture ?
Interval placement of a left chest tube. | chest tube +
Normal lungs. | opacity -
No cardiomegaly or vascular congestion. | cardiomegaly - ; edema -
Decreased effusion with persistent atelectasis. | pleural effusion + ; atelectasis +
Pneumonia has been ruled out. | pneumonia -
Opacity is most likely due to atelectasis, though pneumonia is possible. | opacity + ; atelectasis ? ; pneumonia ?
Clear lungs without evidence of infection. | opacity - ; pneumonia -
Non-specific opacity without definite consolidation. | opacity + ; consolidation -
Hardly any effusion remains. | pleural effusion +
Lungs: No consolidation. Pleura: No effusion or pneumothorax. Heart: Normal size.
  | consolidation - ; pleural effusion - ; pneumothorax - ; cardiomegaly -
Effusion, right greater than left, is unchanged. | pleural effusion +
"""
signs = dict(present='+', absent='-', uncertain='?')
def short(s): return sorted(e.name + ' ' + ('h' if e.context else signs[e.polarity]) for e in entities(s))
rows = [o.split(' | ') for o in hard.strip().replace('\n  |', ' |').split('\n')]
wrong = [(s,want,short(s)) for s,want in rows if short(s)!=sorted(want.split(' ; '))]
print(f'{len(rows)-len(wrong)} of {len(rows)} as expected')
test_eq(wrong, [])

# %% [45] Labels
from medvl.data.report import (PARENT, _VALUE, _RANK, chexpert_labels)

# %% [46] Labels
signs = ('Mild vascular congestion without frank edema.', 'Vascular congestion. No pleural effusion.')
test_eq([chexpert_labels(o)['Edema'] for o in signs], [0., 1.])
test_eq([chexpert_labels(f'The patient is {o}intubated.')['Support Devices'] for o in ('','not ')], [1., 0.])
late = 'FINDINGS: No pneumothorax. Left effusion.\n\nADDENDUM: There is a small left pneumothorax.'
got = chexpert_labels(late)  # the addendum is the last word, in the label and in the text to learn from
test_eq((got['Pneumothorax'], got['Pleural Effusion']), (1., 1.))
test_eq(impression_findings(late), 'Left effusion. There is a small left pneumothorax.')

# %% [47] Labels
def labels(s, **kw): return {k: v for k,v in chexpert_labels(s, **kw).items() if v==v}
labels(report)

# %% [48] Labels
def device(t): return chexpert_labels(t)['Support Devices']
for t in ('LINES AND TUBES: No lines or tubes.', 'SUPPORT DEVICES: No support devices are present.',
          'TUBES AND LINES: The chest tube has been removed. No lines or tubes.', 'LINES AND TUBES: None.'):
    test_eq((t, device(t)), (t, 0.))
for t in ('LINES AND TUBES: Unchanged.', 'SUPPORT DEVICES: A left pacemaker is in place.', 'Lines: right PICC.'):
    test_eq((t, device(t)), (t, 1.))
test_eq(labels('HEART AND MEDIASTINUM: Mediastinal contours are normal.'),
        {'No Finding': 1., 'Enlarged Cardiomediastinum': 0.})
test_eq([labels(t)['Cardiomegaly'] for t in ('HEART: Normal.', 'HEART: Enlarged.')], [0., 1.])
said = {'Normal heart size.': ('Cardiomegaly', 0.), 'Borderline enlargement of the heart.': ('Cardiomegaly', -1.),
        'Stable borderline enlargement of the heart.': ('Cardiomegaly', -1.),
        'No enlargement of the heart.': ('Cardiomegaly', 0.)}
for t,(k,v) in said.items():  # the label's mediastinum is a topic too
    got = labels(f'HEART AND MEDIASTINUM: {t}', hierarchy=False); got.pop('No Finding', 0)
    test_eq((t, got), (t, {k: v}))
test_eq(labels('LUNGS: The upper abdomen is unremarkable.'), {}); test_eq(labels('LUNGS: Normal.')['Lung Opacity'], 0.)

# %% [49] Labels
test_eq(labels('No pneumothorax. Possible left effusion. Consolidation.'),
        {'Lung Opacity': 1., 'Consolidation': 1., 'Pneumothorax': 0., 'Pleural Effusion': -1.})
test_eq(labels('Consolidation.', hierarchy=False), {'Consolidation': 1.})
test_eq(labels(entities(report)), labels(report))
test_eq(labels('The heart is enlarged.'), {'Enlarged Cardiomediastinum': 1., 'Cardiomegaly': 1.})
test_eq(labels('Clear lungs. Normal heart.'), {'No Finding': 1., 'Cardiomegaly': 0., 'Lung Opacity': 0.})
test_eq(labels('Clear lungs. PICC line in place.'), {'No Finding': 1., 'Lung Opacity': 0., 'Support Devices': 1.})
test_eq(labels('Clear lungs. Scoliosis.'), {'Lung Opacity': 0.})
test_eq(labels('Effusion. No effusion.'), {'Pleural Effusion': 1.})
test_eq([labels(s) for s in ('', None, 'Patient rotated.', 'INDICATION: Pneumonia.', 'History of pneumonia.')], [{}]*5)

# %% [51] Words, polarity aside
from medvl.data.report import (Mention, _KIND, ENTITY_KINDS, mentions)

# %% [52] Words, polarity aside
test_eq([(m.kind,m.text) for m in mentions('Loculated right pleural effusion with basilar atelectasis.')],
        [('side','right'), ('finding','pleural effusion'), ('zone','basilar'), ('finding','atelectasis')])
test_eq([m.text for m in mentions('No effusion.', ('negation',))], ['No'])
test_eq(mentions('Patient rotated.'), [])

# %% [54] The earlier film
from medvl.data.report import (_changes, prior_mentions)

# %% [55] The earlier film
from medvl.data.report import (_WAY, _mixed, temporal_cues, temporal_cue)

# %% [56] The earlier film
test_eq([m.text for m in prior_mentions('Compared to the prior film, effusion is unchanged.')],
        ['Compared to', 'prior film', 'unchanged'])
test_eq(prior_mentions('Small effusion. No edema.'), [])
test_eq(temporal_cues('The effusion has increased. Edema improved. Stable nodule.'),
        {'pleural effusion': 'worsened', 'edema': 'improved', 'nodule': 'stable'})
test_eq(temporal_cue('The effusion has increased. Edema improved. Stable nodule.'), 'mixed')
test_eq(temporal_cue('No significant interval change.'), 'stable')
test_eq([temporal_cue(s) for s in ('No new consolidation.', 'Small effusion.', '')], ['']*3)
test_eq(temporal_cue('The edema has resolved, the heart is stable.'), 'improved')

# %% [58] The earlier film
long = 'There is no effusion, but a small nodule is seen at the left base. ' * 800
print(f'{len(long.split()):,} words, {len(entities(long)):,} entities')
test_eq(len(entities(long)), 1600)
test_eq([(e.name,e.polarity) for e in entities('<p>No <b>effusion</b>&nbsp;seen.</p>')],
        [('pleural effusion','absent')])
test_eq([(e.name,e.text) for e in entities('Œdema?  No: pneumonia'.encode('utf-16'))][-1], ('pneumonia','pneumonia'))
test_eq([entities(o) for o in (None, '', '\n', '___', float('nan'))], [[]]*5); test_eq(len(entities('Effusion')), 1)
test_fail(lambda: entities(['No effusion.']), contains='got list')
test_fail(lambda: chexpert_labels(b'\x00\x01\x02'), contains='are not text')

# %% [60] On real reports
def open_i():
    "(id, text, MeSH major terms) of each Open-i report in torchxrayvision's wheel."
    xrv = need('torchxrayvision', 'to read the Open-i reports that its wheel carries')
    with tarfile.open(Path(xrv.__file__).parent/'data'/'NLMCXR_reports.tgz') as t:
        for m in t:
            if not m.isfile(): continue
            r = ET.fromstring(t.extractfile(m).read())
            parts = [f"{a.get('Label')}: {a.text}" for a in r.iter('AbstractText') if a.text]
            yield r.find('uId').get('id'), '\n'.join(parts), [o.text.strip() for o in r.iter('major') if o.text]

try: real = list(open_i())
except MedvlError as err: real = []; print('not run:', err)
read = [(sections(x), es := entities(x), chexpert_labels(es)) for _,x,_ in real]
if real: print(f"{len(read):,} of {len(real):,} reports were read without an error")

# %% [61] On real reports
if real:
    n = pd.Series([k for s,*_ in read for k in s]).value_counts()
    print('sections:', ', '.join(f'{k} {v:,}' for k,v in n.items() if v>2))
    wordless = sum(not impression_findings(x) for _,x,_ in real)
    print(f"{sum(len(es) for _,es,_ in read):,} entities; reports that say nothing of the film: {wordless}; "
          f"that say something, but no entity was found: {sum(not es for _,es,_ in read)-wordless}")
said = pd.DataFrame([(e.name,e.polarity) for _,es,_ in read for e in es], columns=['name','polarity'])
pd.crosstab(said.name, said.polarity).sort_values('present', ascending=False).head(12) if real else said

# %% [62] On real reports
mesh = {'Cardiomegaly': 'Cardiomegaly|Cardiac Shadow/enlarged', 'Atelectasis': 'Pulmonary Atelectasis',
        'Pleural Effusion': 'Pleural Effusion|Hydropneumothorax|Hemothorax', 'Consolidation': 'Consolidation',
        'Edema': 'Pulmonary Edema|Pulmonary Congestion|Heart Failure', 'Pneumonia': 'Pneumonia',
        'Pneumothorax': 'Pneumothorax|Hydropneumothorax|Hemopneumothorax', 'Lung Lesion': 'Nodule|Mass|Cavitation',
        'Fracture': 'Fractures, Bone', 'Pleural Other': 'Thickening/pleura', 'No Finding': 'normal',
        'Support Devices': 'Catheters, Indwelling|Tube, Inserted|Implanted Medical Device|Medical Device|Stents',
        'Lung Opacity': 'Opacity|Airspace Disease|Infiltrate|Density|Consolidation|Pneumonia|Pulmonary Atelectasis|'
                        'Mass|Nodule|Pulmonary Edema|Pulmonary Congestion|Markings|Heart Failure|'
                        'Lung Diseases, Interstitial'}

def agree(k, terms):
    "One row: how often the label `k` meets one of the MeSH `terms`, over the reports that were indexed."
    rows = [(any((m+'/').startswith(o+'/') for m in ms for o in terms.split('|')), lab[k])
            for (_,_,ms),(*_,lab) in zip(real,read) if ms and ms!=['No Indexing']]
    row = dict(finding=k, mesh=sum(g for g,_ in rows))
    for n,o in (('present',1), ('uncertain',-1), ('absent',0)): row[n] = sum(v==o for _,v in rows)
    for q,hit in (('',(1,)), ('?',(1,-1))):
        tp = sum(g and v in hit for g,v in rows)
        row |= {'P'+q: round(tp/max(1,sum(v in hit for _,v in rows)), 3), 'R'+q: round(tp/max(1,row['mesh']), 3)}
    return row

agreement = pd.DataFrame([agree(k, v) for k,v in mesh.items()]) if real else pd.DataFrame()
agreement

# %% [63] On real reports
if real:
    fig,ax = plt.subplots(figsize=(6.4,3.2), dpi=75)
    o = agreement.sort_values('R?')
    ax.hlines(o.finding, o[['P?','R?']].min(axis=1), o[['P?','R?']].max(axis=1), color='.8', lw=2)
    for q,name in (('P?','precision'), ('R?','recall')): ax.plot(o[q], o.finding, 'o', label=name)
    ax.set(xlim=(0,1.02), title='present or uncertain, against MeSH')
    ax.legend(frameon=False, fontsize=8); ax.tick_params(labelsize=8)
    ax.spines[['top','right']].set_visible(False); plt.tight_layout(); plt.show()

# %% [66] Where the answer is known
known = Path('../../results/labeller.json')
known = json.loads(known.read_text(encoding='utf-8')) if known.exists() else None

def told(r):
    "One row of the table."
    yes, perhaps, no, by = (r[k] for k in ('present','uncertain','absent','contradictions'))
    return {'finding': r['finding'], 'present': yes['said'], 'P': yes['precision'], 'R': yes['recall'],
            'P?': perhaps['precision'], 'R?': perhaps['recall'], 'P absent': no['precision'],
            'left out': r['truth']['said unsaid'], 'by the report': by['report'], 'by us': by['labeller']}

if known:
    print(f"{known['data']}, patients from {known['args']['seed']:,} on; {known['claims_denied_by_state']} claims "
          f"denied by the state; {known['provenance']['date']}, commit {known['provenance']['commit']}")
pd.DataFrame(map(told, known['rows'])).set_index('finding').round(3) if known else 'not run'

# %% [68] Where the answer is known
if known and (o := known['samples']):
    print(f"{o['source']}: {o['mentioned_same']} of the {o['mentioned']} labels that it gives are ours too "
          f"({o['same']} of {o['cells']} cells, {o['reports']} reports)")
    for d in o['differ']: print(f"  report {d['report']}, {d['finding']}: theirs {d['theirs']}, ours {d['ours']}")
    o = {r['finding']: [r[v][k] for v in ('present','uncertain','absent') for k in ('said','precision','recall')]
         for r in o['rows']}
    cols = pd.MultiIndex.from_product([('present','uncertain','absent'), ('theirs','P','R')])
    display(pd.DataFrame.from_dict(o, orient='index', columns=cols).astype(object).fillna('-'))
else: print('samples of chexpert-labeler: not run')

# %% [70] Where the answer is known
if known:  # a result that contradicts itself is not shown
    for r in known['rows']:
        for v in ('present','uncertain','absent'): assert r[v]['hit'] <= min(r[v]['said'], r[v]['read'])
        shares = [x for k,x in r['truth'].items() if k != 'present' and x is not None]
        assert not shares or abs(sum(shares)-1) < 1e-9, r['finding']
    test_eq(known['claims_denied_by_state'], 0)

# %% [72] A sheet of sentences
import sys
sys.path.insert(0, str(Path('../../tests').resolve()))
from test_sentences import FIRST, our_label, sheet, wrong
from plain_rules import plain_label
rows = {n: sheet(f'{n}.csv') for n in ('sentences','sentences_held')}
bad = {(n, w): [r['construction'] for r,_ in wrong(o, f)] for n,o in rows.items()
       for w,f in (('ours', our_label), ('plain rules', plain_label))}
kinds = list(dict.fromkeys(r['construction'] for o in rows.values() for r in o))
def count(n, k): return sum(k in (r['construction'],'all') for r in rows[n])
pd.DataFrame([{'construction': k} | {f'{n}: {w}': x for n in rows for w,x in (('rows', count(n, k)),
              *((w, sum(k in (o,'all') for o in bad[n, w])) for w in ('ours','plain rules')))} 
             for k in (*kinds,'all')])

# %% [73] A sheet of sentences
batch = {k: [r for r in rows['sentences_held'] if r['batch']==k] for k in FIRST}
pd.DataFrame([dict(batch=k, sentences=n, first_read=f'{w} wrong ({w/n:.1%})', now=len(wrong(batch[k])),
                   plain_rules=len(wrong(batch[k], plain_label))) for k,(w,n) in FIRST.items()])

# %% [74] A sheet of sentences
for n in rows:
    assert len(bad[n,'ours']) < len(bad[n,'plain rules'])
    assert len(bad[n,'ours']) <= .03*len(rows[n])
