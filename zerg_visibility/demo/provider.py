"""The chat model that steers a demo: the offline one, or a real one through langchain-openai."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from langchain_core.language_models import BaseChatModel

from zerg_visibility.demo.model import OfflineModel
from zerg_visibility.errors import ConfigurationError, MissingExtraError, VisibilityError
from zerg_visibility.secret_formats import redact_secrets
from zerg_visibility.words import one_line

REQUEST_TIMEOUT_S = 120.0
"""A server that says nothing for so long has failed."""


def model_name(spec: str) -> str:
    """Take the name out of `openai:NAME`.

    Raises:
        ConfigurationError: The spec has another form.
    """
    provider, _, name = spec.partition(":")
    if provider != "openai" or not name.strip():
        raise ConfigurationError(
            f"the model {one_line(spec, 80)!r} is not known; write openai:NAME, "
            f"such as openai:gpt-5-mini"
        )
    return name.strip()


def open_model(spec: str | None) -> BaseChatModel:
    """Give the model that a user asked for.

    Args:
        spec: `openai:NAME`; None for the offline model.

    Raises:
        ConfigurationError: The spec has another form, or there is no key.
        MissingExtraError: langchain-openai is not installed.
    """
    if spec is None:
        return OfflineModel()
    name = model_name(spec)
    try:
        from langchain_openai import ChatOpenAI
    except ImportError as error:
        raise MissingExtraError("a model of OpenAI or a compatible server", "openai") from error
    if not os.environ.get("OPENAI_API_KEY"):
        raise ConfigurationError(
            "OPENAI_API_KEY is not set; for a server of your own, named by OPENAI_BASE_URL, "
            "any text will do"
        )
    # Streamed, so that the records say when the first token came; usage then has to be asked for.
    return ChatOpenAI(model=name, streaming=True, stream_usage=True, timeout=REQUEST_TIMEOUT_S)


@contextmanager
def model_failures_explained(spec: str | None) -> Iterator[None]:
    """Turn the errors of a provider into one sentence.

    Raises:
        VisibilityError: The provider refused or could not be reached.
    """
    if spec is None:
        yield
        return
    from openai import OpenAIError

    try:
        yield
    except OpenAIError as error:
        said = one_line(redact_secrets(str(error)), 400)
        server = one_line(redact_secrets(os.environ.get("OPENAI_BASE_URL", "")), 200)
        raise VisibilityError(
            f"the model {one_line(spec, 80)}{f' at {server}' if server else ''} failed: "
            f"{type(error).__name__}: {said}"
        ) from error
