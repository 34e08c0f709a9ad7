from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from assist.server.cli import group, main
from support.lsp import editor, model_file


def check(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong use ends with code 2 and one line on stderr that says what to do."""
    with pytest.raises(SystemExit) as ended:
        main(["complete", *arguments])
    printed = capsys.readouterr()
    assert ended.value.code == 2
    assert printed.out == ""
    assert message in printed.err and printed.err.count("\n") == 1, printed.err


def test_a_place_must_be_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.py"
    path.write_bytes(b"x = 1\ny = 2\n")
    for place in ("a.py", "a.py:1", "a.py:0:1", "a.py:1:x", "a.py:-1:1", "a.py:1:\u00b2"):
        check([place], "Write FILE:LINE:COLUMN", capsys)
    check([f"{path}:9:1"], "has 3 lines", capsys)
    check([f"{path}:1:9"], "the last column is 6", capsys)


def test_a_file_must_be_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    check([f"{tmp_path / 'gone.py'}:1:1"], "cannot be read", capsys)
    check([f"{tmp_path}:1:1"], "cannot be read", capsys)
    for data, message in (
        (b"\x7fELF\0\0", "not a text file"),
        ("é = 1".encode("latin-1"), "not UTF-8 (byte 0)"),
        ("x = 1".encode("utf-16"), "UTF-16"),
    ):
        path = tmp_path / "bad.py"
        path.write_bytes(data)
        check([f"{path}:1:1"], message, capsys)


def test_a_model_must_be_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ASSIST_HOME", str(tmp_path / "home"))
    path = tmp_path / "a.py"
    path.write_text("x = ")
    check([f"{path}:1:5"], "assist models fetch smollm2-135m", capsys)
    check([f"{path}:1:5", "--model", "nobody"], "There is no model", capsys)
    check([f"{path}:1:5", "--model", str(path)], "is not a GGUF", capsys)
    check([f"{path}:1:5", "--model", "/gone.gguf"], "cannot be read", capsys)


SAMPLE = """import json

LIMIT = 10


def read_rows(path: str) -> list[dict[str, int]]:
    with open(path) as file:
        rows = $1
    return [row for row in rows if $2


def total(rows: list[dict[str, int]]) -> int:
    result = 0
    for row in rows:
        $3
    return result
"""


@pytest.mark.model
@pytest.mark.asyncio
@pytest.mark.parametrize("mark", ["$1", "$2", "$3"])
async def test_the_server_gives_the_same_text(
    mark: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSIST_MODEL_NAME", model_file())
    # A busy machine must not end an answer early.
    monkeypatch.setenv("ASSIST_COMPLETION_MILLISECONDS", "60000")
    before, after = (re.sub(r"\$\d", "", part) for part in SAMPLE.split(mark))
    path = tmp_path / "rows.py"
    path.write_text(before + after)
    line, column = before.count("\n"), len(before.rsplit("\n", 1)[-1])
    place = f"{path}:{line + 1}:{column + 1}"
    result = CliRunner().invoke(group, ["complete", place, "--json"])
    report = json.loads(result.output)
    assert report["tokens"]["prompt"] and report["model"]["file"] == model_file()
    async with editor(uri=path.as_uri()) as session:
        session.open(before + after)
        texts = await session.ghost_texts(line, column, is_invoked=True)
    assert texts == [item["text"] for item in report["items"]] != []


def test_help_is_there_for_every_command() -> None:
    for name in group.list_commands(None):  # type: ignore[arg-type]
        result = CliRunner().invoke(group, [name, "--help"])
        assert result.exit_code == 0 and "Usage:" in result.output
