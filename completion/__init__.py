"""Produces: completions and verified edits from a document, a model and facts; it never speaks a protocol."""
