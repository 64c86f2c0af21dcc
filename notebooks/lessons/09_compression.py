# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 9. Onto a phone
#
# A trained network is a file of floating-point numbers. For a phone it should be small and fast and
# give the same predictions. Each claim here is checked on the file itself.
#
# **What you will see**
#
# * pruning of weights: the mask, exactly as in PyTorch, what it saves and what it does not;
# * pruning of filters, which makes the network faster;
# * int8 by hand for one layer: scale, zero point, rounding; then by the converter;
# * clustering, and distillation with its control;
# * what each of them buys, on CIFAR-10.

# %% ko [markdown]
# # 9. 휴대전화로
#
# 학습된 신경망은 부동소수점 수로 이루어진 파일이다. 휴대전화에서는 작고 빨라야 하며 예측은 그대로여야 한다. 여기서는 모든 주장을 파일에서 직접 확인한다.
#
# **이 장에서 배울 것**
#
# * 가중치 가지치기: PyTorch와 정확히 같은 마스크, 줄어드는 것과 줄어들지 않는 것
# * 신경망을 빠르게 만드는 필터 가지치기
# * 층 하나의 int8 양자화를 손으로 계산하기(스케일, 영점, 반올림), 그다음 변환기로
# * 군집화, 그리고 대조군을 둔 지식 증류
# * CIFAR-10에서 각각의 방법이 주는 이득

# %% [markdown]
# ## A network to start from
#
# The small CNN, trained on the digits for eight epochs. Each number takes 4 bytes, so its 268,842
# numbers take a little more than a million bytes. Nearly all of them are the weights of one dense
# layer, and many of these are close to zero.

# %% ko [markdown]
# ## 출발점이 되는 신경망
#
# 작은 CNN을 숫자 이미지로 여덟 에포크 학습한다. 숫자 하나가 4바이트이므로 268,842개는 백만 바이트를 조금 넘는다. 거의 모두가 완전 연결층 하나의 가중치이며, 그중 많은 수가 0에 가깝다.

# %%
import gzip
import tempfile
from pathlib import Path

import kcnn
import keras
import matplotlib.pyplot as plt
import numpy as np
from ai_edge_litert.interpreter import Interpreter
from course import DATA, SAVED, check
from kcnn.report import receipts

folder = Path(tempfile.mkdtemp())

keras.utils.set_random_seed(0)
data = kcnn.data.load("digits", batch_size=64, augment="none")
model = kcnn.models.simple_cnn(spatial_dropout=0.1, dropout=0.3)
kcnn.train(model, data, epochs=8, learning_rate=2e-3, callbacks=[])


def accuracy(classifier):
    return kcnn.evaluate(classifier, data.test, expected_count=data.num_test).accuracy


unpruned = accuracy(model)
print(f"{unpruned:.1%} of the test digits, with {model.count_params():,} numbers")

kernel = model.get_layer("dense").kernel.numpy()
figure, axes = plt.subplots(figsize=(6, 2.2), layout="constrained")
axes.hist(kernel.ravel(), bins=101, color="#0072B2")
axes.set_xlabel("weight of the dense layer")
axes.set_ylabel("count")
plt.show()

# %% assert
assert unpruned > 0.95
assert model.count_params() == 268_842
assert np.dtype("float32").itemsize == 4
assert model.get_layer("dense").count_params() / model.count_params() > 0.97

# %% [markdown]
# ## Pruning weights
#
# A weight that is nearly zero can be replaced by zero: sort the magnitudes, and cut off the
# smallest 30 %. That is all that PyTorch's `prune.l1_unstructured(module, "weight", 0.3)` does.
# `l1_unstructured.npz` has a kernel of 1,152 weights and the mask that PyTorch made for it; ours is
# the same at every place, 346 zeros.

# %% ko [markdown]
# ## 가중치 가지치기
#
# 0에 가까운 가중치는 0으로 바꿀 수 있다. 크기순으로 늘어놓고 가장 작은 30 %를 잘라 내면 된다. PyTorch의 `prune.l1_unstructured(module, "weight", 0.3)`이 하는 일이 바로 이것이다. `l1_unstructured.npz`에는 가중치 1,152개짜리 커널과 PyTorch가 그 커널에 만든 마스크가 들어 있다. 우리의 마스크는 모든 자리에서 그것과 같고, 0이 346개이다.


