"""What the monitors change for a model: the same holes with and without them, judged by the reference and by an independent check."""

from __future__ import annotations

import ast
import keyword
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from assist.analysis.document import Document
from assist.analysis.document_facts import DocumentFacts, FactsSource
from assist.analysis.environment import own_environment
from assist.analysis.monitors.session import session as watch
from assist.analysis.monitors.slot import Role
from assist.analysis.scope import Scope
from assist.completion.engine import Completion, CompletionOptions, EngineSession, complete
from assist.models.kv_session import KvSession
from assist.models.open import open_model
from assist.server.bench.monitor_positions import MonitorPosition, locate
from assist.server.bench.report import share
from assist.server.bench.static_check import Missing, find_missing, is_available

KINDS = ("attribute", "name", "argument", "keyword", "import", "key")
CONTEXT_TOKENS_MAX = 320
ANSWER_TOKENS_MAX = 32
# As long as somebody needs to come to a place and type there; then what was asked ahead is known,
# and the names of the file are, of which each edit costs the part that it changes.
WARM_SECONDS_MAX = 20.0
# The answers are compared, so a slow machine must not open a monitor; what is late is counted.
PATIENCE_SECONDS = 5.0
PROBE = "zzz_not_there"
OPTIONS = CompletionOptions(
    tokens_max=ANSWER_TOKENS_MAX,
    context_tokens_max=CONTEXT_TOKENS_MAX,
    decode_ms_max=120_000.0,
    judge=False,
    rank=False,
)
VARIANTS: dict[str, CompletionOptions] = {
    "without": replace(OPTIONS, monitors=False),
    "with": OPTIONS,
}
_IDENTIFIER = re.compile(r"[^\W\d]\w*")
_STRING = re.compile(r"'[^'\n]*'|\"[^\"\n]*\"")


@dataclass(frozen=True)
class EffectCase:
    """One answer at one position.

    ``variant`` is "with" or "without" monitors. ``next_match``: the first identifier is the one
    people wrote; ``all_match``: all identifiers of the line are. ``was_parsable`` and ``parsable``:
    the file without and with the answer. ``legal_mass`` is the least probability of all legal
    tokens where one was rejected. ``monitors_ms`` is time of the decoder's thread, ``waited_ms`` what it waited
    for facts, ``late`` how many of them took longer than the product waits. ``resolvable``: jedi
    completes attributes at the hole; ``closed``: the attribute monitor knows them all;
    ``receiver_known``: the independent checker knows the type before the dot. ``missing`` are the
    names in the answer that do not exist according to it, "?" where it could not be asked.
    """

    position: str
    kind: str
    model: str
    variant: str
    answer: str
    next_match: bool
    all_match: bool
    was_parsable: bool
    parsable: bool
    checked: int
    rejected: int
    masked: int
    open: int
    legal_mass: float
    monitors_ms: float
    waited_ms: float
    late: int
    decode_ms: float
    resolvable: bool
    closed: bool
    receiver_known: bool = False
    missing: str = "?"


