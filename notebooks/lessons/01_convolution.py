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
# # 1. Convolution
#
# A convolution looks at an image through a small window and computes the same function of what it
# sees at every place. Everything else in this course is built on that.
#
# **What you will see**
#
# * a convolution in a few lines of NumPy, and an edge that it finds;
# * kernels, filters and channels, in the first layer and in later ones;
# * parameters and multiply-accumulates, and what a dense layer would need instead;
# * signals, images and volumes: 1-D, 2-D and 3-D;
# * that the weights of the window can be learned.
#
# You need to know arrays and a little calculus. Nothing is downloaded, and a laptop is enough. The
# photographs are the first four test images of each class of CIFAR-10, a data set of small color
# photographs in ten classes; test images are those that no network is trained on.

# %% ko [markdown]
# # 1. 합성곱
#
# 합성곱(convolution)은 작은 창으로 이미지를 들여다보며, 모든 위치에서 창에 보이는 값에 같은 함수를 적용하는 연산이다. 이 강의의 나머지는 모두 이 연산에 바탕을 둔다.
#
# **이 장에서 배울 것**
#
# * NumPy 몇 줄로 만드는 합성곱과, 합성곱이 찾아내는 경계(edge)
# * 커널, 필터, 채널: 첫 번째 층과 그 뒤의 층에서 어떻게 다른가
# * 파라미터 수와 곱셈-누산(MAC) 횟수, 그리고 완전 연결층(dense layer)을 쓴다면 필요한 수
# * 신호, 이미지, 볼륨 데이터: 1차원, 2차원, 3차원 합성곱
# * 창의 가중치를 학습으로 찾을 수 있다는 사실
#
# 배열과 약간의 미분만 알면 된다. 아무것도 내려받지 않으며 노트북 컴퓨터로 충분하다. 사진은 작은 컬러 사진을 열 개의 클래스로 나눈 데이터 세트인 CIFAR-10에서 클래스마다 처음 나오는 테스트 이미지 네 장이다. 테스트 이미지는 어떤 신경망도 학습에 쓰지 않는 이미지이다. 코드와 그 출력은 영어로 되어 있다.

# %% [markdown]
# ## A sliding window
#
# Place a small array of weights, the *kernel*, on the upper left corner of the image. Multiply each
# weight by the pixel under it and add the products: that is one number of the output. Move the
# kernel by one pixel and repeat.
#
# Our first kernel subtracts the pixels on its right from the pixels on its left. The image is
# bright on the left, with a value of 10, dark in the middle, and a little brighter on the right,
# with a value of 4.

# %% ko [markdown]
# ## 슬라이딩 윈도
#
# 작은 가중치 배열인 *커널*(kernel)을 이미지의 왼쪽 위 구석에 놓는다. 각 가중치를 그 아래에 있는 픽셀과 곱하고 모두 더하면 출력값 하나가 나온다. 커널을 한 픽셀 옮기고 같은 계산을 되풀이한다.
#
# 첫 번째 커널은 왼쪽 픽셀의 합에서 오른쪽 픽셀의 합을 뺀다. 이미지의 왼쪽은 값이 10으로 밝고, 가운데는 어둡고, 오른쪽은 값이 4로 조금 밝다.

# %%
import keras
import matplotlib.pyplot as plt
import numpy as np
from course import check, images_of, show
from kcnn.arithmetic import conv_macs, conv_parameters


def convolve(image, kernel):
    height, width = kernel.shape
    rows, columns = image.shape[0] - height + 1, image.shape[1] - width + 1
    output = np.empty((rows, columns))
    for row in range(rows):
        for column in range(columns):
            window = image[row : row + height, column : column + width]
            output[row, column] = (window * kernel).sum()
    return output


edge = np.array([[1, 0, -1], [1, 0, -1], [1, 0, -1]])
image = np.zeros((7, 12))
image[:, :4] = 10
image[:, 8:] = 4
response = convolve(image, edge)

figure, axes = plt.subplots(1, 3, figsize=(9, 2.2), width_ratios=[12, 4, 10], layout="constrained")
show(axes[0], image, "image")
show(axes[1], edge, "kernel", "RdBu_r", 1)
show(axes[2], response, "response: red +, blue −", "RdBu_r", 30)
for (row, column), value in np.ndenumerate(response):
    color = "white" if value > 20 else "black"
    axes[2].text(column, row, f"{value:.0f}", ha="center", va="center", fontsize=7, color=color)
