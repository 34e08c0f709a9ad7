"""Remembers: token alignments, plans and stored states as plain data; it imports nothing of ours and runs no model."""