# %%
def l1_unstructured(weights, amount):
    zeros = round(amount * weights.size)
    smallest = np.argsort(np.abs(weights).ravel(), kind="stable")[:zeros]
    mask = np.ones(weights.size)
    mask[smallest] = 0
    return mask.reshape(weights.shape)


with np.load(DATA / "l1_unstructured.npz") as file:
    weights, torch_mask = file["weights"], file["mask"]
mask = l1_unstructured(weights, 0.3)
print(f"{weights.size:,} weights, {int((mask == 0).sum())} zeros")
print("places where PyTorch's mask differs:", int((mask != torch_mask).sum()))

# %% assert
assert np.array_equal(mask, torch_mask)
assert weights.size == 1_152 and (mask == 0).sum() == 346 == round(0.3 * 1_152)

# %% [markdown]
# Cutting 30 % of each layer at once costs little accuracy, as the table shows. For more,
# `kcnn.prune` sets the smallest weights of each layer to zero step by step, while the training
# continues and the network adapts.

# %% ko [markdown]
# 층마다 30 %를 한꺼번에 잘라 내도 아래 표에서 보듯 정확도는 거의 줄지 않는다. 더 많이 잘라 내려면 `kcnn.prune`을 쓴다. 학습을 계속하면서 층마다 가장 작은 가중치를 조금씩 0으로 만들어 신경망이 적응하게 한다.

# %%
at_once = keras.models.clone_model(model)
at_once.set_weights([w * l1_unstructured(w, 0.3) if w.ndim > 1 else w for w in model.get_weights()])
variants = {"float": model, "30% at once": at_once}
for share in (0.5, 0.8):
    pruned = kcnn.prune(model, data, sparsity=share, epochs=3, engine="keras")
    variants[f"{share:.0%} zeros"] = pruned.model


def bytes_of(network):
    return b"".join(weight.tobytes() for weight in network.get_weights())


rows = {
    name: (accuracy(variant), len(bytes_of(variant)), len(gzip.compress(bytes_of(variant))))
    for name, variant in variants.items()
}
print(f"{'':11} accuracy      bytes       gzip")
for name, (right, size, zipped) in rows.items():
    print(f"{name:11} {right:8.1%} {size:>10,} {zipped:>10,}")

# %% [markdown]
# The **accuracy** hardly changes when half of the weights are zero. The **file** is as large as
# before, because a zero takes as many bytes as any other number. The **compressed** file, which is
# what users download, is smaller: with half zeros it has less than 65 % of its size.
#
# The **speed** does not change. Multiplying by zero takes as long as by any number, and runtimes on
# phones skip zeros only in specially encoded 1x1 convolutions of floats.

# %% ko [markdown]
# 가중치의 절반이 0이 되어도 **정확도**는 거의 변하지 않는다. **파일** 크기는 그대로이다. 0도 다른 숫자와 똑같은 바이트를 차지하기 때문이다. 사용자가 내려받는 **압축** 파일은 작아진다. 절반이 0이면 원래 크기의 65 %도 되지 않는다.
#
# **속도**는 변하지 않는다. 0을 곱하는 데에도 다른 수를 곱할 때와 같은 시간이 걸린다. 휴대전화의 런타임이 0을 건너뛰는 것은 특별하게 인코딩한 부동소수점 1x1 합성곱에서뿐이다.

# %% assert
assert len({size for _, size, _ in rows.values()}) == 1
assert rows["30% at once"][0] > unpruned - 0.02
assert rows["50% zeros"][0] > unpruned - 0.02
assert rows["50% zeros"][2] / rows["float"][2] < 0.65
assert rows["80% zeros"][2] < rows["50% zeros"][2]

# %% [markdown]
# ## Pruning filters
#
# Remove whole filters instead, and the layers really become smaller: an ordinary network with fewer
# channels, faster everywhere. `kcnn.slim` removes the filters with the smallest sums of magnitudes
# until at most half of the multiply-accumulates are left; the network then has to recover by
# training.

# %% ko [markdown]
# ## 필터 가지치기
#
# 필터를 통째로 없애면 층이 실제로 작아진다. 채널이 적을 뿐 평범한 신경망이므로 어디에서나 빨라진다. `kcnn.slim`은 가중치 크기의 합이 가장 작은 필터부터 없애, 곱셈-누산이 절반 이하로 남게 한다. 그다음에는 학습으로 회복해야 한다.

