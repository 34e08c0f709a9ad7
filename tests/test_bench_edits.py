from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from assist.cache.kv import ReusePolicy
from assist.models.kv_session import KvSession
from assist.models.open import OpenedModel
from assist.models.scripted import ScriptedModel
from assist.models.template import FimTemplate
from assist.server.bench.edit_cases import KINDS, EditCase, edit_cases, source_files
from assist.server.bench.edit_figures import draw_figures
from assist.server.bench.edit_lanes import CacheLane
from assist.server.bench.edit_summary import EditRow, summarise, table
from assist.server.bench.edits import _complete, command, compare, run_cases

SOURCES = [
    (name, "".join(f"def {name}_{n}(value, other):\n    return value + {n}\n\n" for n in range(30)))
    for name in ("alpha", "beta", "gamma")
]
TEMPLATE = FimTemplate(("<suf>", "{suffix}", "<pre>", "{prefix}", "<mid>"))


def cases(limit: int = 32, seed: int = 3) -> list[EditCase]:
    return list(edit_cases(SOURCES, seed=seed, limit=limit))


def check(limit: int = 24) -> list[EditRow]:
    """Run every policy on the scripted model, whose logits tell whether tokens or places are wrong."""
    lanes = []
    for policy in ("off", "prefix", "shift", "refreshed"):
        model = ScriptedModel(markers=("<suf>", "<pre>", "<mid>"), context_tokens=2048)
        reuse = ReusePolicy("shift" if policy in ("shift", "refreshed") else policy)  # type: ignore[arg-type]
        lanes.append(CacheLane(policy, KvSession(model, reuse), refreshed=policy == "refreshed"))
    opened = OpenedModel(lanes[0].session.model, TEMPLATE, "")  # type: ignore[arg-type]
    return list(run_cases(opened, lanes, iter(cases(limit)), 700))


def test_the_same_seed_gives_the_same_edits() -> None:
    assert cases() == cases()
    assert cases() != cases(seed=4)


def test_every_kind_comes_equally_often() -> None:
    assert Counter(case.kind for case in cases(32)) == dict.fromkeys(KINDS, 4)


def test_an_edit_starts_from_what_the_last_one_left() -> None:
    for last, case in itertools.pairwise(cases(8)):
        assert case.before == last.after


def test_edits_change_what_they_say() -> None:
    for case in cases(80):
        before, after = case.before, case.after
        assert 0 <= after.offset <= len(after.text)
        behind = before.text[before.offset :]
        if case.kind in ("type character", "type line", "newline", "paste", "insert above"):
            assert len(after.text) > len(before.text) and after.text.endswith(behind)
        elif case.kind == "delete block":
            assert len(after.text) <= len(before.text) and after.text.endswith(behind)
        elif case.kind == "jump" and before.name == after.name:
            assert after.text == before.text


def test_installed_packages_have_files_to_edit() -> None:
    assert len(source_files()) > 20


def test_all_policies_agree_on_the_scripted_model() -> None:
    rows = check()
    assert len(rows) == 24 * 4
    assert all(row.top1 and row.kl < 1e-9 and row.same_line for row in rows)
    by_policy = {p: [r for r in rows if r.policy == p] for p in ("off", "prefix", "shift")}
    evaluated = {p: sum(r.evaluated for r in rs) for p, rs in by_policy.items()}
    assert evaluated["shift"] < evaluated["prefix"] < evaluated["off"]
    assert all(row.evaluated == row.tokens for row in by_policy["off"])
    assert max(row.since_refresh for row in rows) > 1


def test_a_summary_pairs_the_policies() -> None:
    rows = [
        EditRow(n, "paste", "a", policy, 100, 1, 0, 0, evaluated, ms, kl, kl < 0.1, 1.0, True)
        for n in range(4)
        for policy, evaluated, ms, kl in (("off", 100, 50.0, 0.0), ("shift", 5, 5.0 + n, 0.02))
    ]
    figures = summarise(rows)["kinds"]["paste"]
    assert figures["shift"]["kl"] == 0.02 and figures["shift"]["evaluated"] == 5
    assert figures["off"]["slower_than_shift"]["median"] == pytest.approx(7.74, abs=0.01)
    assert [line["edit"] for line in table(summarise(rows))] == ["all", "all", "paste", "paste"]


def test_divergence_is_zero_for_equal_rows_only() -> None:
    row = np.array([[0.0, 1.0, 3.0]], np.float32)
    assert compare(row, row + 5) == (0.0, True, 2.0)
    kl, top1, _ = compare(row, row[:, ::-1])
    assert kl > 0.1 and not top1


def test_figures_are_drawn() -> None:
    pytest.importorskip("matplotlib")
    assert all(text.startswith("<svg") for text in draw_figures(check(16)))


def test_an_edit_that_was_not_finished_is_run_again() -> None:
    rows = [
        EditRow(n, "paste", "a", policy, 9, 1, 0, 0, 9, 1.0, 0.0, True, 1.0, True)
        for n, policy in ((0, "off"), (0, "shift"), (1, "off"))
    ]
    assert [row.number for row in _complete(rows)] == [0, 0]
    assert _complete([]) == []


def test_wrong_options_are_refused() -> None:
    for arguments in (["--policies", "none"], ["--resume"]):
        result = CliRunner().invoke(command, arguments)
        assert result.exit_code == 2 and "Usage" in result.output


@pytest.mark.model
@pytest.mark.deep
def test_the_bench_runs_on_the_embedded_model(tmp_path: Path) -> None:
    csv = tmp_path / "edits.csv"
    arguments = ["--limit", "4", "--order", "suffix-first", "--context-tokens", "300"]
    policies = ["--policies", "off,shift", "--csv", str(csv), "--html", str(tmp_path / "a.html")]
    assert CliRunner().invoke(command, arguments + policies).exit_code == 0
    assert csv.read_text().count("\n") == 1 + 4 * 2
    again = CliRunner().invoke(command, [*arguments, *policies, "--resume", "--json"])
    assert again.exit_code == 0 and '"edits": 4' in again.output
