"""The site: every notebook as a page of _docs/, with nothing asked from any other host.

    python tools/make_docs.py

nbdev's own pipeline needs the Quarto program. smalldocs reads the same `_quarto.yml` in plain Python; what it needs
beside is done here: pages are staged under their names without numbers (the addresses that nbdev's index knows), an
exported cell shows its code under a heading that can be linked to, names in backticks become links, equations become
MathML, the theme loses its web fonts, and a broken link fails the build.
"""
import ast, functools, html, json, re, shutil, sys, tempfile
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import yaml
from latex2mathml.converter import convert
from nbdev.config import get_config
from nbdev.doclinks import NbdevLookup
from smalldocs.config import load
from smalldocs.site import Site

from pages import NBS, ROOT, bound_names, cells, headline, joined, module, notebooks, page_name, split

DOCS = ROOT/'_docs'
IMPORT = ast.Import, ast.ImportFrom
# directives that a page is drawn by
KEPT = {'echo', 'output', 'include', 'code-fold', 'code-summary', 'label', 'fig-cap', 'fig-alt'}

SVG = ("<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'>"
       "<rect width='16' height='16' rx='3' fill='#17324d'/>"
       "<path d='M3 12V4l5 5 5-5v8' fill='none' stroke='#fff' stroke-width='2'/></svg>")
ICON = f'data:image/svg+xml,{quote(SVG)}'  # an M in the bar's blue, so that no browser asks for favicon.ico


def page_path(path: Path) -> str: return page_name(path).replace('.', '/')


# ---- cells -------------------------------------------------------------------------------------------------------

class Links:
    "Names in backticks to the page that defines them, by nbdev's index; `anchors` are those that pages really have."
    def __init__(self, anchors: set[str]):
        cfg = get_config(ROOT)
        self.lookup, self.base, self.anchors = NbdevLookup(), cfg.doc_host + cfg.doc_baseurl + '/', anchors

    def __call__(self, md: str, page: str = '', code: str = '') -> str:
        md = re.sub(re.escape(self.base) + r'([\w/]+\.html)(#[\w.]+)?', self.local, self.lookup.linkify(md))
        md = re.sub(r'\[`([a-z]+)`\]\((/[\w/]+\.html)#\w+\)', lambda m: self.meant(m, page, code), md)
        return re.sub(r'\[(`[^`\]]+`)\]\(nowhere\)', r'\1', md)

    def meant(self, m, page: str, code: str) -> str:
        "A plain word may be an argument or a value: it leads to what the page defines or imports, else nowhere."
        word, to = m[1], m[2]
        if to == f'/{page}.html': return m[0]
        found = re.search(rf'^from medvl\.([\w.]+) import (?:\([^)]*|[^(\n]*)\b{word}\b', code, re.M)
        at = f"{found[1].replace('.', '/')}.html#{word}" if found else ''
        return f'[`{word}`](/{at})' if at in self.anchors else f'`{word}`'

    def local(self, m) -> str:
        "An address of ours from the root of the site; a method leads to its class, a private name nowhere."
        page, at = m[1], (m[2] or '')[1:]
        while at and f'{page}#{at}' not in self.anchors and '.' in at: at = at.rpartition('.')[0]
        return f'/{page}#{at}' if f'{page}#{at}' in self.anchors else 'nowhere' if at else f'/{page}'


def patched(code: str) -> list[str]:
    "Methods that a cell adds to a class, as `Class.method`."
    def of(s): return [ast.unparse(d.args[0]) for d in s.decorator_list
                       if isinstance(d, ast.Call) and ast.unparse(d.func) == 'patch_to']
    return [f'{c}.{s.name}' for s in ast.parse(code).body if isinstance(s, ast.FunctionDef) for c in of(s)]


def public(code: str) -> list[str]:
    return [n for n in [*bound_names(code), *patched(code)] if not n.rpartition('.')[2].startswith('_')]


@functools.cache
def lines_of(path: Path) -> dict[str, int]:
    "Names that the built module defines, and their lines."
    body = ast.parse(path.read_text(encoding='utf-8')).body
    return {n: s.lineno for s in body for o in [ast.unparse(s)] for n in [*bound_names(o), *patched(o)]}


