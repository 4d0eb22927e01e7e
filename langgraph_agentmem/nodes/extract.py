"""The node that finds entities and relationships."""

from typing import Any

from langgraph_agentmem.errors import AgentMemoryError, ModelError
from langgraph_agentmem.extraction import Extractor
from langgraph_agentmem.models.claim import Claim
from langgraph_agentmem.models.conflict import ConflictChunk
from langgraph_agentmem.models.entity import Extraction
from langgraph_agentmem.models.run import ModelUsage
from langgraph_agentmem.nodes.state import ConsolidationState, Node, node
from langgraph_agentmem.operations.answering import answered
from langgraph_agentmem.policies import transcripts
from langgraph_agentmem.resources import HasResources

_TEXTS = frozenset(
    {"name", "source", "target", "names", "description", "reason", "types", "source_types", "target_types"}
)
"""What of an extraction is text."""


def extract_node(memory: HasResources) -> Node:
    """Finds entities and relationships in the chunks that were claimed; none without an extractor.

    Reads `claim`; writes `extraction` and `usage`. Asks up to `model_attempts` times, unless the claim says that the
    model rests. Raises `ModelError` when the last attempt fails: give it an error handler that goes on with
    `without_extraction`.

    Examples:
        >>> extract_node(memory).invoke(state)["extraction"]["entities"]  # "Deadline: June 1" names none
        []
    """

    async def extract(state: ConsolidationState) -> dict[str, Any]:
        claim = Claim.model_validate(state["claim"])
        resources = memory.resources
        extractor = resources.extractor
        extraction, usage = Extraction(), ModelUsage()
        # what an assistant has answered is remembered, but it is nothing that anybody has told about themselves
        told = [chunk for chunk in claim.chunks if chunk.to_extract and not transcripts.by_assistant(chunk.content)]
        chunks = [ConflictChunk(id=chunk.id, content=chunk.content) for chunk in told]
        if claim.model_rests and chunks:
            return {"extraction": extraction.model_dump(mode="json"), "extraction_failed": True}
        if extractor is not None and chunks:
            attempts = resources.settings.model_attempts
            extraction, usage = await answered(lambda: _extracted(extractor, chunks), attempts)
            extraction = Extraction.model_validate(resources.redactor.written(extraction.model_dump(), _TEXTS))
        return {
            "extraction": extraction.model_dump(mode="json"),
            "usage": usage.model_dump(),
            "extraction_failed": False,
        }

    return node(memory, extract, "extract", timed=True)


async def _extracted(extractor: Extractor, chunks: list[ConflictChunk]) -> tuple[Extraction, ModelUsage]:
    try:
        return await extractor.extract(chunks)
    except AgentMemoryError:
        raise
    except Exception as error:
        raise ModelError(f"the extractor {type(extractor).__name__} failed: {error!r}", calls=1) from error


def without_extraction(error: BaseException) -> dict[str, Any]:
    """The state's update after the last attempt to extract has failed: the memory's next run makes up for it."""
    return {
        "extraction": Extraction().model_dump(mode="json"),
        "extraction_failed": True,
        "model_failed": True,
        "usage": ModelUsage.of_failure(error).model_dump(),
        "failures": [f"extraction failed, a later run makes up for it: {error}"],
    }
