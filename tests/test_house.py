"""The rules of the house, read from the files: arrows between layers, typed names, what code may not do.

Each checker is a function from text to a list of faults ('file:line: what'), so that it is tried on bad input first.
"""
import ast, configparser, functools, importlib.metadata, io, json, re, symtable, sys, tokenize, tomllib
from pathlib import Path
from unittest import mock
import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT/'tools'))
from pages import cells, module, notebooks, page_name  # noqa: E402

LAYERS = ('core < files < data models losses < readers phantom methods < train < eval < run < command < commands < '
          'cli < toy')
RANK = {folder: i for i, row in enumerate(LAYERS.split(' < ')) for folder in row.split()}
WIDTH, CELL, NOTEBOOK = 120, 60, 1_000_000  # columns, lines of an exported cell, bytes
METHOD = 10  # pages of `methods` below this number are what the methods share: recipe, dual
REPORTS = 'medvl/models/checkpoint.py'  # the one place that may load a part of a state: it says what was missing


def modules() -> list[Path]: return [p for p in sorted((ROOT/'medvl').rglob('*.py')) if p.name != '_modidx.py']
def short(p: Path) -> str: return p.relative_to(ROOT).as_posix()
def none(faults: list[str]): assert not faults, '\n' + '\n'.join(faults)


def beyond(faults: list[str], rule: str, debts: dict) -> list[str]:
    "Faults of files with more, or fewer, of them than `tests/debts.json` grants: what is owed can only shrink."
    by = {}
    for o in faults: by.setdefault(re.split(r'[:,]', o)[0], []).append(o)
    owed, out = debts.get(rule, {}), []
    for f in sorted(by.keys() | owed.keys()):
        n, may = len(by.get(f, [])), owed.get(f, 0)
        if n > may: out += by[f] + [f'{f}: {n} faults; {may} are granted']
        if n < may: out.append(f'{f}: only {n} faults are left of {may} that tests/debts.json grants; lower it there')
    return out


def debts() -> dict: return json.loads(read(ROOT/'tests'/'debts.json'))


def test_beyond():
    assert beyond(['a.py:1: x'], 'r', {}) and beyond(['a.py:1: x'], 'r', {'r': {'a.py': 1}}) == []
    assert beyond([], 'r', {'r': {'a.py': 1}})
def read(p: Path) -> str: return p.read_text(encoding='utf-8')


def scripts() -> list[Path]:
    "What is written by hand beside the notebooks."
    found = [p for d in ('tools', 'tests', 'benchmarks') for p in sorted((ROOT/d).rglob('*.py'))]
    return [ROOT/'setup.py'] + [p for p in found if 'generated' not in p.parts]


# ---- layers ----------------------------------------------------------------------------------------------------

def misordered(pages: list[str]) -> list[str]:
    "Of paths below nbs/: a number twice in a folder, a page of a layer without two digits, a module name twice."
    bad, seen, names = [], {}, {}
    for p in pages:
        folder, _, file = p.rpartition('/')
        if folder in ('', 'tutorials'): continue
        m = re.fullmatch(r'(\d\d)_([a-z0-9_]+)\.ipynb', file)
        if not m: bad.append(f'{p}: expected two digits and a name'); continue
        if (other := seen.setdefault((folder, m[1]), p)) != p: bad.append(f'{p}: has the number of {other}')
        if folder == 'commands': continue  # named after what is typed; nothing imports them by name
        if (other := names.setdefault(m[2], p)) != p: bad.append(f'{p}: has the name of {other}')
    return bad


def test_misordered_can_fail():
    assert misordered(['data/10_a.ipynb', 'data/10_b.ipynb']) == ['data/10_b.ipynb: has the number of data/10_a.ipynb']
    assert misordered(['data/10b_a.ipynb']) == ['data/10b_a.ipynb: expected two digits and a name']
    assert misordered(['data/10_a.ipynb', 'eval/10_a.ipynb']) == ['eval/10_a.ipynb: has the name of data/10_a.ipynb']
    assert not misordered(['index.ipynb', 'data/10_a.ipynb', 'eval/10_b.ipynb', 'commands/10_a.ipynb'])


def test_misordered(): none(misordered([p.relative_to(ROOT/'nbs').as_posix() for p in notebooks()]))


