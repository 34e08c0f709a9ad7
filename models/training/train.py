"""Trains the low-rank adapters on the built examples, resumable at any step; it builds no data.

The schedule is warm-up, constant, decay (Hu et al. 2024, https://arxiv.org/abs/2404.06395): a run
can be prolonged from any checkpoint before its decay. B learns faster than A (Hayou et al. 2024,
https://arxiv.org/abs/2402.12354).
"""

from __future__ import annotations

import csv
import logging
import random
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional as F

from assist.models.training.build import load
from assist.models.training.examples import END, NO_LABEL, Example
from assist.models.training.export import read_adapter
from assist.models.training.network import Llama, read_network

log = logging.getLogger(__name__)

LENGTH_STEP = 32
HARD_KEPT_MAX = 3000
# The hardest of all are mostly literals and noise that nobody could guess.
HARD_QUANTILES = (0.6, 0.95)
LOG_COLUMNS = ("step", "tokens", "seconds", "rate", "loss", "accuracy", "validation", "correct")


@dataclass(frozen=True)
class Recipe:
    """Hyper-parameters.

    ``long_share`` of the tokens is of the long phase once ``long_from`` of the steps are done;
    ``hard_share`` is what the share of examples drawn again, because they stayed hard, grows to.
    ``full`` trains whole matrices at ``rate_full``, for an accelerator. ``compiled`` has torch
    compile the blocks: a minute at the start, then about a fifth faster where a compiler is.
    """

    rank: int = 32
    scale: float = 2.0
    rate: float = 6e-4
    rate_b_ratio: float = 2.0
    warmup_steps: int = 15
    decay_share: float = 0.75
    steps: int = 420
    batch_tokens: int = 2400
    micro_tokens: int = 1600
    clip: float = 1.0
    plain_weight: float = 0.25
    far_weight: float = 0.3
    near_tokens: int = 32
    end_weight: float = 4.0
    long_from: float = 0.6
    long_share: float = 0.3
    hard_share: float = 0.25
    validation_every: int = 60
    validation_examples: int = 48
    checkpoint_seconds: float = 180.0
    seed: int = 1
    full: bool = False
    rate_full: float = 1e-4
    compiled: bool = False


class Seen(NamedTuple):
    """An example that was learned from: its stream, its place there, and its loss then."""

    stream: str
    cursor: int
    loss: float


class Run:
    """The mutable state of training: network, optimiser, place in the data, log."""

    def __init__(self, folder: Path, network: Llama, recipe: Recipe) -> None:
        self.folder, self.recipe = folder, recipe
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.network = network.to(self.device)
        self.optimiser = torch.optim.AdamW(
            parameter_groups(network, recipe), betas=(0.9, 0.98), weight_decay=0.0
        )
        self.step, self.tokens, self.seconds = 0, 0, 0.0
        self.cursors = {"short": 0, "long": 0}
        self.owed = {"short": 0.0, "long": 0.0}
        self.hard: list[Seen] = []
        self.rows: list[tuple[float | str, ...]] = []

    def save(self) -> None:
        state = {
            "adapter": adapter_state(self.network),
            "optimiser": self.optimiser.state_dict(),
            "progress": (self.step, self.tokens, self.seconds),
            "cursors": self.cursors,
            "owed": self.owed,
            "hard": [tuple(seen) for seen in self.hard],
            "rows": self.rows,
        }
        partial = self.folder / "checkpoint.partial"
        torch.save(state, partial)
        partial.rename(self.folder / "checkpoint.pt")
        with (self.folder / "log.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(LOG_COLUMNS)
            writer.writerows(self.rows)

    def resume(self) -> None:
        path = self.folder / "checkpoint.pt"
        if not path.exists():
            return
        state = torch.load(path, map_location=self.device, weights_only=True)
        self.network.load_state_dict(state["adapter"], strict=False)
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.tokens, self.seconds = state["progress"]
        self.cursors, self.rows = state["cursors"], state["rows"]
        self.owed = state.get("owed", self.owed)
        self.hard = [Seen(*seen) for seen in state.get("hard", ())]


def train(folder: Path, model: Path, recipe: Recipe, start: Path | None = None) -> None:
    """Train until ``recipe.steps``, from the checkpoint in ``folder`` where there is one.

    ``start``: an exported adapter that a new run goes on from, with a warm-up of its own.
    A termination signal ends it after the step it is in, with a checkpoint.
    """
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    torch.manual_seed(recipe.seed)
    shape, weights = read_network(model)
    rank = 0 if recipe.full else recipe.rank
    network = Llama(shape, weights, rank=rank, scale=recipe.scale, dtype=compute_type())
    if start is not None:
        network.load_state_dict(read_adapter(start, shape), strict=False)
    run = Run(folder, network, recipe)
    run.resume()
    for block in network.blocks if recipe.compiled else ():
        block.compile(dynamic=True)
    names = [name for name in ("short", "long") if (folder / f"{name}.npz").exists()]
    data = {name: load(folder / f"{name}.npz") for name in names}
    validation = load(folder / "validation.npz")[: recipe.validation_examples]
    saved = time.monotonic()
    while run.step < recipe.steps and not stopped.is_set():
        began = time.monotonic()
        rate = rate_at(run.step, recipe)
        for group in run.optimiser.param_groups:
            group["lr"] = rate * group["ratio"]
        loss, accuracy = advance(run, data)
        run.seconds += time.monotonic() - began
        row: tuple[float | str, ...] = (
            run.step,
            run.tokens,
            round(run.seconds, 1),
            rate,
            loss,
            accuracy,
        )
        if run.step % recipe.validation_every == 0 or run.step == recipe.steps:
            row += measure(run.network, validation, recipe)
        else:
            row += ("", "")
        run.rows.append(row)
        log.info(" ".join(f"{x:.5g}" if isinstance(x, float) else str(x) for x in row))
        if time.monotonic() - saved > recipe.checkpoint_seconds:
            run.save()
            saved = time.monotonic()
    run.save()


def advance(run: Run, data: dict[str, list[Example]]) -> tuple[float, float]:
    """One step with the next examples; returns what :func:`learn` does of the whole batch."""
    drawn = next_draws(run, data)
    batch = [example_of(stream, cursor, data, run.recipe) for stream, cursor in drawn]
    loss, accuracy, losses = learn(run, batch)
    seen = [Seen(*at, loss) for at, loss in zip(drawn, losses, strict=True)]
    run.hard = [*run.hard, *seen][-HARD_KEPT_MAX:]
    run.step += 1
    run.tokens += sum(len(example.tokens) for example in batch)
    return loss, accuracy


def compute_type() -> torch.dtype:
    """bfloat16 where the processor multiplies it natively (about 1.6 times the speed), else float32."""
    native = torch.cuda.is_available() or torch.cpu._is_avx512_bf16_supported()
    return torch.bfloat16 if native else torch.float32


def parameter_groups(network: Llama, recipe: Recipe) -> list[dict[str, object]]:
    named = list(network.named_parameters())
    return [
        {"params": [p for n, p in named if not n.endswith(".b")], "ratio": 1.0},
        {"params": [p for n, p in named if n.endswith(".b")], "ratio": recipe.rate_b_ratio},
    ]


def adapter_state(network: Llama) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in network.named_parameters()}


