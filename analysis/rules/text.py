"""Rewrites of code that works on strings: pieces, prefixes, formats and regular expressions."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from assist.analysis.rules.effects import is_pure
from assist.analysis.rules.inputs import about
from assist.analysis.rules.kinds import may_be
from assist.analysis.rules.pattern import (
    Change,
    build,
    build_statement,
    code,
    literal,
)
from assist.analysis.rules.rule import Rewrite, Rule
from assist.analysis.rules.target import Target


def split_end(target: Target) -> Iterator[Rewrite]:
    """Only the first or the last piece of a split is wanted."""
    for node in target.nodes:
        for example, method, index in (
            ("__s.split(__sep)[-1]", "rsplit", "-1"), ("__s.split(__sep)[0]", "split", "0"),
            ("__s.rsplit(__sep)[-1]", "rsplit", "-1"),
        ):  # fmt: skip
            found = target.match(example, node)
            if found and method != "split" and ".split" in example and _may_overlap(found["sep"]):
                continue
            if found and may_be(target, found["s"], "str", "bytes"):
                value = build(f"__s.{method}(__sep, 1)[{index}]", s=found["s"], sep=found["sep"])
                yield Rewrite({node: value}, adversarial=about(target, found["s"]))
        for example, method, index in (
            ("__s.split()[-1]", "rsplit", "-1"),
            ("__s.split()[0]", "split", "0"),
        ):
            found = target.match(example, node)
            if found and may_be(target, found["s"], "str", "bytes"):
                value = build(f"__s.{method}(None, 1)[{index}]", s=found["s"])
                yield Rewrite({node: value}, adversarial=about(target, found["s"]))


def _may_overlap(separator: cst.CSTNode) -> bool:
    """Whether two occurrences may share characters, as of ``//`` in ``///``: then the end of the search matters."""
    value = literal(separator)
    if not isinstance(value, (str, bytes)):
        return value is not None
    return any(value[:size] == value[-size:] for size in range(1, len(value)))


def strip_loop(target: Target) -> Iterator[Rewrite]:
    """``while s[-1] == c: s = s[:-1]`` copies the string for every character it drops."""
    for loop in target.nodes:
        for example, method in (
            ("while __s[-1] == __c:\n    __s = __s[:-1]\n", "rstrip"),
            ("while __s and __s[-1] == __c:\n    __s = __s[:-1]\n", "rstrip"),
            ("while __s.endswith(__c):\n    __s = __s[:-1]\n", "rstrip"),
            ("while __s[0] == __c:\n    __s = __s[1:]\n", "lstrip"),
            ("while __s and __s[0] == __c:\n    __s = __s[1:]\n", "lstrip"),
            ("while __s.startswith(__c):\n    __s = __s[1:]\n", "lstrip"),
        ):
            found = target.match(example, loop) if isinstance(loop, cst.While) else None
            if not found or not may_be(target, found["s"], "str"):
                continue
            constant = literal(found["c"])
            if isinstance(constant, str) and len(constant) == 1:
                statement = build_statement(f"__s = __s.{method}(__c)", **found)
                yield Rewrite({loop: statement}, adversarial=about(target, found["s"]))


def affix_chain(target: Target) -> Iterator[Rewrite]:
    """``s.startswith(a) or s.startswith(b)``: one call with a tuple."""
    for node in target.nodes:
        for method in ("startswith", "endswith"):
            found = target.match(f"__s.{method}(__a) or __s.{method}(__b)", node)
            if not found or not is_pure(target, found["s"]):
                continue
            affixes = [*_affixes(found["a"]), *_affixes(found["b"])]
            if all(isinstance(literal(a), str) for a in affixes):
                joined = cst.Tuple([cst.Element(a) for a in affixes])
                value = build(f"__s.{method}(__t)", s=found["s"], t=joined)
                yield Rewrite({node: value}, adversarial=about(target, found["s"]))


def _affixes(node: cst.CSTNode) -> list[cst.BaseExpression]:
    if isinstance(node, cst.Tuple):
        return [element.value for element in node.elements]
    return [node] if isinstance(node, cst.BaseExpression) else []


