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
# # 3. Pooling
#
# A pooling replaces each window by one number: its maximum, its mean. It has no weights. It makes
# maps smaller, and with that everything after it cheaper.
#
# **What you will see**
#
# * maximum, average, minimum and L2 pooling, on numbers and on a photograph;
# * global and adaptive pooling, and the parameters that they save;
# * why the stride is usually the window's size, overlapping pooling, and too much of it;
# * strided convolutions instead, and that upsampling does not undo a pooling;
# * what pooling throws away, and what capsules wanted.

# %% ko [markdown]
# # 3. 풀링
#
# 풀링(pooling)은 창마다 숫자 하나, 곧 최댓값이나 평균을 남긴다. 가중치는 없다. 특성 맵이 작아지므로 그 뒤의 모든 계산이 가벼워진다.
#
# **이 장에서 배울 것**
#
# * 최대 풀링, 평균 풀링, 최소 풀링, L2 풀링: 숫자와 사진에서
# * 전역 풀링과 적응형 풀링, 그리고 이들이 줄여 주는 파라미터
# * 스트라이드를 보통 창의 크기와 같게 두는 까닭, 겹치는 풀링, 지나친 풀링
# * 풀링을 대신하는 스트라이드 합성곱, 그리고 업샘플링이 풀링을 되돌리지 못한다는 사실
# * 풀링이 버리는 것과 캡슐 네트워크가 이루려던 것

# %% [markdown]
# ## Four ways to summarize a window
#
# Four windows of 2x2 numbers. Their **maximum** says that a feature is somewhere in the window, the
# **average** how much of it there is, the **minimum** how much is everywhere. The minimum is the
# maximum upside down: $\min(x) = -\max(-x)$. **L2** pooling takes the root of the sum of the
# squares: every value counts, strong ones more. It is never below the maximum. For the window 3, 4,
# 0, 0 the four are 4, 1.75, 0 and 5.

# %% ko [markdown]
# ## 창을 요약하는 네 가지 방법
#
# 2x2 숫자로 된 창이 네 개 있다. **최댓값**은 특성이 창 어딘가에 있음을, **평균**은 얼마나 있는지를, **최솟값**은 창 전체에 걸쳐 적어도 얼마만큼 있는지를 말해 준다. 최소 풀링은 최대 풀링을 뒤집은 것이다. $\min(x) = -\max(-x)$. **L2 풀링**은 제곱의 합에 제곱근을 씌운다. 모든 값이 반영되며 큰 값일수록 더 크게 반영된다. 결과는 최댓값보다 작아지지 않는다. 3, 4, 0, 0인 창에서 네 값은 차례로 4, 1.75, 0, 5이다.

# %%
import keras
import matplotlib.pyplot as plt
import numpy as np
from course import check, images_of, show
from kcnn.arithmetic import conv_parameters, output_size


def pool(image, summary, size=2, stride=2):
    rows = range(0, image.shape[0] - size + 1, stride)
    columns = range(0, image.shape[1] - size + 1, stride)
    return np.array([[summary(image[r : r + size, c : c + size]) for c in columns] for r in rows])


def l2(window):
    return np.sqrt((window**2).sum())


numbers = np.array([[3, 4, 1, 1], [0, 0, 1, 1], [9, 0, 2, 8], [0, 0, 8, 2]])
ways = {"maximum": np.max, "average": np.mean, "minimum": np.min, "L2": l2}
for name, way in ways.items():
    print(f"{name:8}", pool(numbers, way).round(2).tolist())

gray = images_of("ship")[1].mean(axis=-1)
figure, axes = plt.subplots(1, 5, figsize=(9, 2.1), layout="constrained")
show(axes[0], gray, "image")
for cell, (name, way) in zip(axes[1:], ways.items(), strict=True):
    show(cell, pool(gray, way), name)
plt.show()

# %% assert
assert numbers[:2, :2].ravel().tolist() == [3, 4, 0, 0]
assert [float(pool(numbers, way)[0, 0]) for way in ways.values()] == [4, 1.75, 0, 5]
x = gray.astype("float32")[None, :, :, None]
by_keras = {
    "maximum": keras.layers.MaxPooling2D()(x),
    "average": keras.layers.AveragePooling2D(2)(x),
    "minimum": -keras.layers.MaxPooling2D()(-x),
    "L2": np.sqrt(4 * np.asarray(keras.layers.AveragePooling2D(2)(x**2))),
}
for name, way in ways.items():
    assert np.allclose(np.asarray(by_keras[name])[0, ..., 0], pool(gray, way), rtol=1e-4), name

