"""Worker, part 7: loads one version of a module, calls the function and writes down everything a caller could notice; it judges nothing."""

from __future__ import annotations

import _thread
import ast
import builtins
import hashlib
import importlib
import importlib.abc
import importlib.machinery
import io
import json
import os
import random
import signal
import sys
import time
import types
import warnings
from typing import Any

from assist.analysis.execution.worker_encode import (
    ITEMS_OF_ITERATOR_MAX,
    Encoder,
    TooLarge,
    type_name,
)
from assist.analysis.execution.worker_probe import PROBE, PROBE_LOOP, Coverage, transformed_tree
from assist.analysis.execution.worker_values import AssistSource, build_input

OUTPUT_BYTES_MAX = 64 << 10
GLOBAL_NODES_MAX = 5_000
SHOWN_CHARACTERS_MAX = 600
OUTSIDE = (
    "socket.", "subprocess.", "os.system", "os.exec", "os.fork", "os.posix_spawn", "os.spawn",
    "os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.chmod", "os.chown", "os.link", "os.symlink",
    "os.truncate", "os.utime", "os.listdir", "os.scandir", "os.walk", "os.kill", "os.putenv", "os.unsetenv",
    "os.startfile", "shutil.", "tempfile.", "glob.", "builtins.input", "_thread.start",
    "sqlite3.", "urllib.", "ftplib.", "smtplib.", "http.client.", "webbrowser.", "ctypes.", "signal.",
    "mmap.", "fcntl.", "pty.", "syslog.", "telnetlib.", "imaplib.", "poplib.", "nntplib.", "time.sleep",
    "gc.", "sys.setprofile", "sys.settrace", "code.__new__", "object.__setattr__",
    "open",
)  # fmt: skip
READ_BY_IMPORTS = (".py", ".pyc", ".so", ".pyd")


class InputTimeout(BaseException):
    """The call used more processor time than it was given."""


