"""The command line from end to end, on forty synthetic films made here: summary, MRM, ALTA from it, CLIP, evaluation.

Everything runs in a temporary folder with a cache of its own. Tiny settings: what is tested is that the parts fit and
that what is written is whole and true, not that anything is learned.
"""
import csv, json, math, subprocess, sys

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file
from typer.testing import CliRunner

from medvl.cli import app

ZONES = ('upper', 'middle', 'lower')
TINY = ['--bs', '4', '--epochs', '1', '--warmup', '0', '--precision', 'fp32', '--vocab', '200', '--max-len', '32']


def film(path, zone, side, rng, lateral=False):
    "A pale rectangle with a bright spot in a zone."
    h, w = (150, 100) if lateral else (140, 160)
    y, x = np.mgrid[:h, :w]
    px = 60+40*rng.random((h, w))+100*np.exp(-((y-h*(.2+.3*zone))**2+(x-w*(.25+.5*side))**2)/300)
    Image.fromarray(px.clip(0, 255).astype('uint8')).save(path)


def make_set(root, n=16):
    "40 films of 16 patients: every other one comes twice, a lateral at each first visit; three films without a text."
    rng, rows = np.random.default_rng(0), []
    (root/'films').mkdir(parents=True)
    for p in range(n):
        split = 'train' if p < 9 else 'val' if p < 12 else 'test'
        for visit in range(1+p % 2):
            zone, side = int(rng.integers(3)), int(rng.integers(2))
            text = f"There is an opacity in the {('right', 'left')[side]} {ZONES[zone]} zone. No effusion."
            id = f'p{p}v{visit}'
            base = dict(patient_id=f'p{p}', study_id=id, offset_days=30*visit, split=split, source='toy')
            film(root/'films'/f'{id}.png', zone, side, rng)
            rows.append(dict(base, image=f'films/{id}.png', image_id=id, view='PA', text='' if p in (1, 2) else text,
                             labels=f'Lung Opacity={int(zone == 0)}|Edema=0', finding=ZONES[zone]))
            if visit == 0:
                film(root/'films'/f'{id}l.png', zone, side, rng, lateral=True)
                rows.append(dict(base, image=f'films/{id}l.png', image_id=id+'l', view='LL', text='', labels='',
                                 finding=''))
    with open(root/'manifest.csv', 'w', newline='') as f:
        w = csv.DictWriter(f, rows[0].keys()); w.writeheader(); w.writerows(rows)
    return rows


def medvl(*args, code=0):
    "Run a command in this process; what it printed, or where it should fail, its error."
    r = CliRunner().invoke(app, [str(a) for a in args], catch_exceptions=True)
    if r.exit_code != code:
        raise AssertionError(f"medvl {' '.join(map(str, args))}: exit code {r.exit_code}\n{r.output}") from r.exception
    return r.stderr if code else r.output


def results(folder): return json.loads((folder/'results.json').read_text(encoding='utf-8'))


def listing(folder):
    "Every file with its size and time of change."
    return sorted((str(p.relative_to(folder)), p.stat().st_size, p.stat().st_mtime_ns) for p in folder.rglob('*'))


@pytest.fixture(scope='module')
def work(tmp_path_factory):
    "The set, the runs, and nothing of the user's: the cache is here too."
    root = tmp_path_factory.mktemp('cli')
    with pytest.MonkeyPatch.context() as m:
        m.setenv('MEDVL_CACHE', str(root/'cache')); m.setenv('MPLBACKEND', 'Agg'); m.setenv('HF_HUB_OFFLINE', '1')
        rows = make_set(root/'data')
        assert len(rows) == 40
        before = listing(root/'data')
        yield root
        assert listing(root/'data') == before, 'the data folder was written to'


@pytest.fixture(scope='module')
def mrm(work):
    medvl('pretrain', 'mrm', '--data', work/'data', '--out', work/'mrm', *TINY)
    return work/'mrm'


