"""Where the token of the next page stands, whatever the page holds."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from karpenter_check.collect.answer import Answer
from karpenter_check.collect.refusal import CannotScan
from karpenter_check.collect.walk import next_token, walk

_HOSTILE = st.sampled_from(
    ['"metadata":{"continue":"no"},"items":[', '"},"metadata":{"continue":"no"}}', "]}", "{", "\\", "é\u0000"]
)
_TEXT = st.text(max_size=10) | _HOSTILE
_METADATA = st.dictionaries(st.sampled_from(["name", "resourceVersion", "selfLink"]), _TEXT, max_size=2)
_ITEM = st.fixed_dictionaries(
    {"metadata": _METADATA}, optional={"spec": st.recursive(_TEXT, lambda part: st.dictionaries(_TEXT, part))}
)


@pytest.mark.parametrize("front", [True, False])
@given(items=st.lists(_ITEM, max_size=3), token=_TEXT, indent=st.integers(0, 2))
def test_the_token_is_found_in_front_of_the_items_and_behind_them(
    *, items: list[Any], token: str, front: bool, indent: int
) -> None:
    metadata = {"resourceVersion": "7", "continue": token}
    page = (
        {"kind": "List", "metadata": metadata, "items": items} if front else {"items": items, "kind": "List", "metadata": metadata}
    )
    body = msgspec.json.encode(page)
    assert next_token(msgspec.json.format(body, indent=indent) if indent else body) == token


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b'{"metadata":{}}', b"[1]", b'{"metadata":{"continue":null},"items":[]}'])
def test_what_has_no_token_has_none(body: bytes) -> None:
    assert next_token(body) == ""


class _Circle:
    """An API server whose tokens lead in a circle."""

    def get(self, path: str, query: Mapping[str, str], *, accept: str) -> Answer:
        assert (path, accept) == ("/x", "application/json")
        following = {"": "a", "a": "b", "b": "a"}[query.get("continue", "")]
        return Answer(200, {}, b'{"metadata":{"continue":"%s"},"items":[]}' % following.encode())


def test_a_list_that_goes_round_in_a_circle_is_left() -> None:
    with pytest.raises(CannotScan, match="GET /x: the list does not end: its continue tokens come again"):
        list(walk(_Circle(), "/x", {}, accept="application/json"))  # type: ignore[arg-type]
