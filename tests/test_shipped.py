"""The models that come with medvl: each loads from folders that may not be written, each says what is wrong with a
damaged copy, and none is taken for another."""
import shutil, stat
from pathlib import Path

import numpy as np
import pytest

import medvl
from medvl.core import MedvlError
from medvl.models.checkpoint import read_config
from medvl.phantom.set import phantom_studies
from medvl.run.folder import shipped

NAMES = sorted(shipped())
WITH_TEXT = [k for k in NAMES if k != 'phantom-mrm']
FILES = {'card.md','config.json','model.safetensors','tokenizer.json','tokenizer_config.json'}

@pytest.fixture(scope='module')
def films(): return phantom_studies(6, seed=31, size=128, difficulty='lifelike-easy')

@pytest.fixture
def copied(tmp_path):
    "A function: name -> a copy of its folder."
    return lambda name: Path(shutil.copytree(shipped()[name], tmp_path/name))

def test_there(): assert {'phantom-alta','phantom-clip','phantom-gloria','phantom-mrm'} <= set(NAMES)

@pytest.mark.parametrize('name', NAMES)
def test_card(name):
    dir, card = shipped()[name], (shipped()[name]/'card.md').read_text()
    assert {p.name for p in dir.iterdir()} == FILES and card.startswith(f'# {name}\n')
    made = read_config(dir)['extra']['trained_on']
    assert f"{made['patients']:,} phantom patients" in card and f"seed {made['seed']}" in card
    assert 'Not for clinical use' in card and 'python tools/ship.py' in card
    assert all(p.stat().st_mode & stat.S_IROTH for p in dir.iterdir()), 'whoever installs it must be able to read it'

@pytest.mark.parametrize('name', NAMES)
def test_read_only(name, copied, films):
    "Modes stop everybody but root; for root, nothing may be new or changed."
    dir = copied(name)
    for p in dir.iterdir(): p.chmod(0o444)
    dir.chmod(0o555)
    was = {p.name: (p.stat().st_mtime_ns, p.read_bytes()) for p in dir.iterdir()}
    try:
        m = medvl.load(dir)
        assert len(m.embed(films, progress=False)) >= 6 and np.isfinite(m.films.emb.v.numpy()).all()
        assert m.card.startswith(f'# {name}\n') and m.tok is not None
    finally: dir.chmod(0o755)
    assert {p.name: (p.stat().st_mtime_ns, p.read_bytes()) for p in dir.iterdir()} == was

@pytest.mark.parametrize('name', WITH_TEXT)
def test_use(name, films):
    m = medvl.load(name); m.embed(films, progress=False)
    hits = m.search('left pleural effusion', k=3)
    assert len(hits) == 3 and hits.score == sorted(hits.score, reverse=True)
    assert m.zeroshot(findings=['Pleural Effusion','Edema']).shape == (len(m.films), 2)
    h = m.heat(films[0].frontals[0], 'left pleural effusion')
    assert h.map.shape == (128, 128) and h.png.startswith(b'\x89PNG')
    with pytest.raises(MedvlError, match='tokens'): m.search('effusion '*600)

def cut(p): p.write_bytes(p.read_bytes()[:p.stat().st_size//2])
def empty(p): p.write_bytes(b'')
def gone(p): p.unlink()
def one_bit(p): p.write_bytes(p.read_bytes()[:-1]+bytes([p.read_bytes()[-1]^1]))

DAMAGE = [('model.safetensors', one_bit), ('model.safetensors', cut), ('model.safetensors', empty),
          ('model.safetensors', gone), ('config.json', cut), ('config.json', empty), ('config.json', gone),
          ('tokenizer.json', cut), ('tokenizer.json', gone)]

@pytest.mark.parametrize('name', NAMES)
@pytest.mark.parametrize('file,how', DAMAGE, ids=[f'{f}-{h.__name__}' for f,h in DAMAGE])
def test_damaged(name, file, how, copied):
    dir = copied(name); how(dir/file)
    with pytest.raises(MedvlError) as e: medvl.load(dir)
    assert str(dir) in str(e.value) and '\n' not in str(e.value), str(e.value)

@pytest.mark.parametrize('a', NAMES)
def test_mixed_up(a, copied):
    "Weights under the config of another model: its own copy of the config is used, and said."
    dir, other = copied(a), NAMES[NAMES.index(a)-1]
    shutil.copy(shipped()[other]/'model.safetensors', dir)
    shutil.copy(shipped()[other]/'tokenizer.json', dir)
    assert type(medvl.load(dir).aligner) is type(medvl.load(other).aligner)

def test_no_such_name():
    with pytest.raises(MedvlError) as e: medvl.load('phantom-glory')
    assert all(k in str(e.value) for k in NAMES) and "'phantom-glory'" in str(e.value)
