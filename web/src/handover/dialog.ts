// A modal dialog: the browser keeps the focus in it and gives it back.

import { h, type Child, type Node } from "../dom.js";
import { icon } from "../meeting/icons.js";

/** How it is closed: what the button says, what it does, and what follows where the browser closed it. */
export interface Closing {
  words: string;
  close(): void;
  closed(): void;
}

export function sheet(of: Closing, key: string, title: string, kind: string, ...children: Child[]): Node {
  return h(
    "dialog",
    {
      key: `dialog-${key}`,
      class: kind,
      "aria-labelledby": `title-${key}`,
      onclose: of.closed,
      // A touch beside it closes it.
      onclick: (event: MouseEvent) => (event.target as HTMLElement).tagName === "DIALOG" && (event.target as HTMLDialogElement).close(),
    },
    h("div", { class: "sheet" }, h("div", { class: "head" }, h("h2", { id: `title-${key}` }, title), h("button", { class: "tool", "aria-label": of.words, title: of.words, onclick: of.close }, icon("close"))), children),
  );
}

/** Opens the dialog that was drawn. */
export function shows(root: Element): void {
  const open = root.querySelector("dialog:not([open])");
  if (open instanceof HTMLDialogElement) open.showModal();
}
