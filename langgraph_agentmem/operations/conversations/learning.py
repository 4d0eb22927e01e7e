"""Asks a model which facts a conversation tells."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from langgraph_agentmem import chat
from langgraph_agentmem.errors import ModelError
from langgraph_agentmem.models.active import Section
from langgraph_agentmem.models.base import Value
from langgraph_agentmem.models.conversation import ProposedFacts, Said
from langgraph_agentmem.models.run import ModelUsage
from langgraph_agentmem.operations.answering import answered
from langgraph_agentmem.policies import noting
from langgraph_agentmem.resources import Resources

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

INSTRUCTIONS = """\
You keep notes about a user. From the new messages of a conversation, take the facts about the user, and about the
people and things in the user's life, that will matter in later conversations.

Each fact is one short sentence that can be understood by itself: with names instead of pronouns, and with a date
instead of "tomorrow" where a message's `time` tells it. Put it into the section whose `description` fits, by its
`section_id`. Where it corrects a line of that section, give that line, word for word, as `corrects`; the new fact takes
its place. Do not repeat what a section says already.
Name the `messages` that say so by their numbers. Only what a message of the role `user` says is a fact; what the
assistant or a tool says is not, unless the user agrees to it. Questions, requests and small talk are no facts.
Invent nothing. Where there is nothing to note, return an empty list."""
_MOST_FAILURES = 2


class Learnt(Value):
    """What a model proposes, and what asking it has cost."""

    proposed: ProposedFacts = ProposedFacts()
    usage: ModelUsage = ModelUsage()
    failure: str | None = None


class Learner:
    """Asks a model about one batch of messages after the other; where it fails again and again, no more.

    Args:
        resources: The open memory's.
        model: Whom to ask; nobody is asked without.
    """

    def __init__(self, resources: Resources, model: "BaseChatModel | None") -> None:
        self._resources = resources
        self.model = model
        self._failures = 0

    async def learn(self, sections: Mapping[str, Section], messages: Sequence[Said]) -> Learnt:
        """What the model proposes; nothing without a model, or where it fails: then the failure says why."""
        model, settings = self.model, self._resources.settings
        if model is None or not messages or not any(said.role == "user" for said in messages):
            return Learnt()
        if self._failures >= _MOST_FAILURES:
            return Learnt(failure=f"the model was not asked about {len(messages)} messages, as it has failed before")
        shown = {id: (section.description, section.content) for id, section in sections.items()}
        data = noting.asked(shown, messages)
        try:
            proposed, usage = await answered(
                lambda: chat.ask(
                    model, ProposedFacts, INSTRUCTIONS, data, settings.structured_output, read=noting.read
                ),
                settings.model_attempts,
            )
        except ModelError as error:
            self._failures += 1
            failure = self._resources.redactor.error(f"the model failed on {len(messages)} messages: {error}")
            return Learnt(usage=ModelUsage.of_failure(error), failure=failure)
        self._failures = 0
        redacted = self._resources.redactor.written(proposed.model_dump(), {"fact", "corrects"})
        return Learnt(proposed=ProposedFacts.model_validate(redacted), usage=usage)
