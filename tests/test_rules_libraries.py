"""Rules for numpy and pandas, executed: each is verified on ordinary data; skipped where the library is not installed."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from assist.analysis.execution.verdict import Subject, VerifyOptions, verify
from assist.analysis.rules import arrays, frames
from assist.analysis.rules.catalog import BY_NAME
from assist.analysis.rules.target import Facts
from support.golden import Case, all_cases

pytestmark = pytest.mark.deep

FRAME = (
    'pd.DataFrame({"price": [0.5, 1.5, 2.0, 4.0] * 8, "count": [1, 2, 3, 4] * 8,'
    ' "a": [0.1, 2.0, 3.5, 9.0] * 8, "b": [1.0, 2.0, 3.0, 4.0] * 8, "name": ["x", "y", "z", "x"] * 8})'
)
EXAMPLES = {
    "frame-rows": (FRAME,),
    "frame-apply": (f'{FRAME}[["a", "b"]]',),
    "frame-concat": (f"[{FRAME}[['a']]] * 9",),
    "series-isin": (FRAME, "['x', 'q']"),
    "frame-positions": (FRAME,),
    "frame-count": (FRAME, "2.5"),
}
NAMES = [rule.name for rule in (*arrays.RULES, *frames.RULES)]


@pytest.mark.parametrize("name", NAMES)
def test_verified(name: str, tmp_path: Path) -> None:
    case = next(c for c in all_cases() if c.rule == name and c.kind == "fires")
    check(case, tmp_path)


def check(case: Case, folder: Path) -> None:
    library = next(iter(BY_NAME[case.rule].libraries))
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    before = case.before
    if case.rule in EXAMPLES:  # frames are made from examples in the docstring
        head, line, rest = before.partition("):\n")
        example = ", ".join(EXAMPLES[case.rule])
        before = f'{head}{line}    """Works on frames.\n\n    >>> f({example})\n    """\n{rest}'
    facts = Facts(libraries=frozenset({library}))
    verdicts = []
    for proposal in BY_NAME[case.rule].apply(before, "f", facts):
        options = VerifyOptions(
            workspace=folder,
            interpreter=Path(sys.executable),
            adversarial=proposal.adversarial,
            relaxations=proposal.relaxations,
            budget_seconds=120,
        )
        path = folder / "module.py"
        after = Subject(path, "f", proposal.module_text)
        verdicts.append(verify(Subject(path, "f", before), after, options))
    # any() stops at the first item, which numpy does not: faster only where few items match
    wanted = ("verified", "equivalent") if case.rule == "array-any" else ("verified",)
    assert any(verdict.verdict in wanted for verdict in verdicts), verdicts
