"""Holes for the ranker: what counts as right, and functions cut out of their files."""

from __future__ import annotations

import textwrap

from assist.server.bench.ranking import function_alone

SOURCE = '''
import os


class Store:
    @property
    def path(self):
        """Where it is."""
        if self.name:
            return os.path.join(self.root, $self.name$)

        return self.root


def outside(x):
    def inner(y):
        return y
    return inner(x)
'''


def check(source: str, function: str | None) -> None:
    """``$`` begins and ends the hole, in the file and in the function cut out of it."""
    start = source.index("$")
    end = source.index("$", start + 1) - 1
    found = function_alone(source.replace("$", ""), start, end)
    marked = None
    if found is not None:
        text, first, last = found
        marked = f"{text[:first]}${text[first:last]}${text[last:]}"
    assert marked == function


def test_a_method_stands_alone_without_its_indentation() -> None:
    lines = SOURCE.split("\n")[5:12]
    check(SOURCE, textwrap.dedent("\n".join(lines)) + "\n")


def test_the_outermost_function_is_taken() -> None:
    text = SOURCE.replace("$", "").replace("return y\n", "return $y$\n")
    check(text, "def outside(x):\n    def inner(y):\n        return $y$\n    return inner(x)\n")


def test_several_lines_are_taken_together() -> None:
    text = "class A:\n    def f(self):\n        $x = 1\n        y = 2$\n        return x\n"
    check(text, "def f(self):\n    $x = 1\n    y = 2$\n    return x\n")


def test_what_is_in_no_function_or_cannot_be_cut_stays() -> None:
    check("x = $1$\n\ndef f():\n    return x\n", None)
    check("def f(:\n    return $x$\n", None)
    check('class A:\n    def f(self):\n        """a\nb"""\n        return $1$\n', None)
