"""Measurements take turns, among threads and among processes; whoever dies gives its turn back."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from assist.analysis.errors import Cancelled
from assist.analysis.execution.turn import NoTurn, lock_file, measuring_turn

HOLDER = """
import sys, time
from assist.analysis.execution.turn import measuring_turn
with measuring_turn(None, 60.0):
    print("mine", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))


def check(expected: type[Exception] | None, *, cancelled: bool = False) -> None:
    """Ask for a turn that should be refused in that way, or given."""
    if expected is None:
        with measuring_turn(None, 60.0):
            return
    with (
        pytest.raises(expected),
        measuring_turn((lambda: True) if cancelled else None, seconds_max=0.2),
    ):
        pass


def test_one_thread_at_a_time() -> None:
    inside, most = 0, 0

    def work() -> None:
        nonlocal inside, most
        for _ in range(5):
            with measuring_turn(None, 60.0):
                inside += 1
                most = max(most, inside)
                threading.Event().wait(0.002)
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (inside, most) == (0, 1)


def test_one_process_at_a_time_and_a_dead_one_gives_it_back() -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout is not None and holder.stdin is not None
    assert holder.stdout.readline() == b"mine\n"
    check(NoTurn)
    check(Cancelled, cancelled=True)
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    check(None)
    holder.stdin.close()
    holder.stdout.close()


def test_a_lock_file_that_cannot_be_opened_is_no_hindrance() -> None:
    lock_file().symlink_to("/nowhere/else")
    check(None)
