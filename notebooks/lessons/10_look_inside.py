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
# # 10. Look inside
#
# A network predicts "ship". Why? This lesson looks inside: at the filters, at what every layer
# computes for a photograph, and at the places in the photograph that lead to the prediction. Then
# it turns to the more important question: when should you *not* believe such a picture?
#
# **What you will see**
#
# * the first filters, and the feature maps of every layer;
# * the class activation map (CAM), computed from two arrays, and the proof that it is exact;
# * Grad-CAM, which does the same for nearly any CNN, and why it needs the logits;
# * when a heat map lies, and tests that reveal it.
#
# The network is the ResNet-20 of `saved_models/`, trained on CIFAR-10. The photographs are the
# first four test images of each class, so nobody selected them.

# %% ko [markdown]
# # 10. 들여다보기
#
# 신경망이 "배"라고 예측한다. 왜 그런가? 이 장에서는 신경망 안을 들여다본다. 필터, 사진 한 장에 대해 모든 층이 계산하는 것, 그리고 예측의 근거가 된 위치를 살펴본다. 그런 다음 더 중요한 물음으로 넘어간다. 언제 그런 그림을 믿지 *말아야* 하는가?
#
# **이 장에서 배울 것**
#
# * 첫 번째 층의 필터와 모든 층의 특성 맵
# * 배열 두 개로 계산하는 클래스 활성화 맵(CAM)과, 이것이 정확하다는 증명
# * 거의 모든 CNN에 쓸 수 있는 Grad-CAM, 그리고 로짓을 써야 하는 까닭
# * 히트맵이 거짓말하는 경우와 그것을 밝혀내는 시험
#
# 신경망은 `saved_models/`에 있는, CIFAR-10으로 학습한 ResNet-20이다. 사진은 클래스마다 처음 나오는 테스트 이미지 네 장이므로 누가 골라낸 것이 아니다.

# %% [markdown]
# ## Its predictions
#
# Of the 40 photographs 39 are predicted correctly. Here are the ten of which the network is least
# certain, with the probability $p$ of the class that it predicts. The one mistake is among them.

# %% ko [markdown]
# ## 예측
#
# 사진 40장 가운데 39장을 맞혔다. 아래는 신경망이 가장 자신 없어 하는 열 장과, 예측한 클래스의 확률 $p$이다. 틀린 한 장도 그 안에 있다.

# %%
import kcnn
import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from course import SAVED, check, photographs, show
from kcnn.models import facts
from kcnn.report import receipts
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize

model = kcnn.models.load(SAVED / "resnet20" / "model.keras")
images, labels, names = photographs()
logits = np.asarray(model(images))
predicted = logits.argmax(axis=1)


def smaller(figure, dpi=70):
    figure.set_dpi(dpi)
    return figure


def softmax(logits):
    return np.asarray(tf.nn.softmax(logits))


doubtful = softmax(logits).max(axis=1).argsort()[:10]  # the least certain one first
figure, axes = plt.subplots(2, 5, figsize=(8, 3.6), layout="constrained")
for cell, index in zip(axes.flat, doubtful, strict=True):
    truth, answer = names[labels[index]], names[predicted[index]]
    title = truth if truth == answer else f"{truth}, predicted {answer}"
    show(cell, images[index], f"{title}\np = {softmax(logits[index]).max():.2f}")
plt.show()

# %% assert
assert len(images) == 40 and (predicted == labels).sum() == 39
assert set(np.flatnonzero(predicted != labels)) < set(doubtful)

# %% [markdown]
# ## The first filters
#
# The first convolution has 16 filters of 3x3 pixels in three colors, so they can be drawn as small
# images. Gray means zero. Some filters respond to an edge, some to the contrast of two colors.
# Nobody designed them: training found them.

