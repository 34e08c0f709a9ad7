"""The report of `assist suggest` as one patch with every suggestion in it."""

from __future__ import annotations

from pathlib import Path

from assist.completion.edits import Suggestion
from assist.server.reports.suggestions import SuggestReport, on_disk
from assist.server.source_text import combined, patch, with_line_ends


def patch_report(report: SuggestReport) -> str:
    """A patch for ``git apply``; several changes of one file come as one."""
    return "".join(
        patch(report.name(path), raw, after) for path, (raw, after, _) in by_file(report).items()
    )


def by_file(report: SuggestReport) -> dict[Path, tuple[str, str, list[str]]]:
    """{file: (text now, text with its suggestions, functions whose suggestion does not fit)}."""
    groups: dict[Path, list[Suggestion]] = {}
    for suggestion in report.suggestions:
        groups.setdefault(suggestion.subject.path, []).append(suggestion)
    result: dict[Path, tuple[str, str, list[str]]] = {}
    for path, group in groups.items():
        raw = on_disk(group[0])
        before = group[0].subject.module_text
        text, left_out = combined(
            before, [(each.subject.qualname, each.module_text) for each in group]
        )
        result[path] = (raw, with_line_ends(raw, text), left_out)
    return result
