"""Tells whether a candidate leaves the file at least as parsable as it was; it never repairs anything."""

from __future__ import annotations

import re

from assist.analysis.document import Document, Edit, Span
from assist.analysis.syntax import Syntax, error_count, is_parsable, reparse

# Whole-file parses of files beyond this size would be felt between two keystrokes.
FILE_CODE_POINTS_MAX = 200_000

_PYTHON_TOP_LEVEL = re.compile(r"^(?=[A-Za-z_@])(?!el(se|if)\b|except\b|finally\b)", re.MULTILINE)


def keeps_parsable(syntax: Syntax, offset: int, text: str) -> bool:
    """Whether the document with ``text`` at ``offset`` has no syntax error that it lacked before.

    A parsable Python file stays parsable for CPython's own parser. Where the file is broken
    already, as it is in the middle of most statements, the grammar's errors must not grow.
    """
    document = syntax.document
    if document.language == "python":
        before, after = _around(document, offset, text)
        if is_parsable(before, "python"):
            return is_parsable(after, "python")
        if len(document.text) <= FILE_CODE_POINTS_MAX and is_parsable(document.text, "python"):
            return is_parsable(document.text[:offset] + text + document.text[offset:], "python")
    edit = Edit(Span(offset, offset), text)
    return error_count(reparse(syntax, document.apply([edit]), [edit])) <= error_count(syntax)


def _around(document: Document, offset: int, text: str) -> tuple[str, str]:
    """The top-level statement around the cursor, without and with ``text``."""
    source = document.text
    start = end = 0
    for match in _PYTHON_TOP_LEVEL.finditer(source):
        if match.start() > offset:
            end = match.start()
            break
        start = match.start()
    end = end or len(source)
    return source[start:end], source[start:offset] + text + source[offset:end]