@pytest.fixture(scope='module')
def alta(work, mrm):
    medvl('align', 'alta', '--data', work/'data', '--init', mrm, '--out', work/'alta', *TINY, '--set', 'mode=clean')
    return work/'alta'


@pytest.fixture(scope='module')
def clip(work):
    medvl('align', 'clip', '--data', work/'data', '--out', work/'clip', *TINY, '--slots', 'current')
    return work/'clip'


def test_help_is_light():
    "Help neither imports torch nor fails; every option of every command is explained."
    heavy = ('torch', 'timm', 'transformers', 'fastai', 'sklearn', 'matplotlib', 'pandas')
    code = ("import sys\nfrom medvl.cli import app\nfrom typer.testing import CliRunner\n"
            "assert CliRunner().invoke(app, '--help').exit_code == 0\n"
            f"print([m for m in {heavy} if m in sys.modules])")
    r = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert r.stdout.strip() == '[]'


def test_no_warning_of_others():
    "fastai's import makes torch warn of `torch.jit.script`; the package hides that, and only that."
    say = 'import warnings; warnings.warn("`torch.load` is deprecated", FutureWarning)'
    r = subprocess.run([sys.executable, '-W', 'default', '-c', f'import medvl.train.learner; {say}'],
                       capture_output=True, text=True, check=True)
    assert 'torch.jit' not in r.stderr and 'torch.load' in r.stderr


def test_summary(work):
    out = work/'summary'
    said = medvl('data', 'summary', work/'data', '--out', out)
    assert '24' in said and (out/'summary.png').stat().st_size > 1000
    r = results(out)
    assert r['command'] == 'data summary' and r['provenance']['versions']['torch']
    assert json.loads((out/'summary.json').read_text()) == r['summary']


def test_pretrain(mrm):
    r = results(mrm)
    assert r['command'] == 'pretrain' and r['arguments']['method'] == 'mrm' and r['arguments']['seed'] == 0
    assert r['data']['samples'] == {'train': 22, 'val': 8}            # laterals and films without a text are in
    assert r['data']['with_text'] == {'train': 10, 'val': 5} and r['data']['groups_in_two_splits'] == []
    assert math.isfinite(r['run']['train']['loss']) and math.isfinite(r['run']['val']['loss'])
    assert {p.name for p in (mrm/'model').iterdir()} >= {'model.safetensors', 'config.json', 'tokenizer.json'}


def test_align_takes_over_tokenizer_and_towers(mrm, alta):
    assert (alta/'model/tokenizer.json').read_text() == (mrm/'model/tokenizer.json').read_text()
    r = results(alta)
    assert r['run']['config']['mode'] == 'clean' and r['parameters']['trainable'] < r['parameters']['total']
    assert r['arguments']['init'].endswith('mrm')


@pytest.mark.parametrize('method', ['alta', 'clip'])
def test_retrieval(work, method, request):
    model, out = request.getfixturevalue(method), work/f'ret-{method}'
    base = ['eval', 'retrieval', '--model', model, '--data', work/'data', '--split', 'test', '--n-boot', '50']
    medvl(*base, '--out', out, '--embeddings')
    r = results(out)
    full, n = r['retrieval']['full'], r['retrieval']['n_pairs']
    assert n == 6 and r['retrieval']['n_units'] == 4 and 'skipped' in r['retrieval']['pools']
    assert 0 <= full['image_to_text_R@1'] <= full['image_to_text_R@5'] <= full['image_to_text_R@10'] == 1
    slots = {'current_frontal': 6, 'current_lateral': 4, 'prior_frontal': 2, 'prior_lateral': 2}
    assert r['films_per_slot'] == ({'current_frontal': 6} if method == 'clip' else slots)
    for f in ('text_to_film.png', 'film_to_text.png'): assert Image.open(out/f).size[0] > 200
    with np.load(out/'embeddings.npz') as z: assert z['v'].shape == z['t'].shape and len(z['v']) == n
    again = work/f'ret-{method}-2'
    medvl(*base, '--out', again)
    assert results(again)['retrieval'] == r['retrieval']              # a seed is a seed


