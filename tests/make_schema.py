"""Write the JSON Schema of configuration files: `python -m tests.make_schema`."""

import json
from pathlib import Path

from karpenter_check.configuration import schema
from karpenter_check.rules import every_rule

PATH = Path(__file__).parents[1] / "docs" / "configuration.schema.json"


def schema_text() -> str:
    """The schema as the file has it."""
    return json.dumps(schema(every_rule()), indent=2) + "\n"


if __name__ == "__main__":
    PATH.write_text(schema_text())
