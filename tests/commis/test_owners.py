"""Whose a commis is: told beforehand, by the run's config, or not at all."""

from __future__ import annotations

from tests.scenarios.parts import ScriptedModel, agent
from tests.scripted import run
from zerg_visibility import ConciergeToolkit, create_commis_node


def worker():
    return agent(ScriptedModel(script=["The result is 42."]))


def visible(store, owner):
    tools = {tool.name: tool for tool in ConciergeToolkit(store=store, owner_id=owner).get_tools()}
    return tools["list_commis"].invoke({}).count("\njob ")


def test_the_owner_may_come_from_the_config_of_the_run(store, handler):
    node = create_commis_node(
        worker(), store=store, owner_id=lambda config: config["configurable"]["user"]
    )
    for user in ("alice", "bob", "alice"):
        run(node, "Calculate 7*6", handler, configurable={"user": user})
    assert [visible(store, owner) for owner in ("alice", "bob", None)] == [2, 1, 0]
    assert handler.stats.failures == 0


def test_a_commis_whose_owner_cannot_be_told_is_nobodys(store, handler):
    node = create_commis_node(
        worker(), store=store, owner_id=lambda config: config["configurable"]["user"]
    )
    state = run(node, "Calculate 7*6", handler)
    assert state["messages"][-1].text == "The result is 42."
    assert [visible(store, owner) for owner in ("alice", None)] == [0, 0]
    assert next(store.recent()).owner_id == "[owner unknown]"
    assert handler.stats.failures == 1
