"""YAML in which every key stands once; imported where there is a YAML text to read."""

from collections import Counter
from typing import Any

import yaml


def loaded(text: str) -> Any:
    """The value of a YAML text.

    Raises:
        yaml.YAMLError: It is no YAML, or a key comes more than once. Some tags raise what their constructors do.
    """
    return yaml.load(text, Loader=_StrictLoader)


class _StrictLoader(yaml.SafeLoader):
    """Refuses a key that comes twice, where YAML would silently drop the first value."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = Counter(str(key.value) for key, _ in node.value)
        if repeated := [key for key, count in keys.items() if count > 1]:
            raise yaml.YAMLError(f"the key {repeated[0]!r} comes more than once")
        return super().construct_mapping(node, deep=deep)
