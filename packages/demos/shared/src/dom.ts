/** Making elements. Text is only ever set as text: the page's policy forbids HTML from strings (Trusted Types). */

type Child = Node | string | null;

interface Attributes {
  readonly class?: string;
  readonly text?: string;
  readonly on?: { readonly [event: string]: (event: Event) => void };
  readonly [attribute: string]: string | boolean | undefined | { readonly [event: string]: (event: Event) => void };
}

/** Makes an element. `text` becomes its text, `on` its listeners, `true` an empty attribute; `false` leaves one out. */
export function element<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[Tag] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false || name === 'text') continue;
    if (typeof value === 'object') {
      for (const [event, listener] of Object.entries(value)) made.addEventListener(event, listener);
    } else {
      made.setAttribute(name, value === true ? '' : value);
    }
  }
  if (attributes.text !== undefined) made.textContent = attributes.text;
  made.append(...children.filter((child) => child !== null));
  return made;
}

/** The element of the page with this id. */
export function place<Made extends HTMLElement = HTMLElement>(id: string): Made {
  const found = document.getElementById(id) as Made | null;
  if (found === null) throw new Error(`The page has no #${id}`);
  return found;
}

/** The time of day in the reader's own zone and manner. */
export function clockTime(ms: number, seconds = false): string {
  return new Date(ms).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', ...(seconds && { second: '2-digit' }) });
}
