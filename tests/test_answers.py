from __future__ import annotations

from assist.analysis.document import Document, Span
from assist.server import messages
from assist.server.answers import Answers
from assist.server.request import Request
from assist.server.scheduler import Priority


def check(
    given: str, text: str, asked: str, recalled: str | None, *, selected: str | None = None
) -> None:
    """``$0`` is the cursor in the document of the first and of the second request.

    With ``selected`` the word before the cursor would be replaced by it.
    """
    offset = given.index("$0")
    answers = Answers()
    item = messages.Item(text, offset, offset, 0.5, "model")
    first = Request(document(given), offset, Priority.AUTOMATIC)
    answers.remember(first, messages.Completed(1, (item,), {"model": {"name": "m"}}))
    offset = asked.index("$0")
    span = Span(asked[:offset].rfind(" ") + 1, offset) if selected else None
    request = Request(document(asked), offset, Priority.AUTOMATIC, 1, selected, span)
    answer = answers.recall(request)
    assert (answer.items[0].text if answer else None) == recalled
    if answer:
        assert (answer.items[0].origin, answer.report["model"]) == ("cache", {"name": "m"})


def document(source: str) -> Document:
    return Document("file:///a.py", source.replace("$0", ""))


def test_ghost_text_is_typed_through() -> None:
    check("x = $0\n", "foo(1)", "x = foo$0\n", "(1)")
    check("x = $0\n", "foo(1)", "x = bar$0\n", None)


def test_the_highlighted_entry_of_a_list_counts_as_typed() -> None:
    check("x = $0\n", "foo(1)", "x = fo$0\n", "foo(1)", selected="foo")
    check("x = $0\n", "foo(1)", "x = fo$0\n", None, selected="fob")
