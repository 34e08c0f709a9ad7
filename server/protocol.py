"""JSON-RPC as editors really send it: every wrong message gets a clear error and costs nothing else; it knows no feature."""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import typing
from collections.abc import Callable, Generator, Iterator
from typing import Any

from lsprotocol import types as lsp
from pygls.exceptions import (
    JsonRpcException,
    JsonRpcInternalError,
    JsonRpcInvalidParams,
    JsonRpcInvalidRequest,
    JsonRpcMethodNotFound,
    JsonRpcParseError,
    JsonRpcServerNotInitialized,
)
from pygls.protocol import LanguageServerProtocol, lsp_method

logger = logging.getLogger(__name__)

Handler = Generator[Any, Any, None]


class Protocol(LanguageServerProtocol):
    """pygls' protocol with strict reception, and without its own copies of documents.

    The session keeps the documents (code points, immutable); two copies would have to agree.
    """

    is_initialized = False
    exit_code: int | None = None

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._prepared: set[str] = set()
        self._written: set[type] = set()
        self._writing: set[asyncio.Task[None]] = set()

    async def receive(self, body: bytes) -> None:
        """Handle one message. Never raises for what a client sent."""
        try:
            data = json.loads(body)
        except (ValueError, RecursionError) as error:
            self._refuse(None, JsonRpcParseError(f"This is no JSON: {_short(error)}"))
            return
        if not isinstance(data, dict) or data.get("jsonrpc") != "2.0":
            id_ = _id_of(data) if isinstance(data, dict) else None
            self._refuse(id_, JsonRpcInvalidRequest("This is no JSON-RPC 2.0 message."))
            return
        if not isinstance(data.get("method"), str):
            if "method" in data or not ("result" in data or "error" in data):
                self._refuse(_id_of(data), JsonRpcInvalidRequest("A message needs a method."))
                return
            if data.get("id") not in self._request_futures:
                logger.warning("Ignored an answer to a request that was never sent.")
                return
        elif not self._is_in_season(data) or not self._is_known(data):
            return
        else:
            await self._prepare(data)
        self._dispatch(data)

    async def _prepare(self, data: dict[str, Any]) -> None:
        """Make what reads the first message of a method, class by class: at once it holds the loop."""
        method = data["method"]
        if method in self._prepared:
            return
        self._prepared.add(method)
        kinds: set[type] = set()
        _find_classes(self.get_message_type(method), data, kinds)
        for kind in kinds:
            self._converter.get_structure_hook(kind)
            await asyncio.sleep(0)

    def _is_in_season(self, data: dict[str, Any]) -> bool:
        """Whether a request or notification may come now, by the protocol's life cycle."""
        method, has_id = data["method"], "id" in data
        if method == lsp.EXIT:
            return True
        problem: JsonRpcException | None = None
        if self._shutdown:
            problem = JsonRpcInvalidRequest("The server was shut down.")
        elif method == lsp.INITIALIZE:
            if self.is_initialized:
                problem = JsonRpcInvalidRequest("The server is initialized already.")
            self.is_initialized = True
        elif not self.is_initialized:
            problem = JsonRpcServerNotInitialized("Send initialize first.")
        if problem is not None and has_id:
            self._refuse(_id_of(data), problem)
        return problem is None

    def _is_known(self, data: dict[str, Any]) -> bool:
        method = data["method"]
        if method == lsp.CANCEL_REQUEST or method in self.fm.builtin_features:
            return True
        if method in self.fm.features:
            return True
        if "id" in data:
            self._refuse(_id_of(data), JsonRpcMethodNotFound.of(method))
        return False

    def _dispatch(self, data: dict[str, Any]) -> None:
        is_request = "id" in data and "method" in data
        try:
            message = self.structure_message(data)
        except JsonRpcException as error:
            cause = error.__cause__ or error
            if data.get("method") == lsp.INITIALIZE:
                self.is_initialized = False
            if is_request:
                self._refuse(_id_of(data), JsonRpcInvalidParams(f"Wrong params: {_reason(cause)}"))
            else:
                logger.warning("Ignored %s with wrong params.", data.get("method", "an answer"))
            return
        try:
            self.handle_message(message)
        except Exception:
            logger.exception("A message could not be handled.")

    def _refuse(self, id_: int | str | None, error: JsonRpcException) -> None:
        self._send_data(lsp.ResponseErrorMessage(id=id_, error=error.to_response_error()))

    def _send_handler_result(self, future: Any, *, msg_id: Any) -> None:
        """As pygls does it, but no traceback reaches the client, nor the log for its mistakes."""
        error = None if future.cancelled() else future.exception()
        if error is None:
            if future.cancelled() or type(future.result()) in self._written:
                super()._send_handler_result(future, msg_id=msg_id)
            else:
                task = asyncio.get_running_loop().create_task(self._send_first(future, msg_id))
                self._writing.add(task)
                task.add_done_callback(self._writing.discard)
            return
        self._request_futures.pop(msg_id, None)
        if isinstance(error, JsonRpcException):
            logger.warning("Refused a request: %s", error)
            self._refuse(msg_id, error)
        else:
            logger.error("Request %s failed.", msg_id, exc_info=error)
            self._refuse(msg_id, JsonRpcInternalError("assist failed to answer; see its log."))

    async def _send_first(self, future: Any, msg_id: Any) -> None:
        """Send the first answer of its class; what writes it is made class by class."""
        result = future.result()
        self._written.add(type(result))
        # The innermost first: making what writes a class makes what writes its parts.
        for kind in reversed(list(dict.fromkeys(_classes_in(result)))):
            self._converter.get_unstructure_hook(kind)
            await asyncio.sleep(0)
        super()._send_handler_result(future, msg_id=msg_id)

    def _handle_cancel_notification(self, msg_id: Any) -> None:
        future: Any = self._request_futures.get(msg_id)
        # Requests of our own are in the same table; a client cannot cancel those.
        if isinstance(future, asyncio.Task):
            future.cancel()

    @lsp_method(lsp.WORKSPACE_EXECUTE_COMMAND)
    async def lsp_workspace__execute_command(  # type: ignore[override]
        self, params: lsp.ExecuteCommandParams
    ) -> Any:
        """As pygls does it, but as a task, which a client can cancel."""
        steps = super().lsp_workspace__execute_command(params)
        handler, arguments, keywords = next(steps)
        result = handler(*arguments, **keywords)
        return await result if inspect.isawaitable(result) else result

    @lsp_method(lsp.SHUTDOWN)
    async def lsp_shutdown(self, *_arguments: Any) -> None:  # type: ignore[override]
        await self.fm.features[lsp.SHUTDOWN](None)
        current: Any = asyncio.current_task()
        for future in list(self._request_futures.values()):
            if future is not current and not future.done():
                future.cancel()
        self._shutdown = True

    @lsp_method(lsp.EXIT)
    def lsp_exit(self, *_arguments: Any) -> Handler:
        self.exit_code = 0 if self._shutdown else 1
        yield from ()

    @lsp_method(lsp.TEXT_DOCUMENT_DID_OPEN)
    def lsp_text_document__did_open(self, params: lsp.DidOpenTextDocumentParams) -> Handler:
        yield self._feature(lsp.TEXT_DOCUMENT_DID_OPEN), (params,), None

    @lsp_method(lsp.TEXT_DOCUMENT_DID_CHANGE)
    def lsp_text_document__did_change(self, params: lsp.DidChangeTextDocumentParams) -> Handler:
        yield self._feature(lsp.TEXT_DOCUMENT_DID_CHANGE), (params,), None

    @lsp_method(lsp.TEXT_DOCUMENT_DID_CLOSE)
    def lsp_text_document__did_close(self, params: lsp.DidCloseTextDocumentParams) -> Handler:
        yield self._feature(lsp.TEXT_DOCUMENT_DID_CLOSE), (params,), None

    def _feature(self, method: str) -> Callable[..., Any]:
        handler: Callable[..., Any] = self.fm.features[method]
        return handler


