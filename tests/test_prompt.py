from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assist.completion.prompt import FimPrompt, Window, build_prompt, changed_span
from assist.models.scripted import ScriptedModel
from assist.models.template import PREFIX_ONLY, FimTemplate

MARKERS = ("<pre>", "<suf>", "<mid>")
PREFIX_FIRST = FimTemplate(("<pre>", "{prefix}", "<suf>", "{suffix}", "<mid>"))
SUFFIX_FIRST = FimTemplate(("<suf>", "{suffix}", "<pre>", "{prefix}", "<mid>"))
MODEL = ScriptedModel({}, pieces=("foo", "    ", "\n    ", "return", " ret"), markers=MARKERS)


def check(source: str, template: FimTemplate, prompt_text: str, heal: str = "") -> None:
    """``$0`` is the cursor; ``prompt_text`` the prompt with its markers written out."""
    prompt = build(source, template)
    assert written(prompt) == prompt_text
    assert prompt.heal.data == heal.encode()


def build(
    source: str,
    template: FimTemplate = PREFIX_ONLY,
    *,
    tokens_max: int = 400,
    window: Window | None = None,
) -> FimPrompt:
    offset = source.index("$0")
    text = source.replace("$0", "")
    return build_prompt(MODEL, template, text, offset, tokens_max=tokens_max, window=window)


def written(prompt: FimPrompt) -> str:
    return b"".join(MODEL.vocabulary.pieces[token] for token in prompt.tokens).decode()


def test_order_follows_the_template() -> None:
    check("a = $0\nb", PREFIX_FIRST, "<pre>a =<suf>\nb<mid>", " ")
    check("a = $0\nb", SUFFIX_FIRST, "<suf>\nb<pre>a =<mid>", " ")
    check("a = $0\nb", PREFIX_ONLY, "a =", " ")


def test_the_last_word_is_left_to_the_answer() -> None:
    check("x\nfoo$0", PREFIX_ONLY, "x\n", "foo")
    check("x\n    ret$0", PREFIX_ONLY, "x\n    ", "ret")
    check("x ret$0", PREFIX_ONLY, "x", " ret")
    check("x\n    $0", PREFIX_ONLY, "x", "\n    ")
    check("a.$0", PREFIX_ONLY, "a", ".")
    check("a€$0", PREFIX_ONLY, "a", "€")


def test_an_empty_document_still_has_a_prompt() -> None:
    assert build("$0").tokens
    check("$0", SUFFIX_FIRST, "<suf><pre><mid>")


@pytest.mark.parametrize("template", [PREFIX_FIRST, SUFFIX_FIRST])
def test_marker_text_of_the_user_is_plain_text(template: FimTemplate) -> None:
    model = ScriptedModel({}, markers=MARKERS, reads_markers=True)
    assert model.vocabulary.special.intersection(model.tokenize("<mid>"))
    text = "a = '<mid><pre><pre>'\nb <suf>"
    prompt = build_prompt(model, template, text, 20, tokens_max=200, heal=False)
    special = [token for token in prompt.tokens if token in model.vocabulary.special]
    assert len(special) == len(template.markers)


def test_windows_are_cut_at_whole_lines_within_the_budget() -> None:
    lines = "".join(f"line{number}\n" for number in range(100))
    prompt = build(f"{lines}x = $0\n{lines}", SUFFIX_FIRST, tokens_max=120)
    assert len(prompt.tokens) <= 120
    assert prompt.prefix.startswith("line") and prompt.prefix.endswith("x = ")
    assert prompt.suffix.startswith("\nline") and prompt.suffix.endswith("\n")


def test_typing_does_not_move_the_window() -> None:
    lines = "".join(f"line{number}\n" for number in range(100))
    first = build(f"{lines}x = $0\n{lines}", SUFFIX_FIRST, tokens_max=400)
    typed = build(f"{lines}x = foo(a)\ny = $0\n{lines}", SUFFIX_FIRST, window=first.window)
    assert typed.prefix.startswith(first.prefix)
    assert typed.suffix == first.suffix
    edited = build(f"import a\n{lines}x = $0\n{lines}", SUFFIX_FIRST, window=first.window)
    assert (edited.prefix, edited.suffix) == (first.prefix, first.suffix)


def test_the_window_moves_when_it_is_full() -> None:
    window, starts = None, set()
    text = ""
    for number in range(100):
        text += f"line{number}\n"
        prompt = build(text + "$0", tokens_max=200, window=window)
        assert len(prompt.tokens) <= 200
        window = prompt.window
        starts.add(window.start)
    assert len(starts) < 12


def test_one_huge_line_is_cut() -> None:
    prompt = build("x" * 100_000 + "$0" + "y" * 100_000, SUFFIX_FIRST, tokens_max=100)
    assert 40 < len(prompt.tokens) <= 100


@settings(deadline=None)
@given(st.text(alphabet="aé😀\n <mid>", max_size=80), st.data())
def test_prompts_are_whole_characters(text: str, data: st.DataObject) -> None:
    offset = data.draw(st.integers(0, len(text)))
    tokens_max = data.draw(st.integers(8, 60))
    prompt = build_prompt(MODEL, SUFFIX_FIRST, text, offset, tokens_max=tokens_max)
    pre = prompt.tokens.index(MODEL.vocabulary.pieces.index(b"<pre>"))
    suffix = MODEL.vocabulary.detokenize(prompt.tokens[:pre])
    prefix = MODEL.vocabulary.detokenize(prompt.tokens[pre:])
    assert text[offset:].startswith(suffix.decode())
    assert text[:offset].endswith((prefix + prompt.heal.data).decode())
    assert prefix.decode() is not None


def test_lone_surrogates_are_replaced() -> None:
    assert build("a\ud800b\n$0c").prefix == "a�b\n"


@settings(deadline=None)
@given(st.text(alphabet="ab", max_size=12), st.text(alphabet="ab", max_size=12))
def test_changed_span_turns_old_into_new(old: str, new: str) -> None:
    span, text = changed_span(old, new)
    assert old[: span.start] + text + old[span.end :] == new


def test_a_model_taught_on_holes_that_start_anywhere_sees_the_whole_prefix() -> None:
    check("a = $0\nb", replace(SUFFIX_FIRST, heal=False), "<suf>\nb<pre>a = <mid>")


def test_blanks_are_healed_as_a_word_takes_the_last_of_them_too() -> None:
    def splits(source: str) -> list[list[str]]:
        pieces = MODEL.vocabulary.pieces
        heal = build(source).heal
        return [[pieces[token].decode() for token in split] for split in heal.splits]

    assert splits("def f():\n    $0") == [["\n    "], ["\n    ", "a"]]
    assert splits("x = fo$0")[1:] == []
    # No word takes a line's end.
    assert splits("x = 1 \n$0")[1:] == []
    assert splits("x = $0") == [[" "], [" ", "a"]]