# %%
slim = kcnn.slim(model, macs=0.5)
cut = accuracy(slim.model)
kcnn.compress.recover(slim.model, data, epochs=4)
recovered = accuracy(slim.model)
print(f"MACs       {slim.before.macs:>10,} -> {slim.after.macs:,}")
print(f"parameters {slim.before.parameters:>10,} -> {slim.after.parameters:,}")
print(f"accuracy   {unpruned:.1%} -> {cut:.1%} -> {recovered:.1%} after recovery")
print({name: len(filters) for name, filters in slim.kept.items()})

# %% assert
assert slim.after.macs <= slim.before.macs / 2
assert recovered > unpruned - 0.05

# %% [markdown]
# ## Eight bits, by hand
#
# A signed byte holds the integers from −128 to 127. **Weights** are about symmetric around zero:
# choose for each filter a *scale* with which its largest magnitude becomes 127, divide and round.
# The error is at most half a scale.
#
# **Activations** are not symmetric: after a ReLU they start at 0. Here the smallest value becomes
# −128 and the largest 127, and a *zero point* says which byte means zero:
#
# $$q = \text{round}(x / s) + z, \qquad s = \frac{\max - \min}{255}, \qquad
# z = \text{round}(-128 - \min / s)$$

# %% ko [markdown]
# ## 8비트 양자화를 손으로
#
# 부호 있는 바이트에는 −128부터 127까지의 정수가 들어간다. **가중치**는 0을 중심으로 거의 대칭이다. 필터마다 가중치의 가장 큰 절댓값이 127이 되는 *스케일*(scale)을 골라, 나누고 반올림한다. 오차는 스케일의 절반을 넘지 않는다.
#
# **활성값**은 대칭이 아니다. ReLU를 지나면 0에서 시작한다. 가장 작은 값이 −128, 가장 큰 값이 127이 되게 하고, 어느 바이트가 0을 뜻하는지는 *영점*(zero point)이 알려 준다.
#
# $$q = \text{round}(x / s) + z, \qquad s = \frac{\max - \min}{255}, \qquad
# z = \text{round}(-128 - \min / s)$$


# %%
def quantize_weights(kernel, bits=8):
    """Quantize each filter, the last axis, by a scale of its own."""
    axes = tuple(range(kernel.ndim - 1))
    scale = np.abs(kernel).max(axis=axes) / (2 ** (bits - 1) - 1)
    return np.round(kernel / scale).astype(np.int8), scale


def quantize_activations(values, low, high):
    scale = (high - low) / 255
    zero_point = int(np.round(-128 - low / scale))
    stored = np.clip(np.round(values / scale) + zero_point, -128, 127).astype(np.int8)
    return stored, scale, zero_point


conv = model.get_layer("block2_conv").kernel.numpy()
stored, scale = quantize_weights(conv)
restored = stored * scale
print("bytes:", conv.nbytes, "->", stored.nbytes)
print("largest error, in scales:", (np.abs(restored - conv) / scale).max().round(3))

values = np.array([0.0, 0.5, 3.0, 6.0])
as_bytes, step, zero = quantize_activations(values, 0.0, 6.0)
print(values, "->", as_bytes, f"scale {step:.4f}, zero point {zero}")

figure, axes = plt.subplots(1, 2, figsize=(8.5, 2.6), layout="constrained", sharey=True)
few = np.sort(conv[..., 0].ravel()[:40])
for cell, bits in zip(axes, (8, 4), strict=True):
    width = np.abs(conv[..., 0]).max() / (2 ** (bits - 1) - 1)
    cell.plot(few, "o", mfc="none", color="#0072B2", label="weight")
    cell.plot(np.round(few / width) * width, "x", color="#D55E00", label=f"from {bits} bits")
    cell.set_xticks([])
    cell.legend(frameon=False, fontsize=9)
plt.show()

# %% assert
assert np.iinfo(np.int8).min == -128 and np.iinfo(np.int8).max == 127
assert np.abs(stored).max() == 127 and conv.nbytes == 4 * stored.nbytes
assert (np.abs(restored - conv) <= scale / 2 * (1 + 1e-3)).all()
assert zero == -128 and as_bytes[0] == -128 and as_bytes[-1] == 127
assert np.isclose(step, 6 / 255) and 0 == values[0]

# %% [markdown]
# With integers a layer multiplies bytes, adds the products in 32 bits, and applies the scales once
# at the end. Here are outputs of the dense layer: the error is below 3 % of the largest one.

# %% ko [markdown]
# 정수로 계산하는 층은 바이트끼리 곱하고, 곱을 32비트로 더하고, 마지막에 스케일을 한 번 곱한다. 아래는 완전 연결층의 출력이다. 오차는 가장 큰 출력의 3 %보다 작다.

# %%
signal = np.random.default_rng(0).uniform(0, 1, size=len(kernel)).astype("float32")
signal_bytes, signal_scale, signal_zero = quantize_activations(signal, 0.0, float(signal.max()))
dense_bytes, dense_scale = quantize_weights(kernel)
integers = (signal_bytes.astype(np.int32) - signal_zero) @ dense_bytes.astype(np.int32)
by_integers, by_floats = integers * (dense_scale * signal_scale), signal @ kernel
error = np.abs(by_integers - by_floats).max() / np.abs(by_floats).max()
print("integers:", integers[:4])
print("restored:", by_integers[:4].round(4))
print("floats:  ", by_floats[:4].round(4))
print(f"largest error {error:.2%} of the largest sum")

# %% assert
assert 8 * integers.itemsize == 32
assert error < 0.03

# %% [markdown]
# ## Eight bits, by the converter
#
# The converter does the same. Let us look into its file: a network of one convolution and an
# average, with weights that we know. Its bytes are ours, and so are the scales. The range of the
# output is not known from the weights: it is *measured* on images. This is **calibration**. It uses
# a few hundred training images, and never test images, because the test set must stay unseen until
# it is scored.

# %% ko [markdown]
# ## 8비트 양자화를 변환기로
#
# 변환기가 하는 일도 같다. 변환된 파일을 들여다보자. 합성곱 하나와 평균으로 이루어진, 가중치를 아는 신경망이다. 파일의 바이트도 스케일도 우리가 계산한 것과 같다. 출력의 범위는 가중치만으로 알 수 없으므로 이미지로 *측정*한다. 이것을 **보정**(calibration)이라고 한다. 학습 이미지 수백 장을 쓰며 테스트 이미지는 결코 쓰지 않는다. 테스트 세트는 채점할 때까지 보지 않아야 하기 때문이다.

# %%
keras.utils.set_random_seed(0)
small = keras.Sequential(
    [
        keras.Input((32, 32, 3)),
        keras.layers.Conv2D(10, 3, name="conv"),
        keras.layers.GlobalAveragePooling2D(),
    ]
)
exported = kcnn.export_tflite(small, folder / "small.tflite", calibration=data.calibration)
engine = Interpreter(model_content=exported.path.read_bytes())
engine.allocate_tensors()
(found,) = [each for each in engine.get_tensor_details() if tuple(each["shape"]) == (10, 3, 3, 3)]
in_file = np.moveaxis(engine.get_tensor(found["index"]), 0, -1)  # filters first in the file

by_hand, scales = quantize_weights(small.get_layer("conv").kernel.numpy())
print("bytes that differ from ours:", int((in_file != by_hand).sum()), "of", by_hand.size)
print("scales, largest ratio:", (found["quantization_parameters"]["scales"] / scales).max())
print(f"input:  scale {exported.input.scale}, zero point {exported.input.zero_point}")
print(f"output: scale {exported.output.scale:.4f}, zero point {exported.output.zero_point}")

# %% assert
assert (np.abs(in_file.astype(int) - by_hand) <= 1).all() and (in_file != by_hand).mean() < 0.01
assert np.allclose(found["quantization_parameters"]["scales"], scales, rtol=1e-4)

# %% [markdown]
# Now the trained network. `export_tflite` also folds the scaling of the pixels and the batch norms
# into the convolutions. The int8 file has about a quarter of the size of the float file. Its input
# has scale 1 and zero point −128: an app passes each pixel minus 128, and nothing else.
#
# Do not trust a conversion: measure the file. Its accuracy is within 2 points of that of the
# network, and both predict the same class for more than 98 % of the test digits.

