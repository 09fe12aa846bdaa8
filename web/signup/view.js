// What is shown: which stage, what is said, and where the focus goes.

const by = (id) => document.getElementById(id);

export const elements = Object.fromEntries(
  [
    "signup", "agree", "keep", "sentences", "other-sentences", "desk", "device", "level", "progress", "speech", "seconds",
    "hint", "problem", "open", "start", "stop", "file", "verdict", "issues", "audio", "review-problem", "sending", "use",
    "again",
  ].map((id) => [id, by(id)]),
);

/** `text` with `{name}` replaced by what `values` has of it. */
export function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

/** Shows one stage, and takes whoever reads by ear or by keyboard there. */
export function show(stage) {
  elements.signup.dataset.stage = stage;
  for (const section of elements.signup.querySelectorAll(":scope > section")) section.hidden = section.id !== stage;
  const heading = by(`${stage}-heading`);
  heading.focus({ preventScroll: true });
  window.scrollTo({ top: 0, behavior: motion() });
}

/** Brings a stage to the top of the window: what is to be read, and below it what is to be pressed. */
export function bring(stage) {
  by(stage).scrollIntoView({ block: "start", behavior: motion() });
}

function motion() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches ? "instant" : "smooth";
}

/** Says something, once: a live region that is given the same words again reads them again. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Whether a button waits for something. It is not disabled then: it would lose the focus. */
export function busy(button, is) {
  if (is) button.setAttribute("aria-disabled", "true");
  else button.removeAttribute("aria-disabled");
}

export function isBusy(button) {
  return button.getAttribute("aria-disabled") === "true";
}

/** Which of the recorder's buttons is there. */
export function offer(button) {
  const hadFocus = ["open", "start", "stop"].some((id) => elements[id] === document.activeElement);
  for (const id of ["open", "start", "stop"]) elements[id].hidden = id !== button;
  if (hadFocus && button) elements[button].focus();
}

/** Moves the level meter; `decibels` re full scale. */
export function level(decibels) {
  const share = Math.max(0, Math.min(1, (decibels + 60) / 55));
  elements.level.setAttribute("aria-valuenow", String(Math.round(share * 100)));
  elements.level.firstElementChild.style.setProperty("--share", share.toFixed(3));
}

/** Shows how much speech there is of how much is wanted. */
export function speech(words, now, goal) {
  elements.speech.max = goal;
  elements.speech.value = Math.min(now, goal);
  elements.seconds.textContent = fill(words.seconds, { now: Math.min(Math.floor(now), goal), goal });
}

/** Shows sentences to read. */
export function read(sentences) {
  const items = sentences.map((sentence) => Object.assign(document.createElement("li"), { textContent: sentence }));
  elements.sentences.replaceChildren(...items);
}

/** Shows the microphones there are. */
export function choose(devices, current) {
  const options = devices.map((device, nth) => {
    const option = new Option(device.label || String(nth + 1), device.deviceId);
    option.selected = device.deviceId === current;
    return option;
  });
  elements.device.replaceChildren(...options);
}

/** Shows what stands against a recording. */
export function list(issues) {
  const items = issues.map((text) => Object.assign(document.createElement("li"), { textContent: text }));
  elements.issues.replaceChildren(...items);
  elements.issues.hidden = items.length === 0;
}
