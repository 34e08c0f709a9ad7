"""What lives between completions: the model's cache, the open documents, what was learned; it completes nothing itself."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from functools import cached_property

from assist.analysis.document import Document, Edit
from assist.analysis.lexer import StatementIndex
from assist.analysis.syntax import Syntax, parse, reparse
from assist.analysis.workspace_index import Workspaces
from assist.completion.context import Context
from assist.completion.draft_library import DraftLibrary
from assist.completion.drafter import DraftStatistics
from assist.completion.guard import LegalSets
from assist.completion.prompt import Window, changed_span
from assist.completion.token_trie import TokenTrie
from assist.models.kv_session import KvSession
from assist.models.model import Abort
from assist.models.template import FimTemplate

DOCUMENTS_MAX = 64


@dataclass
class OpenDocument:
    """What is kept between two completions of one document."""

    syntax: Syntax
    statements: StatementIndex = field(default_factory=StatementIndex)
    window: Window | None = None
    context: Context | None = None

    def update(self, document: Document) -> None:
        """Follow the document to its new text at the cost of the difference."""
        old = self.syntax.document
        if old.text == document.text:
            return
        span, text = changed_span(old.text, document.text)
        self.syntax = reparse(self.syntax, document, [Edit(span, text)])


@dataclass
class EngineSession:
    """State of one engine. Not safe for use by several threads: one inference lane owns it."""

    kv: KvSession
    template: FimTemplate
    workspaces: Workspaces = field(default_factory=Workspaces)
    documents: OrderedDict[str, OpenDocument] = field(default_factory=OrderedDict)
    drafts: DraftStatistics = field(default_factory=DraftStatistics)

    @cached_property
    def library(self) -> DraftLibrary:
        return DraftLibrary(self.kv.model.tokenize)

    def refresh_drafts(self, abort: Abort) -> bool:
        """Let drafts follow the files to their newest versions; false where ``abort`` ended it."""
        documents = [opened.syntax.document for opened in reversed(self.documents.values())]
        if not documents:
            return True
        uri = documents[0].uri
        window = self.documents[uri].window
        unseen = (window.text[: window.start], window.text[window.end :]) if window else ()
        return self.library.refresh(documents, unseen, self.workspaces.of(uri), abort)

    @cached_property
    def trie(self) -> TokenTrie:
        return TokenTrie(self.kv.model.vocabulary)

    @cached_property
    def legal_sets(self) -> LegalSets:
        return LegalSets(self.trie, self.kv.model.tokenize)

    @cached_property
    def ends(self) -> frozenset[int]:
        """Tokens that end an answer: the model's own, all without text, and the template's stops."""
        vocabulary = self.kv.model.vocabulary
        stops = map(vocabulary.marker, self.template.stops)
        known = {token for token in stops if token is not None}
        return vocabulary.end_of_generation | vocabulary.special | known

    def open_document(self, document: Document) -> OpenDocument:
        """State of a document, brought up to its text."""
        opened = self.documents.get(document.uri)
        if opened is None or opened.syntax.document.language != document.language:
            opened = self.documents[document.uri] = OpenDocument(parse(document))
        opened.update(document)
        self.documents.move_to_end(document.uri)
        while len(self.documents) > DOCUMENTS_MAX:
            self.documents.popitem(last=False)
        return opened

    def close_document(self, uri: str) -> None:
        """Forget what is kept for a document."""
        self.documents.pop(uri, None)