@functools.cache
def numbers() -> dict[str, float]:
    "Module name ('data.image') -> the number of its notebook in its folder; 0 without one."
    found = {page_name(p): re.match(r'(\d+)_', p.name) for p in notebooks()}
    return {k: int(m[1]) if m else 0 for k, m in found.items()}


def imported(name: str, source: str, known) -> list[tuple[int, str]]:
    "What the module `name` ('medvl.data.image') imports from medvl, wherever in it: (line, 'data.study')."
    res, here = [], name.split('.')
    for s in ast.walk(ast.parse(source)):
        if isinstance(s, ast.Import): res += [(s.lineno, a.name) for a in s.names]
        if isinstance(s, ast.ImportFrom):
            base = '.'.join(here[:len(here)-s.level] + ([s.module] if s.module else [])) if s.level else s.module
            subs = [f'{base}.{a.name}' for a in s.names if f'{base}.{a.name}'.removeprefix('medvl.') in known]
            res += [(s.lineno, o) for o in subs or [base]]
        if isinstance(s, ast.Call) and ast.unparse(s.func).split('.')[-1] in ('import_module', '__import__'):
            res += [(s.lineno, a.value) for a in s.args[:1] if isinstance(getattr(a, 'value', None), str)]
    return sorted({(n, o.removeprefix('medvl.')) for n, o in res if o.startswith('medvl.')})


def wrong_arrows(name: str, source: str, order: dict[str, float]) -> list[str]:
    "Imports that go against the layers; `order`: number of each module in its folder."
    bad, me = [], name.removeprefix('medvl.')
    top = me.split('.')[0]
    if top not in RANK: return [f'{name.replace(".", "/")}.py: {top!r} is no layer of the house']
    for line, to in imported(name, source, order):
        other = to.split('.')[0]
        if other not in RANK: why = f'{other!r} is no layer of the house'
        elif RANK[other] > RANK[top]: why = f'{other} is to the right of {top}'
        elif top == 'eval' and other == 'methods': why = 'what evaluates knows only the Aligner, never a method'
        elif top == other == 'methods' and order.get(to, 0) >= METHOD:
            why = 'methods do not import each other: what two need moves down a layer'
        elif RANK[other] == RANK[top] and other != top: why = f'{top} and {other} do not import each other'
        elif top == other and to != me and order.get(to, 0) >= order.get(me, 0): why = 'only from a lower number'
        else: continue
        bad.append(f'{name.replace(".", "/")}.py:{line}: imports {to}: {why}')
    return bad


ORDER = {'data.image': 12, 'data.study': 30, 'methods.dual': 1, 'methods.clip': 10, 'methods.alta': 31}


@pytest.mark.parametrize('name, source, says', [
    ('medvl.data.image', 'from ..train.learner import fit', 'right'),
    ('medvl.losses.local', 'import medvl.data.study', 'do not import each other'),
    ('medvl.methods.alta', 'def f():\n    from .clip import CLIP', 'moves down'),
    ('medvl.eval.retrieval', 'from medvl.methods.clip import CLIP', 'Aligner'),
    ('medvl.eval.retrieval', 'import importlib; importlib.import_module("medvl.methods.clip")', 'Aligner'),
    ('medvl.data.image', 'from .study import Study', 'lower number'),
    ('medvl.data.image', 'from . import study', 'lower number'),
    ('medvl.readers.covid', 'from ..phantom.set import phantom_studies', 'do not import each other'),
    ('medvl.data.image', 'from ..helpers import x', 'no layer'),
    ('medvl.utils', 'import torch', 'no layer'),
    ('medvl.core', 'from .cli import main', 'right')])
def test_arrows_can_fail(name, source, says): assert any(says in o for o in wrong_arrows(name, source, ORDER))


@pytest.mark.parametrize('name, source', [
    ('medvl.data.study', 'from .image import Film\nfrom ..core import Feat'),
    ('medvl.cli', 'from .methods.clip import CLIP'),
    ('medvl.methods.clip', 'from .dual import DualEncoder'),
    ('medvl.methods.clip', 'from ..losses.contrastive import clip_loss\nimport torch')])
def test_arrows_let_pass(name, source): assert wrong_arrows(name, source, ORDER) == []


def test_arrows():
    dotted = {'.'.join(p.relative_to(ROOT).with_suffix('').parts): p for p in modules() if p.name != '__init__.py'}
    none([o for name, p in dotted.items() for o in wrong_arrows(name, read(p), numbers())])


