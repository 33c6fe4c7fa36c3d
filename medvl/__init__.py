"""Modules:

- `medvl.commands.eval`: `medvl eval`: retrieval and zero-shot classification of a trained model, its own scores, boxes, change between visits, published tests.
- `medvl.commands.ground`: `medvl ground FILM "left pleural effusion" --model RUN --out map.png`: a phrase, and where the model sees it. `medvl eval grounding`: how often that is right.
- `medvl.commands.study`: `medvl demo`: the whole way on phantom patients. `medvl ablate`: one thing changed at a time. `medvl crossval`: every patient tested once.
- `medvl.commands.use`: `medvl search "left pleural effusion" --data FILMS` and `medvl predict FILM ...`: a trained model on films, without a line of code.
- `medvl.data.dicom`: Reading a DICOM file step by step: is it a film, which bits are its picture, what do its greys mean, which window applies, and which value is white?
- `medvl.data.image`: Read a film from DICOM, PNG, JPEG or JSRT's raw format, recognised by the first bytes of the file rather than by its name.
- `medvl.data.pairing`: A film gets a report only by a key that is unique among films and among reports, and only if the two do not contradict each other.
- `medvl.data.pixels`: A film is one grey float picture `[1 h w]` in [0,1] with white bones, and a dictionary of how it was made: which pictures are accepted, and when two are the same.
- `medvl.data.report`: What a report states about the film: findings with polarity, side, severity and change, and labels derived from them.
- `medvl.data.show`: Thumbnails, rows of films with captions, and lists that stay short however long they are: what studies, loaders and results show of themselves in JupyterLab.
- `medvl.data.study`: A study is a visit with its films and its report; it is linked to the visit before it, and training takes samples from both.
- `medvl.data.summary`: A summary of a set of studies: films, texts, priors and labels by split, files that can't be opened, and leaks between splits.
- `medvl.data.tokens`: Tokenizing reports with any fast tokenizer or with a vocabulary of your own, which word a piece belongs to, and which texts are identical.
- `medvl.data.words`: The form of a report: sections, sentences and dictionary words, from any source, and the text that a model is trained on.
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
- `medvl.readers.chexpert`: Read CheXpert, 224,316 chest X-rays of 65,240 patients with 14 findings labelled by rules, and the reports of CheXpert Plus.
- `medvl.readers.covid`: Read the first public set of COVID-19 chest X-rays with clinical notes: one table, one folder of pictures, many small pitfalls.
- `medvl.readers.imagenome`: Read Chest ImaGenome: for 240,000 frontal films of MIMIC-CXR, boxes of 29 (and a few more) regions, and the report's phrases about each.
- `medvl.readers.jsrt`: Read JSRT, 247 chest X-rays of 1997, 154 of them with one lung nodule, and SCR, lungs, heart and clavicles drawn on all of them.
- `medvl.readers.mimic`: Read MIMIC-CXR as it was downloaded into studies with reports, labels, laterals and priors, without a script or an intermediate file.
- `medvl.readers.nih`: Read NIH ChestX-ray14, 112,120 frontal chest X-rays with findings that were mined from reports, and boxes on 880 of them.
- `medvl.readers.objectcxr`: Read Object-CXR, foreign objects on 10,000 chest X-rays as rectangles, ellipses and polygons in one cell of a table.
- `medvl.readers.openi`: Read the chest X-rays and reports of Indiana University, in the forms of NLM, of Kaggle, and of report generation (R2Gen).
- `medvl.readers.padchest`: Read PadChest, 160,861 chest X-rays of 67,625 patients of one Spanish hospital, with real dates and 193 findings with their places.
- `medvl.readers.rows`: Write our training pairs in the tables that the published code of ALTA and MRM reads, for comparisons on the same studies.
- `medvl.readers.siim`: Read SIIM-ACR Pneumothorax, masks as relative run lengths on 10,712 training films and 1,377 test films (labelled in stage 2).
- `medvl.run.cost`: Multiply-adds, memory and seconds of a training step, per sample and for whole trainings; and what ALTA's abstract says of both.
- `medvl.run.data`: Any set as studies and samples: a folder or a manifest by its path, which studies, whose splits, and what one sample is.
- `medvl.run.folds`: Every patient is tested once, by models that never saw him: tables of splits, a run a fold and system, answers side by side.
- `medvl.run.model`: One object for a trained model: embed films, search them with a sentence, name findings without labels, and see where a phrase lies. `medvl.load` makes it from a shipped name, a run, or the authors' file.
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
