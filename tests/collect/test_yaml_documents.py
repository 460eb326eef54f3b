"""YAML as kubectl reads it, from whomever."""

import json
from typing import Any

import pytest

from karpenter_check.collect.refusal import UnreadableInput
from karpenter_check.collect.yaml_documents import yaml_documents


def read(text: str) -> list[Any]:
    return [json.loads(document.raw) for document in yaml_documents("a.yaml", text.encode())]


def refusal_of(text: str) -> str:
    with pytest.raises(UnreadableInput) as refused:
        read(text)
    return str(refused.value)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("yes", True), ("Off", False), ("y", True), ("N", False), ("yEs", "yEs"),
        ("12", 12), ("012", 10), ("0o12", 10), ("0x1F", 31), ("0b11", 3), ("1_000", 1000), ("-3", -3),
        ("1.5", 1.5), ("1e3", 1000), ("10.0", 10), ("012345678901", 12345678901), (".5", 0.5),
        ("1:30", "1:30"), ("2026-11-21", "2026-11-21"), ("2026-11-21T08:00:00Z", "2026-11-21T08:00:00Z"), ("1d", "1d"), ("=", "="),
        ("~", None), ("null", None), ("", None), ("'yes'", "yes"), ('"12"', "12"),
    ],
)  # fmt: skip
def test_a_plain_scalar_is_what_it_is_to_kubectl(written: str, value: object) -> None:
    (document,) = read(f"a: {written}\n")

    assert (document, type(document["a"])) == ({"a": value}, type(value))


def test_keys_are_texts() -> None:
    assert read("{on: 1, 2: x, 2.5: z}") == [{"true": 1, "2": "x", "2.5": "z"}]


def test_documents_know_the_line_of_their_first_word() -> None:
    text = "# a comment\n\na: 1\n---\n# another\nb: 2\n---\n---\nc: 3\n"

    assert [document.line for document in yaml_documents("a.yaml", text.encode())] == [3, 6, 9]


def test_windows_line_ends_and_merged_maps_are_read() -> None:
    assert read("a: &a {x: 1}\r\nb:\r\n  <<: *a\r\n  z: 2\r\n") == [{"a": {"x": 1}, "b": {"x": 1, "z": 2}}]


def test_a_usual_use_of_aliases_is_no_bomb() -> None:
    text = "a: &a {x: 1, y: 2}\nb: [" + ", ".join(["*a"] * 300) + "]\n"

    assert len(read(text)[0]["b"]) == 300


@pytest.mark.parametrize(
    "text",
    ["a: " + "[" * 100_000, "a: " + "[" * 2_000 + "]" * 2_000, "".join(f"{' ' * depth}a:\n" for depth in range(600)), "- " * 5_000 + "a"],
    ids=["open brackets", "brackets", "indentation", "dashes"],
)  # fmt: skip
def test_what_is_nested_too_deeply_is_refused_before_the_process_ends(text: str) -> None:
    assert refusal_of(text) == "a.yaml: is nested too deeply, or contains itself by a YAML alias"


def test_brackets_in_a_text_are_no_depth() -> None:
    assert read(f"a: '{'[' * 5_000}'") == [{"a": "[" * 5_000}]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\n\tb: 2\n", "a.yaml: is neither JSON nor YAML: found a tab character that violates indentation (line 2, column 1)"),
        ("a:\n\t- b\n", "a.yaml: has a tab where YAML wants spaces (line 2, column 1)"),
        ("a: !Ref b\n", "a.yaml: is neither JSON nor YAML: could not determine a constructor for the tag '!Ref' (line 1, column 4)"),
        ("{% if x %}\na: 1\n{% endif %}\n", "a.yaml: looks like a template that was not rendered (line 1, column 2): render it first (helm template …) and scan the result"),
    ],
)  # fmt: skip
def test_a_refusal_names_the_line_and_the_column(text: str, said: str) -> None:
    assert refusal_of(text) == said


def test_aliases_that_make_much_of_little_are_refused() -> None:
    bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "\n".join(
        f"{name}: &{name} [{','.join([f'*{before}'] * 10)}]" for before, name in zip("abcd", "bcde", strict=True)
    )

    assert refusal_of(bomb).endswith("; kubectl refuses that, too")
