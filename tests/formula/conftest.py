"""Makes the dense oracle importable: `from oracle import evaluate`."""

import sys
from pathlib import Path

# Last, so that the folders beside it that are named as libraries hide none of them.
sys.path.append(str(Path(__file__).parent.parent))
