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
# # 5. LeNet, AlexNet, Network in Network
#
# Three networks that shaped all later ones, rebuilt from their papers and checked against their
# numbers.
#
# **What you will see**
#
# * LeNet-5 (1998) layer by layer, C1 to F6, with the table of C3;
# * AlexNet (2012): groups, local response normalization, ReLU against tanh;
# * what top-5 means, and the numbers that AlexNet really reached;
# * Network in Network (2013): 1x1 convolutions, and no dense layer.

# %% ko [markdown]
# # 5. LeNet, AlexNet, Network in Network
#
# 이후의 모든 신경망에 영향을 준 세 신경망을 논문대로 만들고, 논문의 숫자와 맞추어 본다.
#
# **이 장에서 배울 것**
#
# * LeNet-5(1998): C1부터 F6까지 층별로, 그리고 C3의 연결표
# * AlexNet(2012): 그룹 합성곱, 국소 응답 정규화(LRN), ReLU와 tanh의 비교
# * top-5의 뜻과 AlexNet이 실제로 도달한 수치
# * Network in Network(2013): 1x1 합성곱, 그리고 완전 연결층이 없는 신경망

# %% [markdown]
# ## LeNet-5, as in the paper
#
# The input is a gray image of 32x32 pixels. C are convolutions of 5x5 without padding, S
# subsamplings, F a dense layer. From C1 to F6 there are 60,000 trainable parameters:
#
# * **C1**: 6 filters of 25 weights and a bias, 156;
# * **S2**, **S4**: each map has a trainable coefficient and a bias, 2 for each of the 6 or 16 maps;
# * **C3**: 16 maps, each of which sees only *some* maps of S2, 1,516;
# * **C5**: 120 units that see all 16 maps of 5x5, 48,120; **F6**: 84 units, 10,164.
#
# The paper's output compares F6 with a fixed bitmap of each digit (radial basis functions). Here it
# is a dense layer instead, with 850 parameters.

# %% ko [markdown]
# ## 논문대로 만든 LeNet-5
#
# 입력은 32x32픽셀의 흑백 이미지이다. C는 패딩 없는 5x5 합성곱, S는 서브샘플링(subsampling), F는 완전 연결층이다. C1부터 F6까지 학습되는 파라미터는 60,000개이다.
#
# * **C1**: 가중치 25개와 편향 하나를 가진 필터 6개, 156개
# * **S2**, **S4**: 특성 맵마다 학습되는 계수와 편향이 있다. 특성 맵 6개 또는 16개에 2개씩이다.
# * **C3**: 특성 맵 16개가 저마다 S2의 특성 맵 가운데 *일부*만 본다, 1,516개
# * **C5**: 5x5 특성 맵 16개를 모두 보는 유닛 120개, 48,120개. **F6**: 유닛 84개, 10,164개
#
# 논문의 출력층은 F6을 숫자마다 정해진 비트맵과 비교한다(방사 기저 함수). 여기서는 그 대신 파라미터가 850개인 완전 연결층을 쓴다.

# %%
import kcnn
import keras
import matplotlib.pyplot as plt
import numpy as np
from course import SAVED, check, photographs
from kcnn.arithmetic import conv_parameters, output_size
from kcnn.models import facts
from kcnn.models.families.lenet import C3_CONNECTIONS
from kcnn.report import receipts

lenet = kcnn.models.lenet5((32, 32, 1))
for layer in lenet.layers:
    if layer.count_params():
        print(f"{layer.name:7} {layer.output.shape[1:]!s:14} {layer.count_params():>7,} parameters")

# %% assert
counts = {layer.name: layer.count_params() for layer in lenet.layers if layer.count_params()}
assert counts.pop("logits") == 850
assert counts == {
    "c1": 156,
    "s2": 6 * 2,
    "c3": 1_516,
    "s4": 16 * 2,
    "c5": 48_120,
    "f6": 10_164,
}
assert sum(counts.values()) == 60_000 and 6 * (25 + 1) == 156
assert counts["c5"] == 120 * (25 * 16 + 1) and counts["f6"] == 84 * (120 + 1)

