from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assist.analysis.document import Document, Position
from assist.completion.decoder import Limits, decode
from assist.completion.engine import (
    FIRST_PASS_TOKENS,
    Completion,
    CompletionOptions,
    EngineSession,
    complete,
    prewarm,
)
from assist.models.kv_session import KvSession
from assist.models.model import Aborted
from assist.models.scripted import ScriptedModel
from assist.models.template import PREFIX_ONLY, FimTemplate

SUFFIX_FIRST = FimTemplate(("<suf>", "{suffix}", "<pre>", "{prefix}", "<mid>"))
MARKERS = ("<pre>", "<suf>", "<mid>")


def check(source: str, script: dict[str, str], after: str) -> None:
    """``source`` holds ``$0`` for the cursor, ``after`` is the document with the answer in it."""
    for template in (PREFIX_ONLY, SUFFIX_FIRST):
        completion = run(session_of(script, template), source)
        text = completion.candidates[0].text if completion.candidates else ""
        assert source.replace("$0", text) == after


def session_of(
    script: Mapping[str, str | Sequence[str]], template: FimTemplate = PREFIX_ONLY
) -> EngineSession:
    model = ScriptedModel(script, markers=MARKERS, pieces=("result", "\n    ", " result"))
    return EngineSession(KvSession(model), template)


def run(
    session: EngineSession, source: str, options: CompletionOptions | None = None
) -> Completion:
    offset = source.index("$0")
    document = Document("file:///a.py", source.replace("$0", ""))
    return complete(session, document, document.position_at(offset), options)


def test_a_line_is_completed() -> None:
    check("x = $0\ny = 2\n", {"x = ": "1 + 1\nz = 3"}, "x = 1 + 1\ny = 2\n")


def test_a_word_is_completed() -> None:
    check(
        "result = 1\nreturn resu$0\n",
        {"return result": " + 1\n"},
        "result = 1\nreturn result + 1\n",
    )


def test_a_block_is_completed() -> None:
    check(
        "def f(a):\n    $0\n\nb = 1\n",
        {"def f(a):\n    ": "a += 1\n    return a\n\n\nf()"},
        "def f(a):\n    a += 1\n    return a\n\nb = 1\n",
    )


def test_an_answer_of_several_bytes_a_character() -> None:
    check("x = '$0'\n", {"x = '": "grüße 😀"}, "x = 'grüße 😀'\n")


def test_no_answer_is_valid() -> None:
    check("x = 1$0\n", {"x = 1": "\n"}, "x = 1\n")
    check("$0", {"never": "x"}, "")


LONG = "".join(f"a{number} = {number}\n" for number in range(120))


def test_a_place_read_before_anybody_asks_costs_nothing_then() -> None:
    session = session_of({"x = ": "1\n"})
    source = LONG + "x = "
    document = Document("file:///a.py", source)
    assert prewarm(session, document, len(source))
    assert run(session, source + "$0").tokens["evaluated"] <= 1


def test_reading_ahead_stops_for_the_next_key_and_goes_on_later() -> None:
    session = session_of({"x = ": "1\n"})
    document = Document("file:///a.py", LONG)
    asked: list[None] = []

    def abort() -> bool:
        asked.append(None)
        return len(asked) > 2

    assert not prewarm(session, document, len(LONG), abort=abort)
    kept = len(session.kv.tokens)
    assert 0 < kept < len(LONG)
    assert prewarm(session, document, len(LONG))
    assert len(session.kv.tokens) > kept


def test_an_opened_document_is_read_once_and_comes_back_as_it_was() -> None:
    session = session_of({"x = ": "1\n"})
    first, second = Document("file:///a.py", LONG), Document("file:///b.py", LONG[::-1])
    assert prewarm(session, first, None)
    known = session.kv.tokens
    assert len(known) > 0
    assert prewarm(session, second, None)
    assert prewarm(session, first, None)
    assert session.kv.tokens.tolist() == known.tolist()


def test_the_first_answer_of_a_document_is_made_from_the_nearest_lines() -> None:
    session = session_of({"x = ": "1\n"})
    options = CompletionOptions(first_pass=True)
    source = LONG + "x = $0\n"
    first = run(session, source, options)
    assert first.is_first_pass
    assert first.tokens["prompt"] <= FIRST_PASS_TOKENS
    second = run(session, source, options)
    assert not second.is_first_pass
    assert second.tokens["prompt"] > 2 * FIRST_PASS_TOKENS
    assert [c.text for c in first.candidates] == [c.text for c in second.candidates] == ["1"]


def test_a_short_document_needs_no_first_pass() -> None:
    completion = run(session_of({"x = ": "1\n"}), "x = $0\n", CompletionOptions(first_pass=True))
    assert not completion.is_first_pass


def test_a_repeated_request_reuses_the_prompt() -> None:
    session = session_of({"x = ": "1\n"})
    run(session, "a = 1\nx = $0\n")
    second = run(session, "a = 1\nx = $0\n")
    assert second.tokens["evaluated"] <= 1
    assert second.tokens["reused"] + second.tokens["evaluated"] == second.tokens["prompt"]


