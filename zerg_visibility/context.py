"""Which commis the running code belongs to: a context variable that only the wrapper sets.

A metadata marker would do too, but consumers of `stream_mode="messages"` would see it, and end
hooks get no metadata at all. A context variable is right in every start and end hook.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zerg_visibility.callbacks.runs import OpenCall, RootRun, RunId
    from zerg_visibility.callbacks.tracker import Tracker
    from zerg_visibility.journal import Journal


class CommisContext:
    """One segment of a commis, as the callback handler sees it.

    Args:
        commis_id: The commis; None if not even a name could be given to it.
        attempt: 1, or more if the commis was started again after a failure.
        span_id: 16 hex digits of this segment's span.
        root: The root run that it belongs to.
        journal: Where records of its calls go.
        owner: The tracker of the handler that writes them; others may watch too, but must not write
            them twice.
    """

    __slots__ = (
        "attempt",
        "commis_id",
        "ended",
        "inner_error",
        "interrupted",
        "journal",
        "on_late_record",
        "open_calls",
        "output",
        "owner",
        "root",
        "run_id",
        "span_id",
        "watchers",
    )

    def __init__(
        self,
        *,
        commis_id: str | None,
        attempt: int,
        span_id: str,
        root: RootRun,
        journal: Journal,
        owner: Tracker,
    ) -> None:
        self.commis_id = commis_id
        self.attempt = attempt
        self.span_id = span_id
        self.root = root
        self.journal = journal
        self.owner = owner
        self.run_id: RunId | None = None
        """LangChain's id of the commis's own graph run, once it has started."""
        self.output: Any = None
        """What that run returned."""
        self.inner_error: BaseException | None = None
        """The last error that came from a run inside of it, rather than from its own limits."""
        self.interrupted = False
        """Whether its graph stopped to wait for a human without raising."""
        self.ended = False
        self.on_late_record: Callable[[], None] | None = None
        """Called for each record that comes after the segment has ended."""
        self.watchers: set[Any] = set()
        """The trackers of other handlers that see its events too."""
        self.open_calls: set[OpenCall] = set()


current_commis: ContextVar[CommisContext | None] = ContextVar(
    "zerg_visibility_commis", default=None
)


class InsideCommis:
    """Marks what runs inside a `with` as a commis's; may be entered again and again.

    No `@contextmanager`, which takes two and a half times as long: this is entered for every chunk
    of a stream.

    Args:
        commis: The segment at work.
    """

    __slots__ = ("_commis", "_token")

    def __init__(self, commis: CommisContext) -> None:
        self._commis = commis
        self._token: Token[CommisContext | None] | None = None

    def __enter__(self) -> None:
        self._token = current_commis.set(self._commis)

    def __exit__(self, *_: object) -> None:
        token, self._token = self._token, None
        try:
            if token is not None:
                current_commis.reset(token)
        except ValueError:
            # A stream that its reader abandoned is finished by the garbage collector, in a context
            # of its own, where there is nothing to put back.
            pass
