"""Who watches the same graph: this package and its peers, each set up as its guide says.

Every one of them runs in a process of its own, since most instrument LangChain globally, and sends
to a sink on loopback, if it sends at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BARE = "no handler"
FLOOR = "empty inline handler"
LINES = "handler that writes three fixed lines"
OURS = "zerg_visibility, all three tiers"
DEFAULT = "zerg_visibility, all it stores by default"
REFERENCES = frozenset({BARE, FLOOR, LINES})
"""What nobody would use, to hold the others against."""

GENAI = "opentelemetry-instrumentation-genai-langchain"
GENAI_CONTENT = "the same, message content captured"


@dataclass(slots=True)
class Watch:
    """One contender, set up.

    Args:
        handlers: What goes into the config of a run.
        wrap: Makes the agent what the concierge has as its node.
        switch_on: Starts watching.
        switch_off: Ends watching.
        flush: Waits until everything is sent.
    """

    handlers: tuple[Any, ...] = ()
    wrap: Callable[[Any], Any] = lambda graph: graph
    switch_on: Callable[[], Any] = lambda: None
    switch_off: Callable[[], Any] = lambda: None
    flush: Callable[[], Any] = lambda: None


def _bare(url: str, folder: Path) -> Watch:
    return Watch()


def _floor(url: str, folder: Path) -> Watch:
    from tests.benchmarks.floors import EmptyInlineHandler

    return Watch(handlers=(EmptyInlineHandler(),))


def _lines(url: str, folder: Path) -> Watch:
    from tests.benchmarks.floors import ThreeLinesHandler

    return Watch(handlers=(ThreeLinesHandler(folder),))


def _ours(url: str, folder: Path, capture: tuple[str, ...] = ("starts",)) -> Watch:
    from zerg_visibility import (
        CommisStore,
        VisibilityCallbackHandler,
        configure_logging,
        create_commis_node,
    )

    store = CommisStore(folder / "zerg-data")
    configure_logging(folder / "backend.log")
    return Watch(
        handlers=(VisibilityCallbackHandler(store),),
        wrap=lambda graph: create_commis_node(graph, store=store, capture=capture),
    )


def _default(url: str, folder: Path) -> Watch:
    return _ours(url, folder, ("result", "messages", "tool_outputs", "starts"))


def _langsmith(url: str, folder: Path) -> Watch:
    from langchain_core.tracers import LangChainTracer
    from langsmith import Client

    client = Client(api_url=url, api_key="loopback")
    tracer = LangChainTracer(client=client, project_name="benchmark")
    return Watch(handlers=(tracer,), flush=client.flush)


def _langfuse(url: str, folder: Path) -> Watch:
    from langfuse import Langfuse
    from langfuse.langchain import CallbackHandler

    client = Langfuse(public_key="pk-loopback", secret_key="loopback", base_url=url)
    return Watch(handlers=(CallbackHandler(public_key="pk-loopback"),), flush=client.flush)


def _instrumented(instrumentor: Any, url: str) -> Watch:
    from langchain_core.callbacks import BaseCallbackManager
    from langgraph.pregel import Pregel
    from langgraph.types import Command
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{url}/v1/traces")))
    places = [(BaseCallbackManager, "__init__"), (Pregel, "stream"), (Pregel, "astream"),
              (Command, "__init__")]  # fmt: skip
    originals = [(owner, name, owner.__dict__[name]) for owner, name in places]

    def switch_off() -> None:
        instrumentor.uninstrument()
        for owner, name, original in originals:  # some leave theirs in place
            setattr(owner, name, original)

    return Watch(
        switch_on=lambda: instrumentor.instrument(tracer_provider=provider),
        switch_off=switch_off,
        flush=provider.force_flush,
    )


def _openinference(url: str, folder: Path) -> Watch:
    from openinference.instrumentation.langchain import LangChainInstrumentor

    return _instrumented(LangChainInstrumentor(), url)


def _openllmetry(url: str, folder: Path) -> Watch:
    from opentelemetry.instrumentation.langchain import LangchainInstrumentor

    return _instrumented(LangchainInstrumentor(), url)


def _genai(url: str, folder: Path) -> Watch:
    from opentelemetry.instrumentation.genai.langchain import LangChainInstrumentor

    return _instrumented(LangChainInstrumentor(), url)


CONTENDERS: dict[str, Callable[[str, Path], Watch]] = {
    BARE: _bare,
    FLOOR: _floor,
    LINES: _lines,
    OURS: _ours,
    DEFAULT: _default,
    GENAI: _genai,
    GENAI_CONTENT: _genai,
    "LangChainTracer": _langsmith,
    "langfuse": _langfuse,
    "openinference-instrumentation-langchain": _openinference,
    "opentelemetry-instrumentation-langchain": _openllmetry,
}

MODULES = {
    GENAI: ("opentelemetry.instrumentation.genai.langchain", "langchain", "opentelemetry.sdk"),
    GENAI_CONTENT: ("opentelemetry.instrumentation.genai.langchain", "langchain"),
    "LangChainTracer": ("langsmith",),
    "langfuse": ("langfuse", "langchain"),
    "openinference-instrumentation-langchain": ("openinference.instrumentation.langchain",),
    "opentelemetry-instrumentation-langchain": ("opentelemetry.instrumentation.langchain",),
}
"""What has to be installed."""

ENVIRONMENT = {
    GENAI_CONTENT: {"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "SPAN_ONLY"},
}
"""Settings that a contender takes from the environment."""


@contextmanager
def watching(watch: Watch) -> Iterator[None]:
    """Have a contender watch for a while."""
    watch.switch_on()
    try:
        yield
    finally:
        watch.switch_off()
