"""The process that holds jedi: reads questions as lines of JSON, answers them, most urgent first; it writes nothing but answers."""

from __future__ import annotations

import argparse
import heapq
import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any, BinaryIO

from assist.analysis.document import Document, Edit, Position, Span
from assist.analysis.environment import find_environment
from assist.analysis.facts import Json, value_to_json
from assist.analysis.inference import Inference, only_safe_finders

ADDRESS_SPACE_BYTES_MAX = 4_000_000_000
RESIDENT_BYTES_MAX = 450_000_000
QUEUE_MAX = 256
RECURSION_MAX = 3_000
MESSAGE_BYTES_MAX = 32_000_000


def main() -> None:
    """Answer until standard input ends or memory runs high (the client starts a new worker then)."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--workspace", default="")
    arguments.add_argument("--environment", default="")
    arguments.add_argument("--cache", required=True)
    options = arguments.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    # a stray print must not become an answer
    os.dup2(2, 1)
    sys.setrecursionlimit(RECURSION_MAX)
    _limit_memory()
    workspace = Path(options.workspace) if options.workspace else None
    inference = Inference(
        workspace, find_environment(workspace, options.environment), Path(options.cache)
    )
    only_safe_finders()
    inbox = Inbox()
    threading.Thread(target=_read, args=(sys.stdin.buffer, inbox), daemon=True).start()
    while True:
        message = inbox.take()
        if message is None:
            break
        answer = _answer(inference, message)
        if answer is not None:
            answers.write(json.dumps(answer).encode() + b"\n")
        if _resident_bytes() > RESIDENT_BYTES_MAX:
            break
    os._exit(0)


class Inbox:
    """Questions that wait: documents keep their order before everything that was sent after them,
    among the rest a lower priority number goes first, then the older one."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Json]] = []
        self._order = count()
        self._ready = threading.Condition()
        self._closed = False

    def put(self, message: Json) -> None:
        with self._ready:
            if "cancel" in message:
                for _, _, waiting in self._heap:
                    if waiting.get("id") == message["cancel"]:
                        waiting["kind"] = "cancelled"  # answered with nothing when its turn comes
                return
            if "hurry" in message:
                self._heap = [
                    (0 if waiting.get("id") == message["hurry"] else priority, order, waiting)
                    for priority, order, waiting in self._heap
                ]
                heapq.heapify(self._heap)
                return
            if len(self._heap) < QUEUE_MAX or "id" not in message:
                priority = int(message.get("priority", -1))
                heapq.heappush(self._heap, (priority, next(self._order), message))
            self._ready.notify()

    def close(self) -> None:
        with self._ready:
            self._closed = True
            self._ready.notify()

    def take(self) -> Json | None:
        """The most urgent message; none when the sender is gone."""
        with self._ready:
            while not self._heap and not self._closed:
                self._ready.wait()
            return None if self._closed else heapq.heappop(self._heap)[2]


def _read(stream: BinaryIO, inbox: Inbox) -> None:
    while True:
        line = stream.readline(MESSAGE_BYTES_MAX)
        if not line:
            break
        try:
            message = json.loads(line)
        except ValueError:
            continue
        if isinstance(message, dict):
            inbox.put(message)
    inbox.close()


def _answer(inference: Inference, message: Json) -> Json | None:
    """The answer to one message; a failure inside jedi is an answer without a result."""
    kind = message.get("kind")
    document = inference.document(str(message.get("uri")))
    if "serial" in message and (document is None or document.version != message["serial"]):
        return {"id": message["id"], "result": None}  # asked about a text that is gone
    try:
        result = _ACTIONS[str(kind)](inference, message)
    except Exception:  # broken code and jedi's own errors cost this answer only
        result = None
    return {"id": message["id"], "result": result} if "id" in message else None


def _open(inference: Inference, message: Json) -> None:
    inference.set_document(Document(message["uri"], message["text"], message["version"]))


def _edit(inference: Inference, message: Json) -> None:
    document = inference.document(message["uri"])
    if document is not None:
        edit = Edit(Span(message["start"], message["end"]), message["text"])
        inference.set_document(document.apply([edit], message["version"]))


def _complete(inference: Inference, message: Json) -> Any:
    names = inference.complete(message["uri"], _position(inference, message))
    return [[name.text, name.kind, name.detail] for name in names]


def _describe(inference: Inference, message: Json) -> Any:
    description = inference.describe(message["index"])
    return [description.signatures, description.documentation]


def _signatures(inference: Inference, message: Json) -> Any:
    return inference.signatures(message["uri"], _position(inference, message))


def _value(inference: Inference, message: Json) -> Any:
    position = _position(inference, message)
    return value_to_json(inference.value(message["uri"], message["expression"], position))


def _module(inference: Inference, message: Json) -> Any:
    return value_to_json(inference.module(message["uri"], message["name"]))


def _modules(inference: Inference, _: Json) -> Any:
    return sorted(inference.modules())


def _changed(inference: Inference, _: Json) -> None:
    inference.forget_files()


def _position(inference: Inference, message: Json) -> Position:
    document = inference.document(message["uri"])
    if document is None:
        return Position(0, 0)
    return document.position_at(message["offset"])


_ACTIONS: dict[str, Callable[[Inference, Json], Any]] = {
    "open": _open,
    "edit": _edit,
    "changed": _changed,
    "complete": _complete,
    "describe": _describe,
    "signatures": _signatures,
    "value": _value,
    "module": _module,
    "modules": _modules,
}


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # Windows
        return
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE_BYTES_MAX, ADDRESS_SPACE_BYTES_MAX))


def _resident_bytes() -> int:
    """Resident memory where the system tells it in a file, else 0."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError, AttributeError):
        return 0


if __name__ == "__main__":
    main()
