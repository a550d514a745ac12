"""`zerg-visibility doctor`: why metrics, log lines or durations are not what they should be."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

import click

from zerg_visibility.cli.checklog import check_log_file
from zerg_visibility.cli.checks import CHECKS_OF_COMMIS, OTHER_USER, examine
from zerg_visibility.cli.checkstore import check_jobs, check_outside, check_root
from zerg_visibility.cli.finding import Finding
from zerg_visibility.cli.options import json_option, root_option
from zerg_visibility.cli.output import clean, folded, make_console, on_terminal, write_json
from zerg_visibility.cli.probing import (
    check_detector,
    check_log_lines,
    check_recording,
    probe,
)
from zerg_visibility.commis_store import CommisStore
from zerg_visibility.settings import DEFAULT_LOG_PATH
from zerg_visibility.store.layout import CONCIERGE, JOBS
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
    failed = sum(finding.state == "failed" for finding in findings)
    warnings = sum(finding.state == "warning" for finding in findings)
    if as_json:
        write_json({"ok": failed == 0, "findings": [finding.to_dict() for finding in findings]})
    else:
        click.echo(f"\n{counted(len(findings), 'check')}: {failed} failed, {warnings} to look at.")
    context.exit(1 if failed else 0)


def diagnose(store: CommisStore, log: Path | None) -> Iterator[Finding]:
    """Run all checks, one after another.

    Args:
        store: The store to look at.
        log: The log file to look at; the documented one if none is given.
    """
    yield check_root(store)
    outcome = probe()
    yield check_recording(outcome)
    yield check_log_lines(outcome)
    yield check_detector(outcome)
    yield check_log_file(log or _default_log(store), asked_for=log is not None)
    try:
        yield check_outside(store)
    except OSError as error:
        yield _closed(CONCIERGE, error)
    try:
        jobs, examined = check_jobs(store), examine(store)
    except OSError as error:
        yield _closed(JOBS, error)
        return
    if examined or jobs.state != "ok":
        yield jobs
    if examined:
        for check in CHECKS_OF_COMMIS:
            yield check(examined)


def _closed(name: str, error: OSError) -> Finding:
    path = str(error.filename)
    return Finding(
        check=name,
        state="failed",
        summary=f"{path} cannot be read: {error.strerror}.",
        details=(OTHER_USER,),
        cure=f"ls -ld {shlex.quote(path)}; id",
    )


def _default_log(store: CommisStore) -> Path:
    here, below_root = Path(DEFAULT_LOG_PATH), store.root / DEFAULT_LOG_PATH
    return below_root if _is_missing(here) and not _is_missing(below_root) else here


def _is_missing(path: Path) -> bool:
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:  # it may be there, and opening it says why it cannot be read
        return False
    return False


def _print(finding: Finding) -> None:
    from rich.text import Text

    console = make_console()
    room = console.width - len(_INDENT) if on_terminal() else None
    state = (finding.state.ljust(8), _STYLES[finding.state])
    lead = Text.assemble(state, (finding.check.ljust(12), "bold"))
    for line in folded(clean(finding.summary, 1000), room):
        console.print(lead + Text(line), soft_wrap=True)
        lead = Text(_INDENT)
    for detail in finding.details:
        for line in folded(clean(detail, 1000), room):
            console.print(Text(_INDENT + line, style="dim"), soft_wrap=True)
    if finding.cure is not None:
        # Never broken, since it is there to be copied.
        console.print(Text.assemble(f"{_INDENT}try: ", (finding.cure, "cyan")), soft_wrap=True)
