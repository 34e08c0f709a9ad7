"""What the engine process does with messages as they come, without a model."""

from __future__ import annotations

from dataclasses import replace

import pytest

from assist.server import messages
from assist.server.engine_worker import Engine, receive

URI = "file:///one.py"
REQUEST = messages.Complete(
    id=1,
    uri=URI,
    version=2,
    offset=4,
    tokens=8,
    context_tokens=64,
    candidates=1,
    milliseconds=100,
    invoked=False,
    threshold="all",
    monitors=True,
)


def check(request: messages.Complete, text: str | None) -> None:
    """Version 2 of a document is open: ``request`` waits with this text of it, none for no answer."""
    engine = Engine(lambda message: None)
    try:
        receive(engine, messages.Opened(URI, "python", 1, "ab"))
        receive(engine, messages.Changed(URI, 2, 2, 2, "cd"))
        receive(engine, request)
        _, document = engine.work.get_nowait()
        assert (document and document.text) == text
        assert (engine.cursor is not None) == (text is not None)
    finally:
        engine.names.scopes.close()
        engine.statistics.close()


def test_the_version_that_is_open_is_completed() -> None:
    check(REQUEST, "abcd")


@pytest.mark.parametrize("version", [1, 3])
def test_another_version_is_not_completed_at_a_place_of_this_one(version: int) -> None:
    check(replace(REQUEST, version=version), None)


def test_a_document_that_is_not_open_is_not_completed() -> None:
    check(replace(REQUEST, uri="file:///two.py"), None)