# %% [markdown]
# ## Global and adaptive pooling
#
# **Global** average pooling takes the mean of a whole map: one number for each channel. It replaces
# the `Flatten` before the last layer, which makes one long vector of all maps. With 64 maps of 8x8
# and 10 classes, the dense layer has 650 parameters instead of 40,970, and the network accepts
# images of any size.
#
# **Adaptive** pooling fixes the number of outputs instead of the size of the window: output $i$ of
# $m$, counted from zero, averages the inputs from $\lfloor i n / m \rfloor$ up to, but not
# including, $\lceil (i + 1) n / m \rceil$. With one output it is global pooling. For 7 numbers and
# 3 outputs the windows overlap. Keras calls it `AdaptiveAveragePooling2D`.

# %% ko [markdown]
# ## 전역 풀링과 적응형 풀링
#
# **전역**(global) 평균 풀링은 특성 맵 전체의 평균을 구해 채널마다 숫자 하나를 남긴다. 모든 특성 맵을 긴 벡터 하나로 펼치는, 마지막 층 앞의 `Flatten`을 대신한다. 8x8 특성 맵이 64개이고 클래스가 10개일 때 완전 연결층의 파라미터는 40,970개가 아니라 650개이며, 신경망은 어떤 크기의 이미지도 받을 수 있다.
#
# **적응형**(adaptive) 풀링은 창의 크기 대신 출력의 개수를 정한다. 출력 $m$개 중 (0부터 셀 때) $i$번째는 $\lfloor i n / m \rfloor$부터 $\lceil (i + 1) n / m \rceil$ 바로 앞까지의 입력을 평균한다. 출력이 하나이면 전역 풀링과 같다. 숫자 7개에서 출력 3개를 만들면 창이 서로 겹친다. Keras에서는 `AdaptiveAveragePooling2D`라고 부른다.


