"""README.md from nbs/index.ipynb: its prose, its code and what its cells showed.

    python tools/make_readme.py           run the notebook, keep its outputs, write README.md and its figures
    python tools/make_readme.py --check   write nothing; fail if running it would change a word

The tables of the index (pages, methods, results) are made by its cells, so they are right only when it was run last.
The tables of results on other pages are brought in step with results/*.json in the same go.
"""
import base64, json, re, sys
from pathlib import Path
from pages import NBS, ROOT, joined, notebooks, split

INDEX, README = NBS/'index.ipynb', ROOT/'README.md'
SITE = '<!-- readme: false -->'  # in prose that only the site shows; `#| readme: false` in code
HEAD = '<!-- Made by tools/make_readme.py from nbs/index.ipynb: edit the notebook, not this file. -->'


SHOW = re.compile(r'^Markdown\((?:answer|summary)\(.*\)\)$', re.M)  # a cell that shows result files


def tables(path: Path) -> dict|None:
    "The notebook with its tables of results as the files are now; None where they are so already."
    from medvl.eval import results
    nb, new = json.loads(path.read_text(encoding='utf-8')), False
    known = dict(answer=results.answer, summary=results.summary, Markdown=str,
                 result_files=lambda d: results.result_files(path.parent/d))
    for c in nb['cells']:
        if c['cell_type'] != 'code' or not (m := SHOW.search(joined(c['source']))): continue
        for o in (o for o in c['outputs'] if 'text/markdown' in o.get('data', {})):
            md = eval(m[0], known)
            new = new or md != joined(o['data']['text/markdown'])
            o['data']['text/markdown'] = md.splitlines(True)
    return nb if new else None


def run(path: Path) -> dict:
    "The notebook after a run; it fails where a cell fails."
    import nbformat
    from nbclient import NotebookClient
    nb = nbformat.read(path, 4)
    NotebookClient(nb, timeout=120, kernel_name='python3', extra_arguments=['--log-level=ERROR'],
                   resources={'metadata': {'path': str(path.parent)}}).execute()
    return json.loads(nbformat.writes(nb))


def to_markdown(nb: dict, site: bool = False) -> tuple[str, dict[str, bytes]]:
    "Plain markdown that a forge renders, and its figures by their path; `site`: with what only the site shows."
    parts, figures = [HEAD], {}
    for c in nb['cells']:
        dirs, src = split(joined(c['source']))
        if not site and (SITE in joined(c['source']) or dirs.get('readme') == 'false'): continue
        if c['cell_type'] == 'markdown': parts.append(callouts(joined(c['source']).strip()))
        if c['cell_type'] != 'code' or dirs.keys() & {'hide', 'default_exp'}: continue
        if src.strip() and dirs.get('echo') != 'false': parts.append(f'```python\n{src}\n```')
        for o in c['outputs']:
            data = o.get('data', {})
            if 'text/markdown' in data: parts.append(joined(data['text/markdown']).strip())
            elif 'image/png' in data:
                name = f'nbs/images/readme_{len(figures)+1}.png'
                figures[name] = base64.b64decode(joined(data['image/png']))
                parts.append(f"![{dirs.get('fig-alt', 'figure').strip(chr(34))}]({name})")
            elif text := joined(data.get('text/plain', o['text'] if o.get('name') == 'stdout' else '')):
                parts.append(f'```\n{text.rstrip()}\n```')
    return relinked('\n\n'.join(parts)) + '\n', figures


def callouts(md: str) -> str:
    "Quarto's callouts as the alerts that forges know."
    def one(m):
        body = re.sub(r'^## (.+)$', r'**\1**\n', m[2], flags=re.M).strip()
        return f'> [!{m[1].upper()}]\n' + '\n'.join(f'> {o}'.rstrip() for o in body.split('\n'))
    return re.sub(r'^::: \{\.callout-(\w+)\}\n(.*?)^:::$', one, md, flags=re.M|re.S)


def relinked(text: str) -> str:
    "Links from the index to its neighbours, as seen from the root."
    def one(m): return f'{m[1]}(nbs/{m[2]}{m[3] or ""})' if (NBS/m[2]).exists() else m[0]
    return re.sub(r'(\[[^\]]*\])\(([^)\s#:]+)(#[^)\s]*)?\)', one, text)


def main(check: bool = False) -> int:
    old = {p: nb for p in notebooks() if p != INDEX and (nb := tables(p))}
    if check:
        for p in old: print(f'{p.relative_to(ROOT)}: shows other results than results/ holds; run: make prepare')
        nb, was = run(INDEX), json.loads(INDEX.read_text(encoding='utf-8'))
        same = to_markdown(was, True)[0] == to_markdown(nb, True)[0]
        same = same and README.exists() and README.read_text(encoding='utf-8') == to_markdown(nb)[0]
        if not same: print('README.md, nbs/index.ipynb: not what the index shows when it is run; run: make prepare')
        return len(old)+(not same)
    from nbdev.clean import clean_nb
    from fastcore.nbio import write_nb, dict2nb
    for p, nb in old.items(): write_nb(dict2nb(nb), p); print(f'{p.relative_to(ROOT)}: new results')
    nb = run(INDEX)
    clean_nb(nb)
    was, new = (to_markdown(o, True)[0] for o in (json.loads(INDEX.read_text(encoding='utf-8')), nb))
    if was != new: write_nb(dict2nb(nb), INDEX)  # pictures differ from machine to machine: kept while no word changes
    text, figures = to_markdown(json.loads(INDEX.read_text(encoding='utf-8')))
    for name, png in figures.items(): (ROOT/name).parent.mkdir(exist_ok=True); (ROOT/name).write_bytes(png)
    README.write_text(text, encoding='utf-8')
    print(f'README.md: {"unchanged" if was == new else "new text"}, {len(figures)} figures')
    return 0


if __name__ == '__main__': sys.exit(main('--check' in sys.argv[1:]))
