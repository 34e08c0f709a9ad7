from __future__ import annotations

import math
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from assist.analysis.document import Document
from assist.analysis.facts import Parameter, Signature, Value
from assist.analysis.monitors.session import session as watch
from assist.analysis.monitors.view import Facts, GivenFacts
from assist.completion.engine import Completion, EngineSession, complete
from assist.completion.guard import Guard, LegalSets
from assist.completion.token_trie import TokenTrie
from assist.models.kv_session import KvSession
from assist.models.scripted import ScriptedModel
from assist.models.template import PREFIX_ONLY
from assist.models.vocabulary import Vocabulary

PIECES = (".app", "append", ".append", "ended", "extend", "())", "break", "]", "    ", " z")


def check(
    source: str, answers: Sequence[str], text: str, *, masked: int = 0, facts: Facts | None = None
) -> Completion:
    """The model prefers the first of ``answers``; ``text`` is what the monitors make of it."""
    offset = source.index("$0")
    document = Document("file:///a.py", source.replace("$0", ""))
    key = source[:offset].rpartition("\n")[2] or source[:offset]
    model = ScriptedModel({key: list(answers)}, pieces=PIECES)
    session = EngineSession(KvSession(model), PREFIX_ONLY)
    completion = complete(session, document, document.position_at(offset), facts=facts)
    assert (completion.candidates[0].text if completion.candidates else "") == text
    assert completion.monitors["masked"] == masked
    return completion


def test_what_is_legal_is_left_alone() -> None:
    completion = check("x = (a$0\n", ["+ b)"], "+ b)")
    assert completion.monitors["rejected"] == 0


def test_the_wrong_closer_is_replaced_by_the_right_one() -> None:
    completion = check("x = (abc$0\n", [" + d]", " + d)"], " + d)", masked=1)
    assert completion.monitors["rejected"] == 1


def test_a_word_that_cannot_stand_is_avoided() -> None:
    completion = check("def f():\n    $0\nx = 1\n", ["break\n", "return 1\n"], "return 1")
    assert completion.monitors["rejected"] >= 1


def test_an_answer_without_a_legal_way_on_is_dropped() -> None:
    check("def f():\n    $0\nx = 1\n", ["break\n"], "")


def test_what_is_legal_before_the_illegal_part_is_kept() -> None:
    check("def f():\n    $0\nx = 1\n", ["yield\nbreak\n"], "yield")


TAKES_SIZE = GivenFacts(
    known_names=frozenset({"fill"}),
    values={
        "fill": Value(signatures=(Signature((Parameter("size", "either"),)),), kind="function"),
    },
)


WANTED = GivenFacts(
    known_names=frozenset(),
    module_values={"typing": Value(members=frozenset({"Any", "List", "Literal"}))},
    unbound_names=frozenset({"Literal"}),
)


def test_a_name_that_the_file_waits_for_is_imported() -> None:
    check("from typing import $0\n", ["Any"], "Literal", masked=7, facts=WANTED)
    check("from typing import $0\n", ["Literal, Any"], "Literal", facts=WANTED)


def test_a_wanted_name_is_written_to_its_end() -> None:
    check("from typing import $0\n", ["Lit"], "Literal", masked=4, facts=WANTED)


def test_a_name_that_cannot_be_gone_on_with_is_given_up() -> None:
    box = GivenFacts(values={"box": Value(members=frozenset({"about", "cut"}))})
    check("x = box.$0\n", ["abend", "cut"], "cut", masked=2, facts=box)
    check("x = box.$0\n", ["abend", "zero"], "", masked=2, facts=box)


def test_a_list_ends_where_no_more_fits() -> None:
    one = GivenFacts(
        known_names=frozenset({"one", "y", "z"}),
        values={
            "one": Value(signatures=(Signature((Parameter("size", "either"),)),), kind="function"),
        },
    )
    check("x = one($0\n", ["y, z)", "y)"], "y)", facts=one)


def test_a_call_in_the_answer_gets_no_keyword_that_its_function_lacks() -> None:
    check(
        "x = $0\n",
        ["fill(sized=1)\n", "fill(size=1)\n"],
        "fill(size=1)",
        facts=TAKES_SIZE,
        masked=1,
    )
    check("x = $0\n", ["fill(other=1)\n"], "fill", facts=TAKES_SIZE, masked=1)


TEXTS = st.text(alphabet="ab.(", min_size=1, max_size=4)


@settings(deadline=None)
@given(
    st.lists(TEXTS, min_size=1, max_size=12, unique=True),
    st.frozensets(st.text(alphabet="ab", min_size=1, max_size=3), min_size=1, max_size=4),
    st.sampled_from(["", ".", "(."]),
    st.integers(0, 4),
)
def test_legal_tokens_lead_to_legal_texts(
    pieces: list[str], legal: frozenset[str], start: str, cut: int
) -> None:
    vocabulary = Vocabulary(tuple(piece.encode() for piece in pieces), frozenset(), frozenset())
    written = (start + min(legal))[:cut]
    sets = LegalSets(TokenTrie(vocabulary), lambda _: [])
    found = sets.tokens(start.encode(), legal, written.encode())

    def leads(piece: str) -> bool:
        whole = written + piece
        for text in legal:
            goal = start + text
            if goal.startswith(whole):
                return goal != written
            if whole.startswith(goal) and not whole[len(goal)].isalnum():
                return goal.startswith(written)
        return False

    assert set(found.tolist()) == {n for n, piece in enumerate(pieces) if leads(piece)}


def test_legal_texts_begin_as_the_model_writes_them() -> None:
    model = ScriptedModel({}, pieces=("a", "ap", "append", "ext"))
    sets = LegalSets(TokenTrie(model.vocabulary), model.tokenize)
    legal = frozenset({"append", "extend"})
    found = {model.vocabulary.pieces[token] for token in sets.tokens(b"", legal, b"").tolist()}
    assert found == {b"append", b"ext"}


def guard_at(source: str) -> Guard:
    offset = source.index("$0")
    document = Document("file:///a.py", source.replace("$0", ""))
    state = watch(document, offset)
    assert state is not None
    model = ScriptedModel({}, pieces=PIECES)
    sets = LegalSets(TokenTrie(model.vocabulary), model.tokenize)
    return Guard(sets, b"", source[:offset], [state])


def test_looking_at_drafts_takes_nothing_from_the_answer() -> None:
    """A wrong draft must not open the monitors sooner: the text would depend on drafts."""
    guard = guard_at("x = (a$0\n")
    for _ in range(50):
        assert guard.legal_start([b" + b", b"]", b")"]) == 1
    assert guard.seconds == 0.0 < guard.draft_seconds
    guard.draft_seconds = math.inf
    assert guard.legal_start([b"]", b")"]) == 2
    assert not guard.advance(b"]").accepted


def test_what_is_known_of_a_draft_is_not_asked_again() -> None:
    guard = guard_at("x = (a$0\n")
    assert guard.legal_start([b" + ", b"b", b"]"]) == 2
    checked, rejected = guard.tally.checked, guard.tally.rejected
    assert guard.advance(b" + ").accepted and guard.advance(b" + b").accepted
    assert not guard.advance(b" + b]").accepted
    assert (guard.tally.checked, guard.tally.rejected) == (checked, rejected) and rejected


def test_past_its_time_everything_is_let_through() -> None:
    guard = guard_at("x = (a$0\n")
    guard.seconds_max = 0.0
    assert guard.advance(b"]").accepted and guard.finish().accepted
