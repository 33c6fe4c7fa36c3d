"""Published models of a small size, with random numbers, are trained further through the command line, with prior
films and without, and are loaded and searched like any other."""
import json
from dataclasses import replace

import pytest
import test_zoo
import torch
from typer.testing import CliRunner

from medvl import load
from medvl.cli import app
from medvl.core import SLOTS
from medvl.data.manifest import write_manifest
from medvl.methods.zoo import zoo
from medvl.models.checkpoint import from_pretrained, read_config
from medvl.phantom.set import phantom_studies

TINY = '--bs 4 --epochs 1 --warmup 0 --precision fp32'.split()


def said(*args) -> tuple[int, str]:
    r = CliRunner().invoke(app, [str(o) for o in args], catch_exceptions=False)
    return r.exit_code, r.output


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    at = tmp_path_factory.mktemp('set')
    studies = phantom_studies(10, 4, size=64, cache=False)
    who = list(dict.fromkeys(s.group for s in studies))
    for s in studies: s.split = ('train', 'train', 'val', 'test')[who.index(s.group) % 4]
    assert any(s.prior is not None for s in studies if s.split == 'train')
    return write_manifest(studies, at/'manifest.csv'), [v for s in studies for v in s.frontals]


@pytest.fixture(autouse=True)
def small(tmp_path, monkeypatch):
    "Films and texts of the size of the small networks."
    monkeypatch.setenv('MEDVL_CACHE', str(tmp_path/'cache'))
    for k in ('biomedclip', 'biovil-t'):
        p = replace(zoo[k].preset, size=64, resize=64, decode=64)
        monkeypatch.setitem(zoo, k, replace(zoo[k], preset=p, max_len=32))


def tuned(at, data, name, *args):
    "Tune the model that a test of the zoo has converted; its results."
    code, out = said('tune', at/'ours', '--data', data, '--out', at/name, *TINY, *args)
    assert code == 0, out
    return json.loads((at/name/'results.json').read_text()), out


def test_biomedclip(tmp_path, data):
    test_zoo.test_biomedclip(tmp_path)
    res, out = tuned(tmp_path, data[0], 'lora', '--rank', 2)
    assert res['parameters']['trainable'] == 1*2*(192+3*192) + 2*2*2*(32+32)    # qkv; queries and values of two layers
    assert res['arguments']['max_len'] == 32 and res['step']['samples'] == 4
    was, now = (from_pretrained(o) for o in (tmp_path/'ours', tmp_path/'lora'/'model'))
    assert type(now) is type(was) and now.log_scale == 3 and was.config == now.config
    x = read_config(tmp_path/'lora'/'model')['extra']
    assert x['published'] == 'biomedclip' and x['tuned']['id'] == read_config(tmp_path/'ours')['id']
    card = (tmp_path/'lora'/'model'/'card.md').read_text()
    assert 'Licence: MIT' in card and 'Not for clinical use' in card
    m = load(tmp_path/'lora'); hits = m.search('small pleural effusion', 3, data[1][:6])
    assert len(hits) == 3
    code, out = said('merge', tmp_path/'lora'/'model'/'adapters', '--out', tmp_path/'merged')
    assert code == 0, out
    a, b = (from_pretrained(o).state_dict() for o in (tmp_path/'merged', tmp_path/'lora'/'model'))
    assert all(torch.allclose(a[k], b[k], atol=1e-6) for k in b)


@pytest.mark.parametrize('slots', ['all', 'current'])
def test_biovil_t(tmp_path, data, slots):
    "With the prior film and without; a tower without attention gets no LoRA."
    test_zoo.test_biovil_t(tmp_path)
    code, out = said('tune', tmp_path/'ours', '--data', data[0], '--out', tmp_path/'no', *TINY)
    assert code == 2 and 'vision tower: LoRA changes the attention of a tower, and a ResNet has none' in out
    res, out = tuned(tmp_path, data[0], 'text', '--towers', 'text', '--slots', slots)
    args = ('eval', 'retrieval', '--model', tmp_path/'text', '--data', data[0], '--out', tmp_path/'scored')
    code, out = said(*args, '--precision', 'fp32')
    assert code == 0, out
    films = json.loads((tmp_path/'scored'/'results.json').read_text())['films_per_slot']
    assert (films.get('prior_frontal', 0) > 0) == (slots == 'all')
    now = read_config(tmp_path/'text'/'model')['extra']['args']['data']['slots']
    assert now == list(SLOTS if slots == 'all' else SLOTS[:1])
    res, out = tuned(tmp_path, data[0], 'whole', '--how', 'full', '--slots', slots)
    was, now = (from_pretrained(tmp_path/o/'model' if o != 'ours' else tmp_path/o) for o in ('ours', 'whole'))
    norms = [k for k in was.state_dict() if 'running_' in k]
    assert norms and all(torch.equal(was.state_dict()[k], now.state_dict()[k]) for k in norms)
    trained = set(read_config(tmp_path/'whole'/'model')['extra']['tuned']); assert 'how' in trained
    assert len(load(tmp_path/'whole').search('small pleural effusion', 2, data[1][:4])) == 2
