"""What holds connections is used by the process that opened it; whoever sends it elsewhere is told what to do."""

import copy
import dataclasses
import pickle
from functools import partial
from multiprocessing.reduction import ForkingPickler

import pytest

from langgraph_agentmem import (
    AgentMemory,
    AgentMemoryMiddleware,
    AgentMemorySaver,
    AgentMemorySettings,
    AgentMemoryStore,
    MemoryWorker,
)
from langgraph_agentmem.errors import ConfigurationError
from langgraph_agentmem.projection import GraphProjector, Neo4jDatabase

DSN = "postgresql://agent:correct-horse@db.example.org/agents"
HANDLES = {
    "memory": lambda memory: memory,
    "a method": lambda memory: partial(memory.search, "alice"),
    "store": AgentMemoryStore,
    "saver": AgentMemorySaver,
    "worker": MemoryWorker,
    "middleware": AgentMemoryMiddleware,
    "retriever": lambda memory: memory.as_retriever("alice"),
    "runs": lambda memory: memory.runs,
    "queue": lambda memory: memory.queue,
    "graph": lambda memory: memory.graph,
    "within a value": lambda memory: {"of the state": [memory]},
    "neo4j": lambda memory: Neo4jDatabase("bolt://localhost"),
    "projector": lambda memory: GraphProjector.open(DSN, neo4j=Neo4jDatabase("bolt://localhost")),
}


@pytest.mark.parametrize("handle", HANDLES)
@pytest.mark.parametrize("send", [pickle.dumps, copy.deepcopy])
def test_it_goes_to_no_other_process_and_has_no_second_of_its_kind(handle, send) -> None:
    with pytest.raises(ConfigurationError, match="open it in each process that needs it, by its connection") as refused:
        send(HANDLES[handle](AgentMemory.open(DSN)))
    assert "correct-horse" not in str(refused.value)


def test_processes_of_multiprocessing_are_told_so_too() -> None:
    with pytest.raises(ConfigurationError, match=r"AgentMemory .* cannot be pickled"):
        ForkingPickler.dumps(AgentMemory.open(DSN).search)


def test_a_dataclass_that_holds_one_is_told_so_too() -> None:
    context = dataclasses.make_dataclass("Context", ["memory"])
    with pytest.raises(ConfigurationError, match=r"AgentMemory .* cannot be copied"):
        dataclasses.asdict(context(AgentMemory.open(DSN)))


@pytest.mark.parametrize("handle", ["memory", "store", "saver", "neo4j"])
def test_a_shallow_copy_shares_what_it_holds(handle) -> None:
    made = HANDLES[handle](AgentMemory.open(DSN))

    copied = copy.copy(made)

    assert copied is not made
    assert type(copied) is type(made)
    assert vars(copied) == vars(made)


def test_settings_go_anywhere() -> None:
    settings = AgentMemorySettings(dsn=DSN, pool_size=3)
    assert pickle.loads(pickle.dumps(settings)) == copy.deepcopy(settings) == settings
