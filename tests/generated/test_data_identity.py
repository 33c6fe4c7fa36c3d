# nbs/data/13_identity.ipynb: runs against the imported medvl.data.identity.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Identity
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

# %% [4] Identity
from types import SimpleNamespace
from fastcore.test import *

# %% [6] Placeholders
from medvl.data.identity import (NOBODY, REAL, nobody)

# %% [7] Placeholders
assert all(map(nobody, ('', ' ', '0', '000', '0.0', 'ANONYMOUS', 'Anonymous^', 'nan', 'N/A', 'xxxx', 'No ID', '-',
    'Test_Patient', 'Doe^John', 'unbekannt', '[masked]')))
assert not any(map(nobody, ('1', '10', '007', 'P0', 'Anon-12', 'x', 'x1', 'anna', '1.0')))

# %% [9] Sex and date of birth
from medvl.data.identity import (SEX, AGE, BORN, fact, Facts, read_fact, person)

# %% [10] Sex and date of birth
test_eq(person([{'sex': 'F', 'PatientBirthDate': '19500131'}, {'Patient Gender': 'female', 'birth year': 1950.0}, {}]),
        {'sex': {'F'}, 'date of birth': {'19500131'}})
test_eq(person([{'sex': 'F', 'birth_date': '1950-01-31'}, {'sex': 'M'}, {'sex': 'O', 'birth_date': '1950-02-01'}]),
        {'sex': {'F','M'}, 'date of birth': {'19500131','19500201'}})
test_eq(person([{'dob': '31.01.1950', 'sex': ''}, {'dob': '0000-00-00', 'age': '40'}]), {'date of birth': {'1950'}})

# %% [12] Sex and date of birth
from medvl.data.identity import (FAR, born_about)

# %% [13] Sex and date of birth
ages = (('034Y', 1986), (34.0, 1986), ('34', 1986), ('006M', 2019.5), ('090Y', None), ('old', None), ('', None))
for age, year in ages:
    test_eq(born_about(datetime(2020, 1, 31), [{'sex': 'F'}, {'Patient Age': age}], Facts()), year)
test_eq(born_about(12.5, [{'age': '34'}], Facts()), None)  # days of the patient's own

# %% [15] Ids of several people
from medvl.data.identity import (doubtful, say_doubtful)

# %% [16] Ids of several people
def unit(patient, *infos): return SimpleNamespace(patient=patient, info={},
    views=[SimpleNamespace(info=o) for o in infos])
why = doubtful([unit('ANONYMOUS', {'sex': 'F'}), unit('ANONYMOUS', {'sex': 'M'}), unit('0'), unit('p1', {'sex': 'F'},
    {'sex': 'F'}),
                unit('p2', {'dob': '1950'}), unit('p2', {'dob': '19510101'}), unit('p3', {'dob': '1950'},
    {'dob': '19500101'})])
print(say_doubtful(why))
test_eq(why, {'ANONYMOUS': 'a placeholder, 2 sexes', '0': 'a placeholder', 'p2': '2 dates of birth'})
aged = [SimpleNamespace(patient=p, time=datetime(y, 1, 1), info={'age': a})
        for p,y,a in (('A',2010,'034Y'), ('A',2012,'071Y'), ('B',2010,'034Y'), ('B',2015,'040Y'), ('C',2010,'088Y'),
                      ('C',2020,'090Y'))]
test_eq(doubtful(aged), {'A': 'born about 1941 and 1976 by their ages'})
test_eq(say_doubtful({str(i): 'x' for i in range(9)}, 1), "'0': x and 8 more")
test_eq(doubtful(unit(str(i)) for i in range(20)), {})
test_eq(doubtful(unit(str(i)) for i in (0,1,2)), {'0': 'a placeholder'})
