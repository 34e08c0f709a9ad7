from __future__ import annotations

import ast
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assist.analysis import syntax
from assist.analysis.document import Document, Edit, Span
from assist.analysis.languages import LANGUAGES, Kind
from assist.analysis.syntax import Extent, Region

CURSOR = "$0"

GOOD = {
    "python": "def f(a):\n    return [a, (1)]\n",
    "javascript": "function f(a) { return [a, `x${1}`]; }\n",
    "typescript": "function f(a: number): string { return `x${a}`; }\n",
    "typescriptreact": "const f = (a: number) => <b>{a}</b>;\n",
    "go": 'package main\nfunc f(a int) string { return "x" }\n',
    "rust": "fn f(a: i32) -> i32 { a + 1 }\n",
    "java": "class A { int f(int a) { return a; } }\n",
    "c": "int f(int a) { return a; }\n",
    "cpp": "namespace n { int f(int a) { return a; } }\n",
}
BAD = {
    "python": "def f(a):\n        return 1\n    return 2\n",
    "javascript": "function f(a { return }\n",
    "typescript": "function f(a: ): string { return }\n",
    "typescriptreact": "const f = (a: number) => <b>{a</b>;\n",
    "go": "package main\nfunc f(a int { }\n",
    "rust": "fn f(a: i32 -> i32 { a + }\n",
    "java": "class A { int f(int a { return a; } }\n",
    "c": "int f(int a { return a; }\n",
    "cpp": "namespace n { int f(int a) { return a; }\n",
}


def check(marked: str, language: str = "python") -> tuple[syntax.Syntax, int]:
    """Parse a snippet; the cursor is at ``$0``."""
    marked = textwrap.dedent(marked)
    offset = marked.find(CURSOR)
    text = marked.replace(CURSOR, "")
    return syntax.parse(Document("file:///x", text, language=language)), max(offset, 0)


def names(marked: str, language: str = "python") -> list[str]:
    tree, offset = check(marked, language)
    return [f"{block.kind.value} {block.name}".strip() for block in syntax.enclosing(tree, offset)]


@pytest.mark.parametrize("language", GOOD)
def test_good_code_is_parsable_and_broken_code_is_not(language: str) -> None:
    assert syntax.is_parsable(GOOD[language], language)
    assert not syntax.is_parsable(BAD[language], language)
    assert syntax.error_count(check(GOOD[language], language)[0]) == 0


def test_every_language_of_the_table_has_an_example() -> None:
    assert {LANGUAGES[name].name for name in GOOD} == {
        language.name for language in LANGUAGES.values()
    }


def test_a_language_without_grammar_answers_neutrally() -> None:
    tree, _ = check("((((", "plaintext")
    assert syntax.error_count(tree) == 0
    assert syntax.is_parsable("((((", "plaintext")
    assert syntax.enclosing(tree, 2) == ()
    assert syntax.region_at(tree, 2) is Region.CODE


@pytest.mark.parametrize("text", ["\x00", "-" * 200_000 + "1", "(" * 5_000, "\ud800 = 1", "x = '"])
def test_hostile_text_is_only_not_parsable(text: str) -> None:
    assert not syntax.is_parsable(text, "python")
    syntax.error_count(syntax.parse(Document("", text)))


def test_a_huge_file_has_no_tree() -> None:
    assert check("x" * (syntax.SOURCE_CODE_POINTS_MAX + 1))[0].tree is None


def test_offsets_are_code_points() -> None:
    text = 'é = "😀"\nclass Å:\n    def ß(self):\n        x\n'
    tree = syntax.parse(Document("", text))
    assert syntax.error_count(tree) == 0
    blocks = syntax.enclosing(tree, text.index("x"))
    assert [block.name for block in blocks] == ["", "Å", "ß"]
    assert text[blocks[2].span.start :].startswith("def ß")


def test_enclosing_blocks() -> None:
    assert names(
        """
        class A:
            def f(self):
                if x:
                    $0y
        """
    ) == ["module", "class A", "function f", "block"]


def test_a_header_is_not_inside_its_block() -> None:
    assert names("if a$0:\n    b\n") == ["module"]
    assert names("if a:\n    $0\n") == ["module", "block"]
    assert names("try:\n    a\nexcept E:\n    b$0\n") == ["module", "block"]


def test_enclosing_follows_the_cursor_column_on_a_blank_line() -> None:
    assert names("class A:\n    def f(self):\n        pass\n        $0\n") == [
        "module",
        "class A",
        "function f",
    ]
    assert names("class A:\n    def f(self):\n        pass\n\n    $0\n") == ["module", "class A"]
    assert names("class A:\n    def f(self):\n        pass\n\n$0\n") == ["module"]
    assert names("def f(a):\n    $0") == ["module", "function f"]
    assert names("") == ["module"]


def test_enclosing_in_languages_with_braces() -> None:
    assert names("class A { int f(int a) { $0 } }", "java") == ["module", "class A", "function f"]
    assert names("int *f(int a) { if (a) { $0 } }", "c") == ["module", "function f", "block"]
    assert names("int f(int a) { }\n$0", "c") == ["module"]


