# nbs/commands/10_data.ipynb: runs against the imported medvl.commands.data.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Look at a data set
from pathlib import Path
from typing import Literal
import typer
from medvl.command import ARG, LOOK, command
from medvl.run.folder import close_run, open_run, save_figure

# %% [4] Look at a data set
import json, os, tempfile
from fastcore.test import *
from typer.testing import CliRunner
from medvl.toy import toy_set
from medvl.readers.find import read_studies
from medvl.run.data import read, units

# %% [5] Look at a data set
from medvl.commands.data import (app, top)

# %% [7] Look at a data set
tmp, home, root = tempfile.TemporaryDirectory(), os.getcwd(), Path()
os.chdir(tmp.name)
made, path = toy_set(root/'set')
films = sum(len(s.views) for s in made)
print(len(made), 'studies,', films, 'films')

# %% [9] `medvl data summary`
from medvl.commands.data import (data_summary)

# %% [10] `medvl data summary`
medvl = typer.Typer()
medvl.add_typer(app, name='data')                                       # as `medvl` itself does it
def run(*args): return CliRunner().invoke(medvl, ['data', *map(str, args)], catch_exceptions=False)
r = run('summary', path, '--out', root/'summary')
print(r.output)
test_eq(r.exit_code, 0)
test_eq(sorted(p.name for p in (root/'summary').iterdir()),
        ['log.json','results.json','run.json','summary.json','summary.png'])
res = json.loads((root/'summary/results.json').read_text())
test_eq(res['command'], 'data summary')
test_eq(res['summary'], json.loads((root/'summary/summary.json').read_text()))
test_eq(res['summary']['counts']['films'], films)

# %% [12] `medvl data summary`
for args, want in [((root/'nothing',), 'nothing'), ((path, '--kind', 'mimicry'), 'mimicry'),
                   ((root/'set', '--out', root/'set'), 'is the data itself')]:
    r = run('summary', *args)
    print(r.output)
    test_eq(r.exit_code, 2); assert want in r.output

# %% [14] `medvl data manifest`
from medvl.commands.data import (data_manifest)

# %% [16] `medvl data manifest`
from medvl.phantom.export import export_set
n = export_set('archive', 3, size=64, dicom=True, masks=False, bar=False)
Path('archive/films/broken.dcm').write_bytes(b'no film')
r = run('manifest', 'archive/films', '--reports', 'archive/reports.csv', '--out', 'mine.csv')
print(r.output)
test_eq(r.exit_code, 0)
test_eq(json.loads(Path('mine.log.json').read_text())['left'], [['not a DICOM, PNG or JPEG image', 'broken.dcm']])

# %% [18] `medvl data manifest`
mine, told = (read(Path(o))[0] for o in ('mine.csv','archive/manifest.csv'))
def known(studies):
    return sorted((s.patient, s.report, s.prior is not None, sorted(v.pos for v in s.views)) for s in studies)
test_eq(known(mine), known(told))
test_eq(sum(len(s.views) for s in mine), n['films'])

# %% [20] `medvl data manifest`
run('manifest', 'archive/films', '--reports', 'archive/reports', '--out', 'named.csv')
test_eq(known(read(Path('named.csv'))[0]), known(told))
Path('letters').mkdir()
for p in Path('archive/reports').iterdir(): Path('letters', f'letter-{p.name}').write_text(p.read_text())
r = run('manifest', 'archive/films', '--reports', 'letters', '--out', 'bare.csv')
print(r.output)
test_eq(r.exit_code, 0); assert f"{n['films']} x film without a report" in r.output
assert "no report fits a film: a report goes by the name 'letter-" in r.output
test_eq({s.report for s in read(Path('bare.csv'))[0]}, {''})

# %% [22] `medvl data manifest`
for args, want in [((), 'exists already; --force replaces it'),
                   (('--out', 'new.csv', '--kind', 'mimicry'), 'mimicry'),
                   (('--out', 'new.csv', '--kind', 'nih', '--view', 'PA'), '--view are for a scan of films'),
                   (('--out', 'archive/x.xlsx'), 'is .csv or .parquet'),
                   (('--out', 'new.csv', '--reports', 'nothing.csv'), 'no such file')]:
    r = run('manifest', 'archive/films', '--out', 'mine.csv', *args)
    print(r.output.strip().splitlines()[-1]); test_eq(r.exit_code, 2); assert want in r.output
test_eq(run('manifest', 'nowhere', '--out', 'new.csv').exit_code, 2)
assert not Path('new.csv').exists()

