"""The function around the cursor, without parsing the module; `ast` says what is right."""

from __future__ import annotations

import argparse
import ast
import asyncio.events
import textwrap
import typing
from pathlib import Path
from types import ModuleType

import pytest

from assist.analysis.document import Document
from assist.analysis.outline import function_around
from assist.server.features.suggestions import function_at


def check(snippet: str, expected: str | None) -> None:
    offset = snippet.index("$0")
    text = snippet.replace("$0", "")
    assert function_around(text, offset) == expected
    windows = text.replace("\n", "\r\n")
    at = len(text[:offset].replace("\n", "\r\n"))
    assert function_at(Document("file:///x.py", windows, 1), at) == expected


@pytest.mark.parametrize(
    ("snippet", "expected"),
    [
        ("def f():\n    return $01\n", "f"),
        ("$0import os\n\ndef f():\n    return 1\n", None),
        ("def f():\n    return 1\n\nx = $01\n", None),
        ("class A:\n    def g(self):\n        return $01\n", "A.g"),
        ("class A:\n    class B:\n        def g(self):\n            $0pass\n", "A.B.g"),
        ("class A:\n    x = $01\n    def g(self): ...\n", None),
        ("def f():\n    def g():\n        return $01\n    return g\n", "f"),
        ("@cache\n@$0other\ndef f():\n    return 1\n", "f"),
        ("class A:\n    @$0property\n    def g(self):\n        return 1\n", "A.g"),
        ("async def f():\n    $0pass\n", None),
        ("if x:\n    def f():\n        $0pass\n", None),
        ("class A:\n    def g(self): ...\n\nif x:\n    def f():\n        $0pass\n", None),
        ('def f():\n    s = """\nselect *\n"""\n    return $0s\n', "f"),
        ("def f(\n    a,\n):\n    return [\n1,\n$02]\n", "f"),
        ("def f():\n    a = 1\n$0\n    return a\n", "f"),
        ("def f():\n    return 1\n$0\n\ndef g():\n    pass\n", None),
        ("def f():\n    # one\n# two\n    $0return 1\n", "f"),
        ("def f(:$0\n", "f"),
        ("$0", None),
    ],
)
def test_the_function_around(snippet: str, expected: str | None) -> None:
    check(snippet, expected)


@pytest.mark.parametrize("module", [argparse, textwrap, asyncio.events, typing])
def test_it_is_the_function_that_ast_finds(module: ModuleType) -> None:
    text = Path(module.__file__ or "").read_text(encoding="utf-8")
    lines = text.splitlines(keepends=True)
    offset = 0
    spans = list(_spans(ast.parse(text).body, ""))
    for number, line in enumerate(lines, 1):
        expected = next((name for first, last, name in spans if first <= number <= last), None)
        if line.strip() and not line.lstrip().startswith("#"):
            assert function_around(text, offset) == expected, (number, line)
        offset += len(line)


def _spans(body: list[ast.stmt], prefix: str) -> typing.Iterator[tuple[int, int, str]]:
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield from _spans(node.body, f"{prefix}{node.name}.")
        elif isinstance(node, ast.FunctionDef):
            first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
            yield first, node.end_lineno or first, prefix + node.name
