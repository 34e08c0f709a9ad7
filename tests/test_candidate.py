from __future__ import annotations

from assist.completion.candidate import Place, complete_part, fit, without_last_operand


def check(before: str, text: str, after: str, *, column: int = 0, finished: bool = True) -> None:
    """``before`` holds ``$0`` for the cursor, ``after`` the source once ``text`` was fitted in."""
    prefix, suffix = before.split("$0")
    fitted = fit(text, Place(prefix, suffix, "python", column), finished=finished)
    assert prefix + fitted + suffix == after


def check_dropped(before: str, text: str) -> None:
    check(before, text, before.replace("$0", ""))


def test_the_rest_of_the_line_is_not_written_twice() -> None:
    check("foo($0)", "a, b)", "foo(a, b)")
    check("foo($0)", "bar(x)", "foo(bar(x))")
    check("foo($0)", "bar(x))", "foo(bar(x))")
    check("def f($0):\n", "a, b):", "def f(a, b):\n")
    check("x = $0 + 1\n", "y + 1", "x = y + 1\n")
    check("d[$0] = 1\n", "'a']", "d['a'] = 1\n")
    check("for a in $0:\n", "b:", "for a in b:\n")


def test_closers_that_close_nothing_are_cut() -> None:
    check("x = a$0\n", " + b)", "x = a + b\n")
    check("x = f(a$0\n", ", b)", "x = f(a, b)\n")
    check("x = f(\n    a$0\n)\n", ", b)", "x = f(\n    a, b\n)\n")
    check("x = '$0'\n", ":)", "x = ':)'\n")


def test_lines_below_are_not_repeated() -> None:
    check(
        "    a = 1\n    $0\n    return a\n",
        "b = 2\n    return a",
        "    a = 1\n    b = 2\n    return a\n",
    )
    check_dropped("    a = 1\n    $0\n    return a\n", "return a")
    check_dropped("x = [\n    1,\n    $0\n]\n", "]")


def test_repetition_is_cut() -> None:
    check("$0", "a()\na()\na()\na()", "a()")
    check("$0", "a()\na()", "a()\na()")


def test_indentation_is_the_cursors() -> None:
    check("if a:\n    x = 1\n    $0", "    y = 2", "if a:\n    x = 1\n    y = 2", column=4)
    check("if a:\n$0", "    y = 2", "if a:\n    y = 2", column=4)


def test_nothing_is_shown_for_nothing() -> None:
    check_dropped("x = 1$0\n", "  \n  ")
    check_dropped("foo($0)\n", ")")


def test_an_answer_that_was_stopped_loses_its_broken_end() -> None:
    check("$0", "a = 1\nb = compu", "a = 1", finished=False)
    check("x = $0", "foo(bar.b", "x = foo(bar.", finished=False)


def test_line_ends_are_plain() -> None:
    check("$0", "a\r\nb\r", "a\nb")


def check_part(text: str, part: str, shorter: str) -> None:
    """What is left where the answer had to stop, and with an operand less."""
    place = Place("", "")
    assert complete_part(text, place) == part
    assert without_last_operand(part, place) == shorter


def test_a_part_ends_with_an_operand() -> None:
    check_part("self.lock, self.", "self.lock, self", "self.lock")
    check_part("a() if b in ", "a() if b", "a()")
    check_part("return ", "return", "")
    check_part("x = not ", "x", "")
    check_part("f(", "f", "")
    check_part(" + (", "", "")


def test_a_part_leaves_no_string_open() -> None:
    check_part('f("numbits to list', "f", "")
    check_part('name = "a b" + "c', 'name = "a b"', "name")
    assert complete_part("two words", Place('text = "', '"')) == "two words"
