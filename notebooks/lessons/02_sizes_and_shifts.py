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
# # 2. Sizes and shifts
#
# How large is the output of a convolution, how far does it see, and what happens to it when the
# image moves?
#
# **What you will see**
#
# * padding (valid, same, full, reflect), stride and dilation, and the size of the output;
# * how much padding keeps the size: $2p = d(k - 1)$;
# * why two 3x3 kernels replace one of 5x5;
# * equivariance, and what invariance really is, measured on a trained network.

# %% ko [markdown]
# # 2. 크기와 이동
#
# 합성곱의 출력은 얼마나 큰가? 얼마나 넓은 곳을 보는가? 이미지가 움직이면 출력은 어떻게 되는가?
#
# **이 장에서 배울 것**
#
# * 패딩(valid, same, full, reflect), 스트라이드, 팽창(dilation)과 출력의 크기
# * 크기를 그대로 유지하는 패딩의 양: $2p = d(k - 1)$
# * 5x5 커널 하나를 3x3 커널 두 개로 바꾸는 까닭
# * 등변성(equivariance)과, 불변성(invariance)의 참뜻: 학습된 신경망에서 측정하기

# %% [markdown]
# ## Padding
#
# A kernel of three weights fits onto five numbers at 3 positions. **Padding** adds values around
# the input first, so that there are more positions:
#
# * *valid*: no padding, 3 outputs;
# * *same*: as many zeros as keep the size, 5 outputs;
# * *full*: an output wherever kernel and input overlap, 7 outputs;
# * *reflect*: the size stays as with *same*, but instead of zeros the border has a mirror image of
#   the input. Zeros (`constant` in NumPy and in the picture) are a dark frame that the network sees
#   as an edge; a reflection is not.

# %% ko [markdown]
# ## 패딩
#
# 숫자 다섯 개 위에 가중치가 세 개인 커널을 놓을 수 있는 위치는 3개이다. **패딩**(padding)은 먼저 입력의 둘레에 값을 덧붙여 위치의 수를 늘린다.
#
# * *valid*: 패딩이 없다. 출력은 3개이다.
# * *same*: 크기가 그대로 유지될 만큼 0을 덧붙인다. 출력은 5개이다.
# * *full*: 커널과 입력이 조금이라도 겹치는 모든 위치를 쓴다. 출력은 7개이다.
# * *reflect*: 크기는 *same*과 같지만 0 대신 입력을 거울처럼 뒤집은 값을 둘레에 채운다. 0(NumPy에서는 `constant`)은 어두운 테두리가 되어 신경망에는 경계로 보인다. 뒤집은 값은 그렇지 않다.

# %%
import kcnn
import keras
import matplotlib.pyplot as plt
import numpy as np
from course import check, images_of, outcomes, photographs, show
from kcnn.arithmetic import conv_parameters, model_arithmetic, output_size, same_padding
from matplotlib.patches import Rectangle

numbers, kernel = np.array([1, 2, 3, 4, 5]), np.array([1, 1, 1])
padded = {
    "valid": np.correlate(numbers, kernel, "valid"),
    "same": np.correlate(numbers, kernel, "same"),
    "full": np.correlate(numbers, kernel, "full"),
    "reflect": np.correlate(np.pad(numbers, 1, mode="reflect"), kernel, "valid"),
}
for name, output in padded.items():
    print(f"{name:8} {len(output)} outputs: {output}")

white = np.full((8, 8), 255.0)
edge = keras.layers.Conv2D(1, 3, use_bias=False, padding="valid")
edge.build((None, 10, 10, 1))
edge.set_weights([np.array([[1, 0, -1]] * 3, "float32").reshape(3, 3, 1, 1)])
figure, axes = plt.subplots(1, 2, figsize=(5, 2.4), layout="constrained")
for cell, mode in zip(axes, ("constant", "reflect"), strict=True):
    answer = np.asarray(edge(np.pad(white, 1, mode=mode)[None, :, :, None]))[0, ..., 0]
    show(cell, answer, f"edges of a white image, {mode}", "RdBu_r", 765)
