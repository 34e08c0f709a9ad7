"""Which files of a workspace may be read, and their text: ignore files are respected, secrets and links never opened, and nothing is run."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from assist.analysis.languages import language_id

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

FILES_MAX = 4_000
ENTRIES_MAX = 100_000
FOLDER_ENTRIES_MAX = 5_000
DEPTH_MAX = 24
FILE_BYTES_MAX = 256 * 1024
NAME_MAX = 100

GIT_IGNORE, OWN_IGNORE = ".gitignore", ".assistignore"
IGNORE_BYTES_MAX = 64 * 1024
IGNORE_LINES_MAX = 2_000
IGNORE_FOLDERS_MAX = 10_000
# A pattern becomes a regular expression; more of these in a name could take minutes to fail.
WILDCARDS_MAX = 3

_SKIPPED = frozenset({"__pycache__", "node_modules", "site-packages", "vendor", "third_party"})
_SECRET = re.compile(
    r"\.env.*|secrets?\..*|.*credentials?\b.*|id_(rsa|dsa|ecdsa|ed25519).*|.*"
    r"\.(pem|key|p12|pfx|crt|cer|der|jks|keystore|asc|gpg|kdbx)",
    re.IGNORECASE,
)
_PRIVATE_KEY = "PRIVATE KEY-----"

# Time of the last change in ns, and size in bytes.
Stamp = tuple[int, int]


class IgnoreRules:
    """What the ignore files of a workspace, and those of the repository around it, leave out.

    As git reads them (gitignore(5)): deeper files win, and nothing below a folder that is left
    out comes back. ``names`` of one folder are read as one file.
    """

    def __init__(self, root: Path, names: tuple[str, ...] = (GIT_IGNORE, OWN_IGNORE)) -> None:
        self._root, self._names = root, names
        self._base = _repository(root) if GIT_IGNORE in names else root
        self._specs: dict[Path, GitIgnoreSpec | None] = {}
        self._folders: dict[Path, bool] = {self._base: False}

    def ignores(self, path: Path, *, is_folder: bool = False) -> bool:
        """Whether a path inside the workspace is left out, by itself or with a folder around it."""
        if path == self._base or not path.is_relative_to(self._base):
            return False
        known = self._folders.get(path) if is_folder else None
        if known is not None:
            return known
        ignored = self.ignores(path.parent, is_folder=True) or self._matches(path, is_folder)
        if is_folder and len(self._folders) < IGNORE_FOLDERS_MAX:
            self._folders[path] = ignored
        return ignored

    def _matches(self, path: Path, is_folder: bool) -> bool:
        ignored = False
        folders = [folder for folder in path.parents if folder.is_relative_to(self._base)]
        for folder in reversed(folders):
            spec = self._spec(folder)
            if spec is None:
                continue
            name = path.relative_to(folder).as_posix() + ("/" if is_folder else "")
            include = spec.check_file(name).include
            ignored = ignored if include is None else include
        return ignored

    def _spec(self, folder: Path) -> GitIgnoreSpec | None:
        if folder not in self._specs:
            lines: list[str] = []
            if folder == self._base and GIT_IGNORE in self._names:
                lines += _ignore_lines(folder / ".git" / "info" / "exclude")
            for name in self._names:
                lines += _ignore_lines(folder / name)
            if len(self._specs) >= IGNORE_FOLDERS_MAX:
                self._specs.clear()
            self._specs[folder] = _spec_of(lines) if lines else None
        return self._specs[folder]


def walk(root: Path, rules: IgnoreRules) -> Iterator[Path | None]:
    """Source files of a workspace, near the root first; none for other steps, so that a caller can stop.

    Links and hidden names are passed over, and virtual environments.
    """
    files = entries = 0
    folders = [(root, 0)]
    for folder, depth in folders:
        yield None
        for name, is_folder in _entries(folder):
            entries += 1
            path = folder / name
            if entries > ENTRIES_MAX or files >= FILES_MAX:
                return
            if is_folder and depth < DEPTH_MAX and is_walked(path, rules):
                folders.append((path, depth + 1))
            elif not is_folder and is_source(path, rules):
                files += 1
                yield path
            else:
                yield None


def is_walked(folder: Path, rules: IgnoreRules) -> bool:
    """Whether the files of a folder may be read."""
    name = folder.name
    return (
        not name.startswith(".")
        and name not in _SKIPPED
        and not rules.ignores(folder, is_folder=True)
        and not (folder / "pyvenv.cfg").exists()
    )


def is_source(path: Path, rules: IgnoreRules) -> bool:
    """Whether a file is code in one of our languages that may be read, by its name alone."""
    name = path.name
    return (
        language_id(name) != "plaintext"
        and len(name) <= NAME_MAX
        and not name.startswith(".")
        and not is_secret(path)
        and not rules.ignores(path)
    )


def is_secret(path: Path) -> bool:
    """Whether a file's name says that it holds secrets, keys or certificates."""
    return _SECRET.fullmatch(path.name) is not None


