from __future__ import annotations

from assist.analysis.document import Document
from assist.analysis.syntax import parse
from assist.completion.stop import find_stop, loops, stop_rules


def check(
    source: str,
    written: str,
    kept: str | None,
    *,
    language: str = "python",
    multiline: bool = False,
) -> None:
    """``$0`` is the cursor; ``kept`` is what is left of ``written``, none while it may go on."""
    offset = source.index("$0")
    document = Document("", source.replace("$0", ""), language=language)
    rules = stop_rules(parse(document), offset, multiline=multiline)
    stop = find_stop(rules, written)
    assert (None if stop is None else written[:stop]) == kept


def test_a_line_ends_at_its_end() -> None:
    check("x = $0\ny = 2\n", "1", None)
    check("x = $0\ny = 2\n", "1\ny", "1")
    check("x = 1$0\ny = 2\n", "\ny", "")


def test_a_line_goes_on_inside_its_own_brackets() -> None:
    check("x = $0\n", "f(\n    1,\n", None)
    check("x = $0\n", "f(\n    1,\n)\ny", "f(\n    1,\n)")
    check("x = f($0\n", "1,\n  2)", "1,")
    check("x = $0\n", '"""a\nb"""\n', '"""a\nb"""')


def test_text_in_strings_and_comments_is_a_line() -> None:
    check('def f():\n    """Return the $0\n    """\n', "sum (of\nall", "sum (of")
    check("# Return $0\n", "f(\nx", "f(")


def test_an_empty_block_is_written_whole() -> None:
    body = "    a = 1\n    return a\n"
    check("def f():$0\n\nx = 1\n", "\n" + body, None)
    check("def f():$0\n\nx = 1\n", "\n" + body + "x", "\n    a = 1\n    return a")
    check("def f():\n    $0\n\nx = 1\n", "a = 1\n    return a\nx", "a = 1\n    return a")
    check("def f():\n    $0\n", "a = [\n1\n]\n    b\nx", "a = [\n1\n]\n    b")
    check("def f():\n    $0\n", "if a:\n        b\n    c\nx", "if a:\n        b\n    c")


def test_a_block_ends_at_an_empty_line_or_at_the_line_below() -> None:
    check("def f():\n    $0\n", "a = 1\n\n    b", "a = 1")
    check("def f():\n    $0\n", "a = 1\n\n    b", None, multiline=True)
    check("    a = 1\n    $0\n    c = 3\n", "b = 2\n    c = 3\n", "b = 2", multiline=True)


def test_braces_belong_to_their_block() -> None:
    check("int f() {$0\n", "\n  return 1;\n}\nint", "\n  return 1;\n}", language="c")
    check("int f() {$0\n}\n", "\n  return 1;\n}\nint", "\n  return 1;", language="c")


def test_loops_are_cut() -> None:
    assert loops([1, 2, 3, 4]) == 0
    assert loops([5, 1, 1, 1, 1, 1]) == 0
    assert loops([5, 1, 1, 1, 1, 1, 1]) == 5
    assert loops([9, *[1, 2, 3, 4, 5, 6] * 3]) == 12
