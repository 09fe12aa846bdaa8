// The page's course: consent, recording, listening back, sent.

import { Microphone, MicrophoneError, microphones } from "./microphone.js";
import { FileRecording, Recording, decibels } from "./recording.js";
import { Check, ServiceError, enrol } from "./service.js";
import * as view from "./view.js";

/** Seconds of speech that are asked for; the service says so if it wants more. */
const GOAL = 12;
/** Seconds between the goal and the end, for the sentence that is being read. */
const GRACE = 4;
/** The longest recording, in seconds: of somebody who has fallen silent. */
const LONGEST = 90;
/** Without the service's word on speech, this many seconds of audio stand for the goal. */
const UNCHECKED = 25;
/** A microphone softer than this (dB re full scale) for so many seconds gives nothing. */
const SILENT = -85;
const SILENT_FOR = 3;
/** How long the browser may hold the sound back, in milliseconds: with a longer gap what was read is no recording. */
const PAUSED_FOR = 1500;
/** How long a hint stands before another may take its place, in milliseconds. */
const HINT_STANDS = 2500;

const page = view.elements;
const { signup } = page;
const words = await (await fetch(signup.dataset.file)).json();
const consent = { language: signup.dataset.language, sha256: signup.dataset.consent, keepAudio: false };

let microphone = null;
/** Goes up when the microphone is asked for or given up: one that comes of an earlier asking is not wanted any more. */
let asked = 0;
let session = null;
let result = null;
let set = 0;
let chosen = null;
let heardAt = 0;
let isSilent = false;

function problem(element, code) {
  view.say(element, code ? (words.problems[code] ?? words.problems.other) : "");
}

function hint(text) {
  view.say(page.hint, text);
}

// Consent.

page.agree.addEventListener("click", () => {
  consent.keepAudio = page.keep?.checked ?? false;
  view.show("record");
});
page.agree.disabled = false;

// The microphone.

async function open(device) {
  if (view.isBusy(page.open)) return;
  close();
  const mine = asked;
  problem(page.problem, null);
  hint(words.script.opening);
  for (const button of [page.open, page.start]) view.busy(button, true);
  try {
    const opened = await Microphone.open(signup.dataset.capture, device);
    const devices = await microphones().catch(() => []);
    if (mine !== asked) {
      opened.close();
      return;
    }
    microphone = opened;
    microphone.onblock = hear;
    microphone.onend = lost;
    microphone.onpause = paused;
    chosen = device;
    view.choose(devices, microphone.device);
    page.desk.hidden = false;
    page.level.parentElement.hidden = microphone.rate === null;
    heardAt = performance.now();
    isSilent = false;
    hint(words.script.ready);
    view.offer("start");
  } catch (fault) {
    if (mine !== asked) return;
    hint("");
    problem(page.problem, fault instanceof MicrophoneError ? fault.code : "other");
    page.desk.hidden = true;
    view.offer("open");
  } finally {
    if (mine === asked) for (const button of [page.open, page.start]) view.busy(button, false);
  }
}

/** Closes the microphone; one that is still asked for is closed as soon as it comes. */
function close() {
  asked += 1;
  microphone?.close();
  microphone = null;
  for (const button of [page.open, page.start]) view.busy(button, false);
}

function lost() {
  session?.check?.leave();
  session = null;
  close();
  rest();
  problem(page.problem, "microphone_lost");
}

/** The telephone sleeps or rings. Where the sound does not come back soon, what was read meanwhile is missing. */
function paused() {
  const held = microphone;
  held.resume();
  setTimeout(() => held === microphone && held.isPaused && lost(), PAUSED_FOR);
}

document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible" && microphone?.rate) microphone.resume();
});

