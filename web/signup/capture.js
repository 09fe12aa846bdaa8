// Runs where the browser processes audio: hands on what the microphone gives, channel by channel, as it comes.

const FRAMES = 2048;

class Capture extends AudioWorkletProcessor {
  constructor() {
    super();
    this.filled = 0;
    this.channels = [];
  }

  process(inputs) {
    const input = inputs[0];
    // Without a source there is no channel at all; nothing came then.
    if (!input || input.length === 0) return true;
    if (this.channels.length !== input.length) {
      this.flush();
      this.channels = input.map(() => new Float32Array(FRAMES));
    }
    const length = input[0].length;
    if (this.filled + length > FRAMES) this.flush();
    input.forEach((samples, nth) => this.channels[nth].set(samples, this.filled));
    this.filled += length;
    return true;
  }

  flush() {
    if (this.filled > 0) {
      this.port.postMessage(this.channels.map((samples) => samples.slice(0, this.filled)));
      this.filled = 0;
    }
  }
}

registerProcessor("capture", Capture);
