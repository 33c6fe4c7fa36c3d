"""Modules:

- `medvl.commands.eval`: `medvl eval`: retrieval and zero-shot classification of a trained model, its own scores, boxes, change between visits, published tests.
- `medvl.commands.ground`: `medvl ground FILM "left pleural effusion" --model RUN --out map.png`: a phrase, and where the model sees it. `medvl eval grounding`: how often that is right.
- `medvl.commands.study`: `medvl demo`: the whole way on phantom patients. `medvl ablate`: one thing changed at a time. `medvl crossval`: every patient tested once.
- `medvl.commands.use`: `medvl search "left pleural effusion" --data FILMS` and `medvl predict FILM ...`: a trained model on films, without a line of code.
- `medvl.data.dicom`: A DICOM file step by step: is it a film, which bits are its picture, what its greys mean, through which window they are seen, and which of them is white.
- `medvl.data.manifest`: One table that any set of films can be written as: what its columns mean, how it is read, and how it is written.
- `medvl.data.pixels`: One grey float picture `[1 h w]` in [0,1], bones white, and a dictionary that says how it was made: what is let in, and when two are the same.
- `medvl.data.summary`: A set of studies on one page: films, texts, priors and labels by split, what can't be opened, and what leaks between splits.
- `medvl.data.table`: Reading and writing tables so that nothing is lost in between, and a log that says what was found, what was left out, and why.
- `medvl.eval.grounding`: A phrase, a film, and where a radiologist drew it: does the map lie there? Four measures, each solved by hand, and the rules that decide them written down.
- `medvl.eval.pool`: Each fold's model answers about its own patients; the answers are pooled, and whole patients are drawn for the interval.
- `medvl.eval.robust`: How much does a method bear? Sentences that are missing, sides that are swapped, sentences of another patient, grain on a film.
- `medvl.eval.temporal`: Has the finding improved, stayed, or worsened? A linear read-out on the frozen features of the current and the prior film, in the manner of MS-CXR-T.
- `medvl.files`: What a run leaves on disk: files that are written whole or not at all, JSON with its provenance, and one folder for what can be made again.
- `medvl.methods.alta`: A vision model pretrained with masked records and a radiology BERT stay frozen, and small adapters align them, with up to four films per report.
- `medvl.methods.clip`: The plain dual encoder, from ConVIRT to CLIP: an encoder for films, one for reports, and a contrastive loss over the pairs of a batch.
- `medvl.methods.gloria`: A dual encoder with a second, local loss: every word of a report attends to the cells of the film, and a pair fits if its words resemble what they attend to.
- `medvl.methods.mrm`: Pretraining by masked record modeling: three quarters of a film and half of its report's words are hidden, and both are reconstructed.
- `medvl.methods.place`: Visual observations of a film are aligned with the sentences of its report, and the report helps to predict which patches of the film resemble each other.
- `medvl.methods.siglip`: CLIP with a sigmoid instead of a softmax: each pair of a film and a report is classified by itself as matching or not.
- `medvl.models.chunks`: Encode a few films and reports at a time, contrast all of them, then encode again with gradient: the step of the whole batch, in the memory of a part.
- `medvl.models.compute`: How much work is a sample, forward and backward, and how much memory: from a counter that looks at every operation, not from a formula.
- `medvl.models.guided`: Which patches and words to hide when the other half of the pair decides: patches that match the text, words that name something.
- `medvl.phantom.bones`: Thin structures as chains of points, and the skeleton drawn with them: ribs, clavicles, shoulder blades, sternum, spine.
- `medvl.readers.chexpert`: 224,316 films of 65,240 patients of one hospital, 14 findings read from the reports by rules; later, with CheXpert Plus, the reports themselves.
- `medvl.readers.layout`: Every public set has its own tables, and all of them ask the same questions: where are the films, who is in which split, what do the labels mean, and is an empty cell a "no".
- `medvl.readers.mimic`: From the folder as it was downloaded to studies with reports, labels, laterals and priors. No script, no intermediate file.
- `medvl.readers.openi`: The Indiana University films with reports, as NLM publishes them, as Kaggle repacked them, and as the report generators use them.
- `medvl.readers.sections`: Which part of a MIMIC-CXR report describes the film: the rules by which everybody's `mimic_cxr_sectioned.csv` was made.
- `medvl.run.cost`: Multiply-adds, memory and seconds of a training step, per sample and for whole trainings; and what ALTA's abstract says of both.
- `medvl.run.data`: Any set as studies and samples: a folder or a manifest by its path, which studies, whose splits, and what one sample is.
- `medvl.run.folds`: Every patient is tested once, by models that never saw him: tables of splits, a run a fold and system, answers side by side.
- `medvl.run.model`: One object for a trained model: embed films, search them with a sentence, name findings without labels, and see where a phrase lies. `medvl.load` makes it from a shipped name, a run, or the authors' file.
- `medvl.run.run`: One object for a training: the method, what it starts from, recipe, arguments, data and seed. It builds, trains, scores, and knows whether it was done before.
- `medvl.run.score`: A trained model and what belongs to it, films as it was trained on them, and the tasks that it can be asked: one function each.
- `medvl.run.train`: A method by its name, with whatever its constructor takes; tokenizer, loaders, learner; and one training, step by step.
- `medvl.toy`: Small batches, towers, studies and a training loop that the examples of the other pages share, and the boxes and arrows of their diagrams."""

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
