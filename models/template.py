"""Fill-in-the-middle formats as data, and which of them fits a model; it never tokenises text and never cuts it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from assist.models.vocabulary import Vocabulary

TemplateOrigin = Literal["catalog", "metadata", "token text", "none"]

PREFIX = "{prefix}"
SUFFIX = "{suffix}"


@dataclass(frozen=True)
class FimTemplate:
    """Order of markers and texts in a prompt.

    ``parts`` mixes marker texts with ``{prefix}`` and ``{suffix}``; every marker is one token of
    the vocabulary. ``stops`` are marker texts that end an answer besides the vocabulary's own
    end tokens. ``origin`` says how the template was found. ``heal`` is false for a model that was
    trained on holes that start anywhere: it need not be asked again for the token at the cursor.
    """

    parts: tuple[str, ...]
    stops: tuple[str, ...] = ()
    origin: TemplateOrigin = "catalog"
    heal: bool = True

    @property
    def uses_suffix(self) -> bool:
        return SUFFIX in self.parts

    @property
    def markers(self) -> tuple[str, ...]:
        return tuple(part for part in self.parts if part not in (PREFIX, SUFFIX))

    def __str__(self) -> str:
        return "".join(self.parts)


PREFIX_ONLY = FimTemplate((PREFIX,), origin="none")

# Formats by the text of their markers, for files that no catalog entry describes. Sources: the
# model cards of the families; Mellum shares StarCoder's markers and turns their order around.
MELLUM = FimTemplate(("<fim_suffix>", SUFFIX, "<fim_prefix>", PREFIX, "<fim_middle>"))
FAMILIES = (
    FimTemplate(
        ("<|fim_prefix|>", PREFIX, "<|fim_suffix|>", SUFFIX, "<|fim_middle|>"),
        ("<|endoftext|>", "<|file_sep|>", "<|file_separator|>", "<|fim_pad|>", "<|repo_name|>"),
    ),
    FimTemplate(
        ("<fim_prefix>", PREFIX, "<fim_suffix>", SUFFIX, "<fim_middle>"),
        ("<|endoftext|>", "<file_sep>", "<fim_pad>", "<filename>", "<repo_name>", "<reponame>"),
    ),
    FimTemplate(("<fim-prefix>", PREFIX, "<fim-suffix>", SUFFIX, "<fim-middle>")),
    FimTemplate(
        ("<｜fim▁begin｜>", PREFIX, "<｜fim▁hole｜>", SUFFIX, "<｜fim▁end｜>"),
        ("<｜end▁of▁sentence｜>",),
    ),
    FimTemplate(("▁<PRE>", PREFIX, "▁<SUF>", SUFFIX, "▁<MID>"), ("▁<EOT>",)),
    FimTemplate((" <PRE>", PREFIX, " <SUF>", SUFFIX, " <MID>"), (" <EOT>",)),
    FimTemplate(("<PRE>", PREFIX, "<SUF>", SUFFIX, "<MID>"), ("<EOT>",)),
    FimTemplate(("[SUFFIX]", SUFFIX, "[PREFIX]", PREFIX)),
)
# Only where the metadata names these ids: the vocabulary of the base model has the texts too, and
# was never taught this use of them. Suffix first, so that typing leaves its keys in place.
# No marker before the middle: it goes on from the prefix as the base model always did.
TAUGHT = FimTemplate(("<issue_comment>", SUFFIX, "<issue_start>", PREFIX))
METADATA_KEYS = (
    ("tokenizer.ggml.fim_pre_token_id", "tokenizer.ggml.fim_suf_token_id"),
    ("tokenizer.ggml.prefix_token_id", "tokenizer.ggml.suffix_token_id"),
)


def resolve_template(
    vocabulary: Vocabulary,
    *,
    catalog: FimTemplate | None = None,
    metadata: Callable[[str], str | None] = lambda _key: None,
) -> tuple[FimTemplate, str]:
    """The template of a model and one sentence that says why.

    In this order: the catalog's, if each of its markers is a token; the ids that the GGUF's
    metadata names; a known family's by the text of its markers; the prefix alone.
    """
    pieces = {piece.decode("utf-8", "replace") for piece in vocabulary.pieces}
    if catalog is not None:
        missing = [marker for marker in catalog.markers if marker not in pieces]
        if not missing:
            return _trimmed(catalog, pieces, "catalog"), "from the catalog"
    family = _family(pieces, metadata("general.name") or "")
    if vocabulary.fim is not None and any(
        metadata(pre) and metadata(suf) for pre, suf in METADATA_KEYS
    ):
        fim = vocabulary.fim
        ids = (fim.prefix, fim.suffix, fim.middle)
        prefix, suffix, middle = (vocabulary.pieces[token].decode("utf-8") for token in ids)
        if TAUGHT.markers == (suffix, prefix):
            family = TAUGHT
        elif family is None or set(family.markers) != {prefix, suffix, middle}:
            family = FimTemplate((prefix, PREFIX, suffix, SUFFIX, middle))
        return (
            _trimmed(family, pieces, "metadata"),
            f"from the GGUF's metadata (tokens {', '.join(map(str, ids))})",
        )
    if family is not None:
        return (
            _trimmed(family, pieces, "token text"),
            f"from the text of its tokens ({', '.join(family.markers)})",
        )
    return PREFIX_ONLY, "prefix only: its vocabulary has no fill-in-the-middle markers"


def _family(pieces: set[str], name: str) -> FimTemplate | None:
    families = (MELLUM, *FAMILIES) if "mellum" in name.lower() else FAMILIES
    fitting = (family for family in families if pieces.issuperset(family.markers))
    return next(fitting, None)


def _trimmed(template: FimTemplate, pieces: set[str], origin: TemplateOrigin) -> FimTemplate:
    stops = tuple(stop for stop in template.stops if stop in pieces)
    return replace(template, stops=stops, origin=origin)