def commands_called(source: str, name: str) -> list[str]:
    "Imports of `medvl.commands` where a notebook, a benchmark or a test could not do without typer."
    bad = []
    for s in ast.walk(ast.parse(source)):
        names = [a.name for a in s.names] if isinstance(s, ast.Import) else []
        if isinstance(s, ast.ImportFrom):
            base = f'medvl.{s.module or ""}' if s.level else s.module or ''
            names = [base, *(f'{base.rstrip(".")}.{a.name}' for a in s.names)]
        if isinstance(s, ast.Constant) and isinstance(s.value, str) and re.match(r'medvl\.commands\.\w+:', s.value):
            names = [s.value]
        if any(re.match(r'medvl\.commands\b', o) for o in names):
            bad.append(f'{name}:{s.lineno}: calls medvl.commands; what is wanted of it belongs to medvl.run')
    return bad


@pytest.mark.parametrize('source', [
    'from medvl.commands import train', 'import medvl.commands.train', 'from medvl.commands.train import align',
    'from .commands.train import align', 'def f():\n    from medvl import commands',
    "x = 'medvl.commands.train:Training'"])
def test_commands_called_can_fail(source): assert commands_called(source, 'f')


def test_commands_are_called_by_nobody():
    "Neither a layer, nor a script, a test or a page calls a command, but the pages of commands and cli."
    assert not commands_called('from medvl.cli import app\nfrom medvl.run.run import Run\nimport medvl.command', 'f')
    found = [(read(p), short(p)) for p in modules()+scripts() if p != Path(__file__)]
    for p in notebooks(): found += [(c.code, f'{short(p)}, cell {c.n}') for c in cells(p) if c.runs or c.exported]
    free = ('medvl/commands/', 'medvl/cli.py', 'nbs/commands/', 'nbs/cli.ipynb')
    none([o for code, name in found if not name.startswith(free) for o in commands_called(code, name)])


def names_of(source: str) -> set[str]:
    "What a module defines at its top: functions, classes, assigned names, patched methods apart."
    out = set()
    for s in ast.parse(source).body:
        if isinstance(s, (ast.FunctionDef, ast.ClassDef)): out.add(s.name)
        for t in getattr(s, 'targets', [getattr(s, 'target', None)]):
            out |= {o.id for o in ast.walk(t) if isinstance(o, ast.Name)} if t else set()
    return out


def dangling(source: str, name: str, defined: dict[str, set[str]]) -> list[str]:
    "Strings such as 'medvl.eval.retrieval:embed' that name what is not there; `defined`: module -> its names."
    bad = []
    for s in ast.walk(ast.parse(source)):
        if not (isinstance(s, ast.Constant) and isinstance(s.value, str)): continue
        for mod, attr in re.findall(r'^(medvl(?:\.\w+)+):([A-Za-z_]\w*)$', s.value):
            if attr not in defined.get(mod, ()): bad.append(f'{name}:{s.lineno}: {mod}:{attr} is not there')
    return bad


def test_dangling():
    "What is named by a string exists: classes of the registry, functions whose docments explain an option."
    assert dangling("x = 'medvl.a:f'", 'm', {'medvl.a': {'g'}}) == ['m:1: medvl.a:f is not there']
    assert dangling("x = ['medvl.b:f']", 'm', {'medvl.a': {'f'}})
    assert not dangling("x = 'medvl.a:f'", 'm', {'medvl.a': {'f'}})
    assert names_of('A, b = 1, 2\ndef f(): c = 1\nclass D: pass\ne:int = 3') == {'A', 'b', 'f', 'D', 'e'}
    defined = {'.'.join(p.relative_to(ROOT).with_suffix('').parts): names_of(read(p)) for p in modules()}
    found = [(read(p), short(p)) for p in modules()+scripts() if p != Path(__file__)]
    none([o for code, name in found for o in dangling(code, name, defined)])


# ---- names that people use -------------------------------------------------------------------------------------

def comments(source: str) -> dict[int, bool]:
    "Lines with a comment; True where there is nothing else on the line."
    toks = tokenize.generate_tokens(io.StringIO(source).readline)
    return {t.start[0]: not t.line[:t.start[1]].strip() for t in toks if t.type == tokenize.COMMENT}


