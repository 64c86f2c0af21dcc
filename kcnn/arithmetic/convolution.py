"""One convolution: the size of its output, its parameters and its multiply-accumulates."""

from collections.abc import Sequence
from math import prod
from numbers import Integral

from kcnn.checks import check_count
from kcnn.errors import unknown

PADDINGS = ("valid", "same", "full")


def output_size(
    size: int, kernel: int, *, stride: int = 1, padding: str | int = "valid", dilation: int = 1
) -> int:
    """Return the length of a convolution's or pooling's output along one axis.

    A kernel with `dilation` d spans d(k - 1) + 1 pixels. With p pixels of padding on each side
    there are floor((n + 2p - d(k - 1) - 1) / s) + 1 positions for it.

    Args:
        size: pixels of the input along the axis, n.
        kernel: weights along the axis, k.
        stride: pixels from one position to the next, s.
        padding: "valid" (p = 0), "full" (p = d(k - 1): an output wherever kernel and input
            overlap), "same" (as Keras pads: ceil(n / s) outputs), or p itself.
        dilation: pixels from one weight to the next, d.

    Source: Dumoulin and Visin, "A guide to convolution arithmetic for deep learning" (2016),
    https://arxiv.org/abs/1603.07285.

    Raises:
        ValueError: an argument is out of its range, or the kernel spans more than the padded input.

    >>> output_size(32, 5), output_size(227, 11, stride=4), output_size(224, 7, stride=2, padding=3)
    (28, 55, 112)
    """
    check_count("size", size)
    check_count("stride", stride)
    span = same_padding(kernel, dilation) + 1
    if padding == "same":
        return -(-size // stride)
    padded = size + 2 * _one_side(padding, span)
    if padded < span:
        raise ValueError(
            f"The kernel spans {span} pixels, more than the {padded} of the padded input. "
            f"Received: size={size}, kernel={kernel}, dilation={dilation}, padding={padding!r}"
        )
    return (padded - span) // stride + 1


def _one_side(padding: str | int, span: int) -> int:
    if padding in PADDINGS:
        return span - 1 if padding == "full" else 0
    if not isinstance(padding, Integral):
        raise unknown("padding", padding, PADDINGS)
    check_count("padding", padding, minimum=0)
    return int(padding)


def same_padding(kernel: int, dilation: int = 1) -> int:
    """Return the padding, both sides together, with which stride 1 keeps the size: 2p = d(k - 1).

    It is even for every odd kernel; for an even kernel the two sides cannot have equal padding.

    Args:
        kernel: weights along the axis, k.
        dilation: pixels from one weight to the next, d.

    Raises:
        ValueError: an argument is not an integer of at least 1.

    >>> same_padding(3), same_padding(5), same_padding(3, dilation=2)
    (2, 4, 4)
    """
    check_count("kernel", kernel)
    check_count("dilation", dilation)
    return dilation * (kernel - 1)


def conv_parameters(
    channels: int,
    filters: int,
    kernel: int,
    *,
    rank: int = 2,
    groups: int = 1,
    bias: bool = True,
) -> int:
    """Return the number of a convolution's parameters.

    Each filter has k^rank * (channels / groups) weights, and a bias if there is one.

    Args:
        channels: of the input.
        filters: channels of the output.
        kernel: weights along every axis, k.
        rank: number of convolved axes: 1 for series, 2 for images, 3 for voxels.
        groups: parts that channels and filters are split into; `groups=channels` is depthwise.
        bias: whether each filter has a bias.

    Raises:
        ValueError: an argument is out of its range, or `groups` does not divide both.

    >>> conv_parameters(3, 96, 11), conv_parameters(96, 256, 5, groups=2)
    (34944, 307456)
    """
    counts = {"channels": channels, "filters": filters, "kernel": kernel, "rank": rank}
    for name, count in (counts | {"groups": groups}).items():
        check_count(name, count)
    if channels % groups or filters % groups:
        raise ValueError(
            f"groups must divide {channels} channels and {filters} filters. "
            f"Received: groups={groups}"
        )
    return kernel**rank * (channels // groups) * filters + (filters if bias else 0)


def conv_macs(
    channels: int, filters: int, kernel: int, outputs: Sequence[int], *, groups: int = 1
) -> int:
    """Return the multiply-accumulates (MACs) of a convolution on one image.

    There is one for each weight at each position. By the field's convention biases cost nothing,
    and padding counts as if it were part of the image.

    Args:
        channels: of the input.
        filters: channels of the output.
        kernel: weights along every axis.
        outputs: pixels of the output along each axis, from `output_size`: (height, width).
        groups: parts that channels and filters are split into.

    Raises:
        ValueError: an argument is out of its range, or `groups` does not divide both.

    >>> conv_macs(3, 16, 3, (32, 32))
    442368
    """
    for size in outputs:
        check_count("outputs", size)
    weights = conv_parameters(
        channels, filters, kernel, rank=len(outputs), groups=groups, bias=False
    )
    return prod(outputs) * weights
