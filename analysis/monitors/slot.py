"""What a candidate is writing at a moment, in words that monitors understand; plain data, it judges nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from assist.analysis.monitors.blocks import CodeBlock


class Role(Enum):
    """What the text of a slot is for."""

    ATTRIBUTE = "attribute"  # after a dot, read
    ATTRIBUTE_STORE = "attribute store"  # after a dot, assigned
    NAME = "name"  # a name that is read
    ARGUMENT = "argument"  # start of an argument: a name that is read, or a keyword
    KEYWORD_ARGUMENT = "keyword argument"
    PATTERN_KEYWORD = "pattern keyword"  # keyword of a class pattern after case
    MODULE = "module"  # after import, or after from
    IMPORTED = "imported name"  # after from … import
    STRING = "string"  # text of a string
    STATEMENT = "statement"  # the keyword that opens a statement
    OPERATOR_WORD = "operator word"  # a word after an operand
    CALL = "call"  # the bracket that opens a call
    POSITIONAL = "positional argument"  # the end of an argument without keyword
    CALL_END = "end of call"
    CLOSER = "closing bracket"
    QUOTE = "closing quote"
    INDENTATION = "indentation"
    CONVERSION = "conversion"  # after ! in a field of a format string
    DEFINITION = "definition"  # the name after def or class
    END = "end"  # the end of the whole candidate


class Use(Enum):
    """Where a name that is read stands, when that says more about it."""

    PLAIN = "plain"
    DECORATOR = "decorator"
    EXCEPT = "except"
    RAISE = "raise"
    PATTERN = "pattern"


class Bracket(Enum):
    """What a bracket is around."""

    CALL = "call"
    SUBSCRIPT = "subscript"
    GROUP = "group"
    LIST = "list"
    BRACES = "braces"
    PARAMETERS = "parameters"
    IMPORTS = "imports"
    FIELD = "field"


class Frame(NamedTuple):
    """An open bracket: what it opened, where, and what was seen in it.

    ``subject`` is the text of what is called or subscripted, ``primary`` where it starts, ``first``
    the first argument, if it has no keyword;
    ``arguments`` counts the commas, ``positional`` the arguments without keyword that ended;
    ``keyword`` is the keyword whose value is being written, ``keywords`` all used so far;
    ``unpacked`` tells of ``*`` or ``**``; ``comprehension`` that a ``for`` was seen.
    """

    text: str
    kind: Bracket
    start: int
    subject: str = ""
    primary: int = 0
    arguments: int = 0
    positional: int = 0
    keyword: str = ""
    keywords: tuple[str, ...] = ()
    unpacked: bool = False
    comprehension: bool = False
    first: str = ""


@dataclass(frozen=True, slots=True)
class Slot:
    """A span of the candidate that has one role.

    ``start`` is an offset in the watched text (negative values do not occur), ``text`` what is
    written of it, ``complete`` whether it ends here. ``subject`` is the text of the expression
    that the slot depends on: the receiver before a dot, what is called, what is subscripted, the
    module, what a string is compared with. ``frames`` are the brackets around it, ``before`` the
    token before it, ``keyword`` the word that opened its statement. ``bound`` and ``stored`` are
    the names (with what they mean) and attributes that the text has bound until here.
    """

    role: Role
    text: str
    start: int
    complete: bool
    subject: str = ""
    use: Use = Use.PLAIN
    frames: tuple[Frame, ...] = ()
    blocks: tuple[CodeBlock, ...] = ()
    keyword: str = ""
    before: str = ""
    bound: Mapping[str, str] = field(default_factory=dict)
    stored: frozenset[tuple[str, str]] = frozenset()