plt.show()

# %% [markdown]
# The **sign** shows the direction of the edge. From left to right, the response to a step from
# bright to dark is +30: three rows, each with a difference of 10. The response to the step from
# dark to bright is −12. Where nothing changes, left and right cancel and the response is 0, however
# bright the place is.

# %% ko [markdown]
# 응답의 **부호**는 경계의 방향을 알려 준다. 왼쪽에서 오른쪽으로 갈 때 밝은 곳에서 어두운 곳으로 바뀌는 계단의 응답은 +30이다. 세 행이 각각 10만큼 차이 나기 때문이다. 어두운 곳에서 밝은 곳으로 바뀌는 계단의 응답은 −12이다. 아무 변화가 없는 곳에서는 아무리 밝아도 왼쪽과 오른쪽이 상쇄되어 응답이 0이다.

# %% assert
assert image.max() == 10 and image[0, -1] == 4
assert response.max() == 30 == 3 * (10 - 0)
assert response.min() == -12 == 3 * (0 - 4)
assert (response[:, 4:6] == 0).all()
assert (convolve(image + 100, edge) == response).all()  # more brightness changes nothing

# %% [markdown]
# Here is the same kernel on a photograph, and its transpose, which finds horizontal edges. To watch
# such sums being added up in a trained network, pixel by pixel, type
# `kcnn explore saved_models/resnet20 --install` in a terminal and open the page that it writes.

# %% ko [markdown]
# 같은 커널을 사진에 적용해 보자. 커널을 전치(transpose)하면 가로 방향의 경계를 찾는다. 학습된 신경망에서 이런 합이 픽셀마다 더해지는 모습을 보고 싶으면 터미널에서 `kcnn explore saved_models/resnet20 --install`을 실행하고, 만들어진 페이지를 열어 보라.

# %%
horse = images_of("horse")[1]
gray = horse.mean(axis=-1)

figure, axes = plt.subplots(1, 3, figsize=(8, 2.8), layout="constrained")
show(axes[0], horse, "image")
show(axes[1], convolve(gray, edge), "vertical edges", "RdBu_r", 300)
show(axes[2], convolve(gray, edge.T), "horizontal edges", "RdBu_r", 300)
plt.show()

# %% [markdown]
# Keras computes exactly what our two loops do, but faster, and for many kernels and channels. The
# largest difference is a rounding error of 32-bit numbers.
#
# A note on terms: mathematicians flip the kernel before they slide it, and call what we do
# *cross-correlation*. Deep learning does not flip it and still calls it convolution. For weights
# that are learned it makes no difference. The last two lines of the output show both. Their signal
# is a single one among zeros, so the output is the kernel itself: backwards if the kernel is not
# flipped.

# %% ko [markdown]
# Keras의 계산은 위의 두 반복문과 똑같다. 다만 더 빠르고, 여러 커널과 여러 채널을 한꺼번에 처리한다. 가장 큰 차이도 32비트 부동소수점의 반올림 오차일 뿐이다.
#
# 용어에 관한 참고: 수학에서는 커널을 뒤집은 다음 옮기며 계산하고, 우리가 한 계산은 *교차상관*(cross-correlation)이라고 부른다. 딥러닝에서는 뒤집지 않고도 합성곱이라고 부른다. 가중치를 학습으로 얻을 때에는 아무 차이가 없다. 출력의 마지막 두 줄에서 둘을 비교할 수 있다. 신호가 한 곳만 1이고 나머지는 0이므로 출력에 커널이 그대로 나타난다. 뒤집지 않으면 거꾸로 나타난다.

# %%
layer = keras.layers.Conv2D(1, 3, use_bias=False)
layer.build((None, 32, 32, 1))
layer.set_weights([edge.reshape(3, 3, 1, 1).astype("float32")])
by_loops, by_keras = convolve(gray, edge), np.asarray(layer(gray[None, :, :, None]))[0, :, :, 0]

print("largest response  ", np.abs(by_loops).max().round(1))
print("largest difference", np.abs(by_loops - by_keras).max().round(4))
print("not flipped:", np.correlate([0, 1, 0], [1, 2, 3], "same"))
print("flipped:    ", np.convolve([0, 1, 0], [1, 2, 3], "same"))

