"""
Bodies in protobuf, which kubectl sends when it makes an object itself (`kubectl create …`).

Only what kubectl makes is understood: the field numbers below are those of the generated.proto
files of k8s.io/api. Other messages are refused with 415, so that nothing is lost without a word.
"""

import base64
import struct
from collections.abc import Iterator
from typing import Any

from rollouts.model.kinds import JSON
from rollouts.sandbox.apiserver.errors import ApiError
from rollouts.sandbox.apiserver.messages import KINDS, MESSAGES

MAGIC = b"k8s\x00"
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def decoded(raw: bytes) -> JSON:
    """
    Return the object of a Kubernetes protobuf envelope.

    Raises:
        ApiError: 400, it is none; 415, its kind or one of its fields is not understood here.
    """
    if not raw.startswith(MAGIC):
        raise ApiError(400, "provided data does not appear to be a protobuf message")
    try:
        envelope = _message(raw[len(MAGIC) :], "Unknown")
        head = envelope["typeMeta"]
        if head["kind"] not in KINDS:
            raise ApiError(
                415, f"{head['kind']} is not understood in protobuf; send application/json"
            )
        body = _message(base64.b64decode(envelope.get("raw", "")), head["kind"])
    except (IndexError, KeyError, struct.error, UnicodeDecodeError) as error:
        raise ApiError(400, f"the protobuf message is malformed: {error}") from error
    return {"apiVersion": head["apiVersion"], "kind": head["kind"]} | body


def _message(data: bytes, name: str) -> JSON:
    result: JSON = {}
    table = MESSAGES[name]
    for number, value in _fields(data):
        if number not in table:
            if value in (b"", 0):
                continue
            raise ApiError(
                415,
                f"field {number} of {name} is not understood in protobuf; send application/json",
            )
        field = table[number]
        _put(result, field, value)
    return result


def _put(result: JSON, field: str, value: Any) -> None:
    """Put a value where its field says: `name`, `name:Type`, `[]`, `{}` for maps, `!` if zero counts."""
    name, _, kind = field.partition(":")
    if kind.startswith("{}"):
        key, item = _entry(value, kind[2:])
        result.setdefault(name, {})[key] = item
    elif kind.startswith("[]"):
        result.setdefault(name, []).append(_value(value, kind[2:]))
    elif kind == "inline":
        result.update(_message(value, name))
    else:
        found = _value(value, kind.removesuffix("!"))
        if found or kind.endswith("!"):
            result[name] = found


def _value(value: Any, kind: str) -> Any:
    if kind == "":
        return value.decode()
    if kind == "int":
        return value - (1 << 64) if value >> 63 else value
    if kind == "bool":
        return bool(value)
    if kind == "bytes":
        return base64.b64encode(value).decode()
    if kind == "Quantity":
        return _message(value, kind).get("string", "0")
    if kind == "IntOrString":
        parts = _message(value, kind)
        return parts.get("string", "") if parts.get("isString") else parts.get("number", 0)
    return _message(value, kind)


def _entry(data: bytes, kind: str) -> tuple[str, Any]:
    parts = dict(_fields(data))
    return parts.get(1, b"").decode(), _value(parts.get(2, b""), kind)


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    position = 0
    while position < len(data):
        tag, position = _varint(data, position)
        number, wire = tag >> 3, tag & 7
        if wire == _VARINT:
            value, position = _varint(data, position)
            yield number, value
            continue
        if wire == _BYTES:
            size, position = _varint(data, position)
        elif wire in (_FIXED64, _FIXED32):
            size = 8 if wire == _FIXED64 else 4
        else:
            raise KeyError(f"wire type {wire}")
        if position + size > len(data):
            raise IndexError("it ends in the middle of a field")
        yield number, data[position : position + size]
        position += size


def _varint(data: bytes, position: int) -> tuple[int, int]:
    result = shift = 0
    while True:
        byte = data[position]
        result |= (byte & 0x7F) << shift
        position += 1
        if byte < 0x80:
            return result, position
        shift += 7
