"""An error as one line: with its cause, without what must not be told."""

from __future__ import annotations

import errno
import itertools

import pytest

from zerg_visibility.errortext import error_text

REFUSED = f"[Errno {errno.ECONNREFUSED}] Connection refused"


def raised(*chain: BaseException, hidden: bool = False) -> BaseException:
    """Chain errors, the outermost first; the last link is explicit unless it is to be hidden."""
    for outer, inner in itertools.pairwise(chain):
        outer.__cause__ = inner
    if hidden:
        chain[-2].__cause__, chain[-2].__context__ = None, chain[-1]
        chain[-2].__suppress_context__ = True
    return chain[0]


def refused() -> OSError:
    return OSError(errno.ECONNREFUSED, "Connect call failed ('127.0.0.1', 1)")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("bad"), "ValueError: bad"),
        (raised(ValueError("bad"), refused()), f"ValueError: bad {REFUSED}"),
        (raised(ValueError(), refused()), f"ValueError: {REFUSED}"),
        (raised(ValueError("a"), KeyError("b"), refused()), f"ValueError: a {REFUSED}"),
        (
            raised(ValueError("a"), ExceptionGroup("b", [refused(), TypeError()])),
            f"ValueError: a {REFUSED}",
        ),
        (raised(ValueError(f"a: {REFUSED}"), refused()), f"ValueError: a: {REFUSED}"),
        # Whoever writes `from None` means it.
        (raised(ValueError("a"), refused(), hidden=True), "ValueError: a"),
        # A file's name may be what a model asked for.
        (
            raised(ValueError("a"), FileNotFoundError(errno.ENOENT, "No such file", "secret")),
            f"ValueError: a [Errno {errno.ENOENT}] No such file",
        ),
        # Any other text may hold anything; its type is told if it is another error.
        (raised(ValueError("a"), RuntimeError("Bearer secret")), "ValueError: a (RuntimeError)"),
        (raised(ValueError("a"), TypeError("a"), KeyError("b")), "ValueError: a (KeyError)"),
    ],
)
def test_an_error_is_told_with_its_cause(error, text):
    assert error_text(error) == text


def test_what_was_being_handled_counts_as_well():
    def fail() -> None:
        try:
            raise refused()
        except OSError:
            raise ValueError("a")  # noqa: B904 - that is the case

    with pytest.raises(ValueError, match="a") as caught:
        fail()
    assert error_text(caught.value) == f"ValueError: a {REFUSED}"


def test_a_chain_in_a_circle_ends():
    first, second = ValueError("a"), ValueError("a")
    first.__cause__, second.__cause__ = second, first
    assert error_text(first) == "ValueError: a"


def test_a_long_message_leaves_room_for_the_cause():
    text = error_text(raised(ValueError("x" * 10_000), refused()))
    assert len(text) == 500
    assert text.endswith(f"x… {REFUSED}")


def test_the_cause_is_redacted_and_one_line():
    inner = OSError(-2, "no host\nmy-secret.internal")
    text = error_text(raised(ValueError("a"), inner), lambda text: text.replace("my-secret", "*"))
    assert text == "ValueError: a [Errno -2] no host *.internal"


def test_a_cause_without_a_text_costs_nothing():
    class Odd(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text")

    assert error_text(raised(ValueError("a"), Odd())) == "ValueError: a"
