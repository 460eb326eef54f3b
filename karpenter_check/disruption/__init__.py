"""Karpenter's disruption semantics, pure: what should be gone and when, what keeps it, how far a termination is, budgets."""
