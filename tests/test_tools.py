"The tools that make tests, site and README: what they write, and that each of their checks can fail."
import json, shutil, subprocess, sys
from pathlib import Path
import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT/'tools'))
import check_sync, make_docs, make_readme, make_tests, pages  # noqa: E402


def notebook(path: Path, *sources: str) -> Path:
    "A notebook of these cells; a source that begins with a heading is prose."
    kinds = ['markdown' if s.startswith('#') and not s.startswith('#|') else 'code' for s in sources]
    cells = [dict(cell_type=k, metadata={}, source=s.splitlines(True)) for k, s in zip(kinds, sources)]
    for i, c in enumerate(cells): c['id'] = f'{i:08}'
    for c in cells:
        if c['cell_type'] == 'code': c |= dict(outputs=[], execution_count=None)
    meta = dict(kernelspec=dict(display_name='python3', language='python', name='python3'))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(dict(cells=cells, metadata=meta, nbformat=4, nbformat_minor=5)))
    return path


@pytest.fixture
def tree(tmp_path, monkeypatch):
    "A project of one page, and tools that take it for theirs."
    for m in (check_sync, make_docs, make_tests, pages): monkeypatch.setattr(m, 'ROOT', tmp_path)
    for m in (make_docs, pages): monkeypatch.setattr(m, 'NBS', tmp_path/'nbs')
    notebook(tmp_path/'nbs'/'data'/'01_toy.ipynb', '#| default_exp data.toy', '# Toy\n\n> A page.',
             '#| export\nimport math', '#| export\ndef area(r): return math.pi*r*r\n_unit = 1',
             '## Use', 'assert round(area(_unit)) == 3',
             '## Left out', '#| eval: false\n1/0', '#| slow\n1/0', '%time 1/0', '## Last', 'assert math.pi > 4')
    return tmp_path


def test_of_a_page(tree):
    "Exported definitions become imports, examples stay, what cannot run is left out."
    text = make_tests.test_source(tree/'nbs'/'data'/'01_toy.ipynb')
    assert 'from medvl.data.toy import (area, _unit)' in text and 'import math\n' in text
    assert 'def area' not in text and '1/0' not in text
    assert '# %% [6] Use\nassert round(area(_unit)) == 3' in text


def test_failure_names_the_cell(tree):
    "The module forgets an import that a cell of the notebook has: the page fails, with notebook, heading and cell."
    for name, text in (('medvl/__init__.py', ''), ('medvl/data/__init__.py', ''),
                       ('medvl/data/toy.py', 'def area(r): return math.pi*r*r\n_unit = 1')):
        (tree/name).parent.mkdir(parents=True, exist_ok=True); (tree/name).write_text(text)
    made = tree/'tests'/'generated'/'test_data_toy.py'; made.parent.mkdir(parents=True)
    made.write_text(make_tests.test_source(tree/'nbs'/'data'/'01_toy.ipynb'))
    shutil.copy(ROOT/'tests'/'conftest.py', tree/'tests')
    def run():
        cmd = [sys.executable, '-m', 'pytest', 'tests', '-q', '-rs', '-p', 'no:cacheprovider', '--rootdir', str(tree)]
        return subprocess.run(cmd, cwd=tree, capture_output=True, text=True, env={'PYTHONPATH': str(tree), 'PATH': ''})
    out = run()
    assert out.returncode == 1, out.stdout
    assert 'nbs/data/01_toy.ipynb, "Use", cell 6' in out.stdout and "name 'math' is not defined" in out.stdout
    assert '1 failed' in out.stdout and "'Use' failed before it" in out.stdout
    (tree/'medvl/data/toy.py').write_text('import math\ndef area(r): return math.pi*r*r\n_unit = 1')
    out = run()
    assert 'nbs/data/01_toy.ipynb, "Last", cell 12' in out.stdout and 'assert math.pi > 4' in out.stdout


def test_stale_tests(tree, capsys, monkeypatch):
    monkeypatch.setattr(make_tests, 'OUT', tree/'tests'/'generated')
    monkeypatch.setattr(make_tests, 'notebooks', lambda: pages.notebooks(tree/'nbs'))
    assert make_tests.main(check=True) == 1 and 'test_data_toy.py' in capsys.readouterr().out
    assert make_tests.main(check=False) == 0 and make_tests.main(check=True) == 0
    (tree/'tests'/'generated'/'test_gone.py').write_text('')
    assert make_tests.main(check=True) == 1


