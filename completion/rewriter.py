"""Asks a model for faster versions of a function and reads its answers; it judges none of them."""

from __future__ import annotations

import ast
import re
import textwrap
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from assist.analysis.rules.rule import Proposal
from assist.analysis.rules.splice import (
    Change,
    find,
    function_source,
    parse_module,
    with_change,
)
from assist.models.chat import chat_tokens
from assist.models.kv_session import KvSession
from assist.models.model import Abort, Logits

SAMPLES = 3
TOKENS_MAX = 640
SECONDS_PER_SAMPLE_MAX = 60.0
TEMPERATURE = 0.7
TOP_P = 0.95
FEEDBACK_CHARACTERS_MAX = 600
FENCE = re.compile(r"```[a-zA-Z]*\n")

INSTRUCTION = (
    "You make Python functions faster. Keep the name, the parameters and the behaviour exactly: the same "
    "results, the same types, the same errors, nothing changed in the arguments. Answer with the whole "
    "function as one Python code block and nothing else."
)
EXAMPLES = (
    (
        "def common(a, b):\n    found = []\n    for x in a:\n        if x in b and x not in found:\n"
        "            found.append(x)\n    return found\n",
        "def common(a, b):\n    wanted = set(b)\n    return [x for x in dict.fromkeys(a) if x in wanted]\n",
    ),
    (
        'def shout(words):\n    text = ""\n    for word in words:\n        text = text + word.upper() + "!"\n'
        "    return text\n",
        'def shout(words):\n    return "".join([word.upper() + "!" for word in words])\n',
    ),
)


@dataclass(frozen=True)
class Feedback:
    """What verification said of an earlier version: its verdict, and the input that told."""

    module_text: str
    verdict: str
    reason: str
    counterexample: str | None
    slowest_input: str | None


@dataclass
class Rewriter:
    """A model with its cache, asked for ``samples`` versions at a time."""

    kv: KvSession
    samples: int = SAMPLES
    tokens_max: int = TOKENS_MAX
    seed: int = 0
    abort: Abort | None = None
    answers: int = 0
    usable: int = 0

    def propose(
        self,
        module_text: str,
        qualname: str,
        feedback: Sequence[Feedback] = (),
        *,
        deadline: float = float("inf"),
    ) -> list[Proposal]:
        """Different new versions of a function, as whole modules; empty where none could be read.

        ``deadline`` is a time of :func:`time.monotonic`. Raises
        :class:`assist.models.model.Aborted` when ``abort`` returned true.
        """
        source = function_source(module_text, qualname)
        if source is None:
            return []
        tokens = chat_tokens(self.kv.model, INSTRUCTION, request_text(source, qualname, feedback))
        if len(tokens) + self.tokens_max > self.kv.model.context_tokens_max:
            return []
        found: dict[str, Proposal] = {}
        for number in range(self.samples):
            if time.monotonic() > deadline:
                break
            temperature = 0.0 if number == 0 and not feedback else TEMPERATURE
            answer = self._sample(tokens, temperature, number, deadline)
            self.answers += 1
            text = read_answer(answer, module_text, qualname)
            if text is None or text == module_text:
                continue
            self.usable += 1
            found.setdefault(
                text,
                Proposal(
                    ("model",),
                    "Version written by the model",
                    f"Written by {self.kv.model.name}; shown because it was verified.",
                    text,
                ),
            )
        return list(found.values())

    def _sample(
        self, tokens: Sequence[int], temperature: float, number: int, deadline: float
    ) -> str:
        vocabulary = self.kv.model.vocabulary
        ends = vocabulary.end_of_generation | vocabulary.special
        generator = np.random.default_rng(self.seed * 1000 + number)
        deadline = min(deadline, time.monotonic() + SECONDS_PER_SAMPLE_MAX)
        row = self.kv.prefill(tokens, abort=self.abort).logits[-1]
        data = b""
        for _ in range(self.tokens_max):
            token = draw(row, temperature, generator)
            if token in ends:
                break
            data += vocabulary.pieces[token]
            text = data.decode("utf-8", "ignore")
            if _is_finished(text) or time.monotonic() > deadline:
                break
            row = self.kv.extend([token], abort=self.abort)[-1]
        return data.decode("utf-8", "ignore")


