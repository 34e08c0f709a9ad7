"""What `assist doctor` looks at, each as one finding with its remedy; it changes nothing."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from assist.cache.paths import cache_directory, data_directory, models_directory

State = Literal["fine", "warning", "problem"]

FREE_MB_MIN = 500
MEMORY_MB_MIN = 700
# Features of x86-64 that llama.cpp has code for, by their names in /proc/cpuinfo.
PROCESSOR_FEATURES = {
    "avx": "AVX",
    "avx2": "AVX2",
    "fma": "FMA",
    "f16c": "F16C",
    "avx512f": "AVX512",
    "avx_vnni": "AVX_VNNI",
}


@dataclass(frozen=True)
class Finding:
    """One line of the doctor: what was looked at, how it is, and what to do about it."""

    name: str
    state: State
    text: str
    remedy: str = ""


def examine() -> Iterator[Finding]:
    """All findings; a check that fails itself is a problem, never an exception."""
    for check in CHECKS:
        try:
            yield from check()
        except Exception as error:
            name = check.__name__.removeprefix("_check_").replace("_", " ")
            yield Finding(name, "problem", f"could not be checked: {error}", "Report this.")


def _check_python() -> Iterator[Finding]:
    yield Finding("python", "fine", f"{platform.python_version()} ({sys.executable})")


def _check_llama() -> Iterator[Finding]:
    if importlib.util.find_spec("llama_cpp") is None:
        remedy = "Run make, or: pip install llama-cpp-python"
        yield Finding("llama.cpp", "problem", "is not installed", remedy)
        return
    from assist.models.llama import build_features

    built = build_features()
    unused = [name for name in _processor_features() if name not in built]
    version = importlib.metadata.version("llama-cpp-python")
    text = f"{version}, built with {', '.join(sorted(built)) or 'no processor features'}"
    if unused:
        yield Finding(
            "llama.cpp",
            "warning",
            f"{text}; this processor also has {', '.join(unused)}",
            "Build it for this processor: rm .venv/.llama* && make build",
        )
    else:
        yield Finding("llama.cpp", "fine", text)
    if "OPENMP" in built and os.environ.get("OMP_WAIT_POLICY", "").lower() == "active":
        yield Finding(
            "waiting threads",
            "warning",
            "OMP_WAIT_POLICY=active makes them spin: ten times slower beside another process",
            "Unset OMP_WAIT_POLICY.",
        )


def _check_threads() -> Iterator[Finding]:
    from assist.models.registry import chosen_name, find_installed
    from assist.models.threads import usable_threads

    model = find_installed(chosen_name())
    if model is not None and model.threads_decode:
        text = (
            f"at most {model.threads_prefill} for prefill and {model.threads_decode} for decode, "
            "measured"
        )
        yield Finding("threads", "fine", text)
    else:
        text = f"at most {usable_threads()}, by the count of cores; how many pay is learned"
        yield Finding("threads", "fine", text, "Measure them: assist models tune")


def _check_model() -> Iterator[Finding]:
    from assist.models.registry import chosen_name, find_installed

    name = chosen_name()
    model = find_installed(name)
    if model is None:
        text = f"{name} is not on this machine"
        yield Finding("model", "problem", text, f"Fetch it: assist models fetch {name}")
        return
    path = Path(model.file.path)
    if not path.is_file() or path.stat().st_size != model.file.size:
        remedy = f"Fetch or add it again: assist models fetch {name}"
        yield Finding("model", "problem", f"{path} is gone or has changed", remedy)
        return
    text = f"{name} {model.file.quantisation}, {model.file.size // 2**20} MB"
    yield Finding("model", "fine", text)
    yield Finding("template", "fine", f"{model.template} ({model.template_reason})")


def _check_memory() -> Iterator[Finding]:
    from assist.models.registry import chosen_name, find_installed

    free_mb = available_memory_mb()
    model = find_installed(chosen_name())
    needed_mb = MEMORY_MB_MIN + (model.file.size // 2**20 if model else 0)
    if free_mb == 0:
        yield Finding("memory", "warning", "what is free cannot be read here")
    elif free_mb < needed_mb:
        yield Finding(
            "memory",
            "warning",
            f"{free_mb} MB are free, the model and its processes want about {needed_mb} MB",
            "Close something, or use a smaller model: assist models list",
        )
    else:
        yield Finding("memory", "fine", f"{free_mb} MB free, about {needed_mb} MB wanted")


def _check_directories() -> Iterator[Finding]:
    for name, directory in (
        ("data", data_directory()),
        ("models", models_directory()),
        ("cache", cache_directory()),
    ):
        mode = stat.S_IMODE(directory.stat().st_mode)
        free_mb = shutil.disk_usage(directory).free // 2**20
        label = f"{name} directory"
        if not os.access(directory, os.W_OK | os.X_OK):
            yield Finding(
                label,
                "problem",
                f"{directory} cannot be written",
                "Change its owner, or move the state of assist with ASSIST_HOME.",
            )
        elif mode & 0o077:
            text = f"{directory} can be read by others (mode {mode:03o})"
            yield Finding(label, "warning", text, f"Run: chmod 700 {directory}")
        elif free_mb < FREE_MB_MIN:
            text = f"{directory}: only {free_mb} MB of disk are free"
            yield Finding(label, "warning", text, "Free some disk: assist cache clear")
        else:
            yield Finding(label, "fine", f"{directory}, {free_mb // 1024} GB free")


def _check_sandbox() -> Iterator[Finding]:
    from assist.analysis.execution.layers import sandbox_layers

    found = sandbox_layers()
    for layer in found.layers:
        yield Finding(f"sandbox: {layer.name}", layer.state, layer.detail, layer.remedy)


def _check_tools() -> Iterator[Finding]:
    if importlib.util.find_spec("pip") is None and shutil.which("pip3") is None:
        text = "is missing: the embedded model cannot be fetched"
        yield Finding("pip", "warning", text, "Run: python -m ensurepip")
    if shutil.which("git") is None:
        text = "is missing: --since compares with nothing"
        yield Finding("git", "warning", text, "Install git.")


def available_memory_mb() -> int:
    """Memory that a new process could use, in MiB (Linux); 0 where that is not known."""
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) // 1024
    except (OSError, ValueError):
        pass
    return 0


def _processor_features() -> list[str]:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    flags = next((line.split(":")[1].split() for line in text.splitlines() if "flags" in line), [])
    return [name for flag, name in PROCESSOR_FEATURES.items() if flag in flags]


CHECKS: tuple[Callable[[], Iterator[Finding]], ...] = (
    _check_python,
    _check_llama,
    _check_threads,
    _check_model,
    _check_memory,
    _check_directories,
    _check_sandbox,
    _check_tools,
)
