"""Turn every notebook into a test file that runs its examples against the imported package.

    python tools/make_tests.py           write tests/generated/test_*.py
    python tools/make_tests.py --check   write nothing; fail if a file is missing, stale or left over

`nbdev-test` runs the cells of a notebook; what people install is the module. An import that was left in a cell that is
not exported passes the first and breaks the second. So here an exported cell becomes an import of the names that it
defines, and the cells between stay as they are. The files are plain scripts; tests/conftest.py runs them a section at
a time and says, where one fails, which notebook, heading and cell it came from.
"""
import sys
from pathlib import Path
from pages import ROOT, bound_names, cells, import_lines, module, notebooks, page_name

OUT = ROOT/'tests'/'generated'


def imports_of(code: str, mod: str) -> str:
    "What stands for an exported cell: its own imports, and an import of the names that it defines."
    names = bound_names(code)
    lines = import_lines(code)
    if names:
        line = f'from {mod} import ({", ".join(names)})'
        lines.append(line if len(line) < 120 else f'from {mod} import (' + ',\n    '.join(names) + ')')
    return '\n'.join(lines)


def test_source(path: Path) -> str:
    "The text of the test file for the notebook at `path`."
    mod = module(path)
    against = f'runs against the imported {mod}' if mod else 'exports nothing; its cells run as they are'
    parts = [f'# {path.relative_to(ROOT).as_posix()}: {against}.\n'
             '# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.']
    for c in cells(path):
        code = imports_of(c.code, mod) if c.exported and mod else c.code if c.runs else ''
        if code.strip(): parts.append(f'# %% [{c.n}] {c.heading}\n{code}')
    return '\n\n'.join(parts) + '\n'


def test_file(path: Path) -> Path:
    "Where the test of a notebook goes: by its module, or by its path if it has none."
    return OUT/f"test_{(module(path) or page_name(path)).removeprefix('medvl.').replace('.', '_')}.py"


def main(check: bool) -> int:
    want = {test_file(p): test_source(p) for p in notebooks()}
    have = {p: p.read_text(encoding='utf-8') for p in OUT.glob('test_*.py')}
    stale = [p for p in sorted(want.keys()|have.keys()) if want.get(p) != have.get(p)]
    if check:
        for p in stale: print(f'{p.relative_to(ROOT)}: not what its notebook says; run: make prepare')
        return len(stale) > 0
    OUT.mkdir(parents=True, exist_ok=True)
    for p in stale: p.write_text(want[p], encoding='utf-8') if p in want else p.unlink()
    print(f'tests/generated: {len(want)} files, {len(stale)} changed')
    return 0


if __name__ == '__main__': sys.exit(main('--check' in sys.argv[1:]))
