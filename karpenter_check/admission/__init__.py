"""What becomes of a manifest of Karpenter's: what the API server refuses, what Karpenter refuses, and what is taken and not meant."""