# %% [24] `medvl data manifest`
from medvl.readers.rehearsal import write_mimic
write_mimic(made, 'mimic')
gone = next(Path('mimic').rglob('*.jpg')); gone.unlink()
before = sorted(map(str, Path('mimic').rglob('*')))
r = run('manifest', 'mimic', '--out', 'elsewhere/m.csv')
print(r.output.replace(str(Path().resolve()), ''))
test_eq(r.exit_code, 0); assert '1 x film is not there' in r.output and 'named by their whole path' in r.output
test_eq(sorted(map(str, Path('mimic').rglob('*'))), before)
from medvl.readers.find import read_studies
from medvl.data.table import ReadLog
a, b = (read_studies(o, missing='skip', log=ReadLog()) for o in ('elsewhere/m.csv','mimic'))
def whole(studies): return [(s.patient, s.id, s.time, s.report, s.labels, s.split, s.prior and s.prior.id,
                             [(v.id, v.path, v.pos) for v in s.views]) for s in studies]
test_eq(whole(a), whole(b))

# %% [26] `medvl data manifest`
import shutil
Path('pictures').mkdir(); shutil.move('mimic/files', 'pictures/files')
for args, code, want in [((), 2, 'films are not there'),
                         (('--images', 'pictures', '--missing', 'error'), 2, '1 of 23 films are not there'),
                         (('--images', 'pictures'), 0, f'wrote whole.csv ({films-1} films')]:
    r = run('manifest', 'mimic', '--out', 'whole.csv', *args)
    print(r.output.replace(str(Path().resolve()), '').strip().splitlines()[-1])
    test_eq(r.exit_code, code); assert want in r.output; test_eq(Path('whole.csv').exists(), code == 0)
r = run('summary', 'set', '--images', 'pictures'); test_eq(r.exit_code, 2)
assert '--images is for sets without films of their own' in r.output

# %% [28] `medvl data rows`
from medvl.commands.data import (data_rows)

# %% [30] `medvl data rows`
r = run('rows', 'mimic', '--images', 'pictures', '--missing', 'skip', '--split', 'all', '--out', 'alta/train.csv')
print(r.output.replace(str(Path().resolve()), '').splitlines()[-1]); test_eq(r.exit_code, 0)
import pandas as pd
table = pd.read_csv('alta/train.csv')
own = units(read_studies('mimic', missing='skip', films='pictures', log=ReadLog()), 'study', need_text=True)
slots = [c for c in table if c.endswith('_path')]
test_eq(table[slots].values.tolist(), [[v.path if v else '-1' for v in s.slots] for s in own])
test_eq(table.report.tolist(), [s.text for s in own])
for args, want in [(('--split', 'all', '--out', 'alta/train.csv'), 'exists already; --force replaces it'),
                   (('--code', 'gloria', '--out', 'x.csv'), "code is 'gloria'; expected alta or mrm"),
                   (('--split', 'none', '--out', 'x.csv'), "split='none'")]:
    r = run('rows', 'mimic', '--images', 'pictures', *args)
    print(next(o for o in r.output.splitlines() if o.startswith('Error')))
    test_eq(r.exit_code, 2); assert want in r.output

# %% [32] `medvl phantom`
from medvl.commands.data import (phantom)

# %% [33] `medvl phantom`
medvl.add_typer(top)                                                    # as `medvl` itself does it
def run(*args): return CliRunner().invoke(medvl, list(map(str, args)), catch_exceptions=False)
r = run('phantom', '--n', 5, '--out', 'drawn', '--film', 64, '--workers', 0)
print(r.output)
test_eq(r.exit_code, 0)
test_eq(len({s.patient for s in read_studies('drawn')}), 5)

# %% [35] `medvl phantom`
r = run('data', 'summary', 'drawn')
print(r.output)
test_eq(r.exit_code, 0); assert '5 patients' in r.output and 'one split only' in r.output

# %% [37] `medvl phantom`
base = ['phantom', '--out', 'dcm', '--dicom', '--film', 64, '--workers', 0]
test_eq(run(*base, '--patients', 1).exit_code, 0)
r = run(*base, '--patients', 2)
test_eq((r.exit_code, r.output.split(',')[0]), (0, '2 patients'))
test_eq({Path(v.path).suffix for s in read_studies('dcm') for v in s.views}, {'.dcm'})
for args, want in [([*base, '--patients', 2, '--seed', 7], 'seed was 0, is 7'),
                   (['phantom', '--patients', 2, '--out', '.'], 'no phantom.json'),
                   ([*base, '--patients', 0], '0 patients')]:
    r = run(*args)
    print(r.output.strip()); test_eq(r.exit_code, 2); assert want in r.output
os.chdir(home); tmp.cleanup()
