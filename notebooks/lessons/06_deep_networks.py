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
# # 6. Deep networks
#
# A deeper network sees larger parts of the image and can compute more. For a long time, however,
# deep networks were hard to train. This lesson shows why, and what solved the problem.
#
# **What you will see**
#
# * VGG, a deep network of plain 3x3 convolutions, and what it costs;
# * degradation: a deeper network that is worse on its own training images;
# * residual connections, which solve that problem, and what they do to the gradients;
# * the bottleneck of 1x1 convolutions, which makes a deep network cheap.
#
# The long trainings were done beforehand by the recipe `compare_depth`. This notebook reads their
# results from `saved_models/`. The short experiments run here.

# %% ko [markdown]
# # 6. 깊은 신경망
#
# 신경망이 깊을수록 이미지의 더 넓은 부분을 보고 더 많은 것을 계산할 수 있다. 그러나 오랫동안 깊은 신경망은 학습하기 어려웠다. 이 장에서는 그 까닭과 해결책을 살펴본다.
#
# **이 장에서 배울 것**
#
# * 3x3 합성곱만으로 이루어진 깊은 신경망 VGG와 그 비용
# * 성능 저하(degradation): 더 깊은데 학습 이미지에서조차 더 나쁜 신경망
# * 이 문제를 해결한 잔차 연결(residual connection)과, 그것이 기울기에 하는 일
# * 깊은 신경망을 가볍게 만드는 1x1 합성곱 병목(bottleneck)
#
# 오래 걸리는 학습은 레시피 `compare_depth`로 미리 해 두었다. 이 노트북은 그 결과를 `saved_models/`에서 읽는다. 짧은 실험은 여기서 바로 실행한다.

# %% [markdown]
# ## VGG: nothing but 3x3
#
# Two 3x3 kernels see as far as one 5x5 kernel, with fewer weights. Simonyan and Zisserman built on
# this in 2014: their network has five blocks of such convolutions. Each block has half the
# resolution of the one before and, except for the last, twice its channels.

# %% ko [markdown]
# ## VGG: 3x3뿐인 신경망
#
# 3x3 커널 두 개는 더 적은 가중치로 5x5 커널 하나만큼 넓게 본다. Simonyan과 Zisserman은 2014년에 이 점을 바탕으로 신경망을 만들었다. 이 신경망은 그런 합성곱으로 된 블록 다섯 개로 이루어져 있다. 블록마다 해상도는 앞 블록의 절반이 되고, 마지막 블록을 빼면 채널 수는 두 배가 된다.

# %%
import kcnn
import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from course import check, outcomes, photographs, test_accuracies
from kcnn.arithmetic import conv_parameters, model_arithmetic
from kcnn.models import facts

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")

known = facts.read()
for name in ("vgg11", "vgg16", "vgg19", "resnet20", "resnet56"):
    fact = known[name]
    print(f"{name:9} {fact.parameters:>12,} parameters {fact.macs / 1e6:>7.1f} million MACs")

# %% [markdown]
# VGG-16 for CIFAR-10 has 14.7 million parameters and needs 313 million multiply-accumulates (MACs)
# for one small image. ResNet-20, which comes later, has 54 times fewer parameters. (The original
# VGG-16, for ImageNet, has 138 million, most of them in its three dense layers.)
#
# Where are the parameters of VGG-16? The channels double as the maps shrink, and a layer's weights
# grow with the product of its input and output channels. Six of the thirteen convolutions, the last
# ones, have 88 % of the weights. The MACs are spread over all layers except the first. To make the
# file smaller, change the last layers; to make the network faster, change all of them.

# %% ko [markdown]
# CIFAR-10용 VGG-16의 파라미터는 1470만 개이고, 작은 이미지 한 장에 곱셈-누산(MAC)이 3억 1300만 번 필요하다. 뒤에 나오는 ResNet-20의 파라미터는 54분의 1에 지나지 않는다. (ImageNet용 원래 VGG-16의 파라미터는 1억 3800만 개이고, 대부분 완전 연결층 세 개에 있다.)
#
# VGG-16의 파라미터는 어디에 있는가? 특성 맵이 작아질수록 채널은 두 배로 늘고, 층의 가중치는 입력 채널과 출력 채널의 곱에 비례한다. 합성곱 열세 개 중 뒤쪽 여섯 개에 가중치의 88 %가 있다. MAC은 첫 층을 뺀 모든 층에 퍼져 있다. 파일을 줄이려면 뒤쪽 층을, 속도를 높이려면 모든 층을 바꾸어야 한다.

