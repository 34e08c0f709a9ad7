from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from assist.models import registry
from assist.models.errors import ModelNameError
from assist.models.open import is_ready
from assist.models.registry import InstalledModel, ModelFile


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ASSIST_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def model(name: str = "tiny") -> InstalledModel:
    files = (ModelFile("/a.gguf", "Q8_0", 3, "00"), ModelFile("/b.gguf", "Q4_1", 2, "11"))
    return InstalledModel(name, "added", files, "Q4_1")


def check(installed: InstalledModel | None, preferred: str, path: str) -> None:
    assert installed is not None
    assert (installed.preferred, installed.file.path) == (preferred, path)


def test_a_record_survives(home: Path) -> None:
    registry.save_installed(model())
    check(registry.find_installed("tiny"), "Q4_1", "/b.gguf")
    record = home / "data" / "models" / "tiny" / "model.json"
    assert stat.S_IMODE(record.stat().st_mode) == 0o600


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"files": []}', b'{"name": 1}'])
def test_a_damaged_record_counts_as_absent(home: Path, damage: bytes) -> None:
    registry.save_installed(model("good"))
    registry.save_installed(model("bad"))
    (home / "data" / "models" / "bad" / "model.json").write_bytes(damage)
    assert [found.name for found in registry.installed_models()] == ["good"]
    assert not is_ready("bad")


def test_a_record_of_another_version_is_read(home: Path) -> None:
    registry.save_installed(model())
    path = home / "data" / "models" / "tiny" / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"other": 1}))
    check(registry.find_installed("tiny"), "Q4_1", "/b.gguf")


def test_choosing_needs_a_model_that_is_here(home: Path) -> None:
    with pytest.raises(ModelNameError, match="assist models add FILE"):
        registry.choose("tiny")
    with pytest.raises(ModelNameError, match="assist models fetch smollm2-135m"):
        registry.choose("smollm2-135m")
    registry.save_installed(model())
    registry.choose("tiny")
    assert registry.chosen_name() == "tiny"


def test_a_damaged_choice_falls_back_to_the_embedded_model(home: Path) -> None:
    embedded = registry.chosen_name()
    for damage in (b"", b"null", json.dumps({"model": 3}).encode()):
        (home / "data" / "choice.json").write_bytes(damage)
        assert registry.chosen_name() == embedded


def test_tuning_is_kept_with_the_model() -> None:
    registry.save_installed(model())
    registry.record_tuning(
        "tiny",
        preferred="Q8_0",
        threads_prefill=3,
        threads_decode=2,
        measurements={"typical_ms": 1.5},
    )
    found = registry.find_installed("tiny")
    check(found, "Q8_0", "/a.gguf")
    assert found is not None and (found.threads_prefill, found.threads_decode) == (3, 2)


@pytest.mark.parametrize("name", ["", "..", "../x", "a/b", "A", "a" * 65, ".hidden"])
def test_a_name_cannot_leave_the_directory(name: str) -> None:
    assert registry.find_installed(name) is None
    with pytest.raises(ModelNameError):
        registry.remove_installed(name)
