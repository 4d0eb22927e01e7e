"""YAML as people read and write it; imported where a value is no plain text."""

from typing import Any, cast

import yaml

_OTHER_BREAKS = frozenset("\r\x85\u2028\u2029")
"""What YAML takes for ends of lines, and reads as such unless it is escaped."""


def dumped(value: Any) -> str:
    """The YAML text of a value that JSON could hold."""
    text = yaml.dump(value, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=1_000)
    # so YAML ends a document that is a bare word or number
    return text.removesuffix("\n...\n").removesuffix("\n")


def loaded(text: str) -> Any:
    """The value of a YAML text."""
    return yaml.load(text, Loader=_Loader)


class _Dumper(yaml.SafeDumper):
    """Writes a text of several lines as a block of lines."""


class _Loader(yaml.SafeLoader):
    """Leaves dates as texts, as JSON would."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - as in the base class
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    # as a block only where YAML reads it back to the letter: it drops white space at a block's ends
    style = '"' if _OTHER_BREAKS & set(text) else "|" if "\n" in text and text == text.strip() else None
    return cast("Any", dumper).represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)
