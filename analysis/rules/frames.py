"""Rewrites of loops over pandas frames into operations on columns."""

from __future__ import annotations

import json
from collections.abc import Iterator

import libcst as cst

from assist.analysis.rules.libraries import (
    alias_of,
    called,
    calls_of,
    column_name,
    is_column,
    is_frame,
)
from assist.analysis.rules.loops import is_live_after
from assist.analysis.rules.pattern import build, build_statement, code, literal, replace
from assist.analysis.rules.rule import Rewrite, Rule
from assist.analysis.rules.target import Target, descendants, names
from assist.analysis.rules.vectorised import vectorised

PANDAS = frozenset({"pandas"})
COLUMNS_MAX = 8


def iterrows(target: Target) -> Iterator[Rewrite]:
    """``for _, row in df.iterrows()`` that reads ``row["a"]``: a loop over those columns.

    Once with Python's numbers, as rows of mixed columns give them, once with numpy's, as rows of
    one kind give them; verification tells which it was.
    """
    for loop in target.nodes:
        if not isinstance(loop, cst.For) or not isinstance(loop.target, cst.Tuple):
            continue
        found = target.match("__df.iterrows()", loop.iter)
        parts = [each.value for each in loop.target.elements]
        if not found or len(parts) != 2 or not is_frame(target, found["df"]):
            continue
        index, row = parts
        if not isinstance(index, cst.Name) or not isinstance(row, cst.Name):
            continue
        if isinstance(found["df"], cst.Name) and found["df"].value in names(loop.body):
            continue
        reads = _reads_of(target, loop.body, row.value)
        if not reads or is_live_after(target, loop, row.value):
            continue
        uses_index = bool(target.uses(index.value, loop.body)) or is_live_after(
            target, loop, index.value
        )
        for values in ("", ".to_numpy()"):
            changed = _over_columns(target, loop, found["df"], reads, values, uses_index)
            yield Rewrite({loop: changed})


def _reads_of(target: Target, body: cst.CSTNode, row: str) -> dict[str, list[cst.CSTNode]]:
    """Columns that are read as ``row["a"]``; empty where the row is used in any other way."""
    reads: dict[str, list[cst.CSTNode]] = {}
    for use in target.uses(row, body):
        above = target.parent(use)
        column = column_name(above)
        stored = isinstance(target.parent(above), cst.AssignTarget) if above is not None else True
        if column is None or above is None or stored or getattr(above, "value", None) is not use:
            return {}
        reads.setdefault(column, []).append(above)
    return reads if len(reads) <= COLUMNS_MAX else {}


def _over_columns(
    target: Target,
    loop: cst.For,
    frame: cst.CSTNode,
    reads: dict[str, list[cst.CSTNode]],
    values: str,
    uses_index: bool,
) -> cst.CSTNode:
    variables = {
        column: target.fresh(*([column] if column.isidentifier() else []), f"value_{number}")
        for number, column in enumerate(reads)
    }
    changes = {
        node: cst.Name(variables[column]) for column, nodes in reads.items() for node in nodes
    }
    sources = [build(f"__df[{json.dumps(column)}]{values}", df=frame) for column in reads]
    bound: list[cst.BaseExpression] = [cst.Name(name) for name in variables.values()]
    if uses_index:
        assert isinstance(loop.target, cst.Tuple)
        sources.insert(0, build("__df.index", df=frame))
        bound.insert(0, loop.target.elements[0].value)
    body = replace(loop.body, changes)
    if len(sources) == 1:
        return loop.with_changes(target=bound[0], iter=sources[0], body=body)
    comma = cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))
    arguments = [cst.Arg(each, comma=comma) for each in sources[:-1]] + [cst.Arg(sources[-1])]
    zipped = cst.Call(cst.Name("zip"), arguments)
    together = cst.Tuple([cst.Element(each) for each in bound], lpar=(), rpar=())
    return loop.with_changes(target=together, iter=zipped, body=body)


def apply_rows(target: Target) -> Iterator[Rewrite]:
    """``df.apply(lambda row: row["a"] * row["b"], axis=1)`` as arithmetic of columns."""
    for call in calls_of(target):
        found = target.match("__df.apply(__function, axis=1)", call)
        if not found or not isinstance(found["function"], cst.Lambda):
            continue
        if not is_frame(target, found["df"]):
            continue
        function = found["function"]
        parameters = function.params.params
        if len(parameters) != 1 or len(function.params.kwonly_params) or function.params.star_kwarg:
            continue
        reads = _reads_of(target, function.body, parameters[0].name.value)
        items = {
            code(nodes[0]): build(f"__df[{json.dumps(column)}]", df=found["df"])
            for column, nodes in reads.items()
        }
        value = vectorised(target, function.body, items, "") if items else None
        if value is not None:
            # without rows, apply gives an empty frame and not a column
            whole = build("__v if len(__df) else __old", v=value, df=found["df"], old=call)
            yield Rewrite({call: whole})


