"""The documented Emacs configuration in a real Emacs in batch mode with the real server and model."""

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

EMACS = shutil.which("emacs")
SOURCE = "import os\n\n\ndef list_files(folder):\n    return os.listdir(fol"
TIMEOUT_SECONDS = 120

pytestmark = [pytest.mark.editors, pytest.mark.timeout(TIMEOUT_SECONDS + 30)]

SCRIPT = """
(setq eglot-sync-connect t eglot-connect-timeout 60 eglot-autoshutdown nil)
(find-file (getenv "ASSIST_TEST_FILE"))
(unless (eq major-mode 'python-mode) (python-mode))
(unless (eglot-current-server)
  (apply #'eglot--connect (eglot--guess-contact)))
(goto-char (point-max))
(eglot--signal-textDocument/didOpen)
(let* ((server (eglot-current-server))
       (params (eglot--TextDocumentPositionParams))
       (deadline (+ (float-time) 60))
       (inline nil))
  (while (and (< (float-time) deadline)
              (zerop (length (if (vectorp inline) inline (plist-get inline :items)))))
    (setq inline (jsonrpc-request server :textDocument/inlineCompletion
                                  (append params '(:context (:triggerKind 1))) :timeout 60))
    (sleep-for 0.2))
  (let ((names (jsonrpc-request server :textDocument/completion params :timeout 60)))
    (with-temp-file (getenv "ASSIST_TEST_OUTPUT")
      (insert (json-serialize (list :inline inline :completion names)
                              :null-object nil :false-object :json-false))))
  (eglot-shutdown server))
"""


def check(tmp_path: Path, source: str) -> dict[str, Any]:
    """What Emacs got for the end of ``source``."""
    assert EMACS is not None, "Emacs is missing: install emacs-nox and elpa-eglot"
    (tmp_path / ".git").mkdir()
    file = tmp_path / "sample.py"
    file.write_text(source, encoding="utf-8")
    configuration = tmp_path / "init.el"
    configuration.write_text("\n".join(fenced_blocks("EDITORS.md", "elisp")), encoding="utf-8")
    script = tmp_path / "script.el"
    script.write_text(SCRIPT, encoding="utf-8")
    output = tmp_path / "output.json"
    environment = {
        **os.environ,
        "ASSIST_COMPLETION_THRESHOLD": "eager",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "ASSIST_TEST_FILE": str(file),
        "ASSIST_TEST_OUTPUT": str(output),
    }
    done = subprocess.run(
        [
            EMACS,
            "--batch",
            "-l",
            "package",
            "-f",
            "package-initialize",
            "-l",
            str(configuration),
            "-l",
            str(script),
        ],
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    assert output.exists(), done.stdout + done.stderr
    answer: dict[str, Any] = json.loads(output.read_text(encoding="utf-8"))
    return answer


def test_completions_by_request(tmp_path: Path) -> None:
    answer = check(tmp_path, SOURCE)
    inline = answer["inline"]
    items = inline["items"] if isinstance(inline, dict) else inline
    assert any(item["insertText"].strip() for item in items)
    names = answer["completion"]
    labels = [item["label"] for item in (names["items"] if isinstance(names, dict) else names)]
    assert "folder" in labels
