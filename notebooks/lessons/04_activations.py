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
# # 4. Activations, normalization, dropout
#
# Between two convolutions stands a function that is not a straight line. Around it stand batch
# norm, which keeps the signal in its range, and dropout, which keeps the network from relying on
# single units.
#
# **What you will see**
#
# * why a network without activations is a single layer;
# * sigmoid, tanh, ReLU and its relatives, their slopes, and a ReLU that dies;
# * SELU, which normalizes its own signal;
# * where batch norm and dropout stand, and why;
# * how large the initial weights must be.

# %% ko [markdown]
# # 4. 활성화 함수, 정규화, 드롭아웃
#
# 두 합성곱 사이에는 직선이 아닌 함수가 들어간다. 그 앞뒤에는 신호의 범위를 유지해 주는 배치 정규화(batch norm)와, 신경망이 몇몇 유닛에만 의존하지 않게 하는 드롭아웃(dropout)이 놓인다.
#
# **이 장에서 배울 것**
#
# * 활성화 함수가 없는 신경망이 결국 층 하나와 같은 까닭
# * 시그모이드, tanh, ReLU와 그 변형들, 그 기울기, 그리고 죽은 ReLU
# * 스스로 신호를 정규화하는 SELU
# * 배치 정규화와 드롭아웃을 놓는 자리와 그 까닭
# * 초기 가중치의 알맞은 크기

# %% [markdown]
# ## Why there are activations
#
# Two convolutions of 3x3 in a row, with nothing between them, are one convolution of 5x5: a linear
# function of a linear function is linear. However many layers there are, they compute no more than
# one. With a ReLU between them, no single convolution can do the same.

# %% ko [markdown]
# ## 활성화 함수가 필요한 까닭
#
# 사이에 아무것도 없이 이어진 3x3 합성곱 두 개는 5x5 합성곱 하나와 같다. 선형 함수의 선형 함수는 선형이기 때문이다. 층이 아무리 많아도 층 하나가 계산하는 것보다 많은 것을 계산하지 못한다. 둘 사이에 ReLU를 넣으면 어떤 합성곱 하나로도 같은 계산을 할 수 없다.

# %%
import kcnn
import keras
import matplotlib.pyplot as plt
import numpy as np
from course import check, outcomes, photographs, test_accuracies

rng = np.random.default_rng(0)
first, second = rng.normal(size=(3, 3)), rng.normal(size=(3, 3))


def convolve(image, kernel):
    windows = np.lib.stride_tricks.sliding_window_view(image, kernel.shape)
    return (windows * kernel).sum(axis=(2, 3))


both = convolve(np.pad(first, 2), second[::-1, ::-1])  # a full convolution of the two kernels
image = rng.normal(size=(12, 12))
two_layers = convolve(convolve(image, first), second)
print("kernel of both:", both.shape)
print(
    "without activation, the largest difference:",
    np.abs(two_layers - convolve(image, both)).max().round(9),
)
with_relu = convolve(np.maximum(convolve(image, first), 0), second)
print("with ReLU between: ", np.abs(with_relu - convolve(image, both)).max().round(1))

# %% assert
assert both.shape == (5, 5)
assert np.allclose(two_layers, convolve(image, both))
assert not np.allclose(with_relu, convolve(image, both), atol=1)

# %% [markdown]
# ## The functions and their slopes
#
# * **sigmoid**, from 0 to 1, and **tanh**, from −1 to 1, flatten on both sides. The slope of the
#   sigmoid is at most 0.25: those of ten layers shrink a gradient to less than a millionth.
#   That of tanh is at most 1, and smaller almost everywhere.
# * **ReLU** is $\max(0, x)$: its slope is 1 for every positive input, and it costs one comparison.
# * **Leaky ReLU** has a small slope for negative inputs, too; **ELU** flattens there towards −1;
#   **SELU** is an ELU with two constants, see below.
# * **Swish** (SiLU) is $x \cdot \sigma(x)$ and **GELU** $x \cdot \Phi(x)$: smooth, with a small dip
#   below zero: −0.28 for Swish and −0.17 for GELU. Here $\sigma$ is the sigmoid and $\Phi$ the
#   distribution function of the standard normal distribution.

