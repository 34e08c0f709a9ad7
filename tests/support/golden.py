"""Reads and writes the golden files of the rules: cases with a heading, a source, and what became of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from assist.analysis.rules.catalog import BY_NAME
from assist.analysis.rules.target import Facts

FOLDER = Path(__file__).parent.parent / "golden" / "rules"
HEADING = re.compile(r"^=== (?P<rule>[\w-]+) (?P<kind>fires|silent|refused)(?:: (?P<note>.*))?$")


@dataclass(frozen=True)
class Case:
    """``before`` defines a function `f`; ``after`` is empty for silent cases.

    ``calls`` are inputs, as Python expressions of ``(args, kwargs)``, on which a refused case
    shows that it is wrong.
    """

    rule: str
    kind: str
    note: str
    before: str
    after: str = ""
    calls: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        return f"{self.rule} {self.kind}" + (f": {self.note}" if self.note else "")


def read(path: Path) -> list[Case]:
    """Cases of one file."""
    cases: list[Case] = []
    part = ""
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        heading = HEADING.match(line.rstrip("\n"))
        if heading:
            cases.append(Case(heading["rule"], heading["kind"], heading["note"] or "", ""))
            part = "before"
        elif line.rstrip("\n") in {"--- after", "--- calls"}:
            part = line.split()[1]
        elif part == "calls":
            if line.strip():
                cases[-1] = replace(cases[-1], calls=(*cases[-1].calls, line.strip()))
        elif part:
            text = getattr(cases[-1], part) + line
            cases[-1] = replace(cases[-1], **{part: text})
    return [replace(c, before=_trimmed(c.before), after=_trimmed(c.after)) for c in cases]


def all_cases() -> Iterator[Case]:
    for path in sorted(FOLDER.glob("*.txt")):
        yield from read(path)


def proposed(case: Case) -> list[str]:
    """Module texts that the rule proposes for `f`."""
    facts = Facts(libraries=frozenset({"numpy", "pandas"}))
    return [p.module_text for p in BY_NAME[case.rule].apply(case.before, "f", facts)]


def write(path: Path, cases: Iterable[Case]) -> None:
    """Write a file back with what the rules do today; for reading the difference, not for trust."""
    blocks = []
    for case in cases:
        found = proposed(case)
        after = case.after if case.after in found else (found[0] if found else "")
        block = f"=== {case.title}\n{case.before}"
        if case.kind != "silent":
            block += f"--- after\n{after}"
        if case.calls:
            block += "--- calls\n" + "".join(f"{call}\n" for call in case.calls)
        blocks.append(block)
    path.write_text("\n".join(blocks), encoding="utf-8")


def _trimmed(text: str) -> str:
    return text.rstrip("\n") + "\n" if text.strip() else ""


if __name__ == "__main__":
    for file in sorted(FOLDER.glob("*.txt")):
        write(file, read(file))
