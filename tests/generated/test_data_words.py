# nbs/data/20_words.ipynb: runs against the imported medvl.data.words.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Text
import html, json, re
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from importlib.resources import files
from medvl.core import MedvlError

# %% [4] Text
from fastcore.test import *
import pandas as pd
from medvl.data.words import lexicon, words_known  # defined below, and used by headings above it

# %% [6] Input
from medvl.data.words import (_ODD, _TAG, _LABEL, _BLOCK, _untag, _decode)

# %% [7] Input
from medvl.data.words import (as_text)

# %% [8] Input
raw = '<p>Nodule &lt;5 mm in the <b>left</b> lung.</p>'
print(as_text(raw))
test_eq(len(as_text(raw)), len(raw))
test_eq(as_text(raw).index('left'), raw.index('left'))
test_eq([as_text(o) for o in (None, float('nan'), pd.NA, '')], ['']*4)
test_eq(as_text('œdème du poumon'.encode('utf-16')), 'œdème du poumon')
test_eq(as_text('37° at noon'.encode('latin-1')), '37° at noon')  # not valid UTF-8

# %% [10] Input
test_eq(as_text('nodule <5 mm, not >7'), 'nodule <5 mm, not >7')
test_fail(lambda: as_text(7), contains='got int 7')
test_fail(lambda: as_text(b'\x89PNG\r\n\x1a\n\0\0\0\rIHDR'), contains='are not text')

# %% [12] Sections
from medvl.data.words import (_headings, _field, near_heading, _opens)

# %% [13] Sections
test_eq([near_heading(o) for o in ('ndication', 'imression', 'findins', 'finding s', 'comparision')],
        ['indication', 'impression', 'findings', 'findings', 'comparison'])
test_eq([near_heading(o) for o in ('heart', 'pleura', 'pneumothorax', 'medication', 'confusion')], ['']*5)

# %% [15] Sections
from medvl.data.words import (_ALONE, _heads, _parts)

# %% [16] Sections
from medvl.data.words import (about_film, sections)

# %% [17] Sections
mimic = '''                                 FINAL REPORT
 EXAMINATION:  CHEST (PA AND LAT)
 
 INDICATION:  ___ year old woman, evaluate for pneumonia
 
 COMPARISON:  ___
 
 FINDINGS: 
 
 Heart size is mildly enlarged.  There is a 3.5 cm opacity in the left lower
 lobe.  Dr. ___ was told at 9:30 a.m. on ___.
 
 IMPRESSION: 
 
 1.  Left lower lobe pneumonia.
 2.  No pneumothorax.
'''
for k,v in sections(mimic).items(): print(f'{k:12s} {v!r}')
test_eq(list(sections(mimic)), ['examination','indication','findings','impression'])
test_eq(sections(mimic)['indication'], '___ year old woman, evaluate for pneumonia')

# %% [19] Sections
cases = {
 'Comparison: None. Findings: Clear lungs. Impression: Normal.': 
    dict(comparison='None.', findings='Clear lungs.', impression='Normal.'),
 'FINAL REPORT INDICATION: ___F with cough FINDINGS: Clear. IMPRESSION: Normal.':
    dict(indication='___F with cough', findings='Clear.', impression='Normal.'),
 'findings: clear.\nimpression: normal.': dict(findings='clear.', impression='normal.'),
 'FINDINGS\nClear lungs.\n\nIMPRESSION\nNormal.': dict(findings='Clear lungs.', impression='Normal.'),
 'FINDINGS AND IMPRESSION: Clear.': {'findings and impression': 'Clear.'},
 'FINDINGS:\nLUNGS AND AIRWAYS: Clear.\nIMPRESSION: Normal.':
    dict(findings='LUNGS AND AIRWAYS: Clear.', impression='Normal.'),
 'FINDINGS:\nLUNGS: Clear.\nHEART: Large.\nIMPRESSION: Cardiomegaly.':
    dict(findings='LUNGS: Clear.\nHEART: Large.', impression='Cardiomegaly.'),
 'PORTABLE CHEST RADIOGRAPH:  Clear lungs.\nCONCLUSION: Normal.': dict(findings='Clear lungs.', impression='Normal.'),
 'QUALITY OF STUDY: Rotated.\nIMPRESSION: Normal.': {'quality of study': 'Rotated.', 'impression': 'Normal.'},
 'WET READ: No pneumothorax.\n'+'_'*60+'\n FINAL REPORT\n FINDINGS: Clear.':
    {'wet read': 'No pneumothorax.', 'findings': 'Clear.'},
 'IMPRESSION: Normal.\nADDENDUM: A nodule was missed.': dict(impression='Normal.', addendum='A nodule was missed.'),
 'COMPARISON: None.\n\n The lungs are clear.\n\n IMPRESSION: Normal.':
    dict(comparison='None.', body='The lungs are clear.', impression='Normal.'),
 '<AbstractText Label="FINDINGS">Clear.</AbstractText>': dict(findings='Clear.'),
 'IMPRESSION: Old.\nIMPRESSION: New.': dict(impression='Old.\nNew.'),
 'Clear lungs.': dict(body='Clear lungs.'), 'Normal': dict(body='Normal'),
 '': {}, '___': {}, 'FINDINGS:\n\nIMPRESSION:': {},
}
for text,want in cases.items(): test_eq(sections(text), want)
slips = {'NDICATION: Pneumothorax?\n\nFINDINS: Clear.': dict(indication='Pneumothorax?', findings='Clear.'),
         'INDCATION: Edema? IMPRESSON: Clear.': dict(indication='Edema?', impression='Clear.'),
         'Histroy: Edema.\nFindngs: Clear.': dict(history='Edema.', findings='Clear.'),
         'INDICATON\nEdema?\nFINDNGS\nClear.': dict(indication='Edema?', findings='Clear.')}
