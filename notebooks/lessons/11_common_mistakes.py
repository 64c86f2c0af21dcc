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
# # 11. Common mistakes
#
# Ten mistakes that circulate in notes, blogs and answers. Each is made here on purpose, so that you
# see what it does, and then explained.

# %% ko [markdown]
# # 11. 흔한 실수
#
# 강의 노트와 블로그, 질문 답변에 흔히 돌아다니는 실수 열 가지이다. 여기서는 하나하나를 일부러 저질러 무슨 일이 생기는지 보고, 까닭을 설명한다.

# %% [markdown]
# ## 1. `img / 2 + 0.5` after a normalization by mean and standard deviation
#
# To draw a normalized image you must undo **the normalization that you used**. `img / 2 + 0.5`
# undoes $(x - 0.5) / 0.5$ and nothing else. After CIFAR-10's own means and deviations it leaves
# wrong colors, and values outside of 0 to 1, which are cut off: 35.7 % of them here.

# %% ko [markdown]
# ## 1. 평균과 표준편차로 정규화한 뒤의 `img / 2 + 0.5`
#
# 정규화한 이미지를 그리려면 **자기가 쓴 바로 그 정규화**를 되돌려야 한다. `img / 2 + 0.5`는 $(x - 0.5) / 0.5$를 되돌릴 뿐이다. CIFAR-10의 평균과 표준편차로 정규화한 뒤에 쓰면 색이 틀리고, 0과 1을 벗어나 잘려 나가는 값이 생긴다. 아래에서는 35.7 %나 된다.

# %%
import kcnn
import keras
import matplotlib.pyplot as plt
import numpy as np
from course import check, photographs, show
from kcnn.arithmetic import conv_parameters

images, labels, names = photographs()
MEAN, STD = np.array([0.4914, 0.4822, 0.4465]), np.array([0.2470, 0.2435, 0.2616])
pixels = images / 255
normalized = (pixels - MEAN) / STD
wrong, right = normalized / 2 + 0.5, normalized * STD + MEAN
print(f"outside of 0 to 1: {np.mean((wrong < 0) | (wrong > 1)):.1%}")
print("largest error, wrong:", np.abs(wrong - pixels).max().round(2))
print("largest error, right:", np.abs(right - pixels).max().round(6))

figure, axes = plt.subplots(1, 4, figsize=(8, 2.2), layout="constrained")
for column, index in enumerate((33, 5)):
    show(axes[2 * column], np.clip(wrong[index], 0, 1), "img / 2 + 0.5")
    show(axes[2 * column + 1], np.clip(right[index], 0, 1), "img * std + mean")
plt.show()

# %% assert
assert np.allclose(right, pixels) and np.abs(wrong - pixels).max() > 0.1
assert round(100 * np.mean((wrong < 0) | (wrong > 1)), 1) == 35.7
half = (pixels - 0.5) / 0.5
assert np.allclose(half / 2 + 0.5, pixels)  # what it is made for
assert pixels.min() == 0 and pixels.max() == 1

# %% [markdown]
# ## 2. "A 5x5 convolution has 81,920 weights, two of 3x3 have 36,864"
#
# With 64 channels in and out one 5x5 convolution has 102,400 weights, and two of 3x3 have 73,728.
# 36,864 is **one** 3x3 convolution: the second was forgotten. 81,920 is 20 weights for each pair of
# channels, but 5x5 are 25. The conclusion stays right, the numbers do not: the two need 72 % of the
# weights, not 45 %. Let the program count.

# %% ko [markdown]
# ## 2. "5x5 합성곱의 가중치는 81,920개, 3x3 두 개는 36,864개이다"
#
# 입력과 출력 채널이 64개일 때 5x5 합성곱 하나의 가중치는 102,400개, 3x3 두 개는 73,728개이다. 36,864개는 3x3 **하나**의 가중치이다. 두 번째를 빠뜨린 것이다. 81,920개는 채널 쌍마다 가중치가 20개라는 말인데, 5x5는 25개이다. 결론은 맞지만 숫자가 틀렸다. 두 개에 필요한 가중치는 45 %가 아니라 72 %이다. 세는 일은 프로그램에 맡기는 것이 좋다.