def undocumented(source: str, name: str) -> list[str]:
    """Public functions and classes without a docstring, arguments without a type, arguments without a docment.

    A method of one line explains itself, and so does a callback's event; the arguments of a method need a type, those
    of functions and `__init__` a docment too.
    """
    bad, said = [], comments(source)
    def told(a): return said.get(a.end_lineno) is False or said.get(a.lineno-1, False)  # beside it, or above it
    def look(f, owner=''):
        a, init = f.args, f.name == '__init__'
        args = [o for o in a.posonlyargs+a.args+[a.vararg]+a.kwonlyargs+[a.kwarg] if o]
        if args and args[0].arg in ('self', 'cls'): owner, args = owner or 'patched ', args[1:]
        plain = owner and (len(f.body) == 1 or f.name.startswith(('before_', 'after_')))
        if not ast.get_docstring(f) and not init and not plain:
            bad.append(f'{name}:{f.lineno}: {owner}{f.name}: no docstring')
        for o in args:
            at = f'{name}:{o.lineno}: {owner}{f.name}: {o.arg!r}'
            if o.annotation is None and o not in (a.vararg, a.kwarg): bad.append(f'{at} has no type')
            if (not owner or init) and not told(o): bad.append(f'{at} has no docment')
    for s in ast.parse(source).body:
        if getattr(s, 'name', '_').startswith('_'): continue
        if isinstance(s, ast.FunctionDef): look(s)
        if isinstance(s, ast.ClassDef):
            if not ast.get_docstring(s): bad.append(f'{name}:{s.lineno}: {s.name}: no docstring')
            for m in s.body:
                if not isinstance(m, ast.FunctionDef): continue
                if m.name == '__init__' or not m.name.startswith('_'): look(m, f'{s.name}.')
    return bad


BARE = '''def f(x, y:int=1, # meaning
):
    return x

class A:
    def go(self, z): return z
    def __init__(self, w:int): pass
'''
TOLD = '''def f(x:int, # what
      # how
      y:int=1
     ):
    "Doc."

def g(h:int, w:int, # size
): "Doc"

def _h(x): pass
'''


def test_undocumented_can_fail():
    found = '\n'.join(undocumented(BARE, 'm.py'))
    for says in ('1: f: no docstring', "1: f: 'x' has no type", 'A: no docstring', "6: A.go: 'z' has no type",
                 "7: A.__init__: 'w' has no docment"): assert says in found, says
    assert "'y'" not in found and undocumented(TOLD, 'm.py') == []


def test_documented():
    none(beyond([o for p in modules() for o in undocumented(read(p), short(p))], 'documented', debts()))


# ---- what code may not do --------------------------------------------------------------------------------------

def misdeeds(source: str, name: str) -> list[str]:
    "Star imports, bare excepts, `strict=False`, and unpickling through `torch.load`."
    bad = []
    for s in ast.walk(ast.parse(source)):
        what = ''
        if isinstance(s, ast.ImportFrom) and s.names[0].name == '*': what = f'star import of {s.module}'
        if isinstance(s, ast.ExceptHandler) and s.type is None: what = 'bare except'
        if isinstance(s, ast.Call):
            given, func = {k.arg: getattr(k.value, 'value', None) for k in s.keywords}, ast.unparse(s.func)
            if given.get('strict') is False and func != 'zip' and name != REPORTS: what = f'{func}(strict=False)'
            if func == 'torch.load' and given.get('weights_only') is not True: what = 'torch.load of any object'
        if what: bad.append((s.lineno, what))
    return [f'{name}:{n}: {what}' for n, what in sorted(bad)]


def wide(source: str, name: str) -> list[str]:
    return [f'{name}:{i}: {len(o)} columns' for i, o in enumerate(source.split('\n'), 1) if len(o) >= WIDTH]


def test_misdeeds_can_fail():
    bad = ['from os import *', 'try: pass', 'except: pass', 'm.load_state_dict(d, strict=False)', 'torch.load(f)',
           'torch.load(f, weights_only=False)']
    assert [o.split(': ')[0] for o in misdeeds('\n'.join(bad), 'm')] == [f'm:{i}' for i in (1, 3, 4, 5, 6)]
    good = ['zip(a, b, strict=False)', 'torch.load(f, weights_only=True)', 'try: pass', 'except OSError: pass']
    assert misdeeds('\n'.join(good), 'm') == []
    assert wide('a'*120, 'm') == ['m:1: 120 columns'] and not wide('a'*119, 'm')


