# make demo   the whole path on synthetic records: train, compress, export, bench, report
# make test   the fast tests          make check   style, types, imports, documentation
# make coverage   the fast tests, and which lines they do not run
# make docs   the documentation, in build/docs
# make benchmarks   every experiment of benchmarks/ at toy size
# make clean  remove what these made, except runs/

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test coverage check docs benchmarks system clean

# One environment, in two layers: what the program needs, and what its tests need on top.
# --no-compile halves the time of the installation; Python compiles what it imports, once, for
# which it must be allowed to write bytecode.
export PYTHONDONTWRITEBYTECODE :=
INSTALL := $(BIN)/python -m pip install --quiet --no-compile -c constraints.txt

# Models are converted on x86-64 and macOS: litert-converter has no wheel for Linux on ARM. There,
# what measures is installed and tested, and the demo measures a run that is shipped.
ifneq ($(filter Linux-aarch64 Linux-armv%,$(shell uname -s)-$(shell uname -m)),)
PROGRAM := device,data,report
TOOLS := device,data,report,meters,tools
TESTS := tests/meters tests/devices
else
PROGRAM := all
TOOLS := dev
TESTS := tests
endif

$(VENV)/.all: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
		|| { echo "edgeecg needs Python 3.11 to 3.13; name one: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) -e '.[$(PROGRAM)]'
	touch $@

$(VENV)/.dev: $(VENV)/.all
	$(INSTALL) -e '.[$(TOOLS)]'
	touch $@

demo: $(VENV)/.all
	BIN=$(BIN) sh benchmarks/demo.sh

# Three processes also on two cores, because some tests mostly wait. One thread in each: numeric
# threads that share a core slow each other down many times over.
SPREAD := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 3 --dist loadfile
FAST := $(SPREAD) -m 'not system'

test: $(VENV)/.dev
	$(FAST) $(TESTS)

# Counting lines slows the tests down, and no limit depends on the result.
coverage: $(VENV)/.dev
	$(FAST) --cov=edgeecg --cov-report=term:skip-covered $(TESTS)

# Every experiment at toy size, on synthetic records, so that none stops working unnoticed.
benchmarks: $(VENV)/.dev
	$(BIN)/python benchmarks/run.py --all --quick

system: $(VENV)/.dev
	$(SPREAD) -m 'system and not alone'
	$(BIN)/python -m pytest -m 'system and alone'

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(MAKE) docs

docs: $(VENV)/.dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

clean:
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .hypothesis .coverage .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
