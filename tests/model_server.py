"""A server on this machine that answers like OpenAI's, or as badly as it is told to."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SERVED = "gpt-5-mini-2026-01-01"
USAGE = {
    "prompt_tokens": 12,
    "completion_tokens": 7,
    "total_tokens": 19,
    "prompt_tokens_details": {"cached_tokens": 8},
    "completion_tokens_details": {"reasoning_tokens": 3},
}
Reply = Callable[["Exchange"], None]


class Exchange(BaseHTTPRequestHandler):
    """One request, and the means to answer it."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.asked = json.loads(body)
        self.server.asked.append(self.asked)
        self.server.reply(self)

    def log_message(self, *args: Any) -> None:
        """Say nothing."""

    def send(self, status: int, body: dict[str, Any], **headers: str) -> None:
        """Answer with JSON."""
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def send_text(self, text: str) -> None:
        """Answer with what claims to be JSON."""
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def begin_stream(self) -> None:
        """Announce a stream of events."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def event(self, data: str) -> None:
        """Send one event of the stream."""
        line = f"data: {data}\n\n".encode()
        self.wfile.write(f"{len(line):x}\r\n".encode() + line + b"\r\n")
        self.wfile.flush()

    def end_stream(self) -> None:
        """End the stream as one should."""
        self.event("[DONE]")
        self.wfile.write(b"0\r\n\r\n")

    def hang_up(self) -> None:
        """Reset the connection, as a server does that crashes."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True


class Server(ThreadingHTTPServer):
    """The server; what it was asked is kept."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, reply: Reply) -> None:
        super().__init__(("127.0.0.1", 0), Exchange)
        self.reply = reply
        self.asked: list[dict[str, Any]] = []
        self.connections = 0
        self.stopping = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def process_request(self, *accepted: Any) -> None:
        self.connections += 1
        super().process_request(*accepted)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has gone away is what some tests are about."""


@contextmanager
def serving(reply: Reply) -> Iterator[Server]:
    """Serve for a block."""
    server = Server(reply)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.stopping.set()
        server.shutdown()
        thread.join()
        server.server_close()


def answers(*messages: str | dict[str, Any], usage: dict[str, Any] | None = USAGE) -> Reply:
    """Answer in one piece, with one candidate a message; a text is one that says it."""

    def reply(exchange: Exchange) -> None:
        choices = [
            {"index": index, "message": message, "finish_reason": _reason(message)}
            for index, message in enumerate(map(_message, messages))
        ]
        body = {"id": "c", "object": "chat.completion", "created": 1, "model": SERVED}
        exchange.send(200, {**body, "choices": choices, **({"usage": usage} if usage else {})})

    return reply


def streams(
    *words: str, calls: list[dict[str, Any]] | None = None, then: Reply | None = None
) -> Reply:
    """Answer word by word, and then with calls of tools; usage comes at the end, if asked for."""

    def reply(exchange: Exchange) -> None:
        exchange.begin_stream()
        deltas = [*({"content": word} for word in words), *([{"tool_calls": calls}] * bool(calls))]
        for delta in deltas:
            exchange.event(chunk([{"index": 0, "delta": delta}]))
        if then is not None:
            then(exchange)
            return
        reason = "tool_calls" if calls else "stop"
        exchange.event(chunk([{"index": 0, "delta": {}, "finish_reason": reason}]))
        if (exchange.asked.get("stream_options") or {}).get("include_usage"):
            exchange.event(chunk([], usage=USAGE))
        exchange.end_stream()

    return reply


def fails(status: int, message: str) -> Reply:
    """Answer with an error that repeats what a careless server might repeat."""

    def reply(exchange: Exchange) -> None:
        error = {"message": message, "type": "server_error", "code": None}
        exchange.send(status, {"error": error}, X_Secret="header-of-the-answer")

    return reply


def never(exchange: Exchange) -> None:
    """Do not answer until the test is over."""
    exchange.server.stopping.wait(30)
    exchange.close_connection = True


def chunk(choices: list[dict[str, Any]], **more: Any) -> str:
    """One event of a stream."""
    body = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": SERVED}
    return json.dumps({**body, "choices": choices, **more})


def _message(given: str | dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", **({"content": given} if isinstance(given, str) else given)}


def _reason(message: dict[str, Any]) -> str:
    return "tool_calls" if message.get("tool_calls") else "stop"