# %% ko [markdown]
# ## 활성화 함수와 그 기울기
#
# * **시그모이드**는 0에서 1까지, **tanh**는 −1에서 1까지이며 양쪽 끝에서 평평해진다. 시그모이드의 기울기는 아무리 커도 0.25이다. 층 열 개의 기울기만 곱해도 백만분의 일보다 작아진다. tanh의 기울기는 최대 1이고 거의 모든 곳에서 그보다 작다.
# * **ReLU**는 $\max(0, x)$이다. 양수 입력에서는 기울기가 늘 1이고, 비교 한 번이면 계산이 끝난다.
# * **Leaky ReLU**는 음수 입력에도 작은 기울기를 남긴다. **ELU**는 음수 쪽에서 −1로 평평해진다. **SELU**는 상수 두 개를 쓰는 ELU이며 아래에서 다룬다.
# * **Swish**(SiLU)는 $x \cdot \sigma(x)$, **GELU**는 $x \cdot \Phi(x)$이다. 매끄럽고 0 아래로 살짝 내려간다. 가장 낮은 값은 Swish가 −0.28, GELU가 −0.17이다. $\sigma$는 시그모이드, $\Phi$는 표준 정규 분포의 누적 분포 함수이다.

# %%
functions = {
    "sigmoid": keras.activations.sigmoid,
    "tanh": keras.activations.tanh,
    "ReLU": keras.activations.relu,
    "leaky ReLU": keras.layers.LeakyReLU(negative_slope=0.1),
    "ELU": keras.activations.elu,
    "SELU": keras.activations.selu,
    "Swish": keras.activations.silu,
    "GELU": keras.activations.gelu,
}
x = np.linspace(-4, 4, 801).astype("float32")
values = {name: np.asarray(function(x)) for name, function in functions.items()}
slopes = {name: np.gradient(each, x) for name, each in values.items()}

figure, axes = plt.subplots(2, 4, figsize=(9, 4), layout="constrained", sharex=True)
for cell, name in zip(axes.flat, functions, strict=True):
    cell.plot(x, values[name], color="#0072B2", label="value")
    cell.plot(x, slopes[name], "--", color="#D55E00", label="slope")
    cell.set_title(name, fontsize=9)
    cell.set_ylim(-1.5, 2.5)
    cell.grid(alpha=0.3)
axes[0, 0].legend(frameon=False, fontsize=8)
plt.show()
for name, slope in slopes.items():
    print(f"{name:10} steepest slope {slope.max():.2f}, lowest value {values[name].min():5.2f}")

# %% assert
assert (values["sigmoid"] > 0).all() and (values["sigmoid"] < 1).all()
assert (np.abs(values["tanh"]) < 1).all()
assert np.isclose(slopes["sigmoid"].max(), 0.25, atol=1e-3) and 0.25**10 < 1e-6
assert np.isclose(slopes["tanh"].max(), 1, atol=1e-3)
assert np.allclose(slopes["ReLU"][x > 0.02], 1, atol=1e-3)
assert -1 < values["ELU"].min() < -0.98
assert round(float(values["Swish"].min()), 2) == -0.28
assert round(float(values["GELU"].min()), 2) == -0.17

# %% [markdown]
# ## A ReLU that dies
#
# If the input of a ReLU is negative for **all** images, its output is 0, its gradient is 0, and no
# step of any length ever changes its weights: the unit is dead. This problem is known as *dying
# ReLU*. Too large a learning rate can push a unit there. Here 32 units start with a bias of −10.
# The network with ReLU learns nothing in 200 steps, the one with leaky ReLU recovers.

