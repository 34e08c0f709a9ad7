"""Arrows and fences of ARCHITECTURE.md, read from the source; nothing is imported."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("server", "completion", "analysis", "models", "cache")
ARROWS = {
    "server": {"completion", "analysis", "models", "cache"},
    "completion": {"analysis", "models", "cache"},
    "models": {"cache"},
    "analysis": set(),
    "cache": set(),
}
FENCES = {
    "pygls": {"server"},
    "lsprotocol": {"server"},
    "click": {"server"},
    "rich": {"server"},
    "typer": {"server"},
    "llama_cpp": {"models"},
    "onnxruntime": {"models"},
    "gguf": {"models"},
    "huggingface_hub": {"models"},
    "jedi": {"analysis"},
    "parso": {"analysis"},
    "tree_sitter": {"analysis"},
    "libcst": {"analysis"},
    "hypothesis": {"analysis"},
    "pathspec": {"analysis"},
    "watchdog": {"analysis"},
    "sqlite_utils": {"cache"},
}
SINGLE_IMPORTER = {"llama_cpp": "models/llama.py", "onnxruntime": "models/onnx.py"}
LEAVES = ("assist.server.bench", "assist.models.training")
LINES_MAX = 450


def modules() -> Iterator[tuple[str, Path]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield package, path


def imports(path: Path) -> Iterator[str]:
    """Absolute dotted names that a module imports, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module is not None
            yield node.module
            if node.module.startswith("assist"):
                yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_packages_follow_the_arrows() -> None:
    wrong = []
    for package, path in modules():
        leaf = path.is_relative_to(ROOT / "models" / "training")
        allowed = ARROWS[package] | {package} | ({"analysis"} if leaf else set())
        for name in imports(path):
            parts = name.split(".")
            if parts[0] == "assist" and len(parts) > 1 and parts[1] not in allowed:
                wrong.append(f"{path.relative_to(ROOT)} imports {name}")
            if parts[0] in PACKAGES:
                wrong.append(f"{path.relative_to(ROOT)} imports {name} without assist.")
    assert not wrong


def test_libraries_stay_behind_their_fences() -> None:
    wrong = []
    for package, path in modules():
        relative = path.relative_to(ROOT).as_posix()
        leaf = relative.startswith("models/training/")
        for name in imports(path):
            library = name.split(".")[0].removesuffix("_python")
            library = "tree_sitter" if library.startswith("tree_sitter") else library
            if library in FENCES and package not in FENCES[library]:
                wrong.append(f"{relative} imports {name}")
            if library in SINGLE_IMPORTER and not leaf and relative != SINGLE_IMPORTER[library]:
                wrong.append(f"{relative} imports {name}")
    assert not wrong


def test_leaves_are_imported_by_nothing_outside() -> None:
    wrong = []
    for _, path in modules():
        dotted = "assist." + ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for name in imports(path):
            for leaf in LEAVES:
                inside = dotted.startswith(leaf) or dotted == "assist.server.cli"
                if name.startswith(leaf) and not inside and "commands" not in dotted:
                    wrong.append(f"{dotted} imports {name}")
    assert not wrong


def test_every_package_is_shipped() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    setuptools = project["tool"]["setuptools"]
    folders = {path.parent.relative_to(ROOT).as_posix().replace("/", ".") for _, path in modules()}
    assert {f"assist.{folder}" for folder in folders} == set(setuptools["packages"])


def test_modules_open_with_a_sentence_and_stay_small() -> None:
    wrong = []
    for _, path in modules():
        source = path.read_text(encoding="utf-8")
        if ast.get_docstring(ast.parse(source)) is None:
            wrong.append(f"{path.relative_to(ROOT)} has no docstring")
        if source.count("\n") > LINES_MAX:
            wrong.append(f"{path.relative_to(ROOT)} is longer than {LINES_MAX} lines")
    assert not wrong


def test_no_folder_shadows_the_namespace() -> None:
    assert not (ROOT / "assist").exists()
    assert not (ROOT / "tests" / "__init__.py").exists()


@pytest.mark.parametrize(
    ("module", "others"),
    [
        ("app", "jedi libcst llama_cpp numpy onnxruntime sqlite_utils tree_sitter pandas"),
        ("engine_worker", "jedi libcst onnxruntime pandas http.client pygls"),
    ],
)
def test_a_process_starts_without_what_others_need(module: str, others: str) -> None:
    code = f"import sys, assist.server.{module}; print(set({others.split()!r}) & {{*sys.modules}})"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "set()", done.stdout + done.stderr
