"""Tells whether code is for another Python or another system than the one that is read; it evaluates nothing but comparisons of versions."""

from __future__ import annotations

import operator
import re
from typing import Any

_ASKS = re.compile(
    r"version_info|hexversion|sys\.platform|os\.name|python_version|hasattr\((?!self\b)"
)
_VERSION = re.compile(r"\s*sys\.version_info(?:\[:2\])?\s*(>=|<)\s*\((\d+)(?:,\s*(\d+))?,?\)\s*")
_COMPARISONS = {">=": operator.ge, "<": operator.lt}


def may_be_for_another(leaf: Any, version: tuple[int, int]) -> bool:
    """Whether an ``if`` around a leaf of parso's tree asks for a version or system that need not be
    the one at hand; ``version`` is the one of the environment."""
    inner, node = leaf, leaf.parent
    while node is not None:
        if node.type == "if_stmt" and not _is_taken(node.children, inner, version):
            return True
        inner, node = node, node.parent
    return False


def _is_taken(children: list[Any], inner: Any, version: tuple[int, int]) -> bool:
    """Whether the branch of an ``if`` that ``inner`` is in is surely taken, as far as versions and
    systems decide."""
    before = children[: children.index(inner)]
    words = [at for at, child in enumerate(before) if child.type == "keyword"]
    tests = [
        before[at + 1] for at in words if children[at].value != "else" and at + 1 < len(before)
    ]
    own = tests.pop() if tests and children[words[-1]].value != "else" else None
    if any(_answer(test, version) not in (False, "") for test in tests):
        return False
    return own is None or _answer(own, version) in (True, "")


def _answer(test: Any, version: tuple[int, int]) -> bool | str | None:
    """What a test says; none where that is not known, an empty text where it asks for something else."""
    code = test.get_code()
    if not _ASKS.search(code):
        return ""
    match = _VERSION.fullmatch(code)
    if match is None:
        return None
    asked = (int(match[2]), int(match[3])) if match[3] else (int(match[2]),)
    return bool(_COMPARISONS[match[1]](version[: max(len(asked), 1)], asked))
