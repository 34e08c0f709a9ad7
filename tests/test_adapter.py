"""The shipped adapter with the real base model: merged, at run time, and in the framework that trained it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from assist.models.errors import ModelFileError
from assist.models.llama import LlamaModel, LlamaOptions, load_model
from assist.models.merge import merge_adapter
from assist.models.model import Logits
from assist.models.open import open_model
from assist.models.registry import find_installed
from assist.models.template import TAUGHT

ADAPTER = Path(__file__).parents[1] / "models" / "adapters" / "smollm2-135m-fim.gguf"
ANSWER_TOKENS = 24
NEAR_TIE = 1.0
SNIPPETS = (
    "def add(a, b):\n    return $0\n",
    "def mean(numbers):\n    total = 0\n    for n in numbers:\n$0\n    return total / len(numbers)\n",
    "import math\n\n\ndef area(radius: float) -> float:\n    $0\n    return math.pi * square\n",
    "class Stack:\n    def __init__(self):\n        self.items = []\n\n    def push(self, item):\n        $0\n\n"
    "    def pop(self):\n        return self.items.pop()\n",
    "def fib(n):\n    if n < 2:\n        return n\n    return fib(n - 1) + $0\n\n\nprint(fib(10))\n",
    "with open(path) as file:\n    for line in $0:\n        print(line.strip())\n",
    "names = ['a', 'b']\nfor i, name in $0(names):\n    print(i, name)\n",
    "def is_even(n: int) -> bool:\n$0",
)

pytestmark = [pytest.mark.deep, pytest.mark.model]


def installed(name: str, quantisation: str) -> Path:
    model = find_installed(name)
    if model is None:
        pytest.skip(f"needs the model {name}; run `make model`")
    return next(Path(file.path) for file in model.files if file.quantisation == quantisation)


@pytest.fixture(scope="module")
def base() -> Path:
    return installed("smollm2-135m", "Q4_1")


@pytest.fixture(scope="module")
def merged() -> Path:
    return installed("smollm2-135m-fim", "Q8_0")


def prompt(model: LlamaModel, snippet: str) -> list[int]:
    prefix, suffix = snippet.split("$0")
    texts = {"{prefix}": prefix, "{suffix}": suffix}
    tokens: list[int] = []
    for part in TAUGHT.parts:
        if part in texts:
            tokens += model.tokenize(texts[part])
        else:
            tokens.append(model.vocabulary.pieces.index(part.encode()))
    return tokens


def greedy(model: LlamaModel, snippet: str) -> list[int]:
    model.memory_remove(0, 0, -1)
    tokens = prompt(model, snippet)
    row, answer = model.evaluate(tokens, 0)[-1], []
    while len(answer) < ANSWER_TOKENS:
        token = int(row.argmax())
        answer.append(token)
        if token in model.vocabulary.special:
            break
        row = model.evaluate([token], len(tokens) + len(answer) - 1)[-1]
    return answer


def check(
    model: LlamaModel, logits: Callable[[list[int], int], Logits], agreement_min: float
) -> None:
    """Along the model's greedy answers, the other one's choice is the same or a near-tie."""
    same = total = 0
    for snippet in SNIPPETS:
        answer = greedy(model, snippet)
        rows = logits(prompt(model, snippet) + answer[:-1], len(answer))
        for row, token in zip(rows, answer, strict=True):
            assert row.max() - row[token] < NEAR_TIE
            same += int(row.argmax()) == token
            total += 1
    assert same >= agreement_min * total


def test_merging_again_gives_the_same_file(base: Path, merged: Path, tmp_path: Path) -> None:
    merge_adapter(base, ADAPTER, tmp_path / "again.gguf", progress=lambda *_: None)
    assert (tmp_path / "again.gguf").read_bytes() == merged.read_bytes()


def test_every_answer_ends_and_the_format_is_known(merged: Path) -> None:
    opened = open_model(str(merged))
    assert str(opened.template) == str(TAUGHT)
    answers = [greedy(opened.model, snippet) for snippet in SNIPPETS[:2]]
    assert all(answer[-1] in opened.model.vocabulary.special for answer in answers)
    opened.model.close()


def test_at_run_time_it_answers_as_merged(base: Path, merged: Path) -> None:
    whole, added = load_model(merged), load_model(base, LlamaOptions(adapter=str(ADAPTER)))

    def logits(tokens: list[int], count: int) -> Logits:
        added.memory_remove(0, 0, -1)
        return added.evaluate(tokens, 0, logits=count)

    # The base keeps its four bits here, the merged file has eight.
    check(whole, logits, 0.9)
    whole.close()
    added.close()


def test_it_answers_as_in_the_framework_that_trained_it(merged: Path) -> None:
    torch = pytest.importorskip("torch")
    from assist.models.training.network import Llama, read_network

    model = load_model(merged)
    network = Llama(*read_network(merged), rank=1, scale=0.0)

    def logits(tokens: list[int], count: int) -> Logits:
        with torch.no_grad():
            hidden = network.hidden(torch.tensor([tokens]), torch.arange(len(tokens))[None])
            return network.logits(hidden[0, -count:]).numpy()

    check(model, logits, 0.95)
    model.close()


def test_an_adapter_that_is_none_is_refused(base: Path) -> None:
    with pytest.raises(ModelFileError):
        load_model(base, LlamaOptions(adapter=str(base)))
