"""`assist bench monitors`: how often the monitors would forbid what people wrote, how much they can say, and what they change for the model."""

from __future__ import annotations

import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from assist.analysis.document import Document
from assist.analysis.document_facts import FactsSource
from assist.analysis.environment import own_environment
from assist.analysis.facts import OPEN, Value
from assist.analysis.monitors.registry import MONITORS
from assist.analysis.monitors.session import session
from assist.analysis.monitors.view import Facts
from assist.analysis.scope import Scope
from assist.server.bench.monitor_effects import (
    EffectCase,
    choose,
    judge,
    measure_effects,
    name_of,
    summarize_effects,
)
from assist.server.bench.monitor_jedi import measure_jedi, summarize_jedi
from assist.server.bench.monitor_positions import KINDS, MonitorPosition, locate, mine
from assist.server.bench.report import (
    append_case,
    echo_summary,
    read_cases,
    share,
    write_cases,
    write_html,
)
from assist.server.progress import show_progress

EVAL = Path(__file__).parents[2] / "tests" / "eval"
POSITIONS_FILE = EVAL / "monitors_positions.csv"
PIECE_CODE_POINTS = 4
# The reference is measured without hurry, so that time hides no wrong answer.
PATIENCE_SECONDS = 30.0


# Holes for the monitors that need no types; there, only names are asked for.
SYNTAX_KINDS = frozenset({"field", "string", "line", "block", "export"})


@dataclass(frozen=True)
class NamesOnly:
    """Facts without types and modules."""

    facts: Facts

    def names(self) -> frozenset[str] | None:
        return self.facts.names()

    def value(self, _: str) -> Value:
        return OPEN

    def module(self, _: str) -> Value:
        return OPEN

    def modules(self) -> frozenset[str] | None:
        return None

    def unbound(self) -> frozenset[str]:
        return frozenset()


@dataclass(frozen=True)
class ReferenceCase:
    """What the monitors said about the text that people wrote at one position.

    ``said`` and ``wrong`` hold "monitor=count" pairs: how often each could say what is legal, and
    how often what was written was not in it. ``first_wrong`` is the text of one such place.
    """

    position: str
    kind: str
    split: str
    checked: int
    open: int
    said: str
    wrong: str
    first_wrong: str
    milliseconds: float