@pytest.mark.parametrize(
    ("marked", "region", "language"),
    [
        ("x = 'a$0b'", Region.STRING, "python"),
        ("x = $0'ab'", Region.CODE, "python"),
        ("x = 'ab'$0", Region.CODE, "python"),
        ("x = f'a{b$0}c'", Region.CODE, "python"),
        ("x = f'a{b}c$0'", Region.STRING, "python"),
        ('"""a\nb$0\n"""', Region.STRING, "python"),
        ("x = 1  # a$0", Region.COMMENT, "python"),
        ("x = 1  # a\n$0", Region.CODE, "python"),
        ("let a = `x${b$0}`", Region.CODE, "javascript"),
        ("let a = `x$0${b}`", Region.STRING, "javascript"),
        ("/* a $0 */ int x;", Region.COMMENT, "c"),
        ("/* a */$0 int x;", Region.CODE, "c"),
        ("// a$0", Region.COMMENT, "rust"),
    ],
)
def test_region(marked: str, region: Region, language: str) -> None:
    assert syntax.region_at(*check(marked, language)) is region


@pytest.mark.parametrize(
    ("marked", "extent"),
    [
        ("def f():\n    $0\n", Extent.BLOCK),
        ("def f():$0\n", Extent.BLOCK),
        ("def f(\n    a,\n):\n    $0\n", Extent.BLOCK),
        ("def f():\n    $0\n    return 1\n", Extent.LINE),
        ('def f():\n    """Doc."""\n    $0\n', Extent.BLOCK),
        ('def f():\n    """Doc.\n\n    More.\n    """\n    $0\n\ndef g(): pass', Extent.BLOCK),
        ('def f():\n    """Doc."""\n    $0\n    return 1\n', Extent.LINE),
        ("def f():\n    x = $0\n", Extent.LINE),
        ("def f():\n    x = 1\n    $0\n", Extent.LINE),
        ("x = 1\n# sum of both\n$0\n", Extent.BLOCK),
        ("if $0:\n    pass", Extent.LINE),
        ("x = {'a':$0\n", Extent.LINE),
        ("$0", Extent.LINE),
    ],
)
def test_extent(marked: str, extent: Extent) -> None:
    tree, offset = check(marked)
    assert syntax.extent_at(tree.document, offset) is extent


def test_extent_with_braces() -> None:
    tree, offset = check("int f() {\n  $0\n}\n", "c")
    assert syntax.extent_at(tree.document, offset) is Extent.BLOCK
    tree, offset = check("int f() {\n  $0\n  return 1;\n}\n", "c")
    assert syntax.extent_at(tree.document, offset) is Extent.LINE


@pytest.mark.parametrize(
    ("marked", "indent"),
    [
        ("def f():\n$0", "    "),
        ("class A:\n  def f(self):\n$0", "    "),
        ("def f():\n    x = 1\n$0", "    "),
        ("def f():\n    return 1\n$0", ""),
        ("if x:\n\tif y:\n$0", "\t\t"),
        ("$0", ""),
    ],
)
def test_indentation(marked: str, indent: str) -> None:
    tree, offset = check(marked)
    assert syntax.indentation_at(tree.document, offset) == indent


def test_parts_come_outer_first() -> None:
    tree, _ = check("def f(a):\n    return g(a, 'x')  # c\n")
    found = [part.kind for part in syntax.parts(tree)]
    assert found[:2] == [Kind.MODULE, Kind.FUNCTION]
    assert {Kind.PARAMETERS, Kind.STATEMENT, Kind.ARGUMENTS, Kind.STRING, Kind.COMMENT} < set(found)


LINES = st.sampled_from(
    ["def f(a):\n", "    return 'é'\n", "x = (1,\n", ")\n", '"""\n', "class Å:\n", "\n", "  😀\n"]
)


@given(st.lists(LINES, max_size=8), st.data())
def test_reparse_equals_parse(lines: list[str], data: st.DataObject) -> None:
    document = Document("", "".join(lines))
    tree = syntax.parse(document)
    for _ in range(3):
        start = data.draw(st.integers(0, len(document.text)))
        end = data.draw(st.integers(start, len(document.text)))
        edit = Edit(Span(start, end), data.draw(LINES))
        document = document.apply([edit])
        tree = syntax.reparse(tree, document, [edit])
    fresh = syntax.parse(document)
    assert tree.tree is not None and fresh.tree is not None
    assert (syntax.error_count(tree) == 0) == (syntax.error_count(fresh) == 0)
    if syntax.error_count(fresh) == 0:  # how tree-sitter recovers depends on the way there
        assert list(syntax.parts(tree)) == list(syntax.parts(fresh))


@given(st.text(max_size=60), st.integers(-2, 70), st.sampled_from(sorted(GOOD)))
def test_no_text_raises(text: str, offset: int, language: str) -> None:
    document = Document("", text, language=language)
    tree = syntax.parse(document)
    syntax.enclosing(tree, offset)
    syntax.region_at(tree, offset)
    syntax.extent_at(document, min(max(offset, 0), len(text)))
    syntax.indentation_at(document, offset)
    assert syntax.error_count(tree) >= 0


def test_tree_sitter_and_cpython_agree_on_this_file() -> None:
    source = open(__file__, encoding="utf-8").read()  # noqa: SIM115, PTH123
    ast.parse(source)
    assert syntax.error_count(syntax.parse(Document("", source))) == 0