def _find_classes(kind: Any, data: Any, found: set[type]) -> None:
    """Add the protocol's classes that a value of type ``kind`` is made of."""
    if isinstance(data, list):
        for item in data[:1]:
            _find_classes(kind, item, found)
    elif not isinstance(kind, type):
        for argument in typing.get_args(kind):
            _find_classes(argument, data, found)
    elif hasattr(kind, "__attrs_attrs__") and isinstance(data, dict) and kind not in found:
        found.add(kind)
        for field in kind.__attrs_attrs__:
            head, *rest = field.name.split("_")
            value = data.get(head + "".join(map(str.title, rest)))
            _find_classes(field.type, value, found)


def _classes_in(value: Any) -> Iterator[type]:
    """The protocol's classes that a value is made of, the outer ones first."""
    if isinstance(value, (list, tuple)):
        for item in value[:1]:
            yield from _classes_in(item)
    elif hasattr(value, "__attrs_attrs__"):
        yield type(value)
        for field in value.__attrs_attrs__:
            yield from _classes_in(getattr(value, field.name))


def _id_of(data: dict[str, Any]) -> int | str | None:
    id_ = data.get("id")
    return id_ if isinstance(id_, (int, str)) else None


def _reason(error: BaseException) -> str:
    """The innermost reasons of a group of validation errors."""
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(_reason(inner) for inner in error.exceptions[:3])
    name = error.args[0] if isinstance(error, KeyError) and error.args else None
    return f"{name!r} is missing" if name is not None else _short(error)


def _short(error: BaseException) -> str:
    return str(error)[:200]
