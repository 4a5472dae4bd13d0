"""Read YAML text: plain data, its positions in a tree of their own, and keys that stand twice.

Made of the events of PyYAML's C parser. ruamel.yaml, which keeps positions too, takes twenty times
as long and ends at the first key that stands twice; here a run says all that is wrong, and aliases
are counted before they are written out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import yaml

from ..problems import Issue, Path, ReadError
from ..wording import show, suggest
from .yaml_scalars import resolve_plain, resolve_quoted

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# Most nodes are scalars, which have neither children nor keys.
_NONE: Mapping[Any, Any] = MappingProxyType({})

_MAX_DEPTH = 32
_MAX_NODES = 50_000


@dataclass(slots=True)
class Node:
    """A value with its position, counted from 1, and those of its keys and children."""

    value: Any
    line: int
    column: int
    size: int = 1
    """How many nodes the value has once every alias is written out."""
    children: Mapping[str | int, Node] = field(default_factory=lambda: _NONE)
    keys: Mapping[str, tuple[int, int]] = field(default_factory=lambda: _NONE)


def compose(source: str) -> tuple[Node, list[tuple[int, int, Issue]]]:
    """Return the only document of `source`, and what is wrong with its keys and tags.

    Raises `ReadError` where it cannot be read to its end.
    """
    try:
        composer = _Composer(yaml.parse(source, Loader=_Loader))
        return composer.compose_document(), composer.issues
    except yaml.MarkedYAMLError as error:
        raise _explain_syntax_error(error, source) from None
    except yaml.YAMLError as error:
        raise ReadError(1, 1, f"not valid YAML: {error}; correct it") from None


def _explain_syntax_error(error: yaml.MarkedYAMLError, source: str) -> ReadError:
    context, mark = error.context or "", error.problem_mark or error.context_mark
    if mark is None:
        return ReadError(1, 1, f"not valid YAML: {error.problem}; correct it")
    line, column = mark.line + 1, mark.column + 1
    lines = source.splitlines()
    current = lines[mark.line] if mark.line < len(lines) else ""
    if current[mark.column : mark.column + 1] == "\t":
        return ReadError(line, column, "a tab cannot stand here; indent with spaces")
    if "quoted scalar" in context and "end of stream" in str(error.problem) and error.context_mark:
        start = error.context_mark
        return ReadError(start.line + 1, start.column + 1, "the quote is never closed; close it")
    where = f" {context}" if context else ""
    return ReadError(line, column, f"not valid YAML: {error.problem}{where}; correct it")


class _Composer:
    """Builds nodes from events: one pass, no recursion deeper than `_MAX_DEPTH`."""

    def __init__(self, events: Iterator[Any]) -> None:
        self.issues: list[tuple[int, int, Issue]] = []
        self._events = events
        self._anchors: dict[str, Node | None] = {}
        self._nodes = 0

    def compose_document(self) -> Node:
        next(self._events)  # the start of the stream
        event = next(self._events)
        if isinstance(event, yaml.StreamEndEvent):
            raise ReadError(1, 1, "the file is empty; describe a model family in it")
        root = self._compose_node(next(self._events), ())
        next(self._events)  # the end of the document
        after = next(self._events)
        if not isinstance(after, yaml.StreamEndEvent):
            raise _make_error(after, "a second document begins here; keep one family per file")
        return root

    def _compose_node(self, event: Any, path: Path) -> Node:
        kind = type(event)
        if kind is yaml.AliasEvent:
            return self._compose_alias(event)
        self._count(event, 1)
        if len(path) > _MAX_DEPTH:
            raise _make_error(event, f"nested deeper than {_MAX_DEPTH} levels; flatten it")
        self._check_tag(event, path)
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        if kind is yaml.ScalarEvent:
            node = self._compose_scalar(event, path)
        elif kind is yaml.SequenceStartEvent:
            node = self._compose_sequence(event, path)
        else:
            node = self._compose_mapping(event, path)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _compose_alias(self, event: Any) -> Node:
        name = event.anchor
        if name not in self._anchors:
            hint = suggest(name, self._anchors) or "; define it above with an anchor"
            raise _make_error(event, f"the alias {show(name)} is not defined{hint}")
        node = self._anchors[name]
        if node is None:
            raise _make_error(event, f"the alias {show(name)} stands inside itself; write it out")
        self._count(event, node.size)
        return node

    def _count(self, event: Any, size: int) -> None:
        self._nodes += size
        if self._nodes > _MAX_NODES:
            message = f"more than {_MAX_NODES} values, aliases written out; split the family"
            raise _make_error(event, message)

    def _compose_scalar(self, event: Any, path: Path) -> Node:
        value = event.value
        try:
            value = resolve_plain(value) if event.implicit[0] else resolve_quoted(value)
        except ValueError as error:
            self._add_issue(event, path, str(error))
            # Stands in for the number, so that its type is not a second mistake.
            value = 1 if event.implicit[0] else value
        mark = event.start_mark
        return Node(value, mark.line + 1, mark.column + 1)

    def _compose_sequence(self, event: Any, path: Path) -> Node:
        children: dict[str | int, Node] = {}
        node = Node([], *_find_position(event), children=children)
        while not isinstance(item := next(self._events), yaml.SequenceEndEvent):
            index = len(children)
            child = children[index] = self._compose_node(item, (*path, index))
            node.value.append(child.value)
            node.size += child.size
        return node

    def _compose_mapping(self, event: Any, path: Path) -> Node:
        children: dict[str | int, Node] = {}
        keys: dict[str, tuple[int, int]] = {}
        node = Node({}, *_find_position(event), children=children, keys=keys)
        while not isinstance(key_event := next(self._events), yaml.MappingEndEvent):
            key = self._read_key(key_event, path)
            child = self._compose_node(next(self._events), (*path, key))
            node.size += child.size + 1
            if self._accept_key(key_event, key, node, path):
                keys[key] = _find_position(key_event)
                children[key] = child
                node.value[key] = child.value
        return node

    def _read_key(self, event: Any, path: Path) -> str:
        # A key is text however it looks: no mapping here has numbers for keys.
        if not isinstance(event, yaml.ScalarEvent):
            raise _make_error(event, "a key must be written out as text; replace it")
        self._count(event, 1)
        self._check_tag(event, path)
        if event.anchor is not None:
            self._anchors[event.anchor] = Node(event.value, *_find_position(event))
        return str(event.value)

    def _accept_key(self, event: Any, key: str, node: Node, path: Path) -> bool:
        if key == "<<" and event.implicit[0]:
            message = "the merge key '<<' is refused; write the keys out"
        elif key in node.keys:
            message = f"the key stands twice, first in line {node.keys[key][0]}; remove one"
        else:
            return True
        self._add_issue(event, (*path, key), message)
        return False

    def _check_tag(self, event: Any, path: Path) -> None:
        if event.tag is not None:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            self._add_issue(event, path, f"the tag {show(tag)} is refused; remove it")

    def _add_issue(self, event: Any, path: Path, message: str) -> None:
        self.issues.append((*_find_position(event), Issue(path, message)))


def _find_position(event: Any) -> tuple[int, int]:
    mark = event.start_mark
    return mark.line + 1, mark.column + 1


def _make_error(event: Any, message: str) -> ReadError:
    return ReadError(*_find_position(event), message)
