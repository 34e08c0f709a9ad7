from __future__ import annotations

import ast
import io
import tokenize
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assist.analysis import lexer
from assist.analysis.lexer import LexState, StatementIndex, Token, TokenKind

CODE = (TokenKind.NAME, TokenKind.NUMBER, TokenKind.OPERATOR)


def check(*pieces: str) -> tuple[LexState, list[Token]]:
    """Feed the pieces one after another."""
    state = LexState()
    tokens: list[Token] = []
    for piece in pieces:
        state, more = lexer.feed(state, piece)
        tokens += more
    return state, tokens


def texts(*pieces: str) -> list[str]:
    state, tokens = check(*pieces)
    _, rest = lexer.feed(state, "", last=True)
    return [token.text for token in tokens + rest]


def test_pieces_may_split_a_token_anywhere() -> None:
    assert texts("fo", "o.b", "ar *", "*= 1", "2\n") == ["foo", ".", "bar", "**=", "12", "\n"]
    assert texts("x", " ", "!", "=y") == ["x", "!=", "y"]
    assert texts('f"', 'a{', 'b', ':', '>{w}}', '"') == [
        'f"', "{", "b", ":", "{", "w", "}", "}", '"',
    ]  # fmt: skip


def test_quotes_wait_until_they_are_certain() -> None:
    state, tokens = check('x = "')
    assert state.pending == '"' and [token.text for token in tokens] == ["x", "="]
    state, _ = check('x = ""')
    assert state.pending == '""'
    state, _ = check('x = """a"')
    assert state.string is not None and state.string.quote == '"""' and state.pending == '"'
    assert lexer.string_tail(state, 'x = """a"') == 'a"'
    assert texts('""') == ['"', '"']
    assert texts('""""""') == ['"""', '"""']


def test_an_unterminated_string_ends_with_its_line() -> None:
    state, tokens = check("x = 'abc\ny")
    assert not state.in_text
    assert [token.kind for token in tokens][-2:] == [TokenKind.STRING_END, TokenKind.NEWLINE]
    assert lexer.partial_name(state) == "y"


def test_fields_of_format_strings_are_code() -> None:
    state, _ = check("f'{a.b")
    assert not state.in_text and lexer.partial_name(state) == "b"
    state, _ = check("f'{{a")
    assert state.in_text
    state, _ = check("f'{a:>10")
    assert state.in_text
    state, _ = check('f\'{d["k"]} and {x')
    assert lexer.partial_name(state) == "x"
    state, _ = check("f'{a}' + b")
    assert not state.in_text and lexer.partial_name(state) == "b"


def test_comments_and_indentation() -> None:
    _, tokens = check("if x:\n    # no\n    y")
    kinds = [token.kind for token in tokens]
    assert kinds.count(TokenKind.INDENT) == 2 and TokenKind.COMMENT in kinds
    assert check("x  # a b")[0].in_comment
    assert not check("x  # a b\n")[0].in_comment


SOURCES = [Path(module.__file__ or "") for module in (ast, tokenize, io)]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_tokens_are_those_of_the_standard_library(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    _, tokens = check(*(source[at : at + 7] for at in range(0, len(source), 7)))
    strings: list[tuple[int, int]] = []
    expected: list[str] = []
    line_starts = [0]
    for line in source.splitlines(keepends=True):
        line_starts.append(line_starts[-1] + len(line))
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.STRING:
            start = line_starts[token.start[0] - 1] + token.start[1]
            strings.append((start, line_starts[token.end[0] - 1] + token.end[1]))
        elif token.type in (tokenize.NAME, tokenize.NUMBER, tokenize.OP):
            expected.append(token.string)
    outside = [
        token.text
        for token in tokens
        if token.kind in CODE and not any(a <= token.start < b for a, b in strings)
    ]
    assert outside == expected
    starts = {token.start for token in tokens if token.kind is TokenKind.STRING_START}
    assert {start for start, _ in strings} <= starts


ALPHABET = st.sampled_from([*"ab1.:=()[]{}'\"\\#\n\r f", '"""', "f'", "{{", "  ", "é"])


@given(st.lists(ALPHABET, max_size=25), st.data())
def test_the_split_into_pieces_does_not_matter(parts: list[str], data: st.DataObject) -> None:
    text = "".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    state, tokens = check(*pieces)
    whole, whole_tokens = check(text)
    assert state == whole and tokens == whole_tokens
    assert state.offset + len(state.pending) == len(text)
    end, rest = lexer.feed(state, "", last=True)
    assert end.pending == ""
    for token in tokens + rest:
        assert text[token.start : token.end] == token.text


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a = 1\nb = f(\n    c", "b = f(\n    c"),
        ("a = 1\nb = 2\n", ""),
        ('a = """\n(\n"""\nb', "b"),
        ('a = """\nb = 1\nc', 'a = """\nb = 1\nc'),
        ("a = (  # ( \n    b", "a = (  # ( \n    b"),
        ("a = (1,\ndef f():\n    x", "    x"),
        ("a = 1 + \\\n    b", "a = 1 + \\\n    b"),
        ("x = 'it\nb", "b"),
        ("x = [\n    'a)',\n    f'b]{c", "x = [\n    'a)',\n    f'b]{c"),
    ],
)
def test_statement_start(text: str, line: str) -> None:
    assert text[lexer.statement_start(text) :] == line


@given(st.lists(st.text(alphabet="ab()'\"\n#\\ ", max_size=20), max_size=6))
def test_a_kept_index_answers_like_a_fresh_one(documents: list[str]) -> None:
    index = StatementIndex()
    for text in documents:
        assert index.start_before(text) == lexer.statement_start(text)
