// A test identification: some seconds of a microphone, as it is, and what the service says of them.

import { send } from "../api.js";
import { announce, badge, bar, button, coded, h, may, percent, problem, progress } from "../dom.js";
import { REASONS, seconds } from "../words.js";
import { Microphone, MicrophoneError } from "../../signup/microphone.js";
import { FileRecording, Recording, decibels } from "../../signup/recording.js";

/** The longest recording, in seconds; it ends by itself then. */
const LONGEST = 10;

const CAPTURE = new URL("../../signup/capture.js", import.meta.url).href;

/** Why there is no microphone, and what to do. */
const PROBLEMS = {
  microphone_denied: ["The browser does not let this page hear the microphone", "Allow it in the browser's settings of this page, and try again."],
  microphone_missing: ["There is no microphone", "Plug one in, or choose a recording instead."],
  microphone_busy: ["The microphone is in use", "Another program holds it: close that, and try again."],
  microphone_insecure: ["Browsers let only secure pages hear a microphone", "Open the console over https, or on this machine by localhost; or choose a recording instead."],
};

function asProblem(fault) {
  const code = fault instanceof MicrophoneError ? fault.code : "other";
  const [title, detail] = PROBLEMS[code] ?? ["The microphone cannot be used", "Choose a recording instead."];
  return Object.assign(new Error(detail), { problem: { title, detail, code, status: 0 } });
}

/** What was heard, as somebody would say it. */
function inWords(said, number) {
  if (said.outcome === "identified") return [`This is ${said.user_name ?? "a person without a name"}.`, "good", "The voice is known on this number."];
  if (said.outcome === "unknown") return ["Nobody on this roster.", "warn", `Enough was heard, and it is nobody who is enrolled on ${number}. Enrolled through a telephone? A microphone may sound otherwise.`];
  const [title, text] = REASONS[said.reason] ?? [said.reason, ""];
  return [`It cannot be said: ${title.charAt(0).toLowerCase()}${title.slice(1)}.`, null, text];
}

/** The test, as elements; `number` gives the dialed number, `people` are those whose names are known. */
export function identification(session, number, people) {
  const level = h(
    "div",
    { class: "level", role: "meter", "aria-label": "Level of the microphone", "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": 0, hidden: true },
    h("span", {}),
  );
  const hint = h("p", { class: "soft", role: "status" }, "Say a few sentences in your own voice: about six seconds are good.");
  const answer = h("div", { class: "stack", id: "answer" });
  const file = h("input", { type: "file", id: "test-file", accept: "audio/*,video/mp4,video/webm,.amr,.caf,.gsm,.au,.aiff,.m4a" });
  const start = button("Speak into the microphone", () => record(), "primary", { id: "speak" });
  const stop = button("Stop and ask who it is", () => end?.(), "primary", { id: "stop", hidden: true });
  let end = null;

  function listening(is) {
    const hadFocus = [start, stop].includes(document.activeElement);
    start.hidden = is;
    stop.hidden = !is;
    level.hidden = !is;
    file.disabled = is;
    if (hadFocus) (is ? stop : start).focus();
  }

  /** While the microphone is being opened nothing else begins: two of them would be open, and one of them for good. */
  function opening(is) {
    if (is) start.setAttribute("aria-disabled", "true");
    else start.removeAttribute("aria-disabled");
    file.disabled = is;
  }

  function show(loudest) {
    const share = Math.max(0, Math.min(1, (loudest + 60) / 55));
    level.setAttribute("aria-valuenow", String(Math.round(share * 100)));
    level.firstElementChild.style.setProperty("--share", share.toFixed(3));
  }

  async function record() {
    if (start.hasAttribute("aria-disabled")) return;
    answer.replaceChildren();
    opening(true);
    let microphone;
    try {
      microphone = await Microphone.open(CAPTURE, null);
    } catch (fault) {
      answer.replaceChildren(problem(asProblem(fault)));
      return;
    } finally {
      opening(false);
    }
    const givesSamples = microphone.rate !== null;
    const recording = givesSamples ? new Recording(microphone.rate) : new FileRecording(microphone.stream);
    const ended = new Promise((resolve) => (end = resolve));
    const timer = setTimeout(() => end?.(), LONGEST * 1000);
    microphone.onblock = (channels) => {
      recording.push(channels);
      show(Math.max(...channels.map(decibels)));
    };
    microphone.onend = () => end?.();
    listening(true);
    hint.textContent = `Listening, for ${LONGEST} s at most. Speak as on the telephone.`;
    await ended;
    clearTimeout(timer);
    end = null;
    const heard = await recording.end();
    microphone.close();
    listening(false);
    await ask(heard);
  }

  async function ask(recording) {
    const form = new FormData();
    form.append("number", number());
    form.append("audio", recording, recording.name);
    hint.textContent = "Asking who it is.";
    try {
      const said = await progress(send("POST", "/v1/identify", form), answer);
      draw(said);
    } catch (error) {
      answer.replaceChildren(problem(error));
    }
    hint.textContent = "Say a few sentences in your own voice: about six seconds are good.";
  }

  function draw(said) {
    const [title, kind, text] = inWords(said, said.number);
    const facts = [`${seconds(said.net_speech_seconds)} of speech`];
    if (said.quality?.snr_db) facts.push(`${Math.round(said.quality.snr_db)} dB above the background`);
    answer.replaceChildren(
      h(
        "div",
        { class: kind ? `note ${kind}` : "note", id: "said", "data-outcome": said.outcome },
        h("p", {}, h("strong", {}, title), " ", said.user_id && may(session, "enroll") && h("a", { href: `/console/people/${said.user_id}` }, "Their page")),
        h("p", {}, text),
        h("p", { class: "small" }, `${facts.join(", ")}.`),
      ),
      candidates(said),
    );
    announce(title);
  }

  function candidates(said) {
    if (!may(session, "scores")) return h("p", { class: "small" }, coded("How sure it is, is hidden: this key lacks the scope `scores`."));
    if (said.candidates.length === 0) return "";
    const shown = said.candidates.slice(0, 3).map((one) => {
      const known = people.find((person) => person.id === one.user_id)?.name;
      const name = known || (one.user_id === said.user_id && said.user_name) || `user …${one.user_id.slice(-6)}`;
      return h("li", {}, h("span", {}, name, " ", badge(percent(one.posterior))), bar(one.posterior, `Probability of ${name}`));
    });
    return h("div", {}, h("h3", { class: "candidates-heading" }, "Nearest voices"), h("ul", { class: "plain candidates" }, shown));
  }

  file.addEventListener("change", () => file.files[0] && ask(file.files[0]));
  return h(
    "div",
    { class: "stack", id: "identification" },
    hint,
    level,
    h("p", { class: "actions" }, start, stop),
    h("div", { class: "field" }, h("label", { for: "test-file" }, "Or take a recording"), file),
    answer,
  );
}
