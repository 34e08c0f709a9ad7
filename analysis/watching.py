"""Notices files of a workspace that change on disk, for editors that do not tell; it opens no file and follows no link."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from assist.analysis.workspace_files import IgnoreRules, is_walked

if TYPE_CHECKING:
    from watchdog.observers.api import BaseObserver

# Folders of all workspaces that are watched; systems allow a user some thousands.
WATCHED_FOLDERS_MAX = 2_000
CHANGES = frozenset({"created", "modified", "moved", "deleted"})

OnChange = Callable[[Path], None]


@dataclass
class Watch:
    """A running watch; ``folders`` counts what it watches."""

    observer: BaseObserver
    folders: int = 0

    def stop(self) -> None:
        """End it; nothing is reported any more."""
        self.observer.stop()
        self.observer.join()


def watch(roots: Iterable[Path], on_change: OnChange) -> Watch:
    """Call ``on_change``, in another thread, with each file that appears, changes, moves or goes.

    Folders that ignore files leave out are not watched, nor hidden ones and environments; new
    ones are. Where the system allows no more watches, the rest of the folders stays unwatched.
    """
    from watchdog.events import FileSystemEvent, FileSystemEventHandler
    from watchdog.observers import Observer

    started = Watch(Observer())

    class Handler(FileSystemEventHandler):
        def __init__(self, rules: IgnoreRules) -> None:
            self.rules = rules

        def on_any_event(self, event: FileSystemEvent) -> None:
            places = [Path(os.fsdecode(place)) for place in (event.src_path, event.dest_path)]
            for path in places if event.event_type in CHANGES else ():
                if not event.is_directory and path != Path():
                    on_change(path)
                elif event.event_type in ("created", "moved") and path.is_dir():
                    self.add(path)

        def add(self, folder: Path) -> None:
            for each in _folders(folder, self.rules):
                if started.folders >= WATCHED_FOLDERS_MAX:
                    return
                started.observer.schedule(self, str(each))
                started.folders += 1

    started.observer.start()
    for root in roots:
        # The folder is gone, or the system has no watches left.
        with contextlib.suppress(OSError):
            Handler(IgnoreRules(root)).add(root)
    return started


def _folders(root: Path, rules: IgnoreRules) -> Iterator[Path]:
    """A folder and those below it that may be read, near ones first."""
    folders = [root]
    for folder in folders:
        yield folder
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            below = (Path(e.path) for e in entries if e.is_dir(follow_symlinks=False))
            folders += sorted(path for path in below if is_walked(path, rules))
        del folders[WATCHED_FOLDERS_MAX:]