# %%
layers = model_arithmetic(kcnn.models.vgg16()).layers
convolutions = [layer for layer in layers if layer.kind == "Conv2D"]
weights = [layer.parameters for layer in convolutions]
macs = [layer.macs for layer in convolutions]

figure, axes = plt.subplots(1, 2, figsize=(9, 2.8), layout="constrained")
for cell, values, title in zip(axes, (weights, macs), ("weights", "MACs"), strict=True):
    cell.bar(range(1, len(values) + 1), np.array(values) / 1e6, color=COLORS[0])
    cell.set_title(f"{title} (millions)", fontsize=10)
    cell.set_xlabel("convolution")
plt.show()

# %% assert
vgg, resnet = known["vgg16"], known["resnet20"]
assert round(vgg.parameters, -5) == 14_700_000 and round(vgg.macs, -6) == 313_000_000
assert round(vgg.parameters / resnet.parameters) == 54
assert len(convolutions) == 13
original_dense = (7 * 7 * 512 + 1) * 4096 + (4096 + 1) * 4096 + (4096 + 1) * 1000
assert round(14_714_688 + original_dense, -6) == 138_000_000 and original_dense > 138_000_000 / 2
assert np.isclose(sum(weights[-6:]) / sum(weights), 0.88, atol=0.005)

# %% [markdown]
# ## Degradation
#
# Let us add layers: first 20, then 56. A deeper network can represent everything that a shallower
# one can: if the additional layers pass their input on, the output is the same. So it should not be
# worse. The recipe `compare_depth` tried it with 9,000 photographs, 10 epochs each. The
# validation images are others, on which no network is trained.

# %% ko [markdown]
# ## 성능 저하
#
# 층을 20개, 그다음에는 56개로 늘려 보자. 더 깊은 신경망은 얕은 신경망이 나타낼 수 있는 것을 모두 나타낼 수 있다. 더해진 층이 입력을 그대로 넘겨주기만 하면 출력이 같기 때문이다. 그러니 더 나빠질 이유가 없다. 레시피 `compare_depth`는 사진 9,000장으로 10에포크씩 학습해 보았다. 검증 이미지는 학습에 쓰지 않은 다른 이미지이다.

# %%
depth = {}
for each in outcomes("compare_depth"):
    depth.setdefault(each["variant"], []).append(each["history"])
epochs = np.arange(1, 11)
figure, axes = plt.subplots(1, 2, figsize=(9, 3.1), layout="constrained", sharey=True)
for cell, metric, title in zip(
    axes,
    ("accuracy", "val_accuracy"),
    ("training images (%)", "validation images (%)"),
    strict=True,
):
    for (name, histories), color, style in zip(
        depth.items(), COLORS, ("o-", "s-", "^--", "v--"), strict=True
    ):
        values = 100 * np.array([history[metric] for history in histories])
        cell.plot(epochs, values.mean(axis=0), style, ms=3, color=color, label=name)
        cell.fill_between(epochs, values.min(axis=0), values.max(axis=0), color=color, alpha=0.2)
    cell.set_title(title, fontsize=10)
    cell.set_xlabel("epoch")
    cell.grid(alpha=0.3)
axes[0].legend(frameon=False, fontsize=9)
plt.show()

