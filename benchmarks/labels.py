"""Our labeller against what is known: phantom reports, whose claims and whose truth are known, and published samples.

    python benchmarks/labels.py                             # 50,000 reports, one core; about three minutes
    python benchmarks/labels.py --chexpert chexpert-labeler # a checkout of stanfordmlgroup/chexpert-labeler

Three questions are kept apart. Does the labeller read what the report says (precision and recall against the claims
that the grammar wrote down with each sentence)? How often does a report not say what is there (phantom reports leave
out what can't be seen, as people do)? And where the labels contradict the truth, who did it: a report that leaves
something out and denies the rest, or the labeller?

The four sample reports and labels of chexpert-labeler (MIT, Irvin et al. 2019) are read from the checkout and only
counted; without it that part is not run. Writes results/labeller.json."""
import argparse, csv, hashlib, math
from collections import Counter
from pathlib import Path

from medvl.core import CHEXPERT, MedvlError
from medvl.files import provenance, save_json
from medvl.data.report import PARENT, chexpert_labels
from medvl.phantom.reports import contradictions, draw_texts
from medvl.phantom.visits import truth_labels

VALUE, NAME = dict(present=1., uncertain=-1., absent=0.), {1.: 'present', -1.: 'uncertain', 0.: 'absent'}
RANK = {1.: 3, -1.: 2, 0.: 1}

def claimed(claims):
    "Labels of what the sentences state, by the labeller's own rules of combination: present, then uncertain, absent."
    out = {}
    def up(k, v):
        if RANK[v] > RANK.get(out.get(k), 0): out[k] = v
    for c in claims:
        if c.name != 'No Finding': up(c.name, VALUE[c.polarity])
    for child, parent in PARENT.items():
        if out.get(child) in (1., -1.): up(parent, out[child])
    found = [v for k, v in out.items() if k != 'Support Devices']
    none = any(c.name == 'No Finding' for c in claims) or bool(found)
    if none and not any(found): out['No Finding'] = 1.
    return {k: NAME.get(out.get(k), 'unsaid') for k in CHEXPERT}

def words(lbl): return {k: NAME.get(v, 'unsaid') for k, v in lbl.items()}

def wilson(k, n, z=1.96):
    "A share and its 95 % interval (Wilson 1927)."
    if not n: return None
    p, d = k/n, 1+z*z/n
    mid, half = (p+z*z/2/n)/d, z/d*math.sqrt(p*(1-p)/n+z*z/4/n/n)
    return dict(value=p, low=mid-half, high=mid+half)

def count(n, seed):
    "Counters over `n` reports: (finding, said, read), (finding, true, said), and contradictions by who made them."
    read, told, against, denied, done = Counter(), Counter(), Counter(), 0, 0
    for v, r in draw_texts(n, seed=seed):
        t, c, s = truth_labels(v.findings), claimed(r.claims), words(chexpert_labels(r.text))
        denied += len(contradictions(r.claims, v)); done += 1
        for k in CHEXPERT:
            read[k, c[k], s[k]] += 1; told[k, t[k], c[k]] += 1
            if (t[k], s[k]) in ((0., 'present'), (1., 'absent')):
                against[k, s[k], 'report' if c[k] == s[k] else 'labeller'] += 1
        if done >= n: break
    return read, told, against, denied

def scores(read, k, value):
    "Precision and recall of one finding and value; numbers behind them."
    hit = read[k, value, value]
    got = sum(n for (f, _, s), n in read.items() if f == k and s == value)
    want = sum(n for (f, c, _), n in read.items() if f == k and c == value)
    return dict(said=want, read=got, hit=hit, precision=hit/got if got else None, recall=hit/want if want else None)

def row(k, read, told, against):
    "One finding."
    out = dict(finding=k)
    for v in VALUE: out[v] = scores(read, k, v)
    true = {c: told[k, 1., c] for c in ('present', 'uncertain', 'unsaid', 'absent')}
    n = sum(true.values())
    out['truth'] = dict(present=n, **{f'said {c}': m/n if n else None for c, m in true.items()})
    out['contradictions'] = {who: sum(m for (f, _, w), m in against.items() if f == k and w == who)
                             for who in ('report', 'labeller')}
    return out

