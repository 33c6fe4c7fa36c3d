"""Sentences of one construction each, with the label that a radiologist would give.

`sentences.csv` was written before the labeller was run on it, and its rules were then mended. `sentences_held.csv`
holds eight batches; each was written, and counted once, before the rules were mended for it: `FIRST` has these counts.
So the error to expect on new sentences is that of the last batches when they were first read, not what is wrong today.
Where radiologists would differ, two labels are accepted. Beside them the count of `plain_rules`. With `-s` the wrong
sentences are printed."""
import csv
from collections import Counter
from pathlib import Path

import pytest

from medvl.data.report import chexpert_labels
from plain_rules import plain_label

HERE = Path(__file__).resolve().parent
FIRST = {'1': (7, 72), '2': (37, 140), '3': (8, 110), '4': (11, 122), '5': (7, 91), '6': (9, 100),
         '7': (3, 102), '8': (8, 60)}  # batch: wrong when it was first read, of how many
NAMES = {1.: 'present', 0.: 'absent', -1.: 'uncertain'}

def sheet(name):
    with open(HERE/name, newline='', encoding='utf-8') as f: return list(csv.DictReader(f))

def our_label(text, finding): return NAMES.get(chexpert_labels(text, hierarchy=False)[finding], 'unmentioned')

def wrong(rows, label=our_label):
    "The rows that `label` gets wrong, with what it says."
    said = [(r, label(r['sentence'], r['finding'])) for r in rows]
    return [(r, v) for r, v in said if v not in r['label'].split('|')]

@pytest.mark.parametrize('name,most', [('sentences.csv', .03), ('sentences_held.csv', .03)])
def test_sentences(name, most):
    rows = sheet(name); bad, plain = wrong(rows), wrong(rows, plain_label)
    for r, v in bad: print(f"{r['construction']}: {r['sentence']!r} {r['finding']}: {r['label']}, said {v}")
    print(f"{name}: {len(bad)} of {len(rows)} wrong; by plain rules {len(plain)}")
    assert len(bad) <= most*len(rows), [(r['sentence'], v) for r, v in bad]
    assert len(bad) < len(plain)

def test_the_sheet_is_one_construction_a_row():
    rows = sheet('sentences.csv'); held = sheet('sentences_held.csv')
    assert len(rows) >= 250 and Counter(r['batch'] for r in held) == {k: n for k, (_, n) in FIRST.items()}
    assert not {(r['sentence'], r['finding']) for r in rows} & {(r['sentence'], r['finding']) for r in held}
    assert max(Counter((r['sentence'], r['finding']) for r in rows).values()) == 1
    assert all(r['why'] and set(r['label'].split('|')) <= {*NAMES.values(), 'unmentioned'} for r in rows+held)
