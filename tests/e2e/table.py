"""The table of scenarios in docs/testing.md."""

from collections.abc import Mapping
from pathlib import Path

from tests.e2e.outcome import Outcome
from tests.e2e.scenario import SCENARIOS

PAGE = Path(__file__).parent.parent.parent / "docs" / "testing.md"
_BEGIN, _END = "<!-- written by: pytest tests/e2e --write-table -->\n", "<!-- end -->\n"
_HEAD = "| scenario | injected | found | missed | false |\n|---|---|---|---|---|\n"


def rows() -> dict[str, str]:
    """The lines of the table as it stands, by scenario."""
    _, _, rest = PAGE.read_text(encoding="utf-8").partition(_BEGIN)
    table = rest.partition(_END)[0].removeprefix(_HEAD)
    return {line.split(" | ")[0].removeprefix("| "): line for line in table.splitlines(keepends=True)}


def write_table(outcomes: Mapping[str, Outcome]) -> None:
    """Put a row for each scenario that was played into docs/testing.md; the others keep theirs, those that are no more lose it."""
    told = rows() | {name: _row(name, outcome) for name, outcome in outcomes.items()}
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(_BEGIN)
    _, _, after = rest.partition(_END)
    kept = "".join(told[name] for name in SCENARIOS if name in told)
    PAGE.write_text(f"{before}{_BEGIN}{_HEAD}{kept}{_END}{after}", encoding="utf-8")


def _row(name: str, outcome: Outcome) -> str:
    found = [*outcome.found, *(f"{slug}: no rule yet" for slug in outcome.no_rule_yet)]
    told = ((found, "silent"), (outcome.missed, "none"), (outcome.false, "none"))
    cells = [("<br>".join(entries) or empty).replace("|", "&#124;") for entries, empty in told]
    return f"| {' | '.join([name, SCENARIOS[name].injected, *cells])} |\n"
