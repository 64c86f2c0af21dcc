"""The profile of a step knows its operators."""

import keras
import pytest

from benchmarks.operators import kind_of, measure
from kcnn.models import build

CALL = "StatefulPartitionedCall/"
GRADIENT = f"{CALL}gradient_tape/resnet20_1/stack1_unit1_conv1_1/convolution/Conv2D"


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        (f"{GRADIENT}BackpropFilter:_MklNativeConv2DBackpropFilter", "kernels' gradients"),
        (f"{GRADIENT}BackpropInput:_MklNativeConv2DBackpropInput", "images' gradients"),
        (f"{CALL}resnet20_1/stem_conv_1/convolution:_MklNativeConv2D", "convolutions"),
        (f"{CALL}gradient_tape/speed_net_1/whiten_gelu_1/Gelu/mul_2/Mul:Mul", "activations"),
        (f"{CALL}resnet20_1/stem_bn_1/FusedBatchNormV3:_MklNativeFusedBatchNormV3", "batch norms"),
        (f"{CALL}speed_net_1/group1_pool_1/MaxPool2d:_MklNativeMaxPool", "pooling"),
        (f"{CALL}AddN_3:AddN", "others"),
        ("CpuExecutable::ExecuteAsyncOnStream", "activations"),
        ("ExecutorState::Process", None),
    ],
)
def test_an_operator_has_the_kind_of_its_kernel_or_layer(event, kind):
    assert kind_of(event) == kind


def test_what_xla_compiled_is_found():
    convolution = keras.layers.Conv2D(4, 3, activation="gelu", name="first")
    flat = [keras.layers.Flatten(), keras.layers.Dense(10)]
    assert "activations" in measure(
        keras.Sequential([keras.Input((8, 8, 3)), convolution, *flat]), batch=8
    )


def test_the_profile_of_a_small_network_has_its_layers():
    sums = measure(build("resnet8", width=4), batch=8)
    assert {"kernels' gradients", "images' gradients", "convolutions", "batch norms"} <= sums.keys()
    assert min(sums.values()) >= 0
    assert list(sums.values()) == sorted(sums.values(), reverse=True)
    without = measure(build("mlp", units=8, depth=1), batch=8)
    assert "convolutions" not in without
    assert without["dense layers, convolutions as products"] > 0
