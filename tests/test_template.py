from __future__ import annotations

import pytest

from assist.models.catalog import load_catalog
from assist.models.template import PREFIX_ONLY, FimTemplate, resolve_template
from assist.models.vocabulary import FimIds, Vocabulary

QWEN = ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>")


def vocabulary(*pieces: str, fim: bool = False) -> Vocabulary:
    ids = FimIds(0, 1, 2) if fim else None
    return Vocabulary(tuple(piece.encode() for piece in pieces), frozenset(), frozenset(), ids)


def check(
    found: tuple[FimTemplate, str], template: str, origin: str, reason: str, stops: str = ""
) -> None:
    assert str(found[0]) == template
    assert found[0].origin == origin
    assert reason in found[1]
    assert "".join(found[0].stops) == stops


def test_the_catalog_is_asked_first() -> None:
    catalog = FimTemplate(("<a>", "{suffix}", "<b>", "{prefix}"), ("<end>", "<gone>"))
    pieces = vocabulary("<a>", "<b>", "<end>", *QWEN)
    found = resolve_template(pieces, catalog=catalog)
    check(found, "<a>{suffix}<b>{prefix}", "catalog", "catalog", "<end>")


def test_a_catalog_template_whose_markers_are_no_tokens_is_not_used() -> None:
    catalog = FimTemplate(("<a>", "{suffix}", "<gone>", "{prefix}"))
    check(resolve_template(vocabulary("<a>"), catalog=catalog), "{prefix}", "none", "prefix only")


def test_metadata_is_asked_before_the_text_of_tokens() -> None:
    keys = {"tokenizer.ggml.fim_pre_token_id": "0", "tokenizer.ggml.fim_suf_token_id": "1"}
    found = resolve_template(vocabulary("<x>", "<y>", "<z>", *QWEN, fim=True), metadata=keys.get)
    check(found, "<x>{prefix}<y>{suffix}<z>", "metadata", "tokens 0, 1, 2")


@pytest.mark.parametrize(
    ("pieces", "name", "template"),
    [
        (QWEN, "", "<|fim_prefix|>{prefix}<|fim_suffix|>{suffix}<|fim_middle|>"),
        (("[SUFFIX]", "[PREFIX]"), "", "[SUFFIX]{suffix}[PREFIX]{prefix}"),
        (
            ("<fim_prefix>", "<fim_suffix>", "<fim_middle>"),
            "StarCoder",
            "<fim_prefix>{prefix}<fim_suffix>{suffix}<fim_middle>",
        ),
        (
            ("<fim_prefix>", "<fim_suffix>", "<fim_middle>"),
            "Mellum 4b Base",
            "<fim_suffix>{suffix}<fim_prefix>{prefix}<fim_middle>",
        ),
    ],
)
def test_families_are_known_by_their_markers(
    pieces: tuple[str, ...], name: str, template: str
) -> None:
    found = resolve_template(vocabulary(*pieces), metadata={"general.name": name}.get)
    check(found, template, "token text", pieces[0])


def test_without_markers_the_prefix_is_left() -> None:
    assert resolve_template(vocabulary("a", "b"))[0] == PREFIX_ONLY


def test_every_catalog_entry_has_what_a_user_must_know() -> None:
    catalog = load_catalog()
    assert catalog.find(catalog.embedded) is not None
    for entry in catalog.entries:
        assert entry.licence and entry.context_tokens and entry.download_mb
        if entry.template is not None:
            assert entry.template.uses_suffix
            assert entry.template.parts.count("{prefix}") == 1


def test_the_taught_model_has_its_suffix_first_and_the_model_it_was_made_from_none() -> None:
    pieces = ("<issue_start>", "<issue_comment>", "<issue_closed>")
    keys = {"tokenizer.ggml.fim_pre_token_id": "0", "tokenizer.ggml.fim_suf_token_id": "1"}
    found = resolve_template(vocabulary(*pieces, fim=True), metadata=keys.get)
    template = "<issue_comment>{suffix}<issue_start>{prefix}"
    check(found, template, "metadata", "tokens 0, 1, 2")
    check(resolve_template(vocabulary(*pieces)), "{prefix}", "none", "prefix only")
