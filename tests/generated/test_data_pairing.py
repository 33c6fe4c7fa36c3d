# nbs/data/24_pairing.ipynb: runs against the imported medvl.data.pairing.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Pairing
import re, unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from medvl.data.identity import nobody

# %% [4] Pairing
from dataclasses import replace
from fastcore.test import *

# %% [6] The keys of a film or a report
from medvl.data.pairing import (Claim, tidy)

# %% [7] The keys of a film or a report
test_eq([tidy(o) for o in (' 007 ', '="007"', "'007", '10000032.0', '1.2.840.0', 'ANONYMOUS', '0.0', 'p  1')],
        ['007','007','007','10000032','1.2.840.0','','','p 1'])

# %% [9] The keys of a film or a report
from medvl.data.pairing import (day_of, clock_of, moment)

# %% [10] The keys of a film or a report
test_eq([moment(o) for o in ('2020-01-31T08:00:00', '20200131', '2020-01-31 08:00', '20200131.0', '20200131083000.5',
    '31.1.2020')],
        [('20200131','080000'), ('20200131',''), ('20200131','0800'), ('20200131',''), ('20200131','083000'),
    ('20200131','')])
test_eq([moment('2020-01-31', o) for o in ('8:00', '080000', '83000.0', '8:00 PM', '00:00:00', '2020-01-31T09:30Z',
    'noon')],
        [('20200131',o) for o in ('0800','080000','083000','2000','','0930','')])
test_eq([moment(o) for o in ('', '01/31/2020', '31/01/2020', '01/02/2020', '2020-13-01', '2020', 'soon', '202001311')],
        [('',''), ('20200131',''), ('20200131',''), *[('','')]*5])

# %% [12] The keys of a film or a report
from medvl.data.pairing import (ENDING, parts_of, stem, claim, loose_claim)

# %% [13] The keys of a film or a report
test_eq(parts_of(r'C:\films\p1\a.png'), (('films','p1','a.png'), True))
test_eq(parts_of('./p1//a.png'), (('p1','a.png'), False))
test_eq([stem(o) for o in ('IM.PNG', 'a.dcm.png', '1.2.840.1', '1.2.840.10.dcm', 'P1.20200131', '.png')],
        ['im','a','1.2.840.1','1.2.840.10','p1.20200131','.png'])
c = claim(dict(image='p1/a.png', patient_id=' p1', study_id='p1/v1', time='2020-01-31T08:00:00', accession='0'),
    'row 2')
test_eq((c.patient, c.studies, c.accession, c.day, c.clock), ('p1', ('p1/v1','v1'), '', '20200131', '080000'))

# %% [15] One spelling
from medvl.data.pairing import (eaten, one_spelling, spell_alike)

# %% [16] One spelling
f = one_spelling(['P1','p2','000123','000124'], ['p1','P2','123'])
test_eq((f['p1'], f['p2'], f['123']), ('P1','P2','000123'))
f = one_spelling(['P1','p1'], ['P1']); test_eq((f['P1'], f['p1']), ('P1','p1'))
f = one_spelling(['007','7'], ['7']); test_ne(f['007'], f['7'])          # two patients
f = one_spelling(['01'], ['1']); test_ne(f['01'], f['1'])                # two digits are no evidence

# %% [18] Contradictions
from medvl.data.pairing import (contradictions, one_study)

# %% [19] Contradictions
film = Claim('a.dcm', patient='p1', accession='A1', studies=('1.2',), day='20200131', clock='080010')
test_eq(contradictions(film, Claim('row 2', patient='p1', day='20200131', clock='0800')), {})
test_eq(contradictions(film, Claim('row 2', patient='p2', accession='A1', studies=('1.3',), clock='0900')),
        {'patient': 'p2, not p1', 'study': '1.3, not 1.2', 'time of day': '0900, not 080010'})
assert one_study([film, replace(film, studies=())]) and not one_study([film, replace(film, accession='A2')])
assert not one_study([film, Claim('b', patient='p1', day='20200131')], share=True)

# %% [21] Names of files
from medvl.data.pairing import (MANY, KEYS, ends, agreement)

# %% [22] Names of files
def fit(said, film, above=('home','set'), nested=True, flat=False):
    file, rooted = parts_of(said)
    return agreement(Claim('', file=file, rooted=rooted), Claim('', file=parts_of(film)[0]), [above], nested, flat)
test_eq([fit('p1/a.png', 'p1/a.png'), fit('set/p1/a.png', 'p1/a.png'), fit('P1/A.png', 'p1/a.png'), fit('p1/a',
    'p1/a.png')], [5,4,3,3])
test_eq([fit('a.png', 'p1/a.png'), fit('a', 'p1/a.png'), fit('p2/a.png', 'p1/a.png'), fit('p2/a.png', 'a.png')], [2,
    1,0,0])
test_eq([fit(r'C:\old\p1\a.png', 'p1/a.png'), fit('/mnt/p2/a.png', 'p1/a.png'), fit(r'C:\x\a.png', 'a.png',
    flat=True)], [4,0,2])

# %% [24] Names of files
from medvl.data.pairing import (keys_of, Films)

# %% [26] Names of files
from medvl.data.pairing import (doubt_folders)

# %% [28] The decision
from medvl.data.pairing import (Pairs, some, votes)

# %% [29] The decision
from medvl.data.pairing import (one_line, pair)

# %% [30] The decision
from medvl.data.pairing import (agree, leave)

# %% [32] The decision
def film(image, patient='', frm='', **kw): return claim(dict(image=image, patient_id=patient, patient_from=frm) | kw,
    image)
