// Bodies that are neither JSON nor forms, as the API takes them from programs too.

import { send } from "../api.js";

/** Posts `body` of this media type; gives what comes back. */
export function ask(session, path, body, mediaType) {
  const headers = { accept: "application/json", "content-type": mediaType, "x-voxline-csrf": session.csrf };
  return send("POST", path, undefined, { headers, body });
}
