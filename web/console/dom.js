// What pages are built of. Text is always text: nothing here reads HTML.

/**
 * An element: `h("a", { href, class: "quiet", onclick }, "text", child)`. Attributes that are null, undefined or false are
 * left out; `on…` are listeners; `style` is an object of properties, custom ones too. Children that are null or false are
 * left out, arrays are taken apart. Tags of SVG begin with `svg:`.
 */
export function h(tag, attributes, ...children) {
  const element = tag.startsWith("svg:")
    ? document.createElementNS("http://www.w3.org/2000/svg", tag.slice(4))
    : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") for (const [of, is] of Object.entries(value)) element.style.setProperty(of, is);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** A button; `kind` is "primary", "danger", "quiet", "small-button" or nothing. */
export function button(text, onclick, kind = null, attributes = {}) {
  return h("button", { type: "button", class: kind, onclick, ...attributes }, text);
}

/** Waits for `promise`; what takes more than 300 ms shows that it goes on, at the top of `root`. */
export async function progress(promise, root = document.getElementById("main")) {
  const bar = h("div", { class: "waiting", role: "status" }, h("progress", { "aria-label": "One moment" }));
  const timer = setTimeout(() => root.prepend(bar), 300);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    bar.remove();
  }
}

/** What stands where nothing is yet: why, and what to do about it (an element, or nothing). */
export function empty(title, text, action = null) {
  return h(
    "div",
    { class: "empty" },
    h(
      "svg:svg",
      { viewBox: "0 0 16 16", width: 40, height: 40, "aria-hidden": "true" },
      h("svg:path", { d: "M2 8h1M5 8h1M8 8h0.01M10 8h1M13 8h1" }),
    ),
    h("h2", {}, title),
    h("p", {}, coded(text)),
    action && h("p", { class: "actions" }, action),
  );
}

/** A note, what stands between `backticks` in it as code. A note is a grid: its words are one piece of it. */
export function note(text) {
  return h("p", { class: "note" }, h("span", {}, coded(text)));
}

/** The pieces of a text, what stands between `backticks` as code. */
export function coded(text) {
  return text.split("`").map((piece, nth) => (nth % 2 === 1 ? h("code", {}, piece) : piece));
}

/** Upper case where a sentence begins, and a full stop at its end. */
function sentence(text) {
  const whole = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?…]$/.test(whole) ? whole : `${whole}.`;
}

/** What to do about a problem of this code, where its own words do not say it. */
const REMEDIES = {
  session_over: () => h("a", { href: `/console/login?next=${encodeURIComponent(location.pathname + location.search)}` }, "Log in"),
  forbidden: () =>
    coded("Log in with a key that has this scope; `voxline keys create --scope …` makes one. What this key may see is at the top of the page."),
  offline: () => button("Try again", () => location.reload(), "small-button"),
};

/** A failure in words: what went wrong, what to do, and how to name it to somebody. */
export function problem(error) {
  const told = error.problem;
  if (!told) console.error(error);
  const remedy = REMEDIES[told?.code]?.();
  const reasons = [...(told?.reasons ?? []), ...(told?.report?.issues ?? []).map((issue) => issue.message)];
  return h(
    "div",
    { class: "problem", role: "alert", "data-code": told?.code ?? "script" },
    h("p", { class: "what" }, told?.title ?? "This page has a fault"),
    h("p", {}, told ? coded(sentence(told.detail)) : `${error.message}. Load the page again; if it stays, tell whoever runs this service.`),
    reasons.length > 0 && h("ul", {}, reasons.map((reason) => h("li", {}, coded(sentence(reason))))),
    error.retryAfter && h("p", {}, `Worth trying again in ${error.retryAfter} s.`),
    remedy && h("p", {}, remedy),
    told?.status >= 500 && told.instance && h("p", { class: "small" }, `In the service's log: ${told.instance.split(":").pop()}`),
  );
}

/**
 * Asks something in a dialog: `body` are its elements or a text, `actions` are `{label, kind, act}`, the first one also for
 * the return key. `act` may be async: while it runs the dialog waits and cannot be left, since what was asked for is done
 * whether or not anybody sees the answer; what it throws is shown, and what it returns is what the dialog gives. Left by
 * "Cancel" or Escape it gives null.
 */
