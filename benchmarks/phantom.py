"""The phantom: films a second, memory that stays flat, and reports held against the truth.

    python benchmarks/phantom.py --reports 50000 --films 2000 --workers 2
    python benchmarks/phantom.py --calibrate 500    # also what can be learned of it, with 500 patients in the test set

The ratio of one process to several is of wall time, in turns in one run."""
import argparse, resource, statistics, time

from medvl.core import CHEXPERT
from medvl.data.report import chexpert_labels
from medvl.phantom.reports import contradictions, draw_texts
from medvl.phantom.calibration import calibrate
from medvl.phantom.set import iter_phantom, phantom_studies
from medvl.phantom.visits import truth_labels

def rss(): return int(open('/proc/self/statm').read().split()[1])*resource.getpagesize()/1e6

def speed(n, size, workers):
    "Films a second without the cache, in wall time."
    t, patients = time.perf_counter(), iter_phantom(n, 11, size, cache=False, workers=workers)
    films = sum(len(s.views) for p in patients for s in p)
    return films/(time.perf_counter()-t)

def memory(n_films):
    "Resident memory along a stream of films."
    seen, marks = 0, []
    for p in iter_phantom(10**6-1, 12, 64, cache=False):
        seen += sum(len(s.views) for s in p)
        if seen >= (len(marks)+1)*n_films/10: marks.append(rss())
        if seen >= n_films: break
    return seen, marks

def texts(n):
    "Reports against the state, by their claims and by the labeller."
    done = bad = 0; wrong = dict.fromkeys(CHEXPERT, 0)
    for v,r in draw_texts(n, seed=10**7):
        t, s = truth_labels(v.findings), chexpert_labels(r.text)
        done += 1; bad += len(contradictions(r.claims, v))
        for k in CHEXPERT: wrong[k] += (s[k] == 1 and t[k] == 0) or (s[k] == 0 and t[k] == 1)
        if done >= n: break
    return done, bad, wrong

def main():
    p = argparse.ArgumentParser()
    p.add_argument('--reports', type=int, default=50_000); p.add_argument('--films', type=int, default=2_000)
    p.add_argument('--workers', type=int, default=2); p.add_argument('--calibrate', type=int, default=0)
    a = p.parse_args()
    for size in (224, 128, 64):
        runs = [(speed(20, size, 0), speed(40, size, a.workers)) for _ in range(3)]
        one, many = map(statistics.median, zip(*runs))
        print(f'{size} px: {one:.1f} films/s in one process, {many:.1f} in {a.workers}: {many/one:.2f} x')
    n, m = memory(a.films)
    said = ' '.join(f'{o:.0f}' for o in m)
    print(f'{n} films: resident memory {said} MB at each tenth, last to first {m[-1]/m[0]:.2f} x')
    n, bad, wrong = texts(a.reports)
    print(f'{n} reports: {bad} claims denied by the state; labels read otherwise than the truth: '
          f'{({k: o for k,o in wrong.items() if o})}')
    if not a.calibrate: return
    sets = [phantom_studies(k*a.calibrate, 3, 64, split, workers=a.workers) for k, split in ((2,'train'), (1,'test'))]
    print(*calibrate(*sets), sep='\n')

if __name__ == '__main__': main()
