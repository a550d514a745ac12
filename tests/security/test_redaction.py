"""redact_secrets knows the common formats, spares what is none, and cannot be made to hang."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.security.names import examples, hostile_texts
from zerg_visibility import redact_secrets

WORD = "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7" * 4

SECRETS = {
    "OpenAI": f"sk-{WORD[:48]}",
    "OpenAI project": f"sk-proj-{WORD[:60]}",
    "OpenAI service account": f"sk-svcacct-{WORD[:60]}",
    "Anthropic": f"sk-ant-api03-{WORD[:90]}",
    "OpenRouter": f"sk-or-v1-{'0a1b2c3d' * 8}",
    "Stripe": f"sk_live_{WORD[:24]}",
    "AWS access key id": "AKIAIOSFODNN7EXAMPLE",
    "AWS temporary key id": "ASIAIOSFODNN7EXAMPLE",
    "Google": f"AIza{WORD[:35]}",
    "GitHub": f"ghp_{WORD[:36]}",
    "GitHub fine-grained": f"github_pat_{WORD[:22]}_{WORD[:59]}",
    "GitLab": f"glpat-{WORD[:20]}",
    "Slack": "xoxb-123456789012-123456789012-abcdefghijklmnopqrstuvwx",
    "Hugging Face": f"hf_{WORD[:34]}",
    "LangSmith": f"lsv2_pt_{'0a1b2c3d' * 4}_{'0a1b2c3d5e'}",
    "JSON Web Token": f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.{WORD[:43]}",
    "private key": f"-----BEGIN RSA PRIVATE KEY-----\n{WORD}\n-----END RSA PRIVATE KEY-----",
    "cut private key": f"-----BEGIN PRIVATE KEY-----\n{WORD}",
    "password in a URL": "postgres://admin:s3cr3t-Passw0rd@db.example.com/x",
    "named key": f"api_key={WORD[:20]}",
    "named key in JSON": f'{{"api_key": "{WORD[:20]}"}}',
    "header": f"Authorization: Bearer {WORD[:30]}",
    "header in a dict": f"{{'authorization': 'Bearer {WORD[:30]}'}}",
    "x-api-key header": f"x-api-key: {WORD[:30]}",
    "basic authentication": "Authorization: Basic dXNlcjpwYXNzd29yZA==",
    "password": "password: hunter2-hunter2",
    "AWS secret": f"aws_secret_access_key = {WORD[:40]}",
    "environment": f"OPENAI_API_KEY={WORD[:30]}",
    "Azure": f"AccountKey={WORD[:86]}==",
}
OTHER_CORES = (
    "hunter2", "s3cr3t", "dXNlcjpwYXNz", "IOSFODNN7", "abcdefghijklmnop", "0a1b2c3d0a",
)  # fmt: skip
KEPT = {"password in a URL": ("postgres://admin:", "@db.example.com/x")}

HARMLESS = [
    "The result is 42.",
    "The task is risk-free; the ask-me-anything was on Tuesday.",
    "2025-12-15T04-08-08_calculate-7-6",
    "0123456789abcdef0123456789abcdef",
    "https://example.com:8080/path?x=1#frag",
    "You need a password to log in.",
    "The secret of good bread is time.",
    "class TokenBucket: pass",
    "total_tokens=1323 prompt_tokens=1234",
    "",
]


@pytest.mark.parametrize("kind", SECRETS)
def test_a_secret_is_replaced(kind):
    secret = SECRETS[kind]
    redacted = redact_secrets(f"before {secret} after")
    assert "[redacted]" in redacted
    hidden = [secret[n : n + 12] for n in range(len(secret) - 12) if WORD[:12] in secret[n:]]
    core = WORD[3:15]
    assert core not in redacted, redacted
    assert hidden == [] or not all(part in redacted for part in hidden)
    for part in KEPT.get(kind, ()):
        assert part in redacted
    for part in OTHER_CORES:
        assert part not in redacted, redacted


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_no_secret_stays(text):
    assert redact_secrets(text) == text


@pytest.mark.parametrize("kind", SECRETS)
def test_redacting_again_changes_nothing(kind):
    once = redact_secrets(SECRETS[kind])
    assert redact_secrets(once) == once


GROWING = [
    "a", " ", "\n", "-", "_", "=", ":", ".", "/", "@", "://", "a://", "a:", "sk-", "sk_a-", "a-",
    "ey", "ey-", "-ey_", "eyJ.", "ey0123456789.", "ey0123456789-.ey-",
    "-----BEGIN ", "-----BEGIN A", "-----BEGIN PRIVATE KEY-----",
    "api_key", "api_key ", "api_key=", "password ", "password: ", "bearer ",
    "authorization: bearer ", "authorization ", '"', "'", "secret ", "xoxb-", "hf_", "ghp_", "AKIA",
    "AIza", "lsv2_pt_", "A ", "http://a:", "a+", "a.b-", "%", "\u200b",
]  # fmt: skip
BEGINNINGS = [
    "", "sk-", "password", "api_key", "authorization: bearer", "-----BEGIN ", "a://", "ey",
]  # fmt: skip


def seconds(text: str) -> float:
    began = time.process_time()
    redact_secrets(text)
    return time.process_time() - began


@pytest.mark.parametrize("beginning", BEGINNINGS)
def test_time_grows_with_the_text_and_no_faster(beginning):
    """Four times the text in at most eight times the time: twice what is linear, half of n²."""
    slow = []
    for piece in GROWING:
        short, long = (beginning + piece * (size // len(piece)) + "!" for size in (1_500, 6_000))
        if seconds(long) < 0.02:
            continue  # whatever it grows like, it is far from hanging
        ratio = min(seconds(long) for _ in range(3)) / min(seconds(short) for _ in range(3))
        if ratio > 8:
            slow.append((piece, round(ratio)))
    assert slow == []


@pytest.mark.parametrize("piece", GROWING)
def test_a_megabyte_of_beginnings_is_read_soon(piece):
    text = piece * (1_000_000 // len(piece)) + "!"
    # Generous, for a machine that is busy: what reads it again from each beginning takes an hour.
    assert seconds(text) < 60


def test_a_token_is_found_behind_other_characters_of_its_kind():
    token = SECRETS["JSON Web Token"]
    for before in ("token-", "token_", "key-eye-", "x=", "a.b."):
        assert "eyJ" not in redact_secrets(f"{before}{token} after")
    assert redact_secrets("hey-there-everybody.eyes-of-the-world") == (
        "hey-there-everybody.eyes-of-the-world"
    )


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        (f"{SECRETS['OpenAI']}{SECRETS['private key']}", "[redacted][redacted]"),
        (f"{SECRETS['Slack']}{SECRETS['JSON Web Token']}", "[redacted]"),
        (f"secret={SECRETS['private key']}", "secret=[redacted]"),
        (f"sk-short{SECRETS['password in a URL']}", "sk-shortpostgres://admin:[redacted]@db.example.com/x"),
        ("password=x://u:pa,ss@h", "password=[redacted]"),
        (f"two: {SECRETS['GitHub']}, {SECRETS['GitLab']}", "two: [redacted], [redacted]"),
        (f"sk_{WORD[:8]}-sk-{WORD[:20]}", "[redacted]"),
    ],
)  # fmt: skip
def test_secrets_side_by_side_do_not_shield_each_other(text, redacted):
    assert redact_secrets(text) == redacted


@pytest.mark.parametrize("name", ["PASSWORD", "Pa\u017f\u017fword", "ap\u0131_\u212aey"])
@pytest.mark.parametrize("before", ["", "\u0130stanbul: ", "na\u00efve: "])
def test_a_name_counts_in_every_spelling_and_neighbourhood(name, before):
    assert redact_secrets(f"{before}{name}=hunter2-hunter2") == f"{before}{name}=[redacted]"


@examples()
@given(pieces=st.lists(st.sampled_from([*SECRETS.values(), *GROWING])), text=hostile_texts)
def test_any_text_can_be_redacted(pieces, text):
    assert isinstance(redact_secrets(text.join(pieces)), str)
