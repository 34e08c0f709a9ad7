"""Every setting once, as data, and how four sources become one value of each; it never decides what a setting does."""

from __future__ import annotations

import difflib
import math
import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

Value = bool | int | float | str | tuple[str, ...]
Scope = Literal["machine", "window", "resource"]

SECTION = "assist"
ENVIRONMENT_PREFIX = "ASSIST_"
# Variables with the prefix that are no settings.
ENVIRONMENT_OTHER = frozenset({"ASSIST_HOME", "ASSIST_NO_BUBBLEWRAP"})
PYPROJECT_BYTES_MAX = 1_000_000
PROBLEMS_MAX = 20


def _setting(
    key: str,
    default: Value,
    description: str,
    *,
    choices: tuple[str, ...] = (),
    minimum: float | None = None,
    maximum: float | None = None,
    scope: Scope = "resource",
    user_only: bool = False,
    restarts: bool = False,
) -> Any:
    metadata = {
        "key": key,
        "description": description,
        "choices": choices,
        "minimum": minimum,
        "maximum": maximum,
        "scope": scope,
        "user_only": user_only,
        "restarts": restarts,
    }
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Settings:
    """One value of every setting. The schema is this class: keys, texts and bounds are its fields' metadata.

    ``user_only`` settings are never taken from a workspace's pyproject.toml, because they choose
    what runs or what is stored on the user's machine. Settings with ``restarts`` take effect by
    starting the engine again, which the server does by itself.
    """

    completion_enabled: bool = _setting(
        "completion.enabled", True, "Propose code at the cursor while you type."
    )
    completion_languages: tuple[str, ...] = _setting(
        "completion.languages",
        ("*",),
        "Language ids that get proposals; * means every language, and !id leaves one out.",
    )
    completion_tokens: int = _setting(
        "completion.tokens",
        64,
        "Longest proposal, in tokens of the model.",
        minimum=1,
        maximum=512,
    )
    completion_candidates: int = _setting(
        "completion.candidates",
        3,
        "Number of proposals when you ask for them; while you type there is one.",
        minimum=1,
        maximum=8,
    )
    completion_threshold: str = _setting(
        "completion.threshold",
        "balanced",
        "How sure a proposal must be before it is shown: quiet shows few, eager shows nearly all.",
        choices=("quiet", "balanced", "eager"),
    )
    completion_milliseconds: int = _setting(
        "completion.milliseconds",
        4000,
        "Longest time spent on one proposal while you type.",
        minimum=50,
        maximum=60_000,
    )
    context_tokens: int = _setting(
        "context.tokens",
        1024,
        "Tokens around the cursor that the model reads.",
        minimum=64,
        maximum=32_768,
    )
    context_workspace: bool = _setting(
        "context.workspace",
        True,
        "Tell the model what your files import from others in the workspace. They are read, never "
        "run; .gitignore and .assistignore are respected, secrets and keys never opened.",
    )
    model_name: str = _setting(
        "model.name",
        "",
        "Model to run: a name from `assist models list` or the path of a GGUF file. "
        "Empty means the model chosen by `assist models use`.",
        scope="machine",
        user_only=True,
        restarts=True,
    )
    model_threads: int = _setting(
        "model.threads",
        0,
        "Most threads that compute, fewer where fewer are quicker; 0 means what "
        "`assist models tune` measured, else the cores.",
        minimum=0,
        maximum=256,
        scope="machine",
        user_only=True,
        restarts=True,
    )
    model_context: int = _setting(
        "model.context",
        0,
        "Size of the model's memory in tokens; 0 means what context.tokens needs. Memory and the "
        "time of an edit above the cursor grow with it.",
        minimum=0,
        maximum=131_072,
        scope="machine",
        user_only=True,
        restarts=True,
    )
    kv_reuse: str = _setting(
        "kv.reuse",
        "shift",
        "What is kept of the computed context after an edit: shift moves what comes after it, "
        "prefix keeps what comes before it, off keeps nothing.",
        choices=("shift", "prefix", "off"),
        scope="window",
        restarts=True,
    )
    kv_disk: bool = _setting(
        "kv.disk",
        True,
        "Keep the computed context of closed files on disk, so that they start warm.",
        scope="machine",
        user_only=True,
        restarts=True,
    )
    kv_disk_mb: int = _setting(
        "kv.disk_mb",
        1024,
        "Most megabytes of computed contexts on disk; the least recently used go first.",
        minimum=16,
        maximum=1_000_000,
        scope="machine",
        user_only=True,
        restarts=True,
    )
    kv_memory_mb: int = _setting(
        "kv.memory_mb",
        256,
        "Most megabytes of computed contexts in memory of open files that are not in focus.",
        minimum=0,
        maximum=1_000_000,
        scope="machine",
        user_only=True,
        restarts=True,
    )
    kv_type: str = _setting(
        "kv.type",
        "f16",
        "Precision of the keys in the computed context: q8_0 takes a quarter less memory and "
        "makes answers after an edit less exact.",
        choices=("f16", "q8_0"),
        scope="machine",
        user_only=True,
        restarts=True,
    )
    monitors_enabled: bool = _setting(
        "monitors.enabled",
        True,
        "Check names and members by static analysis while the model writes.",
    )
    names_enabled: bool = _setting(
        "names.enabled",
        True,
        "Offer names with their types in the editor's completion list.",
    )
    names_environment: str = _setting(
        "names.environment",
        "",
        "Folder or interpreter of the Python environment whose packages are offered, relative to "
        "the workspace. Empty means the workspace's own. It is read, never started.",
        scope="window",
    )
    statistics_enabled: bool = _setting(
        "statistics.enabled",
        True,
        "Count on this machine what was shown, accepted and kept; nothing is sent anywhere.",
        scope="machine",
        user_only=True,
    )
    suggest_speedup: float = _setting(
        "suggest.speedup",
        1.1,
        "Smallest measured speed-up that is worth a suggestion.",
        minimum=1.0,
        maximum=100.0,
    )
    suggest_seconds: float = _setting(
        "suggest.seconds",
        60.0,
        "Longest time spent on one function when you ask for a faster version.",
        minimum=1.0,
        maximum=3600.0,
    )
    workspace_trusted: bool = _setting(
        "workspace.trusted",
        False,
        "Allow what runs code of the workspace: its interpreter for exact names, and the sandbox "
        "when you ask for a faster version. Editors that know trust set it by themselves.",
        scope="window",
        user_only=True,
    )


