"""Configurations for editors that are not run here parse, and name settings that exist."""

from __future__ import annotations

import importlib.util
import json
import tomllib
from pathlib import Path
from typing import Any

from assist.server.settings import Settings, Source, flatten, resolve
from support.snippets import fenced_blocks

ROOT = Path(__file__).parent.parent
EXTENSION = ROOT / "vscode-extension"


def check(configuration: object) -> None:
    settings, problems = resolve([Source("the example", flatten(configuration))])
    assert not problems
    assert isinstance(settings, Settings)


def test_helix_configuration_is_valid() -> None:
    (block,) = fenced_blocks("EDITORS.md", "toml")
    languages = tomllib.loads(block)
    server = languages["language-server"]["assist"]
    assert [server["command"], *server["args"]] == ["assist", "serve"]
    assert languages["language"][0]["language-servers"] == ["assist"]
    check(server["config"]["assist"])


def test_kate_configuration_is_valid() -> None:
    (block,) = fenced_blocks("EDITORS.md", "json")
    server = json.loads(block)["servers"]["python"]
    assert server["command"] == ["assist", "serve"]
    check(server["settings"]["assist"])


def test_extension_offers_exactly_the_servers_settings() -> None:
    path = EXTENSION / "scripts" / "settings.py"
    specification = importlib.util.spec_from_file_location("extension_settings", path)
    assert specification is not None and specification.loader is not None
    script: Any = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(script)
    package = json.loads((EXTENSION / "package.json").read_text(encoding="utf-8"))
    assert package["contributes"]["configuration"]["properties"] == script.configuration()


def test_extension_and_server_have_one_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    package = json.loads((EXTENSION / "package.json").read_text(encoding="utf-8"))
    assert package["version"] == project["project"]["version"]
