"""How the files of tests/generated are run: one test per heading of the notebook, all in one namespace.

A failure names the notebook, the heading and the cell. A later section of the same notebook is then skipped, since it
may need what the failed one should have defined; asked for alone (`-k`), a section runs those before it first.
"""
import os, re, sys, types
from pathlib import Path
import pytest

os.environ.setdefault('MPLBACKEND', 'Agg')
ROOT = Path(__file__).resolve().parent.parent
MARK = re.compile(r'^# %% \[(\d+)\] (.*)$', re.M)


def pytest_pycollect_makemodule(module_path, parent):
    if module_path.parent == ROOT/'tests'/'generated': return Page.from_parent(parent, path=module_path)


class Page(pytest.File):
    "One generated file: its sections, the namespace they share, and how far it was run."
    def collect(self):
        text = self.path.read_text(encoding='utf-8')
        self.notebook, self.failed = text[2:].split(':', 1)[0], None
        marks = list(MARK.finditer(text))
        self.todo = []  # (heading, cell number, line of its marker, code), in order
        for m, end in zip(marks, [o.start() for o in marks[1:]]+[len(text)]):
            self.todo.append((m[2], int(m[1]), text.count('\n', 0, m.start()), text[m.start():end]))
        for head in dict.fromkeys(o[0] for o in self.todo): yield Section.from_parent(self, name=head)

    def setup(self):
        self.mod = types.ModuleType(self.path.stem)
        self.mod.__file__ = str(self.path)
        sys.modules[self.path.stem] = self.mod
        from IPython.display import display
        self.mod.display = display  # notebooks have it without an import

    def teardown(self): sys.modules.pop(self.path.stem, None)


class Section(pytest.Item):
    "The cells under one heading."
    cell = 0

    def runtest(self):
        page = self.parent
        if page.failed: pytest.skip(f'not run: {page.failed!r} failed before it')
        last = max((i for i, o in enumerate(page.todo) if o[0] == self.name), default=-1)  # -1: it was run before
        here, env = os.getcwd(), dict(os.environ)
        os.chdir(getattr(page, 'cwd', (ROOT/page.notebook).parent))  # as a kernel: where the section before left it
        os.environ.update(getattr(page, 'env', {}))
        try:
            for head, self.cell, line, code in page.todo[:last+1]:
                self.head = head
                exec(compile('\n'*line + code, str(page.path), 'exec'), page.mod.__dict__)
            del page.todo[:last+1]
        except BaseException: page.failed = self.name; raise
        finally:
            page.cwd, page.env = os.getcwd(), dict(os.environ)
            os.chdir(here); os.environ.clear(); os.environ.update(env)
            if 'matplotlib.pyplot' in sys.modules: sys.modules['matplotlib.pyplot'].close('all')

    def repr_failure(self, excinfo, style=None):
        excinfo.traceback = excinfo.traceback.cut(path=self.path)
        return f'{self.parent.notebook}, "{self.head}", cell {self.cell}\n{excinfo.getrepr(style="short")}'

    def reportinfo(self): return self.path, None, f'{self.parent.notebook} | {self.name}'
