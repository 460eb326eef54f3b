"""What a scenario's outcome says of the scans that it saw."""

from dataclasses import replace

from karpenter_check.finding import Finding, Ref, fingerprint
from tests.e2e.outcome import Found, Outcome, judged
from tests.e2e.scans import Told

WEB = Ref("Deployment", "web", "apps/v1", "shop")
EXPECTED = Found("pod-fits-no-nodepool", WEB, "label:zone", says="zone In [z]")


def told(cause: str = "label:zone", text: str = "no NodePool offers zone In [z]", rule: str = "pod-fits-no-nodepool") -> Told:
    finding = Finding(object=WEB, owner=WEB, nodepool="shop", cause=cause, message=text)
    return Told(rule, WEB, WEB, "shop", "high", text, fingerprint(rule, finding), ())


def test_what_one_of_the_scans_told_is_found() -> None:
    assert judged([EXPECTED], [[], [told()], []], "shop") == Outcome(found=("pod-fits-no-nodepool (label:zone)",))


def test_what_none_of_them_told_is_missed() -> None:
    assert judged([EXPECTED], [[], []], "shop") == Outcome(missed=("pod-fits-no-nodepool (label:zone)",))


def test_another_cause_or_another_culprit_is_missed_and_false() -> None:
    for wrong in (told(cause="taint:zone"), told(text="no NodePool offers zone In [y]")):
        assert judged([EXPECTED], [[wrong]], "shop") == Outcome(missed=("pod-fits-no-nodepool (label:zone)",), false=(str(wrong),))


def test_what_nobody_expects_is_false_however_often_it_is_told() -> None:
    assert judged([], [[told()], [told()], []], "shop") == Outcome(false=(str(told()),))


def test_a_rule_that_is_expected_not_to_be_there_and_is_counts_as_missed() -> None:
    assert judged([], [[]], "shop", no_rule_yet=["node-ttl-death", "not-written"]) == Outcome(
        missed=("node-ttl-death",), no_rule_yet=("not-written",)
    )


def test_a_finding_must_have_the_cause_that_explains_it() -> None:
    root, effect = told(rule="nodepool-not-ready"), told()
    linked = replace(effect, caused_by=(root.fingerprint,))
    expected = Found("pod-fits-no-nodepool", WEB, "label:zone", caused_by="nodepool-not-ready")

    assert judged([expected], [[linked, root]], "shop").found == ("pod-fits-no-nodepool (label:zone)",)
    assert judged([expected], [[effect, root]], "shop").missed == ("pod-fits-no-nodepool (label:zone)",)


def test_words_of_the_time_while_it_comes_about_are_neither_found_nor_false() -> None:
    growing, grown = told(text="4 of its 5 nodes"), told(text="5 of its 5 nodes")
    expected = replace(EXPECTED, says="5 of its", at_first=" of its ")

    assert judged([expected], [[growing]], "shop") == Outcome(missed=("pod-fits-no-nodepool (label:zone)",))
    assert judged([expected], [[growing], [grown]], "shop") == Outcome(found=("pod-fits-no-nodepool (label:zone)",))
