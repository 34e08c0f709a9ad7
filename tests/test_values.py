"""What expressions are, as the worker tells it: what is certain is closed, everything else is open."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from assist.analysis.document_facts import FactsSource
from assist.analysis.facts import OPEN
from tests.support.facts import facts_at, members, shapes_source


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FactsSource]:
    yield from shapes_source(tmp_path_factory)


@pytest.mark.parametrize(
    ("before", "expression", "expected"),
    [
        ("", "shapes.Circle(1)", {"x", "y", "moved", "radius", "center", "maybe", "area", "both"}),
        ("c = shapes.Circle(1)", "c.center", {"x", "y", "moved"}),
        ("c = shapes.Circle(1)", "c.moved(1)", {"x", "y", "moved", "radius", "center", "maybe",
                                                 "area", "both"}),
        ("c = shapes.make('round', {})", "c.center", {"x", "y", "moved"}),
        ("c = [shapes.Point(1)]", "[_ for _ in c][0]", {"x", "y", "moved"}),
        ("", "shapes.points()[0]", {"x", "y", "moved"}),
        ("c = shapes.by_name()", "c['a']", {"x", "y", "moved"}),
        ("", "shapes.pair()[0]", {"x", "y", "moved"}),
    ],
)  # fmt: skip
def test_members_of_what_is_certain(
    source: FactsSource, before: str, expression: str, expected: set[str]
) -> None:
    assert members(source, before, expression) == expected


@pytest.mark.parametrize(
    ("before", "expression"),
    [
        ("", "missing"),
        ("", "shapes.Loose()"),
        ("", "shapes.Unknown()"),
        ("", "shapes.Boxed()"),
        ("", "shapes.NeedsMore()"),
        ("", "shapes.guess(1)"),
        ("", "shapes.either(1)"),
        ("", "shapes.Circle(1).maybe"),
        ("", "shapes.Circle(1).radius"),
        ("def f(a, b=1, *c):\n    pass\nx = f", "x"),
        ("if missing:\n    x = 'a'\nelse:\n    x = missing()", "x"),
        ("x = None", "x"),
        ("x = missing()\nx['a'] = 1", "x"),
        ("x = {}\nif missing:\n    x = missing()\nx['a'] = 1", "x"),
        ("x = {}\nx['a'] = shapes.Point(1)", "x.get('a', '')"),
        ("x = [1]", "x[0]"),
        ("", "shapes.mixed()[0]"),
        ("", "shapes.loose()['a']"),
        ("", "shapes.loose().get('a', '')"),
        ("", "shapes.half()[0]"),
        ("x = shapes.half()", "[_ for _ in x][0]"),
        ("x = shapes.half()\nfor y in x: pass", "y"),
        ("x: shapes.Point = missing()\nx = missing()", "x"),
        ("", "1 +"),
        ("", "await x"),
        ("from typing import Callable\nx: Callable[[], int]", "x"),
    ],
)
def test_what_is_not_certain_stays_open(source: FactsSource, before: str, expression: str) -> None:
    assert members(source, before, expression) is None


@pytest.mark.parametrize(
    ("expression", "name"),
    [
        ("shapes.Slotted()", "second"),
        ("shapes.Built()", "late"),
        ("shapes.Runner()", "_target"),
    ],
)
def test_attributes_that_no_method_assigns_to_self(
    source: FactsSource, expression: str, name: str
) -> None:
    found = facts_at(source, "import shapes\n$0").value(expression).members
    assert found is not None and name in found and "other" not in found


def test_what_super_calls_is_open_where_it_is_of_a_sibling(source: FactsSource) -> None:
    marked = """
        import shapes
        class A{}:
            def __init__(self, size):
                $0
    """
    alone = facts_at(source, marked.format("")).value("super().__init__")
    assert alone.signatures is None
    inherits = facts_at(source, marked.format("(shapes.Circle)")).value("super().__init__")
    assert [p.name for p in (inherits.signatures or ())[0].parameters] == ["radius"]


@pytest.mark.parametrize("times", [1, 9])
def test_what_an_item_is_assigned_to_stays_what_it_is(source: FactsSource, times: int) -> None:
    before = "x = {}\n" + "x['a'] = missing()\n" * times
    assert {"items", "get"} <= (members(source, before, "x") or set())


def test_what_a_container_holds_need_not_be_known(source: FactsSource) -> None:
    found = facts_at(source, "import shapes\n$0")
    assert {"items", "get"} <= (found.value("shapes.loose()").members or set())
    assert {"append"} <= (found.value("shapes.half()").members or set())


@pytest.mark.parametrize(
    ("code", "opens"),
    [
        ("pass", False),
        ("assert isinstance(p, missing.Circle)", True),
        ("assert isinstance(p, (shapes.Circle, missing.Circle))", True),
        ("assert type(p) is shapes.Circle", True),
        ("assert hasattr(p, 'radius')", True),
        ("match p: ...", True),
        ("assert isinstance(p.x, int)", False),
        ("assert type(p.x) is int", False),
    ],
)
def test_a_question_about_the_type_opens_it(source: FactsSource, code: str, opens: bool) -> None:
    marked = f"import shapes\ndef f(p: shapes.Point):\n    {code}\n    $0"
    assert (facts_at(source, marked).value("p") == OPEN) is opens


@pytest.mark.parametrize("classes", ["Color", "(Color, shapes.Size)", "Color | shapes.Size"])
def test_what_isinstance_asks_for_is_possible_too(source: FactsSource, classes: str) -> None:
    marked = f"""
        import shapes
        from shapes import Color
        def f(p: shapes.Point, q):
            if isinstance(p, {classes}) or isinstance(q, Color):
                return
            $0
    """
    found = facts_at(source, marked)
    assert {"moved", "name"} <= (found.value("p").members or set())
    assert found.value("q") == OPEN


@pytest.mark.parametrize(
    ("code", "has_point", "has_color"),
    [
        ("if isinstance(p, Point):\n        pass\n    else:\n        $0", False, True),
        ("if isinstance(p, (Point, int)):\n        pass\n    elif q:\n        $0", False, True),
        ("if isinstance(p, Point):\n        $0\n    else:\n        pass", True, True),
        ("if isinstance(p, Circle):\n        pass\n    else:\n        $0", True, True),
        ("if q or isinstance(p, Point):\n        pass\n    else:\n        $0", True, True),
        (
            "if isinstance(p, Point):\n        pass\n    else:\n        p = q\n        $0",
            False,
            False,
        ),
    ],
)
def test_what_isinstance_denies_is_not_possible(
    source: FactsSource, code: str, has_point: bool, has_color: bool
) -> None:
    marked = f"from shapes import *\ndef f(p: Point | Color, q):\n    {code}\n"
    found = facts_at(source, marked).value("p").members or ()
    assert ("moved" in found, "name" in found) == (has_point, has_color)


def test_attributes_that_self_is_asked_for_are_possible_too(source: FactsSource) -> None:
    marked = """
        class A:
            def f(self):
                if hasattr(self, {}):
                    $0
    """
    names = facts_at(source, marked.format("'later'")).value("self").members or set()
    assert "later" in names and "f" in names and "other" not in names
    assert facts_at(source, marked.format("later")).value("self") == OPEN


def test_code_for_another_version_or_platform_opens_what_it_uses(source: FactsSource) -> None:
    before = "import sys\nif {}:\n    $0"
    assert facts_at(source, before.format("sys.argv")).value("sys").members is not None
    for test in ("sys.version_info >= (3, 99)", "os.name == 'nt'", "x and sys.version_info < (4,)"):
        assert facts_at(source, before.format(test)).value("sys") == OPEN


@pytest.mark.parametrize(
    ("code", "opens"),
    [
        ("if sys.version_info >= (3, 8):\n    $0\nelif os.name == 'nt':\n    pass", False),
        ("if sys.version_info[:2] < (4, 0):\n    $0", False),
        ("if sys.version_info < (3,):\n    $0", True),
        ("if sys.version_info < (3, 8):\n    pass\nelse:\n    $0", False),
        ("if sys.version_info >= (3, 8): pass\nelse:\n    $0", True),
        ("if sys.version_info < (3, 8): pass\nelif sys.argv:\n    $0", False),
        ("if sys.version_info < (3, 8): pass\nelif os.name == 'nt':\n    $0", True),
        ("if os.name == 'nt':\n    if sys.version_info >= (3, 8):\n        $0", True),
    ],
)
def test_code_for_the_version_at_hand_is_as_certain_as_any(
    source: FactsSource, code: str, opens: bool
) -> None:
    value = facts_at(source, f"import sys, os\n{code}").value("sys")
    assert (value == OPEN) == opens


def test_parameters_are_what_their_annotation_says(source: FactsSource) -> None:
    found = facts_at(
        source,
        """
        from __future__ import annotations
        from typing import Literal, Optional
        import shapes
        def f(a: shapes.Point, b: Optional["shapes.Point"], c: Literal["x", "y"], d: shapes.Size,
              e, g=1, *h: int, **i: int):
            $0
        """,
    )
    assert "moved" in (found.value("a").members or ())
    assert "moved" in (found.value("b").members or ())
    assert found.value("c").strings == {"x", "y"}
    assert found.value("d").keys == {"width", "height"}
    assert found.value("e") == OPEN and found.value("g") == OPEN


def test_signatures(source: FactsSource) -> None:
    found = facts_at(source, "import shapes\n$0")
    (both,) = found.value("shapes.Circle(1).both").signatures or ()
    assert [(p.name, p.kind, p.has_default) for p in both.parameters] == [
        ("a", "either", False),
        ("b", "either", True),
        ("args", "arguments", False),
        ("c", "keyword", False),
        ("more", "keywords", False),
    ]
    (moved,) = found.value("shapes.Circle(1).moved").signatures or ()
    assert [(p.name, p.kind) for p in moved.parameters] == [
        ("by", "positional"),
        ("times", "keyword"),
    ]
    (make,) = found.value("shapes.make").signatures or ()
    assert make.parameters[0].literals == {"round", "flat"}
    assert found.value("shapes.Circle(1).center").signatures == ()
    assert found.value("shapes").signatures == ()


@pytest.mark.parametrize(
    ("callee", "names"),
    [
        ("shapes.Maker.named", [["name", "size"]]),
        ("shapes.Maker().named", [["name", "size"]]),
        ("shapes.Maker.plain", [["name", "size"]]),
        ("datetime.datetime.now", [["tz"]]),
        ("shapes.Maker().hidden", None),
        ("('{a}' '{b}').format", None),
        ("datetime.timedelta", [["days", "seconds", "microseconds", "milliseconds", "minutes",
                                 "hours", "weeks"]]),
        ("shapes.Made", [["kind"]]),
        ("shapes.Versioned", [["kind"]]),
        ("shapes.Color", None),
        ("shapes.Takes", [[]]),
        ("shapes.Boxed", None),
        ("described.Field", None),
    ],
)  # fmt: skip
def test_parameters_of_what_is_called_through_a_class(
    source: FactsSource, callee: str, names: list[list[str]] | None
) -> None:
    signatures = facts_at(source, "import shapes, datetime, described\n$0").value(callee).signatures
    found = signatures and [[p.name for p in signature.parameters] for signature in signatures]
    assert found == names
