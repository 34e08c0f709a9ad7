"""Worker, part 9: runs the user's tests under pytest and writes down calls of chosen functions as pickles; it opens no pickle and changes no file of theirs."""

from __future__ import annotations

import ast
import base64
import builtins
import importlib.machinery
import json
import os
import pickle
import sys
import types
from typing import Any

RECORDS_PER_FUNCTION_MAX = 60
RECORDS_PER_SHAPE_MAX = 4
RECORD_BYTES_MAX = 200_000
EVERY_CALL_UNTIL = 300
RECORD = "__assist_record__"
MODULE_LOADED = "__assist_loaded__"
PYTEST_DID_NOT_START = (3, 4)  # an internal error, a wrong use


class Recorder:
    """Keeps a few calls of every shape; ``send`` passes them on as they come."""

    def __init__(self, files: dict[str, dict[str, int]], send: Any) -> None:
        self.files = files
        self.send = send
        self.counts: dict[str, int] = {}
        self.kept: dict[tuple[str, str], int] = {}
        self.totals: dict[str, int] = {}
        self.loaded: dict[str, dict[str, bytes]] = {}
        self.busy = False
        self.failures = 0

    def record(
        self,
        key: str,
        receiver: bool,
        names: list[str],
        args: tuple[Any, ...],
        kwargs: Any,
        module: Any,
    ) -> None:
        if self.busy:
            return
        count = self.counts[key] = self.counts.get(key, 0) + 1
        if count > EVERY_CALL_UNTIL and count & (count - 1):
            return
        if self.totals.get(key, 0) >= RECORDS_PER_FUNCTION_MAX:
            return
        self.busy = True
        try:
            self._keep(key, receiver, names, args, kwargs, module)
        except BaseException as error:
            if isinstance(error, (KeyboardInterrupt, SystemExit)):
                raise
            self.failures += 1
        finally:
            self.busy = False

    def _keep(
        self,
        key: str,
        receiver: bool,
        names: list[str],
        args: tuple[Any, ...],
        kwargs: Any,
        module: Any,
    ) -> None:
        named = args[1:] if receiver else args
        shape = ", ".join(kind_of(value) for value in named)
        sizes = [_bucket(value) for value in named]
        if receiver and hasattr(args[0], "__dict__"):
            sizes += [_bucket(value) for value in vars(args[0]).values()]
        bucket = (key, f"{shape}|{sizes}")
        if self.kept.get(bucket, 0) >= RECORDS_PER_SHAPE_MAX:
            return
        changed = self._changed_globals(module, names)
        data = pickle.dumps((args, kwargs, changed), protocol=4)
        if len(data) > RECORD_BYTES_MAX:
            return
        self.kept[bucket] = self.kept.get(bucket, 0) + 1
        self.totals[key] = self.totals.get(key, 0) + 1
        self.send(
            {
                "call": key,
                "pickle": base64.b64encode(data).decode(),
                "shape": shape,
                "module": module["__name__"],
            }
        )

    def _changed_globals(self, module: Any, names: list[str]) -> dict[str, Any]:
        """Module data the function mentions that is not any more what it was after the import."""
        at_import = self.loaded.get(module["__name__"], {})
        changed = {}
        for name in names:
            if name in at_import and at_import[name] != _dumped(module.get(name)):
                changed[name] = module[name]
        return changed

    def module_loaded(self, module: Any) -> None:
        self.busy, kept = True, self.busy
        try:
            self.loaded[module["__name__"]] = {
                name: _dumped(value)
                for name, value in list(module.items())
                if not name.startswith("__")
                and isinstance(value, (int, float, str, list, dict, set, tuple, type(None)))
            }
        finally:
            self.busy = kept

    def install(self) -> None:
        setattr(builtins, RECORD, self.record)
        setattr(builtins, MODULE_LOADED, self.module_loaded)
        loader: Any = importlib.machinery.SourceFileLoader
        original = loader.get_code

        def get_code(this: Any, fullname: str) -> Any:
            path = os.path.realpath(this.get_filename(fullname))
            if path not in self.files:
                return original(this, fullname)
            try:
                tree = Instrumenter(path, self.files[path]).instrument(
                    ast.parse(this.get_data(path))
                )
                return compile(tree, this.get_filename(fullname), "exec", dont_inherit=True)
            except (SyntaxError, ValueError, RecursionError):
                return original(this, fullname)

        loader.get_code = get_code


