"""Every rule, and the proposals that one or several of them make for a function; it verifies nothing."""

from __future__ import annotations

from assist.analysis.rules import (
    accumulation,
    arithmetic,
    calls,
    characters,
    conditions,
    counting,
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
    accumulation,
    growth,
    indexing,
    sequences,
    characters,
    text,
    membership,
    arithmetic,
    calls,
    motion,
    conditions,
    counting,
    sorting,
    pairs,
    recursion,
    ranges,
    lookups,
    inlining,
)
RULES: tuple[Rule, ...] = tuple(rule for family in FAMILIES for rule in family.RULES)
BY_NAME = {rule.name: rule for rule in RULES}