# %% ko [markdown]
# ## 첫 번째 층의 필터
#
# 첫 번째 합성곱에는 3x3 픽셀, 세 가지 색의 필터가 16개 있어서 작은 그림으로 그릴 수 있다. 회색은 0을 뜻한다. 어떤 필터는 경계에, 어떤 필터는 두 색의 대비에 반응한다. 누가 설계한 것이 아니라 학습이 찾아낸 것이다.

# %%
filters = kcnn.explain.filters(model)
smaller(filters.plot())

# %% assert
assert filters.kernels.shape == (3, 3, 3, 16) and filters.is_rgb

# %% [markdown]
# ## What every layer sees
#
# First a small network, the simple CNN, with **all** of its layers on maps: what goes into each
# and what comes out, from the first convolution on. Four channels of each; the size is written
# beside it. The convolution finds edges, batch norm moves them to its range, ReLU keeps one sign,
# the pooling halves the map.

# %% ko [markdown]
# ## 모든 층이 보는 것
#
# 먼저 작은 신경망인 simple CNN에서, 첫 번째 합성곱부터 특성 맵을 다루는 **모든** 층의 출력을 본다. 층마다 채널 네 개를 그렸고 크기는 옆에 적었다. 합성곱은 경계를 찾고, 배치 정규화는 범위를 맞추고, ReLU는 한쪽 부호만 남기고, 풀링은 특성 맵을 절반으로 줄인다.

# %%
ship = 4 * names.index("ship") + 1
simple = kcnn.models.pretrained("simple_cnn")
on_maps = [layer.name for layer in simple.layers if len(layer.output.shape) == 4]
every = kcnn.explain.feature_maps(simple, images[[ship]], layers=on_maps)

figure, axes = plt.subplots(
    4, len(on_maps), figsize=(1.05 * len(on_maps), 4.4), layout="constrained"
)
for column, (name, maps) in enumerate(every.items()):
    for row in range(4):
        if row < maps.shape[-1]:
            show(axes[row, column], maps[0, :, :, row])
        else:
            axes[row, column].axis("off")
    height, width, channels = maps.shape[1:]
    axes[0, column].set_title(
        f"{name.replace('_', chr(10))}\n{height}x{width}x{channels}", fontsize=7
    )
plt.show()

# %% [markdown]
# Now the ResNet after each of its three stages, eight channels of each. The maps shrink from 32x32
# to 8x8, and their number grows from 16 to 64. The first maps are sharp and show edges; the last
# ones show a few coarse spots: no longer *what it looks like*, but *what is where*.
#
# In a terminal, `kcnn explore saved_models/resnet20 --install` writes a page that draws every layer
# of a network: point at a pixel, and it shows the window, the kernel and the products that made it.

# %% ko [markdown]
# 다음은 ResNet의 세 단계 뒤에 나오는 특성 맵으로, 단계마다 채널 여덟 개씩이다. 크기는 32x32에서 8x8로 줄고 개수는 16개에서 64개로 늘어난다. 처음의 특성 맵은 또렷하고 경계가 보인다. 마지막 특성 맵에는 굵은 점 몇 개만 보인다. *어떻게 생겼는지*가 아니라 *무엇이 어디 있는지*를 나타낸다.
#
# 터미널에서 `kcnn explore saved_models/resnet20 --install`을 실행하면 신경망의 모든 층을 그린 웹 페이지가 만들어진다. 픽셀을 가리키면 그 값을 만든 창과 커널과 곱을 보여 준다.

# %%
seen = kcnn.explain.feature_maps(model, images[[ship]])
smaller(seen.plot(channels=8))

# %% assert
shapes = [maps.shape[1:] for maps in seen.values()]
assert shapes == [(32, 32, 16), (16, 16, 32), (8, 8, 64)]
assert "block1_conv" in " ".join(on_maps)

