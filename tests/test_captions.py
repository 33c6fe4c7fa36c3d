"What pycocoevalcap 1.2, sacrebleu 2.6.0 and rouge-score 0.1.2 say of 40 random reports (benchmarks/cider.py --write)."
import json
from pathlib import Path

import numpy as np
import pytest

from medvl.eval.wording import Grams, bleu, bleu_counts, cider, rouge_l

CASES = json.loads((Path(__file__).parent/'captions.json').read_text(encoding='utf-8'))


def near(a, b): np.testing.assert_allclose(a, b, rtol=0, atol=1e-4)


@pytest.mark.parametrize('case', CASES, ids=('one true report', 'several'))
def test_pycocoevalcap(case):
    g, they = Grams(case['hyps'], case['refs']), case['pycocoevalcap']
    near(cider(g), they['CIDEr-D'])
    near(bleu(bleu_counts(g)), they['BLEU'])
    near(rouge_l(g), they['ROUGE-L'])
    assert min(they['CIDEr-D']) == 0 and max(they['ROUGE-L']) == 1  # an empty report and a copy are among them


def test_sacrebleu_and_rouge_score():
    case = CASES[0]; g = Grams(case['hyps'], case['refs'])
    near(bleu(bleu_counts(g))[3], case['sacrebleu']['BLEU-4'])
    near(rouge_l(g, 1.), case['rouge-score']['ROUGE-L F1'])


def test_the_two_cider_and_the_two_rouge_differ():
    g = Grams(CASES[0]['hyps'], CASES[0]['refs'])
    assert abs(cider(g)-cider(g, False)).max() > .1 and abs(rouge_l(g)-rouge_l(g, 1.)).max() > .001
