"""The only door to a cluster and to files: bytes in, a snapshot out."""