# %% ko [markdown]
# ## 죽은 ReLU
#
# ReLU의 입력이 **모든** 이미지에서 음수이면 출력도 0, 기울기도 0이다. 그러면 걸음이 아무리 길어도 가중치가 변하지 않는다. 유닛이 죽은 것이며, 이 문제를 *죽은 ReLU*(dying ReLU)라고 한다. 학습률이 너무 크면 유닛이 이런 상태로 밀려날 수 있다. 아래에서는 유닛 32개의 편향이 −10에서 시작한다. ReLU를 쓰는 신경망은 200단계 동안 아무것도 배우지 못하고, leaky ReLU를 쓰는 신경망은 되살아난다.


# %%
def train_from_dead(activation):
    keras.utils.set_random_seed(0)
    points = np.random.default_rng(0).normal(size=(200, 4)).astype("float32")
    target = 3 * points[:, :1]
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(32, bias_initializer=keras.initializers.Constant(-10)),
            activation,
            keras.layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), loss="mean_squared_error")
    return [float(model.train_on_batch(points, target)) for _ in range(200)], model


dead, dead_model = train_from_dead(keras.layers.ReLU())
leaky, _ = train_from_dead(keras.layers.LeakyReLU(negative_slope=0.1))
figure, axes = plt.subplots(figsize=(5.5, 2.6), layout="constrained")
axes.semilogy(dead, color="#D55E00", label="ReLU, dead")
axes.semilogy(leaky, "--", color="#0072B2", label="leaky ReLU")
axes.set_xlabel("training step")
axes.set_ylabel("loss")
axes.legend(frameon=False)
plt.show()
print(f"loss: ReLU {dead[0]:.3f} -> {dead[-1]:.3f}, leaky ReLU {leaky[0]:.3f} -> {leaky[-1]:.3f}")

# %% assert
assert len(dead) == 200 and dead_model.layers[0].units == 32
assert (dead_model.layers[0].bias.numpy() == -10).all()  # it has not moved
assert dead[-1] > 0.9 * dead[0] and leaky[-1] < 0.1 * dead[-1]

# %% [markdown]
# ## SELU normalizes its own signal
#
# The two constants of SELU are chosen so that a signal with mean 0 and variance 1 keeps both,
# provided the weights have LeCun's variance $1/n$; a signal that starts elsewhere is drawn there.
# Here a signal with mean 0.5 and a standard deviation of 2 goes through 32 dense layers.

# %% ko [markdown]
# ## SELU는 스스로 신호를 정규화한다
#
# SELU의 두 상수는 평균이 0이고 분산이 1인 신호가 그대로 유지되도록 정해져 있다. 단, 가중치의 분산이 LeCun이 제안한 $1/n$이어야 한다. 다른 값에서 시작한 신호도 그쪽으로 끌려간다. 아래에서는 평균 0.5, 표준편차 2인 신호가 완전 연결층 32개를 지난다.


# %%
def through_layers(activation, layers=32, units=256):
    rng = np.random.default_rng(0)
    signal = rng.normal(0.5, 2, size=(1000, units)).astype("float32")
    sizes = [(signal.mean(), signal.std())]
    for _ in range(layers):
        weights = rng.normal(0, np.sqrt(1 / units), size=(units, units)).astype("float32")
        signal = np.asarray(activation(signal @ weights))
        sizes.append((signal.mean(), signal.std()))
    return np.array(sizes)


signals = {name: through_layers(functions[name]) for name in ("SELU", "ELU", "ReLU", "tanh")}
figure, axes = plt.subplots(1, 2, figsize=(8.5, 2.7), layout="constrained")
for name, sizes in signals.items():
    axes[0].plot(sizes[:, 0], label=name)
    axes[1].plot(sizes[:, 1], label=name)
for cell, title in zip(axes, ("mean", "standard deviation"), strict=True):
    cell.set_title(title, fontsize=9)
    cell.set_xlabel("layer")
    cell.grid(alpha=0.3)
