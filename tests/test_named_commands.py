"""Every command that README, pages, cards and docstrings name exists, with its options; in a block it has all that it
requires."""
import ast, json, re, sys
from pathlib import Path
import pytest, typer
from medvl.cli import app

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT/'tools'))
from pages import notebooks  # noqa: E402

TOP = typer.main.get_command(app)
OPTION = re.compile(r'(?<![\w.:=/-])--?[a-zA-Z][\w-]*')


def plain(line: str) -> str:
    "A command without comment, redirection and what is quoted."
    return re.sub(r'"[^"]*"|\'[^\']*\'', 'QUOTED', line).split(' #')[0].split(' && ')[0].split(' > ')[0].rstrip('\\ ')


def named(text: str) -> list[tuple[str, bool]]:
    "Commands of a markdown or a docstring: in code, or a line of their own; True for lines of a block."
    blocks = re.findall(r'^```.*?\n(.*?)^```', text, re.M | re.S)
    joined = [re.sub(r'\\\n\s*', '', b) for b in blocks]
    lines = [m for b in joined for m in re.findall(r'^(?:.*--no-python )?(medvl [a-z].*)$', b, re.M)]
    rest = re.sub(r'^```.*?^```', '', text, flags=re.M | re.S)
    code = [' '.join(m.split()) for m in re.findall(r'`(medvl [a-z][^`]*)`', rest)]
    return [(plain(o), True) for o in lines] + [(plain(o), False) for o in code]


def faults(line: str, whole: bool) -> list[str]:
    "What a command has that medvl does not, and if it is whole, what it lacks."
    at, words = TOP, line.split()[1:]
    while hasattr(at, 'commands') and words and words[0] in at.commands: at = at.commands[words.pop(0)]
    if hasattr(at, 'commands'):
        if not words or words[0] in ('...', '--help') or words[0].isupper(): return []
        return [f"{line}: no command {words[0]!r}"]
    known = {o: p for p in at.params for o in (*p.opts, *p.secondary_opts)}
    given = OPTION.findall(' '.join(words))
    bad = [f'{line}: no option {o}' for o in given if o not in known and o != '--help']
    if not whole or '...' in words or '--help' in given: return bad
    needed = [p for p in at.params if p.required and p.param_type_name == 'option']
    return bad + [f'{line}: {p.opts[0]} is required' for p in needed if not {*p.opts} & {*given}]


def texts() -> dict[str, list[str]]:
    "Where commands are named: markdown, and docstrings."
    files = [ROOT/'README.md', ROOT/'CONTRIBUTING.md', ROOT/'CHANGELOG.md', *ROOT.glob('medvl/weights/*/card.md')]
    out = {p.relative_to(ROOT).as_posix(): [p.read_text(encoding='utf-8')] for p in files}
    for p in notebooks():
        found = json.loads(p.read_text(encoding='utf-8'))['cells']
        out[p.relative_to(ROOT).as_posix()] = [''.join(c['source']) for c in found if c['cell_type'] == 'markdown']
    for p in [*ROOT.glob('benchmarks/*.py'), *ROOT.glob('tools/*.py'), *ROOT.glob('medvl/**/*.py')]:
        if p.name == '_modidx.py': continue
        tree = ast.walk(ast.parse(p.read_text(encoding='utf-8')))
        docs = [ast.get_docstring(o) for o in tree if isinstance(o, (ast.Module, ast.FunctionDef, ast.ClassDef))]
        out[p.relative_to(ROOT).as_posix()] = [o for o in docs if o]
    return out


def script_faults(text: str) -> list[str]:
    "Scripts that are not there, and options that their text does not define."
    bad = []
    for name, rest in re.findall(r'python ((?:benchmarks|tools)/\w+\.py)([^`\n]*(?:\n +--[^`\n]*)*)', text):
        if not (ROOT/name).is_file(): bad.append(f'{name} is not there'); continue
        source = (ROOT/name).read_text(encoding='utf-8')
        for o in OPTION.findall(plain(rest)):
            key = o.lstrip('-').replace('-', '_')                            # some are made of a dict, by name
            if f"'{o}'" not in source and not re.search(rf'\b{key}=', source): bad.append(f'{name}: no option {o}')
    return bad


@pytest.mark.parametrize('line, whole, says', [
    ('medvl algin alta', False, "no command 'algin'"), ('medvl align alta --rate 1', False, 'no option --rate'),
    ('medvl eval retrieval --model M', True, '--data is required')])
def test_faults_can_fail(line, whole, says): assert any(says in o for o in faults(line, whole))


def test_named_can_fail():
    text = 'Try `medvl search\nX --datas F`:\n\n```\ntorchrun --no-python medvl align alta \\\n  --lr 1 # --x\n```\n'
    assert named(text) == [('medvl align alta --lr 1', True), ('medvl search X --datas F', False)]
    assert script_faults('python benchmarks/none.py') and script_faults('python benchmarks/marks.py --fast')


def test_commands_exist():
    found = {(k, o) for k, ts in texts().items() for t in ts for o in named(t)}
    assert len(found) > 150
    bad = [f'{k}: {f}' for k, (line, whole) in sorted(found) for f in faults(line, whole)]
    assert not bad, '\n' + '\n'.join(bad)


def test_scripts_exist():
    bad = [f'{k}: {f}' for k, ts in texts().items() for t in ts for f in script_faults(t)]
    assert not bad, '\n' + '\n'.join(bad)
