"""`zerg-visibility demo`: the main job, on real files, offline by default."""

from __future__ import annotations

from pathlib import Path

import click

from zerg_visibility.cli.options import root_option
from zerg_visibility.cli.output import make_console
from zerg_visibility.errors import ConfigurationError


def _known_model(
    _context: click.Context, _parameter: click.Parameter, value: str | None
) -> str | None:
    if value is not None:
        # Imported here for the same reason as below.
        from zerg_visibility.demo.provider import model_name

        try:
            model_name(value)
        except ConfigurationError as error:
            raise click.BadParameter(str(error)) from error
    return value


@click.command()
@click.argument("path", type=click.Path(path_type=Path), default=Path())
@click.option(
    "--model",
    metavar="openai:NAME",
    callback=_known_model,
    help="A real chat model; OPENAI_BASE_URL names another server. [default: scripted, offline]",
)
@root_option
@click.pass_context
def demo(context: click.Context, path: Path, model: str | None, root: Path) -> None:
    """Let a concierge inspect the folder PATH and show all three tiers.

    Several commis work on real files in parallel. Nothing leaves this machine without --model.
    """
    # Imported here, since it brings in LangGraph, which no command that reads files should pay for.
    from zerg_visibility.demo.job import run_demo

    context.exit(run_demo(path, root=root, model=model, console=make_console()))
