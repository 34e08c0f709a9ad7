"""Trains the ranker on cases of `assist bench ranking` and writes it as ONNX with its card; it reads no code and runs no language model."""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

Array = npt.NDArray[np.float64]

HIDDEN = 6
MEMBERS = 6
STEPS = 300
STEPS_CALIBRATION = 30
RATE = 0.02
DECAY = 0.1
FOLDS = 5
CLIP = 4.0
# Share of right answers that each setting keeps, measured on packages that were left out.
KEPT = {"quiet": 0.6, "balanced": 0.82, "eager": 0.97}
BINS = 10
# Features of the suffix as judge; it is only asked where several candidates are to be ordered.
JUDGED = ("suffix_fit", "suffix_judged")
OPSET = 17
IR_VERSION = 9


@dataclass(frozen=True)
class Data:
    """Values of shape (cases, features), labels, the names of the features and of the packages."""

    values: Array
    right: Array
    names: tuple[str, ...]
    packages: tuple[str, ...]


@dataclass(frozen=True)
class Network:
    """Standardisation, one hidden layer and the output; ``members`` trained apart stand side by side."""

    mean: Array
    scale: Array
    hidden: Array
    hidden_bias: Array
    output: Array
    output_bias: float

    def logits(self, values: Array) -> Array:
        inputs = np.clip((values - self.mean) / self.scale, -CLIP, CLIP)
        active = np.maximum(inputs @ self.hidden + self.hidden_bias, 0.0)
        return active @ self.output + self.output_bias


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the cases, judge by leaving packages out, train on all, write ``ranker.onnx`` and the card."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="+", type=Path, help="CSV files with features")
    parser.add_argument("--model", default="", help="name of the language model, for the card")
    parser.add_argument("--output", type=Path, default=Path("completion/ranker.onnx"))
    parser.add_argument("--card", type=Path, default=Path("completion/RANKER.md"))
    options = parser.parse_args(arguments)
    data = read(options.cases)
    judged = leave_packages_out(data)
    thresholds = choose_thresholds(judged, data.right)
    network = train(*both_ways(data), seed=0)
    temperature, shift = calibrate(judged, data.right)
    save(options.output, network, temperature, shift, data.names, thresholds)
    chances = sigmoid(judged * temperature + shift)
    model = options.model or "the embedded model"
    options.card.write_text(card(data, chances, thresholds, model), encoding="utf-8")
    draw(options.card.with_suffix(".svg"), chances, data.right > 0)


def read(paths: Sequence[Path]) -> Data:
    """Cases of several CSV files that have the same features."""
    rows: list[dict[str, str]] = []
    for path in paths:
        with path.open(newline="", encoding="utf-8") as file:
            rows += [row for row in csv.DictReader(file) if row["features"]]
    pairs = [[item.split("=") for item in row["features"].split(" ")] for row in rows]
    names = tuple(name for name, _ in pairs[0])
    assert all(tuple(name for name, _ in pair) == names for pair in pairs), "other features"
    return Data(
        np.array([[float(value) for _, value in pair] for pair in pairs]),
        np.array([row["right"] == "True" for row in rows], float),
        names,
        tuple(row["package"] for row in rows),
    )


def unjudged(data: Data) -> Array:
    """The values as they are where the suffix was not asked, as for a single candidate."""
    values = data.values.copy()
    values[:, [n for n, name in enumerate(data.names) if name in JUDGED]] = 0.0
    return values


def both_ways(data: Data) -> tuple[Array, Array]:
    """Values and labels of every case twice, with and without the suffix's judgement."""
    return np.concatenate([data.values, unjudged(data)]), np.tile(data.right, 2)


def leave_packages_out(data: Data) -> Array:
    """Logits of every case by a network that saw no case of its package, the suffix not asked."""
    values = unjudged(data)
    packages = sorted(set(data.packages), key=lambda name: (-data.packages.count(name), name))
    fold_of = {name: number % FOLDS for number, name in enumerate(packages)}
    folds = np.array([fold_of[name] for name in data.packages])
    logits = np.zeros(len(data.right))
    for fold in range(FOLDS):
        test = folds == fold
        if test.any() and not test.all():
            seen = replace(data, values=data.values[~test], right=data.right[~test])
            logits[test] = train(*both_ways(seen), seed=fold).logits(values[test])
    return logits


