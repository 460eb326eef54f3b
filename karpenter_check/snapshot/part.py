"""What every typed piece of an API object has in common."""

from datetime import datetime
from typing import Annotated, TypeAlias

import msgspec

Timestamp: TypeAlias = Annotated[datetime, msgspec.Meta(tz=True)]
"""A time of the API's, which has a zone. One without is refused: it could not be compared with the others."""


class Part(msgspec.Struct, frozen=True, gc=False, rename="camel", omit_defaults=True):
    """A piece of an API object, decoded straight from its JSON.

    Only fields that some rule reads are declared; msgspec skips the rest while it parses. Field names are the API's
    in snake case; initialisms need their name spelled (`msgspec.field(name="providerID")`).
    What comes from JSON holds no cycles, so the garbage collector need not look for any.
    """


class Present(Part, frozen=True):
    """An object that is there. Nothing of it is read, so nothing of it can leak."""