# %% [markdown]
# **The table of C3.** A black square: this map of C3 sees that map of S2. There are 60 connections
# of 25 weights, and 16 biases. If every map saw all six, there would be 96. The authors gave two
# reasons: fewer connections, and a broken symmetry, since maps that see different things must learn
# different things.

# %% ko [markdown]
# **C3의 연결표.** 검은 칸은 C3의 그 특성 맵이 S2의 그 특성 맵을 본다는 뜻이다. 가중치 25개짜리 연결이 60개, 편향이 16개 있다. 모두가 여섯 개를 다 본다면 연결은 96개가 된다. 저자들이 든 이유는 두 가지이다. 연결의 수가 줄어들고, 대칭이 깨진다. 서로 다른 것을 보는 특성 맵은 서로 다른 것을 배울 수밖에 없다.

# %%
table = np.zeros((6, 16))
for map_of_c3, seen in enumerate(C3_CONNECTIONS):
    table[list(seen), map_of_c3] = 1
figure, axes = plt.subplots(figsize=(6, 2.6), layout="constrained")
axes.pcolormesh(table, cmap="Greys", edgecolors="0.7", vmax=1.3)
axes.invert_yaxis()
axes.set_xticks(np.arange(16) + 0.5, range(16))
axes.set_yticks(np.arange(6) + 0.5, range(6))
axes.set_xlabel("map of C3")
axes.set_ylabel("map of S2")
plt.show()

# %% assert
assert table.sum() == 60 and table.size == 96 == 16 * 6
assert 60 * 25 + 16 == 1_516

# %% [markdown]
# **Subsampling and scaled tanh.** S2 averages 2x2 pixels (the paper adds them: only the coefficient
# differs), multiplies by its coefficient, adds its bias, and applies $1.7159 \tanh(\tfrac23 x)$.
# The constants make $f(1) = 1$ and $f(-1) = -1$ and keep the slope large between them. Below, the
# coefficient and the bias of the first map are set to 2 and 0.5 and S2 is computed by hand.
#
# Today's variant has max pooling, ReLU and a C3 that sees all maps: 62,006 parameters for color
# images. The paper's network and this one both learn the digits of scikit-learn in seconds. (kcnn
# makes color images of these, so C1 has 300 more weights than above.)

# %% ko [markdown]
# **서브샘플링과 크기를 조정한 tanh.** S2는 2x2 픽셀을 평균하고(논문에서는 더하지만 계수만 달라진다), 계수를 곱하고, 편향을 더한 다음 $1.7159 \tanh(\tfrac23 x)$를 적용한다. 이 상수들 덕분에 $f(1) = 1$, $f(-1) = -1$이 되고 그 사이에서 기울기가 크다. 아래에서는 첫 번째 특성 맵의 계수와 편향을 2와 0.5로 두고 S2를 손으로 계산해 본다.
#
# 오늘날의 변형은 최대 풀링과 ReLU를 쓰고 C3이 모든 특성 맵을 보며, 컬러 이미지일 때 파라미터가 62,006개이다. 논문의 신경망도 이 변형도 scikit-learn의 숫자 이미지를 몇 초 만에 배운다. (kcnn은 숫자를 컬러 이미지로 만들므로 C1의 가중치가 위보다 300개 많다.)


# %%
def scaled_tanh(x):
    return 1.7159 * np.tanh(2 / 3 * x)


