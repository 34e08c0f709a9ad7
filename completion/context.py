"""Lines for the head of a prompt about what its window does not show: definitions of this and of other open files; it reads no disk and never changes while the window stays."""

from __future__ import annotations

import re
from collections.abc import Iterable

from assist.analysis.context import comment_lines, named_definitions, related_snippets
from assist.analysis.document import Span
from assist.analysis.syntax import Syntax

# About as many tokens as a third of these: what the embedded model was trained with.
CODE_POINTS_MAX = 600
FILES_MAX = 6

_NAME = re.compile(r"[^\W\d]\w*")


def build_context(syntax: Syntax, window: Span, others: Iterable[Syntax]) -> str:
    """Comment lines for the text in ``window`` of a document.

    First imports and definitions of the same file that are out of sight, then definitions in
    ``others`` (most recent first) that the window names. Stable: the same window of the same
    file gives the same lines as long as what they tell of stays.
    """
    document = syntax.document
    snippets = related_snippets(syntax, window, code_points_max=CODE_POINTS_MAX)
    own = comment_lines(snippets, document.language)
    left = CODE_POINTS_MAX - len(own)
    names = frozenset(_NAME.findall(document.text[window.start : window.end]))
    foreign = ""
    for other, _ in zip(others, range(FILES_MAX), strict=False):
        if other.document.language != document.language or left <= 0:
            continue
        found = named_definitions(other, names, code_points_max=left)
        lines = comment_lines(found, document.language)
        foreign += lines
        left -= len(lines)
    return foreign + own