def said(i, text, **kw): return claim(kw, f'row {i}', text)
def tell(films, rows, above=((),)):
    "Film -> report or reason."
    p = pair(films, rows, above)
    return {f.name: p.rows[i][0].text if i in p.rows else p.why.get(i, '-') for i,f in enumerate(films) if not f.other}

same = lambda: [film(f'p{i}/IM-1.png', f'p{i}', 'folder') for i in (1,2,3,4)]
got = tell(same(), [said(2, 'one', image='IM-1.png', patient_id='P1'), said(3, 'two', image=r'D:\export\p2\IM-1.png'),
                    said(4, 'three', image='p3/IM-1')]); print(got)
test_eq(got, {'p1/IM-1.png': 'one', 'p2/IM-1.png': 'two', 'p3/IM-1.png': 'three',
    'p4/IM-1.png': ('the report says another patient',
              'row 2 (patient P1, not p4)')})
got = tell(same(), [said(2, 'one', image='IM-1.png')]); print(got['p1/IM-1.png'])
test_eq(set(got.values()) , {('its file name fits several films',
    f"row 2; so does " + ', '.join(f'p{j}/IM-1.png' for j in (1,2,3,4) if j != i)) for i in (1,2,3,4)})

# %% [34] The decision
visits = lambda **kw: [film('a.dcm', 'P1', study_uid='1.2.1', time='2020-01-31T08:00:00', **kw), film('b.dcm', 'P1',
    study_uid='1.2.2', time='2020-01-31T18:00:00')]
test_eq(tell(visits(), [said(2, 'morning', patient_id='P1', time='2020-01-31T08:00:00'), said(3, 'evening',
    patient_id='P1', date='20200131', time='18:00')]),
        {'a.dcm': 'morning', 'b.dcm': 'evening'})
got = tell(visits(), [said(2, 'morning', patient_id='P1', date='2020-01-31')]); print(got)
test_eq({o[0] for o in got.values()}, {'its patient and day fits several films'})
got = tell(visits(accession='A1'), [said(2, 'morning', accession='A1', patient_id='P1', date='2020-01-31')])
test_eq(got['a.dcm'], 'morning')
two = lambda: [film('a.dcm', 'P1', accession='77', study_uid='1.2.1'), film('b.dcm', 'P2', accession='77',
    study_uid='1.2.2')]
test_eq(tell(two(), [said(2, 'of P2', accession='77', patient_id='P2')]),
    {'a.dcm': ('the report says another patient', 'row 2 (patient P2, not P1)'), 'b.dcm': 'of P2'})
test_eq({o[0] for o in tell(two(), [said(2, 'whose?', accession='77')]).values()},
    {'its accession fits several films'})

# %% [36] The decision
one = lambda: [film('a.dcm', 'P1', accession='A1', study_uid='1.2.1'), film('b.dcm', 'P1', accession='A1',
    study_uid='1.2.1')]
test_eq(tell(one(), [said(2, 'Clear.', accession='A1'), said(3, ' Clear.\n', accession='a1')]), {'a.dcm': 'Clear.',
    'b.dcm': 'Clear.'})
test_eq(set(tell(one(), [said(2, 'Clear.', accession='A1'), said(3, 'Addendum.', accession='A1')]).values()),
    {('several reports fit it by accession', 'row 2, row 3')})
dots = lambda: [film(f'1.2.840.{i}', f'P{i}') for i in (1,2,3)]
test_eq(tell(dots(), [said(2, 'one', image='1.2.840.1')]), {'1.2.840.1': 'one', '1.2.840.2': '-', '1.2.840.3': '-'})
swapped = [film('1001.dcm', 'P1', accession='2002'), film('2002.dcm', 'P2', accession='1001')]
test_eq(tell(swapped, [loose_claim('1001', 'of P2'), loose_claim('2002', 'of P1')]), {'1001.dcm': 'of P1',
    '2002.dcm': 'of P2'})
better = [film('3.png'), film('x.dcm', 'P1', accession='3')]
test_eq(tell(better, [loose_claim('3', 'of x')]), {'3.png': ('its report fits another film better',
    '3.txt; so does x.dcm'), 'x.dcm': 'of x'})

# %% [38] The decision
batch = lambda: [film(f'batch/{i}.png', 'batch', 'folder') for i in (1,2)]
test_eq(tell(batch(), [said(i, f'of P{i}', image=f'{i}.png', patient_id=f'P{i}') for i in (1,2)]),
    {'batch/1.png': 'of P1', 'batch/2.png': 'of P2'})
test_eq(tell(batch(), [said(2, 'of P1', image='1.png', patient_id='P1')])['batch/1.png'][0],
    'the report says another patient')
test_eq(tell(batch(), [said(2, 'of P1', image='batch/1.png', patient_id='P1')])['batch/1.png'], 'of P1')
test_eq(tell(same(), [said(2, 'of p1', image='p2/IM-1.png', patient_id='p1')])['p2/IM-1.png'][0],
    'the report says another patient')
lost = [film('p1/IM.png', 'p1', 'folder'), Claim('p2/IM.png', file=('p2','IM.png'), other=True)]
test_eq(tell(lost, [said(2, 'of p2', image='IM.png')])['p1/IM.png'][0], 'its file name fits several films')
test_eq(tell([film('IM.png', 'IM', 'file')], [said(2, 'of p1', image='p1/IM.png')], [('export','p2')]),
    {'IM.png': '-'})
test_eq(some('abcde'), 'a, b, c and 2 more')
