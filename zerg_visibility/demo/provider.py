"""A real chat model for the demo, through langchain-openai."""

from __future__ import annotations

import os

from langchain_core.language_models import BaseChatModel

from zerg_visibility.errors import ConfigurationError, MissingExtraError, VisibilityError
from zerg_visibility.secret_formats import redact_secrets
from zerg_visibility.words import one_line


def open_model(spec: str) -> BaseChatModel:
    """Give the model that a user asked for as `openai:NAME`.

    Raises:
        ConfigurationError: There is no key, or langchain-openai is not installed.
    """
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
    name = spec.partition(":")[2]
    return ChatOpenAI(model=name, streaming=True, stream_usage=True, timeout=120.0)


def model_failed(spec: str, error: Exception) -> VisibilityError | None:
    """Put an error of the provider, who refused or could not be reached, into one sentence."""
    if "openai" not in {kind.__module__.partition(".")[0] for kind in type(error).__mro__}:
        return None
    server = one_line(redact_secrets(os.environ.get("OPENAI_BASE_URL", "")), 200)
    return VisibilityError(
        f"the model {one_line(spec, 80)}{f' at {server}' if server else ''} failed: "
        f"{type(error).__name__}: {one_line(redact_secrets(str(error)), 400)}"
    )
