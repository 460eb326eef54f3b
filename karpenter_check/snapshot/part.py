"""What every typed piece of an API object has in common."""

import msgspec


class Part(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A piece of an API object, decoded straight from its JSON.

    Only fields that some rule reads are declared; msgspec skips the rest while it parses. Field names are the API's
    in snake case; initialisms need their name spelled (`msgspec.field(name="providerID")`).
    """
