"""Opens the model that rewrites functions; it asks it nothing."""

from __future__ import annotations

from assist.completion.rewriter import Rewriter


def open_rewriter(name: str) -> Rewriter:
    """The model called ``name``, or the chosen one where it is empty, with a context for whole functions."""
    from assist.models.kv_session import KvSession
    from assist.models.llama import LlamaOptions
    from assist.models.open import open_model

    options = LlamaOptions(threads_prefill=0, threads_decode=0, context_tokens=4096)
    return Rewriter(KvSession(open_model(name, options=options).model))
