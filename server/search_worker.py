"""The search process: finds faster versions for one request of the server and ends with it; it knows no editor."""

from __future__ import annotations

import queue
import threading
from pathlib import Path

from assist.analysis.errors import AnalysisError, Cancelled
from assist.analysis.execution.targets import Request
from assist.cache.verdicts import open_verdicts
from assist.server import messages
from assist.server.messages import FromSearch, encode
from assist.server.pipes import own_pipes, read_messages
from assist.server.reports.review import best_of, edits_for, found
from assist.server.suggesting import RunOptions, run_suggest
from assist.server.workspace import find_interpreter, find_tests, find_workspace

# The user's tests may take this many times what a function's search may.
SHARE_OF_TESTS = 3.0


def main() -> None:
    """Answer one request on standard input; the end of the input stops the search."""
    source, target = own_pipes()
    incoming = read_messages(source)
    request = next(incoming, None)
    if not isinstance(request, messages.Search):
        return
    lock = threading.Lock()
    stop = threading.Event()
    asked: queue.SimpleQueue[messages.AskEdits | None] = queue.SimpleQueue()

    def write(message: FromSearch) -> None:
        with lock:
            target.write(encode(message))
            target.flush()

    def listen() -> None:
        for message in incoming:
            if isinstance(message, messages.AskEdits):
                asked.put(message)
        stop.set()
        asked.put(None)

    def report_step(step: str, fraction: float | None) -> None:
        if not stop.is_set():
            write(messages.SearchStep(step, -1.0 if fraction is None else fraction))

    threading.Thread(target=listen, daemon=True).start()
    options = _options(request)
    try:
        report = run_suggest(options, store=open_verdicts(), progress=report_step, cancelled=stop)
    except Cancelled:
        return
    except AnalysisError as error:
        write(messages.SearchFailed(str(error)))
        return
    offer = best_of(report, Path(request.path))
    write(found(report, offer))
    while (message := asked.get()) is not None:
        if offer is not None:
            write(edits_for(message.text, offer))


def _options(request: messages.Search) -> RunOptions:
    path = Path(request.path)
    workspace = find_workspace([path])
    return RunOptions(
        workspace,
        find_interpreter(workspace),
        [Request(path)],
        texts={path: request.text},
        line=request.line or None,
        since=request.since or None,
        tests=tuple(find_tests(workspace)),
        min_speedup=request.min_speedup,
        budget_seconds=request.seconds * SHARE_OF_TESTS,
        seconds_per_function=request.seconds,
    )


if __name__ == "__main__":
    main()