# %% assert
assert 8 * np.dtype("float32").itemsize == 32
assert np.allclose(by_loops, by_keras, atol=1e-3)
assert np.correlate([0, 1, 0], [1, 2, 3], "same").tolist() == [3, 2, 1]

# %% [markdown]
# ## Kernels, filters, channels
#
# A color image has three channels. A *filter* has a kernel for each of them: 3x3x3 = 27 weights,
# whose products are all added, and one *bias*, which is added to the sum. The filter makes **one**
# output channel, a *feature map*. A layer of 16 filters makes 16 maps. For a gray image a filter
# has one kernel, and both words mean the same; Keras calls the whole array of weights `kernel`.
#
# The next layer has 16 input channels instead of three, so each of its filters has 16 kernels, 144
# weights. It does not see colors any more but what the first layer has found.

# %% ko [markdown]
# ## 커널, 필터, 채널
#
# 컬러 이미지에는 채널이 세 개 있다. *필터*(filter)는 채널마다 커널을 하나씩 가진다. 가중치는 3x3x3 = 27개이고, 그 곱을 모두 더한 합에 *편향*(bias) 하나를 더한다. 필터 하나는 출력 채널, 즉 *특성 맵*(feature map)을 **하나** 만든다. 필터가 16개인 층은 특성 맵 16개를 만든다. 흑백 이미지에서는 필터에 커널이 하나뿐이므로 두 낱말의 뜻이 같다. Keras에서는 가중치 배열 전체를 `kernel`이라고 부른다.
#
# 다음 층의 입력 채널은 세 개가 아니라 16개이므로, 필터마다 커널이 16개, 가중치가 144개 있다. 이 층은 색이 아니라 첫 번째 층이 찾아낸 것을 본다.

# %%
network = keras.Sequential(
    [
        keras.Input((32, 32, 3)),
        keras.layers.Conv2D(16, 3, padding="same", name="first"),
        keras.layers.Conv2D(32, 3, padding="same", name="second"),
    ]
)
for each in network.layers:
    print(f"{each.name:7} kernel {each.kernel.shape}, {each.count_params():,} parameters")

# One filter, by hand: a convolution of each channel with its own kernel, added up.
kernel, bias = network.get_layer("first").get_weights()
channels = [convolve(horse[:, :, c].astype(float), kernel[:, :, c, 0]) for c in range(3)]
first_map = np.asarray(network.layers[0](horse[None].astype("float32")))[0, 1:-1, 1:-1, 0]
print("difference from Keras:", np.abs(sum(channels) + bias[0] - first_map).max().round(4))

# %% assert
assert 3 * 3 * 3 == 27 and 3 * 3 * 16 == 144
assert network.get_layer("first").kernel.shape == (3, 3, 3, 16)
assert network.get_layer("second").kernel.shape == (3, 3, 16, 32)
assert np.allclose(sum(channels) + bias[0], first_map, atol=1e-2)

# %% [markdown]
# **Parameters.** The first layer has 448, for an image of any size: 16 filters of 27 weights and a
# bias. The second has 4,640: 32 filters of 144 weights and a bias.
#
# **Multiply-accumulates** (MACs) count the work: each weight is used once at each position. With
# 32x32 positions that is 442,368 for the first layer and 4,718,592 for the second. The parameters
# decide the size of the file, the MACs decide most of the time it takes.
#
# **Groups.** With two groups, each filter sees one half of the channels and has half of the
# weights: the second layer of AlexNet, a network that a later lesson rebuilds, has 307,456
# parameters instead of 614,656. With 32 groups each filter would see only three of the 96 channels.
# With as many groups as channels the convolution is *depthwise*: one kernel for each channel.

