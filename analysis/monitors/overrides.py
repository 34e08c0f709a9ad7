"""Notes a method whose name looks like one of a base class without being it (``__int__`` for ``__init__``)."""

from __future__ import annotations

from assist.analysis.monitors.monitor import FINE, NOTHING, Legal, Monitor
from assist.analysis.monitors.slot import Role, Slot
from assist.analysis.monitors.view import View

SPECIAL = frozenset(
    name for cls in (object, int, float, str, dict, set, list, type, complex) for name in dir(cls)
) | frozenset(
    [
        "__aenter__",
        "__aexit__",
        "__aiter__",
        "__anext__",
        "__await__",
        "__call__",
        "__copy__",
        "__deepcopy__",
        "__del__",
        "__delete__",
        "__enter__",
        "__exit__",
        "__fspath__",
        "__get__",
        "__getattr__",
        "__index__",
        "__matmul__",
        "__missing__",
        "__next__",
        "__post_init__",
        "__rmatmul__",
        "__set__",
        "__set_name__",
        "__setstate__",
        "__getstate__",
        "__buffer__",
        "__class_getitem__",
        "__instancecheck__",
        "__subclasscheck__",
        "__prepare__",
        "__imatmul__",
        "__ior__",
        "__iand__",
        "__iadd__",
        "__isub__",
        "__imul__",
        "__length_hint__",
        "__release_buffer__",
        "__getinitargs__",
        "__bytes__",
        "__complex__",
        "__divmod__",
        "__rdivmod__",
        "__ipow__",
        "__itruediv__",
        "__ifloordiv__",
        "__imod__",
        "__ilshift__",
        "__irshift__",
        "__ixor__",
        "__html__",
        "__array__",
        "__rich__",
        "__rich_console__",
        "__rich_repr__",
        "__rich_measure__",
        "__import__",
        "__getnewargs__",
        "__getnewargs_ex__",
        "__reversed__",
    ]
)


def legal(slot: Slot, _: View) -> Legal:
    """Nothing for a method with double underscores that Python does not know."""
    text = slot.text
    in_class = bool(slot.blocks) and slot.blocks[-1].word == "class" and slot.keyword == "def"
    special = text.startswith("__") and text.endswith("__")
    if not in_class or not special:
        return None
    return FINE if text in SPECIAL else NOTHING


MONITOR = Monitor("overrides", frozenset({Role.DEFINITION}), legal, early=False, hard=False)
