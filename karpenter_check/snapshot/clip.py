"""A cluster's own text, cut: Karpenter writes messages of 76 KB."""

MAXIMUM_TEXT = 400
"""Characters of such a text that are kept."""


def clip(text: str, limit: int = MAXIMUM_TEXT) -> str:
    """The text, cut to `limit` characters with a count of what was cut."""
    return text if len(text) <= limit else f"{text[:limit]}… (+{len(text) - limit} characters)"
