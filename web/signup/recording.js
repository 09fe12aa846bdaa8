// A recording of one voice: of several channels one, as 16-bit PCM at the rate it came.

/** Seconds after which it is decided which channel is heard. */
const DECIDED_AFTER = 0.5;

/** A channel with less than this share of the loudest one's energy is no microphone: 12 dB below. */
const LEAST_SHARE = 0.06;

/** Level of some samples, dB re full scale. */
export function decibels(samples) {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return 10 * Math.log10(sum / Math.max(samples.length, 1) + 1e-12);
}

function toPcm(samples) {
  const pcm = new Int16Array(samples.length);
  for (let at = 0; at < samples.length; at += 1) {
    const scaled = Math.round(samples[at] * 32767);
    pcm[at] = Math.max(-32768, Math.min(32767, scaled));
  }
  return pcm;
}

/**
 * Two channels of one microphone are one voice, and their sum would be another sound than either: so one of them is
 * heard, the first that is not much softer than the loudest.
 */
export class Recording {
  onpcm = () => {};

  constructor(rate) {
    this.rate = rate;
    this.pcm = [];
    this.waiting = [];
    this.waited = 0;
    this.energies = [];
    this.channel = null;
  }

  push(channels) {
    if (this.channel !== null) {
      this.keep(channels[Math.min(this.channel, channels.length - 1)]);
      return;
    }
    this.waiting.push(channels);
    this.waited += channels[0].length;
    channels.forEach((samples, nth) => {
      let energy = 0;
      for (const sample of samples) energy += sample * sample;
      this.energies[nth] = (this.energies[nth] ?? 0) + energy;
    });
    if (this.waited >= this.rate * DECIDED_AFTER) this.decide();
  }

  decide() {
    const loudest = Math.max(...this.energies, 0);
    this.channel = Math.max(0, this.energies.findIndex((energy) => energy >= loudest * LEAST_SHARE));
    const waiting = this.waiting;
    this.waiting = [];
    for (const channels of waiting) this.keep(channels[Math.min(this.channel, channels.length - 1)]);
  }

  keep(samples) {
    const pcm = toPcm(samples);
    this.pcm.push(pcm);
    this.onpcm(pcm);
  }

  get seconds() {
    return this.pcm.reduce((sum, block) => sum + block.length, 0) / this.rate;
  }

  /** The recording as a WAV file (RIFF WAVE, format 1). */
  end() {
    if (this.channel === null) this.decide();
    const bytes = this.pcm.reduce((sum, block) => sum + block.byteLength, 0);
    const head = new DataView(new ArrayBuffer(44));
    const text = (at, word) => [...word].forEach((sign, nth) => head.setUint8(at + nth, sign.charCodeAt(0)));
    text(0, "RIFF");
    head.setUint32(4, 36 + bytes, true);
    text(8, "WAVEfmt ");
    head.setUint32(16, 16, true);
    head.setUint16(20, 1, true);
    head.setUint16(22, 1, true);
    head.setUint32(24, this.rate, true);
    head.setUint32(28, this.rate * 2, true);
    head.setUint16(32, 2, true);
    head.setUint16(34, 16, true);
    text(36, "data");
    head.setUint32(40, bytes, true);
    return new File([head, ...this.pcm], "recording.wav", { type: "audio/wav" });
  }
}

/** The same for browsers that give no samples: whatever file they make. */
export class FileRecording {
  constructor(stream) {
    this.pieces = [];
    this.recorder = new MediaRecorder(stream);
    this.recorder.ondataavailable = (event) => this.pieces.push(event.data);
    this.recorder.start();
  }

  end() {
    return new Promise((resolve) => {
      this.recorder.onstop = () => {
        const type = this.recorder.mimeType || "audio/mp4";
        resolve(new File(this.pieces, type.includes("webm") ? "recording.webm" : "recording.m4a", { type }));
      };
      this.recorder.stop();
    });
  }
}
