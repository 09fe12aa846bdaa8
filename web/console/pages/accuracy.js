// How good it is: the benchmark's report, the operating-point picker, and drift of calls.

import { get } from "../api.js";
import { empty, h, heading, may, note, problem, progress, when } from "../dom.js";
import { drift } from "../parts/drift.js";
import { hidden } from "../parts/people.js";
import { picker } from "../parts/picker.js";
import { charts, conditions, tiles } from "../parts/report.js";

export async function show(root, { session }) {
  const title = heading("Accuracy", "How good it is on calls that were measured, what an accepted error costs, and whether your own calls have changed.");
  if (!may(session, "identify")) {
    root.replaceChildren(title, hidden("What was measured, and how calls ended", "identify"));
    return;
  }
  const [found, numbers] = await progress(
    Promise.all([get("/v1/accuracy/reports"), may(session, "enroll") ? get("/v1/numbers") : []]),
    root,
  );
  const place = h("div", { class: "stack" });
  const calls = drift(session, numbers);
  root.replaceChildren(title, reports(found, place), place, calls.root);
  await calls.show();
}

function reports(found, place) {
  if (found.reports.length === 0) {
    place.replaceChildren(none(found));
    return "";
  }
  const named = (one) => `${one.protocol ?? one.id} · ${new Date(one.made_at).toLocaleDateString()}`;
  const chosen = h("select", { id: "report" }, found.reports.map((one) => h("option", { value: one.id }, named(one))));
  const read = async () => {
    try {
      const report = await progress(get(`/v1/accuracy/reports/${encodeURIComponent(chosen.value)}`), place);
      await draw(place, report, found);
    } catch (error) {
      place.replaceChildren(problem(error));
    }
  };
  chosen.addEventListener("change", read);
  read();
  return h("div", { class: "filters" }, h("div", { class: "field" }, h("label", { for: "report" }, "Report of"), chosen));
}

function none(found) {
  const command = `voxline bench --protocol my-calls --out ${found.folder}/my-calls`;
  return h(
    "div",
    { class: "stack" },
    empty(
      "No report yet",
      "Put recordings into one folder a speaker, let Voxline make the lists (`voxline bench init my-calls`), and measure. The report shows here without a restart.",
      h("code", {}, command),
    ),
  );
}

async function draw(place, report, found) {
  const { metrics, details } = report;
  const other = [
    metrics.model !== found.model && `the model ${metrics.model}, and calls are heard by ${found.model}`,
    metrics.calibration !== found.calibration && `the calibration ${metrics.calibration ?? "of none"}, and calls are decided by ${found.calibration}`,
  ].filter(Boolean);
  const drawn = charts(report);
  const picked = details.picks?.length > 0 ? picker(details.picks, found) : null;
  place.replaceChildren(
    h(
      "section",
      { "aria-labelledby": "report-heading" },
      h(
        "div",
        {},
        h("h2", { id: "report-heading" }, details.run?.protocol ?? report.id),
        details.run?.description && h("p", { class: "soft" }, details.run.description),
        h("p", { class: "small" }, `${metrics.trials} trials, model ${metrics.model}, calibration ${metrics.calibration ?? "none"}, made `, when(report.made_at)),
      ),
      other.length > 0 && h("p", { class: "note warn" }, `This report is of ${other.join(", and of ")}: measure again to know how calls are decided now.`),
      tiles(report),
    ),
    picked ? picked.root : noPicks(report),
    drawn.root,
    h("section", { "aria-labelledby": "conditions-heading" }, h("h2", { id: "conditions-heading" }, "Conditions"), conditions(report)),
  );
  await Promise.all([picked?.draw(), drawn.draw()]);
}

function noPicks(report) {
  const why =
    report.metrics.calibration === null
      ? "it was made without a calibration, so that nothing is decided in it"
      : report.metrics.identification === null
        ? "its protocol has no searches (search.tsv and rosters.tsv)"
        : "it was made by a release that kept none; make it anew with `voxline bench`";
  return note(`There is no operating point to pick in this report: ${why}.`);
}
