"""The user's Python environment, found by reading files; it starts no interpreter and imports nothing."""

from __future__ import annotations

import ast
import os
import re
import shutil
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

CONFIG_BYTES_MAX = 64_000
PTH_FILES_MAX = 200
FINDER_BYTES_MAX = 1_000_000
CANDIDATES_MAX = 200
MODULES_MAX = 50_000

_USUAL_NAMES = (".venv", "venv", "env", ".env")
_VERSION = re.compile(r"^version(?:_info)?\s*=\s*(\d+)\.(\d+)", re.MULTILINE)
_HOME = re.compile(r"^home\s*=\s*(.+)$", re.MULTILINE)
_SYSTEM = re.compile(r"^include-system-site-packages\s*=\s*true", re.MULTILINE | re.IGNORECASE)
_MAPPING = re.compile(r"^MAPPING\b[^=]*=\s*(\{.*?\})\s*$", re.MULTILINE | re.DOTALL)
_OWN_VERSION = (sys.version_info.major, sys.version_info.minor)


@dataclass(frozen=True)
class Environment:
    """Where a workspace's imports come from.

    ``root`` is the folder of the environment, ``standard_library`` and ``site_packages`` are the
    folders that its interpreter would search after the workspace, in this order.
    """

    root: str
    version: tuple[int, int]
    standard_library: tuple[str, ...]
    site_packages: tuple[str, ...]

    @property
    def search_path(self) -> tuple[str, ...]:
        return (*self.standard_library, *self.site_packages)


def find_environment(workspace: Path | None, setting: str = "") -> Environment:
    """The environment of a workspace, as editors find it.

    ``setting`` names a folder or an interpreter and comes first; then the workspace's own
    virtual environment, the activated one, the ``python3`` on the path, and our own.
    """
    for folder in _candidates(workspace, setting):
        found = read_environment(folder)
        if found is not None:
            return found
    return own_environment()


def read_environment(root: Path) -> Environment | None:
    """The environment in a folder; none if there is none."""
    config = _read(root / "pyvenv.cfg", CONFIG_BYTES_MAX)
    stated = _VERSION.search(config)
    version = (int(stated[1]), int(stated[2])) if stated else None
    site = _site_folder(root, version)
    if site is None or (not config and not _has_interpreter(root)):
        return None
    folder, version = site
    sites = [folder]
    base = root
    home = _HOME.search(config)
    if home is not None:
        base = Path(home[1].strip()).resolve().parent
        if _SYSTEM.search(config):
            system = _site_folder(base, version)
            sites += [system[0]] if system else []
    standard = _standard_library(base, version)
    return Environment(
        root=str(root),
        version=version,
        standard_library=tuple(map(str, standard)),
        site_packages=tuple(dict.fromkeys(_with_links(sites))),
    )


def own_environment() -> Environment:
    """The environment that this program runs in."""
    sites = [Path(path) for path in sys.path if path and _is_site_folder(path)]
    return Environment(
        root=sys.prefix,
        version=_OWN_VERSION,
        standard_library=(sysconfig.get_path("stdlib"),),
        site_packages=tuple(dict.fromkeys(_with_links(sites))),
    )


def importable_modules(folders: Iterable[str]) -> frozenset[str]:
    """Names of the modules and packages that lie in ``folders``, and those of the standard library
    on every platform."""
    names = set(sys.builtin_module_names) | sys.stdlib_module_names
    for folder in folders:
        names.update(_module_names(Path(folder)))
        if len(names) > MODULES_MAX:
            break
    return frozenset(names)


def _module_names(folder: Path) -> Iterator[str]:
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for entry in entries:
        stem, dot, suffix = entry.name.partition(".")
        if stem.removesuffix("-stubs").isidentifier() and (
            suffix in ("py", "pyi", "pyc")
            or suffix.endswith(("so", "pyd"))
            or (not dot and entry.is_dir())
        ):
            yield stem.removesuffix("-stubs")


