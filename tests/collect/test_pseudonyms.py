"""Pseudonyms: stable, different for different names, and of the same shape."""

import pytest

from karpenter_check.collect import pseudonyms as module
from karpenter_check.collect.free_text import provider_id
from karpenter_check.collect.pseudonyms import Pseudonyms
from karpenter_check.scheduling.labels import restricted
from karpenter_check.scheduling.validation import malformed_name


def _pseudonyms(*names: str, word: str = "deployment", key: bytes = b"a key") -> Pseudonyms:
    pseudonyms = Pseudonyms(key)
    for name in names:
        pseudonyms.note(name, word)
    return pseudonyms


def test_a_name_has_the_same_pseudonym_in_every_snapshot_of_a_cluster() -> None:
    assert _pseudonyms("web").name("web") == _pseudonyms("api", "web", "db").name("web")
    assert _pseudonyms("web").name("web") != _pseudonyms("web", key=b"another").name("web")


def test_a_pseudonym_says_what_kind_of_name_it_is() -> None:
    pseudonyms = _pseudonyms("web")
    pseudonyms.note("web", "value")
    pseudonyms.note("payments", "ns")

    assert [pseudonyms.name(name).partition("-")[0] for name in ("web", "payments", "unheard-of")] == ["deployment", "ns", "name"]


def test_two_names_never_share_a_pseudonym(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_DIGITS", 1)
    names = [f"name{number}" for number in range(200)]
    pseudonyms = _pseudonyms(*names)

    assert len({pseudonyms.name(name) for name in names}) == 200


def test_nodepools_keep_their_order() -> None:
    names = ["zeta", "alpha", "default", "general", "a", "spot", "gpu", "web", "arm", "b", "c"]
    pseudonyms = _pseudonyms(*names, word="nodepool")

    assert sorted(names, key=pseudonyms.name) == sorted(names)
    assert not set(names) & set(map(pseudonyms.name, names))


def test_a_uid_becomes_a_uuid() -> None:
    first, second = (
        _pseudonyms().uid(uid) for uid in ("8A7B6C5D-0000-4111-a222-0123456789ab", "8a7b6c5d-0000-4111-a222-0123456789ab")
    )

    assert first == second
    assert [len(part) for part in first.split("-")] == [8, 4, 4, 4, 12]
    assert _pseudonyms().uid("") == ""


@pytest.mark.parametrize("address", ["", "0.0.0.0", "::", "127.0.0.1"])  # noqa: S104  nothing binds to it
def test_addresses_that_stand_for_every_one_stay(address: str) -> None:
    assert _pseudonyms().address(address) == address


def test_other_addresses_become_private_ones() -> None:
    assert _pseudonyms().address("52.1.2.3").startswith("10.")
    assert _pseudonyms().address("2600::1").startswith("fd")
    assert _pseudonyms().address("52.1.2.3") != _pseudonyms().address("52.1.2.4")


def test_a_provider_id_keeps_its_zone_alone() -> None:
    shown = provider_id(_pseudonyms(), "aws:///eu-west-1a/i-0123456789abcdef0")

    assert shown.startswith("aws:///eu-west-1a/i-")
    assert len(shown) == len("aws:///eu-west-1a/i-0123456789abcdef0")
    assert "0123456789abcdef0" not in shown


def test_a_provider_id_of_kwok_is_its_nodes_name() -> None:
    pseudonyms = _pseudonyms("kwok-general-x8kfd", word="node")

    assert provider_id(pseudonyms, "kwok://kwok-general-x8kfd") == f"kwok://{pseudonyms.name('kwok-general-x8kfd')}"


@pytest.mark.parametrize("text", ["a b", "x" * 70, "/name", "domain/", "one/two/three", "Domain.Example/name", "-a"])
def test_what_no_label_can_be_stays_so(text: str) -> None:

    assert malformed_name(text) == malformed_name(_pseudonyms().value(text, "value"))


@pytest.mark.parametrize("key", ["team.karpenter.sh/pool", "acme.kubernetes.io/role", "acme.com/role"])
def test_a_domain_that_karpenter_keeps_for_itself_can_still_be_told(key: str) -> None:

    shown = _pseudonyms().key(key)

    assert restricted(shown, None) == restricted(key, None)
    assert not {"team", "pool", "acme", "role"} & set(shown.replace("/", ".").split("."))