axes[0].legend(frameon=False, fontsize=8)
plt.show()
for name, sizes in signals.items():
    print(f"{name:5} after 32 layers: mean {sizes[-1, 0]:6.3f}, deviation {sizes[-1, 1]:.3f}")

# %% [markdown]
# After 32 layers the SELU signal has a mean within 0.1 of 0 and a deviation within 0.1 of 1. With
# the same weights the ReLU signal has all but vanished. SELU needs LeCun's initial weights and
# `AlphaDropout` instead of dropout, and no batch norm.

# %% ko [markdown]
# 층 32개를 지난 뒤 SELU 신호의 평균은 0에서 0.1 이내, 표준편차는 1에서 0.1 이내에 있다. 같은 가중치에서 ReLU 신호는 거의 사라졌다. SELU에는 LeCun의 초기 가중치가 필요하고, 드롭아웃 대신 `AlphaDropout`을 쓰며, 배치 정규화는 필요 없다.

# %% assert
assert len(signals["SELU"]) - 1 == 32
assert abs(signals["SELU"][-1, 0]) < 0.1 and abs(signals["SELU"][-1, 1] - 1) < 0.1
assert signals["ReLU"][-1, 1] < 1e-3
assert np.allclose(signals["SELU"][0], (0.5, 2), atol=0.01)

# %% [markdown]
# ## Which one is best?
#
# The recipe `compare_activations` trained the same small CNN, with batch norm, with seven
# activations, three times each, for 8 epochs on 22,500 photographs. In the mean SELU reached 67.3 %
# of the test images, ELU 66.3, tanh 65.2 and ReLU 63.3. The three trainings of one activation
# differ by up to a point, so the order of Swish, GELU and tanh is not known. But every training of
# ELU and SELU is better than all of theirs, and every one of ReLU and leaky ReLU is worse. A short
# training favors what learns fast. ReLU is the usual choice all the same: it is the cheapest, on
# phones too, and with batch norm it rarely fails.

# %% ko [markdown]
# ## 어느 것이 가장 좋은가?
#
# 레시피 `compare_activations`는 배치 정규화가 있는 작은 CNN을 활성화 함수 일곱 가지로 사진 22,500장에서 8에포크씩, 세 번씩 학습했다. 평균 테스트 정확도는 SELU가 67.3 %, ELU가 66.3, tanh가 65.2, ReLU가 63.3였다. 같은 활성화 함수로 학습한 세 번의 결과가 최대 1퍼센트포인트(%p)까지 차이 나므로 Swish, GELU, tanh의 순서는 알 수 없다. 그러나 ELU와 SELU로 학습한 결과는 모두 이 셋의 어느 결과보다 좋고, ReLU와 leaky ReLU의 결과는 모두 더 나쁘다. 짧은 학습에서는 빨리 배우는 쪽이 유리하다. 그래도 보통은 ReLU를 쓴다. 휴대전화에서도 계산이 가장 가볍고, 배치 정규화와 함께 쓰면 실패하는 일이 드물기 때문이다.

# %%
tested = test_accuracies("compare_activations")
ranked = sorted(tested, key=lambda name: -np.mean(tested[name]))
figure, axes = plt.subplots(figsize=(6, 2.6), layout="constrained")
for row, name in enumerate(ranked):
    axes.plot(tested[name], [row] * len(tested[name]), "o", color="#0072B2")
    spread = np.std(tested[name], ddof=1)
    print(f"{name:11} {np.mean(tested[name]):.1f} % ± {spread:.1f}")
axes.set_yticks(range(len(ranked)), ranked)
axes.set_xlim(60, 70)
axes.invert_yaxis()
axes.grid(alpha=0.3)
axes.set_xlabel("test accuracy (%), one point for each training")
plt.show()

