"""What the imports of a text bring, and where in a workspace that may be; it looks at no disk and knows no installed package."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

IMPORTS_MAX = 64
NAMES_MAX = 200
ROOTS_MAX = 8
CODE_POINTS_MAX = 200_000

_FROM = re.compile(
    r"^[ \t]*from[ \t]+(?P<module>[\w.]+)[ \t]+import[ \t]*"
    r"(?:\((?P<wrapped>[^()]{0,4000})\)|(?P<names>[^\n#;(]+))",
    re.MULTILINE,
)
_IMPORT = re.compile(r"^[ \t]*import[ \t]+(?P<names>[^\n#;]+)", re.MULTILINE)
_ONE = re.compile(r"(?P<name>[\w.]+|\*)(?:[ \t]+as[ \t]+(?P<local>\w+))?\Z")
_SCRIPT = re.compile(
    r"^[ \t]*(?:import|export)[ \t]+(?:type[ \t]+)?(?P<clause>[^'\";]{1,1000}?)\bfrom[ \t]*"
    r"['\"](?P<module>\.[^'\"\n]*)['\"]",
    re.MULTILINE,
)
_SCRIPT_LANGUAGES = {"javascript", "javascriptreact", "typescript", "typescriptreact"}
_SCRIPT_SUFFIXES = (".ts", ".tsx", ".js", ".jsx", ".mjs")


@dataclass(frozen=True)
class Import:
    """``local`` is the name in the text; it stands for ``member`` of ``module``.

    An empty member is the module itself, and "*" all that it defines.
    """

    local: str
    module: str
    member: str


def imports_of(text: str, language: str) -> tuple[Import, ...]:
    """Imports in the order of the text, which may be broken; relative ones only in JavaScript."""
    text = text[:CODE_POINTS_MAX]
    if language == "python":
        found = [
            *((match.start(), _python_from(match)) for match in _FROM.finditer(text)),
            *((match.start(), _python_import(match)) for match in _IMPORT.finditer(text)),
        ]
    elif language in _SCRIPT_LANGUAGES:
        found = [(match.start(), _script(match)) for match in _SCRIPT.finditer(text)]
    else:
        return ()
    found.sort(key=lambda pair: pair[0])
    names = [name for _, group in found[:IMPORTS_MAX] for name in group]
    return tuple(names[:NAMES_MAX])


def places(imported: Import, folder: Path, root: Path, language: str) -> Iterator[tuple[Path, str]]:
    """Files, and what they would call the import, the most likely first; all lie below ``root``.

    ``folder`` holds the file with the import. A module's first names may also be mapped to a
    folder by the project's packaging: then its last ones decide.
    """
    module, member = imported.module, imported.member
    if language != "python":
        yield from _script_places(module, member, folder, root)
        return
    level = len(module) - len(module.lstrip("."))
    parts = [part for part in module[level:].split(".") if part]
    if level:
        bases = [folder, *folder.parents][level - 1 : level]
    else:
        above = [base for base in (folder, *folder.parents) if base.is_relative_to(root)]
        bases = list(dict.fromkeys([root, root / "src", *above]))[:ROOTS_MAX]
    for base in bases:
        if base.is_relative_to(root):
            yield from _python_places(base.joinpath(*parts), member)
    if not level and len(parts) > 1:
        for start in range(1, len(parts)):
            yield from _python_places(root.joinpath(*parts[start:]), member)


def _python_places(path: Path, member: str) -> Iterator[tuple[Path, str]]:
    if path.name:
        yield path.with_name(f"{path.name}.py"), member
    yield path / "__init__.py", member
    if member and member != "*":
        yield path / f"{member}.py", ""
        yield path / member / "__init__.py", ""


def _script_places(
    module: str, member: str, folder: Path, root: Path
) -> Iterator[tuple[Path, str]]:
    path = folder
    for part in module.split("/"):
        path = path.parent if part == ".." else path if part in (".", "") else path / part
    if not path.is_relative_to(root) or path == root:
        return
    yield path, member
    for suffix in _SCRIPT_SUFFIXES:
        yield path.with_name(path.name + suffix), member
    for suffix in _SCRIPT_SUFFIXES:
        yield path / f"index{suffix}", member


def _python_from(match: re.Match[str]) -> list[Import]:
    names = re.sub(r"#[^\n]*", "", match["wrapped"] or match["names"] or "")
    found = []
    for name in names.replace("\\", " ").split(","):
        one = _ONE.match(" ".join(name.split()))
        if one:
            found.append(Import(one["local"] or one["name"], match["module"], one["name"]))
    return found


def _python_import(match: re.Match[str]) -> list[Import]:
    found = []
    for name in match["names"].split(","):
        one = _ONE.match(" ".join(name.split()))
        if one and one["name"] != "*":
            found.append(Import(one["local"] or one["name"], one["name"], ""))
    return found


def _script(match: re.Match[str]) -> list[Import]:
    clause, module = match["clause"], match["module"]
    found = []
    braces = re.search(r"\{([^{}]*)\}", clause)
    for name in braces[1].split(",") if braces else ():
        one = _ONE.match(" ".join(name.replace("type ", " ").split()))
        if one:
            found.append(Import(one["local"] or one["name"], module, one["name"]))
    whole = re.search(r"\*[ \t]+as[ \t]+(\w+)", clause)
    if whole:
        found.append(Import(whole[1], module, ""))
    return found