# %% [markdown]
# Every line is the mean of three trainings, and the band around it reaches from the worst to the
# best. Look at the plain networks first. After the training the one with 20 layers predicts 54.3 %
# of the **training** images correctly, the one with 56 layers only 27.9 %. This is not overfitting,
# because these are the images that the networks were trained on. Better weights exist for the
# deeper network, but gradient descent does not find them. He and his co-authors called this
# *degradation*.
#
# Now look at the other two. They have the same layers and the same number of parameters, and one
# more line of code. With it the drop is gone: 63.0 % with 20 layers and 62.1 % with 56. On the test
# images they reach 61.5 and 61.0 %.
#
# Is the deeper one better, or worse? These short trainings cannot say: three of ResNet-56 differ by
# 6.4 points, which is far more than the difference between the two means. Anyone who had made only
# the first training of each would have seen 66.2 % against 62.8 % and believed that depth helps. The
# paper trained for longer, with twice the filters and all images. There ResNet-20 predicts 91.25 %
# of the test images correctly, ResNet-56 93.03 %.

# %% ko [markdown]
# 선은 세 번 학습한 결과의 평균이고, 둘레의 띠는 가장 나쁜 결과에서 가장 좋은 결과까지이다. 먼저 평범한(plain) 신경망을 보자. 학습을 마친 뒤 층이 20개인 신경망은 **학습** 이미지의 54.3 %를 맞히지만 56개인 신경망은 27.9 %만 맞힌다. 이것은 과적합이 아니다. 바로 그 이미지로 학습했기 때문이다. 더 깊은 신경망에도 더 좋은 가중치가 존재하지만 경사 하강법이 찾아내지 못하는 것이다. He와 공저자들은 이것을 *성능 저하*(degradation)라고 불렀다.
#
# 이번에는 나머지 둘을 보자. 층도 같고 파라미터 수도 같으며 코드 한 줄만 더 있다. 이 한 줄로 성능 저하가 사라진다. 층이 20개이면 63.0 %, 56개이면 62.1 %이다. 테스트 이미지에서는 61.5 %와 61.0 %이다.
#
# 그렇다면 더 깊은 쪽이 더 좋은가, 더 나쁜가? 이 짧은 학습으로는 알 수 없다. ResNet-56을 세 번 학습한 결과가 서로 6.4퍼센트포인트(%p)나 차이 나는데, 이는 두 평균의 차이보다 훨씬 크다. 첫 번째 학습만 한 번씩 해 본 사람은 66.2 % 대 62.8 %를 보고 깊이가 도움이 된다고 믿었을 것이다. 논문에서는 필터를 두 배로 하고 모든 이미지로 더 오래 학습했다. 거기서는 테스트 정확도가 ResNet-20은 91.25 %, ResNet-56은 93.03 %이다.

# %% assert
last = {
    name: [100 * history["accuracy"][-1] for history in histories]
    for name, histories in depth.items()
}
reached = {name: round(np.mean(values), 1) for name, values in last.items()}
assert reached == {"plain 20": 54.3, "plain 56": 27.9, "ResNet-20": 63.0, "ResNet-56": 62.1}
tested = test_accuracies("compare_depth")
assert round(np.mean(tested["ResNet-20"]), 1) == 61.5
assert round(np.mean(tested["ResNet-56"]), 1) == 61.0
assert {len(values) for values in tested.values()} == {3}
assert round(max(last["ResNet-56"]) - min(last["ResNet-56"]), 1) == 6.4
assert round(last["ResNet-56"][0], 1) == 66.2 and round(last["ResNet-20"][0], 1) == 62.8
assert max(last["plain 56"]) < min(last["plain 20"])
assert min(last["ResNet-56"]) < min(last["ResNet-20"]) < max(last["ResNet-56"])
paper = {"ResNet-20": 8.75, "ResNet-56": 6.97}  # test errors, table 6
assert [round(100 - error, 2) for error in paper.values()] == [91.25, 93.03]
assert all(each["train_images"] == 9_000 for each in outcomes("compare_depth"))
assert {len(history["accuracy"]) for each in depth.values() for history in each} == {10}
parameters = {each["variant"]: each["parameters"] for each in outcomes("compare_depth")}
assert all(parameters[f"plain {number}"] == parameters[f"ResNet-{number}"] for number in (20, 56))

