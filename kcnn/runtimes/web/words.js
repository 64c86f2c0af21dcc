// Every word of the page, in English and in Korean.

export const WORDS = {
  en: {
    intro: "Everything is computed in this browser; no picture leaves the device.",
    loading: "Loading the model …",
    drop: "Drop a picture here, paste one, or choose a file",
    camera: "Use the camera", "camera.stop": "Stop the camera",
    "no.camera": "The camera cannot be used ({reason}).",
    unreadable: "{name} cannot be read as a picture ({reason}).",
    best: "{labels}", none: "None of the classes",
    failed: "{reason}", missing: "{reason}. Run npm ci in this folder first.",
    size: "What the model sees: {width} × {height} pixels",
    speed: "{milliseconds} ms, the mean of {runs} runs",
    golden: "Golden images", differs: "✗ differs",
    same: "All {count} answers equal LiteRT's on a computer, bit for bit.",
    unlike: "{exact} of {count} answers equal LiteRT's on a computer, bit for bit; the others differ.",
  },
  ko: {
    intro: "모든 계산은 이 브라우저 안에서 이루어지며, 사진은 기기 밖으로 나가지 않습니다.",
    loading: "모델을 불러오는 중입니다 …",
    drop: "사진을 여기에 끌어다 놓거나 붙여 넣거나, 파일을 선택하세요",
    camera: "카메라 사용", "camera.stop": "카메라 끄기",
    "no.camera": "카메라를 사용할 수 없습니다 ({reason}).",
    unreadable: "{name}: 사진으로 읽을 수 없습니다 ({reason}).",
    best: "{labels}", none: "해당하는 클래스 없음",
    failed: "{reason}", missing: "{reason}. 먼저 이 폴더에서 npm ci를 실행하세요.",
    size: "모델이 보는 사진: {width} × {height} 픽셀",
    speed: "{milliseconds} ms, {runs}회 실행의 평균",
    golden: "기준 이미지", differs: "✗ 다름",
    same: "{count}개의 답이 모두 컴퓨터에서 실행한 LiteRT의 답과 비트까지 같습니다.",
    unlike: "{count}개의 답 중 {exact}개가 컴퓨터에서 실행한 LiteRT의 답과 비트까지 같고, 나머지는 다릅니다.",
  },
};
