"""`medvl data summary` and `medvl data manifest` on every public layout, called as their users call them.

The fixtures are those of the readers' own pages, written to the published layouts with their traps. A page is run
until each of its layouts has been read once, and the folder is copied as it was then; what follows on the page
(spoiled tables, sets of full size) is not needed. What must come out was counted in the fixtures by hand: studies,
films, films that are there, and words of the log. With `-s` everything that is printed is shown.
"""
import contextlib, io, os, re, shutil, sys, tempfile, types
from pathlib import Path

import pytest
from IPython.display import display

from conftest import MARK, ROOT
from medvl.readers.find import read_studies
from medvl.readers.find import MARKS, readers
from test_cli import listing, medvl

# layout: (studies, films, those that are there, words of the log)
SETS = dict(
    covid=(5, 6, 6, ['left out: 1 x modality CT', 'row 11: gone.png']),
    chexpert=(6, 7, 5, ['left out: 1 x the path has another form (train.csv row 8', '1 x the same film again']),
    chexpert_plus=(3, 4, 0, ['left out: 1 x the path has another form (df_chexpert_plus_240401.csv row 6']),
    nih=(5, 5, 4, ['left out: 1 x boxes of a film that is not here', 'note: 1 x not the age of a person']),
    vindr=(3, 3, 1, ['left out: 1 x boxes of a film that is not here (train:', "merged by 'majority'"]),
    padchest=(5, 6, 3, ['note: 1 x one StudyID, several patients: kept apart (99)']),
    covidx=(6, 6, 0, ["left out: 1 x the same film again (train_COVIDx8A.txt line 4", "'official' LEAKS: 1 of 5"]),
    mimic=(9, 17, 17, ['9 studies with a report', 'reports from']),
    openi=(3, 8, 8, ['left out: 1 x report can not be read (5.xml', 'note: 5 x view is not known']),
    r2gen=(3, 6, 6, ['3 studies with a report']),
    mscxr=(3, 3, 0, ['left out: 1 x the same box again (MS_CXR_Local_Alignment_v1.1.0.csv row 5)', '4 phrases']),
    mscxrt=(5, 5, 0, ['note: 1 x a pair without any annotation', '3 pairs']),
    imagenome=(3, 3, 0, ['left out: 1 x scene graph that is cut short (scene_graph/dd_SceneGraph.json']),
    rsna=(4, 4, 4, ['2 boxes', '1 films without labels']),
    siim=(4, 4, 3, ['left out: 1 x film without a row (dicom-images-train', '2 films with masks']),
    objectcxr=(3, 3, 3, ['left out: 1 x box without area (dev/00001.jpg object 0']),
    chexlocalize=(3, 4, 1, ['note: 1 x masks of a film that is not in the table', '3 masks']),
    tbx11k=(6, 6, 0, ['note: 1 x box cut at the edge of its film (TBX11K_train.json annotation 1']),
    shenzhen=(3, 3, 3, ['left out: 1 x not called CHNCXR_NUMBER_0.png', 'note: 1 x no reading (CHNCXR_0328_1)']),
    montgomery=(2, 2, 2, ["no official split: split='patient' makes a safe one"]),
    jsrt=(3, 3, 3, ['left out: 1 x row without a film (CNNDAT_EN.TXT line 2)']))
STRICT = {'covid'}  # readers that stop at a film that is not there, unless told otherwise


class Once:
    "A reader that also copies the folder that it is given, the first time: whole, with what lies beside the set."
    def __init__(self, f, to): self.f, self.to, self.at = f, to, None

    def __call__(self, path, *a, **kw):
        out = self.f(path, *a, **kw)
        if self.at is None:
            base = Path(tempfile.gettempdir()).resolve()
            inside = Path(path).resolve().relative_to(base).parts
            shutil.copytree(base/inside[0], self.to)
            self.at = self.to.joinpath(*inside[1:])
        return out


def run_page(page, spies):
    "The cells of a reader's page, until every spy has seen a folder."
    text = (ROOT/'tests'/'generated'/f'test_readers_{page}.py').read_text(encoding='utf-8')
    marks, space = list(MARK.finditer(text)), types.ModuleType(f'page_{page}')
    space.display = display; sys.modules[space.__name__] = space
    for m, end in zip(marks, [o.start() for o in marks[1:]]+[len(text)]):
        with contextlib.redirect_stdout(io.StringIO()):
            exec(compile(text[m.start():end], f'{page} [{m[1]}] {m[2]}', 'exec'), space.__dict__)
        if all(o.at for o in spies): return


@pytest.fixture(scope='module')
def folders(tmp_path_factory):
    "Layout -> folder, made when it is asked for."
    top, out, here = tmp_path_factory.mktemp('layouts'), {}, os.getcwd()
    pages = {}
    for k in MARKS: pages.setdefault(readers[k].__module__, []).append(k)
    def get(kind):
        if kind in out: return out[kind]
        module = readers[kind].__module__
        names = pages[module]
        with pytest.MonkeyPatch.context() as m:
            m.chdir(ROOT/'nbs'/'readers'); m.setenv('HF_HUB_OFFLINE', '1')
            spies = {k: Once(readers[k], top/k) for k in names}
            for k, o in spies.items(): m.setattr(sys.modules[module], o.f.__name__, o)
            run_page(module.rpartition('.')[2], spies.values())
        out.update({k: o.at for k, o in spies.items()})
        return out[kind]
    yield get
    assert os.getcwd() == here


def test_no_layout_is_forgotten(): assert sorted(SETS) == sorted(MARKS)


@pytest.mark.parametrize('kind', SETS)
def test_summary(kind, folders):
    studies, films, there, words = SETS[kind]
    path = folders(kind); before = listing(path)
    if kind in STRICT:
        said = medvl('data', 'summary', path, code=2)
        assert 'no such file' in said and "missing='skip'" in said and re.search(r'row \d+', said)
        said = medvl('data', 'summary', path, '--missing', 'skip')
    else: said = medvl('data', 'summary', path)
    print('\n', said)
    for w in words: assert w in said, f'{w!r} is not in\n{said}'
    assert re.search(rf'^{studies} studies, \d+ patients, \d+ groups, {films} films, ', said, re.M)
    assert re.search(rf'^unreadable films: {films-there}$', said, re.M)
    assert listing(path) == before, 'the set was written to'


@pytest.mark.parametrize('kind', SETS)
def test_manifest(kind, folders, tmp_path):
    _, films, there, _ = SETS[kind]
    path, to = folders(kind), tmp_path/'elsewhere'/'m.csv'; before = listing(path)
    if not there:
        said = medvl('data', 'manifest', path, '--out', to, code=2); print('\n', said)
        assert 'film left' in said or f'{films} of {films} films are not there' in said
        assert not to.exists()
    else:
        said = medvl('data', 'manifest', path, '--out', to); print('\n', said)
        if films > there: assert re.search(rf'left out: {films-there} x (film|picture) is not there', said), said
        assert f'wrote {to} ({there} films of ' in said and 'named by their whole path' in said
        want = read_studies(path, kind, missing='skip')
        same = lambda S: {v.id: (s.patient, s.id, s.split, s.report, {k: x for k, x in s.labels.items() if x == x},
                                 v.kind, v.path, sorted(v.masks), [(b.label, b.x, b.y, b.w, b.h) for b in v.boxes])
                          for s in S for v in s.views}
        assert same(read_studies(to)) == same(want)
    assert listing(path) == before, 'the set was written to'
