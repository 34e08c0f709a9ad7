"""Asks git what a workspace looked like at a revision; it runs no hook, no filter and no program that the repository names."""

from __future__ import annotations

import subprocess
from pathlib import Path

from assist.analysis.errors import GitError

SECONDS_MAX = 30
OUTPUT_BYTES_MAX = 32 << 20
HARMLESS = (
    "--no-optional-locks",
    "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "diff.external=",
    "-c", "protocol.allow=never", "-c", "core.quotePath=false",
)  # fmt: skip


def changed_files(workspace: Path, revision: str) -> list[Path]:
    """Python files that differ from ``revision``, also those git does not know yet; raises GitError."""
    commit = _commit(workspace, revision)
    top = Path(_git(workspace, "rev-parse", "--show-toplevel").strip())
    listed = _git(
        workspace,
        "diff",
        "--no-ext-diff",
        "--no-textconv",
        "--name-only",
        "-z",
        "--diff-filter=AMRT",
        commit,
        "--",
    )
    names = [name for name in listed.split("\0") if name.endswith(".py")]
    untracked = _git(
        workspace, "ls-files", "--others", "--exclude-standard", "-z", "--full-name", "--", ":/"
    )
    names += [name for name in untracked.split("\0") if name.endswith(".py")]
    return [top / name for name in dict.fromkeys(names) if (top / name).is_file()]


def text_at(workspace: Path, revision: str, path: Path) -> str | None:
    """Text of a file at a revision; None if it was not there. Raises GitError."""
    commit = _commit(workspace, revision)
    top = Path(_git(workspace, "rev-parse", "--show-toplevel").strip()).resolve()
    try:
        name = path.resolve().relative_to(top).as_posix()
    except ValueError:
        return None
    try:
        return _git(workspace, "cat-file", "blob", f"{commit}:{name}")
    except GitError:
        return None


def _commit(workspace: Path, revision: str) -> str:
    if revision.startswith("-"):
        raise GitError(f"{revision} is not a git revision")
    try:
        return _git(
            workspace,
            "rev-parse",
            "--verify",
            "--quiet",
            "--end-of-options",
            f"{revision}^{{commit}}",
        ).strip()
    except GitError as error:
        if "not a git repository" in str(error):
            raise
        raise GitError(
            f"{revision} is not a revision of the git repository at {workspace}"
        ) from error


def _git(workspace: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", *HARMLESS, "-C", str(workspace), *arguments],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=SECONDS_MAX,
            check=False,
        )
    except FileNotFoundError as error:
        raise GitError("git is not installed; name files instead of --since") from error
    except subprocess.TimeoutExpired as error:
        raise GitError(f"git did not answer within {SECONDS_MAX} seconds") from error
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        if any("not a git repository" in line for line in said):
            raise GitError(f"{workspace} is not a git repository; name files instead of --since")
        raise GitError(f"git: {said[0] if said else 'failed'}")
    if len(done.stdout) > OUTPUT_BYTES_MAX:
        raise GitError("git: the answer is too large")
    return done.stdout.decode("utf-8", "replace")