# %%
one_5x5 = conv_parameters(64, 64, 5, bias=False)
two_3x3 = 2 * conv_parameters(64, 64, 3, bias=False)
print(f"one 5x5: {one_5x5:,}   two 3x3: {two_3x3:,}   one 3x3: {two_3x3 // 2:,}")
print(f"81,920 = 64 * 64 * {81_920 // 64**2}")
print(f"{two_3x3 / one_5x5:.0%} of the weights, not {36_864 / 81_920:.0%}")

# %% assert
assert one_5x5 == 102_400 == 64 * 64 * 25 and two_3x3 == 73_728
assert two_3x3 // 2 == 36_864 and 81_920 == 64 * 64 * 20
assert round(two_3x3 / one_5x5, 2) == 0.72 and round(36_864 / 81_920, 2) == 0.45

# %% [markdown]
# ## 3. "AlexNet has an accuracy of 77 % (top-1) and 96.43 % (top-5)"
#
# AlexNet won the competition of 2012 with a top-5 **error** of 15.3 %, that is 84.7 % right, as the
# mean of seven networks. The paper's single network has a top-1 error of 40.7 % on the validation
# images: 59.3 % right. 96.43 % is $100 - 3.57$: 3.57 % is the top-5 error of the **ResNets** that
# won in 2015, an ensemble again. 77 % is the top-1 accuracy of a single ResNet-152 on a single crop
# (part) of each image, with an error of 23.0 %. An accuracy says nothing without the network, the
# data, top-1 or top-5, and how many networks and crops were averaged.

# %% ko [markdown]
# ## 3. "AlexNet의 정확도는 77 %(top-1), 96.43 %(top-5)이다"
#
# AlexNet은 신경망 일곱 개의 평균으로 top-5 **오류율** 15.3 %, 곧 정확도 84.7 %를 얻어 2012년 대회에서 우승했다. 논문에서 신경망 하나의 검증 이미지 top-1 오류율은 40.7 %, 정확도로는 59.3 %이다. 96.43 %는 $100 - 3.57$이다. 3.57 %는 2015년에 우승한 **ResNet**(역시 앙상블)의 top-5 오류율이고, 77 %는 ResNet-152 하나가 이미지마다 크롭(잘라 낸 부분) 하나만 보았을 때의 top-1 정확도이다(오류율 23.0 %). 정확도는 어떤 신경망을 어떤 데이터에서 쟀는지, top-1인지 top-5인지, 신경망과 크롭 몇 개를 평균했는지를 밝히지 않으면 아무 뜻이 없다.

# %%
errors = {
    "AlexNet, seven networks, top-5": 15.3,
    "AlexNet, one network, top-1": 40.7,
    "ResNet ensemble, top-5": 3.57,
    "ResNet-152, one network, top-1": 23.0,
}
for name, error in errors.items():
    print(f"{name:32} error {error:5.2f} %   accuracy {100 - error:5.2f} %")

# %% assert
assert round(100 - 15.3, 1) == 84.7 and round(100 - 40.7, 1) == 59.3
assert round(100 - 3.57, 2) == 96.43 and round(100 - 23.0) == 77

# %% [markdown]
# ## 4. "Padding prevents overfitting"
#
# Padding keeps the size of a map and the pixels at its border. It is no regularization. Here is a
# network with and without padding, on 300 digits: both learn the training images by heart, and the
# gap to the validation images is not smaller with padding, except by chance. What helps against
# overfitting is in the lessons on training: more data, augmentation, dropout, weight decay, early
# stopping.

# %% ko [markdown]
# ## 4. "패딩은 과적합을 막는다"
#
# 패딩은 특성 맵의 크기와 가장자리의 픽셀을 지켜 준다. 규제(regularization)가 아니다. 같은 신경망을 패딩이 있을 때와 없을 때 숫자 300장으로 학습해 보자. 둘 다 학습 이미지를 외워 버리고, 검증 이미지와의 차이는 우연을 빼면 패딩이 있다고 줄지 않는다. 과적합을 막는 방법은 학습을 다룬 장들에 있다. 더 많은 데이터, 데이터 증강, 드롭아웃, 가중치 감쇠, 조기 종료이다.

