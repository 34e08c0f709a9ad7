from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from assist.completion.lexical import lex


def check(text: str, brackets: str, *, unmatched: str = "", language: str = "python") -> None:
    lexed = lex(text, language)
    assert "".join(text[offset] for offset in lexed.stack) == brackets
    assert "".join(text[offset] for offset in lexed.unmatched) == unmatched


def check_end(text: str, end: str, language: str = "python") -> None:
    lexed = lex(text, language)
    assert ("comment" if lexed.comment else lexed.string) == end


def test_open_brackets_are_found_outside_strings_and_comments() -> None:
    check("foo(a, [1", "([")
    check("foo('(' , \"[\")", "")
    check("x = 1  # (", "")
    check('"""(\n(""" + (', "(")
    check("a // (\n/* ( */ {", "{", language="rust")
    check("fn f<'a>(x: &'a str", "(", language="rust")
    check("it's (fine", "", language="markdown")


def test_closers_that_close_nothing() -> None:
    check("a)", "", unmatched=")")
    check("(a]", "(", unmatched="]")
    check("(a)]", "", unmatched="]")


def test_the_end_of_the_text() -> None:
    check_end("x = 'a", "'")
    check_end("x = 'a\\'", "'")
    check_end("x = 'a'", "")
    check_end('"""doc', '"""')
    check_end('"""doc"""', "")
    check_end("x  # why", "comment")
    check_end("x  # why\n", "")
    check_end("`a ${b}", "`", "javascript")
    check_end("/* a */", "", "c")
    check_end("/* a ", "comment", "c")


@settings(deadline=None)
@given(st.text(alphabet="()[]{}\"'#\\\n a`/*", max_size=60), st.sampled_from(["python", "rust"]))
def test_any_text_is_read(text: str, language: str) -> None:
    lexed = lex(text, language)
    assert all(text[offset] in "([{" for offset in lexed.stack)
    assert all(text[offset] in ")]}" for offset in lexed.unmatched)
