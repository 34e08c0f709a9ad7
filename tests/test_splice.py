"""Changes of one function carried between texts of its module, and files written as they were."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from assist.analysis.rules.splice import change_between, line_edits, with_change
from assist.server.source_text import (
    FileChangedError,
    combined,
    read_text,
    with_line_ends,
    write_text,
)

BEFORE = dedent('''
    """Doc."""
    import os

    class A:
        def f(self, x):
            """Says."""
            return x in [1, 2, 3]

    def g(): return 1
''').lstrip()  # fmt: skip


def check(before: str, after: str, qualname: str, other: str, expected: str) -> None:
    change = change_between(before, after, qualname)
    assert change is not None
    assert with_change(other, qualname, change) == expected


def test_a_method_with_import_and_constant_moves_to_a_changed_module() -> None:
    after = BEFORE.replace("import os\n", "import os\nfrom math import ceil\n")
    after = after.replace("class A:", "_KNOWN = {1, 2, 3}\n\n\nclass A:").replace(
        "x in [1, 2, 3]", "ceil(x) in _KNOWN"
    )
    other = BEFORE.replace("def g(): return 1", "def g(): return 2  # changed since")
    expected = after.replace("def g(): return 1", "def g(): return 2  # changed since")
    check(BEFORE, after, "A.f", other, expected)


def test_a_change_elsewhere_is_no_change_of_the_function() -> None:
    assert change_between(BEFORE, BEFORE.replace("return 1", "return 2"), "A.f") is None


def test_broken_text_gives_nothing() -> None:
    assert change_between(BEFORE, "def f(:\n", "A.f") is None
    change = change_between(BEFORE, BEFORE.replace("[1, 2, 3]", "(1, 2, 3)"), "A.f")
    assert change is not None
    assert with_change("def broken(:\n", "A.f", change) is None
    assert with_change("x = 1\n", "A.f", change) is None


def test_form_feeds_end_no_line() -> None:
    before = "x = 1\n\x0c\ndef f():\n    return '\u2028'\n"
    after = before.replace("return", "return 1 or")
    check(before, after, "f", before, after)
    (edit,) = line_edits(before, after)
    assert (edit.start.line, edit.end.line) == (3, 4)


def test_edits_at_the_end_without_a_line_end() -> None:
    (edit,) = line_edits("a\nb", "a\nc")
    assert (edit.start.line, edit.start.column, edit.end.line, edit.end.column) == (1, 0, 1, 1)


def test_two_functions_of_one_module() -> None:
    first = BEFORE.replace("[1, 2, 3]", "{1, 2, 3}")
    second = BEFORE.replace("return 1", "return 3").replace("import os\n", "import os\nimport re\n")
    text, left_out = combined(BEFORE, [("A.f", first), ("g", second)])
    assert left_out == []
    assert "{1, 2, 3}" in text and "return 3" in text and "import re" in text


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_line_ends_stay(newline: str) -> None:
    raw = "a\nb\nc\n".replace("\n", newline)
    assert with_line_ends(raw, "a\nB\nB2\nc\n") == "a\nB\nB2\nc\n".replace("\n", newline)


def test_mixed_line_ends_stay_where_nothing_changed() -> None:
    assert with_line_ends("a\r\nb\nc\n", "a\nb\nd\n") == "a\r\nb\nd\n"


def test_a_file_that_changed_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_bytes(b"x = 1\r\n\xff\n")
    path.chmod(0o640)
    raw = read_text(path)
    write_text(path, raw, raw + "y = 2\n")
    assert path.read_bytes() == b"x = 1\r\n\xff\ny = 2\n"
    assert path.stat().st_mode & 0o777 == 0o640
    with pytest.raises(FileChangedError, match="left alone"):
        write_text(path, raw, "z\n")
    assert path.read_bytes() == b"x = 1\r\n\xff\ny = 2\n"
    assert [each.name for each in tmp_path.iterdir()] == ["a.py"]