# %%
data = kcnn.data.load("digits", limit=400, validation=0.25, batch_size=50, augment="none")
padded = {}
for padding in ("valid", "same"):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(16, 3, padding=padding, activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Conv2D(32, 3, padding=padding, activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Flatten(),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(10),
        ]
    )
    kcnn.train(model, data, epochs=20, learning_rate=2e-3, callbacks=[])
    padded[padding] = (
        kcnn.evaluate(model, data.calibration).accuracy,
        kcnn.evaluate(model, data.validation).accuracy,
    )
    print(f"{padding:6} training {padded[padding][0]:.1%}, validation {padded[padding][1]:.1%}")

# %% assert
assert data.num_train == 300
assert all(training > 0.99 and training > validation for training, validation in padded.values())

# %% [markdown]
# ## 5. "CNNs are translation invariant"
#
# Convolutions are *equivariant*: their output moves with the image. The lesson on shifts measures
# what is left of that at the end of a network. One picture here: the trained simple CNN, whose
# dense layer reads its maps at fixed places, sees the 40 photographs moved by 0 to 8 pixels.

# %% ko [markdown]
# ## 5. "CNN은 이동에 불변이다"
#
# 합성곱은 *등변*이다. 출력이 이미지를 따라 움직인다. 신경망의 끝에 이르러 무엇이 남는지는 이동을 다룬 장에서 쟀다. 여기서는 그림 하나만 본다. 특성 맵을 정해진 위치에서 읽는 완전 연결층이 있는 simple CNN에 사진 40장을 0에서 8픽셀까지 옮겨 보여 준다.

# %%
simple = kcnn.models.pretrained("simple_cnn")
kept = []
for shift in range(9):
    moved = np.zeros_like(images)
    moved[:, :, shift:] = images[:, :, : 32 - shift]
    kept.append(np.asarray(simple(moved)).argmax(1))
kept = [int((each == kept[0]).sum()) for each in kept]
figure, axes = plt.subplots(figsize=(5, 2.3), layout="constrained")
axes.plot(kept, "o-")
axes.set_xlabel("pixels to the right")
axes.set_ylabel("same prediction, of 40")
axes.grid(alpha=0.3)
plt.show()

# %% assert
assert kept[0] == 40 and len(kept) - 1 == 8 and kept[8] < 30

# %% [markdown]
# ## 6. `.hdf5` checkpoints and `ModelCheckPoint` in Keras 3
#
# Old notes write `ModelCheckPoint("best.hdf5")`. The class is called `ModelCheckpoint`, and Keras 3
# refuses the old file format: a model is a `.keras` file, weights alone are a `.weights.h5` file.

# %% ko [markdown]
# ## 6. Keras 3에서 `.hdf5` 체크포인트와 `ModelCheckPoint`
#
# 오래된 자료에는 `ModelCheckPoint("best.hdf5")`라고 적혀 있다. 클래스의 이름은 `ModelCheckpoint`이고, Keras 3은 옛 파일 형식을 받지 않는다. 모델은 `.keras` 파일에, 가중치만 저장할 때에는 `.weights.h5` 파일에 저장한다.

# %%
refused = []
for attempt in (
    lambda: keras.callbacks.ModelCheckPoint("best.keras"),
    lambda: keras.callbacks.ModelCheckpoint("best.hdf5"),
    lambda: keras.callbacks.ModelCheckpoint("best.h5", save_weights_only=True),
):
    try:
        attempt()
    except (AttributeError, ValueError) as error:
        refused.append(error)
        print(f"{type(error).__name__}: {error}\n")
print("accepted:", keras.callbacks.ModelCheckpoint("best.keras").filepath)

# %% assert
assert [type(each).__name__ for each in refused] == ["AttributeError", "ValueError", "ValueError"]
assert keras.__version__.startswith("3.") and int(keras.__version__[0]) == 3

