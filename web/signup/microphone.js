// The microphone as it is: nothing is cleaned, levelled, resampled or mixed on the way, since all of that takes away
// what a voice is known by. The service hears whatever channels there are, and rates of up to 48 kHz.

/** The most samples a second that the service reads. */
const HIGHEST_RATE = 48_000;

export class MicrophoneError extends Error {
  /** @param {string} code one of the page's problems */
  constructor(code) {
    super(code);
    this.code = code;
  }
}

/** Whether this browser lets the page have samples, and not only a finished file. */
function givesSamples() {
  return "AudioWorkletNode" in window && "audioWorklet" in AudioContext.prototype;
}

function asProblem(fault) {
  switch (fault.name) {
    case "NotAllowedError":
    case "SecurityError":
      return new MicrophoneError("microphone_denied");
    case "NotFoundError":
    case "OverconstrainedError":
      return new MicrophoneError("microphone_missing");
    case "NotReadableError":
    case "AbortError":
      return new MicrophoneError("microphone_busy");
    default:
      return new MicrophoneError("other");
  }
}

/**
 * An open microphone. Blocks of samples go to `onblock(channels)`, with a Float32Array for each channel. `onpause` is told
 * when the browser holds them back, as where a telephone sleeps or rings.
 */
export class Microphone {
  onblock = () => {};
  onend = () => {};
  onpause = () => {};

  /** Opens the microphone called `device`, or the usual one; `script` is where the capturing script is. */
  static async open(script, device) {
    if (!navigator.mediaDevices?.getUserMedia || !window.isSecureContext) {
      throw new MicrophoneError("microphone_insecure");
    }
    // Neither a rate nor a number of channels is asked for: browsers answer that by resampling and by processing.
    const audio = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
    if (device) audio.deviceId = { exact: device };
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio });
    } catch (fault) {
      throw asProblem(fault);
    }
    const microphone = new Microphone(stream);
    if (givesSamples()) {
      try {
        await microphone.listen(script);
      } catch (fault) {
        if (fault.name !== "NotSupportedError") {
          microphone.close();
          throw asProblem(fault);
        }
        // Firefox resamples no microphone; a finished file it gives at a rate that is read.
        microphone.context.close();
        microphone.context = null;
      }
    }
    return microphone;
  }

  constructor(stream) {
    this.stream = stream;
    this.track = stream.getAudioTracks()[0];
    this.track.addEventListener("ended", () => this.onend());
  }

  /** Samples a second, or null where only a finished file is to be had. */
  get rate() {
    return this.context?.sampleRate ?? null;
  }

  get device() {
    return this.track.getSettings().deviceId ?? "";
  }

  get isPaused() {
    return this.context.state !== "running";
  }

  /** Goes on after a pause, where the browser lets it. */
  resume() {
    this.context.resume().catch(() => {});
  }

  async listen(script) {
    this.context = new AudioContext();
    // The rate is the sound card's. What is more than the service reads is resampled by the browser, where it can.
    if (this.context.sampleRate > HIGHEST_RATE) {
      this.context.close();
      this.context = new AudioContext({ sampleRate: HIGHEST_RATE });
    }
    await this.context.audioWorklet.addModule(script);
    const source = this.context.createMediaStreamSource(this.stream);
    const capture = new AudioWorkletNode(this.context, "capture", { channelCountMode: "max" });
    capture.port.onmessage = (message) => this.onblock(message.data);
    // A node is only run on the way to somewhere; what comes out of this one is silence.
    source.connect(capture).connect(this.context.destination);
    await this.context.resume();
    this.context.onstatechange = () => this.isPaused && this.onpause();
  }

  close() {
    this.onblock = () => {};
    this.onend = () => {};
    this.onpause = () => {};
    this.track.stop();
    this.context?.close();
  }
}

/** The microphones there are, named once one of them was allowed. */
export async function microphones() {
  const all = await navigator.mediaDevices.enumerateDevices();
  return all.filter((device) => device.kind === "audioinput" && device.deviceId);
}
