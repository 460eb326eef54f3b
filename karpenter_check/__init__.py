"""Find out why Karpenter's nodes and pods are not where they should be."""

__version__ = "0.1.0"
