"""Stand-ins for a chat model and an embedder, so that the examples need neither a key nor a network.

`ScriptedChatModel` is a LangChain chat model like any other: it is bound to tools and answers with tool calls. Where a
real model understands a text, this one looks for the names that it knows and for a few phrases, so its answers depend
on nothing but the data in the prompt. Take a real one with `--model provider:model`.
"""

import json
import math
import re
import zlib
from abc import abstractmethod
from collections.abc import Callable, Sequence
from itertools import takewhile
from typing import Any
from uuid import uuid4

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.embeddings import Embeddings
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, ToolCall
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.utils.function_calling import convert_to_openai_tool

Json = dict[str, Any]

_KNOWN = {
    "person": (
        "Nora Lindqvist", "Tomas Berg", "Jonas Weber", "Greta Holm", "Samir Haddad", "Priya Nair", "Ida Strand",
    ),
    "place": ("Port Elm", "Gull Point", "Sandholm"),
    "technology": ("SQLite", "PostgreSQL", "Postgres", "Flutter", "MQTT"),
    "product": ("Ferrywise", "Harbour Desk"),
    "organisation": ("Lakeline",),
    "vessel": ("Heron",),
}  # fmt: skip
"""The names that it knows, by what they usually are."""

_IN_CONTEXT = [
    ("Heron", re.compile(r"code-named Heron"), "release"),
    ("Lakeline", re.compile(r"Lakeline is a paying customer"), "customer"),
]
"""Where a name is something else than usual."""

_SAME_THING = [{"organisation", "customer"}]
"""Types that one thing can have at once."""

_VERBS = ("leads", "works on", "works for", "designs", "uses", "lives in")
_TYPE_OF = {name: type_ for type_, names in _KNOWN.items() for name in names}
_NAMES = "|".join(sorted(map(re.escape, _TYPE_OF), key=len, reverse=True))
_NAME = re.compile(rf"\b({_NAMES})\b")
_STATED = re.compile(rf"\b({_NAMES}) ({'|'.join(_VERBS)}) ({_NAMES})\b")
_OUTDATES = re.compile(r"no longer|instead of|resolved|passed")
_FIGURE = re.compile(r"\d+ (?:March|April|May|June|July)|\d+(?:[.,:]\d+)*")
_LABEL = re.compile(r"- ([^:.;]+):")
_LONG = 120
_ABOUT = re.compile(
    r'<section memory="About the user" memory_id="(\d+)" section_id="facts"[^>]*>\n(.*?)\n</section>', re.S
)


class _Scripted(BaseChatModel):
    """Answers by a script, which is told the messages and the name of the first tool."""

    @abstractmethod
    def _answer(self, messages: list[BaseMessage], tool: str) -> AIMessage: ...

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(
        self, tools: Sequence[Any], *, tool_choice: str | None = None, **kwargs: Any
    ) -> Runnable[Any, AIMessage]:
        return self.bind(tools=[convert_to_openai_tool(tool) for tool in tools], **kwargs)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        tools = kwargs.get("tools") or [{"function": {"name": ""}}]  # an agent without tools is asked, too
        message = self._answer(messages, tools[0]["function"]["name"])
        return ChatResult(generations=[ChatGeneration(message=message)])


class ScriptedChatModel(_Scripted):
    """Answers requests for an `Extraction` or a `ConsolidationPlan`, always the same for the same data."""

    def _answer(self, messages: list[BaseMessage], tool: str) -> AIMessage:
        prompt = str(messages[-1].content)
        answer = _ANSWERS[tool](json.loads(prompt.removeprefix("<memory_data>").removesuffix("</memory_data>")))
        call = ToolCall(name=tool, args=answer, id=f"call-{zlib.crc32(prompt.encode()):08x}")
        sizes = _tokens("".join(str(message.content) for message in messages)), _tokens(json.dumps(answer))
        usage = UsageMetadata(input_tokens=sizes[0], output_tokens=sizes[1], total_tokens=sum(sizes))
        return AIMessage(content="", tool_calls=[call], usage_metadata=usage)


class ScriptedTraveller(_Scripted):
    """Plans journeys: saves statements, looks questions up, and answers with what a tool returned."""

    def _answer(self, messages: list[BaseMessage], tool: str) -> AIMessage:
        last = messages[-1]
        if last.type == "tool":
            return AIMessage(f"Noted: {last.text}." if "saved" in last.text else f"You said: {last.text}")
        if last.text.endswith("?"):
            call = {"name": "look_up", "args": {"query": last.text}, "id": "1"}
        else:
            topic = "food" if "food" in last.text else "seat"
            call = {"name": "save_preference", "args": {"topic": topic, "text": last.text}, "id": "1"}
        return AIMessage("", tool_calls=[call])