# %% ko [markdown]
# **파라미터.** 첫 번째 층의 파라미터는 이미지 크기와 관계없이 448개이다. 가중치 27개와 편향 하나를 가진 필터가 16개 있기 때문이다. 두 번째 층은 4,640개이다. 가중치 144개와 편향 하나를 가진 필터가 32개이다.
#
# **곱셈-누산**(MAC)은 계산량을 센다. 가중치 하나는 위치마다 한 번씩 쓰인다. 위치가 32x32개이므로 첫 번째 층은 442,368번, 두 번째 층은 4,718,592번이다. 파라미터 수는 파일 크기를 결정하고, 걸리는 시간은 대체로 MAC이 결정한다.
#
# **그룹.** 그룹을 둘로 나누면 필터마다 채널의 절반만 보므로 가중치도 절반이 된다. 뒤에서 다룰 신경망인 AlexNet의 두 번째 층은 파라미터가 614,656개가 아니라 307,456개이다. 그룹이 32개라면 필터마다 채널 96개 중 세 개만 보게 된다. 그룹 수가 채널 수와 같으면 채널마다 커널이 하나씩인 *깊이별*(depthwise) 합성곱이 된다.

# %%
print(
    f"first    {conv_parameters(3, 16, 3):>9,} parameters {conv_macs(3, 16, 3, (32, 32)):>10,} MACs"
)
print(
    f"second   {conv_parameters(16, 32, 3):>9,} parameters {conv_macs(16, 32, 3, (32, 32)):>10,} MACs"
)
for groups in (1, 2, 32):
    grouped = keras.layers.Conv2D(256, 5, groups=groups)
    grouped.build((None, 27, 27, 96))
    print(f"AlexNet's second layer, groups={groups}: {grouped.count_params():,} parameters")

# %% assert
assert conv_parameters(3, 16, 3) == 16 * (27 + 1) == 448 == network.layers[0].count_params()
assert conv_parameters(16, 32, 3) == 32 * (144 + 1) == 4_640 == network.layers[1].count_params()
assert conv_macs(3, 16, 3, (32, 32)) == 442_368
assert conv_macs(16, 32, 3, (32, 32)) == 4_718_592
assert conv_parameters(96, 256, 5, groups=2) == 307_456
assert conv_parameters(96, 256, 5) == 614_656
depthwise = keras.layers.DepthwiseConv2D(3, use_bias=False)
depthwise.build((None, 8, 8, 16))
assert depthwise.count_params() == 144 == conv_parameters(16, 16, 3, groups=16, bias=False)

# %% [markdown]
# ## Dense or convolutional
#
# A dense layer connects **every** input with **every** output. With the same 3,072 inputs and
# 16,384 outputs as our first convolution it would have more than 50 million weights, over 112,000
# times as many.
#
# The saving has two sources. Both are visible when a convolution is written as a dense layer: as a
# matrix from the 36 pixels of a 6x6 image to the 16 outputs. Most connections are **missing**,
# because a window sees only a few pixels (*local connection*): 144 of 576 remain. The remaining
# ones are **shared**: each row has the same 9 weights, shifted.

# %% ko [markdown]
# ## 완전 연결과 합성곱
#
# 완전 연결층은 **모든** 입력을 **모든** 출력과 연결한다. 위의 첫 번째 합성곱층처럼 입력이 3,072개, 출력이 16,384개라면 가중치가 5천만 개를 넘는다. 합성곱의 112,000배가 넘는 수이다.
#
# 이렇게 줄어드는 까닭은 두 가지이며, 합성곱을 완전 연결층으로 써 보면 둘 다 눈에 보인다. 6x6 이미지의 픽셀 36개에서 출력 16개로 가는 행렬을 그려 보자. 창에는 픽셀 몇 개만 보이므로 대부분의 연결이 **없다**(*국소 연결*, local connection). 576개 중 144개만 남는다. 남은 연결은 가중치를 **공유**한다. 모든 행이 같은 가중치 9개를 자리만 옮겨 가지고 있다.

# %%
dense_parameters = (32 * 32 * 3) * (32 * 32 * 16) + 32 * 32 * 16
print(f"convolution {conv_parameters(3, 16, 3):,}, dense {dense_parameters:,} parameters")

weights = np.arange(1.0, 10.0).reshape(3, 3)
pixels = np.eye(36).reshape(36, 6, 6)
matrix = np.stack([convolve(pixel, weights).ravel() for pixel in pixels], axis=1)

figure, axes = plt.subplots(figsize=(6.4, 2.9), layout="constrained")
shown = axes.imshow(np.where(matrix == 0, np.nan, matrix), cmap="viridis")
axes.set_xlabel("pixel")
axes.set_ylabel("output")
figure.colorbar(shown, label="index of the weight", shrink=0.9)
plt.show()

