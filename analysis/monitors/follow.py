"""Follows Python text token by token and tells which slots of a place it fills; tolerant of any text, it judges nothing."""

from __future__ import annotations

import keyword

from assist.analysis import lexer
from assist.analysis.lexer import Token, TokenKind
from assist.analysis.monitors.blocks import width_of
from assist.analysis.monitors.operators import close_bracket, follow_operator, open_bracket
from assist.analysis.monitors.place import SOFT_KEYWORDS, Place
from assist.analysis.monitors.slot import Bracket, Role, Slot

KEYWORDS = frozenset(keyword.kwlist)
CONSTANTS = frozenset({"None", "True", "False"})
STRING_PREFIXES = frozenset(["r", "b", "u", "f", "t", "rb", "br", "rf", "fr", "rt", "tr"])
_WORD_PAIRS = frozenset({("not", "in"), ("yield", "from"), ("async", "for"), ("is", "not")})


def feed(place: Place, text: str, *, last: bool = False) -> list[Slot]:
    """Follow more text; returns the slots that ended in it, in order."""
    place.text += text
    place.lex, tokens = lexer.feed(place.lex, text, last=last)
    place.slots = []
    for token in tokens:
        _token(place, token)
    if last:
        _decide(place, "")
    return place.slots


def partial(place: Place) -> Slot | None:
    """The slot that the text so far is in the middle of, if it is one that is watched early."""
    if place.lex.in_text:
        string = place.lex.string
        if string is None or string.prefix.strip("ru"):
            return None
        return place.slot(Role.STRING, place.text[string.text_start :], string.text_start, False)
    name = lexer.partial_name(place.lex)
    if not name or name in STRING_PREFIXES:
        return None
    role = place.role()
    if role is None or (role is Role.ATTRIBUTE and place.may_store()):
        return None
    if role is Role.NAME and (place.may_store() or (place.last == "=" and not place.frames)):
        return None  # it may be the next target of an assignment
    return place.slot(role, name, place.lex.offset, False)


def _token(place: Place, token: Token) -> None:
    kind = token.kind
    if kind is TokenKind.COMMENT:
        return
    if kind is TokenKind.INDENT:
        if not place.frames:
            place.indent = token.text
        return
    if kind is TokenKind.NEWLINE:
        _newline(place, token)
        return
    place.ended = False
    if place.line_start and not place.frames:
        _start_line(place, token)
    place.after_header = False
    if kind is not TokenKind.STRING_END and _decide(place, token.text):
        _after(place, token)
        return
    if kind is TokenKind.NAME:
        _name(place, token)
    elif kind is TokenKind.OPERATOR:
        follow_operator(place, token)
        if place.ended:
            return
    elif kind is TokenKind.NUMBER:
        place.take_operand(token.start)
    elif kind is TokenKind.STRING_START:
        if not (place.operand and place.last == "string"):
            place.primary = token.start
        place.strings = (*place.strings, (place.primary, len(place.frames), token.end))
        place.first = place.first or token.text
        return  # the token before the string says what it is for
    elif kind is TokenKind.FIELD_START:
        open_bracket(place, "{", Bracket.FIELD, token.start, "")
    elif kind is TokenKind.FIELD_END:
        while place.frames and place.frames[-1].kind is not Bracket.FIELD:
            place.frames = place.frames[:-1]
        close_bracket(place, token)
    elif kind is TokenKind.STRING_END:
        _end_string(place, token)
        return
    _after(place, token)


def _after(place: Place, token: Token) -> None:
    place.last = token.text
    place.last_end = token.end
    place.first = place.first or token.text


def _end_string(place: Place, token: Token) -> None:
    nowhere = (token.start, len(place.frames), token.start)
    start, depth, text_start = place.strings[-1] if place.strings else nowhere
    place.strings = place.strings[:-1]
    place.frames = place.frames[:depth]
    text = place.text[text_start : token.start]
    opening = place.text[max(text_start - 5, 0) : text_start].lower()
    if opening.rstrip("'\"")[-1:] not in ("f", "b", "t"):
        place.slots.append(place.slot(Role.STRING, text, text_start, True))
    place.slots.append(place.slot(Role.QUOTE, token.text, token.start, True, str(text_start)))
    place.take_operand(start)
    place.last, place.last_end = "string", token.end
    place.first = place.first or "string"


def _start_line(place: Place, token: Token) -> None:
    place.line_start = False
    width = width_of(place.indent)
    place.slots.append(
        place.slot(
            Role.INDENTATION,
            place.indent,
            token.start - len(place.indent),
            True,
            "header" if place.after_header else "",
        )
    )
    while place.blocks and place.blocks[-1].indent >= width:
        place.closed = place.blocks[-1] if place.blocks[-1].indent == width else None
        place.blocks = place.blocks[:-1]
    if place.blocks and place.after_header:
        place.blocks = (*place.blocks[:-1], place.blocks[-1]._replace(body=width))


def _newline(place: Place, token: Token) -> None:
    if place.frames:
        return
    place.indent = ""
    _decide(place, "\n")
    place.end_statement(token.start)
    place.line_start = True


