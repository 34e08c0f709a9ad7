"""Rewrites of loops over numpy arrays into operations on whole arrays."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from assist.analysis.execution.types import Relaxation
from assist.analysis.rules.inputs import calls
from assist.analysis.rules.libraries import Each, alias_of, called, calls_of, each_of, is_array
from assist.analysis.rules.loops import is_live_after
from assist.analysis.rules.pattern import build, build_statement, code, replace, sole
from assist.analysis.rules.rule import Rewrite, Rule
from assist.analysis.rules.target import Target, descendants, names
from assist.analysis.rules.vectorised import FUNCTIONS, condition, vectorised

NUMPY = frozenset({"numpy"})
# numpy warns of overflow once and of "multiply" where single numbers warn of "scalar multiply".
WARNED = Relaxation("numpy_warnings")
FUNCTIONS_ROUNDED = (Relaxation("float_ulp", 4), WARNED)


def array_comprehension(target: Target) -> Iterator[Rewrite]:
    """``np.array([x * 2 for x in a])``, ``np.array([x for x in a if x > 0])``."""
    numpy = alias_of(target, "numpy")
    for call in calls_of(target) if numpy else ():
        arguments = called(call, f"{numpy}.array", f"{numpy}.asarray")
        each = each_of(arguments[0]) if arguments and len(arguments) == 1 else None
        if each is None or not is_array(target, each.source):
            continue
        items = {each.name: each.source}
        value = vectorised(target, each.value, items, numpy)
        if each.condition is not None:
            kept = condition(target, each.condition, items, numpy)
            if kept is None or code(each.value) != each.name:
                continue
            value = build("__a[__kept]", a=each.source, kept=kept)
        if value is None or value is each.source or each.name not in names(each.value):
            continue
        # without items, np.array([]) holds floats whatever the array holds
        whole = build(f"__v if len(__a) else {numpy}.array([])", v=value, a=each.source)
        rounded = names(each.value) & {numpy} and any(
            f".{f}(" in code(each.value) for f in FUNCTIONS
        )
        yield Rewrite(
            {call: whole},
            adversarial=array_inputs(target, numpy, each.source),
            relaxations=FUNCTIONS_ROUNDED if rounded else (WARNED,),
        )


def _over_arrays(target: Target, *functions: str) -> Iterator[tuple[cst.Call, str, Each, str]]:
    """Calls of these builtins over the elements of one array: call, function, elements, numpy's name."""
    numpy = alias_of(target, "numpy")
    for call in calls_of(target) if numpy else ():
        function = code(call.func)
        arguments = called(call, *functions) if target.is_builtin(function) else None
        each = each_of(arguments[0]) if arguments and len(arguments) == 1 else None
        if numpy and each is not None and is_array(target, each.source):
            yield call, function, each, numpy


def array_count(target: Target) -> Iterator[Rewrite]:
    """``sum(1 for x in a if x > t)`` and ``len([x for x in a if x > t])``."""
    for call, function, each, numpy in _over_arrays(target, "sum", "len"):
        if each.condition is None:
            continue
        if function == "sum" and code(each.value) != "1":
            continue
        if function == "len" and code(each.value) != each.name:
            continue
        kept = condition(target, each.condition, {each.name: each.source}, numpy)
        if kept is not None:
            value = build(f"int({numpy}.count_nonzero(__kept))", kept=kept)
            yield Rewrite({call: value}, adversarial=array_inputs(target, numpy, each.source))


def array_any(target: Target) -> Iterator[Rewrite]:
    """``any(x > t for x in a)`` and ``all(…)``."""
    for call, function, each, numpy in _over_arrays(target, "any", "all"):
        if each.condition is not None:
            continue
        test = condition(target, each.value, {each.name: each.source}, numpy)
        if test is not None:
            value = build(f"bool({numpy}.{function}(__test))", test=test)
            yield Rewrite({call: value}, adversarial=array_inputs(target, numpy, each.source))


def array_list(target: Target) -> Iterator[Rewrite]:
    """``[float(x) for x in a]`` and ``list(map(float, a))``."""
    numpy = alias_of(target, "numpy")
    for node in target.nodes if numpy else ():
        each = each_of(node) if isinstance(node, cst.ListComp) else None
        source: cst.CSTNode | None = None
        if each is not None and each.condition is None:
            source = each.source if target.match(f"float({each.name})", each.value) else None
        elif found := target.match("list(map(float, __a))", node):
            source = found["a"]
        if source is not None and is_array(target, source):
            value = build("__a.astype(float).tolist()", a=source)
            yield Rewrite({node: value}, adversarial=array_inputs(target, numpy, source))


def array_isin(target: Target) -> Iterator[Rewrite]:
    """``[x in known for x in a]``."""
    numpy = alias_of(target, "numpy")
    for node in target.nodes if numpy else ():
        each = each_of(node) if isinstance(node, cst.ListComp) else None
        if each is None or each.condition is not None or not is_array(target, each.source):
            continue
        found = target.match(f"{each.name} in __known", each.value)
        if not found or each.name in names(found["known"]):
            continue
        text = f"{numpy}.isin(__a, list(__known)).tolist()"
        value = build(text, a=each.source, known=found["known"])
        yield Rewrite({node: value}, adversarial=array_inputs(target, numpy, each.source))