plt.show()

# %% assert
assert {name: len(output) for name, output in padded.items()} == {
    "valid": 3,
    "same": 5,
    "full": 7,
    "reflect": 5,
}
assert padded["valid"].tolist() == [6, 9, 12]
assert padded["same"].tolist() == [3, 6, 9, 12, 9]
assert padded["full"].tolist() == [1, 3, 6, 9, 12, 9, 5]
assert padded["reflect"].tolist() == [5, 6, 9, 12, 13]
assert not answer.any()  # with reflection a white image has no edge
assert np.asarray(edge(np.pad(white, 1)[None, :, :, None])).max() == 3 * 255

# %% [markdown]
# ## The size of the output
#
# Two more settings change it. The **stride** is how far the window moves from one position to the
# next: a stride of 2 halves the output. The **dilation** is the distance between the weights: three
# weights with a dilation of 2 span 5 pixels. With input size $n$, kernel $k$, padding $p$ on each
# side, stride $s$ and dilation $d$:
#
# $$\text{output} = \left\lfloor \frac{n + 2p - d(k - 1) - 1}{s} \right\rfloor + 1$$
#
# Blue marks the window, dark blue its weights, and the dots all positions of its center. The black
# frame is the image.

# %% ko [markdown]
# ## 출력의 크기
#
# 출력의 크기를 바꾸는 설정이 두 가지 더 있다. **스트라이드**(stride)는 창을 한 번에 몇 픽셀 옮기는지를 나타낸다. 스트라이드가 2이면 출력이 절반으로 준다. **팽창**(dilation)은 가중치 사이의 간격이다. 가중치 세 개는 팽창이 2일 때 5픽셀에 걸친다. 입력 크기를 $n$, 커널을 $k$, 한쪽의 패딩을 $p$, 스트라이드를 $s$, 팽창을 $d$라고 하면 다음과 같다.
#
# $$\text{output} = \left\lfloor \frac{n + 2p - d(k - 1) - 1}{s} \right\rfloor + 1$$
#
# 파란색은 창, 진한 파란색은 가중치, 점은 창의 중심이 놓이는 모든 위치, 검은 테두리는 이미지이다.


# %%
def draw_window(axes, title, stride=1, dilation=1, padding=0):
    size, span = 7 + 2 * padding, 2 * dilation + 1
    grid = np.zeros((size, size))
    grid[:span, :span] = 0.35
    grid[:span:dilation, :span:dilation] = 1
    axes.pcolormesh(grid, cmap="Blues", edgecolors="0.7", linewidth=0.5, vmax=1.3)
    middle = np.arange(span / 2, size - span / 2 + 0.1, stride)
    axes.plot(*(each.ravel() for each in np.meshgrid(middle, middle)), "o", color="#D55E00", ms=3)
    axes.add_patch(Rectangle((padding, padding), 7, 7, fill=False, linewidth=2))
    axes.set_title(f"{title}\n{len(middle)} x {len(middle)} outputs", fontsize=9)
    axes.set_aspect("equal")
    axes.invert_yaxis()
    axes.axis("off")
    return len(middle)


figure, axes = plt.subplots(1, 4, figsize=(9, 2.7), layout="constrained")
drawn = [
    draw_window(axes[0], "default"),
    draw_window(axes[1], "padding 1", padding=1),
    draw_window(axes[2], "stride 2", stride=2),
    draw_window(axes[3], "dilation 2", dilation=2),
]
plt.show()

for options in ({}, {"padding": "same"}, {"stride": 2}, {"dilation": 2}, {"padding": "full"}):
    print(f"{options!s:22} 32 -> {output_size(32, 3, **options)}")

# %% assert
assert drawn == [
    output_size(7, 3),
    output_size(7, 3, padding=1),
    output_size(7, 3, stride=2),
    output_size(7, 3, dilation=2),
]
assert (2 * (3 - 1) + 1) == 5 and output_size(32, 3, dilation=2) == output_size(32, 5) == 28
assert output_size(32, 3, padding="same", stride=2) == 32 / 2
for padding in ("valid", "same"):
    for stride, dilation in ((1, 1), (2, 1), (1, 2)):
        conv = keras.layers.Conv2D(1, 3, stride, padding, dilation_rate=dilation)
        size = output_size(32, 3, stride=stride, dilation=dilation, padding=padding)
        assert conv.compute_output_shape((None, 32, 32, 1)) == (None, size, size, 1)

