"""The vocabulary of redaction: words that are nobody's names."""

import subprocess
import sys
from importlib.resources import files

import pytest

from karpenter_check.collect.public_words import is_public_word

LINES = files("karpenter_check.collect").joinpath("public_words.txt").read_text(encoding="ascii").splitlines()


@pytest.mark.parametrize(
    "word",
    ["the", "Pod", "NOT", "didn", "FailedScheduling", "KubeletHasNoDiskPressure", "EC2NodeClass", "AKSNodeClass", "KWOKNodeClass", "NodeClass",
     "InsufficientInstanceCapacity", "SpotToSpotConsolidation", "OOMKilled", "PodDisruptionBudgets", "WhenEmptyOrUnderutilized", "ENIs", "IPv4"],
)  # fmt: skip
def test_words_of_kubernetes_and_karpenter_are_public(word: str) -> None:
    assert is_public_word(word)


@pytest.mark.parametrize(
    "word",
    ["Alice", "Acme", "acmecorp", "GmbH", "Initech", "AKIAABCDEFGHIJKLMNOP", "SuperSecretProject", "AcmeRollout", "AcmeDiskHealthy", "x", "X",
     "", "a-b", "NodeX", "abc123", "żółty", "S3cret", "hunter2", "Amazonas", "noderacmed"],
)  # fmt: skip
def test_other_words_are_not(word: str) -> None:
    assert not is_public_word(word)


def test_the_vocabulary_is_sorted_and_small() -> None:
    assert sorted(set(LINES)) == LINES
    assert all(line.isalnum() and line.islower() for line in LINES)
    assert len(LINES) < 5000


def test_there_are_no_people_companies_or_shops_in_it() -> None:
    private = (
        "alice andrew anna bob carol daniel david eva jane john kate laura mary michael peter sarah thomas "
        "acme amazon apple contoso facebook globex google hooli ibm initech microsoft netflix oracle redhat sap spotify "
        "basket billing cart catalog checkout customer customers invoice ledger orders payment payments payroll shop tenant"
    )

    assert set(private.split()).isdisjoint(LINES)


def test_the_vocabulary_is_not_read_before_it_is_needed() -> None:
    asked = (
        "import karpenter_check.cli, karpenter_check.collect.redaction\n"
        "from karpenter_check.collect.public_words import _vocabulary\n"
        "print(_vocabulary.cache_info().currsize)"
    )

    assert subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True).stdout == "0\n"
