"""Worker, part 10: reads commands on a pipe, forks a locked process per run and relays what it says; it never lets that process near the pipe.

Frames are a big-endian length, a kind byte (``D`` data of a run, ``C`` control) and JSON.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pickle
import select
import shutil
import signal
import struct
import sys
import time
import traceback
import types
from typing import Any

from assist.analysis.execution.worker_encode import Encoder
from assist.analysis.execution.worker_lockdown import (
    die_with_parent,
    lock_down_candidate,
    lock_down_process,
)
from assist.analysis.execution.worker_namespaces import enter_namespaces, private_folders, used_up
from assist.analysis.execution.worker_observe import (
    Drained,
    Observer,
    Subject,
    _one_line,
)
from assist.analysis.execution.worker_probe import possible_mutants
from assist.analysis.execution.worker_record import run_tests

FRAME_BYTES_MAX = 64 << 20
WATCH_SECONDS = 0.3
NOWHERE = open(os.devnull, "w")  # noqa: SIM115 - what the timed function prints


class Channel:
    """Frames over two file descriptors."""

    def __init__(self, source: int, sink: int) -> None:
        self.source = source
        self.sink = sink

    def send(self, kind: bytes, payload: bytes) -> None:
        data = memoryview(struct.pack(">I", len(payload) + 1) + kind + payload)
        while data:
            data = data[os.write(self.sink, data) :]

    def control(self, **fields: Any) -> None:
        self.send(b"C", json.dumps(fields).encode())

    def receive(self) -> Any:
        """The next command, None at the end."""
        head = self._exactly(4)
        if head is None:
            return None
        body = self._exactly(struct.unpack(">I", head)[0])
        return None if body is None else json.loads(body[1:])

    def _exactly(self, count: int) -> Any:
        parts = []
        while count:
            part = os.read(self.source, min(count, 1 << 20))
            if not part:
                return None
            parts.append(part)
            count -= len(part)
        return b"".join(parts)


def main() -> None:
    """Entry of the one-file worker: the first frame on standard input is the configuration."""
    parent = os.getppid()
    die_with_parent(parent)
    channel = Channel(os.dup(0), os.dup(1))
    os.set_inheritable(channel.source, False)
    os.set_inheritable(channel.sink, False)
    config = channel.receive()
    if config is None:
        os._exit(125)
    capture = os.memfd_create("output") if hasattr(os, "memfd_create") else -1
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    for descriptor in (1, 2):
        os.dup2(capture if capture >= 0 else null, descriptor)
    sys.path[:] = [
        each for each in sys.path if each != os.path.dirname(os.path.abspath(sys.argv[0]))
    ]
    try:
        if config["mode"] == "record":
            prepare_record(config, channel)
        layers = lock_down_process(config)
        # what runs later must not find the worker by the name of the main module
        sys.modules["__main__"] = types.ModuleType("__main__")
    except (OSError, ValueError, shutil.Error) as error:
        channel.control(refused=str(error))
        os._exit(125)
    start_site(config)
    channel.control(ready=True, layers=layers, version=list(sys.version_info[:3]), pid=os.getpid())
    if config["mode"] == "timing":
        time_calls(channel, config, capture)
    elif config["mode"] == "record":
        supervise_tests(channel, config)
    else:
        serve(channel, capture)
    os._exit(0)


def start_site(config: dict[str, Any]) -> None:
    """What ``python`` does without -S, but inside the lockdown; then the libraries every run needs."""
    import site

    try:
        site.main()
    except Exception:
        pass
    sys.path[:] = list(dict.fromkeys(config["roots"] + sys.path))
    for name in config["preload"]:
        try:
            importlib.import_module(name)
        except BaseException:
            continue
    gc.collect()
    gc.freeze()


def serve(channel: Channel, capture: int) -> None:
    """The zygote: one locked child at a time."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        command = channel.receive()
        if command is None:
            return
        if command["what"] == "stop":
            continue  # the run it speaks of has just ended by itself
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(reader)
            os.close(channel.source)
            os.close(channel.sink)
            try:
                run_locked(Channel(-1, writer), command, capture)
            finally:
                os._exit(0)
        os.close(writer)
        relay(channel, reader, pid, command["silence_seconds_max"], stoppable=True)
        os.close(reader)