# %% [markdown]
# ## How much padding keeps the size?
#
# With stride 1 the output is as large as the input when $n + 2p - d(k - 1) = n$:
#
# $$2p = d(k - 1)$$
#
# A 3x3 kernel needs one pixel on each side, a 5x5 kernel two. For an even kernel $k - 1$ is odd,
# and the two sides cannot be equal: Keras then pads the right and the bottom by one more. That is
# one reason why kernels have odd sizes.

# %% ko [markdown]
# ## 크기를 유지하려면 패딩이 얼마나 필요한가?
#
# 스트라이드가 1일 때 출력의 크기가 입력과 같으려면 $n + 2p - d(k - 1) = n$이어야 한다. 따라서 다음과 같다.
#
# $$2p = d(k - 1)$$
#
# 3x3 커널은 양쪽에 한 픽셀씩, 5x5 커널은 두 픽셀씩 필요하다. 커널의 크기가 짝수이면 $k - 1$이 홀수가 되어 양쪽을 같게 나눌 수 없다. 이때 Keras는 오른쪽과 아래쪽에 한 픽셀을 더 붙인다. 커널의 크기로 홀수를 쓰는 까닭 중 하나이다.

# %%
print("k  d  2p = d(k - 1)")
for k, d in ((1, 1), (3, 1), (5, 1), (7, 1), (3, 2), (3, 4), (4, 1)):
    total = same_padding(k, d)
    sides = f"{total // 2} and {total - total // 2}"
    print(f"{k}  {d}  {total}: {sides} pixels on the two sides")

