# The two commands of the README. Each sets up what it needs: system packages, .venv, packages.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DIGITS := build/digits

export TF_CPP_MIN_LOG_LEVEL = 3

.PHONY: demo test explore lint bench clean

demo: $(VENV)/ready
	@$(BIN)/python examples/digits/train.py $(DIGITS) 2>$(DIGITS).log || (cat $(DIGITS).log; false)
	@$(BIN)/python examples/digits/demo.py $(DIGITS)

test: $(VENV)/ready lint
	$(BIN)/python -m pytest -n 2 --dist loadfile

# The property tests with examples that nobody has drawn before; not part of `make test`.
explore: $(VENV)/ready
	$(BIN)/python -m pytest -n 2 -m hypothesis --hypothesis-profile explore

lint: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/ready
	$(BIN)/python benchmarks/run.py

$(VENV)/ready: pyproject.toml setup.sh
	@PYTHON="$(PYTHON)" sh setup.sh $(VENV)
	@mkdir -p build
	@touch $@

clean:
	rm -rf build results