def test_misdeeds(): none([o for p in modules()+scripts() for o in misdeeds(read(p), short(p))])
def test_width(): none(beyond([o for p in scripts() for o in wide(read(p), short(p))], 'width', debts()))


def reads(scope: symtable.SymbolTable, word: str) -> bool:
    "Is `word` read in this scope, or in one inside of it that gives the word no other meaning?"
    return word in scope.get_identifiers() and scope.lookup(word).is_referenced() or any(
        reads(o, word) for o in scope.get_children()
        if word not in o.get_identifiers() or not o.lookup(word).is_local() or o.get_type() == 'class')


def unused(source: str, name: str) -> list[str]:
    """Imports, wherever in a module, of what it does not read; neither `__all__` nor another module's import is a use.

    An `__init__.py` may import what others use, and `medvl/cli.py` the command modules, which enter themselves.
    """
    if name.endswith('__init__.py'): return []
    bad, lines = [], []
    for s in ast.walk(ast.parse(source)):
        if not isinstance(s, (ast.Import, ast.ImportFrom)): continue
        if name == 'medvl/cli.py' and getattr(s, 'module', '') == 'commands' and s.level == 1: continue
        lines += [(a.lineno, a.asname or a.name.split('.')[0]) for a in s.names]
    def look(scope):
        for o in scope.get_symbols():
            at = [n for n, word in lines if word == o.get_name() and n >= scope.get_lineno()]
            if o.is_imported() and at and not reads(scope, o.get_name()): bad.append((min(at), o.get_name()))
        for o in scope.get_children(): look(o)
    look(symtable.symtable(source, name, 'exec'))
    return [f'{name}:{n}: imports {word!r} and does not use it' for n, word in sorted(bad)]


@pytest.mark.parametrize('source, says', [
    ('import json', "1: imports 'json'"), ('import numpy as np, re\nre.I', "1: imports 'np'"),
    ('import os.path', "1: imports 'os'"), ('from .a import (b,\n    c)\nb', "2: imports 'c'"),
    ('from .a import b\n__all__ = ["b"]', "1: imports 'b'"), ('from .a import b\nx = {"b": o.b}', "1: imports 'b'"),
    ('from .a import b\ndef f(b): return b', "1: imports 'b'"), ('import re\n[re for re in x]', "1: imports 're'"),
    ('def f():\n    import re\n    return re\n\ndef g():\n    import re', "6: imports 're'"),
    ('from .commands import a', "1: imports 'a'")])
def test_unused_can_fail(source, says):
    assert [o.removeprefix('medvl/m.py:') for o in unused(source, 'medvl/m.py')] == [f'{says} and does not use it']


@pytest.mark.parametrize('source', [
    'import re\ndef f(x:re.Pattern): return 1', 'import re\ndef f(): return [re.I for _ in x]',
    'import re\n@re.a\nclass A: pass', 'from a import B\nclass A(B):\n    B = 1\n    def f(self): return B',
    'def f():\n    import re\n    return lambda: re.I', 'import a.b\na.b.c()'])
def test_unused_lets_pass(source): assert unused(source, 'medvl/m.py') == []


def test_unused_of_cli():
    "Only its command modules may be imported for their sake."
    assert unused('from .commands import a', 'medvl/cli.py') == [] and unused('import a', 'medvl/x/__init__.py') == []
    assert unused('import re', 'medvl/cli.py') and unused('from .command import b', 'medvl/cli.py')


def test_unused(): none(beyond([o for p in modules() for o in unused(read(p), short(p))], 'unused', debts()))


def page_links(path: Path) -> list[str]:
    "Links of a notebook's prose to pages of a site, which JupyterLab can't follow."
    prose = (''.join(c['source']) for c in json.loads(read(path))['cells'] if c['cell_type'] == 'markdown')
    return [o for t in prose for o in re.findall(r'\]\(([^)#]*\.html)', t)]


def page_faults(path: Path, name: str) -> list[str]:
    "Of a notebook: width, star imports other than fastcore.test, exported cells that are too long; dead links."
    bad = [f'{name}: a link to {o}; pages link to notebooks' for o in page_links(path) if '://' not in o]
    for c in cells(path):
        at = f'{name}, cell {c.n}'
        bad += wide(c.code, at)
        for star in re.findall(r'^\s*from (\S+) import \*', c.code, re.M):
            if c.exported or star != 'fastcore.test': bad.append(f'{at}: star import of {star}')
        n = c.code.count('\n')+1
        if c.exported and n > CELL: bad.append(f'{at}: {n} lines exported; at most {CELL}')
    return bad