# %% [markdown]
# ## 7. `x / 255` before a model that normalizes itself
#
# The models of kcnn take raw pixels from 0 to 255. Divide by 255 before, and the network sees
# nothing but black: of 40 photographs it predicts 39 correctly with raw pixels, and no more than 8
# with divided ones. A plain call of the model gives no error and no warning (`kcnn.evaluate` and
# `kcnn.train` do warn): look into the model for a `Rescaling` or `Normalization`, and test an app
# with images whose prediction you know.

# %% ko [markdown]
# ## 7. 스스로 정규화하는 모델 앞의 `x / 255`
#
# kcnn의 모델은 0에서 255까지의 픽셀을 그대로 받는다. 미리 255로 나누면 신경망에는 온통 검은색만 보인다. 원래 픽셀로는 사진 40장 중 39장을 맞히지만, 나누면 8장도 넘기지 못한다. 모델을 그냥 호출하면 오류도 경고도 없다(`kcnn.evaluate`와 `kcnn.train`은 경고한다). 모델 안에 `Rescaling`이나 `Normalization`이 있는지 살펴보고, 앱은 예측을 이미 아는 이미지로 시험해야 한다.

# %%
resnet = kcnn.models.pretrained("resnet20")
correct = {
    "raw": int((np.asarray(resnet(images)).argmax(1) == labels).sum()),
    "divided": int((np.asarray(resnet(images / 255)).argmax(1) == labels).sum()),
}
print(correct, "of", len(images))
print([type(layer).__name__ for layer in resnet.layers[:4]])

# %% assert
assert correct["raw"] == 39 and correct["divided"] <= 8 and len(images) == 40
assert images.max() == 255 and images.min() == 0

# %% [markdown]
# ## 8. The test set as validation
#
# Anyone who chooses the best epoch by the test accuracy, and then reports it, reports luck. Here is
# a network that is right for 80 % of all images, in each of 50 epochs the same. On 200 test images
# its score varies by chance; the best epoch shows 86 %. On new images it still is 80 %.

# %% ko [markdown]
# ## 8. 테스트 세트를 검증에 쓰기
#
# 테스트 정확도가 가장 높은 에포크를 골라 그 값을 보고하면 운을 보고하는 셈이다. 언제나 이미지의 80 %를 맞히는 신경망이 있다고 하자. 50에포크 내내 똑같다. 테스트 이미지 200장에서 점수는 우연히 오르내리고, 가장 좋은 에포크는 86 %로 보인다. 새 이미지에서는 여전히 80 %이다.

# %%
rng = np.random.default_rng(1)
test_scores = (rng.random((50, 200)) < 0.8).mean(axis=1)
new_score = (rng.random(100_000) < 0.8).mean()
print(
    f"mean of the epochs {test_scores.mean():.1%}, the best one {test_scores.max():.1%}, new images {new_score:.1%}"
)
figure, axes = plt.subplots(figsize=(6, 2.2), layout="constrained")
axes.plot(100 * test_scores, "o-", ms=3)
axes.plot(test_scores.argmax(), 100 * test_scores.max(), "D", ms=9, mfc="none", color="k")
axes.axhline(80, color="#D55E00", linestyle="--")
axes.set_xlabel("epoch")
axes.set_ylabel("test accuracy (%)")
plt.show()

# %% assert
assert (len(test_scores), 200) == (50, 200) and round(100 * test_scores.max()) == 86
assert round(100 * new_score) == 80 == round(100 * test_scores.mean())

