# The commands of the project. Each installs by apt-get and pip what it needs and what is missing: a fresh Debian 12 or
# Ubuntu 24.04 machine with python3, make and apt is enough. To see what a command would do: make -n COMMAND
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.SILENT:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VENV ?= .venv
PY := $(VENV)/bin/python
MACHINE := $(shell uname -m)
BPF := agent/sensor/bpf
OBJECT := $(BPF)/sensor.$(MACHINE).o
# The border keeps its comments in one column, which clang-format doesn't.
C_FILES = $(filter-out $(BPF)/sensor.h,$(wildcard $(BPF)/*.c $(BPF)/*.h tests/programs/*.c tests/programs/*.h))
ARGS ?=
FUZZ_S ?= 60
TARGETS ?= policy policy_test kernel kernel_texts dns_answer runtime_files records recording text

RUN_PACKAGES := clang llvm libbpf-dev libbpf1/libbpf1t64
DEMO_PACKAGES := runc busybox-static
TEST_PACKAGES := $(DEMO_PACKAGES) bpftool/linux-tools-generic clang-format containerd containernetworking-plugins \
	gcc libc6-dev iproute2 linux-libc-dev nginx-light/nginx prometheus $(if $(filter x86_64,$(MACHINE)),gcc-multilib)

.PHONY: help
help: ## this list
	awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: root environment object ## start the agent with the shipped rules; what it sees appears on the terminal
	exec $(PY) -m agent run --policies rules $(ARGS)

.PHONY: demo
demo: root environment object ## the same for 20 seconds beside a container that misbehaves
	.ci/need $(DEMO_PACKAGES)
	exec $(PY) -m demo.show $(ARGS)

.PHONY: test
test: root lint object ## all tests
	$(PY) -m pytest $(ARGS)

.PHONY: lint
lint: develop ## linters and types alone
	echo "· ruff"; $(VENV)/bin/ruff check --quiet .; $(VENV)/bin/ruff format --quiet --check .
	echo "· mypy"; $(VENV)/bin/mypy --no-error-summary
	echo "· import layers"; $(VENV)/bin/lint-imports --no-cache >build/lint-imports || { cat build/lint-imports; exit 1; }
	echo "· clang-format"; clang-format --dry-run --Werror $(C_FILES)

.PHONY: bench
bench: root develop object ## measure the cost; prints a table and writes bench/results.json
	.ci/need git make procps wrk
	exec $(PY) -m bench $(ARGS)

.PHONY: fuzz
fuzz: ## let atheris loose on every parser, FUZZ_S=60 seconds each
	.ci/environment .venv-fuzz requirements-fuzz.lock
	for target in $(TARGETS); do
		echo "· $$target"
		mkdir -p "build/fuzz/$$target"
		[[ $$target != policy* ]] || cp rules/*.yaml rules/examples/*.yaml "build/fuzz/$$target" # to begin with
		.venv-fuzz/bin/python -m tests.fuzz.fuzz "$$target" -max_total_time=$(FUZZ_S) -max_len=8192 -verbosity=0 "build/fuzz/$$target"
	done

.PHONY: object
object: $(OBJECT) ## compile the BPF programs for this machine

$(OBJECT): compile_bpf.py $(wildcard $(BPF)/*.c $(BPF)/*.h)
	.ci/need $(RUN_PACKAGES)
	echo "· compiling $@"
	"$$(.ci/python)" compile_bpf.py >/dev/null

.PHONY: wheel
wheel: develop ## build dist/vedette-*.whl, with the programs for every machine in it
	$(PY) -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .
	ls dist/*.whl

.PHONY: docs
docs: develop ## renew the generated pages of docs/reference
	$(PY) -m docs.generate

.PHONY: lock
lock: develop ## renew the lock files from pyproject.toml (needs the package index)
	uv() { $(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
		--no-emit-index-url --no-emit-find-links "$$@"; }
	uv $(UPGRADE) pyproject.toml -o requirements.lock
	uv $(UPGRADE) pyproject.toml --all-extras --group dev -c requirements.lock -o requirements-dev.lock
	uv $(UPGRADE) pyproject.toml --group fuzz -c requirements.lock -o requirements-fuzz.lock

.PHONY: clean
clean: ## remove what was built; the environments stay (rm -r .venv .venv-fuzz)
	rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	rm -f $(BPF)/*.o
	find agent model tests bench demo docs -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: root
root:
	[[ $$(id -u) = 0 ]] || { echo "error: BPF programs can be loaded by root only: sudo make …" >&2; exit 1; }

.PHONY: environment
environment:
	.ci/environment $(VENV) requirements.lock

.PHONY: develop
develop:
	.ci/need $(RUN_PACKAGES) $(TEST_PACKAGES)
	.ci/environment $(VENV) requirements-dev.lock
	mkdir -p build