def left_behind(sources: list[str], name: str) -> list[str]:
    "Temporary folders of a page that nobody removes: a process that tests pages does not remove them at its end."
    code = '\n'.join(sources)
    made = len(re.findall(r'= (?:tempfile\.)?TemporaryDirectory\(|\bmkdtemp\(\)', code))
    gone = len(re.findall(r'\.cleanup\(\)', code))
    return [f'{name}: {made} temporary folders are made, {gone} removed'] if made > gone else []


def test_left_behind_can_fail():
    made = 'tmp, x = tempfile.TemporaryDirectory(), 1'
    assert left_behind([made], 'p') == ['p: 1 temporary folders are made, 0 removed']
    assert left_behind(['d = Path(tempfile.mkdtemp())'], 'p') and left_behind(['a, b = mkdtemp(), 1'], 'p')
    assert not left_behind([made, 'tmp.cleanup()'], 'p')
    assert not left_behind(['with TemporaryDirectory() as d: 1'], 'p')


def test_left_behind():
    none([o for p in notebooks() for o in left_behind([c.code for c in cells(p)], short(p))])


def test_page_faults_can_fail(tmp_path):
    sources = ['#| export\n' + 'x = 1\n'*61, 'from os import *', 'y = "' + 'z'*130 + '"',
               'from fastcore.test import *', '#| export\nfrom fastcore.test import *']
    code = [dict(cell_type='code', source=s, outputs=[], metadata={}) for s in sources]
    code.append(dict(cell_type='markdown', source='[a](b.html) and [c](https://d.org/e.html)', metadata={}))
    (tmp_path/'01_bad.ipynb').write_text(json.dumps(dict(cells=code, metadata={}, nbformat=4, nbformat_minor=5)))
    found = page_faults(tmp_path/'01_bad.ipynb', 'bad')
    assert found.pop(0) == 'bad: a link to b.html; pages link to notebooks'
    assert [re.search(r'cell (\d)', o)[1] for o in found] == ['1', '2', '3', '5']


def test_pages(): none(beyond([o for p in notebooks() for o in page_faults(p, short(p))], 'pages', debts()))


def fastai_first(sources: list[str], name: str) -> list[str]:
    "Imports of fastai that no import of medvl precedes: a warning would show that `medvl/__init__.py` hides."
    for s in sources:
        for m in re.finditer(r'^\s*(?:from|import) (fastai|medvl)\b', s, re.M):
            return [f'{name}: imports fastai before medvl'] if m[1] == 'fastai' else []
    return []


def test_fastai_first_can_fail():
    assert fastai_first(['x = 1', 'from fastai.learner import Learner\nimport medvl'], 'f')
    assert not fastai_first(['from medvl.core import Feat', 'import fastai'], 'f') and not fastai_first(['x'], 'f')


def test_fastai_first():
    none([o for p in notebooks() for o in fastai_first([c.code for c in cells(p)], short(p))])
    none([o for p in scripts()[1:] if p != Path(__file__) for o in fastai_first([read(p)], short(p))])


# ---- nothing twice ---------------------------------------------------------------------------------------------

RUN = 6  # lines that two places may not share; imports, comments, arguments with their docment, decorators and lines
# without a word don't count


def solid(code: str) -> list[tuple[int, str]]:
    "Lines that count, without indentation: (number, text)."
    out = []
    for i, line in enumerate(code.split('\n'), 1):
        s = re.sub(r'\s+', ' ', line.split('  #')[0]).strip()
        if re.search('[A-Za-z]{2}', s) and not re.match(r'(from \S+ )?import |[@#]|\w+:.* # ', s): out.append((i, s))
    return out