@dataclass(frozen=True)
class Source:
    """Values of one source by dotted key; ``name`` is told to the user, a workspace is not trusted."""

    name: str
    values: Mapping[str, object]
    of_workspace: bool = False


def resolve(sources: Iterable[Source]) -> tuple[Settings, tuple[str, ...]]:
    """The settings after ``sources``, later ones win, and what was wrong, one sentence each.

    A value that is unknown, of the wrong type or out of bounds changes nothing.
    """
    settings = Settings()
    problems: list[str] = []
    for source in sources:
        for key, value in source.values.items():
            problem, changed = _changed(settings, source, key, value)
            if problem:
                problems.append(problem)
            else:
                settings = changed
    return settings, tuple(problems[:PROBLEMS_MAX])


def environment_source(environment: Mapping[str, str] | None = None) -> Source:
    """``ASSIST_*`` variables: ``completion.tokens`` is ``ASSIST_COMPLETION_TOKENS``."""
    environment = os.environ if environment is None else environment
    keys = {variable_name(key): key for key in _FIELDS}
    values: dict[str, object] = {}
    for name, text in environment.items():
        if name.startswith(ENVIRONMENT_PREFIX) and name not in ENVIRONMENT_OTHER:
            key = keys.get(name, name)
            values[key] = _from_text(key, text)
    return Source("the environment", values)


def pyproject_source(folder: Path) -> tuple[Source, tuple[str, ...]]:
    """``[tool.assist]`` of the folder's pyproject.toml, and what is wrong with the file itself."""
    path = folder / "pyproject.toml"
    empty = Source("pyproject.toml", {}, of_workspace=True)
    try:
        if path.stat().st_size > PYPROJECT_BYTES_MAX:
            return empty, (f"{path} is too large to be read for settings.",)
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return empty, ()
    except (OSError, ValueError) as error:
        return empty, (f"{path} cannot be read for settings: {error}.",)
    tool = data.get("tool")
    table = tool.get(SECTION) if isinstance(tool, dict) else None
    if table is None:
        return empty, ()
    return replace(empty, values=flatten(table)), ()


def editor_source(configuration: object) -> Source:
    """The editor's ``assist`` section: nested objects, dotted keys, or both."""
    return Source("the editor's configuration", flatten(configuration))