s2 = lenet.get_layer("s2")
coefficients, biases = np.ones(6, "float32"), np.zeros(6, "float32")
coefficients[0], biases[0] = 2, 0.5
s2.set_weights([coefficients.reshape(s2.kernel.shape), biases])
ends = [lenet.get_layer(name).output for name in ("c1_amplitude", "s2_amplitude")]
gray = photographs()[0].mean(axis=-1, keepdims=True)
maps, found = (np.asarray(each) for each in keras.Model(lenet.inputs, ends)(gray))
means = maps.reshape(len(maps), 14, 2, 14, 2, 6).mean(axis=(2, 4))
by_hand = scaled_tanh(means * coefficients + biases)
print("S2 by hand, the largest difference:", np.abs(by_hand - found).max().round(5))

data = kcnn.data.load("digits", batch_size=64, augment="none")
scores = {}
for variant in ("paper", "modern"):
    keras.utils.set_random_seed(0)
    model = kcnn.models.lenet5(variant=variant)
    kcnn.train(model, data, epochs=6, learning_rate=2e-3, callbacks=[])
    scores[variant] = kcnn.evaluate(model, data.test).accuracy
    print(
        f"{variant:7} {model.count_params():,} parameters, {scores[variant]:.1%} of the test digits"
    )
print("scaled tanh of 1:", round(scaled_tanh(1), 4))

# %% assert
assert kcnn.models.lenet5(variant="modern").count_params() == 62_006
assert kcnn.models.lenet5().count_params() - lenet.count_params() == 300 == 6 * 25 * 2
assert min(scores.values()) > 0.85
assert round(1.7159 * np.tanh(2 / 3), 4) == 1
assert np.allclose(by_hand, found, atol=1e-4) and np.ptp(found[..., 0]) > 0.1
assert (coefficients[0], biases[0]) == (2, 0.5)

# %% [markdown]
# ## AlexNet
#
# Eight layers, 60,965,224 parameters, two graphics cards. The paper says that its images have 224
# pixels, but 11x11 windows with a stride of 4 then do not fit: the 55 outputs that it draws need
# 227 pixels. Because the network was split over two cards, its second, fourth and fifth convolution
# have two **groups**. 96 % of the parameters are in the dense layers.

# %% ko [markdown]
# ## AlexNet
#
# 층은 여덟 개, 파라미터는 60,965,224개, 그래픽 카드는 두 장이다. 논문에는 이미지가 224픽셀이라고 적혀 있지만, 그러면 11x11 창을 스트라이드 4로 옮겼을 때 나누어떨어지지 않는다. 논문의 그림에 있는 출력 55개가 나오려면 227픽셀이어야 한다. 신경망을 카드 두 장에 나누어 실었기 때문에 두 번째, 네 번째, 다섯 번째 합성곱에는 **그룹**이 두 개 있다. 파라미터의 96 %는 완전 연결층에 있다.

# %%
convolutions = [
    (3, 96, 11, 1),
    (96, 256, 5, 2),
    (256, 384, 3, 1),
    (384, 384, 3, 2),
    (384, 256, 3, 2),
]
dense = [(6 * 6 * 256, 4096), (4096, 4096), (4096, 1000)]
by_layer = [conv_parameters(c, f, k, groups=g) for c, f, k, g in convolutions]
by_layer += [inputs * units + units for inputs, units in dense]
for number, parameters in enumerate(by_layer, start=1):
    print(f"layer {number}: {parameters:>10,} parameters")
print(f"in all    {sum(by_layer):>10,}")
print("positions of the first window:", (224 - 11) / 4 + 1, "or", (227 - 11) / 4 + 1)

# %% assert
assert sum(by_layer) == 60_965_224 and len(by_layer) == 8
assert output_size(227, 11, stride=4) == 55 and (224 - 11) % 4 != 0
assert round(sum(by_layer[5:]) / sum(by_layer), 2) == 0.96

