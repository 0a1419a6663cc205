// As much of a page as views and controls need when they are tested by node: elements in a tree, events and the focus.
// Nothing is laid out.

const CAPTURED = "captured ";

class FakeElement extends EventTarget {
  /** Its elements, and its text. */
  nodes = [];
  dataset = {};
  style = {};
  value = "";
  parentElement = null;
  attributes = new Map();

  constructor(tagName) {
    super();
    this.tagName = tagName;
  }

  get className() {
    return this.getAttribute("class") ?? "";
  }

  set className(names) {
    this.setAttribute("class", names);
  }

  get classList() {
    const names = () => new Set(this.className.split(" ").filter(Boolean));
    const toggle = (name, isIn) => {
      const all = names();
      all[isIn ? "add" : "delete"](name);
      this.className = [...all].join(" ");
    };
    return { add: (name) => toggle(name, true), contains: (name) => names().has(name), toggle };
  }

  get textContent() {
    return this.nodes.map((node) => node.textContent).join("");
  }

  set textContent(text) {
    this.replaceChildren(text);
  }

  get hidden() {
    return this.attributes.has("hidden");
  }

  set hidden(isHidden) {
    this.attributes[isHidden ? "set" : "delete"]("hidden", "");
  }

  get children() {
    return this.nodes.filter((node) => node instanceof FakeElement);
  }

  get childElementCount() {
    return this.children.length;
  }

  get firstElementChild() {
    return this.children[0] ?? null;
  }

  get isConnected() {
    return this.closest("body") !== null;
  }

  get options() {
    return this.children;
  }

  get selectedOptions() {
    return this.children.filter(({ value }) => value === this.value);
  }

  getAttribute(name) {
    return this.attributes.get(name) ?? null;
  }

  setAttribute(name, value) {
    this.attributes.set(name, value);
    if (name === "value") {
      this.value = value;
    }
  }

  hasAttribute(name) {
    return this.attributes.has(name);
  }

  removeAttribute(name) {
    this.attributes.delete(name);
  }

  remove() {
    const { nodes } = this.parentElement ?? { nodes: [] };
    nodes.splice(nodes.indexOf(this), nodes.includes(this) ? 1 : 0);
    this.parentElement = null;
  }

  append(...nodes) {
    for (const node of nodes) {
      if (node instanceof FakeElement) {
        node.remove();
        node.parentElement = this;
        this.nodes.push(node);
      } else {
        this.nodes.push({ textContent: node });
      }
    }
  }

  prepend(...nodes) {
    this.append(...nodes);
    this.nodes.unshift(...this.nodes.splice(-nodes.length));
  }

  insertBefore(node, next) {
    this.append(node);
    if (next !== null) {
      this.nodes.splice(this.nodes.indexOf(next), 0, this.nodes.pop());
    }
  }

  before(node) {
    this.parentElement.insertBefore(node, this);
  }

  after(node) {
    const { children } = this.parentElement;
    this.parentElement.insertBefore(node, children[children.indexOf(this) + 1] ?? null);
  }

  replaceChildren(...nodes) {
    for (const child of this.children) {
      child.parentElement = null;
    }
    this.nodes = [];
    this.append(...nodes);
  }

  /** Itself and all elements below it. */
  all() {
    return [this, ...this.children.flatMap((child) => child.all())];
  }

  contains(node) {
    return this.all().includes(node);
  }

  /** Takes tags, classes and attributes, and those of elements round it before a blank. */
  matches(selectors) {
    return selectors.split(", ").some((selector) => {
      const [own, ...outer] = selector.split(" ").reverse();
      const [, tag, rest] = own.match(/^([a-z]*)(.*)$/);
      const parts = rest.match(/\.[^.[]+|\[[^\]]+\]/g) ?? [];
      return (
        (tag === "" || tag === this.tagName) &&
        (outer.length === 0 || this.parentElement?.closest(outer.reverse().join(" "))) &&
        parts.every((part) =>
          part.startsWith(".")
            ? this.classList.contains(part.slice(1))
            : part.slice(1, -1).replace("data-", "") in this.dataset ||
              this.attributes.has(part.slice(1, -1)),
        )
      );
    });
  }

