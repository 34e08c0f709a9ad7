"""Makes the worker's parts into one standard-library file and compiles it for a given interpreter; it runs no code of the user."""

from __future__ import annotations

import atexit
import json
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from assist.analysis.errors import SandboxUnavailable

PARTS = (
    "worker_lockdown",
    "worker_encode",
    "worker_arrays",
    "worker_mutations",
    "worker_variants",
    "worker_values",
    "worker_probe",
    "worker_observe",
    "worker_namespaces",
    "worker_record",
    "worker_main",
)
OURS = re.compile(r"^from assist\.analysis\.execution\.\w+ import (?:\([^)]*\)|.*)\n", re.MULTILINE)
FUTURE = "from __future__ import annotations\n"
INTERPRETER_SECONDS_MAX = 30
VERSION_MIN = (3, 9)
PTH_FILES_MAX = 200
QUOTED_PATH = re.compile(r"""['"](/[^'"\n]+)['"]""")
DESCRIBE = """
import json, os, py_compile, sys
py_compile.compile(sys.argv[1], cfile=sys.argv[2], doraise=True) if sys.version_info >= (3, 9) else None
print(json.dumps([sys.version_info[:3], sys.base_prefix, sys.base_exec_prefix, sys.path]))
"""


@dataclass(frozen=True)
class Interpreter:
    """A Python the user runs code with, and what it must be able to read."""

    path: Path
    version: tuple[int, int, int]
    worker: Path
    readable: tuple[Path, ...]


def worker_source() -> str:
    """The parts in order, as one module without imports of ours."""
    texts = [Path(__file__).with_name(f"{part}.py").read_text(encoding="utf-8") for part in PARTS]
    return FUTURE + "".join(OURS.sub("", text).replace(FUTURE, "") for text in texts)


@cache
def describe(path: Path) -> Interpreter:
    """Version, compiled worker and readable trees of an interpreter; raises SandboxUnavailable."""
    path = Path(shutil.which(path) or path).absolute()
    source = _folder() / "worker.py"
    if not source.exists():
        source.write_text(worker_source(), encoding="utf-8")
    compiled = _folder() / f"worker-{len(list(_folder().iterdir()))}.pyc"
    try:
        done = subprocess.run(
            [path, "-I", "-S", "-c", DESCRIBE, source, compiled],
            capture_output=True,
            text=True,
            timeout=INTERPRETER_SECONDS_MAX,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        version, base, base_exec, sys_path = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise SandboxUnavailable(
            f"{path} is not a Python interpreter that starts; name another one with --python"
        ) from error
    if tuple(version[:2]) < VERSION_MIN:
        raise SandboxUnavailable(
            f"{path} is Python {version[0]}.{version[1]}; 3.9 or later is needed"
        )
    prefix = path.parent.parent
    trees = {Path(each) for each in (base, base_exec, *sys_path) if each}
    sites: list[Path] = []
    for lib in ("lib", "lib64"):
        sites.append(prefix / lib / f"python{version[0]}.{version[1]}" / "site-packages")
        sites.append(Path(base) / lib / f"python{version[0]}.{version[1]}" / "site-packages")
    if (prefix / "pyvenv.cfg").exists():
        trees.add(prefix)
    for site in sites:
        trees |= _named_by_pth(site)
    return Interpreter(path, tuple(version), compiled, tuple(_usable(trees)))


def _named_by_pth(site: Path) -> set[Path]:
    """Trees that ``.pth`` files add, read as text: editable installs and shared environments."""
    found: set[Path] = set()
    for file in sorted(site.glob("*.pth"))[:PTH_FILES_MAX]:
        text = file.read_text(encoding="utf-8", errors="replace")
        for line in text.splitlines():
            if line.startswith(("import ", "import\t")):
                found |= {Path(each) for each in QUOTED_PATH.findall(line)}
            elif line.strip() and not line.startswith("#"):
                found.add(site / line.strip())
    for file in sorted(site.glob("__editable__*_finder.py"))[:PTH_FILES_MAX]:
        text = file.read_text(encoding="utf-8", errors="replace")
        found |= {Path(each) for each in QUOTED_PATH.findall(text)}
    for folder in list(found):
        if folder != site and folder.name in ("site-packages", "dist-packages"):
            found |= _named_by_pth(folder) if folder.is_dir() else set()
    return found


def _usable(trees: set[Path]) -> list[Path]:
    """Existing trees that are neither the whole disk nor a home; ``/usr`` by its parts."""
    parts = {Path("/usr") / part for part in ("bin", "lib", "lib64", "share", "local/lib")}
    chosen = {tree for tree in trees if not is_home_or_above(tree)} - {
        Path("/usr"),
        Path("/usr/local"),
    }
    if {Path("/usr"), Path("/usr/local")} & trees:
        chosen |= parts
    return sorted(tree for tree in chosen if tree.is_dir())


def is_home_or_above(path: Path) -> bool:
    """Whether granting ``path`` would grant somebody's home."""
    home = Path.home().resolve()
    path = path.resolve()
    return path == home or path in home.parents or path in (Path("/home"), Path("/root"))


@cache
def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="assist-worker-"))
    folder.chmod(0o755)  # read again by a worker that is about to become nobody
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