for text,want in slips.items(): test_eq(sections(text), want)
len(cases)

# %% [21] Sentences
from medvl.data.words import (_ABBR, _MAYBE, _CUT, _ANSWER, _prefixed, _ends, _spans)

# %% [22] Sentences
from medvl.data.words import (sentence_spans, sentences)

# %% [23] Sentences
for s in sentences(mimic): print('-', s)
test_eq(sentences(mimic)[3:],
        ['There is a 3.5 cm opacity in the left lower lobe.', 'Dr. ___ was told at 9:30 a.m. on ___.',
         'Left lower lobe pneumonia.', 'No pneumothorax.'])
test_eq(sentences('Seen at 5 p.m. The tip, i.e. the end, lies 4.2 cm above the carina.'),
        ['Seen at 5 p.m.', 'The tip, i.e. the end, lies 4.2 cm above the carina.'])
test_eq(sentences('1. No acute disease 2. Stable nodule 3) Fracture of rib 7. Clear.'),
        ['No acute disease', 'Stable nodule', 'Fracture of rib 7.', 'Clear.'])
test_eq(sentences('XXXX XXXX. Lungs clear\nHeart normal\nNo effusion'),
        ['XXXX XXXX.', 'Lungs clear', 'Heart normal', 'No effusion'])
test_eq(sentences('clear.No edema. no effusion.normal heart'), ['clear.', 'No edema.', 'no effusion.', 'normal heart'])
test_eq(sentences('Effusion?'), ['Effusion?']); test_eq(sentences(None), [])

# %% [25] Sentences
naive = [o.strip() for o in mimic.replace('\n', ' ').split('.') if o.strip()]
print(len(naive), 'pieces, among them', [o for o in naive if len(o)<4])
assert len(naive) > len(sentences(mimic))

# %% [27] Sides that are swapped
from medvl.data.words import (OTHER, _SIDE, swap_sides)

# %% [28] Sides that are swapped
test_eq(swap_sides('Left-sided line; RIGHT base, right lung. Lt. leftover'),
        'Right-sided line; LEFT base, left lung. Rt. leftover')
test_eq(swap_sides('No pneumothorax.'), 'No pneumothorax.')
test_eq(swap_sides('heart shifted leftward'), 'heart shifted rightward')

# %% [30] The text for training
from medvl.data.words import (_subjects, impression_findings)

# %% [31] The text for training
print(impression_findings(mimic))

# %% [32] The text for training
test_eq(impression_findings('IMPRESSION:\n 1. Clear lungs\n 2. No\n effusion.'), 'Clear lungs. No effusion.')
test_eq(impression_findings('IMPRESSION: B.\nFINDINGS: A.'), 'A. B.')
test_eq(impression_findings('Clear lungs.'), 'Clear lungs.')
test_eq(impression_findings('STERNUM: Intact.\nIMPRESSION: Normal.'), 'Intact. Normal.')
test_eq(impression_findings('COMPARISON: None.\n\n Clear lungs.\n\n IMPRESSION: Normal.'), 'Clear lungs. Normal.')
test_eq([impression_findings(o) for o in (None, '', 'INDICATION: Cough.')], ['']*3)

# %% [34] The dictionary
from medvl.data.words import (expand)

# %% [35] The dictionary
test_eq(expand('opacit(y|ies)'), ['opacity', 'opacities'])
test_eq(expand('air-space'), ['airspace', 'air space'])
test_eq(expand('(hemi|)diaphragm(s)'), ['hemidiaphragm', 'hemidiaphragms', 'diaphragm', 'diaphragms'])
test_eq(expand('not (seen|visuali(s|z)ed)'), ['not seen', 'not visualised', 'not visualized'])

# %% [37] The dictionary
from medvl.data.words import (_roles, _MODAL, _spellings)

# %% [39] The dictionary
from medvl.data.words import (WORD, lexicon)

# %% [40] The dictionary
lex = lexicon()
kinds = pd.Series([o['kind'] for o in lex['info'].values()]).value_counts()
print(f"{sum(kinds)} entities ({', '.join(f'{v} {k}' for k,v in kinds.items())}), {len(lex['rules'])} structures")
test_eq(lex['info']['pleural effusion']['labels'], ('Pleural Effusion',))
test_eq(lex['info']['hydropneumothorax']['labels'], ('Pneumothorax','Pleural Effusion'))

# %% [42] The dictionary
from medvl.data.words import (Hit, _STARTS, lower, _SHORT, _tokens, words_known, _joins)

# %% [43] The dictionary
def show(s):
    rows = [dict(text=s[h.start:h.end], roles=' '.join(h.roles), ends=h.ends) for h in words_known(lower(s))]
    return pd.DataFrame(rows)

show('No left effusion, edema or nodule, mild cardiomegaly, and the lungs are clear.')

# %% [44] The dictionary
found = words_known('no effusion, edema or nodule, mild cardiomegaly, and the lungs are clear')
test_eq([(o.key,o.ends) for o in found if 'joiner' in o.roles or 'alternative' in o.roles],
        [(',',''), ('or',''), (',','list'), (',',''), ('and','clause')])
test_eq([o.key for o in found][:3], ['no', 'effusion', ','])
test_eq([o.key for o in words_known('air-space\ndisease')], ['air space disease'])
test_eq([o.key for o in words_known("no edema - there isn't an effusion")],
        ['no','edema','-','there is','not','effusion'])
test_eq(len(lower('İ no')), len('İ no'))