# %% assert
rounded = {name: round(np.mean(scores), 1) for name, scores in tested.items()}
assert len(tested) == 7 and {len(scores) for scores in tested.values()} == {3}
assert (rounded["selu"], rounded["elu"], rounded["tanh"], rounded["relu"]) == (
    67.3,
    66.3,
    65.2,
    63.3,
)
assert max(np.ptp(scores) for scores in tested.values()) < 1
three = [tested[name] for name in ("swish", "gelu", "tanh")]
assert all(min(one) < max(other) for one in three for other in three)
assert min(tested["elu"] + tested["selu"]) > max(map(max, three))
assert max(tested["relu"] + tested["leaky_relu"]) < min(map(min, three))
assert {each["train_images"] for each in outcomes("compare_activations")} == {22_500}
assert {len(each["history"]["loss"]) for each in outcomes("compare_activations")} == {8}

# %% [markdown]
# ## Batch norm
#
# A network sees its training images in *batches*, some dozens at a time. In training, batch norm
# subtracts from each channel its mean over the batch and all places,
# divides by the standard deviation, and applies a trainable factor and offset. It also remembers
# running averages, and uses **these** in inference: a prediction must not depend on the other
# images of the batch.
#
# It stands between convolution and activation. The convolution then needs no bias: whatever it
# adds, batch norm subtracts again. Below a bias of 100 changes nothing.

# %% ko [markdown]
# ## 배치 정규화
#
# 신경망은 학습 이미지를 수십 장씩 묶은 *배치*(batch) 단위로 본다. 학습할 때 배치 정규화는 채널마다 배치와 모든 위치에 걸친 평균을 빼고 표준편차로 나눈 다음, 학습되는 계수를 곱하고 역시 학습되는 값을 더한다. 동시에 이동 평균을 기억해 두었다가 추론할 때에는 **그 값**을 쓴다. 예측이 같은 배치의 다른 이미지에 따라 달라져서는 안 되기 때문이다.
#
# 배치 정규화는 합성곱과 활성화 함수 사이에 놓는다. 그러면 합성곱에는 편향이 필요 없다. 무엇을 더하든 배치 정규화가 다시 빼기 때문이다. 아래에서 편향 100은 아무것도 바꾸지 못한다.

# %%
batch = rng.normal(5, 3, size=(64, 8, 8, 4)).astype("float32")
norm = keras.layers.BatchNormalization(momentum=0.9)
normed = np.asarray(norm(batch, training=True))
by_hand = (batch - batch.mean(axis=(0, 1, 2))) / np.sqrt(batch.var(axis=(0, 1, 2)) + norm.epsilon)
print("by hand, the largest difference:", np.abs(normed - by_hand).max().round(5))
shifted = np.asarray(norm(batch + 100, training=True))
print("with a bias of 100:             ", np.abs(shifted - normed).max().round(3))

one = batch[:1]
alone, in_batch = norm(one, training=True), norm(batch, training=True)[:1]
print("training, one image alone or in its batch:", np.abs(alone - in_batch).max().round(2))
alone, in_batch = norm(one, training=False), norm(batch, training=False)[:1]
print("inference, the same question:             ", np.abs(alone - in_batch).max().round(5))

# %% assert
assert np.allclose(normed, by_hand, atol=1e-3)
assert np.allclose(shifted, normed, atol=0.01) and 100 == 10**2
assert np.abs(norm(one, training=True) - norm(batch, training=True)[:1]).max() > 0.01
assert np.abs(norm(one, training=False) - norm(batch, training=False)[:1]).max() < 1e-4

# %% [markdown]
# ## Dropout
#
# In training, **dropout** sets a random share of the values to zero and multiplies the others so
# that the mean stays: with a rate of 0.5, by 2. In inference it does nothing. **Spatial** dropout
# removes whole maps. Spatial dropout stands after convolutions, dropout between dense layers.
#
# The reason: neighboring pixels of a map are similar, so what dropout has removed can be guessed
# from the neighbors that are left. Below, for the first maps of a trained ResNet, the guess is the
# mean of these neighbors. It explains more than half of the variance of the missing pixels (its
# squared error is less than half of that variance), so the network can partly replace them. One layer
# further it explains less. When a whole map is gone, there are no neighbors to guess from.
#
# Do not put dropout **before** a batch norm. With a rate of 0.5 a signal with mean 0 has twice its
# variance in training, and the batch norm remembers that; in inference the dropout is gone, and the
# variance that batch norm divides by is wrong by a factor of 2.

