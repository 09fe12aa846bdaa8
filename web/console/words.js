// What the service's codes are in words.

/** Why a verdict is inconclusive, by its code: in short, and what is to be done about it. A test holds this against the codes. */
export const REASONS = {
  too_little_speech: ["Too little speech", "A few seconds more of the caller’s speech usually do."],
  poor_audio: ["The audio is too poor", "It is noisy, clipped or broken: what it sounds like says more about the line than about the voice."],
  unfamiliar_line: ["The line sounds like none that was calibrated for", "The call is like the whole roster, or unlike it, as no known call was: what likeness means here is not known. If this happens often, calibrate on calls of this line."],
  several_voices: ["Several people speak", "The last of them is nobody who could be named. As soon as one person speaks alone for a few seconds it can be said."],
  ambiguous: ["Somebody fits, but not surely enough", "Two users sound alike here, or one does not fit well enough for a name. More speech may decide it."],
  replayed: ["A recording is played", "What was said was heard before, sound for sound: nobody says the same words twice with the same timing. Ask the caller something that only a person answers."],
  spoofed: ["It does not sound like a person speaking", "The countermeasure that is installed takes what was said for a loudspeaker’s or a synthesiser’s. Ask the caller for their PIN, or something that only a person answers."],
  empty_roster: ["Nobody is enrolled on this number", "Enrol its users' voices: an invite link each is the simplest way."],
  unavailable: ["A part of the service did not answer", "The call could not be listened to. What is out of order, the set-up page says."],
  not_enrolled: ["The line's owner never enrolled", "The voice is nobody's that is known here, and it may well be the owner's: enrol them."],
};

/** How sure the line's owner is. */
export const OWNER = {
  identified: ["identified", "good"],
  probable: ["probable", "warn"],
  unknown: ["not known", null],
};

/** How sure the speaker is. */
export const SPEAKER = {
  identified: ["identified", "good"],
  claimed: ["claimed, not heard yet", "warn"],
  third_party: ["nobody on the roster", "warn"],
  inconclusive: ["not known", null],
};

/** The tiers of evidence, in their order: in short, and what they are. */
export const TIERS = {
  T0: ["Own number", "The dialed number is one user's alone"],
  T1: ["Forwarding", "Forwarding headers and carriers' fields"],
  T2: ["Caller", "The caller's number"],
  T3: ["PASSporT", "Signed statements of carriers about the call"],
  T4: ["PIN", "A PIN that was given on the call"],
  T5: ["Voice", "The voice on the call"],
};

/** Kinds of evidence. What is not here is shown by its code, which is telling too. */
export const KINDS = {
  assigned_number: "The number is this user’s alone",
  diversion: "Diversion header",
  history_info: "History-Info header",
  x_forwarded_from: "X-Forwarded-From header",
  forwarded_from: "Carrier's field “forwarded from”",
  orig_to: "Original destination",
  referred_by: "Referred-By header",
  p_asserted_identity: "P-Asserted-Identity header",
  remote_party_id: "Remote-Party-ID header",
  passport_div: "PASSporT “div”",
  passport_dest: "PASSporT's destination",
  forwarding: "Forwarding that could not be used",
  caller_number: "Caller's number",
  pin: "PIN",
  voice: "Voice",
};

/** Whether the line's owner is the one who speaks, as a sentence. */
export function agreement(verdict) {
  const { line_owner: owner, speaker } = verdict;
  const onLine = owner?.user_name ? `, on ${owner.user_name}’s line` : "";
  switch (verdict.agreement) {
    case "same":
      return `${speaker.user_name ?? "The owner"} speaks, on their own line.`;
    case "different":
      return `${speaker.user_name ?? "Another user"} speaks${onLine}.`;
    case "third_party":
      return `Somebody who is not on the roster speaks${onLine}.`;
    default:
      return "Whether the line’s owner is the one who speaks cannot be said.";
  }
}

/** Why it is inconclusive, in words; null where it is not. */
export function reason(verdict) {
  const code = verdict.speaker?.reason ?? verdict.reason;
  if (!code || (verdict.speaker && verdict.speaker.status !== "inconclusive")) return null;
  return REASONS[code] ?? [code, "The documentation of the API says what this means."];
}

/** A verdict in one line, for the ear and for lists. */
export function inShort(verdict) {
  const { speaker } = verdict;
  const why = reason(verdict);
  if (why) return why[0];
  if (speaker?.status === "third_party") return "Nobody on the roster speaks";
  return speaker?.user_name ? `${speaker.user_name}, ${SPEAKER[speaker.status][0]}` : "Not known";
}

/** A telephone number in groups, as far as its country's are known here. */
export function phone(number) {
  const american = /^\+1(\d{3})(\d{3})(\d{4})$/.exec(number);
  return american ? `+1 ${american[1]} ${american[2]} ${american[3]}` : number;
}

/** Seconds as people say them: rounded first, so that no minute has sixty. */
export function seconds(value) {
  if (value === undefined) return "–";
  const whole = Math.round(value);
  return value < 59.95 ? `${value.toFixed(1)} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

/** A name as whoever reads it sees it: however its accents are composed, with whatever spaces, without what is invisible. */
export function asRead(name) {
  return name.normalize("NFC").replace(/\p{Cf}/gu, "").replace(/\s+/g, " ").trim();
}
