import re

import pytest

from karpenter_check.snapshot.quantity import Quantity, amounts, milli, shown, total


@pytest.mark.parametrize(
    ("quantity", "thousandths"),
    [
        ("0", 0),
        ("1", 1000),
        ("100m", 100),
        ("1500m", 1500),
        ("0.5", 500),
        (".5", 500),
        ("5.", 5000),
        ("+2", 2000),
        ("-1.5", -1500),
        ("0.1m", 1),
        ("1u", 1),
        ("1001u", 2),
        ("1n", 1),
        ("2k", 2_000_000),
        ("2M", 2 * 10**9),
        ("2G", 2 * 10**12),
        ("2T", 2 * 10**15),
        ("2P", 2 * 10**18),
        ("2E", 2 * 10**21),
        ("2Ki", 2 * 1024 * 1000),
        ("2Mi", 2 * 1024**2 * 1000),
        ("2Gi", 2 * 1024**3 * 1000),
        ("2Ti", 2 * 1024**4 * 1000),
        ("2Pi", 2 * 1024**5 * 1000),
        ("2Ei", 2 * 1024**6 * 1000),
        ("1.5Gi", 3 * 512 * 1024**2 * 1000),
        ("1e3", 1_000_000),
        ("1E3", 1_000_000),
        ("1.5e-3", 2),
        ("12e+1", 120_000),
        (2, 2000),
        (0.25, 250),
    ],
)
def test_a_quantity_in_thousandths_is_rounded_up(quantity: Quantity, thousandths: int) -> None:
    assert milli(quantity) == thousandths


@pytest.mark.parametrize(
    "text", ["", "m", "1K", "1 Gi", " 1", "1e", "1e3Mi", "1Gi2", "0x10", "1,5", "--1", "1GiB", "٣", "1_000", "NaN"]
)
def test_what_is_no_quantity_is_said(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"{text!r} is not a Kubernetes quantity")):
        milli(text)


def test_the_resource_whose_amount_is_wrong_is_named() -> None:
    with pytest.raises(ValueError, match=r"^memory: '512MB' is not a Kubernetes quantity$"):
        amounts({"cpu": "1", "memory": "512MB"})


def test_resource_lists_are_added_resource_by_resource() -> None:
    assert total([{"cpu": 100}, {"cpu": 250, "memory": 5}, {}]) == {"cpu": 350, "memory": 5}
    assert total([]) == {}


@pytest.mark.parametrize(
    ("resource", "quantity", "text"),
    [
        ("cpu", "600m", "600m"),
        ("cpu", "1500m", "1500m"),
        ("cpu", "2", "2"),
        ("cpu", "0", "0"),
        ("memory", "512Mi", "512Mi"),
        ("memory", "1536Mi", "1536Mi"),
        ("memory", "2Gi", "2Gi"),
        ("memory", "31.5Gi", "32Gi"),
        ("memory", "9.5Gi", "9728Mi"),
        ("memory", "2Ti", "2Ti"),
        ("memory", "1000", "1000"),
        ("memory", "100M", "95Mi"),
        ("memory", "0.5", "1"),
        ("ephemeral-storage", "20Gi", "20Gi"),
        ("hugepages-2Mi", "4Mi", "4Mi"),
        ("pods", "3", "3"),
        ("nvidia.com/gpu", "8", "8"),
    ],
)
def test_an_amount_is_shown_as_people_write_it(resource: str, quantity: str, text: str) -> None:
    assert shown(resource, milli(quantity)) == text
