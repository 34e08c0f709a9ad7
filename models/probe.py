"""Tries a GGUF in a process of its own, so that a damaged file cannot crash the caller; it changes nothing on disk."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from assist.models.errors import ModelFileError
from assist.models.template import FimTemplate

PROBE_SECONDS_MAX = 300
PROBE_CONTEXT_TOKENS = 256
# Values of general.file_type that users meet (llama.h, enum llama_ftype).
FILE_TYPES = {
    "0": "F32",
    "1": "F16",
    "2": "Q4_0",
    "3": "Q4_1",
    "7": "Q8_0",
    "8": "Q5_0",
    "9": "Q5_1",
    "10": "Q2_K",
    "12": "Q3_K_M",
    "14": "Q4_K_S",
    "15": "Q4_K_M",
    "16": "Q5_K_S",
    "17": "Q5_K_M",
    "18": "Q6_K",
    "32": "BF16",
}


@dataclass(frozen=True)
class Probe:
    """What a loadable GGUF says about itself, and the template it will be used with."""

    title: str
    architecture: str
    quantisation: str
    context_tokens: int
    vocabulary_size: int
    can_shift: bool
    template: str
    template_reason: str


def probe_file(path: Path, catalog: FimTemplate | None = None) -> Probe:
    """Load ``path`` in a child process and evaluate one token.

    Raises :class:`ModelFileError` when it is no GGUF, is damaged, or cannot be run here.
    """
    template = json.dumps(asdict(catalog)) if catalog else ""
    # -P: nothing of the folder that the user stands in is imported.
    command = [sys.executable, "-P", "-m", "assist.models.probe", str(path.absolute()), template]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=PROBE_SECONDS_MAX,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ModelFileError(
            f"{path} did not load within {PROBE_SECONDS_MAX} s. Choose a smaller model."
        ) from None
    try:
        answer: dict[str, Any] = json.loads(done.stdout.strip().rsplit("\n", 1)[-1])
    except ValueError:
        raise ModelFileError(
            f"{path} is damaged: loading it ended with code {done.returncode}. Fetch it again."
        ) from None
    if "error" in answer:
        raise ModelFileError(answer["error"])
    return Probe(**answer)


def main(arguments: Sequence[str]) -> None:
    """Child process: print one line of JSON, a :class:`Probe` or an error."""
    path, template = Path(arguments[0]), arguments[1]
    try:
        answer = asdict(_probe(path, _template(template)))
    except ModelFileError as error:
        answer = {"error": str(error)}
    sys.stdout.write("\n" + json.dumps(answer) + "\n")


def _template(text: str) -> FimTemplate | None:
    if not text:
        return None
    row = json.loads(text)
    return FimTemplate(tuple(row["parts"]), tuple(row["stops"]), row["origin"])


def _probe(path: Path, catalog: FimTemplate | None) -> Probe:
    from assist.models.llama import LlamaOptions, load_model
    from assist.models.template import resolve_template

    options = replace(LlamaOptions(), context_tokens=PROBE_CONTEXT_TOKENS, threads_prefill=1)
    model = load_model(path, options)
    model.evaluate([min(model.vocabulary.end_of_generation, default=0)], 0)
    template, reason = resolve_template(model.vocabulary, catalog=catalog, metadata=model.metadata)
    architecture = model.metadata("general.architecture") or ""
    file_type = model.metadata("general.file_type") or ""
    return Probe(
        title=model.metadata("general.name") or path.stem,
        architecture=architecture,
        quantisation=FILE_TYPES.get(file_type, f"type {file_type}"),
        context_tokens=int(model.metadata(f"{architecture}.context_length") or 0),
        vocabulary_size=model.vocabulary.size,
        can_shift=model.can_shift,
        template=str(template),
        template_reason=reason,
    )


if __name__ == "__main__":
    main(sys.argv[1:])
