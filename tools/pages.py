"What the other tools know of the notebooks: which there are, in which order they are read, what their cells say."
import ast, json, re
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NBS = ROOT/'nbs'
# in the order of reading
FOLDERS = ['', 'tutorials', 'core', 'files', 'data', 'models', 'losses', 'readers', 'phantom', 'methods', 'train',
           'eval', 'run', 'command', 'commands', 'cli', 'toy']
# tutorials have no numbers
TUTORIALS = ['quickstart', 'first_training', 'own_data', 'mimic', 'results', 'ablations', 'claims']
SKIP = {'slow', 'cuda', 'notest'}  # as `tst_flags` of pyproject.toml
_dir = re.compile(r'^\s*#\|\s*([\w-]+)\s*:?\s*(.*?)\s*$')


@dataclass
class Cell:
    "One code cell: its place, the heading it stands under, its directives and its code without them."
    n: int  # 1 for the first cell of the notebook, prose counted too
    heading: str
    code: str
    dirs: dict[str, str] = field(default_factory=dict)

    @property
    def exported(self) -> bool: return bool(self.dirs.keys() & {'export', 'exports', 'exporti'})
    @property
    def runs(self) -> bool:
        "Is this an example that can run as plain Python?"
        if self.exported or self.dirs.keys() & (SKIP|{'default_exp'}): return False
        if self.dirs.get('eval', '').lower() == 'false': return False
        return not re.search(r'^\s*[%!]|nbdev_export|^show_doc\(', self.code, re.M)


def notebooks(root: Path|None = None) -> list[Path]:
    "Every notebook, in the order of reading: the index, a folder after the other, by number inside it."
    root = root or NBS
    def key(p):
        parts = p.relative_to(root).with_suffix('').parts
        top = '' if parts == ('index',) else re.sub(r'^\d+_', '', parts[0])
        at = TUTORIALS.index(parts[-1]) if top == 'tutorials' and parts[-1] in TUTORIALS else len(TUTORIALS)
        return FOLDERS.index(top) if top in FOLDERS else len(FOLDERS), at, str(p)
    found = [p for p in root.rglob('*.ipynb') if not any(o[0] in '._' for o in p.relative_to(root).parts)]
    return sorted(found, key=key)


def headline(md: str) -> tuple[str, str, str]|None:
    "Title, the sentence quoted under it, and the rest of a cell that begins with a title."
    if not (m := re.match(r'# (.+)\n*((?:> .+\n?(?:.+\n?)*)?)', md)): return None
    return m[1].strip(), ' '.join(o.removeprefix('> ').strip() for o in m[2].splitlines()), md[m.end():]


def says(path: Path) -> str:
    "The sentence under the title of the notebook at `path`, whole."
    prose = [joined(c['source']) for c in json.loads(path.read_text(encoding='utf-8'))['cells']
             if c['cell_type'] == 'markdown']
    return next((h[1] for h in map(headline, prose) if h), '')


def joined(s: str|list[str]) -> str:
    "The text of a notebook's field, which may be stored as lines."
    return s if isinstance(s, str) else ''.join(s)


def split(src: str) -> tuple[dict, str]:
    "The directives at the top of a cell, and the code after them."
    lines, dirs = src.split('\n'), {}
    while lines and (not lines[0].strip() or _dir.match(lines[0])):
        if m := _dir.match(lines.pop(0)): dirs[m[1]] = m[2]
    return dirs, '\n'.join(lines).rstrip()


def headings(md: str) -> list[str]:
    "The headings of a markdown cell, without those inside code fences."
    prose = re.sub(r'^```.*?^```', '', md, flags=re.M|re.S)
    return [m[1].strip() for m in re.finditer(r'^#{1,4}\s+(.+)$', prose, re.M)]


def cells(path: Path) -> list[Cell]:
    "The code cells of the notebook at `path`."
    res, head = [], path.stem
    for i, c in enumerate(json.loads(path.read_text(encoding='utf-8'))['cells'], 1):
        src = joined(c['source'])
        if c['cell_type'] == 'markdown' and (hs := headings(src)): head = hs[-1]
        if c['cell_type'] == 'code' and src.strip(): dirs, code = split(src); res.append(Cell(i, head, code, dirs))
    return res


def module(path: Path) -> str|None:
    "The module that the notebook exports to, such as 'medvl.data.image'; None for a page that exports nothing."
    return next((f"medvl.{c.dirs['default_exp']}" for c in cells(path) if 'default_exp' in c.dirs), None)


def page_name(path: Path) -> str:
    "The dotted name that the path stands for, without numbers: nbs/data/12_image.ipynb -> data.image."
    return '.'.join(re.sub(r'^\d+[a-z]?_', '', o) for o in path.relative_to(NBS).with_suffix('').parts)


def bound_names(code: str) -> list[str]:
    "Names that top-level statements of `code` define (imports apart), in order."
    def targets(t):
        if isinstance(t, ast.Name): return [t.id]
        if isinstance(t, ast.Starred): return targets(t.value)
        return [n for e in getattr(t, 'elts', []) for n in targets(e)]
    def walk(body):
        for s in body:
            if isinstance(s, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                by = [ast.unparse(d).split('(')[0] for d in s.decorator_list]
                if not {'patch', 'patch_to'} & set(by): yield s.name
            elif isinstance(s, ast.Assign): yield from (n for t in s.targets for n in targets(t))
            elif isinstance(s, (ast.AnnAssign, ast.AugAssign)): yield from targets(s.target)
            elif isinstance(s, (ast.If, ast.Try, ast.With, ast.For, ast.While)):
                caught = [x for h in getattr(s, 'handlers', []) for x in h.body]
                yield from walk(s.body + getattr(s, 'orelse', []) + caught)
    return list(dict.fromkeys(walk(ast.parse(code).body)))


def import_lines(code: str) -> list[str]:
    "The top-level import statements of `code`, as written."
    return [ast.get_source_segment(code, s) for s in ast.parse(code).body
            if isinstance(s, (ast.Import, ast.ImportFrom)) and getattr(s, 'module', '') != '__future__']