def request_text(source: str, qualname: str, feedback: Sequence[Feedback]) -> str:
    """What the model is asked: examples, the function, and what was wrong before."""
    parts = [
        f"Example.\n```python\n{slow}```\nFaster:\n```python\n{fast}```\n"
        for slow, fast in EXAMPLES
    ]
    parts.append(
        f"Make this function faster.\n```python\n{textwrap.dedent(source).rstrip()}\n```\n"
    )
    for said in feedback:
        version = function_source(said.module_text, qualname)
        if version is None:
            continue
        parts.append(
            f"An earlier try:\n```python\n{textwrap.dedent(version).rstrip()}\n```\n{_said(said)}\n"
        )
    return "\n".join(parts)


def _said(feedback: Feedback) -> str:
    if feedback.verdict == "equivalent":
        slow = (
            f" It gains least on inputs of size {feedback.slowest_input}."
            if feedback.slowest_input
            else ""
        )
        text = f"It behaves the same but is not faster: {feedback.reason}.{slow} Use a better algorithm."
    elif feedback.counterexample:
        text = f"It is wrong: {feedback.counterexample}. Keep the behaviour."
    else:
        text = f"It cannot be used: {feedback.reason}."
    return text[:FEEDBACK_CHARACTERS_MAX]


def draw(row: Logits, temperature: float, generator: np.random.Generator) -> int:
    """The most probable token, or one of the likeliest that make up :data:`TOP_P`."""
    if temperature <= 0:
        return int(row.argmax())
    scaled = (row - row.max()) / temperature
    weights = np.exp(scaled)
    order = np.argsort(-weights)
    total = np.cumsum(weights[order])
    count = int(np.searchsorted(total, TOP_P * total[-1])) + 1
    kept = order[:count]
    chances = weights[kept] / weights[kept].sum()
    return int(generator.choice(kept, p=chances))


def _is_finished(text: str) -> bool:
    """Whether the code block was closed."""
    opened = FENCE.search(text)
    return opened is not None and "```" in text[opened.end() :]


def read_answer(answer: str, module_text: str, qualname: str) -> str | None:
    """The module with the function of an answer in it; none where it is no version of the function."""
    tree = _tree_of(_code(answer))
    original = find(parse_module(module_text) or ast.Module([], []), qualname)
    if tree is None or original is None:
        return None
    name = qualname.split(".")[-1]
    functions = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == name]
    if not functions or ast.dump(functions[-1].args) != ast.dump(original.args):
        return None
    function = functions[-1]
    function.decorator_list = original.decorator_list
    function.returns = original.returns
    others = [n for n in tree.body if n is not function and isinstance(n, ast.stmt)]
    imports = [ast.unparse(n) for n in others if isinstance(n, ast.Import | ast.ImportFrom)]
    helpers = [
        ast.unparse(n)
        for n in others
        if isinstance(n, ast.FunctionDef | ast.Assign) and not _binds(module_text, n)
    ]
    source = ast.unparse(_with_docstring(function, original))
    indent = " " * original.col_offset
    change = Change(textwrap.indent(source, indent) + "\n", tuple(imports), tuple(helpers))
    return with_change(module_text, qualname, change)


def _with_docstring(function: ast.FunctionDef, original: ast.AST) -> ast.FunctionDef:
    """The docstring is not the model's to change."""
    body = getattr(original, "body", [])
    if ast.get_docstring(function) is not None:
        function.body = function.body[1:] or [ast.Pass()]
    if isinstance(original, ast.FunctionDef) and ast.get_docstring(original) is not None:
        function.body = [body[0], *function.body]
    return function


def _binds(module_text: str, node: ast.stmt) -> bool:
    """Whether the module already binds a name that a statement of the answer binds."""
    tree = parse_module(module_text)
    names = {
        n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    }
    if isinstance(node, ast.FunctionDef):
        names = {node.name}
    bound = {getattr(n, "name", None) for n in (tree.body if tree else [])}
    return bool(names & bound)


def _code(answer: str) -> str:
    fence = FENCE.search(answer)
    if fence is None:
        start = answer.find("def ")
        return answer[max(start, 0) :]
    return answer[fence.end() :].partition("```")[0]


def _tree_of(source: str) -> ast.Module | None:
    """The longest beginning of whole lines that parses."""
    lines = textwrap.dedent(source).rstrip().splitlines()
    while lines:
        tree = parse_module("\n".join(lines) + "\n")
        if tree is not None:
            return tree
        lines.pop()
    return None
