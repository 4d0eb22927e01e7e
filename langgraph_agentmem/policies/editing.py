"""Reads batches of section edits and carries them out on texts."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, cast

from pydantic import ValidationError

from langgraph_agentmem.errors import ContentMismatchError, InvalidInputError, InvalidTextError
from langgraph_agentmem.models.active import SectionUpdate
from langgraph_agentmem.policies import validation

_EXAMPLE = '{"section_id": "progress", "new_content": "…"}'


def read_updates(updates: Sequence[SectionUpdate | Mapping[str, Any]], *, limit: int) -> list[SectionUpdate]:
    """A batch of edits, checked.

    Args:
        updates: Edits as models or dicts.
        limit: Longest content, in characters.

    Raises:
        InvalidInputError: The batch is empty, names a section twice, or an edit in it is malformed.
        InvalidTextError: A text in it cannot be stored.
    """
    if isinstance(cast("object", updates), str | Mapping) or not isinstance(cast("object", updates), Sequence):
        raise InvalidInputError(f"sections must be a list of edits like {_EXAMPLE}, not {type(updates).__name__}")
    if not updates:
        raise InvalidInputError(f"sections is empty; give at least one edit like {_EXAMPLE}")
    read = [_read_update(update, index) for index, update in enumerate(updates)]
    repeated = [id for id, count in Counter(update.section_id for update in read).items() if count > 1]
    if repeated:
        raise InvalidInputError(
            f"one batch edits each section once, but these come more often: {', '.join(map(repr, repeated))}"
        )
    for update in read:
        validation.name(update.section_id, "section_id")
        validation.text(update.new_content, f"new_content of section {update.section_id!r}", limit=limit)
        if update.old_content is not None:
            validation.text(update.old_content, f"old_content of section {update.section_id!r}", limit=limit)
    return read


def not_blind(updates: Iterable[SectionUpdate]) -> None:
    """Refuse to replace the whole of a section that was not read: of models, such an edit is mostly a mistake.

    Raises:
        ContentMismatchError: Edits have neither an excerpt to replace nor a revision that was read.
    """
    blind = [
        each.section_id
        for each in updates
        if each.action == "replace" and not each.old_content and each.expected_revision is None
    ]
    if blind:
        raise ContentMismatchError(
            f"to replace the whole of {', '.join(map(repr, blind))}, give the expected_revision that you have read; "
            "or give old_content, or insert"
        )


def edited(content: str, update: SectionUpdate, *, limit: int) -> str:
    """The section's text after an edit.

    Raises:
        ContentMismatchError: `old_content` does not occur exactly once.
        InvalidTextError: The result is over the limit.
    """
    result = _edited(content, update)
    if len(result) > limit:
        raise InvalidTextError(
            f"section {update.section_id!r} would have {len(result):,} characters; the limit is {limit:,}"
        )
    return result


def _edited(content: str, update: SectionUpdate) -> str:
    if not update.old_content:
        if update.action == "replace":
            return update.new_content
        separator = "\n" if content and not content.endswith("\n") else ""
        return f"{content}{separator}{update.new_content}"
    places = list(islice(occurrences(content, update.old_content), 2))
    if len(places) != 1:
        # how often in overlap is not worth as many looks as the text is long
        times = max(content.count(update.old_content), 2)
        problem = f"occurs {times} times" if places else "does not occur"
        raise ContentMismatchError(
            f"old_content {_excerpt(update.old_content)} {problem} in section {update.section_id!r}; give an excerpt "
            f"that occurs exactly once in its present content: {_excerpt(content)}"
        )
    replacement = update.new_content if update.action == "replace" else update.old_content + update.new_content
    return content[: places[0]] + replacement + content[places[0] + len(update.old_content) :]


def occurrences(text: str, part: str) -> Iterator[int]:
    """Where a part occurs, also in overlap; nowhere if it is empty."""
    at = text.find(part) if part else -1
    while at >= 0:
        yield at
        at = text.find(part, at + 1)


def _read_update(update: object, index: int) -> SectionUpdate:
    if isinstance(update, SectionUpdate):
        return update
    if not isinstance(update, Mapping):
        raise InvalidInputError(f"sections[{index}] must be a dict like {_EXAMPLE}, not {type(update).__name__}")
    given = dict(cast("Mapping[str, Any]", update))
    if (revision := validation.whole(given.get("expected_revision"))) is not None:
        given["expected_revision"] = revision
    try:
        return SectionUpdate.model_validate(given, strict=True)
    except ValidationError as error:
        problems = "; ".join(map(_problem, error.errors()))
        raise InvalidInputError(f"sections[{index}] is malformed: {problems}") from error


def _problem(error: Any) -> str:
    said = f"{'.'.join(map(str, error['loc']))}: {error['msg']}"
    # of what is missing, the input is all that is there
    return said if error["type"] == "missing" else f"{said} (got {validation.shown(error['input'])})"


def _excerpt(text: str, length: int = 200) -> str:
    return repr(text if len(text) <= length else f"{text[: length - 1]}…")
