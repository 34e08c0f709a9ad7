"""didShowCompletion, didPartiallyAcceptCompletion and the command of an accepted proposal: they only tell the session."""

from __future__ import annotations

from typing import Any

from lsprotocol import types as lsp

from assist.server.convert import column_from_units
from assist.server.language_server import AssistServer

ACCEPT = "assist.didAccept"
# No part of the protocol yet; these are the names that clients of other assistants send.
DID_SHOW = "textDocument/didShowCompletion"
DID_ACCEPT_PART = "textDocument/didPartiallyAcceptCompletion"


def register(server: AssistServer) -> None:
    session = server.session

    @server.feature(DID_SHOW)
    def did_show(params: Any) -> None:
        """``{"item": InlineCompletionItem}`` as it was answered."""
        if (id_ := _id_of(params)) is not None:
            session.proposals.shown(id_)

    @server.feature(DID_ACCEPT_PART)
    def did_accept_part(params: Any) -> None:
        """``{"item": InlineCompletionItem, "acceptedLength": int}``: UTF-16 units from its start."""
        units = getattr(params, "acceptedLength", None)
        id_ = _id_of(params)
        text = str(getattr(getattr(params, "item", None), "insertText", ""))
        if id_ is not None and isinstance(units, int):
            session.accepted(id_, column_from_units(text, max(units, 0), "utf-16"))

    @server.command(ACCEPT)
    def did_accept(id_: str) -> None:
        """An item's command: the editor has inserted it as a whole."""
        session.accepted(id_)


def accept_command(id_: str | None) -> lsp.Command | None:
    """The command that an editor runs after it inserted the proposal ``id_``."""
    return None if id_ is None else lsp.Command("Count the accepted proposal", ACCEPT, None, [id_])


def _id_of(params: Any) -> str | None:
    """The id in the command of an item that came back."""
    command = getattr(getattr(params, "item", None), "command", None)
    arguments = getattr(command, "arguments", None)
    id_ = arguments[0] if isinstance(arguments, (list, tuple)) and arguments else None
    return id_ if isinstance(id_, str) else None
