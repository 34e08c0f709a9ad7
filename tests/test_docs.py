"""The documents say what the program does: every command, every setting, every model, every link."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from assist.server.cli import group
from support.readme import generated

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = ("README.md", "ARCHITECTURE.md", "CHANGELOG.md", "EDITORS.md")
LINK = re.compile(r"\]\((?!https?://|#)([^)#\s]+)\)|src=\"(?!https?://)([^\"]+)\"")
# Absolute paths of whoever runs the tests, and of users in general.
HERE = "|".join(re.escape(str(place)) for place in (Path.home(), ROOT) if len(place.parts) > 1)
WORDS_OF_THIS_MACHINE = re.compile(rf"(?<![\w.~])(?:{HERE or '/home'}|/home/\w+)/|127\.0\.0\.1:\d")


def check(text: str, where: str) -> None:
    assert text in README, f"README.md does not tell about {where}"


def commands(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if not isinstance(command, click.Group):
        yield path
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        child = command.get_command(context, name)
        assert child is not None
        yield from commands(child, (*path, name))


def test_every_command_is_documented() -> None:
    for path in commands(group, ("assist",)):
        check(" ".join(path), f"the command {' '.join(path)}")


def test_every_command_says_what_it_does() -> None:
    def walk(command: click.Command, name: str) -> None:
        assert command.help, f"{name} has no help"
        for option in command.params:
            if isinstance(option, click.Option) and not name.startswith("assist bench "):
                assert option.help, f"{name} {option.name} has no help"
        if isinstance(command, click.Group):
            context = click.Context(command)
            for child in command.list_commands(context):
                found = command.get_command(context, child)
                assert found is not None
                walk(found, f"{name} {child}")

    walk(group, "assist")


def test_the_tables_are_those_of_the_program() -> None:
    assert generated(README) == README, "run: python tests/support/readme.py"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_somewhere(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    for match in LINK.finditer(text):
        target = match[1] or match[2]
        assert (ROOT / target).exists(), f"{name}: {target}"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents_know_no_machine(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert not WORDS_OF_THIS_MACHINE.search(text)


def test_make_targets_of_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    named = re.findall(r"(?:`|^)make ([a-z-]+)", README, re.MULTILINE)
    assert named and set(named) <= targets


def test_the_architecture_names_what_exists() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    for path in re.findall(r"`((?:server|completion|analysis|models|cache|tests)/[\w./-]*)`", text):
        assert (ROOT / path).exists(), path
