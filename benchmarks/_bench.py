"What the benchmarks of losses and methods share: interleaved times, and peak memory in a process of its own."
import re, statistics, subprocess, sys, time
from pathlib import Path

def interleave(ways, repeat, pick=statistics.median):
    "Process time of each of `ways` (name -> function), in turns after one warm-up each; `pick` of the repetitions."
    for f in ways.values(): f()
    times = {k: [] for k in ways}
    for _ in range(repeat):
        for k, f in ways.items():
            t0 = time.process_time(); f(); times[k].append(time.process_time()-t0)
    return {k: pick(o) for k, o in times.items()}

def show(times, base, note=''):
    "One line a way: milliseconds, and how many times the one called `base`."
    for k, s in times.items(): print(f"  {k:44s} {s*1e3:9.1f} ms   {s/times[base]:5.2f} x{note}")

def high_water(reset=False):
    "Highest resident memory of this process in MB (Linux), since the start or the last reset."
    if reset: Path('/proc/self/clear_refs').write_text('5')
    return int(re.search(r'VmHWM:\s+(\d+)', Path('/proc/self/status').read_text())[1])/1024

def growth(f):
    "MB that `f()` adds to the resident memory at its highest."
    before = high_water(reset=True); f()
    return high_water() - before

def peak(script, *args):
    "What `script --peak ...` prints in a fresh process, in MB; None if it ended early."
    r = subprocess.run([sys.executable, script, '--peak', *map(str, args)], capture_output=True, text=True)
    return float(r.stdout.split()[-1]) if r.returncode == 0 else None
