# make demo   builds everything and completes a real file
# make test   builds everything and runs the tests (under ten minutes on two cores once built)
# Each can be repeated and is quick the second time. PYTHON=... names another interpreter.

BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest

RANKER_PACKAGES := anyio coverage cycler diskcache filelock fire fonttools gguf iniconfig matplotlib \
	mypy narwhals numpy onnx pytest-asyncio pytest-lsp referencing scipy termcolor truststore wheel

.PHONY: help build model demo extension test test-deep test-editors ranker lint clean

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

# the VS Code extension as vscode-extension/assist.vsix
extension:
	@.ci/extension

# real editors: installs them where they are missing, says what it cannot install
test-editors: model extension
	@vscode-extension/tests/setup.sh >/dev/null
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[editors]"
	@cd vscode-extension && npm test
	@$(PYTEST) -m editors

# the ranker again, for another embedded model: answers to holes in packages, then training
ranker: model
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[train]" $(RANKER_PACKAGES)
	@mkdir -p build
	@$(BIN)/assist bench ranking --training --limit 1500 --seed 1 --csv build/ranker.csv --resume
	@$(BIN)/python -m assist.models.training.ranker build/ranker.csv

lint: build
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

clean:
	rm -rf .venv build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache
