"""ResNet-20 made small for a phone in five ways, side by side: bytes, speed, accuracy.

    kcnn run resnet20_mobile

Takes the model of `kcnn run resnet20` as it is. 80 % zeros save download, more than half of the
multiply-accumulates gone save time, 16 values a kernel save download again, and training for int8
shows whether it beats the same training in floats. Filters go by their L1 norm (Li et al., "Pruning
Filters for Efficient ConvNets", arXiv:1608.08710); what is pruned or slim is trained with the whole
model as its teacher.

Reached with seed 0, of the 10,000 test images, all as int8: dense 89.94 %, 80 % zeros 89.12 %, 42 %
of the multiply-accumulates 88.97 % at 1.6 times the speed, 80 % zeros and 16 values a kernel
88.85 %, trained for int8 89.68 %, and its control in floats 89.49 %. It took 65 minutes on two
cores of a Xeon at 2.5 GHz without AMX, beside some tests.
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
