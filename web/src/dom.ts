// A small way to say what the document should look like; what differs is changed, so focus and text stay where they are.

type Value = string | number | boolean | null | undefined | MediaStream | ((event: never) => void);

export interface Node {
  tag: string;
  key: string | undefined;
  props: Record<string, Value>;
  children: (Node | string)[];
}

export type Child = Node | string | number | null | false | undefined | Child[];

export function h(tag: string, props: Record<string, Value> = {}, ...children: Child[]): Node {
  const { key, ...rest } = props;
  return { tag, key: key === undefined ? undefined : String(key), props: rest, children: flat(children) };
}

function flat(children: Child[]): (Node | string)[] {
  return children.flatMap((child) => {
    if (Array.isArray(child)) return flat(child);
    if (child === null || child === undefined || child === false) return [];
    return [typeof child === "number" ? String(child) : child];
  });
}

const made = new WeakMap<Element, Node>();

const SVG = "http://www.w3.org/2000/svg";

/** Makes the children of `parent` look like this. */
export function patch(parent: Element, children: (Node | string)[]): void {
  const keyed = new Map<string, Element>();
  for (const child of parent.children) {
    const key = made.get(child)?.key;
    if (key !== undefined) keyed.set(key, child);
  }
  // What is gone goes first: whatever is moved past it would lose the focus, in the middle of a word.
  const wanted = new Set(children.map((child) => (typeof child === "string" ? undefined : child.key)));
  for (const [key, element] of keyed) if (!wanted.has(key)) element.remove();
  let at: ChildNode | null = parent.firstChild;
  for (const child of children) {
    if (typeof child === "string") {
      if (at instanceof Text) {
        if (at.data !== child) at.data = child;
        at = at.nextSibling;
      } else {
        parent.insertBefore(document.createTextNode(child), at);
      }
      continue;
    }
    let element = child.key !== undefined ? keyed.get(child.key) : undefined;
    if (!element && at instanceof Element) {
      const before = made.get(at);
      if (before && before.key === undefined && child.key === undefined && before.tag === child.tag) element = at;
    }
    if (element && made.get(element)?.tag === child.tag) {
      if (element === at) at = at.nextSibling;
      else parent.insertBefore(element, at);
    } else {
      element = child.tag === "svg" || parent.namespaceURI === SVG ? document.createElementNS(SVG, child.tag) : document.createElement(child.tag);
      parent.insertBefore(element, at);
    }
    update(element, child);
  }
  while (at) {
    const next: ChildNode | null = at.nextSibling;
    at.remove();
    at = next;
  }
}

function update(element: Element, node: Node): void {
  const before = made.get(element)?.props ?? {};
  for (const [name, value] of Object.entries(node.props)) {
    if (before[name] !== value) set(element, name, value);
  }
  for (const name of Object.keys(before)) {
    if (!(name in node.props)) set(element, name, null);
  }
  made.set(element, node);
  patch(element, node.children);
  // What is chosen can be chosen only once it is there.
  if (element instanceof HTMLSelectElement && "value" in node.props) element.value = String(node.props["value"] ?? "");
}

function set(element: Element, name: string, value: Value): void {
  if (name.startsWith("on")) {
    // One listener that asks the newest description what to do.
    const event = name.slice(2);
    const marker = `on:${event}`;
    const listening = (element as unknown as Record<string, boolean>)[marker];
    if (!listening) {
      (element as unknown as Record<string, boolean>)[marker] = true;
      element.addEventListener(event, (occurred) => {
        const handler = made.get(element)?.props[name];
        if (typeof handler === "function") (handler as (event: Event) => void)(occurred);
      });
    }
  } else if (name === "value" && (element instanceof HTMLInputElement || element instanceof HTMLTextAreaElement)) {
    element.value = String(value ?? "");
  } else if (name === "checked" && element instanceof HTMLInputElement) {
    element.checked = value === true;
  } else if (element instanceof HTMLMediaElement && (name === "srcObject" || name === "muted")) {
    if (name === "muted") element.muted = value === true;
    else element.srcObject = value instanceof MediaStream ? value : null;
  } else if (name.startsWith("--")) {
    // A style written as an attribute is refused by the policy; one set here is not.
    (element as HTMLElement).style.setProperty(name, value === null || value === undefined ? null : String(value));
  } else if (value === null || value === undefined || value === false) {
    element.removeAttribute(name);
  } else {
    element.setAttribute(name, value === true ? "" : String(value));
  }
}