def copied(places: dict[str, str], run: int = RUN) -> list[str]:
    "Runs of `run` or more equal lines in two places: 'second:line: N lines of first:line'."
    seen, out = {}, []
    for name, code in places.items():
        lines, open_run = solid(code), {}
        for k in range(len(lines)-run+1):
            other, j = seen.setdefault(tuple(s for _, s in lines[k:k+run]), (name, k))
            if other == name and k-j < run: continue  # itself
            start, n = open_run.pop((other, j-1), (k, run-1))
            open_run[other, j] = start, n+1
            if not (k+run < len(lines) and seen.get(tuple(s for _, s in lines[k+1:k+1+run])) == (other, j+1)):
                out.append(f'{name}:{lines[start][0]}: {n+1} lines of {other}:{solid(places[other])[j-n-1+run][0]}')
    return out


def test_copied_can_fail():
    a = '\n'.join(f'first = step({i})' for i in range(8))
    assert copied({'a': a, 'b': 'import os\n\n' + a.replace('first', '  first')}) == ['b:3: 8 lines of a:1']
    assert copied({'a': f'{a}\nx = one\n{a}'}) == ['a:10: 8 lines of a:1']
    assert not copied({'a': a, 'b': '\n'.join(a.split('\n')[:5])}) and not copied({'a': a})
    imports = '\n'.join(f'from m{i} import thing  # @' for i in range(8))
    assert not copied({'a': imports, 'b': imports})


def test_copied():
    "No two places of the package and of the pages' examples share six lines: a fixture of two pages belongs to `toy`."
    examples = {short(p): '\n'.join(c.code for c in cells(p) if not c.exported) for p in notebooks()}
    none(beyond(copied({short(p): read(p) for p in modules()} | examples), 'copied', debts()))


# ---- files -----------------------------------------------------------------------------------------------------

# In pieces, so that this file does not find itself.
TOPS = ['wo' 'rk', 'ro' 'ot', 't' 'mp', 'home/[a-z]+', 'Users/[a-zA-Z]+', 'opt/py' 'pi']
PLACES = re.compile(r'(?<![\w.~])/(?:' + '|'.join(TOPS) + r')[/\w]')
KINDS = {'.py', '.ipynb', '.md', '.txt', '.ini', '.toml', '.yml', '.json', '.css', '.cff', '.in', '.csv', '.sh', ''}


def placed(text: str, name: str) -> list[str]:
    "Paths of one particular machine."
    return [f'{name}:{i}: {m[0]}' for i, line in enumerate(text.split('\n'), 1) for m in PLACES.finditer(line)]


def texts() -> list[Path]:
    "Every text file of the project that would be committed."
    folders = ('.ci', 'benchmarks', 'medvl', 'nbs', 'results', 'tests', 'tools')
    found = [p for p in ROOT.iterdir()] + [p for d in folders for p in (ROOT/d).rglob('*')]
    made = {'__pycache__', '.ipynb_checkpoints'}
    return [p for p in sorted(found)
            if p.is_file() and p.suffix in KINDS and p.name != '.git' and not made & set(p.parts)]


def test_places_can_fail():
    for bad in ('open("/ro' 'ot/x")', "'/t" "mp/y.png'", '/home/' 'ann/data', 'path=/wo' 'rk/films'):
        assert placed(bad, 'f'), bad
    for good in ('https://x.org/work/', 'nbs/tmp/x', '~/root/', 'and/or'): assert not placed(good, 'f'), good


def test_places(): none([o for p in texts() for o in placed(read(p), short(p))])


WEIGHTS, FILE = 12_000_000, 1_000_000  # bytes: all shipped models together; any other file


def heavy(files: dict[str, int]) -> list[str]:
    "Of sizes by path: files that are too large; the models in medvl/weights may be so, up to a sum."
    shipped = {p: n for p, n in files.items() if p.startswith('medvl/weights/')}
    bad = [f'{p}: {n/1e6:.1f} MB; at most {FILE/1e6:.0f}' for p, n in files.items() if p not in shipped and n > FILE]
    n = sum(shipped.values())
    return bad + [f'medvl/weights: {n/1e6:.1f} MB; at most {WEIGHTS/1e6:.0f}']*(n > WEIGHTS)


def test_heavy_can_fail():
    assert heavy({'a.json': 1_000_001}) == ['a.json: 1.0 MB; at most 1']
    assert heavy({'medvl/weights/x/model.safetensors': 12_000_001}) and not heavy({'medvl/weights/x/m': 11_999_999})


def test_heavy():
    "What would be committed: everything below the folders of the project."
    folders = ('benchmarks', 'medvl', 'nbs', 'results', 'tests', 'tools')
    files = [p for d in folders for p in (ROOT/d).rglob('*') if p.is_file()]
    none(heavy({short(p): p.stat().st_size for p in files if "__pycache__" not in p.parts}))


