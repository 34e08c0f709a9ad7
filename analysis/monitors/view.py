"""What a monitor may look at: facts about the document, and what the candidate itself has bound; asking never raises."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from assist.analysis.facts import OPEN, Value

_ROOT = re.compile(r"[^\W\d]\w*")
SUBSTITUTIONS_MAX = 4
EXPRESSION_CODE_POINTS_MAX = 400


class Facts(Protocol):
    """Facts about one place of one document; what is not known is open."""

    def names(self) -> frozenset[str] | None:
        """Every name that can be read at the place; none when that is not known."""
        ...

    def value(self, expression: str) -> Value:
        """What an expression is at the place."""
        ...

    def module(self, name: str) -> Value:
        """What ``from name import`` offers; a leading dot is relative to the document."""
        ...

    def modules(self) -> frozenset[str] | None:
        """Top-level modules that can be imported."""
        ...

    def unbound(self) -> frozenset[str]:
        """Names that the rest of the file reads and nothing binds, as far as that is known."""
        ...


@dataclass(frozen=True)
class GivenFacts:
    """Facts that are written down; for tests and for the benchmark of the monitors."""

    known_names: frozenset[str] | None = None
    values: Mapping[str, Value] = field(default_factory=dict)
    module_values: Mapping[str, Value] = field(default_factory=dict)
    known_modules: frozenset[str] | None = None
    unbound_names: frozenset[str] = frozenset()

    def names(self) -> frozenset[str] | None:
        return self.known_names

    def value(self, expression: str) -> Value:
        return self.values.get(expression, OPEN)

    def module(self, name: str) -> Value:
        return self.module_values.get(name, OPEN)

    def modules(self) -> frozenset[str] | None:
        return self.known_modules

    def unbound(self) -> frozenset[str]:
        return self.unbound_names


@dataclass(frozen=True)
class Suffix:
    """The text after the cursor as far as it binds the candidate.

    ``closers`` are the brackets it closes without opening them, innermost first, and ``closed``
    counts those of them that were open at the cursor; ``indent`` the
    column of its next line that is not blank (-1: none); ``line`` the rest of the cursor's line;
    ``closes_string`` tells that it ends the string that the cursor is in. ``document`` is the
    whole text without the candidate; ``bound`` are names that comprehensions in it bind, and
    ``is_whole`` tells that all of it was read.
    """

    text: str = ""
    line: str = ""
    closers: str = ""
    closed: int = 0
    indent: int = -1
    closes_string: bool = False
    document: str = ""
    bound: frozenset[str] = frozenset()
    is_whole: bool = True


@dataclass(frozen=True)
class View:
    """The facts, with the names that the candidate has bound put in."""

    facts: Facts
    bound: Mapping[str, str]
    suffix: Suffix = field(default_factory=Suffix)
    head_length: int = 0
    stored: frozenset[tuple[str, str]] = frozenset()

    def names(self) -> frozenset[str] | None:
        known = self.facts.names()
        return None if known is None else known.union(self.bound, self.suffix.bound)

    def value(self, expression: str) -> Value:
        """What an expression is; open when it rests on a name bound in a way not understood."""
        for _ in range(SUBSTITUTIONS_MAX):
            root = _ROOT.match(expression)
            if root is None or root[0] not in self.bound:
                break
            meaning = self.bound[root[0]]
            if not meaning:
                return OPEN
            expression = meaning + expression[root.end() :]
        if not expression or len(expression) > EXPRESSION_CODE_POINTS_MAX:
            return OPEN
        if any(name in self.bound for name in _ROOT.findall(expression)):
            return OPEN
        return self.facts.value(expression)
