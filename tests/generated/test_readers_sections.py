# nbs/readers/02_sections.ipynb: runs against the imported medvl.readers.sections.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] The sections of a MIMIC-CXR report
import json, os, re, zipfile
from difflib import get_close_matches
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Callable
from tqdm import tqdm
from medvl.core import MedvlError
from medvl.data.study import Study
from medvl.data.table import ReadLog, read_table
from medvl.data.words import as_text

# %% [4] The sections of a MIMIC-CXR report
import tempfile
from fastcore.test import *
from medvl.data.words import impression_findings
from medvl.data.words import sections
from medvl.phantom.set import phantom_studies

# %% [6] Headings
from medvl.readers.sections import (HEADING, section_rules, _near, section_name)

# %% [7] Headings
test_eq([section_name(o) for o in ('FINDINGS','IMPRESSON','CONCLUSION','REASON FOR EXAM','CHEST, TWO VIEWS')],
        ['findings','impression','impression','indication','findings'])
# by a word in it, by a view, and as it is
# misspelt or cut short: by the heading that it resembles; MIT-LCP's table reads NDICATION as impression
test_eq([section_name(o) for o in ('NDICATION','INDICATON','COMPARSON','TECHINQUE','ISTORY','IMPRESSIO','FINDNGS')],
        ['indication','indication','comparison','technique','history','impression','findings'])
test_eq(section_name('NDICATION', upstream=True), 'impression')
test_eq([section_name(o) for o in ('PROVISIONAL FINDINGS IMPRESSION (PFI)','PORTABLE AP CHEST','NOTE')],
        ['impression','findings','note'])
# blanks before it, and capitals; a time or a sentence is none
test_eq([m[1] for m in HEADING.finditer('\n FINDINGS: a\n IMPRESSION:\n b\nTECHNIQUE: c\n Heart: d\n  LUNGS: e')],
        ['FINDINGS','IMPRESSION',' LUNGS'])
test_eq((len(section_rules()['section of']), len(section_rules()['letters of'])), (23, 31))

# %% [9] Pieces of a report
from medvl.readers.sections import (_LINE, _BARE, _headed, report_pieces)

# %% [10] Pieces of a report
full = '''                                 FINAL REPORT
 EXAMINATION:  CHEST (PA AND LAT)
 
 INDICATION:  ___ year old woman with cough
 
 FINDINGS: 
 
 The lungs are clear.  No effusion.
 
 IMPRESSION: 
 
 No acute process.
'''
for n,t in report_pieces(full): print(f'{n:12s} {t.strip()!r}')
test_eq([n for n,_ in report_pieces(full)], ['preamble','examination','indication','findings','impression'])
# a title that looks like findings, one heading and then two paragraphs, no heading at all
title = '\n CHEST, TWO VIEWS:\n \n INDICATION:  cough\n \n Lungs are clear.\n \n Heart is large.\n'
test_eq([(n, t.strip()) for n,t in report_pieces(title)[1:]],
        [('indication','cough'), ('last_paragraph','Lungs are clear.\n \n Heart is large.')])
test_eq(report_pieces(' Clear.'), [('full report',' Clear.')]); test_eq(report_pieces(''), [('full report','')])
# what follows a lone heading in the next line is its text, even if it looks like a heading
test_eq([n for n,_ in report_pieces('\n FINDINGS: a\n IMPRESSION:\n NOTE: b\n')], ['preamble','findings','impression'])
# sub-headings
subs = '\n FINDINGS:\n \n LUNGS: Clear.\n HEART: Large.\n IMPRESSION: Large heart.'
test_eq([n for n,_ in report_pieces(subs)], ['preamble','findings','impression'])
test_eq([n for n,_ in report_pieces(subs, upstream=True)], ['preamble','lungs','heart','impression'])
# misspelt headings, headings without a colon: the clinical question stays what it is
for head in (' NDICATION:  ',' INDICATON:  ',' INDICATION  ',' INDICATION\n ',' INDICATION. ','INDICATION: ',
             ' Indication: ',' INDICATION:\n \n ',' REASON FOR EXAMINATON:  '):
    odd = f'{head}Pneumonia?\n \n TECHNIQUE:  PA.\n \n FINDINGS:  Clear.\n'
    test_eq([(n, t.strip()) for n,t in report_pieces(odd) if n != 'preamble'],
            [('indication','Pneumonia?'), ('technique','PA.'), ('findings','Clear.')])
    short = f'{head}Pneumonia?\n \n Clear.\n \n NOTIFICATION:  Dr. ___.\n'
    test_eq(dict(report_pieces(short))['last_paragraph'].strip(), 'Clear.')