def concat_loop(target: Target) -> Iterator[Rewrite]:
    """``df = pd.concat([df, part])`` in a loop: collected in a list and joined once."""
    pandas = alias_of(target, "pandas")
    for loop in target.nodes if pandas else ():
        if not isinstance(loop, (cst.For, cst.While)) or target.loops_around(loop):
            continue
        for statement in descendants(loop):
            for option in ("", ", ignore_index=True"):
                text = f"__out = {pandas}.concat([__out, __part]{option})"
                found = target.match(text, statement)
                if not found or not isinstance(statement, cst.SimpleStatementLine):
                    continue
                out = found["out"]
                if not isinstance(out, cst.Name) or not _collects_only(target, loop, out.value):
                    continue
                parts = target.fresh(f"{out.value}_parts", f"parts_of_{out.value}")
                append = build_statement("__p.append(__x)", p=parts, x=found["part"])
                changed = replace(loop, {statement: append})
                start = build_statement("__p = [__out]", p=parts, out=out)
                end = build_statement(
                    f"if len(__p) > 1:\n    __out = {pandas}.concat(__p{option})", p=parts, out=out
                )
                yield Rewrite({loop: [start, changed, end]})


def _collects_only(target: Target, loop: cst.For | cst.While, out: str) -> bool:
    """Whether a loop uses a variable in one statement alone and cannot end the function."""
    if len(target.uses(out, loop)) != 2:
        return False
    ends = (cst.Return, cst.Yield, cst.Try)
    return not any(isinstance(node, ends) for node in [*descendants(loop), *target.ancestors(loop)])


def series_isin(target: Target) -> Iterator[Rewrite]:
    """``df["a"].apply(lambda x: x in known)`` as ``isin``; an empty column stays as it was."""
    for call in calls_of(target):
        found = target.match_any(("__s.apply(__f)", "__s.map(__f)"), call)
        if not found or not isinstance(found["f"], cst.Lambda) or not is_column(target, found["s"]):
            continue
        parameters = found["f"].params.params
        if len(parameters) != 1:
            continue
        name = parameters[0].name.value
        test = target.match(f"{name} in __known", found["f"].body)
        if test and name not in names(test["known"]):
            text = "__s.isin(list(__known)) if len(__s) else __old"
            yield Rewrite({call: build(text, s=found["s"], known=test["known"], old=call)})


def iloc_loop(target: Target) -> Iterator[Rewrite]:
    """``df["a"].iloc[i]`` in a loop over positions: the column's array is taken once."""
    for loop in target.nodes:
        if not isinstance(loop, cst.For) or not isinstance(loop.target, cst.Name):
            continue
        index = loop.target.value
        ranged = target.match_any(("range(len(__df))", "range(__df.shape[0])"), loop.iter)
        if not ranged or not is_frame(target, ranged["df"]):
            continue
        frame = code(ranged["df"])
        reads: dict[str, list[cst.CSTNode]] = {}
        for node in descendants(loop.body):
            for text in (f"{frame}[__c].iloc[{index}]", f"{frame}.iloc[{index}][__c]"):
                found = target.match(text, node)
                column = literal(found["c"]) if found else None
                if isinstance(column, str) and isinstance(node, cst.Subscript):
                    reads.setdefault(column, []).append(node)
        uses = sum(len(nodes) for nodes in reads.values())
        if not reads or len(target.uses(frame, loop.body)) != uses:
            continue
        names_of = {
            column: target.fresh(
                f"{column}_values" if column.isidentifier() else f"values_{k}", f"column_{k}"
            )
            for k, column in enumerate(reads)
        }
        starts = [
            build_statement(f"__n = __df[{json.dumps(column)}].to_numpy()", n=name, df=ranged["df"])
            for column, name in names_of.items()
        ]
        changes: dict[cst.CSTNode, cst.CSTNode] = {
            node: build(f"{names_of[column]}[{index}]")
            for column, nodes in reads.items()
            for node in nodes
        }
        yield Rewrite({loop: [*starts, replace(loop, changes)]})


def frame_count(target: Target) -> Iterator[Rewrite]:
    """``len(df[df["a"] > 3])``: counted without making the smaller frame."""
    for call in calls_of(target):
        arguments = called(call, "len") if target.is_builtin("len") else None
        found = target.match("__df[__test]", arguments[0]) if arguments else None
        if not found or not is_frame(target, found["df"]):
            continue
        test = found["test"]
        if not isinstance(test, cst.Comparison) or len(test.comparisons) > 1:
            continue
        if is_column(target, test.left):
            yield Rewrite({call: build("int((__test).sum())", test=test)})


RULES = (
    Rule(
        "frame-rows",
        "Loop over columns, not over rows",
        "iterrows() makes a series for every row; columns give their values directly.",
        iterrows,
        libraries=PANDAS,
    ),
    Rule(
        "frame-apply",
        "Compute on whole columns",
        "apply() calls a function with a new series for every row; columns compute in C.",
        apply_rows,
        libraries=PANDAS,
    ),
    Rule(
        "frame-concat",
        "Join the frames once",
        "concat() copies everything that was collected so far in every round.",
        concat_loop,
        libraries=PANDAS,
    ),
    Rule(
        "series-isin",
        "Look the column up with isin()",
        "isin() looks all values up in C, without a call for every value.",
        series_isin,
        libraries=PANDAS,
    ),
    Rule(
        "frame-positions",
        "Take the column's array out of the loop",
        "Every access by position goes through pandas; an array is read directly.",
        iloc_loop,
        libraries=PANDAS,
    ),
    Rule(
        "frame-count",
        "Count without selecting",
        "Selecting rows copies them; counting needs only the truth values.",
        frame_count,
        libraries=PANDAS,
    ),
)
