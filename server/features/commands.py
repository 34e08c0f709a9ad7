"""workspace/executeCommand: what editors and users can ask for by name; it only gathers what the session knows."""

from __future__ import annotations

from typing import Any

from pygls.exceptions import JsonRpcInvalidParams

from assist.server.features.status import status_of
from assist.server.language_server import AssistServer


def register(server: AssistServer) -> None:
    session = server.session

    @server.command("assist.lastCompletion")
    def last_completion() -> dict[str, Any] | None:
        """The object of ``assist complete --json`` for the last completion; none before the first."""
        return session.last_completion

    @server.command("assist.status")
    async def status() -> dict[str, Any]:
        """The object of :func:`assist.server.features.status.status_of`."""
        return await status_of(server)

    @server.command("assist.pause")
    def pause(target: dict[str, Any]) -> dict[str, bool]:
        """Pause or resume one document or language until the server ends.

        ``{"uri": str, "paused": bool}`` or ``{"language": str, "paused": bool}``; without
        ``paused`` it is toggled. Answers ``{"paused": bool}``.
        """
        uri, language, paused = (target.get(key) for key in ("uri", "language", "paused"))
        names = [name for name in (uri, language) if isinstance(name, str)]
        if len(names) != 1 or not isinstance(paused, (bool, type(None))):
            raise JsonRpcInvalidParams("assist.pause takes a uri or a language, and paused.")
        return {"paused": session.pause(names[0], paused)}

    @server.command("assist.restart")
    async def restart() -> None:
        """Start the engine again, for instance after it gave up."""
        await session.restart_engine()
