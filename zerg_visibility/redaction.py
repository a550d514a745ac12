"""Texts made safe to store: what looks like a secret is removed."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias

from zerg_visibility.faults import FaultLog

Redact: TypeAlias = Callable[[str], str]
"""Takes a text, gives the text that may be stored or logged."""

UNREDACTABLE = "[not stored: redaction failed]"

# Formats as their issuers document them: a fixed prefix is what keeps false alarms out.
_SECRETS = re.compile(
    r"""
    \b(?:sk|rk|pk)[-_](?:[A-Za-z]+[-_])*[A-Za-z0-9_-]{16,}   # OpenAI, Anthropic, Stripe
    | \b(?:AKIA|ASIA)[A-Z0-9]{16}\b                            # AWS access key id
    | \bAIza[A-Za-z0-9_-]{35}                                  # Google API key
    | \bgh[pousr]_[A-Za-z0-9]{36,}                             # GitHub
    | \bgithub_pat_[A-Za-z0-9_]{22,}
    | \bglpat-[A-Za-z0-9_-]{20,}                               # GitLab
    | \bxox[abeoprs]-[A-Za-z0-9-]{10,}                         # Slack
    | \bhf_[A-Za-z0-9]{30,}                                    # Hugging Face
    | \blsv2_[a-z]{2}_[A-Za-z0-9_]{30,}                        # LangSmith
    # JSON Web Token. It starts with the whole run of its characters, or a run of many "ey-" would
    # be read again from each of them.
    | (?<![A-Za-z0-9_-])(?=[A-Za-z0-9_-]*?ey[A-Za-z0-9_-]{10})[A-Za-z0-9_-]++
      \.ey[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}
    | -----BEGIN\ [A-Z ]*PRIVATE\ KEY-----[\s\S]*?(?:-----END\ [A-Z ]*PRIVATE\ KEY-----|\Z)
    """,
    re.VERBOSE,
)
_NAMED = re.compile(
    r"""
    (?P<name>(?:api[-_ ]?key|access[-_ ]?key|account[-_ ]?key|secret(?:[-_ ]?key)?
       |client[-_ ]?secret|passw(?:or)?d|passphrase|auth[-_ ]?token|access[-_ ]?token
       |refresh[-_ ]?token|bearer|authorization)
    ["']?(?:\s{0,20}[:=])?\s{0,20}["']?(?:(?:bearer|basic)\s{1,20})?["']?)
    (?<=[\s:="'])
    (?!\[redacted\]|(?:bearer|basic)\s)
    (?P<value>[^\s"',;&}\]]{6,})
    """,
    re.VERBOSE | re.IGNORECASE,
)
_URL_PASSWORD = re.compile(r"(?P<before>[a-z][a-z0-9+.-]{0,30}://[^\s:/@]{0,200}:)[^\s/@]{1,500}@")


def redact_secrets(text: str) -> str:
    """Replace what looks like a key, token or password by `[redacted]`.

    Covers the documented key formats of the common model providers, clouds and code hosts, JSON
    Web Tokens, private keys, passwords in URLs, and values that follow a name such as `api_key=`
    or `Authorization: Bearer`. It cannot know your own secrets: pass your own function as `redact`
    for those.

    Args:
        text: Any text.
    """
    text = _SECRETS.sub("[redacted]", text)
    text = _URL_PASSWORD.sub(r"\g<before>[redacted]@", text)
    return _NAMED.sub(r"\g<name>[redacted]", text)


def safely(redact: Redact | None, faults: FaultLog) -> Redact:
    """Give a function that redacts and never raises; on failure it withholds the text."""
    if redact is None:
        return str

    def redacted(text: str) -> str:
        try:
            changed = redact(text)
        except Exception as error:
            faults.note("redact a text", error, withheld=True)
            return UNREDACTABLE
        # A user's function may return anything, whatever its annotation says.
        return str(changed)

    return redacted