def array_append(target: Target) -> Iterator[Rewrite]:
    """``out = np.append(out, value)`` in a loop: collected in a list and appended once."""
    numpy = alias_of(target, "numpy")
    for loop in target.nodes if numpy else ():
        if not isinstance(loop, (cst.For, cst.While)) or target.loops_around(loop):
            continue
        for statement in descendants(loop):
            found = target.match(f"__out = {numpy}.append(__out, __value)", statement)
            if not found or not isinstance(statement, cst.SimpleStatementLine):
                continue
            out, value = found["out"], found["value"]
            if not isinstance(out, cst.Name) or not _collects_only(target, loop, out.value):
                continue
            more = target.fresh(f"{out.value}_items", f"more_{out.value}")
            append = build_statement("__more.append(__value)", more=more, value=value)
            changed = replace(loop, {statement: append})
            start = build_statement("__more = []", more=more)
            end = build_statement(
                f"if __more:\n    __out = {numpy}.append(__out, __more)", more=more, out=out
            )
            yield Rewrite({loop: [start, changed, end]})


def _collects_only(target: Target, loop: cst.For | cst.While, out: str) -> bool:
    """Whether a loop uses a local variable in one statement alone and cannot end the function."""
    if out in target.parameters or len(target.uses(out, loop)) != 2:
        return False
    ends = (cst.Return, cst.Yield, cst.Try)
    return not any(isinstance(node, ends) for node in [*descendants(loop), *target.ancestors(loop)])


def array_fill(target: Target) -> Iterator[Rewrite]:
    """``out = np.zeros(len(a))`` filled by index from another array."""
    numpy = alias_of(target, "numpy")
    for loop in target.nodes if numpy else ():
        if not isinstance(loop, cst.For) or not isinstance(loop.target, cst.Name):
            continue
        ranged = target.match_any(("range(len(__a))", "range(__a.shape[0])"), loop.iter)
        statement = sole(loop.body)
        index = loop.target.value
        stored = target.match(f"__out[{index}] = __value", statement)
        if not ranged or not stored or loop.orelse is not None:
            continue
        array, out = ranged["a"], stored["out"]
        if (
            not is_array(target, array)
            or not isinstance(out, cst.Name)
            or not isinstance(array, cst.Name)
        ):
            continue
        if not _is_as_long(target, numpy, out.value, array.value) or is_live_after(
            target, loop, index
        ):
            continue
        assert isinstance(stored["value"], cst.BaseExpression)
        items: dict[str, cst.BaseExpression] = {f"{array.value}[{index}]": array}
        value = vectorised(target, stored["value"], items, numpy)
        if value is not None and index not in names(value):
            assign = build_statement("__out[:] = __value", out=out, value=value)
            adversarial = array_inputs(target, numpy, array)
            yield Rewrite({loop: assign}, adversarial=adversarial, relaxations=FUNCTIONS_ROUNDED)


def _is_as_long(target: Target, numpy: str, out: str, array: str) -> bool:
    """Whether ``out`` is made once, as an array of zeros as long as ``array``."""
    made = [
        node
        for node in target.nodes
        if target.match_any(
            (
                f"{out} = {numpy}.zeros(len({array}))",
                f"{out} = {numpy}.empty(len({array}))",
                f"{out} = {numpy}.zeros({array}.shape[0])",
                f"{out} = {numpy}.zeros_like({array})",
                f"{out} = {numpy}.empty_like({array})",
            ),
            node,
        )
        and isinstance(node, cst.SimpleStatementLine)
    ]
    return len(made) == 1


def array_inputs(target: Target, numpy: str, node: cst.CSTNode) -> tuple[str, ...]:
    """Arrays at the edges: empty, one item, whole numbers, truth values, small types, NaN."""
    if not isinstance(node, cst.Name) or node.value not in target.parameters:
        return ()
    made = [
        f"{numpy}.array({text})"
        for text in (
            "[], dtype=float", "[], dtype=int", "[2.5]", "[3, 1, 2, 3]", "[0.1, 0.2, 0.3, -0.0]",
            "[True, False, True]", "[1, 2, 3], dtype='uint8'", "[1.5, 2.5], dtype='float32'",
            "[1.0, float('nan'), 3.0]", "[float('nan'), 1.0, float('inf')]", "[-1.0, 4.0]",
        )
    ]  # fmt: skip
    return calls(target, {node.value: made})


RULES = (
    Rule(
        "array-comprehension",
        "Compute on the whole array",
        "numpy computes item by item in C; a comprehension makes an object for every item.",
        array_comprehension,
        libraries=NUMPY,
    ),
    Rule(
        "array-count",
        "Count with numpy",
        "numpy compares and counts in C; a generator makes an object for every item.",
        array_count,
        libraries=NUMPY,
    ),
    Rule(
        "array-any",
        "Test with numpy",
        "numpy compares all items in C; a generator makes an object for every item.",
        array_any,
        libraries=NUMPY,
    ),
    Rule(
        "array-list",
        "Let numpy make the list",
        "tolist() converts in C, without an object of numpy for every item.",
        array_list,
        libraries=NUMPY,
    ),
    Rule(
        "array-isin",
        "Look all items up with numpy",
        "numpy looks up all items of an array at once.",
        array_isin,
        libraries=NUMPY,
    ),
    Rule(
        "array-append",
        "Append to the array once",
        "np.append copies the whole array for every item; a list grows in place.",
        array_append,
        libraries=NUMPY,
    ),
    Rule(
        "array-fill",
        "Fill the array in one operation",
        "numpy computes and stores in C; an indexed loop makes objects for every item.",
        array_fill,
        libraries=NUMPY,
    ),
)