# %% ko [markdown]
# ## 드롭아웃
#
# **드롭아웃**은 학습할 때 값의 일부를 무작위로 골라 0으로 만들고, 나머지는 평균이 유지되도록 키운다. 비율이 0.5이면 2배로 키운다. 추론할 때에는 아무 일도 하지 않는다. **공간 드롭아웃**(spatial dropout)은 특성 맵을 통째로 없앤다. 합성곱 뒤에는 공간 드롭아웃을, 완전 연결층 사이에는 드롭아웃을 놓는다.
#
# 까닭은 이렇다. 특성 맵에서 이웃한 픽셀은 서로 비슷하므로, 드롭아웃이 없앤 값은 남아 있는 이웃을 보고 짐작할 수 있다. 아래에서는 학습된 ResNet의 첫 특성 맵에서, 남은 이웃의 평균으로 없어진 픽셀을 짐작한다. 이 평균이 없어진 픽셀의 분산을 절반 넘게 설명하므로(제곱 오차가 그 분산의 절반보다 작으므로) 신경망은 그 픽셀을 어느 정도 메울 수 있다. 한 층 더 들어가면 설명하는 몫이 줄어든다. 특성 맵이 통째로 사라지면 보고 짐작할 이웃이 없다.
#
# 드롭아웃을 배치 정규화 **앞에** 놓지 말아야 한다. 비율이 0.5이면 평균이 0인 신호의 분산이 학습할 때 두 배가 되고 배치 정규화는 이것을 기억한다. 추론할 때에는 드롭아웃이 없으므로 배치 정규화가 나누는 분산이 2배만큼 틀린다.

# %%
keras.utils.set_random_seed(0)
ones = np.ones((200, 6, 6, 16), "float32")
single = np.asarray(keras.layers.Dropout(0.5)(ones, training=True))
whole = np.asarray(keras.layers.SpatialDropout2D(0.5)(ones, training=True))
print(f"zeros {np.mean(single == 0):.1%}, the others {single.max()}, mean {single.mean():.2f}")

figure, axes = plt.subplots(1, 2, figsize=(7.5, 2.3), layout="constrained")
for cell, maps, title in zip(axes, (single, whole), ("Dropout", "SpatialDropout2D"), strict=True):
    cell.imshow(
        np.hstack([np.pad(maps[0, :, :, c], 1, constant_values=1) for c in range(8)]), "gray"
    )
    cell.set_title(f"{title}: 8 maps of one image", fontsize=9)
    cell.axis("off")
plt.show()

resnet = kcnn.models.pretrained("resnet20")
relus = [layer for layer in resnet.layers if layer.name.endswith("relu")][:2]
sides = [(shift, axis) for shift in (1, -1) for axis in (1, 2)]
explained = []
for maps in keras.Model(resnet.inputs, [layer.output for layer in relus])(photographs()[0]):
    maps = maps - np.mean(maps, axis=(0, 1, 2))  # of each channel
    left = rng.random(maps.shape) < 0.5  # what dropout leaves
    count = sum(np.roll(left, *side).astype(int) for side in sides)  # of the neighbors left
    guess = sum(np.roll(maps * left, *side) for side in sides) / np.maximum(count, 1)
    missing = ~left & (count > 0)
    explained.append(1 - np.mean((maps - guess)[missing] ** 2) / np.mean(maps[missing] ** 2))
for number, share in enumerate(explained, start=1):
    print(f"after ReLU {number}, the neighbors explain {share:.0%} of a missing pixel's variance")

noise = rng.normal(size=(4000, 64)).astype("float32")
dropped = np.asarray(keras.layers.Dropout(0.5)(noise, training=True))
print(f"variance in training {dropped.var():.2f}, in inference {noise.var():.2f}")

