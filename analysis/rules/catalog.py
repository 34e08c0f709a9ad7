"""Every rule, those that change the order of growth first; it applies none."""

from __future__ import annotations

from assist.analysis.rules import (
    accumulation,
    arithmetic,
    arrays,
    calls,
    characters,
    conditions,
    counting,
    frames,
    growth,
    indexing,
    inlining,
    lookups,
    membership,
    motion,
    pairs,
    ranges,
    recursion,
    sequences,
    sorting,
    text,
)
from assist.analysis.rules.rule import Rule

FAMILIES = (
    recursion,
    pairs,
    lookups,
    membership,
    growth,
    sorting,
    ranges,
    counting,
    sequences,
    characters,
    conditions,
    inlining,
    motion,
    indexing,
    accumulation,
    text,
    calls,
    arithmetic,
    frames,
    arrays,
)
RULES: tuple[Rule, ...] = tuple(rule for family in FAMILIES for rule in family.RULES)
BY_NAME = {rule.name: rule for rule in RULES}
