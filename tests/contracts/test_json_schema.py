"""The schema in docs/json.md holds for what is written, and refuses what is not."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from karpenter_check.reports import Format, render
from karpenter_check.scan import Report, scan
from tests.build import a_cluster

DOCS = Path(__file__).parent.parent.parent / "docs"


def schema() -> dict[str, Any]:
    (block,) = re.findall(r"^```json\n(.*?)^```", (DOCS / "json.md").read_text(), re.MULTILINE | re.DOTALL)
    parsed: dict[str, Any] = json.loads(block)
    return parsed


def problems(document: object, definition: dict[str, Any]) -> list[str]:
    validator = jsonschema.Draft202012Validator(definition, format_checker=jsonschema.FormatChecker())
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(document)]


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("recording", ["faults", "runaway", "healthy"])
def test_it_holds_for_the_json_of_a_recording(recording: str, recorded: Callable[[str], Report]) -> None:
    document = json.loads(render(recorded(recording), Format.JSON, version="1.2.3"))

    assert problems(document, schema()) == []


@pytest.mark.parametrize("recording", ["faults", "runaway"])
def test_it_holds_for_every_finding_line(recording: str, recorded: Callable[[str], Report]) -> None:
    finding = {**schema(), **schema()["$defs"]["finding"]}
    lines = [json.loads(line) for line in render(recorded(recording), Format.JSONL, version="1.2.3").splitlines()]

    for line in lines[:-1]:
        assert (line.pop("schema"), line.pop("type"), line.pop("run")["version"]) == ("karpenter-check/v1", "finding", "1.2.3")
        assert problems(line, finding) == []


def test_it_holds_where_nothing_was_seen() -> None:
    document = json.loads(render(scan(a_cluster(), ()), Format.JSON, version="1.2.3"))

    assert problems(document, schema()) == []


def test_it_refuses_a_field_that_it_does_not_know(recorded: Callable[[str], Report]) -> None:
    document = json.loads(render(recorded("faults"), Format.JSON, version="1.2.3"))
    document["findings"][0]["surprise"] = 1

    assert problems(document, schema()) == ["$.findings[0]: Additional properties are not allowed ('surprise' was unexpected)"]
