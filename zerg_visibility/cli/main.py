"""The command `zerg-visibility`: its commands, and what a user sees when one fails."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from typing import Any

import click

from zerg_visibility.cli.demo import demo
from zerg_visibility.cli.doctor import doctor
from zerg_visibility.cli.listing import list_commis
from zerg_visibility.cli.options import root_option
from zerg_visibility.cli.show import show
from zerg_visibility.cli.tail import tail
from zerg_visibility.errors import VisibilityError
from zerg_visibility.words import one_line

PROGRAM = "zerg-visibility"


class _ReaderGoneError(Exception):
    """Whoever read our output has stopped reading."""


class _Commands(click.Group):
    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            # click itself would leave with exit code 1, but `list | head` is no failure.
            raise _ReaderGoneError from error

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        # In the order in which a newcomer needs them, not by alphabet.
        return list(self.commands)


@click.group(
    cls=_Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@root_option
@click.version_option(
    package_name="zerg-visibility", prog_name=PROGRAM, message="%(prog)s %(version)s"
)
@click.pass_context
def cli(context: click.Context, root: str | None) -> None:
    """See where LangGraph commis spend their time and tokens."""
    del root  # read from the context by the commands, see options.py
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


for _command in (demo, list_commis, show, tail, doctor):
    cli.add_command(_command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and give its exit code.

    0 is fine, 1 means that what was asked for does not exist or failed, 2 is wrong usage. An error
    is one line on standard error. If no arguments are given, those of this process count.
    """
    _prepare_outputs()
    try:
        code = cli.main(
            None if arguments is None else list(arguments),
            prog_name=PROGRAM,
            standalone_mode=False,
        )
        sys.stdout.flush()
    except (_ReaderGoneError, BrokenPipeError):
        _drop_output()
        return 0
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx is not None else PROGRAM
        message = error.format_message()
        end = "" if message.endswith((".", "?", "!")) else "."
        return _fail(f"{message}{end} Try: {where} --help", code=2)
    except click.ClickException as error:
        return _fail(error.format_message())
    except (click.Abort, KeyboardInterrupt):
        return _fail("interrupted")
    except VisibilityError as error:
        return _fail(str(error))
    except OSError as error:
        _drop_output()
        where = f": {error.filename}" if error.filename else ""
        return _fail(f"{error.strerror or error}{where}")
    except Exception as error:  # a bug of ours; the contract promises one line even so
        return _fail(f"{type(error).__name__}: {error}")
    return code if isinstance(code, int) else 0


def _fail(message: str, code: int = 1) -> int:
    click.echo(f"Error: {one_line(message, 1000)}", err=True)
    return code


def _prepare_outputs() -> None:
    """Let an output that was closed, as by `>&-`, and a narrow encoding be no error."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # what the encoding lacks becomes `?`


def _drop_output() -> None:
    """Send what is still buffered nowhere, or Python would fail once more when it ends."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
