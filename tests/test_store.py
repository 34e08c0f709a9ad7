from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from assist.cache import store as store_module
from assist.cache.store import HEADER, INDEX_NAME, StateStore
from assist.models.kv_session import KvSession
from assist.models.scripted import ScriptedModel

Damage = Callable[[Path], None]


def check(store: StateStore, key: str, expected: bytes | None, settings: str = "model") -> None:
    assert store.get(key, settings) == expected


def only_file(store: StateStore) -> Path:
    (path,) = store.directory.glob("*.state")
    return path


def test_a_state_comes_back_under_its_settings_alone(tmp_path: Path) -> None:
    store = StateStore(tmp_path / "kv")
    check(store, "a", None)
    assert store.put("a", "model", b"state")
    check(store, "a", b"state")
    check(store, "a", None, settings="another model")
    check(StateStore(tmp_path / "kv"), "a", b"state")
    assert store.put("a", "model", b"newer")
    check(store, "a", b"newer")
    store.forget("a", "model")
    check(store, "a", None)


def test_files_are_private(tmp_path: Path) -> None:
    store = StateStore(tmp_path / "kv")
    store.put("file:///secret.py", "model", b"state")
    assert store.directory.stat().st_mode & 0o777 == 0o700
    for path in store.directory.iterdir():
        assert path.stat().st_mode & 0o777 == 0o600
        assert "secret" not in path.name


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:-1]),
        lambda path: path.write_bytes(path.read_bytes()[: HEADER.size - 3]),
        lambda path: path.write_bytes(path.read_bytes() + b"x"),
        lambda path: path.write_bytes(path.read_bytes()[:-1] + b"X"),
        lambda path: path.write_bytes(b"X" + path.read_bytes()[1:]),
        lambda path: path.write_bytes(os.urandom(1000)),
    ],
)
def test_a_damaged_file_is_ignored_counted_and_replaced(tmp_path: Path, damage: Damage) -> None:
    store = StateStore(tmp_path)
    store.put("a", "model", b"state")
    damage(only_file(store))
    check(store, "a", None)
    assert store.stats().damaged == 1 and store.stats().files == 0
    assert store.put("a", "model", b"state")
    check(store, "a", b"state")


def test_a_file_of_another_document_is_not_taken(tmp_path: Path) -> None:
    store = StateStore(tmp_path)
    store.put("a", "model", b"state")
    data = only_file(store).read_bytes()
    only_file(store).unlink()
    store.put("a", "other model", b"x")
    only_file(store).write_bytes(data)
    check(store, "a", None, settings="other model")


def test_the_least_recently_used_goes_first(tmp_path: Path) -> None:
    store = StateStore(tmp_path, bytes_max=3 * (HEADER.size + 100))
    for key in "abc":
        store.put(key, "model", key.encode() * 100)
    check(store, "a", b"a" * 100)
    store.put("d", "model", b"d" * 100)
    check(store, "b", None)
    check(store, "a", b"a" * 100)
    stats = store.stats()
    assert stats.files == 3 and stats.bytes <= store.bytes_max and stats.evicted == 1
    assert not store.put("e", "model", b"e" * 1000)
    assert store.stats().refused == 1


def test_a_damaged_index_is_made_anew(tmp_path: Path) -> None:
    store = StateStore(tmp_path)
    store.put("a", "model", b"state")
    (tmp_path / INDEX_NAME).write_bytes(b"not a database at all" * 100)
    check(store, "a", b"state")
    assert store.put("b", "model", b"state")
    assert store.stats().files == 2


def test_a_directory_that_is_missing_or_deleted_is_borne(tmp_path: Path) -> None:
    store = StateStore(tmp_path / "kv")
    assert store.stats().files == 0 and store.clear() == 0
    check(store, "a", None)
    store.put("a", "model", b"state")
    for path in store.directory.iterdir():
        path.unlink()
    store.directory.rmdir()
    check(store, "a", None)
    assert store.put("a", "model", b"state")
    check(store, "a", b"state")


def test_a_directory_that_cannot_be_written_is_borne(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("a file where the directory should be")
    store = StateStore(blocked)
    assert not store.put("a", "model", b"state")
    check(store, "a", None)
    assert store.stats().files == 0 and store.clear() == 0


def test_a_full_disk_is_borne(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = StateStore(tmp_path)
    monkeypatch.setattr(store_module, "FREE_BYTES_MIN", 1 << 60)
    assert not store.put("a", "model", b"state")
    assert store.stats().refused == 1 and not list(tmp_path.glob("*.state"))


def test_clear_removes_everything(tmp_path: Path) -> None:
    store = StateStore(tmp_path)
    store.put("a", "model", b"state")
    assert store.clear() == HEADER.size + len(b"state")
    assert list(tmp_path.iterdir()) == []


def test_two_servers_share_a_directory(tmp_path: Path) -> None:
    stores = [StateStore(tmp_path, bytes_max=20 * (HEADER.size + 1000)) for _ in range(4)]
    failures: list[object] = []

    def work(number: int) -> None:
        for turn in range(30):
            key = f"document {turn % 7}"
            stores[number].put(key, "model", key.encode() * 50)
            found = stores[(number + 1) % 4].get(key, "model")
            if found not in (None, key.encode() * 50):
                failures.append(found)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert stores[0].stats().damaged == 0 and stores[0].stats().files == 7


def test_a_document_starts_from_disk_after_a_restart(tmp_path: Path) -> None:
    tokens = [*range(200)]
    first = KvSession(ScriptedModel(), store=StateStore(tmp_path))
    first.prefill(tokens, document="a")
    first.prefill([*range(100, 250)], document="b")
    assert first.persist()
    second = KvSession(ScriptedModel(), store=StateStore(tmp_path))
    assert second.prefill([*tokens, 201], document="a").evaluated == 1
    assert second.buffer.exact == 201
    assert second.prefill([*range(100, 250)], document="b").evaluated == 1
    third = KvSession(ScriptedModel(context_tokens=300), store=StateStore(tmp_path))
    assert third.prefill(tokens, document="a").evaluated == 200


def test_a_state_that_does_not_load_is_computed_again(tmp_path: Path) -> None:
    store = StateStore(tmp_path)
    model = ScriptedModel()
    store.put("a", model.fingerprint, b"\x02\0\0\0\0\0\0\0{}")
    session = KvSession(model, store=store)
    assert session.prefill([*range(100)], document="a").evaluated == 100


def test_a_forgotten_document_is_gone_from_disk(tmp_path: Path) -> None:
    store = StateStore(tmp_path)
    session = KvSession(ScriptedModel(), store=store)
    session.prefill([*range(100)], document="a")
    session.persist()
    assert store.stats().files == 1
    session.forget("a")
    assert store.stats().files == 0 and not len(session.tokens)
