"""Write a lathe transform as a function that changes plain Python values.

    import lathe

    def own(request: lathe.Request) -> None:
        for obj in request.objects:
            obj.value["metadata"].setdefault("labels", {})["owner"] = "me"

    Descriptor, Transformer = lathe.plugin(
        own, name="own", version="1.0.0", summary="Labels objects", config_schema={"type": "object"}
    )

After the function has returned, each object is compared with what the host sent, and what differs becomes edits, leaf by leaf.

JSON maps are ``dict``, lists are ``list``, integers are ``int`` of any size. A number with a fraction or an exponent is a
`Number`: a ``float`` that is written back digit by digit.

Import modules at the top of a file only: there is no file system when the plugin runs.
"""

import gc
import json
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from json.encoder import encode_basestring
from typing import Any

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports import types
from wit_world.imports.types import Severity

__all__ = ["Number", "Object", "Refusal", "Request", "Severity", "dumps", "loads", "plugin"]

gc.disable()  # an instance answers one call and is gone
sys.setrecursionlimit(20_000)
sys.set_int_max_str_digits(0)


class Refusal(Exception):
    """Refuses the run; its text says why. Use `Request.report` for more than one problem."""


class Number(float):
    """A JSON number with a fraction or an exponent, and its text."""

    text: str

    def __new__(cls, text: str) -> "Number":
        number = super().__new__(cls, text)
        number.text = text
        return number


@dataclass(eq=False)
class Object:
    """One Kubernetes object. Change `value` in place or replace it; the other fields say what the host sent."""

    key: int
    api_version: str
    kind: str
    namespace: str
    name: str
    value: Any
    dropped: bool = False

    def drop(self) -> None:
        """Takes the object out of the set."""
        self.dropped = True


@dataclass(eq=False)
class Request:
    """What a transform is given, and where it leaves its answer."""

    config: Any
    """The pipeline entry's ``config``; it has passed the plugin's schema."""
    environment: Any
    """The environment: name, project, namespace, review, hosts."""
    objects: list[Object]
    """The objects that the pipeline entry matches. Drop one with `Object.drop`, not by taking it out of this list."""
    added: list[Any] = field(default_factory=list)
    """New objects, each with apiVersion, kind and a name nobody has."""
    findings: list[types.Finding] = field(default_factory=list)

    def report(
        self, severity: Severity, code: str, message: str, at: Object | None = None, pointer: str = ""
    ) -> None:
        """Tells the user something, perhaps about a place in an object. `Severity.ERROR` refuses the run."""
        location = None if at is None else types.Location(at.key, pointer)
        self.findings.append(types.Finding(severity, code, message, location))


def plugin(
    transform: Callable[[Request], None],
    *,
    name: str,
    version: str,
    summary: str,
    config_schema: dict[str, Any],
    scope: str = "object",
) -> tuple[type[exports.Descriptor], type[exports.Transformer]]:
    """Makes the classes ``Descriptor`` and ``Transformer`` that a plugin's module must hold.

    `scope` is "object" if each object's edits depend on nothing but that object, config and environment, "set" otherwise.
    """

    class Descriptor(exports.Descriptor):
        def describe(self) -> str:
            return dumps(
                {"name": name, "version": version, "summary": summary, "configSchema": config_schema, "scope": scope}
            )

    class Transformer(exports.Transformer):
        def transform(self, request: types.Request) -> types.Outcome:
            try:
                return _run(transform, request)
            except Refusal as refusal:
                raise Err(str(refusal)) from None
            except Exception as error:  # uncaught, it would be a trap that does not say why
                raise Err(f"{name}: {type(error).__name__}: {error}") from None

    return Descriptor, Transformer


def loads(text: str) -> Any:
    """Parses JSON and keeps all digits of its numbers."""
    return _decoder.decode(text)


def dumps(value: Any) -> str:
    """Writes JSON; raises ``TypeError`` or ``ValueError`` where the value has no JSON form."""
    parts: list[str] = []
    _write(value, parts.append)
    return "".join(parts)


