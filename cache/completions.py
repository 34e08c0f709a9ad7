"""Remembers answers by the text before them, so that one that still fits is not computed again; it never judges an answer."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")

ENTRIES_MAX = 512
# An answer is found again where these many lines above it, and this much of the text after it,
# are what they were.
CONTEXT_LINES = 12
CONTEXT_CODE_POINTS_MAX = 4_000
ANSWER_LINES_MAX = 20
SUFFIX_CODE_POINTS = 240
HITS_MAX = 8


@dataclass(frozen=True)
class Hit(Generic[T]):
    """What is left to write of a remembered answer after the text before the cursor, and its value."""

    text: str
    value: T


@dataclass
class _Entry(Generic[T]):
    """An answer at the end of its path. Equal paths differ in their suffix."""

    path: str
    suffix: str
    value: T
    length: int
    serial: int


@dataclass
class _Node(Generic[T]):
    """A point of the radix trie: the texts that may follow, by their first character."""

    edges: dict[str, tuple[str, _Node[T]]] = field(default_factory=dict)
    entries: list[_Entry[T]] = field(default_factory=list)


class CompletionCache(Generic[T]):
    """A radix trie of "text before the cursor, then the answer", filtered by the text after the cursor.

    An answer is found at its own place, at every place inside it (typed through), and again
    after deleting. The least recently used entries go first. Morrison, "PATRICIA" (1968).
    """

    def __init__(self, entries_max: int = ENTRIES_MAX) -> None:
        self._root: _Node[T] = _Node()
        self._entries: OrderedDict[tuple[str, str], _Entry[T]] = OrderedDict()
        self._entries_max = entries_max
        self._serial = 0

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, uri: str, prefix: str, suffix: str, answer: str, value: T) -> None:
        """Remember that ``answer`` stands between ``prefix`` and ``suffix`` of a document."""
        key = _key(uri, prefix, CONTEXT_LINES)
        if not answer or key is None:
            return
        path = key + answer
        after = _after(suffix)
        self._forget((path, after))
        self._serial += 1
        entry = _Entry(path, after, value, len(answer), self._serial)
        self._entries[path, after] = entry
        self._node_at(path).entries.append(entry)
        while len(self._entries) > self._entries_max:
            self._forget(next(iter(self._entries)))

    def get(self, uri: str, prefix: str, suffix: str) -> tuple[Hit[T], ...]:
        """What remembered answers say here, newest first; nothing where all of one is written."""
        after = _after(suffix)
        found: dict[str, _Entry[T]] = {}
        # Lines of the answer that are written already have moved the start of the context.
        keys = (_key(uri, prefix, CONTEXT_LINES + lines) for lines in range(ANSWER_LINES_MAX))
        for key in dict.fromkeys(key for key in keys if key is not None):
            for entry in self._below(key):
                left = entry.path[len(key) :]
                if entry.suffix == after and 0 < len(left) <= entry.length:
                    best = found.get(left)
                    if best is None or best.serial < entry.serial:
                        found[left] = entry
        newest = sorted(found.items(), key=lambda item: -item[1].serial)[:HITS_MAX]
        for _, entry in newest:
            self._entries.move_to_end((entry.path, entry.suffix))
        return tuple(Hit(left, entry.value) for left, entry in newest)

    def clear(self) -> None:
        """Forget everything."""
        self._root = _Node()
        self._entries.clear()

    def _below(self, key: str) -> Iterator[_Entry[T]]:
        """Entries whose paths start with ``key``."""
        node, at = self._root, 0
        while at < len(key):
            edge = node.edges.get(key[at])
            if edge is None:
                return
            text, node = edge
            size = min(len(text), len(key) - at)
            if text[:size] != key[at : at + size]:
                return
            at += size
        stack = [node]
        while stack:
            node = stack.pop()
            yield from node.entries
            stack.extend(child for _, child in node.edges.values())

    def _node_at(self, path: str) -> _Node[T]:
        """The node at the end of ``path``, made where it does not exist."""
        node, at = self._root, 0
        while at < len(path):
            edge = node.edges.get(path[at])
            if edge is None:
                child: _Node[T] = _Node()
                node.edges[path[at]] = path[at:], child
                return child
            text, child = edge
            shared = _shared(text, path[at:])
            if shared < len(text):
                middle: _Node[T] = _Node({text[shared]: (text[shared:], child)})
                node.edges[path[at]] = text[:shared], middle
                child = middle
            node, at = child, at + shared
        return node

    def _forget(self, name: tuple[str, str]) -> None:
        entry = self._entries.pop(name, None)
        if entry is None:
            return
        trail: list[tuple[_Node[T], str]] = []
        node, at = self._root, 0
        while at < len(entry.path):
            trail.append((node, entry.path[at]))
            text, node = node.edges[entry.path[at]]
            at += len(text)
        node.entries.remove(entry)
        while trail and not node.entries and not node.edges:
            node, first = trail.pop()
            del node.edges[first]


def _key(uri: str, prefix: str, lines: int) -> str | None:
    """The document and the text from the ``lines``-th line start before the cursor; none if too long."""
    lowest = max(0, len(prefix) - CONTEXT_CODE_POINTS_MAX)
    start = len(prefix)
    for _ in range(lines):
        start = prefix.rfind("\n", lowest, max(start - 1, lowest)) + 1
        if start <= lowest:
            return f"{uri}\0{prefix}" if lowest == 0 else None
    return f"{uri}\0{prefix[start:]}"


def _after(suffix: str) -> str:
    return suffix[:SUFFIX_CODE_POINTS]


def _shared(left: str, right: str) -> int:
    size = min(len(left), len(right))
    return next((n for n in range(size) if left[n] != right[n]), size)
