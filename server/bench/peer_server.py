"""Runs llama-server in a process of its own for the benches and prints its address; it ends with its standard input."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

CACHE_REUSE_TOKENS = 256


@dataclass(frozen=True)
class PeerOptions:
    """Context and batch in tokens (0: its own default), threads, MiB for the prompts of others."""

    context_tokens: int = 4096
    batch_tokens: int = 0
    threads_decode: int = 1
    threads_prefill: int = 2
    memory_mib: int = 0


def peer_command(path: str, options: PeerOptions) -> list[str]:
    """The command that serves the GGUF at ``path``."""
    module = "assist.server.bench.peer_server"
    return [sys.executable, "-P", "-m", module, path, json.dumps(asdict(options))]


def peer_environment(options: PeerOptions) -> dict[str, str]:
    """Its threads are as many as ours and wait for each other as ours do (models/llama.py)."""
    threads = str(max(options.threads_decode, options.threads_prefill))
    waiting = {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "1000"}
    return os.environ | {"OMP_NUM_THREADS": threads} | waiting


def peer_address(line: str) -> SplitResult | None:
    """Where it listens, from a line of its output; none if the line says something else.

    Raises :class:`RuntimeError` at the end of the output.
    """
    if not line:
        raise RuntimeError("llama-server did not start")
    address = urlsplit(line.strip())
    return address if address.port else None


def main(path: str, options: PeerOptions) -> None:
    """Serve the GGUF at ``path`` with the reuse of its cache that llama.vim asks for."""
    import xllamacpp

    parameters: Any = xllamacpp.CommonParams()
    parameters.model.path = path
    parameters.n_ctx = options.context_tokens
    if options.batch_tokens:
        parameters.n_batch = parameters.n_ubatch = options.batch_tokens
    if options.memory_mib:
        parameters.cache_ram_mib = options.memory_mib
    parameters.n_parallel = 1
    parameters.n_cache_reuse = CACHE_REUSE_TOKENS
    parameters.cpuparams.n_threads = options.threads_decode
    parameters.cpuparams_batch.n_threads = options.threads_prefill
    parameters.cpuparams.poll = parameters.cpuparams_batch.poll = 0
    parameters.port = 0
    parameters.verbosity = 0
    server = xllamacpp.Server(parameters)
    sys.stdout.write(f"{server.listening_address}\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1], PeerOptions(**json.loads(sys.argv[2])))
