"A notebook in JupyterLab, as a reader opens it: Run All Cells comes to the end without an error."
import os, subprocess, sys, time, urllib.request
from pathlib import Path
import pytest

ROOT = Path(__file__).resolve().parents[2]

NOTEBOOKS = os.environ.get('LAB_NOTEBOOKS', '00_core.ipynb methods/10_clip.ipynb').split()


@pytest.fixture(scope='module')
def lab(port, tmp_path_factory):
    "A server on a copy of the notebooks, so that a run changes nothing."
    pytest.importorskip('jupyterlab')
    work = tmp_path_factory.mktemp('lab')
    subprocess.run(['cp', '-r', ROOT/'nbs', work], check=True)
    log = open(work/'log', 'w')
    cmd = [sys.executable, '-m', 'jupyterlab', '--no-browser', '--allow-root', '--ip=127.0.0.1', f'--port={port}',
           '--IdentityProvider.token=t', '--LabApp.expose_app_in_browser=True', '--notebook-dir', work/'nbs']
    env = {k: v for k, v in os.environ.items() if k != 'MPLBACKEND'}  # figures are shown, as a reader sees them
    proc = subprocess.Popen(cmd, stdout=log, stderr=log, env=env)
    url = f'http://127.0.0.1:{port}'
    for _ in range(120):
        try: urllib.request.urlopen(f'{url}/api?token=t', timeout=2); break
        except OSError: time.sleep(.5)
    else: raise RuntimeError((work/'log').read_text())
    yield url
    proc.terminate(); proc.wait(20); log.close()


@pytest.mark.parametrize('path', NOTEBOOKS)
def test_run_all(browser, lab, shots, path):
    page = browser.new_page(viewport=dict(width=1400, height=1000))
    page.set_default_timeout(120_000)
    page.goto(f'{lab}/lab/workspaces/auto-{time.time_ns()}/tree/{path}?token=t')
    page.locator('.jp-Notebook .jp-Cell').first.wait_for()
    page.locator('#jp-main-statusbar').get_by_text('| Idle').wait_for()
    # Run before the kernel is ready does nothing, or asks for a kernel: so ask again until the first cell has run.
    for _ in range(20):
        answer(page)
        page.get_by_role('menuitem', name='Run', exact=True).click()
        page.get_by_text('Run All Cells', exact=True).click()
        page.wait_for_timeout(3000)
        if prompts(page)[0]: break
    deadline = time.time() + 420
    while time.time() < deadline:
        done, errors, todo = prompts(page)
        if errors or not todo: break
        answer(page); page.wait_for_timeout(1000)
    page.screenshot(path=shots/f'lab_{path.replace("/", "_")}.png')
    assert not errors, errors
    assert done and not todo, f'{done} cells ran, {todo} did not'
    page.close()


def answer(page):
    "Say yes to a question that lies over the page, such as which kernel to start."
    for ok in page.locator('dialog.jp-Dialog .jp-mod-accept').all(): ok.click()


def prompts(page) -> tuple[int, list[str], int]:
    "Cells that have run, errors in outputs, cells still to run; from the model, as cells out of sight are not drawn."
    cells = page.evaluate('''() => {
        const panel = window.jupyterapp.shell.currentWidget;
        return Array.from(panel.content.model.cells).filter(c => c.type === 'code').map(c => c.toJSON());
    }''')
    errors = [f"{o['ename']}: {o['evalue']}" for c in cells for o in c['outputs'] if o['output_type'] == 'error']
    ran = [c['execution_count'] is not None for c in cells if ''.join(c['source']).strip()]
    return sum(ran), errors, len(ran)-sum(ran)
