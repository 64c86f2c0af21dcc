"""What a mobile developer gets: a model, proof of what it answers, and the code around it."""

from kcnn.bundle.manifest import Manifest, Score, read
from kcnn.bundle.result import Result, Verification
from kcnn.bundle.verification import verify
from kcnn.bundle.write import check_free, write_bundle

__all__ = [
    "Manifest",
    "Result",
    "Score",
    "Verification",
    "check_free",
    "read",
    "verify",
    "write_bundle",
]