class Instrumenter(ast.NodeTransformer):
    """Puts one call in front of the body of each chosen function; line numbers stay."""

    def __init__(self, path: str, functions: dict[str, int]) -> None:
        self.path = path
        self.functions = functions
        self.names: list[str] = []
        self.in_class = [False]

    def instrument(self, tree: ast.Module) -> ast.Module:
        self.visit(tree)
        loaded = ast.Expr(ast.Call(_name(MODULE_LOADED), [ast.Call(_name("globals"), [], [])], []))
        tree.body.append(loaded)
        return ast.fix_missing_locations(tree)

    def visit_ClassDef(self, node: Any) -> Any:
        self.names.append(node.name)
        self.in_class.append(True)
        self.generic_visit(node)
        self.in_class.pop()
        self.names.pop()
        return node

    def visit_FunctionDef(self, node: Any) -> Any:
        qualname = ".".join([*self.names, node.name])
        if qualname not in self.functions:
            return node
        static = any("staticmethod" in ast.unparse(each) for each in node.decorator_list)
        arguments = node.args
        positional: list[ast.expr] = [
            _name(each.arg) for each in [*arguments.posonlyargs, *arguments.args]
        ]
        if arguments.vararg:
            positional.append(ast.Starred(_name(arguments.vararg.arg), ast.Load()))
        keys: list[Any] = [ast.Constant(each.arg) for each in arguments.kwonlyargs]
        values: list[ast.expr] = [_name(each.arg) for each in arguments.kwonlyargs]
        if arguments.kwarg:
            keys.append(None)
            values.append(_name(arguments.kwarg.arg))
        mentioned = sorted({each.id for each in ast.walk(node) if isinstance(each, ast.Name)})
        call = ast.Call(
            _name(RECORD),
            [
                ast.Constant(f"{self.path}::{qualname}"),
                ast.Constant(self.in_class[-1] and not static),
                ast.List([ast.Constant(each) for each in mentioned], ast.Load()),
                ast.Tuple(positional, ast.Load()),
                ast.Dict(keys, values),
                ast.Call(_name("globals"), [], []),
            ],
            [],
        )
        position = 1 if ast.get_docstring(node) is not None else 0
        at = node.body[min(position, len(node.body) - 1)]
        node.body.insert(position, ast.copy_location(ast.Expr(call), at))
        return node


def run_tests(config: dict[str, Any], channel: Any) -> None:
    """Everything that is found goes out as frames while the tests run; the last one sums up."""
    recorder = Recorder(
        config["files"], lambda message: channel.send(b"D", json.dumps(message).encode())
    )
    recorder.install()
    try:
        import pytest
    except Exception as error:
        channel.send(
            b"D",
            json.dumps(
                {"problem": f"pytest is not installed for this interpreter ({error})"}
            ).encode(),
        )
        return
    counter = TestCounter(channel)
    arguments = [
        *config["tests"],
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        "-p",
        "no:randomly",
    ]
    import cProfile

    profile = cProfile.Profile()
    profiled = True
    try:
        profile.enable()
    except ValueError:
        profiled = False
    code = pytest.main(list(arguments), plugins=[counter])  # which adds its own to the list
    if code in PYTEST_DID_NOT_START and not counter.passed + counter.failed:
        # options and warnings that are errors may name what this interpreter does not have
        plain = ["-o", "addopts=", "-o", "filterwarnings="]
        code = pytest.main([*arguments, *plain], plugins=[counter])
    if profiled:
        profile.disable()
    times = [
        [
            os.path.realpath(entry.code.co_filename),
            entry.code.co_firstlineno,
            entry.callcount,
            entry.inlinetime,
        ]
        for entry in (profile.getstats() if profiled else [])
        if isinstance(entry.code, types.CodeType)
        and os.path.realpath(entry.code.co_filename) in config["files"]
    ]
    summary = {
        "finished": int(code),
        "profile": times,
        "passed": counter.passed,
        "failed": counter.failed,
        "sys_path": [each for each in sys.path if isinstance(each, str)],
        "unpicklable": recorder.failures,
    }
    channel.send(b"D", json.dumps(summary).encode())


class TestCounter:
    """A pytest plugin that counts, and shows the supervisor that something is happening."""

    def __init__(self, channel: Any) -> None:
        self.channel = channel
        self.passed = self.failed = 0

    def pytest_collectreport(self, report: Any) -> None:
        self.failed += bool(report.failed)
        self.channel.send(b"D", b'{"tests": 0}')

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.when == "call" and report.passed:
            self.passed += 1
        elif report.failed:
            self.failed += 1
        self.channel.send(b"D", json.dumps({"tests": self.passed + self.failed}).encode())


def kind_of(value: Any, depth: int = 0) -> str:
    """Type of a value as an annotation would say it; the first item speaks for a container."""
    kind = type(value)
    if value is None:
        return "None"
    if kind in (int, float, str, bool, bytes, complex, bytearray):
        return kind.__name__
    if depth < 3:
        if kind in (list, set, frozenset):
            return f"{kind.__name__}[{kind_of(next(iter(value)), depth + 1) if value else '_'}]"
        if kind is tuple:
            if not value:
                return "tuple[_, ...]"
            if len(value) > 6:
                return f"tuple[{kind_of(value[0], depth + 1)}, ...]"
            return f"tuple[{', '.join(kind_of(each, depth + 1) for each in value)}]"
        if kind is dict:
            if not value:
                return "dict[_, _]"
            key, item = next(iter(value.items()))
            return f"dict[{kind_of(key, depth + 1)}, {kind_of(item, depth + 1)}]"
    return f"{kind.__module__}.{kind.__qualname__}"


def _bucket(value: Any) -> int:
    """Order of magnitude of a size or number: calls that differ in it are worth keeping both."""
    if isinstance(value, bool) or value is None:
        return int(bool(value))
    if isinstance(value, (int, float)):
        try:
            return (1 if value > 0 else -1) * min(int(abs(value)).bit_length(), 64)
        except (ValueError, OverflowError):
            return 99
    if isinstance(value, (str, bytes, list, tuple, dict, set, frozenset)):
        return len(value).bit_length()
    return 0


def _dumped(value: Any) -> bytes:
    try:
        data = pickle.dumps(value, protocol=4)
    except Exception:
        return b"?"
    return data if len(data) < 4096 else str((len(data), hash(data))).encode()


def _name(identifier: str) -> ast.Name:
    return ast.Name(identifier, ast.Load())
