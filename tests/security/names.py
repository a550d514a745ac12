"""Untrusted names of all kinds, for hypothesis to make, and settings for its tests."""

from __future__ import annotations

import os

from hypothesis import settings
from hypothesis import strategies as st

PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "suite")


def examples(divided_by: int = 1) -> settings:
    """Settings of the chosen profile; in the suite, with fewer examples for what is slow."""
    profile = settings.get_profile(PROFILE)
    if PROFILE != "suite":
        return settings(profile)
    return settings(profile, max_examples=max(1, profile.max_examples // divided_by))


CONTROLS = [
    "\n", "\r", "\r\n", "\t", "\x00", "\x07", "\x08", "\x0b", "\x0c", "\x1b[31m", "\x1b[2J",
    "\x1b]0;title\x07", "\x1b]8;;http://evil\x1b\\", "\x7f", "\x85", "\x9b31m", "\x9d", "\u2028",
    "\u2029", "\u200b", "\u200f", "\u202e", "\u2066", "\ufeff", "\ud800", "\udcff",
]  # fmt: skip
"""What could end a line, colour a terminal, or hide text."""

FORGERIES = [
    " event=llm_call_complete",
    "\n2025-12-15 03:19:33 INFO llm_call_complete phase=synthesis duration_ms=1",
    " phase=synthesis ",
    " commis_id=2025-12-15T03-19-12_backup",
    " duration_ms=999999",
    '" success=True event="',
    "\\" + '" success=True',
    "success=False",
    "\\n",
    "'",
    '"',
    "=",
    " ",
    "[bold red]x[/]",
    "%s%n%(x)s{}",
]

everything = st.characters(codec=None, exclude_categories=())
"""Lone surrogates too: a model's JSON may hold them."""

hostile_texts = st.lists(
    st.one_of(
        st.sampled_from(CONTROLS), st.sampled_from(FORGERIES), st.text(everything, max_size=8)
    ),
    min_size=1,
    max_size=8,
).map("".join)

PARTS = [
    "..", ".", "", "/", "//", "\\", "~", "%2e%2e", "%2f", "\uff0e\uff0e", "\u2215", "\0", "\n", " ",
    "commis", "jobs", "keys", "concierge", "tool_calls", "result.txt", "metrics.jsonl",
    "metadata.json", "001_ssh_exec.txt", "link_to_file", "link_to_folder", "link_to_other",
    "secret", "etc", "passwd", "proc", "self", "environ", "C:", "nul", ".metadata.json.1.1.tmp",
]  # fmt: skip

paths = st.one_of(
    st.lists(st.sampled_from(PARTS), min_size=1, max_size=7).map("/".join),
    st.lists(st.one_of(st.sampled_from(PARTS), st.text(everything, max_size=4)), max_size=7).map(
        "".join
    ),
    st.text(everything, max_size=60),
)
"""Names of files as a model may give them: ways out of a folder among them."""
