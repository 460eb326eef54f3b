"""A cluster's own text, made safe to look at."""

import re
import unicodedata

_UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Controls (so escapes of terminals, newlines), formats (so right-to-left marks), lone surrogates, line and paragraph separators."""
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _escaped(character: str) -> str:
    if character in _SHORT:
        return _SHORT[character]
    code = ord(character)
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def printable(text: str) -> str:
    """The text with everything that moves the cursor, colours, reorders or hides written as an escape."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escaped(character) if unicodedata.category(character) in _UNSEEN else character for character in text)


_BEYOND_ASCII = re.compile(r"[^\x00-\x7e]")


def printable_json(document: str) -> str:
    r"""A JSON text in which such characters are `\u` escapes; it means the same."""

    def escaped(form: re.Match[str]) -> str:
        if unicodedata.category(form[0]) not in _UNSEEN:
            return form[0]
        units = form[0].encode("utf-16-be", "surrogatepass")
        return "".join(f"\\u{units[place : place + 2].hex()}" for place in range(0, len(units), 2))

    return _BEYOND_ASCII.sub(escaped, document)