def _candidates(workspace: Path | None, setting: str) -> Iterator[Path]:
    if setting:
        path = Path(setting).expanduser()
        if workspace is not None and not path.is_absolute():
            path = workspace / path
        # <root>/bin/python or <root>/Scripts/python.exe
        yield path.parent.parent if path.is_file() else path
    if workspace is not None:
        for name in _USUAL_NAMES:
            yield workspace / name
        yield from (path.parent for path in _configs_below(workspace))
    for variable in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        if os.environ.get(variable):
            yield Path(os.environ[variable])
    python = shutil.which("python3") or shutil.which("python")
    if python is not None:
        yield Path(python).parent.parent
        yield Path(python).resolve().parent.parent


def _configs_below(workspace: Path) -> Iterator[Path]:
    try:
        entries = sorted(os.scandir(workspace), key=lambda entry: entry.name)[:CANDIDATES_MAX]
    except OSError:
        return
    for entry in entries:
        config = Path(entry.path) / "pyvenv.cfg"
        if config.is_file():
            yield config


def _site_folder(
    root: Path, version: tuple[int, int] | None
) -> tuple[Path, tuple[int, int]] | None:
    if version is not None:
        name = f"python{version[0]}.{version[1]}"
        names = [(name, version)]
    else:
        names = []
        for folder in sorted((root / "lib").glob("python3.*"), reverse=True)[:CANDIDATES_MAX]:
            match = re.fullmatch(r"python(\d+)\.(\d+)", folder.name)
            if match:
                names.append((folder.name, (int(match[1]), int(match[2]))))
        names.sort(key=lambda pair: pair[1], reverse=True)
    for name, found in names:
        for kind in ("site-packages", "dist-packages"):
            for library in ("lib", "lib64"):
                if (root / library / name / kind).is_dir():
                    return root / library / name / kind, found
    windows = root / "Lib" / "site-packages"
    if windows.is_dir():
        return windows, version or _OWN_VERSION
    return None


def _has_interpreter(root: Path) -> bool:
    return any(
        (root / name).exists() for name in ("bin/python3", "bin/python", "python.exe", "conda-meta")
    )


def _standard_library(base: Path, version: tuple[int, int]) -> list[Path]:
    for folder in (base / "lib" / f"python{version[0]}.{version[1]}", base / "Lib"):
        if (folder / "os.py").is_file():
            return [folder]
    return [Path(sysconfig.get_path("stdlib"))]


def _is_site_folder(path: str) -> bool:
    return Path(path).name in ("site-packages", "dist-packages") and Path(path).is_dir()


def _with_links(sites: Iterable[Path]) -> Iterator[str]:
    """Site folders and the folders that their ``.pth`` files and editable installs point to."""
    for site in sites:
        yield str(site)
        try:
            names = sorted(entry.name for entry in os.scandir(site))
        except OSError:
            continue
        links = [name for name in names if name.endswith(".pth")][:PTH_FILES_MAX]
        for name in links:
            for line in _read(site / name, CONFIG_BYTES_MAX).splitlines():
                text = line.strip()
                if text and not text.startswith(("#", "import ", "import\t")):
                    folder = site / text
                    if folder.is_dir():
                        yield str(folder)
        for name in names:
            if name.startswith("__editable__") and name.endswith("_finder.py"):
                yield from _mapped(_read(site / name, FINDER_BYTES_MAX))


def _mapped(finder: str) -> Iterator[str]:
    """Folders of an editable install's mapping; names that are mapped elsewhere are left out."""
    match = _MAPPING.search(finder)
    if match is None:
        return
    try:
        mapping = ast.literal_eval(match[1])
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return
    for module, target in mapping.items() if isinstance(mapping, dict) else ():
        parts = str(module).split(".")
        path = Path(str(target))
        if [*path.parts[-len(parts) :]] == parts:
            yield str(path.parents[len(parts) - 1])


def _read(path: Path, bytes_max: int) -> str:
    try:
        with path.open("rb") as file:
            return file.read(bytes_max).decode("utf-8", "replace")
    except OSError:
        return ""
