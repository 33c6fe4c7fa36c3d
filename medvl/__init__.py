"""Modules:

- `medvl.cli`: `medvl` inspects data sets of chest X-rays, pretrains, aligns, evaluates and counts; every run writes a folder with its results and settings.
- `medvl.command`: Turn functions into commands: help texts from docments, without slow imports, and errors of one sentence instead of a traceback.
- `medvl.commands.count`: `medvl params` counts the parameters of a method and how many are trained. `medvl compute` counts the work of a training sample.
- `medvl.commands.data`: `medvl data` describes a set before training and makes manifests. `medvl phantom` writes simulated patients as files.
- `medvl.commands.eval`: `medvl eval` scores a trained model: retrieval, zero-shot classification, local scores, boxes, change between visits, published tests.
- `medvl.commands.ground`: `medvl ground` draws where a model sees a phrase on a film. `medvl eval grounding` scores such maps on a set with drawn regions.
- `medvl.commands.study`: `medvl demo` runs everything on phantom patients, `medvl ablate` changes one thing at a time, and `medvl crossval` tests every patient once.
- `medvl.commands.train`: `medvl pretrain` and `medvl align` train a model on a set of chest X-rays and write a folder with weights, log and settings; `medvl tune` trains a finished model further on one's own pairs.
- `medvl.commands.use`: `medvl search` finds films for a sentence and `medvl predict` findings on films, with a trained model and without code.
- `medvl.commands.zoo`: `medvl zoo list` says which published models there are, and `medvl zoo get` turns the authors' files into a folder that every other command takes.
- `medvl.data.dicom`: Reading a DICOM file step by step: is it a film, which bits are its picture, what do its greys mean, which window applies, and which value is white?
- `medvl.data.image`: Read a film from DICOM, PNG, JPEG or JSRT's raw format, recognised by the first bytes of the file rather than by its name.
- `medvl.data.pairing`: A film gets a report only by a key that is unique among films and among reports, and only if the two do not contradict each other.
- `medvl.data.pixels`: A film is one grey float picture `[1 h w]` in [0,1] with white bones, and a dictionary of how it was made: which pictures are accepted, and when two are the same.
- `medvl.data.report`: What a report states about the film: findings with polarity, side, severity and change, and labels derived from them.
- `medvl.data.show`: How studies, loaders and results are displayed in JupyterLab: thumbnails, rows of films with captions, and lists that are cut short.
- `medvl.data.study`: A study is a visit with its films and its report; it is linked to the visit before it, and training takes samples from both.
- `medvl.data.summary`: A summary of a set of studies: films, texts, priors and labels by split, files that can't be opened, and leaks between splits.
- `medvl.data.tokens`: Tokenizing reports with any fast tokenizer or with a vocabulary of your own, which word a piece belongs to, and which texts are identical.
- `medvl.data.words`: The form of a report: sections, sentences and dictionary words, from any source, and the text that a model is trained on.
- `medvl.eval.coverage`: Simulations of how often an interval contains the true value, and how often a p-value is below .05 without a difference.
- `medvl.eval.generate`: What can be written from a frozen tower? A small decoder is trained on its tokens, and has to beat the nearest training report.
- `medvl.eval.grounding`: Compare a model's map of a phrase with the region that a radiologist drew: contrast, overlap and pointing, with every rule stated.
- `medvl.eval.metrics`: Ranks, areas under curves and thresholds as pure functions on arrays, with confidence intervals, each with a case solved by hand.
- `medvl.eval.precision`: Precision at k by finding: of the ten reports ranked first for a film with an effusion, the share that mentions an effusion.
- `medvl.eval.protocols`: Published zero-shot and retrieval tests with an id, a hash, and a rule that builds the set from your copy of the data.
- `medvl.eval.temporal`: Classify the change of a finding between two films as improved, stable or worsened, with a linear head on frozen features as in MS-CXR-T.
- `medvl.losses.contrastive`: The contrastive losses of CLIP and SigLIP: a film is closer to its own report than to the others of the batch, and the report to its film.
- `medvl.methods.alta`: A vision model pretrained with masked records and a radiology BERT stay frozen, and small adapters align them, with up to four films per report.
- `medvl.methods.clip`: The plain dual encoder, from ConVIRT to CLIP: an encoder for films, one for reports, and a contrastive loss over the pairs of a batch.
- `medvl.methods.gloria`: A dual encoder with a second, local loss: every word of a report attends to the cells of the film, and a pair fits if its words resemble what they attend to.
- `medvl.methods.mmclip`: CLIP that also restores what film and report have in common: the patches that match the text, and the entities of the report; films without a report take part through prompts.
- `medvl.methods.mrm`: Pretraining by masked record modeling: three quarters of a film and half of its report's words are hidden, and both are reconstructed.
- `medvl.methods.place`: Visual observations of a film are aligned with the sentences of its report, and the report helps to predict which patches of the film resemble each other.
- `medvl.methods.siglip`: CLIP with a sigmoid instead of a softmax: each pair of a film and a report is classified by itself as matching or not.
- `medvl.methods.tune`: A finished model, one's own or a published one, is trained further on other pairs of films and reports, as a whole or in a small part.
- `medvl.models.decoder`: A small transformer that writes a report from a tower's tokens: teacher forcing, greedy and beam search with a key-value cache.
- `medvl.models.heads`: Projections into the shared space, removal of the component shared by all films, one vector for several films, and queries over patches.
- `medvl.models.norm`: Batch norm whose mean and variance are those of all rows of a batch that several processes share, forward and in the gradient.
- `medvl.models.vision`: Vision encoders from timm that return one global vector and a grid of local ones; a ViT computes only its visible patches.
- `medvl.phantom.anatomy`: The phantom's thorax in three dimensions, drawn once per patient: cage, lungs, heart and mediastinum as functions of space.
- `medvl.phantom.bones`: Thin structures as chains of points, and the skeleton drawn with them: ribs, clavicles, shoulder blades, sternum, spine.
- `medvl.phantom.calibration`: The difficulty of the phantom: an upper and a lower bound of retrieval, and the scores of cheap shortcuts in between.
- `medvl.phantom.findings`: CheXpert's observations as objects in three dimensions, so that masks, boxes and visibility of each are known on every film.
- `medvl.phantom.marks`: Four kinds of easily visible marks drawn on phantom films, each with a sentence and a place, as a simple test of grounding.
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
- `medvl.run.ablation`: ALTA with one setting changed at a time, several seeds of each variant, and paired differences with intervals over patients and seeds.
- `medvl.run.cost`: Multiply-adds, memory and seconds of a training step, per sample and for whole trainings, compared with the claims of ALTA's abstract.
- `medvl.run.folder`: The folder of a run: its arguments are written first, its results last, and a folder of a different run is never changed.
- `medvl.run.folds`: Cross-validation over patients: one run for each fold and system, with pooled scores on patients that the models have not seen.
- `medvl.run.model`: `medvl.load` returns a trained model that embeds films, searches them with a sentence, finds findings without labels, and draws heat maps of a phrase.
- `medvl.run.run`: One object for a training: method, start, recipe, arguments, data and seed. It builds, trains and scores a model, and does not repeat finished work.
- `medvl.run.score`: Load a trained model with its tokenizer and preset, and score it on retrieval, zero-shot classification and other tasks.
- `medvl.run.stages`: Several trainings on the same phantom patients, each with its own folder, scored together; finished stages are not repeated.
- `medvl.run.suite`: Zero-shot classification on ChestX-ray14, CheXpert, RSNA, SIIM, COVIDx and PadChest by name, with several wordings of every finding.
- `medvl.run.tuning`: A published, shipped or own model trained further on the films and reports of one's hospital, compared with the model that was given, and never replaced by a worse one in silence."""

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
