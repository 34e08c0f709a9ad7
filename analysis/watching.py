"""Notices files of a workspace that change on disk, for editors that do not tell; it opens no file and follows no link."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from assist.analysis.workspace_files import IgnoreRules, is_walked

if TYPE_CHECKING:
    from watchdog.observers.api import BaseObserver

# Each watch is a thread and, in older versions of watchdog, one of the few that a user may have.
WATCHES_MAX = 48
# Folders below a watch; systems allow a user some ten thousands.
FOLDERS_MAX = 4_000
CHANGES = frozenset({"created", "modified", "moved", "deleted"})

OnChange = Callable[[Path], None]


@dataclass
class Watch:
    """A running watch; ``watches`` counts the folders that are watched with all below them."""

    observer: BaseObserver
    watches: int = 0

    def stop(self) -> None:
        """End it; nothing is reported any more."""
        self.observer.stop()
        self.observer.join()


def watch(roots: Iterable[Path], on_change: OnChange) -> Watch:
    """Call ``on_change``, in another thread, with each file that appears, changes, moves or goes.

    Each root is watched, and each folder in it with all below, unless ignore files leave it out,
    it is hidden or an environment. What does not fit within the bounds, or within those of the
    system, stays unwatched.
    """
    from watchdog.events import FileSystemEvent, FileSystemEventHandler
    from watchdog.observers import Observer

    started = Watch(Observer())

    class Handler(FileSystemEventHandler):
        def __init__(self, root: Path) -> None:
            self.root, self.rules = root, IgnoreRules(root)

        def on_any_event(self, event: FileSystemEvent) -> None:
            places = [Path(os.fsdecode(place)) for place in (event.src_path, event.dest_path)]
            for path in places if event.event_type in CHANGES else ():
                if path == Path() or not path.is_relative_to(self.root):
                    continue
                if not event.is_directory:
                    if self.is_seen(path.parent):
                        on_change(path)
                elif path.parent == self.root and event.event_type in ("created", "moved"):
                    self.add(path)

        def is_seen(self, folder: Path) -> bool:
            above = (each for each in (folder, *folder.parents) if each.is_relative_to(self.root))
            return all(is_walked(each, self.rules) for each in above if each != self.root)

        def add(self, folder: Path) -> None:
            is_root = folder == self.root
            if not is_root and not (self.is_seen(folder) and _fits(folder)):
                return
            # The folder is gone, or the system has no watches left.
            with contextlib.suppress(OSError):
                if started.watches < WATCHES_MAX:
                    started.observer.schedule(self, str(folder), recursive=not is_root)
                    started.watches += 1

    started.observer.start()
    for root in roots:
        handler = Handler(root)
        for folder in (root, *_folders(root)):
            handler.add(folder)
    return started


def _folders(folder: Path) -> list[Path]:
    """The folders right below one, links left out."""
    try:
        with os.scandir(folder) as entries:
            return sorted(Path(e.path) for e in entries if e.is_dir(follow_symlinks=False))
    except OSError:
        return []


def _fits(folder: Path) -> bool:
    """Whether so few folders are below one that it can be watched as a whole."""
    found = [folder]
    for each in found:
        found += _folders(each)
        if len(found) > FOLDERS_MAX:
            return False
    return folder.is_dir()