_decoder = json.JSONDecoder(parse_float=Number, parse_int=lambda text: Number(text) if text == "-0" else int(text))
_ABSENT = object()
_ATOMS = frozenset({str, int, bool, type(None)})


def _write(value: Any, put: Callable[[str], None]) -> None:
    if isinstance(value, str):
        put(encode_basestring(value))
    elif value is None:
        put("null")
    elif isinstance(value, bool):
        put("true" if value else "false")
    elif isinstance(value, (int, float)):
        put(_digits(value))
    elif isinstance(value, dict):
        separator = "{"
        for key, member in value.items():
            if not isinstance(key, str):
                raise TypeError(f"a JSON member's name must be str, not {type(key).__name__}")
            put(f"{separator}{encode_basestring(key)}:")
            _write(member, put)
            separator = ","
        put("}" if value else "{}")
    elif isinstance(value, (list, tuple)):
        separator = "["
        for item in value:
            put(separator)
            _write(item, put)
            separator = ","
        put("]" if value else "[]")
    else:
        raise TypeError(f"{type(value).__name__} has no JSON form")


def _digits(number: int | float) -> str:
    if isinstance(number, Number):
        return number.text
    if isinstance(number, int):
        return int.__repr__(number)
    if not math.isfinite(number):
        raise ValueError(f"{number} has no JSON form")
    return float.__repr__(number)


def _run(transform: Callable[[Request], None], sent: types.Request) -> types.Outcome:
    objects = [
        Object(key, o.api_version, o.kind, o.namespace, o.name, loads(o.json)) for key, o in enumerate(sent.objects)
    ]
    request = Request(loads(sent.config), loads(sent.environment), list(objects))
    transform(request)

    edits: list[types.Edit] = []
    for obj in objects:
        if obj.dropped:
            edits.append(types.Edit_DropObject(obj.key))
        else:
            _Diff(obj.key, edits).compare(loads(sent.objects[obj.key].json), obj.value)
    edits.extend(types.Edit_AddObject(dumps(value)) for value in request.added)
    return types.Outcome(edits, request.findings)


class _Diff:
    """Appends to `edits` what turns one value of the object `key` into another."""

    def __init__(self, key: int, edits: list[types.Edit]) -> None:
        self._key = key
        self._edits = edits
        self._path: list[str] = []

    def compare(self, before: Any, after: Any) -> None:
        if isinstance(before, dict) and isinstance(after, dict):
            self._compare_maps(before, after)
        elif isinstance(before, list) and isinstance(after, list):
            self._compare_lists(before, after)
        elif not _same_leaf(before, after):
            self._set(after)

    def _compare_maps(self, before: dict[str, Any], after: dict[str, Any]) -> None:
        path = self._path
        for name, old in before.items():
            new = after.get(name, _ABSENT)
            if type(old) is type(new) and type(old) in _ATOMS and old == new:
                continue  # most members are done here, at no further call
            path.append(name)
            if new is _ABSENT:
                self._edits.append(types.Edit_Remove(self._location()))
            else:
                self.compare(old, new)
            path.pop()
        for name, value in after.items():
            if name not in before:
                path.append(name)
                self._set(value)
                path.pop()

    def _compare_lists(self, before: list[Any], after: list[Any]) -> None:
        path = self._path
        for index, (old, new) in enumerate(zip(before, after)):
            path.append(str(index))
            self.compare(old, new)
            path.pop()
        for index in reversed(range(len(after), len(before))):
            path.append(str(index))
            self._edits.append(types.Edit_Remove(self._location()))
            path.pop()
        for item in after[len(before) :]:
            path.append("-")
            self._edits.append(types.Edit_Insert(types.Write(self._location(), dumps(item))))
            path.pop()

    def _set(self, value: Any) -> None:
        self._edits.append(types.Edit_Set(types.Write(self._location(), dumps(value))))

    def _location(self) -> types.Location:
        pointer = "".join(["/" + token.replace("~", "~0").replace("/", "~1") for token in self._path])
        return types.Location(self._key, pointer)


def _same_leaf(before: Any, after: Any) -> bool:
    if type(before) is type(after) and type(before) in _ATOMS:
        return bool(before == after)
    return dumps(before) == dumps(after)
