"""Worker, part 8: namespaces of its own and a throw-away copy of the workspace for the user's test run; it writes to nothing that outlives it.

Used where bubblewrap does not make the namespaces. Source: Linux man-pages unshare(2),
mount_namespaces(7), user_namespaces(7).
"""

from __future__ import annotations

import ctypes
import fnmatch
import os
import shutil
from typing import Any

from assist.analysis.execution.worker_lockdown import LockdownError, _libc

NEW_NAMESPACES = 0x00020000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000
MS_NOSUID, MS_NODEV, MS_BIND, MS_REC, MS_PRIVATE = 2, 4, 4096, 16384, 1 << 18


def enter_namespaces() -> None:
    """New user, mount, process, network, IPC and host-name namespaces; returns in process 1 of them."""
    uid, gid = os.getuid(), os.getgid()
    if _libc().unshare(NEW_NAMESPACES) < 0:
        error = ctypes.get_errno()
        raise LockdownError(error, f"namespaces: {os.strerror(error)}")
    for path, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{uid} {uid} 1"),
        ("gid_map", f"{gid} {gid} 1"),
    ):
        with open(f"/proc/self/{path}", "w") as file:
            file.write(text)
    pid = os.fork()
    if pid:
        _, status = os.waitpid(pid, 0)
        os._exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 125)
    _mount(None, "/", None, MS_REC | MS_PRIVATE)


def private_folders(config: dict[str, Any]) -> None:
    """A memory file system as scratch, and a copy of the workspace in the workspace's place."""
    scratch, workspace = config["scratch"], config["workspace"]
    if config["own_namespaces"]:
        options = f"size={config['disk_bytes']},nr_inodes={config['inodes']},mode=700"
        _mount("tmpfs", scratch, "tmpfs", MS_NOSUID | MS_NODEV, options)
    source = config["copy_from"]
    target = os.path.join(scratch, "workspace") if config["own_namespaces"] else workspace
    copy_workspace(source, target, config)
    for name in ("home", "tmp"):
        os.makedirs(os.path.join(scratch, name), exist_ok=True)
    if config["own_namespaces"]:
        _mount(target, workspace, None, MS_BIND | MS_REC)
    os.chdir(workspace)


def copy_workspace(source: str, target: str, config: dict[str, Any]) -> None:
    """Files that are neither secret nor somebody else's build output, up to ``disk_bytes / 2``."""
    room = config["disk_bytes"] // 2
    for folder, names, files in os.walk(source):
        relative = os.path.relpath(folder, source)
        names[:] = [name for name in names if not _left_out(name, config)]
        os.makedirs(os.path.join(target, relative), exist_ok=True)
        for name in files:
            path = os.path.join(folder, name)
            if _left_out(name, config) or os.path.islink(path) or not os.path.isfile(path):
                continue
            try:
                room -= os.path.getsize(path)
                if room < 0:
                    raise LockdownError(28, "the workspace is too large to copy")
                shutil.copy(path, os.path.join(target, relative, name))
            except PermissionError:
                continue


def _left_out(name: str, config: dict[str, Any]) -> bool:
    return any(fnmatch.fnmatch(name, pattern) for pattern in config["left_out"])


def used_up(config: dict[str, Any]) -> str:
    """What the test run used too much of, empty if nothing."""
    for path in (config["scratch"], config["workspace"]):
        state = os.statvfs(path)
        if (state.f_blocks - state.f_bfree) * state.f_frsize > config["disk_bytes"]:
            return "too much disk space"
        if state.f_files - state.f_ffree > config["inodes"]:
            return "too many files"
    return ""


def _mount(source: Any, target: str, kind: Any, flags: int, data: Any = None) -> None:
    encoded = [None if each is None else os.fsencode(each) for each in (source, target, kind, data)]
    result = _libc().mount(encoded[0], encoded[1], encoded[2], ctypes.c_ulong(flags), encoded[3])
    if result < 0:
        error = ctypes.get_errno()
        raise LockdownError(error, f"mount {target}: {os.strerror(error)}")
