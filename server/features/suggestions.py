"""The code action "Find a faster version": runs the search in the sandbox on the user's request, and offers the verified edit for review; never in an untrusted workspace."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from lsprotocol import types as lsp

from assist.analysis.document import Document, Position, Span, plain
from assist.analysis.errors import AnalysisError
from assist.analysis.outline import function_around
from assist.analysis.uris import path_of
from assist.server import messages
from assist.server.convert import Encoding, offset_from, range_to
from assist.server.language_server import AssistServer
from assist.server.searching import Found, Progress, search
from assist.server.settings import Settings

COMMAND = "assist.findFaster"
KIND = lsp.CodeActionKind.RefactorRewrite
LANGUAGE = "python"
OPTIONS = lsp.CodeActionOptions(code_action_kinds=[KIND], resolve_provider=True)
NOT_TRUSTED = "This runs code of the workspace. Trust the workspace first (workspace.trusted)."
CHANGED = "The function changed meanwhile, so nothing was edited. Ask again."
# Lines above and below the cursor in which its function is looked for.
LINES_MAX = 3_000


def register(server: AssistServer) -> None:
    session = server.session
    running = asyncio.Lock()

    @server.feature(lsp.TEXT_DOCUMENT_CODE_ACTION, OPTIONS)
    async def actions(params: lsp.CodeActionParams) -> list[lsp.CodeAction] | None:
        document = session.documents.get(params.text_document.uri)
        if document is None:
            return None
        # Editors ask this wherever the cursor comes to rest, and tell it in no other way.
        session.point(document, offset_from(document, params.range.start, session.encoding))
        if document.language != LANGUAGE or not _is_wanted(params.context):
            return None
        await session.settled()
        if (
            not session.settings_for(document.uri).workspace_trusted
            or path_of(document.uri) is None
        ):
            return None
        offset = offset_from(document, params.range.start, session.encoding)
        name = function_at(document, offset)
        if name is None:
            return None
        line = document.position_at(offset).line
        title = f"Find a faster version of {name.split('.')[-1]}"
        place = {"uri": document.uri, "line": line, "version": document.version}
        action = lsp.CodeAction(title, kind=KIND, data=place)
        return [action if _resolves() else _with_command(action)]

    @server.feature(lsp.CODE_ACTION_RESOLVE)
    async def resolve(action: lsp.CodeAction) -> lsp.CodeAction:
        return _with_command(action)

    @server.command(COMMAND)
    async def find_faster(place: dict[str, Any]) -> dict[str, Any] | None:
        """Search the function at a line (0-based) and offer what was verified as an edit.

        ``scope`` is ``function``, ``file`` or ``changed`` (since the last commit); with ``review``
        the editor shows the edit itself and nothing is applied here. Answers with the object of
        ``assist suggest --format json``, the folder its file names are relative to, and the
        evidence as Markdown.
        """
        document = session.documents.get(str(place.get("uri", "")))
        line = place.get("line")
        path = path_of(document.uri) if document is not None else None
        if document is None or path is None or not isinstance(line, int):
            return None
        await session.settled()
        settings = session.settings_for(document.uri)
        if not settings.workspace_trusted:
            _say(lsp.MessageType.Warning, NOT_TRUSTED)
            return None
        request = _request(document, path, line, str(place.get("scope", "function")), settings)
        stop = asyncio.Event()
        try:
            async with (
                running,
                _progress("Finding a faster version", stop) as report_step,
                search(request, report_step, stop) as found,
            ):
                if found is None:
                    return None
                return await _take(document.uri, found, bool(place.get("review")))
        except AnalysisError as error:
            _say(lsp.MessageType.Error, str(error))
            return None

    async def _take(uri: str, found: Found, is_reviewed: bool) -> dict[str, Any]:
        """The answer to the command; what was found is offered, unless the editor does it."""
        answer: dict[str, Any] = {
            **found.answer.report,
            "folder": found.answer.folder,
            "markdown": found.answer.markdown,
        }
        if is_reviewed:
            return answer
        if not found.answer.offers:
            _say(lsp.MessageType.Info, found.answer.nothing)
            return answer
        answer["applied"] = await _offer(uri, found, found.answer.offers[0])
        return answer

    async def _offer(uri: str, found: Found, offer: messages.Offer) -> bool:
        """Ask the editor for the edit, marked for review, unless the function changed."""
        document = session.documents.get(uri)
        edits = await found.edits_for(plain(document.text)) if document is not None else None
        if document is None or edits is None or not edits.is_current:
            _say(lsp.MessageType.Warning, CHANGED)
            return False
        edit = workspace_edit(document, edits, offer, session.encoding, _reviews())
        result = await server.workspace_apply_edit_async(
            lsp.ApplyWorkspaceEditParams(edit, label=f"{offer.function}: {offer.headline}")
        )
        if result.applied:
            _say(lsp.MessageType.Info, f"{offer.function}: {offer.headline}. {offer.evidence}")
        return bool(result.applied)

    @contextlib.asynccontextmanager
    async def _progress(title: str, stop: asyncio.Event) -> AsyncIterator[Progress]:
        """Progress in the editor that can be cancelled; silence where it has none."""
        window = server.client_capabilities.window
        if not window or not window.work_done_progress:
            yield lambda _step, _fraction: None
            return
        token = str(uuid.uuid4())
        shown = server.work_done_progress
        await shown.create_async(token)
        shown.tokens[token].add_done_callback(lambda future: _stop_if_cancelled(future, stop))
        shown.begin(token, lsp.WorkDoneProgressBegin(title, cancellable=True))

        def report(step: str, fraction: float | None) -> None:
            percentage = None if fraction is None else round(100 * fraction)
            value = lsp.WorkDoneProgressReport(message=step, percentage=percentage)
            shown.report(token, value)

        try:
            yield report
        finally:
            shown.end(token, lsp.WorkDoneProgressEnd())
            shown.tokens.pop(token, None)

    def _resolves() -> bool:
        """Whether the editor asks for an action's command only when the action is chosen."""
        capabilities = server.client_capabilities.text_document
        support = capabilities.code_action if capabilities else None
        resolve = support.resolve_support if support and support.data_support else None
        return bool(resolve and "command" in resolve.properties)

    def _reviews() -> bool:
        workspace = server.client_capabilities.workspace
        edits = workspace.workspace_edit if workspace else None
        return bool(edits and edits.change_annotation_support)

    def _say(kind: lsp.MessageType, text: str) -> None:
        server.window_show_message(lsp.ShowMessageParams(kind, text))