def exported(cell, code: str, mod: str, links: Links) -> list[dict]:
    "The cells that stand for an exported one: a heading to link to, with the way to the source, and the code."
    names, cfg = public(code), get_config(ROOT)
    if all(isinstance(s, IMPORT) for s in ast.parse(code).body): return []
    res = []
    if names:
        py = f'{mod.replace(".", "/")}.py'
        url = f'{cfg.git_url}/blob/{cfg.branch}/{py}#L{lines_of(ROOT/py).get(names[0], 1)}'
        title = ', '.join([names[0]] + [f'[{n}]{{#{n.lower()}}}' for n in names[1:]])
        res.append(markdown(f'[[source]({url})]{{.source-link}}\n\n#### {title} {{#{names[0].lower()}}}'))
    return res + [dict(cell, source=code)]


def statements(code: str) -> list:
    "The statements of a cell; none can be read of one with magics in it."
    try: return ast.parse(code).body
    except SyntaxError: return [None]


def preparing(code: str) -> bool:
    "Imports, and calls that only set something: no reader misses them."
    def sets(s): return isinstance(s, ast.Expr) and re.match(r'(torch\.set_|warnings\.|plt\.rc)', ast.unparse(s))
    found = statements(code)
    return any(isinstance(s, IMPORT) for s in found) and all(isinstance(s, IMPORT) or sets(s) for s in found)


def drawing(cell: dict, code: str) -> bool:
    "Several lines that only draw a figure, with nothing asserted: the figure comes first, its code on a click."
    pictures = [o for o in cell.get('outputs', []) if 'image/png' in o.get('data', {})]
    return bool(pictures) and 'plt.subplots' in code and 'test_' not in code and code.strip().count('\n') >= 6


def markdown(src: str) -> dict: return dict(cell_type='markdown', metadata={}, source=src)


def renamed(md: str, path: Path) -> str:
    "Links from notebook to notebook, which carry numbers, as links from page to page."
    def one(m):
        to = (path.parent/m[1]).resolve()
        return f'](/{page_path(to)}.ipynb{m[2] or ""})' if to.exists() and to.is_relative_to(NBS) else m[0]
    return re.sub(r'\]\(([^)\s#:]+\.ipynb)(#[^)\s]*)?\)', one, md)


def staged(path: Path, links: Links) -> dict:
    "The notebook as the site shows it."
    nb = json.loads(path.read_text(encoding='utf-8'))
    mod, out = module(path), []
    code_of = '\n'.join(joined(c['source']) for c in nb['cells'] if c['cell_type'] == 'code')
    linked = functools.partial(links, page=page_path(path), code=code_of)
    for c in nb['cells']:
        c['source'] = joined(c['source'])
        if c['cell_type'] != 'code':
            if c['cell_type'] == 'markdown': c['source'] = linked(renamed(c['source'], path))
            out.append(c); continue
        dirs, code = split(c['source'])
        if dirs.keys() & {'hide', 'default_exp'} or not code.strip(): continue
        if re.search(r'nbdev_export|^show_doc\(', code, re.M): continue
        if dirs.keys() & {'export', 'exports', 'exporti'}: out += exported(c, code, mod, links); continue
        if not c.get('outputs') and preparing(code): continue
        kept = {k: v for k, v in dirs.items() if k in KEPT}
        if drawing(c, code): kept.setdefault('code-fold', 'true'); kept['code-summary'] = 'How this is drawn'
        c['source'] = ''.join(f'#| {k}: {v}\n' for k, v in kept.items()) + code
        for o in c.get('outputs', []):
            data = o.get('data', {})
            if md := joined(data.get('text/markdown', '')): data['text/markdown'] = linked(renamed(md, path))
            if page := joined(data.get('text/html', '')): data['text/html'] = worded(page)
            if 'text' in o: o['text'] = settled(joined(o['text']))
        out.append(c)
    return dict(nb, cells=front_matter(out))


def settled(text: str) -> str:
    "What a terminal shows in the end: a line that goes back to its start writes over itself (progress bars)."
    return re.sub(r'[^\n]*\r(?!\n)(?: {9,})?', '', text)  # a bar is wiped out with spaces


