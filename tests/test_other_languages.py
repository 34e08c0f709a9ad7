"""What is shown in languages that only tree-sitter knows: brackets and quotes fit, and a file that parses still does."""

from __future__ import annotations

import pytest

from assist.analysis.document import Document
from assist.analysis.languages import LANGUAGES
from assist.analysis.syntax import is_parsable
from assist.completion.engine import EngineSession, complete
from assist.models.kv_session import KvSession
from assist.models.scripted import ScriptedModel
from assist.models.template import PREFIX_ONLY

# A file of each language whose function has an empty line in its body, and a statement for it.
FILES = {
    "javascript": ("function f(a) {\n  $0\n  return a;\n}\n", "let b = g(a);"),
    "javascriptreact": ("function f(a) {\n  $0\n  return <p>{a}</p>;\n}\n", "let b = g(a);"),
    "typescript": ("function f(a: number): number {\n  $0\n  return a;\n}\n", "let b = g(a);"),
    "typescriptreact": (
        "function f(a: number) {\n  $0\n  return <p>{a}</p>;\n}\n",
        "let b = g(a);",
    ),
    "go": ("package p\n\nfunc f(a int) int {\n\t$0\n\treturn a\n}\n", "b := g(a)"),
    "rust": ("fn f(a: i32) -> i32 {\n    $0\n    a\n}\n", "let b = g(a);"),
    "java": ("class C {\n    int f(int a) {\n        $0\n        return a;\n    }\n}\n", "g(a);"),
    "c": ("int f(int a) {\n    $0\n    return a;\n}\n", "int b = g(a);"),
    "cpp": ("int f(int a) {\n    $0\n    return a;\n}\n", "auto b = g(a);"),
}


def check(language: str, before: str, answer: str, after: str) -> None:
    """``before`` holds ``$0`` for the cursor; ``after`` is the file with what is shown of ``answer``."""
    offset = before.index("$0")
    text = before.replace("$0", "")
    document = Document(f"file:///a.{language}", text, language=language)
    key = text[:offset].rpartition("\n")[2] or text[:offset]
    session = EngineSession(
        KvSession(ScriptedModel({key: [answer]}, pieces=("        ",))), PREFIX_ONLY
    )
    completion = complete(session, document, document.position_at(offset))
    shown = completion.candidates[0].text if completion.candidates else ""
    assert text[:offset] + shown + text[offset:] == after
    assert is_parsable(after, language) or not is_parsable(text, language)


def test_every_language_with_a_grammar_is_here() -> None:
    assert set(FILES) == set(LANGUAGES) - {"python"}


@pytest.mark.parametrize("language", FILES)
def test_what_fits_is_shown(language: str) -> None:
    before, statement = FILES[language]
    check(language, before, f"{statement}\n", before.replace("$0", statement))


@pytest.mark.parametrize("language", FILES)
def test_a_closer_that_closes_nothing_is_cut(language: str) -> None:
    before, statement = FILES[language]
    check(language, before, f"{statement})\n", before.replace("$0", statement))


@pytest.mark.parametrize("answer", ['g("a;\n', "g(a;\n", "g(a];\n", "if (a {\n"])
@pytest.mark.parametrize("language", FILES)
def test_what_breaks_the_file_is_not_shown(language: str, answer: str) -> None:
    before, _ = FILES[language]
    check(language, before, answer, before.replace("$0", ""))


@pytest.mark.parametrize("language", FILES)
def test_closers_below_are_not_written_again(language: str) -> None:
    before, statement = FILES[language]
    check(language, before, f"{statement}\n}}\n}}\n", before.replace("$0", statement))
