"""What decoding JSON from elsewhere raises, whatever is wrong with it."""

import msgspec

UNDECODABLE = (msgspec.MsgspecError, RecursionError, UnicodeDecodeError)
"""Malformed, of another type than expected, nested too deeply, or no UTF-8."""
