"""What secrets look like, and how to find them in long texts without holding up the graph.

A regular expression of many alternatives tries each of them at each character, 0.4 µs a character.
Python finds fixed strings a hundred times as fast, and nearly every format has one: so that is
looked for first, and the expression is only tried where it stands.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterator, Mapping

REDACTED = "[redacted]"

# Nothing else may take a part out of these two, or the rest of them would not be found.
_PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
)
# It starts with the whole run of its characters, or a run of many "ey-" would be read again from
# each of them.
_JSON_WEB_TOKEN = re.compile(
    r"(?<![A-Za-z0-9_-])(?=[A-Za-z0-9_-]*?ey[A-Za-z0-9_-]{10})[A-Za-z0-9_-]++"
    r"\.ey[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"
)

# Formats as their issuers document them: a fixed prefix is what keeps false alarms out.
_KEYS = {
    prefix: re.compile(rf"\b(?P<kept>){re.escape(prefix)}{rest}")
    for prefixes, rest in {
        ("sk-", "sk_", "rk-", "rk_", "pk-", "pk_"): "[A-Za-z0-9_-]{16,}",  # models, Stripe
        ("AKIA", "ASIA"): r"[A-Z0-9]{16}\b",  # AWS access key ids
        ("AIza",): "[A-Za-z0-9_-]{35}",  # Google
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_"): "[A-Za-z0-9]{36,}",  # GitHub
        ("github_pat_",): "[A-Za-z0-9_]{22,}",
        ("glpat-",): "[A-Za-z0-9_-]{20,}",  # GitLab
        ("xox",): "[abeoprs]-[A-Za-z0-9-]{10,}",  # Slack
        ("hf_",): "[A-Za-z0-9]{30,}",  # Hugging Face
        ("lsv2_",): "[a-z]{2}_[A-Za-z0-9_]{30,}",  # LangSmith
    }.items()
    for prefix in prefixes
}

_URLS = {"://": re.compile(r"(?P<kept>://[^\s:/@]{0,200}:)[^\s/@]{1,500}(?=@)")}

_NAMED = re.compile(
    r"""
    (?P<kept>(?:api[-_ ]?key|access[-_ ]?key|account[-_ ]?key|secret(?:[-_ ]?key)?
       |client[-_ ]?secret|passw(?:or)?d|passphrase|auth[-_ ]?token|access[-_ ]?token
       |refresh[-_ ]?token|bearer|authorization)
    ["']?(?:\s{0,20}[:=])?\s{0,20}["']?(?:(?:bearer|basic)\s{1,20})?["']?)
    (?<=[\s:="'])
    (?!\[redacted\]|(?:bearer|basic)\s)
    (?:\[redacted\]|[^\s"',;&}\]]){6,}
    """,
    re.VERBOSE | re.IGNORECASE,
)
_NAMES = dict.fromkeys(
    ("api", "access", "account", "secret", "client", "passw", "passphrase", "auth", "refresh",
     "bearer"), _NAMED
)  # fmt: skip


def redact_secrets(text: str) -> str:
    """Replace what looks like a key, token or password by `[redacted]`.

    Covers the documented key formats of the common model providers, clouds and code hosts, JSON
    Web Tokens, private keys, passwords in URLs, and values that follow a name such as `api_key=`
    or `Authorization: Bearer`. It cannot know your own secrets: pass your own function as `redact`
    for those.

    Args:
        text: Any text.
    """
    if "-----BEGIN " in text:
        text = _PRIVATE_KEY.sub(REDACTED, text)
    if ".ey" in text:
        text = _JSON_WEB_TOKEN.sub(REDACTED, text)
    text = _without(_KEYS, text, text)
    text = _without(_URLS, text, text)
    # A long s and a dotless i are an "s" and an "i" to a regular expression that ignores case.
    folded = text.lower().replace("\u017f", "s").replace("\u0131", "i")
    if len(folded) != len(text):  # as with "\u0130": a place in the one is not that in the other
        return _NAMED.sub(rf"\g<kept>{REDACTED}", text)
    return _without(_NAMES, text, folded)


def _without(patterns: Mapping[str, re.Pattern[str]], text: str, folded: str) -> str:
    """Replace what patterns, by the fixed strings they begin with, match but do not call `kept`."""
    there = [beginning for beginning in patterns if beginning in folded]
    if not there:
        return text
    parts: list[str] = []
    done = 0
    for place, beginning in heapq.merge(*(_places(folded, one) for one in there)):
        found = patterns[beginning].match(text, place) if place >= done else None
        if found is not None:
            parts += (text[done : found.end("kept")], REDACTED)
            done = found.end()
    return "".join((*parts, text[done:]))


def _places(text: str, wanted: str) -> Iterator[tuple[int, str]]:
    """Give every place at which a string stands in a text, with the string."""
    place = text.find(wanted)
    while place >= 0:
        yield place, wanted
        place = text.find(wanted, place + 1)