# %% assert
assert abs(np.mean(single == 0) - 0.5) < 0.01 and single.max() == 2
assert abs(single.mean() - 1) < 0.02
per_map = (whole == 0).mean(axis=(1, 2))
assert set(np.unique(per_map)) == {0.0, 1.0}  # a map is there or not
assert explained[0] > 1 / 2 and explained[1] < explained[0]
assert abs(dropped.var() / noise.var() - 2) < 0.05
assert np.array_equal(keras.layers.Dropout(0.5)(noise, training=False), noise)

# %% [markdown]
# ## The initial weights, and depth
#
# ReLU sets half of a symmetric signal to zero, which halves its mean square. The weights must make
# up for that. With $n$ inputs this requires a variance of $2/n$: He's initialization. Glorot's
# initialization, made for tanh, has half of that variance (if a layer has as many outputs as
# inputs), so each layer divides the signal by $\sqrt 2$. Here are 16 layers of 256 units with ReLU,
# and nothing else.

# %% ko [markdown]
# ## 초기 가중치와 깊이
#
# ReLU는 대칭인 신호의 절반을 0으로 만들어 제곱 평균을 절반으로 줄인다. 가중치가 이것을 메워 주어야 한다. 입력이 $n$개이면 분산이 $2/n$이어야 하며, 이것이 He 초기화이다. tanh를 위해 만들어진 Glorot 초기화는 (층의 출력 수가 입력 수와 같을 때) 분산이 그 절반이므로 층마다 신호를 $\sqrt 2$로 나누는 셈이다. 아래는 ReLU만 있는 유닛 256개짜리 층 16개이다.


# %%
INITIALIZERS = {
    "He": keras.initializers.HeNormal,
    "Glorot": keras.initializers.GlorotNormal,
    "normal(0, 0.01)": lambda seed: keras.initializers.RandomNormal(stddev=0.01, seed=seed),
    "normal(0, 1)": lambda seed: keras.initializers.RandomNormal(stddev=1.0, seed=seed),
}


def signal_sizes(initializer, layers=16, units=256):
    signal = np.random.default_rng(0).normal(size=(512, units)).astype("float32")
    sizes = []
    for layer in range(layers + 1):
        sizes.append(np.sqrt((signal.astype("float64") ** 2).mean()))
        signal = np.maximum(signal @ np.asarray(initializer(seed=layer)((units, units))), 0)
    return np.array(sizes)


sizes = {name: signal_sizes(initializer) for name, initializer in INITIALIZERS.items()}
figure, axes = plt.subplots(figsize=(6.5, 2.8), layout="constrained")
for name, values_by_layer in sizes.items():
    axes.semilogy(values_by_layer, "o-", ms=3, label=name)
axes.set_xlabel("layer")
axes.set_ylabel("RMS of the signal")
axes.grid(alpha=0.3)
axes.legend(frameon=False)
plt.show()

starts = test_accuracies("compare_initializers")
for name, scores in starts.items():
    spread = f"{np.mean(scores):.1f} % ± {np.std(scores, ddof=1):.1f}" if scores else "diverged"
    print(f"{name:16} {spread}")

# %% [markdown]
# With He's weights the signal stays within a factor of 2. With Glorot's it loses a factor of 256,
# as calculated. A fixed standard deviation does not work: with 0.01 the signal falls below a
# millionth of a millionth of its size, and with 1 it grows as fast.
#
# The numbers below the picture are of `kcnn run compare_initializers`: a narrow VGG-16 (of the
# lesson on deep networks) without batch norm, 6 epochs each, three times. The mean test accuracy is
# 57.7 % with He's weights, 50.7 % with LeCun's and 39.7 % with Glorot's, which are smaller than
# LeCun's where a layer has more outputs than inputs. With 0.01 the network learns nothing: 10.0 % is
# the accuracy of guessing. With 1 the loss is not a number (NaN) in the first epoch already. With
# batch norm, which rescales every layer, it hardly matters how large the initial weights are.

