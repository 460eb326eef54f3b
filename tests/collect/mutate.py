"""Real JSON with something wrong in it: in its bytes, or in its values."""

import json
import re
from collections.abc import Callable
from copy import deepcopy
from random import Random
from typing import Any, TypeAlias

Mutation: TypeAlias = Callable[[bytes, Random], bytes]

_JUNK = (
    *(b"\x00", b"\xff\xfe", b"\xc3", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\x1f\x8b", b"\\", b"\\ud800", b"\\u12", b"\r\n"),
    *(b'"', b"{", b"}", b"[", b"]", b",", b":", b"null", b"NaN", b"-Infinity", b"1e999", b"-0", b"01", b"9" * 5_000),
    *(b"[" * 100_000, b'{"a":' * 100_000, b"[[[[]]]]", b"<!-- -->", b"/*", b"'"),
)
_TIMES = (
    *("0000-00-00T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-11-21T08:00:00", "2026-11-21T08:00:00+23:59"),
    *("2026-11-21T24:00:00Z", "2026-02-30T08:00:00Z", "2026-11-21T08:00:60Z", "10000-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00"),
)
_QUANTITIES = (
    *(
        "1e400",
        "1E999999999",
        "-5",
        "1e-400",
        "0x10",
        "1Ki",
        "1KI",
        ".5",
        "5.",
        "+1",
        "1 Gi",
        "inf",
        "nan",
        "٣",
        "1_000",
        "9" * 400,
    ),
    *("9223372036854775808Ei", "-1Gi", "1e", "m", "1mm", "0.0000000001n"),
)
_DURATIONS = (
    "Never",
    "never",
    "-1s",
    "99999999999999h",
    "1h1",
    "h",
    "1e9h",
    "0",
    "2562047h47m16.854775807s",
    "1µs",
    "9" * 400 + "s",
)
_STRINGS = (
    *("", " ", "x", "\x00", "\ud800", "\U0010ffff", "a" * 10_000, "true", "100%", "-1%", "1000%", "%", "*/5 * * * *", "@daily"),
    *("99 99 99 99 99", "* * * * * *", "Exists", "Gt", "In", "a=b", "karpenter.sh/v1", "//", "aws:///z/i-1", "1.2.3.4/99", "::1"),
)
_OTHERS: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 1.5, 2**31, 2**63, 2**64, -(2**63) - 1, 10**30, 1e308, float("nan"), float("inf")),
    *([], {}, [None], {"": None}, [[]], [{}], {"a": {"b": {"c": []}}}, [""], ["x", "x"], [1, "a", None], {"x": 1}),
)
_TIME, _DURATION, _QUANTITY = (re.compile(form) for form in (r"\d{4}-\d\d-\d\dT.*", r"(\d+[smh])+|Never", r"[\d.]+\w{0,2}"))
HOSTILE: tuple[Any, ...] = (*_OTHERS, *_STRINGS, *_TIMES, *_QUANTITIES, *_DURATIONS)


def _flip(body: bytes, random: Random) -> bytes:
    bent = bytearray(body)
    for _ in range(random.choice((1, 1, 2, 8, 64))):
        bent[random.randrange(len(bent))] ^= 1 << random.randrange(8)
    return bytes(bent)


def _cut(body: bytes, random: Random) -> bytes:
    return body[: random.randrange(len(body))]


def _lose(body: bytes, random: Random) -> bytes:
    start, end = sorted(random.randrange(len(body)) for _ in range(2))
    return body[:start] + body[end:]


def _double(body: bytes, random: Random) -> bytes:
    start, end = sorted(random.randrange(len(body)) for _ in range(2))
    return body[:end] + body[start:]


def _insert(body: bytes, random: Random) -> bytes:
    place = random.randrange(len(body))
    return body[:place] + random.choice(_JUNK) + body[place:]


def _recode(body: bytes, random: Random) -> bytes:
    return body.decode().encode(random.choice(("utf-16", "utf-32-le", "utf-8-sig", "cp037")))


def _repeat_keys(body: bytes, random: Random) -> bytes:
    """Some objects say a key twice, the second time something else."""
    text = body.decode()
    place = random.choice([place for place, letter in enumerate(text) if letter == "{"])
    key = random.choice(("metadata", "spec", "status", "items", "kind", "name", "continue"))
    return f"{text[: place + 1]}{json.dumps(key)}:{json.dumps(random.choice(HOSTILE))},{text[place + 1 :]}".encode()


def _nest(body: bytes, random: Random) -> bytes:
    """A value is buried under lists or objects."""
    depth = random.choice((10, 100, 900, 5_000))
    before, after = random.choice(((b"[", b"]"), (b'{"a":', b"}")))
    place = random.choice([place for place, letter in enumerate(body) if letter == ord(":")]) + 1
    return body[:place] + before * depth + b"1" + after * depth + b',"x":' + body[place:]


def revalue(body: bytes, random: Random) -> bytes:
    """Some values are replaced, taken away, moved or renamed; what comes out is JSON, but for NaN and infinity."""
    root = json.loads(body)
    for _ in range(random.choice((1, 1, 2, 3, 6, 20))):
        places = list(_places(root))
        if places:
            _change(*random.choice(places), random.choice(places), random)
    return json.dumps(root).encode()


def bend(body: bytes, random: Random) -> bytes:
    """A few plain values are replaced by others of their type and form, so that most objects decode."""
    root = json.loads(body)
    places = [(inside, key) for inside, key in _places(root) if isinstance(inside[key], str | int | float)]
    for inside, key in random.sample(places, min(len(places), random.choice((1, 3, 6)))):
        inside[key] = random.choice(_like(inside[key]))
    return json.dumps(root).encode()


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every container in it, with every key."""
    found, open_ = [], [value]
    while open_:
        inside = open_.pop()
        keys = list(inside) if isinstance(inside, dict) else range(len(inside))
        found += [(inside, key) for key in keys]
        open_ += [inside[key] for key in keys if isinstance(inside[key], dict | list)]
    return found


def _change(inside: Any, key: Any, other: tuple[Any, Any], random: Random) -> None:
    match random.randrange(12):
        case 0:
            del inside[key]
        case 1 if isinstance(inside, dict):
            inside[random.choice(("", "x", "name", str(key).upper()))] = inside.pop(key)
        case 1 | 2 if isinstance(inside, list):
            inside.append(inside[key])
        case 3:
            inside[key] = deepcopy(other[0][other[1]])
        case 4 if isinstance(inside[key], str | int | float):
            inside[key] = str(inside[key]) if not isinstance(inside[key], str) else len(inside[key])
        case 5 | 6 | 7 | 8:
            inside[key] = deepcopy(random.choice(_like(inside[key])))
        case _:
            inside[key] = deepcopy(random.choice(HOSTILE))


def _like(value: Any) -> tuple[Any, ...]:
    """Hostile values of the same type, and for text of the same form."""
    if isinstance(value, str):
        forms = ((_TIME, _TIMES), (_DURATION, _DURATIONS), (_QUANTITY, _QUANTITIES))
        return next((hostile for form, hostile in forms if form.fullmatch(value)), _STRINGS)
    return tuple(other for other in _OTHERS if isinstance(other, type(value))) or HOSTILE


MUTATIONS: tuple[Mutation, ...] = (_flip, _cut, _lose, _double, _insert, _recode, _repeat_keys, _nest, *(revalue,) * 8)
