"The panel of eval/24_panel in JupyterLab, as a person uses it: another phrase, another look, another film, a mistake."
import json, time, urllib.request
from pathlib import Path

from test_lab import answer, lab, prompts  # noqa: F401

ROOT = Path(__file__).resolve().parents[2]


def one_cell(page: Path) -> dict:
    "The code of a page as a notebook of a single cell, so that its last output is in sight."
    cells = [''.join(c['source']) for c in json.loads(page.read_text())['cells'] if c['cell_type'] == 'code']
    code = '\n\n'.join(c for c in cells if not c.startswith('#| default_exp'))
    cell = dict(cell_type='code', id='all', source=code, metadata={}, outputs=[], execution_count=None)
    kernel = dict(display_name='python3', language='python', name='python3')
    return dict(cells=[cell], metadata=dict(kernelspec=kernel), nbformat=4, nbformat_minor=5)


def src(page) -> str: return page.locator('.jupyter-widgets img').first.get_attribute('src')


def changed(page, old: str) -> str:
    "The picture's address, once it is another one."
    deadline = time.time() + 60
    while src(page) == old:
        assert time.time() < deadline, 'the picture stays as it was'
        page.wait_for_timeout(200)
    return src(page)


def upload(lab: str, name: str, notebook: dict):
    "Put a notebook into the server's folder."
    data = json.dumps(dict(type='notebook', content=notebook)).encode()
    head = {'Authorization': 'token t', 'Content-Type': 'application/json'}
    with urllib.request.urlopen(urllib.request.Request(f'{lab}/api/contents/{name}', data, head, method='PUT')) as r:
        assert r.status in (200, 201)


def test_panel(browser, lab, shots):  # noqa: F811
    upload(lab, 'panel.ipynb', one_cell(ROOT/'nbs'/'eval'/'24_panel.ipynb'))
    page = browser.new_page(viewport=dict(width=1300, height=1000))
    page.set_default_timeout(240_000)
    page.goto(f'{lab}/lab/workspaces/auto-{time.time_ns()}/tree/panel.ipynb?token=t')
    page.locator('.jp-Notebook .jp-Cell').first.wait_for()
    page.locator('#jp-main-statusbar').get_by_text('| Idle').wait_for()
    for _ in range(20):
        answer(page)
        page.get_by_role('menuitem', name='Run', exact=True).click()
        page.get_by_text('Run All Cells', exact=True).click()
        page.wait_for_timeout(3000)
        if page.locator('.jp-InputPrompt').first.inner_text().strip() != '[ ]:': break
    img = page.locator('.jupyter-widgets img').first
    img.wait_for()
    assert prompts(page)[1] == []
    img.scroll_into_view_if_needed()

    page.set_default_timeout(20_000)
    phrase = page.get_by_placeholder('type a phrase').first
    handle = page.locator('.jupyter-widgets .noUi-handle').first
    a = src(page)
    phrase.fill('large right pleural effusion'); phrase.press('Enter')
    b = changed(page, a)                                     # another title, so another picture
    handle.focus(); handle.press('ArrowLeft')
    c = changed(page, b)                                     # the first look
    page.locator('.jupyter-widgets select').first.select_option(index=1)
    changed(page, c)                                         # another film
    page.screenshot(path=shots/'panel.png')

    phrase.fill(''); phrase.press('Enter')
    page.get_by_text('the phrase is empty').wait_for()       # a mistake is said, and the old picture hidden
    img.wait_for(state='hidden')
    page.screenshot(path=shots/'panel_empty.png')
    phrase.fill('left effusion'); phrase.press('Enter')
    img.wait_for(state='visible')
    page.close()