def stamp_of(path: Path) -> Stamp | None:
    """Changes when the file does; none where there is no regular file."""
    try:
        status = path.stat(follow_symlinks=False)
    except (OSError, ValueError):
        return None
    return (status.st_mtime_ns, status.st_size) if stat.S_ISREG(status.st_mode) else None


def read_source(root: Path, path: Path) -> tuple[Stamp, str] | None:
    """Text of a file below ``root``; none for links, special, large or binary files and for keys.

    The caller has asked :func:`is_source`.
    """
    root_real = os.path.realpath(root)
    if not path.is_relative_to(root) or is_secret(path):
        return None
    if os.path.realpath(path) != os.path.join(root_real, path.relative_to(root)):  # noqa: PTH118
        return None
    found = _read(path, FILE_BYTES_MAX)
    if found is None:
        return None
    stamp, data = found
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    return None if "\0" in text or _PRIVATE_KEY in text else (stamp, text)


def _read(path: Path, bytes_max: int) -> tuple[Stamp, bytes] | None:
    """A regular file that is no link and not larger; a pipe or device would hold us for ever."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        with os.fdopen(os.open(path, flags), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_size > bytes_max:
                return None
            return (status.st_mtime_ns, status.st_size), file.read(bytes_max)
    except (OSError, ValueError):
        return None


def _entries(folder: Path) -> list[tuple[str, bool]]:
    """Names in a folder, sorted, each with whether it is a folder itself; links are left out."""
    found: list[tuple[str, bool]] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if len(found) >= FOLDER_ENTRIES_MAX:
                    break
                is_folder = entry.is_dir(follow_symlinks=False)
                if is_folder or entry.is_file(follow_symlinks=False):
                    found.append((entry.name, is_folder))
    except OSError:
        return []
    return sorted(found)


def _repository(root: Path) -> Path:
    """The folder of the repository that ``root`` is in; itself where there is none."""
    for folder in (root, *root.parents[:DEPTH_MAX]):
        if (folder / ".git").exists():
            return folder
    return root


def _ignore_lines(path: Path) -> list[str]:
    found = _read(path, IGNORE_BYTES_MAX)
    text = found[1].decode("utf-8-sig", "replace") if found else ""
    return [line for line in map(_bounded, text.splitlines()[:IGNORE_LINES_MAX]) if line]


def _bounded(line: str) -> str:
    """The pattern with few wildcards: a broader one, which leaves out more."""
    names = line.split("/")
    shorter: list[str] = []
    for name in names:
        if name == "**" and shorter.count(name) == WILDCARDS_MAX:
            break
        parts = re.split(r"(\*+|\[)", name)
        stars = [n for n, part in enumerate(parts) if part.startswith(("*", "["))]
        cut = len(stars) > WILDCARDS_MAX
        shorter.append("".join(parts[: stars[WILDCARDS_MAX - 1]]) + "*" if cut else name)
    if shorter != names and line.startswith("!"):
        return ""
    return "/".join(shorter)


def _spec_of(lines: list[str]) -> GitIgnoreSpec:
    from pathspec import GitIgnoreSpec

    try:
        return GitIgnoreSpec.from_lines(lines)
    except ValueError:
        return GitIgnoreSpec.from_lines(filter(_is_pattern, lines))


def _is_pattern(line: str) -> bool:
    from pathspec import GitIgnoreSpec

    try:
        GitIgnoreSpec.from_lines([line])
    except ValueError:
        return False
    return True
