"""All monitors, by the role they watch."""

from __future__ import annotations

from functools import lru_cache

from assist.analysis.monitors import (
    arity,
    attribute,
    brackets,
    calls,
    decorators,
    exceptions,
    exports,
    fields,
    imported_names,
    indentation,
    keys,
    keywords,
    literals,
    modules,
    names,
    observed_keys,
    overrides,
    patterns,
    quotes,
    self_store,
    statements,
    wanted_imports,
)
from assist.analysis.monitors.monitor import Monitor
from assist.analysis.monitors.slot import Role

MONITORS: tuple[Monitor, ...] = (
    brackets.MONITOR,
    quotes.MONITOR,
    indentation.MONITOR,
    statements.MONITOR,
    fields.MONITOR,
    names.MONITOR,
    attribute.MONITOR,
    self_store.MONITOR,
    keywords.MONITOR,
    arity.MONITOR,
    calls.MONITOR,
    modules.MONITOR,
    imported_names.MONITOR,
    keys.MONITOR,
    observed_keys.MONITOR,
    literals.MONITOR,
    patterns.MONITOR,
    exceptions.MONITOR,
    decorators.MONITOR,
    overrides.MONITOR,
    exports.MONITOR,
    wanted_imports.MONITOR,
)


@lru_cache(maxsize=64)
def watching(role: Role) -> tuple[Monitor, ...]:
    """Monitors that watch a role."""
    return tuple(monitor for monitor in MONITORS if role in monitor.roles)