function hear(channels) {
  const loudest = Math.max(...channels.map(decibels));
  view.level(loudest);
  const now = performance.now();
  if (loudest > SILENT) {
    heardAt = now;
    if (isSilent) hint(session ? words.script.listening : words.script.ready);
    isSilent = false;
  } else if (now - heardAt > SILENT_FOR * 1000) {
    isSilent = true;
    hint(words.script.silent);
  }
  if (!session) return;
  session.recording.push(channels);
  const seconds = session.recording.seconds;
  if (session.check.isCut) {
    view.speech(words.script, Math.min(session.spoken, GOAL), session.goal);
    if (seconds > UNCHECKED) stop();
  } else if (seconds > LONGEST) {
    stop();
  }
}

page.open.addEventListener("click", () => open(null));
page.device.addEventListener("change", () => open(page.device.value));

// Recording.

page["other-sentences"].addEventListener("click", () => {
  set = (set + 1) % words.sentences.length;
  view.read(words.sentences[set]);
});

page.start.addEventListener("click", () => {
  // Another one is being opened.
  if (!microphone) return;
  problem(page.problem, null);
  page.device.disabled = true;
  page.file.disabled = true;
  hint(words.script.listening);
  view.offer("stop");
  signup.dataset.recording = "true";
  requestAnimationFrame(() => view.bring("record"));
  if (microphone.rate === null) {
    session = { recording: new FileRecording(microphone.stream), check: null };
    return;
  }
  const begun = { recording: new Recording(microphone.rate), goal: GOAL, spoken: 0, hintedAt: 0, milestone: 0 };
  begun.check = new Check(microphone.rate, consent);
  begun.check.onprogress = (told) => progress(begun, told);
  begun.check.onproblem = (code) => (begun.problem = code);
  begun.recording.onpcm = (pcm) => begun.check.send(pcm);
  session = begun;
  page.progress.hidden = false;
  view.speech(words.script, 0, GOAL);
});

function progress(now, told) {
  // Its last words come when the recording is over.
  if (now !== session) return;
  now.goal = Math.max(GOAL, Math.ceil(told.needed_seconds));
  now.spoken = told.net_speech_seconds;
  view.speech(words.script, now.spoken, now.goal);
  const worst = told.issues.map((issue) => words.hints[issue.code]).find(Boolean);
  const at = performance.now();
  if (worst) {
    if (at - now.hintedAt > HINT_STANDS) {
      hint(worst);
      now.hintedAt = at;
    }
  } else if (now.spoken >= now.goal && now.milestone < 2) {
    now.milestone = 2;
    hint(words.script.enough);
  } else if (now.spoken >= now.goal / 2 && now.milestone < 1) {
    now.milestone = 1;
    hint(words.script.half);
  } else if (now.hintedAt > 0 && at - now.hintedAt > HINT_STANDS) {
    now.hintedAt = 0;
    hint(words.script.listening);
  }
  if (now.spoken >= now.goal) {
    now.enoughAt ??= at;
    if (at - now.enoughAt > GRACE * 1000) stop();
  }
}

page.stop.addEventListener("click", stop);

async function stop() {
  const ended = session;
  if (!ended) return;
  session = null;
  view.busy(page.stop, true);
  hint(words.script.checking);
  const file = await ended.recording.end();
  close();
  const cutBefore = ended.check?.isCut ?? true;
  const report = ended.check && !cutBefore ? await ended.check.end() : null;
  view.busy(page.stop, false);
  rest();
  const wasCut = Boolean(ended.check) && !report;
  // To be too slow is said of sending, and nothing was sent yet.
  review({ file, report, wasCut, problem: ended.problem === "too_slow" ? null : ended.problem, isFile: false });
}

/** The recorder as it was before the microphone was opened. */
function rest() {
  delete signup.dataset.recording;
  page.desk.hidden = true;
  page.progress.hidden = true;
  page.device.disabled = false;
  page.file.disabled = false;
  hint("");
  view.offer("open");
}

// A file of one's own.

page.file.addEventListener("change", () => {
  const file = page.file.files[0];
  if (!file) return;
  close();
  rest();
  review({ file, report: null, isFile: true });
});

