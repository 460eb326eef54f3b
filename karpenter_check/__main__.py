"""`python -m karpenter_check` is `karpenter-check`."""

from karpenter_check.cli import main

if __name__ == "__main__":
    main()
