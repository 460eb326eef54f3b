"""What Karpenter's own events say keeps a node."""

import pytest

from karpenter_check.disruption.blocked_events import blocked_events, word_of
from karpenter_check.disruption.blocker import Word
from karpenter_check.disruption.state_node import state_node
from karpenter_check.snapshot.event import InvolvedObject
from tests.build import a_cluster, a_node, an_event


@pytest.mark.parametrize(
    ("message", "word"),
    [
        ("Nodeclaim does not have an associated node", Word.NO_NODE),
        ("Node isn't initialized", Word.NOT_INITIALIZED),
        ("Node is deleting or marked for deletion", Word.TERMINATING),
        ("Cannot disrupt Node: state node is marked for deletion", Word.TERMINATING),
        ("Node is nominated for a pending pod", Word.NOMINATED),
        ("Cannot disrupt Node: state node is nominated for a pending pod", Word.NOMINATED),
        ('Disruption is blocked through the "karpenter.sh/do-not-disrupt" annotation', Word.DO_NOT_DISRUPT_NODE),
        ("Node doesn't have required label (label=karpenter.sh/nodepool)", Word.MISSING_LABEL),
        ("NodePool not found (NodePool=default)", Word.NODEPOOL_NOT_FOUND),
        ('Pod has "karpenter.sh/do-not-disrupt" annotation (Pod=shop/web)', Word.DO_NOT_DISRUPT_POD),
        ('Pod "shop/web" has "karpenter.sh/do-not-disrupt" annotation', Word.DO_NOT_DISRUPT_POD),
        ("Eviction does not support multiple PDBs (PodDisruptionBudget(s)=[shop/a shop/b])", Word.MULTIPLE_PDBS),
        ("Pdb prevents pod evictions (PodDisruptionBudget=[shop/web])", Word.PDB),
        ('Cannot disrupt Node: pdb "shop/web" prevents pod evictions', Word.PDB),
        ("Not all pods would schedule, shop/web => no room", Word.PODS_WOULD_NOT_SCHEDULE),
        ("Getting pods from node, timeout", None),
    ],
)
def test_karpenters_words_are_known_in_every_version(message: str, word: Word | None) -> None:
    assert word_of(message) is word


def test_the_latest_word_about_the_node_or_its_nodeclaim_comes_first() -> None:
    node, claim = InvolvedObject("Node", "", "n1"), InvolvedObject("NodeClaim", "", "default-n1")
    older = an_event("DisruptionBlocked", "Node isn't initialized", about=node, first="9m")
    later = an_event("DisruptionBlocked", "Node is nominated for a pending pod", about=claim, first="9m", last="1m")
    other = an_event("DisruptionBlocked", "Node isn't initialized", about=InvolvedObject("Node", "", "n2"), first="1m")
    foreign = an_event("DisruptionBlocked", "Node isn't initialized", about=node, first="5s", component="somebody")
    cluster = a_cluster(a_node("n1"), older, later, other, foreign)

    assert blocked_events(cluster, state_node(cluster, cluster.nodes[0])) == [later, older]
