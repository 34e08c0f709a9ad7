"""Decides which files of the workspace a sandboxed process may read: code and data, never secrets, never a home; it only looks at names."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from assist.analysis.execution.bundle import is_home_or_above

ENTRIES_MAX = 40_000
GRANTS_MAX = 2_000
SECRET_NAMES = (
    ".git", ".hg", ".svn", ".env", ".env.*", "*.pem", "*.key", "*.p12", "*.pfx", "id_rsa*",
    "id_ed25519*", "id_ecdsa*", ".netrc", ".npmrc", ".pypirc", ".aws", ".ssh", ".gnupg", ".kube",
    ".docker", ".azure", ".gcloud", "secrets.*", "credentials", "credentials.*", ".htpasswd",
    ".bash_history", ".python_history", "*.kdbx",
)  # fmt: skip
NOT_WALKED = frozenset({"node_modules", ".venv", "venv", "__pycache__", ".mypy_cache", ".tox"})


@dataclass(frozen=True)
class Grants:
    """Trees and files to read, folders whose names may be listed, and what is masked among them."""

    readable: tuple[Path, ...]
    listable: tuple[Path, ...]
    masked: tuple[Path, ...]


def readable_workspace(workspace: Path) -> Grants:
    """Everything below ``workspace`` but secrets; of a home only the Python files beside each other."""
    workspace = workspace.resolve()
    if not workspace.is_dir():
        return Grants((), (), ())
    if is_home_or_above(workspace) or workspace in (Path("/tmp"), Path("/var/tmp")):
        return Grants(tuple(sorted(workspace.glob("*.py"))[:GRANTS_MAX]), (workspace,), ())
    walk = _Walk()
    whole = walk.visit(workspace)
    if whole:
        return Grants((workspace,), (), ())
    return Grants(tuple(walk.readable), tuple(walk.listable), tuple(walk.masked))


def is_secret(name: str) -> bool:
    return any(fnmatch(name, pattern) for pattern in SECRET_NAMES)


class _Walk:
    def __init__(self) -> None:
        self.readable: list[Path] = []
        self.listable: list[Path] = []
        self.masked: list[Path] = []
        self.seen = 0

    def visit(self, folder: Path) -> bool:
        """Whether the whole of ``folder`` may be read; if not, its harmless parts are noted."""
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:
            return False
        self.seen += len(entries)
        if self.seen > ENTRIES_MAX:
            return False
        harmless: list[Path] = []
        whole = True
        for entry in entries:
            path = Path(entry.path)
            if is_secret(entry.name):
                self.masked.append(path)
                whole = False
            elif entry.is_dir(follow_symlinks=False) and entry.name not in NOT_WALKED:
                if self.visit(path):
                    harmless.append(path)
                else:
                    whole = False
            elif not entry.is_symlink():
                harmless.append(path)
        if not whole:
            self.listable.append(folder)
            room = GRANTS_MAX - len(self.readable)
            self.readable += harmless[: max(room, 0)]
        return whole


def reachable_by_others(paths: Iterable[Path]) -> bool:
    """Whether the user *nobody* could read all of these: every folder above them lets others through."""
    checked: set[Path] = set()
    for path in paths:
        for each in (path.resolve(), *path.resolve().parents):
            if each in checked:
                break
            try:
                mode = each.stat().st_mode
            except OSError:
                return False
            needed = (
                0o5 if each == path.resolve() and each.is_dir() else 0o1 if each.is_dir() else 0o4
            )
            if mode & needed != needed:
                return False
            checked.add(each)
    return True
