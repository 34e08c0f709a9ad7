"""Names that a Python file reads and none of its statements binds: what its author still has to import; tolerant of broken code, it looks into no other file."""

from __future__ import annotations

import keyword
import re

from assist.analysis.bindings import BUILTINS
from assist.analysis.placeholder import PLACEHOLDER

NAMES_MAX = 500

_NO_NAMES = frozenset([*keyword.kwlist, *keyword.softkwlist, PLACEHOLDER])
# Strings, comments and imports are passed over.
_READ = re.compile(
    r"'{3}.*?'{3}|\"{3}.*?\"{3}|'(?:[^'\\\n]|\\.)*'|\"(?:[^\"\\\n]|\\.)*\"|\#[^\n]*"
    r"|^[ \t]*from[ \t]+[.\w]+[ \t]+import\b(?:[ \t]*\([^)]*\)|[^\n]*)|^[ \t]*import[ \t][^\n]*"
    r"|(?<![\w.])([^\W\d]\w*)\b(?!['\"]|\s*=(?!=))",
    re.DOTALL | re.MULTILINE,
)
# What the statements of `bindings` do not look into: names that live inside one expression.
_INNER = re.compile(r"\bfor\s+([^:\n]+?)\s+in\b|\blambda\b([^:\n]*):|([^\W\d]\w*)\s*:=")
_EXPORTS = re.compile(r"__all__\s*(?::[^=\n]+)?\+?=\s*[\[(]([^\])]*)[\])]")
_STRING_NAME = re.compile(r"(['\"])([^\W\d]\w*)\1")
_NAME = re.compile(r"[^\W\d]\w*")


def unbound_names(text: str, bound: frozenset[str]) -> frozenset[str]:
    """Names in ``text`` that are read, or listed in ``__all__``, and not ``bound`` by a statement.

    A name that only an inner scope binds counts as bound, so a name may be left out, but what is
    returned does have to come from somewhere.
    """
    read = {match[1] for match in _READ.finditer(text) if match[1]}
    for exported in _EXPORTS.finditer(text):
        read.update(name for _, name in _STRING_NAME.findall(exported[1]))
    read -= bound | BUILTINS | _NO_NAMES
    if read:
        for inner in _INNER.finditer(text):
            read.difference_update(_NAME.findall(" ".join(filter(None, inner.groups()))))
    return frozenset(sorted(read)[:NAMES_MAX])
