"""What drafts can be made of besides the prompt: recent files, files of the workspace, accepted completions; it tokenises in idle time only."""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from assist.analysis.document import Document
from assist.analysis.uris import path_of
from assist.analysis.workspace_files import Stamp, read_source, stamp_of
from assist.analysis.workspace_index import WorkspaceIndex
from assist.completion.drafter import GAP, TokenIds, TokenIndex

# Files, and tokens in all of them together, that a source is made of.
RECENT_FILES_MAX = 6
RECENT_TOKENS_MAX = 40_000
WORKSPACE_FILES_MAX = 24
WORKSPACE_TOKENS_MAX = 80_000
ACCEPTED_MAX = 128
ACCEPTED_CODE_POINTS_MAX = 2_000
# Files are tokenised in pieces, so that an edit costs the piece around it and no step takes long.
PIECE_CODE_POINTS = 2_000
PIECE_CODE_POINTS_MAX = 8_000
PIECES_MAX = 2_000
TEXT_CODE_POINTS_MAX = 200_000
TEXTS_MAX = 32

# Pieces begin where a line without indentation follows an empty one.
_PIECE_END = re.compile(r"\n\r?\n(?=\S)")

Tokenize = Callable[[str], list[int]]
Abort = Callable[[], bool]
_BETWEEN = np.array([GAP], np.int32)


@dataclass(frozen=True)
class _Piece:
    """A part of a text, and what it is known by."""

    key: bytes
    text: str


@dataclass(frozen=True)
class _Source:
    """One index over several texts; ``parts`` identify what it was made of."""

    parts: tuple[bytes, ...]
    index: TokenIndex


class DraftLibrary:
    """Sources of drafts for the language of the document in use.

    :meth:`accept` may be called from any thread, the rest belongs to one.
    """

    def __init__(self, tokenize: Tokenize) -> None:
        self._tokenize = tokenize
        self._language = self._uri = ""
        self._pieces: OrderedDict[bytes, TokenIds] = OrderedDict()
        self._files: OrderedDict[Path, tuple[Stamp, tuple[_Piece, ...]]] = OrderedDict()
        self._accepted: deque[tuple[str, str]] = deque(maxlen=ACCEPTED_MAX)
        self._sources: dict[str, _Source] = {}

    def accept(self, language: str, head: str, text: str) -> None:
        """The user took ``text``, which stands behind ``head``."""
        if len(text) <= ACCEPTED_CODE_POINTS_MAX:
            self._accepted.append((language, head + text))

    def sources(self, language: str, uri: str) -> list[tuple[str, TokenIndex]]:
        """What is known for a document, with the names under which success is counted.

        Files that were made a source for another document would give this one its own text back.
        """
        if language != self._language:
            return []
        names = ("accepted", "recent", "workspace") if uri == self._uri else ("accepted",)
        known = ((name, self._sources.get(name)) for name in names)
        return [(name, source.index) for name, source in known if source is not None]

    def refresh(
        self,
        documents: Sequence[Document],
        unseen: Sequence[str],
        workspace: WorkspaceIndex | None,
        abort: Abort,
    ) -> bool:
        """Follow the files to their newest versions; false where ``abort`` ended it.

        ``documents`` are the open ones, most recent first: the first decides for which language.
        Of it only the ``unseen`` texts count: its prompt has the rest, and a copy of the text before
        the cursor would always match, and draft the text behind it.
        """
        if not documents:
            return True
        language = documents[0].language
        if language != self._language:
            self._language, self._sources = language, {}
        if documents[0].uri != self._uri:
            self._uri = documents[0].uri
            for name in ("recent", "workspace"):
                self._sources.pop(name, None)
        alike = [one for one in documents if one.language == language][:RECENT_FILES_MAX]
        accepted = [text for kind, text in list(self._accepted) if kind == language]
        texts = [(_piece(text),) for text in reversed(accepted)]
        if not self._update("accepted", texts, RECENT_TOKENS_MAX, abort):
            return False
        texts_of_files = [*unseen, *(one.text for one in alike[1:])]
        files = (_pieces(text) for text in texts_of_files if text)
        if not self._update("recent", files, RECENT_TOKENS_MAX, abort):
            return False
        if workspace is None:
            return True
        known = {path_of(one.uri) for one in documents}
        paths = (path for path in workspace.nearby(alike[0]) if path not in known)
        found = self._read(workspace, paths)
        return self._update("workspace", found, WORKSPACE_TOKENS_MAX, abort)

    def _read(
        self, workspace: WorkspaceIndex, paths: Iterable[Path]
    ) -> Iterator[tuple[_Piece, ...]]:
        """Pieces of files on disk, read again only where they changed."""
        for path, _ in zip(paths, range(WORKSPACE_FILES_MAX), strict=False):
            stamp, known = stamp_of(path), self._files.get(path)
            if known is None or known[0] != stamp:
                found = read_source(workspace.root, path) if stamp else None
                if found is None:
                    continue
                known = self._files[path] = found[0], _pieces(found[1])
            self._files.move_to_end(path)
            while len(self._files) > WORKSPACE_FILES_MAX:
                self._files.popitem(last=False)
            yield known[1]

    def _update(
        self, name: str, files: Iterable[tuple[_Piece, ...]], tokens_max: int, abort: Abort
    ) -> bool:
        """Make a source anew where its texts changed; false where ``abort`` ended it before."""
        keys: list[bytes] = []
        tokens: list[TokenIds] = []
        left = tokens_max
        for pieces in files:
            for piece in pieces:
                if abort():
                    return False
                found = self._tokens(piece)
                left -= len(found)
                if left < 0:
                    break
                keys.append(piece.key)
                tokens.append(found)
            keys.append(b"")
            tokens.append(_BETWEEN)
            if left <= 0:
                break
        old = self._sources.get(name)
        if old is None or old.parts != tuple(keys):
            self._sources[name] = _Source(
                tuple(keys), TokenIndex(np.concatenate(tokens or [_BETWEEN]))
            )
        return True

    def _tokens(self, piece: _Piece) -> TokenIds:
        found = self._pieces.get(piece.key)
        if found is None:
            found = self._pieces[piece.key] = np.array(self._tokenize(piece.text), np.int32)
            while len(self._pieces) > PIECES_MAX:
                self._pieces.popitem(last=False)
        self._pieces.move_to_end(piece.key)
        return found


@lru_cache(maxsize=TEXTS_MAX)
def _pieces(text: str) -> tuple[_Piece, ...]:
    """A text in pieces that stay the same where the text does."""
    text = text[:TEXT_CODE_POINTS_MAX]
    found: list[_Piece] = []
    start = 0
    for match in _PIECE_END.finditer(text):
        if match.end() - start >= PIECE_CODE_POINTS:
            found += _bounded(text[start : match.end()])
            start = match.end()
    found += _bounded(text[start:])
    return tuple(found)


def _bounded(text: str) -> Iterator[_Piece]:
    for start in range(0, len(text), PIECE_CODE_POINTS_MAX):
        yield _piece(text[start : start + PIECE_CODE_POINTS_MAX])


def _piece(text: str) -> _Piece:
    data = text.encode("utf-8", "surrogatepass")
    return _Piece(hashlib.blake2b(data, digest_size=16).digest(), text)
