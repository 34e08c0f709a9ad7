"""Opens the model in use with its template and its measured options; the command line, the engine process and the benches all come here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from assist.models.catalog import load_catalog
from assist.models.llama import LlamaModel, LlamaOptions, load_model
from assist.models.registry import chosen_name, find_installed, require_installed
from assist.models.template import FimTemplate, resolve_template
from assist.models.threads import usable_threads


@dataclass(frozen=True)
class OpenedModel:
    """A loaded model, its template, and one sentence that says where the template came from."""

    model: LlamaModel
    template: FimTemplate
    reason: str


def open_model(name: str = "", *, options: LlamaOptions | None = None) -> OpenedModel:
    """Load ``name``: a model on this machine, the path of a GGUF, or (empty) the one in use.

    Threads that ``options`` leave at 0 are the measured ones, else the usable cores.
    Raises :class:`ModelNameError` or :class:`ModelFileError`, which say what to do.
    """
    options = options or LlamaOptions(threads_prefill=0, threads_decode=0)
    installed = None if is_path(name) else require_installed(name or chosen_name())
    path = Path(installed.file.path if installed else name).expanduser().absolute()
    entry = load_catalog().find(installed.name) if installed else None
    options = replace(
        options,
        threads_prefill=options.threads_prefill
        or (installed and installed.threads_prefill)
        or usable_threads(),
        threads_decode=options.threads_decode
        or (installed and installed.threads_decode)
        or usable_threads(),
    )
    model = load_model(path, options, name=installed.name if installed else "")
    template, reason = resolve_template(
        model.vocabulary, catalog=entry.template if entry else None, metadata=model.metadata
    )
    return OpenedModel(model, template, reason)


def is_path(name: str) -> bool:
    """Whether ``name`` means a file rather than a model by name."""
    return name.endswith(".gguf") or "/" in name or "\\" in name


def is_ready(name: str = "") -> bool:
    """Whether :func:`open_model` would find a file for ``name``, without loading it."""
    if is_path(name):
        return Path(name).expanduser().is_file()
    installed = find_installed(name or chosen_name())
    return installed is not None and Path(installed.file.path).is_file()
