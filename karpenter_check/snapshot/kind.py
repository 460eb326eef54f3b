"""The kinds of object that a snapshot holds."""

from enum import StrEnum


class Kind(StrEnum):
    """A kind that is collected.

    `NODECLASS` stands for every provider's node class (EC2NodeClass, AKSNodeClass, KWOKNodeClass, …).
    """

    NODE = "Node"
    POD = "Pod"
    DAEMONSET = "DaemonSet"
    NODEPOOL = "NodePool"
    NODECLAIM = "NodeClaim"
    NODECLASS = "NodeClass"
    PODDISRUPTIONBUDGET = "PodDisruptionBudget"
    REPLICASET = "ReplicaSet"
    DEPLOYMENT = "Deployment"
    STATEFULSET = "StatefulSet"
    EVENT = "Event"
