"""`assist status`: the model in use and what assist holds on this machine; it starts nothing."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import click

from assist.cache.paths import cache_directory, data_directory
from assist.cache.statistics import open_statistics
from assist.server.health import available_memory_mb
from assist.server.reports.statistics import statistics_figures, statistics_section


@click.command("status")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--html", "html_path", type=click.Path(path_type=Path), help="Write a page.")
def command(as_json: bool, html_path: Path | None) -> None:
    """Model, memory and disk of assist on this machine."""
    statistics = open_statistics().read()
    figures = collect() | {"statistics": statistics_section(statistics)}
    if html_path:
        from assist.server.page import write_page

        plots = statistics_figures(statistics)
        write_page(html_path, "assist status", figures, figures=plots)
    if as_json:
        click.echo(json.dumps(figures, indent=2))
        return
    for section, rows in figures.items():
        click.echo(section)
        for key, value in rows.items():
            click.echo(f"  {key:<16} {value}")


def collect() -> dict[str, dict[str, Any]]:
    """Figures by section; sizes in MB."""
    from assist.models.registry import chosen_name, find_installed, installed_models

    name = chosen_name()
    model = find_installed(name)
    in_use: dict[str, Any] = {"name": name, "state": "not on this machine"}
    if model is not None:
        in_use = {
            "name": name,
            "file": model.file.path,
            "quantisation": model.file.quantisation,
            "megabytes": model.file.size // 2**20,
            "template": f"{model.template} ({model.template_reason})",
            "threads": f"at most {model.threads_prefill} prefill, {model.threads_decode} decode"
            if model.threads_decode
            else "not measured",
        }
    return {
        "model": in_use,
        "memory": {"free_mb": available_memory_mb(), "server_mb": _running_mb()},
        "disk": {
            "models": len(installed_models()),
            "data_mb": size_mb(data_directory()),
            "cache_mb": size_mb(cache_directory()),
            "data": str(data_directory()),
            "cache": str(cache_directory()),
        },
    }


def size_mb(directory: Path) -> int:
    """Size of all files below a directory, in MB."""
    total = 0
    for path in directory.rglob("*"):
        try:
            total += path.lstat().st_size if path.is_file() else 0
        except OSError:
            continue
    return total // 10**6


def is_ours(words: list[str]) -> bool:
    """Whether a command line is a running server's or one of its processes'."""
    serving = any(word.rpartition("/")[2] == "assist" for word in words[:2]) and "serve" in words
    return serving or any(word.startswith("assist.") for word in words[1:4])


def _running_mb() -> int:
    """Resident memory of the user's running language servers and their processes, in MB (Linux)."""
    total_kb = 0
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            if directory.stat().st_uid != os.getuid():
                continue
            words = (directory / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
            if not is_ours(words):
                continue
            for line in (directory / "status").read_text().splitlines():
                if line.startswith("VmRSS:"):
                    total_kb += int(line.split()[1])
        except (OSError, ValueError):
            continue
    return total_kb // 1000
