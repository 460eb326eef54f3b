"""Texts for people without names: every learnt one goes, and what is no word of the vocabulary."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from karpenter_check.collect.free_text import FreeText
from karpenter_check.collect.pseudonyms import Pseudonyms
from karpenter_check.snapshot.event import Event, EventSource, InvolvedObject, assignment, nomination, preemption

NAMES = {"web": "deployment", "shop": "ns", "general": "nodepool", "ip-10-0-1-23.ec2.internal": "node", "dedicated": "key"}


def _pseudonyms() -> Pseudonyms:
    pseudonyms = Pseudonyms(b"a key")
    for name, word in NAMES.items():
        pseudonyms.note(name, word)
    pseudonyms.open.add("m7i.large")
    return pseudonyms


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Successfully assigned shop/web to ip-10-0-1-23.ec2.internal", "Successfully assigned {shop}/{web} to {ip-10-0-1-23.ec2.internal}"),
        ('Pod "shop"/"web" matches (NodePool=general).', 'Pod "{shop}"/"{web}" matches (NodePool={general}).'),
        ("did not tolerate taint (taint=dedicated=web:NoSchedule)", "did not tolerate taint (taint={dedicated}={web}:NoSchedule)"),
        ("Evicted pod: Forceful Termination", "Evicted pod: Forceful Termination"),
        ("1 node(s) didn't match Pod's node affinity/selector, 12 Insufficient cpu.", "1 node(s) didn't match Pod's node affinity/selector, 12 Insufficient cpu."),
        ("needs 500m, 1.5Gi, 10% of v1.13.0 in 1h30m at 2026-11-21T08:00:00Z", "needs 500m, 1.5Gi, 10% of v1.13.0 in 1h30m at 2026-11-21T08:00:00Z"),
        ("label karpenter.sh/do-not-disrupt on m7i.large", "label karpenter.sh/do-not-disrupt on m7i.large"),
    ],
)  # fmt: skip
def test_a_text_keeps_its_words_and_loses_its_names(text: str, expected: str) -> None:
    pseudonyms = _pseudonyms()
    for name in NAMES:
        expected = expected.replace(f"{{{name}}}", pseudonyms.name(name))

    assert FreeText(pseudonyms).redacted(text) == expected


@pytest.mark.parametrize(
    "secret",
    [
        "payments-api", "arn:aws:iam::123456789012:role/payments", "123456789012", "10.1.2.3", "10.1.2.3:443", "fd00:1:2::3",
        "jane@acme.com", "https://payments.acme.com/x?y", "registry.acme.com/team/payments:1.2.3", "payments.acme.svc.cluster.local",
        "i-0123456789abcdef0", "/var/lib/payments", "payments_db", "żółty", "payments:8443", "team/payments", "abc123",
        "8a7b6c5d-0000-4111-a222-0123456789ab", "sha256:0123abcd", "123456789012.dkr.ecr.eu-west-1.amazonaws.com/payments",
        "ABCDEF.gr7.eu-west-1.eks.amazonaws.com", '"payments"', "(name=payments)", 'User "payments"', "aws:///eu-west-1a/i-0abc",
    ],
)  # fmt: skip
def test_what_is_no_ordinary_word_goes(secret: str) -> None:
    redacted = FreeText(_pseudonyms()).redacted(f"cannot reach {secret}, again")

    assert redacted.startswith("cannot reach ")
    assert redacted.endswith(", again")
    parts = set(re.split(r"[^A-Za-z0-9żół]+", secret)) - {
        "",
        "https",
        "User",
        "name",
        "aws",
        "eu",
        "west",
        "1a",
        "1",
        "2",
        "3",
        "0000",
        "8443",
    }
    assert not [part for part in parts if re.search(rf"(?<![A-Za-z0-9-]){part}(?![A-Za-z0-9-])", redacted)]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Alice of Acme GmbH asked for it", "{} of {} {} asked for it"),
        ("used by customer Initech, key AKIAABCDEFGHIJKLMNOP", "used by {} {}, key {}"),
        ("SuperSecretProject runs on acmecorp", "{} runs on {}"),
        ("AcmeRollout of EC2NodeClass failed", "{} of EC2NodeClass failed"),
        ("call 491701234567 or +491701234567 or 5551234", "call {} or {} or {}"),
        ("EC2NodeClass/blue in eu-west-1b, m7i.xlarge", "EC2NodeClass/{} in eu-west-1b, m7i.xlarge"),
        ("rack acme-dc1-rack2 in acme-frankfurt", "{} {} in {}"),
    ],
)  # fmt: skip
def test_a_word_that_is_in_no_vocabulary_is_a_name(text: str, kept: str) -> None:
    redacted = FreeText(_pseudonyms()).redacted(text)

    assert re.fullmatch(re.escape(kept).replace(r"\{\}", "(?:word|name|reference)-[0-9a-f]{10}"), redacted)


@pytest.mark.parametrize(
    "text",
    [
        "Node is nominated for a pending pod", "SpotToSpotConsolidation is disabled, can't replace a spot node with a spot node",
        "Can't replace with a cheaper node", "Status condition transitioned, Type: Launched, Status: Unknown -> True, Reason: Launched",
        "Insufficient capacity error, could not launch: UnfulfillableCapacity: Unable to fulfill capacity due to your request configuration.",
        "0/3 nodes are available: 1 Too many pods, 2 node(s) had volume node affinity conflict, 3 node(s) didn't have free ports for the requested pod ports.",
        "kubelet has sufficient PID available", "Back-off restarting failed container", "Readiness probe failed: HTTP probe failed with statuscode: 503",
        "MountVolume.SetUp failed for volume", "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox",
        "plugin type failed (add): failed to assign an IP address to container", "unregistered taint was not removed, no new nodeclaims",
    ],
)  # fmt: skip
def test_what_kubernetes_and_karpenter_say_stays_readable(text: str) -> None:
    redacted = FreeText(_pseudonyms()).redacted(text)

    assert [word for word in re.findall(r"[A-Za-z]{3,}", text) if word not in redacted] == []


def test_a_uid_in_a_text_is_the_uid_of_its_object() -> None:
    pseudonyms, uid = _pseudonyms(), "8a7b6c5d-0000-4111-a222-0123456789ab"

    assert FreeText(pseudonyms).redacted(f"Preempted by pod {uid}") == f"Preempted by pod {pseudonyms.uid(uid)}"


def test_of_a_servers_refusal_only_the_user_goes() -> None:
    pseudonyms = _pseudonyms()
    refusal = 'User "{}" cannot list resource "nodes" in API group "karpenter.sh" at the cluster scope'

    assert FreeText(pseudonyms).redacted(refusal.format("jane")) == refusal.format(pseudonyms.name("jane"))


def test_a_word_that_was_cut_off_may_be_the_beginning_of_a_name() -> None:
    pseudonyms = _pseudonyms()

    assert (
        FreeText(pseudonyms).redacted("Created pod: payme… (+9 characters)")
        == f"Created pod: {pseudonyms.name('payme')}… (+9 characters)"
    )


@pytest.mark.parametrize("name", ["node", "pod", "on", "to", "nodeclaim", "schedule"])
def test_what_karpenter_and_the_scheduler_say_can_be_read_whatever_objects_are_called(name: str) -> None:
    pseudonyms = _pseudonyms()
    pseudonyms.note(name, "pod")
    uid, about = "8a7b6c5d-0000-4111-a222-0123456789ab", InvolvedObject("Pod")

    def said(reason: str, message: str, component: str = "default-scheduler") -> Event:
        return Event(about, reason=reason, message=FreeText(pseudonyms).redacted(message), source=EventSource(component))

    web = pseudonyms.name("web")

    assert nomination(said("Nominated", "Pod should schedule on: nodeclaim/web, node/web", "karpenter")) == (web, web)
    assert nomination(said("Nominated", "Pod should schedule on: node/web", "karpenter")) == ("", web)
    assert preemption(said("Preempted", f"Preempted by pod {uid} on node web")) == (pseudonyms.uid(uid), web)
    assert assignment(said("Scheduled", "Successfully assigned shop/web to web")) == web


_LABEL = st.from_regex(r"[a-z]([-a-z0-9]{3,12}[a-z0-9])", fullmatch=True)
_KEPT = {"cannot", "storage", "class", "nodeclaim", "preemption", "persistentvolume", "persistentvolumeclaim", "requirements"}


@given(
    st.sets(_LABEL.filter(lambda name: name not in _KEPT), min_size=1, max_size=6),
    st.lists(st.sampled_from([" ", "/", ":", ", ", '"', "'", "=", "(", ")", "[", "]", ";", ". ", "\n", " the ", " pod ", "€", "--"]), min_size=2),
    st.data(),
)  # fmt: skip
def test_no_learnt_name_is_left_in_any_text(names: set[str], between: list[str], data: st.DataObject) -> None:
    pseudonyms = Pseudonyms(b"a key")
    for name in names:
        pseudonyms.note(name, "pod")
    words = data.draw(st.lists(st.sampled_from(sorted(names)), min_size=len(between), max_size=len(between)))
    text = "".join(f"{word}{separator}" for word, separator in zip(words, between, strict=True))

    redacted = FreeText(pseudonyms).redacted(text)

    assert names.isdisjoint(re.split(r"[^-a-z0-9]+", redacted))


@given(st.text())
def test_any_text_can_be_redacted(text: str) -> None:
    free_text = FreeText(_pseudonyms())

    assert set(NAMES).isdisjoint(re.findall(r"[-.A-Za-z0-9]+", free_text.redacted(text)))