export function dialog(title, body, actions, { cancel = "Cancel" } = {}) {
  return new Promise((resolve) => {
    const trouble = h("div", { class: "trouble" });
    const buttons = actions.map(({ label, kind, act }, nth) =>
      h("button", { type: nth === 0 ? "submit" : "button", class: kind ?? "primary", onclick: nth === 0 ? null : () => run(act) }, label),
    );
    const leave = button(cancel, () => isBusy || close(null));
    const form = h(
      "form",
      { method: "dialog", onsubmit: (event) => (event.preventDefault(), run(actions[0]?.act)) },
      h("h2", { id: "dialog-title" }, title),
      typeof body === "string" ? h("p", {}, body) : body,
      trouble,
      h("p", { class: "actions" }, buttons, leave),
    );
    const element = h("dialog", { "aria-labelledby": "dialog-title" }, form);
    const before = document.activeElement;
    let isBusy = false;
    const close = (result) => {
      element.close();
      element.remove();
      if (before?.isConnected) before.focus();
      resolve(result);
    };
    const run = async (act = () => true) => {
      if (isBusy) return;
      isBusy = true;
      for (const one of [...buttons, leave]) one.setAttribute("aria-disabled", "true");
      trouble.replaceChildren();
      try {
        close(await progress(Promise.resolve(act(form)), trouble));
      } catch (error) {
        trouble.replaceChildren(problem(error));
      } finally {
        isBusy = false;
        for (const one of [...buttons, leave]) one.removeAttribute("aria-disabled");
      }
    };
    element.addEventListener("cancel", (event) => {
      event.preventDefault();
      if (!isBusy) close(null);
    });
    // A second Escape closes it all the same. Then it comes back, unless `close` above took it out of the page.
    element.addEventListener("close", () => element.isConnected && element.showModal());
    document.body.append(element);
    element.showModal();
  });
}

/**
 * A table: `columns` are `{title, cell(row), class, unseen}` (`unseen`: the title is for the ear alone), `rows` anything.
 * On a phone every row is a card that names its columns. `caption` tells what it is; `key(row)` marks rows with `data-key`.
 */
export function table(columns, rows, { caption = null, key = null } = {}) {
  const cell = (column, row, nth) =>
    h(nth === 0 ? "th" : "td", { scope: nth === 0 ? "row" : null, class: column.class, "data-title": column.title }, column.cell(row));
  return h(
    "div",
    { class: "rows" },
    h(
      "table",
      {},
      caption && h("caption", { class: "unseen" }, caption),
      h("thead", {}, h("tr", {}, columns.map((column) => h("th", { scope: "col", class: column.class }, column.unseen ? h("span", { class: "unseen" }, column.title) : column.title)))),
      h("tbody", {}, rows.map((row) => h("tr", { "data-key": key?.(row) }, columns.map((column, nth) => cell(column, row, nth))))),
    ),
  );
}

const LONG = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });
const TIME = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const DAY = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const YEAR = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });

/** A moment (RFC 3339 or a Date): today by its time, this year by day and time, else by its date; whole on pointing. */
export function when(instant) {
  const at = new Date(instant);
  const now = new Date();
  const form = at.toDateString() === now.toDateString() ? TIME : at.getFullYear() === now.getFullYear() ? DAY : YEAR;
  return h("time", { datetime: at.toISOString(), title: LONG.format(at) }, form.format(at));
}

/** A word on a ground of its own; `kind` is "good", "warn", "bad", "live" or nothing. */
export function badge(text, kind = null) {
  return h("span", { class: kind ? `badge ${kind}` : "badge" }, text);
}

/** A share of one as a bar; `label` is what it is of, for the ear. */
export function bar(share, label, kind = null) {
  const whole = Math.max(0, Math.min(1, share));
  return h(
    "span",
    { class: kind ? `bar ${kind}` : "bar", role: "img", "aria-label": `${label}: ${percent(whole)}`, style: { "--share": whole.toFixed(4) } },
    h("span", {}),
  );
}

/** A share of one in per cent, never rounded up to certainty. */
export function percent(share) {
  if (share === null || share === undefined) return "–";
  if (share >= 0.995 && share < 1) return "> 99 %";
  if (share > 0 && share < 0.005) return "< 1 %";
  return `${Math.round(share * 100)} %`;
}

/** The heading of a page, with what can be done there. */
export function heading(title, lead = null, ...actions) {
  return h(
    "div",
    { class: "heading" },
    h("div", {}, h("h1", { tabindex: "-1" }, title), lead && h("p", { class: "lead" }, lead)),
    actions.length > 0 && h("p", { class: "actions" }, actions),
  );
}

/** Says something to whoever listens to the page. */
export function announce(text) {
  const region = document.getElementById("announce");
  if (region.textContent !== text) region.textContent = text;
}

/** Whether a session may do what `scope` stands for. */
export function may(session, scope) {
  return session.scopes.includes(scope) || session.scopes.includes("admin");
}