test_eq([n for n,_ in report_pieces('\n NDICATION:  Pneumonia?\n \n FINDINGS:  Clear.', upstream=True)],
        ['preamble','impression','findings'])
# CHEST is a heading of its own, although it is a word of `chest wall`
test_eq([n for n,_ in report_pieces('\n IMPRESSION: a\n CHEST: b')], ['preamble','impression','findings'])

# %% [12] The columns of MIT-LCP's file
from medvl.readers.sections import (mimic_sections, mimic_conclusion)

# %% [13] The columns of MIT-LCP's file
test_eq(mimic_sections(full)['impression'], 'No acute process.')
test_eq(mimic_conclusion(mimic_sections(full)), 'No acute process.')
test_eq(mimic_conclusion(mimic_sections(title)), 'Lungs are clear.\n \n Heart is large.')
# an addendum comes first; the last section of a name counts
add = ' ADDENDUM  Seen again.\n ____________\n FINAL REPORT\n IMPRESSION:  Old.\n ____\n IMPRESSION:  New.\n'
test_eq(mimic_sections(add)['impression'], 'New.')
# by hand: a heading that doesn't say so, letters, and a report that describes nothing
test_eq(mimic_sections('\n INDICATION: Fever. Lungs are clear.', '57936451'),
        {'last_paragraph': 'Fever. Lungs are clear.'})
test_eq(mimic_sections('x'*59+'Lungs are clear.'+'y'*500, '56579911')['last_paragraph'][:16], 'Lungs are clear.')
test_eq(mimic_conclusion(mimic_sections(full, '58235663')), '')

# %% [15] The report that medvl keeps
from medvl.readers.sections import (mimic_report, said_as_report)

# %% [16] The report that medvl keeps
print(mimic_report(full))
test_eq(mimic_report(full).split('\n\n')[2:],
        ['FINDINGS: The lungs are clear.  No effusion.','IMPRESSION: No acute process.'])
test_eq(impression_findings(mimic_report(title)), 'Lungs are clear. Heart is large.')
test_eq(mimic_report('\n FINDINGS:  Clear\n lungs.\n'), 'FINDINGS: Clear\nlungs.')  # without the blanks of the file
test_eq(mimic_report(title).split('\n')[0], 'INDICATION: cough')
test_eq(mimic_report(' FINAL REPORT\n COMPARISON:  None. Lungs are clear.'), 'FINDINGS: None. Lungs are clear.')
test_eq([mimic_report(''), mimic_report(full, '58235663'), mimic_report('\n TECHNIQUE: PA')], ['','',''])
# no heading at all: MIT-LCP's files have nothing then, we keep the text
test_eq((mimic_conclusion(mimic_sections(' Clear.')), mimic_report(' FINAL REPORT\n Clear.')), ('','FINDINGS: Clear.'))
# only one part of it says how the film looks
test_eq(impression_findings(mimic_report(add)), 'New.')

# %% [18] The report that medvl keeps
def as_file(report):
    "A report as in a .txt file of MIMIC-CXR: a title, a blank before every line."
    return ' '*33+'FINAL REPORT\n' + '\n'.join(' '+o for o in report.split('\n')) + '\n'

def letters(t): return ''.join(c for c in t.lower() if c.isalpha())
n = 0
for s in phantom_studies(25, seed=5, size=32):
    said = mimic_sections(as_file(s.report), s.id)
    want = letters(' '.join(said[k] for k in ('findings','impression') if k in said))
    test_eq(letters(impression_findings(mimic_report(as_file(s.report), s.id))), want); n += 1
