"""Fenced blocks of our documentation, so that tests run what users copy; it never changes a file."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def fenced_blocks(document: str, language: str) -> list[str]:
    """Bodies of the blocks of ``language`` in a Markdown file of the repository, in order."""
    text = (ROOT / document).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
