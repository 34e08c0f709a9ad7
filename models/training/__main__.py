"""The command line of training: ``python -m assist.models.training STAGE``; every stage can be repeated and goes on where it was.

Stages: ``build`` the examples, ``train`` the adapter, ``export`` it, ``merge`` it into the weights,
``evaluate`` on mined tasks, ``curve`` the picture; ``all`` is build, train and export.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import dataclasses
import json
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from assist.models.training.train import Recipe

# Read when the native libraries load: waiting threads sleep, so that the machine stays usable,
# and compiled kernels are kept for every shape of a batch.
for name, value in (
    ("OMP_WAIT_POLICY", "passive"),
    ("GOMP_SPINCOUNT", "0"),
    ("KMP_BLOCKTIME", "0"),
    ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "8192"),
):
    os.environ.setdefault(name, value)

# M_MMAP_THRESHOLD, M_TRIM_THRESHOLD and M_TOP_PAD of mallopt(3), bytes.
MALLOC_PARAMETERS = ((-3, 1 << 25), (-1, 1 << 30), (-2, 1 << 28))
STAGES = ("build", "train", "export", "merge", "evaluate", "curve", "all")
ADAPTER = "smollm2-135m-fim.gguf"
log = logging.getLogger("assist.models.training")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m assist.models.training", description=__doc__)
    parser.add_argument("stage", choices=STAGES)
    parser.add_argument("--folder", type=Path, required=True, help="Data and checkpoints.")
    parser.add_argument("--model", type=Path, required=True, help="The base model's GGUF.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", dest="settings")
    parser.add_argument("--start", type=Path, help="An adapter (GGUF) that a new run goes on from.")
    parser.add_argument(
        "--share", type=float, default=1.0, help="Export: of the new weights, the rest of --start."
    )
    parser.add_argument("--adapter", type=Path, help=f"Default: FOLDER/{ADAPTER}")
    parser.add_argument("--tasks", type=Path, help="Mined tasks (CSV); made when missing.")
    parser.add_argument("--format", choices=("fim", "prefix", "fim without suffix"), default="fim")
    parser.add_argument("--candidate", type=Path, help="The GGUF to evaluate; default: merged.")
    parser.add_argument("--output", type=Path, help="Cases (CSV) or picture.")
    parser.add_argument(
        "--before", nargs="*", type=Path, default=[], help="Logs of earlier rounds."
    )
    parser.add_argument("--per-kind", type=int, default=100)
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    options.folder.mkdir(parents=True, exist_ok=True)
    for stage in ("build", "train", "export") if options.stage == "all" else (options.stage,):
        globals()[f"run_{stage}"](options)
    return 0


def run_build(options: argparse.Namespace) -> None:
    from assist.models.training.build import build

    build(options.folder, options.model, options.seed)


def run_train(options: argparse.Namespace) -> None:
    import torch

    from assist.models.training.train import Recipe, train

    torch.set_num_threads(options.threads)
    keep_freed_memory()
    recipe = Recipe(seed=options.seed, full=torch.cuda.is_available())
    train(options.folder, options.model, recipe_of(recipe, options.settings), options.start)


def keep_freed_memory() -> None:
    """Ask glibc to hand freed arrays out again: fresh pages cost a quarter of a step."""
    with contextlib.suppress(OSError, AttributeError):
        for parameter, value in MALLOC_PARAMETERS:
            ctypes.CDLL("libc.so.6").mallopt(parameter, value)


def run_export(options: argparse.Namespace) -> None:
    from assist.models.training.export import export
    from assist.models.training.train import Recipe

    recipe = recipe_of(Recipe(), options.settings)
    export(
        options.folder / "checkpoint.pt",
        options.model,
        adapter_of(options),
        scale=recipe.scale,
        rank=recipe.rank,
        start=options.start if options.share < 1.0 else None,
        share=options.share,
    )


def run_merge(options: argparse.Namespace) -> None:
    from assist.models.merge import merge_adapter

    target = options.folder / "merged.gguf"
    merge_adapter(options.model, adapter_of(options), target, progress=lambda *_: None)
    log.info("wrote %s", target)


def run_evaluate(options: argparse.Namespace) -> None:
    from assist.models.training import corpus, evaluate

    files, _ = corpus.read_corpus(options.folder / "wheels", options.seed, splits=("test",))
    path = options.tasks or options.folder / "mined_tasks.csv"
    if not path.exists():
        evaluate.write_rows(path, evaluate.mine(files, options.per_kind, options.seed))
    candidate = options.candidate or options.folder / "merged.gguf"
    tasks = evaluate.read_tasks(path)
    cases = list(evaluate.evaluate(candidate, files, tasks, options.format))
    if not cases:
        raise SystemExit("The wheels in the folder are not those the tasks were mined from.")
    evaluate.write_rows(options.output or options.folder / "mined_cases.csv", cases)
    log.info("%s", json.dumps(evaluate.summary(cases), indent=1))


def run_curve(options: argparse.Namespace) -> None:
    from assist.models.training.curve import draw

    logs = [*options.before, options.folder / "log.csv"]
    draw(logs, options.output or options.folder / "curve.svg")


def adapter_of(options: argparse.Namespace) -> Path:
    return Path(options.adapter or options.folder / ADAPTER)


def recipe_of(recipe: Recipe, settings: list[str]) -> Recipe:
    """``recipe`` with ``NAME=VALUE`` settings; exits with the names there are on an unknown one."""
    kinds = {field.name: type(getattr(recipe, field.name)) for field in dataclasses.fields(recipe)}
    changes: dict[str, Any] = {}
    for setting in settings:
        name, _, value = setting.partition("=")
        if name not in kinds:
            raise SystemExit(f"There is no setting {name!r}. There are: {', '.join(kinds)}.")
        changes[name] = value == "true" if kinds[name] is bool else kinds[name](value)
    return dataclasses.replace(recipe, **changes)


if __name__ == "__main__":
    raise SystemExit(main())
