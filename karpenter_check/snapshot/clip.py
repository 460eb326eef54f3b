"""A cluster's own text, cut: Karpenter writes messages of 76 KB."""

MAXIMUM_TEXT = 400
"""Characters of such a text that are kept."""


def clip(text: str, limit: int = MAXIMUM_TEXT) -> str:
    """The text, cut to `limit` characters with a count of what was cut."""
    return text if len(text) <= limit else f"{text[:limit]}… (+{len(text) - limit} characters)"


MAXIMUM_MESSAGE = 4096
"""Characters of an event's or a condition's message that the model keeps."""
_END = 1024
"""How many of them are the message's end: what Karpenter concludes often stands there."""


def capped(message: str) -> str:
    """The message with its middle taken out where it is too long; never longer than `MAXIMUM_MESSAGE`, so capping again changes nothing."""
    if len(message) <= MAXIMUM_MESSAGE:
        return message
    gap = f" … ({len(message) - MAXIMUM_MESSAGE} characters and more left out) … "
    return message[: MAXIMUM_MESSAGE - _END - len(gap)] + gap + message[-_END:]
