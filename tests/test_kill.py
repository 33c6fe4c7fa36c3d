"""ALTA's training killed with SIGKILL at a random step, five times: each run, gone on with, ends with the weights of
the run that nobody killed.

`medvl align alta --resume` in processes of their own, on phantom patients. One process imports everything and forks
a child for each run, so that five kills cost seconds. A checkpoint is written every third step, so a kill loses up to
two steps, and mostly falls into the middle of an epoch; the random state of hidden patches, hidden words, dropout,
augmentation and order comes back with it. Equal means equal: not one bit of a weight may differ.
"""
import json, os, subprocess, sys

import pytest
from safetensors.torch import load_file

JOB = '''
import os, random, signal, sys, time
import medvl.run.run, medvl.data.cache, medvl.data.manifest, medvl.train.learner
import medvl.methods.alta, medvl.methods.mrm
from medvl.cli import app

def medvl(*args):
    "A child that runs a command, and writes into a file what it says."
    pid = os.fork()
    if pid: return pid
    with open('said.txt', 'a') as f:
        os.dup2(f.fileno(), 1); os.dup2(f.fileno(), 2)
        try: app([str(a) for a in args], standalone_mode=False); code = 0
        except BaseException as e: print(repr(e), flush=True); code = 1
        sys.stdout.flush()
        os._exit(code)
def wait(pid): return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
def steps(out):
    try: return max(0, sum(1 for _ in open(f'{out}/log.csv'))-1)
    except FileNotFoundError: return 0

tiny = ['--data', 'set', '--samples', 4, '--warmup', 0, '--precision', 'fp32', '--vocab', 200, '--max-len', 24]
assert wait(medvl('pretrain', 'mrm', '--out', 'mrm', '--epochs', 1, *tiny)) == 0
align = ['align', 'alta', '--init', 'mrm', '--epochs', 5, '--save-every', 3, '--resume', *tiny]
assert wait(medvl(*align, '--out', 'whole')) == 0
total, rng, at = steps('whole'), random.Random(int(sys.argv[1])), []
for i in range(5):
    out, goal = f'kill{i}', rng.randrange(1, total-2)
    pid = medvl(*align, '--out', out)
    while (n := steps(out)) < goal:
        assert os.waitpid(pid, os.WNOHANG) == (0, 0), 'it ended before it was killed'
        time.sleep(.002)
    time.sleep(rng.uniform(0, .1))
    os.kill(pid, signal.SIGKILL)
    assert wait(pid) == -signal.SIGKILL and not os.path.exists(f'{out}/results.json')
    at.append(steps(out))
    assert wait(medvl(*align, '--out', out)) == 0
print(total, *at)
'''


@pytest.fixture(scope='module')
def runs(tmp_path_factory):
    from medvl.data.manifest import write_manifest
    from medvl.phantom.set import phantom_studies
    root = tmp_path_factory.mktemp('kill')
    write_manifest(phantom_studies(12, size=64, cache=False), root/'set/manifest.csv')
    (root/'job.py').write_text(JOB)
    env = {**os.environ, 'OMP_NUM_THREADS': '1', 'HF_HUB_OFFLINE': '1', 'MPLBACKEND': 'Agg',
           'MEDVL_CACHE': str(root/'cache'), 'TOKENIZERS_PARALLELISM': 'false'}
    cmd = [sys.executable, 'job.py', '4']
    r = subprocess.run(cmd, cwd=root, env=env, capture_output=True, text=True, timeout=1800)
    said = (root/'said.txt').read_text() if (root/'said.txt').exists() else ''
    assert r.returncode == 0, said[-2000:]+r.stderr[-2000:]
    total, *at = map(int, r.stdout.split())
    print(f'{total} rows in the log of the whole run; killed at {at}')
    return root, total, at


def test_killed_in_the_middle(runs):
    "The kills fell inside, at different places, and the log was cut back and filled."
    root, total, at = runs
    assert len(set(at)) > 1 and all(0 < n < total for n in at), at
    for i in range(5): assert len((root/f'kill{i}/log.csv').read_text().split()) == total+1


@pytest.mark.parametrize('i', range(5))
def test_same_weights(runs, i):
    "Model and results of a killed run are those of the whole one."
    root = runs[0]
    a, b = (load_file(root/d/'model/model.safetensors') for d in ('whole', f'kill{i}'))
    gap = {k: (a[k].double()-b[k].double()).abs().max().item() for k in a}
    print(f'kill {i}, at row {runs[2][i]}: largest difference of {len(a)} tensors: {max(gap.values())}')
    assert a.keys() == b.keys() and max(gap.values()) == 0, sorted(gap.items(), key=lambda o: -o[1])[:3]
    x, y = (json.loads((root/d/'results.json').read_text())['run'] for d in ('whole', f'kill{i}'))
    assert (x['steps'], x['train']['loss'], x['val']['loss']) == (y['steps'], y['train']['loss'], y['val']['loss'])
    moved = load_file(root/'mrm/model/model.safetensors')['vision.net.norm.weight']
    assert (moved-a['vision.net.norm.weight']).abs().max() > 0
