"""Reads memory templates from dicts, YAML text and models."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, cast

from pydantic import ValidationError

from langgraph_agentmem.errors import InvalidInputError, InvalidTemplateError, SectionNotFoundError
from langgraph_agentmem.models.active import MemoryTemplate, TemplateSection
from langgraph_agentmem.models.base import Json
from langgraph_agentmem.policies import validation

_EXAMPLE = 'for example {"sections": [{"id": "progress", "description": "What is done"}]}'


_KEYS = ("id", "name", "description", "sections", "template")
_SECTION_KEYS = tuple(TemplateSection.model_fields)


def read_template(
    source: MemoryTemplate | Mapping[str, Any] | str, *, limit: int, lenient: bool = False
) -> MemoryTemplate:
    """A template from a model, a dict or YAML text.

    `sections` is a list of `{id, title, description, content}` (all but `id` optional) or of ids, or a mapping of ids
    to descriptions or to such dicts. `id`, `name` and `description` stand beside it, or under `template`.

    Args:
        source: The template.
        limit: Longest content of a section, in characters.
        lenient: Pass over keys that mean nothing here, as those of another system's templates.

    Raises:
        InvalidTemplateError: It cannot be read, has no sections, names one twice, or has a key that means nothing.
        InvalidTextError: A text in it cannot be stored.
    """
    template = source if isinstance(source, MemoryTemplate) else _from_mapping(_as_mapping(source), lenient)
    if not template.sections:
        raise InvalidTemplateError(f"the template has no sections; give at least one, {_EXAMPLE}")
    repeated = [id for id, count in Counter(section.id for section in template.sections).items() if count > 1]
    if repeated:
        raise InvalidTemplateError(
            f"the template names these sections more than once: {', '.join(map(repr, repeated))}"
        )
    for section in template.sections:
        validation.name(section.id, "a section id of the template")
        validation.text(section.title, f"the title of section {section.id!r}")
        validation.text(section.description, f"the description of section {section.id!r}")
        validation.text(section.content, f"the content of section {section.id!r}", limit=limit)
    validation.json_object(template.model_dump(), "template")
    return template


def initial_contents(template: MemoryTemplate, initial: Mapping[str, Any] | None, *, limit: int) -> dict[str, str]:
    """The sections' first contents: the template's, or those given as text or as `{"content": text}`.

    Raises:
        SectionNotFoundError: Content is given for a section that the template does not have.
    """
    contents = {section.id: section.content for section in template.sections}
    if initial is not None and not isinstance(cast("object", initial), Mapping):
        raise InvalidInputError(
            f"initial_sections must be a dict of contents by section id, not {type(initial).__name__}"
        )
    for section_id, content in (initial or {}).items():
        if section_id not in contents:
            raise SectionNotFoundError(unknown_section(section_id, contents))
        value = cast("Json", content).get("content") if isinstance(content, Mapping) else content
        contents[section_id] = validation.text(value, f"the content of section {section_id!r}", limit=limit)
    return contents


def unknown_section(section_id: object, known: Mapping[str, Any]) -> str:
    """The message about a section that a memory does not have."""
    names = [repr(name) for name in known]
    shown = ", ".join(names[:30]) + (f" and {len(names) - 30} more" if len(names) > 30 else "")
    return f"unknown section {section_id!r}; this memory has {shown or 'none'}"


def _as_mapping(source: object) -> Mapping[str, Any]:
    if isinstance(source, str):
        from langgraph_agentmem.policies import strict_yaml  # noqa: PLC0415 - imports YAML, which most do without

        validation.text(source, "the template")
        try:
            source = strict_yaml.loaded(source)
        except Exception as error:  # a tag such as !!timestamp raises whatever its constructor does
            raise InvalidTemplateError(f"the template is not readable as YAML: {error}") from error
    if not isinstance(source, Mapping):
        raise InvalidTemplateError(
            f"a template is a MemoryTemplate, a dict or YAML text of one, {_EXAMPLE}; this is {_shown(source)}"
        )
    return cast("Mapping[str, Any]", source)


def _shown(source: object) -> str:
    if not isinstance(source, str):
        return type(source).__name__
    return f"the text {source[:100]!r}; of a file, give what it holds: Path(...).read_text()"


def _from_mapping(source: Mapping[str, Any], lenient: bool) -> MemoryTemplate:
    header = source.get("template")
    header = cast("Mapping[str, Any]", header) if isinstance(header, Mapping) else source
    if not lenient:
        _refuse_unknown({**source, **header}, _KEYS, "a template")
    sections = _sections(source.get("sections"))
    for section in () if lenient else sections:
        _refuse_unknown(section, _SECTION_KEYS, "a section of a template")
    # YAML reads a name such as 2026 as a number
    known = {key: str(header[key]) for key in ("id", "name", "description") if header.get(key) is not None}
    try:
        return MemoryTemplate.model_validate({**known, "sections": sections})
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise InvalidTemplateError(f"the template cannot be read: {problems}; {_EXAMPLE}") from error


def _refuse_unknown(source: Mapping[str, Any], known: Sequence[str], what: str) -> None:
    if unknown := [str(key) for key in source if key not in known]:
        raise InvalidTemplateError(
            f"{what} has no {', '.join(map(repr, unknown))}; it may have {', '.join(known)}, {_EXAMPLE}"
        )


def _sections(source: object) -> list[Json]:
    if isinstance(source, Mapping):
        items = cast("Mapping[str, object]", source).items()
        return [{"id": id, **_section_fields(fields)} for id, fields in items]
    if isinstance(source, list | tuple):
        items = cast("list[object]", source)
        return [{"id": item} if isinstance(item, str) else _section_fields(item) for item in items]
    raise InvalidTemplateError(f"the template has no sections; give at least one, {_EXAMPLE}")


def _section_fields(fields: object) -> Json:
    if fields is None or isinstance(fields, str):
        return {"description": fields or ""}
    if isinstance(fields, Mapping):
        return {key: value for key, value in cast("Mapping[str, Any]", fields).items() if value is not None}
    raise InvalidTemplateError(f"a section is an id, or a dict with an id, {_EXAMPLE}; this is {type(fields).__name__}")
