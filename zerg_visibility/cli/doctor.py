"""`zerg-visibility doctor`: why metrics, log lines or durations are not what they should be."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from zerg_visibility.cli.options import json_option, root_option
from zerg_visibility.cli.output import clean, folded, make_console, on_terminal, write_json
from zerg_visibility.commis_store import CommisStore
from zerg_visibility.doctor.diagnosis import diagnose
from zerg_visibility.doctor.finding import Finding
from zerg_visibility.settings import DEFAULT_LOG_PATH
from zerg_visibility.words import counted

_STYLES = {"ok": "green", "warning": "yellow", "failed": "bold red"}
_INDENT = " " * 20


@click.command()
@click.option(
    "--log",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help=f"The log file to look at. [default: {DEFAULT_LOG_PATH}, here or below the root]",
)
@json_option
@root_option
@click.pass_context
def doctor(context: click.Context, log: Path | None, as_json: bool, root: Path) -> None:
    """Find out why metrics or log lines are missing, and say what mends it.

    Looks at the store, the latest 1,000 commis and the log file, and runs a tiny commis of its own
    in a temporary folder. The exit code is 1 if a check failed, and 0 if there are only warnings.
    """
    findings = []
    for finding in diagnose(CommisStore(root), log):
        findings.append(finding)
        if not as_json:
            _print(finding)
    states = [finding.state for finding in findings]
    failed, warnings = states.count("failed"), states.count("warning")
    if as_json:
        write_json({"ok": failed == 0, "findings": [asdict(finding) for finding in findings]})
    else:
        click.echo(f"\n{counted(len(states), 'check')}: {failed} failed, {warnings} to look at.")
    context.exit(1 if failed else 0)


def _print(finding: Finding) -> None:
    from rich.text import Text

    console = make_console()
    room = console.width - len(_INDENT) if on_terminal() else None
    state = (finding.state.ljust(8), _STYLES[finding.state])
    lead = Text.assemble(state, (finding.check.ljust(12), "bold"))
    for text, style in ((finding.summary, ""), *((detail, "dim") for detail in finding.details)):
        for line in folded(clean(text, 1000), room):
            console.print(lead + Text(line, style), soft_wrap=True)
            lead = Text(_INDENT)
    if finding.cure is not None:
        # Never broken, since it is there to be copied.
        console.print(Text.assemble(f"{_INDENT}try: ", (finding.cure, "cyan")), soft_wrap=True)
