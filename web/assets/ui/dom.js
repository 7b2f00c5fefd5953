// Building and finding elements. Text goes in as text: nothing here parses HTML.

import { setLabel, setPlaceholder, setText } from './i18n.js';

const svgNamespace = 'http://www.w3.org/2000/svg';

/** The element with this id; a missing one is a fault of the page. */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found;
}

const special = {
  class: (node, value) => (node.className = value),
  data: (node, value) => Object.assign(node.dataset, value),
  /** A key of the strings, or [key, values]: the text, which follows the language. */
  t: (node, value) => setText(node, ...[value].flat()),
  /** The same for the accessible name and the tooltip. */
  label: (node, value) => setLabel(node, ...[value].flat()),
  hint: (node, value) => setPlaceholder(node, ...[value].flat()),
};

function put(node, name, value) {
  if (value === undefined || value === null || value === false) return;
  if (name in special) special[name](node, value);
  else if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
  else node.setAttribute(name, value === true ? '' : value);
}

/** Makes an element: attributes, `on…` listeners, and the `special` ones above. */
export function el(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) put(node, name, value);
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** Makes an SVG element. */
export function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS(svgNamespace, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

/** A picture of the sprite; it is decoration, its button or row has the name. */
export function icon(name) {
  return svg('svg', { class: 'icon', 'aria-hidden': 'true', focusable: 'false' }, svg('use', { href: `#i-${name}` }));
}

/** Shows another picture in an `icon()` or in one written in the page. */
export function setIcon(node, name) {
  node.querySelector('use').setAttribute('href', `#i-${name}`);
}

/** Fills `<svg class="icon" data-icon="…">` written in the page. */
export function fillIcons(root = document) {
  for (const node of root.querySelectorAll('svg[data-icon]')) {
    node.setAttribute('aria-hidden', 'true');
    node.append(svg('use', { href: `#i-${node.dataset.icon}` }));
  }
}

/** Takes the sprite into the page: a picture that comes later would flicker. */
export async function loadIcons() {
  const response = await fetch('/assets/icons.svg');
  const sprite = new DOMParser().parseFromString(await response.text(), 'image/svg+xml').documentElement;
  sprite.setAttribute('aria-hidden', 'true');
  sprite.setAttribute('class', 'sprite');
  document.body.append(document.importNode(sprite, true));
}
