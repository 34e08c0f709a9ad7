"""Says whether a new version of a function behaves like the old one and is faster; it never guesses: what was not run is not said."""

from __future__ import annotations

from assist.analysis.execution.types import (
    Evidence,
    Layer,
    Mutants,
    Profile,
    RecordedCall,
    RecordedCalls,
    Relaxation,
    SandboxLayers,
    Skipped,
    Sources,
    Speedup,
    Subject,
    Target,
    Targets,
    Verdict,
    VerdictName,
    VerifyOptions,
)

__all__ = [
    "Evidence",
    "Layer",
    "Mutants",
    "Profile",
    "RecordedCall",
    "RecordedCalls",
    "Relaxation",
    "SandboxLayers",
    "Skipped",
    "Sources",
    "Speedup",
    "Subject",
    "Target",
    "Targets",
    "Verdict",
    "VerdictName",
    "VerifyOptions",
]