def test_zeroshot(work, alta):
    out, base = work/'zs', ['eval', 'zeroshot', '--model', alta, '--data', work/'data', '--n-boot', '50']
    said = medvl(*base, '--out', out, '--prompts', 'chexpert14-plain-v1')
    z = results(out)['zeroshot']
    assert z['prompts']['id'] == 'chexpert14-plain-v1' and len(z['prompts']['hash']) >= 32 and not z['transductive']
    edema = z['classes']['Edema']                                       # nobody has it
    assert edema['auroc']['value'] is None and 'all' in edema['reason']
    assert 'Edema' in z['macro']['not_computable'] and 'Edema' in said and (out/'roc.png').stat().st_size > 1000
    ps = dict(id='zones', version=1, classes={z: {'pos': [f'opacity in the {z} zone'], 'neg': []} for z in ZONES},
              values={z: [z] for z in ZONES})
    (work/'zones.json').write_text(json.dumps(ps))
    medvl(*base, '--out', work/'zs2', '--prompts', work/'zones.json', '--label-column', 'finding', '--split', 'val',
          '--task', 'multiclass')
    z = results(work/'zs2')['zeroshot']
    assert z['n'] == 5 and sum(map(sum, z['confusion'])) == 5 and 0 <= z['accuracy']['value'] <= 1


def test_runs_are_not_overwritten(work, mrm):
    base = ['pretrain', 'mrm', '--data', work/'data', '--out', mrm]
    assert 'holds this very run; --resume' in medvl(*base, *TINY, code=2)
    assert 'seed was 0, is 1' in medvl(*base, *TINY, '--seed', '1', code=2)
    was = load_file(mrm/'model/model.safetensors')
    medvl(*base, *TINY, '--resume')                                     # finished already: nothing is trained
    now = load_file(mrm/'model/model.safetensors')
    assert was.keys() == now.keys() and all(was[k].equal(now[k]) for k in was)
    other = medvl('eval', 'retrieval', '--model', mrm, '--data', work/'data', '--out', mrm, code=2)
    assert 'it is of `medvl pretrain`' in other


def test_errors_are_one_sentence(work, mrm):
    "Exit code 2, one red sentence, no traceback; nothing half-written."
    ev = ['eval', 'retrieval', '--data', work/'data', '--out', work/'never', '--model']
    clip = ['align', 'clip', '--data', work/'data', *TINY, '--out']
    for args, want in [(['data', 'summary', work/'nothing'], 'nothing'),
                       ([*ev, work/'data'], 'holds no model'),
                       (['params', 'blip'], "unknown method 'blip'"),
                       ([*clip, work/'data'], 'is the data itself'),
                       ([*clip, work/'bad', '--set', 'mood=clean'], 'mood=clean'),
                       ([*clip, work/'bad2', '--source', 'toys'], "no study of source 'toys'")]:
        said = medvl(*args, code=2)
        assert want in said and len(said.strip().splitlines()) == 1 and said.startswith('Error: '), said
    assert not any((work/o/'results.json').exists() for o in ('never', 'bad', 'bad2'))
    r = CliRunner().invoke(app, ['params', 'blip', '--debug'])
    assert type(r.exception).__name__ == 'MedvlError'


def test_mrm_cannot_retrieve(work, mrm):
    said = medvl('eval', 'retrieval', '--model', mrm, '--data', work/'data', '--out', work/'mrm-ret', code=2)
    assert 'no space shared' in said


def test_params():
    r = json.loads(medvl('params', 'alta', '--size', 'full', '--json'))
    assert (r['trainable'], r['total']) == (18_333_502, 242_177_854)
    assert sum(o['total'] for o in r['parts'].values()) == r['total']
