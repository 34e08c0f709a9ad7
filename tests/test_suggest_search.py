"""The search for a faster version, with a verifier that answers by a script: what is tried, in which order, what is kept."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from assist.analysis.execution.verdict import (
    Evidence,
    RecordedCall,
    RecordedCalls,
    Speedup,
    Subject,
    Verdict,
    VerdictName,
    VerifyOptions,
)
from assist.analysis.rules.rule import Proposal
from assist.cache.verdicts import VerdictStore
from assist.completion.edits import Search, SuggestOptions, facts_of, suggest
from assist.completion.remembered import (
    find_recording,
    find_search,
    keep_recording,
    keep_search,
    recording_key,
    search_key,
)
from assist.completion.rewriter import Rewriter, read_answer
from assist.models.kv_session import KvSession
from assist.models.scripted import ScriptedModel

COMMON = '''
def common(left: list, right: list) -> list:
    """Words of both."""
    found = []
    for word in left:
        if word in right and word not in found:
            found.append(word)
    return found
'''

Answer = Callable[[str], tuple[VerdictName, float]]


def check(source: str, name: str, answer: Answer, **options: Any) -> tuple[Search, list[str]]:
    """Search with a verifier that answers from the text of the new version; the texts it saw."""
    seen: list[str] = []

    def verify(before: Subject, after: Subject, _options: VerifyOptions, **_: Any) -> Verdict:
        assert before.module_text == source
        seen.append(after.module_text)
        verdict, ratio = answer(after.module_text)
        speedup = Speedup(ratio, ratio, ratio) if ratio else None
        reason = "not faster" if verdict == "equivalent" else verdict
        return Verdict(verdict, reason, speedup, Evidence(inputs=100))

    rewriter = options.pop("rewriter", None)
    chosen = SuggestOptions(
        VerifyOptions(workspace=Path("/nowhere"), interpreter=Path(sys.executable)), **options
    )
    subject = Subject(Path("/nowhere/module.py"), name, source)
    return suggest(subject, chosen, verify=verify, rewriter=rewriter), seen


def test_rules_are_applied_together() -> None:
    search, _ = check(COMMON, "common", lambda text: ("verified", 3.0))
    assert search.suggestion is not None
    assert search.suggestion.origin == "rule:remembered-set+list-membership"
    assert "right_set" in search.suggestion.module_text and "seen" in search.suggestion.module_text


def test_the_rule_that_is_wrong_is_left_out() -> None:
    def answer(text: str) -> tuple[VerdictName, float]:
        return ("not_equivalent", 0) if "right_set" in text else ("verified", 2.0)

    search, _ = check(COMMON, "common", answer)
    assert search.suggestion is not None
    assert search.suggestion.origin == "rule:remembered-set"
    assert {each.verdict.verdict for each in search.rejections} == {"not_equivalent"}


def test_a_larger_change_must_be_worth_it() -> None:
    source = "def f(xs):\n    return sorted(list(set(xs)))[0]\n"

    def answer(text: str) -> tuple[VerdictName, float]:
        return "verified", 2.1 if "list(" not in text else 2.0

    search, _ = check(source, "f", answer)
    assert search.suggestion is not None
    assert search.suggestion.origin == "rule:sorted-end"


def test_what_is_slower_together_is_tried_alone() -> None:
    source = (
        "def f(text: str, xs):\n    n = len([c for c in text if c in 'aeiou'])\n"
        "    return n, sorted(xs)[0]\n"
    )

    def answer(text: str) -> tuple[VerdictName, float]:
        slow = "text.count" in text
        return ("equivalent", 0.8) if slow else ("verified", 5.0)

    search, _ = check(source, "f", answer)
    assert search.suggestion is not None
    assert search.suggestion.origin == "rule:sorted-end"


def test_a_function_that_cannot_be_verified_is_given_up_at_once() -> None:
    search, seen = check(COMMON, "common", lambda text: ("nondeterministic", 0))
    assert search.suggestion is None and len(seen) == 1
    assert search.reason


def test_nothing_to_try() -> None:
    search, seen = check("def f(x):\n    return x\n", "f", lambda text: ("verified", 9.0))
    assert (search.suggestion, search.reason, seen) == (None, "no rule fits", [])


def test_the_choice_among_several_is_measured_again() -> None:
    source = "def f(xs):\n    return sorted(list(set(xs)))[0]\n"
    counts: dict[str, int] = {}

    def answer(text: str) -> tuple[VerdictName, float]:
        counts[text] = counts.get(text, 0) + 1
        return "verified", 2.0

    search, _ = check(source, "f", answer)
    assert search.suggestion is not None
    assert counts[search.suggestion.module_text] == 2


def test_observed_types_reach_the_rules() -> None:
    subject = Subject(Path("/nowhere/module.py"), "f", "def f(a, b=1):\n    return a\n")
    calls = (RecordedCall(b"", "list[int], str"), RecordedCall(b"", "list[int], int"))
    recorded = RecordedCalls(calls={(str(subject.path), "f"): calls})
    assert facts_of(subject, recorded).observed == {"a": "list[int]"}


FAST = "```python\ndef f(xs):\n    return min(xs)\n```"
WRONG = "```python\ndef f(xs):\n    return max(xs)\n```"
SLOW_SOURCE = "def f(xs):\n    xs = [x for x in xs if x is not None]\n    return sorted(xs)[1]\n"


def test_the_model_hears_what_was_wrong() -> None:
    script = {"```\n\n": WRONG, "It cannot be used: not_equivalent.\n\n": FAST}
    model = ScriptedModel(script, context_tokens=8192)
    rewriter = Rewriter(KvSession(model), samples=1)

    def answer(text: str) -> tuple[VerdictName, float]:
        return ("verified", 4.0) if "min(" in text else ("not_equivalent", 0)

    search, seen = check(
        SLOW_SOURCE, "f", answer, rewriter=rewriter, proposers=frozenset({"model"})
    )
    assert ["max(" in text for text in seen] == [True, False]
    assert search.suggestion is not None and search.suggestion.origin == "model"
    assert [each.origin for each in search.rejections] == ["model"]
    assert (rewriter.answers, rewriter.usable) == (2, 2)


class TwoAnswers(Rewriter):
    """Answers with two versions at once, as two samples of a model would."""

    def propose(self, module_text: str, qualname: str, *_: Any, **__: Any) -> list[Proposal]:
        texts = [read_answer(answer, module_text, qualname) for answer in (FAST, WRONG)]
        return [Proposal(("model",), "", "", text) for text in texts if text is not None]


def test_versions_that_pass_are_run_against_each_other() -> None:
    rewriter = TwoAnswers(KvSession(ScriptedModel(context_tokens=8192)))
    compared: list[tuple[str, str]] = []

    def verify(before: Subject, after: Subject, options: VerifyOptions, **_: Any) -> Verdict:
        if before.module_text != SLOW_SOURCE:
            compared.append((before.module_text, after.module_text))
            return Verdict("not_equivalent", "result", input='{"expression": "(([1, 2],), {})"}')
        if options.inputs and "max(" in after.module_text:
            return Verdict("not_equivalent", "result")
        ratio = 9.0 if "max(" in after.module_text else 4.0
        return Verdict("verified", "", Speedup(ratio, ratio, ratio), Evidence(inputs=100))

    options = SuggestOptions(
        VerifyOptions(workspace=Path("/nowhere"), interpreter=Path(sys.executable)),
        proposers=frozenset({"model"}),
    )
    subject = Subject(Path("/nowhere/module.py"), "f", SLOW_SOURCE)
    search = suggest(subject, options, verify=verify, rewriter=rewriter)
    assert len(compared) == 1
    assert search.suggestion is not None and "min(" in search.suggestion.module_text


def test_answers_are_read_with_care() -> None:
    module = "import os\n\nclass A:\n    def f(self, xs: list) -> int:\n        '''Doc.'''\n        return sorted(xs)[0]\n"
    answer = "Sure!\n```python\nfrom math import inf\n\ndef f(self, xs: list):\n    return min(xs, default=inf)\n```\nDone."
    text = read_answer(answer, module, "A.f")
    assert text is not None
    assert "    def f(self, xs: list) -> int:" in text and "Doc." in text
    assert "from math import inf" in text
    assert read_answer("```python\ndef f(self, ys):\n    return 1\n```", module, "A.f") is None
    assert read_answer("I do not know.", module, "A.f") is None
    cut = "```python\ndef f(self, xs: list):\n    return min(xs)\n    return [\n"
    assert "return min(xs)" in (read_answer(cut, module, "A.f") or "")


def test_a_search_is_remembered_until_something_changes(tmp_path: Path) -> None:
    store = VerdictStore(tmp_path / "verdicts.db")
    path = tmp_path / "module.py"
    options = SuggestOptions(VerifyOptions(workspace=tmp_path, interpreter=Path(sys.executable)))
    module = "from helper import known\n" + COMMON + "\ndef other():\n    return 1\n"
    (tmp_path / "helper.py").write_text("known = 1\n")
    search, _ = check(COMMON, "common", lambda text: ("verified", 3.0))
    assert search.suggestion is not None
    subject = Subject(path, "common", COMMON)
    key = search_key(subject, options, None, "")
    assert find_search(store, key, subject) is None
    keep_search(store, key, search)

    grown = Subject(path, "common", COMMON + "\n\ndef other():\n    return 1\n")
    assert search_key(grown, options, None, "") == key
    again = find_search(store, key, grown)
    assert again is not None and again.suggestion is not None
    assert again.suggestion.module_text.endswith("def other():\n    return 1\n")
    assert again.suggestion.verdict == search.suggestion.verdict

    changed = Subject(path, "common", COMMON.replace("word not in found", "word not in right"))
    assert search_key(changed, options, None, "") != key
    recorded = RecordedCalls(calls={(str(path), "common"): (RecordedCall(b"x", "int"),)})
    assert search_key(subject, options, recorded, "") != key

    uses_helper = Subject(path, "common", module.replace("found = []", "found = [known][:0]"))
    before = search_key(uses_helper, options, None, "")
    (tmp_path / "helper.py").write_text("known = 2\n")
    assert search_key(uses_helper, options, None, "") != before


def test_recorded_calls_are_remembered(tmp_path: Path) -> None:
    store = VerdictStore(tmp_path / "cache" / "verdicts.db")
    (tmp_path / "a.py").write_text("x = 1\n")
    recorded = RecordedCalls(
        calls={("a.py", "f"): (RecordedCall(b"abc", "int"),)}, tests_passed=2, sys_path=("/x",)
    )
    key = recording_key(tmp_path, Path(sys.executable), [tmp_path])
    keep_recording(store, key, recorded)
    assert find_recording(store, key) == recorded
    (tmp_path / "a.py").write_text("x = 10\n")
    assert recording_key(tmp_path, Path(sys.executable), [tmp_path]) != key


def test_a_damaged_store_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "verdicts.db"
    path.write_bytes(b"this is not a database at all, not even nearly one" * 40)
    store = VerdictStore(path)
    assert store.get("a") is None
    store.put("a", {"x": 1})
    assert store.get("a") == {"x": 1}
    assert path.stat().st_mode & 0o777 == 0o600
