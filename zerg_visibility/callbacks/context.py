"""Which commis the running code belongs to: a context variable that only the wrapper sets.

A metadata marker would do too, but consumers of `stream_mode="messages"` would see it, and end
hooks get no metadata at all. A context variable is right in every start and end hook.
"""

from __future__ import annotations

from contextvars import ContextVar, Token

from zerg_visibility.callbacks.runs import CommisContext

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
