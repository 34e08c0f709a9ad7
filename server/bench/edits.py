"""`assist bench edits`: what an answer costs after an edit, and how far reused keys and values change it, for every policy of the cache and for llama-server."""

from __future__ import annotations

import json
import math
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

import click
import numpy as np

from assist.cache.kv import ReusePolicy
from assist.completion.prompt import SUFFIX_SHARE, Window, build_prompt
from assist.models.kv_session import KvSession
from assist.models.llama import LlamaOptions
from assist.models.model import Logits, Model
from assist.models.open import OpenedModel, open_model
from assist.models.template import PREFIX, PREFIX_ONLY, SUFFIX, FimTemplate
from assist.server.bench.edit_cases import (
    KINDS,
    EditCase,
    EditKind,
    View,
    edit_cases,
    source_files,
)
from assist.server.bench.edit_figures import draw_figures
from assist.server.bench.edit_lanes import PARKED_MIB_MAX, Answer, CacheLane, Lane, PeerLane
from assist.server.bench.edit_summary import EditRow, summarise, table
from assist.server.bench.report import append_case, read_cases, write_cases
from assist.server.page import write_page
from assist.server.progress import show_progress

POLICIES = ("off", "prefix", "shift", "refreshed", "peer")
ORDERS = ("model", "suffix-first", "prefix-first", "prefix-only")
# Markers for a model without its own: what a cache costs does not depend on their meaning.
UNUSED_MARKERS = ("<issue_start>", "<issue_comment>", "<issue_closed>")
SPARE_TOKENS = 384
# The shift lane goes on without a refresh for so many edits, in turn.
REFRESH_AFTER = (1, 2, 4, 8)


@click.command("edits")
@click.option("--model", default="", help="A model's name or the path of a GGUF file.")
@click.option("--order", type=click.Choice(ORDERS), default="model", show_default=True)
@click.option("--context-tokens", type=click.IntRange(128), default=1024, show_default=True)
@click.option(
    "--suffix-share", type=click.FloatRange(0, 0.9), default=SUFFIX_SHARE, show_default=True
)
@click.option("--kind", "kinds", multiple=True, type=click.Choice(KINDS), help="Only these kinds.")
@click.option("--limit", type=click.IntRange(1), default=200, show_default=True)
@click.option("--seed", default=0, show_default=True, help="Seed of files and edits.")
@click.option("--policies", default=",".join(POLICIES), show_default=True)
@click.option("--csv", "csv_path", type=click.Path(path_type=Path), help="Write every answer.")
@click.option("--resume", is_flag=True, help="Skip the edits that the CSV has already.")
@click.option("--html", "html_path", type=click.Path(path_type=Path), help="Write a page.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(
    model: str,
    order: str,
    context_tokens: int,
    suffix_share: float,
    kinds: tuple[EditKind, ...],
    limit: int,
    seed: int,
    policies: str,
    csv_path: Path | None,
    resume: bool,
    html_path: Path | None,
    as_json: bool,
) -> None:
    """Edit real files and answer after each edit: tokens evaluated, time, agreement."""
    chosen = _policies(policies)
    if resume and csv_path is None:
        raise click.UsageError("--resume needs --csv FILE.")
    rows = _complete(_earlier(csv_path)) if resume and csv_path else []
    if csv_path:
        csv_path.unlink(missing_ok=True)
        write_cases(csv_path, rows)
    started = time.perf_counter()
    options = LlamaOptions(context_tokens + SPARE_TOKENS, threads_decode=0, threads_prefill=0)
    opened = _ordered(open_model(model, options=options), order)
    done = {row.number for row in rows}
    with ExitStack() as stack, show_progress() as progress:
        lanes = _lanes(opened, model, chosen, stack)
        cases = edit_cases(source_files(), seed=seed, limit=limit, kinds=kinds or KINDS)
        left = (case for case in cases if case.number not in done)
        for row in run_cases(opened, lanes, left, context_tokens, suffix_share):
            rows.append(row)
            if csv_path:
                append_case(csv_path, row)
            progress(f"edit {row.number + 1} of {limit}", (row.number + 1) / limit)
    summary = summarise(rows) | {
        "model": opened.model.name,
        "template": str(opened.template),
        "context_tokens": context_tokens,
        "suffix_share": suffix_share,
        "seconds": round(time.perf_counter() - started, 1),
    }
    if html_path:
        heading = f"Edits: {opened.model.name}, {opened.template}"
        sections = {"Run": {key: summary[key] for key in ("edits", "template", "seconds")}}
        write_page(html_path, heading, sections, table(summary), figures=draw_figures(rows))
    click.echo(json.dumps(summary, indent=2) if as_json else _text(table(summary)))


