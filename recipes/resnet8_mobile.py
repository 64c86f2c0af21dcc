"""ResNet-8 trained on for int8, beside the file that is calibrated afterwards.

    kcnn run resnet8_mobile

Takes the model of `kcnn run resnet8_int8` as it is. Two epochs with the rounding of int8 in the
forward pass (Jacob et al., arXiv:1712.05877), and the same two epochs in floats as the control.
"""

from kcnn.cli import run_file
from kcnn.recipe import Data, Model, QuantizeAware, Recipe

recipe = Recipe(
    data=Data(batch_size=256, validation=0.02),
    model=Model(name="resnet8"),
    trained="saved_models/resnet8_int8",
    prune=None,
    quantize_aware=QuantizeAware(epochs=2),
)

if __name__ == "__main__":
    run_file(__file__)
