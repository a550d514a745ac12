"""`zerg-visibility demo`: the main job, on real files, offline by default."""

from __future__ import annotations

import re
from pathlib import Path

import click

from zerg_visibility.cli.options import root_option
from zerg_visibility.cli.output import make_console
from zerg_visibility.words import one_line


@click.command()
@click.argument("path", type=click.Path(path_type=Path), default=Path())
@click.option(
    "--model",
    metavar="openai:NAME",
    help="A real chat model; OPENAI_BASE_URL names another server. [default: scripted, offline]",
)
@root_option
def demo(path: Path, model: str | None, root: Path) -> None:
    """Let a concierge inspect the folder PATH and show all three tiers.

    Several commis work on real files in parallel. Nothing leaves this machine without --model.
    """
    if model is not None and not re.fullmatch(r"openai:\S+", model):
        raise click.BadParameter(
            f"{one_line(model, 80)!r} is not known; write openai:NAME, such as openai:gpt-5-mini",
            param_hint="--model",
        )
    # Imported here, since it brings in LangGraph, which no command that reads files should pay for.
    from zerg_visibility.demo.job import run_demo

    run_demo(path, root=root, model=model, console=make_console())
