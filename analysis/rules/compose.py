"""Applies several rules to one function, one after the other, until none fits any more; it verifies nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from assist.analysis.rules.catalog import RULES
from assist.analysis.rules.rule import Proposal, Rule
from assist.analysis.rules.target import Facts

STEPS_MAX = 14
STEPS_PER_RULE_MAX = 6
TITLES_MAX = 3
# Rules that answer the same problem: one of a group is enough.
ALTERNATIVES = (frozenset({"linear-recurrence", "remembered-recursion", "tail-call"}),)


@dataclass(frozen=True)
class Chain:
    """A function rewritten step by step; ``steps[i]`` is the proposal after ``i + 1`` rules."""

    steps: tuple[Proposal, ...] = ()

    @property
    def last(self) -> Proposal:
        return self.steps[-1]


def single_proposals(module_text: str, qualname: str, facts: Facts) -> list[Proposal]:
    """What each rule alone proposes, the rules with the largest effect first, each text once."""
    found: dict[str, Proposal] = {}
    for rule in RULES:
        for proposal in rule.apply(module_text, qualname, facts):
            found.setdefault(proposal.module_text, proposal)
    return list(found.values())


def compose(
    module_text: str,
    qualname: str,
    facts: Facts,
    *,
    first: Proposal | None = None,
    without: Collection[str] = (),
    only: Collection[str] | None = None,
    may_go_on: Callable[[], bool] = lambda: True,
) -> Chain:
    """The rules that fit, applied until none does; ``first`` is taken as the first step.

    ``without`` names rules to leave out, ``only`` those to use. The chain ends where
    ``may_go_on()`` says so before a step.
    """
    rules = [r for r in RULES if r.name not in without and (only is None or r.name in only)]
    steps: list[Proposal] = [first] if first is not None else []
    text = first.module_text if first is not None else module_text
    seen = {module_text, text}
    used: Counter[str] = Counter(first.rules if first is not None else ())
    while len(steps) < STEPS_MAX and may_go_on():
        step = _next_step(rules, text, qualname, facts, seen, used)
        if step is None:
            break
        used.update(step.rules)
        seen.add(step.module_text)
        text = step.module_text
        steps.append(joined([*steps[-1:], step]))
    return Chain(tuple(steps))


def _next_step(
    rules: Sequence[Rule],
    text: str,
    qualname: str,
    facts: Facts,
    seen: Collection[str],
    used: Counter[str],
) -> Proposal | None:
    for rule in rules:
        if used[rule.name] >= STEPS_PER_RULE_MAX or _is_answered(rule.name, used):
            continue
        for proposal in rule.apply(text, qualname, facts):
            if proposal.module_text not in seen:
                return proposal
    return None


def _is_answered(name: str, used: Counter[str]) -> bool:
    return any(
        name in group and any(used[other] for other in group - {name}) for group in ALTERNATIVES
    )


def joined(steps: Sequence[Proposal]) -> Proposal:
    """One proposal with the last text, and the names, reasons and inputs of all."""
    rules = tuple(dict.fromkeys(name for step in steps for name in step.rules))
    titles = list(dict.fromkeys(title for step in steps for title in step.title.split("; ")))
    reasons = dict.fromkeys(line for step in steps for line in step.explanation.split("\n"))
    more = f"; {len(titles) - TITLES_MAX} more" if len(titles) > TITLES_MAX else ""
    return replace(
        steps[-1],
        rules=rules,
        title="; ".join(titles[:TITLES_MAX]) + more,
        explanation="\n".join(reasons),
        adversarial=tuple(dict.fromkeys(call for step in steps for call in step.adversarial)),
        relaxations=tuple(dict.fromkeys(r for step in steps for r in step.relaxations)),
    )
