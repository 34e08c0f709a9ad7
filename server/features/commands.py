"""workspace/executeCommand: what editors and users can ask for by name; it only gathers what the session knows."""

from __future__ import annotations

from typing import Any

from assist.server.features.status import status_of
from assist.server.language_server import AssistServer


def register(server: AssistServer) -> None:
    session = server.session

    @server.command("assist.lastCompletion")
    def last_completion() -> dict[str, Any] | None:
        """The object of ``assist complete --json`` for the last completion; none before the first."""
        return session.last_completion

    @server.command("assist.status")
    def status() -> dict[str, Any]:
        """The object of :func:`assist.server.features.status.status_of`."""
        return status_of(server)

    @server.command("assist.restart")
    async def restart() -> None:
        """Start the engine again, for instance after it gave up."""
        await session.restart_engine()