# %% [markdown]
# ## 9. PyTorch's arguments in Keras
#
# | PyTorch | Keras |
# | --- | --- |
# | images `[N, C, H, W]`, weights `[out, in, h, w]` | images `[N, H, W, C]`, kernels `[h, w, in, out]` |
# | `Conv2d(3, 16, 3)` | `Conv2D(16, 3)` |
# | `stride`, `dilation`, `groups`, `bias` | `strides`, `dilation_rate`, `groups`, `use_bias` |
# | `padding=1` for 3x3, stride 1 | `padding="same"` |
# | `padding_mode="reflect"` | `keras.ops.pad(x, ..., mode="reflect")` before it |
# | `MaxPool2d(2)`, `AdaptiveAvgPool2d(1)` | `MaxPooling2D(2)`, `GlobalAveragePooling2D()` |
# | `BatchNorm2d(momentum=0.1, eps=1e-5)` | `BatchNormalization(momentum=0.9, epsilon=1e-5)` |
# | `Dropout2d(0.1)`, `LeakyReLU(0.01)` | `SpatialDropout2D(0.1)`, `LeakyReLU(negative_slope=0.01)` |
# | `Linear(128, 10)` | `Dense(10)` |
# | `CrossEntropyLoss()` | `SparseCategoricalCrossentropy(from_logits=True)` |
# | `init.kaiming_normal_` | `kernel_initializer="he_normal"` |
# | `StepLR(step_size=30, gamma=0.1)` | `kcnn.training.schedules.step(..., step_epochs=30, factor=0.1)` |
# | `CosineAnnealingLR(T_max=90)` | `CosineDecay(rate, decay_steps=90 * steps_per_epoch)` |
# | `ReduceLROnPlateau(threshold=..., threshold_mode="abs")` | `ReduceLROnPlateau(min_delta=...)` |
# | `SGD(weight_decay=5e-4)`, added to the gradient | `kcnn.training.make_optimizer("sgd", ..., decay="coupled")` |
# | `model.eval()`, then `model(x)` | `model(x, training=False)` |
#
# Three traps. The momentum of batch norm is turned around: PyTorch gives the share of the new
# value, Keras that of the old one. With a stride of 2 "same" is not `padding=1`: on 32 pixels
# PyTorch pads one on every side, Keras only on the right and at the bottom. The windows are shifted
# by a pixel. And `ReduceLROnPlateau` of PyTorch waits one epoch longer: it cuts the rate when
# *more* than `patience` epochs have brought no improvement, Keras's when `patience` epochs have.

# %% ko [markdown]
# ## 9. PyTorch의 인수를 Keras로 옮기기
#
# | PyTorch | Keras |
# | --- | --- |
# | 이미지 `[N, C, H, W]`, 가중치 `[out, in, h, w]` | 이미지 `[N, H, W, C]`, 커널 `[h, w, in, out]` |
# | `Conv2d(3, 16, 3)` | `Conv2D(16, 3)` |
# | `stride`, `dilation`, `groups`, `bias` | `strides`, `dilation_rate`, `groups`, `use_bias` |
# | 3x3, 스트라이드 1에서 `padding=1` | `padding="same"` |
# | `padding_mode="reflect"` | 그 앞에 `keras.ops.pad(x, ..., mode="reflect")` |
# | `MaxPool2d(2)`, `AdaptiveAvgPool2d(1)` | `MaxPooling2D(2)`, `GlobalAveragePooling2D()` |
# | `BatchNorm2d(momentum=0.1, eps=1e-5)` | `BatchNormalization(momentum=0.9, epsilon=1e-5)` |
# | `Dropout2d(0.1)`, `LeakyReLU(0.01)` | `SpatialDropout2D(0.1)`, `LeakyReLU(negative_slope=0.01)` |
# | `Linear(128, 10)` | `Dense(10)` |
# | `CrossEntropyLoss()` | `SparseCategoricalCrossentropy(from_logits=True)` |
# | `init.kaiming_normal_` | `kernel_initializer="he_normal"` |
# | `StepLR(step_size=30, gamma=0.1)` | `kcnn.training.schedules.step(..., step_epochs=30, factor=0.1)` |
# | `CosineAnnealingLR(T_max=90)` | `CosineDecay(rate, decay_steps=90 * steps_per_epoch)` |
# | `ReduceLROnPlateau(threshold=..., threshold_mode="abs")` | `ReduceLROnPlateau(min_delta=...)` |
# | 기울기에 더해지는 `SGD(weight_decay=5e-4)` | `kcnn.training.make_optimizer("sgd", ..., decay="coupled")` |
# | `model.eval()` 다음 `model(x)` | `model(x, training=False)` |
#
# 함정이 세 가지 있다. 배치 정규화의 모멘텀은 뜻이 반대이다. PyTorch는 새 값의 비율, Keras는 옛 값의 비율을 받는다. 스트라이드가 2일 때 "same"은 `padding=1`과 같지 않다. 32픽셀에서 PyTorch는 사방에 하나씩, Keras는 오른쪽과 아래쪽에만 덧붙인다. 창이 한 픽셀씩 어긋난다. 그리고 PyTorch의 `ReduceLROnPlateau`는 한 에포크 더 기다린다. PyTorch는 나아지지 않은 에포크가 `patience`를 *넘을* 때, Keras는 `patience`에 이를 때 학습률을 줄인다.