# %% ko [markdown]
# 이제 학습된 신경망을 변환한다. `export_tflite`는 픽셀의 스케일 조정과 배치 정규화도 합성곱 안으로 접어 넣는다. int8 파일의 크기는 부동소수점 파일의 4분의 1쯤이다. 입력의 스케일은 1, 영점은 −128이다. 앱은 픽셀에서 128을 뺀 값을 넣기만 하면 된다.
#
# 변환을 믿지 말고 파일을 재야 한다. 파일의 정확도는 신경망의 정확도와 2 %p 안에 있고, 테스트 숫자의 98 % 넘는 수에서 둘의 예측이 같다.

# %%
whole = kcnn.export_tflite(
    model, folder / "float.tflite", quantization="none", labels=data.class_names
)
int8 = kcnn.export_tflite(
    model, folder / "int8.tflite", calibration=data.calibration, labels=data.class_names
)
by_float = kcnn.evaluate(model, data.test, expected_count=data.num_test)
by_int8 = kcnn.evaluate(int8.path, data.test, expected_count=data.num_test)
same = np.mean(by_int8.logits.argmax(1) == by_float.logits.argmax(1))
for name, result in {"float": whole, "int8": int8}.items():
    print(f"{name:5} {result.bytes:>9,} bytes, operators: {dict(result.operators)}")
print(f"float {by_float.accuracy:.1%}, int8 {by_int8.accuracy:.1%}, the same class {same:.1%}")

figure, axes = plt.subplots(figsize=(3.4, 3.2), layout="constrained")
axes.plot(by_float.logits.ravel(), by_int8.logits.ravel(), ".", ms=2, color="#0072B2")
axes.axline((0, 0), slope=1, color="0.5", linewidth=0.8)
axes.set_xlabel("logit, float")
axes.set_ylabel("logit, int8")
plt.show()

# %% assert
assert np.isclose(int8.bytes / whole.bytes, 1 / 4, atol=0.02)
assert int8.input.dtype == int8.output.dtype == "int8"
assert int8.input.scale == 1 and int8.input.zero_point == -128
assert 100 * abs(by_int8.accuracy - by_float.accuracy) < 2
assert 100 * same > 98

# %% [markdown]
# ## Clustering
#
# Let the weights of a kernel share 16 values. Each weight then needs only the number of its value;
# gzip finds that by itself. By hand: start with evenly spaced values, give each weight the nearest,
# move each value to the mean of its weights, repeat. `kcnn.cluster` also trains the values.

# %% ko [markdown]
# ## 군집화
#
# 커널의 가중치들이 값 16개를 공유하게 한다. 그러면 가중치 하나에는 값의 번호만 있으면 되고, gzip은 이것을 스스로 찾아낸다. 손으로 하면 이렇다. 고른 간격의 값에서 시작해, 가중치마다 가장 가까운 값을 주고, 각 값을 자기 가중치들의 평균으로 옮기고, 되풀이한다. `kcnn.cluster`는 그 값들도 학습한다.


# %%
def cluster(weights, count=16, rounds=20):
    values = np.linspace(weights.min(), weights.max(), count)
    for _ in range(rounds):
        nearest = np.searchsorted((values[1:] + values[:-1]) / 2, weights)
        sums = np.bincount(nearest.ravel(), weights.ravel(), count)
        counts = np.bincount(nearest.ravel(), minlength=count)
        values = np.sort(np.where(counts, sums / np.maximum(counts, 1), values))
    return values[np.searchsorted((values[1:] + values[:-1]) / 2, weights)].astype("float32")


clustered = keras.models.clone_model(model)
clustered.set_weights(model.get_weights())
clustered.get_layer("dense").kernel.assign(cluster(kernel))
values_left = len(np.unique(clustered.get_layer("dense").kernel.numpy()))
zipped = len(gzip.compress(bytes_of(clustered)))
print(
    f"{values_left} values, {accuracy(clustered):.1%}, {rows['float'][2]:,} -> {zipped:,} bytes zipped"
)

# %% assert
assert values_left <= 16
assert zipped < 0.3 * rows["float"][2]
assert accuracy(clustered) > unpruned - 0.03

# %% [markdown]
# ## Distillation
#
# Instead of changing the network, train a smaller one, the **student**, with the large one as
# **teacher**. The label says "a 4"; the teacher says "a 4, but similar to a 9", which contains more
# information. A *temperature*, by which the logits of both are divided before the softmax, softens
# their outputs, so that the small probabilities count.
#
# The student has 9,242 parameters. To measure what the teacher contributes, we train a second
# student in the same way without a teacher: the **control**.