def test_limits_end_an_answer() -> None:
    session = session_of({"x = ": "aaa.bbb.ccc.ddd\n"})
    completion = run(session, "x = $0\n", CompletionOptions(tokens_max=8))
    assert completion.candidates[0].text == "aaa."
    assert completion.tokens["generated"] == 8
    assert not run(session, "x = $0\n", CompletionOptions(decode_ms_max=0)).candidates


@pytest.mark.parametrize("calls", range(8))
def test_an_aborted_request_leaves_a_valid_session(calls: int) -> None:
    session = session_of({"x = ": "one + two\n"})
    document = Document("file:///a.py", "x = \n")
    left = iter([False] * calls)
    with pytest.raises(Aborted):
        complete(session, document, Position(0, 4), abort=lambda: next(left, True))
    assert run(session, "x = $0\n").candidates[0].text == "one + two"


@settings(deadline=None)
@given(st.text(alphabet="ab(=\n", max_size=60), st.text(alphabet="ab(= \n", max_size=40))
def test_drafts_never_change_a_text(repeated: str, answer: str) -> None:
    """Whatever stands in the document, also where it misleads."""
    source = f"{repeated}\n{answer}\n{repeated}\nx = $0\n{repeated}"
    completions = []
    for speculate in (False, True):
        session = session_of({"x = ": answer})
        for size in range(1, 17):
            session.drafts.record_cost(size, 1.0)
            session.drafts.equal_rows[size] = 99
        options = CompletionOptions(speculate=speculate)
        completions.append(run(session, source, options))
    assert completions[0].candidates == completions[1].candidates
    assert completions[0].tokens["generated"] == completions[1].tokens["generated"]


def test_a_draft_stops_before_the_end_of_the_line() -> None:
    """The model's own row says whether the line ends; what stands behind is never asked for."""
    session = session_of({"x = ": "value\n"})
    for size in range(1, 17):
        session.drafts.record_cost(size, 1.0)
        session.drafts.equal_rows[size] = 99
    completion = run(session, "x = value\nabcdefghijkl\nx = $0\n", CompletionOptions())
    assert completion.candidates[0].text == "value"
    drafted, right = session.drafts.totals["document"]
    assert drafted == right > 0


def texts(script: dict[str, str | list[str]], source: str, candidates: int) -> list[str]:
    session = session_of(script)
    completion = run(session, source, CompletionOptions(candidates=candidates, rank=False))
    return [candidate.text for candidate in completion.candidates]


def test_several_candidates_differ() -> None:
    script: dict[str, str | list[str]] = {"x = ": ["foo(1)\n", "bar\n", "foo(2)\n"]}
    assert texts(script, "x = $0\n", 1) == ["foo(1)"]
    found = texts(script, "x = $0\n", 3)
    assert found[0] == "foo(1)" and set(found) == {"foo(1)", "foo(2)", "bar"}


def test_the_suffix_judges_candidates_it_was_not_shown() -> None:
    script: dict[str, str | list[str]] = {
        "x = ": ["one\n", "two\n"],
        "x = two": "\ny = 2\n",
    }
    assert texts(script, "x = $0\nz = 3\n", 2) == ["one", "two"]
    assert texts(script, "x = $0\ny = 2\n", 2) == ["two", "one"]


def test_what_is_out_of_sight_is_told_and_stays_told() -> None:
    helper = Document("file:///helper.py", "def scale(value, by):\n    return value * by\n")
    session = session_of({"scale(": "1, 2)\n"})
    complete(session, helper, Position(1, 11))
    prompts = []
    for typed in ("scale(", "scale(1", "scale(1, 2)\ny = "):
        document = Document("file:///a.py", f"from helper import scale\nx = {typed}")
        complete(session, document, document.position_at(len(document.text)))
        prompts.append(bytes(session.kv.model.vocabulary.detokenize(session.kv.tokens.tolist())))
    head = b"# def scale(value, by)\nfrom helper import scale\nx = "
    assert all(prompt.startswith(head) for prompt in prompts)


def test_documents_are_forgotten_when_closed() -> None:
    session = session_of({"x = ": "1\n"})
    run(session, "x = $0\n")
    session.close_document("file:///a.py")
    assert not session.documents


def test_an_unlikely_answer_is_given_up() -> None:
    session = session_of({"x = ": "one + two + three\n"})
    document = Document("file:///a.py", "x = \n")
    answer = complete(session, document, Position(0, 4)).answers[0]
    assert answer.text and len(answer.decoded.log_probabilities) == len(answer.decoded.tokens)
    task = complete(session, document, Position(0, 4), CompletionOptions(threshold="quiet")).task
    assert task is not None
    logits = session.kv.prefill(task.prompt.tokens).logits
    limits = Limits(64, time.perf_counter() + 60, log_probability_min=0.0)
    decoded = decode(session.kv, logits, task.rules, limits, trie=session.trie, ends=session.ends)
    assert decoded.reason == "unlikely" and len(decoded.tokens) == 1
