from .manifest import Manifest as Manifest
from .manifest import Score as Score
from .manifest import read as read
from .result import Result as Result
from .result import Verification as Verification
from .verification import verify as verify
from .write import check_free as check_free
from .write import write_bundle as write_bundle
