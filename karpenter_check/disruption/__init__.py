"""Karpenter's disruption semantics, pure: expiry, what should be gone, what holds a drain, budgets."""
