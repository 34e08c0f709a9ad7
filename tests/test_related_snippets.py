"""Lines about what is out of the window's sight."""

from __future__ import annotations

from assist.analysis.context import comment_lines, related_snippets
from assist.analysis.document import Document, Span
from assist.analysis.syntax import parse

HEAD = "import numpy as np\nfrom typing import Any, List\n"
HELPER = "def scale(x: List, by: float = 2) -> List:\n    return [a * by for a in x]\n"
OTHER = "async def fetch(url):\n    pass\n"


def check(
    before: str, window: str, after: str, *expected: str, language: str = "python", most: int = 400
) -> None:
    document = Document("", before + window + after, language=language)
    span = Span(len(before), len(before) + len(window))
    snippets = related_snippets(parse(document), span, code_points_max=most)
    assert comment_lines(snippets, language).splitlines() == list(expected)


def test_imports_that_the_window_uses_and_no_others() -> None:
    check(HEAD, "x = np.zeros(3)\n", "", "# import numpy as np")
    check(HEAD, "def f(x: Any): ...\n", "", "# from typing import Any")


def test_definitions_on_both_sides_in_the_order_of_the_file() -> None:
    check(
        HELPER,
        "y = 1\n",
        OTHER,
        "# def scale(x: List, by: float = 2) -> List",
        "# async def fetch(url)",
    )


def test_what_the_window_names_comes_first_when_room_is_short() -> None:
    check(
        OTHER + HELPER,
        "scale([1])\n",
        OTHER,
        "# def scale(x: List, by: float = 2) -> List",
        most=50,
    )


def test_members_of_the_class_around_the_window() -> None:
    head = "class Cart(Base):\n    def add(self, item):\n        pass\n\n    def total(self):\n"
    tail = "\nclass Other:\n    def hidden(self):\n        pass\n"
    check(
        head,
        "        return sum([])\n",
        tail,
        "# class Cart(Base)",
        "# def add(self, item)",
        "# def total(self)",
        "# class Other",
    )


def test_other_languages_have_their_own_comments() -> None:
    check(
        "function area(width, height) {\n  return width * height;\n}\n",
        "area(",
        "",
        "// function area(width, height)",
        language="javascript",
    )


def test_broken_code_and_unknown_languages_give_less() -> None:
    check("def (((\n", "x = ", "")
    check("whatever", "x", "", language="klingon")
