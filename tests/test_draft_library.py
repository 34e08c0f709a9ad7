"""What drafts are made of besides the prompt, and that making it costs no answer anything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from assist.analysis.document import Document
from assist.analysis.workspace_index import Workspaces
from assist.completion.draft_library import DraftLibrary
from assist.completion.drafter import TokenIndex
from assist.completion.engine import CompletionOptions, complete
from assist.completion.session import EngineSession
from assist.models.kv_session import KvSession
from assist.models.scripted import ScriptedModel
from assist.models.template import PREFIX_ONLY

URI = "file:///a.py"
NEEDLE = "needle(haystack)"


class Tokenizer:
    """One token for each code point; remembers what it was given."""

    def __init__(self) -> None:
        self.given: list[str] = []

    def __call__(self, text: str) -> list[int]:
        self.given.append(text)
        return list(map(ord, text))


def never() -> bool:
    return False


def texts(library: DraftLibrary, uri: str, language: str = "python") -> dict[str, str]:
    """What each source holds; a gap is shown as a bar."""
    return {
        name: "".join(chr(token) if token >= 0 else "|" for token in index.tokens.tolist())
        for name, index in library.sources(language, uri)
    }


def check(
    root: Path, files: Mapping[str, str], opened: Mapping[str, str], name: str, *expected: str
) -> None:
    """The source ``name`` has ``expected``, in this order, where the first of ``opened`` is in use."""
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    documents = [Document((root / path).as_uri(), text) for path, text in opened.items()]
    workspaces = Workspaces([root])
    workspaces.learn(documents, never)
    workspaces.explore(never)
    library = DraftLibrary(Tokenizer())
    assert library.refresh(documents, ["unseen"], workspaces.of(documents[0].uri), never)
    assert texts(library, documents[0].uri)[name].split("|")[:-1] == list(expected)


def test_recent_files_are_a_source(tmp_path: Path) -> None:
    check(tmp_path, {}, {"a.py": "a = 1\n", "b.py": "b = 2\n"}, "recent", "unseen", "b = 2\n")


def test_files_of_the_workspace_are_a_source(tmp_path: Path) -> None:
    files = {"far.py": "far", "pkg/near.py": "near", "far/helper.py": "help", ".env": "KEY"}
    opened = {"pkg/main.py": "import far.helper\n", "far.py": "changed"}
    check(tmp_path, files, opened, "workspace", "help", "near")


def test_accepted_texts_are_a_source_from_new_to_old(tmp_path: Path) -> None:
    library = DraftLibrary(Tokenizer())
    library.accept("python", "x = ", "first(1)")
    library.accept("rust", "let x = ", "other(1)")
    library.accept("python", "y = ", "second(2)")
    library.refresh([Document(URI, "a")], [], None, never)
    assert texts(library, "file:///other.py")["accepted"] == "y = second(2)|x = first(1)|"
    assert not library.sources("rust", URI)


def test_nothing_is_tokenised_twice() -> None:
    tokenizer = Tokenizer()
    library = DraftLibrary(tokenizer)
    parts = [f"def f{number}():\n    {'x' * 2_100}\n\n" for number in range(9)]
    document = Document("file:///a.py", "".join(parts))
    first = Document(URI, "x")
    library.refresh([first, document], [], None, never)
    assert "".join(tokenizer.given) == document.text
    before = library.sources("python", URI)
    tokenizer.given.clear()
    library.refresh([first, document], [], None, never)
    assert not tokenizer.given
    assert [index for _, index in before] == [index for _, index in library.sources("python", URI)]
    parts[4] = parts[4].replace("x", "yy", 3)
    library.refresh([first, Document("file:///b.py", "".join(parts))], [], None, never)
    assert tokenizer.given == [parts[4]]


def test_a_refresh_stops_and_goes_on_where_it_was() -> None:
    tokenizer = Tokenizer()
    library = DraftLibrary(tokenizer)
    text = "".join(f"def f{number}():\n    {'x' * 2_100}\n\n" for number in range(9))
    rounds = 0
    while True:
        calls = len(tokenizer.given)
        if library.refresh(
            [Document(URI, "x")], [text], None, lambda calls=calls: len(tokenizer.given) > calls
        ):
            break
        rounds += 1
    assert rounds == 8 and "".join(tokenizer.given) == text


def test_sources_are_bounded() -> None:
    library = DraftLibrary(Tokenizer())
    documents = [Document(f"file:///{n}.py", f"{n} = 1\n\n" * 20_000) for n in range(3)]
    library.refresh(documents, [], None, never)
    assert 0 < len(texts(library, documents[0].uri)["recent"]) <= 40_010


def test_another_language_starts_anew() -> None:
    library = DraftLibrary(Tokenizer())
    library.refresh([Document(URI, "a")], ["a"], None, never)
    assert texts(library, URI)["recent"] == "a|"
    rust = Document("file:///a.rs", "b", language="rust")
    library.refresh([rust], ["b"], None, never)
    assert not library.sources("python", URI) and texts(library, rust.uri, "rust")["recent"] == "b|"


def test_a_document_is_no_source_of_its_own_drafts() -> None:
    """A copy of what stands before the cursor would always match, and draft what stands behind it."""
    library = DraftLibrary(Tokenizer())
    first, second = Document(URI, "first"), Document("file:///b.py", "second")
    library.refresh([first, second], [], None, never)
    assert texts(library, first.uri)["recent"] == "second|"
    assert not library.sources("python", second.uri)[1:]
    library.refresh([second, first], [], None, never)
    assert texts(library, second.uri)["recent"] == "first|"


class CountingModel(ScriptedModel):
    """A scripted model that counts the texts it tokenises."""

    tokenised = 0

    def tokenize(self, text: str) -> list[int]:
        self.tokenised += 1
        return super().tokenize(text)


def drafted(texts: Iterator[str] | list[str], answer: str, source: str) -> list[tuple[object, ...]]:
    """Candidates and counts of an answer without and with drafts from ``texts``."""
    found: list[tuple[object, ...]] = []
    for speculate in (False, True):
        model = CountingModel({"x = ": answer})
        session = EngineSession(KvSession(model), PREFIX_ONLY)
        for text in texts:
            session.library.accept("python", "x = ", text)
        document = Document("file:///a.py", source)
        session.open_document(document)
        session.refresh_drafts(never)
        for size in range(1, 17):
            session.drafts.record_cost(size, 1.0)
            session.drafts.equal_rows[size] = 99
        model.tokenised = 0
        position = document.position_at(len(source))
        completion = complete(session, document, position, CompletionOptions(speculate=speculate))
        names = {name for name, _ in session.drafts.right}
        found.append((completion.candidates, model.tokenised, completion.tokens["accepted"], names))
    return found


def test_an_answer_that_was_accepted_before_is_drafted() -> None:
    plain, with_drafts = drafted([NEEDLE], NEEDLE + "\n", "x = ")
    assert with_drafts[0] == plain[0] and with_drafts[1] == plain[1]
    assert with_drafts[2] and with_drafts[3] == {"accepted"}


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.text(alphabet="ab(=\n ", max_size=20), max_size=3),
    st.text(alphabet="ab(= \n", max_size=30),
)
def test_drafts_of_any_source_never_change_a_text(others: list[str], answer: str) -> None:
    plain, with_drafts = drafted([*others, answer[:12]], answer, "x = ")
    assert with_drafts[0] == plain[0]


def test_a_gap_ends_a_draft() -> None:
    library = DraftLibrary(Tokenizer())
    library.accept("python", "x = ", "one")
    library.accept("python", "x = ", "two")
    library.refresh([Document(URI, "")], [], None, never)
    index: TokenIndex = dict(library.sources("python", URI))["accepted"]
    assert index.longest_match(list(map(ord, "x = two")))[0] == 0
