// The carrier check: what a captured test call, or the command's own report, says of forwarding.

import { announce, badge, button, h, problem, progress, table } from "../dom.js";
import { ask } from "./raw.js";

const VERDICTS = {
  forwards: ["Tells who forwarded", "good"],
  passport_only: ["Only a signed statement", "warn"],
  echo_only: ["Only the dialed number", "warn"],
  none: ["Nothing", "bad"],
};

/** The check, as elements. */
export function carrierCheck(session) {
  const text = h("textarea", { id: "capture", rows: 6, spellcheck: "false", placeholder: "INVITE sip:+12025550102@… SIP/2.0" });
  const file = h("input", { type: "file", id: "capture-file" });
  const result = h("div", { class: "stack", id: "carrier-result", role: "status" });

  async function check(body) {
    result.replaceChildren();
    const own = ownReport(body);
    if (own) return draw(own);
    try {
      draw(await progress(ask(session, "/v1/carriers/check", body, "application/octet-stream"), result));
    } catch (error) {
      result.replaceChildren(problem(error));
    }
  }

  function draw(report) {
    if (report.calls.length === 0) {
      result.replaceChildren(h("p", { class: "note" }, "There is no test call in it."));
      return;
    }
    const verdict = (one) => badge(...(VERDICTS[one.verdict] ?? [one.verdict, null]));
    const evidence = (call) =>
      call.evidence.length === 0 ? "none" : call.evidence.map((found) => `${found.place}${found.number ? ` ${found.number}` : ""}`).join(", ");
    result.replaceChildren(
      table(
        [
          { title: "Carrier", cell: (one) => one.carrier },
          { title: "Says", cell: verdict },
          { title: "Calls", class: "number", cell: (one) => `${one.forwarded} of ${one.calls}` },
          { title: "What it means", cell: (one) => `${one.advice.charAt(0).toUpperCase()}${one.advice.slice(1)}.` },
        ],
        report.carriers,
        { caption: "What carriers tell of forwarding" },
      ),
      table(
        [
          { title: "Call", cell: (call) => `${call.form}${call.dialed ? ` to ${call.dialed}` : ""}` },
          { title: "Evidence", cell: evidence },
          { title: "Forwarder", class: "number", cell: (call) => call.forwarder ?? "–" },
          { title: "Voxline", cell: (call) => call.voxline },
        ],
        report.calls,
        { caption: "Test calls" },
      ),
      ...report.remarks.map((remark) => h("p", { class: "note" }, remark)),
    );
    announce("The carrier check is done");
  }

  file.addEventListener("change", async () => file.files[0] && check(new Uint8Array(await file.files[0].arrayBuffer())));
  return h(
    "div",
    { class: "stack" },
    h("p", {}, "Forward a phone to the number and call that phone. Capture what arrives, and let it be read: by the command where the service runs,"),
    h("pre", { role: "group", tabindex: "0", "aria-label": "Command" }, h("code", {}, "voxline carrier check --listen 0.0.0.0:5060 --json")),
    h("p", {}, "or here: paste an INVITE, a webhook's body or the command's own report, or choose a capture (pcap). Nothing of it is kept."),
    h("div", { class: "field" }, h("label", { for: "capture" }, "What arrived"), text),
    h("p", { class: "actions" }, button("Say what it tells", () => text.value.trim() && check(text.value), "primary", { id: "check-carrier" })),
    h("div", { class: "field" }, h("label", { for: "capture-file" }, "Or a file"), file),
    result,
  );
}

/** The report of `voxline carrier check --json`, when it is one. */
function ownReport(body) {
  if (typeof body !== "string" || !body.trimStart().startsWith("{")) return null;
  try {
    const read = JSON.parse(body);
    return Array.isArray(read.carriers) && Array.isArray(read.calls) ? { remarks: [], ...read } : null;
  } catch {
    return null;
  }
}