def flatten(value: object, prefix: str = "") -> dict[str, object]:
    """Nested mappings as one of dotted keys; anything that is no mapping at the top is ignored."""
    if not isinstance(value, Mapping):
        return {}
    flat: dict[str, object] = {}
    for name, inner in value.items():
        key = f"{prefix}{name}"
        if isinstance(inner, Mapping):
            flat |= flatten(inner, f"{key}.")
        else:
            flat[key] = inner
    return flat


def variable_name(key: str) -> str:
    return ENVIRONMENT_PREFIX + key.upper().replace(".", "_")


def schema() -> dict[str, dict[str, object]]:
    """JSON schema of every setting by dotted key, in the form of a VS Code configuration."""
    return {key: _schema_of(item) for key, item in _FIELDS.items()}


def language_enabled(settings: Settings, language: str) -> bool:
    """Whether documents of ``language`` get proposals."""
    if not settings.completion_enabled or f"!{language}" in settings.completion_languages:
        return False
    return "*" in settings.completion_languages or language in settings.completion_languages


def restart_key(settings: Settings) -> tuple[Value, ...]:
    """The values whose change needs a new engine."""
    return tuple(
        getattr(settings, item.name) for item in _FIELDS.values() if item.metadata["restarts"]
    )


_FIELDS: dict[str, Field[Any]] = {item.metadata["key"]: item for item in fields(Settings)}


def _changed(settings: Settings, source: Source, key: str, value: object) -> tuple[str, Settings]:
    item = _FIELDS.get(key)
    if item is None:
        return f"{source.name}: unknown setting {key!r}.{_suggestion(key)}", settings
    if source.of_workspace and item.metadata["user_only"]:
        return f"{source.name}: {key} can only be set by the user, not by a workspace.", settings
    if value is None:
        return "", settings
    checked = _checked(item, value)
    if checked is None:
        return f"{source.name}: {key} must be {_expected(item)}, not {value!r}.", settings
    changed: dict[str, Any] = {item.name: checked}
    return "", replace(settings, **changed)


def _checked(item: Field[Any], value: object) -> Value | None:
    default = item.default
    if isinstance(default, bool) or isinstance(value, bool):
        return value if isinstance(default, bool) and isinstance(value, bool) else None
    if isinstance(default, tuple):
        if isinstance(value, (list, tuple)) and all(isinstance(name, str) for name in value):
            return tuple(value)
        return None
    if isinstance(default, str):
        choices = item.metadata["choices"]
        return value if isinstance(value, str) and (not choices or value in choices) else None
    if not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    if isinstance(default, int) and value != int(value):
        return None
    low, high = item.metadata["minimum"], item.metadata["maximum"]
    if (low is not None and value < low) or (high is not None and value > high):
        return None
    return int(value) if isinstance(default, int) else float(value)


def _from_text(key: str, text: str) -> object:
    item = _FIELDS.get(key)
    default = None if item is None else item.default
    if isinstance(default, bool):
        return {"1": True, "true": True, "0": False, "false": False}.get(text.lower(), text)
    if isinstance(default, tuple):
        return [name.strip() for name in text.split(",") if name.strip()]
    if isinstance(default, (int, float)):
        try:
            return float(text)
        except ValueError:
            return text
    return text


def _expected(item: Field[Any]) -> str:
    metadata = item.metadata
    if metadata["choices"]:
        return "one of " + ", ".join(metadata["choices"])
    kind = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}.get(
        type(item.default), "a list of texts"
    )
    if metadata["minimum"] is not None:
        return f"{kind} from {metadata['minimum']:g} to {metadata['maximum']:g}"
    return kind


def _suggestion(key: str) -> str:
    near = difflib.get_close_matches(key, _FIELDS, n=1)
    return f" Did you mean {near[0]!r}?" if near else ""


def _schema_of(item: Field[Any]) -> dict[str, object]:
    assert item.default is not MISSING
    kinds = {bool: "boolean", int: "integer", float: "number", str: "string", tuple: "array"}
    metadata = item.metadata
    default = list(item.default) if isinstance(item.default, tuple) else item.default
    result: dict[str, object] = {
        "type": kinds[type(item.default)],
        "default": default,
        "description": metadata["description"],
        "scope": metadata["scope"],
    }
    if result["type"] == "array":
        result["items"] = {"type": "string"}
    if metadata["choices"]:
        result["enum"] = list(metadata["choices"])
    if metadata["minimum"] is not None:
        result |= {"minimum": metadata["minimum"], "maximum": metadata["maximum"]}
    return result
