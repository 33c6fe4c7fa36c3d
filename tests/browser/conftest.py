"A headless Chromium, a free port, and a folder for screenshots; without a browser these tests say so and are skipped."
import contextlib, os, shutil, socket
from pathlib import Path
import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope='session')
def browser():
    api = pytest.importorskip('playwright.sync_api', reason="playwright is not installed: pip install -e '.[browser]'")
    exe = next(filter(None, map(shutil.which, ('chromium', 'chromium-browser', 'google-chrome', 'chrome'))), None)
    if not exe: pytest.skip('no chromium on this machine: apt-get install chromium (or your system\'s package of it)')
    with api.sync_playwright() as p:
        b = p.chromium.launch(executable_path=exe, args=['--no-sandbox'])
        yield b
        b.close()


@pytest.fixture(scope='session')
def shots() -> Path:
    "Where screenshots go: $SCREENSHOTS, else .cache/screenshots of the checkout (not tracked)."
    path = Path(os.environ.get('SCREENSHOTS', ROOT/'.cache'/'screenshots')); path.mkdir(parents=True, exist_ok=True)
    return path


@pytest.fixture(scope='session')
def port() -> int:
    with contextlib.closing(socket.socket()) as s: s.bind(('127.0.0.1', 0)); return s.getsockname()[1]
