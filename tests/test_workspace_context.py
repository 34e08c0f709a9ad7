"""What the prompt tells about files of the workspace that are not open."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from assist.analysis.document import Document, Edit, Span
from assist.analysis.languages import language_id
from assist.analysis.workspace_index import Workspaces
from assist.completion.context import CODE_POINTS_MAX
from assist.completion.engine import CompletionOptions, EngineSession, complete
from assist.models.kv_session import KvSession
from assist.models.scripted import ScriptedModel
from assist.models.template import PREFIX_ONLY
from support.lsp import editor

# Tokens of a prompt that only fit where something is told.
LARGE = 36

HELPER = '''def scale(value, by=2):
    """Value times a factor."""
    factor = by or 1
    return value * factor


class Shape(object):
    """A thing with an area."""

    def __init__(self, name):
        self.name = name

    def area(self, unit="m"):
        return 0
'''


def never() -> bool:
    return False


def session_in(root: Path, files: Mapping[str, str]) -> EngineSession:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    kv = KvSession(ScriptedModel({"$": "1\n"}, context_tokens=8192))
    return EngineSession(kv, PREFIX_ONLY, Workspaces([root]))


def prompt_of(session: EngineSession, document: Document, offset: int) -> str:
    complete(
        session, document, document.position_at(offset), CompletionOptions(context_tokens_max=4096)
    )
    return session.kv.model.vocabulary.detokenize(session.kv.tokens.tolist()).decode(
        "utf-8", "replace"
    )


def told(root: Path, files: Mapping[str, str], source: str, name: str = "main.py") -> str:
    """The lines before the document in its prompt, after idle time."""
    session = session_in(root, files)
    offset = source.index("$0")
    text = source.replace("$0", "")
    document = Document((root / name).as_uri(), text, language=language_id(name))
    session.workspaces.learn([document], never)
    session.workspaces.explore(never)
    return prompt_of(session, document, offset).partition(text[:offset])[0]


def check(
    root: Path, files: Mapping[str, str], source: str, *expected: str, name: str = "main.py"
) -> None:
    assert told(root, files, source, name).splitlines() == list(expected)


SCALE = '# def scale(value, by=2): """Value times a factor."""'


def test_imported_functions_and_classes(tmp_path: Path) -> None:
    check(tmp_path, {"helper.py": HELPER}, "from helper import scale\nx = $0\n", SCALE)
    check(
        tmp_path,
        {"helper.py": HELPER},
        "from helper import Shape as S\nx = S('a').area$0",
        '# class Shape(object): """A thing with an area."""',
        "#     def __init__(self, name)",
        '#     def area(self, unit="m")',
    )


def test_long_signatures_lose_their_end_and_classes_show_their_fields(tmp_path: Path) -> None:
    parameters = "".join(f"    parameter_{number}: int,\n" for number in range(12))
    record = '@dataclass\nclass Record:\n    """One row."""\n\n    id: int\n    name: str = ""\n'
    files = {"helper.py": f"def long(\n{parameters}) -> None:\n    pass\n\n{record}"}
    shown = ", ".join(f"parameter_{number}: int" for number in range(7))
    check(
        tmp_path,
        files,
        "from helper import long, Record\nx = $0\n",
        f"# def long({shown.rpartition(', ')[0]}, ...)",
        '# class Record: """One row."""',
        '#     id: int; name: str = ""',
    )


@pytest.mark.parametrize(
    ("where", "statement"),
    [
        ("pkg/helper.py", "from .helper import scale"),
        ("pkg/helper.py", "from pkg.helper import scale"),
        ("pkg/helper.py", "from . import helper\nhelper.scale"),
        ("pkg/helper.py", "import pkg.helper\npkg.helper.scale"),
        ("pkg/helper.py", "import pkg.helper as h\nh.scale"),
        ("pkg/helper.py", "from .helper import *\nscale"),
        ("pkg/helper.py", "from .helper import (\n    # the one\n    scale,\n)"),
        ("src/other/helper.py", "from other.helper import scale"),
        ("other/helper.py", "from ..other.helper import scale"),
        ("analysis/helper.py", "from mapped.analysis.helper import scale"),
    ],
)
def test_ways_to_import(tmp_path: Path, where: str, statement: str) -> None:
    check(tmp_path, {where: HELPER}, f"{statement}\nx = $0\n", SCALE, name="pkg/main.py")


def test_names_that_are_passed_on(tmp_path: Path) -> None:
    files = {"pkg/__init__.py": "from .core import scale\n", "pkg/core.py": HELPER}
    check(tmp_path, files, "from pkg import scale\nx = $0\n", SCALE)
    circle = {"a.py": "from b import x\n", "b.py": "from a import x\n"}
    check(tmp_path, circle, "from a import x\nx$0\n")


def test_the_function_that_is_called(tmp_path: Path) -> None:
    files = {
        "helper.py": HELPER,
        "usage.py": "import helper\n# scale(1)\nprint(helper.scale(3, by=4))\n",
        "wrong.py": "def scale(a): ...\n",
    }
    check(
        tmp_path,
        files,
        "from helper import scale\ny = scale(len([1]), $0)\n",
        SCALE,
        "#     factor = by or 1",
        "#     return value * factor",
        "# print(helper.scale(3, by=4))",
    )
    check(
        tmp_path,
        files,
        "from helper import Shape\n\ndef f(thing):\n    thing.area($0)\n",
        '# class Shape(object): """A thing with an area."""',
        "#     def __init__(self, name)",
        '#     def area(self, unit="m")',
        '# def area(self, unit="m")',
        "#     return 0",
    )


def test_the_bases_of_the_class(tmp_path: Path) -> None:
    check(
        tmp_path,
        {"helper.py": HELPER},
        "from helper import Shape\n\nclass Square(Shape):\n    side = 1\n    $0\n",
        '# class Shape(object): """A thing with an area."""',
        "#     def __init__(self, name)",
        '#     def area(self, unit="m")',
    )


def test_relative_imports_of_javascript(tmp_path: Path) -> None:
    helper = "export function scale(value, by) {\n  return value * by;\n}\n"
    for statement in ("import { scale } from './helper';", "import * as h from '../web/helper.js'"):
        use = "" if "{" in statement else "h.scale;"
        check(
            tmp_path,
            {"web/helper.js": helper},
            f"{statement}\n{use}const x = $0\n",
            "// function scale(value, by)",
            name="web/main.js",
        )


def test_nothing_of_the_workspace_changes_nothing(tmp_path: Path) -> None:
    source = "import os\n\ndef f():\n    pass\n\nprint($0)\n"
    files = {"helper.py": HELPER, "os_like.py": "def f(): ...\n"}
    assert told(tmp_path, files, source) == told(tmp_path / "empty", {}, source) == ""


def test_lines_like_those_at_the_cursor(tmp_path: Path) -> None:
    lines = [f"    total_{name} = parse_{name}(row, column)" for name in ("red", "blue", "green")]
    session = session_in(tmp_path, {})
    other = Document((tmp_path / "other.py").as_uri(), "def g():\n" + "\n".join(lines) + "\n")
    prompt_of(session, other, 0)
    source = "def f():\n" + "\n".join(lines[:2]) + "\n    "
    prompt = prompt_of(session, Document((tmp_path / "main.py").as_uri(), source), len(source))
    assert prompt.startswith("# def g():\n# " + lines[0])
    outside = EngineSession(KvSession(ScriptedModel(context_tokens=8192)), PREFIX_ONLY)
    prompt_of(outside, other, 0)
    assert prompt_of(outside, Document("file:///m.py", source), len(source)).startswith("def f()")


def test_the_budget_holds(tmp_path: Path) -> None:
    names = [f"function_number_{number}" for number in range(60)]
    helper = "".join(f"def {name}(first, second):\n    return 1\n\n" for name in names)
    near = "".join(f"def near_{number}():\n    pass\n" for number in range(600))
    uses = "".join(f"y = {name}(1, 2)\n" for name in names)
    source = f"from helper import {', '.join(names)}\n{near}{uses}x = {names[0]}($0"
    whole = told(tmp_path, {"helper.py": helper}, source)
    lines = [line for line in whole.splitlines(keepends=True) if line.startswith("# ")]
    assert "# def function_number_1(first, second)\n" in lines
    assert any(line.startswith("# def near_") for line in lines)
    assert CODE_POINTS_MAX / 2 < sum(map(len, lines)) <= CODE_POINTS_MAX


IGNORED = [
    ("helper.py", {".gitignore": "helper.py\n"}),
    ("pkg/helper.py", {".assistignore": "pkg/\n"}),
    ("pkg/helper.py", {"pkg/.gitignore": "*.py\n"}),
    ("pkg/helper.py", {".gitignore": "/pkg\n!helper.py\n"}),
    ("helper.py", {".git/info/exclude": "helper.py\n"}),
    ("helper.py", {".gitignore": "\\\nhelper.py\n"}),
    ("helper.py", {".gitignore": "h*e*l*p*e*r*nothing\n"}),
    ("node_modules/helper.py", {}),
    (".hidden/helper.py", {}),
    ("env/helper.py", {"env/pyvenv.cfg": ""}),
    ("secrets.py", {}),
    (".env.py", {}),
]


@pytest.mark.parametrize(("name", "more"), IGNORED)
def test_what_is_ignored_is_not_told(tmp_path: Path, name: str, more: dict[str, str]) -> None:
    module = name.removesuffix(".py").lstrip(".").replace("/", ".").replace(".env", "env")
    source = f"from {module} import scale\nscale($0\n"
    files = {name: HELPER, "use.py": f"import {module}\nscale(2)\n"}
    assert told(tmp_path, {**files, **more}, source) == ""


def test_ignore_files_can_take_back(tmp_path: Path) -> None:
    files = {"helper.py": HELPER, ".gitignore": "*.py\n", ".assistignore": "!helper.py\n"}
    check(tmp_path, files, "from helper import scale\nx = $0\n", SCALE)


def test_an_open_file_that_is_ignored_is_not_told(tmp_path: Path) -> None:
    session = session_in(tmp_path, {".assistignore": "helper.py\n", "helper.py": HELPER})
    prompt_of(session, Document((tmp_path / "helper.py").as_uri(), HELPER), 0)
    main = Document((tmp_path / "main.py").as_uri(), "from helper import scale\nscale(")
    assert prompt_of(session, main, len(main.text)) == main.text


def test_secrets_are_never_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    real_open = os.open

    def spy(path: os.PathLike[str] | str, flags: int, *rest: int) -> int:
        opened.append(Path(path).name)
        return real_open(path, flags, *rest)

    monkeypatch.setattr(os, "open", spy)
    secrets = (
        ".env",
        ".env.local",
        "server.pem",
        "id_rsa",
        "id_rsa.py",
        "credentials.py",
        ".env.py",
    )
    files = dict.fromkeys((*secrets, "plain.py"), "KEY = 1\ndef scale(): ...\n")
    told(tmp_path, files, "import id_rsa, credentials\nx = $0\n")
    assert "plain.py" in opened and not set(secrets) & set(opened)


def test_keys_links_and_large_files_are_not_told(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "far.py").write_text(HELPER)
    root = tmp_path / "root"
    root.mkdir()
    (root / "far.py").symlink_to(outside / "far.py")
    (root / "folder").symlink_to(outside)
    os.mkfifo(root / "pipe.py")
    os.mkfifo(root / ".gitignore")
    (root / "binary.py").write_bytes(b"\xff\xfe\0" + HELPER.encode())
    files = {
        "key.py": HELPER + "K = '-----BEGIN RSA PRIVATE KEY-----'\n",
        "large.py": HELPER + "#" * 300_000,
    }
    for module in ("far", "folder.far", "pipe", "key", "large", "binary"):
        check(root, files, f"from {module} import scale\nscale($0\n")


def test_broken_files_tell_what_they_can(tmp_path: Path) -> None:
    broken = "class ((((\n\ndef scale(value, by=2):\n    return (value\n\nx = = )\n"
    check(
        tmp_path,
        {"helper.py": broken},
        "from helper import scale\nx = $0\n",
        "# def scale(value, by=2)",
    )
    check(tmp_path, {"helper.py": "\0\0"}, "from helper import (scale\nx = $0\n")


def typed(session: EngineSession, root: Path, head: str, keys: str) -> list[str]:
    """What is told after each key."""
    document = Document((root / "main.py").as_uri(), head)
    found = []
    for key in keys:
        end = len(document.text)
        document = document.apply([Edit(Span(end, end), key)])
        prompt = prompt_of(session, document, end + 1)
        found.append(prompt.partition("from helper")[0])
    return found


def test_typing_in_one_place_changes_nothing(tmp_path: Path) -> None:
    session = session_in(
        tmp_path, {"helper.py": HELPER, "use.py": "from helper import scale\nscale(7)\n"}
    )
    head = "from helper import scale, Shape\n\ndef f(value):\n    "
    session.workspaces.learn([Document((tmp_path / "main.py").as_uri(), head)], never)
    session.workspaces.explore(never)
    keys = "total = value + [1, (2)]\n    other = 'scale' if total else {}\n    "
    assert len(set(typed(session, tmp_path, head, keys))) == 1
    call = typed(
        session, tmp_path, head + keys, "scale(value, by=total[0])\n    return other\n    "
    )
    assert len(set(call)) == 2
    assert call[0] != call[-1] and "scale(7)" in call[-1]
    assert call[-1].startswith(call[0].removesuffix("\n"))


def test_another_function_hears_of_new_imports(tmp_path: Path) -> None:
    session = session_in(tmp_path, {"helper.py": HELPER})
    head = "import os\n\ndef f():\n    "
    assert not any("scale" in lines for lines in typed(session, tmp_path, head, "pass"))
    grown = "from helper import scale\n" + head + "pass\n\ndef g():\n    x = "
    document = Document((tmp_path / "main.py").as_uri(), grown)
    session.workspaces.learn([document], never)
    assert prompt_of(session, document, len(grown)).startswith(SCALE)


def test_a_file_that_changes_is_read_again(tmp_path: Path) -> None:
    session = session_in(tmp_path, {"helper.py": HELPER})
    for text, line in ((HELPER, SCALE), ("def scale(a): ...\n", "# def scale(a)")):
        (tmp_path / "helper.py").write_text(text)
        session.workspaces.changed([tmp_path / "helper.py"])
        source = "from helper import scale\n" + "\n" * len(text) + "x = "
        document = Document((tmp_path / f"m{len(text)}.py").as_uri(), source)
        session.workspaces.learn([document], never)
        assert prompt_of(session, document, len(source)).startswith(line)


def test_new_and_deleted_files_and_rules(tmp_path: Path) -> None:
    session = session_in(tmp_path, {"a.py": "f(1)\n"})
    index = session.workspaces.of((tmp_path / "main.py").as_uri())
    assert index is not None
    index.explore(never)
    (tmp_path / "b.py").write_text("f(2)\n")
    (tmp_path / "a.py").unlink()
    index.changed([tmp_path / "b.py", tmp_path / "a.py"])
    index.explore(never)
    assert [path.name for path in index.files("python")] == ["b.py"]
    (tmp_path / ".assistignore").write_text("b.py\n")
    index.changed([tmp_path / ".assistignore"])
    index.explore(never)
    assert not list(index.files("python"))


def test_what_may_no_longer_be_read_is_no_longer_told(tmp_path: Path) -> None:
    source = "from helper import scale\nx = "
    document = Document((tmp_path / "main.py").as_uri(), source)
    ignore = tmp_path / ".assistignore"
    for take_away in (
        lambda session: (ignore.write_text("helper.py"), session.workspaces.changed([ignore])),
        lambda session: session.workspaces.configure([]),
    ):
        session = session_in(tmp_path, {"helper.py": HELPER, ".assistignore": ""})
        session.workspaces.learn([document], never)
        assert prompt_of(session, document, len(source)).startswith(SCALE)
        take_away(session)
        assert prompt_of(session, document, len(source)) == source


def test_work_stops_between_two_files_and_goes_on(tmp_path: Path) -> None:
    session = session_in(tmp_path, {f"m{number}.py": "f(1)\n" for number in range(5)})
    index = session.workspaces.of((tmp_path / "main.py").as_uri())
    assert index is not None
    rounds = 1
    while not index.explore(lambda: True):
        rounds += 1
    assert rounds > 5
    assert len(list(index.files("python"))) == 5


async def prompt_tokens(root: Path, **variables: str) -> int:
    """Size of the largest prompt of an editor that goes to and fro between two functions."""
    text = "from helper import scale\n\n\ndef f():\n    x = \n\n\ndef g():\n    y = \n"
    main, largest = (root / "main.py").as_uri(), 0
    async with editor(folders=[root.as_uri()], uri=main, environment=variables) as session:
        session.open(text)
        await session.wait_for("ready")
        for name, line in zip("abcdefgh", (4, 8) * 4, strict=True):
            session.change((line, 4), (line, 5), name)
            await session.ghost_texts(line, 8)
            report = await session.command("assist.lastCompletion")
            largest = max(largest, report["tokens"]["prompt"])
            if largest > LARGE:
                break
            await asyncio.sleep(0.5)
    return largest


@pytest.mark.model
@pytest.mark.asyncio
async def test_the_engine_learns_while_it_is_idle(tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text(HELPER)
    (tmp_path / "main.py").write_text("")
    assert 0 < await prompt_tokens(tmp_path, ASSIST_CONTEXT_WORKSPACE="0") < LARGE
    assert await prompt_tokens(tmp_path) > LARGE