def _with_command(action: lsp.CodeAction) -> lsp.CodeAction:
    action.command = lsp.Command(action.title, COMMAND, arguments=[action.data])
    return action


def _stop_if_cancelled(future: Future[Any], stop: asyncio.Event) -> None:
    if future.cancelled():
        stop.set()


def _is_wanted(context: lsp.CodeActionContext) -> bool:
    """Whether the editor asks for actions of our kind, or for all of them."""
    kinds = [str(getattr(kind, "value", kind)) for kind in context.only or ()]
    own = KIND.value
    return context.only is None or any(own == kind or own.startswith(f"{kind}.") for kind in kinds)


def _request(
    document: Document, path: Path, line: int, scope: str, settings: Settings
) -> messages.Search:
    return messages.Search(
        str(path),
        plain(document.text),
        line=line + 1 if scope == "function" else 0,
        since="HEAD" if scope == "changed" else "",
        min_speedup=settings.suggest_speedup,
        seconds=settings.suggest_seconds,
    )


def function_at(document: Document, offset: int) -> str | None:
    """Qualified name of the function around an offset: of the module or a class, not one inside a function."""
    position = document.position_at(offset)
    first = max(0, position.line - LINES_MAX)
    last = min(document.line_count, position.line + LINES_MAX)
    starts = document.line_starts
    until = starts[last] if last < document.line_count else len(document.text)
    text = plain(document.text[starts[first] : until])
    line_start = 0
    for _ in range(position.line - first):
        line_start = text.index("\n", line_start) + 1
    return function_around(text, line_start)


def workspace_edit(
    document: Document,
    edits: messages.Edits,
    offer: messages.Offer,
    encoding: Encoding,
    reviews: bool,
) -> lsp.WorkspaceEdit:
    """The change as edits of one version of the document, annotated for review where that is known."""
    annotation = "assist.faster"
    changes: list[lsp.TextEdit | lsp.AnnotatedTextEdit | lsp.SnippetTextEdit] = []
    for edit in edits.edits:
        range_ = range_to(document, _span(document, edit), encoding)
        if reviews:
            changes.append(lsp.AnnotatedTextEdit(annotation, range_, edit.text))
        else:
            changes.append(lsp.TextEdit(range_, edit.text))
    identifier = lsp.OptionalVersionedTextDocumentIdentifier(document.uri, document.version)
    return lsp.WorkspaceEdit(
        document_changes=[lsp.TextDocumentEdit(identifier, changes)],
        change_annotations={
            annotation: lsp.ChangeAnnotation(
                f"{offer.title} ({offer.headline})",
                needs_confirmation=True,
                description=offer.evidence,
            )
        }
        if reviews
        else None,
    )


def _span(document: Document, edit: messages.LineEdit) -> Span:
    start = document.offset_at(Position(edit.start_line, edit.start_column))
    return Span(start, document.offset_at(Position(edit.end_line, edit.end_column)))
