"""ResNet-20 made small for a phone in five ways, side by side: bytes, speed, accuracy.

    kcnn run resnet20_mobile

Takes the model of `kcnn run resnet20` as it is. 80 % zeros save download, more than half of the
multiply-accumulates gone save time, 16 values a kernel save download again, and training for int8
shows whether it beats the same training in floats.

Reached with seed 0, of the 10,000 test images, all as int8: dense 89.94 %, 80 % zeros 89.02 %, 42 %
of the multiply-accumulates 88.46 %, 80 % zeros and 16 values a kernel 88.85 %, trained for int8
89.85 %, and its control in floats 89.89 %. It takes about an hour on two cores.
"""

from kcnn.cli import run_file
from kcnn.recipe import Cluster, Model, Prune, QuantizeAware, Recipe, Slim

recipe = Recipe(
    model=Model(name="resnet20"),
    trained="saved_models/resnet20",
    prune=Prune(sparsities=(0.8,), epochs=10, learning_rate=2e-3, distill=True),
    slim=Slim(macs=0.42, epochs=24, learning_rate=0.1, weight_decay=5e-3),
    cluster=Cluster(clusters=16, epochs=1),
    quantize_aware=QuantizeAware(epochs=1),
)

if __name__ == "__main__":
    run_file(__file__)