# %%
ramp = np.tile(np.arange(32, dtype="float32"), (32, 1))[None, :, :, None]
keras_same = keras.layers.Conv2D(1, 3, strides=2, padding="same", use_bias=False)
keras_same.build(ramp.shape)
center = np.zeros((3, 3, 1, 1), "float32")
center[1, 1] = 1  # a kernel that returns the pixel in the middle of the window
keras_same.set_weights([center])
both_sides = keras.layers.Conv2D(1, 3, strides=2, padding="valid", use_bias=False)
both_sides.build(ramp.shape)
both_sides.set_weights([center])
like_keras = np.asarray(keras_same(ramp))[0, 3, :4, 0]
like_torch = np.asarray(both_sides(np.pad(ramp, ((0, 0), (1, 1), (1, 1), (0, 0)))))[0, 3, :4, 0]
print('centers of the windows, padding="same":', like_keras)
print("centers of the windows, padding=1:     ", like_torch)
print(
    "defaults of batch norm:",
    {k: keras.layers.BatchNormalization().get_config()[k] for k in ("momentum", "epsilon")},
)

# %% assert
assert like_keras.tolist() == [1, 3, 5, 7] and like_torch.tolist() == [0, 2, 4, 6]
# Each row of the table, by PyTorch's formula.
options = {"strides": 1, "padding": "same", "dilation_rate": 1, "groups": 1, "use_bias": False}
conv = keras.layers.Conv2D(16, 3, kernel_initializer="he_normal", **options)
assert conv(np.zeros((2, 32, 32, 3), "float32")).shape == (2, 32, 32, 16)  # padding=1
assert conv.kernel.shape == (3, 3, 3, 16)
assert abs(np.std(conv.kernel) / np.sqrt(2 / 27) - 1) < 0.15  # kaiming_normal_, fan_in
border = keras.ops.pad(np.arange(3.0), [[1, 1]], mode="reflect")
assert np.asarray(border).tolist() == [1, 0, 1, 2, 1]
assert keras.layers.MaxPooling2D(2)(ramp).shape == (1, 16, 16, 1)
assert np.isclose(np.ravel(keras.layers.GlobalAveragePooling2D()(ramp))[0], ramp.mean())
norm = keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5)
norm(ramp, training=True)
assert np.allclose(norm.moving_mean, 0.1 * ramp.mean())  # 0.9 of the old value, which was 0
assert np.isclose(np.ravel(keras.layers.LeakyReLU(negative_slope=0.01)(np.array([-1.0])))[0], -0.01)
dropped = keras.layers.SpatialDropout2D(0.1, seed=0)(np.ones((99, 4, 4, 8)), training=True)
per_map = np.asarray(dropped).mean(axis=(1, 2))
assert (np.isclose(per_map, 0) | np.isclose(per_map, 1 / 0.9, atol=1e-5)).all()
dense = keras.layers.Dense(10)
assert dense(np.zeros((1, 128), "float32")).shape == (1, 10) and dense.kernel.shape == (128, 10)
scores = np.random.default_rng(0).normal(size=(4, 10))
by_formula = np.mean(np.logaddexp.reduce(scores, axis=1) - scores[np.arange(4), [1, 2, 3, 4]])
cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
assert np.isclose(float(cross_entropy(np.array([1, 2, 3, 4]), scores)), by_formula)
step = kcnn.training.schedules.step(0.1, steps_per_epoch=10, step_epochs=30, factor=0.1)
assert np.allclose([float(step(10 * e)) for e in (0, 29, 30, 60)], [0.1, 0.1, 0.01, 0.001])
annealed = keras.optimizers.schedules.CosineDecay(0.1, decay_steps=90 * 10)
assert np.isclose(float(annealed(30 * 10)), 0.1 * (1 + np.cos(np.pi * 30 / 90)) / 2)
assert keras.callbacks.ReduceLROnPlateau(min_delta=0.1).min_delta == 0.1
sgd = kcnn.training.make_optimizer("sgd", 0.1, momentum=0, weight_decay=5e-4, decay="coupled")
weight = keras.Variable(np.full((2, 2), 3.0, "float32"), name="kernel")
sgd.build([weight])
sgd.apply([np.full((2, 2), 0.5, "float32")], [weight])
assert np.allclose(weight, 3 - 0.1 * (0.5 + 5e-4 * 3))
assert ramp.shape[2] == 32 and keras_same.strides == (2, 2)