def regex_constant(target: Target) -> Iterator[Rewrite]:
    """A literal pattern compiled once for the module instead of looked up in a cache per call."""
    if ("re", "") not in target.imported and not _imports_re(target):
        return
    methods = {"match", "search", "fullmatch", "split", "sub", "subn", "findall", "finditer"}
    changes: dict[cst.CSTNode, Change] = {}
    constants: list[str] = []
    for node in target.nodes:
        if (
            not isinstance(node, cst.Call)
            or not isinstance(node.func, cst.Attribute)
            or not node.args
        ):
            continue
        first = node.args[0]
        if not target.match("re", node.func.value) or node.func.attr.value not in methods:
            continue
        flags = [a for a in node.args if a.keyword is not None and a.keyword.value == "flags"]
        if not isinstance(first.value, (cst.SimpleString, cst.ConcatenatedString)) or first.keyword:
            continue
        rest = [a for a in node.args[1:] if a not in flags]
        allowed = 3 if node.func.attr.value in {"sub", "subn"} else 2
        if len(rest) >= allowed + (node.func.attr.value == "split"):
            continue
        name = _constant_name(target, constants)
        with_flags = f", {code(flags[0].value)}" if flags else ""
        constants.append(f"{name} = re.compile({code(first.value)}{with_flags})")
        args = [
            a.with_changes(comma=cst.MaybeSentinel.DEFAULT) if a is rest[-1] else a for a in rest
        ]
        func = node.func.with_changes(value=cst.Name(name))
        changes[node] = node.with_changes(func=func, args=args)
    if changes:
        needed = () if ("re", "") in target.imported else ("import re",)
        yield Rewrite(changes, constants=constants, imports=needed)


def _imports_re(target: Target) -> bool:
    return any(
        isinstance(node, cst.Import)
        and any(code(a.name) == "re" and a.asname is None for a in node.names)
        for node in target.nodes
    )


def _constant_name(target: Target, taken: list[str]) -> str:
    stem = f"_{target.function.name.value.strip('_').upper()}_PATTERN"
    name = target.fresh(stem)
    return name if not taken else target.fresh(f"{stem}_{len(taken) + 1}")


def regex_literal(target: Target) -> Iterator[Rewrite]:
    """A pattern without special characters is a substring search."""
    for node in target.nodes:
        found = target.match_any(
            ("re.search(__p, __s)", "re.match(__p, __s)", "re.search(__p, __s) is not None",
             "re.match(__p, __s) is not None", "bool(re.search(__p, __s))", "bool(re.match(__p, __s))"),
            node,
        )  # fmt: skip
        if not found:
            continue
        text = literal(found["p"])
        if not isinstance(text, str) or not text or any(c in r".^$*+?{}[]\|()" for c in text):
            continue
        if isinstance(node, cst.Call) and target.match("re.__f(__p, __s)", node) is None:
            pass
        elif isinstance(node, cst.Call) and not _is_condition(target, node):
            continue
        is_search = "search" in code(node).partition("(")[0] or "re.search" in code(node)
        value = build(
            "__p in __s" if is_search else "__s.startswith(__p)", p=found["p"], s=found["s"]
        )
        yield Rewrite({node: value}, adversarial=about(target, found["s"]))


def _is_condition(target: Target, node: cst.CSTNode) -> bool:
    """Whether only the truth of an expression is used."""
    above = target.parent(node)
    if isinstance(above, (cst.If, cst.While, cst.CompIf)):
        return True
    if isinstance(above, cst.IfExp):
        return above.test is node
    if isinstance(above, cst.UnaryOperation):
        return isinstance(above.operator, cst.Not)
    return isinstance(above, cst.BooleanOperation) and _is_condition(target, above)


