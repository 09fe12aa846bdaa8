// What the page asks the service. The link's token stands in the page's own address and is taken from there.

/** How long the service may take to say what it thinks of a whole recording. */
const PATIENCE = 15_000;

export class ServiceError extends Error {
  /** @param {string} code a problem's code  @param {object?} report what stands against the recording */
  constructor(code, report = null) {
    super(code);
    this.code = code;
    this.report = report;
  }
}

/** What was agreed to, in the service's terms. */
function agreed(consent) {
  return { language: consent.language, consent_sha256: consent.sha256 };
}

/** The service listening to somebody who speaks. Should it be cut off, the recording goes on without. */
export class Check {
  onprogress = () => {};
  onproblem = () => {};

  constructor(rate, consent) {
    const address = new URL(`${location.pathname.replace(/\/$/, "")}/check`, location.href);
    address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
    this.waiting = [];
    this.isCut = false;
    this.socket = new WebSocket(address);
    this.socket.binaryType = "arraybuffer";
    this.report = new Promise((resolve) => (this.settle = resolve));
    this.socket.onopen = () => {
      const start = { event: "start", encoding: "pcm_s16le", sample_rate: rate, ...agreed(consent) };
      this.socket.send(JSON.stringify(start));
      this.waiting.forEach((piece) => this.socket.send(piece));
      this.waiting = [];
    };
    this.socket.onmessage = (message) => this.hear(JSON.parse(message.data));
    this.socket.onclose = () => this.cut();
    this.socket.onerror = () => this.cut();
  }

  hear(told) {
    if (told.event === "progress") {
      this.onprogress(told);
    } else if (told.event === "report") {
      this.settle(told);
    } else if (told.event === "error") {
      this.onproblem(told.problem.code);
      this.cut();
    }
  }

  cut() {
    this.isCut = true;
    this.waiting = [];
    this.settle(null);
  }

  send(piece) {
    if (this.isCut) return;
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(piece);
    else if (this.socket.readyState === WebSocket.CONNECTING) this.waiting.push(piece);
  }

  /** Ends it: what would stand against the recording, or null where the service could not say. */
  async end() {
    this.send(JSON.stringify({ event: "stop" }));
    setTimeout(() => this.settle(null), PATIENCE);
    const report = await this.report;
    this.leave();
    return report;
  }

  leave() {
    this.onprogress = () => {};
    this.onproblem = () => {};
    this.cut();
    this.socket.close();
  }
}

/** Enrols a recording; gives the service's report. */
export async function enrol(file, consent) {
  const form = new FormData();
  const parts = { ...agreed(consent), keep_audio: consent.keepAudio };
  for (const [name, value] of Object.entries(parts)) form.append(name, String(value));
  form.append("audio", file, file.name);
  let response;
  try {
    response = await fetch(location.pathname, { method: "POST", body: form, referrerPolicy: "no-referrer" });
  } catch {
    throw new ServiceError("offline");
  }
  const told = await response.json().catch(() => ({}));
  if (!response.ok) throw new ServiceError(told.code ?? "other", told.report ?? null);
  return told;
}
