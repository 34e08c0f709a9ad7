"""Writes the server's settings into the extension's package.json, so that the two cannot drift; it invents none."""

from __future__ import annotations

import json
from pathlib import Path

from assist.server.settings import schema

PACKAGE = Path(__file__).parent.parent / "package.json"
# Settings of the extension itself; trust comes from VS Code and is no setting there.
OWN = {
    "assist.server.path": {
        "type": "string",
        "default": "",
        "scope": "machine-overridable",
        "markdownDescription": "Path of the program `assist`. Empty: the workspace's `.venv`, the "
        "selected Python environment, the extension's private environment, then the search path.",
    },
    "assist.codeLens": {
        "type": "boolean",
        "default": False,
        "scope": "resource",
        "description": "Show 'Find a faster version' above functions. Nothing runs before you click it.",
    },
    "assist.trace.server": {
        "type": "string",
        "enum": ["off", "messages", "verbose"],
        "default": "off",
        "scope": "window",
        "description": "Write the messages between VS Code and the server to the output 'assist trace'.",
    },
}
HIDDEN = frozenset({"workspace.trusted"})


def configuration() -> dict[str, object]:
    """The `contributes.configuration.properties` of the extension."""
    server = {f"assist.{key}": value for key, value in schema().items() if key not in HIDDEN}
    return {**OWN, **server}


def main() -> None:
    package = json.loads(PACKAGE.read_text(encoding="utf-8"))
    package["contributes"]["configuration"]["properties"] = configuration()
    PACKAGE.write_text(json.dumps(package, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
