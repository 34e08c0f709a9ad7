"""The models of the catalog and of this machine as rows, for the command line and for editors; it fetches and loads none."""

from __future__ import annotations

from assist.models.catalog import CatalogEntry
from assist.models.registry import InstalledModel
from assist.models.template import PREFIX_ONLY


def model_rows() -> list[dict[str, str | int]]:
    """One row for every model of the catalog and of this machine; ``state`` is empty where it is not here."""
    from assist.models.catalog import load_catalog
    from assist.models.registry import chosen_name, installed_models

    installed = {model.name: model for model in installed_models()}
    chosen = chosen_name()
    rows = [
        _row(entry, installed.pop(entry.name, None), chosen) for entry in load_catalog().entries
    ]
    return rows + [_row(None, model, chosen) for model in installed.values()]


def _row(
    entry: CatalogEntry | None, model: InstalledModel | None, chosen: str
) -> dict[str, str | int]:
    row: dict[str, str | int] = {"state": "", "context_tokens": 0, "licence": "", "note": ""}
    if entry is not None:
        row |= {
            "name": entry.name,
            "title": entry.title,
            "quantisation": entry.source.quantisation,
            "megabytes": entry.download_mb,
            "context_tokens": entry.context_tokens,
            "licence": entry.licence,
            "template": str(entry.template or PREFIX_ONLY),
            "template_reason": "from the catalog" if entry.template else "prefix only",
            "source": str(entry.source),
            "note": entry.note,
        }
    if model is not None:
        row |= {
            "name": model.name,
            "state": "in use" if model.name == chosen else "here",
            "quantisation": model.preferred,
            "megabytes": model.file.size // 2**20,
            "template": model.template,
            "template_reason": model.template_reason,
            "source": model.source,
            "file": model.file.path,
        }
    return row