print(f'{n} reports agree'); assert n > 40

# %% [20] Where the reports are
from medvl.readers.sections import (PLACES, open_reports, report_path, find_reports, up)

# %% [21] Where the reports are
tmp = tempfile.TemporaryDirectory(); root = Path(tmp.name); s = Study('10000032', '50414267')
test_eq(report_path(s), 'files/p10/p10000032/s50414267.txt')
(jpg := root/'physionet.org/files/mimic-cxr-jpg/2.1.0').mkdir(parents=True)
test_is(find_reports([jpg], [s]), None)
dcm = root/'physionet.org/files/mimic-cxr/2.1.0'; (dcm/report_path(s)).parent.mkdir(parents=True)
# unpacked beside the films of the other release
(dcm/report_path(s)).write_text(full); test_eq(find_reports([jpg], [s]), dcm)
test_eq(open_reports(dcm)(report_path(s)), full.encode()); test_is(open_reports(dcm)('files/p10/p1/s5.txt'), None)
# a folder that starts with p10, and the zip
os.rename(dcm/'files', dcm/'mimic-cxr-reports'); test_eq(find_reports([jpg], [s]), dcm/'mimic-cxr-reports')
test_eq(open_reports(dcm/'mimic-cxr-reports')(report_path(s)), full.encode())
os.rename(dcm/'mimic-cxr-reports', jpg.parent/'mimic-cxr-reports')  # beside the folder of the tables
test_eq(find_reports([jpg], [s]), jpg.parent/'mimic-cxr-reports')
with zipfile.ZipFile(jpg.parent/'mimic-cxr-reports.zip', 'w') as z: z.writestr(report_path(s), full)
os.rename(jpg.parent/'mimic-cxr-reports', root/'away')
test_eq(find_reports([jpg], [s]), jpg.parent/'mimic-cxr-reports.zip')
with zipfile.ZipFile(jpg/'mimic-cxr-reports.zip', 'w') as z: z.writestr('mimic-cxr-reports/'+report_path(s), full)
get = open_reports(find_reports([jpg], [s]))
test_eq(get(report_path(s)), full.encode()); test_is(get('files/x'), None)
(root/'half.zip').write_bytes((jpg/'mimic-cxr-reports.zip').read_bytes()[:300])
test_fail(lambda: open_reports(root/'half.zip'), contains='not a whole zip file')

# %% [23] Where the reports are
from medvl.readers.sections import (add_reports, add_sectioned)

# %% [24] Where the reports are
def read_one(b, text='sections'):
    "What becomes of the bytes of one report, and what is noted."
    with zipfile.ZipFile(root/'one.zip', 'w') as z:
        if b is not None: z.writestr(report_path(s), b)
    log = ReadLog(); s.report = ''; add_reports({s.id: s}, root/'one.zip', text, log)
    return s.report, [w for w,_ in log.noted]

test_eq(read_one(full.encode())[0], mimic_report(full)); test_eq(read_one(full.encode(), 'whole')[0], full)
test_eq(read_one(None), ('',['no report']))
test_eq(read_one(' IMPRESSION: 1 \xb5m'.encode('latin-1'))[1], ['report is not UTF-8: read as Latin-1 or UTF-16'])
test_eq(read_one(bytes(range(256)))[1], ['report is not text']); test_eq(read_one(b'\n TECHNIQUE: PA')[1],
                                                                       ['report without a word on the film'])
cells = 's50414267,Clear.,"Two\nlines.",'
(root/'mimic_cxr_sectioned.csv').write_text(f'study,impression,findings,last_paragraph\n{cells}\n')
log = ReadLog(); add_reports({s.id: s, '5': Study('1', '5')}, root/'mimic_cxr_sectioned.csv', 'sections', log)
test_eq(s.report, 'FINDINGS: Two\nlines.\n\nIMPRESSION: Clear.')
test_eq(log.noted, [('no report','mimic_cxr_sectioned.csv: s5')]); tmp.cleanup()