  closest(selectors) {
    return this.matches(selectors) ? this : (this.parentElement?.closest(selectors) ?? null);
  }

  querySelectorAll(selectors) {
    return this.all().filter((node) => node !== this && node.matches(selectors));
  }

  querySelector(selectors) {
    return this.querySelectorAll(selectors)[0] ?? null;
  }

  focus() {
    document.activeElement = this;
  }

  click(detail = 1) {
    this.tell("click", { detail });
  }

  addEventListener(type, listener, options) {
    super.addEventListener(options?.capture ? CAPTURED + type : type, listener, options);
  }

  /** An event here: in all that it stands in, from outside, and out again. */
  tell(type, about = {}) {
    const path = [];
    for (let node = this; node !== null; node = node.parentElement) {
      path.push(node);
    }
    let isStopped = false;
    const stopPropagation = () => {
      isStopped = true;
    };
    const pass = (node, name) => {
      if (!isStopped) {
        const event = Object.assign(new Event(name, { cancelable: true }), about);
        Object.defineProperty(event, "target", { value: this });
        node.dispatchEvent(Object.assign(event, { stopPropagation }));
      }
    };
    for (const node of [...path].reverse()) pass(node, CAPTURED + type);
    for (const node of path) pass(node, type);
  }

  getBoundingClientRect() {
    return { left: 0, top: 0, width: 1000, height: 106 };
  }

  scrollIntoView() {}

  setPointerCapture() {}
}

class FakeInput extends FakeElement {}

/** What hears of changes of the page. */
const mutations = new Set();

/** Tells that the page was changed: nothing else does. */
export function tellMutation() {
  for (const { act } of mutations) act([]);
}

/** Makes a new empty page; gives its body. */
export function fakePage() {
  const body = new FakeElement("body");
  globalThis.document = Object.assign(new EventTarget(), {
    activeElement: body,
    body,
    createElement: (tag) => (tag === "input" ? new FakeInput(tag) : new FakeElement(tag)),
    createElementNS: (_namespace, tag) => new FakeElement(tag),
    querySelectorAll: (selectors) => body.querySelectorAll(selectors),
  });
  globalThis.window = new EventTarget();
  globalThis.Node = FakeElement;
  globalThis.HTMLElement = FakeElement;
  globalThis.HTMLInputElement = FakeInput;
  globalThis.HTMLTextAreaElement = class extends FakeElement {};
  globalThis.ResizeObserver = class {
    constructor(act) {
      this.act = act;
    }
    observe() {
      queueMicrotask(this.act);
    }
    disconnect() {}
  };
  mutations.clear();
  globalThis.MutationObserver = class {
    constructor(act) {
      this.act = act;
    }
    observe() {
      mutations.add(this);
    }
    disconnect() {
      mutations.delete(this);
    }
  };
  return body;
}

/** A model whose kernel has said `state`; `sent` is what was sent to it. */
export function fakeModel(state) {
  const listeners = new Map();
  const of = (event) => listeners.get(event) ?? listeners.set(event, new Set()).get(event);
  const sent = [];
  return {
    sent,
    widget_manager: {},
    get: (name) => state[name],
    set: (name, value) => {
      state[name] = value;
    },
    save_changes: () => {},
    send: (message) => sent.push(message),
    on: (event, listener) => of(event).add(listener),
    off: (event, listener) => of(event).delete(listener),
    numListeners: () => [...listeners.values()].reduce((sum, { size }) => sum + size, 0),
    /** What the kernel says to all views, in this page and in others. */
    hear: (message, buffers = []) => {
      for (const listener of of("msg:custom")) listener(message, buffers);
    },
    /** Resolves when all views have been painted. */
    change: async (more = {}) => {
      Object.assign(state, more);
      for (const name of [...Object.keys(more).map((one) => `change:${one}`), "change"]) {
        for (const listener of of(name)) listener();
      }
      await Promise.resolve();
    },
  };
}
