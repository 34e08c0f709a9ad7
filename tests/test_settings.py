"""One schema, four sources; what is wrong is said and changes nothing."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from assist.server.settings import (
    Settings,
    Source,
    Value,
    editor_source,
    environment_source,
    flatten,
    language_enabled,
    pyproject_source,
    resolve,
    restart_key,
    schema,
    variable_name,
)


def check(values: dict[str, object], name: str, value: Value, problem: str = "") -> None:
    """One source gives ``name`` this value, and says ``problem``."""
    settings, problems = resolve([Source("the test", values)])
    assert getattr(settings, name) == value
    assert (problem in " ".join(problems)) if problem else not problems


def test_values_of_every_type() -> None:
    check({"completion.enabled": False}, "completion_enabled", False)
    check({"completion.tokens": 12}, "completion_tokens", 12)
    check({"completion.tokens": 12.0}, "completion_tokens", 12)
    check({"suggest.speedup": 2}, "suggest_speedup", 2.0)
    check({"completion.threshold": "eager"}, "completion_threshold", "eager")
    check({"completion.languages": ["c", "go"]}, "completion_languages", ("c", "go"))
    check({"completion.tokens": None}, "completion_tokens", 64)


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("completion.tokens", 0, "from 1 to 512"),
        ("completion.tokens", 10**9, "from 1 to 512"),
        ("completion.tokens", 1.5, "a whole number"),
        ("completion.tokens", True, "a whole number"),
        ("completion.tokens", "12", "a whole number"),
        ("completion.enabled", 1, "true or false"),
        ("completion.threshold", "loud", "one of quiet, balanced, eager"),
        ("completion.languages", "python", "a list of texts"),
        ("completion.languages", [1], "a list of texts"),
        ("suggest.speedup", float("nan"), "a number"),
        ("completion.token", 3, "Did you mean 'completion.tokens'?"),
        ("nonsense", {}, "unknown setting 'nonsense'"),
        ("model.name", 3, "a text"),
    ],
)
def test_a_wrong_value_is_reported_and_changes_nothing(
    key: str, value: object, problem: str
) -> None:
    settings, problems = resolve([Source("the test", {key: value})])
    assert settings == Settings()
    assert len(problems) == 1 and problem in problems[0] and "the test" in problems[0]


def test_later_sources_win(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        "[tool.assist]\ncompletion.tokens = 10\ncontext.tokens = 100\n"
        "[tool.assist.suggest]\nseconds = 5\n"
    )
    project, problems = pyproject_source(tmp_path)
    environment = environment_source(
        {"ASSIST_CONTEXT_TOKENS": "200", "ASSIST_SUGGEST_SECONDS": "6"}
    )
    editor = editor_source({"suggest": {"seconds": 7}})
    settings, more = resolve([project, environment, editor])
    assert not problems and not more
    assert settings.completion_tokens == 10
    assert settings.context_tokens == 200
    assert settings.suggest_seconds == 7.0


def test_a_workspace_cannot_choose_what_runs(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.assist]\nmodel.name = '/evil.gguf'\n")
    project, _ = pyproject_source(tmp_path)
    settings, problems = resolve([project])
    assert settings.model_name == "" and "only be set by the user" in problems[0]


@pytest.mark.parametrize("text", ["[tool", "\x00", "[tool.assist]\nx=1\nx=2", "tool = 3", ""])
def test_a_broken_project_file_is_ordinary(tmp_path: Path, text: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    source, problems = pyproject_source(tmp_path)
    assert source.values == {} and len(problems) <= 1
    assert pyproject_source(tmp_path / "nowhere")[1] == ()


def test_environment_texts() -> None:
    source = environment_source(
        {
            "ASSIST_COMPLETION_ENABLED": "false",
            "ASSIST_COMPLETION_LANGUAGES": "python, go",
            "ASSIST_COMPLETION_TOKENS": "many",
            "ASSIST_HOME": "/somewhere",
            "ASSIST_UNKNOWN": "1",
            "OTHER": "1",
        }
    )
    settings, problems = resolve([source])
    assert settings.completion_enabled is False
    assert settings.completion_languages == ("python", "go")
    assert len(problems) == 2


@pytest.mark.parametrize("value", [None, 3, "x", [], {"completion": 3}, {"": {"": 1}}])
def test_an_editor_may_send_anything(value: object) -> None:
    settings, _ = resolve([editor_source(value)])
    assert settings == Settings()


def test_nested_and_dotted_keys_mean_the_same() -> None:
    assert flatten({"a": {"b": 1}, "c.d": 2}) == {"a.b": 1, "c.d": 2}


def test_languages() -> None:
    def enabled(languages: tuple[str, ...], *, on: bool = True) -> bool:
        settings = Settings(completion_enabled=on, completion_languages=languages)
        return language_enabled(settings, "python")

    assert enabled(("*",)) and enabled(("python",))
    assert not enabled(()) and not enabled(("*", "!python")) and not enabled(("*",), on=False)


def test_every_setting_is_described() -> None:
    described = schema()
    assert len(described) == len(fields(Settings))
    for key, entry in described.items():
        assert str(entry["description"]).endswith("."), key
        assert key.replace(".", "_") in {item.name for item in fields(Settings)}
        assert variable_name(key) == "ASSIST_" + key.replace(".", "_").upper()
        if "enum" in entry:
            assert entry["default"] in entry["enum"]  # type: ignore[operator]


def test_what_needs_a_new_engine() -> None:
    assert restart_key(Settings(model_name="a")) != restart_key(Settings(model_name="b"))
    assert restart_key(Settings(completion_tokens=1)) == restart_key(Settings(completion_tokens=2))