# %% [markdown]
# **Local response normalization** (LRN) adds up the squares of the $n = 5$ channels around a value,
# its own included, and divides the value by a power of that sum, so that strong channels weaken
# their neighbors:
#
# $$b_i = a_i \Big/ \Big(k + \alpha \sum_{j = i - n/2}^{i + n/2} a_j^2\Big)^{\beta},
# \qquad k = 2,\ \alpha = 10^{-4},\ \beta = 0.75$$
#
# Here $n/2$ is rounded down: two channels on each side, fewer at the ends. Below are the results of
# the formula and of the layer, on eight channels. To make the effect visible, $\alpha = 1$.
# **Overlapping pooling**, 3x3 with a stride of 2, is in the lesson on pooling.

# %% ko [markdown]
# **국소 응답 정규화**(LRN)는 자기를 포함해 둘레의 채널 $n = 5$개의 제곱을 더하고, 그 합의 거듭제곱으로 값을 나눈다. 그러면 강한 채널이 이웃 채널을 억누르게 된다.
#
# $$b_i = a_i \Big/ \Big(k + \alpha \sum_{j = i - n/2}^{i + n/2} a_j^2\Big)^{\beta},
# \qquad k = 2,\ \alpha = 10^{-4},\ \beta = 0.75$$
#
# 여기서 $n/2$는 소수점 아래를 버린다. 양쪽으로 채널 두 개씩이고, 양 끝에서는 그보다 적다. 아래에서는 채널 여덟 개에 대해 공식과 층의 결과를 비교한다. 효과가 눈에 보이도록 $\alpha = 1$로 두었다. 3x3 창에 스트라이드 2를 쓰는 **겹치는 풀링**은 풀링을 다룬 장에 있다.

# %%
a = np.array([1, 1, 1, 8, 1, 1, 1, 1], "float32")
by_formula = []
for i in range(8):
    energy = sum(a[j] ** 2 for j in range(max(0, i - 2), min(8, i + 3)))
    by_formula.append(a[i] / (2 + 1.0 * energy) ** 0.75)
by_layer_lrn = np.asarray(kcnn.layers.LocalResponseNormalization(alpha=1.0)(a[None]))[0]
print("formula:", np.round(by_formula, 3))
print("layer:  ", by_layer_lrn.round(3))

# %% assert
assert np.allclose(by_formula, by_layer_lrn, rtol=1e-4)
lrn = kcnn.layers.LocalResponseNormalization()
assert (2 * lrn.depth_radius + 1, lrn.bias, lrn.alpha, lrn.beta) == (5, 2, 1e-4, 0.75)

# %% [markdown]
# **ReLU against tanh.** The paper trained a small network with both and counted the epochs until
# 25 % of the training images were wrong: with ReLU it took a sixth of the time. Here is the same
# measurement on digits: a plain LeNet without batch norm, with plain SGD (gradient descent, a
# batch at a time) and the same initial weights, at two learning rates.

# %% ko [markdown]
# **ReLU와 tanh.** 논문은 작은 신경망을 두 함수로 각각 학습하고 학습 이미지의 오류율이 25 %가 될 때까지의 에포크를 세었다. ReLU를 쓰면 시간이 6분의 1밖에 걸리지 않았다. 같은 측정을 숫자 이미지로 해 보자. 배치 정규화가 없는 LeNet을 같은 초기 가중치와 단순한 SGD(배치마다 하는 경사 하강법)로, 학습률 두 가지에서 학습한다.


