from . import (
    arithmetic as arithmetic,
)
from . import (
    bundle as bundle,
)
from . import (
    callbacks as callbacks,
)
from . import (
    comparison as comparison,
)
from . import (
    compress as compress,
)
from . import (
    data as data,
)
from . import (
    evaluation as evaluation,
)
from . import (
    explain as explain,
)
from . import (
    explore as explore,
)
from . import (
    export as export,
)
from . import (
    layers as layers,
)
from . import (
    litert as litert,
)
from . import (
    models as models,
)
from . import (
    pipeline as pipeline,
)
from . import (
    plain_c as plain_c,
)
from . import (
    prediction as prediction,
)
from . import (
    recipe as recipe,
)
from . import (
    report as report,
)
from . import (
    runtimes as runtimes,
)
from . import (
    sweep as sweep,
)
from . import (
    training as training,
)
from . import (
    tune as tune,
)
from .compress import cluster as cluster
from .compress import prune as prune
from .compress import quantize_aware as quantize_aware
from .compress import slim as slim
from .evaluation import evaluate as evaluate
from .explain import grad_cam as grad_cam
from .export import export_tflite as export_tflite
from .litert import TFLiteClassifier as TFLiteClassifier
from .prediction import predict as predict
from .training import distill as distill
from .training import find_learning_rate as find_learning_rate
from .training import train as train

__version__: str
