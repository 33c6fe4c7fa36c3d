# nbs/command.ipynb: runs against the imported medvl.command.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] From function to command
import ast, importlib.util, inspect, io, re, sys, textwrap, tokenize
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import cache, wraps
from pathlib import Path
from typing import Annotated
import typer

# %% [4] From function to command
import subprocess, tempfile
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import Literal
from fastcore.test import *
from typer.testing import CliRunner
from medvl.core import MedvlError

# %% [6] Help from docments, without importing anything
from medvl.command import (_parsed, comments, _text, docs_of, named)

# %% [7] Help from docments, without importing anything
src = '''
def f(a:int, # how many
      b, c, # two on a line: whose is it?
      *, d=1 # the last
     ): pass
class C:
    def __init__(self, lr:float=1 # step size
                ): pass
class D:
    bs:int = 8  # at a time
'''
test_eq(comments(src, 'f'), {'a': 'how many', 'd': 'the last'})
test_eq(comments(src, 'C'), {'lr': 'step size'}); test_eq(comments(src, 'D'), {'bs': 'at a time'})
test_fail(lambda: comments(src, 'g'), contains="no function or class 'g'", exc=LookupError)
test_eq(docs_of('medvl.eval.retrieval:retrieval')['ks'], 'list lengths')
from medvl.core import methods
test_eq(named('one of {medvl.core:methods}'), f"one of {', '.join(methods)}")

# %% [9] Help from docments, without importing anything
def fresh(code): # run in a new interpreter; the last line says which heavy modules it has imported
    heavy = ('torch','timm','transformers','matplotlib','sklearn')
    code += f"; import sys; print([m for m in {heavy} if m in sys.modules])"
    return subprocess.run([sys.executable, '-c', code], capture_output=True, text=True).stdout.strip()
test_eq(fresh("from medvl.command import docs_of; docs_of('medvl.eval.zeroshot:zeroshot')"), '[]')

# %% [11] From function to command
from medvl.command import (ARG, LOOK, _foreseen, _sentence, _guarded, _option, command)

# %% [13] From function to command
toy = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)
@toy.callback()
def _(): pass

@dataclass
class Ways:
    way:Literal['plain','odd'] = 'plain'

@command(toy, 'add', {'way': 'how'}, 'medvl.eval.retrieval:retrieval', also={'ks': '--k'})
def add(a:int=ARG, # first number
        ks:int=3,
        opts:Ways=Ways('plain') # in groups, these need no words
       ):
    "Add numbers."
    if opts.way == 'odd': raise MedvlError(f"Exception occured in `ResumeCB`:\n\ta={a} cannot be\nadded oddly")
    print(a+ks)

run = CliRunner().invoke
print(run(toy, ['add','--help']).output)
h = run(toy, ['add','--help']).output
for o in ('first number', 'how', 'list lengths', 'show the traceback'): assert o in h, o
test_eq(run(toy, ['add','2']).output.strip(), '5')
test_eq([run(toy, ['add','2',o,'4']).output.strip() for o in ('--ks','--k')], ['6','6'])
r = run(toy, ['add','2','--way','odd'])
test_eq((r.exit_code, r.output.strip()), (2, 'Error: a=2 cannot be; added oddly'))
test_eq(type(run(toy, ['add','2','--way','odd','--debug']).exception).__name__, 'MedvlError')
def lone(x:int=1): pass
test_fail(lambda: command(toy, 'lone')(lone), contains="lone: 'x' has no comment", exc=LookupError)
