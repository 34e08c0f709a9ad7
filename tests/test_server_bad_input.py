"""Wrong messages and strange documents: each gets a clear error or nothing, and the server lives on."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from support.lsp import PATIENCE, model_file
from support.wire import Message, Wire, wire

pytestmark = pytest.mark.asyncio(loop_scope="module")

URI = "file:///project/sample.py"
PARSE_ERROR, INVALID_REQUEST, NO_METHOD, INVALID_PARAMS = -32700, -32600, -32601, -32602
NOT_INITIALIZED = -32002


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def session() -> AsyncIterator[Wire]:
    """One server that has to survive every test of this file."""
    async with wire() as shared:
        await shared.initialize()
        yield shared
        assert await shared.leave() == 0


async def check(session: Wire, answer: Message, code: int | None) -> None:
    """The answer is an error with ``code`` or (none) a result, and the server still works."""
    if code is None:
        assert "error" not in answer, answer
    else:
        assert answer["error"]["code"] == code, answer
        assert answer["error"]["message"]
        assert "Traceback" not in str(answer)
    assert "result" in await session.ask("workspace/executeCommand", {"command": "assist.status"})


def inline(line: object, character: object, uri: object = URI) -> dict[str, Any]:
    return {
        "textDocument": {"uri": uri},
        "position": {"line": line, "character": character},
        "context": {"triggerKind": 2},
    }


def open_text(session: Wire, text: str, uri: str = URI) -> None:
    item = {"uri": uri, "languageId": "python", "version": 1, "text": text}
    session.send(method="textDocument/didOpen", params={"textDocument": item})


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"not json", b"\xff\xfe\x00", b'{"jsonrpc": "2.0", "id": 1', b"[" * 100_000],
)
async def test_a_body_that_is_no_json(session: Wire, body: bytes) -> None:
    session.send_body(body)
    await check(session, await session.answer(None), PARSE_ERROR)


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"null",
        b'"text"',
        b"{}",
        b'{"jsonrpc": "1.0", "method": "shutdown"}',
        b'{"jsonrpc": "2.0"}',
        b'{"jsonrpc": "2.0", "method": 7}',
    ],
)
async def test_json_that_is_no_message(session: Wire, body: bytes) -> None:
    session.send_body(body)
    await check(session, await session.answer(None), INVALID_REQUEST)


async def test_the_id_of_a_wrong_message_is_answered(session: Wire) -> None:
    session.send_body(b'{"jsonrpc": "1.0", "id": "x", "method": "shutdown"}')
    await check(session, await session.answer("x"), INVALID_REQUEST)


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n\r\n",
        b"Content-Length: many\r\n\r\n",
        b"Content-Type: text\r\n\r\n",
        b"x" * 50_000 + b"\r\n\r\n",
        b"\x00\xff\r\n",
    ],
)
async def test_headers_that_are_none(session: Wire, data: bytes) -> None:
    session.send_bytes(data)
    await check(session, await session.ask("unknown/method"), NO_METHOD)


async def test_headers_in_other_spelling(session: Wire) -> None:
    body = b'{"jsonrpc":"2.0","id":5,"method":"unknown/method"}'
    session.send_bytes(b"content-type: x\r\nCONTENT-LENGTH:%d\r\n\r\n%s" % (len(body), body))
    await check(session, await session.answer(5), NO_METHOD)


async def test_a_body_that_is_too_long(session: Wire) -> None:
    session.send_bytes(b"Content-Length: %d\r\n\r\n" % (65 * 1024 * 1024))
    for _ in range(65):
        session.send_bytes(b"x" * 1024 * 1024)
    await check(session, await session.answer(None), PARSE_ERROR)


async def test_the_life_cycle() -> None:
    async with wire() as session:
        early = await session.ask("textDocument/inlineCompletion", inline(0, 0))
        assert early["error"]["code"] == NOT_INITIALIZED
        session.send(method="textDocument/didOpen", params={})
        wrong = await session.ask("initialize", {"capabilities": 5})
        assert wrong["error"]["code"] == INVALID_PARAMS
        assert "result" in await session.initialize()
        await check(session, await session.ask("initialize", {"capabilities": {}}), INVALID_REQUEST)
        await session.ask("shutdown")
        late = await session.ask("textDocument/inlineCompletion", inline(0, 0), 2)
        assert late["error"]["code"] == INVALID_REQUEST
        session.send(method="exit")
        assert await session.ended() == 0


async def test_exit_without_shutdown() -> None:
    async with wire() as session:
        await session.initialize()
        session.send(method="exit")
        assert await session.ended() == 1


async def test_the_pipe_closes() -> None:
    async with wire() as session:
        await session.initialize()
        session._stdin.close()
        assert await session.ended() == 1


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("textDocument/inlineCompletion", {}, INVALID_PARAMS),
        ("textDocument/inlineCompletion", None, INVALID_PARAMS),
        ("textDocument/inlineCompletion", [1, 2], INVALID_PARAMS),
        ("textDocument/inlineCompletion", inline(-1, 0), INVALID_PARAMS),
        ("textDocument/inlineCompletion", inline(0, "x"), INVALID_PARAMS),
        ("textDocument/inlineCompletion", inline(2**40, 2**40), INVALID_PARAMS),
        ("textDocument/inlineCompletion", inline(10**6, 10**6), None),
        ("textDocument/inlineCompletion", inline(0, 0, "file:///never/opened.py"), None),
        ("textDocument/inlineCompletion", inline(0, 0, "no uri at all"), None),
        ("workspace/executeCommand", {"command": "assist.nothing"}, INVALID_PARAMS),
        (
            "workspace/executeCommand",
            {"command": "assist.status", "arguments": [1, 2, 3]},
            INVALID_PARAMS,
        ),
        ("workspace/executeCommand", {"command": 7}, INVALID_PARAMS),
        ("textDocument/nothing", {}, NO_METHOD),
    ],
)
async def test_wrong_params(session: Wire, method: str, params: object, code: int | None) -> None:
    open_text(session, "x = 1\n")
    await check(session, await session.ask(method, params), code)


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("textDocument/didOpen", {}),
        ("textDocument/didOpen", {"textDocument": {"uri": 5}}),
        ("textDocument/didChange", {"textDocument": {"uri": URI, "version": 1}}),
        ("textDocument/didClose", {"textDocument": {"uri": "file:///never"}}),
        ("$/cancelRequest", {"id": 12345}),
        ("$/cancelRequest", {}),
        ("$/setTrace", {"value": "loud"}),
        ("$/unknown", {"a": 1}),
        ("unknown", None),
        ("initialized", {}),
        ("workspace/didChangeConfiguration", {"settings": None}),
        ("workspace/didChangeConfiguration", {"settings": {"assist": {"completion": {"x": 1}}}}),
        ("workspace/didChangeWorkspaceFolders", {"event": {"added": [], "removed": []}}),
        ("window/workDoneProgress/cancel", {"token": "x"}),
    ],
)
async def test_wrong_notifications(session: Wire, method: str, params: object) -> None:
    session.send(method=method, params=params)
    await check(session, await session.ask("unknown/method"), NO_METHOD)


async def test_answers_to_questions_never_asked(session: Wire) -> None:
    session.send(id=77, result={"a": 1})
    session.send(id="78", error={"code": 1, "message": "no"})
    session.send(id=None, error={"code": 1, "message": "no"})
    await check(session, await session.ask("unknown/method"), NO_METHOD)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\x00\x01\x02",
        "\ud800",
        "a\r\nb\rc\nd\u2028e",
        "😀" * 1000,
        "x" * 2_000_000,
        "def f():\n    pass\n" * 300_000,
    ],
    ids=["empty", "binary", "half a pair", "mixed line ends", "astral", "one line", "5 MB"],
)
async def test_strange_documents(session: Wire, text: str) -> None:
    open_text(session, text)
    for line, character in [(0, 0), (0, 1), (0, 10**6), (2, 1), (10**6, 0)]:
        answer = await session.ask("textDocument/inlineCompletion", inline(line, character))
        await check(session, answer, None)
    start, end = {"line": 0, "character": 1}, {"line": 0, "character": 2}
    change = {"range": {"start": start, "end": end}, "text": "\udc00z"}
    identifier = {"uri": URI, "version": 2}
    session.send(
        method="textDocument/didChange",
        params={"textDocument": identifier, "contentChanges": [change]},
    )
    await check(session, await session.ask("textDocument/inlineCompletion", inline(0, 1)), None)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "utf-16-le", "utf-32"])
async def test_a_message_that_is_not_utf8(session: Wire, encoding: str) -> None:
    """A body in another encoding is refused or read as what it says; it is never read wrongly."""
    item = {"uri": URI + encoding, "languageId": "python", "version": 1, "text": "é = 'ü'\n"}
    note = {"jsonrpc": "2.0", "method": "textDocument/didOpen", "params": {"textDocument": item}}
    session.send_body(json.dumps(note, ensure_ascii=False).encode(encoding))
    if encoding == "latin-1":
        await check(session, await session.answer(None), PARSE_ERROR)
    answer = await session.ask("textDocument/inlineCompletion", inline(0, 3, URI + encoding))
    await check(session, answer, None)


async def test_files_that_are_no_utf8(tmp_path: Path) -> None:
    """Files of the workspace on disk: settings, neighbours, and the document itself."""
    (tmp_path / "pyproject.toml").write_bytes("[tool.assist]\nx = 'é'\n".encode("latin-1"))
    (tmp_path / "wide.py").write_bytes("\ufeffx = 'é'\n".encode("utf-16"))
    (tmp_path / "latin.py").write_bytes("x = 'é'\n".encode("latin-1"))
    (tmp_path / "binary.py").write_bytes(bytes(range(256)))
    async with wire() as session:
        folders = [{"uri": tmp_path.as_uri(), "name": "x"}]
        await session.initialize(workspaceFolders=folders)
        for name in ("wide.py", "latin.py", "binary.py", "missing.py"):
            uri = (tmp_path / name).as_uri()
            open_text(session, "import wide, latin, binary, missing\nlatin.", uri)
            answer = await session.ask("textDocument/inlineCompletion", inline(1, 6, uri))
            await check(session, answer, None)
            place = {"textDocument": {"uri": uri}, "position": {"line": 1, "character": 6}}
            await check(session, await session.ask("textDocument/completion", place), None)
            whole = {"start": {"line": 0, "character": 0}, "end": {"line": 1, "character": 0}}
            actions = {"textDocument": {"uri": uri}, "range": whole, "context": {"diagnostics": []}}
            await check(session, await session.ask("textDocument/codeAction", actions), None)
        assert await session.leave() == 0


@pytest.mark.model
@pytest.mark.parametrize(
    "text",
    [
        "\x00\x01\x02",
        "def f(\ud800",
        "def f():\r\n    a = 1\r    b = 2\n    return ",
        "😀" * 100,
        "x" * 2_000_000,
        "def f():\n    pass\n" * 300_000 + "def g(",
        "a = '<issue_start><issue_comment><|endoftext|><fim_prefix><|im_start|>'\nb = <file_sep>",
    ],
    ids=["binary", "half a pair", "mixed line ends", "astral", "one line", "5 MB", "markers"],
)
async def test_strange_documents_with_a_model(text: str) -> None:
    async with wire(model_file(), **PATIENCE) as session:
        await session.initialize()
        open_text(session, text)
        end = {"line": text.count("\n") + text.count("\r"), "character": 10**6}
        for line, character in [(end["line"], end["character"]), (0, 1)]:
            answer = await session.ask("textDocument/inlineCompletion", inline(line, character))
            await check(session, answer, None)
        # The document changes while its completion runs.
        asked = inline(end["line"], end["character"])
        session.send(id=50, method="textDocument/inlineCompletion", params=asked)
        session.send(
            method="textDocument/didChange",
            params={
                "textDocument": {"uri": URI, "version": 2},
                "contentChanges": [{"range": {"start": end, "end": end}, "text": "y = 1\n"}],
            },
        )
        await check(session, await session.answer(50), None)
        answer = await session.ask("textDocument/inlineCompletion", inline(0, 0))
        await check(session, answer, None)
        status = await session.ask("workspace/executeCommand", {"command": "assist.status"})
        assert status["result"]["engine"]["restarts"] == 0, "the engine lives on too"
        assert status["result"]["state"] in {"ready", "thinking"}
        assert await session.leave() == 0


async def test_a_range_that_ends_before_it_starts(session: Wire) -> None:
    open_text(session, "abc\ndef\n")
    start, end = {"line": 1, "character": 2}, {"line": 0, "character": 1}
    change = {"range": {"start": start, "end": end}, "text": "x"}
    session.send(
        method="textDocument/didChange",
        params={"textDocument": {"uri": URI, "version": 2}, "contentChanges": [change]},
    )
    await check(session, await session.ask("textDocument/inlineCompletion", inline(0, 1)), None)


async def test_a_model_that_is_missing_is_a_problem_and_not_a_failure() -> None:
    async with wire() as session:
        await session.initialize()
        open_text(session, "x = ")
        answer = await session.ask("textDocument/inlineCompletion", inline(0, 4))
        await check(session, answer, None)
        status = await session.ask("workspace/executeCommand", {"command": "assist.status"})
        assert status["result"]["state"] == "problem"
        assert "nonexistent.gguf" in status["result"]["message"]
        assert await session.leave() == 0
