"""The phantom: films a second, memory that stays flat over many films, the same bytes from the same seed, and reports
held against the truth. Writes results/phantom_speed.json.

    python benchmarks/phantom.py                  # speed, bytes, 20,000 films at 128 px; about half an hour
    python benchmarks/phantom.py --reports 50000  # also reports against the truth

Films a second are of wall time without the cache, one process and several in turns in one run; what else the machine
does is printed as its load (2 is full on two cores). Films per second of processor time, in one process, are what a
core of its own would give. The 20,000 films are drawn one after the other in one process (or `--film-workers 2`); the
highest resident memory within each quarter is noted, with the films a second so far. `python benchmarks/phantom.py
--hash` prints only what the comparison of bytes prints in its two processes. The aims: 12 films/s at 224 px and 30 at
128 px on two cores."""
import argparse, hashlib, os, re, statistics, subprocess, sys, time
from pathlib import Path

from medvl.core import CHEXPERT
from medvl.files import provenance, save_json
from medvl.data.report import chexpert_labels
from medvl.phantom.reports import contradictions, draw_texts
from medvl.phantom.set import fingerprint, iter_phantom
from medvl.phantom.visits import truth_labels

AIMS = {224: 12., 128: 30.}  # films/s on two cores

def load(): return round(os.getloadavg()[0], 1)

def _studies(n, size, workers, difficulty):
    return (s for p in iter_phantom(n, 11, size, difficulty=difficulty, cache=False, workers=workers) for s in p)

def speed(n, size, workers, difficulty):
    "Films a second without the cache: of wall time, of processor time (of this process)."
    t, cpu = time.perf_counter(), time.process_time()
    films = sum(len(s.views) for s in _studies(n, size, workers, difficulty))
    return films/(time.perf_counter()-t), films/(time.process_time()-cpu)

SHOTS = ('standard', 224), ('standard', 128), ('standard', 64), ('lifelike', 224), ('lifelike', 128)

def speeds(patients, repeat, workers):
    "One process and several, in turns."
    out = []
    for level, size in SHOTS:
        runs = [(*speed(patients, size, 0, level), speed(workers*patients, size, workers, level)[0], load())
                for _ in range(repeat)]
        one, cpu, many = (statistics.median(r[i] for r in runs) for i in (0, 1, 2))
        out.append(dict(difficulty=level, size=size, one=one, cpu=cpu, many=many, workers=workers,
                        best=max(r[2] for r in runs), load=[r[3] for r in runs], aim=AIMS.get(size)))
        o = out[-1]
        print(f"{level}, {size} px: {one:.1f} films/s in one process ({cpu:.1f} per second of processor time), "
              f"{many:.1f} in {workers} (best {o['best']:.1f}, aim {o['aim'] or '-'}); load {o['load']}", flush=True)
    return out

def high(pid='self'):
    "Highest resident memory of a process since `forget`, or its start, MB (Linux)."
    return int(re.search(r'VmHWM:\s+(\d+)', Path(f'/proc/{pid}/status').read_text())[1])/1024

def forget(): Path('/proc/self/clear_refs').write_text('5')

def children(): return [p for t in Path('/proc/self/task').iterdir() for p in (t/'children').read_text().split()]

def memory(n_films, size, workers):
    "Peak memory in each quarter of a stream of films, MB: of this process, of the largest that draws; films/s so far."
    seen, marks, t, cpu = 0, [], time.perf_counter(), time.process_time(); forget()
    for p in iter_phantom(10**6-1, 12, size, cache=False, workers=workers):
        seen += sum(len(s.views) for s in p)
        if seen >= (len(marks)+1)*n_films/4:
            marks.append(dict(films=seen, peak=high(), drawing=max(map(high, children()), default=high()),
                              wall=seen/(time.perf_counter()-t), load=load(),
                              cpu=None if workers > 1 else seen/(time.process_time()-cpu)))
            print(f'  {size} px:', {k: v if v is None else round(v, 1) for k, v in marks[-1].items()}, flush=True)
            forget()
        if seen >= n_films: break
    return marks

def bytes_of(patients, size, workers):
    "Hash over films, masks and reports."
    h = hashlib.blake2b(digest_size=16)
    for s in (s for p in iter_phantom(patients, 7, size, cache=False, workers=workers) for s in p):
        h.update(s.report.encode())
        for v in s.views:
            h.update(v.px.tobytes())
            for k in sorted(v.masks): h.update(k.encode()+v.masks[k].tobytes())
    return h.hexdigest()

def same(patients, size):
    "The same seed in two fresh processes, one of which draws with two processes of its own."
    def run(w):
        args = ['--hash', '--patients', str(patients), '--size', str(size), '--workers', str(w)]
        r = subprocess.run([sys.executable, __file__, *args], capture_output=True, text=True, check=True)
        return r.stdout.split()[-1]
    a, b = run(0), run(2)
    print(f"{patients} patients at {size} px, two processes: {a}, {b}: {'the same' if a == b else 'DIFFERENT'} bytes")
    if a != b: sys.exit('the same seed gave different bytes')
    return dict(patients=patients, size=size, hashes=[a, b])

def texts(n):
    "Reports against the state, by their claims and by the labeller; see also benchmarks/labels.py."
    done = bad = 0; wrong = dict.fromkeys(CHEXPERT, 0)
    for v, r in draw_texts(n, seed=10**7):
        t, s = truth_labels(v.findings), chexpert_labels(r.text)
        done += 1; bad += len(contradictions(r.claims, v))
        for k in CHEXPERT: wrong[k] += (s[k] == 1 and t[k] == 0) or (s[k] == 0 and t[k] == 1)
        if done >= n: break
    print(f'{done} reports: {bad} claims denied by the state; labels read otherwise than the truth: '
          f'{({k: o for k, o in wrong.items() if o})}')

def main():
    p = argparse.ArgumentParser()
    p.add_argument('--films', type=int, default=20_000); p.add_argument('--film-size', type=int, default=128)
    p.add_argument('--patients', type=int, default=20); p.add_argument('--repeat', type=int, default=3)
    p.add_argument('--workers', type=int, default=2); p.add_argument('--reports', type=int, default=0)
    p.add_argument('--film-workers', type=int, default=0)
    p.add_argument('--hash', action='store_true'); p.add_argument('--size', type=int, default=128)
    p.add_argument('--out', type=Path, default=Path(__file__).resolve().parent.parent/'results'/'phantom_speed.json')
    a = p.parse_args()
    if a.hash: print(bytes_of(a.patients, a.size, a.workers)); return
    made = provenance()
    print(f'{os.cpu_count()} cores, load {load()}, phantom {fingerprint()}', flush=True)
    rows = speeds(a.patients, a.repeat, a.workers)
    alike = same(a.patients, a.size)
    marks = memory(a.films, a.film_size, a.film_workers) if a.films else []
    if a.reports: texts(a.reports)
    save_json(a.out, dict(method='phantom', task='films a second', data='phantom, standard', metrics={}, rows=rows,
                          memory=dict(size=a.film_size, marks=marks), bytes=alike, cores=os.cpu_count(),
                          fingerprint=fingerprint(), provenance=made,
                          args={k: v for k, v in vars(a).items() if k not in ('out', 'hash')}))
    print(f'wrote {a.out.name}')

if __name__ == '__main__': main()
