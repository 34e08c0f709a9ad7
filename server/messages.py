"""Messages between the language server and its child processes, and their frames on a pipe; it knows no protocol of editors and runs nothing."""

from __future__ import annotations

import json
import struct
import types
import typing
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from typing import Any

from assist.cache.rows import ProposalRow, RequestRow

# A frame is two lengths, a JSON object and a body of UTF-8: a document's text travels in the
# body, because escaping megabytes as JSON would block the sender.
HEADER = struct.Struct(">II")
JSON_BYTES_MAX = 16 * 1024 * 1024
BODY_BYTES_MAX = 256 * 1024 * 1024


class MessageError(Exception):
    """The bytes are no message: the other process is broken and must be replaced."""


# --- server to engine ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Load:
    """Load the model these settings ask for; values of :class:`assist.server.settings.Settings`."""

    settings: dict[str, Any]


@dataclass(frozen=True)
class Opened:
    """A document as a whole; replaces what was known of it."""

    uri: str
    language: str
    version: int
    text: str


@dataclass(frozen=True)
class Changed:
    """A document's new version: ``text`` replaced the code points ``start`` to ``end``."""

    uri: str
    version: int
    start: int
    end: int
    text: str


@dataclass(frozen=True)
class Closed:
    uri: str


@dataclass(frozen=True)
class Cursor:
    """The user is at the code-point ``offset`` of ``uri`` (none: somewhere): its prompt is wanted soon."""

    uri: str
    offset: int | None
    context_tokens: int


@dataclass(frozen=True)
class Complete:
    """Complete this ``version`` of ``uri`` at the code-point ``offset``; times in ms.

    A document that went on meanwhile is not completed: there the offset means another place.
    """

    id: int
    uri: str
    version: int
    offset: int
    tokens: int
    context_tokens: int
    candidates: int
    milliseconds: int
    invoked: bool
    threshold: str
    monitors: bool
    selected_text: str | None = None
    selected_start: int = 0


@dataclass(frozen=True)
class Configure:
    """Workspace folders (URIs), the setting that names their Python environment, and those of the
    folders whose files may be told of in prompts."""

    folders: tuple[str, ...]
    environment: str
    told: tuple[str, ...] = ()


@dataclass(frozen=True)
class FilesChanged:
    """Files of the workspace (URIs) changed outside the editor."""

    uris: tuple[str, ...] = ()


@dataclass(frozen=True)
class Accepted:
    """The user took a proposal: ``text``, behind ``head`` on its lines."""

    language: str
    head: str
    text: str


@dataclass(frozen=True)
class Record:
    """Numbers for the statistics of this machine."""

    proposals: tuple[ProposalRow, ...]
    requests: tuple[RequestRow, ...]


@dataclass(frozen=True)
class AskNames:
    """Which names fit in ``uri`` at the code-point ``offset``?"""

    id: int
    uri: str
    offset: int


@dataclass(frozen=True)
class AskDescription:
    """What is the ``index``-th name of the last answer for ``uri``?"""

    id: int
    uri: str
    index: int


@dataclass(frozen=True)
class Cancel:
    """The answer to a question or completion is not wanted any more."""

    id: int


@dataclass(frozen=True)
class Ping:
    id: int


# --- engine to server ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Loading:
    """Progress of a load, 0 to 1, and what is being done."""

    fraction: float
    message: str


@dataclass(frozen=True)
class Ready:
    """The model is in memory; ``seconds`` it took."""

    model: str
    file: str
    template: str
    seconds: float


@dataclass(frozen=True)
class Failed:
    """The model cannot be loaded; the message says what to do."""

    message: str


@dataclass(frozen=True)
class Item:
    """A proposal: ``text`` replaces the code points ``start`` to ``end``."""

    text: str
    start: int
    end: int
    score: float
    origin: str


@dataclass(frozen=True)
class Partial:
    """Text of the best candidate so far, while the answer is being computed."""

    id: int
    text: str


@dataclass(frozen=True)
class Completed:
    """Answer to :class:`Complete`; ``report`` is the JSON object of ``assist complete --json``."""

    id: int
    items: tuple[Item, ...]
    report: dict[str, Any]


@dataclass(frozen=True)
class NameItem:
    """A name as :class:`assist.analysis.facts.Name` describes it."""

    text: str
    kind: str
    detail: str


@dataclass(frozen=True)
class Names:
    """Answer to :class:`AskNames`."""

    id: int
    names: tuple[NameItem, ...]


@dataclass(frozen=True)
class Described:
    """Answer to :class:`AskDescription`: plain texts."""

    id: int
    signatures: tuple[str, ...]
    documentation: str


@dataclass(frozen=True)
class Stopped:
    """A request ended without an answer: cancelled, or an error whose message is not empty."""

    id: int
    message: str = ""