# %% ko [markdown]
# ## 지식 증류
#
# 신경망을 바꾸는 대신, 큰 신경망을 **교사**(teacher)로 삼아 더 작은 신경망인 **학생**(student)을 학습한다. 레이블은 "4"라고만 하지만 교사는 "4인데 9와 비슷하다"라고 말한다. 정보가 더 많다. 소프트맥스 전에 양쪽의 로짓을 *온도*(temperature)로 나누면 출력이 부드러워져 작은 확률도 반영된다.
#
# 학생의 파라미터는 9,242개이다. 교사가 얼마나 도움이 되는지 재기 위해, 두 번째 학생을 교사 없이 똑같이 학습한다. 이것이 **대조군**(control)이다.


# %%
def student():
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(8, 3, strides=2, activation="relu"),
            keras.layers.Conv2D(16, 3, strides=2, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(10),
        ]
    )


distilled, control = student(), student()
kcnn.distill(distilled, model, data, epochs=8, learning_rate=3e-3, temperature=4.0, callbacks=[])
kcnn.train(control, data, epochs=8, learning_rate=3e-3, callbacks=[])
with_teacher, without = accuracy(distilled), accuracy(control)
print(f"{distilled.count_params():,} parameters instead of {model.count_params():,}")
print(f"teacher {unpruned:.1%}, student {with_teacher:.1%}, control {without:.1%}")

# %% assert
assert distilled.count_params() == 9_242 and [data.class_names[n] for n in (4, 9)] == ["4", "9"]
assert min(with_teacher, without) > unpruned - 0.06

# %% [markdown]
# Without the control, the teacher would seem to deserve the credit. The control shows that the
# digits are too easy to need a teacher: the tiny network learns them from the labels alone, within
# the error of so few test images. So before you compress a large network, try a small one.
#
# ## What each buys
#
# `kcnn run resnet20_mobile` applied all of this to ResNet-20 on CIFAR-10, each variant measured on
# all 10,000 test images and in LiteRT on one thread.

# %% ko [markdown]
# 대조군이 없었다면 공을 교사에게 돌렸을 것이다. 대조군을 보면 숫자는 너무 쉬워서 교사가 필요 없음을 알 수 있다. 아주 작은 신경망도 레이블만으로 배우며, 테스트 이미지가 이만큼 적을 때의 오차 안에서는 차이가 없다. 그러니 큰 신경망을 압축하기 전에 작은 신경망을 먼저 시험해 보라.
#
# ## 각각의 방법이 주는 이득
#
# `kcnn run resnet20_mobile`은 이 모든 방법을 CIFAR-10의 ResNet-20에 적용하고, 변형마다 테스트 이미지 10,000장 전체와 LiteRT의 스레드 하나로 측정했다.

# %%
report = receipts.load(SAVED / "resnet20_mobile" / "report.json")
measured = {receipt.name: receipt for receipt in report.receipts}
print(f"{'':37} accuracy     bytes     zipped    ms")
for name, receipt in measured.items():
    print(
        f"{name:37} {receipt.accuracy:7.2%} {receipt.bytes:>10,} {receipt.gzip_bytes:>10,} "
        f"{receipt.ms_per_image:6.2f}"
    )

# %% [markdown]
# * **int8** buys size and speed: 307,521 bytes instead of 1,342,896, 0.46 ms instead of 1.24, for
#   0.01 points.
# * **Pruned weights** (80 % zeros) buy download size only: 104,605 bytes zipped, for 0.8 points.
# * **Pruned filters** (42 % of the MACs are left) buy speed: 0.29 ms in int8, for 1 point.
# * **Clustered** weights shrink the download again, to 85,551 bytes.
# * **Trained for int8** (*quantization-aware training*): during the training, weights and
#   activations are rounded as the int8 file will round them. That buys nothing here, because int8
#   costs nearly nothing anyway. Its control, trained on for as long in floats, is as good.
#
# The standard error of these accuracies is 0.3 points.