// Listening back.

function review(given) {
  result = given;
  URL.revokeObjectURL(page.audio.src);
  page.audio.src = URL.createObjectURL(given.file);
  page.again.textContent = given.isFile ? words.script.other_file : words.script.again;
  problem(page["review-problem"], given.problem ?? null);
  const refused = given.report && !given.report.accepted;
  view.list(said(given.report));
  page.use.hidden = Boolean(refused);
  page.again.classList.toggle("primary", Boolean(refused) && !isForGood(given.report));
  view.show("review");
  if (refused) view.say(page.verdict, refusal(given.report));
  else if (given.report) view.say(page.verdict, good(given.report));
  else view.say(page.verdict, given.wasCut ? words.script.unchecked : words.script.uploaded);
}

/** Whether it is the voice that is refused: another recording of it would be too. */
function isForGood(report) {
  return report.issues.some((issue) => issue.code === "duplicate_identity");
}

function refusal(report) {
  return isForGood(report) ? words.script.refused_for_good : words.script.refused;
}

function good(report) {
  return view.fill(words.script.good, { seconds: Math.round(report.net_speech_seconds) });
}

/** What the service says of a recording, in the page's language: what stands against it, or only advice. */
function said(report) {
  const known = (code) => (report.accepted && words.hints[code]) || words.issues[code];
  const told = (report?.issues ?? []).map((issue) => known(issue.code) ?? issue.message);
  return [...new Set(told)];
}

page.audio.addEventListener("error", () => {
  if (result?.isFile) view.say(page.verdict, words.script.unplayable);
});

page.again.addEventListener("click", () => {
  if (view.isBusy(page.again)) return;
  page.audio.pause();
  problem(page.problem, null);
  page.file.value = "";
  const wasFile = result?.isFile;
  view.show("record");
  if (wasFile) {
    page.file.focus();
    page.file.click();
  } else {
    open(chosen);
  }
});

page.use.addEventListener("click", async () => {
  if (view.isBusy(page.use)) return;
  page.audio.pause();
  problem(page["review-problem"], null);
  view.busy(page.use, true);
  view.busy(page.again, true);
  page.sending.hidden = false;
  try {
    await enrol(result.file, consent);
    finished();
  } catch (fault) {
    failed(fault instanceof ServiceError ? fault : new ServiceError("other"));
  } finally {
    view.busy(page.use, false);
    view.busy(page.again, false);
    page.sending.hidden = true;
  }
});

/** Whether a recording was sent and no answer came. */
let wasCutOff = false;

/** Problems of the recording itself, which sending it again would not mend. */
const OF_THE_RECORDING = ["bad_audio", "unsupported_media", "too_large"];

function failed(fault) {
  if (fault.report) {
    view.say(page.verdict, refusal(fault.report));
    view.list(said(fault.report));
  } else {
    // The link may have been spent by this very recording, whose answer was lost.
    const arrived = wasCutOff && fault.code === "invite_spent";
    problem(page["review-problem"], arrived ? "invite_spent_meanwhile" : fault.code);
  }
  wasCutOff ||= fault.code === "offline";
  if (fault.report || OF_THE_RECORDING.includes(fault.code)) offerAnother(!fault.report || !isForGood(fault.report));
}

/** Nothing is left to do with this recording but to make another, or with `helps` false to ask somebody. */
function offerAnother(helps) {
  page.use.hidden = true;
  page.again.classList.toggle("primary", helps);
  page.again.focus();
}

function finished() {
  URL.revokeObjectURL(page.audio.src);
  page.audio.removeAttribute("src");
  result = null;
  view.show("done");
  const hosts = signup.dataset.embedFrom.split(" ").filter(Boolean);
  if (window.parent !== window) {
    // Whoever embeds the page learns that it is over, and nothing else.
    for (const host of hosts) window.parent.postMessage({ type: "voxline-enrolled" }, host);
  }
}
