"""The stations of the demo: places in the sample where the model continues, and an edit that the cache survives; it prints nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files

from assist.analysis.document import Document, Edit, Span
from assist.completion.engine import Completion, CompletionOptions, EngineSession, complete

URI = "file:///parcels.py"
TOKENS_MAX = 48
TIME_MS_MAX = 20_000.0


@dataclass(frozen=True)
class Stop:
    """A line of the sample that is typed up to ``typed``; ``within`` names its function."""

    title: str
    within: str
    typed: str
    rest: str


@dataclass(frozen=True)
class Visit:
    """What happened at a stop: the document with the cursor at ``offset``, and the answer."""

    title: str
    document: Document
    offset: int
    completion: Completion

    @property
    def text(self) -> str:
        """Text of the best candidate, empty without one."""
        return self.completion.candidates[0].text if self.completion.candidates else ""


STOPS = (
    Stop("first look at the file", "total_price", "    for", " parcel in parcels:"),
    Stop("the next line", "total_price", "        total += ", "parcel.price()"),
    Stop("a function further down", "by_city", "            groups", "[parcel.city] = []"),
    Stop("and another", "cities", "        if parcel", ".city not in seen:"),
)
EDITED = Stop(
    "the next line, after a field was added in line 20",
    "cities",
    "            seen",
    ".append(parcel.city)",
)
INSERTED_BEFORE = "    def price("
INSERTED = "    fragile: bool = False\n\n"


def sample() -> Document:
    """The module that is completed, as it is when nothing is missing."""
    text = files("assist.server.demo").joinpath("sample.py").read_text(encoding="utf-8")
    return Document(URI, text)


def visit_all(session: EngineSession) -> Iterator[Visit]:
    """Complete at every stop, then once more after an edit far above the cursor.

    In between the cache is made exact, as the engine does while its user reads.
    """
    document = sample()
    for stop in STOPS:
        yield visit(session, document, stop)
        session.kv.refresh()
    start = document.text.index(INSERTED_BEFORE)
    edited = document.apply([Edit(Span(start, start), INSERTED)])
    yield visit(session, edited, EDITED)


def visit(session: EngineSession, document: Document, stop: Stop) -> Visit:
    """Cut the rest of the stop's line off and ask for it."""
    function = document.text.index(f"def {stop.within}(")
    start = document.text.index(stop.typed + stop.rest, function) + len(stop.typed)
    cut = document.apply([Edit(Span(start, start + len(stop.rest)), "")])
    options = CompletionOptions(tokens_max=TOKENS_MAX, decode_ms_max=TIME_MS_MAX)
    completion = complete(session, cut, cut.position_at(start), options)
    return Visit(stop.title, cut, start, completion)