# %% [markdown]
# ## The class activation map
#
# After the last stage, ResNet averages each of the 64 maps over all places, and one dense layer
# computes a weighted sum of the averages. The order of the two steps does not matter: compute the
# weighted sum of the maps first, and look at it **before** you average. This map shows how much
# each place contributes to the logit. With features $A_k$, weights $w_k$ and $n$ places:
#
# $$\text{logit} = \sum_k w_k \Big(\frac 1n \sum_{\text{places}} A_k\Big) + b
#   = \sum_{\text{places}} \underbrace{\frac 1n \sum_k w_k A_k}_{\text{the map}} + b$$
#
# The proof is the first line of the output: the sum of the map over all places, plus the bias, *is*
# the logit. The map is exact, not an estimate. Places that are evidence against the class are
# negative; most tools set them to zero.

# %% ko [markdown]
# ## 클래스 활성화 맵
#
# 마지막 단계 뒤에서 ResNet은 특성 맵 64개를 각각 모든 위치에 대해 평균하고, 완전 연결층 하나가 그 평균들의 가중합을 구한다. 두 단계의 순서는 바꾸어도 된다. 먼저 특성 맵의 가중합을 구하고, 평균하기 **전에** 그것을 들여다보자. 이 맵은 각 위치가 로짓에 얼마나 기여하는지 보여 준다. 특성 맵을 $A_k$, 가중치를 $w_k$, 위치의 수를 $n$이라고 하면 다음과 같다.
#
# $$\text{logit} = \sum_k w_k \Big(\frac 1n \sum_{\text{places}} A_k\Big) + b
#   = \sum_{\text{places}} \underbrace{\frac 1n \sum_k w_k A_k}_{\text{the map}} + b$$
#
# 출력의 첫 줄이 증명이다. 맵을 모든 위치에 대해 더하고 편향을 더하면 그것이 *바로* 로짓이다. 이 맵은 추정이 아니라 정확한 값이다. 그 클래스를 부정하는 증거가 되는 위치는 음수이며, 대부분의 도구는 이것을 0으로 만든다.

# %%
last = model.get_layer("stage3_block3_relu")
body = keras.Model(model.inputs[0], last.output)
features = np.asarray(body(images))  # [40, 8, 8, 64]
weights, bias = model.get_layer("logits").get_weights()
places = features.shape[1] * features.shape[2]
maps = np.einsum("nhwk,kn->nhw", features, weights[:, predicted]) / places

by_map = maps.sum(axis=(1, 2)) + bias[predicted]
print("largest difference to the logit:", np.abs(by_map - logits.max(axis=1)).max().round(6))

shown = [ship, 4 * names.index("horse") + 1, 4 * names.index("frog"), 4 * names.index("truck")]
limit = np.abs(maps[shown]).max()
colors = ScalarMappable(Normalize(-limit, limit), "RdBu_r")
figure, axes = plt.subplots(2, 4, figsize=(8, 4.2), layout="constrained")
for column, index in enumerate(shown):
    show(
        axes[0, column],
        images[index],
        f"{names[predicted[index]]}, logit {logits[index].max():.1f}",
    )
    axes[1, column].imshow(maps[index], cmap=colors.cmap, norm=colors.norm)
    axes[1, column].axis("off")
figure.colorbar(colors, ax=axes[1], label="share of the logit")
plt.show()

# %% assert
assert features.shape[-1] == 64
assert np.allclose(by_map, logits.max(axis=1), atol=1e-3)

# %% [markdown]
# ## Grad-CAM
#
# Most networks do not end in such a simple way. **Grad-CAM** works for nearly all of them: it
# measures how much the logit grows if a channel becomes a little stronger. That is a gradient,
# averaged over the places: $\bar g_k$ for channel $k$. These averages take the place of the
# weights, and what is negative is set to zero:
#
# $$\text{map} = \max\Big(0, \sum_k \bar g_k A_k\Big)$$
#
# Here we know the result, because the gradient with respect to each feature is $w_k / n$: it is the
# map from above, without its negative places.
#
# The map by hand, the map by gradients and `kcnn.grad_cam` agree to five decimals. `kcnn.grad_cam`
# takes any Keras model, finds the layer itself, and draws the map.

