# nbs/run/10_data.ipynb: runs against the imported medvl.run.data.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Open a set
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

# %% [4] Open a set
import contextlib, io, os, tempfile
from fastcore.test import *
from medvl.core import MedvlError
from medvl.data.manifest import write_manifest
from medvl.data.study import Sample, Study, View
from medvl.toy import toy_set

# %% [6] Open a set
tmp, home, root = tempfile.TemporaryDirectory(), os.getcwd(), Path()
os.chdir(tmp.name)
made, path = toy_set(root/'set')
films = sum(len(s.views) for s in made)
print(len(made), 'studies,', films, 'films')

# %% [8] Reading a set
from medvl.run.data import (read, read_rsna_set)

# %% [9] Reading a set
studies, facts = read(path)
print(facts)
test_eq(len(studies), len(made))
test_eq(sum(facts['per_split'].values()), len(made))
test_eq((facts['groups'], facts['splits_made_here'], facts['groups_in_two_splits']), (8, False, []))

# %% [10] Reading a set
test_eq(read(made), read(made, 'phantom')); test_eq(read(made)[1], facts)              # in memory: the same

# %% [12] Reading a set
test_eq(len(read(path, 'phantom')[0]), len(made))
with ExceptionExpected(MedvlError, regex="no study of source 'toys'.*there are: phantom"): read(path, 'toys')

# %% [14] Reading a set
from medvl.data.splits import write_splits
one, two = sorted({s.group for s in made})[:2]
with contextlib.redirect_stdout(io.StringIO()) as said:
    kept, facts = read(path, splits=write_splits(root/'own/splits.csv', {one: 'train', two: 'test'}))
assert f'names no split for {len(made)-len(kept)} of {len(made)} studies' in said.getvalue()
test_eq({s.group: s.split for s in kept}, {one: 'train', two: 'test'})
test_eq((facts['groups'], facts['splits_made_here']), (2, False))

# %% [16] Reading a set
twice = next(s for s in made if s.prior)
for s in made: s.split = None
test_eq(read(write_manifest(made, root/'nosplit/manifest.csv'))[1]['splits_made_here'], True)
for s in made: s.split = 'train'
twice.split = 'test'
facts = read(write_manifest(made, root/'leak/manifest.csv'))[1]
test_eq(facts['groups_in_two_splits'], [twice.patient])
twice.split = None  # a study without a split is in none of them, which is printed
facts = read(write_manifest(made, root/'some/manifest.csv'))[1]
test_eq((facts['groups_in_two_splits'], facts['per_split']['None']), ([], 1)); twice.split = 'test'

# %% [18] Findings of a column
from medvl.run.data import (VALUES, named_in)

# %% [19] Findings of a column
def with_word(*words):
    views = [View(id=str(i), info=dict(finding=w)) for i,w in enumerate(words)]
    return [Sample((v,None,None,None), '', v.id, 'p', 'p', 'test', {}, Study('p', v.id, views=[v])) for v in views]
four = with_word('edema', 'Pleural effusion; tuberculosis', '', 'Tuberculosis')
test_eq([list(o) for o in named_in(four, 'finding')],
        [['Edema'], ['Pleural Effusion','tuberculosis'], [], ['tuberculosis']])
test_fail(lambda: named_in(with_word('Edema'), 'findings'), contains="'findings'; further columns are: finding")
for o in (('ja','nein'), ('0','1'), ('1.0','0.0')):
    test_fail(lambda: named_in(with_word(*o), 'finding'), contains='is called label:finding')

# %% [21] Samples
from medvl.run.data import (impression, units)

# %% [22] Samples
fronts, sides = (sum(len(getattr(s, k)) for s in studies) for k in ('frontals','laterals'))
n = {k: len(units(studies, k)) for k in ('study','image','film')}
print(n, 'of', fronts, 'frontals and', sides, 'laterals')
test_eq(n, dict(study=len(studies), image=fronts, film=fronts+sides))
test_eq({s.split for s in units(studies, split='train')}, {'train'})

# %% [24] Samples
a, b, c = (units(studies, text=k)[0].text for k in ('findings','whole','impression'))
print(b)
assert len(c) < len(a) < len(b) and ' '.join(c.split()) in ' '.join(b.split())
for s in studies: s.report = ''
test_eq({s.text for s in units(studies, 'film')}, {''})
test_fail(lambda: units(studies, 'film', need_text=True), contains='no film left of')
test_fail(lambda: units(studies, need_text=True), contains='no sample left of')

# %% [26] The films of a sample
from medvl.run.data import (FILMS_OF, shown, slots_of, counts)

# %% [27] The films of a sample
smp = units(made, 'study')
print(counts(made))
full = next(s for s in smp if all(s.slots))
test_eq([[i for i, v in enumerate(shown([full], k)[0].slots) if v] for k in ('views','frontals','all')],
        [[0,1],[0,2],[0,1,2,3]])
test_eq(counts(made)['train']['frontals']+counts(made)['test']['frontals'], fronts)
test_fail(lambda: shown(smp, 'both'), contains="slots 'both'; expected current, views")

# %% [29] Where the films are
from medvl.run.data import (reading)

# %% [30] Where the films are
test_eq(reading(path, None, 'skip', None), dict(missing='skip'))
test_fail(lambda: reading(path, None, None, root), contains='--images is for sets without films of their own')

# %% [32] A manifest of any folder
from medvl.run.data import (inside, scan)

# %% [33] A manifest of any folder
from medvl.run.data import (layout_of, with_films)

# %% [34] A manifest of any folder
from medvl.run.data import (make_manifest)

# %% [36] A manifest of any folder
shots = Path(read(path)[0][0].views[0].path).parent
(shots/'note.png').write_bytes(b'no film')
log, back = make_manifest(shots, root/'mine.csv', view='PA'); print(str(log).replace(str(Path().resolve()), ''))
test_eq(sum(len(s.views) for s in back), len(list(shots.iterdir()))-1)
test_fail(lambda: make_manifest(shots, root/'mine.csv'), contains='--force replaces it')
test_fail(lambda: make_manifest(shots, root/'mine.xlsx'), contains='is .csv or .parquet')
os.chdir(home); tmp.cleanup()
