"""Watches that words which need a surrounding stand in it: ``return``, ``yield``, ``await``, ``break``, ``else`` …"""

from __future__ import annotations

import keyword

from assist.analysis.monitors.blocks import CodeBlock
from assist.analysis.monitors.monitor import FINE, NOTHING, Legal, Monitor
from assist.analysis.monitors.slot import Role, Slot
from assist.analysis.monitors.view import View

_LOOPS = ("for", "while")
_NEEDS_BEFORE = {
    "elif": ("if", "elif"),
    "else": ("if", "elif", "for", "while", "except"),
    "except": ("try", "except"),
    "finally": ("try", "except", "else"),
}
_OPERATOR_WORDS = frozenset({"and", "or", "in", "is", "not", "if", "else", "for", "as", "async"})
_NEVER_FIRST = frozenset({"and", "or", "in", "is", "as"})


def legal(slot: Slot, _: View) -> Legal:
    """Nothing for a word that cannot stand where it is written."""
    text = slot.text
    if slot.role is Role.OPERATOR_WORD:
        if text in _OPERATOR_WORDS or (text == "from" and slot.keyword in ("raise", "from")):
            return FINE
        return FINE if text == "import" and slot.keyword == "from" else NOTHING
    if text in _NEVER_FIRST:
        return NOTHING
    if not keyword.iskeyword(text):
        return None
    function = _function(slot.blocks)
    if text in ("return", "yield"):
        wrong = function is None
    elif text == "await":
        wrong = function is None or not function.is_async
    elif text in ("break", "continue"):
        wrong = not _in_loop(slot.blocks)
    elif text in _NEEDS_BEFORE:
        wrong = slot.subject not in _NEEDS_BEFORE[text]
    else:
        wrong = False
    return NOTHING if wrong else FINE


def _function(blocks: tuple[CodeBlock, ...]) -> CodeBlock | None:
    """The function that the place is in; none in a module or directly in a class."""
    for block in reversed(blocks):
        if block.word in ("def", "class"):
            return block if block.word == "def" else None
    return None


def _in_loop(blocks: tuple[CodeBlock, ...]) -> bool:
    for block in reversed(blocks):
        if block.word in ("def", "class"):
            return False
        if block.word in _LOOPS:
            return True
    return False


MONITOR = Monitor("statements", frozenset({Role.STATEMENT, Role.OPERATOR_WORD}), legal, early=False)