# %%
def adaptive_average(values, outputs):
    n = len(values)
    starts = [i * n // outputs for i in range(outputs)]
    stops = [-(-(i + 1) * n // outputs) for i in range(outputs)]
    print("windows:", list(zip(starts, stops, strict=True)))
    return [float(np.mean(values[a:b])) for a, b in zip(starts, stops, strict=True)]


print(adaptive_average(np.arange(7), 3))
print(adaptive_average(np.arange(7), 1))

flatten, average = keras.layers.Flatten(), keras.layers.GlobalAveragePooling2D()
for layer in (flatten, average):
    head = keras.Sequential([keras.Input((8, 8, 64)), layer, keras.layers.Dense(10)])
    print(f"{type(layer).__name__:22} {head.count_params():,} parameters")

# %% assert
assert adaptive_average(np.arange(7), 3) == [1, 3, 5]
assert adaptive_average(np.arange(7), 1) == [3]
adaptive = keras.layers.AdaptiveAveragePooling1D(3)(np.arange(7, dtype="float32")[None, :, None])
assert np.ravel(adaptive).tolist() == [1, 3, 5]
assert head.count_params() == 64 * 10 + 10 == 650
assert 8 * 8 * 64 * 10 + 10 == 40_970

# %% [markdown]
# ## Stride and size
#
# Usually the stride is the size of the window, 2 and 2. Then each pixel lies in exactly one window:
# nothing is counted twice, nothing is left out. With a smaller stride the windows **overlap**:
# AlexNet pools 3x3 with a stride of 2 (55 → 27 pixels, as 2x2 would), because its authors found
# that it overfits a little less (learns its training images by heart less easily). With a larger
# stride some pixels are never seen. The pictures count how many windows see each pixel. (In
# the first one the last row and column are left over, because its side is odd.)

# %% ko [markdown]
# ## 스트라이드와 창의 크기
#
# 보통은 스트라이드를 창의 크기와 같게 2와 2로 둔다. 그러면 모든 픽셀이 정확히 창 하나에만 들어간다. 두 번 세는 것도, 빠뜨리는 것도 없다. 스트라이드가 창보다 작으면 창이 **겹친다**. AlexNet은 3x3 창을 스트라이드 2로 옮긴다(55 → 27픽셀, 2x2로 해도 같다). 과적합(학습 이미지를 외워 버리는 것)이 조금 줄었다는 것이 저자들의 관찰이다. 스트라이드가 창보다 크면 아예 보이지 않는 픽셀이 생긴다. 아래 그림은 픽셀마다 몇 개의 창이 보는지를 센 것이다. (첫 번째 그림에서 마지막 행과 열이 남는 것은 한 변의 픽셀 수가 홀수이기 때문이다.)

# %%
figure, axes = plt.subplots(1, 3, figsize=(7, 2.5), layout="constrained")
seen = {}
for cell, (size, stride) in zip(axes, ((2, 2), (3, 2), (2, 3)), strict=True):
    count = np.zeros((11, 11), int)
    for row in range(0, 11 - size + 1, stride):
        for column in range(0, 11 - size + 1, stride):
            count[row : row + size, column : column + size] += 1
    seen[size, stride] = count
    show(cell, count, f"size {size}, stride {stride}: {count.min()} to {count.max()}", "Blues")
plt.show()

# %% assert
assert seen[2, 2][:10, :10].min() == seen[2, 2].max() == 1
assert seen[3, 2].max() == 4 and seen[2, 3].min() == 0
assert output_size(55, 3, stride=2) == output_size(55, 2, stride=2) == 27

# %% [markdown]
# **Too much of it.** Each pooling of size 2 halves the side: from 32 pixels there are five steps to
# a single one, and then no more. Long before that the ship is gone. A network for small
# images pools two or three times.

# %% ko [markdown]
# **지나친 풀링.** 크기가 2인 풀링은 한 변을 절반으로 줄인다. 32픽셀에서 다섯 번이면 픽셀 하나가 되고 더는 할 수 없다. 배는 그보다 훨씬 먼저 사라진다. 작은 이미지를 다루는 신경망은 두세 번만 풀링한다.

# %%
steps = [gray]
while min(steps[-1].shape) >= 2:
    steps.append(pool(steps[-1], np.max))
figure, axes = plt.subplots(1, len(steps), figsize=(9, 1.9), layout="constrained")
for cell, step in zip(axes, steps, strict=True):
    show(cell, step, f"{step.shape[0]} x {step.shape[1]}")
plt.show()

# %% assert
assert [len(step) for step in steps] == [32, 16, 8, 4, 2, 1]

# %% [markdown]
# ## A strided convolution instead
#
# An average pooling *is* a convolution of each channel by itself, with a stride of 2 and four
# weights of 1/4. So a strided convolution can do the same, and can learn something better: ResNet
# halves its maps that way. The price: for 64 channels a 3x3 convolution has 36,928 parameters, a
# pooling none. A maximum is no convolution, because it is not linear.

# %% ko [markdown]
# ## 스트라이드 합성곱으로 대신하기
#
# 평균 풀링은 채널마다 따로 하는, 스트라이드가 2이고 네 가중치가 모두 1/4인 합성곱*이다*. 그러므로 스트라이드 합성곱은 같은 일을 할 수 있고, 더 나은 것을 배울 수도 있다. ResNet은 이 방법으로 특성 맵을 절반으로 줄인다. 대가도 있다. 채널이 64개일 때 3x3 합성곱의 파라미터는 36,928개이지만 풀링에는 하나도 없다. 최댓값은 선형이 아니므로 합성곱으로 나타낼 수 없다.

# %%
quarter = keras.layers.Conv2D(1, 2, strides=2, use_bias=False)
quarter.build((None, 32, 32, 1))
quarter.set_weights([np.full((2, 2, 1, 1), 1 / 4, "float32")])
image = gray.astype("float32")[None, :, :, None]
difference = np.abs(quarter(image) - keras.layers.AveragePooling2D(2)(image)).max()
print(f"average pooling and the convolution differ by {difference:.1e}")
print(f"a 3x3 convolution of 64 channels: {conv_parameters(64, 64, 3):,} parameters")

# %% assert
assert float(difference) < 1e-3
assert conv_parameters(64, 64, 3) == 36_928
assert quarter.strides == (2, 2) and np.ravel(quarter.kernel).tolist() == [1 / 4] * 4

# %% [markdown]
# ## Upsampling does not undo it
#
# After a pooling, three of four pixels are lost. Upsampling makes the map large again by repeating
# what is left: only a quarter of the pixels is certain to be right. Networks that need the size
# back (segmentation, autoencoders) keep a copy from before the pooling, or remember *where* each
# maximum was. The picture puts the maxima back to their places: still a quarter, the rest is black.

# %% ko [markdown]
# ## 업샘플링은 풀링을 되돌리지 못한다
#
# 풀링을 하면 픽셀 넷 중 셋을 잃는다. 업샘플링(upsampling)은 남은 값을 반복해 특성 맵을 다시 키울 뿐이다. 틀림없이 맞는 픽셀은 4분의 1에 지나지 않는다. 원래 크기가 필요한 신경망(분할, 오토인코더)은 풀링 전의 값을 따로 간직하거나, 최댓값이 *어디* 있었는지 기억한다. 아래 그림은 최댓값을 제자리에 되돌려 놓은 것이다. 역시 4분의 1만 맞고 나머지는 검다.

# %%
distinct = gray + np.random.default_rng(0).uniform(0, 0.01, gray.shape)  # no two are equal
pooled = pool(distinct, np.max)
upsampled = pooled.repeat(2, axis=0).repeat(2, axis=1)
unpooled = np.where(upsampled == distinct, distinct, 0)

figure, axes = plt.subplots(1, 4, figsize=(8, 2.2), layout="constrained")
show(axes[0], distinct, "image")
show(axes[1], pooled, "pooled")
show(axes[2], upsampled, "upsampled")
show(axes[3], unpooled, "maxima at their places")
plt.show()
print(f"right after upsampling: {np.mean(upsampled == distinct):.0%} of the pixels")

# %% assert
assert np.mean(upsampled == distinct) == 1 / 4

# %% [markdown]
# ## What is lost, and what capsules wanted
#
# A single bright pixel can lie at 4 places of a 2x2 window: the output is the same. If it moves by
# one pixel, it stays in its window in half of the cases and is in the next one in the other half.
# So pooling gives *some* invariance to small shifts, and pays with the exact place.
#
# At the end of a network this goes further. Let three maps say where the left eye, the right eye
# and the mouth are. After a **global** maximum, a face and the same parts in disorder give the same
# numbers: the network knows *that* they are there, not *how they are arranged*.

# %% ko [markdown]
# ## 잃는 것과 캡슐이 이루려던 것
#
# 밝은 픽셀 하나는 2x2 창의 4곳 중 어디에 있어도 출력이 같다. 한 픽셀 움직이면 절반은 같은 창에 남고 절반은 다음 창으로 넘어간다. 그러므로 풀링은 작은 이동에 대한 불변성을 *조금* 주는 대신 정확한 위치를 버린다.
#
# 신경망의 끝에서는 더 많은 것을 버린다. 특성 맵 세 개가 왼쪽 눈, 오른쪽 눈, 입이 어디 있는지 나타낸다고 하자. **전역** 최댓값을 구하고 나면 얼굴과, 같은 부분들을 뒤섞어 놓은 그림이 같아진다. 신경망은 그것들이 *있다는 것*만 알고 *어떻게 놓여 있는지*는 모른다.

# %%
outputs = set()
for row in range(2):
    for column in range(2):
        dot = np.zeros((8, 8))
        dot[2 + row, 2 + column] = 1
        outputs.add(pool(dot, np.max).tobytes())
print("different outputs for the places of one window:", len(outputs))

face, scrambled = np.zeros((3, 9, 9)), np.zeros((3, 9, 9))
for part, (place, other) in enumerate((((2, 2), (7, 6)), ((2, 6), (4, 1)), ((6, 4), (0, 7)))):
    face[part][place], scrambled[part][other] = 1, 1
print("face:     ", face.max(axis=(1, 2)))
print("scrambled:", scrambled.max(axis=(1, 2)))

# %% assert
assert len(outputs) == 1 and 2 * 2 == 4
stays = 0
for column in range(8):
    first, second = np.zeros((1, 10)), np.zeros((1, 10))
    first[0, column], second[0, column + 1] = 1, 1
    pooled_pair = [pool(np.vstack([each, each]), np.max) for each in (first, second)]
    stays += np.array_equal(*pooled_pair)
assert stays == 8 / 2
assert np.array_equal(face.max(axis=(1, 2)), scrambled.max(axis=(1, 2)))

# %% [markdown]
# What would notice the difference? Let each part know its own place in a face, seen from the middle
# of the face: the left eye is above it on the left, the mouth below. Then each part can **vote**
# for the middle: its place in the image minus its place in a face. Below, the eyes are red and
# green, the mouth is blue, and an orange line leads from each to the place that it votes for. In
# the face the votes of all parts coincide. In the scrambled picture they are up to 11.3 pixels
# apart. When the face moves, its votes move along and still coincide: they are equivariant, not
# invariant.
#
# That is what **capsules** wanted (Sabour, Frosst and Hinton, 2017). The output of a capsule is not
# a number but a vector: its length says how likely it is that the part is there, its direction
# describes the *pose* (place, size, angle). Trained matrices turn the pose of each part into a vote
# for the pose of the whole, and *routing by agreement* makes the whole active only if the votes
# agree. Capsules are slow and have not replaced CNNs, but the question that they asked is still a
# good one.

# %% ko [markdown]
# 무엇이 있어야 그 차이를 알아차릴까? 부분마다 얼굴의 한가운데에서 본 자기 자리를 안다고 하자. 왼쪽 눈은 왼쪽 위, 입은 아래이다. 그러면 각 부분은 얼굴의 한가운데가 어디인지 **투표**할 수 있다. 이미지에서의 위치에서 얼굴 속 자기 자리를 빼면 된다. 아래 그림에서 눈은 빨강과 초록, 입은 파랑이고, 주황색 선은 각 부분에서 그 부분이 투표한 곳까지 이어진다. 얼굴에서는 모든 부분의 표가 한 점에 모인다. 뒤섞은 그림에서는 표가 최대 11.3픽셀까지 떨어져 있다. 얼굴이 움직이면 표도 함께 움직이고 여전히 한 점에 모인다. 불변이 아니라 등변이다.
#
# **캡슐**(capsule, Sabour, Frosst, Hinton, 2017)이 이루려던 것이 바로 이것이다. 캡슐의 출력은 숫자 하나가 아니라 벡터이다. 벡터의 길이는 그 부분이 있을 확률을, 방향은 *자세*(pose, 곧 위치, 크기, 각도)를 나타낸다. 학습된 행렬이 각 부분의 자세를 전체의 자세에 대한 표로 바꾸고, *합의에 의한 라우팅*(routing by agreement)은 표가 일치할 때에만 전체를 활성화한다. 캡슐 네트워크는 느려서 CNN을 대신하지 못했지만, 그것이 던진 물음은 여전히 유효하다.

# %%
IN_A_FACE = np.array([[-2, -2], [-2, 2], [2, 0]])  # the eyes and the mouth, from the middle


def places(maps):
    return np.array([np.unravel_index(part.argmax(), part.shape) for part in maps])


def votes(maps):
    return places(maps) - IN_A_FACE


def apart(points):
    return max(float(np.linalg.norm(one - other)) for one in points for other in points)


moved_face = np.roll(face, (1, 2), axis=(1, 2))
pictures = {"face": face, "moved face": moved_face, "scrambled": scrambled}
figure, axes = plt.subplots(1, 3, figsize=(9, 3), layout="constrained")
for cell, (name, maps) in zip(axes, pictures.items(), strict=True):
    found = votes(maps)
    show(cell, np.moveaxis(maps, 0, -1), f"{name}: the votes are {apart(found):.1f} pixels apart")
    for (row, column), (to_row, to_column) in zip(places(maps), found, strict=True):
        cell.plot([column, to_column], [row, to_row], "o-", color="#E69F00", markevery=[1])
    cell.set_xlim(-2.5, 9.5)
    cell.set_ylim(10, -2.5)
    print(f"{name:10} votes {found.tolist()}")
plt.show()

# %% assert
assert apart(votes(face)) == apart(votes(moved_face)) == 0
assert np.array_equal(votes(moved_face), votes(face) + (1, 2))
assert round(apart(votes(scrambled)), 1) == 11.3

# %% [markdown]
# ## Exercises
#
# **Exercise 1.** What is `numbers` (the 4x4 array above) after a 3x3 maximum pooling with stride 1?

# %% ko [markdown]
# ## 연습 문제
#
# **문제 1.** 위의 4x4 배열 `numbers`를 3x3 창, 스트라이드 1로 최대 풀링하면 어떻게 되는가?

# %% exercise
pooled_numbers = ...
check("max pooling", pooled_numbers)

# %% solution
pooled_numbers = pool(numbers, np.max, size=3, stride=1)
check("max pooling", pooled_numbers)

# %% [markdown]
# **Exercise 2.** A network ends in 512 maps of 7x7, `Flatten` and `Dense(1000)`. How many
# parameters does global average pooling save?

# %% ko [markdown]
# **문제 2.** 어떤 신경망이 7x7 특성 맵 512개와 `Flatten`, `Dense(1000)`으로 끝난다. 전역 평균 풀링을 쓰면 파라미터가 몇 개 줄어드는가?

# %% exercise
saved = ...
check("global pooling", saved)

# %% solution
saved = (7 * 7 * 512 * 1000 + 1000) - (512 * 1000 + 1000)
check("global pooling", saved)

# %% [markdown]
# **Exercise 3.** Write a minimum pooling of 2x2 windows for a 2-D array with an even number of rows
# and columns, using nothing but a *maximum*: `pool(..., np.max)`.

# %% ko [markdown]
# **문제 3.** 행과 열의 수가 짝수인 2차원 배열에 대한 2x2 최소 풀링을 *최댓값*, 곧 `pool(..., np.max)`만 써서 작성하라.


# %% exercise
def min_pool(values):
    return ...


check("min pooling", min_pool)


# %% solution
def min_pool(values):
    return -pool(-values, np.max)


check("min pooling", min_pool)
