"""Plain values written as YAML."""

from typing import Any

import yaml

from synthgen.config.document import FLOAT


class _Dumper(yaml.SafeDumper):
    """Lists of scalars and texts of several lines stand in one line, and nothing is written as an alias."""

    def represent_sequence(
        self, tag: str, sequence: Any, flow_style: bool | None = None
    ) -> yaml.SequenceNode:
        node = super().represent_sequence(tag, sequence, flow_style)
        node.flow_style = node.flow_style or all(isinstance(item, yaml.ScalarNode) for item in node.value)
        return node

    def represent_str(self, data: str) -> yaml.ScalarNode:
        return self.represent_scalar("tag:yaml.org,2002:str", data, style='"' if "\n" in data else None)

    def ignore_aliases(self, data: Any) -> bool:
        return True


_Dumper.add_representer(str, _Dumper.represent_str)
_Dumper.add_implicit_resolver("tag:yaml.org,2002:float", FLOAT, list("-+.0123456789"))


def document(value: Any) -> str:
    """A plain value as a YAML document, its fields in their order."""
    text: str = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
    return text


def inline(value: Any) -> str:
    """A plain value as YAML in one line, as it may stand behind a field's name."""
    # Inside a list, because a document that is a lone scalar would end with a mark of its own.
    text: str = yaml.dump(
        [value], Dumper=_Dumper, default_flow_style=True, sort_keys=False, allow_unicode=True, width=10**6
    )
    return text.strip()[1:-1]
