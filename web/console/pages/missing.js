// An address of the console that is no page's.

import { h, heading } from "../dom.js";

export async function show(root) {
  root.replaceChildren(heading("There is nothing here", "No page of the console has this address."), h("p", {}, "Go to ", h("a", { href: "/console/calls" }, "Live calls")));
}