# %% assert
assert (32 * 32 * 3, 32 * 32 * 16) == (3_072, 16_384)
assert dense_parameters == 50_348_032 > 50_000_000
assert dense_parameters // 448 > 112_000
some_image = np.random.default_rng(0).normal(size=(6, 6))
assert np.allclose(matrix @ some_image.ravel(), convolve(some_image, weights).ravel())
assert matrix.shape == (16, 36)
assert matrix.size == 576 and np.count_nonzero(matrix) == 144
assert len(np.unique(matrix[matrix != 0])) == 9

# %% [markdown]
# ## One, two, three dimensions
#
# The window can slide along one axis (sound, a heartbeat, temperatures), two (images) or three (a
# film, a scan of a body). A kernel of size 3 then has 3, 9 or 27 weights.
#
# In one dimension: a synthetic heartbeat with noise. A kernel of equal weights smooths it; a kernel
# of differences finds the steep places. In three: a film of 8 frames in which a bright square moves
# over a still pattern. A kernel that subtracts a frame from the next one sees only what moves.

# %% ko [markdown]
# ## 1차원, 2차원, 3차원
#
# 창은 한 축(소리, 심장 박동, 기온)을 따라 움직일 수도 있고, 두 축(이미지)이나 세 축(동영상, 인체 단층 촬영)을 따라 움직일 수도 있다. 크기가 3인 커널의 가중치는 각각 3개, 9개, 27개이다.
#
# 1차원의 예는 잡음을 섞어 만든 심장 박동이다. 가중치가 모두 같은 커널은 신호를 부드럽게 하고, 차이를 구하는 커널은 가파른 곳을 찾는다. 3차원의 예는 멈춰 있는 무늬 위로 밝은 사각형이 움직이는 8프레임짜리 동영상이다. 다음 프레임에서 앞 프레임을 빼는 커널은 움직이는 것만 본다.

# %%
time = np.arange(128)
beat = sum(np.exp(-((time - center) ** 2) / 6) for center in (24, 64, 104))
signal = beat + 0.1 * np.random.default_rng(0).normal(size=128)
smooth = np.correlate(signal, np.ones(7) / 7, "same")
slope = np.correlate(smooth, [-1, 0, 1], "same")

still = np.random.default_rng(1).integers(0, 60, (24, 24)).astype("float32")
film = np.stack([still.copy() for _ in range(8)])
for frame in range(8):
    film[frame, 9:14, 2 * frame + 2 : 2 * frame + 7] = 255
motion = keras.layers.Conv3D(1, (2, 1, 1), use_bias=False)
motion.build((None, 8, 24, 24, 1))
motion.set_weights([np.array([-1.0, 1.0]).reshape(2, 1, 1, 1, 1)])
moved = np.asarray(motion(film[None, ..., None]))[0, ..., 0]

figure = plt.figure(figsize=(9, 2.6), layout="constrained")
axes = figure.subplots(1, 3, width_ratios=[2.2, 1, 1])
axes[0].plot(signal, color="0.7", label="signal")
axes[0].plot(smooth, color="#0072B2", label="smoothed")
axes[0].plot(slope, color="#D55E00", label="slope")
axes[0].legend(frameon=False, fontsize=8)
show(axes[1], film[3], "frame 4")
show(axes[2], moved[3], "frame 5 minus frame 4", "RdBu_r", 255)
plt.show()

# %% assert
assert [conv_parameters(1, 1, 3, rank=rank, bias=False) for rank in (1, 2, 3)] == [3, 9, 27]
assert keras.layers.Conv1D(1, 3).compute_output_shape((None, 128, 1)) == (None, 126, 1)
assert film.shape == (8, 24, 24) and moved.shape == (7, 24, 24)
assert (moved[:, :8] == 0).all() and (moved[:, 15:] == 0).all()  # nothing moves there
assert (moved[3] > 0).sum() == (moved[3] < 0).sum() == 10

# %% [markdown]
# ## The window can be learned
#
# We chose the edge kernel by hand. Suppose we had only examples: images and the outputs that we
# want. A convolution is differentiable with respect to its weights, so we can start with random
# weights and use gradient descent: measure how wrong the outputs are (the *loss*, here the mean
# squared difference) and move each weight against its gradient, by steps whose length the *learning
# rate* sets. After a few epochs (passes over all images) on noise the layer has found our kernel,
# and no weight is off by more than 0.01.

