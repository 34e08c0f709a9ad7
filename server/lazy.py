"""A group of commands that are imported when they are called, so that `assist --help` is instant; it knows no command."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import click

COMMAND_FUNCTION = "command"
HELP_COLUMNS_MAX = 64


class LazyGroup(click.Group):
    """Commands by name: ``modules`` maps each to the module of ``package`` that defines `command`."""

    def __init__(self, *args: Any, package: str, modules: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.package = package
        self.modules = modules

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(self.modules)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.modules:
            return None
        module = importlib.import_module(f"{self.package}.{self.modules[cmd_name]}")
        return cast(click.Command, module.command)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """One line per command, read from the source: importing all of them takes a second."""
        rows = [(name, self._short_help(name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def _short_help(self, name: str) -> str:
        spec = importlib.util.find_spec(f"{self.package}.{self.modules[name]}")
        if spec is None or spec.origin is None:
            return ""
        tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and node.name == COMMAND_FUNCTION:
                text = (ast.get_docstring(node) or "").partition(". ")[0].partition("\n\n")[0]
                return textwrap.shorten(text.rstrip("."), HELP_COLUMNS_MAX, placeholder=" …")
        return ""