def rate_at(step: int, recipe: Recipe) -> float:
    decay = max(1.0, recipe.decay_share * recipe.steps)
    left = (recipe.steps - step) / decay
    rate = recipe.rate_full if recipe.full else recipe.rate
    return rate * min(1.0, (step + 1) / recipe.warmup_steps, max(left, 0.0))


def next_draws(run: Run, data: dict[str, list[Example]]) -> list[tuple[str, int]]:
    """Stream and place of the next examples, ``batch_tokens`` a step over many steps."""
    recipe = run.recipe
    budget = {"short": float(recipe.batch_tokens), "long": 0.0}
    if "long" in data and run.step >= recipe.long_from * recipe.steps:
        budget = {"long": recipe.long_share * recipe.batch_tokens}
        budget["short"] = recipe.batch_tokens - budget["long"]
    chance = random.Random(f"{recipe.seed} hard {run.step}")
    hard_share = recipe.hard_share * run.step / recipe.steps
    drawn: list[tuple[str, int]] = []
    for name, tokens in budget.items():
        pool = stayed_hard(run, name, chance)
        # Examples come whole: what a step takes too much, the next ones take less.
        run.owed[name] += tokens
        while run.owed[name] > 0:
            if pool and chance.random() < hard_share:
                seen = pool.pop()
                run.hard.remove(seen)  # until its new loss is known
                at = (seen.stream, seen.cursor)
            else:
                at = (name, run.cursors[name])
                run.cursors[name] += 1
            run.owed[name] -= len(example_of(*at, data, recipe).tokens)
            drawn.append(at)
    return drawn


def stayed_hard(run: Run, name: str, chance: random.Random) -> list[Seen]:
    """Examples of a stream whose loss was high when last seen, shuffled."""
    ranked = sorted((seen for seen in run.hard if seen.stream == name), key=lambda s: s.loss)
    low, high = (int(share * len(ranked)) for share in HARD_QUANTILES)
    return chance.sample(ranked[low:high], high - low)


def example_of(stream: str, cursor: int, data: dict[str, list[Example]], recipe: Recipe) -> Example:
    return nth(data[stream], cursor, f"{recipe.seed} {stream}")


ORDERS_MAX = 4
ORDERS: dict[str, list[int]] = {}


