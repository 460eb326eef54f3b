"""One object's question answered from a snapshot: pure, as rules are, and told by reports."""
