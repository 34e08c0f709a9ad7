"""The command `assist`: finds the sub-command, turns expected errors into one line; it computes nothing and imports a command only when it runs."""

from __future__ import annotations

import sys

import click

from assist.analysis.errors import AnalysisError
from assist.models.errors import ModelError
from assist.server.lazy import LazyGroup

# name -> module under assist.server.commands that defines `command`
COMMANDS: dict[str, str] = {
    "bench": "bench",
    "cache": "cache",
    "complete": "complete",
    "demo": "demo",
    "doctor": "doctor",
    "models": "models",
    "serve": "serve",
    "status": "status",
    "suggest": "suggest",
    "verify": "verify",
}

EXIT_ERROR = 2


@click.group(
    cls=LazyGroup,
    package="assist.server.commands",
    modules=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="assist-lsp", prog_name="assist")
def group() -> None:
    """A code assistant that runs on your own machine, on the CPU, offline."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 fine, 1 suggestions found, 2 bad usage or error."""
    try:
        code = group.main(arguments, prog_name="assist", standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help() if error.ctx else str(error))
        sys.exit(0)
    except click.ClickException as error:
        click.echo(f"assist: {error.format_message()}", err=True)
        sys.exit(EXIT_ERROR)
    except (AnalysisError, ModelError) as error:
        click.echo(f"assist: {error}", err=True)
        sys.exit(EXIT_ERROR)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(0)
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()
