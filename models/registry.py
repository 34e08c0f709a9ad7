"""The models on this machine and the one that is in use, kept as small JSON files; it never runs a model."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from assist.cache.paths import data_directory, models_directory, write_private
from assist.models.catalog import load_catalog
from assist.models.errors import ModelNameError

RECORD = "model.json"
NAME_PATTERN = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


@dataclass(frozen=True)
class ModelFile:
    """One GGUF of a model: absolute path, quantisation, size in bytes, SHA-256 as hexadecimal."""

    path: str
    quantisation: str
    size: int
    sha256: str


@dataclass(frozen=True)
class InstalledModel:
    """A model on this machine; ``files`` are the same weights in several quantisations.

    ``preferred`` is the quantisation in use, ``threads_*`` the measured best (0: not measured).
    ``template`` and ``template_reason`` tell a reader what :mod:`assist.models.template` found
    when the file was checked; ``checksum_origin`` says what the checksum was compared with,
    ``adapter_sha256`` which adapter is merged into the weights.
    """

    name: str
    source: str
    files: tuple[ModelFile, ...]
    preferred: str
    template: str = ""
    template_reason: str = ""
    checksum_origin: str = ""
    adapter_sha256: str = ""
    threads_prefill: int = 0
    threads_decode: int = 0
    measurements: dict[str, float] = field(default_factory=dict)

    @property
    def file(self) -> ModelFile:
        """The file in use."""
        fitting = (file for file in self.files if file.quantisation == self.preferred)
        return next(fitting, self.files[0])


def installed_models() -> list[InstalledModel]:
    """All models with a readable record, by name; a damaged record counts as absent.

    Fields that another version wrote and this one does not know are ignored.
    """
    records = sorted(models_directory().glob(f"*/{RECORD}"))
    found = [_read(path) for path in records]
    return [model for model in found if model is not None]


def find_installed(name: str) -> InstalledModel | None:
    """The model called ``name``, or none when it is not on this machine."""
    return _read(models_directory() / name / RECORD) if NAME_PATTERN.fullmatch(name) else None


def save_installed(model: InstalledModel) -> None:
    """Record ``model``; a reader sees the old or the new record."""
    check_name(model.name)
    data = json.dumps(asdict(model), indent=2).encode()
    write_private(model_directory(model.name) / RECORD, data)


def remove_installed(name: str) -> None:
    """Forget a model and what was fetched for it; a file that was only added stays where it is."""
    check_name(name)
    shutil.rmtree(models_directory() / name, ignore_errors=True)


def model_directory(name: str) -> Path:
    """Directory of a model's own files; it may not exist yet."""
    return models_directory() / check_name(name)


def check_name(name: str) -> str:
    """``name``, or :class:`ModelNameError` when it cannot be a directory name everywhere."""
    if not NAME_PATTERN.fullmatch(name):
        raise ModelNameError(
            f"{name!r} cannot name a model. Use lower-case letters, digits, dot, dash, underscore."
        )
    return name


def choose(name: str) -> InstalledModel:
    """Use ``name`` from now on; raises :class:`ModelNameError` when it is not on this machine."""
    model = require_installed(name)
    write_private(_choice_path(), json.dumps({"model": name}).encode())
    return model


def chosen_name() -> str:
    """Name of the model in use: the chosen one, else the catalog's embedded one."""
    try:
        name = json.loads(_choice_path().read_bytes())["model"]
    except (OSError, ValueError, KeyError, TypeError):
        return load_catalog().embedded
    return name if isinstance(name, str) else load_catalog().embedded


def require_installed(name: str) -> InstalledModel:
    """The model called ``name``; raises :class:`ModelNameError` that says how to get it."""
    model = find_installed(name)
    if model is not None:
        return model
    if load_catalog().find(name) is not None:
        raise ModelNameError(f"{name} is not on this machine. Run: assist models fetch {name}")
    names = ", ".join(entry.name for entry in load_catalog().entries)
    raise ModelNameError(
        f"There is no model {name!r}. Fetch one of {names}, or add a file: assist models add FILE"
    )


def record_tuning(
    name: str,
    *,
    preferred: str,
    threads_prefill: int,
    threads_decode: int,
    measurements: dict[str, float],
) -> InstalledModel:
    """Keep what was measured as best for ``name``."""
    model = replace(
        require_installed(name),
        preferred=preferred,
        threads_prefill=threads_prefill,
        threads_decode=threads_decode,
        measurements=measurements,
    )
    save_installed(model)
    return model


def _choice_path() -> Path:
    return data_directory() / "choice.json"


def _read(path: Path) -> InstalledModel | None:
    try:
        row: dict[str, Any] = json.loads(path.read_bytes())
        files = tuple(ModelFile(**file) for file in row.pop("files"))
        known = {field.name for field in fields(InstalledModel)}
        values = {key: value for key, value in row.items() if key in known}
        return InstalledModel(files=files, **values) if files else None
    except (OSError, ValueError, TypeError, KeyError):
        return None