def worded(page: str) -> str:
    "Tables of pandas that hold sentences are set as text; those of numbers stay aligned to the right."
    def one(m):
        long = any(len(o) > 24 for o in re.findall(r'<td[^>]*>([^<]*)</td>', m[0]))
        return m[0].replace('class="dataframe', 'class="words dataframe', 1) if long else m[0]
    return re.sub(r'<table[^>]*class="dataframe.*?</table>', one, page, flags=re.S)


def front_matter(cells: list[dict]) -> list[dict]:
    "The title and the sentence under it, from the first markdown cell to where the site looks for them."
    for c in cells:
        if c['cell_type'] == 'markdown' and (h := headline(c['source'])):
            title, says, c['source'] = h
            head = yaml.safe_dump({'title': title, 'description': says}, allow_unicode=True, width=1000)
            return [dict(cell_type='raw', metadata={}, source=f'---\n{head}---\n'), *cells]
    return cells


# ---- site --------------------------------------------------------------------------------------------------------

def sidebar(paths: list[Path]) -> list:
    "Pages in the order of reading, a section for each folder; only that of the page at hand is open."
    res, sections = [], {}
    for p in paths:
        page, top = page_path(p) + '.ipynb', page_path(p).split('/')[0]
        if '/' not in page: res.append(page); continue
        if top not in sections: sections[top] = []; res.append(dict(section=top.capitalize(), contents=sections[top]))
        sections[top].append(page)
    return res


def config(paths: list[Path], out: Path) -> dict:
    "`_quarto.yml`, with what pyproject.toml knows, and without what only Quarto can do."
    cfg, q = get_config(ROOT), yaml.safe_load((NBS/'_quarto.yml').read_text(encoding='utf-8'))
    q.pop('metadata-files', None); q['format'].pop('commonmark', None); q['format']['html'].pop('keep-md', None)
    q['project']['output-dir'] = str(out)
    web = q['website']
    web |= {'title': cfg.title, 'site-url': cfg.doc_host + cfg.doc_baseurl}
    web |= {'repo-url': cfg.git_url, 'repo-branch': cfg.branch}
    web['sidebar'] |= {'contents': sidebar(paths), 'collapse-level': 1}
    return q


def build(paths: list[Path], tmp: Path) -> Path:
    "Stage the pages below `tmp` and render them; the folder of the site."
    src, out = tmp/'src', tmp/'site'
    shown = [(page_path(p), n) for p in paths for c in cells(p) if c.exported for n in public(c.code)]
    links = Links({f'{page}.html#{name.lower()}' for page, name in shown})
    for p in paths:
        to = (src/page_path(p)).with_suffix('.ipynb'); to.parent.mkdir(parents=True, exist_ok=True)
        to.write_text(json.dumps(staged(p, links)), encoding='utf-8')
    (src/'_quarto.yml').write_text(yaml.safe_dump(config(paths, out), sort_keys=False), encoding='utf-8')
    shutil.copy(NBS/'styles.css', src)
    if (NBS/'images').is_dir(): shutil.copytree(NBS/'images', src/'images')
    site = Site(load(src), quiet=True); site.build()
    for w in site.warnings: print('note:', w)
    return out


def spaced(math: str) -> str:
    "Thin spaces around ln and its like, which MathML leaves to an operator that the converter doesn't write."
    fun, thin = r'<mi>(?:ln|log|exp|cos|sin)</mi>', '<mspace width="0.17em"/>'
    math = re.sub(rf'(?<!<msub>)(?<!<msup>)(?<!<munder>)({fun})(?!<mo stretchy="false">&#x00028;)', rf'\1{thin}', math)
    return re.sub(rf'(</mi>|</mn>|</msub>|</msup>|</mfrac>)({fun})', rf'\1{thin}\2', math)


