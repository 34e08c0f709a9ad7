from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from assist.cache.completions import CompletionCache

URI = "file:///a.py"
LINES = "".join(f"line {number}\n" for number in range(40))


def check(put: str, answer: str, get: str, found: list[str]) -> None:
    """``$0`` is the cursor, in the document that was answered and in the one that is asked for."""
    cache: CompletionCache[int] = CompletionCache()
    cache.put(URI, *put.split("$0"), answer, 1)
    assert [hit.text for hit in cache.get(URI, *get.split("$0"))] == found


def test_an_answer_is_found_where_it_was_given() -> None:
    check("x = $0\ny", "foo(1)", "x = $0\ny", ["foo(1)"])
    check(LINES + "x = $0", "foo(1)", LINES + "x = $0", ["foo(1)"])


def test_an_answer_is_typed_through() -> None:
    check("x = $0\ny", "foo(1)", "x = fo$0\ny", ["o(1)"])
    check("x = $0\ny", "foo(1)", "x = foo(1)$0\ny", [])
    check("x = $0\ny", "foo(1)", "x = fa$0\ny", [])
    check(LINES + "$0", "a\nb\nc = d", LINES + "a\nb\nc$0", [" = d"])


def test_other_text_around_is_another_place() -> None:
    check("x = $0\ny", "foo(1)", "x = $0\nz", [])
    check("z = 1\nx = $0", "foo(1)", "z = 2\nx = $0", [])
    check("x = $0", "foo(1)", "x $0", [])
    check("z = 1\n" + LINES + "x = $0", "foo(1)", "z = 2\n" + LINES + "x = $0", ["foo(1)"])


def test_the_newest_answer_comes_first() -> None:
    cache: CompletionCache[int] = CompletionCache()
    for value, answer in enumerate(["foo", "bar", "foo(1)", "foo"]):
        cache.put(URI, "x = ", "", answer, value)
    hits = cache.get(URI, "x = ", "")
    assert [(hit.text, hit.value) for hit in hits] == [("foo", 3), ("foo(1)", 2), ("bar", 1)]
    assert [hit.text for hit in cache.get(URI, "x = f", "")] == ["oo", "oo(1)"]


def test_the_least_recently_used_answers_go() -> None:
    cache: CompletionCache[int] = CompletionCache(entries_max=2)
    cache.put(URI, "a", "", "1", 1)
    cache.put(URI, "b", "", "2", 2)
    assert cache.get(URI, "a", "")
    cache.put(URI, "c", "", "3", 3)
    assert len(cache) == 2
    assert cache.get(URI, "a", "") and not cache.get(URI, "b", "")


def test_huge_lines_are_not_kept() -> None:
    check("x" * 10_000 + "$0", "y", "x" * 10_000 + "$0", [])


TEXTS = st.text(alphabet="ab\n", max_size=6)


@settings(deadline=None)
@given(st.lists(st.tuples(TEXTS, TEXTS), max_size=20), TEXTS, st.integers(1, 6))
def test_the_trie_finds_what_a_list_would(
    puts: list[tuple[str, str]], asked: str, entries_max: int
) -> None:
    cache: CompletionCache[int] = CompletionCache(entries_max)
    kept: dict[str, tuple[str, str]] = {}
    for prefix, answer in puts:
        cache.put(URI, prefix, "", answer, 0)
        if answer:
            kept.pop(prefix + answer, None)
            kept[prefix + answer] = (prefix, answer)
            while len(kept) > entries_max:
                del kept[next(iter(kept))]
    expected = {
        path[len(asked) :]
        for path, (prefix, _) in kept.items()
        if path.startswith(asked) and len(prefix) <= len(asked) < len(path)
    }
    assert {hit.text for hit in cache.get(URI, asked, "")} == expected