def train(values: Array, right: Array, *, seed: int) -> Network:
    """An ensemble as one network, by Adam on cross-entropy with weight decay."""
    mean, scale = values.mean(axis=0), values.std(axis=0) + 1e-6
    inputs = np.clip((values - mean) / scale, -CLIP, CLIP)
    members = [_train_member(inputs, right, seed * MEMBERS + member) for member in range(MEMBERS)]
    return Network(
        mean,
        scale,
        np.concatenate([member[0] for member in members], axis=1),
        np.concatenate([member[1] for member in members]),
        np.concatenate([member[2] for member in members]) / MEMBERS,
        float(np.mean([member[3] for member in members])),
    )


def _train_member(inputs: Array, right: Array, seed: int) -> tuple[Array, Array, Array, Array]:
    chance = np.random.default_rng(seed)
    weights = [
        chance.normal(0, (2 / inputs.shape[1]) ** 0.5, (inputs.shape[1], HIDDEN)),
        np.zeros(HIDDEN),
        chance.normal(0, (2 / HIDDEN) ** 0.5, HIDDEN),
        np.zeros(()),
    ]
    drawn = chance.integers(0, len(right), len(right))
    inputs, right = inputs[drawn], right[drawn]
    first = [np.zeros_like(w) for w in weights]
    second = [np.zeros_like(w) for w in weights]
    for step in range(1, STEPS + 1):
        before = inputs @ weights[0] + weights[1]
        active = np.maximum(before, 0.0)
        error = (sigmoid(active @ weights[2] + weights[3]) - right) / len(right)
        back = np.outer(error, weights[2]) * (before > 0)
        slopes = [inputs.T @ back, back.sum(axis=0), active.T @ error, error.sum()]
        rate = RATE * (1 - step / (STEPS + 1))
        for number, slope in enumerate(slopes):
            first[number] = 0.9 * first[number] + 0.1 * slope
            second[number] = 0.999 * second[number] + 0.001 * slope**2
            change = first[number] / (1 - 0.9**step)
            change = change / (np.sqrt(second[number] / (1 - 0.999**step)) + 1e-8)
            decay = DECAY * weights[number] if np.ndim(weights[number]) else 0.0
            weights[number] = weights[number] - rate * (change + decay)
    return weights[0], weights[1], weights[2], weights[3]


def calibrate(logits: Array, right: Array) -> tuple[float, float]:
    """Factor and shift of logits with the best likelihood (Platt, 1999), by damped Newton steps."""
    inputs = np.stack([logits, np.ones_like(logits)], axis=1)
    weights = np.array([0.1, 0.0])
    loss = _loss(inputs @ weights, right)
    for _ in range(STEPS_CALIBRATION):
        p = sigmoid(inputs @ weights)
        slope = inputs.T @ (p - right)
        curve = (inputs * (p * (1 - p))[:, None]).T @ inputs + 1e-6 * np.eye(2)
        step = np.linalg.solve(curve, slope)
        while (after := _loss(inputs @ (weights - step), right)) > loss and abs(step).max() > 1e-9:
            step = step / 2
        weights, loss = weights - step, min(after, loss)
    return float(weights[0]), float(weights[1])


def _loss(logits: Array, right: Array) -> float:
    """Cross-entropy, summed."""
    return float((np.logaddexp(0.0, logits) - right * logits).sum())


def choose_thresholds(logits: Array, right: Array) -> dict[str, float]:
    """Chances at which the settings keep their shares of the right answers."""
    factor, shift = calibrate(logits, right)
    chances = np.sort(sigmoid(factor * logits[right > 0] + shift))
    return {
        name: round(float(chances[int((1 - kept) * len(chances))]), 4)
        for name, kept in KEPT.items()
    }