def mathml(page: str, name: str) -> str:
    "Equations as MathML, which browsers draw by themselves; fails on a command that stays unread."
    def one(m):
        tex = html.unescape(m[2])
        res = re.sub(r'\\([_%&#${} ])', r'\1', convert(tex, display='block' if m[1] == '[' else 'inline'))
        if '\\' in res: raise SystemExit(f'{name}: equation not understood: {tex}')
        return spaced(res)
    page = re.sub(r'\\([\[(])(.+?)\\[\])](?=</span>)', one, page, flags=re.S)
    prose = re.sub(r'<(pre|code|script|style)\b.*?</\1>', '', page, flags=re.S)
    if left := re.search(r'\$\\[a-z][^<\n]*', prose): raise SystemExit(f'{name}: no equation was made of {left[0]}')
    return re.sub(r'<(link|script)[^>]*cdn\.jsdelivr\.net/npm/katex[^>]*>(</script>)?', '', page)


def finish(site: Path, paths: list[Path]):
    "What smalldocs leaves to the network is made to stand alone; a page's source is where the notebook lies."
    blob = f'{get_config(ROOT).git_url}/blob/{get_config(ROOT).branch}/'
    for p in site.rglob('*.html'):
        page = mathml(p.read_text(encoding='utf-8'), p.name)
        for o in paths: page = page.replace(f'{blob}{page_path(o)}.ipynb"', f'{blob}{o.relative_to(ROOT).as_posix()}"')
        p.write_text(page.replace('</head>', f'<link rel="icon" href="{ICON}">\n</head>', 1), encoding='utf-8')
    for p in site.rglob('*.css'):
        css = p.read_text(encoding='utf-8')
        font = r'@import\s*(?:url\(["\']?https?:[^)]*\)|"https?:[^"]*")[^;]*;'  # the address itself holds semicolons
        p.write_text(re.sub(font, '', css), encoding='utf-8')


# ---- links -------------------------------------------------------------------------------------------------------

LOADED = 'stylesheet', 'icon', 'preload', 'preconnect', 'modulepreload'  # kinds of <link> that a browser fetches


class Page(HTMLParser):
    "The ids, the links and the resources of a page."
    def __init__(self, text: str):
        super().__init__(); self.ids, self.links, self.loads = set(), [], []
        self.feed(text)
    def handle_starttag(self, tag, attrs):
        a = dict(attrs)
        if 'id' in a: self.ids.add(a['id'])
        if tag == 'a' and a.get('href'): self.links.append(a['href'])
        if tag in ('img', 'script', 'iframe', 'source') and a.get('src'): self.loads.append(a['src'])
        if tag == 'link' and a.get('rel') in LOADED: self.loads.append(a['href'])


def broken(site: Path) -> list[str]:
    "Internal links and resources that lead nowhere, and anything that a page would load from another host."
    text = {p.resolve(): p.read_text(encoding='utf-8') for p in site.rglob('*.html')}
    pages, bad = {p: Page(t) for p, t in text.items()}, []
    for path, page in pages.items():
        name = path.relative_to(site.resolve())
        bad += [f'{name}: a link inside of a link, {m[1]}' for m in re.finditer(r'</a>\]\(([^)<]*)\)', text[path])]
        for to in page.links + page.loads:
            u = urlsplit(to)
            if u.scheme == 'data' or to.startswith('mailto:'): continue
            if u.scheme or u.netloc:
                if to in page.loads: bad.append(f'{name}: loads {to}')
                continue
            at = (path.parent/unquote(u.path)).resolve() if u.path else path
            if at.is_dir(): at = at/'index.html'
            if not at.exists(): bad.append(f'{name}: {to}: no such file')
            elif u.fragment and at in pages and unquote(u.fragment) not in pages[at].ids:
                bad.append(f'{name}: {to}: no such anchor')
    for p in site.rglob('*.css'):
        m = re.search(r'(@import|url\()\s*["\']?(https?:)?//[^;)]*', p.read_text(encoding='utf-8'))
        if m: bad.append(f'{p.name}: loads {m[0]}')
    return sorted(set(bad))


def main() -> int:
    paths = notebooks()
    with tempfile.TemporaryDirectory() as d:
        site = build(paths, Path(d).resolve())
        finish(site, paths)
        bad = broken(site)
        for o in bad: print(o)
        shutil.rmtree(DOCS, ignore_errors=True)
        shutil.move(site, DOCS)
    print(f'_docs: {len(list(DOCS.rglob("*.html")))} pages, {len(bad)} broken links')
    return len(bad) > 0


if __name__ == '__main__': sys.exit(main())
