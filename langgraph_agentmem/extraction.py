"""Finds entities and relationships in chunks."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from langgraph_agentmem import chat
from langgraph_agentmem.errors import ModelError
from langgraph_agentmem.models.conflict import ConflictChunk
from langgraph_agentmem.models.entity import Extraction
from langgraph_agentmem.models.run import ModelUsage
from langgraph_agentmem.policies import extracting

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

_CHARS_PER_TOKEN = 4

INSTRUCTIONS = """\
Extract the entities and the relationships between them from the chunks of an agent's memory.

An entity is a person, organisation, place, product, project, technology, event, decision or concept that is named in
the text and worth remembering. Give each its name as the text has it, one or more types in lower case, a description
of one sentence, your confidence and its importance (0 to 1), and the ids of the chunks that mention it.
A relationship has a source and a target, both names of entities that you list, one or more types in snake_case (for
example works_at), a description, confidence and strength (0 to 1), and the ids of the chunks that state it.
Two different things of one name are two entities; then give the relationship the types of the ones that it is about,
as source_types and target_types.
Invent nothing. Where there is nothing to extract, return empty lists."""


class Extractor(Protocol):
    """Finds entities and relationships in chunks; write your own to use something else than a chat model.

    Examples:
        >>> with AgentMemory.open(extractor=WorksOn()) as memory:  # which has such a method
        ...     written = memory.update_active_memory_section("alice", apollo.id, "team", "Cy works on Docs.")
        ...     memory.consolidate("alice", apollo.id).entities_created
        2
    """

    async def extract(self, chunks: Sequence[ConflictChunk]) -> tuple[Extraction, ModelUsage]:
        """The entities and relationships in the chunks, whose ids they refer to, and what finding them cost.

        Raises:
            ModelError: They cannot be found now.

        Examples:
            >>> found, usage = await WorksOn().extract([ConflictChunk(id=1, content="Ada works on Engine.")])
            >>> [entity.name for entity in found.entities], usage.calls
            (['Ada', 'Engine'], 0)
        """
        ...


class ModelExtractor:
    """Extracts with a chat model: one call for all chunks, more only past a budget.

    Args:
        model: A model with structured output.
        token_budget: Estimated tokens (a quarter of the characters) of the chunks in one call.
        structured_output: How the answer is asked for, as in the setting of this name.
    """

    def __init__(
        self, model: "BaseChatModel", token_budget: int = 8_000, structured_output: chat.Asking = "auto"
    ) -> None:
        self.model = model
        self.token_budget = token_budget
        self.structured_output: chat.Asking = structured_output

    async def extract(self, chunks: Sequence[ConflictChunk]) -> tuple[Extraction, ModelUsage]:
        """See `Extractor`."""
        found, usage = Extraction(), ModelUsage()
        for batch in self._batches(chunks):
            data = {"chunks": [chunk.model_dump(include={"id", "content"}) for chunk in batch]}
            try:
                answer, cost = await chat.ask(
                    self.model, Extraction, INSTRUCTIONS, data, self.structured_output, read=extracting.read
                )
            except ModelError as error:
                # the batches before it were paid for as well
                raise (usage + ModelUsage.of_failure(error)).failing(error) from error
            found = Extraction(
                entities=found.entities + answer.entities,
                relationships=found.relationships + answer.relationships,
                refused=found.refused + answer.refused,
            )
            usage += cost
        return found, usage

    def _batches(self, chunks: Sequence[ConflictChunk]) -> Iterator[list[ConflictChunk]]:
        batch: list[ConflictChunk] = []
        size = 0
        for chunk in chunks:
            tokens = len(chunk.content) // _CHARS_PER_TOKEN
            # a chunk that exceeds the budget by itself is still asked about, alone
            if batch and size + tokens > self.token_budget:
                yield batch
                batch, size = [], 0
            batch.append(chunk)
            size += tokens
        if batch:
            yield batch
