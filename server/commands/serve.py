"""`assist serve`: the language server on standard input and output or on a loopback socket; it reads no arguments of editors."""

from __future__ import annotations

import gc
import ipaddress
import logging
import sys

import click

from assist.server.compiled import kept_compiled

LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


@click.command("serve")
@click.option("--tcp", "address", metavar="HOST:PORT", help="Listen on a loopback address.")
@click.option("--stdio", is_flag=True, help="Use standard input and output (the default).")
@click.option("-v", "--verbose", is_flag=True, help="Log more to standard error.")
def command(address: str | None, stdio: bool, verbose: bool) -> int:
    """Serve an editor through the Language Server Protocol."""
    if address and stdio:
        raise click.UsageError("Choose --tcp or --stdio, not both.")
    place = _parse_address(address) if address else None
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING, stream=sys.stderr, format=LOG_FORMAT
    )
    # The protocol's types are six hundred classes; collecting garbage between them doubles the start.
    gc.disable()
    with kept_compiled():
        from assist.server.app import run_stdio, run_tcp
    gc.freeze()
    gc.enable()
    return run_tcp(*place) if place else run_stdio()


def _parse_address(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    if not port.isdigit() or int(port) > 65_535:
        raise click.UsageError(f"{address!r} is no address. Write HOST:PORT, like 127.0.0.1:9257.")
    try:
        is_loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_loopback = False
    if not is_loopback:
        raise click.UsageError(
            f"{host!r} is not this machine. The server has no password; use 127.0.0.1 and a tunnel."
        )
    return host, int(port)
