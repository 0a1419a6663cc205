// Shows the widgets of a saved page: no kernel, no network. The page holds, as data, the states of the
// widgets, the ids of those to show, and the AMD modules of widget libraries such as bqplot. This is the
// rest of what a notebook's front end does: it makes models of the states and puts their views in place.

import * as base from "@jupyter-widgets/base";
import { type IManagerState, ManagerBase } from "@jupyter-widgets/base-manager";
import * as controls from "@jupyter-widgets/controls";
import { MessageLoop } from "@lumino/messaging";
import { Widget } from "@lumino/widgets";

import { type Moments, PageReplay } from "../lib/page_replay";

import "@lumino/widgets/style/index.css";
import "@jupyter-widgets/controls/css/widgets-base.css";
import "./saved.css";

type Module = Record<string, unknown>;
type Factory = (...dependencies: Module[]) => Module;

const BUILT_IN: Record<string, Module> = {
  "@jupyter-widgets/base": base as unknown as Module,
  "@jupyter-widgets/controls": controls as unknown as Module,
};

/** The AMD module `name` that the page carries as the text of a script element. */
function carriedModule(name: string): Module {
  const holder = document.querySelector(
    `script[type="text/amd"][data-module="${CSS.escape(name)}"]`,
  );
  if (holder === null) {
    throw new Error(`this page does not carry the widget library ${name}`);
  }
  let made: Module | undefined;
  const define = (dependencies: string[], factory: Factory): void => {
    made = factory(...dependencies.map(moduleNamed));
  };
  // The page's policy lets only scripts with its nonce run; the text of this element is such a script.
  const running = document.createElement("script");
  const carrier = window as unknown as { define?: unknown };
  running.nonce = document.querySelector<HTMLScriptElement>("script[nonce]")?.nonce ?? "";
  running.textContent = `(() => {${holder.textContent}\n})();`;
  carrier.define = define;
  document.head.append(running);
  running.remove();
  delete carrier.define;
  if (made === undefined) {
    throw new Error(`the widget library ${name} defines no module`);
  }
  return made;
}

const modules = new Map<string, Module>(Object.entries(BUILT_IN));

function moduleNamed(name: string): Module {
  let module = modules.get(name);
  if (module === undefined) {
    module = carriedModule(name);
    modules.set(name, module);
  }
  return module;
}

/** A comm on which nothing comes, and nothing is sent, unless `hear` is given what is. */
function commToNobody(
  target: string,
  id: string,
  hear: (data: unknown) => void = () => {},
): base.IClassicComm {
  const nothing = (): string => "";
  return {
    comm_id: id,
    target_name: target,
    open: nothing,
    send: (data: unknown): string => {
      hear(data);
      return "";
    },
    close: nothing,
    on_msg: nothing,
    on_close: nothing,
  };
}

/** A widget manager whose comms reach nobody: models keep their saved state. */
class SavedPageManager extends ManagerBase {
  protected async loadClass(
    className: string,
    moduleName: string,
    _moduleVersion: string,
  ): Promise<typeof base.WidgetModel | typeof base.WidgetView> {
    const found = moduleNamed(moduleName)[className];
    if (found === undefined) {
      throw new Error(`the widget library ${moduleName} has no ${className}`);
    }
    return found as typeof base.WidgetModel;
  }

  protected async _create_comm(_target: string, id: string): Promise<base.IClassicComm> {
    return commToNobody(this.comm_target_name, id);
  }

  protected async _get_comm_info(): Promise<Record<string, never>> {
    return {};
  }
}

function carriedJson<Value>(id: string): Value {
  return JSON.parse(document.getElementById(id)?.textContent ?? "null") as Value;
}

/** Says which theme the page is in, in the words of JupyterLab, whose widgets look for them; on paper it is the light one. */
function followColorScheme(): void {
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const say = (isPrinted = false): void => {
    document.body.dataset.jpThemeLight = String(isPrinted || !dark.matches);
  };
  dark.addEventListener("change", () => say());
  window.addEventListener("beforeprint", () => say(true));
  window.addEventListener("afterprint", () => say());
  say();
}

/** The text of base64 of compressed bytes. */
async function unpacked(base64: string): Promise<string> {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).text();
}

/** Draws the marks of bqplot again whose pictures change: they follow another image, not another picture in the same one. */
function redrawChangedPictures(models: base.WidgetModel[]): void {
  for (const image of models) {
    if (image instanceof controls.ImageModel) {
      image.on("change:value", () => {
        for (const mark of models) {
          if (mark.get("image") === image) {
            mark.trigger("change:image", mark, image);
          }
        }
      });
    }
  }
}

/** Has the bar of a replay play the moments that the page holds; nothing where it holds none. */
async function playBack(manager: SavedPageManager, models: base.WidgetModel[]): Promise<void> {
  const holder = document.getElementById("moments");
  if (holder === null) {
    return;
  }
  const bar = await manager.get_model(holder.dataset.bar ?? "");
  if (typeof DecompressionStream === "undefined") {
    bar.set("commands", { play: "this browser is older than 2023 and cannot unpack the moments" });
    return;
  }
  const moments = JSON.parse(await unpacked(holder.textContent ?? "")) as Moments;
  redrawChangedPictures(models);
  const tabs = await manager.get_model(moments.tabs);
  const replay = new PageReplay(
    moments,
    {
      show: (states) =>
        manager.set_state({
          version_major: 2,
          version_minor: 0,
          state: states,
        } as unknown as IManagerState),
      tab: () => tabs.get("selected_index") as number | null,
      say: (traits) => bar.set(traits),
      atNextPaint: (act) => requestAnimationFrame(act),
    },
    bar.get("speed") as number,
  );
  bar.comm = commToNobody(manager.comm_target_name, bar.model_id, (data) => {
    const { method, content } = data as { method: string; content?: Record<string, unknown> };
    if (method === "custom" && content !== undefined) {
      replay.hear(content);
    }
  });
  tabs.on("change:selected_index", () => replay.showTab());
}

async function show(): Promise<void> {
  const manager = new SavedPageManager();
  const models = await manager.set_state(carriedJson<IManagerState>("widget-state"));
  for (const model of models) {
    // A model without a comm says that it has lost its kernel; here there never was one.
    model.comm = commToNobody(manager.comm_target_name, model.model_id);
    model.comm_live = true;
    // Nor is anything missed where no updates come.
    if (model.get("goes_on") === true) {
      model.set("goes_on", false);
    }
    // A control that reaches nobody must not look as if it did.
    if (model.get("disabled") === false) {
      model.set("disabled", true);
    }
  }
  await playBack(manager, models);
  const shown: Widget[] = [];
  for (const place of document.querySelectorAll<HTMLElement>("[data-widget]")) {
    const model = await manager.get_model(place.dataset.widget ?? "");
    const view = (await manager.create_view(model)) as base.DOMWidgetView;
    place.replaceChildren();
    Widget.attach(view.luminoWidget, place);
    shown.push(view.luminoWidget);
  }
  window.addEventListener("resize", () => {
    for (const widget of shown) {
      MessageLoop.postMessage(widget, Widget.ResizeMessage.UnknownSize);
    }
  });
  document.documentElement.dataset.shown = "true";
}

followColorScheme();
show().catch((error: unknown) => {
  const note = document.createElement("p");
  note.setAttribute("role", "alert");
  note.textContent = `The widgets could not be shown: ${error instanceof Error ? error.message : error}`;
  document.querySelector("main")?.prepend(note);
});