def run_cases(
    opened: OpenedModel,
    lanes: Sequence[Lane],
    cases: Iterator[EditCase],
    context_tokens: int,
    suffix_share: float = SUFFIX_SHARE,
) -> Iterator[EditRow]:
    """Answer every edit in every lane, the same tokens in each; ``off`` is what they are compared with."""
    windows: dict[str, Window] = {}
    last: View | None = None
    since = turn = 0
    for case in cases:
        before, after = (
            _tokens(opened, view, windows, context_tokens, suffix_share)
            for view in (case.before, case.after)
        )
        if case.before != last:
            _open(lanes, before, case.before.name)
            since = 0
        last = case.after
        since += 1
        answers = {lane.name: lane.answer(after, case.after.name) for lane in lanes}
        for name, answer in answers.items():
            yield _row(case, len(after), since, name, answer, answers.get("off"))
        if since >= REFRESH_AFTER[turn % len(REFRESH_AFTER)]:
            _refresh(lanes, case.after.name)
            turn, since = turn + 1, 0


def _open(lanes: Sequence[Lane], tokens: Sequence[int], document: str) -> None:
    first: CacheLane | None = None
    for lane in lanes:
        if not isinstance(lane, CacheLane):
            lane.open(tokens, document)
        elif lane.name == "off":
            continue
        elif first is None:
            lane.open(tokens, document)
            first = lane
        else:
            lane.copy(first, document)


def _refresh(lanes: Sequence[Lane], document: str) -> None:
    """Bring the shift lane to where an idle moment would have brought it."""
    by_name = {lane.name: lane for lane in lanes if isinstance(lane, CacheLane)}
    shift, refreshed = by_name.get("shift"), by_name.get("refreshed")
    if shift and refreshed:
        shift.copy(refreshed, document)
    elif shift:
        shift.session.refresh()


def _row(
    case: EditCase, tokens: int, since: int, name: str, answer: Answer, off: Answer | None
) -> EditRow:
    kl, top1, margin, same_line = math.nan, False, math.nan, False
    if off is not None and off.logits is not None and answer.logits is not None:
        kl, top1, margin = compare(off.logits, answer.logits)
        same_line = off.line == answer.line
    return EditRow(
        number=case.number,
        kind=case.kind,
        document=case.after.name,
        policy=name,
        tokens=tokens,
        since_refresh=since,
        reused=answer.reused,
        shifted=answer.shifted,
        evaluated=answer.evaluated,
        milliseconds=round(answer.milliseconds, 2),
        kl=round(kl, 7),
        top1=top1,
        margin=round(margin, 4),
        same_line=same_line,
    )


def compare(reference: Logits, other: Logits) -> tuple[float, bool, float]:
    """KL divergence from the reference in nats, same favourite, and the reference's lead of it."""
    p, q = _log_softmax(reference[-1]), _log_softmax(other[-1])
    kl = float((np.exp(p) * (p - q)).sum())
    second, first = np.partition(reference[-1], -2)[-2:]
    return max(kl, 0.0), int(p.argmax()) == int(q.argmax()), float(first - second)


