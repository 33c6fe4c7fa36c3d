# Everything here starts from a bare machine: Python 3.11 or newer (with venv and pip), make and git.
#   make demo      the main job on simulated patients, in about five minutes on two cores; then open runs/demo/index.html
#   make test      is the tree in step with its notebooks; the notebooks; the package; the house rules
#   make docs      the site, into _docs/
#   make lab       JupyterLab on the notebooks
#   make prepare   before a commit: export, clean, tests and README from the notebooks
#   make browser   the site and a notebook in headless Chromium (needs a chromium on the machine)

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
READY := .venv/.ready
JOBS ?= 2
# One thread a worker: workers that each take all cores only stand in one another's way.
CALM := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 HF_HUB_OFFLINE=1 WANDB_MODE=offline TOKENIZERS_PARALLELISM=false MPLBACKEND=Agg

.PHONY: demo test docs lab prepare browser clean

# Two processes of one thread train side by side. Interrupted, it goes on; ARGS='--patients 50 --seeds 1' makes it small.
demo: $(READY)
	HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false MPLBACKEND=Agg $(BIN)/medvl demo --out runs/demo $(ARGS)

test: $(READY)
	$(BIN)/python tools/check_sync.py
	$(CALM) $(BIN)/nbdev-test --n-workers $(JOBS) --timing
	$(CALM) $(BIN)/python -m pytest tests -n $(JOBS) --dist loadfile -q --durations 5 --ignore tests/browser

docs: $(READY)
	$(CALM) $(BIN)/python tools/make_docs.py

lab: $(READY)
	$(BIN)/jupyter lab --notebook-dir nbs

prepare: $(READY)
	$(BIN)/nbdev-export
	$(BIN)/nbdev-clean
	$(BIN)/python tools/make_tests.py
	$(BIN)/python tools/make_readme.py

browser: docs
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[browser]'
	$(CALM) $(BIN)/python -m pytest tests/browser -q -rs

clean:
	rm -rf _docs _proc build dist

# torch first: it is the largest, and what comes after has to fit it.
$(READY): settings.ini setup.py pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), f"medvl needs Python 3.11 or newer, this is {sys.version}"'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt torch torchvision
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@