def choose(positions: Iterable[MonitorPosition], per_kind: int) -> list[MonitorPosition]:
    """Up to ``per_kind`` positions of every kind, one in a file at most."""
    known = list(positions)
    chosen: list[MonitorPosition] = []
    taken: set[str] = set()
    for kind in KINDS:
        free = {p.path: p for p in known if p.kind == kind and p.path not in taken}
        spread = list(free.values())
        count = min(per_kind, len(spread))
        for at in range(count):
            chosen.append(spread[at * len(spread) // count])
            taken.add(chosen[-1].path)
    return chosen


def measure_effects(
    positions: Sequence[MonitorPosition], model_name: str
) -> Iterator[list[EffectCase]]:
    """One case for each variant of every position; none where the file is not the one mined."""
    opened = open_model(model_name)
    with tempfile.TemporaryDirectory() as cache:
        scope = Scope(None, Path(cache), own_environment().root)
        facts = FactsSource(scope, PATIENCE_SECONDS, PATIENCE_SECONDS)
        session = EngineSession(KvSession(opened.model), opened.template)
        try:
            for position in positions:
                path = locate(position)
                yield [] if path is None else _cases(session, facts, position, path)
                session.documents.clear()
        finally:
            scope.close()


def _cases(
    session: EngineSession, source: FactsSource, position: MonitorPosition, path: Path
) -> list[EffectCase]:
    text = path.read_text(encoding="utf-8")
    document = Document(path.as_uri(), text[: position.start] + text[position.end :])
    resolvable = closed = False
    facts = source.at(document, position.start)
    facts.names()
    facts.wait(WARM_SECONDS_MAX)
    if position.kind == "attribute":
        place = document.position_at(position.start)
        resolvable = bool(source.scope.complete(document, place, WARM_SECONDS_MAX))
        closed = _is_closed(document, position, text, facts)
    cases = []
    for variant, options in VARIANTS.items():
        place = document.position_at(position.start)
        facts = source.at(document, position.start)
        facts.forget_time()
        asked = facts if options.monitors else None
        completion = complete(session, document, place, options, facts=asked)
        case = _case(position, text, variant, completion, facts)
        cases.append(
            replace(case, resolvable=resolvable, closed=closed, model=session.kv.model.name)
        )
    return cases


def _is_closed(
    document: Document, position: MonitorPosition, text: str, facts: DocumentFacts
) -> bool:
    """Whether the attribute monitor can tell legal from illegal at the hole."""
    state = watch(document, position.start, facts, observe=True)
    name = _IDENTIFIER.match(text, position.start)
    if state is None or name is None:
        return False
    state.advance(name[0] + " + 1")
    return any(case[:2] == ("attribute", Role.ATTRIBUTE) for case in state.tally.cases)


def _case(
    position: MonitorPosition,
    text: str,
    variant: str,
    completion: Completion,
    facts: DocumentFacts,
) -> EffectCase:
    written = text[position.start : position.end]
    answer = completion.candidates[0].text if completion.candidates else ""
    counts = completion.monitors
    guards = [guard for given in completion.answers if (guard := given.guard)]
    return EffectCase(
        position=name_of(position),
        kind=position.kind,
        model="",
        variant=variant,
        answer=answer,
        next_match=bool(answer) and _words(answer, position)[:1] == _words(written, position)[:1],
        all_match=bool(answer) and _words(answer, position) == _words(written, position),
        was_parsable=_parses(_with(text, position, "")),
        parsable=_parses(_with(text, position, answer)),
        checked=counts["checked"],
        rejected=counts["rejected"],
        masked=counts["masked"],
        open=counts["open"],
        legal_mass=round(min((guard.legal_mass for guard in guards), default=1.0), 5),
        monitors_ms=round(completion.timing_ms["monitors"], 3),
        waited_ms=round(facts.waited_seconds * 1e3, 3),
        late=facts.late,
        decode_ms=round(completion.timing_ms["decode"], 1),
        resolvable=False,
        closed=False,
    )


def name_of(position: MonitorPosition) -> str:
    return f"{position.kind} {position.path}:{position.start}"


# --- the independent check ----------------------------------------------------------------------


def judge(cases: Sequence[EffectCase], positions: Sequence[MonitorPosition]) -> list[EffectCase]:
    """The cases with what the independent check says about their answers."""
    files = {p.path: path for p in positions if (path := locate(p)) is not None}
    if not files or not is_available():
        return list(cases)
    by_name = {name_of(p): p for p in positions if p.path in files}
    texts = {path: file.read_text(encoding="utf-8") for path, file in files.items()}
    answers: dict[str, dict[str, str]] = {"probe": {}, "reference": {}}
    for name, position in by_name.items():
        answers["probe"][name] = PROBE
        answers["reference"][name] = texts[position.path][position.start : position.end]
    for case in cases:
        if case.answer:
            answers.setdefault(case.variant, {})[case.position] = case.answer
    found: dict[str, dict[str, list[Missing]]] = {}
    for variant, given in answers.items():
        found[variant] = _missing_in(texts, by_name, given)
    return [_judged(case, found) for case in cases]


def _missing_in(
    texts: Mapping[str, str],
    positions: Mapping[str, MonitorPosition],
    answers: Mapping[str, str],
) -> dict[str, list[Missing]]:
    """What is missing inside each answer, for the answers after which the file parses."""
    changed = {}
    for name, answer in answers.items():
        if name in positions:
            whole = _with(texts[positions[name].path], positions[name], answer)
            if _parses(whole):
                changed[name] = whole
    paths = {positions[name].path: name for name in changed}
    with tempfile.TemporaryDirectory() as work:
        checked = find_missing({path: changed[name] for path, name in paths.items()}, Path(work))
    found = {}
    for path, name in paths.items():
        if path not in checked:
            continue
        start = positions[name].start
        spans = [_offset(changed[name], missing) for missing in checked[path]]
        end = start + len(answers[name])
        found[name] = [
            missing
            for missing, at in zip(checked[path], spans, strict=True)
            # an attribute is reported where its receiver starts
            if at < end and _is_inside(changed[name], missing, at, start, end)
        ]
    return found


def _is_inside(text: str, missing: Missing, at: int, start: int, end: int) -> bool:
    named = re.compile(rf"\b{missing.name}\b").finditer(text, at)
    first = next((match.start() for match in named), -1)
    return start <= first < end


def _offset(text: str, missing: Missing) -> int:
    lines = text.split("\n")
    return sum(len(line) + 1 for line in lines[: missing.line - 1]) + missing.column - 1


def _judged(case: EffectCase, found: Mapping[str, Mapping[str, list[Missing]]]) -> EffectCase:
    probe = found["probe"].get(case.position, [])
    known = case.kind == "attribute" and any(
        missing.what == "attribute" and missing.name == PROBE for missing in probe
    )
    missing = found.get(case.variant, {}).get(case.position)
    if missing is None:
        return replace(case, receiver_known=known)
    # what the checker misses in the text that people wrote, it does not understand
    excused = {(m.what, m.name) for m in found["reference"].get(case.position, [])}
    named = sorted({(m.what, m.name) for m in missing} - excused)
    return replace(
        case, receiver_known=known, missing="; ".join(f"{what} {name}" for what, name in named)
    )


# --- the figures --------------------------------------------------------------------------------


def summarize_effects(cases: Sequence[EffectCase]) -> dict[str, Any]:
    """Shares for each variant, and what the monitors cost."""
    summary: dict[str, Any] = {}
    for variant in VARIANTS:
        part = [case for case in cases if case.variant == variant]
        for name, value in _shares(part).items():
            summary[f"{name}, {variant}"] = value
    holes = [case for case in cases if case.variant == "with" and case.kind == "attribute"]
    resolvable = [case for case in holes if case.resolvable]
    summary["attribute closed where jedi resolves"] = _share(c.closed for c in resolvable)
    watched = [case for case in cases if case.variant == "with"]
    summary["slots left open"] = share(
        sum(case.open for case in watched), sum(case.checked for case in watched)
    )
    for name, values in (
        ("monitors ms", [case.monitors_ms for case in watched]),
        ("waited for facts ms", [case.waited_ms for case in watched]),
        ("legal mass where masked", [case.legal_mass for case in watched if case.masked]),
    ):
        summary[f"{name} p50"] = _quantile(values, 0.5)
        summary[f"{name} p95"] = _quantile(values, 0.95)
    summary["facts that came late"] = sum(case.late for case in watched)
    return summary


def _shares(cases: Sequence[EffectCase]) -> dict[str, Any]:
    judged = [case for case in cases if case.missing != "?"]
    known = [case for case in judged if case.receiver_known]
    shown = [case for case in cases if case.answer]
    shares = {"next identifier": _share(case.next_match for case in cases)}
    for kind in KINDS:
        of_kind = [case.next_match for case in cases if case.kind == kind]
        shares[f"next identifier ({kind})"] = _share(of_kind)
    return {
        **shares,
        "identifier sequence": _share(case.all_match for case in cases),
        "no answer": _share(not case.answer for case in cases),
        "file parses": _share(case.parsable for case in shown),
        "parsable stays parsable": _share(case.parsable for case in shown if case.was_parsable),
        "missing attribute, receiver known": _share("attribute" in c.missing for c in known),
        "missing attribute": _share("attribute" in case.missing for case in judged),
        "missing name": _share("name " in case.missing for case in judged),
        "missing keyword": _share("keyword" in case.missing for case in judged),
    }


def _share(hits: Iterable[bool]) -> dict[str, float | int]:
    known = list(hits)
    return share(sum(known), len(known))


def _quantile(values: Sequence[float], part: float) -> float:
    return sorted(values)[int(len(values) * part)] if values else 0.0


def _with(text: str, position: MonitorPosition, answer: str) -> str:
    return text[: position.start] + answer + text[position.end :]


def _words(text: str, position: MonitorPosition) -> list[str]:
    """Identifiers of the first line, without keywords, and without strings where no key is asked."""
    line = text.lstrip("\n").partition("\n")[0]
    if position.kind != "key":
        line = _STRING.sub("''", line)
    return [name for name in _IDENTIFIER.findall(line) if not keyword.iskeyword(name)]


def _parses(text: str) -> bool:
    try:
        ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True