# %% [markdown]
# ## The solution: add the input
#
# Let $F$ be two convolutions. A plain network computes $F(x)$, a residual unit $x + F(x)$. To pass
# its input on, the plain unit must *learn* the identity. The residual unit computes the identity
# when all its weights are zero, and must learn only the difference from it.

# %% ko [markdown]
# ## 해결책: 입력을 더하기
#
# $F$를 합성곱 두 개라고 하자. 평범한 신경망은 $F(x)$를, 잔차 유닛은 $x + F(x)$를 계산한다. 입력을 그대로 넘겨주려면 평범한 유닛은 항등 함수를 *배워야* 한다. 잔차 유닛은 가중치가 모두 0일 때 항등 함수가 되므로, 그것과의 차이만 배우면 된다.

# %%
image = keras.Input((8, 8, 4))
conv = keras.layers.Conv2D(4, 3, padding="same", kernel_initializer="zeros")
plain = keras.Model(image, conv(image))
residual = keras.Model(image, keras.layers.Add()([image, conv(image)]))

x = np.random.default_rng(0).normal(size=(2, 8, 8, 4)).astype("float32")
print("with zero weights, |F(x)|:        ", np.abs(plain(x)).max())
print("with zero weights, |x + F(x) - x|:", np.abs(residual(x) - x).max())

# %% assert
assert np.array_equal(residual(x), x)
assert not np.any(plain(x))

# %% [markdown]
# How does this change the training? We take untrained, narrow networks of 56 layers, pass the 40
# photographs through them, and compute for each convolution the norm of its gradient divided by the
# norm of its weights. All layers share one learning rate, so these ratios should be of similar
# size.

# %% ko [markdown]
# 이것이 학습을 어떻게 바꾸는가? 학습하지 않은, 폭이 좁은 56층 신경망에 사진 40장을 통과시키고, 합성곱마다 기울기의 크기를 가중치의 크기로 나누어 본다. 모든 층이 하나의 학습률을 함께 쓰므로 이 비율은 서로 비슷해야 한다.


# %%
photos, labels, names = photographs()


def gradient_lengths(shortcut):
    keras.utils.set_random_seed(0)
    model = kcnn.models.resnet56(shortcut=shortcut, width=4)
    kernels = [w.value for w in model.trainable_weights if len(w.shape) == 4]
    with tf.GradientTape() as tape:
        logits = model(photos, training=True)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
        loss = tf.reduce_mean(losses)
    gradients = tape.gradient(loss, kernels)
    return [float(tf.norm(g) / tf.norm(w)) for g, w in zip(gradients, kernels, strict=True)]


plain_lengths, residual_lengths = gradient_lengths("none"), gradient_lengths("A")
figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
axes.semilogy(plain_lengths, color=COLORS[1], label="plain, 56 layers")
axes.semilogy(residual_lengths, "--", color=COLORS[0], label="with residual connections")
axes.set_xlabel("convolution, from the input to the output")
axes.set_ylabel("gradient / weights")
axes.grid(alpha=0.3)
axes.legend(frameon=False)
plt.show()
for name, lengths in (("plain", plain_lengths), ("residual", residual_lengths)):
    print(f"{name:9} largest / smallest: {max(lengths) / min(lengths):,.0f}")

# %% [markdown]
# In the plain network this ratio is more than 1,000 times as large in the first layers as in the
# last ones: every learning rate is far too high for the former or far too low for the latter. The
# residual connections carry the gradient past all units, and the ratios stay within a factor of
# 100.

# %% ko [markdown]
# 평범한 신경망에서는 이 비율이 앞쪽 층에서 뒤쪽 층의 1,000배가 넘는다. 어떤 학습률을 골라도 앞쪽에는 너무 크거나 뒤쪽에는 너무 작다. 잔차 연결은 기울기를 모든 유닛 너머로 그대로 실어 나르므로 비율이 100배 안에 머문다.

# %% assert
assert len(plain_lengths) == len(residual_lengths) == 56 - 1  # the last layer is dense
assert len(photos) == 40
assert max(plain_lengths) / min(plain_lengths) > 1_000
assert max(residual_lengths) / min(residual_lengths) < 100

