from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from assist.cache.kv import ReusePolicy
from assist.models.kv_session import KvSession, Prefill
from assist.models.model import Aborted
from assist.models.scripted import Cell as ScriptedCell
from assist.models.scripted import ScriptedModel, digest_logits, origin_after

ALL = ReusePolicy(
    changed_tokens_max=1000,
    gap_tokens=0,
    shift_tokens=0,
    inexact_tokens=0,
    run_tokens_min=4,
    after_tokens=0,
    tail_tokens=1,
    near_tokens=0,
    near_tokens_max=0,
    tie_logits=0,
)


def session(policy: ReusePolicy = ALL, **options: int | bool) -> KvSession:
    return KvSession(ScriptedModel(**options), policy)  # type: ignore[arg-type]


def prompt(text: str) -> list[int]:
    return list(text.encode())


def check(kv: KvSession, tokens: list[int], **options: object) -> Prefill:
    """Prefill, and compare logits, memory and mirror with a model that never cached anything."""
    prefill = kv.prefill(tokens, **options)  # type: ignore[arg-type]
    expected = digest_logits([(token, position) for position, token in enumerate(tokens)])
    assert np.array_equal(prefill.logits, expected[None])
    # What a tie makes exact is evaluated twice.
    counted = prefill.reused + prefill.shifted + prefill.evaluated
    is_settled = kv.policy.tie_logits > 0 and kv.buffer.exact == len(tokens)
    assert counted == len(tokens) or (is_settled and counted > len(tokens))
    check_mirror(kv)
    return prefill


def check_mirror(kv: KvSession) -> None:
    """The mirror says what the memory holds, and calls exact only what is."""
    model = kv.model
    assert isinstance(model, ScriptedModel)
    cells = model.origins()
    assert [token for token, *_ in cells] == kv.tokens.tolist()
    assert [position for _, position, *_ in cells] == kv.buffer.positions.tolist()
    assert model.cells == len(cells)
    before = None
    for token, position, rotation, origin in cells[: kv.buffer.exact]:
        assert (rotation, origin) == (position, origin_after(before, token, position))
        before = ScriptedCell(token, rotation, origin)


def abort_after(calls: int) -> Callable[[], bool]:
    """True from call number ``calls`` on."""
    count = iter(range(calls))
    return lambda: next(count, None) is None


def edited(tokens: list[int], random_: random.Random) -> list[int]:
    """One edit: insert, delete, replace, move, cut the head, append, several places."""
    at, to = sorted(random_.randrange(len(tokens) + 1) for _ in range(2))
    some = [random_.randrange(97, 101) for _ in range(random_.choice([1, 1, 3, 20]))]
    kind = random_.randrange(8)
    if kind == 0:
        tokens = tokens[:at] + some + tokens[at:]
    elif kind == 1:
        tokens = tokens[:at] + tokens[to:]
    elif kind == 2:
        tokens = tokens[:at] + some + tokens[at + len(some) :]
    elif kind == 3:
        block, rest = tokens[at:to], tokens[:at] + tokens[to:]
        target = random_.randrange(len(rest) + 1)
        tokens = rest[:target] + block + rest[target:]
    elif kind == 4:
        tokens = tokens[random_.randrange(10) :]
    elif kind == 5:
        tokens = tokens + some
    elif kind == 6:
        tokens = [120 if token == 97 and random_.random() < 0.2 else token for token in tokens]
    else:
        tokens = tokens[:1] + some * 3
    return (tokens or some)[:200]


def run_edits(
    count: int, seed: int, policy: ReusePolicy = ALL, *, can_insert: bool = True
) -> KvSession:
    random_ = random.Random(seed)
    kv = session(policy, context_tokens=256, can_insert=can_insert)
    tokens = [random_.randrange(97, 123) for _ in range(150)]
    for _ in range(count):
        tokens = edited(tokens, random_)
        if random_.random() < 0.2:
            try:
                kv.prefill(tokens, abort=abort_after(random_.randrange(6)))
            except Aborted:
                check_mirror(kv)
                continue
        check(kv, tokens)
        if random_.random() < 0.1:
            kv.extend([random_.randrange(97, 123)])
        if random_.random() < 0.1:
            kv.refresh(abort_after(random_.randrange(4)))
            check_mirror(kv)
    assert kv.refresh()
    check_mirror(kv)
    assert kv.buffer.exact == kv.buffer.contiguous
    return kv