def test_size():
    none([f'{short(p)}: {p.stat().st_size/1e6:.1f} MB' for p in notebooks() if p.stat().st_size > NOTEBOOK])


def misnamed(exp: str|None, page: str, path: str) -> list[str]:
    "`#| default_exp` that is not the notebook's own path without numbers, and names that are not plain."
    bad = [] if exp in (None, f'medvl.{page}') else [f'{path}: exports to {exp}, but lies at medvl.{page}']
    return bad + ([] if re.fullmatch(r'[a-z0-9_./]+\.ipynb', path) else [f'{path}: lower case, no dots, no spaces'])


def test_misnamed_can_fail():
    assert misnamed('medvl.data.img', 'data.image', 'nbs/data/01_image.ipynb')
    assert misnamed(None, 'x', 'nbs/My Page.ipynb')
    assert not misnamed('medvl.data.image', 'data.image', 'nbs/data/01_image.ipynb')


def test_names(): none([o for p in notebooks() for o in misnamed(module(p), page_name(p), short(p))])


# ---- the package's papers --------------------------------------------------------------------------------------

def settings() -> dict:
    cp = configparser.ConfigParser(delimiters=['=']); cp.read(ROOT/'settings.ini', encoding='utf-8')
    return dict(cp['DEFAULT'])


def unpinned(wanted: list[str], constraints: str) -> list[str]:
    "Requirements that constraints.txt does not pin, or pins outside of what is asked for."
    def norm(s): return re.sub(r'[-_.]+', '-', s).lower()
    lines = [o.split('==') for o in constraints.split('\n') if '==' in o and not o.startswith('#')]
    pins, reqs = {norm(name): v for name, v in lines}, [Requirement(o) for o in wanted]
    def fits(r): return norm(r.name) in pins and r.specifier.contains(pins[norm(r.name)])
    return [f'{r}: pinned to {pins.get(norm(r.name))}' for r in reqs if not fits(r)]


def test_constraints():
    assert unpinned(['a>=2', 'b', 'c'], 'a==1.0\nb==3') == ['a>=2: pinned to 1.0', 'c: pinned to None']
    lists = [v for k, v in settings().items() if k.endswith('requirements') or k.startswith('extra_')]
    none(unpinned([r for v in lists for r in v.split()], read(ROOT/'constraints.txt')))


def test_papers():
    "settings.ini, pyproject.toml and what pip knows of the installed package say the same."
    s, proj = settings(), tomllib.loads(read(ROOT/'pyproject.toml'))
    assert set(proj['project']) == {'name', 'dynamic', 'urls'} and set(proj) == {'build-system', 'project', 'tool'}
    assert proj['project']['name'] == s['lib_name'] == proj['tool']['nbdev']['lib_path']
    assert proj['project']['urls'] == {'Repository': s['repo_url'], 'Documentation': s['doc_host']+s['doc_baseurl']}
    assert not set(s) & set(proj['tool']['nbdev']), 'said in two places'
    meta = importlib.metadata.metadata('medvl')
    assert (meta['Name'], meta['Version'], meta['Summary']) == (s['lib_name'], s['version'], s['description'])
    assert meta['Requires-Python'] == f">={s['min_python']}"
    plain = {str(Requirement(o)) for o in meta.get_all('Requires-Dist') if 'extra ==' not in o}
    assert plain == {str(Requirement(o)) for o in s['requirements'].split()}
    assert s['version'] in read(ROOT/'CHANGELOG.md') and f"version: {s['version']}" in read(ROOT/'CITATION.cff')


def test_data_is_packaged():
    "Every file of medvl/ that is not Python is named in setup.py, so that a wheel carries it."
    with mock.patch('setuptools.setup') as told: exec(read(ROOT/'setup.py'), {'__file__': str(ROOT/'setup.py')})
    globs = told.call_args.kwargs['package_data']['medvl']
    found = [p.relative_to(ROOT/'medvl') for p in (ROOT/'medvl').rglob('*') if p.is_file()]
    data = [p for p in found if p.suffix not in ('.py', '.pyc')]
    none([f'medvl/{p}: not in package_data' for p in data if not any(p.match(g) for g in globs)])