def samples(folder):
    "Cells of chexpert-labeler's published samples beside ours, one name a child's parent apart (hierarchy=False)."
    a, b = folder/'sample_reports.csv', folder/'labeled_reports.csv'
    for p in (a, b):
        if not p.is_file(): raise MedvlError(f"{p}: no such file; expected stanfordmlgroup/chexpert-labeler")
    with open(a, newline='', encoding='utf-8') as f: texts = [r[0] for r in csv.reader(f) if r]
    with open(b, newline='', encoding='utf-8') as f: theirs = list(csv.DictReader(f))
    if [t['Reports'] for t in theirs] != texts: raise MedvlError(f"{b}: its reports are not those of {a.name}")
    read, differ = Counter(), []
    for i, (x, t) in enumerate(zip(texts, theirs)):
        want = {k: NAME.get(float(t[k] or 'nan'), 'unsaid') for k in CHEXPERT}
        got = words(chexpert_labels(x, hierarchy=False))
        for k in CHEXPERT:
            read[k, want[k], got[k]] += 1
            if want[k] != got[k]: differ.append(dict(report=i+1, finding=k, theirs=want[k], ours=got[k]))
    rows = [dict(finding=k) | {v: scores(read, k, v) for v in VALUE} for k in CHEXPERT]
    rows = [r for r in rows if any(r[v]['said'] or r[v]['read'] for v in VALUE)]
    return dict(source='github.com/stanfordmlgroup/chexpert-labeler (MIT), sample_reports.csv, labeled_reports.csv',
                sha256=hashlib.sha256(a.read_bytes()).hexdigest()[:16], reports=len(texts),
                cells=len(texts)*len(CHEXPERT),
                mentioned=sum(n for (_, c, _), n in read.items() if c != 'unsaid'),
                same=sum(n for (_, c, s), n in read.items() if c == s),
                mentioned_same=sum(n for (_, c, s), n in read.items() if c == s != 'unsaid'), differ=differ, rows=rows)

def share(x): return '    -' if x is None else f'{x:5.3f}'

def main():
    p = argparse.ArgumentParser()
    p.add_argument('--reports', type=int, default=50_000); p.add_argument('--seed', type=int, default=10**7)
    p.add_argument('--chexpert', type=Path, help='checkout of stanfordmlgroup/chexpert-labeler')
    p.add_argument('--out', type=Path, default=Path(__file__).resolve().parent.parent/'results'/'labeller.json')
    a = p.parse_args()
    made = provenance()
    read, told, against, denied = count(a.reports, a.seed)
    rows = [row(k, read, told, against) for k in CHEXPERT]
    print(f'{a.reports:,} phantom reports from patient {a.seed} on: {denied} claims denied by the state')
    print(f'{"":28s}{"present: n     P     R":>23s}{"uncertain: n     P     R":>26s}{"absent: n     P     R":>25s}'
          f'{"true: unsaid":>14s}{"against the truth: report, labeller":>37s}')
    for r in rows:
        cells = ''.join(f"{r[v]['said']:>{w}} {share(r[v]['precision'])} {share(r[v]['recall'])}"
                        for v, w in (('present', 11), ('uncertain', 14), ('absent', 13)))
        print(f"{r['finding']:28s}{cells}{share(r['truth']['said unsaid']):>14s}"
              f"{r['contradictions']['report']:>28d} {r['contradictions']['labeller']:>8d}")
    every = {v: {o: sum(r[v][o] for r in rows) for o in ('said', 'read', 'hit')} for v in VALUE}
    metrics = {f'{q} of {v}, all findings': wilson(o['hit'], o[d]) for v, o in every.items()
               for q, d in (('precision', 'read'), ('recall', 'said'))}
    metrics = {k: m for k, m in metrics.items() if m}
    for k, m in metrics.items(): print(f"{k:40s} {m['value']:.4f} ({m['low']:.4f} to {m['high']:.4f})")
    published = samples(a.chexpert) if a.chexpert else None
    if published:
        o = published
        print(f"chexpert-labeler's samples: {o['mentioned_same']} of {o['mentioned']} labels that it gives are ours, "
              f"{o['same']} of {o['cells']} cells alike; otherwise:")
        for d in o['differ']: print(f"  report {d['report']}, {d['finding']}: {d['theirs']}, ours {d['ours']}")
    else: print("chexpert-labeler's samples: not run (--chexpert)")
    args = dict(reports=a.reports, seed=a.seed, chexpert=a.chexpert is not None)
    save_json(a.out, dict(method='labeller', task='labels of reports', data=f'phantom, {a.reports:,} reports',
                          args=args, metrics=metrics, provenance=made, claims_denied_by_state=denied, rows=rows,
                          samples=published))
    print(f'wrote {a.out.name}')

if __name__ == '__main__': main()
