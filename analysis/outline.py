"""Which function a place is in, from the lines above it alone; it parses no module, so it costs the same in every file."""

from __future__ import annotations

import re

from assist.analysis.lexer import StatementIndex

# More text above is not looked at: the answer must not take longer than a few milliseconds.
CODE_POINTS_MAX = 50_000
# Lines without indentation that are a statement even where a text in quotes is around them.
_TOP = re.compile(
    r"^(?:@\w|(?:async[ \t]+)?def[ \t]+\w+[ \t]*[(\[]|class[ \t]+\w+[ \t]*[(:\[]"
    r"|(?:if|elif|for|while|with|except)\b.*:[ \t]*$|(?:try|else|finally)[ \t]*:[ \t]*$)",
    re.MULTILINE,
)
_HEADER = re.compile(r"[ \t]*(?:(?P<other>async[ \t]+def)|(?P<kind>def|class)[ \t]+(?P<name>\w+))")
_INDENT = re.compile(r"[ \t]*")


def function_around(text: str, offset: int) -> str | None:
    """Qualified name of the function around an offset: of the module or a class, not one inside a function.

    ``text`` is Python with ``\\n`` for every line end, and may be broken.
    """
    end = _end_of_line(text, offset)
    if text.startswith("@", _code_start(text, offset)):
        end = _end_of_decorated(text, end)
    start = max(0, end - CODE_POINTS_MAX)
    tops = [match.start() for match in _TOP.finditer(text, start, end)]
    # Decorators stand before their function; a text may begin above the first line of the window.
    begin = next((top for top in reversed(tops) if not text.startswith("@", top)), None)
    if begin is None:
        return None
    piece = text[begin:end]
    index = StatementIndex()
    index.start_before(piece)
    stack: list[tuple[int, str, str]] = []
    for at in index.starts:
        rest = piece[at : at + 1]
        indent = _width(piece, at)
        if rest in ("", "\n") or piece[at + indent : at + indent + 1] in ("", "\n", "#"):
            continue
        while stack and stack[-1][0] >= indent:
            stack.pop()
        match = _HEADER.match(piece, at)
        kind = match["kind"] or "other" if match else "other"
        stack.append((indent, kind, match["name"] or "" if match else ""))
    if not text[_line_start(text, offset) : _end_of_line(text, offset)].strip():
        _leave_blank(text, end, stack)
    return _name_of(stack)


def _name_of(stack: list[tuple[int, str, str]]) -> str | None:
    """The name that the enclosing statements give, the outermost first."""
    names: list[str] = []
    for _, kind, name in stack:
        if kind == "other":
            return None
        names.append(name)
        if kind == "def":
            return ".".join(names)
    return None


def _leave_blank(text: str, end: int, stack: list[tuple[int, str, str]]) -> None:
    """On an empty line: leave the statements that the next line of code is not in."""
    following = re.compile(r"[ \t]*(?=[^\s#])", re.MULTILINE).search(text, end)
    indent = len(following[0]) if following else 0
    while stack and stack[-1][0] >= indent:
        stack.pop()


def _end_of_decorated(text: str, end: int) -> int:
    """End of the header line that decorators at ``end`` belong to."""
    header = re.compile(r"^[ \t]*(?:async[ \t]+def|def|class)\b.*$", re.MULTILINE)
    match = header.search(text, end, min(len(text), end + CODE_POINTS_MAX))
    return match.end() if match else end


def _code_start(text: str, offset: int) -> int:
    start = _line_start(text, offset)
    return start + _width(text, start)


def _line_start(text: str, offset: int) -> int:
    return text.rfind("\n", 0, offset) + 1


def _end_of_line(text: str, offset: int) -> int:
    end = text.find("\n", offset)
    return len(text) if end < 0 else end


def _width(text: str, at: int) -> int:
    match = _INDENT.match(text, at)
    return len(match[0]) if match else 0
