"""A server that speaks OpenAI's chat completions, for the real ChatOpenAI to talk to."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from langchain_core.messages import convert_to_messages

from zerg_visibility.demo.script import next_message

SERVED_MODEL = "gpt-demo-2026-01-01"
USAGE = {
    "prompt_tokens": 100,
    "completion_tokens": 20,
    "total_tokens": 120,
    "prompt_tokens_details": {"cached_tokens": 64},
    "completion_tokens_details": {"reasoning_tokens": 8},
}


class ChatServer(ThreadingHTTPServer):
    """Answers by the offline model's rules, or, if `status` is set, with an error."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = 200
        self.refuses_tools = False
        self.requests: list[dict[str, Any]] = []
        self.connections = 0

    def process_request(self, *accepted: Any) -> None:
        self.connections += 1
        super().process_request(*accepted)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


@contextmanager
def serving() -> Iterator[ChatServer]:
    with ChatServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: ChatServer

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append(request)
        if self.path != "/v1/chat/completions":
            self._json(404, {"error": {"message": "no such path"}})
        elif self.server.status != 200:
            message = f"refused with {self.server.status}, key {self.headers['Authorization']}"
            self._json(self.server.status, {"error": {"message": message, "type": "refused"}})
        elif request.get("stream"):
            self._stream(request, self._message(request))
        else:
            message = self._message(request)
            choice = {"index": 0, "message": message, "finish_reason": _reason(message)}
            self._json(200, {**_frame("chat.completion"), "choices": [choice], "usage": USAGE})

    def log_message(self, *_: object) -> None:
        """Keep standard error for what is tested."""

    def _message(self, request: dict[str, Any]) -> dict[str, Any]:
        if self.server.refuses_tools:
            return {"role": "assistant", "content": "I would rather not."}
        said = next_message(convert_to_messages(request["messages"]))
        message: dict[str, Any] = {"role": "assistant", "content": said.text}
        if said.tool_calls:
            assert {call["name"] for call in said.tool_calls} <= {
                tool["function"]["name"] for tool in request["tools"]
            }
            message["tool_calls"] = [
                {
                    "index": number,
                    "id": call["id"],
                    "type": "function",
                    "function": {"name": call["name"], "arguments": json.dumps(call["args"])},
                }
                for number, call in enumerate(said.tool_calls)
            ]
        return message

    def _json(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _stream(self, request: dict[str, Any], message: dict[str, Any]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for word in message["content"].split(" "):
            self._chunk([{"index": 0, "delta": {"content": f"{word} "}, "finish_reason": None}])
        if "tool_calls" in message:
            delta = {"tool_calls": message["tool_calls"]}
            self._chunk([{"index": 0, "delta": delta, "finish_reason": None}])
        self._chunk([{"index": 0, "delta": {}, "finish_reason": _reason(message)}])
        if request.get("stream_options", {}).get("include_usage"):
            self._chunk([], usage=USAGE)
        self.wfile.write(b"data: [DONE]\n\n")

    def _chunk(self, choices: list[dict[str, Any]], **more: Any) -> None:
        body = {**_frame("chat.completion.chunk"), "choices": choices, **more}
        self.wfile.write(b"data: " + json.dumps(body).encode() + b"\n\n")
        self.wfile.flush()


def _frame(kind: str) -> dict[str, Any]:
    return {"id": "chatcmpl-1", "object": kind, "created": 1, "model": SERVED_MODEL}


def _reason(message: dict[str, Any]) -> str:
    return "tool_calls" if "tool_calls" in message else "stop"
