"""Reports a second: sections, sentences, entities, labels; and the dictionary's tree of words beside two other ways.

    python benchmarks/labeller.py          # Open-i's reports in torchxrayvision's wheel, one thread; about two minutes
    python benchmarks/labeller.py --n 500

Without torchxrayvision, reports are put together from sentences written here. The other ways are one regular
expression with all spellings as alternatives (the longest first), and a loop over the spellings with `str.find`.
Equality comes first: the alternation must give the same hits; the loop, which cannot know that a longer term has taken
a word, must give all of them and more. Runs are interleaved; medians of process time."""
import argparse, random, re, sys, tarfile, time, xml.etree.ElementTree as ET
from importlib.util import find_spec
from pathlib import Path

from _bench import interleave
from medvl.data.report import chexpert_labels, entities
from medvl.data.words import impression_findings, lexicon, lower, sections, sentences, words_known

WRITTEN = ['The heart is mildly enlarged.', 'No pleural effusion, pneumothorax or focal consolidation is seen.',
           'The lungs are clear.', 'Opacity may represent pneumonia.', 'Pneumonia cannot be excluded.',
           'Small left pleural effusion with basilar atelectasis, unchanged from the prior study.',
           'The endotracheal tube ends 4 cm above the carina.', 'Degenerative changes of the thoracic spine.']

def reports(n):
    "(texts, where they come from); texts are only counted, never shown."
    spec = find_spec('torchxrayvision')
    if spec is None:
        rng = random.Random(0)
        return ['FINDINGS: '+' '.join(rng.sample(WRITTEN, 6)) for _ in range(n)], 'sentences written here'
    with tarfile.open(Path(spec.submodule_search_locations[0])/'data'/'NLMCXR_reports.tgz') as t:
        roots = [ET.fromstring(t.extractfile(m).read()) for m in t if m.isfile()]
    parts = [[f"{a.get('Label')}: {a.text}" for a in r.iter('AbstractText') if a.text] for r in roots[:n]]
    return ['\n'.join(o) for o in parts], 'Open-i'

def spellings(node=None):
    "Every spelling in the tree that begins with a letter or digit."
    for k, v in (lexicon()['tree'] if node is None else node).items():
        if k == '': yield v[0]
        else: yield from spellings(v)

def alternation(terms):
    "One pattern with every spelling, the longest first."
    longest = sorted(terms, key=len, reverse=True)
    alts = '|'.join(re.escape(w).replace(r'\ ', r'[\s-]+').replace('/', r'\s*/\s*') for w in longest)
    return re.compile(rf"(?<![a-z0-9'])(?:{alts})(?![a-z0-9]|'[a-z])")

def main():
    p = argparse.ArgumentParser()
    p.add_argument('--n', type=int, default=4000); p.add_argument('--few', type=int, default=40)
    p.add_argument('--repeat', type=int, default=5)
    a = p.parse_args()
    texts, source = reports(a.n); few = [lower(t) for t in texts[:a.few]]
    t0 = time.process_time(); lexicon(); t_lex = time.process_time()-t0
    terms = sorted({w for w in spellings() if w[0].isalnum()})
    t0 = time.process_time(); one = alternation(terms); t_one = time.process_time()-t0
    word = {w: re.compile(rf"(?<![a-z0-9']){re.escape(w)}(?![a-z0-9]|'[a-z])") for w in terms}

    def tree(): return [{(h.start, h.end) for h in words_known(x) if h.key[0].isalnum()} for x in few]
    def alts(): return [{m.span() for m in one.finditer(x)} for x in few]
    def loop(): return [{m.span() for w in terms if w in x for m in word[w].finditer(x)} for x in few]
    few = [' '.join(x.replace('-', ' ').split()) for x in few]  # the loop knows no line breaks and hyphens
    found, other, more = tree(), alts(), loop()
    differ = sum(u != v for u, v in zip(found, other))
    if differ: sys.exit(f"tree and alternation differ in {differ} of {len(few)} texts")
    if not all(u <= v for u, v in zip(found, more)): sys.exit('the loop misses words that the tree has')
    times = interleave({'tree of words (medvl)': tree, 'one alternation': alts, 'loop over terms': loop}, a.repeat)
    base = times['tree of words (medvl)']
    print(f"{len(terms):,} spellings, {len(few)} texts, {sum(map(len, found)):,} hits, equal; "
          f"built in {t_lex:.2f} s (tree), {t_one:.2f} s (alternation)")
    for k, s in times.items(): print(f"  {k:26s} {len(few)/s:10,.0f} texts/s   {s/base:7.2f} x the time")

    n_words = sum(len(t.split()) for t in texts)/len(texts)
    print(f"{len(texts):,} reports ({source}), {n_words:.0f} words each, one core, median of {a.repeat}:")
    parts = (sections, sentences, impression_findings, entities, chexpert_labels)
    ways = {f.__name__: (lambda f=f: [f(t) for t in texts]) for f in parts}
    for k, s in interleave(ways, a.repeat).items(): print(f"  {k:26s} {len(texts)/s:10,.0f} reports/s")

if __name__ == '__main__': main()
