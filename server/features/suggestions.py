"""The code action "Find a faster version": runs the search in the sandbox on the user's request, and offers the verified edit for review; never in an untrusted workspace."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from lsprotocol import types as lsp

from assist.analysis.document import Document, Position, Span
from assist.analysis.errors import AnalysisError, Cancelled
from assist.analysis.rules.splice import (
    change_between,
    find,
    function_source,
    line_edits,
    parse_module,
    with_change,
)
from assist.server.convert import Encoding, offset_from, range_to
from assist.server.language_server import AssistServer
from assist.server.settings import Settings
from assist.server.source_text import plain
from assist.server.uris import path_of
from assist.server.workspace import find_interpreter, find_tests, find_workspace

if TYPE_CHECKING:
    # What searches is imported when a search is asked for: it would double the server's start.
    from assist.completion.edits import Suggestion
    from assist.server.reports.suggestions import SuggestReport
    from assist.server.suggesting import RunOptions

COMMAND = "assist.findFaster"
KIND = lsp.CodeActionKind.RefactorRewrite
LANGUAGE = "python"
OPTIONS = lsp.CodeActionOptions(code_action_kinds=[KIND], resolve_provider=True)
NOT_TRUSTED = "This runs code of the workspace. Trust the workspace first (workspace.trusted)."
CHANGED = "The function changed meanwhile, so nothing was edited. Ask again."
SHARE_OF_TESTS = 3.0
REJECTED_SHOWN_MAX = 3


def register(server: AssistServer) -> None:
    session = server.session
    running = asyncio.Lock()

    @server.feature(lsp.TEXT_DOCUMENT_CODE_ACTION, OPTIONS)
    async def actions(params: lsp.CodeActionParams) -> list[lsp.CodeAction] | None:
        document = session.documents.get(params.text_document.uri)
        if document is None or document.language != LANGUAGE or not _is_wanted(params.context):
            return None
        await session.settled()
        if (
            not session.settings_for(document.uri).workspace_trusted
            or path_of(document.uri) is None
        ):
            return None
        offset = offset_from(document, params.range.start, session.encoding)
        name = await asyncio.to_thread(function_at, document, offset)
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
        if document is None or not isinstance(line, int):
            return None
        await session.settled()
        settings = session.settings_for(document.uri)
        if not settings.workspace_trusted:
            _say(lsp.MessageType.Warning, NOT_TRUSTED)
            return None
        await asyncio.to_thread(_import_search)
        from assist.server.reports.json import suggest_report

        stop = threading.Event()
        async with running, _progress("Finding a faster version", stop) as report_step:
            try:
                search = _options(document, line, str(place.get("scope", "function")), settings)
                report = await _in_thread(_run, search, report_step, stop)
            except Cancelled:
                return None
            except AnalysisError as error:
                _say(lsp.MessageType.Error, str(error))
                return None
        answer: dict[str, Any] = {
            **suggest_report(report),
            "folder": str(search.workspace),
            "markdown": markdown(report),
        }
        if place.get("review"):
            return answer
        if not report.suggestions:
            _say(lsp.MessageType.Info, _nothing(report))
            return answer
        suggestion = report.suggestions[0]
        answer["applied"] = await _offer(document.uri, suggestion)
        return answer

    async def _in_thread(call: Any, *arguments: Any) -> SuggestReport:
        """The run outside of the loop; a cancelled request stops it and waits for its end."""
        stop = arguments[-1]
        task = asyncio.create_task(asyncio.to_thread(call, *arguments))
        try:
            result: SuggestReport = await asyncio.shield(task)
            return result
        except asyncio.CancelledError:
            stop.set()
            with contextlib.suppress(AnalysisError):
                await task
            raise

    async def _offer(uri: str, suggestion: Suggestion) -> bool:
        """Ask the editor for the edit, marked for review, unless the function changed."""
        document = session.documents.get(uri)
        text = text_for(document, suggestion) if document is not None else None
        if document is None or text is None:
            _say(lsp.MessageType.Warning, CHANGED)
            return False
        from assist.server.reports.suggestions import evidence_sentence, headline

        edit = workspace_edit(document, text, suggestion, session.encoding, _reviews())
        name = suggestion.subject.qualname
        result = await server.workspace_apply_edit_async(
            lsp.ApplyWorkspaceEditParams(edit, label=f"{name}: {headline(suggestion)}")
        )
        if result.applied:
            message = f"{name}: {headline(suggestion)}. {evidence_sentence(suggestion)}"
            _say(lsp.MessageType.Info, message)
        return bool(result.applied)

    @contextlib.asynccontextmanager
    async def _progress(title: str, stop: threading.Event) -> Any:
        """Progress in the editor that can be cancelled; silence where it has none."""
        window = server.client_capabilities.window
        if not window or not window.work_done_progress:
            yield lambda _step, _fraction: None
            return
        token = str(uuid.uuid4())
        loop = asyncio.get_running_loop()
        shown = server.work_done_progress
        await shown.create_async(token)
        shown.tokens[token].add_done_callback(lambda future: _stop_if_cancelled(future, stop))
        shown.begin(token, lsp.WorkDoneProgressBegin(title, cancellable=True))

        def report(step: str, fraction: float | None) -> None:
            percentage = None if fraction is None else round(100 * fraction)
            value = lsp.WorkDoneProgressReport(message=step, percentage=percentage)
            loop.call_soon_threadsafe(shown.report, token, value)

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


def _stop_if_cancelled(future: Future[Any], stop: threading.Event) -> None:
    if future.cancelled():
        stop.set()


def _is_wanted(context: lsp.CodeActionContext) -> bool:
    """Whether the editor asks for actions of our kind, or for all of them."""
    kinds = [str(getattr(kind, "value", kind)) for kind in context.only or ()]
    own = KIND.value
    return context.only is None or any(own == kind or own.startswith(f"{kind}.") for kind in kinds)


def _options(document: Document, line: int, scope: str, settings: Settings) -> RunOptions:
    from assist.analysis.execution.targets import Request
    from assist.server.suggesting import RunOptions

    path = path_of(document.uri)
    assert path is not None
    workspace = find_workspace([path])
    return RunOptions(
        workspace,
        find_interpreter(workspace),
        [Request(path)],
        texts={path: plain(document.text)},
        line=line + 1 if scope == "function" else None,
        since="HEAD" if scope == "changed" else None,
        tests=tuple(find_tests(workspace)),
        min_speedup=settings.suggest_speedup,
        budget_seconds=settings.suggest_seconds * SHARE_OF_TESTS,
        seconds_per_function=settings.suggest_seconds,
    )


def _import_search() -> None:
    """Import what a search needs, which takes a while, outside of the event loop."""
    import assist.cache.verdicts
    import assist.server.reports.json
    import assist.server.suggesting  # noqa: F401


def _run(options: RunOptions, report_step: Any, stop: threading.Event) -> SuggestReport:
    from assist.cache.verdicts import open_verdicts
    from assist.server.suggesting import run_suggest

    return run_suggest(options, store=open_verdicts(), progress=report_step, cancelled=stop)


def function_at(document: Document, offset: int) -> str | None:
    """Qualified name of the function around an offset: of the module or a class, not one inside a function."""
    tree = parse_module(plain(document.text))
    if tree is None:
        return None
    line = document.position_at(offset).line + 1
    found: list[tuple[int, str]] = []

    def walk(body: list[Any], prefix: str) -> None:
        for node in body:
            kind = type(node).__name__
            first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
            if not first <= line <= (node.end_lineno or node.lineno):
                continue
            if kind == "FunctionDef":
                found.append((node.lineno, prefix + node.name))
            elif kind == "ClassDef":
                walk(node.body, f"{prefix}{node.name}.")

    walk(tree.body, "")
    name = found[-1][1] if found else None
    return name if name is not None and find(tree, name) is not None else None


def text_for(document: Document, suggestion: Suggestion) -> str | None:
    """The document's text with the suggestion; none where its function is not what was verified."""
    before = suggestion.subject.module_text
    now = plain(document.text)
    if now == before:
        return suggestion.module_text
    name = suggestion.subject.qualname
    change = change_between(before, suggestion.module_text, name)
    if change is None or function_source(before, name) != function_source(now, name):
        return None
    return with_change(now, name, change)