def test_unexported(tree):
    "A module that was edited, one that is left over, one that is missing."
    shutil.copy(ROOT/'pyproject.toml', tree)
    for name in ('__init__.py', 'data/__init__.py', 'data/toy.py', 'old.py'):
        (tree/'medvl'/name).parent.mkdir(parents=True, exist_ok=True); (tree/'medvl'/name).write_text('x = 1\n')
    found = check_sync.unexported()
    for name in ('_modidx.py', 'data/toy.py', 'old.py'):
        assert f'medvl/{name}: not what the notebooks export' in found, name


def test_notebook_faults(tmp_path):
    p = notebook(tmp_path/'a.ipynb', 'x = 1')
    assert check_sync.notebook_faults(p) == []
    nb = json.loads(p.read_text())
    nb['cells'][0] |= dict(execution_count=3, outputs=[
        dict(output_type='error', ename='ValueError', evalue='no', traceback=[]),
        dict(output_type='display_data', data={'image/png': 'A'*1_500_000}, metadata={})])
    p.write_text(json.dumps(nb))
    found = '\n'.join(check_sync.notebook_faults(p))
    for says in ('1.5 MB', 'not clean', 'saved with ValueError: no', 'a figure of 1125 kB'):
        assert says in found, says


def test_readme_parts():
    note = 'a\n\n::: {.callout-note}\n## T\nx\ny\n:::\n\nb'
    assert make_readme.callouts(note) == 'a\n\n> [!NOTE]\n> **T**\n>\n> x\n> y\n\nb'
    links = '[a](00_core.ipynb#x) [b](https://x.org) [c](none.md)'
    assert make_readme.relinked(links) == links.replace('(00', '(nbs/00')


def test_readme_leaves_out(tmp_path):
    "What only the site shows."
    p = notebook(tmp_path/'a.ipynb', '# A', f'# B\n\n{make_readme.SITE}', '#| readme: false\nx = 1', 'y = 1')
    nb = json.loads(p.read_text())
    assert make_readme.to_markdown(nb)[0].split('\n\n')[1:] == ['# A', '```python\ny = 1\n```\n']
    assert '# B' in make_readme.to_markdown(nb, site=True)[0] and 'x = 1' in make_readme.to_markdown(nb, site=True)[0]


def test_tables(tmp_path):
    "A page whose table of results is older than the files is found, and brought in step."
    (tmp_path/'results').mkdir()
    score = dict(method='X', task='toy', metrics={'R@1': dict(value=.5, low=.4, high=.6)})
    (tmp_path/'results'/'x.json').write_text(json.dumps(score))
    p = notebook(tmp_path/'a.ipynb', "Markdown(answer('other', result_files('results')))", 'Markdown(other)')
    nb = json.loads(p.read_text())
    for c in nb['cells']:
        c['outputs'] = [dict(output_type='execute_result', data={'text/markdown': 'old'}, metadata={})]
    p.write_text(json.dumps(nb))
    new = make_readme.tables(p)
    shown = [pages.joined(c['outputs'][0]['data']['text/markdown']) for c in new['cells']]
    assert '| X, toy | 0.500 [0.400, 0.600] |' in shown[0] and shown[1] == 'old'
    p.write_text(json.dumps(new))
    assert make_readme.tables(p) is None


def test_broken_links(tmp_path):
    good = '<h1 id="top">A</h1><a href="b.html#here">ok</a><a href="#top">ok</a><img src="data:,">'
    (tmp_path/'a.html').write_text(good)
    (tmp_path/'b.html').write_text('<p id="here">B</p><a href="https://x.org">elsewhere</a>')
    assert make_docs.broken(tmp_path) == []
    bad = '<a href="no.html">1</a><a href="b.html#no">2</a><script src="https://x.org/a.js"></script>'
    bad += '[<a href="a.html">f</a>](/b.ipynb)'
    (tmp_path/'c.html').write_text(bad + '<link rel="stylesheet" href="//x.org/a.css">')
    (tmp_path/'c.css').write_text('@import url("https://x.org/font");')
    found = '\n'.join(make_docs.broken(tmp_path))
    for says in ('no.html: no such file', 'b.html#no: no such anchor', 'loads https://x.org/a.js',
                 'loads //x.org/a.css', 'c.css: loads', 'a link inside of a link, /b.ipynb'):
        assert says in found, says