# %% ko [markdown]
# * **int8**은 크기와 속도를 함께 얻는다. 1,342,896바이트가 307,521바이트로, 1.24 ms가 0.46 ms로 줄고 0.01 %p를 잃는다.
# * **가중치 가지치기**(0이 80 %)는 내려받는 크기만 줄인다. 압축하면 104,605바이트이고 0.8 %p를 잃는다.
# * **필터 가지치기**(MAC의 42 %가 남는다)는 속도를 얻는다. int8에서 0.29 ms이고 1 %p를 잃는다.
# * **군집화**는 내려받는 크기를 다시 줄여 85,551바이트가 된다.
# * **int8을 위한 학습**(*양자화 인식 학습*, quantization-aware training, 표의 "trained for int8")은 가중치와 활성값을 int8 파일에서처럼 반올림하면서 학습한다. int8이 애초에 거의 아무것도 잃지 않으므로 여기서는 얻는 것이 없다. 같은 에포크만큼 실수(float)로 더 학습한 대조군도 결과가 비슷하다.
#
# 이 정확도들의 표준 오차는 0.3 %p이다.

# %% assert
first, small_file = measured["float"], measured["int8"]
assert first.count == 10_000
assert (first.bytes, small_file.bytes) == (1_342_896, 307_521)
assert (round(first.ms_per_image, 2), round(small_file.ms_per_image, 2)) == (1.24, 0.46)
assert round(100 * (first.accuracy - small_file.accuracy), 2) == 0.01
pruned = measured["pruned 80%, int8"]
assert pruned.gzip_bytes == 104_605 and round(100 * (first.accuracy - pruned.accuracy), 1) == 0.8
assert round(100 * pruned.sparsity) == 80
slim_int8 = measured["slim, 42% of the MACs, int8"]
assert round(100 * 16_884_192 / 40_551_040) == 42
assert round(slim_int8.ms_per_image, 2) == 0.29
assert round(100 * (first.accuracy - slim_int8.accuracy)) == 1
assert measured["pruned 80%, 16 clusters, int8"].gzip_bytes == 85_551
assert round(100 * np.sqrt(0.8995 * (1 - 0.8995) / 10_000), 1) == 0.3

# %% [markdown]
# ## Exercises
#
# **Exercise 1.** Quantize to 8 bits: `values = [-1.0, 0.0, 1.0, 3.0]` lie between −1 and 3. What is
# the zero point?

# %% ko [markdown]
# ## 연습 문제
#
# **문제 1.** `values = [-1.0, 0.0, 1.0, 3.0]`을 8비트로 양자화하자. 값은 −1과 3 사이에 있다. 영점은 얼마인가?

# %% exercise
zero_point = ...
check("zero point", zero_point)

# %% solution
zero_point = quantize_activations(np.array([-1.0, 0.0, 1.0, 3.0]), -1.0, 3.0)[2]
check("zero point", zero_point)

# %% [markdown]
# **Exercise 2.** Your app must answer faster: its download may stay as it is, but each image must
# take half the time. Which helps: "pruned weights", "pruned filters" or "clustering"?

# %% ko [markdown]
# **문제 2.** 앱이 더 빨라야 한다. 내려받는 크기는 그대로여도 되지만 이미지 한 장에 걸리는 시간은 절반이어야 한다. 가중치 가지치기("pruned weights"), 필터 가지치기("pruned filters"), 군집화("clustering") 가운데 무엇이 도움이 되는가?

# %% exercise
technique = ...
check("faster", technique)

# %% solution
technique = "pruned filters"
check("faster", technique)

# %% [markdown]
# **Exercise 3.** Write a function that returns the mask of *filter* pruning for a kernel
# `[height, width, channels, filters]`: one number for each filter, 0 for the `count` filters with
# the smallest sum of magnitudes, else 1.

# %% ko [markdown]
# **문제 3.** 커널 `[height, width, channels, filters]`에 대한 *필터* 가지치기의 마스크를 구하는 함수를 작성하라. 필터마다 숫자 하나이며, 가중치 크기의 합이 가장 작은 `count`개의 필터는 0, 나머지는 1이다.


# %% exercise
def filter_mask(kernel, count):
    return ...


check("filter mask", filter_mask)


# %% solution
def filter_mask(kernel, count):
    sums = np.abs(kernel).sum(axis=(0, 1, 2))
    mask = np.ones(len(sums))
    mask[np.argsort(sums)[:count]] = 0
    return mask


check("filter mask", filter_mask)
