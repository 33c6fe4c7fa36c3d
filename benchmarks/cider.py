"""CIDEr-D of 10,000 reports by medvl and by pycocoevalcap, in one run; and the numbers that the tests compare with.

    pip install pycocoevalcap==1.2 sacrebleu==2.6.0 rouge-score==0.1.2
    python benchmarks/cider.py                                     # a minute or two, one thread
    python benchmarks/cider.py --write tests/captions.json         # what these packages say of 40 random reports

Equality comes first: every report's score must agree to 1e-4. Runs are interleaved; medians of process time. BLEU and
ROUGE-L of the same reports are timed, too."""
import argparse, json, random, sys
from pathlib import Path

import numpy as np

from _bench import interleave
from medvl.core import need
from medvl.eval.wording import Grams, bleu, bleu_counts, cider, rouge_l

WORDS = ('no there is are pleural effusion pneumothorax focal consolidation heart size normal enlarged mild '
         'moderate small left right lung lungs clear base opacity atelectasis edema pneumonia the of in with '
         'and unchanged lower upper lobe zone tube line catheter tip silhouette mediastinal contours bony '
         'thorax intact ').split()

def made(n, several, seed=0):
    "n random generated reports and their true ones: noisy copies; the first is empty, the second a copy."
    rng = random.Random(seed); out = []
    for i in range(n):
        true = [' '.join(rng.choices(WORDS, range(len(WORDS), 0, -1), k=rng.randint(4, 60)))
                for _ in range(rng.randint(1, 3) if several else 1)]
        words = [rng.choice(WORDS) if rng.random() < .3 else w for w in true[0].split() if rng.random() < .9]
        out.append(({0: '', 1: true[0]}.get(i, ' '.join(words) or 'no'), true))
    return [o[0] for o in out], [o[1] for o in out]

def published(hyps, refs):
    "Scores of pycocoevalcap: CIDEr of each report, BLEU-1 to 4, ROUGE-L of each."
    why = 'to compare with'
    Cider, Bleu, Rouge = (getattr(need(f'pycocoevalcap.{k}.{k}', why, 'pycocoevalcap'), k.capitalize())
                          for k in ('cider', 'bleu', 'rouge'))
    gts, res = dict(enumerate(refs)), {i: [h] for i, h in enumerate(hyps)}
    return (lambda: Cider().compute_score(gts, res)[1], lambda: Bleu(4).compute_score(gts, res, verbose=0)[0],
            lambda: Rouge().compute_score(gts, res)[1])

def write(path):
    "The file of the tests."
    out = []
    for several in (False, True):
        hyps, refs = made(40, several)
        c, b, r = (f() for f in published(hyps, refs))
        one = dict(hyps=hyps, refs=refs, pycocoevalcap={'CIDEr-D': list(c), 'BLEU': list(b), 'ROUGE-L': list(r)})
        if not several:
            why = 'to compare with'
            sb, rs = need('sacrebleu', why), need('rouge_score.rouge_scorer', why, 'rouge-score')
            scorer, true = rs.RougeScorer(['rougeL']), [o[0] for o in refs]
            b4 = sb.corpus_bleu(hyps, [true], tokenize='none', smooth_method='none').score/100
            one['sacrebleu'] = {'BLEU-4': b4}
            one['rouge-score'] = {'ROUGE-L F1': [scorer.score(t, h)['rougeL'].fmeasure for t, h in zip(true, hyps)]}
        out.append(one)
    Path(path).write_text(json.dumps(out, indent=1)+'\n', encoding='utf-8')

def main():
    p = argparse.ArgumentParser()
    p.add_argument('--n', type=int, default=10_000); p.add_argument('--repeat', type=int, default=3)
    p.add_argument('--write')
    a = p.parse_args()
    if a.write: return write(a.write)
    hyps, refs = made(a.n, False)
    theirs = published(hyps, refs)
    ours = [lambda f=f: f(Grams(hyps, refs)) for f in (cider, lambda g: bleu(bleu_counts(g)), rouge_l)]
    for name, f, g in zip(('CIDEr-D', 'BLEU-1 to 4', 'ROUGE-L'), ours, theirs):
        gap = float(np.abs(np.array(f())-np.array(g())).max())
        if gap > 1e-4: sys.exit(f'{name}: the scores differ by up to {gap:g}')
        t = interleave(dict(medvl=f, pycocoevalcap=g), a.repeat)
        print(f"{name:12s} of {a.n:,} reports: medvl {t['medvl']:6.2f} s, pycocoevalcap {t['pycocoevalcap']:6.2f} s, "
              f"{t['pycocoevalcap']/t['medvl']:5.1f} times; largest difference {gap:.1e}")

if __name__ == '__main__': main()