# %% ko [markdown]
# ## Grad-CAM
#
# 대부분의 신경망은 이렇게 단순하게 끝나지 않는다. **Grad-CAM**은 거의 어디에나 쓸 수 있다. 한 채널이 조금 더 강해지면 로짓이 얼마나 커지는지를 잰다. 이것은 위치에 대해 평균한 기울기이며, 채널 $k$에 대한 값을 $\bar g_k$라고 하자. 가중치 대신 이 값을 쓰고, 음수는 0으로 만든다.
#
# $$\text{map} = \max\Big(0, \sum_k \bar g_k A_k\Big)$$
#
# 여기서는 결과를 이미 안다. 각 특성에 대한 기울기가 $w_k / n$이므로, 위에서 구한 맵에서 음수를 없앤 것과 같다.
#
# 손으로 구한 맵, 기울기로 구한 맵, `kcnn.grad_cam`의 맵은 소수점 아래 다섯 자리까지 같다. `kcnn.grad_cam`은 어떤 Keras 모델이든 받아 층을 스스로 찾고 맵을 그려 준다.

# %%
head = keras.Model(last.output, model.output)


def gradients(activation):
    inputs = tf.constant(features)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        scores = tf.gather(activation(head(inputs)), predicted, batch_dims=1)
    return np.asarray(tape.gradient(scores, inputs))


slopes = gradients(tf.identity)
by_gradient = np.einsum("nhwk,nk->nhw", features, slopes.mean(axis=(1, 2)))
heatmaps = kcnn.grad_cam(model, images)
print("by hand and by gradients:   ", np.abs(by_gradient - maps).max().round(6))
print("by hand and by kcnn.grad_cam:", np.abs(heatmaps.raw - np.maximum(maps, 0)).max().round(6))

mistakes = np.flatnonzero(predicted != labels)
some = [ship, *mistakes, *doubtful[:2]]
titles = [f"{names[predicted[index]]} (true: {names[labels[index]]})" for index in some]
smaller(kcnn.grad_cam(model, images[some]).plot(images[some], titles))

# %% assert
assert np.allclose(by_gradient, maps, atol=1e-5)
assert np.allclose(heatmaps.raw, np.maximum(maps, 0), atol=1e-5)

# %% [markdown]
# ## Lie 1: after the softmax
#
# Many tutorials use the gradient of the *probability*. But if a network is confident, its
# probability is close to one whatever you change: the gradient is nearly zero, and the rest of it
# mixes all classes. For the photograph with the highest logit, it is 22 times smaller than the
# gradient of the logit. That is little: this network was trained with label smoothing, which keeps
# logits small. Other networks have larger ones. Multiply the logits by 3, which changes no
# prediction: the gradient of the probability becomes more than 10,000 times smaller than that of the
# logit. `kcnn` uses the logit, also for models that end in a softmax.

# %% ko [markdown]
# ## 거짓말 1: 소프트맥스 뒤의 기울기
#
# 많은 자료가 *확률*의 기울기를 쓴다. 그러나 신경망이 확신할 때에는 무엇을 바꾸어도 확률이 1에 가깝다. 기울기는 거의 0이고, 그나마 모든 클래스가 뒤섞여 있다. 로짓이 가장 큰 사진에서는 로짓의 기울기보다 22배 작다. 이것도 차이가 작은 편이다. 이 신경망은 로짓을 작게 유지하는 레이블 스무딩으로 학습했다. 다른 신경망의 로짓은 더 크다. 로짓에 3을 곱해 보자. 예측은 바뀌지 않지만, 확률의 기울기는 로짓의 기울기보다 10,000배 넘게 작아진다. `kcnn`은 소프트맥스로 끝나는 모델에서도 로짓을 쓴다.

