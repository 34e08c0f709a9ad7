from __future__ import annotations

from collections.abc import Iterator

import pytest

from assist.analysis.document import Document
from assist.analysis.document_facts import FactsSource
from assist.analysis.facts import OPEN
from assist.analysis.monitors.session import session
from tests.support.facts import PATIENCE_SECONDS, facts_at, shapes_source


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FactsSource]:
    yield from shapes_source(tmp_path_factory)


def test_only_a_call_of_globals_makes_a_module_dynamic(source: FactsSource) -> None:
    found = facts_at(source, "$0")
    assert "f" in (found.module("named").members or ())
    assert found.module("filled").members is None


def test_modules(source: FactsSource) -> None:
    found = facts_at(source, "$0")
    package = found.module("package")
    assert package.members is not None and {"deep", "__version__", "inner"} <= package.members
    assert package.submodules == {"inner"}
    inside = facts_at(source, "$0", "package")
    assert "_hidden" in (inside.module(".inner").members or ())
    assert found.module("nowhere") == OPEN
    assert (facts_at(source, "import os\n$0").value("os.path").members or set()) >= {"join"}


@pytest.mark.parametrize("name", ["sys", "math", "atexit"])
def test_extension_modules_of_the_standard_library_are_known(
    source: FactsSource, name: str
) -> None:
    found = facts_at(source, f"import {name}\n$0").value(name).members
    assert found is not None and set(dir(__import__(name))) <= found


def test_exceptions(source: FactsSource) -> None:
    found = facts_at(source, "import shapes\nclass E(ValueError): pass\n$0")
    assert found.value("E").exception is True
    assert found.value("shapes.Point").exception is False
    assert found.value("missing").exception is None


def test_names_follow_the_scopes(source: FactsSource) -> None:
    found = facts_at(
        source,
        """
        import os.path as p
        from shapes import *
        TOP = 1
        class A:
            attribute = 1
            def method(self, argument, *rest, key=1):
                local = [each for each in rest]
                def inner(deep): pass
                $0
                later = 1
        def other(hidden):
            global made
            made = 1
        def bottom(): pass
        """,
    )
    names = found.names()
    assert names is not None
    assert {"p", "Circle", "TOP", "A", "self", "argument", "rest", "key", "local", "inner"} <= names
    assert {"later", "other", "made", "bottom", "print", "__file__"} <= names
    assert not {"attribute", "hidden", "deep", "method", "os"} & names


def test_unknown_star_imports_and_dynamic_names_are_open(source: FactsSource) -> None:
    assert facts_at(source, "from missing import *\n$0").names() is None
    assert facts_at(source, "globals()['x'] = 1\n$0").names() is None


def test_typing_in_a_statement_keeps_the_facts(source: FactsSource) -> None:
    first = facts_at(source, "import shapes\nx = shapes$0\ny = 1")
    assert facts_at(source, "import shapes\nx = shapes.Point(1, $0)\ny = 1") is first
    assert facts_at(source, "import shapes\nx = 1\n$0\ny = 1") is not first


def test_no_time_means_open(source: FactsSource) -> None:
    found = facts_at(source, "import decimal\nz = 1\n$0")
    found.seconds_left = 0.0
    assert found.value("decimal.Decimal('1').sqrt()") == OPEN
    found.seconds_left = PATIENCE_SECONDS
    assert found.value("decimal.Decimal('1').sqrt()").members


def test_monitors_over_the_real_worker(source: FactsSource) -> None:
    text = "import shapes\ncircle = shapes.Circle(1)\nprint(circle.)\n"
    offset = text.index("circle.)") + len("circle.")
    document = Document(facts_at(source, "$0").placed.document.uri.replace("___", ""), text)
    state = session(document, offset, source.at(document, offset))
    assert state is not None
    assert state.advance("area(")[1].accepted
    verdict = state.advance("aria(")[1]
    assert not verdict.accepted and "area" in (verdict.legal or ())
