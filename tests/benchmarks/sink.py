"""A server on loopback that takes what tracing clients send, and can count the calls in it."""

from __future__ import annotations

import gzip
import io
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

INFO = {
    "version": "0.13.0",
    "instance_flags": {"zstd_compression_enabled": True},
    "batch_ingest_config": {
        "use_multipart_endpoint": True,
        "size_limit": 100,
        "size_limit_bytes": 20_971_520,
        "scale_up_nthreads_limit": 16,
        "scale_up_qsize_trigger": 1000,
    },
}
"""What a LangSmith server says of itself."""

KINDS = {
    ("langfuse.observation.type", "generation"),
    ("langfuse.observation.type", "tool"),
    ("openinference.span.kind", "LLM"),
    ("openinference.span.kind", "TOOL"),
    ("traceloop.span.kind", "tool"),
    ("gen_ai.operation.name", "chat"),
    ("gen_ai.operation.name", "execute_tool"),
}
"""Attributes by which a span shows itself as a model or tool call."""

_ENDED_RUN = re.compile(rb'name="(post|patch)\.([0-9a-f-]{36})"[^{]*(\{[^\r\n]*\})')


class Sink:
    """What arrived.

    Args:
        keeping: Whether to keep bodies, so that calls can be counted.
    """

    def __init__(self, keeping: bool) -> None:
        self.keeping = keeping
        self.requests = 0
        self.bytes = 0
        self.url = ""
        self._bodies: list[tuple[str, str, bytes]] = []
        self._lock = threading.Lock()

    def take(self, path: str, encoding: str, body: bytes) -> None:
        """Note one request."""
        with self._lock:
            self.requests += 1
            self.bytes += len(body)
            if self.keeping:
                self._bodies.append((path, encoding, body))

    def calls(self) -> int:
        """Count the finished model and tool calls in everything that arrived."""
        with self._lock:
            bodies = list(self._bodies)
        found: set[bytes] = set()
        for path, encoding, body in bodies:
            plain = _unpacked(encoding, body)
            found.update(_spans(plain) if path.endswith("/traces") else _runs(plain))
        return len(found)


def _unpacked(encoding: str, body: bytes) -> bytes:
    if encoding == "gzip":
        return gzip.decompress(body)
    if encoding == "zstd":
        import zstandard

        return zstandard.ZstdDecompressor().stream_reader(io.BytesIO(body)).read()
    return body


def _spans(body: bytes) -> Iterator[bytes]:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                if any((a.key, a.value.string_value) in KINDS for a in span.attributes):
                    yield span.span_id


def _runs(body: bytes) -> Iterator[bytes]:
    """LangSmith sends a run when it begins and again when it ends, or both as one."""
    for match in _ENDED_RUN.finditer(body):
        run: dict[str, Any] = json.loads(match[3])
        if run.get("end_time") and run.get("run_type") in {"llm", "tool"}:
            yield match[2]


@contextmanager
def serve(*, keeping: bool = False) -> Iterator[Sink]:
    """Run a sink on a free port of loopback."""
    sink = Sink(keeping)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self, status: int, data: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_GET(self) -> None:
            self._answer(200, json.dumps(INFO).encode(), "application/json")

        def do_POST(self) -> None:
            sink.take(self.path, self.headers.get("Content-Encoding", ""), self._body())
            if self.path.endswith("/traces"):
                self._answer(200, b"", "application/x-protobuf")
            else:
                self._answer(202, b"{}", "application/json")

        do_PATCH = do_POST

        def _body(self) -> bytes:
            if "chunked" not in self.headers.get("Transfer-Encoding", ""):
                return self.rfile.read(int(self.headers.get("Content-Length", 0)))
            parts: list[bytes] = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *args: Any) -> None:
            """A client that was killed in mid-request is what the kill table is about."""

    server = Server(("127.0.0.1", 0), Handler)
    sink.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield sink
    finally:
        server.shutdown()
        server.server_close()