# %% assert
for k in range(1, 9):
    for d in (1, 2, 3):
        assert same_padding(k, d) == d * (k - 1)
        if same_padding(k, d) % 2 == 0:
            assert output_size(32, k, padding=same_padding(k, d) // 2, dilation=d) == 32
even = keras.layers.Conv2D(1, 2, padding="same", use_bias=False, kernel_initializer="ones")
padded_right = np.asarray(even(np.ones((1, 3, 3, 1), "float32")))[0, ..., 0]
assert padded_right[0, 0] == 4 and padded_right[-1, -1] == 1
assert output_size(32, 3, padding=1) == 32  # stride 1

# %% [markdown]
# ## Two small windows see as far as a large one
#
# A unit (one value of a map) after two 3x3 convolutions sees 5x5 pixels: its *receptive field*.
# With 64 channels the two convolutions have 73,728 weights, while one 5x5 convolution has 102,400.
# The two also apply a nonlinear function twice instead of once (the lesson on activations shows why
# that matters). This is why networks became deeper rather than their kernels larger.
#
# Dilation sees far with few weights: three 3x3 convolutions with dilations of 1, 2 and 4 see 15
# pixels, without dilation 7.

# %% ko [markdown]
# ## 작은 창 두 개는 큰 창 하나만큼 넓게 본다
#
# 3x3 합성곱을 두 번 거친 유닛(특성 맵의 값 하나)은 5x5 픽셀을 본다. 이것을 *수용 영역*(receptive field)이라고 한다. 채널이 64개일 때 두 합성곱의 가중치는 73,728개인 데 비해 5x5 합성곱 하나는 102,400개이다. 게다가 비선형 함수를 한 번이 아니라 두 번 적용한다(그것이 왜 중요한지는 활성화 함수를 다룬 장에서 본다). 신경망이 커널을 키우는 대신 깊어진 까닭이 여기에 있다.
#
# 팽창을 쓰면 적은 가중치로 넓게 볼 수 있다. 팽창이 1, 2, 4인 3x3 합성곱 세 개는 15픽셀을 보고, 팽창이 없으면 7픽셀을 본다.


# %%
def stack(channels, *layers):
    convolutions = [
        keras.layers.Conv2D(channels, k, padding="same", dilation_rate=d, use_bias=False)
        for k, d in layers
    ]
    return keras.Sequential([keras.Input((32, 32, channels)), *convolutions])


stacks = {
    "one 5x5": stack(64, (5, 1)),
    "two 3x3": stack(64, (3, 1), (3, 1)),
    "three 3x3": stack(64, (3, 1), (3, 1), (3, 1)),
    "three 3x3, dilated 1, 2, 4": stack(64, (3, 1), (3, 2), (3, 4)),
}
for name, model in stacks.items():
    field = model_arithmetic(model).receptive_field
    print(f"{name:27} {model.count_params():>8,} weights, sees {field} pixels")

# %% assert
assert stacks["two 3x3"].count_params() == 73_728 == 2 * conv_parameters(64, 64, 3, bias=False)
assert stacks["one 5x5"].count_params() == 102_400 == conv_parameters(64, 64, 5, bias=False)
assert model_arithmetic(stacks["two 3x3"]).receptive_field == (5, 5)
assert model_arithmetic(stacks["three 3x3, dilated 1, 2, 4"]).receptive_field == (15, 15)
assert model_arithmetic(stacks["three 3x3"]).receptive_field == (7, 7)
assert 15 == 1 + 2 * (1 + 2 + 4)

# %% [markdown]
# ## Equivariance: the output moves with the image
#
# A convolution computes the same function everywhere. When the image moves, the output moves with
# it and is otherwise the same: convolution is **equivariant** to shifts. Here the horse moves 3
# pixels to the right, and the responses differ in no pixel. To other changes it is in general not:
# the response to a rotated image is not the rotated response. And with a stride of 2 only shifts by
# an even number of pixels remain.

# %% ko [markdown]
# ## 등변성: 출력은 이미지를 따라 움직인다
#
# 합성곱은 모든 위치에서 같은 함수를 계산한다. 이미지가 움직이면 출력도 따라 움직일 뿐 그 밖에는 달라지지 않는다. 이것을 합성곱의 이동 **등변성**(equivariance)이라고 한다. 아래에서는 말이 오른쪽으로 3픽셀 움직였고, 응답은 한 픽셀도 다르지 않다. 다른 변환에 대해서는 일반적으로 등변이 아니다. 회전한 이미지의 응답은 응답을 회전한 것과 다르다. 스트라이드가 2이면 짝수 픽셀만큼 이동할 때에만 등변성이 남는다.

# %%
gray = images_of("horse")[1].mean(axis=-1).astype("float32")


def respond(image, stride=1):
    layer = keras.layers.Conv2D(1, 3, stride, use_bias=False)
    layer.build((None, None, None, 1))
    layer.set_weights([np.array([[1, 0, -1]] * 3, "float32").reshape(3, 3, 1, 1)])
    return np.asarray(layer(image[None, :, :, None]))[0, ..., 0]


moved = np.roll(gray, 3, axis=1)
before, after = respond(gray), respond(moved)
print("moved by 3:", np.abs(after[:, 3:] - before[:, :-3]).max())
print("rotated:   ", np.abs(respond(np.rot90(gray)) - np.rot90(before)).max())
strided = respond(gray, 2)
for shift in (1, 2):
    shifted = respond(np.roll(gray, shift, axis=1), 2)
    print(f"stride 2, moved by {shift}:", np.abs(shifted[:, 1:] - strided[:, :-1]).max())

figure, axes = plt.subplots(1, 4, figsize=(9, 2.4), layout="constrained")
show(axes[0], gray, "image")
show(axes[1], before, "response", "RdBu_r", 300)
show(axes[2], moved, "moved image")
show(axes[3], after, "moved response", "RdBu_r", 300)
plt.show()

# %% assert
assert np.array_equal(after[:, 3:], before[:, :-3])
assert np.abs(respond(np.rot90(gray)) - np.rot90(before)).max() > 100
assert np.array_equal(respond(np.roll(gray, 2, axis=1), 2)[:, 1:], strided[:, :-1])
assert not np.allclose(respond(np.roll(gray, 1, axis=1), 2)[:, 1:], strided[:, :-1])

# %% [markdown]
# ## Invariance: the output stays
#
# **Invariant** means something else: the output does not change at all. A convolution is *not*
# invariant. The mean of its output over all places is, as long as nothing enters or leaves the
# image. So a network becomes invariant at the end, where it averages, and only as far as what comes
# before is equivariant.
#
# Below, a square moves over a black image. The mean of the positive responses does not change at
# all. (Negative ones are set to zero, because they would cancel the others.) Then a trained
# network, ResNet-20, which averages each map over all places at its end, sees the 40 photographs
# moved to the right, with black pixels coming in from the left.

# %% ko [markdown]
# ## 불변성: 출력이 그대로이다
#
# **불변**(invariant)은 뜻이 다르다. 출력이 전혀 변하지 않는다는 말이다. 합성곱은 불변이 *아니다*. 출력을 모든 위치에 대해 평균한 값은, 이미지에 새로 들어오거나 나가는 것이 없는 한 불변이다. 그러므로 신경망은 평균을 구하는 끝부분에서 비로소 불변이 되며, 그것도 앞부분이 등변인 만큼만 그렇다.
#
# 아래에서는 먼저 검은 이미지 위로 사각형이 움직인다. 양수인 응답의 평균은 전혀 변하지 않는다. (음수인 응답은 양수인 응답과 상쇄되므로 0으로 둔다.) 그다음에는 끝에서 특성 맵마다 모든 위치의 평균을 구하는, 학습된 신경망 ResNet-20에 사진 40장을 오른쪽으로 옮겨 보여 준다. 왼쪽에서는 검은 픽셀이 들어온다.

# %%
means = []
for place in range(3, 12):
    square = np.zeros((20, 20), "float32")
    square[6:12, place : place + 6] = 100
    means.append(float(np.maximum(respond(square), 0).mean()))
print("mean response of a moving square:", sorted(set(means)))

model = kcnn.models.pretrained("resnet20")
images, labels, names = photographs()


def moved_right(images, pixels):
    result = np.zeros_like(images)
    result[:, :, pixels:] = images[:, :, : images.shape[2] - pixels]
    return result


shifts = [0, 1, 2, 4, 6, 8, 12]
predictions = [np.asarray(model(moved_right(images, pixels))).argmax(1) for pixels in shifts]
same = [int((each == predictions[0]).sum()) for each in predictions]
for pixels, count in zip(shifts, same, strict=True):
    print(f"moved by {pixels:2} pixels: the same class for {count} of {len(images)} photographs")

# %% assert
assert len(set(means)) == 1
assert len(images) == 40 == same[0]
assert same[1] >= 36 and same[-1] < same[1]  # nearly invariant to a pixel, not to twelve

# %% [markdown]
# The network keeps most of its predictions, fewer of them when the image moves far. It has partly
# learned that: its training images were shifted by up to 4 pixels.
#
# What does the convolution itself contribute? A *recipe* of kcnn is a training that one command
# repeats, `kcnn run mlp_vs_cnn`; its results are in `saved_models/`. This one trained a perceptron
# (dense layers only) and a small CNN on the same images, without shifts, in two trainings each, and
# evaluated both on shifted test images. The CNN has no average at its end but a dense layer, which
# reads the maps at fixed places.

# %% ko [markdown]
# 이 신경망은 예측을 대부분 유지하지만, 멀리 이동하면 더 많은 예측이 바뀐다. 이런 성질의 일부는 학습으로 얻은 것이다. 학습 이미지를 최대 4픽셀까지 옮겨 가며 학습했기 때문이다.
#
# 그렇다면 합성곱 자체는 얼마나 기여하는가? kcnn의 *레시피*(recipe)는 `kcnn run mlp_vs_cnn`처럼 명령 하나로 되풀이할 수 있는 학습이며, 결과는 `saved_models/`에 있다. 이 레시피는 퍼셉트론(완전 연결층만 있는 신경망)과 작은 CNN을 같은 이미지로, 이동 없이, 두 번씩 학습한 다음 이동한 테스트 이미지로 평가했다. 이 CNN의 끝에는 평균이 아니라 특성 맵을 정해진 위치에서 읽는 완전 연결층이 있다.

# %%
trainings = outcomes("mlp_vs_cnn")
accuracy = {
    variant: [
        np.mean([t["shifted"][str(pixels)] for t in trainings if t["variant"] == variant])
        for pixels in range(5)
    ]
    for variant in ("perceptron", "simple CNN")
}

figure, axes = plt.subplots(figsize=(5.5, 3), layout="constrained")
for (variant, values), style in zip(accuracy.items(), ("s--", "o-"), strict=True):
    axes.plot([100 * value for value in values], style, label=variant)
axes.set_xlabel("pixels to the right and down")
axes.set_ylabel("test accuracy (%)")
axes.set_xticks(range(5))
axes.set_ylim(0, 70)
axes.grid(alpha=0.3)
axes.legend(frameon=False)
plt.show()

# %% [markdown]
# Without a shift the CNN reaches 64.9 % and the perceptron 53.6 %. A shift of 2 pixels costs the
# perceptron 23 points and the CNN 18. At 4 pixels the CNN has fallen to 25.5 %. "CNNs are
# translation invariant" is therefore wrong. Convolutions are equivariant; the rest is a matter of
# the architecture and of the training images.

# %% ko [markdown]
# 이동이 없을 때 CNN의 정확도는 64.9 %, 퍼셉트론은 53.6 %이다. 2픽셀을 이동하면 퍼셉트론은 23 %p(퍼센트포인트), CNN은 18 %p를 잃는다. 4픽셀에서는 CNN도 25.5 %로 떨어진다. 따라서 "CNN은 이동에 불변이다"라는 말은 틀렸다. 합성곱은 등변이며, 나머지는 신경망의 구조와 학습 이미지에 달려 있다.

# %% assert
perceptron, cnn = accuracy["perceptron"], accuracy["simple CNN"]
assert round(100 * cnn[0], 1) == 64.9 and round(100 * perceptron[0], 1) == 53.6
assert round(100 * (perceptron[0] - perceptron[2])) == 23
assert round(100 * (cnn[0] - cnn[2])) == 18
assert round(100 * cnn[4], 1) == 25.5
assert len(trainings) == 2 * 2
assert kcnn.data.OPERATIONS["shift"].does.startswith(f"{4} pixels")

# %% [markdown]
# ## Exercises
#
# **Exercise 1.** Write the formula of the output size as a function of $n$, $k$, $p$, $s$ and $d$.

# %% ko [markdown]
# ## 연습 문제
#
# **문제 1.** 출력 크기의 공식을 $n$, $k$, $p$, $s$, $d$의 함수로 작성하라.


# %% exercise
def my_output_size(n, k, p, s, d):
    return ...


check("output size", my_output_size)


# %% solution
def my_output_size(n, k, p, s, d):
    return (n + 2 * p - d * (k - 1) - 1) // s + 1


check("output size", my_output_size)

# %% [markdown]
# **Exercise 2.** Which padding on each side keeps the size with $k = 7$, $d = 2$ and stride 1?

# %% ko [markdown]
# **문제 2.** $k = 7$, $d = 2$, 스트라이드 1일 때 크기를 유지하려면 한쪽에 패딩이 얼마나 필요한가?

# %% exercise
padding = ...
check("same padding", padding)

# %% solution
padding = 2 * (7 - 1) // 2
check("same padding", padding)

# %% [markdown]
# **Exercise 3.** You swap the pixels left and right, and the prediction of a network stays the
# same. Is the network "equivariant" or "invariant" to mirroring?

# %% ko [markdown]
# **문제 3.** 이미지의 좌우를 바꾸어도 신경망의 예측이 그대로이다. 이 신경망은 좌우 반전에 대해 등변("equivariant")인가, 불변("invariant")인가?

# %% exercise
word = ...
check("mirrored", word)

# %% solution
word = "invariant"
check("mirrored", word)