def _name(place: Place, token: Token) -> None:
    role = place.role()
    if role is Role.ATTRIBUTE:
        place.undecided = (role, token)
        place.operand, place.dot = True, False
    elif token.text in KEYWORDS and role is not Role.CONVERSION:
        _keyword(place, token, role)
    elif role is None:
        place.bind(token.text)
        place.take_operand(token.start)
        if place.phase == "alias":
            place.phase = {"import": "module", "from": "imported"}.get(place.word, "")
    elif token.text == "case" and role is Role.STATEMENT and _in_match(place):
        place.word, place.may_target = "case", False
    elif role in (Role.STATEMENT, Role.NAME, Role.ARGUMENT):
        place.undecided = (role, token)
        place.chained = place.last == "=" and not place.frames
        place.take_operand(token.start)
    elif role is Role.OPERATOR_WORD and place.first in SOFT_KEYWORDS and place.first == place.last:
        place.word, place.may_target = place.first, False
        place.take_operand(token.start)
        if place.word == "type":
            _phased_name(place, token, Role.DEFINITION)
        else:
            place.undecided = (Role.NAME, token)
    else:
        subject = place.module if role in (Role.MODULE, Role.IMPORTED) else ""
        place.slots.append(place.slot(role, token.text, token.start, True, subject))
        _phased_name(place, token, role)
        place.take_operand(token.start)


def _phased_name(place: Place, token: Token, role: Role) -> None:
    if role is Role.DEFINITION:
        place.phase = "parameters"
        place.bind(token.text)
        place.module = token.text  # the name of the block that a colon opens
    elif role is Role.MODULE:
        if not place.module:
            place.bound_before = place.bound
        place.module += token.text
        if place.word == "import":
            place.bind(place.module.split(".")[0])
    elif role is Role.IMPORTED:
        place.bound_before = place.bound
        place.bind(token.text)
    elif role is Role.CONVERSION:
        place.phase = ""


def _keyword(place: Place, token: Token, role: Role | None) -> None:
    text = token.text
    if role is Role.STATEMENT or text in ("await", "yield"):
        before = place.closed.word if place.closed is not None else ""
        place.slots.append(place.slot(Role.STATEMENT, text, token.start, True, before))
    elif role is Role.OPERATOR_WORD:
        place.slots.append(place.slot(role, text, token.start, True))
    elif role in (Role.NAME, Role.ARGUMENT) and (place.last, text) not in _WORD_PAIRS:
        place.slots.append(place.slot(Role.NAME, text, token.start, True))
    if text in CONSTANTS:
        place.take_operand(token.start)
        return
    place.operand = False
    if text in ("if", "for", "async"):
        place.end_iterable()
    if text == "async":
        place.is_async = True
    elif role is Role.STATEMENT:
        place.word, place.may_target = text, False
        place.value_start = token.end
        if text in ("import", "from"):
            place.phase = "module"
        elif text in ("def", "class"):
            place.phase = "name"
        elif text in ("global", "nonlocal"):
            place.phase = "global"
    elif text == "import" and place.word == "from":
        place.phase = "imported"
    elif text == "as":
        if place.word == "with" and not place.frames:
            context = place.text[place.value_start : place.last_end].strip()
            place.meaning = f"({context}).__enter__()"
        if place.phase in ("module", "imported") and place.bound_before is not None:
            place.bound = place.bound_before  # the alias is bound instead
        place.phase = "alias"
    elif text == "if" and place.word == "case" and not place.frames:
        place.word = "if"
    elif text == "lambda":
        place.lambdas = (*place.lambdas, len(place.frames))
    elif text == "in" and place.waiting_for_in:
        place.waiting_for_in = place.waiting_for_in[:-1]
        place.loop = (token.end, len(place.frames))
    if text == "for":
        place.waiting_for_in = (*place.waiting_for_in, len(place.frames))
        place.looped = ()
        depth = len(place.frames)
        if depth and not place.frames[-1].comprehension:
            place.frames = (*place.frames[:-1], place.frames[-1]._replace(comprehension=True))
            place.outside = (*place.outside, (depth, place.bound))


def _decide(place: Place, following: str) -> bool:
    """Settle the role of the name before; true if ``following`` was used up by that."""
    if place.undecided is None:
        return False
    (role, token), place.undecided = place.undecided, None
    name = token.text
    if role is Role.ARGUMENT and following == "=":
        frame = place.frames[-1]
        kind = Role.PATTERN_KEYWORD if place.word == "case" else Role.KEYWORD_ARGUMENT
        place.slots.append(place.slot(kind, name, token.start, True, frame.subject))
        frame = frame._replace(keyword=name, keywords=(*frame.keywords, name))
        place.frames = (*place.frames[:-1], frame)
        place.operand = False
        return True
    if following == ":=" or (following == "=" and place.chained):
        place.bind(name)
    elif role is Role.ATTRIBUTE:
        store = place.may_store() and following in ("=", ",", ":")
        kind = Role.ATTRIBUTE_STORE if store else Role.ATTRIBUTE
        subject = place.receiver(token.start)
        if store:
            place.stored |= {(subject, name)}
        place.slots.append(place.slot(kind, name, token.start, True, subject))
    elif place.may_store() and following in ("=", ",", ":", ")", "]"):
        place.targets = (*place.targets, (name, token.start))
    elif place.word == "case" and following not in (".", "("):
        place.bind(name)
    elif not (name in SOFT_KEYWORDS and role is Role.STATEMENT):
        use = place.use_of_name(following)
        place.slots.append(place.slot(Role.NAME, name, token.start, True, use=use))
    return False


def _in_match(place: Place) -> bool:
    return bool(place.blocks) and place.blocks[-1].word == "match"
