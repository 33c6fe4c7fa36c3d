"""Modules:

- `medvl.commands.ground`: `medvl ground FILM "left pleural effusion" --model RUN --out map.png`: a phrase, and where the model sees it. `medvl eval grounding`: how often that is right.
- `medvl.commands.use`: `medvl search "left pleural effusion" --data FILMS` and `medvl predict FILM ...`: a trained model on films, without a line of code.
- `medvl.data.dicom`: A DICOM file step by step: is it a film, which bits are its picture, what its greys mean, through which window they are seen, and which of them is white.
- `medvl.data.manifest`: One table that any set of films can be written as: what its columns mean, how it is read, and how it is written.
- `medvl.data.pixels`: One grey float picture `[1 h w]` in [0,1], bones white, and a dictionary that says how it was made: what is let in, and when two are the same.
- `medvl.data.summary`: A set of studies on one page: films, texts, priors and labels by split, what can't be opened, and what leaks between splits.
- `medvl.data.table`: Reading and writing tables so that nothing is lost in between, and a log that says what was found, what was left out, and why.
- `medvl.eval.grounding`: A phrase, a film, and where a radiologist drew it: does the map lie there? Four measures, each solved by hand, and the rules that decide them written down.
- `medvl.eval.pool`: Each fold's model answers about its own patients; the answers are pooled, and whole patients are drawn for the interval.
- `medvl.files`: What a run leaves on disk: files that are written whole or not at all, JSON with its provenance, and one folder for what can be made again.
- `medvl.readers.chexpert`: 224,316 films of 65,240 patients of one hospital, 14 findings read from the reports by rules; later, with CheXpert Plus, the reports themselves.
- `medvl.readers.layout`: Every public set has its own tables, and all of them ask the same questions: where are the films, who is in which split, what do the labels mean, and is an empty cell a "no".
- `medvl.readers.mimic`: From the folder as it was downloaded to studies with reports, labels, laterals and priors. No script, no intermediate file.
- `medvl.readers.openi`: The Indiana University films with reports, as NLM publishes them, as Kaggle repacked them, and as the report generators use them.
- `medvl.readers.sections`: Which part of a MIMIC-CXR report describes the film: the rules by which everybody's `mimic_cxr_sectioned.csv` was made.
- `medvl.run.model`: One object for a trained model: embed films, search them with a sentence, name findings without labels, and see where a phrase lies. `medvl.load` makes it from a shipped name, a run, or the authors' file."""

import warnings
from importlib.metadata import PackageNotFoundError, version as _v

try: __version__ = _v('medvl')
except PackageNotFoundError: __version__ = '0+source'  # imported from a checkout that is not installed

# fastai compiles an activation as it is imported, and this torch warns of how; nothing of ours depends on it
warnings.filterwarnings('ignore', '`torch.jit.script` is deprecated', FutureWarning)

# what a person types first; each is imported when it is asked for, so that `import medvl` stays fast
_AT_HAND = dict(load='medvl.run.model', methods='medvl.core', read_image='medvl.data.image',
                read_studies='medvl.readers.find', phantom_studies='medvl.phantom.set')

def __getattr__(name):
    if name not in _AT_HAND: raise AttributeError(f"module 'medvl' has no attribute {name!r}")
    from importlib import import_module
    return getattr(import_module(_AT_HAND[name]), name)

def __dir__(): return sorted([*globals(), *_AT_HAND])
