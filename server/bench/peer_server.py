"""Runs llama-server in a process of its own for the typing bench and prints its address; it ends with its standard input."""

from __future__ import annotations

import sys
from typing import Any

CONTEXT_TOKENS = 4096
CACHE_REUSE_TOKENS = 256
THREADS_DECODE, THREADS_PREFILL = 1, 2


def main(path: str) -> None:
    """Serve the GGUF at ``path`` with the reuse of its cache that llama.vim asks for."""
    import xllamacpp

    parameters: Any = xllamacpp.CommonParams()
    parameters.model.path = path
    parameters.n_ctx = CONTEXT_TOKENS
    parameters.n_parallel = 1
    parameters.n_cache_reuse = CACHE_REUSE_TOKENS
    # As many threads as ours has, and none of them waits by spinning.
    parameters.cpuparams.n_threads = THREADS_DECODE
    parameters.cpuparams_batch.n_threads = THREADS_PREFILL
    parameters.cpuparams.poll = parameters.cpuparams_batch.poll = 0
    parameters.port = 0
    parameters.verbosity = 0
    server = xllamacpp.Server(parameters)
    sys.stdout.write(f"{server.listening_address}\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1])
