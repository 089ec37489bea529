PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
DEMO := demo

.PHONY: help demo test lint format bench bench-server bench-gpu clean

help:  ## list what there is to make
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(INSTALLED)  ## 300 samples with every synthesizer, verified, with contact sheets
	@$(BIN)/synthgen generate quickstart --out $(DEMO)/shards
	@$(BIN)/synthgen verify $(DEMO)/shards
	@$(BIN)/synthgen preview quickstart -n 240 --contact --out $(DEMO)/contact-sheet.png
	@$(BIN)/synthgen preview quickstart --out $(DEMO)/preview.png
	@$(BIN)/synthgen generate sdas-quickstart --out $(DEMO)/sdas-shards
	@$(BIN)/synthgen verify $(DEMO)/sdas-shards
	@$(BIN)/synthgen preview sdas-quickstart --out $(DEMO)/sdas-preview.png
	@$(BIN)/synthgen readers $(DEMO)/shards
	@echo "shards         $(DEMO)/shards, $(DEMO)/sdas-shards"
	@echo "contact sheet  $(DEMO)/contact-sheet.png"
	@echo "preview        $(DEMO)/preview.png, $(DEMO)/sdas-preview.png"
	@echo "which recipe is worth training on, in half a minute:"
	@echo "  $(BIN)/synthgen validate cutpaste smoothblend --source builtin --category brick --tile 64 --budget quick --out $(DEMO)/report"

test: $(INSTALLED)  ## all tests
	$(BIN)/python -m pytest

lint: $(INSTALLED)  ## ruff check and format, mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(INSTALLED)  ## let ruff format and fix
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(INSTALLED)  ## speed of whole runs beside an encoder, of diffusion and of detectors, on this machine (35 minutes)
	$(BIN)/python -m tests.benchmarks.generate
	$(BIN)/python -m tests.benchmarks.diffusion
	$(BIN)/python -m tests.benchmarks.detectors

bench-server: $(INSTALLED)  ## the service beside the pipeline without HTTP, under load and overload (5 minutes)
	$(BIN)/python -m tests.benchmarks.server

bench-gpu: $(INSTALLED)  ## everything on a GPU, within nine minutes, into gpu-bench (docs/gpu.md)
	$(BIN)/python -m tests.benchmarks.gpu

clean:  ## remove the demo's output and caches; the environment stays
	rm -rf $(DEMO) .pytest_cache .mypy_cache .ruff_cache
