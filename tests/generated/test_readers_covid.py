# nbs/readers/40_covid.ipynb: runs against the imported medvl.readers.covid.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] COVID-19 Image Data Collection
import os, re
from collections import defaultdict
from pathlib import Path
from medvl.core import MedvlError
from medvl.data.dicom import view_kind
from medvl.data.manifest import Row
from medvl.data.study import Study, View, link_priors
from medvl.data.table import ReadLog, check_columns, read_table

# %% [4] COVID-19 Image Data Collection
import tempfile
import numpy as np
from fastcore.test import *
from PIL import Image
from medvl.readers.find import read_studies
from medvl.readers.find import find_layouts
from medvl.data.study import samples
from medvl.data.summary import summary

# %% [6] The columns, then and now
from medvl.readers.covid import (LATER, later_name)

# %% [7] The columns, then and now
test_eq([later_name(o) for o in ('Patientid',' url','notes','pO2 saturation','wbc count','Unnamed: 29',
                                 'RT_PCR_positive','offset')],
        ['patientid','url','clinical_notes','pO2_saturation','leukocyte_count','','RT_PCR_positive','offset'])

# %% [9] Cells
from medvl.readers.covid import (NO_LABEL, covid_labels, covid_age, no_film)

# %% [10] Cells
test_eq(list(covid_labels('Pneumonia/Viral/COVID-19')), ['Pneumonia','Viral','COVID-19'])
test_eq(list(covid_labels('COVID-19, ARDS')), ['COVID-19','ARDS'])
test_eq((covid_labels('todo'), covid_labels('No Finding')), ({}, {'No Finding': 1.}))
test_eq([covid_age(o) for o in ('94+','45.0','',' ')], [94.,45.,None,None])
test_eq(no_film(Row('', 0, dict(view='Coronal - bone window', filename='a.png'))), 'a CT slice by its view')
test_eq(no_film(Row('', 0, dict(view='PA', filename='a.png', modality='X-ray'))), '')
test_eq(no_film(Row('', 0, dict(view='PA', filename='a.png', modality='CT'))), 'modality CT')
test_eq(no_film(Row('', 0, dict(filename='a.nii.gz'))), 'a CT volume')

# %% [12] The reader
from medvl.readers.covid import (read_covid, covid_views)

# %% [14] The reader
from medvl.readers.covid import (study_key, covid_study)

# %% [16] On a fixture
LATE = ('patientid,offset,sex,age,finding,RT_PCR_positive,survival,intubated,intubation_present,went_icu,in_icu,'
        'needed_supplemental_O2,extubated,temperature,pO2_saturation,leukocyte_count,neutrophil_count,'
        'lymphocyte_count,view,modality,date,location,folder,filename,doi,url,license,clinical_notes,'
        'other_notes,').split(',')
test_eq(len(LATE), 30)
def late(patientid, filename, notes='', **cells):
    "One line of the later table."
    cells = dict(finding='Pneumonia/Viral/COVID-19', view='PA', modality='X-ray', folder='images', sex='M', age='60',
                 date='2020', license='CC BY-NC-SA') | cells
    cells |= dict(patientid=patientid, filename=filename, clinical_notes=f'"{notes}"')
    return ','.join(cells.get(c, '') for c in LATE)

lines = [late('2', 'a.jpg', 'Clear at first, they said.', offset='0'),
         late('2', 'b.png', 'Now opacities on both sides.', offset='3', view='AP Supine'),
         late('2', 'c.jpg', offset='5', view='AP', age='94+'),
         late('4', 'd.png', 'A cough.', offset=' ', finding='No Finding'),
         late('4', 'e.png', 'A cough.', view='L', finding='No Finding'),
         late('6', 'f.png', finding='todo', offset='soon'),
         late('8', 'ct.png', view='Axial', modality='CT'),
         late('8', 'v.nii.gz', view='Axial', modality='CT', folder='volumes'),
         late('9', 'g.png', view='Coronal'), late('9', 'gone.png'), late('2', 'a.jpg', offset='9'), late('', 'x.png')]
tmp = tempfile.TemporaryDirectory(); d = Path(tmp.name)/'covid'; (d/'images').mkdir(parents=True)
rng = np.random.default_rng(0)
for n in ('a.jpg','b.png','c.jpg','d.png','e.png','f.png','ct.png','g.png'):
    Image.fromarray(rng.integers(0, 255, (60,50), np.uint8)).save(d/'images'/n)
(d/'metadata.csv').write_text('\n'.join([','.join(LATE)]+lines)+'\n')
test_eq(find_layouts(d), ['covid'])
log = ReadLog('covid'); studies = read_studies(d, missing='skip', log=log); print(str(log).replace(str(d), 'covid'))
test_eq([s.id for s in studies], ['2_d0','2_d3','2_d5','4_d.png','6_f.png'])
test_eq([s.prior and s.prior.id for s in studies], [None,'2_d0','2_d3',None,None])
test_eq([(v.id, v.kind) for v in studies[3].views], [('d.png','frontal'),('e.png','lateral')])
test_eq(studies[3].labels, {'No Finding': 1.}); test_eq(studies[4].labels, {})
test_eq(studies[2].views[0].info['age_years'], 94.); test_eq(studies[1].views[0].text, 'Now opacities on both sides.')
test_eq(len(log.left), 6)
units = samples(studies, per='image', need_text=True, say=None)
test_eq([tuple(v and v.id for v in o.slots) for o in units],
        [('a.jpg',None,None,None), ('b.png',None,'a.jpg',None), ('d.png','e.png',None,None)])

# %% [18] On a fixture
early = ['Patientid,offset,sex,age,finding,survival,view,date,location,filename,doi, url,license,notes',
         '2,0,M,65,COVID-19,Y,PA,"January 22, 2020",Ward,a.jpg,10.1/x,https://example.org,CC BY,"Note, with comma."',
         '2,3,M,65,"COVID-19, ARDS",Y,AP,"January 25, 2020",Ward,b.png,,,,',
         '5, ,F,,SARS,,PA,2003,,d.png,,,,', '6,,F,,COVID-19,,Axial,2020,,ct.png,,,,']
(d/'metadata.csv').write_text('\n'.join(early)+'\n'); test_eq(find_layouts(d), ['covid'])
log = ReadLog('early'); old = read_covid(d, log=log)
test_eq([s.id for s in old], ['2_d0','2_d3','5_d.png']); test_eq(list(old[1].labels), ['COVID-19','ARDS'])
test_eq(old[0].views[0].info['url'], 'https://example.org')
test_eq(old[0].views[0].text, 'Note, with comma.'); test_eq(log.left[0][0], 'a CT slice by its view')

# %% [20] On a fixture
test_fail(lambda: read_covid(d/'images'), contains='no metadata.csv')
(d/'metadata.csv').write_text('\n'.join(early).replace('a.jpg', 'zz.jpg'))
test_fail(lambda: read_covid(d), contains='row 2: no such file')
(d/'metadata.csv').write_text('\n'.join(early).replace('a.jpg', '../../zz.jpg'))
test_fail(lambda: read_covid(d), contains='expected a path below')
(d/'metadata.csv').write_text('subject,view,finding,offset,filename\n1,PA,x,0,a.jpg\n')
test_fail(lambda: read_covid(d), contains="no column 'patientid'")
(d/'metadata.csv').write_text('\n'.join([early[0], early[-1]]))
test_fail(lambda: read_covid(d), contains='no film left of 1 rows')
tmp.cleanup()
