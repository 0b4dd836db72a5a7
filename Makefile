# Everything here needs python3 (3.11 or newer) and make; the rest is installed into .venv from requirements.lock.

# Given on the command line only (`make report BRANCH=weifang`): variables of these names in the shell mean other things.
PYTHON :=
SOURCE := data/shandong
BRANCH := rizhao
REPORT_LANG := zh
UPGRADE :=
WORKERS := 2

BIN := .venv/bin

# One thread per process: the matrices are small, so BLAS threads only get in each other's way (a 36-order grid took
# ten times as long), and what runs side by side are processes. One thread also gives the same digits everywhere.
export OMP_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1
export MKL_NUM_THREADS := 1
export VECLIB_MAXIMUM_THREADS := 1
export NUMBA_NUM_THREADS := 1
# Chinese on a pipe must not depend on the locale.
export PYTHONUTF8 := 1
# The debugger's advice about frozen modules is printed by every kernel and concerns nobody here.
export PYDEVD_DISABLE_FILE_VALIDATION := 1

.DEFAULT_GOAL := help
.PHONY: help setup report province test lab docs lock bench clean distclean
.NOTPARALLEL:

help:  ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

# Always asked, answers in a few hundredths of a second when .venv fits the lock.
setup:  ## create or update .venv from the lock (the other targets do it themselves)
	@sh tools/setup.sh $(PYTHON)

report: setup  ## one branch's report: reports/BRANCH/report.html (BRANCH=rizhao SOURCE=data/shandong REPORT_LANG=zh)
	@$(BIN)/ebank report --source "$(SOURCE)" --branch "$(BRANCH)" --lang "$(REPORT_LANG)"

province: setup  ## every branch's report: reports/BRANCH/report.html
	@$(BIN)/ebank report --source "$(SOURCE)" --all --lang "$(REPORT_LANG)"

# All steps always run, so that one failure does not hide the other. Notebooks are replayed over IPC, a file to a
# worker (its cells share a kernel). The "ci" profile of hypothesis is its own: no randomness, no deadline.
test: setup  ## all that CI runs: lint, types, doctests, tests, notebooks replayed
	@status=0; \
	echo "[1/3] ruff"; \
	$(BIN)/ruff check . || status=1; \
	echo "[2/3] pyrefly"; \
	$(BIN)/pyrefly check || status=1; \
	echo "[3/3] doctests, tests and notebooks, $(WORKERS) workers"; \
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder --hypothesis-profile=ci \
	  -p tools.pytest_ipc --nbval --nbval-sanitize-with tests/nbval_sanitize.cfg --nbval-cell-timeout 300 --durations 10 --durations-min 5 \
	  ebank_lib tests $(wildcard notebooks) || status=1; \
	exit $$status

lab: setup  ## JupyterLab on the notebooks
	@$(BIN)/jupyter lab --notebook-dir=. $(wildcard notebooks)

# As stored, nothing is executed; a warning is an error.
docs: setup  ## the documentation: docs/_build/html/index.html
	@$(BIN)/python -m sphinx -q -W --keep-going -c docs -d docs/_build/read . docs/_build/html
	@cp docs/_build/html/README.html docs/_build/html/index.html
	@echo docs/_build/html/index.html

# Where packages come from is the installing machine's business: no index in the file. environment.yml names what
# pyproject.toml names (a test compares them); here its versions are brought in step.
lock: setup  ## resolve anew within pyproject.toml: requirements.lock and environment.yml (UPGRADE=1: newest of all)
	@env -u UV_INDEX -u UV_FIND_LINKS $(BIN)/uv pip compile --no-config --quiet --universal --generate-hashes \
	  --fork-strategy=fewest --only-binary=:all: --no-emit-index-url --no-emit-find-links --no-annotate \
	  --custom-compile-command="make lock" --python-version=3.11 --all-extras --group=test --group=docs --group=build \
	  $(if $(UPGRADE),--upgrade) --output-file=requirements.lock pyproject.toml
	@awk 'NR == FNR {if (split($$1, a, "==") == 2) pin[a[1]] = a[2]; next} \
	  split($$2, a, /==?/) == 2 {name = a[1]; sub(/-py$$/, "", name); sub("python-duckdb", "duckdb", name); gsub("_", "-", name); \
	    if (name in pin) sub(/[0-9][^= ]*$$/, pin[name])} {print}' requirements.lock environment.yml > .venv/environment.yml
	@cp .venv/environment.yml environment.yml

bench: setup  ## times and accuracy that docs/why states
	@$(BIN)/python -m benchmarks

clean:  ## remove reports and caches
	rm -rf reports build dist docs/_build *.egg-info .pytest_cache .ruff_cache .hypothesis
	find ebank_lib tests tools benchmarks data -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

distclean: clean  ## and the environment
	rm -rf .venv