# %%
confident = logits.max(axis=1).argmax()
steepness, ratios = np.linalg.norm(slopes[confident]), {}
for factor in (1, 3):
    after = gradients(lambda scores, factor=factor: tf.nn.softmax(factor * scores))
    ratios[factor] = steepness / np.linalg.norm(after[confident])
    probability = softmax(factor * logits[confident]).max()
    print(
        f"logits times {factor}: {names[predicted[confident]]} with probability {probability:.5f}, "
        f"its gradient is {ratios[factor]:,.0f} times smaller than the logit's"
    )

# %% assert
assert round(ratios[1]) == 22 and ratios[3] > 10_000
assert round(float(probability)) == 1

# %% [markdown]
# ## Lie 2: there is a map for every class
#
# The image of the ship also has a map for the class "cat". As each map is drawn on its own scale,
# it looks just as bright. So look at the **logit** first, and at the strength of the map before it
# is scaled. The strongest place for "cat" has less than a fifth of the value of the strongest place
# for "ship". `class_index=(a, b)` answers the better question: *why a rather than b*.

# %% ko [markdown]
# ## 거짓말 2: 모든 클래스에 맵이 있다
#
# 배 사진에는 "cat" 클래스의 맵도 있다. 맵마다 자기 척도로 그리므로 똑같이 밝아 보인다. 그러니 먼저 **로짓**을 보고, 척도를 맞추기 전의 세기를 보아야 한다. "cat"의 가장 강한 위치는 "ship"의 가장 강한 위치의 5분의 1도 되지 않는다. `class_index=(a, b)`는 더 나은 물음, 곧 *왜 b가 아니라 a인가*에 답한다.

# %%
classes = [names.index("ship"), names.index("cat")]
pair = np.stack([images[ship]] * 2)
both = kcnn.grad_cam(model, pair, class_index=classes)
peaks = both.raw.max(axis=(1, 2))
captions = [
    f"{names[k]}: logit {score:.1f}, peak {peak:.2f}"
    for k, score, peak in zip(classes, both.score, peaks, strict=True)
]
smaller(both.plot(pair, captions))

# %% assert
assert both.score[0] > both.score[1]
assert peaks[1] / peaks[0] < 1 / 5

# %% [markdown]
# ## Lie 3: a place is not a pixel
#
# The map has 8x8 places and is resized to 32x32 pixels for the picture: its smooth outline comes
# from the resizing, not from the network. And a place sees far more than the 4x4 pixels that it
# covers: after nineteen convolutions its receptive field is 81 pixels wide, wider than the image.
# If the heat is on the bow, that does not mean that the network used only the bow.

# %% ko [markdown]
# ## 거짓말 3: 위치는 픽셀이 아니다
#
# 맵에는 위치가 8x8개 있고, 그림을 그릴 때 32x32픽셀로 늘린다. 매끄러운 윤곽은 신경망이 아니라 늘리는 과정에서 생긴 것이다. 또 한 위치는 자기가 덮는 4x4픽셀보다 훨씬 넓은 곳을 본다. 합성곱을 열아홉 번 지나면 수용 영역의 너비가 81픽셀로 이미지보다 넓다. 뱃머리가 뜨겁다고 해서 신경망이 뱃머리만 썼다는 뜻은 아니다.

# %%
figure, axes = plt.subplots(1, 3, figsize=(7, 2.5), layout="constrained")
show(axes[0], images[ship], "image, 32x32")
axes[1].imshow(maps[ship], cmap="RdBu_r", vmin=-limit, vmax=limit)
axes[1].set_title("the map, 8x8", fontsize=9)
axes[2].imshow(maps[ship], cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="bicubic")
axes[2].set_title("the same, made smooth", fontsize=9)
for cell in axes[1:]:
    cell.axis("off")
plt.show()
print("receptive field of a place:", facts.read()["resnet20"].receptive_field)

# %% assert
assert images.shape[1] // features.shape[1] == 4
assert facts.read()["resnet20"].receptive_field == (81, 81)
assert sum(isinstance(layer, keras.layers.Conv2D) for layer in model.layers) == 19

# %% [markdown]
# ## Does the map depend on the network at all?
#
# An edge detector also draws a plausible outline of a ship, although it knows nothing about ships.
# So a map should pass tests, in which it is compared with a random map and with a map of edges:
#
# * **deletion, insertion**: replace the hottest places by gray first, and the probability should
#   fall quickly; or show them first, and it should rise quickly;
# * **randomized weights**: replace the weights by random ones; if the map does not change, it shows
#   the image and not the network;
# * **planted patch, mosaic**: paste a patch of another class, or tile four photographs; now the
#   correct place is *known*.

# %% ko [markdown]
# ## 맵은 정말 신경망에 따라 달라지는가?
#
# 경계 검출기도 배의 그럴듯한 윤곽을 그린다. 배에 대해 아무것도 모르는데도 그렇다. 그러므로 맵은 무작위 맵, 경계 맵과 비교하는 시험을 통과해야 한다.
#
# * **삭제, 삽입**: 가장 뜨거운 위치부터 회색으로 덮으면 확률이 빨리 떨어져야 한다. 가장 뜨거운 위치부터 보여 주면 확률이 빨리 올라가야 한다.
# * **가중치 무작위화**: 가중치를 무작위로 바꾼다. 그래도 맵이 그대로라면 그 맵은 신경망이 아니라 이미지를 보여 주는 것이다.
# * **붙여 넣은 조각, 모자이크**: 다른 클래스의 조각을 붙이거나 사진 네 장을 이어 붙인다. 그러면 올바른 위치를 *안다*.

# %%
checked = kcnn.explain.check(model, images[::2], labels[::2])  # every other image, to save time
print(checked)

# %% [markdown]
# Read these numbers with their intervals, which are wide for so few images. Grad-CAM finds the
# planted patch and the correct tile far more often than a random map, and it changes when the
# weights are random. But in the deletion test it is within 0.15 of the random map, because a
# network is disturbed when *any* part of an image turns gray. The maps are better than nothing, but
# they are not proof.

# %% ko [markdown]
# 이 수치들은 구간과 함께 읽어야 한다. 이미지가 적어서 구간이 넓다. Grad-CAM은 붙여 넣은 조각과 올바른 타일을 무작위 맵보다 훨씬 자주 찾아내고, 가중치가 무작위이면 맵이 달라진다. 그러나 삭제 시험에서는 무작위 맵과 0.15 이내로 비슷하다. 이미지의 *어느* 부분이든 회색이 되면 신경망이 흔들리기 때문이다. 맵은 없는 것보다 낫지만 증거는 아니다.

# %%
smaller(checked.plot(), dpi=100)

# %% assert
for score in (checked.insertion.score, checked.planted_patch.peak, checked.mosaic.peak):
    assert "random" in score.beats
assert checked.randomization.score.estimates["own"].mean < 0.5
deletion = checked.deletion.score.estimates
assert abs(deletion["own"].mean - deletion["random"].mean) < 0.15

# %% [markdown]
# ## After compression
#
# Does the network on the phone still use the same places? The `.tflite` file ends in the same
# average and dense layer, so its map can be computed from the file itself. With 8 bits the maps
# hardly change: the correlation is above 0.99. Pruning half of the weights lowers the accuracy by
# only 1.3 points, but the strongest place moves by 4 pixels on average: the evidence can change
# where the prediction stays.

# %% ko [markdown]
# ## 압축한 뒤
#
# 휴대전화에 들어간 신경망도 같은 위치를 볼까? `.tflite` 파일도 같은 평균과 완전 연결층으로 끝나므로, 파일에서 바로 맵을 계산할 수 있다. 8비트로 바꾸어도 맵은 거의 변하지 않는다. 상관계수가 0.99보다 크다. 가중치의 절반을 가지치기하면 정확도는 1.3 %p만 낮아지지만, 가장 강한 위치는 평균 4픽셀 옮겨 간다. 예측이 그대로여도 근거는 달라질 수 있다.

