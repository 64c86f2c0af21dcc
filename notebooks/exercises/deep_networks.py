"""Exercises of the lesson on deep networks."""

from exercises.kinds import choice, number

EXERCISES = {
    "resnet n": number(
        9,
        ("There are 1 + 3 * n * 2 + 1 = 56 layers.", "층의 수는 1 + 3 * n * 2 + 1 = 56입니다."),
        {
            18: ("A unit has two convolutions.", "유닛 하나에 합성곱이 두 개 있습니다."),
            27: ("That is the number of all units.", "유닛 전체의 수입니다."),
        },
    ),
    "degradation": choice(
        "degradation",
        {
            "overfitting": (
                "Overfitting would mean a high training accuracy.",
                "과적합이라면 학습 정확도가 높아야 합니다.",
            ),
            "vanishing data": (
                "All networks saw the same images.",
                "모두 같은 이미지를 보았습니다.",
            ),
        },
        (
            "It is worse on the images that it was trained on.",
            "학습에 쓴 바로 그 이미지에서 더 나쁩니다.",
        ),
    ),
    "bottleneck": number(
        69_632,
        (
            "Add up three convolutions: 256 to 64, 64 to 64, 64 to 256.",
            "합성곱 세 개를 더하세요: 256 → 64, 64 → 64, 64 → 256.",
        ),
        {
            53_248: ("You forgot one of the 1x1 convolutions.", "1x1 합성곱 하나를 빠뜨렸습니다."),
            589_824: (
                "That is a 3x3 convolution from 256 to 256 without bottleneck.",
                "병목이 없는 256 → 256의 3x3 합성곱입니다.",
            ),
        },
    ),
}