def test_finish(tmp_path):
    "Equations are drawn without a script, and no font is fetched; what follows the font stays."
    (tmp_path/'a.css').write_text('@import url(https://x.org/f?wght@300;700&display=swap);:root{--a:1}')
    (tmp_path/'a.html').write_text(r'<span class="math inline">\(\frac{a}{b} \text{x\_y}\)</span>')
    make_docs.finish(tmp_path, [])
    assert (tmp_path/'a.css').read_text() == ':root{--a:1}'
    page = (tmp_path/'a.html').read_text()
    assert '<mfrac>' in page and 'x_y' in page and '\\' not in page
    with pytest.raises(SystemExit, match='not understood'):
        make_docs.mathml(r'<span>\(\nosuchcommand{a}\)</span>', 'a.html')


def test_finish_links(tree):
    "View source leads to the notebook under its number; the page has an icon of its own."
    shutil.copy(ROOT/'pyproject.toml', tree); site = tree/'site'; site.mkdir()
    cfg = make_docs.get_config(ROOT); blob = f'{cfg.git_url}/blob/{cfg.branch}'
    (site/'a.html').write_text(f'<head></head><a href="{blob}/data/toy.ipynb">View source</a>')
    make_docs.finish(site, [tree/'nbs'/'data'/'01_toy.ipynb'])
    page = (site/'a.html').read_text()
    assert f'"{blob}/nbs/data/01_toy.ipynb"' in page and '<link rel="icon" href="data:' in page


def test_links_of_plain_words():
    "A word in backticks leads to what its page defines or imports, not to any function of that name."
    links = make_docs.Links({'losses/sets.html#alike', 'data/splits.html#alike', 'models/guided.html#patch_scores'})
    md, code = '`alike` by `patch_scores`', 'from medvl.losses.sets import (pair_up,\n   alike)\n'
    assert links(md, 'methods/place', code).startswith('[`alike`](/losses/sets.html#alike) by [`patch_scores`](')
    assert links(md, 'methods/place').startswith('`alike` by [')
    assert links(md, 'data/splits').startswith('[`alike`](/data/splits.html#alike) by')


def test_what_a_page_shows():
    "A progress bar's last state; tables of sentences set as text; a space beside a function's name."
    assert make_docs.settled('10%\r50%\r     \rdone\nnext\r\n9%\r          end') == 'done\nnext\r\nend'
    table = '<table border="1" class="dataframe"><td>{}</td></table>'
    words, numbers = (make_docs.worded(table.format(o)) for o in ('a sentence of several words', '0.5'))
    assert 'class="words dataframe"' in words and 'words' not in numbers
    ln = make_docs.convert(r'h\ln x + \max_j y + \log(z)')
    spaced = make_docs.spaced(ln)
    assert spaced.count('<mspace') == 2 and '<msub><mo>max</mo>' in spaced and '<mi>log</mi><mo' in spaced


def test_headline(tmp_path):
    "A sentence over two lines is whole; prose after it is not part of it."
    md = '# Toy\n\n> One and\n> the same.\n\nMore.'
    assert pages.headline(md) == ('Toy', 'One and the same.', '\nMore.') and pages.headline('Toy') is None
    assert pages.says(notebook(tmp_path/'a.ipynb', 'x = 1', md)) == 'One and the same.'


def test_staged(tree):
    "A page for the site: its title, its sentence and all of its prose; code under a heading that can be linked to."
    p = notebook(tree/'nbs'/'data'/'01_toy.ipynb', '#| default_exp data.toy',
                 '# Toy\n\n> A page.\n\nMore, and [a link](01_toy.ipynb#use).', '#| export\nimport math',
                 '#| export\ndef area(r): return math.pi*r*r', '#| hide\nassert 1', 'from os import path', 'area(1)',
                 '#| export\n@patch_to(Disc)\ndef edge(self): return 1',
                 '#| export\n@patch_to(Disc)\ndef _in(self): return 2')
    (tree/'medvl'/'data').mkdir(parents=True)
    (tree/'medvl'/'data'/'toy.py').write_text('import math\n\ndef area(r): return math.pi*r*r\n\n'
                                                   '@patch_to(Disc)\ndef edge(self): return 1\n')
    src = [c['source'] for c in make_docs.staged(p, lambda md, **_: md)['cells']]
    assert src[0] == '---\ndescription: A page.\ntitle: Toy\n---\n'
    assert 'More, and [a link](/data/toy.ipynb#use).' in src[1]
    assert 'toy.py#L3' in src[2] and '#### area {#area}' in src[2] and src[3].startswith('def area')
    assert src[4] == 'area(1)'
    assert 'toy.py#L6' in src[5] and '#### Disc.edge {#disc.edge}' in src[5] and 'def edge' in src[6]
    assert 'def _in' in src[7] and len(src) == 8  # a private method is shown without a heading
