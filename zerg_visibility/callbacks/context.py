"""Which commis the running code belongs to: context variables that only the wrapper sets.

A metadata marker would do too, but consumers of `stream_mode="messages"` would see it, and end
hooks get no metadata at all. A context variable is right in every start and end hook.
"""

from __future__ import annotations

from contextvars import ContextVar, Token

from langchain_core.callbacks import BaseCallbackHandler, BaseCallbackManager
from langchain_core.runnables.config import var_child_runnable_config
from langchain_core.tracers.context import register_configure_hook

from zerg_visibility.callbacks.runs import ActiveSegment, RunId

current_commis: ContextVar[ActiveSegment | None] = ContextVar(
    "zerg_visibility_commis", default=None
)

handler_of_commis: ContextVar[BaseCallbackHandler | None] = ContextVar(
    "zerg_visibility_handler_of_commis", default=None
)
"""The handler that writes for that commis.

Callbacks of one's own, as in `model.invoke(x, {"callbacks": [other]})`, take the place of those
that a call would inherit. LangChain adds what it finds here wherever this very handler is missing.
"""

# Without a class: another handler of the same one would do as well for LangChain, not for us.
register_configure_hook(handler_of_commis, inheritable=True)


def ambient_run_id() -> RunId | None:
    """Give the run that the running code is inside of, as LangChain's own context names it.

    Where somebody stands between a node and its calls, LangSmith's `@traceable` or callbacks of
    one's own, a call is told a parent that no handler has seen, or none; this one is still right.
    """
    callbacks = (var_child_runnable_config.get() or {}).get("callbacks")
    if isinstance(callbacks, BaseCallbackManager) and callbacks.parent_run_id is not None:
        return callbacks.parent_run_id.int
    return None


class InsideCommis:
    """Marks what runs inside a `with` as a commis's; may be entered again and again.

    No `@contextmanager`, which takes two and a half times as long: this is entered for every chunk
    of a stream.
    """

    _tokens: tuple[Token[ActiveSegment | None], Token[BaseCallbackHandler | None]] | None = None

    def __init__(self, commis: ActiveSegment, handler: BaseCallbackHandler) -> None:
        self._commis = commis
        self._handler = handler

    def __enter__(self) -> None:
        self._tokens = current_commis.set(self._commis), handler_of_commis.set(self._handler)

    def __exit__(self, *_: object) -> None:
        tokens, self._tokens = self._tokens, None
        try:
            if tokens is not None:
                current_commis.reset(tokens[0])
                handler_of_commis.reset(tokens[1])
        except ValueError:
            # A stream that its reader abandoned is finished by the garbage collector, in a context
            # of its own, where there is nothing to put back.
            pass