# %%
def training_errors(activation, rate, epochs=6):
    keras.utils.set_random_seed(0)
    model = kcnn.models.lenet5(
        variant="modern", activation=activation, initializer="glorot_uniform"
    )
    model.compile(
        keras.optimizers.SGD(rate),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    history = model.fit(data.train, epochs=epochs, shuffle=False, verbose=0).history
    return 1 - np.array(history["accuracy"])


RATES = (0.03, 0.1)
errors = {(a, rate): training_errors(a, rate) for rate in RATES for a in ("relu", "tanh")}
figure, axes = plt.subplots(1, 2, figsize=(7, 2.5), layout="constrained", sharey=True)
for cell, rate in zip(axes, RATES, strict=True):
    for activation, style in (("relu", "o-"), ("tanh", "s--")):
        cell.plot(range(1, 7), errors[activation, rate], style, ms=3, label=activation)
    cell.axhline(0.25, color="0.6", linestyle=":")
    cell.set_title(f"rate {rate}", fontsize=9)
    cell.set_xlabel("epoch")
axes[0].set_ylabel("training error")
axes[0].legend(frameon=False, fontsize=8)
plt.show()
crossing = {each: int(np.argmax(error < 0.25)) + 1 for each, error in errors.items()}
for (activation, rate), epoch in crossing.items():
    print(f"{activation}, rate {rate}: below 25 % in epoch {epoch}")

# %% assert
assert all(crossing["tanh", rate] <= crossing["relu", rate] for rate in RATES)
assert all(error[crossing[each] - 1] < 0.25 for each, error in errors.items())
assert all(error[-1] < 0.15 for error in errors.values())

# %% [markdown]
# The opposite of the paper: here tanh is not slower, and at first even faster. The paper's claim is
# about a larger network, on harder images, with the initial weights of its time. A measurement
# holds for what was measured. Repeat it for your own network before you rely on it.

# %% ko [markdown]
# 논문과는 반대이다. 여기서는 tanh가 느리지 않고, 처음에는 오히려 더 빠르다. 논문의 주장은 더 큰 신경망, 더 어려운 이미지, 그 시절의 초기 가중치에 관한 것이다. 측정 결과는 측정한 대상에 대해서만 성립한다. 자기 신경망에 적용하려면 직접 다시 재 보아야 한다.

# %% [markdown]
# **Top-5.** ImageNet has 1,000 classes, and a photograph often shows several things. A prediction
# is right by **top-5** if the true class is among the five most likely ones. AlexNet won the
# competition of 2012 with a top-5 error of 15.3 %, that is 84.7 % right, by averaging seven
# networks; one alone had 18.2 % (81.8 % right). Say which of the two you mean, and on which data.
# Our ResNet-20 on the ten classes of CIFAR-10 has 93.33 % top-1 and 99.75 % top-5; with ten classes
# guessing already gives 50 % top-5.

# %% ko [markdown]
# **top-5.** ImageNet에는 클래스가 1,000개 있고, 사진 한 장에 여러 가지가 찍혀 있는 일이 많다. 정답이 가장 그럴듯한 다섯 클래스 안에 들면 **top-5**로 맞힌 것이다. AlexNet은 신경망 일곱 개의 평균으로 top-5 오류율 15.3 %, 곧 정확도 84.7 %를 얻어 2012년 대회에서 우승했다. 하나만 쓰면 오류율은 18.2 %(정확도 81.8 %)였다. 어느 쪽을 말하는지, 어떤 데이터에서 쟀는지 늘 밝혀야 한다. 클래스가 열 개인 CIFAR-10에서 우리의 ResNet-20은 top-1이 93.33 %, top-5가 99.75 %이다. 클래스가 열 개이면 찍어도 top-5는 50 %이다.

# %%
images, labels, names = photographs()
logits = np.asarray(kcnn.models.pretrained("resnet20")(images))
ranked = np.argsort(-logits, axis=1)
print("top-1:", np.sum(ranked[:, 0] == labels), "of", len(labels))
print("top-5:", np.sum((ranked[:, :5] == labels[:, None]).any(axis=1)), "of", len(labels))
for index in np.flatnonzero(ranked[:, 0] != labels)[:3]:
    likely = ", ".join(names[k] for k in ranked[index, :5])
    print(f"true: {names[labels[index]]:10} most likely first: {likely}")

# %% assert
report = receipts.load(SAVED / "resnet20" / "report.json").receipts[0]
assert report.accuracy == 0.9333 and report.top5_accuracy == 0.9975
assert round(100 - 15.3, 1) == 84.7 and round(100 - 18.2, 1) == 81.8
assert dense[-1][1] == 1_000 and 5 / len(names) == 0.50
assert 2012 < 2013

# %% [markdown]
# ## Network in Network
#
# A **1x1 convolution** looks at a single pixel, and at all of its channels: it is a small dense
# layer that is applied at every place. Network in Network puts two of them behind each convolution,
# and has no dense layer at its end. The last convolution makes one map for each class, and the mean
# of a map is the *logit* of its class. The class with the largest logit is the prediction. With
# 966,986 parameters it has a sixth of the 5,726,602 of an AlexNet for the same images.

# %% ko [markdown]
# ## Network in Network
#
# **1x1 합성곱**은 픽셀 하나의 모든 채널을 본다. 모든 위치에 똑같이 적용되는 작은 완전 연결층인 셈이다. Network in Network는 합성곱마다 뒤에 1x1 합성곱을 두 개씩 놓는다. 끝에는 완전 연결층이 없다. 마지막 합성곱이 클래스마다 특성 맵을 하나씩 만들고 그 평균이 그 클래스의 *로짓*(logit)이 된다. 로짓이 가장 큰 클래스가 예측이다. 파라미터는 966,986개로, 같은 이미지를 위한 AlexNet의 5,726,602개의 6분의 1이다.

# %%
pixels = np.random.default_rng(0).normal(size=(2, 6, 6, 16)).astype("float32")
one_by_one = keras.layers.Conv2D(8, 1)
convolved = np.asarray(one_by_one(pixels))
kernel, bias = one_by_one.get_weights()
by_dense = pixels.reshape(-1, 16) @ kernel[0, 0] + bias
print(
    "1x1 convolution and dense layer differ by", np.abs(convolved.reshape(-1, 8) - by_dense).max()
)

for layer in kcnn.models.nin().layers:
    if isinstance(layer, keras.layers.Conv2D):
        print(f"{layer.name:13} {layer.kernel_size} {layer.output.shape[1:]}")

# %% assert
known = facts.read()
assert np.allclose(convolved.reshape(-1, 8), by_dense, atol=1e-4)
assert known["nin"].parameters == 966_986 and known["alexnet"].parameters == 5_726_602
assert round(5_726_602 / 966_986) == 6  # a sixth

# %% [markdown]
# ## Exercises
#
# **Exercise 1.** How many parameters would C3 have if each of its 16 maps saw all 6 maps of S2?

# %% ko [markdown]
# ## 연습 문제
#
# **문제 1.** C3의 특성 맵 16개가 저마다 S2의 특성 맵 6개를 모두 본다면 C3의 파라미터는 몇 개인가?

# %% exercise
parameters = ...
check("c3", parameters)

# %% solution
parameters = 16 * (5 * 5 * 6 + 1)
check("c3", parameters)

# %% [markdown]
# **Exercise 2.** Write a function that returns the top-k accuracy of logits `[images, classes]`.

# %% ko [markdown]
# **문제 2.** 로짓 `[images, classes]`의 top-k 정확도를 구하는 함수를 작성하라.


# %% exercise
def top_k(logits, labels, k):
    return ...


check("top k", top_k)


# %% solution
def top_k(logits, labels, k):
    likely = np.argsort(-logits, axis=1)[:, :k]
    return (likely == labels[:, None]).any(axis=1).mean()


check("top k", top_k)

# %% [markdown]
# **Exercise 3.** A 1x1 convolution reduces 256 channels to 64. How many multiply-accumulates is
# that for a map of 14x14?

# %% ko [markdown]
# **문제 3.** 1x1 합성곱이 채널 256개를 64개로 줄인다. 14x14 특성 맵에서 곱셈-누산은 몇 번인가?

# %% exercise
macs = ...
check("one by one", macs)

# %% solution
macs = 14 * 14 * 256 * 64
check("one by one", macs)