# %% [markdown]
# ## 10. Softmax twice
#
# `from_logits=True` tells the loss to apply the softmax. If the model has one already, it is
# applied twice: the loss cannot fall below $\log(e + 9) - 1 = 1.46$ for ten classes, however good
# the network is, and the training is slow. The models of kcnn end in logits.

# %% ko [markdown]
# ## 10. 소프트맥스를 두 번 쓰기
#
# `from_logits=True`는 손실 함수가 소프트맥스를 적용하게 한다. 모델에 이미 소프트맥스가 있으면 두 번 적용된다. 그러면 신경망이 아무리 좋아도 클래스가 열 개일 때 손실이 $\log(e + 9) - 1 = 1.46$ 아래로 내려가지 못하고 학습도 느리다. kcnn의 모델은 로짓으로 끝난다.

# %%
perfect = np.eye(10, dtype="float32")[[3]]  # a probability of 1 for the true class
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
print("softmax twice, a perfect prediction:", round(float(loss(np.array([3]), perfect)), 3))
print("logits, a good prediction:          ", round(float(loss(np.array([3]), 20 * perfect)), 6))

# %% assert
assert round(float(loss(np.array([3]), perfect)), 2) == 1.46 == round(np.log(np.e + 9) - 1, 2)

# %% [markdown]
# ## Exercises
#
# **Exercise 1.** Write the function that makes a drawable image, 0 to 1, of `(x - mean) / std`.

# %% ko [markdown]
# ## 연습 문제
#
# **문제 1.** `(x - mean) / std`로 정규화한 것을 0에서 1까지의, 그릴 수 있는 이미지로 되돌리는 함수를 작성하라.


# %% exercise
def undo(normalized, mean, std):
    return ...


check("undo", undo)


# %% solution
def undo(normalized, mean, std):
    return np.clip(normalized * std + mean, 0, 1)


check("undo", undo)

# %% [markdown]
# **Exercise 2.** PyTorch's `BatchNorm2d(momentum=0.01)`: which momentum does Keras need?

# %% ko [markdown]
# **문제 2.** PyTorch의 `BatchNorm2d(momentum=0.01)`은 Keras에서 모멘텀이 얼마여야 하는가?

# %% exercise
momentum = ...
check("momentum", momentum)

# %% solution
momentum = 1 - 0.01
check("momentum", momentum)

# %% [markdown]
# **Exercise 3.** A network has 11 % accuracy on the phone and 90 % in Keras, for ten classes. The
# file is correct. What do you check first: "input range", "learning rate" or "padding"?

# %% ko [markdown]
# **문제 3.** 클래스가 열 개인 신경망의 정확도가 Keras에서는 90 %인데 휴대전화에서는 11 %이다. 파일은 올바르다. 무엇부터 확인하겠는가? 입력의 범위("input range"), 학습률("learning rate"), 패딩("padding") 가운데 고르라.

# %% exercise
suspect = ...
check("phone", suspect)

# %% solution
suspect = "input range"
check("phone", suspect)