# %% [markdown]
# ## The bottleneck
#
# A 3x3 convolution from 128 channels to 128 has 147,456 weights. A **bottleneck** first reduces the
# channels to 32 by a 1x1 convolution, with 4,096 weights, and then convolves 3x3 back to 128, with
# 36,864: 40,960 together, less than 28 %. ResNet-50 reduces before its 3x3 convolution and expands
# after it, both by 1x1. The 1x1 convolutions also add a nonlinearity.

# %% ko [markdown]
# ## 병목 구조
#
# 채널 128개에서 128개로 가는 3x3 합성곱의 가중치는 147,456개이다. **병목**(bottleneck) 구조는 먼저 1x1 합성곱으로 채널을 32개로 줄인 다음(가중치 4,096개) 3x3 합성곱으로 다시 128개를 만든다(36,864개). 합하면 40,960개로 28 %가 되지 않는다. ResNet-50은 3x3 합성곱 앞에서 줄이고 뒤에서 늘리는데, 둘 다 1x1로 한다. 1x1 합성곱은 비선형 함수도 하나 더해 준다.


# %%
def count(*filters_and_sizes):
    model = keras.Sequential([keras.Input((28, 28, 128))])
    for filters, size in filters_and_sizes:
        model.add(keras.layers.Conv2D(filters, size, padding="same", use_bias=False))
    return model.count_params()


print(f"3x3, 128 to 128:             {count((128, 3)):>8,} weights")
print(f"1x1 to 32, then 3x3 to 128:  {count((32, 1), (128, 3)):>8,} weights")
print(f"1x1 to 32, 3x3, 1x1 to 128:  {count((32, 1), (32, 3), (128, 1)):>8,} weights")

# %% assert
assert count((128, 3)) == 147_456 == conv_parameters(128, 128, 3, bias=False)
assert count((32, 1), (128, 3)) == 40_960 == 4_096 + 36_864
assert conv_parameters(128, 32, 1, bias=False) == 4_096
assert conv_parameters(32, 128, 3, bias=False) == 36_864
assert 0.27 < 40_960 / 147_456 < 0.28

# %% [markdown]
# ## Exercises
#
# **Exercise 1.** ResNets for CIFAR have three stages of $n$ units with two convolutions each, one
# convolution before them and one dense layer after them. Which $n$ has ResNet-56?

# %% ko [markdown]
# ## 연습 문제
#
# **문제 1.** CIFAR용 ResNet은 단계가 세 개이고 단계마다 합성곱 두 개짜리 유닛이 $n$개 있다. 그 앞에 합성곱 하나, 뒤에 완전 연결층 하나가 있다. ResNet-56의 $n$은 얼마인가?

# %% exercise
n = ...
check("resnet n", n)

# %% solution
n = (56 - 2) // 6
check("resnet n", n)

# %% [markdown]
# **Exercise 2.** The training accuracy of the plain network with 56 layers is lower than with 20.
# Is that "overfitting", "degradation" or "vanishing data"?

# %% ko [markdown]
# **문제 2.** 평범한 신경망은 층이 56개일 때 학습 정확도가 20개일 때보다 낮다. 이것은 과적합("overfitting"), 성능 저하("degradation"), 데이터 소실("vanishing data") 가운데 무엇인가?

# %% exercise
word = ...
check("degradation", word)

# %% solution
word = "degradation"
check("degradation", word)

# %% [markdown]
# **Exercise 3.** How many weights does ResNet-50's bottleneck have that reduces 256 channels to 64
# by 1x1, convolves them 3x3, and expands them to 256 by 1x1, without biases?

# %% ko [markdown]
# **문제 3.** 채널 256개를 1x1로 64개로 줄이고, 3x3 합성곱을 하고, 1x1로 다시 256개로 늘리는 ResNet-50의 병목에는 편향을 빼고 가중치가 몇 개 있는가?

# %% exercise
weights_of_bottleneck = ...
check("bottleneck", weights_of_bottleneck)

# %% solution
weights_of_bottleneck = 256 * 64 + 3 * 3 * 64 * 64 + 64 * 256
check("bottleneck", weights_of_bottleneck)