class ScriptedAgent(_Scripted):
    """Says what a function returns for the messages that a chat model would be sent."""

    script: Callable[[list[BaseMessage]], AIMessage]

    def _answer(self, messages: list[BaseMessage], tool: str) -> AIMessage:
        return self.script(messages)


class ScriptedAssistant(_Scripted):
    """Keeps what the user states in the memory "About the user", and answers questions from what it is shown there."""

    def _answer(self, messages: list[BaseMessage], tool: str) -> AIMessage:
        last, shown = messages[-1], _ABOUT.search(messages[0].text)
        if last.type == "tool":
            return AIMessage("I have noted that." if getattr(last, "status", "") == "success" else last.text)
        said = last.text.split("\n\n<memory_recalled>")[0]
        lines = shown[2].splitlines() if shown else []
        nearest = max(lines, key=lambda line: len(_words(line) & _words(said)), default="")
        known = bool(_words(nearest) & _words(said))
        if said.endswith("?"):
            return AIMessage(f"You have told me: {_bare(nearest)}" if known else "You have not told me yet.")
        if not shown:
            facts = {"id": "facts", "description": "What the user says about themselves", "content": f"- {said}"}
            return calling("create_memory", title="About the user", sections=[facts])
        edit = {"section_id": "facts", "new_content": f"- {said}"}
        correction = known and "instead" in said  # otherwise it is news
        edit |= {"old_content": nearest} if correction else {"action": "insert"}
        return calling("update_memory_sections", memory_id=int(shown[1]), edits=[edit])


def calling(tool: str, **arguments: Any) -> AIMessage:
    """A message that calls a tool."""
    return AIMessage("", tool_calls=[ToolCall(name=tool, args=arguments, id=f"call-{uuid4().hex[:8]}")])


