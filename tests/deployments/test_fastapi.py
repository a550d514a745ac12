"""FastAPI on a real uvicorn: the owner comes with the request, and clients go away in between."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from langgraph.config import get_stream_writer
from langgraph.graph import START, MessagesState, StateGraph

from tests.scripted import calculator, says, scripted
from zerg_visibility import ConciergeToolkit, create_commis_node

CLIENTS = 10
LATE_CALLS = 4


def owner(config: Any) -> Any:
    return config["configurable"]["user_id"]


@asynccontextmanager
async def served(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Serve an application on loopback, and give a client of it."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(100)
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", ws="none", lifespan="off"))
        serving = asyncio.create_task(server.serve([listener]))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        try:
            async with httpx.AsyncClient(base_url=url, timeout=30) as client:
                yield client
        finally:
            server.should_exit = True
            await serving


def given(user: str, handler: Any) -> tuple[Any, Any]:
    return {"messages": [("user", f"Calculate for {user}.")]}, {
        "configurable": {"user_id": user}, "callbacks": [handler],
    }  # fmt: skip


async def test_each_request_has_the_commis_of_its_user(store, handler):
    node = create_commis_node(calculator(), store=store, owner_id=owner)
    graph = StateGraph(MessagesState).add_node("work", node).add_edge(START, "work").compile()
    [read, *_] = ConciergeToolkit(store=store, owner_id=owner).get_tools()
    app = FastAPI()

    @app.post("/tasks/{user}")
    async def work(user: str) -> str:
        state = await graph.ainvoke(*given(user, handler))
        return str(state["messages"][-1].text)

    @app.get("/jobs/{job_id}/{user}")
    async def job(job_id: str, user: str) -> str:
        return str(await read.ainvoke({"job_id": job_id}, {"configurable": {"user_id": user}}))

    users = [f"user-{number}" for number in range(CLIENTS)]
    async with served(app) as client:
        answers = await asyncio.gather(*(client.post(f"/tasks/{user}") for user in users))
        assert {answer.json() for answer in answers} == {"The result is 42."}
        jobs = {str(job.job_id): job.owner_id for job in store.recent()}
        assert sorted(jobs.values()) == sorted(users)
        for number, user in jobs.items():
            own = await client.get(f"/jobs/{number}/{user}")
            assert own.json().startswith(f"Result from commis job {number} ")
            other = await client.get(f"/jobs/{number}/somebody-else")
            assert other.json().startswith(f"Error: Commis job {number} not found")
    assert handler.stats.failures == 0


async def test_calls_after_a_client_has_gone_stay_with_their_run(store, handler, memory_sink):
    """LangGraph lets a node go on whose reader has gone, and its root run has ended by then."""
    gone, ended = asyncio.Semaphore(0), asyncio.Semaphore(0)
    may_go_on = asyncio.Event()
    model = scripted(says("Thinking."), repeat=True)

    async def think(state: MessagesState) -> dict[str, Any]:
        try:
            await model.ainvoke(state["messages"])
            get_stream_writer()("begun")
            await may_go_on.wait()
            for _ in range(LATE_CALLS):
                await model.ainvoke(state["messages"])
            return {"messages": [says("Done.")]}
        finally:
            ended.release()

    graph = StateGraph(MessagesState).add_node("think", think).add_edge(START, "think").compile()
    app = FastAPI()

    @app.get("/stream/{user}")
    async def stream(user: str) -> StreamingResponse:
        async def lines() -> AsyncIterator[str]:
            try:
                async for chunk in graph.astream(*given(user, handler), stream_mode="custom"):
                    yield f"{chunk}\n"
            finally:
                gone.release()

        return StreamingResponse(lines())

    async with served(app) as client:
        for number in range(CLIENTS):
            async with client.stream("GET", f"/stream/user-{number}") as response:
                assert await anext(response.aiter_lines()) == "begun"
        async with asyncio.timeout(30):
            for _ in range(CLIENTS):
                await gone.acquire()
            may_go_on.set()
            for _ in range(CLIENTS):
                await ended.acquire()

    assert handler.stats.failures == 0
    calls = [record for record in memory_sink.records if record.event == "llm_call"]
    traces = [call.trace_id for call in calls]
    assert sorted(map(traces.count, set(traces))) == CLIENTS * [1 + LATE_CALLS]
    assert len(list((store.root / "concierge").iterdir())) == CLIENTS
