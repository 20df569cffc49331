"""From the bytes of a YAML file to plain values, with the line each of them stands in.

It reads YAML 1.2's core schema and less: `NO` stays Norway, `yes` stays a word and a date stays text, for the
models to judge. Tags, merge keys and further documents are refused. Sizes are limited before anything is built, so
that a hostile file costs a message and not the machine.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

from registry.domain.errors import InvalidInput, Problem

MAX_BYTES = 2 * 1024 * 1024
"""The largest file that is read. A list of a thousand entries takes about half of it."""

MAX_LINE_BYTES = 500_000
"""The scanner's time grows with the square of some lines, so one that nobody wrote by hand is not begun."""
MAX_VALUES = 100_000
MAX_CHARACTERS = 4 * MAX_BYTES
"""Limits on what the file spells out once its aliases are followed; nine lines of aliases can stand for gigabytes."""

MAX_DEPTH = 24

_CORE_TAG = "tag:yaml.org,2002:"
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}|0o[0-7]{1,18}|0x[0-9a-fA-F]{1,15}", re.ASCII)
_DECIMAL = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
_WORDS: dict[str, object] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


@dataclass
class YamlValues:
    """What a YAML file says. `lines` maps dotted paths to lines counted from 1; problems did not stop the reading."""

    value: object = None
    lines: dict[str, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def line_of(self, path: str) -> int | None:
        """Return the line of the value at a dotted path, or of the nearest thing around it that stands in the file."""
        while path not in self.lines and path:
            path = path.rpartition(".")[0]
        return self.lines.get(path)


@dataclass
class _Node:
    """A list or mapping being read: its path, what it holds, the key whose value comes next, and its cost."""

    path: str
    container: dict[str, object] | list[object]
    anchor: str | None
    key: str | None = None
    refused: bool = False
    values: int = 1
    characters: int = 0


@dataclass(frozen=True)
class _Anchored:
    value: object
    values: int
    characters: int


def read_yaml(data: bytes, name: str) -> YamlValues:
    """Read the one YAML document in `data`.

    Raises `InvalidInput` (param `file` = `name`) where nothing can be read: too large, not UTF-8, not YAML, more
    nesting or values than the limits. Duplicate keys, tags and merge keys come back in `problems`.
    """
    text = _decode(data, name)
    reading = _Reading()
    line = 1
    try:
        for event in _events(text):
            line = event.start_mark.line + 1
            reading.take(event, line)
    except ReaderError as error:
        position = error.position if isinstance(error.position, int) else 0
        character = f"U+{error.character:04X}" if isinstance(error.character, int) else str(error.character)
        raise _refusal(name, "control-character", text.count("\n", 0, position) + 1, {"character": character}) from None
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = (mark.line + 1, mark.column + 1) if mark else (line, 1)
        problem = error.problem or error.context or "not YAML"
        raise _refusal(name, "bad-yaml", where[0], {"problem": problem, "column": where[1]}) from None
    except (YAMLError, ValueError, OverflowError, AssertionError) as error:
        # The library lets these out for escapes such as \U99999999 and for directives such as %YAML 1.9.
        raise _refusal(name, "bad-yaml", line, {"problem": str(error) or "not YAML", "column": 1}) from None
    except _Unreadable as reason:
        raise _refusal(name, reason.code, line, reason.params) from None
    if not reading.documents:
        raise _refusal(name, "empty-file", 1, {})
    return reading.result


class _Unreadable(Exception):
    """The file goes past a limit or takes a shape that leaves no sense in reading on."""

    def __init__(self, code: str, **params: object) -> None:
        self.code, self.params = code, params
        super().__init__(code)


def _refusal(name: str, code: str, line: int | None, params: dict[str, object]) -> InvalidInput:
    return InvalidInput([Problem("", None, code, params, line)], file=name)


def _decode(data: bytes, name: str) -> str:
    if len(data) > MAX_BYTES:
        raise _refusal(name, "file-too-large", None, {"bytes": len(data), "limit": MAX_BYTES})
    for number, written in enumerate(data.splitlines(), 1):
        if len(written) > MAX_LINE_BYTES:
            raise _refusal(name, "line-too-long", number, {"bytes": len(written), "limit": MAX_LINE_BYTES})
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _refusal(name, "not-utf-8", line, {"byte": f"0x{data[error.start]:02X}"}) from None


def _events(text: str) -> Iterator[Event]:
    yield from YAML(typ="safe", pure=True).parse(io.StringIO(text))


class _Reading:
    """The state of reading one document, event by event, without recursion."""

    def __init__(self) -> None:
        self.result = YamlValues()
        self.documents = 0
        self._open: list[_Node] = []
        self._anchors: dict[str, _Anchored | None] = {}

    def take(self, event: Event, line: int) -> None:
        if isinstance(event, DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                raise _Unreadable("second-document")
        elif isinstance(event, MappingEndEvent | SequenceEndEvent):
            node = self._open.pop()
            self._settle(node.container, node.values, node.characters, node.anchor)
        elif isinstance(event, AliasEvent | ScalarEvent | MappingStartEvent | SequenceStartEvent):
            self._begin(event, line)

    def _begin(self, event: AliasEvent | ScalarEvent | MappingStartEvent | SequenceStartEvent, line: int) -> None:
        parent = self._open[-1] if self._open else None
        if parent is not None and isinstance(parent.container, dict) and parent.key is None:
            if not isinstance(event, ScalarEvent):
                raise _Unreadable("key-not-text")
            self._take_key(parent, event, line)
            return
        path = self._path_of_next()
        self.result.lines.setdefault(path, line)
        if isinstance(event, AliasEvent):
            self._take_alias(event)
            return
        self._check_tag(event, path, line)
        if isinstance(event, ScalarEvent):
            self._settle(_plain_value(event), 1, len(event.value), event.anchor)
            return
        if len(self._open) >= MAX_DEPTH:
            raise _Unreadable("too-deep", limit=MAX_DEPTH)
        container: dict[str, object] | list[object] = {} if isinstance(event, MappingStartEvent) else []
        if event.anchor:
            self._anchors[event.anchor] = None
        self._open.append(_Node(path, container, event.anchor))

    def _path_of_next(self) -> str:
        if not self._open:
            return ""
        parent = self._open[-1]
        member = str(len(parent.container)) if isinstance(parent.container, list) else str(parent.key)
        return f"{parent.path}.{member}" if parent.path else member

    def _take_key(self, parent: _Node, event: ScalarEvent, line: int) -> None:
        key = _text(event)
        path = f"{parent.path}.{key}" if parent.path else key
        first = self.result.lines.get(path)
        parent.key, parent.refused = key, True
        if key == "<<" and event.implicit[0]:
            self._note(path, "merge-key", line)
        elif key in parent.container:
            self._note(path, "repeated-field", line, first_line=first)
        else:
            parent.refused = False
            self.result.lines.setdefault(path, line)

    def _take_alias(self, event: AliasEvent) -> None:
        name = str(event.anchor)
        anchored = self._anchors.get(name)
        if anchored is None:
            raise _Unreadable("alias-inside-itself" if name in self._anchors else "unknown-alias", alias=name)
        self._settle(anchored.value, anchored.values, anchored.characters, None)

    def _check_tag(self, event: ScalarEvent | MappingStartEvent | SequenceStartEvent, path: str, line: int) -> None:
        tag = str(event.tag) if event.tag else None
        harmless = {ScalarEvent: f"{_CORE_TAG}str", MappingStartEvent: f"{_CORE_TAG}map"}
        if tag is not None and tag not in {"!", harmless.get(type(event), f"{_CORE_TAG}seq")}:
            self._note(path, "tag-refused", line, tag=tag.replace(_CORE_TAG, "!!"))

    def _settle(self, value: object, values: int, characters: int, anchor: str | None) -> None:
        """Put a finished value where it belongs, and count what it costs with its aliases followed."""
        if anchor:
            self._anchors[anchor] = _Anchored(value, values, characters)
        if not self._open:
            self.result.value = value
            return
        parent = self._open[-1]
        parent.values += values
        parent.characters += characters
        if parent.values > MAX_VALUES or parent.characters > MAX_CHARACTERS:
            raise _Unreadable("too-many-values", limit=MAX_VALUES)
        if isinstance(parent.container, list):
            parent.container.append(value)
            return
        if not parent.refused:
            parent.container[str(parent.key)] = value
        parent.key = None

    def _note(self, path: str, code: str, line: int, **params: object) -> None:
        self.result.problems.append(Problem(path, None, code, params, line))


def _text(event: ScalarEvent) -> str:
    # JSON is YAML too, and writes characters beyond U+FFFF as two escapes, which the library leaves apart.
    text = str(event.value)
    if any("\ud800" <= character <= "\udfff" for character in text):
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    return text


def _plain_value(event: ScalarEvent) -> object:
    text = _text(event)
    if event.tag or not event.implicit[0]:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text, 0) if text.startswith(("0o", "0x")) else int(text)
    return float(text) if _DECIMAL.fullmatch(text) else text