class HashingEmbeddings(Embeddings):
    """A bag of words and of their three-letter pieces, hashed: similar spelling gives similar vectors, nothing more."""

    model = "hashing-256"

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self.embed_query(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        vector = [0.0] * 256
        for word in re.findall(r"\w+", text.casefold()):
            padded = f"^{word}$"
            for feature in (word, *(padded[i : i + 3] for i in range(len(padded) - 2))):
                hashed = zlib.crc32(feature.encode())
                vector[hashed % 256] += 1.0 if hashed & 256 else -1.0
        length = math.hypot(*vector)
        return [x / length for x in vector] if length else vector


# Entities and relationships


def _extraction(data: Json) -> Json:
    statements = [(chunk["id"], _bare(chunk["content"])) for chunk in data["chunks"]]
    found: dict[tuple[str, str], list[tuple[int, str]]] = {}
    for id, text in statements:
        for name in dict.fromkeys(_NAME.findall(text)):
            found.setdefault((name, _type_in(name, text)), []).append((id, text))
    entities = [_entity(name, type_, mentions) for (name, type_), mentions in found.items()]
    relationships = [_relationship(match, id, text) for id, text in statements for match in _STATED.finditer(text)]
    return {"entities": entities, "relationships": relationships}


def _type_in(name: str, text: str) -> str:
    special = (type_ for known, context, type_ in _IN_CONTEXT if known == name and context.search(text))
    return next(special, _TYPE_OF[name])


def _entity(name: str, type_: str, mentions: list[tuple[int, str]]) -> Json:
    count = len(mentions)
    return {
        "name": name,
        "types": [type_],
        "description": mentions[-1][1],
        "confidence": round(min(0.7 + 0.08 * count, 0.95), 2) if type_ == _TYPE_OF[name] else 0.95,
        "importance": round(min(0.4 + 0.1 * count, 0.9), 2),
        "chunk_ids": [id for id, _ in mentions],
    }


def _relationship(match: re.Match[str], chunk_id: int, text: str) -> Json:
    source, verb, target = match.groups()
    return {
        "source": source,
        "target": target,
        "types": [verb.replace(" ", "_")],
        "description": text,
        "confidence": 0.9,
        "strength": 0.8,
        "chunk_ids": [chunk_id],
    }


# Conflicts


def _plan(data: Json) -> Json:
    return {
        "sections": [_section(section) for section in data["sections"]],
        "entities": [_same_or_not(position, conflict) for position, conflict in enumerate(data["entities"])],
        "relationships": [_holds_or_not(position, conflict) for position, conflict in enumerate(data["relationships"])],
    }


def _section(section: Json) -> Json:
    texts = {chunk["id"]: chunk["content"] for chunk in section["existing_chunks"] + section["new_chunks"]}
    decisions: list[Json] = []
    merged: list[Json] = []
    for pair in section["replacements"]:
        old, new = _bare(texts[pair["chunk_id"]]), _bare(texts[pair["replaced_by"]])
        ids = [pair["chunk_id"], pair["replaced_by"]]
        if not _words(old) & _words(new):
            decisions.append({"chunk_id": ids[0], "action": "keep", "reason": "the new text is about something else"})
        elif len(old) > _LONG:  # too eager a summary, as models write them; validation will not have it
            merged.append(
                {"text": f"- {new.split(':')[0]} is being looked after", "chunk_ids": ids, "reason": "shorter"}
            )
        elif reason := _outdated(old, new):
            decisions.append({"chunk_id": ids[0], "action": "supersede", "replaced_by": ids[1], "reason": reason})
        elif joined := _joined(old, new):
            merged.append({"text": joined, "chunk_ids": ids, "reason": "both are true, and about the same thing"})
        else:
            decisions.append({"chunk_id": ids[0], "action": "keep", "reason": "both are true side by side"})
    return {"section_id": section["section_id"], "decisions": decisions, "merged": merged}


def _words(text: str) -> set[str]:
    """Its longer words, which tell what it is about."""
    return {word.casefold() for word in re.findall(r"\w{4,}", text)}


def _outdated(old: str, new: str) -> str | None:
    """Why a new text takes the place of an old one; None if it does not."""
    if phrase := _OUTDATES.search(new):
        return f'the new text says "{phrase[0]}"'
    before, after = _FIGURE.findall(old), _FIGURE.findall(new)
    if before and after and before != after:
        return f"{after[0]} instead of {before[0]}"
    if set(re.findall(r"\w+", old)) <= set(re.findall(r"\w+", new)):
        return "the new text says the same, and more"
    if _label(old) and _label(old) == _label(new):
        return f'a newer word on "{_label(new)}"'
    return None


def _joined(old: str, new: str) -> str | None:
    """One text of two that begin alike; None if they do not."""
    words = old.split()
    pairs = zip(words, new.split(), strict=False)
    common = sum(1 for _ in takewhile(lambda pair: pair[0].strip(";,.") == pair[1].strip(";,."), pairs))
    return f"- {new}; {' '.join(words[common:])}" if common >= 2 else None


def _same_or_not(position: int, conflict: Json) -> Json:
    name, types = conflict["active_entity"]["name"], set(conflict["active_entity"]["types"])
    for stored in conflict["shortterm_entities"]:
        if any({*types, *stored["types"]} <= together for together in _SAME_THING):
            reason = f"{_listed(stored['types'])} and {_listed(types)} are the same {name} here"
            return {"conflict": position, "action": "merge", "entity_id": stored["id"], "reason": reason}
    others = {type_ for stored in conflict["shortterm_entities"] for type_ in stored["types"]}
    reason = f"{_listed(types)} and {_listed(others)} only share the name"
    return {"conflict": position, "action": "create", "reason": reason}


def _holds_or_not(position: int, conflict: Json) -> Json:
    text = conflict["active_relationship"]["description"]
    for stored in conflict["shortterm_relationships"]:
        if ended := re.search(rf"(no longer \w+|instead of) {re.escape(stored['target'])}\b", text):
            answer = {"conflict": position, "action": "supersede", "relationship_id": stored["id"]}
            return answer | {"reason": f'"{ended[0]}": {stored["source"]} → {stored["target"]} has ended'}
    return {"conflict": position, "action": "create", "reason": "holds beside those that are known"}


_ANSWERS: dict[str, Callable[[Json], Json]] = {"Extraction": _extraction, "ConsolidationPlan": _plan}


def _bare(text: str) -> str:
    """A list item without its mark."""
    return text.strip().removeprefix("- ")


def _label(text: str) -> str | None:
    match = _LABEL.match(f"- {text}")
    return match[1] if match else None


def _listed(types: Sequence[str] | set[str]) -> str:
    return " and ".join(sorted(types))


def _tokens(text: str) -> int:
    return math.ceil(len(text) / 4)