def nth(examples: Sequence[Example], cursor: int, seed: str) -> Example:
    """The ``cursor``-th example of an endless stream, shuffled anew in every pass."""
    turn, place = divmod(cursor, len(examples))
    key = f"{seed} {turn} {len(examples)}"
    if key not in ORDERS:
        if len(ORDERS) >= ORDERS_MAX:
            ORDERS.clear()
        ORDERS[key] = random.Random(key).sample(range(len(examples)), len(examples))
    return examples[ORDERS[key][place]]


def learn(run: Run, batch: list[Example]) -> tuple[float, float, list[float]]:
    """One optimiser step.

    Returns, over the labels near the holes' ends: mean loss, share guessed right, and the mean
    loss of every example.
    """
    recipe = run.recipe
    weight = sum(float(weights_of(example, recipe).sum()) for example in batch)
    right = 0.0
    sums = dict.fromkeys(map(id, batch), 0.0)
    counts = dict.fromkeys(map(id, batch), 0)
    for group in micro_batches(batch, recipe.micro_tokens):
        losses, correct, near, weights = forward(run.network, group, recipe)
        ((losses * weights).sum() / weight).backward()
        right += float(correct[near].sum())
        sizes = [int((example.labels != NO_LABEL).sum()) for example in group]
        parts = zip(group, losses.detach().split(sizes), near.split(sizes), strict=True)
        for example, own, own_near in parts:
            sums[id(example)] += float(own[own_near].sum())
            counts[id(example)] += int(own_near.sum())
    parameters = [p for one in run.optimiser.param_groups for p in one["params"]]
    torch.nn.utils.clip_grad_norm_(parameters, recipe.clip)
    run.optimiser.step()
    run.optimiser.zero_grad(set_to_none=True)
    count = max(1, sum(counts.values()))
    means = [sums[id(example)] / max(1, counts[id(example)]) for example in batch]
    return sum(sums.values()) / count, right / count, means


@torch.no_grad()
def measure(network: Llama, examples: list[Example], recipe: Recipe) -> tuple[float, float]:
    """Mean loss and share of right labels near the ends of the holes of ``examples``."""
    total = right = count = 0.0
    for group in micro_batches(examples, recipe.micro_tokens):
        losses, correct, near, _ = forward(network, group, recipe)
        total += float(losses[near].sum())
        right += float(correct[near].sum())
        count += float(near.sum())
    return total / max(count, 1), right / max(count, 1)


def weights_of(example: Example, recipe: Recipe) -> npt.NDArray[np.float32]:
    """Weight of every label: the tokens near the hole's end count most, and the end itself."""
    weights = np.full(len(example.labels), recipe.far_weight, dtype=np.float32)
    weights[-recipe.near_tokens :] = 1.0
    weights[example.labels == END] = recipe.end_weight
    if example.is_plain:
        weights[:] = recipe.plain_weight
    weights[example.labels == NO_LABEL] = 0.0
    return weights


def padded(length: int) -> int:
    """``length`` rounded up: the kernels are compiled anew for every shape not seen before."""
    return -(-length // LENGTH_STEP) * LENGTH_STEP


def micro_batches(examples: list[Example], tokens_max: int) -> Iterator[list[Example]]:
    """Groups of similar length whose padded size stays below ``tokens_max``."""
    group: list[Example] = []
    for example in sorted(examples, key=lambda e: len(e.tokens)):
        if group and (len(group) + 1) * padded(len(example.tokens)) > tokens_max:
            yield group
            group = []
        group.append(example)
    yield group


def forward(
    network: Llama, group: list[Example], recipe: Recipe
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """For every label of a group: loss, whether right, whether near a hole's end, and weight."""
    length = padded(max(len(example.tokens) for example in group))
    device = network.embedding.device
    tokens = np.zeros((len(group), length), dtype=np.int64)
    labels = np.full((len(group), length), NO_LABEL, dtype=np.int64)
    weights = np.zeros((len(group), length), dtype=np.float32)
    for row, example in enumerate(group):
        count = len(example.tokens)
        tokens[row, :count], labels[row, :count] = example.tokens, example.labels
        weights[row, :count] = weights_of(example, recipe)
    chosen = labels != NO_LABEL
    wanted = torch.from_numpy(labels[chosen]).to(device)
    weighted = torch.from_numpy(weights[chosen]).to(device)
    positions = torch.arange(length, device=device).expand(len(group), length)
    hidden = network.hidden(torch.from_numpy(tokens).to(device), positions)
    places = np.flatnonzero(chosen)
    places = np.pad(places, (0, padded(len(places)) - len(places)))
    rows = hidden.flatten(0, 1)[torch.from_numpy(places).to(device)]
    logits = network.logits(rows)[: len(wanted)]
    losses = F.cross_entropy(logits, wanted, reduction="none")
    correct = (logits.detach().argmax(-1) == wanted).float()
    return losses, correct, weighted >= 1.0, weighted