def relay(
    channel: Channel,
    reader: int,
    pid: int,
    silence_seconds_max: float,
    check: Any = None,
    stoppable: bool = False,
) -> None:
    """Pass the frames of a child on until it ends; end it when it says nothing for too long.

    ``check()`` names a reason to end it earlier, or gives an empty text; where it is
    ``stoppable``, any command ends it.
    """
    watched = [reader, channel.source] if stoppable else [reader]
    buffer = bytearray()
    how = ""
    heard = time.monotonic()
    while not how:
        ready, _, _ = select.select(
            watched, [], [], WATCH_SECONDS if check else silence_seconds_max
        )
        if check and check():
            how = check()
        elif channel.source in ready:
            how = "stopped" if channel.receive() else "ended"
        elif ready:
            heard = time.monotonic()
            data = os.read(reader, 1 << 18)
            buffer += data
            how = pass_frames(channel, buffer) if data else "ended"
        elif time.monotonic() - heard >= silence_seconds_max:
            how = "silent"
    try:
        os.kill(pid, signal.SIGKILL)
    except OSError:
        pass
    _, status = os.waitpid(pid, 0)
    killed_by = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    channel.control(end=how, signal=killed_by if how == "ended" else 0)


def pass_frames(channel: Channel, buffer: bytearray) -> str:
    """Send the whole frames of ``buffer`` on; says ``garbled`` if they are none."""
    while len(buffer) >= 4:
        length = struct.unpack(">I", buffer[:4])[0]
        if not 0 < length <= FRAME_BYTES_MAX:
            return "garbled"
        if len(buffer) < 4 + length:
            break
        channel.send(b"D", bytes(buffer[5 : 4 + length]))
        del buffer[: 4 + length]
    return ""


def run_locked(channel: Channel, command: dict[str, Any], capture: int) -> None:
    """In the child: lock, load, run every input, say what happened."""
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if command["seccomp"]:
        lock_down_candidate(command["cpu_seconds_max"], command["memory_bytes_max"])
    if command["what"] == "mutants":
        channel.send(
            b"D", json.dumps(possible_mutants(command["module"]["text"], command["lines"])).encode()
        )
        return
    subject = Subject(command["module"], command.get("transform"))
    try:
        module = subject.load(command["roots"])
        observer = Observer(module, command, capture)
    except BaseException as error:
        channel.send(b"D", json.dumps({"load": _load_failure(error, subject.path)}).encode())
        return
    channel.send(b"D", b'{"loaded": true}')
    for specification in command["inputs"]:
        if command["what"] == "show":
            outcome = _show(observer, specification)
        else:
            outcome = observer.observe(specification)
        if command["what"] == "coverage":
            outcome = {"hits": sorted(subject.coverage.hits)}
        try:
            payload = json.dumps(outcome).encode()
        except (ValueError, RecursionError):
            payload = b'{"unusable": "the outcome cannot be written down"}'
        if command["what"] == "observe":
            payload = b"%012.6f" % observer.seconds + payload
        channel.send(b"D", payload)
        if "timeout" in outcome:
            return  # the module may be in the middle of something: the rest runs in a new process
    if command["what"] == "coverage":
        final = {"sites": subject.coverage.sites, "hits": sorted(subject.coverage.hits)}
        channel.send(b"D", json.dumps(final).encode())


def _show(observer: Observer, specification: Any) -> dict[str, Any]:
    try:
        return observer.show(specification)
    except BaseException as error:
        return {"call": "…", "outcome": f"could not be shown: {_one_line(error)}"}


def _load_failure(error: BaseException, path: str) -> str:
    line = 0
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename == path:
            line = frame.lineno or 0
    if isinstance(error, SyntaxError) and error.filename == path:
        line = error.lineno or 0
    return f"{_one_line(error)} (line {line})" if line else _one_line(error)


# ------------------------------------------------------------------ recording


def prepare_record(config: dict[str, Any], channel: Channel) -> None:
    """Namespaces and private folders; bubblewrap has made the namespaces where it is used."""
    if config["own_namespaces"]:
        enter_namespaces()
        die_with_parent()
    private_folders(config)
    channel.control(copied=True)