# %% ko [markdown]
# ## 창은 학습할 수 있다
#
# 경계를 찾는 커널은 우리가 손으로 정했다. 이번에는 예시, 즉 이미지와 원하는 출력만 있다고 하자. 합성곱은 가중치에 대해 미분할 수 있으므로, 무작위 가중치에서 시작해 경사 하강법(gradient descent)을 쓸 수 있다. 출력이 얼마나 틀렸는지(*손실*(loss), 여기서는 차이의 제곱의 평균)를 재고, 가중치를 기울기의 반대 방향으로 조금씩 옮기는 방법이다. 걸음의 길이는 *학습률*(learning rate)로 정한다. 잡음 이미지 전체를 몇 번 훑으며(한 번 훑는 것을 에포크(epoch)라고 한다) 학습하면 층이 우리의 커널을 찾아낸다. 어느 가중치도 0.01 넘게 벗어나지 않는다.

# %%
keras.utils.set_random_seed(0)
noise = np.random.default_rng(0).normal(size=(256, 12, 12, 1)).astype("float32")
wanted = layer(noise)

learner = keras.Sequential([keras.Input((12, 12, 1)), keras.layers.Conv2D(1, 3, use_bias=False)])
start = learner.get_weights()[0].squeeze()
learner.compile(optimizer=keras.optimizers.Adam(0.03), loss="mean_squared_error")
losses = learner.fit(noise, wanted, epochs=30, batch_size=32, verbose=0).history["loss"]
learned = learner.get_weights()[0].squeeze()

figure, axes = plt.subplots(1, 3, figsize=(8, 2.4), layout="constrained")
show(axes[0], start, "initial", "RdBu_r", 1)
show(axes[1], learned, "learned", "RdBu_r", 1)
axes[2].semilogy(losses)
axes[2].set_title("loss by epoch", fontsize=9)
plt.show()

# %% assert
assert np.abs(learned - edge).max() < 0.01

# %% [markdown]
# This is the idea of a CNN: gradient descent finds the weights of thousands of such kernels, from
# nothing but images and their labels.
#
# ## Exercises
#
# Replace each `...` and run the cell. `check` says what is wrong. A solution is folded under each
# exercise.
#
# **Exercise 1.** Write a 3x3 kernel that blurs: each output is the mean of the nine pixels.

# %% ko [markdown]
# 이것이 CNN(합성곱 신경망)의 핵심이다. 이미지와 레이블만 있으면 경사 하강법이 이런 커널 수천 개의 가중치를 찾아낸다.
#
# ## 연습 문제
#
# `...`을 답으로 바꾸고 셀을 실행하라. `check`가 무엇이 틀렸는지 알려 준다. 풀이는 문제마다 아래에 접혀 있다.
#
# **문제 1.** 이미지를 흐리게 하는 3x3 커널을 만들어라. 출력은 아홉 픽셀의 평균이어야 한다.

# %% exercise
blur = ...
check("blur", blur)

# %% solution
blur = np.ones((3, 3)) / 9
check("blur", blur)

# %% [markdown]
# **Exercise 2.** How many parameters does `Conv2D(64, 5)` have on an input with 32 channels?

# %% ko [markdown]
# **문제 2.** 입력 채널이 32개일 때 `Conv2D(64, 5)`의 파라미터는 몇 개인가?

# %% exercise
parameters = ...
check("conv parameters", parameters)

# %% solution
parameters = 64 * (5 * 5 * 32 + 1)
check("conv parameters", parameters)

# %% [markdown]
# **Exercise 3.** From left to right, our kernel responds with −30 to a step from dark (0) to bright
# (10). Write a 3x3 kernel that responds with +30 to this step, and with 0 where nothing changes.

# %% ko [markdown]
# **문제 3.** 우리의 커널은 왼쪽에서 오른쪽으로 어두운 곳(0)에서 밝은 곳(10)으로 바뀌는 계단에 −30으로 응답한다. 이 계단에 +30으로, 변화가 없는 곳에는 0으로 응답하는 3x3 커널을 만들어라.

# %% exercise
dark_to_bright = ...
check("dark to bright", dark_to_bright)

# %% solution
dark_to_bright = -edge
check("dark to bright", dark_to_bright)
