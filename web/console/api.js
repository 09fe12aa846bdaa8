// What the console asks the service: the same API that programs use, with a session instead of a key.

/** The session's token, without which nothing is changed; `main.js` sets it. */
let csrf = "";

export function useToken(token) {
  csrf = token;
}

/** What the service refused or could not do. `problem` is its problem document (RFC 9457). */
export class ApiError extends Error {
  /** @param {{title: string, detail: string, code: string, status: number}} problem */
  constructor(problem, retryAfter = null) {
    super(problem.detail);
    this.problem = problem;
    this.code = problem.code;
    this.status = problem.status;
    this.retryAfter = retryAfter;
  }
}

async function ask(path, options) {
  let response;
  try {
    response = await fetch(path, { credentials: "same-origin", ...options });
  } catch (fault) {
    if (fault.name === "AbortError") throw fault;
    throw new ApiError({
      title: "The service does not answer",
      detail: "It may be down, or the network between here and there is: try again in a moment.",
      code: "offline",
      status: 0,
    });
  }
  if (response.ok) {
    const isJson = response.headers.get("content-type")?.includes("json");
    return isJson ? response.json() : response.text();
  }
  const told = await response.json().catch(() => null);
  const other = { title: "It did not work", detail: `The service answered ${response.status}.`, code: "other" };
  throw new ApiError({ ...other, ...told, status: response.status }, response.headers.get("retry-after"));
}

/** What is at `path`; throws an {@link ApiError}. `options.signal` gives it up. */
export function get(path, options = {}) {
  return ask(path, { headers: { accept: "application/json" }, ...options });
}

/** Sends `body` (a FormData as it is, anything else as JSON; nothing when left out) and gives what comes back. */
export function send(method, path, body, options = {}) {
  const headers = { accept: "application/json", "x-voxline-csrf": csrf };
  if (body !== undefined && !(body instanceof FormData)) {
    headers["content-type"] = "application/json";
    body = JSON.stringify(body);
  }
  return ask(path, { method, headers, body, ...options });
}

/**
 * Follows an event stream: `onEvent(name, data)` for each event of `names`, `onState("open" | "lost" | "ended")` as the
 * connection comes and goes; it comes back by itself unless the session is over. Gives what ends it.
 */
export function events(path, onEvent, { names = ["update", "lagged"], onState = () => {} } = {}) {
  let source = null;
  let retry = null;
  let isEnded = false;
  const open = () => {
    source = new EventSource(path);
    source.onopen = () => onState("open");
    for (const name of names) source.addEventListener(name, (event) => onEvent(name, JSON.parse(event.data)));
    source.onerror = async () => {
      if (isEnded) return;
      onState("lost");
      // A browser gives up for good when it is refused, and else tries again by itself.
      if (source.readyState !== EventSource.CLOSED) return;
      const fault = await get("/console/session").then(() => null, (refused) => refused);
      if (isEnded) return;
      if (fault?.status === 401) onState("ended");
      else retry = setTimeout(open, 3000);
    };
  };
  const close = () => {
    isEnded = true;
    clearTimeout(retry);
    source?.close();
  };
  addEventListener("pagehide", close, { once: true });
  open();
  return close;
}