class Subject(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """One version of one module; every import of its name in this process gives this version."""

    def __init__(self, module: dict[str, Any], transform: Any) -> None:
        self.name = module["name"]
        self.path = module["path"]
        self.text = module["text"]
        self.is_package = module["is_package"]
        self.transform = transform
        self.coverage = Coverage()

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> Any:
        if fullname != self.name:
            return None
        spec = importlib.machinery.ModuleSpec(
            fullname, self, origin=self.path, is_package=self.is_package
        )
        spec.has_location = True
        if self.is_package:
            spec.submodule_search_locations = [os.path.dirname(self.path)]
        return spec

    def exec_module(self, module: types.ModuleType) -> None:
        tree = transformed_tree(ast.parse(self.text, self.path), self.transform, self.coverage)
        module.__dict__[PROBE] = self.coverage.probe
        module.__dict__[PROBE_LOOP] = self.coverage.loop
        code = compile(tree, self.path, "exec", dont_inherit=True)
        builtins.exec(code, module.__dict__)

    def load(self, roots: list[str]) -> types.ModuleType:
        sys.path[:] = list(dict.fromkeys(roots + sys.path))
        sys.meta_path.insert(0, self)
        return importlib.import_module(self.name)


def find_function(module: types.ModuleType, qualname: str) -> Any:
    """The callable to compare: of a method the plain function, of a property its getter."""
    holder: Any = module
    parts = qualname.split(".")
    for part in parts[:-1]:
        holder = getattr(holder, part)
    if isinstance(holder, type):
        for base in holder.__mro__:
            if parts[-1] in base.__dict__:
                found = base.__dict__[parts[-1]]
                break
        else:
            raise AttributeError(parts[-1])
    else:
        found = getattr(holder, parts[-1])
    if isinstance(found, property):
        found = found.fget
    elif hasattr(found, "func") and type(found).__name__ == "cached_property":
        found = found.func
    elif isinstance(found, (staticmethod, classmethod)):
        found = found.__func__
    if not callable(found):
        raise TypeError(f"{qualname} is not a function")
    return found


class Observer:
    """Calls ``function`` on specified inputs and encodes what happened."""

    def __init__(self, module: types.ModuleType, command: dict[str, Any], capture: int) -> None:
        self.module = module
        self.function = find_function(module, command["qualname"])
        self.receiver = command["receiver"]
        self.global_names = command["globals"]
        self.seed = command["seed"]
        self.seconds_max = command["input_seconds_max"]
        self.capture = capture
        self.events: list[Any] = []
        self.seconds = 0.0
        self.replaced: dict[str, Any] = {}
        self.listening = False
        sys.addaudithook(self._hear)
        self._hear_threads()
        signal.signal(signal.SIGPROF, _stop)

    def _hear(self, event: str, arguments: Any) -> None:
        if not self.listening or not event.startswith(OUTSIDE) or len(self.events) > 50:
            return
        if event == "open":
            if isinstance(arguments[0], int):
                return
            path, mode = str(arguments[0]), str(arguments[1] or "r")
            if mode.startswith("r") and "+" not in mode and path.endswith(READ_BY_IMPORTS):
                return
        elif event == "object.__setattr__" or event in ("gc.get_objects", "os.listdir"):
            if event == "os.listdir" and sys._getframe(1).f_globals.get("__name__", "").startswith(
                "importlib"
            ):
                return
            if event == "object.__setattr__":
                return
        self.events.append([event, str(arguments[0])[:120] if arguments else ""])

    def _hear_threads(self) -> None:
        """Before Python 3.13 a new thread raises no audit event."""
        start = _thread.start_new_thread

        def start_new_thread(*arguments: Any, **keywords: Any) -> Any:
            if self.listening:
                self.events.append(["_thread.start_new_thread", ""])
            return start(*arguments, **keywords)

        _thread.start_new_thread = start_new_thread
        threading = sys.modules.get("threading")
        if threading is not None and hasattr(threading, "_start_new_thread"):
            threading._start_new_thread = start_new_thread  # type: ignore[attr-defined]

    def build(self, specification: dict[str, Any], log: list[Any]) -> Any:
        """A new input; module data that an earlier recorded call brought along is put back first."""
        namespace = vars(self.module)
        for name, value in self.replaced.items():
            namespace[name] = value
        before = dict(namespace)
        call = build_input(specification, namespace, log, self.receiver)
        self.replaced = {n: before[n] for n in before if namespace.get(n) is not before[n]}
        return call

    def observe(self, specification: dict[str, Any]) -> dict[str, Any]:
        """One outcome as plain data; see ``compare.py`` for what each field means."""
        log: list[Any] = []
        self.events = []
        try:
            call = self.build(specification, log)
            before = self._digest(call)
        except TooLarge:
            return {"unusable": "the input is too large to compare"}
        except LookupError:
            return {"unusable": ""}  # a variant that does not apply
        except Exception as error:
            return {"unusable": f"the input cannot be built: {_one_line(error)}"}
        encoder = Encoder()
        outcome: dict[str, Any] = {"input": before}
        try:
            result, raised, seconds = self._call(call, log, outcome)
            self.seconds = min(seconds, 9999.0)
            if isinstance(raised, InputTimeout):
                return {"input": before, "timeout": self.seconds_max}
            outcome["raised" if raised is not None else "result"] = (
                encoder.add(raised)
                if raised is not None
                else self._encode_result(encoder, result, outcome)
            )
            outcome["opaque"] = sorted(set(encoder.opaque))
            outcome["args"] = encoder.add(call)
            outcome["mutates"] = self._digest(call) != before
            outcome["globals"] = self._globals(encoder)
            if raised is None and not specification.get("once"):
                self._observe_again(specification, result, encoder, outcome)
        except TooLarge:
            return {"input": before, "unusable": "the outcome is too large to compare"}
        except InputTimeout:
            return {"input": before, "timeout": self.seconds_max}
        except MemoryError:
            return {"input": before, "unusable": "out of memory"}
        outcome.update(nodes=encoder.nodes, log=log, events=self.events, state=process_state())
        return outcome

    def _call(self, call: Any, log: list[Any], outcome: dict[str, Any]) -> tuple[Any, Any, float]:
        random.seed(self.seed)
        random_state = random.getstate()
        stdout, stderr = (
            io.TextIOWrapper(io.BytesIO(), "utf-8"),
            io.TextIOWrapper(io.BytesIO(), "utf-8"),
        )
        kept = (sys.stdout, sys.stderr)
        result = raised = None
        started = time.process_time()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            sys.stdout, sys.stderr = stdout, stderr
            signal.setitimer(signal.ITIMER_PROF, self.seconds_max, self.seconds_max / 4)
            self.listening = True
            try:
                result = self.function(*call[0], **call[1])
                log.append(["returned"])
                if is_lazy(result):
                    result = self._drain(result, log)
            except BaseException as error:
                raised = error
            finally:
                self.listening = False
                signal.setitimer(signal.ITIMER_PROF, 0)
                sys.stdout, sys.stderr = kept
        seconds = time.process_time() - started
        outcome["random"] = random.getstate() != random_state
        outcome["stdout"] = _captured(stdout) + self._captured_descriptor()
        outcome["stderr"] = _captured(stderr)
        outcome["warnings"] = [[type_name(w.category), str(w.message)] for w in caught]
        return result, raised, seconds

    def _drain(self, iterator: Any, log: list[Any]) -> Drained:
        items: list[Any] = []
        end: Any = None
        try:
            for item in iterator:
                log.append(["yield", len(items)])
                items.append(item)
                if len(items) >= ITEMS_OF_ITERATOR_MAX:
                    break
        except Exception as error:
            end = error
        return Drained(type_name(type(iterator)), items, end)

    def _encode_result(self, encoder: Encoder, result: Any, outcome: dict[str, Any]) -> Any:
        if isinstance(result, Drained):
            return [
                "iterator",
                result.kind,
                [encoder.add(item) for item in result.items],
                encoder.add(result.end),
            ]
        return encoder.add(result)

    def _observe_again(
        self, specification: Any, result: Any, encoder: Encoder, outcome: dict[str, Any]
    ) -> None:
        """The same call once more after the first result was changed: shared state shows here."""
        spoil(result)
        log: list[Any] = []
        again: dict[str, Any] = {}
        try:
            second = self.build(specification, log)
        except Exception:
            return
        value, raised, _ = self._call(second, log, again)
        if isinstance(raised, InputTimeout):
            raise raised
        outcome["again"] = (
            ["raised", encoder.add(raised)]
            if raised is not None
            else ["result", self._encode_result(encoder, value, again)]
        )
        outcome["log_again"] = log
        outcome["random"] = outcome["random"] or again["random"]
        if again["stdout"] != outcome["stdout"]:
            outcome["stdout_again"] = again["stdout"]

    def _globals(self, encoder: Encoder) -> list[Any]:
        """Data of the module and of its classes that the function could have changed."""
        found = []
        for name in self.global_names:
            holder: Any = self.module
            for part in name.split("."):
                holder = getattr(holder, part, None)
            if isinstance(holder, type):
                data = {
                    key: value
                    for key, value in vars(holder).items()
                    if not key.startswith("__")
                    and not callable(value)
                    and not hasattr(value, "__get__")
                }
                found.append([name, encoder.add(data)])
            elif sized(holder) > GLOBAL_NODES_MAX:
                found.append([name, {"s": f"{type_name(type(holder))} of {len(holder)}"}])
            else:
                found.append([name, encoder.add(holder)])
        return found

    def _digest(self, call: Any) -> str:
        encoder = Encoder()
        reference = encoder.add(call)
        return hashlib.sha256(json.dumps([reference, encoder.nodes]).encode()).hexdigest()[:24]

    def _captured_descriptor(self) -> str:
        """What was written past Python, to file descriptors 1 and 2."""
        if self.capture < 0:
            return ""
        size = os.fstat(self.capture).st_size
        if not size:
            return ""
        text = os.pread(self.capture, OUTPUT_BYTES_MAX, 0).decode("utf-8", "replace")
        os.ftruncate(self.capture, 0)
        os.lseek(self.capture, 0, os.SEEK_SET)
        return f"[descriptor]{text}[{size}]"

    def show(self, specification: dict[str, Any]) -> dict[str, Any]:
        """The call and its outcome as a reader would write them."""
        log: list[Any] = []
        call = self.build(specification, log)
        args = call[0]
        shown = [_shown(value) for value in args] + [f"{k}={_shown(v)}" for k, v in call[1].items()]
        outcome: dict[str, Any] = {}
        result, raised, _ = self._call(call, log, outcome)
        if raised is not None:
            text = (
                f"raised {type(raised).__name__}({', '.join(_shown(each) for each in raised.args)})"
            )
        elif isinstance(result, Drained):
            text = f"yielded {_shown(result.items)}"
        else:
            text = f"returned {_shown(result)}"
        after = [_shown(value) for value in args]
        changed = [
            f"argument {i + 1} became {after[i]}" for i in range(len(args)) if after[i] != shown[i]
        ]
        if outcome["stdout"]:
            changed.append(f"printed {_shown(outcome['stdout'])}")
        return {
            "call": ", ".join(shown)[: 4 * SHOWN_CHARACTERS_MAX],
            "outcome": "; ".join([text, *changed]),
        }


class Drained:
    """A lazy result after it was consumed: the items, and what ended it."""

    def __init__(self, kind: str, items: list[Any], end: Any) -> None:
        self.kind = kind
        self.items = items
        self.end = end


def is_lazy(value: Any) -> bool:
    kind = type(value)
    return (
        hasattr(kind, "__next__")
        and hasattr(kind, "__iter__")
        and not isinstance(value, AssistSource)
    )


def spoil(value: Any, depth: int = 0) -> None:
    """Change every container of a result a little, as a caller might."""
    if isinstance(value, Drained):
        value = value.items
    inner = value.values() if isinstance(value, dict) else value
    if depth < 2 and isinstance(value, (list, tuple, dict)):
        for each in list(inner)[:20]:
            spoil(each, depth + 1)
    if isinstance(value, list):
        list.append(value, "assist")
    elif isinstance(value, dict):
        dict.__setitem__(value, "assist", "assist")
    elif isinstance(value, set):
        set.add(value, "assist")


def sized(value: Any) -> int:
    return len(value) if isinstance(value, (list, dict, set, tuple, str, bytes)) else 0


def process_state() -> str:
    """Settings of the interpreter that a call must leave alone, as one digest."""
    decimal = sys.modules.get("decimal")
    context = repr(decimal.getcontext()) if decimal is not None else ""
    parts = [
        sorted((k, v) for k, v in os.environ.items() if k != "PYTHONHASHSEED"),
        sys.path,
        sys.getrecursionlimit(),
        context,
        os.getcwd(),
    ]
    parts.append(type(sys.excepthook).__name__)
    return hashlib.sha256(repr(parts).encode("utf-8", "replace")).hexdigest()[:16]


def _stop(_number: int, _frame: Any) -> None:
    raise InputTimeout


def _captured(stream: io.TextIOWrapper) -> str:
    try:
        stream.flush()
        data = stream.buffer.getvalue()  # type: ignore[attr-defined]
    except ValueError:
        return "[closed]"
    text: str = data[:OUTPUT_BYTES_MAX].decode("utf-8", "replace")
    if len(data) > OUTPUT_BYTES_MAX:
        text += f"[{len(data)} {hashlib.sha256(data).hexdigest()}]"
    return text


def _shown(value: Any) -> str:
    try:
        text = repr(value)
    except BaseException as error:
        text = f"<{type(value).__name__}, its repr raised {type(error).__name__}>"
    if len(text) > SHOWN_CHARACTERS_MAX:
        return f"{text[:SHOWN_CHARACTERS_MAX]}… ({len(text)} characters)"
    return text


def _one_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0][:200]}"
