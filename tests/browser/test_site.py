"The built site in a browser: it asks nothing of other hosts, its search finds, its equations and figures are drawn."
import functools, http.server, threading
from pathlib import Path
from urllib.parse import urlsplit
import pytest

DOCS = Path(__file__).resolve().parents[2]/'_docs'


@pytest.fixture(scope='module')
def site():
    if not (DOCS/'index.html').exists(): pytest.skip('no site in _docs: run make docs')
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args): pass
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), functools.partial(Quiet, directory=DOCS))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f'http://127.0.0.1:{server.server_port}'
    server.shutdown()


@pytest.fixture
def page(browser, site):
    "A page that lets nothing out; `page.outside` holds what was tried, `page.errors` what the scripts complained of."
    page = browser.new_page(viewport=dict(width=1400, height=900), reduced_motion='reduce')
    page.set_default_timeout(120_000)  # a busy machine is no fault of the site
    page.outside, page.errors = [], []
    def gate(route):
        host = urlsplit(route.request.url).netloc
        if host and host != urlsplit(site).netloc: page.outside.append(route.request.url); route.abort()
        else: route.continue_()
    page.route('**/*', gate)
    page.on('pageerror', lambda e: page.errors.append(str(e)))
    page.on('console', lambda m: page.errors.append(m.text) if m.type == 'error' else None)
    yield page
    page.close()


def holding(pattern):
    "Pages of the site whose HTML holds `pattern`, from the root."
    found = [p for p in sorted(DOCS.rglob('*.html')) if pattern in p.read_text(encoding='utf-8')]
    return [p.relative_to(DOCS).as_posix() for p in found]


def test_every_page_keeps_to_itself(page, site):
    "No page asks anything of another host, none has a script error, and every picture is drawn."
    for p in sorted(DOCS.rglob('*.html')):
        page.goto(f'{site}/{p.relative_to(DOCS).as_posix()}', wait_until='load')
        dead = page.eval_on_selector_all('img', 'els => els.filter(e => !e.complete || !e.naturalWidth).length')
        assert dead == 0, f'{p.name}: {dead} pictures not drawn'
    assert page.outside == []
    assert page.errors == []


def test_search(page, site, shots):
    "A function's name leads to its place on its page, from a page in a folder too."
    page.goto(f'{site}/{(holding("/eval/") or ["core.html"])[0]}')
    box = page.locator('.smalldocs-search input:visible').first
    box.click(); box.press_sequentially('save_json')
    hit = page.locator('.search-result').first
    hit.wait_for(timeout=5000)
    page.screenshot(path=shots/'search.png')
    hit.click(); page.wait_for_url('**/core.html*')
    box = page.locator('.smalldocs-search input:visible').first
    box.click(); box.press_sequentially('zzqqxxnothing')
    page.locator('.search-none').wait_for(timeout=5000)


def test_signature(page, site, shots):
    "An exported function is shown with the comments of its arguments, under a heading that can be linked to."
    page.goto(f'{site}/core.html#save_json')
    assert page.locator('#save_json').is_visible()
    top = "document.getElementById('save_json').getBoundingClientRect().top"
    page.wait_for_function(f'{top} > 50 && {top} < 200')  # the jump lands below the bar
    code = page.locator('pre', has_text='def save_json(').first.inner_text()
    assert '# written whole or not at all' in code and 'parents are made' in code
    page.screenshot(path=shots/'signature.png')


def test_crosslink(page, site):
    "A name in backticks leads to the page that defines it."
    page.goto(f'{site}/index.html')
    page.locator('main a[href="core.html#aligner"]').first.click()
    page.wait_for_url('**/core.html#aligner')
    assert page.locator('#aligner').is_visible()


def test_equation(page, site, shots):
    "Equations are MathML that has a size; no raw TeX is left in the text."
    pages = holding('<math')
    assert pages, 'no page has an equation'
    for p in pages:
        page.goto(f'{site}/{p}')
        boxes = page.eval_on_selector_all('main math', 'els => els.map(e => e.getBoundingClientRect().width)')
        assert boxes and min(boxes) > 0, p
        prose = page.eval_on_selector_all('main p', 'els => els.map(e => e.innerText).join("\\n")')
        assert '\\(' not in prose and '\\frac' not in prose and '$$' not in prose, p
    page.locator('main math').first.scroll_into_view_if_needed()
    page.screenshot(path=shots/'equation.png')


def test_figure_and_sidebar(page, site, shots):
    "The start page shows its figure, and the sidebar lists every page in the order of reading."
    page.goto(f'{site}/index.html')
    assert page.locator('main .cell-output img').first.bounding_box()['width'] > 300
    hrefs = page.eval_on_selector_all('#quarto-sidebar a.sidebar-link', 'els => els.map(e => e.getAttribute("href"))')
    names = [h.removeprefix('./').split('#')[0] for h in hrefs if h and '.html' in h]
    assert names[:2] == ['index.html', 'tutorials/quickstart.html'] and len(names) == len(list(DOCS.rglob('*.html')))
    page.screenshot(path=shots/'start.png')
    page.emulate_media(color_scheme='dark'); page.reload()
    page.screenshot(path=shots/'start_dark.png')


def luminance(page, selector, what):
    "Brightness of a colour, 0 to 255."
    rgb = page.eval_on_selector(selector, f'e => getComputedStyle(e).{what}.match(/[0-9.]+/g).map(Number)')
    return sum(a*b for a, b in zip((.299, .587, .114), rgb))


def test_dark_and_light(page, site, shots):
    "The button turns the page dark and back; text and sidebar stand out from their ground in both."
    page.goto(f'{site}/core.html')
    for dark in (True, False):
        page.locator('.quarto-color-scheme-toggle:visible').first.click()
        page.wait_for_function(f"document.documentElement.classList.contains('quarto-dark') === {str(dark).lower()}")
        ground = luminance(page, 'body', 'backgroundColor')
        assert (ground < 128) == dark
        for part in ('main p', '#quarto-sidebar a.sidebar-link:not(.active)', '#TOC a:not(.active)'):
            page.wait_for_timeout(300)
            assert abs(luminance(page, part, 'color') - ground) > 100, (part, dark)
        page.screenshot(path=shots/f'scheme_{"dark" if dark else "light"}.png')


def test_narrow(page, site, shots):
    "On a telephone no page is wider than the screen: what is wide scrolls by itself."
    page.set_viewport_size(dict(width=400, height=800))
    for p in sorted(DOCS.rglob('*.html')):
        page.goto(f'{site}/{p.relative_to(DOCS).as_posix()}', wait_until='load')
        assert page.evaluate('document.documentElement.scrollWidth') <= 400, p.name
    page.screenshot(path=shots/'narrow.png')
