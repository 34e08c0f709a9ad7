"""The documented Neovim configuration in a real, headless Neovim with the real server and model."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from support.snippets import fenced_blocks

NVIM = shutil.which("nvim", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
SOURCE = "import os\n\n\ndef list_files(folder):\n    return os.listdir(fol"
TIMEOUT_SECONDS = 120

pytestmark = [pytest.mark.editors, pytest.mark.timeout(TIMEOUT_SECONDS + 30)]

SCRIPT = """
local out = {}
local function finish()
  vim.fn.writefile({ vim.json.encode(out) }, vim.env.ASSIST_TEST_OUTPUT)
  vim.cmd("qall!")
end
vim.cmd.edit(vim.env.ASSIST_TEST_FILE)
vim.bo.filetype = "python"
local ready = vim.wait(60000, function()
  local client = vim.lsp.get_clients({ name = "assist" })[1]
  return client ~= nil and client.initialized
end)
local client = vim.lsp.get_clients({ name = "assist" })[1]
if not ready then
  out.error = "the server did not start"
  return finish()
end
out.encoding = client.offset_encoding
local line = vim.fn.line("$")
local position = { line = line - 1, character = #vim.fn.getline(line) }
local document = { uri = vim.uri_from_bufnr(0) }
local deadline = vim.uv.now() + 60000
repeat
  local answer = client:request_sync("textDocument/inlineCompletion", {
    textDocument = document,
    position = position,
    context = { triggerKind = 1 },
  }, 60000, 0)
  out.inline = answer and answer.result
  local items = out.inline and (out.inline.items or out.inline) or {}
  if #items == 0 then vim.wait(500, function() return false end) end
until #items > 0 or vim.uv.now() > deadline
local completion = client:request_sync("textDocument/completion", {
  textDocument = document,
  position = position,
}, 60000, 0)
out.completion = completion and completion.result
local actions = client:request_sync("textDocument/codeAction", {
  textDocument = document,
  range = { start = { line = 4, character = 4 }, ["end"] = { line = 4, character = 4 } },
  context = { diagnostics = {} },
}, 60000, 0)
out.actions = actions and actions.result
finish()
"""


def check(tmp_path: Path, source: str) -> dict[str, Any]:
    """What Neovim got for the end of ``source`` by request."""
    assert NVIM is not None, "Neovim is missing: pip install 'assist-lsp[editors]'"
    configuration = tmp_path / "init.lua"
    configuration.write_text("\n".join(fenced_blocks("EDITORS.md", "lua")), encoding="utf-8")
    script = tmp_path / "script.lua"
    script.write_text(SCRIPT, encoding="utf-8")
    file = tmp_path / "sample.py"
    file.write_text(source, encoding="utf-8")
    output = tmp_path / "output.json"
    program_folder = str(Path(sys.executable).parent)
    environment = {
        **os.environ,
        "ASSIST_COMPLETION_THRESHOLD": "eager",
        "PATH": f"{program_folder}{os.pathsep}{os.environ['PATH']}",
        "ASSIST_WORKSPACE_TRUSTED": "true",
        "ASSIST_TEST_FILE": str(file),
        "ASSIST_TEST_OUTPUT": str(output),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "XDG_DATA_HOME": os.environ.get("XDG_DATA_HOME", str(Path.home() / ".local" / "share")),
    }
    done = subprocess.run(
        [NVIM, "--headless", "-u", str(configuration), "-l", str(script)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    assert output.exists(), done.stdout + done.stderr
    answer: dict[str, Any] = json.loads(output.read_text(encoding="utf-8"))
    assert "error" not in answer, answer
    return answer


def test_completions_by_request(tmp_path: Path) -> None:
    answer = check(tmp_path, SOURCE)
    inline = answer["inline"]
    items = inline["items"] if isinstance(inline, dict) else inline
    assert any(item["insertText"].strip() for item in items)
    names = answer["completion"]
    labels = [item["label"] for item in (names["items"] if isinstance(names, dict) else names)]
    assert "folder" in labels


def test_faster_version_is_a_code_action(tmp_path: Path) -> None:
    answer = check(tmp_path, SOURCE + "der)\n")
    titles = [action["title"] for action in answer["actions"] or []]
    assert any("faster version" in title for title in titles)
