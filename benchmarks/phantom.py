"The phantom: films a second, memory that stays flat, and reports held against the truth. python benchmarks/phantom.py [--reports 50000] [--films 2000] [--workers 2]"
import argparse, resource, time
from medvl.core import CHEXPERT
from medvl.data.report import chexpert_labels
from medvl.phantom.reports import contradictions, draw_texts
from medvl.phantom.calibration import calibrate
from medvl.phantom.set import iter_phantom, phantom_studies
from medvl.phantom.visits import truth_labels

def rss(): return int(open('/proc/self/statm').read().split()[1])*resource.getpagesize()/1e6

def speed(n, size, workers):
    "Films a second without the cache, in process time (one thread) or wall time (several processes)."
    clock = time.process_time if workers < 2 else time.perf_counter
    t = clock(); films = sum(len(s.views) for p in iter_phantom(n, 11, size, cache=False, workers=workers) for s in p)
    return films/(clock()-t)

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
        done += 1; bad += len(contradictions(r.claims, v)); t,s = truth_labels(v.findings), chexpert_labels(r.text)
        for k in CHEXPERT: wrong[k] += (s[k] == 1 and t[k] == 0) or (s[k] == 0 and t[k] == 1)
        if done >= n: break
    return done, bad, wrong

if __name__ == '__main__':
    ap = argparse.ArgumentParser(); ap.add_argument('--reports', type=int, default=50_000); ap.add_argument('--films', type=int, default=2_000)
    ap.add_argument('--workers', type=int, default=2); ap.add_argument('--calibrate', type=int, default=0, help='patients of the test set'); a = ap.parse_args()
    for size in (224, 128, 64): print(f'{size} px: {speed(20, size, 0):.1f} films/s of one thread, {speed(40, size, a.workers):.1f} films/s with {a.workers} processes')
    n, m = memory(a.films); print(f'{n} films: resident memory {" ".join(f"{o:.0f}" for o in m)} MB at each tenth')
    n, bad, wrong = texts(a.reports); print(f'{n} reports: {bad} claims denied by the state; read by the labeller against the truth: {({k: o for k,o in wrong.items() if o})}')
    if a.calibrate:
        ret, auc = calibrate(phantom_studies(2*a.calibrate, 3, 64, 'train', workers=a.workers), phantom_studies(a.calibrate, 3, 64, 'test', workers=a.workers)); print(ret, auc, sep='\n')
