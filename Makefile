# make demo   builds everything and completes a real file
# make test   builds everything and runs the tests (under ten minutes on two cores once built)
# Each can be repeated and is quick the second time. PYTHON=... names another interpreter.

BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest

.PHONY: help build model demo test test-deep test-editors lint clean

help:
	@sed -n 's/^# //p' Makefile

build:
	@.ci/build

model: build
	@$(BIN)/assist models fetch

demo: model
	@$(BIN)/assist demo

test: model
	@$(PYTEST) -m "not deep and not editors"

# long property, soak and real-model comparisons
test-deep: model
	@$(PYTEST) -m deep

# real editors: installs them where they are missing
test-editors: model
	@$(PYTEST) -m editors

lint: build
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

clean:
	rm -rf .venv build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache
