"""Follows operators and brackets for :mod:`assist.analysis.monitors.follow`; it judges nothing."""

from __future__ import annotations

from assist.analysis.lexer import Token
from assist.analysis.monitors.blocks import HEADER_WORDS, CodeBlock, width_of
from assist.analysis.monitors.place import SOFT_KEYWORDS, Place
from assist.analysis.monitors.slot import Bracket, Frame, Role

FRAMES_MAX = 200

_CLOSERS = {")": "(", "]": "[", "}": "{"}


def follow_operator(place: Place, token: Token) -> None:
    """Follow an operator or a bracket."""
    text = token.text
    if text in _CLOSERS:
        close_bracket(place, token)
    elif text in ("(", "[", "{"):
        _opening(place, token)
    elif text == ",":
        _comma(place, token)
    elif text in (".", "..."):
        _dot(place, token)
    elif text == ":":
        _colon(place, token)
    elif text == "=" and not place.frames and place.word not in ("def", "class"):
        _assign(place, token)
    elif text == ";" and not place.frames:
        place.end_statement(token.end)
    elif text == "@" and not place.first:
        place.word, place.may_target = "@", False
    elif text == "!" and place.frames and place.frames[-1].kind is Bracket.FIELD:
        place.phase = "conversion"
    else:
        _other_operator(place, text)


def _other_operator(place: Place, text: str) -> None:
    if text in ("==", "!=") and place.operand:
        place.compared = place.text[place.primary : place.last_end]
    if text == "+=" and place.last == "__all__" and not place.frames:
        place.assigned = ("__all__",)
    place.operand = False
    if text in ("*", "**") and place.last in ("(", ",") and place.frames:
        place.frames = (*place.frames[:-1], place.frames[-1]._replace(unpacked=True))
    elif text == "*" and place.phase == "imported":
        place.take_operand(place.last_end)
    elif text not in ("*", "=") and not place.frames:
        place.read_targets()
        place.may_target = False


def _opening(place: Place, token: Token) -> None:
    if token.text == "{":
        open_bracket(place, "{", Bracket.BRACES, token.start, "")
    elif place.phase == "parameters" and not place.frames:
        in_class = place.word == "class" and token.text == "("
        kind = Bracket.CALL if in_class else Bracket.PARAMETERS
        if token.text == "(":
            place.phase = ""
        open_bracket(place, token.text, kind, token.start, "")
    elif token.text == "(":
        if place.phase == "imported" and not place.operand:
            kind = Bracket.IMPORTS
        else:
            kind = Bracket.CALL if place.operand else Bracket.GROUP
        open_bracket(place, "(", kind, token.start, place.receiver(token.start))
    else:
        kind = Bracket.SUBSCRIPT if place.operand else Bracket.LIST
        open_bracket(place, "[", kind, token.start, place.receiver(token.start))


def open_bracket(place: Place, text: str, kind: Bracket, start: int, subject: str) -> None:
    """Enter a bracket of a known kind."""
    if kind is Bracket.CALL:
        place.slots.append(place.slot(Role.CALL, text, start, True, subject))
    primary = place.primary if kind in (Bracket.CALL, Bracket.SUBSCRIPT) else start
    place.frames = (*place.frames[-FRAMES_MAX:], Frame(text, kind, start, subject, primary))
    place.operand = place.dot = False
    if place.phase == "conversion":
        place.phase = ""


def close_bracket(place: Place, token: Token) -> None:
    """A closing bracket, which may fit none that is open."""
    frame = place.frames[-1] if place.frames else None
    if frame is not None and frame.kind is Bracket.CALL:
        _argument_ends(place, frame, token)
        place.slots.append(place.slot(Role.CALL_END, ")", token.start, True, frame.subject))
    if frame is None or frame.kind is not Bracket.FIELD:
        place.slots.append(place.slot(Role.CLOSER, token.text, token.start, True))
    if frame is None or frame.text != _CLOSERS[token.text]:
        return
    place.frames = place.frames[:-1]
    depth = len(place.frames)
    place.loop = place.loop if place.loop and place.loop[1] <= depth else None
    if frame.comprehension and place.outside:
        place.bound = place.outside[-1][1]
        place.outside = place.outside[:-1]
    place.waiting_for_in = tuple(at for at in place.waiting_for_in if at <= depth)
    place.lambdas = tuple(at for at in place.lambdas if at <= depth)
    place.phase = "" if frame.kind is Bracket.FIELD else place.phase
    place.operand, place.primary, place.dot = True, frame.primary, False


def _comma(place: Place, token: Token) -> None:
    place.operand = place.dot = False
    if place.lambdas and place.lambdas[-1] == len(place.frames):
        return  # between parameters of a lambda
    if not place.frames:
        place.commas = place.commas or place.may_target
        if place.word == "import":
            place.module = ""
    if place.frames:
        frame = place.frames[-1]
        if frame.kind is Bracket.CALL:
            _argument_ends(place, frame, token)
            frame = place.frames[-1]
        place.frames = (
            *place.frames[:-1],
            frame._replace(arguments=frame.arguments + 1, keyword=""),
        )


def _argument_ends(place: Place, frame: Frame, token: Token) -> None:
    """Note an argument that ends before ``token``; ``frame`` is the innermost one."""
    if place.last not in ("(", ",") and not frame.keyword:
        place.slots.append(
            place.slot(Role.POSITIONAL, token.text, token.start, True, frame.subject)
        )
        written = place.text[frame.start + 1 : token.start].strip()
        counted = frame._replace(positional=frame.positional + 1, first=frame.first or written)
        place.frames = (*place.frames[:-1], counted)


def _dot(place: Place, token: Token) -> None:
    if place.phase == "module":
        place.module += token.text
        place.operand = False
    elif token.text == "." and place.operand:
        place.dot, place.operand = True, False
    else:
        place.take_operand(token.start)


def _colon(place: Place, token: Token) -> None:
    depth = len(place.frames)
    place.operand = False
    if place.lambdas and place.lambdas[-1] == depth:
        place.lambdas = place.lambdas[:-1]
    elif place.frames:
        return
    elif place.word in HEADER_WORDS or place.first in ("match", "case"):
        _open_block(place, token)
    else:
        place.bind_targets()
        place.assigned = ()
        place.may_target = False


def _open_block(place: Place, token: Token) -> None:
    place.end_iterable()
    word = place.first if place.first in SOFT_KEYWORDS else place.word
    name = place.module if word in ("def", "class") else ""
    block = CodeBlock(word, width_of(place.indent), -1, place.is_async, name)
    place.blocks = (*place.blocks, block)
    place.after_header = True
    place.assigned = ()
    place.end_statement(token.end)
    place.after_header = True


def _assign(place: Place, token: Token) -> None:
    place.bind_targets()
    place.operand = place.may_target = False
    place.value_start = token.end