def save(
    path: Path,
    network: Network,
    factor: float,
    shift: float,
    names: Sequence[str],
    thresholds: dict[str, float],
) -> None:
    """Write the network with its calibration; the names of the inputs and the thresholds go with it."""
    constants = {
        "mean": network.mean,
        "scale": network.scale,
        "low": np.array(-CLIP),
        "high": np.array(CLIP),
        "hidden": network.hidden,
        "hidden_bias": network.hidden_bias,
        "output": network.output[:, None] * factor,
        "output_bias": np.array([network.output_bias * factor + shift]),
    }
    nodes = [
        helper.make_node("Sub", ["values", "mean"], ["centred"]),
        helper.make_node("Div", ["centred", "scale"], ["scaled"]),
        helper.make_node("Clip", ["scaled", "low", "high"], ["inputs"]),
        helper.make_node("Gemm", ["inputs", "hidden", "hidden_bias"], ["before"]),
        helper.make_node("Relu", ["before"], ["active"]),
        helper.make_node("Gemm", ["active", "output", "output_bias"], ["logits"]),
        helper.make_node("Sigmoid", ["logits"], ["chances"]),
    ]
    graph = helper.make_graph(
        nodes,
        "ranker",
        [helper.make_tensor_value_info("values", TensorProto.FLOAT, ["cases", len(names)])],
        [helper.make_tensor_value_info("chances", TensorProto.FLOAT, ["cases", 1])],
        [
            numpy_helper.from_array(value.astype(np.float32), name)
            for name, value in constants.items()
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
    model.ir_version = IR_VERSION
    helper.set_model_props(
        model, {"features": json.dumps(list(names)), "thresholds": json.dumps(thresholds)}
    )
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())


def card(data: Data, chances: Array, thresholds: dict[str, float], model: str) -> str:
    """How the ranker was made and what it can do, as Markdown; all figures from left-out packages."""
    right = data.right > 0
    lines = [
        "# The ranker",
        "",
        f"A network of {MEMBERS} times {HIDDEN} units over {len(data.names)} numbers about an "
        "answer; its output is the chance that the answer is what will be written.",
        "",
        f"Trained by `models/training/ranker.py` on {len(right)} answers of {model} to holes in "
        f"{len(set(data.packages))} installed packages with permissive licences, mined by `assist "
        "bench ranking --training`; `make ranker` does both again. "
        f"{right.sum()} of the answers ({right.mean():.0%}) were right. Every second hole was asked "
        "with nothing but the function around it, as in a new file. The answers' text is not kept, "
        "only the numbers.",
        "",
        "Packages: " + ", ".join(sorted(set(data.packages))) + ".",
        "",
        "All figures below come from networks that had not seen the package, and from one candidate "
        "a hole, as while typing.",
        "",
        "![Calibration, and what each threshold keeps](RANKER.svg)",
        "",
        "| setting | shown from | right answers kept | wrong answers hidden | precision |",
        "|---|---|---|---|---|",
    ]
    for name, least in thresholds.items():
        shown = chances >= least
        lines.append(
            f"| {name} | {least:.2f} | {shown[right].mean():.0%} | {(~shown)[~right].mean():.0%} "
            f"| {right[shown].mean():.0%} |"
        )
    lines += ["", "| estimated chance | answers | right |", "|---|---|---|"]
    for low in np.arange(BINS) / BINS:
        inside = (chances >= low) & (chances < low + 1 / BINS)
        if inside.any():
            lines.append(
                f"| {low:.1f}–{low + 1 / BINS:.1f} | {inside.sum()} | {right[inside].mean():.0%} |"
            )
    lines += ["", f"Area under the ROC curve: {area(chances, right):.3f}.", ""]
    return "\n".join(lines)


def draw(target: Path, chances: Array, right: npt.NDArray[np.bool_]) -> None:
    """The calibration curve, and right answers kept against wrong ones hidden, as SVG."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "assist"
    from matplotlib import pyplot

    figure, (left, other) = pyplot.subplots(1, 2, figsize=(8, 3.6))
    edges = np.quantile(chances, np.linspace(0, 1, BINS + 1))
    groups = np.clip(np.searchsorted(edges, chances, side="right") - 1, 0, BINS - 1)
    shown = [groups == group for group in range(BINS) if (groups == group).any()]
    left.plot([0, 1], [0, 1], color="#cccccc")
    left.plot([chances[g].mean() for g in shown], [right[g].mean() for g in shown], "o-")
    left.set_xlabel("estimated chance (tenths of the answers)")
    left.set_ylabel("share that was right")
    order = np.sort(chances)
    other.plot(
        [(chances[right] >= least).mean() for least in order],
        [(chances[~right] < least).mean() for least in order],
    )
    other.set_xlabel("right answers kept")
    other.set_ylabel("wrong answers hidden")
    for axes in (left, other):
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1)
        axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(target, metadata={"Date": None})


def area(chances: Array, right: npt.NDArray[np.bool_]) -> float:
    """Chance that a right answer is ranked before a wrong one."""
    order = np.argsort(np.argsort(chances, kind="stable"), kind="stable") + 1.0
    good, bad = right.sum(), (~right).sum()
    return float((order[right].sum() - good * (good + 1) / 2) / max(good * bad, 1))


def sigmoid(values: Array) -> Array:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(values, -40, 40))))


if __name__ == "__main__":
    main()
