"""Ways in which a new version could remember calls, read from its text."""

from __future__ import annotations

import ast

import pytest

from assist.analysis.execution.memory import may_remember

BEFORE = "import re\nDATA = {1: 2}\n\ndef f(x):\n    return DATA[x] + g(x)\n\ndef g(x):\n    return [x]\n"


def check(after: str, expected: bool) -> None:
    assert may_remember(ast.parse(BEFORE), ast.parse(after)) is expected


@pytest.mark.parametrize(
    "after",
    [
        BEFORE.replace("DATA[x]", "DATA.get(x)"),
        BEFORE.replace("DATA =", "_SEEN = {1, 2}\nDATA =").replace("DATA[x]", "(x in _SEEN)"),
        BEFORE.replace("DATA =", "_P = re.compile('a')\nDATA =").replace(
            "DATA[x]", "_P.sub('', x)"
        ),
        BEFORE.replace("return DATA", "known = {}\n    known[x] = 1\n    return DATA"),
        BEFORE.replace("import re", "import re\nfrom math import gcd").replace(
            "[x]\n", "[gcd(x, 2)]\n"
        ),
    ],
)
def test_reading_is_no_memory(after: str) -> None:
    check(after, False)


@pytest.mark.parametrize(
    "after",
    [
        BEFORE.replace("def g", "@cache\ndef g"),
        BEFORE.replace("def f(x)", "def f(x, known={})"),
        BEFORE.replace("return DATA[x]", "DATA[x] = 1\n    return DATA[x]"),
        BEFORE.replace("DATA =", "_SEEN = []\nDATA =").replace(
            "return DATA", "_SEEN.append(x)\n    return DATA"
        ),
        BEFORE.replace("DATA =", "_SEEN = {}\nDATA =").replace(
            "return DATA", "s = _SEEN\n    s[x] = 1\n    return DATA"
        ),
        BEFORE.replace("return DATA", "f.seen = x\n    return DATA"),
        BEFORE.replace("return DATA", "global N\n    N = x\n    return DATA"),
        BEFORE.replace("DATA[x]", "max(g, key=g)"),
    ],
)
def test_memory_is_seen(after: str) -> None:
    check(after, True)
