from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from assist.analysis.watching import WATCHES_MAX, watch
from assist.server.watching import report_changes
from support.lsp import ANSWER_S_MAX, editor

SECONDS_MAX = 20


def check(folder: Path, change: Callable[[], object], seen: set[Path], unseen: set[Path]) -> None:
    """``change`` is noticed in the files ``seen`` of a folder and not in those ``unseen``."""
    noticed: list[Path] = []
    watched = watch([folder], noticed.append)
    try:
        change()
        end = time.monotonic() + SECONDS_MAX
        while not seen.issubset(noticed) and time.monotonic() < end:
            time.sleep(0.05)
    finally:
        watched.stop()
    assert seen.issubset(noticed)
    assert not unseen.intersection(noticed)


def test_files_that_appear_change_move_and_go(tmp_path: Path) -> None:
    new, old, moved, gone = (
        tmp_path / name for name in ("new.py", "old.py", "moved.py", "gone.py")
    )
    for path in (old, gone):
        path.write_text("a = 1\n")

    def change() -> None:
        new.write_text("b = 1\n")
        old.rename(moved)
        gone.unlink()

    check(tmp_path, change, {new, old, moved, gone}, set())


def test_files_of_a_folder_that_is_made_meanwhile(tmp_path: Path) -> None:
    late = tmp_path / "package" / "late.py"

    def change() -> None:
        late.parent.mkdir()
        for number in range(200):
            late.write_text(f"a = {number}\n")
            time.sleep(0.02)

    check(tmp_path, change, {late}, set())


def test_ignored_folders_are_not_watched(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("built/\n")
    names = ("built", "node_modules", ".hidden", "source/node_modules", "source/package")
    files = [tmp_path / name / "a.py" for name in names]
    late = tmp_path / ".venv" / "a.py"
    for file in files:
        file.parent.mkdir(parents=True)

    def change() -> None:
        late.parent.mkdir()
        for file in (late, *files):
            file.write_text("a = 1\n")

    check(tmp_path, change, {files[-1]}, {late, *files[:-1]})


def test_a_workspace_of_many_folders_takes_few_watches(tmp_path: Path) -> None:
    for number in range(WATCHES_MAX + 20):
        (tmp_path / f"package_{number}").mkdir()
    watched = watch([tmp_path], lambda path: None)
    watched.stop()
    assert watched.watches == WATCHES_MAX


def test_a_folder_that_is_not_there_is_no_error(tmp_path: Path) -> None:
    watched = watch([tmp_path / "missing"], lambda path: None)
    watched.stop()


@pytest.mark.asyncio
async def test_many_changes_are_reported_at_once_and_other_folders_are_followed(
    tmp_path: Path,
) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
    current = [folders[0].as_uri()]
    reports: list[tuple[str, ...]] = []

    async def report(uris: tuple[str, ...]) -> None:
        reports.append(uris)

    async def until_reported(path: Path) -> None:
        async with asyncio.timeout(SECONDS_MAX):
            while not any(path.as_uri() in uris for uris in reports):
                path.write_text(f"a = {time.monotonic()}\n")
                await asyncio.sleep(0.1)

    running = asyncio.create_task(report_changes(lambda: current, report))
    try:
        await until_reported(folders[0] / "a.py")
        current[0] = folders[1].as_uri()
        await until_reported(folders[1] / "b.py")
    finally:
        running.cancel()
    assert all(len(set(uris)) == len(uris) for uris in reports)


@pytest.mark.model
@pytest.mark.asyncio
async def test_the_server_notices_settings_that_another_program_writes(tmp_path: Path) -> None:
    async with editor(folders=[tmp_path.as_uri()]) as session, asyncio.timeout(ANSWER_S_MAX):
        while not (await session.command("assist.status"))["problems"]:
            text = "[tool.assist]\nsuggest.seconds = 'x'\n"
            (tmp_path / "pyproject.toml").write_text(text)
            await asyncio.sleep(1)
