"""Runs one version of a function on many inputs in warm sandboxes and collects what happened; a worker that dies is a finding, never a gap."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assist.analysis.execution.closing import Closing
from assist.analysis.execution.compare import Outcome
from assist.analysis.execution.profiles import Plan, candidate_start
from assist.analysis.execution.sandbox import Sandbox
from assist.analysis.execution.types import RecordedCalls, Subject

INPUT_SECONDS_MAX = 0.3
PATIENCE = ((0, INPUT_SECONDS_MAX), (3, 0.1), (10, 0.04))  # after so many that took too long
EXPLORED_MAX = 40
SILENCE_SECONDS_MAX = 6.0
RUN_SECONDS_MAX = 60
MEMORY_BYTES_MAX = 2 << 30
FAILURES_MAX = 20
SECONDS_DIGITS = 12  # as the worker writes them
PRELOADS_MAX = 30
Specification = dict[str, Any]


class LoadFailure(Exception):
    """The module of a version cannot be imported in the sandbox; the message says why."""


@dataclass(frozen=True)
class Version:
    """One version as the worker takes it: module, function, whether the first argument is a receiver, data to watch."""

    module: dict[str, Any]
    qualname: str
    receiver: bool
    globals: tuple[str, ...]
    roots: tuple[str, ...]


def version_of(
    subject: Subject,
    workspace: Path,
    watched: tuple[str, ...],
    receiver: bool,
    recorded: RecordedCalls | None = None,
) -> Version:
    """Name the module as its importers do and find the folders that imports start from."""
    path = subject.path.absolute()
    parts = [] if path.stem == "__init__" else [path.stem.replace(".", "_")]
    root = path.parent
    while (root / "__init__.py").exists() and root != root.parent:
        parts.insert(0, root.name)
        root = root.parent
    name = ".".join(parts)
    if parts and parts[0] in sys.stdlib_module_names | {"assist_worker", "__main__"}:
        name = "assist_" + "_".join(parts)
    roots = dict.fromkeys([str(root), str(workspace), str(workspace / "src")])
    if recorded is not None and str(path.resolve()) in recorded.module_names:
        name = recorded.module_names[str(path.resolve())]
        inside = (each for each in recorded.sys_path if Path(each).is_relative_to(workspace))
        roots = dict.fromkeys([*inside, *roots])
    module = {
        "name": name,
        "path": str(path),
        "text": subject.module_text,
        "is_package": path.stem == "__init__",
    }
    return Version(module, subject.qualname, receiver, watched, tuple(roots))


def preload_of(trees: Iterable[ast.Module], roots: Iterable[str]) -> list[str]:
    """Installed libraries that the module imports: loaded once, before anything is forked."""
    names: dict[str, None] = {}
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                names.update(dict.fromkeys(alias.name for alias in node.names))
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names[node.module] = None
    own = [Path(root) for root in roots]
    return [
        name
        for name in names
        if not any(
            (root / top).exists() or (root / f"{top}.py").exists()
            for root in own
            for top in [name.split(".")[0]]
        )
    ][:PRELOADS_MAX]


class Session(Closing):
    """The warm sandboxes of one verification, one per hash seed.

    ``cancelled`` is asked while they are waited for. When it raised, close the session: what
    a sandbox still says belongs to nobody.
    """

    def __init__(self, plan: Plan, cancelled: Callable[[], bool] | None = None) -> None:
        self.plan = plan
        self.cancelled = cancelled
        self._zygotes: dict[int, Sandbox] = {}
        self._explored_too_long = 0

    def run(
        self,
        version: Version,
        inputs: Sequence[Specification],
        *,
        hash_seed: int = 0,
        random_seed: int = 0,
        what: str = "observe",
        transform: dict[str, Any] | None = None,
        input_seconds_max: float = INPUT_SECONDS_MAX,
        exploring: bool = False,
        until: Callable[[int, Outcome], bool] | None = None,
    ) -> list[Outcome]:
        """Outcomes of ``inputs`` in order; stops early when ``until`` says so. Raises LoadFailure.

        ``exploring`` waits less for each input the more inputs have taken too long: for
        inputs that nobody needs.
        """
        outcomes: list[Outcome] = []
        failures = 0
        while len(outcomes) < len(inputs):
            if failures >= FAILURES_MAX or (exploring and self._explored_too_long > EXPLORED_MAX):
                missing = len(inputs) - len(outcomes)
                outcomes += [Outcome(b"", "not run after too many failures")] * missing
                break
            seconds = self._patience() if exploring else input_seconds_max
            command = self._command(version, what, random_seed, seconds)
            command.update(inputs=list(inputs[len(outcomes) :]), transform=transform)
            ended, stopped = self._run_once(hash_seed, command, outcomes, until)
            if stopped:
                break
            if len(outcomes) < len(inputs):
                failures += 1
                self._explored_too_long += exploring
                if not (outcomes and "timeout" in outcomes[-1].data) or ended.startswith("crash"):
                    outcomes.append(
                        Outcome(b"", ended.removeprefix("crash ") or "ended without an answer")
                    )
        return outcomes

    def _patience(self) -> float:
        return next(
            seconds for after, seconds in reversed(PATIENCE) if self._explored_too_long >= after
        )

    def _run_once(
        self,
        hash_seed: int,
        command: dict[str, Any],
        outcomes: list[Outcome],
        until: Callable[[int, Outcome], bool] | None,
    ) -> tuple[str, bool]:
        zygote = self._zygote(hash_seed)
        zygote.send(command)
        loaded = stopped = False
        wanted = len(outcomes) + len(command["inputs"])
        while True:
            frame = zygote.receive(RUN_SECONDS_MAX + 2 * SILENCE_SECONDS_MAX)
            if frame is None:
                self._drop(hash_seed)
                return "crash the worker ended", stopped
            if frame.kind == "control":
                ending = _ending(frame.json())
                if not loaded:
                    raise LoadFailure(ending.removeprefix("crash "))
                return ending, stopped
            if not loaded:
                loaded = True
                message = frame.json()
                if isinstance(message, dict) and "load" in message:
                    self._finish(hash_seed)
                    raise LoadFailure(str(message["load"]))
                continue
            if stopped or len(outcomes) >= wanted:
                continue
            outcome = _outcome(frame.payload)
            outcomes.append(outcome)
            if until is not None and until(len(outcomes) - 1, outcome):
                stopped = True
                zygote.send({"what": "stop"})

    def coverage(
        self, version: Version, inputs: Sequence[Specification], lines: Sequence[int]
    ) -> dict[str, Any]:
        """``{"sites": [[line, text], …], "hits": [numbers]}`` of the branches on ``lines``."""
        command = self._command(version, "coverage", 0, INPUT_SECONDS_MAX)
        command.update(inputs=list(inputs), transform={"probe": list(lines)})
        final = self._frames(command)
        found = final[-1] if final else None
        return found if isinstance(found, dict) and "sites" in found else {"sites": [], "hits": []}

    def mutants(self, version: Version, lines: Sequence[int]) -> list[tuple[int, str]]:
        """``(line, description)`` of every mutant that could be made on ``lines``."""
        command = self._command(version, "mutants", 0, INPUT_SECONDS_MAX)
        command.update(inputs=[], lines=list(lines))
        found = self._frames(command)
        return (
            [(int(line), str(text)) for line, text in found[0]]
            if found and isinstance(found[0], list)
            else []
        )

    def show(self, version: Version, specification: Specification) -> tuple[str, str]:
        """The call and its outcome as readable text."""
        command = self._command(version, "show", 0, INPUT_SECONDS_MAX)
        command.update(inputs=[specification], transform=None)
        found = self._frames(command)
        shown = found[-1] if found and isinstance(found[-1], dict) else {}
        return str(shown.get("call", "…")), str(shown.get("outcome", "did not finish"))

    def _frames(self, command: dict[str, Any]) -> list[Any]:
        zygote = self._zygote(0)
        zygote.send(command)
        found: list[Any] = []
        while True:
            frame = zygote.receive(RUN_SECONDS_MAX + 2 * SILENCE_SECONDS_MAX)
            if frame is None:
                self._drop(0)
                return found
            if frame.kind == "control":
                return found
            found.append(frame.json())

    def _command(
        self, version: Version, what: str, random_seed: int, seconds: float
    ) -> dict[str, Any]:
        return {
            "what": what,
            "module": version.module,
            "roots": list(version.roots),
            "qualname": version.qualname,
            "receiver": version.receiver,
            "globals": list(version.globals),
            "seed": random_seed,
            "seccomp": self.plan.seccomp,
            "input_seconds_max": seconds,
            "silence_seconds_max": SILENCE_SECONDS_MAX,
            "cpu_seconds_max": RUN_SECONDS_MAX,
            "memory_bytes_max": MEMORY_BYTES_MAX,
        }

    def start(self, hash_seed: int) -> None:
        """Start the sandbox of a hash seed in this thread, before another thread uses it."""
        self._zygote(hash_seed)

    def _zygote(self, hash_seed: int) -> Sandbox:
        if hash_seed not in self._zygotes:
            self._zygotes[hash_seed] = Sandbox(
                candidate_start(self.plan, "zygote", hash_seed), self._is_cancelled
            )
        return self._zygotes[hash_seed]

    def _is_cancelled(self) -> bool:
        """Asked by sandboxes that may outlive the verification that started them."""
        return self.cancelled is not None and self.cancelled()

    def _finish(self, hash_seed: int) -> None:
        zygote = self._zygotes[hash_seed]
        while (frame := zygote.receive(SILENCE_SECONDS_MAX * 2)) is not None:
            if frame.kind == "control":
                return
        self._drop(hash_seed)

    def _drop(self, hash_seed: int) -> None:
        self._zygotes.pop(hash_seed).close()

    def drop_foreign(self) -> None:
        """Close sandboxes that another thread had to start again: they end with it."""
        for hash_seed in [h for h, zygote in self._zygotes.items() if zygote.is_foreign]:
            self._drop(hash_seed)

    def close(self) -> None:
        for zygote in self._zygotes.values():
            zygote.close()
        self._zygotes.clear()


def _outcome(payload: bytes) -> Outcome:
    """The seconds in front of the payload are for planning only; nothing is decided by them."""
    try:
        seconds = float(payload[:SECONDS_DIGITS])
    except ValueError:
        seconds = 0.0
    return Outcome(payload[SECONDS_DIGITS:], seconds=seconds)


def _ending(message: Any) -> str:
    if not isinstance(message, dict):
        return "crash the worker ended"
    if message.get("end") == "silent":
        return "crash did not finish in time"
    if message.get("end") == "garbled":
        return "crash wrote something else than an outcome"
    if message.get("signal"):
        return f"crash the process was ended by signal {message['signal']}"
    return "ended without an answer"
