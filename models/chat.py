"""Turn formats of instruct models as data, and which of them a vocabulary can write; it never decides what is said."""

from __future__ import annotations

from dataclasses import dataclass

from assist.models.model import Model
from assist.models.vocabulary import Vocabulary

INSTRUCTION = "{instruction}"
REQUEST = "{request}"


@dataclass(frozen=True)
class ChatTemplate:
    """Order of markers and texts of one exchange that ends where the model answers.

    ``parts`` mixes marker texts, each one token of the vocabulary, plain text, ``{instruction}``
    and ``{request}``; ``markers`` says which parts are markers.
    """

    parts: tuple[str, ...]
    markers: frozenset[str]


def _template(markers: str, *parts: str) -> ChatTemplate:
    return ChatTemplate(parts, frozenset(markers.split()))


# Sources: the model cards of the families.
TEMPLATES = (
    _template(
        "<|im_start|> <|im_end|>",
        "<|im_start|>", "system\n", INSTRUCTION, "<|im_end|>", "\n",
        "<|im_start|>", "user\n", REQUEST, "<|im_end|>", "\n", "<|im_start|>", "assistant\n",
    ),
    _template(
        "<|begin_of_text|> <|start_header_id|> <|end_header_id|> <|eot_id|>",
        "<|begin_of_text|>", "<|start_header_id|>", "system", "<|end_header_id|>", "\n\n", INSTRUCTION, "<|eot_id|>",
        "<|start_header_id|>", "user", "<|end_header_id|>", "\n\n", REQUEST, "<|eot_id|>",
        "<|start_header_id|>", "assistant", "<|end_header_id|>", "\n\n",
    ),
    _template(
        "<bos> <start_of_turn> <end_of_turn>",
        "<bos>", "<start_of_turn>", "user\n", INSTRUCTION, "\n\n", REQUEST, "<end_of_turn>", "\n",
        "<start_of_turn>", "model\n",
    ),
    _template("<s> [INST] [/INST]", "<s>", "[INST]", INSTRUCTION, "\n\n", REQUEST, "[/INST]"),
)  # fmt: skip


def find_template(vocabulary: Vocabulary) -> ChatTemplate | None:
    """The first format whose markers are all single tokens of the vocabulary."""
    for template in TEMPLATES:
        if all(vocabulary.marker(marker) is not None for marker in template.markers):
            return template
    return None


def chat_tokens(model: Model, instruction: str, request: str) -> list[int]:
    """Prompt of one exchange; plain text, one after the other, where the model has no format."""
    template = find_template(model.vocabulary)
    if template is None:
        return model.tokenize(f"{instruction}\n\n{request}\n")
    tokens: list[int] = []
    for part in template.parts:
        marker = model.vocabulary.marker(part) if part in template.markers else None
        if marker is not None:
            tokens.append(marker)
        else:
            text = {INSTRUCTION: instruction, REQUEST: request}.get(part, part)
            tokens.extend(model.tokenize(text))
    return tokens
