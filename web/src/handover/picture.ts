// A link as a picture for a camera.

import { h, type Child } from "../dom.js";
import { path, qr } from "../meeting/qr.js";

/** None of a link that is too long. */
export function qrFigure(to: string, label: string): Child {
  const code = qr(to);
  if (!code) return null;
  const side = code.length + 8;
  return h("figure", { class: "qr" }, h("svg", { viewBox: `0 0 ${side} ${side}`, role: "img", "aria-label": label }, h("rect", { width: side, height: side }), h("path", { d: path(code) })), h("figcaption", { class: "quiet" }, label));
}
