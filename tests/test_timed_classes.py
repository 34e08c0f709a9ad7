from __future__ import annotations

import json
from collections.abc import Sequence

from assist.analysis.execution.compare import Outcome
from assist.analysis.execution.pool import Input, timed_classes
from assist.analysis.execution.session import Specification


def check(signatures: Sequence[str], names: Sequence[str]) -> None:
    """The classes that are timed for calls with these signatures, where every call returns."""
    roots = [
        Input({"expression": f"call {number}"}, "recorded", signature, True)
        for number, signature in enumerate(signatures)
    ]
    assert [each.name for each in timed_classes(roots, observe)] == list(names)


def observe(specifications: Sequence[Specification]) -> list[Outcome]:
    return [
        Outcome(
            json.dumps(
                {"input": json.dumps(each, sort_keys=True), "nodes": [], "result": 1}
            ).encode()
        )
        for each in specifications
    ]


def test_an_empty_container_is_no_class_of_its_own() -> None:
    check(["list[int]", "list[_]", "list[int]"], ["×1", "×4", "×16"])


def test_empty_containers_alone_are_timed() -> None:
    check(["list[_]"], ["×1", "×4", "×16"])


def test_other_signatures_are_classes_of_their_own() -> None:
    check(
        ["list[int]", "tuple[int]"],
        [f"×{n} of ({t}[int])" for t in ("list", "tuple") for n in (1, 4, 16)],
    )
