"""Every catalog entry's prompt, through llama.cpp's own tokeniser and files with the family's markers and no weights of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from assist.completion.prompt import build_prompt
from assist.models.catalog import load_catalog
from assist.models.llama import LlamaOptions, load_model
from assist.models.template import resolve_template
from support.tiny_gguf import write_tiny_gguf

CATALOG = load_catalog()
OPTIONS = LlamaOptions(context_tokens=256)
# What each family's card says its prompt is; P the text before the cursor, S the text after it.
QWEN = "<|fim_prefix|>P<|fim_suffix|>S<|fim_middle|>"
DEEPSEEK = "<｜fim▁begin｜>P<｜fim▁hole｜>S<｜fim▁end｜>"
STARCODER = "<fim_prefix>P<fim_suffix>S<fim_middle>"
CARDS = {
    "smollm2-135m-fim": "<issue_comment>S<issue_start>P",
    "smollm2-135m": "P",
    "qwen2.5-coder-0.5b": QWEN,
    "qwen2.5-coder-1.5b": QWEN,
    "qwen2.5-coder-3b": QWEN,
    "qwen2.5-coder-7b": QWEN,
    "starcoder2-3b": "<fim_prefix><fim_suffix>S<fim_middle>P",
    "deepseek-coder-1.3b": DEEPSEEK,
    "granite-code-3b": STARCODER,
    "codegemma-2b": QWEN,
    "mellum-4b": "<fim_suffix>S<fim_prefix>P<fim_middle>",
}
# The same, found without a catalog: by the tokens' texts, of which StarCoder2 trained two orders.
# The embedded model's markers say nothing without its metadata: its base has the texts too.
DETECTED = CARDS | {"starcoder2-3b": STARCODER}
del DETECTED["smollm2-135m-fim"]
# Tokens of the real vocabularies that look like markers and are none of the prompt's.
OTHERS = {
    "smollm2-135m": ("<file_sep>", "<filename>", "<repo_name>", "<issue_start>", "<issue_comment>"),
    "qwen2.5-coder-0.5b": ("<|fim_pad|>", "<|repo_name|>", "<|file_sep|>"),
    "starcoder2-3b": ("<fim_pad>", "<repo_name>", "<file_sep>"),
    "granite-code-3b": ("<fim_pad>", "<filename>", "<reponame>"),
    "codegemma-2b": ("<|file_separator|>", "<eos>"),
}


def check(folder: Path, name: str, expected: str, origin: str, *, in_catalog: bool) -> None:
    """The prompt of a real tokeniser around a cursor, and that the user's text has no markers."""
    entry = next(each for each in CATALOG.entries if each.name == name)
    markers = entry.template.markers if entry.template is not None else ()
    stops = entry.template.stops if entry.template is not None else ()
    extra = (*stops, *OTHERS.get(name, ()))
    tokens = tuple(dict.fromkeys((*markers, *(each for each in extra if each != END))))
    path = write_tiny_gguf(folder / "vocabulary.gguf", markers=tokens, name=entry.title)
    model = load_model(path, OPTIONS)
    catalog = entry.template if in_catalog else None
    template, _ = resolve_template(model.vocabulary, catalog=catalog, metadata=model.metadata)
    assert template.origin == origin
    # A marker in the user's text stays text: it must not tear the prompt apart.
    before, after = f"a = {''.join(markers)}(", ")\nb"
    prompt = build_prompt(
        model, replace(template, heal=False), before + after, len(before), tokens_max=400
    )
    pieces = model.vocabulary.pieces
    parts = [
        b"\0" if token in model.vocabulary.special else pieces[token] for token in prompt.tokens
    ]
    named = [pieces[token].decode() for token in prompt.tokens if token in model.vocabulary.special]
    order = _order(expected, markers)
    assert named == [part for part in order if part not in "PS"]
    texts = [text.decode() for text in b"".join(parts).split(b"\0")]
    wanted = {"P": before, "S": after}
    assert "".join(texts) == "".join(wanted[part] for part in order if part in "PS")
    for stop in template.stops:
        assert model.vocabulary.marker(stop) is not None
    ends = model.vocabulary.end_of_generation
    assert ends and not ends & {model.vocabulary.marker(marker) for marker in template.markers}


END = "<|endoftext|>"


def _order(card: str, markers: tuple[str, ...]) -> list[str]:
    """Markers and the letters P and S of a card, in order."""
    parts: list[str] = []
    while card:
        part = next((marker for marker in markers if card.startswith(marker)), card[0])
        parts.append(part)
        card = card[len(part) :]
    return parts


def test_every_entry_has_a_card() -> None:
    assert set(CARDS) == {entry.name for entry in CATALOG.entries}


@pytest.mark.parametrize("name", CARDS)
def test_the_prompt_of_an_entry(tmp_path: Path, name: str) -> None:
    origin = "none" if CARDS[name] == "P" else "catalog"
    check(tmp_path, name, CARDS[name], origin, in_catalog=True)


@pytest.mark.parametrize("name", DETECTED)
def test_the_prompt_of_a_file_that_nobody_described(tmp_path: Path, name: str) -> None:
    origin = "none" if DETECTED[name] == "P" else "token text"
    check(tmp_path, name, DETECTED[name], origin, in_catalog=False)
