"""The table of scenarios in docs/testing.md."""

from collections.abc import Mapping
from pathlib import Path

from tests.e2e.outcome import Outcome
from tests.e2e.scenario import SCENARIOS

PAGE = Path(__file__).parent.parent.parent / "docs" / "testing.md"
_BEGIN, _END = "<!-- written by: pytest tests/e2e --write-table -->\n", "<!-- end -->\n"


def write_table(outcomes: Mapping[str, Outcome]) -> None:
    """Put a row for each scenario that was played into docs/testing.md, in place of all that is there."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(_BEGIN)
    _, _, after = rest.partition(_END)
    rows = [_row(name, outcome) for name, outcome in outcomes.items()]
    head = "| scenario | injected | found | missed | false |\n|---|---|---|---|---|\n"
    PAGE.write_text(f"{before}{_BEGIN}{head}{''.join(rows)}{_END}{after}", encoding="utf-8")


def _row(name: str, outcome: Outcome) -> str:
    found = [*outcome.found, *(f"{slug}: no rule yet" for slug in outcome.no_rule_yet)]
    told = [
        "<br>".join(entries) or empty for entries, empty in ((found, "silent"), (outcome.missed, "none"), (outcome.false, "none"))
    ]
    return f"| {' | '.join([name, SCENARIOS[name].injected, *told])} |\n"