def workspace_edit(
    document: Document, text: str, suggestion: Suggestion, encoding: Encoding, reviews: bool
) -> lsp.WorkspaceEdit:
    """The change as edits of one version of the document, annotated for review where that is known."""
    from assist.server.reports.suggestions import evidence_sentence, headline

    label = f"{suggestion.title} ({headline(suggestion)})"
    annotation = "assist.faster"
    edits: list[lsp.TextEdit | lsp.AnnotatedTextEdit | lsp.SnippetTextEdit] = []
    for edit in line_edits(plain(document.text), text):
        range_ = range_to(document, _span(document, edit.start, edit.end), encoding)
        if reviews:
            edits.append(lsp.AnnotatedTextEdit(annotation, range_, edit.text))
        else:
            edits.append(lsp.TextEdit(range_, edit.text))
    identifier = lsp.OptionalVersionedTextDocumentIdentifier(document.uri, document.version)
    return lsp.WorkspaceEdit(
        document_changes=[lsp.TextDocumentEdit(identifier, edits)],
        change_annotations={
            annotation: lsp.ChangeAnnotation(
                label, needs_confirmation=True, description=evidence_sentence(suggestion)
            )
        }
        if reviews
        else None,
    )


def _span(document: Document, start: Position, end: Position) -> Span:
    return Span(document.offset_at(start), document.offset_at(end))


def markdown(report: SuggestReport) -> str:
    """What was found and what it rests on, for a reader in the editor."""
    from assist.server.reports.suggestions import evidence_sentence, headline

    parts = []
    for suggestion in report.suggestions:
        parts.append(f"### `{suggestion.subject.qualname}`: {headline(suggestion)}\n")
        parts.append(f"{suggestion.title}.\n")
        parts.extend(f"- {line}" for line in suggestion.explanation.split("\n"))
        parts.append(f"\n{evidence_sentence(suggestion)}\n")
        parts.append(f"```diff\n{report.patch(suggestion)}```\n")
    if not report.suggestions:
        parts.append(f"{_nothing(report)}\n")
    for rejection in report.rejected[:REJECTED_SHOWN_MAX]:
        said = rejection.verdict.counterexample or rejection.verdict.reason
        parts.append(f"- refused: {rejection.origin}: {said}")
    return "\n".join(parts)


def _nothing(report: SuggestReport) -> str:
    reasons: Iterator[str] = (each.reason for each in report.skipped)
    reason = next(reasons, "")
    return "No faster version was found" + (f": {reason}." if reason else ".")
