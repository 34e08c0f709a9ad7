"""One self-contained page of figures and rows as HTML, without scripts or anything from outside; it computes no figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

STYLE = """
:root { color-scheme: light dark }
body { font: 14px/1.4 system-ui, sans-serif; margin: 2em }
dl { display: grid; grid-template-columns: max-content auto; gap: .2em 1.5em }
dd { margin: 0 }
table { border-collapse: collapse }
td, th { text-align: left; padding: .15em .8em .15em 0; border-bottom: 1px solid #8884; vertical-align: top }
td { font-family: ui-monospace, monospace; white-space: pre-wrap }
"""


def write_page(
    path: Path,
    title: str,
    sections: Mapping[str, Mapping[str, Any]],
    rows: Sequence[Mapping[str, Any]] = (),
    *,
    figures: Sequence[str] = (),
) -> None:
    """Write ``sections`` as lists, ``figures`` (SVG texts) between them and the table of ``rows``."""
    parts = [f'<!doctype html>\n<meta charset="utf-8">\n<title>{escape(title)}</title>']
    parts.append(f"<style>{STYLE}</style>\n<h1>{escape(title)}</h1>")
    for heading, values in sections.items():
        items = "".join(
            f"<dt>{escape(key)}</dt><dd>{escape(str(value))}</dd>" for key, value in values.items()
        )
        parts.append(f"<h2>{escape(heading)}</h2>\n<dl>{items}</dl>")
    parts += figures
    if rows:
        heads = "".join(f"<th>{escape(key)}</th>" for key in rows[0])
        body = "\n".join(
            "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row.values()) + "</tr>"
            for row in rows
        )
        table = f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"
        parts.append(table)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(parts) + "\n", encoding="utf-8")
