"A notebook in JupyterLab, as a reader opens it: Run All Cells comes to the end without an error."
import os, subprocess, sys, time, urllib.request
from pathlib import Path
import pytest

ROOT = Path(__file__).resolve().parents[2]

NOTEBOOKS = os.environ.get('LAB_NOTEBOOKS', '00_core.ipynb').split()


@pytest.fixture(scope='module')
def lab(port, tmp_path_factory):
    "A server on a copy of the notebooks, so that a run changes nothing."
    pytest.importorskip('jupyterlab')
    work = tmp_path_factory.mktemp('lab')
    subprocess.run(['cp', '-r', ROOT/'nbs', work], check=True)
    log = open(work/'log', 'w')
    cmd = [sys.executable, '-m', 'jupyterlab', '--no-browser', '--allow-root', '--ip=127.0.0.1', f'--port={port}',
           '--IdentityProvider.token=t', '--LabApp.expose_app_in_browser=True', '--notebook-dir', work/'nbs']
    proc = subprocess.Popen(cmd, stdout=log, stderr=log)
    url = f'http://127.0.0.1:{port}'
    for _ in range(120):
        try: urllib.request.urlopen(f'{url}/api?token=t', timeout=2); break
        except OSError: time.sleep(.5)
    else: raise RuntimeError((work/'log').read_text())
    yield url
    proc.terminate(); proc.wait(20); log.close()


STATUS = '.jp-NotebookPanel:visible .jp-Notebook-ExecutionIndicator'


@pytest.mark.parametrize('path', NOTEBOOKS)
def test_run_all(browser, lab, shots, path):
    page = browser.new_page(viewport=dict(width=1400, height=1000))
    page.goto(f'{lab}/lab/workspaces/auto-{time.time_ns()}/tree/{path}?token=t')
    page.locator('.jp-Notebook .jp-Cell').first.wait_for(timeout=60_000)
    page.locator(f'{STATUS}[data-status="idle"]').wait_for(timeout=60_000)
    # Run before the kernel is ready does nothing, without a word: so ask again until the first prompt is a number.
    for _ in range(20):
        for ok in page.locator('dialog.jp-Dialog .jp-mod-accept').all(): ok.click()
        page.get_by_role('menuitem', name='Run', exact=True).click()
        page.get_by_text('Run All Cells', exact=True).click()
        page.wait_for_timeout(1500)
        if prompts(page)[0]: break
    deadline = time.time() + 300
    while time.time() < deadline:
        page.wait_for_timeout(1000)
        status = page.locator(STATUS).get_attribute('data-status')
        if status == 'idle' and '*' not in ''.join(prompts(page)[2]): break
    page.screenshot(path=shots/f'lab_{path.replace("/", "_")}.png')
    done, errors, text = prompts(page)
    assert not errors, errors
    assert done and status == 'idle', text
    page.close()


def prompts(page):
    "Cells that have run, errors of outputs, prompts; from the model, as cells out of sight are not drawn."
    cells = page.evaluate('''() => {
        const app = window.jupyterapp || window.jupyterlab;
        const panel = app && app.shell.currentWidget;
        if (!panel || !panel.content || !panel.content.model) return null;
        return Array.from(panel.content.model.cells).filter(c => c.type === 'code').map(c => c.toJSON());
    }''')
    if cells is None:  # no handle on the application: what is drawn
        text = page.locator('.jp-CodeCell .jp-InputPrompt').all_inner_texts()
        errors = page.locator('.jp-RenderedText[data-mime-type="application/vnd.jupyter.error"]').all_inner_texts()
        return sum(any(ch.isdigit() for ch in t) for t in text), errors, text
    errors = [f"{o['ename']}: {o['evalue']}" for c in cells for o in c['outputs'] if o['output_type'] == 'error']
    text = [str(c['execution_count']) for c in cells if ''.join(c['source']).strip()]
    return sum(t != 'None' for t in text), errors, text
