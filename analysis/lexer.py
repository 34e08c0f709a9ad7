"""Tokens of Python text that arrives in pieces; tolerant of any text, it knows no grammar beyond the token."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple


class TokenKind(Enum):
    """Kinds of tokens; a string is a start, text, fields (f-strings) and an end."""

    NAME = "name"
    NUMBER = "number"
    OPERATOR = "operator"
    STRING_START = "string start"
    STRING_END = "string end"
    FIELD_START = "field start"
    FIELD_END = "field end"
    INDENT = "indent"
    NEWLINE = "newline"
    COMMENT = "comment"
    OTHER = "other"


class Token(NamedTuple):
    """One token; ``start`` and ``end`` are offsets in the text that was fed."""

    kind: TokenKind
    text: str
    start: int
    end: int


class String(NamedTuple):
    """An open string literal: its quote, prefix in lower case and where its text starts."""

    quote: str
    prefix: str
    text_start: int


class Field(NamedTuple):
    """An open replacement field of an f-string; ``depth`` counts open brackets in it."""

    depth: int


class FormatSpec(NamedTuple):
    """The format specification of a field, text up to ``}`` with fields in it."""


Mode = String | Field | FormatSpec


class LexState(NamedTuple):
    """Where the lexer is: the text that is no whole token yet, and the open strings."""

    offset: int = 0
    pending: str = ""
    line_start: bool = True
    modes: tuple[Mode, ...] = ()

    @property
    def string(self) -> String | None:
        """The string literal whose text comes next, if any."""
        top = self.modes[-1] if self.modes else None
        return top if isinstance(top, String) else None

    @property
    def in_text(self) -> bool:
        """Whether the text that comes next is text of a string and not code."""
        return bool(self.modes) and not isinstance(self.modes[-1], Field)

    @property
    def in_comment(self) -> bool:
        return not self.in_text and self.pending.startswith("#")


_CODE = re.compile(
    r"""(?P<space>[ \t\f]+|\\\r?\n)
    |(?P<comment>\#[^\r\n]*)
    |(?P<newline>\r\n|\n|\r)
    |(?P<string>[rRbBuUfFtT]{0,2}(?:\"{3}|'{3}|\"|'))
    |(?P<name>[^\W\d]\w*)
    |(?P<number>\.?\d(?:[eE][+-]|[\w.])*)
    |(?P<operator>\*\*=?|//=?|>>=?|<<=?|->|:=|\.\.\.|[-+*/%@&|^=<>!]=?|[~:;,.()\[\]{}])
    |(?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_KINDS = {
    "comment": TokenKind.COMMENT,
    "newline": TokenKind.NEWLINE,
    "name": TokenKind.NAME,
    "number": TokenKind.NUMBER,
    "operator": TokenKind.OPERATOR,
    "other": TokenKind.OTHER,
}
_FINAL_OPERATORS = frozenset("()[]{},;~")
_IDENTIFIER = re.compile(r"[^\W\d]\w*\Z")
_STRING_TEXT = {
    quote: re.compile(rf"(?:[^\\{quote[0]}{extra}]|\\.)+", re.DOTALL)
    for quote, extra in (("'", "\n"), ('"', "\n"), ("'''", ""), ('"""', ""))
}
_FORMAT_TEXT = {
    quote: re.compile(rf"(?:[^\\{{}}{quote[0]}{extra}]|\\.)+", re.DOTALL)
    for quote, extra in (("'", "\n"), ('"', "\n"), ("'''", ""), ('"""', ""))
}


def feed(state: LexState, text: str, *, last: bool = False) -> tuple[LexState, list[Token]]:
    """Read more text; returns the tokens that are certainly complete.

    ``last`` says that no more text follows, so that what is pending is complete too.
    """
    buffer = state.pending + text
    tokens: list[Token] = []
    base = state.offset
    line_start = state.line_start
    modes = state.modes
    at = 0
    while at < len(buffer):
        if modes and not isinstance(modes[-1], Field):
            step = _text_step(buffer, at, modes, base, last)
            if step is None:
                break
            at, modes, token = step
            if token is not None:
                tokens.append(token)
            continue
        match = _CODE.match(buffer, at)
        if match is None:
            break
        kind = str(match.lastgroup)
        end = match.end()
        if not last and _may_grow(kind, buffer, match, line_start):
            break
        if kind == "space":
            if line_start and not buffer.startswith("\\", at):
                tokens.append(Token(TokenKind.INDENT, match[0], base + at, base + end))
                line_start = False
            at = end
            continue
        if kind == "string":
            prefix, quote = _split_quote(match[0])
            modes = (*modes, String(quote, prefix, base + end))
            tokens.append(Token(TokenKind.STRING_START, match[0], base + at, base + end))
        elif kind == "operator" and modes:
            modes, token_kind = _in_field(modes, match[0])
            tokens.append(Token(token_kind, match[0], base + at, base + end))
        else:
            tokens.append(Token(_KINDS[kind], match[0], base + at, base + end))
        line_start = kind == "newline"
        at = end
    return LexState(base + at, buffer[at:], line_start, modes), tokens


def partial_name(state: LexState) -> str:
    """The identifier that the text read so far ends with, unless it is complete; may be empty."""
    if state.in_text or not _IDENTIFIER.match(state.pending):
        return ""
    return state.pending


def string_tail(state: LexState, text: str) -> str | None:
    """Text of the string that is open at the end of ``text``, as written; none in code."""
    string = state.string
    return None if string is None else text[string.text_start :]


def _may_grow(kind: str, buffer: str, match: re.Match[str], line_start: bool) -> bool:
    """Whether more text could change this token."""
    if kind == "string":
        _, quote = _split_quote(match[0])
        rest = buffer[match.end() : match.end() + 2]
        return len(quote) == 1 and len(rest) < 2 and rest == quote * len(rest)
    if match.end() < len(buffer):
        return buffer[match.start() :] == ".."
    if kind == "space":
        return line_start or match[0].startswith("\\")
    if kind == "newline":
        return match[0] == "\r"
    if kind == "operator":
        return match[0] not in _FINAL_OPERATORS
    return kind != "other" or match[0] == "\\"


def _split_quote(text: str) -> tuple[str, str]:
    quote = text[-3:] if text[-3:] in ('"""', "'''") else text[-1]
    return text[: -len(quote)].lower(), quote


def _in_field(modes: tuple[Mode, ...], operator: str) -> tuple[tuple[Mode, ...], TokenKind]:
    """Modes after an operator inside a replacement field."""
    top = modes[-1]
    depth = top.depth if isinstance(top, Field) else 0
    if operator in ("(", "[", "{"):
        return (*modes[:-1], Field(depth + 1)), TokenKind.OPERATOR
    if operator == "}" and depth == 0:
        return modes[:-1], TokenKind.FIELD_END
    if operator in (")", "]", "}"):
        return (*modes[:-1], Field(max(depth - 1, 0))), TokenKind.OPERATOR
    if operator == ":" and depth == 0:
        return (*modes, FormatSpec()), TokenKind.OPERATOR
    return modes, TokenKind.OPERATOR


_Step = tuple[int, tuple[Mode, ...], Token | None]


def _text_step(
    buffer: str, at: int, modes: tuple[Mode, ...], base: int, last: bool
) -> _Step | None:
    """One step inside the text of a string or of a format specification; none: need more text."""
    string = next(mode for mode in reversed(modes) if isinstance(mode, String))
    formatted = "f" in string.prefix or "t" in string.prefix
    pattern = (_FORMAT_TEXT if formatted else _STRING_TEXT)[string.quote]
    match = pattern.match(buffer, at)
    if match is not None:
        return match.end(), modes, None
    character = buffer[at]
    rest = len(buffer) - at
    if character == "\\" and rest == 1 and not last:
        return None
    if formatted and character in "{}":
        return _brace_step(buffer, at, modes, base, last)
    if character == "\n" or (character == string.quote[0] and buffer.startswith(string.quote, at)):
        width = 0 if character == "\n" else len(string.quote)
        outer = modes[: len(modes) - modes[::-1].index(string) - 1]
        token = Token(TokenKind.STRING_END, buffer[at : at + width], base + at, base + at + width)
        return at + width, outer, token
    if character == string.quote[0] and rest < len(string.quote) and not last:
        return None
    return at + 1, modes, None


def _brace_step(
    buffer: str, at: int, modes: tuple[Mode, ...], base: int, last: bool
) -> _Step | None:
    character = buffer[at]
    in_spec = isinstance(modes[-1], FormatSpec)
    if character == "}":
        if in_spec:
            token = Token(TokenKind.FIELD_END, "}", base + at, base + at + 1)
            return at + 1, modes[:-2], token
        return at + 1, modes, None
    if not in_spec:
        if at + 1 == len(buffer) and not last:
            return None
        if buffer.startswith("{{", at):
            return at + 2, modes, None
    token = Token(TokenKind.FIELD_START, "{", base + at, base + at + 1)
    return at + 1, (*modes, Field(0)), token


# --- where the statement around a place starts -------------------------------------------------

_SKELETON = re.compile(
    r"""(?P<comment>\#[^\n]*)
    |(?P<string>[rRbBuUfFtT]{0,2}(?:\"{3}|'{3}|\"|'))
    |(?P<open>[(\[{])
    |(?P<close>[)\]}])
    |(?P<escape>\\.)
    |(?P<newline>\n)""",
    re.VERBOSE | re.DOTALL,
)
# Without possessive quantifiers: they go wrong inside groups in the first releases of Python 3.11.
_STRING_REST = {
    quote: re.compile(
        rf"[^\\{quote[0]}{extra}]*(?:(?:\\.{more})[^\\{quote[0]}{extra}]*)*(?:{quote}|{stop})",
        re.DOTALL,
    )
    for quote, extra, more, stop in (
        ("'", "\n", "", "(?=\n)|\\Z"),
        ('"', "\n", "", "(?=\n)|\\Z"),
        ("'''", "", "|'(?!'')", "\\Z"),
        ('"""', "", '|"(?!"")', "\\Z"),
    )
}
# No expression has these words at the start of a line: a bracket before them was left open.
_RECOVER = re.compile(
    r"[ \t]*(?:def|class|return|import|while|try|with|assert|raise|del|pass|global|nonlocal"
    r"|async[ \t]+def)\b|@"
)


@dataclass
class StatementIndex:
    """Starts of the statements of one text, kept across edits so that a keystroke costs its line."""

    text: str = ""
    starts: list[int] = field(default_factory=lambda: [0])

    def start_before(self, text: str) -> int:
        """Offset of the statement that the end of ``text`` is in."""
        shared = shared_length(self.text, text)
        keep = max(bisect_right(self.starts, shared) - 2, 0)
        del self.starts[keep + 1 :]
        _scan(text, self.starts)
        self.text = text
        return self.starts[-1]


def statement_start(text: str) -> int:
    """Offset of the start of the statement that the end of ``text`` is in (its line, brackets closed)."""
    return StatementIndex().start_before(text)


def _scan(text: str, starts: list[int]) -> None:
    """Append the statement starts after the last known one."""
    at = starts[-1]
    depth = 0
    while True:
        match = _SKELETON.search(text, at)
        if match is None:
            return
        kind = match.lastgroup
        at = match.end()
        if kind == "open":
            depth += 1
        elif kind == "close":
            depth = max(depth - 1, 0)
        elif kind == "string":
            rest = _STRING_REST[_split_quote(match[0])[1]].match(text, at)
            at = rest.end() if rest is not None else len(text)
        elif kind == "newline" and (depth == 0 or _RECOVER.match(text, at)):
            depth = 0
            starts.append(at)


def shared_length(before: str, after: str) -> int:
    """Length of the common prefix, by comparing halves instead of characters."""
    if after.startswith(before):
        return len(before)
    low, high = 0, min(len(before), len(after))
    while low < high:
        middle = (low + high + 1) // 2
        if before[low:middle] == after[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
