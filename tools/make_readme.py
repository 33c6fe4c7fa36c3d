"""README.md from nbs/index.ipynb: its prose, its code and the text that its cells printed.

    python tools/make_readme.py [--check]
"""
import json, re, sys
from pathlib import Path
from pages import NBS, ROOT, _split, notebooks, page_name

INDEX, README = NBS/'index.ipynb', ROOT/'README.md'


def joined(s) -> str: return s if isinstance(s, str) else ''.join(s)


def to_markdown(path: Path) -> str:
    "The notebook as plain markdown; figures come from nbs/images, so that no picture is stored twice."
    parts = []
    for c in json.loads(path.read_text(encoding='utf-8'))['cells']:
        dirs, src = _split(joined(c['source']))
        if c['cell_type'] == 'markdown': parts.append(joined(c['source']).strip())
        if c['cell_type'] != 'code' or dirs.keys() & {'hide', 'default_exp'} or dirs.get('include') == 'false': continue
        if src.strip() and dirs.get('echo') != 'false': parts.append(f'```python\n{src}\n```')
        for o in c['outputs']:
            data = o.get('data', {})
            if 'text/markdown' in data: parts.append(joined(data['text/markdown']).strip())
            elif o['output_type'] == 'stream': parts.append(f"```\n{joined(o['text']).rstrip()}\n```")
            elif 'text/plain' in data and 'image/png' not in data: parts.append(f"```\n{joined(data['text/plain'])}\n```")
    text = '\n\n'.join(o for o in parts if o)
    return '<!-- Made by tools/make_readme.py from nbs/index.ipynb: edit the notebook, not this file. -->\n\n' + relinked(text) + '\n'


def relinked(text: str) -> str:
    "Links between pages, as seen from the root: to the notebooks, which the forge renders."
    at = {page_name(p).replace('.', '/')+'.html': p.relative_to(ROOT).as_posix() for p in notebooks()}
    def fix(m):
        to = m[2]
        if '://' in to or to.startswith('#'): return m[0]
        if to in at: return f'{m[1]}({at[to]})'
        return f'{m[1]}(nbs/{to})' if (NBS/to).exists() else m[0]
    return re.sub(r'(\[[^\]]*\])\(([^)\s]+)\)', fix, text)


def main(check: bool = False) -> int:
    if not INDEX.exists(): print(f'{INDEX.relative_to(ROOT)} is missing'); return 1
    text = to_markdown(INDEX)
    same = README.exists() and README.read_text(encoding='utf-8') == text
    if check and not same: print('README.md: not what nbs/index.ipynb says; run: make prepare')
    if check: return not same
    if not same: README.write_text(text, encoding='utf-8')
    print('README.md:', 'unchanged' if same else 'written')
    return 0


if __name__ == '__main__': sys.exit(main('--check' in sys.argv[1:]))