@dataclass(frozen=True)
class Pong:
    """Answer to :class:`Ping`: seconds since the lane last moved (0 when idle), and the longest it took between two moves."""

    id: int
    stalled_s: float
    stall_s_max: float
    figures: dict[str, Any]


# --- server to search and back ------------------------------------------------------------------


@dataclass(frozen=True)
class Search:
    """Search faster versions in a file with this unsaved text; ``seconds`` for one function.

    ``line`` (1-based, 0: all of them) keeps the function around it, ``since`` (empty: all of them)
    those that changed since a git revision.
    """

    path: str
    text: str
    line: int
    since: str
    min_speedup: float
    seconds: float


@dataclass(frozen=True)
class SearchStep:
    """What is being done; ``fraction`` of the whole, below 0 where it is not known."""

    step: str
    fraction: float


@dataclass(frozen=True)
class Offer:
    """The best suggestion for the file, in words."""

    function: str
    title: str
    headline: str
    evidence: str


@dataclass(frozen=True)
class SearchFound:
    """The object of ``assist suggest --format json``, the folder of its names, and it as Markdown.

    ``offers`` has one item or none; ``nothing`` is the sentence for a user where it has none.
    """

    report: dict[str, Any]
    folder: str
    markdown: str
    offers: tuple[Offer, ...]
    nothing: str


@dataclass(frozen=True)
class SearchFailed:
    """Nothing can be searched; the message says what to do."""

    message: str


@dataclass(frozen=True)
class AskEdits:
    """Which edits make the offer of ``text``, the file's text of now?"""

    text: str


@dataclass(frozen=True)
class LineEdit:
    """``text`` replaces what lies between two places, 0-based lines and columns in code points."""

    start_line: int
    start_column: int
    end_line: int
    end_column: int
    text: str


@dataclass(frozen=True)
class Edits:
    """Answer to :class:`AskEdits`; none fit where ``is_current`` is false."""

    is_current: bool
    edits: tuple[LineEdit, ...] = ()


ToEngine = (
    Load
    | Configure
    | Opened
    | Changed
    | Closed
    | Cursor
    | FilesChanged
    | Accepted
    | Record
    | Complete
    | AskNames
    | AskDescription
    | Cancel
    | Ping
)
Answer = Completed | Names | Described | Stopped
FromEngine = Loading | Ready | Failed | Partial | Answer | Pong
ToSearch = Search | AskEdits
FromSearch = SearchStep | SearchFound | SearchFailed | Edits
Message = ToEngine | FromEngine | ToSearch | FromSearch
_KINDS: dict[str, type] = {kind.__name__: kind for kind in typing.get_args(Message)}


def encode(message: Message) -> bytes:
    """One frame."""
    data: dict[str, Any] = {"kind": type(message).__name__, **_plain(message)}
    body = b""
    if isinstance(message, (Opened, Changed)):
        body = data.pop("text").encode("utf-8", "surrogatepass")
    head = json.dumps(data, separators=(",", ":")).encode("ascii")
    return HEADER.pack(len(head), len(body)) + head + body


def decode_lengths(header: bytes) -> tuple[int, int]:
    """Lengths of JSON and body. Raises :class:`MessageError` where they are beyond the bounds."""
    if len(header) != HEADER.size:
        raise MessageError("the pipe ended inside a frame")
    head_length, body_length = HEADER.unpack(header)
    if head_length > JSON_BYTES_MAX or body_length > BODY_BYTES_MAX:
        raise MessageError("a frame is longer than any message")
    return head_length, body_length


def decode(head: bytes, body: bytes) -> Message:
    """The message of one frame. Raises :class:`MessageError`."""
    try:
        data = json.loads(head)
        kind = _KINDS[data.pop("kind")]
        if kind in (Opened, Changed):
            data["text"] = body.decode("utf-8", "surrogatepass")
        return typing.cast(Message, _structured(kind, data))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise MessageError(f"no message: {error}") from None


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return {item.name: _plain(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


@cache
def _types_of(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _structured(kind: Any, value: Any) -> Any:
    if is_dataclass(kind):
        hints = _types_of(typing.cast(type, kind))
        return typing.cast(Any, kind)(
            **{name: _structured(hints[name], inner) for name, inner in value.items()}
        )
    origin = typing.get_origin(kind)
    if origin is typing.Literal:
        if value not in typing.get_args(kind):
            raise TypeError(f"{value!r} is not {kind}")
        return value
    if origin is tuple:
        return tuple(_structured(typing.get_args(kind)[0], inner) for inner in value)
    if origin is dict:
        kind = dict
    allowed = typing.get_args(kind) if origin is types.UnionType else (kind,)
    if kind is not Any and not isinstance(value, allowed):
        if kind is float and isinstance(value, int):
            return float(value)
        raise TypeError(f"{value!r} is not {kind}")
    return value