def join_list(target: Target) -> Iterator[Rewrite]:
    """join makes a list of a generator first: give it a list, or map."""
    for node in target.nodes:
        found = target.match_any(
            ("__s.join([__f(__x) for __x in __xs])", "__s.join(__f(__x) for __x in __xs)"), node
        )
        if (
            found
            and isinstance(found["x"], cst.Name)
            and isinstance(found["f"], cst.Name)
            and (target.is_builtin(found["f"].value) or found["f"].value in target.module_names)
        ):
            value = build("__s.join(map(__f, __xs))", s=found["s"], f=found["f"], xs=found["xs"])
            yield Rewrite({node: value}, adversarial=about(target, found["xs"]))
        found = target.match("__s.join(list(__x))", node)
        if found:
            yield Rewrite(
                {node: build("__s.join(__x)", **found)}, adversarial=about(target, found["x"])
            )
        found = target.match("__s.join(__g)", node)
        if found and isinstance(found["g"], cst.GeneratorExp):
            value = build(
                "__s.join(__l)", s=found["s"], l=cst.ListComp(found["g"].elt, found["g"].for_in)
            )
            yield Rewrite({node: value})


def percent_format(target: Target) -> Iterator[Rewrite]:
    """``'%s' % x`` and ``'{}'.format(x)`` parse their format at run time; an f-string does not."""
    for node in target.nodes:
        parts: list[str] | None = None
        values: list[cst.BaseExpression] = []
        conversion = "!s" if isinstance(node, cst.BinaryOperation) else ""
        if isinstance(node, cst.BinaryOperation) and isinstance(node.operator, cst.Modulo):
            text = literal(node.left)
            if isinstance(text, str) and isinstance(node.right, cst.Tuple):
                values = [element.value for element in node.right.elements]
                parts = text.replace("%%", "\0").split("%s")
                parts = (
                    None
                    if any("%" in part for part in parts)
                    else [p.replace("\0", "%") for p in parts]
                )
        else:
            found = target.match("__t.format(__a)", node) or target.match(
                "__t.format(__a, __b)", node
            )
            found = found or target.match("__t.format(__a, __b, __c)", node)
            text = literal(found["t"]) if found else None
            if found and isinstance(text, str) and isinstance(node, cst.Call):
                values = [argument.value for argument in node.args]
                parts = text.split("{}")
                parts = None if any("{" in p or "}" in p for p in parts) else parts
        if parts is None or len(parts) != len(values) + 1 or not values:
            continue
        value = _formatted(parts, values, conversion)
        if value is not None:
            yield Rewrite({node: value})


def _formatted(
    parts: list[str], values: list[cst.BaseExpression], conversion: str
) -> cst.BaseExpression | None:
    if any('"' in part or "\\" in part or "\n" in part for part in parts):
        return None
    pieces = []
    for part, value in zip(parts, [*values, None], strict=True):
        pieces.append(part.replace("{", "{{").replace("}", "}}"))
        if value is not None:
            text = code(value)
            if any(c in text for c in "\"'\\\n{}:!=") or isinstance(
                value, (cst.Lambda, cst.StarredElement)
            ):
                return None
            pieces.append("{" + text + conversion + "}")
    return cst.parse_expression('f"' + "".join(pieces) + '"')


RULES = (
    Rule(
        "split-end",
        "Split off one piece only",
        "With a limit, split stops after the piece that is wanted.",
        split_end,
    ),
    Rule(
        "strip-loop",
        "Strip in one call",
        "Cutting off one character at a time copies the string each time.",
        strip_loop,
    ),
    Rule(
        "affix-chain",
        "Test all prefixes in one call",
        "startswith and endswith take a tuple.",
        affix_chain,
        small=True,
    ),
    Rule(
        "regex-constant",
        "Compile the regular expression once",
        "The functions of re look the pattern up in a cache on every call.",
        regex_constant,
    ),
    Rule(
        "regex-literal",
        "Search for the text itself",
        "A pattern without special characters is a plain substring.",
        regex_literal,
    ),
    Rule(
        "join-list",
        "Give join what it can measure",
        "join needs a sequence: it copies a generator into a list first.",
        join_list,
        small=True,
    ),
    Rule(
        "percent-format",
        "Format with an f-string",
        "An f-string is compiled; a format is parsed on every call.",
        percent_format,
        small=True,
    ),
)
