"""Karpenter's scheduling semantics, pure: requirements, taints, DaemonSets, nodes, nominations."""
