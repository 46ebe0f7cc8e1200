# Thin wrappers: what each command does stands in scripts/dev.py, which also runs where make is missing.
# Arguments: make test ARGS="-k conv -x"

PYTHON ?= python3
DEV = $(PYTHON) scripts/dev.py

.PHONY: help setup demo test quick check format clean

help:
	@$(DEV) --help

setup demo test quick check format:
	@$(DEV) $@ $(ARGS)

# Keeps .venv: remove that by hand to start afresh.
clean:
	rm -rf build dist tinyc.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -path ./.venv -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +
