"""The methods of explanation: each computes maps [n, h, w] from an observation.

Evidence against the class is negative; `grad_cam` sets it to zero.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any, cast

import tensorflow as tf

from kcnn.explain.enlarge import enlarged
from kcnn.explain.heads import logits, static_shape
from kcnn.explain.observation import Observation, batch_size


def gradcam(seen: Observation) -> tf.Tensor:
    """Sum the channels, each weighted by the mean over space of its gradient."""
    weights = tf.reduce_mean(seen.gradients(), axis=seen.axes, keepdims=True)
    return tf.reduce_sum(weights * seen.features, axis=-1)


def gradcam_plus_plus(seen: Observation) -> tf.Tensor:
    """Sum the channels A, each weighted by its positive gradients; strong channels count less.

    This is the paper's closed form. With G the gradient of the logit, the weight of a channel is
    the sum over space of alpha relu(G), where alpha = G^2 / (2 G^2 + sum(A) G^3). The paper's
    factor exp(score) is left out: it is one number for the whole map, and it would overflow.
    """
    slopes = tf.nn.relu(seen.gradients())
    total = tf.reduce_sum(seen.features, axis=seen.axes, keepdims=True)
    weights = tf.math.divide_no_nan(slopes, 2 + total * slopes)
    weights = tf.reduce_sum(weights, seen.axes, keepdims=True)
    return tf.reduce_sum(weights * seen.features, axis=-1)


def hirescam(seen: Observation) -> tf.Tensor:
    """Multiply each value by its own gradient, and sum over the channels."""
    return tf.reduce_sum(seen.gradients() * seen.features, axis=-1)


def layercam(seen: Observation) -> tf.Tensor:
    """Multiply each value by its own gradient where that is positive, and sum over the channels."""
    return tf.reduce_sum(tf.nn.relu(seen.gradients()) * seen.features, axis=-1)


def scorecam(seen: Observation) -> tf.Tensor:
    """Sum the channels, each weighted by the score of the image that the channel masks.

    To mask the image, a channel is resized to it, scaled to 0-1 and multiplied with it. The weights
    are the softmax, over the channels, of the scores of these masked images. No gradients.
    """
    return tf.stack([_scorecam(seen, n) for n in range(len(seen.images))])


def _scorecam(seen: Observation, n: int) -> tf.Tensor:
    axes = seen.axes
    image, maps = seen.images[n], tf.transpose(seen.features[n], (len(axes), *range(len(axes))))
    low, high = tf.reduce_min(maps, axes), tf.reduce_max(maps, axes)
    maps = maps[low < high]  # a constant channel marks no place
    if not len(maps):
        return tf.zeros(seen.features.shape[1:-1])
    scores, size = [], batch_size(static_shape(seen.images))
    for start in range(0, len(maps), size):
        masks = enlarged(maps[start : start + size].numpy(), static_shape(image)[:-1])[..., None]
        low = tf.reduce_min(masks, axes, keepdims=True)
        span = tf.reduce_max(masks, axes, keepdims=True) - low
        masked = tf.math.divide_no_nan(masks - low, span) * image
        scores.append(tf.linalg.matvec(logits(seen.site.model, masked), seen.target[n]))
    weights = tf.nn.softmax(tf.concat(scores, 0))
    return tf.tensordot(weights, maps, axes=1)


def cam(seen: Observation) -> tf.Tensor:
    """Sum the channels, each weighted by the head's own weight over the number of positions.

    Before its negative values are set to zero, a map adds up to the logit minus the bias.

    Raises:
        ValueError: the logits are not weighted means of the layer's channels.
    """
    features = seen.features
    kernel, bias = _head(seen)
    means = tf.reduce_mean(features, axis=seen.axes)
    if kernel.shape[0] != means.shape[1] or kernel.shape[1] != seen.logits.shape[1]:
        raise _not_pooled(seen)
    # The values are compared, so it does not matter how the model computes the mean.
    rounding = 1e-4 if seen.output.dtype == tf.float32 else 0.05
    size = tf.abs(means) @ tf.abs(kernel) + tf.abs(bias)
    error = tf.abs(means @ kernel + bias - seen.logits)
    if tf.reduce_any(error > rounding * size):
        raise _not_pooled(seen)
    weights = tf.matmul(seen.target, kernel, transpose_b=True)
    return tf.einsum("n...k,nk->n...", features, weights) / prod(static_shape(features)[1:-1])


def _head(seen: Observation) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the kernel [k, classes] and the bias after the layer, in the model's precision."""
    head = cast("Any", seen.site.head)
    if head is None:  # the means of the channels are the logits, as in Network in Network
        kernel, bias = tf.eye(static_shape(seen.features)[-1]), None
    else:
        kernel = tf.cast(tf.cast(head.kernel, head.compute_dtype), "float32")
        kernel = tf.reshape(kernel, (-1, kernel.shape[-1]))  # a 1x1 convolution is a dense layer
        bias = getattr(head, "bias", None)
    bias = tf.zeros((1,)) if bias is None else tf.cast(bias, "float32")
    if kernel.shape[1] == 1:  # one output, which is the evidence for the second of two classes
        return tf.concat([-kernel, kernel], axis=1), tf.concat([-bias, bias], axis=0)
    return kernel, bias


def _not_pooled(seen: Observation) -> ValueError:
    return ValueError(
        "Method 'cam' needs logits that are weighted means of the layer's channels: global average "
        f"pooling, then one Dense layer. Those of {seen.site.model.name!r} are not, from layer "
        f"{seen.site.layer!r}. Use 'hirescam' or 'gradcam'."
    )


@dataclass(frozen=True)
class Method:
    """A method of explanation.

    Attributes:
        title: its name, as its paper writes it.
        paper: the address of the paper.
        maps: the function that computes its maps [n, h, w] from an observation.
    """

    title: str
    paper: str
    maps: Callable[[Observation], tf.Tensor]


METHODS = {
    "gradcam": Method("Grad-CAM", "https://arxiv.org/abs/1610.02391", gradcam),
    "gradcam++": Method("Grad-CAM++", "https://arxiv.org/abs/1710.11063", gradcam_plus_plus),
    "hirescam": Method("HiResCAM", "https://arxiv.org/abs/2011.08891", hirescam),
    "layercam": Method("LayerCAM", "https://doi.org/10.1109/TIP.2021.3089943", layercam),
    "scorecam": Method("Score-CAM", "https://arxiv.org/abs/1910.01279", scorecam),
    "cam": Method("CAM", "https://arxiv.org/abs/1512.04150", cam),
}
"""The methods of `kcnn.grad_cam` by their names."""