def supervise_tests(channel: Channel, config: dict[str, Any]) -> None:
    """This process ends last, and with it everything the tests have started."""
    os.environ.update(
        HOME=os.path.join(config["scratch"], "home"), TMPDIR=os.path.join(config["scratch"], "tmp")
    )
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        os.close(channel.source)
        os.close(channel.sink)
        os.dup2(os.open(os.devnull, os.O_RDWR), 1)
        os.dup2(1, 2)
        os.setpgid(0, 0)
        try:
            run_tests(config, Channel(-1, writer))
        except BaseException as error:
            Channel(-1, writer).send(b"D", json.dumps({"problem": _one_line(error)}).encode())
        finally:
            os._exit(0)
    os.close(writer)
    relay(channel, reader, pid, config["silence_seconds_max"], lambda: used_up(config))


# ------------------------------------------------------------------ timing


def time_calls(channel: Channel, config: dict[str, Any], capture: int) -> None:
    """A fresh process for one version; the parent reads this process's clock around ``time``."""
    command = config["command"]
    if command["seccomp"]:
        lock_down_candidate(command["cpu_seconds_max"], command["memory_bytes_max"])
    subject = Subject(command["module"], None)
    try:
        module = subject.load(command["roots"])
        observer = Observer(module, command, capture)
    except BaseException as error:
        channel.control(load=_load_failure(error, subject.path))
        return
    channel.control(loaded=True)
    calls: list[Any] = []
    results: list[Any] = []
    failed = ""
    while True:
        order = channel.receive()
        if order is None:
            return
        if order["do"] == "prepare":
            calls, results, failed = [], [], ""
            try:
                built = [observer.build(each, []) for each in order["inputs"]]
                if order["fresh"]:
                    calls = _fresh_calls(observer, order["inputs"], built, order["copies"])
                else:
                    calls = built * order["copies"]
            except BaseException as error:
                failed = _one_line(error)
            channel.control(prepared=len(calls), failed=failed, size=_size(calls))
        elif order["do"] == "time":
            try:
                results = _timed(observer.function, calls, order["distinct"], order["lazy"])
            except BaseException as error:
                failed = _one_line(error)
            channel.control(done=order["nonce"], failed=failed)
        else:
            channel.control(results=_encoded(results), failed=failed)
            os.ftruncate(capture, 0) if capture >= 0 else None


def _fresh_calls(
    observer: Any, inputs: list[Any], built: list[Any], copies: int
) -> list[tuple[Any, Any]]:
    """Every call with arguments of its own: copies where they can be pickled, else built again."""
    pickles: list[Any] = []
    for call in built:
        try:
            pickles.append(pickle.dumps(call, protocol=4))
        except Exception:
            pickles.append(None)
    calls = list(built)
    for _ in range(1, copies):
        for each, data in zip(inputs, pickles):
            calls.append(observer.build(each, []) if data is None else pickle.loads(data))
    return calls


def _timed(function: Any, calls: list[Any], distinct: int, lazy: bool) -> list[Any]:
    """Call everything; give the results of the last ``distinct`` calls."""
    sys.stdout = sys.stderr = NOWHERE
    last = len(calls) - distinct
    plain = not lazy and not any(kwargs for _, kwargs in calls)
    if plain:
        for args, _ in calls[:last]:
            function(*args)
        results = [function(*args) for args, _ in calls[last:]]
    else:
        results = []
        for index, (args, kwargs) in enumerate(calls):
            result = function(*args, **kwargs)
            if lazy:
                result = Drained("", list(result), None)
            if index >= last:
                results.append(result)
    sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
    return results


def _size(calls: list[Any]) -> int:
    """Length of the largest container among the arguments, else the largest number; 0 if there is neither."""
    lengths, numbers = [0], [0]
    for args, kwargs in calls[:50]:
        for value in [*args, *kwargs.values()]:
            if isinstance(value, int):
                numbers.append(abs(value))
            elif hasattr(type(value), "__len__"):
                lengths.append(len(value))
    return max(lengths) or min(max(numbers), 10**15)


def _encoded(results: list[Any]) -> list[Any]:
    encoded: list[Any] = []
    for result in results:
        encoder = Encoder()
        try:
            value = result.items if isinstance(result, Drained) else result
            encoded.append([encoder.add(value), encoder.nodes])
        except Exception:
            encoded.append(None)
    return encoded


if __name__ == "__main__":
    main()