@pytest.mark.parametrize("can_insert", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_random_edits_agree_with_no_cache(seed: int, can_insert: bool) -> None:
    run_edits(100, seed, can_insert=can_insert)


@pytest.mark.parametrize("reuse", ["prefix", "off"])
def test_other_policies_agree_with_no_cache(reuse: str) -> None:
    run_edits(60, 1, ReusePolicy(reuse))  # type: ignore[arg-type]


def test_random_edits_with_ties_agree_with_no_cache() -> None:
    run_edits(100, 5, replace(ALL, tie_logits=5))


@pytest.mark.deep
@pytest.mark.parametrize("can_insert", [True, False])
def test_ten_thousand_edits_neither_drift_nor_leak(can_insert: bool) -> None:
    kv = run_edits(10_000, 99, can_insert=can_insert)
    assert isinstance(kv.model, ScriptedModel)
    kv.reset()
    assert kv.model.cells == 0


def test_each_edit_costs_its_tokens() -> None:
    kv = session()
    text = "".join(f"line{n:03}\n" for n in range(40))
    assert check(kv, prompt(text)).evaluated == len(text)
    assert check(kv, prompt(text)).evaluated == 1
    longer = text[:80] + "inserted\n" + text[80:]
    assert check(kv, prompt(longer)).evaluated == len("inserted\n") + 1
    assert check(kv, prompt(text)).evaluated == 1
    assert check(kv, prompt(text + "x")).evaluated == 1
    moved = text[:80] + text[160:240] + text[80:160] + text[240:]
    assert check(kv, prompt(moved)).evaluated <= 3


@pytest.mark.parametrize(("can_insert", "batches"), [(True, 1), (False, 5)])
def test_all_places_of_an_edit_are_one_batch_where_the_model_can_insert(
    can_insert: bool, batches: int
) -> None:
    kv = session(can_insert=can_insert)
    check(kv, prompt("".join(f"name{n:03}\n" for n in range(40))))
    renamed = "".join(f"{'NAME' if n % 10 == 5 else 'name'}{n:03}\n" for n in range(40))
    calls = iter(range(1_000))
    check(kv, prompt(renamed), abort=lambda: next(calls) < 0)
    # It is asked before the prefill, and before and after each batch but the first.
    assert next(calls) == 1 + 2 * (batches - 1)


def test_a_model_that_cannot_shift_reuses_the_prefix_and_says_so() -> None:
    kv = session(can_shift=False)
    tokens = prompt("a" * 50 + "b" * 50)
    check(kv, tokens)
    assert check(kv, [*tokens[:50], 120, *tokens[50:]]).reused == 50
    status = kv.status()
    assert status.reuse == "prefix" and "cannot be shifted" in status.reason


def test_a_build_that_cannot_insert_is_named() -> None:
    assert session(can_insert=True).status().reason == "as configured"
    assert "each place of an edit by itself" in session(can_insert=False).status().reason


def test_an_aborted_prefill_keeps_its_first_chunk_and_the_tail() -> None:
    kv = session(batch_tokens=16)
    head, tail = prompt("h" * 40), prompt("".join(f"tail{n:03}" for n in range(30)))
    check(kv, head + tail)
    middle = prompt("".join(f"{n:04}" for n in range(100)))
    with pytest.raises(Aborted):
        kv.prefill(head + middle + tail, abort=abort_after(2))
    check_mirror(kv)
    evaluated = check(kv, head + middle + tail).evaluated
    assert evaluated < len(middle) - 10


def test_an_abort_from_the_beginning_changes_nothing() -> None:
    kv = session()
    check(kv, prompt("abc" * 20))
    with pytest.raises(Aborted):
        kv.prefill(prompt("xyz"), abort=lambda: True)
    assert check(kv, prompt("abc" * 20)).evaluated == 1


def test_an_interrupted_refresh_loses_nothing() -> None:
    kv = session()
    tokens = [n % 250 for n in range(200)]
    check(kv, tokens)
    check(kv, tokens[:20] + tokens[30:])
    assert kv.buffer.exact == 20
    assert not kv.refresh(abort_after(3))
    assert 20 < kv.buffer.exact < 190
    check_mirror(kv)
    assert kv.refresh()
    assert kv.buffer.exact == 190
    assert check(kv, tokens[:20] + tokens[30:]).evaluated == 1


def test_an_inexact_answer_decides_no_tie() -> None:
    tokens = [n % 250 for n in range(200)]
    for lead, exact in [(1e-9, 20), (1e9, 190)]:
        kv = session(replace(ALL, tie_logits=lead))
        assert check(kv, tokens).evaluated == 200
        assert check(kv, tokens[:20] + tokens[30:]).evaluated == 1 + (exact == 190) * 170
        assert kv.buffer.exact == exact


def test_a_tie_gives_way_to_a_keystroke() -> None:
    kv = session(replace(ALL, tie_logits=1e9))
    tokens = [n % 250 for n in range(200)]
    check(kv, tokens)
    edited_tokens = tokens[:20] + tokens[30:]
    with pytest.raises(Aborted):
        kv.prefill(edited_tokens, abort=abort_after(4))
    check_mirror(kv)
    assert 20 < kv.buffer.exact < 190
    # What was made exact stays so.
    assert check(kv, edited_tokens).evaluated < 150


def test_a_failed_evaluation_empties_the_memory() -> None:
    kv = session()
    check(kv, prompt("abc"))
    with pytest.raises(RuntimeError):
        kv.extend([99999])
    assert not len(kv.tokens)
    check(kv, prompt("abc"))


def test_documents_are_parked_and_come_back() -> None:
    kv = session()
    one, two = prompt("one " * 30), prompt("two " * 30)
    check(kv, one, document="one")
    assert check(kv, two, document="two").reused == 0
    assert check(kv, one, document="one").evaluated == 1
    assert check(kv, two, document="two").evaluated == 1
    assert kv.status().parked_documents == 1


def test_another_document_takes_over_the_common_head_only() -> None:
    kv = session()
    check(kv, prompt("head " * 20 + "abc" + "tail " * 20), document="one")
    prefill = check(kv, prompt("head " * 20 + "xyzxyz" + "tail " * 20), document="two")
    assert (prefill.reused, prefill.shifted) == (100, 0)


def test_parked_documents_stay_within_their_budget() -> None:
    kv = KvSession(ScriptedModel(), ALL, memory_bytes_max=20_000)
    for name in "abcdefgh":
        check(kv, prompt(name * 100), document=name)
    status = kv.status()
    assert status.parked_bytes <= 20_000 and 0 < status.parked_documents < 7
    assert check(kv, prompt("a" * 100), document="a").evaluated == 100


def test_branches_share_the_prompt_and_end_with_the_next() -> None:
    kv = session()
    check(kv, prompt("prompt"))
    one, two = kv.fork(2)
    one.extend(prompt("xy"))
    rows = kv.step([one, two], prompt("ab"))
    expected = [*enumerate(b"promptb")]
    assert np.array_equal(rows[1], digest_logits([(t, p) for p, t in expected]))
    two.truncate(6)
    row = two.extend(prompt("z"))
    assert np.array_equal(row[0], digest_logits([(t, p) for p, t in enumerate(b"promptz")]))
    with pytest.raises(ValueError):
        kv.fork(4)
    check(kv, prompt("prompt!"))
    assert not one.open


def test_a_prompt_must_fit() -> None:
    kv = session(context_tokens=10)
    with pytest.raises(ValueError):
        kv.prefill([])
    with pytest.raises(ValueError):
        kv.prefill([1] * 11)
    check(kv, [1] * 10)


def test_a_script_is_continued_from_where_the_context_stands() -> None:
    model = ScriptedModel({"def f(x): ": "return x\n"})
    kv = KvSession(model)
    text, rows = "", kv.prefill(prompt("def f(x): ")).logits
    while (token := int(rows[-1].argmax())) != model.end:
        text += chr(token)
        rows = kv.extend([token])
    assert text == "return x\n"
    typed = kv.prefill(prompt("def f(x): ret")).logits
    assert chr(int(typed[-1].argmax())) == "u"
    assert model.text_of() == "def f(x): ret"
