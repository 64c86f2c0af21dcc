"""The labels of the lessons' figures in Korean.

`{}` stands for any text, a number or a class name for example, which is copied; `{0}`, `{1}` copy
in another order. Of several patterns that fit a label, the one with the most letters counts. What
a Korean textbook writes in Latin letters too is in `NAMES`.
"""

KOREAN = {
    # Several lessons.
    "image": "이미지",
    "kernel": "커널",
    "epoch": "에포크",
    "loss": "손실",
    "layer": "층",
    "learning rate": "학습률",
    "test accuracy (%)": "테스트 정확도 (%)",
    "{}, predicted {}": "{}, 예측: {}",
    "image, {}x{}": "이미지, {}x{}",
    # 1. Convolution
    "response: red +, blue −": "응답: 빨강 +, 파랑 −",
    "vertical edges": "세로 경계",
    "horizontal edges": "가로 경계",
    "pixel": "픽셀",
    "output": "출력",
    "index of the weight": "가중치의 번호",
    "signal": "신호",
    "smoothed": "부드럽게 한 신호",
    "slope": "기울기",
    "frame {} minus frame {}": "프레임 {} − 프레임 {}",
    "frame {}": "프레임 {}",
    "initial": "처음",
    "learned": "학습한 뒤",
    "loss by epoch": "에포크별 손실",
    # 2. Sizes and shifts
    "edges of a white image, constant": "흰 이미지의 경계, 0으로 채움",
    "edges of a white image, reflect": "흰 이미지의 경계, reflect",
    "default\n{} x {} outputs": "기본값\n출력 {} x {}",
    "padding {}\n{} x {} outputs": "패딩 {}\n출력 {} x {}",
    "stride {}\n{} x {} outputs": "스트라이드 {}\n출력 {} x {}",
    "dilation {}\n{} x {} outputs": "팽창 {}\n출력 {} x {}",
    "response": "응답",
    "moved image": "옮긴 이미지",
    "moved response": "옮긴 이미지의 응답",
    "perceptron": "퍼셉트론",
    "pixels to the right and down": "오른쪽과 아래로 옮긴 픽셀 수",
    # 3. Pooling
    "maximum": "최댓값",
    "average": "평균",
    "minimum": "최솟값",
    "size {}, stride {}: {} to {}": "창 {}, 스트라이드 {}: {}~{}번",
    "pooled": "풀링한 것",
    "upsampled": "업샘플링한 것",
    "maxima at their places": "제자리에 놓은 최댓값",
    "face: the votes are {} pixels apart": "얼굴: 표 사이의 거리 {}픽셀",
    "moved face: the votes are {} pixels apart": "옮긴 얼굴: 표 사이의 거리 {}픽셀",
    "scrambled: the votes are {} pixels apart": "뒤섞은 것: 표 사이의 거리 {}픽셀",
    # 4. Activations
    "value": "값",
    "ReLU, dead": "죽은 ReLU",
    "training step": "학습 단계",
    "mean": "평균",
    "standard deviation": "표준편차",
    "Dropout: {} maps of one image": "Dropout: 이미지 한 장의 특성 맵 {}개",
    "SpatialDropout2D: {} maps of one image": "SpatialDropout2D: 이미지 한 장의 특성 맵 {}개",
    "RMS of the signal": "신호의 RMS",
    # 5. LeNet, AlexNet, Network in Network
    "map of C3": "C3의 특성 맵",
    "map of S2": "S2의 특성 맵",
    "rate {}": "학습률 {}",
    "training error": "학습 오류율",
    # 6. Deep networks
    "weights (millions)": "가중치 (백만 개)",
    "MACs (millions)": "MAC (백만 번)",
    "convolution": "합성곱",
    "training images (%)": "학습 이미지 (%)",
    "validation images (%)": "검증 이미지 (%)",
    "plain, {} layers": "평범한 신경망, 층 {}개",
    "with residual connections": "잔차 연결이 있는 신경망",
    "convolution, from the input to the output": "합성곱, 입력에서 출력 쪽으로",
    "gradient / weights": "기울기 / 가중치",
    # 7. Training
    "training loss": "학습 손실",
    "validation loss": "검증 손실",
    "saved": "저장됨",
    "best epoch: restored": "가장 좋은 에포크: 복원됨",
    "epoch; dotted: the rate is divided by {}": "에포크; 점선: 학습률을 {}로 나눔",
    # 8. Rates, optimizers, augmentation, transfer
    "step": "계단",
    "cosine": "코사인",
    "cosine, warm-up": "코사인, 워밍업",
    "one-cycle": "원사이클",
    "{}: {} from the minimum": "{}: 최솟값까지 {}",
    "mixup: {} % ship, {} % frog": "mixup: ship {} %, frog {} %",
    "cutmix: {} % ship, {} % frog": "cutmix: ship {} %, frog {} %",
    "momentum: {} from the minimum": "모멘텀: 최솟값까지 {}",
    "SGD, momentum {}": "SGD, 모멘텀 {}",
    "test accuracy (%), one point for each training": "테스트 정확도 (%), 학습마다 점 하나",
    # 9. Onto a phone
    "weight of the dense layer": "완전 연결층의 가중치",
    "count": "개수",
    "weight": "가중치",
    "from {} bits": "{}비트에서 되돌린 값",
    "logit, float": "로짓, 실수(float)",
    "logit, int8": "로짓, int8",
    # 10. Look inside: the labels of kcnn's own figures too
    "{}: {} filters of {} x {} x {}": "{}: 필터 {}개, 크기 {} x {} x {}",
    "{}: zero": "{}: 모두 0",
    "image {}: {} x {} x {}": "이미지 {}: {} x {} x {}",
    "{}; {} of {} channels all zero: {}": "{0}; 채널 {2}개 중 {1}개가 모두 0: {3}",
    "Each channel on its own scale; above it, its number and largest value": (
        "채널마다 자기 척도로 그림; 위는 채널 번호와 최댓값"
    ),
    "{}\np = {}": "{}\np = {}",
    "{}, logit {}": "{}, 로짓 {}",
    "{}: logit {}, peak {}": "{}: 로짓 {}, 최댓값 {}",
    "{} (true: {})": "{} (정답: {})",
    "{}\n(no positive evidence)": "{}\n(증거 없음)",
    "share of the logit": "로짓에서 차지하는 몫",
    "{} at layer {}, {} images": "{}, 층 {}, 이미지 {}장",
    "{} at layer {}, {} images\nmeans and their {} % intervals": (
        "{}, 층 {}, 이미지 {}장\n평균과 {} % 구간"
    ),
    "{} at layer {}": "{}, 층 {}",
    "evidence for the class\n(1 = the map's own peak)": "클래스의 증거\n(1 = 맵 자신의 최댓값)",
    "the map, {}x{}": "맵, {}x{}",
    "the same, made smooth": "같은 맵을 매끄럽게 늘린 것",
    "Deletion: lower is better": "삭제: 낮을수록 좋음",
    "Insertion: higher is better": "삽입: 높을수록 좋음",
    "share of the pixels deleted, hottest first": "지운 픽셀의 비율, 뜨거운 곳부터",
    "share of the pixels inserted, hottest first": "보여 준 픽셀의 비율, 뜨거운 곳부터",
    "probability of the class": "클래스의 확률",
    "this map": "이 맵",
    "this map, area {}": "이 맵, 넓이 {}",
    "random": "무작위",
    "random, area {}": "무작위, 넓이 {}",
    "edges": "경계",
    "edges, area {}": "경계, 넓이 {}",
    "chance": "우연",
    "trained": "학습된 것",
    "random from the logits down to": "로짓에서 이 층까지 무작위",
    "rank correlation with the trained maps": "학습된 맵과의 순위 상관계수",
    "Randomized weights: should fall": "가중치 무작위화: 내려가야 함",
    "share in the right place": "올바른 위치에 있는 비율",
    "Ground truth: higher is better": "정답 위치: 높을수록 좋음",
    "planted patch\nheat\n{} images": "붙여 넣은 조각\n히트맵\n이미지 {}장",
    "planted patch\npeak\n{} images": "붙여 넣은 조각\n최댓값\n이미지 {}장",
    "mosaic\nheat\n{} images": "모자이크\n히트맵\n이미지 {}장",
    "mosaic\npeak\n{} images": "모자이크\n최댓값\n이미지 {}장",
    # 11. Common mistakes
    "pixels to the right": "오른쪽으로 옮긴 픽셀 수",
    "same prediction, of {}": "예측이 같은 사진, {}장 중",
}

NAMES = frozenset(
    (
        *("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
        *("sigmoid", "tanh", "ReLU", "leaky ReLU", "ELU", "SELU", "Swish", "GELU"),
        *("relu", "leaky_relu", "elu", "selu", "swish", "gelu"),
        *("L2", "He", "Glorot", "LeCun", "normal(0, 0.01)", "normal(0, 1)"),
        *("simple CNN", "plain 20", "plain 56", "ResNet-20", "ResNet-56"),
        *("SGD", "Adam", "AdamW", "RMSprop"),
        *("none", "shift", "mirror", "rotate_color", "zoom", "resized_crop"),
        *("cutout", "mixup", "cutmix"),
        *("logits", "dense"),
        *("img / 2 + 0.5", "img * std + mean"),
    )
)
"""Names of classes, functions, networks and arguments, which the code and its output have too."""

LAYERS = r"(?=[\s\S]*[_\d])[a-z]+\d*(?:[_\n][a-z]+\d*)*(?:(?:\n|: )\d+(?: ?x ?\d+)*)?"
"""A regular expression of a layer's name that has a number or an underscore; a size may follow."""