def _log_softmax(row: Logits) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    shifted = row.astype(np.float64) - float(row.max())
    return shifted - math.log(float(np.exp(shifted).sum()))


def _tokens(
    opened: OpenedModel,
    view: View,
    windows: dict[str, Window],
    tokens_max: int,
    suffix_share: float,
) -> tuple[int, ...]:
    prompt = build_prompt(
        opened.model,
        opened.template,
        view.text,
        view.offset,
        tokens_max=tokens_max,
        window=windows.get(view.name),
        suffix_share=suffix_share,
    )
    windows[view.name] = prompt.window
    return prompt.tokens


def _lanes(opened: OpenedModel, name: str, policies: Sequence[str], stack: ExitStack) -> list[Lane]:
    """A lane with a native memory of its own for every policy; ``stack`` closes them."""
    lanes: list[Lane] = []
    for policy in policies:
        if policy == "peer":
            peer = PeerLane(Path(opened.model.file), opened.model.options)
            lanes.append(stack.enter_context(closing(peer)))
            continue
        model = opened.model if not lanes else open_model(name, options=opened.model.options).model
        reuse = ReusePolicy("shift" if policy in ("shift", "refreshed") else policy)  # type: ignore[arg-type]
        session = KvSession(model, reuse, memory_bytes_max=PARKED_MIB_MAX << 20)
        lane = CacheLane(policy, session, refreshed=policy == "refreshed")
        lanes.append(stack.enter_context(closing(lane)))
    return lanes


def _ordered(opened: OpenedModel, order: str) -> OpenedModel:
    """The model with its template brought into ``order``."""
    if order == "model":
        return opened
    if order == "prefix-only":
        return replace(opened, template=PREFIX_ONLY)
    prefix, suffix, middle = _marker_texts(opened.model, opened.template)
    if order == "suffix-first":
        parts = (suffix, SUFFIX, prefix, PREFIX, middle)
    else:
        parts = (prefix, PREFIX, suffix, SUFFIX, middle)
    return replace(opened, template=FimTemplate(parts))


def _marker_texts(model: Model, template: FimTemplate) -> tuple[str, str, str]:
    parts = template.parts
    if template.uses_suffix and len(template.markers) == 3:
        return parts[parts.index(PREFIX) - 1], parts[parts.index(SUFFIX) - 1], parts[-1]
    if any(model.vocabulary.marker(text) is None for text in UNUSED_MARKERS):
        raise click.UsageError(f"{model.name} has no markers. Choose --order prefix-only.")
    return UNUSED_MARKERS


def _policies(text: str) -> list[str]:
    chosen = [name.strip() for name in text.split(",") if name.strip()]
    unknown = sorted(set(chosen) - set(POLICIES))
    if unknown or not chosen:
        raise click.UsageError(f"--policies takes {', '.join(POLICIES)}.")
    if "peer" in chosen:
        try:
            import xllamacpp  # noqa: F401
        except ImportError:
            chosen.remove("peer")
            click.echo("Without llama-server: pip install 'assist-lsp[bench]' adds it.", err=True)
    return [name for name in POLICIES if name in chosen]


def _earlier(path: Path) -> list[EditRow]:
    try:
        return read_cases(path, EditRow)
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def _complete(rows: Sequence[EditRow]) -> list[EditRow]:
    """Rows without those of an edit that a broken-off run did not finish."""
    counts = Counter(row.number for row in rows)
    most = max(counts.values(), default=0)
    return [row for row in rows if counts[row.number] == most]


def _text(rows: Sequence[dict[str, str]]) -> str:
    if not rows:
        return ""
    widths = {key: max(len(key), *(len(row[key]) for row in rows)) for key in rows[0]}
    lines = [{key: key for key in widths}, *rows]
    return "\n".join(
        "  ".join(line[key].ljust(width) for key, width in widths.items()).rstrip()
        for line in lines
    )
