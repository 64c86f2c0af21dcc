from .comparison_run import run_comparison as run_comparison
from .recipe_run import run as run
from .shorten import smoke as smoke
from .shorten import smoke_comparison as smoke_comparison
from .stages import STAGES as STAGES
from .stages import RunContext as RunContext
from .stages import Stage as Stage
from .variants import Variant as Variant
