"""The demo's suggestion in the real sandbox: the bundled sample has one function that is worth it."""

from __future__ import annotations

import io

from rich.console import Console

from assist.server.commands.demo import show_suggestion
from assist.server.samples.orders import order_codes, returning_customers


def check(shown: list[str]) -> None:
    output = Console(record=True, width=100, file=io.StringIO())
    show_suggestion(output)
    text = output.export_text()
    for line in shown:
        assert line in text, text


def test_the_sample_works() -> None:
    assert returning_customers(["a", "b", "a"], ["b", "a"]) == ["a", "b"]
    assert order_codes([7, 12]) == "#7 #12"


def test_the_search_is_shown_with_what_was_proposed() -> None:
    check(["a faster version, run in the sandbox", "returning_customers"])