@click.command("monitors")
@click.option("--limit", type=click.IntRange(1), help="Take that many positions, evenly spread.")
@click.option("--kind", "kinds", multiple=True, type=click.Choice(KINDS), help="Only these kinds.")
@click.option("--split", type=click.Choice(["tune", "test", "all"]), default="all")
@click.option("--positions", type=click.Path(path_type=Path), default=POSITIONS_FILE)
@click.option("--mine", "mine_seed", type=int, help="Draw new positions with this seed and stop.")
@click.option("--csv", "csv_path", type=click.Path(path_type=Path), help="Write every case.")
@click.option("--resume", is_flag=True, help="Skip the positions that the CSV has already.")
@click.option("--html", "html_path", type=click.Path(path_type=Path), help="Write a page.")
@click.option("--model", help="Also complete with and without monitors, with this model or file.")
@click.option("--per-kind", default=40, show_default=True, help="Positions of a kind for --model.")
@click.option(
    "--jedi",
    "jedi_tests",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Score the legal sets by jedi's own tests instead: test/completion of its distribution.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(
    limit: int | None,
    kinds: tuple[str, ...],
    split: str,
    positions: Path,
    mine_seed: int | None,
    csv_path: Path | None,
    resume: bool,
    html_path: Path | None,
    model: str | None,
    per_kind: int,
    jedi_tests: Path | None,
    as_json: bool,
) -> None:
    """Measure the monitors on the code of installed packages.

    Without --model: how often they would have forbidden what people wrote. With it: what they
    change in the model's answers.
    """
    if mine_seed is not None:
        write_cases(positions, mine(mine_seed))
        click.echo(f"Wrote {positions}.")
        return
    if jedi_tests is not None:
        scores = list(measure_jedi(jedi_tests))
        if csv_path is not None:
            write_cases(csv_path, scores)
        _print(summarize_jedi(scores), scores, html_path, as_json)
        return
    chosen = [
        position
        for position in read_cases(positions, MonitorPosition)
        if (not kinds or position.kind in kinds) and split in ("all", position.split)
    ]
    if model is not None:
        effects = _measure_effects(chosen, model, per_kind, csv_path, resume)
        _print(summarize_effects(effects), effects, html_path, as_json)
        return
    if limit is not None and len(chosen) > limit:
        chosen = [chosen[at * len(chosen) // limit] for at in range(limit)]
    cases = _read_done(csv_path) if resume else []
    done = {case.position for case in cases}
    if csv_path is not None and not resume:
        csv_path.unlink(missing_ok=True)
    lost = 0
    with show_progress() as report:
        waiting = [position for position in chosen if name_of(position) not in done]
        for number, case in enumerate(measure(waiting)):
            report("Reading what people wrote", number / len(waiting))
            if case is None:
                lost += 1
                continue
            cases.append(case)
            if csv_path is not None:
                append_case(csv_path, case)
    _print(summarize(cases, lost), cases, html_path, as_json)


def _print(
    summary: dict[str, Any], cases: Sequence[Any], html_path: Path | None, as_json: bool
) -> None:
    if html_path is not None:
        write_html(html_path, "assist bench monitors", _flat(summary), cases)
    echo_summary(summary if as_json else _flat(summary), as_json=as_json)


def _measure_effects(
    positions: list[MonitorPosition],
    model: str,
    per_kind: int,
    csv_path: Path | None,
    resume: bool,
) -> list[EffectCase]:
    chosen = choose(positions, per_kind)
    names = {name_of(position) for position in chosen}
    earlier = read_cases(csv_path, EffectCase) if resume and csv_path is not None else []
    cases = [case for case in earlier if case.position in names]
    done = {case.position for case in cases}
    waiting = [position for position in chosen if name_of(position) not in done]
    if csv_path is not None:
        write_cases(csv_path, cases)
    with show_progress() as report:
        for number, pair in enumerate(measure_effects(waiting, model)):
            report("Completing with and without monitors", number / len(waiting))
            cases += pair
            if csv_path is not None:
                for case in pair:
                    append_case(csv_path, case)
        report("Checking the answers", None)
        cases = judge(cases, chosen)
    if csv_path is not None:
        write_cases(csv_path, cases)
    return cases


def measure(positions: Iterable[MonitorPosition]) -> Iterator[ReferenceCase | None]:
    """A case for every position; none for those whose file is not the one that was mined."""
    with tempfile.TemporaryDirectory() as cache:
        scope = Scope(None, Path(cache), own_environment().root)
        facts = FactsSource(scope, PATIENCE_SECONDS, PATIENCE_SECONDS)
        try:
            for position in positions:
                path = locate(position)
                yield None if path is None else _reference_case(position, path, facts)
        finally:
            scope.close()


def _reference_case(
    position: MonitorPosition, path: Path, source: FactsSource
) -> ReferenceCase | None:
    text = path.read_text(encoding="utf-8")
    written = text[position.start : position.end]
    document = Document(path.as_uri(), text[: position.start] + text[position.end :])
    started = time.perf_counter()
    at_place = source.at(document, position.start, ahead=False)
    facts = NamesOnly(at_place) if position.kind in SYNTAX_KINDS else at_place
    state = session(document, position.start, facts, observe=True)
    if state is None:
        return None
    for at in range(0, len(written), PIECE_CODE_POINTS):
        state, _ = state.advance(written[at : at + PIECE_CODE_POINTS])
    state.finish()
    tally = state.tally
    said: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    first = ""
    for (monitor, role, start), fits in tally.cases.items():
        said[monitor] += 1
        if not fits:
            wrong[monitor] += 1
            excerpt = state.place.text[start : start + 30].partition("\n")[0]
            first = first or f"{monitor} {role.value}: {excerpt}"
    return ReferenceCase(
        position=name_of(position),
        kind=position.kind,
        split=position.split,
        checked=tally.checked,
        open=tally.open,
        said=_pairs(said),
        wrong=_pairs(wrong),
        first_wrong=first,
        milliseconds=round((time.perf_counter() - started) * 1e3, 1),
    )


def summarize(cases: list[ReferenceCase], lost: int) -> dict[str, Any]:
    """Recall of every monitor by split, and the share of slots where none could say anything."""
    said: dict[str, Counter[str]] = defaultdict(Counter)
    wrong: dict[str, Counter[str]] = defaultdict(Counter)
    for case in cases:
        for monitor, count in _counts(case.said).items():
            said[monitor][case.split] += count
        for monitor, count in _counts(case.wrong).items():
            wrong[monitor][case.split] += count
    recall = {}
    for name in [monitor.name for monitor in MONITORS]:
        for split in ("test", "tune"):
            total = said[name][split]
            recall[f"{name} ({split})"] = share(total - wrong[name][split], total)
    return {
        "positions": len(cases),
        "positions_lost": lost,
        "recall": recall,
        "open": share(sum(case.open for case in cases), sum(case.checked for case in cases)),
    }


def _flat(summary: dict[str, Any]) -> dict[str, Any]:
    recall = {
        f"recall {name}": value
        for name, value in summary.get("recall", {}).items()
        if value["total"]
    }
    return {**{key: value for key, value in summary.items() if key != "recall"}, **recall}


def _read_done(path: Path | None) -> list[ReferenceCase]:
    if path is None:
        raise click.UsageError("--resume needs --csv, the file to go on with.")
    return read_cases(path, ReferenceCase)


def _pairs(counts: Counter[str]) -> str:
    return "; ".join(f"{name}={count}" for name, count in sorted(counts.items()))


def _counts(pairs: str) -> dict[str, int]:
    found = {}
    for pair in filter(None, pairs.split("; ")):
        name, _, count = pair.rpartition("=")
        found[name] = int(count)
    return found
