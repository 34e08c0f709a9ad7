"""Writes the generated tables of README.md from the schema and the catalog: `python tests/support/readme.py`."""

from __future__ import annotations

import re
from pathlib import Path

from assist.models.catalog import load_catalog
from assist.server.settings import schema, variable_name

README = Path(__file__).resolve().parents[2] / "README.md"


def generated(text: str) -> str:
    """``text`` with every generated table as it must be."""
    for name, table in (("settings", settings_table()), ("models", models_table())):
        pattern = rf"(<!-- {name}: generated -->\n).*?(\n<!-- end -->)"
        text, count = re.subn(pattern, lambda m: m[1] + table + m[2], text, flags=re.DOTALL)  # noqa: B023
        assert count == 1, name
    return text


def settings_table() -> str:
    """One row per setting: key, default, variable, what it does with its bounds."""
    rows = ["| setting | default | what it does |", "|---|---|---|"]
    for key, item in schema().items():
        default = item["default"]
        shown = {True: "true", False: "false", "": "empty"}.get(_hashable(default), default)
        text = str(item["description"])
        if "minimum" in item:
            text += f" {item['minimum']} to {item['maximum']}."
        if "enum" in item:
            text += f" One of {', '.join(f'`{value}`' for value in _listed(item['enum']))}."
        rows.append(f"| `{key}` | {_shown(shown)} | {text.replace('|', chr(92) + '|')} |")
    example = variable_name("completion.tokens")
    assert example == "ASSIST_COMPLETION_TOKENS"
    return "\n".join(rows)


def models_table() -> str:
    """One row per catalog entry."""
    catalog = load_catalog()
    rows = [
        "| name | model | licence | context | download | prompt |",
        "|---|---|---|---:|---:|---|",
    ]
    for entry in catalog.entries:
        name = f"`{entry.name}`" + (" (default)" if entry.name == catalog.embedded else "")
        template = entry.template
        order = "prefix only"
        if template is not None:
            first = template.parts.index("{suffix}") < template.parts.index("{prefix}")
            order = "suffix, then prefix" if first else "prefix, then suffix"
        size = "made here" if entry.base else f"{entry.download_mb:,} MB"
        rows.append(
            f"| {name} | {entry.title} | {entry.licence} | {entry.context_tokens:,} | {size} "
            f"| {order} |"
        )
    return "\n".join(rows)


def _hashable(value: object) -> object:
    return value if isinstance(value, bool | str) else None


def _listed(value: object) -> list[object]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _shown(value: object) -> str:
    return ", ".join(f"`{item}`" for item in _listed(value))


if __name__ == "__main__":
    README.write_text(generated(README.read_text(encoding="utf-8")), encoding="utf-8")
