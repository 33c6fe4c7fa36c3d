"""What `make test` asks of the tree before anything runs; changes nothing.

The package is what the notebooks export; the notebooks are clean, hold no saved error, no large figure, and are small;
the generated tests and README.md are what the notebooks say.
"""
import copy, filecmp, json, shutil, subprocess, sys, tempfile
from pathlib import Path
from nbdev.clean import clean_nb
import make_readme, make_tests
from pages import ROOT, notebooks

NOTEBOOK, FIGURE = 1_000_000, 100_000  # bytes


def unexported() -> list[str]:
    "Modules that differ from what an export into an empty copy of the project gives."
    with tempfile.TemporaryDirectory() as d:
        d = Path(d).resolve()
        shutil.copytree(ROOT/'nbs', d/'nbs', ignore=shutil.ignore_patterns('.ipynb_checkpoints', '*.png', '*.pdf'))
        (d/'medvl').mkdir()
        shutil.copy(ROOT/'pyproject.toml', d); shutil.copy(ROOT/'medvl'/'__init__.py', d/'medvl')
        res = subprocess.run([Path(sys.executable).with_name('nbdev-export')], cwd=d, capture_output=True, text=True)
        if res.returncode: return [f'nbdev-export failed:\n{res.stderr[-3000:]}']
        have, want = ({p.relative_to(r): p for p in r.rglob('*.py')} for r in (ROOT/'medvl', d/'medvl'))
        bad = [p for p in sorted(have.keys()|want.keys())
               if p not in have or p not in want or not filecmp.cmp(have[p], want[p], shallow=False)]
    return [f'medvl/{p}: not what the notebooks export' for p in bad]


def notebook_faults(path: Path) -> list[str]:
    "What is wrong with a notebook as it lies on disk."
    text = path.read_text(encoding='utf-8')
    nb, bad = json.loads(text), []
    if len(text.encode()) > NOTEBOOK: bad.append(f'{len(text)/1e6:.1f} MB; at most {NOTEBOOK/1e6:.0f}')
    clean = copy.deepcopy(nb); clean_nb(clean)
    if clean != nb: bad.append('not clean')
    for i, c in enumerate(nb['cells'], 1):
        for o in c.get('outputs', []):
            if o['output_type'] == 'error': bad.append(f'cell {i}: saved with {o["ename"]}: {o["evalue"][:80]}')
            for k, v in o.get('data', {}).items():
                size = len(v if isinstance(v, str) else ''.join(v))*(3/4 if 'svg' not in k else 1)
                if k.startswith('image/') and size > FIGURE:
                    bad.append(f'cell {i}: a figure of {size/1e3:.0f} kB; at most {FIGURE/1e3:.0f}')
    return [f'{path.relative_to(ROOT) if path.is_relative_to(ROOT) else path}: {o}' for o in bad]


def main() -> int:
    bad = unexported() + [o for p in notebooks() for o in notebook_faults(p)]
    for o in bad: print(o)
    n = len(bad) + make_tests.main(check=True) + make_readme.main(check=True)
    print('make prepare brings the tree in step' if n else 'package, tests and README are what the notebooks say')
    return n > 0


if __name__ == '__main__': sys.exit(main())
