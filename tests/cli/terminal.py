"""A terminal that remembers what stands on it."""

import io
import re

_STEP = re.compile(
    r"\x1b\[(?P<number>[0-9;]*)(?P<move>[A-Z])|\x1b\[[0-9;?]*(?P<mode>[a-z])|(?P<control>[\r\n])|(?P<text>[^\x1b\r\n]+)"
)


class Terminal(io.StringIO):
    """A stream that says it is a terminal, with a screen of endless height."""

    def isatty(self) -> bool:
        """It is one, for all that anybody can tell."""
        return True

    @property
    def screen(self) -> list[str]:
        """The lines that stand there now, without colours."""
        return screen(self.getvalue())


def screen(written: str) -> list[str]:
    """What stands on a terminal after this was written. Raises AssertionError for an escape that is not known here."""
    lines, row, column = [""], 0, 0
    position = 0
    while position < len(written):
        step = _STEP.match(written, position)
        assert step, written[position : position + 20]
        position = step.end()
        match step["move"] or step["control"]:
            case "A":
                row = max(0, row - int(step["number"] or 1))
            case "K":
                lines[row] = "" if step["number"] == "2" else lines[row][:column]
            case "\r":
                column = 0
            case "\n":  # as a terminal's line discipline has it: with a carriage return
                row, column = row + 1, 0
                lines += [""] * (row + 1 - len(lines))
            case _:  # a colour, or text
                pass
        if text := step["text"]:
            lines[row] = f"{lines[row][:column]:{column}}{text}{lines[row][column + len(text) :]}"
            column += len(text)
    return [line.rstrip() for line in lines if line.strip()]


def cursor_is_shown(written: str) -> bool:
    """Whether the last thing that was done to the cursor, if anything, was to show it."""
    return written.rfind("\x1b[?25h") >= written.rfind("\x1b[?25l")