# %%
variants = ("model_int8", "model_pruned_int8")
files = [SAVED / "resnet20" / f"{variant}.tflite" for variant in variants]
moved = dict(zip(variants, kcnn.explain.drift(model, *files, images=images), strict=True))
report = receipts.load(SAVED / "resnet20" / "report.json")
scores, same = {each.file: each.accuracy for each in report.receipts}, {}
for variant, drift in moved.items():
    answers = kcnn.predict(SAVED / "resnet20" / f"{variant}.tflite", images).probabilities
    same[variant] = int((answers.argmax(axis=1) == predicted).sum())
    print(
        f"{variant}: {scores[f'{variant}.tflite']:.2%} of all test images, {same[variant]} of these 40 predicted alike"
    )
    print(f"    correlation {drift.correlation}, peak moved by {drift.shift} pixels")

# %% assert
assert moved["model_int8"].correlation.mean > 0.99
assert 0.85 < moved["model_pruned_int8"].correlation.mean < 0.95
assert moved["model_int8"].shift.mean < 1 and same["model_pruned_int8"] >= 36
assert round(moved["model_pruned_int8"].shift.mean) == 4
assert round(100 * (scores[files[0].name] - scores[files[1].name]), 1) == 1.3
assert np.iinfo("int8").bits == 8

# %% [markdown]
# A heat map shows where the evidence for a class is, as one layer sees it. It does not show whether
# the network is right, nor whether a change at that place would change the prediction. To find that
# out, change the image and look at the prediction.
#
# ## Exercises
#
# **Exercise 1.** Write a function that returns the CAM of one image from its features
# `[height, width, channels]` and the weights `[channels]` of a class, so that the sum of the map is
# the logit without its bias.

# %% ko [markdown]
# 히트맵은 한 층에서 볼 때 어떤 클래스의 증거가 어디 있는지 보여 준다. 신경망이 옳은지, 그 위치를 바꾸면 예측이 바뀌는지는 보여 주지 않는다. 그것을 알려면 이미지를 바꾸고 예측을 보아야 한다.
#
# ## 연습 문제
#
# **문제 1.** 이미지 한 장의 특성 `[height, width, channels]`와 한 클래스의 가중치 `[channels]`로 CAM을 구하는 함수를 작성하라. 맵의 합은 편향을 뺀 로짓이어야 한다.


# %% exercise
def cam(features, weights):
    return ...


check("cam", cam)


# %% solution
def cam(features, weights):
    height, width, _ = features.shape
    return features @ weights / (height * width)


check("cam", cam)

# %% [markdown]
# **Exercise 2.** You randomize all weights of a network, and the heat maps of a method stay the
# same. What do these maps show: "the network" or "the image"?

# %% ko [markdown]
# **문제 2.** 신경망의 가중치를 모두 무작위로 바꾸었는데도 어떤 방법의 히트맵이 그대로이다. 그 히트맵이 보여 주는 것은 신경망("the network")인가, 이미지("the image")인가?

# %% exercise
what = ...
check("randomized", what)

# %% solution
what = "the image"
check("randomized", what)

# %% [markdown]
# **Exercise 3.** One prediction for the 40 photographs is wrong. Which probability does the network
# give to the correct class of that photograph? (Use `logits`, `predicted` and `labels`.)

# %% ko [markdown]
# **문제 3.** 사진 40장 가운데 한 장의 예측이 틀렸다. 신경망은 그 사진의 정답 클래스에 얼마의 확률을 주는가? (`logits`, `predicted`, `labels`를 쓴다.)

# %% exercise
probability = ...
check("probability of the truth", probability)

# %% solution
wrong = predicted != labels
probability = softmax(logits)[wrong, labels[wrong]][0]
check("probability of the truth", probability)
