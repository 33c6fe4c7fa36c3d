"""Three hundred garbled DICOM files, always the same ones: each is read with a picture, or refused in one sentence.

The mutations are those of `benchmarks/fuzz_dicom.py`, which makes ten thousand.
"""
import sys
from pathlib import Path

import numpy as np
import pytest

from medvl.data.image import read_image
from medvl.data.pixels import ImageError
from medvl.data.scan import dicom_header

sys.path.insert(0, str(Path(__file__).resolve().parent.parent/'benchmarks'))
from fuzz_dicom import films, judge, mutated, seeds  # noqa: E402


@pytest.mark.parametrize('seed', range(3))
def test_mutations(tmp_path, seed):
    rng, start = np.random.default_rng(seed), seeds(60_000)
    names, path, got = list(start), tmp_path/'a.dcm', {}
    for i in range(100):
        path.write_bytes(mutated(start[names[rng.integers(len(names))]], rng))
        for read in (read_image, dicom_header): got.setdefault(judge(path, read), []).append(i)
    assert set(got) == {'read', 'refused'}, got


def test_every_start_is_a_film(tmp_path):
    "Without a mutation the synthetic films are read, and none of them with a warning but the overlay's."
    for name, raw in films().items():
        path = tmp_path/f'{name}.dcm'; path.write_bytes(raw)
        assert judge(path) == 'read'
        assert len(read_image(path).warnings) == (name == 'overlay'), name


def test_judge_can_fail(tmp_path):
    class Panic(BaseException): pass
    def raises(e):
        def read(path): raise e
        return read
    path = tmp_path/'plain.dcm'; path.write_bytes(films()['plain'])
    film = read_image(path); film.px[:] = 0
    assert judge(path, lambda p: film) == 'no contrast, and nothing said'
    assert judge(path, raises(ImageError(f'{path}: no'))) == 'refused'
    assert judge(path, raises(ImageError('no'))).startswith('does not name')
    assert judge(path, raises(Panic('out of bounds'))).startswith('Panic')
    with pytest.raises(KeyboardInterrupt): judge(path, raises(KeyboardInterrupt()))