# %% ko [markdown]
# He의 가중치에서는 신호의 크기가 2배 이내로 유지된다. Glorot의 가중치에서는 계산한 대로 256분의 1로 줄어든다. 고정된 표준편차는 통하지 않는다. 0.01이면 신호가 백만분의 일의 백만분의 일보다 작아지고, 1이면 그만큼 빠르게 커진다.
#
# 그림 아래의 숫자는 `kcnn run compare_initializers`의 결과이다. 배치 정규화가 없는 폭이 좁은 VGG-16(깊은 신경망을 다룬 장에 나온다)을 6에포크씩, 세 번씩 학습했다. 평균 테스트 정확도는 He의 가중치에서 57.7 %, LeCun에서 50.7 %, Glorot에서 39.7 %이다. Glorot의 가중치는 출력이 입력보다 많은 층에서 LeCun의 것보다 작다. 0.01에서는 아무것도 배우지 못한다. 10.0 %는 아무렇게나 찍었을 때의 정확도이다. 1에서는 첫 에포크에 벌써 손실이 NaN(숫자가 아님)이 된다. 층마다 크기를 다시 맞추는 배치 정규화가 있으면 초기 가중치의 크기는 거의 문제 되지 않는다.

# %% assert
change = {name: each[-1] / each[0] for name, each in sizes.items()}
assert len(sizes["He"]) - 1 == 16
assert 1 / 2 < change["He"] < 2
assert np.isclose(np.sqrt(2) ** 16, 256) and 1 / 2 < change["Glorot"] * 256 < 2
assert INITIALIZERS["normal(0, 0.01)"](0).stddev == 0.01
assert change["normal(0, 0.01)"] < 1e-12 and change["normal(0, 1)"] > 1e12
accuracies = {name: round(np.mean(scores), 1) for name, scores in starts.items() if scores}
assert accuracies == {"He": 57.7, "Glorot": 39.7, "LeCun": 50.7, "normal(0, 0.01)": 10.0}
begun = outcomes("compare_initializers")
assert {each["diverged"] for each in begun if each["variant"] == "normal(0, 1)"} == {1}
assert {len(each["history"]["loss"]) for each in begun if each["variant"] == "He"} == {6}
assert {len(scores) for scores in starts.values()} == {3, 0} and len(begun) == 15

# %% [markdown]
# ## Exercises
#
# **Exercise 1.** Write leaky ReLU with a slope of 0.1 for negative inputs, for NumPy arrays.

# %% ko [markdown]
# ## 연습 문제
#
# **문제 1.** 음수 입력에서 기울기가 0.1인 leaky ReLU를 NumPy 배열에 대해 작성하라.


# %% exercise
def leaky_relu(x):
    return ...


check("leaky relu", leaky_relu)


# %% solution
def leaky_relu(x):
    return np.where(x > 0, x, 0.1 * x)


check("leaky relu", leaky_relu)

# %% [markdown]
# **Exercise 2.** Which standard deviation do He's weights have in a 3x3 convolution of 64 channels?
# The number of inputs $n$ is that of one unit.

# %% ko [markdown]
# **문제 2.** 입력 채널이 64개인 3x3 합성곱에서 He의 가중치의 표준편차는 얼마인가? 입력의 수 $n$은 유닛 하나의 입력 수이다.

# %% exercise
deviation = ...
check("he", deviation)

# %% solution
deviation = np.sqrt(2 / (3 * 3 * 64))
check("he", deviation)

# %% [markdown]
# **Exercise 3.** In which order do the three stand: `["relu", "conv", "batch norm"]`? Answer with a
# list.

# %% ko [markdown]
# **문제 3.** 세 층 `["relu", "conv", "batch norm"]`은 어떤 순서로 놓는가? 리스트로 답하라.

# %% exercise
order = ...
check("order", order)

# %% solution
order = ["conv", "batch norm", "relu"]
check("order", order)
