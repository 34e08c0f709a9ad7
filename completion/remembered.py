"""Keeps searches for faster versions and recorded calls between runs; what it returns is what was verified then, for the same inputs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import assist.analysis.execution
import assist.analysis.rules
from assist.analysis.digest import function_digest, program_digest, workspace_digest
from assist.analysis.execution.bundle import describe
from assist.analysis.execution.verdict import (
    Evidence,
    Mutants,
    Profile,
    RecordedCall,
    RecordedCalls,
    Sources,
    Speedup,
    Subject,
    Verdict,
)
from assist.analysis.rules.splice import Change, change_between, with_change
from assist.cache.verdicts import VerdictStore
from assist.completion.edits import Rejection, Search, Suggestion, SuggestOptions

PACKAGES = (
    Path(assist.analysis.execution.__file__).parent,
    Path(assist.analysis.rules.__file__).parent,
    Path(__file__).parent,
)


def search_key(
    subject: Subject, options: SuggestOptions, recorded: RecordedCalls | None, model: str
) -> str:
    """A key that changes with anything a search depends on."""
    verify = options.verify
    interpreter = describe(verify.interpreter)
    calls = recorded.of(subject) if recorded is not None else ()
    parts = [
        "search",
        program_digest(PACKAGES),
        function_digest(subject.module_text, subject.qualname, subject.path, verify.workspace),
        str(interpreter.path),
        str(interpreter.version),
        str(verify.min_speedup),
        str(verify.relaxations),
        str(verify.adversarial),
        str(verify.allow_reduced_isolation),
        str(sorted(options.proposers)),
        model,
        *(hashlib.sha256(call.pickle).hexdigest() for call in calls),
    ]
    return _digest(parts)


def find_search(store: VerdictStore, key: str, subject: Subject) -> Search | None:
    """The search last kept under a key, put into today's text of the module."""
    value = store.get(key)
    if value is None:
        return None
    try:
        return _search(value, subject)
    except (KeyError, TypeError, ValueError):
        return None


def keep_search(store: VerdictStore, key: str, search: Search) -> None:
    """Keep a search that came to its end."""
    suggestion = search.suggestion
    value: dict[str, Any] = {
        "reason": search.reason,
        "rejections": [
            {"origin": each.origin, "verdict": asdict(each.verdict)} for each in search.rejections
        ],
        "suggestion": None,
    }
    if suggestion is not None:
        change = change_between(
            suggestion.subject.module_text, suggestion.module_text, suggestion.subject.qualname
        )
        if change is None:
            return
        value["suggestion"] = {
            "origin": suggestion.origin,
            "title": suggestion.title,
            "explanation": suggestion.explanation,
            "change": asdict(change),
            "verdict": asdict(suggestion.verdict),
        }
    store.put(key, value)


def recording_key(workspace: Path, interpreter: Path, tests: Sequence[Path]) -> str:
    """A key that changes with any Python file of the workspace."""
    found = describe(interpreter)
    parts = ["recording", program_digest(PACKAGES), str(found.path), str(found.version)]
    return _digest([*parts, *map(str, tests), workspace_digest(workspace, tests)])


def find_recording(store: VerdictStore, key: str) -> RecordedCalls | None:
    """Calls recorded by an earlier run of the same tests on the same files."""
    value = store.get(key)
    if value is None:
        return None
    try:
        return RecordedCalls(
            calls={
                (path, name): tuple(RecordedCall(p.encode("ascii"), s) for p, s in calls)
                for path, name, calls in value["calls"]
            },
            profiles={
                (path, name): Profile(count, seconds)
                for path, name, count, seconds in value["profiles"]
            },
            tests_passed=value["passed"],
            tests_failed=value["failed"],
            reason=value["reason"],
            module_names=value["modules"],
            sys_path=tuple(value["sys_path"]),
        )
    except (KeyError, TypeError, ValueError):
        return None


def keep_recording(store: VerdictStore, key: str, recorded: RecordedCalls) -> None:
    """Keep recorded calls, unless the tests did not come to their end."""
    if recorded.reason:
        return
    store.put(
        key,
        {
            "calls": [
                [path, name, [[call.pickle.decode("ascii"), call.shape] for call in calls]]
                for (path, name), calls in recorded.calls.items()
            ],
            "profiles": [
                [path, name, profile.calls, profile.own_seconds]
                for (path, name), profile in recorded.profiles.items()
            ],
            "passed": recorded.tests_passed,
            "failed": recorded.tests_failed,
            "reason": recorded.reason,
            "modules": recorded.module_names,
            "sys_path": list(recorded.sys_path),
        },
    )


def _search(value: dict[str, Any], subject: Subject) -> Search | None:
    suggestion = None
    kept = value["suggestion"]
    if kept is not None:
        change = kept["change"]
        text = with_change(
            subject.module_text,
            subject.qualname,
            Change(change["function"], tuple(change["imports"]), tuple(change["constants"])),
        )
        if text is None:
            return None
        suggestion = Suggestion(
            subject,
            kept["origin"],
            kept["title"],
            kept["explanation"],
            text,
            _verdict(kept["verdict"]),
        )
    rejections = tuple(
        Rejection(subject, each["origin"], _verdict(each["verdict"]))
        for each in value["rejections"]
    )
    return Search(suggestion, rejections, value["reason"], 0)


def _verdict(value: dict[str, Any]) -> Verdict:
    evidence = value["evidence"]
    return Verdict(
        **{
            **value,
            "speedup": Speedup(**value["speedup"]) if value["speedup"] else None,
            "evidence": Evidence(
                **{
                    **evidence,
                    "sources": Sources(**evidence["sources"]),
                    "mutants": Mutants(**evidence["mutants"]),
                    "relaxations": tuple(evidence["relaxations"]),
                }
            ),
        }
    )


def _digest(parts: Sequence[str]) -> str:
    return hashlib.sha256(json.dumps(list(parts)).encode()).hexdigest()
