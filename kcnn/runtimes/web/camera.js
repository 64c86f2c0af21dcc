// The camera as a stream of pictures, each one classified before the next is taken.

export class Camera {
  /** `take` gets the video, and is waited for; `changed` gets whether the camera is on. */
  constructor(video, take, changed) {
    [this.video, this.take, this.changed] = [video, take, changed];
  }

  async toggle() {
    if (this.stream) return this.stop();
    const wanted = { video: { facingMode: "environment" }, audio: false };
    this.stream = await navigator.mediaDevices.getUserMedia(wanted);
    this.video.srcObject = this.stream;
    this.changed(true);
    try {
      await this.video.play();
      while (this.stream) {
        await this.take(this.video);
        await new Promise(requestAnimationFrame);
      }
    } finally {
      this.stop();
    }
  }

  stop() {
    if (!this.stream) return;
    for (const track of this.stream.getTracks()) track.stop();
    this.stream = this.video.srcObject = null;
    this.changed(false);
  }
}
